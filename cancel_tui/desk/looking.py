"""One look for the ends of orders among the finished ones: which page is next, and what is left. Pure.

The first page goes alone, for it tells whether the look pays. Then two may be read side by side, as long as
the budget has more pages than the orders can fill: what is read ahead of its turn may be read for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from cancel_tui.desk.actions import ReadClosed
from cancel_tui.orders import Order, OrderKey
from cancel_tui.venues.base import ClosedPage, ClosedQuery
from cancel_tui.venues.outcome import Answered, NotSent, Outcome

_MOST = 60
"""Pages of one look."""


@dataclass(eq=False, repr=False, match_args=False)
class Look:
    """The pages of one look; `unread` at its end is what it was not worth looking for any further."""

    action: ReadClosed
    found: list[Order] = field(default_factory=list)
    pages: int = 0

    def __post_init__(self) -> None:
        self.outcome: Outcome[ClosedPage] = NotSent("nothing to look for")
        """The last page's, or the failure that ended the look."""
        self._queue = list(self.action.plan.queries)
        self._wanted = set(self.action.plan.covers)
        self._over = False

    def next(self, singles: float, spare: float = inf) -> ClosedQuery | None:
        """The next page; None where none is worth it.

        So many orders could be read one by one instead, and so many of them the budget still has pages for.
        """
        if self._over or not self._queue or not self._wanted or self.pages >= _MOST:
            return None
        if len(self._wanted) > spare:
            return None
        if self.pages and len(self._wanted) < len(self._queue) and len(self._wanted) <= singles:
            return None
        self.pages += 1
        return self._queue.pop(0)

    def took(self, outcome: Outcome[ClosedPage]) -> None:
        """What came of a page."""
        if self._over:
            return
        self.outcome = outcome
        if not isinstance(outcome, Answered):
            self._over = True
            return
        ended = {order.key for order in outcome.value.orders if order.status.terminal}
        # An early look whose first page shows none of them would spend the other pages for nothing.
        self._over = self.action.early and self.pages == 1 and self._wanted.isdisjoint(ended)
        self._wanted -= ended
        self.found += outcome.value.orders
        if outcome.value.next is not None:
            self._queue.insert(0, outcome.value.next)

    @property
    def unread(self) -> frozenset[OrderKey]:
        """Orders of which it cannot be said that the pages do not hold them."""
        return frozenset(self._wanted if self._queue else ())
