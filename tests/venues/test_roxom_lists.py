"""The Roxom adapter: lists, blind spots, and what is read of an order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cancel_tui.orders import AccountId, Order, OrderStatus, OrderType, Side
from cancel_tui.text import VenueText
from cancel_tui.venues.base import CallClass, Part, PartList, Reply
from cancel_tui.venues.outcome import Answered, Reason, Refused, Unanswered
from cancel_tui.venues.roxom import INST_TYPES
from tests.venues.fake_port import FakePort, always, reply, value
from tests.venues.roxom_case import ID, OTHER_ID, ROW, assert_signed, key, listed, orders, roxom

OLD_ROW: dict[str, Any] = {
    "id": ID,
    "symbol": "GOLD-BTC",
    "orderType": "stopLimit",
    "side": "SELL",
    "quantity": "3.00",
    "size": "2.25",
    "price": "0.00091250",
    "triggerPx": "0.0009",
    "unit": "BTC",
    "status": "PARTIALLY_FILLED",
    "isTriggered": True,
    "createdAt": 1760000000000000000,
}


# Lists


async def test_there_is_one_part_per_instrument_type() -> None:
    parts = value(await roxom().parts(always(orders()))).parts
    assert [part.id for part in parts] == [f"inst_type:{name}" for name in INST_TYPES]
    parts = value(await roxom(inst_types=("spot", "perpetual", "spot")).parts(always(orders()))).parts
    assert [part.id for part in parts] == ["inst_type:spot", "inst_type:perpetual"]


async def test_a_list_names_type_and_unit_and_is_one_request() -> None:
    port = always(orders(ROW))
    part = value(await roxom().list_part(Part("inst_type:perpetual"), port))
    assert [(call, message.target) for call, message in port.sent] == [
        (CallClass.LIST, b"/api/v1/orders?instType=perpetual&unit=btc")
    ]
    assert_signed(port.sent[0][1])
    assert part.complete
    assert [order.key for order in part.orders] == [key()]


async def test_an_instrument_type_cannot_add_parameters() -> None:
    port = always(orders())
    await roxom(inst_types=("a&b=c", "spot")).list_part(Part("inst_type:a&b=c"), port)
    assert port.sent[0][1].target == b"/api/v1/orders?instType=a%26b%3Dc&unit=btc"
    assert_signed(port.sent[0][1])


@pytest.mark.parametrize(
    "answer",
    [
        reply({"error": {"code": 400, "message": "bad instType", "details": "x"}, "requestId": "r"}, 400),
        reply({"code": "VALIDATION_ERROR", "message": "instType", "details": "x"}, 422),
        reply({"error": 404, "message": "unknown type"}, 404),
        reply({"error": True, "data": None}, 400),
        reply({"error": "unknown instType"}, 400),
    ],
)
async def test_a_type_that_the_venue_refuses_is_a_blind_spot(answer: Reply) -> None:
    part = value(await listed(answer, name="stock"))
    assert part == PartList((), True, ("inst_type:stock",))


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"<html>not found</html>", 404),
        reply(b"", 404),
        reply({"message": "no Route matched with those values"}, 404),
        reply({"error": "Not Found", "status": 404, "path": "/x"}, 404),
        reply(b"<html>bad request</html>", 400),
        reply(b"", 422),
        reply({"error": 401, "message": "key"}, 401),
        reply({"error": 403, "message": "right"}, 403),
        reply({"error": 429, "message": "slow"}, 429),
        reply({"error": 500, "message": "x"}, 500),
        reply({"error": True, "data": {"orders": []}}),
        reply({"error": {"code": 400, "message": "x"}}),
    ],
)
async def test_no_other_failure_of_a_list_is_a_blind_spot(answer: Reply) -> None:
    assert not isinstance(await listed(answer), Answered)


async def test_a_refused_type_is_asked_again_every_time() -> None:
    answers = iter([reply({"error": 400, "message": "not now"}, 400), orders(ROW)])
    venue, port = roxom(), FakePort(lambda _: next(answers))
    assert value(await venue.list_part(Part("inst_type:spot"), port)).blind_spots == ("inst_type:spot",)
    assert value(await venue.list_part(Part("inst_type:spot"), port)).blind_spots == ()
    assert len(port.sent) == 2


async def test_when_every_type_is_refused_the_list_has_failed() -> None:
    venue, refusal = roxom(inst_types=("spot", "stock")), reply({"error": 400, "message": "bad unit"}, 400)
    assert isinstance(await listed(refusal, venue, "spot"), Answered)
    outcome = await listed(refusal, venue, "stock")
    assert outcome == Refused(Reason.REQUEST, VenueText("bad unit"), 400)
    assert outcome == await listed(refusal, venue, "spot")
    assert isinstance(await listed(orders(), venue, "spot"), Answered)
    assert isinstance(await listed(refusal, venue, "stock"), Answered)


async def test_a_type_that_was_listed_before_is_no_blind_spot_when_it_is_refused() -> None:
    venue = roxom()
    assert isinstance(await listed(orders(ROW), venue, "spot"), Answered)
    refusal = reply({"error": 400, "message": "not now"}, 400)
    assert isinstance(await listed(refusal, venue, "spot"), Refused)
    assert isinstance(await listed(refusal, venue, "stock"), Answered)


async def test_rows_without_an_id_make_the_list_incomplete_and_the_last_of_a_pair_wins() -> None:
    answer = orders(ROW, {"symbol": "X"}, None, {**ROW, "status": "pendingcancel"}, {**ROW, "id": OTHER_ID})
    part = value(await listed(answer))
    assert [order.key.order_id for order in part.orders] == [ID, OTHER_ID]
    assert part.orders[0].status is OrderStatus.PENDING_CANCEL
    assert not part.complete
    assert part.note


async def test_a_null_list_in_the_documented_wrapper_is_empty() -> None:
    assert value(await listed(reply({"error": False, "data": {"orders": None}}))).orders == ()


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b'{"error":false}', b'{"data":{}}', b'{"data":{"orders":{}}}', b"<html>"],
)
async def test_what_is_no_list_is_no_answer(body: bytes) -> None:
    assert isinstance(await listed(reply(body)), Unanswered)


# Orders


async def one(fields: dict[str, Any], base: dict[str, Any] = ROW) -> Order:
    return value(await listed(orders({**base, **fields}))).orders[0]


async def test_every_field_of_an_order_is_read() -> None:
    assert await one({}) == Order(
        key=key(),
        account=AccountId(ROW["accountId"]),
        client_order_id=VenueText("desk-7"),
        symbol=VenueText("GOLD-BTC"),
        side=Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=VenueText("gtc"),
        price=Decimal("0.00091250"),
        quantity=Decimal("3.00"),
        filled=Decimal("0.75"),
        remaining=Decimal("2.25"),
        status=OrderStatus.PARTIALLY_FILLED,
        venue_status=VenueText("partiallyfilled"),
        created_at=1760000000.0,
    )


async def test_the_older_field_names_are_read_as_well() -> None:
    assert await one({}, OLD_ROW) == Order(
        key=key(),
        symbol=VenueText("GOLD-BTC"),
        side=Side.SELL,
        type=OrderType.STOP_LIMIT,
        price=Decimal("0.00091250"),
        trigger_price=Decimal("0.0009"),
        quantity=Decimal("3.00"),
        filled=Decimal("0.75"),
        remaining=Decimal("2.25"),
        status=OrderStatus.PARTIALLY_FILLED,
        venue_status=VenueText("PARTIALLY_FILLED"),
        created_at=1760000000.0,
    )


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pendingsubmit", OrderStatus.PENDING_NEW),
        ("PENDING", OrderStatus.PENDING_NEW),
        ("waitingtrigger", OrderStatus.OPEN),
        ("submitted", OrderStatus.OPEN),
        ("Partially Filled", OrderStatus.PARTIALLY_FILLED),
        ("PENDING_CANCEL", OrderStatus.PENDING_CANCEL),
        ("pending-cancel", OrderStatus.PENDING_CANCEL),
        ("FILLED", OrderStatus.FILLED),
        ("CANCELED", OrderStatus.CANCELED),
        ("cancelled", OrderStatus.CANCELED),
        ("partiallyfilledcancelled", OrderStatus.CANCELED),
        ("PARTIALLY_FILLED_CANCELED", OrderStatus.CANCELED),
        ("rejected", OrderStatus.REJECTED),
        ("inactive", OrderStatus.REJECTED),
        ("EXPIRED", OrderStatus.EXPIRED),
        ("frozen", OrderStatus.UNKNOWN),
        (None, OrderStatus.UNKNOWN),
        ({}, OrderStatus.UNKNOWN),
    ],
)
async def test_status_words(word: Any, status: OrderStatus) -> None:
    assert (await one({"status": word, "size": "3.00", "amountFilled": "0"})).status is status


@pytest.mark.parametrize("word", ["submitted", "waitingtrigger"])
async def test_a_resting_order_with_a_fill_is_partially_filled(word: str) -> None:
    assert (await one({"status": word})).status is OrderStatus.PARTIALLY_FILLED


@pytest.mark.parametrize(
    ("fields", "filled", "remaining"),
    [
        ({}, "0.75", "2.25"),
        ({"amountFilled": "0.0006"}, "0.75", "2.25"),
        ({"amountFilled": None}, "0.75", "2.25"),
        ({"size": None}, "0.75", "2.25"),
        ({"size": None, "amountFilled": None}, None, None),
        ({"status": "filled", "size": "0.000", "amountFilled": None}, "3", "0"),
        ({"status": "filled", "size": "0.000", "amountFilled": "0.0027"}, "3", "0"),
        ({"status": "filled", "size": None, "amountFilled": None}, "3", "0"),
        ({"status": "cancelled", "size": "0", "amountFilled": "0.75"}, "0.75", "0"),
        ({"status": "cancelled", "size": "0", "amountFilled": None}, None, "0"),
        ({"status": "cancelled", "size": "2.25", "amountFilled": None}, "0.75", "2.25"),
        ({"status": "cancelled", "size": "3.00", "amountFilled": "0"}, "0", "3"),
    ],
)
async def test_quantities(fields: dict[str, Any], filled: str | None, remaining: str | None) -> None:
    order = await one(fields)
    assert order.quantity == Decimal(3)
    assert order.filled == (None if filled is None else Decimal(filled))
    assert order.remaining == (None if remaining is None else Decimal(remaining))


@pytest.mark.parametrize("stamp", [1760000000, 1760000000000, 1760000000000000, 1760000000000000000])
async def test_the_unit_of_a_time_shows_by_its_size(stamp: int) -> None:
    assert (await one({"createdAt": stamp})).created_at == pytest.approx(1760000000.0)


async def test_an_order_with_hardly_any_field_is_still_an_order() -> None:
    order = value(await listed(orders({"id": ID}))).orders[0]
    assert order == Order(key=key())
