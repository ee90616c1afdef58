"""A venue that shows a newcomer in every list: each is cancelled, the venue is not asked without a pause."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import count
from math import inf
from pathlib import Path

import pytest

from cancel_tui.desk.actions import FINAL, RESTS
from cancel_tui.desk.engine import Aim, Engine, ListOrders, SendCancel, Verdict
from cancel_tui.orders import Family, Order, OrderId, OrderKey, OrderStatus, Side, VenueName
from cancel_tui.scope import Scope
from cancel_tui.venues.base import CancelAck, Capabilities, Part, PartList, Parts
from cancel_tui.venues.outcome import Answered
from tests.desk.matrix import Case, run

VENUE = VenueName("v")
DEADLINE = 20.0
_NUMBERS = count()


def newcomer() -> Order:
    key = OrderKey(VENUE, None, Family.ORDER, OrderId(f"o{next(_NUMBERS)}"))
    return Order(key=key, side=Side.BUY, quantity=Decimal(1), filled=Decimal(0), status=OrderStatus.OPEN)


class Instant:
    """Drives one engine against a venue that answers at once; an order lives until its cancel is answered.

    `comes` says, at the end of each list, whether another order appears; with `told` a stream speaks of it.
    """

    def __init__(
        self, comes: Callable[[int], bool], *, deadline: float = DEADLINE, told: bool = False
    ) -> None:
        aim = Aim(Scope(raw={}), 1.0, deadline)
        self.engine = Engine(VENUE, Capabilities(read_order=False), aim, 0.0)
        self.comes, self.told = comes, told
        self.live: dict[OrderKey, Order] = {}
        self.born: dict[OrderKey, float] = {}
        self.longest = 0.0
        """The longest time for which an order was live."""
        self.lists: list[float] = []
        self.now = 0.0
        self._place()

    def _place(self) -> None:
        order = newcomer()
        self.live[order.key] = order
        self.born[order.key] = self.now
        if self.told:
            self.engine.heard(order, self.now)

    def _list(self) -> None:
        self.lists.append(self.now)
        self.engine.took_parts(Parts((Part("all"),)))
        found = Answered(PartList(tuple(self.live.values())))
        self.engine.took_list(self.now, {"all": (self.now, found)}, None, self.now, self.now)
        if self.comes(len(self.lists)):
            self._place()

    def _cancel(self, key: OrderKey) -> None:
        self.longest = max(self.longest, self.now - self.born[key])
        self.live.pop(key)
        ended = Order(key=key, side=Side.BUY, filled=Decimal(0), status=OrderStatus.CANCELED)
        self.engine.took_cancel(key, Answered(CancelAck(ended)), self.now, self.now)

    def run(self, longest: float = 100.0) -> None:
        """Until the engine is done, or the clock says so; never more often than a thousand times."""
        for _ in range(1000):
            actions = self.engine.next(self.now)
            for action in actions:
                if isinstance(action, ListOrders):
                    self._list()
                elif isinstance(action, SendCancel):
                    self._cancel(action.key)
            if self.now > longest or (self.engine.done(self.now) and not self.engine.flying):
                return
            if not actions:
                self.now = min(max(self.engine.wake_at(self.now), self.now + 0.001), self.now + 0.5)
        raise AssertionError(f"{len(self.lists)} lists, and it is {self.now:.1f} s")


@pytest.mark.parametrize("told", [False, True])
def test_pages_that_shift_for_ever_do_not_keep_a_kill_from_its_end(told: bool) -> None:
    venue = Instant(lambda _: True, told=told)
    venue.run()
    assert venue.now <= DEADLINE + FINAL
    assert venue.engine.verdict is Verdict.NOT_FLAT
    assert len(venue.lists) < DEADLINE / RESTS[1] + 10
    assert venue.longest <= RESTS[1] + 0.01, "each newcomer is cancelled all the same, and soon"


def test_the_first_newcomers_are_looked_after_without_a_rest() -> None:
    venue = Instant(lambda lists: lists < 3)
    venue.run()
    assert venue.engine.verdict is Verdict.FLAT
    assert venue.lists[:3] == [0.0, 0.0, 0.0]
    assert venue.longest == 0.0


def test_once_a_list_shows_nothing_new_the_next_newcomer_finds_no_rest() -> None:
    venue = Instant(lambda lists: lists <= 6, deadline=inf)
    venue.engine.hold = inf
    venue.run(longest=5.0)
    calm = len(venue.lists)
    venue._place()
    found = venue.now
    venue.comes = lambda _: False
    venue.run(longest=12.0)
    after = [at for at in venue.lists[calm:] if at >= found]
    assert after[1] - after[0] < RESTS[0], "the list behind its cancel leaves at once"


async def test_a_spot_venue_whose_pages_shift_is_named_not_flat_at_the_deadline(tmp_path: Path) -> None:
    found = await run(Case("cs-spot", "kill", "list_shifts", 509), tmp_path, orders=60, deadline=8.0)
    assert (found.wrong, found.unnamed, found.verdict) == ([], [], "not_flat")
