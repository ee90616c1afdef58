"""CoinSwitch futures: the windows of creation time that together make a complete list. Pure, no I/O.

The venue lists at most seven days at once and only the newest seven unless told otherwise
(`/futures/reference/open-orders`). So a list is one open window up to now and fixed ones behind it. Bounds
belong to both neighbours: an order on one is seen twice, and none falls between.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from cancel_tui.venues.base import Part

DAY = 86_400_000
"""Milliseconds."""
WIDEST = 7 * DAY - 1000
"""Milliseconds of one request: the venue's seven days with a second to spare."""
AHEAD = 60_000
"""Milliseconds that the newest window reaches beyond now, and a fixed one must end before it: how far the
venue lets clocks differ."""
NEWEST = "newest"
"""The id of the part that new orders are born into."""
_AT_FIRST = 7 * DAY - 30 * 60_000
_KEPT = WIDEST // 2
_FIXED = re.compile(r"past:(\d{1,17})-(\d{1,17})")


class Span(NamedTuple):
    """Creation times in milliseconds, both bounds included."""

    begin: int
    end: int
    asked: int = 0
    """When the bounds were chosen; 0 for fixed ones."""

    @property
    def id(self) -> str:
        """The part id of a fixed window."""
        return f"past:{self.begin}-{self.end}"

    def past(self, now: int) -> Span:
        """Itself; raises ValueError where orders may still be born into it, so that it proves nothing."""
        if self.end > now - AHEAD:
            raise ValueError("a window that is not past: the clock was corrected meanwhile")
        return self


def fixed(part_id: str) -> Span | None:
    """The window of a part id; None for any other id."""
    found = _FIXED.fullmatch(part_id)
    return Span(int(found[1]), int(found[2])) if found else None


def lookback(days: int, now: int) -> list[Span]:
    """The whole lookback in windows that fit into one request each, newest first; up to what is born now."""
    return _pieces(now - days * DAY, now + AHEAD)


def newest(begin: int, now: int) -> Span:
    """The window from a bound up to now, as far as one request reaches; raises ValueError for no window."""
    if begin > now:
        raise ValueError("a window that begins in the future: the clock was corrected meanwhile")
    return Span(begin, min(now + AHEAD, begin + WIDEST), now)


class Windows:
    """The windows of one process: their ids stay the same, and only the newest grows.

    The fixed windows are laid once, from seven days back to the end of the lookback. When the newest has
    grown to its limit, its older half becomes another fixed one. Only a clock that turns out to have been
    so far ahead that a fixed window is not past makes them start again.
    """

    def __init__(self, lookback_days: int) -> None:
        self._lookback = lookback_days * DAY
        self._fixed: list[Span] = []
        self._floor = 0
        self.boundary: int | None = None
        """Where the newest window begins, milliseconds; None before the first look."""

    def parts(self, now: int) -> tuple[Part, ...]:
        """What a complete list consists of at this moment, newest first."""
        if self.boundary is None or self.boundary > now - AHEAD:
            self._fixed = []
            self.boundary = self._floor = now - _AT_FIRST
        if now + AHEAD - self.boundary > WIDEST:
            kept = now - _KEPT
            self._fixed = _pieces(self.boundary, kept) + self._fixed
            self.boundary = kept
        oldest = now - self._lookback
        if self._floor > oldest + (AHEAD if self._fixed else 0):
            self._fixed += _pieces(oldest, self._floor)
            self._floor = oldest
        past = (Part(window.id, past=True) for window in self._fixed)
        return (Part(NEWEST), *past)


def _pieces(begin: int, end: int) -> list[Span]:
    """A stretch of time in windows that fit into one request each, newest first."""
    pieces = []
    while end > begin:
        low = max(begin, end - WIDEST)
        pieces.append(Span(low, end))
        end = low
    return pieces
