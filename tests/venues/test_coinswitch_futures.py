"""The CoinSwitch futures adapter: windows of seven days, a native cancel-all, defensive reading."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from cancel_tui.clock import ManualClock
from cancel_tui.orders import Order, OrderStatus, OrderType, Side
from cancel_tui.settings import Budget
from cancel_tui.venues.base import CallClass, ClosedQuery, Message, Part, PartList, Parts, Raw, Touched, Venue
from cancel_tui.venues.coinswitch_futures import CoinSwitchFutures, born_of, make
from cancel_tui.venues.coinswitch_rows import MOST_PAGES
from cancel_tui.venues.coinswitch_windows import NEWEST, WIDEST, Windows, fixed
from cancel_tui.venues.outcome import (
    Answered,
    NotSent,
    Outcome,
    Reason,
    Refused,
    Throttled,
    Unanswered,
    Unauthorised,
)
from cancel_tui.venues.registry import make_venue
from tests.venues.support_coinswitch import (
    DAY_MS,
    NOW,
    NOW_MS,
    FakePort,
    answered,
    body_of,
    clock,
    credentials,
    headers_of,
    key,
    reply,
    run,
    settings,
    verifies,
)

ID = "01940000-0000-7000-8000-00000000b001"
EXAMPLE = (
    b'{"data":{"orders":[{"order_id":"01940000-0000-7000-8000-00000000b001","exchange":"EXCHANGE_2",'
    b'"symbol":"ETHUSDT","side":"SELL","status":"RAISED","order_type":"LIMIT","quantity":"0.25",'
    b'"exec_quantity":"0","price":"4100.5","avg_execution_price":"0","execution_fee":"0.61",'
    b'"realised_pnl":"0","reduce_only":false,"created_at":1732000002345,"updated_at":1732000002345}],'
    b'"cursor":1732000002345}}'
)
CANCEL_EXAMPLE = (
    b'{"data":{"order_id":"01940000-0000-7000-8000-00000000b001","exchange":"EXCHANGE_2","symbol":"ETHUSDT",'
    b'"side":"SELL","order_type":"LIMIT","status":"CANCELLATION_RAISED","quantity":"0.25",'
    b'"exec_quantity":"0.1","price":"4100.5","avg_exec_price":"4100.5","exec_fee":"0.24","reduce_only":false,'
    b'"created_at":1732000002345,"updated_at":1732000007777}}'
)
NEW = Part(NEWEST)
OUTCOMES = (Answered, NotSent, Unanswered, Refused, Throttled, Unauthorised)


def venue(time: ManualClock | None = None, **changes: Any) -> CoinSwitchFutures:
    return make(settings("coinswitch-futures", **changes), credentials(), time or clock())


def row(order_id: str = ID, **changes: Any) -> dict[str, Any]:
    base = {
        "order_id": order_id,
        "exchange": "EXCHANGE_2",
        "symbol": "DOGEUSDT",
        "side": "BUY",
        "status": "RAISED",
        "order_type": "LIMIT",
        "quantity": "100",
        "exec_quantity": "0",
        "price": "0.25",
        "avg_execution_price": "0",
        "execution_fee": "0.02",
        "realised_pnl": "0",
        "reduce_only": False,
        "created_at": NOW_MS,
        "updated_at": NOW_MS,
    }
    return {**base, **changes}


def listed(*rows: object, cursor: object = None) -> Raw:
    return reply({"data": {"orders": list(rows), "cursor": cursor}})


def parts_of(adapter: CoinSwitchFutures) -> tuple[Part, ...]:
    return answered(run(adapter.parts(FakePort([])))).parts


def list_newest(port: FakePort, adapter: CoinSwitchFutures | None = None) -> Outcome[PartList]:
    return run((adapter or venue()).list_part(NEW, port))


@dataclass
class Server:
    """The venue's two lists as documented: at most seven days and 50 rows, newest first, cursor."""

    rows: list[dict[str, Any]]
    clock: Callable[[], int] | None = None
    """The true time in milliseconds; with it, signatures that are more than 60 s off are refused."""
    cursor: Callable[[int | None], object] = field(default=lambda oldest: oldest)

    def __call__(self, call: CallClass, message: Message) -> Raw:
        if self.clock is not None:
            if message.target.endswith(b"/time"):
                return reply({"serverTime": self.clock()})
            if abs(int(headers_of(message)["X-AUTH-EPOCH"]) - self.clock()) > 60_000:
                return reply({"message": "Invalid Access"}, 401)
        assert message.target.startswith(b"/trade/api/v2/futures/orders/")
        body = body_of(message)
        assert body["exchange"] == "EXCHANGE_2"
        begin, end, limit = body["from_time"], body["to_time"], body["limit"]
        if limit > 50 or not 0 <= end - begin <= 7 * DAY_MS:
            return reply({"message": "window"}, 422)
        kept = sorted(
            (one for one in self.rows if begin <= one["created_at"] <= end),
            key=lambda one: -one["created_at"],
        )[:limit]
        return listed(*kept, cursor=self.cursor(kept[-1]["created_at"] if kept else None))


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
