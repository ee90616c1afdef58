"""Pauses of long work: what must not wait has its turn there, in the middle of a turn of the event loop.

The loop looks at its files, the terminal among them, once per turn, and a turn that draws, or takes in a
whole list, lasts milliseconds. Whoever works for long calls `pause` wherever another may act: between two
messages, two rows, two lines, while nothing is half done.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from threading import get_ident
from time import perf_counter

EVERY = 0.0002
"""Seconds from one pause to the next; until then `pause` costs next to nothing."""


class _Pauses:
    """What happens in them. A process has one event loop that matters, and so one of these."""

    def __init__(self) -> None:
        self.acts: list[Callable[[], None]] = []
        self.thread = 0
        """Whose work they interrupt: that of the event loop."""
        self.next_at = -inf

    def act(self) -> None:
        # What acts may come to a pause itself: it is not interrupted.
        self.next_at = inf
        try:
            for act in list(self.acts):
                act()
        finally:
            self.next_at = perf_counter() + EVERY


_pauses = _Pauses()


def pause() -> None:
    """Let act whoever must not wait; nothing where the last pause was just now, or in another thread."""
    if _pauses.acts and perf_counter() >= _pauses.next_at and get_ident() == _pauses.thread:
        _pauses.act()


def use_pauses(act: Callable[[], None]) -> Callable[[], None]:
    """Let `act`, which must not raise, happen in every pause of this thread; the answer ends that."""
    _pauses.thread = get_ident()
    _pauses.acts.append(act)

    def no_more() -> None:
        if act in _pauses.acts:
            _pauses.acts.remove(act)

    return no_more
