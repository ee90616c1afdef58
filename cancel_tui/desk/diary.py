"""What happened to each order of a kill, in memory and bounded, for whoever looks at one order. Pure.

The journal keeps everything for good; this is the short story that a screen can ask for at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cancel_tui.orders import OrderKey

KEPT = 60
"""Lines of one order at the most: the first ones and the newest."""
_FIRST = 10


class Moment(msgspec.Struct, frozen=True, gc=False):
    """One line of an order's story."""

    wall: float
    """Seconds since 1970, by our clock."""
    what: str
    """Our words, with the venue's own in brackets."""


class Diary:
    """The orders of one venue's part of a kill, each with its lines, the oldest first."""

    def __init__(self) -> None:
        self._lines: dict[OrderKey, list[Moment]] = {}
        self._shared: list[tuple[Moment, Sequence[OrderKey]]] = []

    def note(self, key: OrderKey, wall: float, what: str) -> None:
        """One more line; the same as the last one is none."""
        lines = self._lines.setdefault(key, [])
        if lines and lines[-1].what == what:
            return
        lines.append(Moment(wall, what))
        if len(lines) > KEPT:
            del lines[_FIRST]

    def note_many(self, keys: Sequence[OrderKey], wall: float, what: str) -> None:
        """One line for many orders; it costs no more than one for a single order."""
        self._shared.append((Moment(wall, what), keys))
        if len(self._shared) > KEPT:
            del self._shared[_FIRST]

    def said(self, key: OrderKey, words: str | None) -> bool:
        """Whether the newest of an order's own lines says just that."""
        lines = self._lines.get(key)
        return lines is not None and lines[-1].what == words

    def of(self, key: OrderKey) -> tuple[Moment, ...]:
        """An order's lines, the oldest first."""
        shared = [moment for moment, keys in self._shared if key in keys]
        return tuple(sorted([*shared, *self._lines.get(key, ())], key=lambda one: one.wall))
