"""The B2TRADER adapter: cancels, and everything that a venue may answer."""

from __future__ import annotations

from typing import Any

import pytest

from cancel_tui.orders import AccountId, Family, OrderId, OrderKey, OrderStatus
from cancel_tui.venues.base import CallClass, Message
from cancel_tui.venues.outcome import NotSent, Reason, Refused, Throttled, Unanswered
from tests.venues.b2trader_case import DELETE, DELETE_STOP, KEY, NAME, STOP_KEY, port_with, value
from tests.venues.support_b2trader import ACCOUNT, ORDER, cancelled_order, reply, stop_order, venue

# Cancels.


async def test_a_cancel_is_the_documented_request() -> None:
    port = port_with({DELETE: reply(200, {"order": cancelled_order()})})
    ack = value(await venue(jwt_only="opaque").cancel(KEY, port))
    assert port.messages == [
        Message(
            b"DELETE",
            f"/frontoffice/api/v3/orders/{ORDER}".encode(),
            ((b"Authorization", b"Bearer opaque"), (b"accountId", ACCOUNT.encode()), (b"Accept", b"*/*")),
        )
    ]
    assert port.calls == [CallClass.CANCEL]
    assert ack.order is not None
    assert ack.order.key == KEY
    assert ack.order.status is OrderStatus.CANCELED


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Working", OrderStatus.OPEN),
        ("Pending", OrderStatus.OPEN),
        ("Completed", OrderStatus.FILLED),
        ("Expired", OrderStatus.EXPIRED),
        ("Rejected", OrderStatus.REJECTED),
        ("Strange", OrderStatus.UNKNOWN),
    ],
)
async def test_a_200_may_say_anything_about_the_order(word: str, status: OrderStatus) -> None:
    port = port_with({DELETE: reply(200, {"order": cancelled_order(status=word)})})
    ack = value(await venue().cancel(KEY, port))
    assert ack.order is not None
    assert ack.order.status is status


async def test_a_stop_order_has_a_cancel_of_its_own() -> None:
    port = port_with({DELETE_STOP: reply(200, {"order": stop_order()})})
    ack = value(await venue(jwt_only="opaque").cancel(STOP_KEY, port))
    assert port.messages[0].target == b"/frontoffice/api/v3/stop-orders/01STOP"
    assert (b"Content-Type", b"application/json; x-api-version=4.0") in port.messages[0].headers
    assert port.messages[0].body == b""
    assert ack.order is not None
    assert ack.order.key == STOP_KEY
    assert ack.order.status is OrderStatus.CANCELED
    assert str(ack.order.venue_status) == "WaitingForActivation"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("waitingforactivation", OrderStatus.CANCELED),
        ("Cancelled", OrderStatus.CANCELED),
        ("Activated", OrderStatus.UNKNOWN),
        ("ACTIVATED", OrderStatus.UNKNOWN),
        ("Rejected", OrderStatus.REJECTED),
        ("Strange", OrderStatus.UNKNOWN),
    ],
)
async def test_what_the_answer_to_a_stop_cancel_says(word: str, status: OrderStatus) -> None:
    port = port_with({DELETE_STOP: reply(200, {"order": stop_order(status=word)})})
    ack = value(await venue().cancel(STOP_KEY, port))
    assert ack.order is not None
    assert (ack.order.status, str(ack.order.venue_status)) == (status, word)


@pytest.mark.parametrize("key", [KEY, STOP_KEY])
@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{", None, [], {}, {"order": None}, {"order": []}, {"order": {}},
     {"order": {"orderId": 1.5}},
     {"errors": [{"code": "unexpected", "message": "x"}]}, cancelled_order(), b"[" * 100_000,
     {"order": {"orderId": "another", "status": "Cancelled"}}, {"order": {"orderId": 10**400}}],
)  # fmt: skip
async def test_a_200_without_this_very_order_is_unanswered(key: OrderKey, body: Any) -> None:
    port = port_with({DELETE: reply(200, body), DELETE_STOP: reply(200, body)})
    assert isinstance(await venue().cancel(key, port), Unanswered)


async def test_a_stop_order_without_a_status_proves_nothing() -> None:
    port = port_with({DELETE_STOP: reply(200, {"order": stop_order(status=None)})})
    assert isinstance(await venue().cancel(STOP_KEY, port), Unanswered)


async def test_a_204_is_unanswered() -> None:
    assert isinstance(await venue().cancel(KEY, port_with({DELETE: reply(204, b"")})), Unanswered)


_SHAPES: list[Any] = [
    {"errors": [{"code": "unexpected", "message": "no such order"}]},
    {"type": "about:blank", "title": "no such order", "status": 404, "traceId": "0"},
    {"title": "", "errors": {"orderId": ["no such order"]}},
    b"",
    b"<html>no such order</html>",
    b"no such order",
]


@pytest.mark.parametrize("body", _SHAPES)
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, Reason.NOT_FOUND),
        (400, Reason.ORDER),
        (409, Reason.ORDER),
        (422, Reason.ORDER),
        (423, Reason.HALTED),
        (405, Reason.REQUEST),
        (415, Reason.REQUEST),
    ],
)
async def test_refusals_of_a_cancel(body: Any, status: int, expected: Reason) -> None:
    outcome = await venue().cancel(KEY, port_with({DELETE: reply(status, body)}))
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.status) == (expected, status)
    if isinstance(body, dict):
        assert "no such order" in str(outcome.message)


@pytest.mark.parametrize("status", [301, 302, 408, 500, 502, 503, 504])
async def test_what_leaves_a_cancel_unknown(status: int) -> None:
    outcome = await venue().cancel(KEY, port_with({DELETE: reply(status, b"<html>")}))
    assert isinstance(outcome, Unanswered)


async def test_throttling_tells_its_pace() -> None:
    outcome = await venue().cancel(KEY, port_with({DELETE: reply(429, None, retry_after="7")}))
    assert isinstance(outcome, Throttled)
    assert outcome.retry_after == 7.0


@pytest.mark.parametrize("order_id", ["", ".", "..", "...", "x" * 201, "\ud800"])
@pytest.mark.parametrize("family", list(Family))
async def test_an_id_that_would_change_the_path_is_refused_before_anything_is_built(
    order_id: str, family: Family
) -> None:
    port = port_with({})
    key = OrderKey(NAME, AccountId(ACCOUNT), family, OrderId(order_id))
    assert isinstance(await venue().cancel(key, port), NotSent)
    assert port.messages == []


async def test_odd_ids_are_encoded_into_one_segment() -> None:
    port = port_with({})
    await venue().cancel(KEY._replace(order_id=OrderId("a:b|c=d")), port)
    assert port.messages[-1].target == b"/frontoffice/api/v3/orders/a%3Ab%7Cc%3Dd"


@pytest.mark.parametrize("account", ["", "a\r\nX: y", "a b", "ä", "x" * 300])
async def test_an_account_that_cannot_stand_in_a_header_is_refused(account: str) -> None:
    port = port_with({})
    outcome = await venue(jwt_only="opaque").cancel(KEY._replace(account=AccountId(account)), port)
    assert isinstance(outcome, NotSent)
    assert port.messages == []


async def test_a_cancel_without_an_account_is_not_sent() -> None:
    port = port_with({})
    assert isinstance(await venue().cancel(KEY._replace(account=None), port), NotSent)
    assert port.messages == []


async def test_what_the_venue_cannot_do_is_not_sent() -> None:
    port, broker = port_with({}), venue()
    assert isinstance(await broker.read(KEY, port), NotSent)
    assert isinstance(await broker.cancel_all(None, port), NotSent)
    assert broker.closed_plan([]).queries == ()
    assert port.messages == []
