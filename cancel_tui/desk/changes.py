"""Which orders have changed since somebody last looked, so that looking costs what has changed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from cancel_tui.orders import OrderKey

MOST = 5_000
"""Orders whose last change is kept; a reader who has stayed behind further than that is told: anything."""
SHARE = 16
"""Of what is kept, this part goes at a time: one by one is slow at the front of a dictionary."""


class Changes:
    """Orders in the order of their last change; any number of readers, each of which keeps its own place."""

    def __init__(self) -> None:
        self.serial = 0
        """The place of the newest change; a reader begins at 0."""
        self._at: dict[OrderKey, int] = {}
        self._all = 0

    def __len__(self) -> int:
        return len(self._at)

    def note(self, key: OrderKey) -> None:
        """Something about an order is, or may be, different."""
        self.serial += 1
        self._at.pop(key, None)
        self._at[key] = self.serial
        if len(self._at) > MOST:
            for old in list(islice(self._at, MOST // SHARE + 1)):
                self._all = self._at.pop(old)

    def note_these(self, keys: Sequence[OrderKey]) -> None:
        """The same of several; so many that not all could be kept are simply all."""
        if len(keys) > MOST:
            self.note_all()
            return
        for key in keys:
            self.note(key)

    def note_all(self) -> None:
        """Anything may be different."""
        self.serial += 1
        self._all = self.serial
        self._at.clear()

    def since(self, serial: int) -> list[OrderKey] | None:
        """What changed after a place, the oldest first; None for: anything."""
        if self._all > serial:
            return None
        found: list[OrderKey] = []
        for key, at in reversed(self._at.items()):
            if at <= serial:
                break
            found.append(key)
        found.reverse()
        return found
