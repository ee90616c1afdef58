"""Keys for a console under test: handled when the call returns, without waiting for an idle machine.

The toolkit's own way waits after every key until the process uses no processor, which takes long where a
console polls, and proves nothing where something else keeps the process busy.
"""

from __future__ import annotations

import unicodedata
from time import monotonic

from textual import events
from textual.app import App
from textual.drivers.headless_driver import HeadlessDriver
from textual.geometry import Size
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.pilot import Pilot

from cancel_tui.console.attentive import AttentiveApp

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


def bring(app: App[int] | App[None], event: events.Key) -> None:
    """Hand a key to the application as the console's driver does."""
    event.set_sender(app)
    if not (isinstance(app, AttentiveApp) and app.take_key(event)):
        app.post_message(event)


async def hit(pilot: Pilot[int] | Pilot[None], key: str) -> None:
    """Press one key, and wait until everybody it concerns has handled it and the screen is laid out anew."""
    bring(pilot.app, key_event(key))
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
    screen = pilot.app.screen
    for _ in range(1 + len(screen._dirty_widgets)):
        screen._on_timer_update()
