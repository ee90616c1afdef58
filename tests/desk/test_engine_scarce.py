"""Where lists are scarce: what is spent at once after a cancel-all, and what is saved until ends are told."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from cancel_tui.desk.actions import PATIENCE, READ_AFTER
from cancel_tui.desk.engine import Action, Engine, ListOrders, ReadClosed, ReadOrder, SendNative
from cancel_tui.orders import Order, OrderId, OrderStatus
from cancel_tui.settings import Budget
from cancel_tui.venues.base import (
    CallClass,
    CancelAllAck,
    ClosedPage,
    ClosedPlan,
    ClosedQuery,
    Part,
    PartList,
    Parts,
    Touched,
)
from cancel_tui.venues.outcome import Answered, Outcome
from tests.desk.test_engine_evidence import WALL, capable, engine, key, order

DEEP = Parts((Part("newest"), Part("past:1", past=True), Part("past:2", past=True)))
IDS = [str(number) for number in range(6)]


def plan(touched: Sequence[Touched]) -> ClosedPlan:
    return ClosedPlan((ClosedQuery(), ClosedQuery()), frozenset(one.key for one in touched))


def scarce(room: float = inf) -> Engine:
    """A venue of which the cancel-all was answered at 0.1 and named orders that no list had shown."""
    it = engine(capable(native=True, closed=50, budgets={CallClass.LIST: Budget(20, 60.0)}))
    it.closed_planner = plan
    it.room = lambda call, now: room
    assert it.next(0.0) == [SendNative(None), ListOrders()]
    answer(it, 0.0)
    it.took_native(None, Answered(CancelAllAck(tuple(OrderId(one) for one in IDS))), 0.1, WALL)
    return it


def answer(it: Engine, begun: float, *orders: Order) -> list[str]:
    """A list comes back; the parts that were read."""
    wanted = it.took_parts(DEEP)
    found: dict[str, tuple[float, Outcome[PartList]]] = {
        part.id: (begun, Answered(PartList(orders if part is wanted[0] else ()))) for part in wanted
    }
    it.took_list(begun, found, None, begun + 0.05, WALL + begun)
    return [part.id for part in wanted]


def only_look(actions: Sequence[Action]) -> ReadClosed:
    (look,) = [one for one in actions if isinstance(one, ReadClosed)]
    return look


def tell(it: Engine, look: ReadClosed, ids: Sequence[str], at: float, *, all_read: bool = True) -> None:
    """A look at the finished orders comes back with the ends of some."""
    rows = tuple(order(one, OrderStatus.CANCELED) for one in ids)
    it.took_closed_part(rows, at, WALL + at)
    left = frozenset() if all_read else frozenset(key(one) for one in IDS if one not in ids)
    it.took_closed(look, Answered(ClosedPage(rows)), rows, left, at, WALL + at)


def test_after_a_cancel_all_the_newest_orders_and_one_page_of_ends_are_asked_for_at_once() -> None:
    it = scarce()
    actions = it.next(0.11)
    assert ListOrders() in actions
    assert only_look(actions).early
    assert answer(it, 0.11) == ["newest"], "old windows would have to be read again"


def test_the_look_at_the_newest_orders_is_left_out_where_the_budget_would_not_do_for_the_verdict() -> None:
    assert ListOrders() not in scarce(room=4.0).next(0.11)
    assert ListOrders() in scarce(room=5.0).next(0.11)


def test_a_look_that_would_take_many_pages_is_left_out_as_well() -> None:
    it = scarce(room=5.0)
    it.shown = 50
    assert ListOrders() not in it.next(0.11)


def test_the_newest_orders_are_looked_at_once_and_the_rest_waits_for_ends() -> None:
    it = scarce()
    it.next(0.11)
    answer(it, 0.11)
    for at in (0.2, 0.5, 1.5, 5.0):
        assert ListOrders() not in it.next(at)
    assert ListOrders() in it.next(0.2 + PATIENCE)
    assert answer(it, 0.2 + PATIENCE) == ["newest", "past:1", "past:2"]


def test_the_first_end_that_is_told_frees_the_lists_where_the_newest_orders_are_gone() -> None:
    it = scarce()
    look = only_look(it.next(0.11))
    answer(it, 0.11)
    it.took_closed_part((order("1", OrderStatus.CANCELED),), 0.2, WALL)
    assert ListOrders() in it.next(0.2)
    assert answer(it, 0.2) == ["newest", "past:1", "past:2"]
    tell(it, look, IDS, 0.9)
    assert ListOrders() not in it.next(1.0)
    assert ListOrders() in it.next(1.13)
    assert answer(it, 1.13) == ["newest"]
    assert it.flat


def test_an_end_frees_no_lists_while_the_newest_orders_are_still_there() -> None:
    it = scarce()
    look = only_look(it.next(0.11))
    answer(it, 0.11, order("0", OrderStatus.PENDING_CANCEL))
    it.took_closed_part((order("1", OrderStatus.CANCELED),), 0.2, WALL)
    assert ListOrders() not in it.next(0.2)
    assert ListOrders() not in it.next(3.0)
    tell(it, look, IDS, 3.1)
    assert ListOrders() in it.next(3.1), "the last end was told: nothing is spared any longer"


def test_after_an_early_look_for_nothing_the_next_one_comes_soon_and_nothing_is_missed() -> None:
    it = scarce()
    tell(it, only_look(it.next(0.11)), (), 0.2, all_read=False)
    assert not any(isinstance(one, ReadClosed | ReadOrder) for one in it.next(0.3))
    assert not only_look(it.next(0.2 + READ_AFTER)).early
    assert it._closed_misses == {}


def test_what_is_cheaper_to_read_one_by_one_is_read_at_once_and_in_pages_again_if_it_had_not_ended() -> None:
    it = scarce()
    tell(it, only_look(it.next(0.11)), IDS[3:], 0.4, all_read=False)
    reads = [one for one in it.next(0.41) if not isinstance(one, ListOrders)]
    assert reads == [ReadOrder(key(one)) for one in IDS[:3]]
    for one in IDS[:3]:
        pending = Answered(order(one, OrderStatus.PENDING_CANCEL))
        it.took_read(key(one), pending, 0.41, 0.5, WALL)
    assert {touched.key for touched in only_look(it.next(0.6)).touched} == {key(one) for one in IDS[:3]}


def test_orders_that_the_pages_do_not_hold_are_looked_for_later() -> None:
    it = scarce()
    tell(it, only_look(it.next(0.11)), IDS[3:], 0.4)
    assert not any(isinstance(one, ReadClosed | ReadOrder) for one in it.next(0.5))
    assert {touched.key for touched in only_look(it.next(1.5)).touched} == {key("0"), key("1"), key("2")}
