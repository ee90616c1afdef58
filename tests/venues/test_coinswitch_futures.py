"""The CoinSwitch futures adapter: cancels, finished orders, and every answer that may come."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from cancel_tui.orders import Order, OrderStatus
from cancel_tui.settings import Budget
from cancel_tui.venues.base import CallClass, ClosedQuery, Message, Parts, Raw, Touched, Venue
from cancel_tui.venues.coinswitch_futures import CoinSwitchFutures, born_of
from cancel_tui.venues.coinswitch_windows import WIDEST
from cancel_tui.venues.outcome import Answered, NotSent, Reason, Refused, Throttled, Unanswered, Unauthorised
from cancel_tui.venues.registry import make_venue
from tests.venues.coinswitch_futures_case import (
    CANCEL_EXAMPLE,
    ID,
    Server,
    list_newest,
    listed,
    parts_of,
    row,
    venue,
)
from tests.venues.support_coinswitch import (
    DAY_MS,
    NOW,
    NOW_MS,
    FakePort,
    answered,
    body_of,
    clock,
    credentials,
    key,
    reply,
    run,
    settings,
    verifies,
)

OUTCOMES = (Answered, NotSent, Unanswered, Refused, Throttled, Unauthorised)


# ---------------------------------------------------------------------- cancels


def test_a_cancel_names_exchange_and_id_in_its_body() -> None:
    port = FakePort([reply(CANCEL_EXAMPLE)])
    answered(run(venue().cancel(key(ID), port)))
    assert (port.last.method, port.last.target) == (b"DELETE", b"/trade/api/v2/futures/order")
    assert body_of(port.last) == {"exchange": "EXCHANGE_2", "order_id": ID}
    assert port.calls == [CallClass.CANCEL]
    assert verifies(port.last, "/trade/api/v2/futures/order")


def test_an_answer_that_names_another_order_is_no_answer() -> None:
    other = key("01940000-0000-7000-8000-00000000b002")
    assert isinstance(run(venue().cancel(other, FakePort([reply(CANCEL_EXAMPLE)]))), Unanswered)
    assert isinstance(run(venue().read(other, FakePort([reply(CANCEL_EXAMPLE)]))), Unanswered)


@pytest.mark.parametrize("order_id", ["", "..", "x" * 201, "\udfff"])
def test_an_absurd_id_is_refused_before_anything_is_built(order_id: str) -> None:
    port = FakePort([])
    assert isinstance(run(venue().cancel(key(order_id), port)), NotSent)
    assert isinstance(run(venue().read(key(order_id), port)), NotSent)
    assert port.sent == []


@pytest.mark.parametrize(
    ("symbol", "body"),
    [(None, {"exchange": "EXCHANGE_2"}), ("ETHUSDT", {"exchange": "EXCHANGE_2", "symbol": "ETHUSDT"})],
)
def test_a_cancel_all_takes_everything_or_one_symbol(symbol: str | None, body: object) -> None:
    port = FakePort([reply({"data": {"orders_ids": ["a", "b"]}})])
    ack = answered(run(venue().cancel_all(symbol, port)))
    assert ack.ids == ("a", "b")
    assert (port.last.method, port.last.target) == (b"POST", b"/trade/api/v2/futures/cancel_all")
    assert body_of(port.last) == body
    assert port.calls == [CallClass.CANCEL_ALL]
    assert verifies(port.last, "/trade/api/v2/futures/cancel_all")


@pytest.mark.parametrize("symbol", ["", " "])
def test_an_empty_symbol_never_becomes_a_cancel_all_of_everything(symbol: str) -> None:
    port = FakePort([])
    assert isinstance(run(venue().cancel_all(symbol, port)), NotSent)
    assert port.sent == []


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"data": {"order_ids": ["a"]}}, ("a",)),
        ({"data": {"orders_ids": ["a", None, "", "a", 7, {"order_id": "b"}, [], True]}}, ("a", "7", "b")),
        ({"data": {"orders_ids": []}}, ()),
        ({"data": {"orders_ids": None}}, ()),
        ({"data": {}}, ()),
        ({"data": None}, ()),
        ({"data": []}, ()),
        ({"message": "no open orders"}, ()),
    ],
)
def test_the_ids_of_a_cancel_all_are_read_in_any_form(answer: object, found: tuple[str, ...]) -> None:
    assert answered(run(venue().cancel_all(None, FakePort([reply(answer)])))).ids == found


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'{"error":"x"}', b'{"data":"ok"}', b'{"data":{"orders_ids":5}}']
)
def test_an_unreadable_answer_to_a_cancel_all_is_no_answer(body: bytes) -> None:
    assert isinstance(run(venue().cancel_all(None, FakePort([reply(body)]))), Unanswered)


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (400, b'{"message":"no open orders"}', Reason.ORDER),
        (404, b'{"message":"no open orders"}', Reason.NOT_FOUND),
        (422, b'{"message":"symbol invalid"}', Reason.REQUEST),
        (400, b"<html>", Unanswered),
        (404, b"", Unanswered),
        (429, b"", Throttled),
        (500, b'{"message":"x"}', Unanswered),
        (403, b"", Unauthorised),
    ],
)
def test_a_refused_cancel_all_is_passed_on_as_what_it_is(
    status: int, body: bytes, wanted: type | Reason
) -> None:
    outcome = run(venue().cancel_all(None, FakePort([reply(body, status)])))
    if isinstance(wanted, Reason):
        assert isinstance(outcome, Refused)
        assert outcome.reason is wanted
    else:
        assert isinstance(outcome, wanted)


# ---------------------------------------------------------------------- read back


@pytest.mark.parametrize("wrap", [lambda one: {"data": {"order": one}}, lambda one: {"data": one}])
def test_one_order_is_read_nested_or_flat(wrap: Callable[[object], object]) -> None:
    port = FakePort([reply(wrap(row(status="CANCELLED", exec_quantity="3")))])
    order = answered(run(venue().read(key(ID), port)))
    assert (order.status, order.filled) == (OrderStatus.CANCELED, Decimal(3))
    assert port.last.target.decode() == f"/trade/api/v2/futures/order?order_id={ID}"
    assert port.calls == [CallClass.STATUS]


@pytest.mark.parametrize("answer", [reply({"message": "unknown"}, 400), reply({"data": {"order": None}})])
def test_an_unknown_order_is_not_found(answer: Raw) -> None:
    outcome = run(venue().read(key(ID), FakePort([answer])))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.NOT_FOUND


# ---------------------------------------------------------------------- finished orders


def described(order_id: str, created_ms: int | None) -> Touched:
    port = FakePort([listed(row(order_id, created_at=created_ms))])
    order: Order = answered(list_newest(port)).orders[0]
    return Touched(key(order_id), order)


def time_ordered(milliseconds: int) -> str:
    return str(uuid.UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | 12345))


def test_an_id_tells_when_it_was_made_if_it_is_of_the_time_ordered_kind() -> None:
    assert born_of("01940000-0000-7000-8000-00000000b001") == 0x019400000000 / 1000
    assert born_of(time_ordered(NOW_MS)) == NOW
    assert born_of("7d0c1a52-0000-4000-8000-00000000a001") is None
    assert born_of("order-1") is None
    assert born_of("") is None


def test_the_plan_looks_newest_first_in_windows_of_seven_days_at_the_most() -> None:
    touched = [described(str(day), NOW_MS - day * DAY_MS) for day in (0, 1, 2, 30, 31, 60)]
    plan = venue().closed_plan(touched)
    spans = [(query.begin, query.end) for query in plan.queries]
    assert [end for _, end in spans if end] == sorted((end for _, end in spans if end), reverse=True)
    assert all(begin and end and end - begin <= 7 * 86_400 for begin, end in spans)
    assert plan.covers == {one.key for one in touched}
    for one in touched:
        assert one.order is not None
        created = one.order.created_at
        assert created is not None
        assert any(begin and end and begin <= created <= end for begin, end in spans)


def test_orders_of_one_hour_share_one_window() -> None:
    touched = [described(str(i), NOW_MS - i * 60_000) for i in range(60)]
    (query,) = venue().closed_plan(touched).queries
    assert query.begin == pytest.approx(NOW - 59 * 60 - 1)
    assert query.end == pytest.approx(NOW + 1)


def test_orders_spread_evenly_over_weeks_are_cut_at_seven_days() -> None:
    touched = [described(str(i), NOW_MS - i * DAY_MS // 2) for i in range(60)]
    plan = venue().closed_plan(touched)
    assert 5 <= len(plan.queries) <= 6
    assert all(
        query.begin and query.end and query.end - query.begin <= WIDEST / 1000 for query in plan.queries
    )


@pytest.mark.parametrize(
    ("order_id", "covered"),
    [
        (time_ordered(NOW_MS - 5 * DAY_MS), True),
        (time_ordered(NOW_MS + 10_000), True),
        (time_ordered(NOW_MS + DAY_MS), False),
        (time_ordered(NOW_MS - 92 * DAY_MS), False),
        ("7d0c1a52-0000-4000-8000-00000000a001", False),
    ],
)
def test_an_order_that_was_only_named_is_found_by_the_time_in_its_id(order_id: str, covered: bool) -> None:
    plan = venue().closed_plan([Touched(key(order_id))])
    assert plan.covers == ({key(order_id)} if covered else frozenset())
    for query in plan.queries:
        born = born_of(order_id)
        assert born is not None
        assert query.begin is not None
        assert query.end is not None
        assert query.begin < born < query.end


def nameless(count: int) -> list[Touched]:
    """Orders that a cancel-all only named, with ids that tell no time."""
    return [Touched(key(f"7d0c1a52-0000-4000-8000-{number:012d}")) for number in range(count)]


def assert_whole_lookback(queries: Sequence[ClosedQuery], days: int) -> None:
    """One window behind the other, newest first, none too wide, from now to the end of the lookback."""
    edge = NOW + 60
    for query in queries:
        assert query.begin is not None
        assert query.end == edge
        assert 0 < query.end - query.begin <= WIDEST / 1000
        edge = query.begin
    assert edge == NOW - days * 86_400


@pytest.mark.parametrize(("days", "most"), [(91, 14), (30, 5), (7, 3), (1, 3)])
def test_orders_that_nothing_dates_are_looked_for_everywhere_once_they_outnumber_the_windows(
    days: int, most: int
) -> None:
    few = venue(lookback_days=days).closed_plan(nameless(most))
    assert (few.queries, few.covers) == ((), frozenset())
    many = nameless(most + 1)
    plan = venue(lookback_days=days).closed_plan(many)
    assert plan.covers == {one.key for one in many}
    assert_whole_lookback(plan.queries, days)


def test_the_windows_of_dated_orders_come_before_the_look_everywhere() -> None:
    dated = [described("a", NOW_MS - 60 * DAY_MS), described("b", NOW_MS), described("old", 1)]
    named = [Touched(key(time_ordered(NOW_MS - 5 * DAY_MS)))]
    plan = venue().closed_plan([*dated, *named, *nameless(15)])
    assert plan.covers == {one.key for one in [*dated, *named, *nameless(15)]}
    middles = [NOW, NOW - 5 * 86_400, NOW - 60 * 86_400, 0.001]
    for query, middle in zip(plan.queries, middles, strict=False):
        assert query.begin is not None
        assert query.end is not None
        assert query.begin < middle < query.end
        assert query.end - query.begin < 3600
    assert_whole_lookback(plan.queries[4:], 91)


def test_dated_orders_do_not_count_as_those_that_nothing_dates() -> None:
    dated = [described(str(index), NOW_MS - index) for index in range(40)]
    plan = venue().closed_plan([*dated, *nameless(14)])
    assert plan.covers == {one.key for one in dated}
    assert len(plan.queries) == 1


def test_an_id_from_before_the_lookback_is_not_covered_by_the_look_everywhere() -> None:
    older, ahead = time_ordered(NOW_MS - 92 * DAY_MS), time_ordered(NOW_MS + DAY_MS)
    plan = venue().closed_plan([Touched(key(older)), Touched(key(ahead)), *nameless(14)])
    assert plan.covers == {key(ahead), *(one.key for one in nameless(14))}


def test_an_order_described_without_a_time_counts_as_one_that_nothing_dates() -> None:
    plan = venue().closed_plan([described("timeless", None), *nameless(14)])
    assert key("timeless") in plan.covers


def test_the_look_everywhere_finds_recent_orders_in_its_first_pages_and_old_ones_in_its_last() -> None:
    many = nameless(200)
    ages = [index * 60_000 if index < 190 else index * DAY_MS * 91 // 200 for index in range(200)]
    rows = [
        row(one.key.order_id, created_at=NOW_MS - age, status="CANCELLED")
        for one, age in zip(many, ages, strict=True)
    ]
    port, adapter = FakePort(Server(rows)), venue()
    found: set[str] = set()
    for index, query in enumerate(adapter.closed_plan(many).queries):
        page_of: ClosedQuery | None = query
        while page_of is not None:
            page = answered(run(adapter.closed_page(page_of, port)))
            found |= {order.key.order_id for order in page.orders}
            page_of = page.next
        assert index > 0 or (len(found) == 190 and len(port.sent) == 4)
    assert found == {one.key.order_id for one in many}
    assert len(port.sent) == 4 + 13


def test_finished_orders_are_followed_page_by_page_to_the_end() -> None:
    rows = [row(str(i), created_at=NOW_MS - i, status="CANCELLED") for i in range(120)]
    port, adapter = FakePort(Server(rows)), venue()
    query: ClosedQuery | None = adapter.closed_plan(
        [described("0", NOW_MS), described("119", NOW_MS - 119)]
    ).queries[0]
    found: set[str] = set()
    while query is not None:
        page = answered(run(adapter.closed_page(query, port)))
        found |= {order.key.order_id for order in page.orders}
        query = page.next
    assert len(found) == 120
    assert port.calls == [CallClass.CLOSED] * 3
    assert port.last.target == b"/trade/api/v2/futures/orders/closed"


def test_a_finished_millisecond_that_overflows_a_page_is_stepped_over() -> None:
    rows = [row(str(i), status="CANCELLED") for i in range(80)]
    rows.append(row("old", created_at=NOW_MS - 100, status="EXECUTED"))
    port, adapter = FakePort(Server(rows)), venue()
    query: ClosedQuery | None = ClosedQuery(NOW - 1, NOW + 1)
    found: set[str] = set()
    while query is not None:
        page = answered(run(adapter.closed_page(query, port)))
        found |= {order.key.order_id for order in page.orders}
        query = page.next
    assert "old" in found
    assert len(port.sent) <= 4


def test_a_query_without_bounds_asks_for_the_newest_seven_days() -> None:
    port = FakePort(Server([]))
    answered(run(venue().closed_page(ClosedQuery(), port)))
    assert body_of(port.last)["to_time"] == NOW_MS + 60_000


# ---------------------------------------------------------------------- capabilities


def test_capabilities_say_what_the_venue_documents() -> None:
    found = venue().capabilities
    assert (found.cancel_all, found.cancel_all_symbol, found.cancel_all_takes_protective) == (
        True,
        True,
        True,
    )
    assert found.read_order
    assert found.closed_page == 50
    assert dict(found.budgets) == {
        CallClass.CANCEL: Budget(10, 60),
        CallClass.CANCEL_ALL: Budget(10, 60),
        CallClass.LIST: Budget(20, 60),
        CallClass.STATUS: Budget(20, 60),
        CallClass.CLOSED: Budget(20, 60),
    }
    assert found.blind_spots == ("hft", "older_than:91d")
    assert found.lacks == {"account"}
    assert found.poll_seconds == 8


def test_the_adapter_is_a_venue_and_is_found_by_its_kind() -> None:
    made: Venue = make_venue(settings("coinswitch-futures"), credentials(), clock())
    assert isinstance(made, CoinSwitchFutures)
    assert (made.name, made.kind) == ("cs", "coinswitch-futures")


def test_the_parts_need_no_request() -> None:
    port = FakePort([])
    assert isinstance(answered(run(venue().parts(port))), Parts)
    assert port.sent == []


# ---------------------------------------------------------------------- anything at all

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
_NAMES = st.sampled_from(
    [
        "data",
        "orders",
        "order",
        "order_id",
        "status",
        "created_at",
        "cursor",
        "quantity",
        "orders_ids",
        "message",
    ]
)
ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_NAMES | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def ask_everything(body: bytes, status: int) -> None:
    def answer(call: CallClass, message: Message) -> Raw:
        return reply(body, status)

    adapter, port = venue(lookback_days=8), FakePort(answer)
    for part in parts_of(adapter):
        assert isinstance(run(adapter.list_part(part, port)), OUTCOMES)
    assert isinstance(run(adapter.cancel(key(ID), port)), OUTCOMES)
    assert isinstance(run(adapter.cancel_all("ETHUSDT", port)), OUTCOMES)
    assert isinstance(run(adapter.read(key(ID), port)), OUTCOMES)
    assert isinstance(run(adapter.closed_page(ClosedQuery(0.0, 1.0), port)), OUTCOMES)
    assert isinstance(run(adapter.check(port)), OUTCOMES)


@effort(max_examples=200, deadline=None)
@given(ANYTHING, st.sampled_from([200, 400, 404]))
def test_any_json_becomes_an_outcome(value: object, status: int) -> None:
    ask_everything(json.dumps(value).encode(), status)


@effort(max_examples=150, deadline=None)
@given(st.dictionaries(_NAMES, _SCALARS, max_size=10))
def test_any_row_becomes_an_outcome(value: dict[str, object]) -> None:
    wide = {"data": {"orders": [value] * 50, "order": value, "cursor": value.get("cursor")}}
    ask_everything(json.dumps(wide).encode(), 200)


@effort(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([200, 302, 400, 401, 404, 422, 429, 500]))
def test_any_bytes_become_an_outcome(body: bytes, status: int) -> None:
    ask_everything(body, status)
