"""The Roxom adapter: cancels, finished orders, clock, and every answer that may come."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.clock import ManualClock
from cancel_tui.orders import OrderStatus
from cancel_tui.venues.base import CallClass, CancelAck, ClosedQuery, Message, Part, Raw, Reply, Touched
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
from cancel_tui.venues.roxom import INST_TYPES
from tests.venues.fake_port import FakePort, always, reply, value
from tests.venues.roxom_case import ID, KEY_ID, OTHER_ID, ROW, assert_signed, key, listed, orders, roxom

# One order


TAKEN = reply({"data": {"success": True}})


@pytest.mark.parametrize("order_id", ["", ".", "..", "...", "x" * 201, "../cancel-all?x#y", "a%2e"])
async def test_an_id_that_would_change_the_path_is_never_sent(order_id: str) -> None:
    port = always(TAKEN)
    assert isinstance(await roxom().cancel(key(order_id), port), NotSent)
    assert isinstance(await roxom().read(key(order_id), port), NotSent)
    assert port.sent == []


async def test_an_odd_id_stays_one_path_segment_and_is_signed_as_sent() -> None:
    port = always(TAKEN)
    await roxom().cancel(key("cancel-all:x=y"), port)
    assert port.sent[0][1].target == b"/api/v1/orders/cancel-all%3Ax%3Dy/cancel"
    assert_signed(port.sent[0][1])


async def test_a_cancel_answer_that_describes_the_order_is_read() -> None:
    pending = {**ROW, "status": "pendingcancel"}
    for data in ({"order": pending}, {"success": True, "order": pending}, {**pending, "success": True}):
        ack = value(await roxom().cancel(key(), always(reply({"error": False, "data": data}))))
        assert ack.order is not None
        assert ack.order.status is OrderStatus.PENDING_CANCEL
    named = reply({"data": {"success": True, "orderId": ID.upper()}})
    assert value(await roxom().cancel(key(), always(named))) == CancelAck()


async def test_an_answer_that_names_another_order_is_none() -> None:
    for data in ({"success": True, "orderId": OTHER_ID}, {"success": True, "order": {**ROW, "id": OTHER_ID}}):
        assert isinstance(await roxom().cancel(key(), always(reply({"data": data}))), Unanswered)
    other = reply({"data": {"order": {**ROW, "id": OTHER_ID}}})
    assert isinstance(await roxom().read(key(), always(other)), Unanswered)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b"OK",
        b"<html>",
        b'{"data":null}',
        b'{"data":{}}',
        b'{"data":{"success":"true"}}',
        b'{"data":{"success":1}}',
        b'{"error":false,"data":true}',
    ],
)
async def test_an_unreadable_cancel_answer_is_no_answer(body: bytes) -> None:
    assert isinstance(await roxom().cancel(key(), always(reply(body))), Unanswered)


async def test_reading_back_names_the_unit_and_tells_the_end() -> None:
    done = {**ROW, "status": "partiallyfilledcancelled"}
    for wrapper in ({"error": False}, {}):
        port = always(reply({**wrapper, "data": {"order": done}}))
        order = value(await roxom().read(key(), port))
        assert (order.status, order.filled) == (OrderStatus.CANCELED, Decimal("0.75"))
        assert port.sent[0][1].target == f"/api/v1/orders/{ID}?unit=btc".encode()
        assert port.sent[0][0] is CallClass.STATUS
        assert_signed(port.sent[0][1])


REFUSALS = [
    (reply({"error": 404, "message": "order not found"}, 404), Refused, Reason.NOT_FOUND),
    (reply({"error": {"code": 404, "message": "x"}, "requestId": "r"}, 404), Refused, Reason.NOT_FOUND),
    (reply({"code": "NOT_FOUND", "message": "x"}, 404), Refused, Reason.NOT_FOUND),
    (reply({"code": "NOT_FOUND", "message": "x"}, 400), Refused, Reason.NOT_FOUND),
    (reply({"error": True, "message": "x"}, 404), Refused, Reason.NOT_FOUND),
    (reply(b"<html>404</html>", 404), Refused, Reason.REQUEST),
    (reply(b"404 page not found", 404), Refused, Reason.REQUEST),
    (reply(b"", 404), Refused, Reason.REQUEST),
    (reply({"message": "Not Found"}, 404), Refused, Reason.REQUEST),
    (
        reply({"error": "Not Found", "statusCode": 404, "message": "Cannot POST"}, 404),
        Refused,
        Reason.REQUEST,
    ),
    (reply({"code": "NOT_FOUND", "message": "x", "data": {}}, 404), Refused, Reason.REQUEST),
    (reply(b"", 405), Refused, Reason.REQUEST),
    (reply({"error": 400, "message": "cannot cancel"}, 400), Refused, Reason.ORDER),
    (reply({"error": {"code": 409, "message": "cannot cancel"}}, 409), Refused, Reason.ORDER),
    (reply({"code": "VALIDATION_ERROR", "message": "x"}, 422), Refused, Reason.ORDER),
    (reply({"error": True, "data": None}), Refused, Reason.ORDER),
    (reply({"error": 400, "message": "cannot cancel"}), Refused, Reason.ORDER),
    (reply({"error": {}}), Refused, Reason.ORDER),
    (reply({"error": "cannot cancel"}), Refused, Reason.ORDER),
    (reply({"data": {"success": False}}), Refused, Reason.ORDER),
    (reply({"error": False, "data": {"success": False, "orderId": ID}}), Refused, Reason.ORDER),
    (reply({"code": "CANNOT_CANCEL", "message": "x"}), Refused, Reason.ORDER),
    (reply({"code": "NOT_FOUND", "message": "x"}), Refused, Reason.NOT_FOUND),
    (reply({"error": {"code": 404, "message": "x"}}), Refused, Reason.NOT_FOUND),
    (reply({"error": 401, "message": "key expired"}), Unauthorised, None),
    (reply({"error": 429, "message": "slow"}), Throttled, None),
    (reply({"error": 503, "message": "x"}), Unanswered, None),
    (reply({"error": 401, "message": "signature missing"}, 401), Unauthorised, None),
    (reply(b"", 401), Unauthorised, None),
    (reply({"error": 403, "message": "x"}, 403), Unauthorised, None),
    (reply({"error": 500, "message": "x"}, 500), Unanswered, None),
    (reply(b"<html>", 502), Unanswered, None),
    (reply(b"", 503), Unanswered, None),
    (reply(b"", 301), Unanswered, None),
]


@pytest.mark.parametrize(("answer", "kind", "reason"), REFUSALS)
async def test_what_an_error_means_for_a_cancel(answer: Reply, kind: type, reason: Reason | None) -> None:
    port = always(answer)
    outcome = await roxom().cancel(key(), port)
    assert type(outcome) is kind
    if isinstance(outcome, Refused):
        assert outcome.reason is reason
    assert len(port.sent) == 1


async def test_the_venues_words_are_passed_on_with_details() -> None:
    body = {"error": {"code": 400, "message": "cannot cancel", "details": "already filled"}}
    for status in (200, 400):
        outcome = await roxom().cancel(key(), always(reply(body, status)))
        assert isinstance(outcome, Refused)
        assert str(outcome.message) == "cannot cancel: already filled"


async def test_an_echoed_signature_is_not_passed_on() -> None:
    port = FakePort(
        lambda sent: reply({"error": 401, "message": dict(sent.headers)[b"X-API-Signature"].decode()}, 401)
    )
    outcome = await roxom().cancel(key(), port)
    assert isinstance(outcome, Unauthorised)
    assert str(outcome.message) == "[hidden]"


async def test_throttling_keeps_the_venues_wish() -> None:
    answer = Reply(429, {"retry-after": "2"}, b"")
    assert await roxom().cancel(key(), always(answer)) == Throttled(2.0, None)


# All orders


async def test_cancel_all_returns_the_ids_that_were_taken() -> None:
    port = always(reply({"error": False, "data": {"cancelledOrderIds": [ID, OTHER_ID, None, ""]}}))
    ack = value(await roxom().cancel_all(None, port))
    assert ack.ids == (ID, OTHER_ID)
    assert ack.orders == ()
    call, message = port.sent[0]
    assert (call, message.method, message.target) == (
        CallClass.CANCEL_ALL,
        b"POST",
        b"/api/v1/orders/cancel-all",
    )
    assert_signed(message)


async def test_cancel_all_can_go_without_a_signature_but_nothing_else_does() -> None:
    venue = roxom(sign_cancel_all=False)
    port = always(reply({"data": {"cancelledOrderIds": []}}))
    await venue.cancel_all(None, port)
    await venue.cancel(key(), port)
    assert dict(port.sent[0][1].headers) == {
        b"X-API-Key": KEY_ID.encode(),
        b"Content-Type": b"application/json",
    }
    assert_signed(port.sent[1][1])


@pytest.mark.parametrize("symbol", ["GOLD-BTC", ""])
async def test_a_symbol_never_becomes_a_cancel_of_everything(symbol: str) -> None:
    port = always(reply({"data": {"cancelledOrderIds": []}}))
    assert isinstance(await roxom().cancel_all(symbol, port), NotSent)
    assert port.sent == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(b""), Unanswered),
        (reply({"data": {}}), Unanswered),
        (reply({"data": {"cancelledOrderIds": "all"}}), Unanswered),
        (reply({"error": True, "data": {"cancelledOrderIds": [ID]}}), Refused),
        (reply(b"<html>", 404), Refused),
        (reply({"error": 500, "message": "x"}, 500), Unanswered),
    ],
)
async def test_other_cancel_all_answers(answer: Reply, kind: type) -> None:
    outcome = await roxom().cancel_all(None, always(answer))
    assert type(outcome) is kind
    if isinstance(outcome, Refused):
        assert outcome.reason is Reason.REQUEST


# Finished orders


async def test_ends_are_looked_for_once_per_instrument_type_that_a_list_has_told() -> None:
    venue = roxom()
    await listed(orders(ROW), venue, "perpetual")
    await listed(orders({**ROW, "id": OTHER_ID}, {**ROW, "id": "c"}), venue, "spot")
    asked = [Touched(key()), Touched(key(OTHER_ID)), Touched(key("c")), Touched(key("never-listed"))]
    plan = venue.closed_plan(asked)
    assert [query.part for query in plan.queries] == ["inst_type:spot", "inst_type:perpetual"]
    assert plan.covers == {key(), key(OTHER_ID), key("c")}


async def test_ends_of_many_orders_that_no_list_has_shown_are_looked_for_in_every_type() -> None:
    venue = roxom()
    await listed(orders(ROW), venue, "perpetual")
    many = [Touched(key()), *(Touched(key(f"never-{number}")) for number in range(len(INST_TYPES) + 1))]
    plan = venue.closed_plan(many)
    assert {query.part for query in plan.queries} == {f"inst_type:{name}" for name in INST_TYPES}
    assert plan.queries[0].part == "inst_type:perpetual"
    assert plan.covers == {one.key for one in many}
    assert venue.closed_plan(many[:-1]).covers == {key()}, "few are read one by one"


async def test_types_are_kept_of_all_that_is_listed_and_of_so_many_that_have_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cancel_tui.venues.roxom.REMEMBERED", 3)
    venue = roxom()

    def known(count: int) -> set[str]:
        names = [str(number) for number in range(count)]
        return {name for name in names if venue.closed_plan([Touched(key(name))]).covers}

    await listed(orders(*({**ROW, "id": str(number)} for number in range(8))), venue, "spot")
    await listed(orders({**ROW, "id": "8"}, {**ROW, "id": "9"}), venue, "perpetual")
    assert len(known(10)) == 10
    await listed(orders({**ROW, "id": "7"}), venue, "spot")
    assert known(10) == {"4", "5", "6", "7", "8", "9"}
    for number in range(10, 100):
        await listed(orders({**ROW, "id": str(number)}), venue, "spot")
        await listed(orders({**ROW, "id": "8"}, {**ROW, "id": "9"}), venue, "perpetual")
    assert known(100) == {"8", "9", "96", "97", "98", "99"}


async def test_a_finished_list_is_one_page() -> None:
    venue, port = roxom(), always(orders({**ROW, "status": "filled", "size": "0", "amountFilled": "3.00"}))
    page = value(await venue.closed_page(ClosedQuery(part="inst_type:perpetual"), port))
    assert [(order.status, order.filled) for order in page.orders] == [(OrderStatus.FILLED, Decimal(3))]
    assert page.next is None
    call, message = port.sent[0]
    assert call is CallClass.CLOSED
    assert message.target == b"/api/v1/orders?instType=perpetual&unit=btc&includeClosed=true"
    assert_signed(message)
    assert isinstance(await venue.closed_page(ClosedQuery(), port), NotSent)


# Clock and check


async def test_the_clock_is_measured_by_the_date_of_a_list() -> None:
    clock = ManualClock(1_779_012_340.0)
    venue = roxom(clock)
    date = "Sun, 17 May 2026 10:05:43 GMT"
    for answer in (Reply(200, {"date": date}, orders().body), Reply(401, {"date": date}, b"")):
        port = always(answer)
        assert value(await venue.measure_clock(port)) == pytest.approx(3.5)
        assert venue.clock_offset == pytest.approx(3.5)
        assert port.sent[0][0] is CallClass.OTHER
        assert_signed(port.sent[0][1])


@pytest.mark.parametrize("answer", [orders(), Reply(200, {"date": "soon"}, b""), Unanswered("timeout")])
async def test_a_venue_that_tells_no_time_changes_nothing(answer: Raw) -> None:
    venue = roxom()
    assert isinstance(await venue.measure_clock(always(answer)), Unanswered)
    assert venue.clock_offset is None


async def test_check_lists_the_first_type_that_the_venue_knows() -> None:
    def answer(message: Message) -> Raw:
        known = b"instType=spot" in message.target
        return orders() if known else reply({"error": 400, "message": "unknown"}, 400)

    port = FakePort(answer)
    assert await roxom().check(port) == Answered("API key and signature accepted (spot)")
    assert {call for call, _ in port.sent} == {CallClass.OTHER}


@pytest.mark.parametrize(
    ("answer", "prefix", "advice"),
    [
        (reply({"error": 401, "message": "bad key"}, 401), "/api/v1", 'bad key; api_prefix = "/v1" may be'),
        (reply(b"", 401), "/v1", 'api_prefix = "/api/v1" may be'),
        (reply(b"<html>", 404), "/api/v1", 'api_prefix = "/v1" may be'),
    ],
)
async def test_check_advises_on_the_prefix(answer: Reply, prefix: str, advice: str) -> None:
    port = always(answer)
    outcome = await roxom(api_prefix=prefix).check(port)
    assert isinstance(outcome, Unauthorised | Refused)
    assert advice in str(outcome.message)
    assert len(port.sent) == 1


# Anything at all


WORDS = [
    *ROW,
    "error",
    "code",
    "data",
    "orders",
    "order",
    "success",
    "message",
    "cancelledOrderIds",
    "details",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=12,
)
VENUE = roxom()


async def everything(answer: Reply) -> None:
    port = always(answer)
    outcomes: list[Outcome[Any]] = [
        await VENUE.list_part(Part("inst_type:perpetual"), port),
        await VENUE.cancel(key(), port),
        await VENUE.cancel_all(None, port),
        await VENUE.read(key(), port),
        await VENUE.closed_page(ClosedQuery(part="inst_type:spot"), port),
        await VENUE.measure_clock(port),
        await VENUE.check(port),
    ]
    for outcome in outcomes:
        assert isinstance(outcome, Answered | NotSent | Unanswered | Throttled | Unauthorised | Refused)
    cancel = outcomes[1]
    if isinstance(cancel, Answered) and cancel.value.order is not None:
        assert cancel.value.order.key == key()


@given(JSON, st.sampled_from([200, 201, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503]))
def test_any_json_becomes_an_outcome(content: Any, status: int) -> None:
    asyncio.run(everything(reply(content, status)))


@given(JSON, JSON)
def test_any_fields_of_a_row_become_an_outcome(content: Any, error: Any) -> None:
    row = {**ROW, **(content if isinstance(content, dict) else {"id": content})}
    data = {"orders": [row], "order": row, "success": True, "cancelledOrderIds": [content]}
    asyncio.run(everything(reply({"error": False, "data": data})))
    asyncio.run(everything(reply({"error": error, "data": data})))


@given(st.binary(max_size=200), st.sampled_from([200, 204, 302, 400, 401, 404, 503]))
def test_any_bytes_become_an_outcome(body: bytes, status: int) -> None:
    asyncio.run(everything(reply(body, status)))
