"""What the open lists of a practice venue show, which under some faults is not what is live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from zlib import crc32

from cancel_tui.practice.market import Book, SimOrder, State
from cancel_tui.practice.mischief import planned, strikes

LAG = 0.8
"""Seconds by which a list lags that lags briefly: less than the usual second between two lists of a proof."""
LONG_LAG = 5.0
"""Seconds by which it lags for long: more than a proof takes."""
_ONE_IN = 3


def chosen(order: SimOrder) -> bool:
    """Whether an order is of the third that partial faults hit; always the same ones."""
    return crc32(order.id.encode()) % _ONE_IN == 0


class Shown:
    """The view of one book that its open lists give."""

    def __init__(self, book: Book, faults: Callable[[], set[str]], moved: Callable[[], None]) -> None:
        self._book = book
        self._faults = faults
        self._moved = moved
        self._living: set[str] = set()
        self._added: dict[str, float] = {}
        self._over: dict[str, float] = {}
        self._hidden: dict[str, float] = {}
        self._unhidden: set[str] = set()
        book.watchers.insert(0, self._watch)

    def ended(self, within: float) -> list[SimOrder]:
        """Orders that were seen live here and went over in the last so many seconds."""
        since = self._book.clock.monotonic() - within
        orders = self._book.orders
        return [orders[one] for one, when in self._over.items() if when >= since and one in orders]

    def orders(self, route: str = "list") -> list[SimOrder]:
        """What an open list shows now, newest first, before any filter; ghosts are copies that rest."""
        faults, live = self._faults(), self._book.live()
        if not faults:
            return live
        now = self._book.clock.monotonic()
        for name, seconds in (("list_hides", LAG), ("list_hides_long", LONG_LAG)):
            if planned(faults, name, route) and any(self._hideable(one) for one in live):
                strikes(faults, name, route)
                vanishing = {one.id: now + seconds for one in live if self._hideable(one)}
                self._hidden |= vanishing
                self._unhidden -= vanishing.keys()
        shown = [one for one in live if self._hidden.get(one.id, now) <= now]
        ghosts: list[SimOrder] = []
        if planned(faults, "list_ghost", route) and strikes(faults, "list_ghost", route):
            over = [found for one in self._over if (found := self._book.orders.get(one)) is not None]
            ghosts += [one for one in over if chosen(one)]
        if planned(faults, "list_lag", route) and strikes(faults, "list_lag", route):
            shown = [one for one in shown if self._added.get(one.id, now - LAG) <= now - LAG]
            ghosts += [one for one in self.ended(LAG) if one not in ghosts]
        if ghosts:
            shown += [replace(one, state=State.RESTING) for one in ghosts]
            shown.sort(key=lambda order: (order.created, order.id), reverse=True)
        return shown

    def told(self, rows: Sequence[SimOrder], route: str = "list") -> Sequence[SimOrder]:
        """The rows that a list really carries: an order hidden once is hidden again only after it was told.

        Under fault `list_shifts` the book moves the moment after.
        """
        self._unhidden |= {one.id for one in rows}
        if strikes(self._faults(), "list_shifts", route):
            self._moved()
        return rows

    def _hideable(self, order: SimOrder) -> bool:
        """Whether it may vanish now: once at first, again only after it was shown in between."""
        if not chosen(order):
            return False
        until = self._hidden.get(order.id)
        early = until is not None and self._book.clock.monotonic() < until + 10 * LAG
        return until is None or (not early and order.id in self._unhidden)

    def _watch(self, order: SimOrder) -> None:
        now = self._book.clock.monotonic()
        if order.state.live:
            if order.id not in self._living and order.created >= self._book.clock.wall() - 1.0:
                self._added.setdefault(order.id, now)
            self._living.add(order.id)
            self._over.pop(order.id, None)
        elif order.id in self._living:
            self._living.discard(order.id)
            self._over[order.id] = now
