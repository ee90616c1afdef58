"""A look at the finished orders: which page is next, when it is over, and what it leaves unread."""

from __future__ import annotations

from math import inf

from cancel_tui.desk.actions import ReadClosed
from cancel_tui.desk.looking import Look
from cancel_tui.orders import Family, Order, OrderId, OrderKey, OrderStatus, VenueName
from cancel_tui.venues.base import ClosedPage, ClosedPlan, ClosedQuery, Touched
from cancel_tui.venues.outcome import Answered, Unanswered

VENUE = VenueName("v")


def key(order_id: str) -> OrderKey:
    return OrderKey(VENUE, None, Family.ORDER, OrderId(order_id))


def look(*ids: str, windows: int = 3, early: bool = False) -> Look:
    keys = [key(one) for one in ids]
    queries = tuple(ClosedQuery(part=str(number)) for number in range(windows))
    return Look(ReadClosed(tuple(Touched(one) for one in keys), ClosedPlan(queries, frozenset(keys)), early))


def page(*ids: str, following: ClosedQuery | None = None) -> Answered[ClosedPage]:
    orders = tuple(Order(key=key(one), status=OrderStatus.CANCELED) for one in ids)
    return Answered(ClosedPage(orders, following))


def parts(it: Look, count: int, **facts: float) -> list[str | None]:
    asked = [it.next(0.0, **facts) for _ in range(count)]
    return [one.part if one else None for one in asked]


def test_windows_follow_each_other_and_a_page_that_goes_on_comes_before_the_next_window() -> None:
    it = look("1", "2", "3", "4", "5")
    assert parts(it, 1) == ["0"]
    it.took(page("1", following=ClosedQuery(part="0", cursor="more")))
    following = it.next(0.0)
    assert following is not None
    assert following.cursor == "more"
    it.took(page("2"))
    assert parts(it, 3) == ["1", "2", None]
    it.took(page("3"))
    it.took(page("4"))
    assert it.unread == frozenset(), "all pages were read: 5 is in none of them"
    assert [one.key.order_id for one in it.found] == ["1", "2", "3", "4"]


def test_no_page_is_read_once_every_end_is_told() -> None:
    it = look("1")
    it.next(0.0)
    it.took(page("1"))
    assert parts(it, 1) == [None]
    assert it.unread == frozenset()


def test_fewer_orders_than_pages_are_left_to_be_read_one_by_one_where_the_budget_has_room() -> None:
    for singles, wanted in ((2.0, None), (1.0, "1"), (-inf, "1")):
        it = look("1", "2", "3", windows=4)
        it.next(singles)
        it.took(page("1"))
        query = it.next(singles)
        assert (query.part if query else None) == wanted
        assert it.unread == {key("2"), key("3")}


def test_an_early_look_whose_first_page_shows_no_end_stops_there_and_says_nothing_of_them() -> None:
    it = look("1", "2", early=True)
    it.next(0.0)
    it.took(page("of somebody else"))
    assert parts(it, 1) == [None]
    assert it.unread == {key("1"), key("2")}


def test_an_early_look_that_pays_goes_on_like_any_other() -> None:
    it = look("1", "2", "3", "4", early=True)
    it.next(0.0)
    it.took(page("1"))
    assert parts(it, 1) == ["1"]
    it.took(page("of somebody else"))
    assert parts(it, 1) == ["2"]


def test_a_page_beside_another_is_read_only_while_the_budget_has_more_than_the_orders_can_fill() -> None:
    it = look("1", "2", "3")
    assert parts(it, 1, spare=2.0) == [None]
    assert parts(it, 1, spare=3.0) == ["0"]


def test_a_failure_ends_the_look_and_is_its_outcome() -> None:
    it = look("1", "2", "3")
    it.next(0.0)
    it.next(0.0)
    it.took(Unanswered("reset"))
    it.took(page("1"))
    assert isinstance(it.outcome, Unanswered)
    assert parts(it, 1) == [None]
