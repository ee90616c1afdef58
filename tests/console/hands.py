"""Keys for a console under test: handled when the call returns, without waiting for an idle machine.

The toolkit's own way waits after every key until the process uses no processor, which takes long where a
console polls, and proves nothing where something else keeps the process busy.
"""

from __future__ import annotations

import unicodedata
from time import monotonic

from textual import events
from textual.drivers.headless_driver import HeadlessDriver
from textual.geometry import Size
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.pilot import Pilot

LIMIT = 20.0
"""Seconds that a screen may take to be laid out anew."""

_ROUNDS = 3
"""How often the queues are waited for: a key goes from the application to its screen to a widget."""


def key_event(key: str) -> events.Key:
    """The event of a key by its name, as a terminal would bring it."""
    name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
    character: str | None
    try:
        character = unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(name, name)))
    except KeyError:
        character = name if len(name) == 1 else "\r" if name == "enter" else None
    return events.Key(name, character)


async def hit(pilot: Pilot[int] | Pilot[None], key: str) -> None:
    """Press one key, and wait until everybody it concerns has handled it and the screen is laid out anew."""
    app = pilot.app
    event = key_event(key)
    event.set_sender(app)
    app.post_message(event)
    await settle(pilot)


async def press(pilot: Pilot[int] | Pilot[None], *keys: str) -> None:
    """Press these keys one after the other."""
    for key in keys:
        await hit(pilot, key)


async def resize(pilot: Pilot[int] | Pilot[None], width: int, height: int) -> None:
    """Give the terminal another size, and wait until the screen is laid out for it."""
    size = Size(width, height)
    if isinstance(pilot.app._driver, HeadlessDriver):
        pilot.app._driver._size = size
    pilot.app.post_message(events.Resize(size, size))
    end = monotonic() + LIMIT
    await settle(pilot)
    while pilot.app.screen.size != size or pilot.app.screen._compositor.size != size:
        assert monotonic() < end, f"the screen stays at {pilot.app.screen.size}"
        await settle(pilot)


async def settle(pilot: Pilot[int] | Pilot[None]) -> None:
    """Wait until everybody has handled what was under way, and the screen is laid out anew."""
    for _ in range(_ROUNDS):
        await pilot._wait_for_screen()
    pilot.app.screen._on_timer_update()
