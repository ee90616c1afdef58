"""The P99 adapter: lists over all their pages, and what is read of an order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from cancel_tui.orders import Order, OrderStatus, OrderType, Side
from cancel_tui.text import VenueText
from cancel_tui.venues.base import CallClass, Message, Part, PartList, Raw
from cancel_tui.venues.outcome import NotSent, Unanswered
from cancel_tui.venues.p99 import MAX_PAGES
from tests.venues.fake_port import FakePort, always, reply, value
from tests.venues.p99_case import ROW, assert_signed, book, error, key, p99, query_of, row


async def listed(answer: Callable[[Message], Raw]) -> tuple[PartList, FakePort]:
    port = FakePort(answer)
    venue = p99()
    assert [part.id for part in value(await venue.parts(port)).parts] == ["orders"]
    return value(await venue.list_part(Part("orders"), port)), port


async def test_both_statuses_are_asked_open_first() -> None:
    part, port = await listed(book([row(1, 10), row(2, 11, "partially_filled", filled_qty="1")]))
    assert [query_of(message)["status"] for _, message in port.sent] == ["open", "partially_filled"]
    assert [call for call, _ in port.sent] == [CallClass.LIST, CallClass.LIST]
    assert len(part.orders) == 2
    assert part.complete
    for _, message in port.sent:
        assert_signed(message)


async def test_an_order_in_both_lists_is_kept_as_the_second_shows_it() -> None:
    def answer(message: Message) -> Raw:
        status = query_of(message)["status"]
        return reply([row(1, 10, status, filled_qty="0" if status == "open" else "2")])

    part, _ = await listed(answer)
    assert [(order.status, order.filled) for order in part.orders] == [
        (OrderStatus.PARTIALLY_FILLED, Decimal(2))
    ]


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 250, 1000])
async def test_every_page_is_read_and_nothing_twice(count: int) -> None:
    rows = [row(number, 1000 + number // 3) for number in range(count)]
    part, port = await listed(book(rows))
    assert {order.key.order_id for order in part.orders} == {one["id"] for one in rows}
    assert len(part.orders) == count
    assert part.complete
    assert port.sent[-1][1].target.startswith(b"/api/v1/spot/orders?status=partially_filled&limit=200")


async def test_the_open_list_ends_before_the_other_begins() -> None:
    rows = [row(number, number + 1, "open" if number % 2 else "partially_filled") for number in range(900)]
    part, port = await listed(book(rows))
    asked = [query_of(message)["status"] for _, message in port.sent]
    assert asked == sorted(asked)
    assert len(part.orders) == 900


async def test_paging_goes_on_from_the_oldest_second_seen() -> None:
    _, port = await listed(book([row(number, 5000 + number) for number in range(201)]))
    assert port.sent[1][1].target.startswith(b"/api/v1/spot/orders?status=open&end=5001&limit=200&timestamp=")


async def test_a_full_page_within_one_second_is_a_truncated_list_that_still_shows_older_orders() -> None:
    rows = [row(number, 500) for number in range(230)] + [row(999, 100)]
    part, _ = await listed(book(rows))
    assert not part.complete
    assert part.note == "list truncated"
    assert rows[-1]["id"] in {order.key.order_id for order in part.orders}


async def test_exactly_a_page_within_one_second_cannot_be_told_from_more() -> None:
    part, _ = await listed(book([row(number, 500) for number in range(200)]))
    assert len(part.orders) == 200
    assert not part.complete


async def test_a_venue_that_ignores_end_does_not_loop() -> None:
    page = [row(number, 1000 + number) for number in range(200)]
    part, port = await listed(lambda _: reply(page))
    assert len(port.sent) == 4
    assert not part.complete


async def test_pages_without_end_are_bounded() -> None:
    def answer(message: Message) -> Raw:
        end = int(query_of(message).get("end", "9000000"))
        return reply([row(end * 1000 + number, end - number) for number in range(200)])

    part, port = await listed(answer)
    assert len(port.sent) == 2 * MAX_PAGES
    assert not part.complete


async def test_full_pages_without_times_are_a_truncated_list() -> None:
    page = [row(number, 1) | {"created_at": None} for number in range(200)]
    part, _ = await listed(lambda _: reply(page))
    assert not part.complete
    assert len(part.orders) == 200


async def test_a_first_page_that_fails_is_the_answer_of_the_whole_list() -> None:
    outcome = await p99().list_part(Part("orders"), always(error(500, "DB_ERROR")))
    assert outcome == Unanswered("HTTP 500", VenueText("DB_ERROR"), 500)


LATER_FAILURES = [
    (error(500, "DB_ERROR"), "page 2: no answer: HTTP 500 (DB_ERROR)"),
    (error(429, "RATE_LIMITED"), "page 2: throttled (RATE_LIMITED)"),
    (error(403, "FORBIDDEN"), "page 2: refused: credentials, rights or clock (FORBIDDEN)"),
    (error(400, "INVALID_RANGE"), "page 2: refused (INVALID_RANGE)"),
    (NotSent("no route"), "page 2: not sent: no route"),
    (Unanswered("timeout"), "page 2: no answer: timeout"),
    (reply({"orders": []}), "page 2: no answer: unreadable answer: list is no array"),
]


@pytest.mark.parametrize(("failure", "words"), LATER_FAILURES)
@pytest.mark.parametrize("count", [0, 7, 200])
async def test_a_later_page_that_fails_hands_over_the_orders_before_it_and_proves_nothing(
    count: int, failure: Raw, words: str
) -> None:
    """Of 200 the second page of `open` fails, of fewer the list of `partially_filled`."""
    rows = [row(number, number + 1) for number in range(count)]
    answers = iter([reply(rows), failure])
    part, port = await listed(lambda _: next(answers))
    assert query_of(port.sent[-1][1])["status"] == ("open" if count == 200 else "partially_filled")
    assert {order.key.order_id for order in part.orders} == {one["id"] for one in rows}
    assert not part.complete
    assert part.note == words


async def test_the_note_about_a_page_does_not_repeat_a_signature() -> None:
    def answer(message: Message) -> Raw:
        if query_of(message)["status"] == "open":
            return reply([row(1, 10)])
        return error(500, message.target.decode())

    part, port = await listed(answer)
    assert part.note is not None
    assert "signature=[hidden]" in part.note
    assert query_of(port.sent[-1][1])["signature"] not in part.note


async def test_a_row_without_an_id_makes_the_list_incomplete_but_hides_no_other() -> None:
    part, _ = await listed(lambda _: reply([row(1, 10), {"symbol": "DFUSDT"}, None, row(2, 11)]))
    assert len(part.orders) == 2
    assert not part.complete
    assert part.note == "rows without a readable order id"


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b"<html>", b'{"orders":[]}', b"[", b'"x"', b"\xff"])
async def test_what_is_no_array_is_no_list(body: bytes) -> None:
    assert isinstance(await p99().list_part(Part("orders"), always(reply(body))), Unanswered)


# Orders


async def one(fields: dict[str, Any]) -> Order:
    part, _ = await listed(lambda _: reply([{**ROW, **fields}]))
    return part.orders[0]


async def test_every_field_of_an_order_is_read() -> None:
    assert await one({}) == Order(
        key=key(),
        symbol=VenueText("DFUSDT"),
        side=Side.SELL,
        type=OrderType.LIMIT,
        time_in_force=VenueText("gtc"),
        price=Decimal("0.7250"),
        quantity=Decimal(40),
        filled=Decimal("12.5"),
        remaining=Decimal("27.5"),
        average_price=Decimal("0.725"),
        status=OrderStatus.PARTIALLY_FILLED,
        venue_status=VenueText("partially_filled"),
        created_at=1779012300.0,
        updated_at=1779012344.0,
    )


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("open", OrderStatus.OPEN),
        ("OPEN", OrderStatus.OPEN),
        ("partially_filled", OrderStatus.PARTIALLY_FILLED),
        ("filled", OrderStatus.FILLED),
        ("canceled", OrderStatus.CANCELED),
        ("rejected", OrderStatus.REJECTED),
        ("expired", OrderStatus.EXPIRED),
        ("halted", OrderStatus.UNKNOWN),
        ("", OrderStatus.UNKNOWN),
        (None, OrderStatus.UNKNOWN),
        (["filled"], OrderStatus.UNKNOWN),
    ],
)
async def test_status_words(word: Any, status: OrderStatus) -> None:
    assert (await one({"status": word, "filled_qty": "0"})).status is status


async def test_open_with_a_fill_is_partially_filled() -> None:
    order = await one({"status": "open", "filled_qty": "0.0001"})
    assert order.status is OrderStatus.PARTIALLY_FILLED
    assert order.venue_status == VenueText("open")


async def test_a_market_order_has_no_price_and_perhaps_no_quantity() -> None:
    order = await one({"type": "market", "price": None, "quantity": None, "avg_fill_price": "0"})
    assert (order.price, order.quantity, order.remaining, order.average_price) == (None, None, None, None)
    assert order.type is OrderType.MARKET


async def test_no_digit_of_an_amount_is_lost() -> None:
    order = await one(
        {"quantity": "1000000000000000000000000000", "filled_qty": "0.000000000000000000000001"}
    )
    assert order.remaining == Decimal("999999999999999999999999999.999999999999999999999999")


async def test_absurd_values_hide_no_order() -> None:
    order = await one(
        {"quantity": "1e999999", "filled_qty": [], "created_at": "x", "side": 7, "price": True, "symbol": {}}
    )
    assert (order.quantity, order.filled, order.created_at, order.side) == (None, None, None, None)
    assert order.key == key()
