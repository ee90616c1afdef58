"""Orders that have left the grid, with their ends: the newest ones, so many and no more."""

from __future__ import annotations

import msgspec

from cancel_tui.orders import Order, OrderKey

KEPT = 2_000
"""Ended orders that are remembered."""
NOT_LISTED = "no longer listed"
"""What is said of an order that nobody touched and that its venue lists no more: absence is no end."""


class Ended(msgspec.Struct, frozen=True):
    """One order that is no longer among the open ones."""

    order: Order
    word: str
    """How it ended, on the venue's word; or that it was merely not listed any more."""
    at: float
    """When, in monotonic seconds."""
    took: str = ""
    """The time from the last request to the venue's word; empty where none was sent."""
    said: str = ""
    """What was said of it last, in our words and the venue's."""


class Recent:
    """What ended of late, the newest last."""

    def __init__(self) -> None:
        self._ends: dict[OrderKey, Ended] = {}
        self.dropped = 0
        """How many there were beyond those that are kept."""

    def __len__(self) -> int:
        return len(self._ends)

    def note(self, one: Ended) -> None:
        """An order is over; the same end again keeps its place."""
        key = one.order.key
        held = self._ends.get(key)
        if held is not None and (held.word, held.at) == (one.word, one.at):
            self._ends[key] = one
            return
        self._ends.pop(key, None)
        self._ends[key] = one
        if len(self._ends) > KEPT:
            del self._ends[next(iter(self._ends))]
            self.dropped += 1

    def forget(self, key: OrderKey) -> None:
        """The order is listed as open again."""
        self._ends.pop(key, None)

    def newest(self) -> list[Ended]:
        """Every remembered end, the newest first."""
        return sorted(self._ends.values(), key=lambda one: -one.at)
