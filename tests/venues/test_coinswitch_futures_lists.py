"""The CoinSwitch futures adapter: rows, the windows of its lists, and their pages."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from cancel_tui.orders import OrderStatus, OrderType, Side
from cancel_tui.venues.base import CallClass, ClosedQuery, Message, Part, PartList, Raw
from cancel_tui.venues.coinswitch_rows import MOST_PAGES
from cancel_tui.venues.coinswitch_windows import WIDEST, Windows, fixed
from cancel_tui.venues.outcome import Answered, NotSent, Throttled, Unanswered
from tests.venues.coinswitch_futures_case import (
    CANCEL_EXAMPLE,
    ID,
    NEW,
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
    key,
    reply,
    run,
    verifies,
)

EXAMPLE = (
    b'{"data":{"orders":[{"order_id":"01940000-0000-7000-8000-00000000b001","exchange":"EXCHANGE_2",'
    b'"symbol":"ETHUSDT","side":"SELL","status":"RAISED","order_type":"LIMIT","quantity":"0.25",'
    b'"exec_quantity":"0","price":"4100.5","avg_execution_price":"0","execution_fee":"0.61",'
    b'"realised_pnl":"0","reduce_only":false,"created_at":1732000002345,"updated_at":1732000002345}],'
    b'"cursor":1732000002345}}'
)


def ids(part: PartList) -> set[str]:
    return {order.key.order_id for order in part.orders}


# ---------------------------------------------------------------------- rows


def test_the_documented_example_is_read_digit_by_digit() -> None:
    (order,) = answered(list_newest(FakePort([reply(EXAMPLE)]))).orders
    assert order.key == key(ID)
    assert order.symbol is not None
    assert order.symbol.raw == "ETHUSDT"
    assert order.exchange is not None
    assert order.exchange.raw == "EXCHANGE_2"
    assert (order.side, order.type) == (Side.SELL, OrderType.LIMIT)
    assert (order.price, order.quantity, order.filled) == (Decimal("4100.5"), Decimal("0.25"), Decimal(0))
    assert order.remaining == Decimal("0.25")
    assert order.average_price is None
    assert order.fee is None
    assert order.reduce_only is False
    assert order.status is OrderStatus.OPEN
    assert order.venue_status is not None
    assert order.venue_status.raw == "RAISED"
    assert order.created_at == pytest.approx(1732000002.345, abs=1e-6)


def test_a_cancels_answer_uses_other_names() -> None:
    ack = answered(run(venue().cancel(key(ID), FakePort([reply(CANCEL_EXAMPLE)]))))
    assert ack.order is not None
    assert ack.order.status is OrderStatus.PENDING_CANCEL
    assert ack.order.average_price == Decimal("4100.5")
    assert ack.order.fee == Decimal("0.24")
    assert ack.order.filled == Decimal("0.1")


@pytest.mark.parametrize(
    ("word", "filled", "status"),
    [
        ("RAISED", "0", OrderStatus.OPEN),
        ("raised", "0", OrderStatus.OPEN),
        ("RAISED", "1", OrderStatus.PARTIALLY_FILLED),
        ("OPEN", "0", OrderStatus.OPEN),
        ("PARTIALLY_EXECUTED", "1", OrderStatus.PARTIALLY_FILLED),
        ("CANCELLATION_RAISED", "0", OrderStatus.PENDING_CANCEL),
        ("EXPIRATION_RAISED", "0", OrderStatus.PENDING_CANCEL),
        ("EXECUTED", "100", OrderStatus.FILLED),
        ("CANCELLED", "1", OrderStatus.CANCELED),
        ("EXPIRED", "0", OrderStatus.EXPIRED),
        ("DISCARDED", "0", OrderStatus.REJECTED),
        ("FAILED", "0", OrderStatus.REJECTED),
        ("REJECTED", "0", OrderStatus.REJECTED),
        ("UNTRIGGERED", "0", OrderStatus.UNKNOWN),
        (None, "0", OrderStatus.UNKNOWN),
    ],
)
def test_every_word_means_what_is_agreed_and_any_other_is_live(
    word: object, filled: str, status: OrderStatus
) -> None:
    (order,) = answered(list_newest(FakePort([listed(row(status=word, exec_quantity=filled))]))).orders
    assert order.status is status


def test_a_part_execution_is_live_when_listed_open_or_read_and_final_in_the_closed_list() -> None:
    one = row(status="Partially_Executed", exec_quantity="40")
    (open_,) = answered(list_newest(FakePort([listed(one)]))).orders
    read = answered(run(venue().read(key(ID), FakePort([reply({"data": {"order": one}})]))))
    (closed,) = answered(run(venue().closed_page(ClosedQuery(NOW, NOW + 1), FakePort([listed(one)])))).orders
    assert open_.status is read.status is OrderStatus.PARTIALLY_FILLED
    assert closed.status is OrderStatus.CANCELED
    assert closed.filled == 40


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("LIMIT", OrderType.LIMIT),
        ("market", OrderType.MARKET),
        ("STOP_MARKET", OrderType.STOP),
        ("TAKE_PROFIT_MARKET", OrderType.TAKE_PROFIT),
        ("ICEBERG", OrderType.UNKNOWN),
        (None, OrderType.UNKNOWN),
    ],
)
def test_order_types(word: object, kind: OrderType) -> None:
    (order,) = answered(list_newest(FakePort([listed(row(order_type=word))]))).orders
    assert order.type is kind


def test_a_stop_without_a_quantity_of_its_own_is_listed_and_alive() -> None:
    stop = row(order_type="STOP_MARKET", quantity="0", price="0", trigger_price="0.21", reduce_only=True)
    (order,) = answered(list_newest(FakePort([listed(stop)]))).orders
    assert order.status.live
    assert order.remaining == 0
    assert order.trigger_price == Decimal("0.21")
    assert order.price is None
    assert order.type.protective
    assert order.reduce_only


def test_a_fee_is_shown_only_where_something_was_filled() -> None:
    (order,) = answered(list_newest(FakePort([listed(row(exec_quantity="5"))]))).orders
    assert order.fee == Decimal("0.02")


# ---------------------------------------------------------------------- the windows


def test_the_first_look_covers_the_lookback_without_a_gap_and_no_window_is_too_wide() -> None:
    adapter = venue()
    newest, *past = parts_of(adapter)
    assert newest == NEW
    assert not newest.past
    assert all(part.past for part in past)
    port = FakePort(Server([]))
    assert answered(list_newest(port, adapter)).complete
    begin, end = body_of(port.last)["from_time"], body_of(port.last)["to_time"]
    assert begin == NOW_MS - 7 * DAY_MS + 30 * 60_000
    assert end == NOW_MS + 60_000
    for part in past:
        span = fixed(part.id)
        assert span is not None
        assert span.end == begin
        assert span.end - span.begin <= WIDEST
        begin = span.begin
    assert begin == NOW_MS - 91 * DAY_MS
    assert len(past) == 13


@pytest.mark.parametrize(("days", "windows"), [(1, 0), (6, 0), (7, 1), (14, 2), (30, 4), (3650, 521)])
def test_the_lookback_decides_how_many_windows_there_are(days: int, windows: int) -> None:
    adapter = venue(lookback_days=days)
    assert len(parts_of(adapter)) == windows + 1
    assert adapter.capabilities.blind_spots == ("hft", f"older_than:{days}d")


def test_ids_stay_and_the_newest_gives_its_older_half_away_when_it_has_grown() -> None:
    time = clock()
    adapter = venue(time)
    first = parts_of(adapter)
    time.advance(20 * 60)
    assert parts_of(adapter) == first
    time.advance(20 * 60)
    later = parts_of(adapter)
    assert len(later) == len(first) + 1
    assert set(first) < set(later)
    assert parts_of(adapter) == later


@effort(max_examples=100, deadline=None)
@given(
    st.integers(1, 200),
    st.lists(st.sampled_from([1.0, 600.0, 3600.0, 86_400.0, 7 * 86_400.0, 40 * 86_400.0]), max_size=12),
)
def test_the_windows_never_leave_a_gap_and_never_change(days: int, waits: list[float]) -> None:
    windows, now = Windows(days), NOW_MS
    seen: set[Part] = set()
    for wait in [0.0, *waits]:
        now += int(wait * 1000)
        parts = windows.parts(now)
        assert seen <= set(parts)
        seen = set(parts)
        edge = windows.boundary
        assert edge is not None
        assert 0 < now + 60_000 - edge <= WIDEST
        for part in parts[1:]:
            span = fixed(part.id)
            assert span is not None
            assert span.end == edge
            assert span.end < now - 60_000
            assert 0 < span.end - span.begin <= WIDEST
            edge = span.begin
        assert edge <= NOW_MS - min(days, 6) * DAY_MS
        assert edge <= NOW_MS - days * DAY_MS or days < 7


@effort(max_examples=40, deadline=None)
@given(st.data())
def test_all_parts_together_hold_every_order_of_the_lookback(data: st.DataObject) -> None:
    chance = random.Random(data.draw(st.integers()))
    time = clock()
    wrong = data.draw(st.sampled_from([0, 30, -30, 90, -90, 86_400, -86_400, 30 * 86_400, -30 * 86_400]))

    def true_ms() -> int:
        return int((time.wall() - wrong) * 1000)

    start = true_ms()
    rows = [
        row(str(index), created_at=start - chance.randrange(90 * DAY_MS))
        for index in range(data.draw(st.sampled_from([0, 5, 300, 900])))
    ]
    adapter, port = venue(time), FakePort(Server(rows, true_ms))
    empty_past: set[str] = set()
    for wait in data.draw(st.lists(st.sampled_from([5.0, 1800.0, 86_400.0, 9 * 86_400.0]), max_size=4)):
        found: set[str] = set()
        passed = True
        for part in parts_of(adapter):
            if part.id in empty_past:
                continue
            outcome = run(adapter.list_part(part, port))
            if not isinstance(outcome, Answered) or not outcome.value.complete:
                passed = False
                continue
            found |= ids(outcome.value)
            if part.past and not outcome.value.orders:
                empty_past.add(part.id)
        if passed:
            reach = true_ms() - 91 * DAY_MS
            assert found >= {one["order_id"] for one in rows if one["created_at"] >= reach}
            assert found <= {one["order_id"] for one in rows}
        time.advance(wait)
        rows.append(row(f"new-{time.wall()}", created_at=true_ms()))
    for _ in range(2):
        outcomes = [run(adapter.list_part(part, port)) for part in parts_of(adapter)]
    assert all(isinstance(outcome, Answered) and outcome.value.complete for outcome in outcomes)


def test_a_fixed_window_that_is_not_past_by_the_corrected_clock_is_not_sent() -> None:
    adapter = venue()
    (_, part, *_) = parts_of(adapter)
    adapter.signing.offset = -8.0 * 86_400
    port = FakePort(Server([]))
    assert isinstance(run(adapter.list_part(part, port)), NotSent)
    assert isinstance(list_newest(port, adapter), NotSent)
    assert port.sent == []
    assert set(parts_of(adapter)[1:]).isdisjoint({part})
    assert answered(list_newest(port, adapter)).complete


def test_the_end_of_the_newest_window_is_chosen_when_the_request_leaves() -> None:
    time = clock()
    adapter = venue(time)
    parts_of(adapter)
    time.advance(300)
    port = FakePort(Server([]))
    list_newest(port, adapter)
    assert body_of(port.last)["to_time"] == NOW_MS + 360_000


def test_a_newest_window_that_outgrew_one_request_before_the_parts_were_asked_again_is_read_in_two() -> None:
    time = clock()
    adapter = venue(time)
    parts_of(adapter)
    time.advance(3 * 86_400)
    born = NOW_MS + 3 * DAY_MS
    port = FakePort(Server([row("old", created_at=NOW_MS - 6 * DAY_MS), row("new", created_at=born)]))
    part = answered(list_newest(port, adapter))
    assert ids(part) == {"old", "new"}
    assert len(port.sent) == 2


def test_an_unknown_part_is_not_sent() -> None:
    port = FakePort([])
    for part_id in ("past:", "past:1-x", "orders", "past:1-2-3", ""):
        assert isinstance(run(venue().list_part(Part(part_id), port)), NotSent)
    assert port.sent == []


# ---------------------------------------------------------------------- paging


def test_a_window_is_a_signed_post_with_both_times() -> None:
    port = FakePort([listed()])
    answered(list_newest(port))
    assert (port.last.method, port.last.target) == (b"POST", b"/trade/api/v2/futures/orders/open")
    assert body_of(port.last) == {
        "exchange": "EXCHANGE_2",
        "limit": 50,
        "from_time": NOW_MS - 7 * DAY_MS + 30 * 60_000,
        "to_time": NOW_MS + 60_000,
    }
    assert verifies(port.last, "/trade/api/v2/futures/orders/open")
    assert port.calls == [CallClass.LIST]


@pytest.mark.parametrize("sane", [lambda oldest: oldest, lambda oldest: None, lambda oldest: 0, str])
@pytest.mark.parametrize("size", [0, 1, 49, 50, 51, 99, 100, 175])
def test_every_page_is_read_whatever_the_cursor(sane: Callable[[int | None], object], size: int) -> None:
    port = FakePort(Server([row(str(i), created_at=NOW_MS - i) for i in range(size)], cursor=sane))
    part = answered(list_newest(port))
    assert len(part.orders) == size
    assert part.complete
    assert len(port.sent) <= size // 49 + 1


@pytest.mark.parametrize(
    "silly", [lambda oldest: NOW_MS * 10, lambda oldest: 5, lambda oldest: -3, lambda oldest: {}]
)
def test_a_cursor_that_would_skip_or_repeat_is_not_followed(silly: Callable[[int | None], object]) -> None:
    port = FakePort(Server([row(str(i), created_at=NOW_MS - i) for i in range(120)], cursor=silly))
    part = answered(list_newest(port))
    assert len(part.orders) == 120
    assert part.complete


def test_the_boundary_is_inclusive_so_ties_over_a_page_edge_are_not_lost() -> None:
    rows = [row(str(i), created_at=NOW_MS - i // 30) for i in range(150)]
    part = answered(list_newest(FakePort(Server(rows))))
    assert len(part.orders) == 150
    assert part.complete


def test_a_millisecond_with_more_orders_than_a_page_is_called_incomplete_and_stepped_over() -> None:
    rows = [row(str(i)) for i in range(70)] + [row("older", created_at=NOW_MS - 5000)]
    part = answered(list_newest(FakePort(Server(rows))))
    assert "older" in ids(part)
    assert not part.complete
    assert part.note is not None


def test_a_full_page_without_any_time_is_called_incomplete() -> None:
    rows = [row(str(i), created_at=None) for i in range(50)]
    part = answered(list_newest(FakePort(lambda call, message: listed(*rows))))
    assert len(part.orders) == 50
    assert not part.complete


def test_a_list_without_an_end_is_given_up_after_a_fixed_number_of_pages() -> None:
    fresh = iter(range(10**9))

    def endless(call: CallClass, message: Message) -> Raw:
        return listed(*(row(str(next(fresh)), created_at=body_of(message)["to_time"]) for _ in range(50)))

    port = FakePort(endless)
    part = answered(list_newest(port))
    assert not part.complete
    assert len(port.sent) == MOST_PAGES


def test_a_first_page_that_fails_is_the_failure_of_the_part() -> None:
    assert isinstance(list_newest(FakePort([reply(b"", 503)])), Unanswered)
    throttled = list_newest(FakePort([reply(b"<html>", 429, {"retry-after": "9"})]))
    assert throttled == Throttled(9.0, throttled.message if isinstance(throttled, Throttled) else None)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (reply(b"", 503), "page 2: no answer: HTTP 503"),
        (reply({"message": "slow down"}, 429), "page 2: throttled (slow down)"),
        (reply({"message": "no right"}, 403), "page 2: refused: credentials, rights or clock (no right)"),
        (reply({"message": "window"}, 422), "page 2: refused (window)"),
        (NotSent("no route"), "page 2: not sent: no route"),
        (Unanswered("timeout"), "page 2: no answer: timeout"),
        (reply(b"<html>"), "page 2: no answer: unreadable answer: no readable JSON"),
    ],
)
@pytest.mark.parametrize("past", [False, True])
def test_a_later_page_that_fails_hands_over_the_orders_before_it_and_proves_nothing(
    failure: Raw, words: str, past: bool
) -> None:
    adapter = venue()
    newest, oldest, *_ = parts_of(adapter)
    span = fixed(oldest.id)
    assert span is not None
    top = span.end if past else NOW_MS
    rows = [row(str(i), created_at=top - i) for i in range(50)]
    port = FakePort([listed(*rows), failure])
    part = answered(run(adapter.list_part(oldest if past else newest, port)))
    assert ids(part) == {str(i) for i in range(50)}
    assert not part.complete
    assert part.note == words


def test_a_second_window_that_fails_leaves_the_newest_part_incomplete() -> None:
    time = clock()
    adapter = venue(time)
    parts_of(adapter)
    time.advance(3 * 86_400)
    port = FakePort([listed(row("old", created_at=NOW_MS - 6 * DAY_MS)), Unanswered("reset")])
    part = answered(list_newest(port, adapter))
    assert ids(part) == {"old"}
    assert not part.complete
    assert part.note == "page 2: no answer: reset"


def test_a_page_that_failed_and_rows_that_were_unreadable_are_both_told() -> None:
    rows = [row(str(i), created_at=NOW_MS - i) for i in range(49)]
    part = answered(list_newest(FakePort([listed(*rows, {"order_id": None}), Unanswered("reset")])))
    assert part.note == "page 2: no answer: reset; 1 rows could not be read as orders"


def test_a_row_that_is_no_order_makes_the_part_incomplete_and_loses_no_other() -> None:
    part = answered(list_newest(FakePort([listed(row("a"), {"order_id": None}, 5)])))
    assert ids(part) == {"a"}
    assert not part.complete


@pytest.mark.parametrize("answer", [{"data": {"orders": None, "cursor": None}}, {"data": None}, {"data": {}}])
def test_an_empty_list_in_any_form_is_empty_and_complete(answer: object) -> None:
    part = answered(list_newest(FakePort([reply(answer)])))
    assert part.orders == ()
    assert part.complete


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"null", b"{}", b'{"message":"x"}', b'{"data":null,"message":"x"}', b'{"data":5}'],
)
def test_what_is_no_list_proves_nothing(body: bytes) -> None:
    assert isinstance(list_newest(FakePort([reply(body)])), Unanswered)
