"""The CoinSwitch spot adapter: one list without a cursor, single cancels, defensive reading."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from cancel_tui.orders import OrderStatus, OrderType, Side
from cancel_tui.settings import Budget
from cancel_tui.venues.base import CallClass, ClosedQuery, Message, Part, PartList, Raw, Touched, Venue
from cancel_tui.venues.coinswitch_rows import MOST_PAGES
from cancel_tui.venues.coinswitch_spot import CoinSwitchSpot, make
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
    NOW_MS,
    FakePort,
    answered,
    body_of,
    clock,
    credentials,
    key,
    query_of,
    reply,
    run,
    settings,
    verifies,
)

ID = "7d0c1a52-0000-4000-8000-00000000a001"
EXAMPLE = (
    b'{"data":{"orders":[{"order_id":"7d0c1a52-0000-4000-8000-00000000a001","symbol":"ETH/INR",'
    b'"price":190500.5,"average_price":0,"orig_qty":0.02,"executed_qty":0.005,'
    b'"status":"PARTIALLY_EXECUTED","side":"BUY","exchange":"coinswitchx","order_source":"API_TRADING",'
    b'"created_time":1732000001000,"updated_time":1732000009000}]}}'
)
PART = Part("orders")
OUTCOMES = (Answered, NotSent, Unanswered, Refused, Throttled, Unauthorised)


def venue(**changes: Any) -> CoinSwitchSpot:
    return make(settings("coinswitch-spot", **changes), credentials(), clock())


def row(order_id: str = ID, **changes: Any) -> dict[str, Any]:
    base = {
        "order_id": order_id,
        "symbol": "BTC/INR",
        "price": 2300000,
        "average_price": 0,
        "orig_qty": 0.5,
        "executed_qty": 0,
        "status": "OPEN",
        "side": "BUY",
        "exchange": "coinswitchx",
        "order_source": "API_TRADING",
        "created_time": NOW_MS,
        "updated_time": NOW_MS,
    }
    return {**base, **changes}


def listed(*rows: object) -> Raw:
    return reply({"data": {"orders": list(rows)}})


def list_all(port: FakePort, adapter: CoinSwitchSpot | None = None) -> Outcome[PartList]:
    return run((adapter or venue()).list_part(PART, port))


@dataclass
class Book:
    """The venue's list endpoint: filters, a cap it may not admit to, an order of its own."""

    rows: list[dict[str, Any]]
    cap: int = 10_000
    refuses_above: int = 10_000
    arrange: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = field(
        default=lambda rows: sorted(rows, key=lambda one: -int(one["created_time"]))
    )

    def __call__(self, call: CallClass, message: Message) -> Raw:
        query = query_of(message)
        count = int(query.get("count", 25))
        if count > self.refuses_above:
            return reply({"message": "count too large"}, 400)
        kept = [one for one in self.rows if self._wanted(one, query)]
        return listed(*self.arrange(kept)[: min(count, self.cap)])

    def _wanted(self, one: dict[str, Any], query: dict[str, str]) -> bool:
        created = int(one["created_time"])
        exchanges = query.get("exchanges", one["exchange"]).lower().split(",")
        symbols = query.get("symbols", one["symbol"]).upper().split(",")
        return (
            int(query.get("from_time", 0)) <= created <= int(query.get("to_time", 10**15))
            and one["exchange"].lower() in exchanges
            and one["side"].lower() == query.get("side", one["side"]).lower()
            and one["symbol"] in symbols
        )


def ids(part: PartList) -> set[str]:
    return {order.key.order_id for order in part.orders}


# ---------------------------------------------------------------------- rows


def test_the_documented_example_is_read_digit_by_digit() -> None:
    (order,) = answered(list_all(FakePort([reply(EXAMPLE)]))).orders
    assert order.key == key(ID)
    assert order.symbol is not None
    assert order.symbol.raw == "ETH/INR"
    assert order.price == Decimal("190500.5")
    assert order.quantity == Decimal("0.02")
    assert order.filled == Decimal("0.005")
    assert order.remaining == Decimal("0.015")
    assert order.average_price is None
    assert order.fee is None
    assert order.status is OrderStatus.PARTIALLY_FILLED
    assert order.venue_status is not None
    assert order.venue_status.raw == "PARTIALLY_EXECUTED"
    assert order.side is Side.BUY
    assert order.type is OrderType.LIMIT
    assert order.exchange is not None
    assert order.exchange.raw == "coinswitchx"
    assert order.source is not None
    assert order.source.raw == "API_TRADING"
    assert order.created_at == 1732000001.0
    assert order.updated_at == 1732000009.0
    assert order.account is None


@pytest.mark.parametrize(
    ("word", "filled", "status"),
    [
        ("OPEN", "0", OrderStatus.OPEN),
        ("open", "0", OrderStatus.OPEN),
        ("OPEN", "0.1", OrderStatus.PARTIALLY_FILLED),
        ("RAISED", "0", OrderStatus.OPEN),
        ("PARTIALLY_EXECUTED", "0.1", OrderStatus.PARTIALLY_FILLED),
        ("CANCELLATION_RAISED", "0", OrderStatus.PENDING_CANCEL),
        ("EXPIRATION_RAISED", "0", OrderStatus.PENDING_CANCEL),
        ("EXECUTED", "0.5", OrderStatus.FILLED),
        ("CANCELLED", "0.1", OrderStatus.CANCELED),
        ("EXPIRED", "0", OrderStatus.EXPIRED),
        ("DISCARDED", "0", OrderStatus.REJECTED),
        ("FAILED", "0", OrderStatus.REJECTED),
        ("REJECTED", "0", OrderStatus.REJECTED),
        ("HALF_ASLEEP", "0", OrderStatus.UNKNOWN),
        ("CANCELLED_BY_MOON", "0", OrderStatus.UNKNOWN),
        ("", "0", OrderStatus.UNKNOWN),
        (None, "0", OrderStatus.UNKNOWN),
        (7, "0", OrderStatus.UNKNOWN),
    ],
)
def test_every_word_means_what_is_agreed_and_any_other_is_live(
    word: object, filled: str, status: OrderStatus
) -> None:
    port = FakePort([listed(row(status=word, executed_qty=filled))])
    (order,) = answered(list_all(port)).orders
    assert order.status is status


def test_an_unknown_word_is_shown_raw() -> None:
    (order,) = answered(list_all(FakePort([listed(row(status="HALF_ASLEEP"))]))).orders
    assert order.venue_status is not None
    assert order.venue_status.raw == "HALF_ASLEEP"
    assert order.status.live


def test_numbers_in_exponent_form_and_of_many_digits_keep_every_digit() -> None:
    body = (
        b'{"data":{"orders":[{"order_id":"a","orig_qty":12345678901234567890.000000000000000000001,'
        b'"executed_qty":5e-21,"price":5e-05}]}}'
    )
    (order,) = answered(list_all(FakePort([reply(body)]))).orders
    assert order.price == Decimal("0.00005")
    assert order.remaining == Decimal("12345678901234567889.999999999999999999996")


def test_an_average_price_is_believed_only_beside_a_fill() -> None:
    port = FakePort([listed(row("a", average_price=5), row("b", average_price=5, executed_qty=0.1))])
    first, second = answered(list_all(port)).orders
    assert first.average_price is None
    assert second.average_price == 5
    assert first.filled == 0


def test_more_filled_than_ordered_leaves_nothing_open() -> None:
    (order,) = answered(list_all(FakePort([listed(row(executed_qty=0.7))]))).orders
    assert order.remaining == 0
    assert order.filled == Decimal("0.7")


# ---------------------------------------------------------------------- the list


@pytest.mark.parametrize(
    "answer",
    [{"data": {"orders": []}}, {"data": {"orders": None}}, {"data": {}}, {"data": None}, {"data": []}],
)
def test_an_empty_list_in_any_form_is_empty_and_complete(answer: object) -> None:
    part = answered(list_all(FakePort([reply(answer)])))
    assert part.orders == ()
    assert part.complete


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>hello</body></html>",
        b"null",
        b"7",
        b"[]",
        b"{}",
        b'{"message":"try later"}',
        b'{"data":null,"message":"try later"}',
        b'{"data":{"message":"try later"}}',
        b'{"data":"orders"}',
        b'{"data":{"orders":"none"}}',
        b'{"data":{"orders":{}}}',
        b'{"data":{"orders":[',
    ],
)
def test_what_is_no_list_proves_nothing(body: bytes) -> None:
    assert isinstance(list_all(FakePort([reply(body)])), Unanswered)


@pytest.mark.parametrize(
    "bad",
    [None, 5, "x", [], {}, {"order_id": ""}, {"order_id": None}, {"order_id": True}, {"order_id": ["a"]}],
)
def test_a_row_that_is_no_order_makes_the_list_incomplete_and_loses_no_other(bad: object) -> None:
    part = answered(list_all(FakePort([listed(row("a"), bad, row("b"))])))
    assert ids(part) == {"a", "b"}
    assert not part.complete
    assert part.note == "1 rows could not be read as orders"


def test_the_last_row_of_an_id_wins() -> None:
    part = answered(list_all(FakePort([listed(row("a"), row("a", executed_qty=0.1))])))
    (order,) = part.orders
    assert order.filled == Decimal("0.1")
    assert part.complete


def test_terminal_rows_are_passed_on() -> None:
    (order,) = answered(list_all(FakePort([listed(row(status="CANCELLED"))]))).orders
    assert order.status is OrderStatus.CANCELED


def test_a_short_list_costs_one_request() -> None:
    port = FakePort(Book([row(str(index)) for index in range(24)]))
    assert len(answered(list_all(port)).orders) == 24
    assert port.calls == [CallClass.LIST]
    assert query_of(port.last) == {"open": "true", "count": "500"}
    assert verifies(port.last, "/trade/api/v2/orders?open=true&count=500")


def test_the_count_falls_back_and_the_venue_is_not_asked_again_for_what_it_refused() -> None:
    port = FakePort(Book([row(str(index)) for index in range(10)], refuses_above=25))
    adapter = venue()
    assert answered(list_all(port, adapter)).complete
    assert answered(list_all(port, adapter)).complete
    assert [query_of(message)["count"] for _, message in port.sent] == ["500", "100", "25", "25"]


def test_a_refusal_of_every_count_is_the_refusal_and_nothing_is_remembered() -> None:
    port = FakePort(lambda call, message: reply({"message": "no such user"}, 400))
    adapter = venue()
    assert isinstance(list_all(port, adapter), Refused)
    list_all(port, adapter)
    assert [query_of(message)["count"] for _, message in port.sent] == ["500", "100", "25"] * 2


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 302])
def test_other_failures_are_no_reason_for_a_smaller_count(status: int) -> None:
    port = FakePort(lambda call, message: reply({"message": "no"}, status))
    assert not isinstance(list_all(port), Answered)
    assert {query_of(message).get("count") for call, message in port.sent if call is CallClass.LIST} == {
        "500"
    }


def test_full_pages_are_followed_by_time_with_the_boundary_row_seen_twice() -> None:
    book = Book([row(str(index), created_time=NOW_MS + index * 1000) for index in range(1200)])
    port = FakePort(book)
    part = answered(list_all(port))
    assert len(part.orders) == 1200
    assert part.complete
    assert query_of(port.sent[1][1])["to_time"] == str(NOW_MS + 700_000)


def test_a_cap_that_the_venue_keeps_to_itself_is_found() -> None:
    book = Book([row(str(index), created_time=NOW_MS + index * 1000) for index in range(130)], cap=50)
    part = answered(list_all(FakePort(book)))
    assert len(part.orders) == 130
    assert part.complete


def test_a_cap_that_was_found_is_what_makes_a_page_full() -> None:
    newer = [row(f"new-{index}", created_time=NOW_MS + 1000 + index * 1000) for index in range(40)]
    port = FakePort(Book([*newer, *(row(str(index)) for index in range(80))], cap=50))
    part = answered(list_all(port))
    assert len(part.orders) < 120
    assert not part.complete


def test_a_list_that_begins_with_the_oldest_is_read_upwards() -> None:
    book = Book(
        [row(str(index), created_time=NOW_MS + index * 1000) for index in range(1200)],
        arrange=lambda rows: sorted(rows, key=lambda one: int(one["created_time"])),
    )
    part = answered(list_all(FakePort(book)))
    assert len(part.orders) == 1200
    assert part.complete


def test_many_orders_of_one_second_are_divided_by_exchange_and_side() -> None:
    rows = [
        row(f"{exchange}-{side}-{index}", exchange=exchange, side=side)
        for exchange in ("coinswitchx", "c2c1", "c2c2")
        for side in ("BUY", "SELL")
        for index in range(300)
    ]
    port = FakePort(Book(rows))
    part = answered(list_all(port))
    assert len(part.orders) == 1800
    assert part.complete


def test_a_crowded_second_behind_many_other_orders_is_reached_side_by_side() -> None:
    newer = [row(f"new-{index}", created_time=NOW_MS + 1000 + index * 1000) for index in range(1200)]
    crowd = [row(f"{side}-{index}", side=side) for side in ("BUY", "SELL") for index in range(300)]
    older = [row(f"old-{index}", created_time=NOW_MS - 1000 - index * 1000) for index in range(30)]
    part = answered(list_all(FakePort(Book([*newer, *crowd, *older]))))
    assert len(part.orders) == 1830
    assert part.complete


def test_sixty_orders_of_one_second_are_no_reason_for_doubt() -> None:
    part = answered(list_all(FakePort(Book([row(str(index)) for index in range(60)]))))
    assert len(part.orders) == 60
    assert part.complete


def test_more_of_one_second_book_and_side_than_fit_are_found_by_symbol_and_called_incomplete() -> None:
    rows = [
        row(f"{symbol}{index}", symbol=symbol) for symbol in ("BTC/INR", "ETH/INR") for index in range(400)
    ]
    part = answered(list_all(FakePort(Book(rows))))
    assert len(part.orders) == 800
    assert not part.complete


def test_orders_of_a_book_that_cannot_be_asked_for_leave_doubt_behind_a_full_page() -> None:
    rows = [row(str(index), exchange="wazirx" if index == 0 else "c2c1") for index in range(500)]
    port = FakePort(Book(rows))
    part = answered(list_all(port))
    assert len(part.orders) == 500
    assert not part.complete
    assert not any("wazirx" in query_of(message).get("exchanges", "") for _, message in port.sent)


def test_a_book_that_the_venue_refuses_to_list_apart_leaves_doubt() -> None:
    full = Book([row(str(index)) for index in range(500)])

    def answer(call: CallClass, message: Message) -> Raw:
        if query_of(message).get("exchanges") == "c2c2":
            return reply({"message": "unknown exchange"}, 400)
        return full(call, message)

    part = answered(list_all(FakePort(answer)))
    assert len(part.orders) == 500
    assert not part.complete


def test_a_venue_that_ignores_every_filter_is_left_after_a_few_calls() -> None:
    same = [row(str(index)) for index in range(500)]
    port = FakePort(lambda call, message: listed(*same))
    part = answered(list_all(port))
    assert len(part.orders) == 500
    assert not part.complete
    assert len(port.sent) < MOST_PAGES


def test_a_list_without_an_end_is_given_up_after_a_fixed_number_of_pages() -> None:
    fresh = iter(range(10**9))

    def endless(call: CallClass, message: Message) -> Raw:
        return listed(*(row(str(next(fresh)), created_time=NOW_MS - index * 1000) for index in range(100)))

    port = FakePort(endless)
    part = answered(list_all(port))
    assert not part.complete
    assert MOST_PAGES <= len(port.sent) <= MOST_PAGES + 10


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (reply(b"", 502), "page 2: no answer: HTTP 502"),
        (reply({"message": "slow down"}, 429), "page 2: throttled (slow down)"),
        (reply({"message": "no right"}, 403), "page 2: refused: credentials, rights or clock (no right)"),
        (reply({"message": "no such page"}, 404), "page 2: refused (no such page)"),
        (NotSent("no route"), "page 2: not sent: no route"),
        (Unanswered("timeout"), "page 2: no answer: timeout"),
    ],
)
def test_a_later_page_that_fails_hands_over_the_orders_before_it_and_proves_nothing(
    failure: Raw, words: str
) -> None:
    rows = [row(str(index), created_time=NOW_MS - index * 1000) for index in range(500)]
    part = answered(list_all(FakePort([listed(*rows), failure])))
    assert ids(part) == {str(index) for index in range(500)}
    assert not part.complete
    assert part.note == words


def test_a_narrower_list_that_fails_hands_over_what_the_wider_one_brought() -> None:
    book = Book([row(str(index), side=("BUY", "SELL")[index % 2]) for index in range(700)])

    def answer(call: CallClass, message: Message) -> Raw:
        return Unanswered("reset") if "side" in query_of(message) else book(call, message)

    part = answered(list_all(FakePort(answer)))
    assert len(part.orders) == 500
    assert not part.complete
    assert part.note is not None
    assert part.note.endswith(": no answer: reset")


def test_rows_without_a_time_behind_a_full_page_leave_doubt() -> None:
    rows = [row(str(index), created_time=None) for index in range(500)]
    part = answered(list_all(FakePort(lambda call, message: listed(*rows))))
    assert len(part.orders) == 500
    assert not part.complete


def test_an_unknown_part_is_not_sent() -> None:
    port = FakePort([])
    assert isinstance(run(venue().list_part(Part("other"), port)), NotSent)
    assert port.sent == []


@effort(max_examples=150, deadline=None)
@given(st.data())
def test_a_list_called_complete_misses_no_order(data: st.DataObject) -> None:
    chance = random.Random(data.draw(st.integers()))
    size = data.draw(st.sampled_from([0, 3, 24, 25, 26, 60, 240, 499, 500, 501, 900]))
    seconds = data.draw(st.sampled_from([1, 2, 40, 5000]))
    rows = [
        row(
            str(index),
            created_time=NOW_MS + chance.randrange(seconds) * 1000,
            side=chance.choice(["BUY", "SELL"]),
            exchange=chance.choice(["coinswitchx", "c2c1", "c2c2"]),
            symbol=chance.choice(["BTC/INR", "ETH/INR", "BTC/USDT"]),
        )
        for index in range(size)
    ]
    chance.shuffle(rows)
    sign = data.draw(st.sampled_from([-1, 1, 0]))
    limit = data.draw(st.sampled_from([10_000, 100, 25]))
    book = Book(
        rows,
        refuses_above=limit,
        arrange=lambda kept: sorted(kept, key=lambda one: sign * int(one["created_time"])),
    )
    part = answered(list_all(FakePort(book)))
    assert ids(part) <= {one["order_id"] for one in rows}
    if part.complete:
        assert len(part.orders) == size
    elif size < min(limit, 500):
        pytest.fail("a list that fits on a page was doubted")


# ---------------------------------------------------------------------- cancel and read


def test_a_cancel_is_a_delete_with_a_body_that_is_not_signed() -> None:
    port = FakePort([reply({"data": row(status="CANCELLATION_RAISED")})])
    ack = answered(run(venue().cancel(key(ID), port)))
    assert ack.order is not None
    assert ack.order.status is OrderStatus.PENDING_CANCEL
    assert (port.last.method, port.last.target) == (b"DELETE", b"/trade/api/v2/order")
    assert body_of(port.last) == {"order_id": ID}
    assert port.calls == [CallClass.CANCEL]
    assert verifies(port.last, "/trade/api/v2/order")


@pytest.mark.parametrize("body", [{"data": row("another")}, {"data": {"order": row("another")}}])
def test_an_answer_that_names_another_order_is_no_answer(body: object) -> None:
    assert isinstance(run(venue().cancel(key(ID), FakePort([reply(body)]))), Unanswered)
    assert isinstance(run(venue().read(key(ID), FakePort([reply(body)]))), Unanswered)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"data":null}', b'{"data":{}}', b'{"data":[]}', b'{"message":"ok"}']
)
def test_an_answer_to_a_cancel_that_names_no_order_is_no_answer(body: bytes) -> None:
    assert isinstance(run(venue().cancel(key(ID), FakePort([reply(body)]))), Unanswered)


def test_ids_are_the_same_in_either_case() -> None:
    port = FakePort([reply({"data": row(ID, status="CANCELLED")})])
    ack = answered(run(venue().cancel(key(ID.upper()), port)))
    assert ack.order is not None
    assert ack.order.key == key(ID.upper())


@pytest.mark.parametrize("wrap", [lambda one: {"data": one}, lambda one: {"data": {"order": one}}])
def test_one_order_is_read_flat_or_nested(wrap: Callable[[object], object]) -> None:
    port = FakePort([reply(wrap(row(status="EXECUTED", executed_qty=0.5)))])
    order = answered(run(venue().read(key(ID), port)))
    assert order.status is OrderStatus.FILLED
    assert port.last.target.decode() == f"/trade/api/v2/order?order_id={ID}"
    assert port.last.body == b""
    assert port.calls == [CallClass.STATUS]


@pytest.mark.parametrize("body", [{"data": None}, {"data": {"order": None}}])
def test_null_in_place_of_an_order_is_not_found(body: object) -> None:
    outcome = run(venue().read(key(ID), FakePort([reply(body)])))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("order_id", ["", ".", "..", "x" * 201, "\ud800"])
def test_an_absurd_id_is_refused_before_anything_is_built(order_id: str) -> None:
    port = FakePort([])
    assert isinstance(run(venue().cancel(key(order_id), port)), NotSent)
    assert isinstance(run(venue().read(key(order_id), port)), NotSent)
    assert port.sent == []


def test_an_id_cannot_change_the_request_around_it() -> None:
    port = FakePort([reply({"data": None})])
    run(venue().read(key("../orders?open=true&x=1"), port))
    assert port.last.target == b"/trade/api/v2/order?order_id=..%2Forders%3Fopen%3Dtrue%26x%3D1"


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("status", "body", "cancel", "read"),
    [
        (400, b'{"message":"already cancelled"}', Reason.ORDER, Reason.NOT_FOUND),
        (400, b'{"error":"already cancelled"}', Reason.ORDER, Reason.NOT_FOUND),
        (409, b'{"message":"busy"}', Reason.ORDER, Reason.NOT_FOUND),
        (422, b'{"message":"order_id invalid"}', Reason.ORDER, Reason.NOT_FOUND),
        (404, b'{"message":"no such order"}', Reason.NOT_FOUND, Reason.NOT_FOUND),
        (404, b"", Reason.NOT_FOUND, Reason.NOT_FOUND),
        (404, b"<html>nginx</html>", Unanswered, Reason.REQUEST),
        (404, b"404 page not found", Unanswered, Reason.REQUEST),
        (400, b"", Unanswered, Reason.REQUEST),
        (400, b"[]", Unanswered, Reason.REQUEST),
        (423, b'{"message":"locked"}', Reason.HALTED, Reason.HALTED),
        (429, b'{"message":"slow down"}', Throttled, Throttled),
        (429, b"<html>", Throttled, Throttled),
        (403, b'{"message":"no"}', Unauthorised, Unauthorised),
        (500, b'{"message":"oops"}', Unanswered, Unanswered),
        (502, b"<html>", Unanswered, Unanswered),
        (302, b"", Unanswered, Unanswered),
        (408, b"", Unanswered, Unanswered),
    ],
)
def test_refusals_are_sorted_by_what_was_asked(
    status: int, body: bytes, cancel: type | Reason, read: type | Reason
) -> None:
    for wanted, outcome in (
        (cancel, run(venue().cancel(key(ID), FakePort([reply(body, status)])))),
        (read, run(venue().read(key(ID), FakePort([reply(body, status)])))),
    ):
        if isinstance(wanted, Reason):
            assert isinstance(outcome, Refused)
            assert outcome.reason is wanted
            assert outcome.status == status
        else:
            assert isinstance(outcome, wanted)


def test_a_wait_that_the_venue_asks_for_is_kept() -> None:
    outcome = run(venue().cancel(key(ID), FakePort([reply({}, 429, {"retry-after": "7"})])))
    assert isinstance(outcome, Throttled)
    assert outcome.retry_after == 7


def test_the_venues_words_are_passed_on() -> None:
    outcome = run(venue().cancel(key(ID), FakePort([reply({"message": "already final"}, 400)])))
    assert isinstance(outcome, Refused)
    assert str(outcome.message) == "already final"


@pytest.mark.parametrize("raw", [NotSent("no route"), Unanswered("reset")])
def test_wire_failures_are_passed_on(raw: Raw) -> None:
    assert run(venue().cancel(key(ID), FakePort([raw]))) == raw
    assert list_all(FakePort([raw])) == raw


# ---------------------------------------------------------------------- finished orders


def touched(order_id: str, created_ms: int | None) -> Touched:
    port = FakePort([listed(row(order_id, created_time=created_ms))])
    (order,) = answered(list_all(port)).orders
    return Touched(key(order_id), order)


def test_the_plan_spans_the_orders_with_a_known_time_and_covers_no_other() -> None:
    plan = venue().closed_plan(
        [
            touched("a", NOW_MS),
            touched("b", NOW_MS - 5_000),
            touched("c", None),
            Touched(key("d")),
        ]
    )
    (query,) = plan.queries
    assert (query.begin, query.end) == (NOW_MS / 1000 - 6, NOW_MS / 1000 + 1)
    assert plan.covers == {key("a"), key("b")}


def test_nothing_known_needs_no_query() -> None:
    assert venue().closed_plan([Touched(key("d"))]).queries == ()


def test_finished_orders_are_followed_page_by_page_to_the_end() -> None:
    rows = [row(str(index), created_time=NOW_MS - index, status="CANCELLED") for index in range(1100)]
    port, adapter = FakePort(Book(rows)), venue()
    query: ClosedQuery | None = ClosedQuery(NOW_MS / 1000 - 100, NOW_MS / 1000 + 1)
    found: set[str] = set()
    while query is not None:
        page = answered(run(adapter.closed_page(query, port)))
        found |= {order.key.order_id for order in page.orders}
        assert all(order.status is OrderStatus.CANCELED for order in page.orders)
        query = page.next
    assert len(found) == 1100
    assert port.calls == [CallClass.CLOSED] * 3
    assert query_of(port.sent[0][1]) == {
        "open": "false",
        "count": "500",
        "from_time": str(NOW_MS - 100_000),
        "to_time": str(NOW_MS + 1000),
    }


def test_a_second_with_more_finished_orders_than_a_page_is_stepped_over() -> None:
    rows = [row(str(index), status="CANCELLED") for index in range(700)]
    rows.append(row("old", status="EXPIRED", created_time=NOW_MS - 1000))
    port, adapter = FakePort(Book(rows)), venue()
    query: ClosedQuery | None = ClosedQuery(NOW_MS / 1000 - 100, NOW_MS / 1000 + 1)
    found: set[str] = set()
    while query is not None:
        page = answered(run(adapter.closed_page(query, port)))
        found |= {order.key.order_id for order in page.orders}
        query = page.next
    assert "old" in found
    assert len(port.sent) <= 4


def test_a_venue_that_ignores_the_window_is_not_followed() -> None:
    rows = [row(str(index), created_time=NOW_MS + 50_000) for index in range(500)]
    port = FakePort(lambda call, message: listed(*rows))
    page = answered(run(venue().closed_page(ClosedQuery(NOW_MS / 1000 - 1, NOW_MS / 1000), port)))
    assert page.next is None


def test_the_closed_list_falls_back_in_its_count_too() -> None:
    port = FakePort(Book([], refuses_above=100))
    adapter = venue()
    answered(run(adapter.closed_page(ClosedQuery(0.0, 1.0), port)))
    answered(list_all(port, adapter))
    assert [query_of(message)["count"] for _, message in port.sent] == ["500", "100", "500", "100"]


# ---------------------------------------------------------------------- capabilities


def test_capabilities_say_what_the_venue_documents() -> None:
    found = venue().capabilities
    assert not found.cancel_all
    assert found.read_order
    assert found.closed_page == 500
    assert dict(found.budgets) == {
        CallClass.LIST: Budget(10_000, 10),
        CallClass.CLOSED: Budget(10_000, 10),
        CallClass.STATUS: Budget(10, 1),
    }
    assert found.lacks == {"account"}
    assert found.blind_spots == ()
    assert found.poll_seconds == 2


def test_configured_limits_and_timeout_replace_the_documented_ones() -> None:
    found = venue(limits={"cancel": Budget(5, 1), "list": None}, timeout_seconds=9.0).capabilities
    assert found.budgets[CallClass.CANCEL] == Budget(5, 1)
    assert CallClass.LIST not in found.budgets
    assert found.budgets[CallClass.STATUS] == Budget(10, 1)
    assert found.timeout_seconds == 9.0


def test_the_adapter_is_a_venue_and_is_found_by_its_kind() -> None:
    made: Venue = make_venue(settings("coinswitch-spot"), credentials(), clock())
    assert isinstance(made, CoinSwitchSpot)
    assert (made.name, made.kind) == ("cs", "coinswitch-spot")


def test_there_is_no_cancel_all() -> None:
    port = FakePort([])
    assert isinstance(run(venue().cancel_all(None, port)), NotSent)


# ---------------------------------------------------------------------- anything at all

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
_NAMES = st.sampled_from(
    ["data", "orders", "order", "order_id", "status", "created_time", "orig_qty", "executed_qty", "message"]
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

    adapter, port = venue(), FakePort(answer)
    assert isinstance(run(adapter.list_part(PART, port)), OUTCOMES)
    assert isinstance(run(adapter.cancel(key(ID), port)), OUTCOMES)
    assert isinstance(run(adapter.read(key(ID), port)), OUTCOMES)
    assert isinstance(run(adapter.closed_page(ClosedQuery(0.0, 1.0), port)), OUTCOMES)
    assert isinstance(run(adapter.measure_clock(port)), OUTCOMES)
    assert isinstance(run(adapter.check(port)), OUTCOMES)


@effort(max_examples=300, deadline=None)
@given(ANYTHING, st.sampled_from([200, 400, 404]))
def test_any_json_becomes_an_outcome(value: object, status: int) -> None:
    ask_everything(json.dumps(value).encode(), status)


@effort(max_examples=150, deadline=None)
@given(st.dictionaries(_NAMES, _SCALARS, max_size=9))
def test_any_row_becomes_an_outcome(value: dict[str, object]) -> None:
    ask_everything(json.dumps({"data": {"orders": [value], "order": value}}).encode(), 200)


@effort(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([200, 204, 302, 400, 401, 404, 422, 429, 500]))
def test_any_bytes_become_an_outcome(body: bytes, status: int) -> None:
    ask_everything(body, status)


@pytest.mark.parametrize(
    "number", ["1e999999999", "-1e400", "1" * 4000, "9" * 30, "1e-999999999", "-0", "NaN"]
)
def test_huge_numbers_become_an_outcome(number: str) -> None:
    fields = ",".join(f'"{name}":{number}' for name in ("order_id", "price", "orig_qty", "created_time"))
    ask_everything(f'{{"data":{{"orders":[{{{fields}}}]}}}}'.encode(), 200)
