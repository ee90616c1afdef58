"""The P99 adapter: cancels, finished orders, check, and every answer that may come."""

from __future__ import annotations

import asyncio
import base64
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.orders import Order, OrderStatus
from cancel_tui.venues.base import (
    CallClass,
    CancelAck,
    ClosedQuery,
    Message,
    Part,
    Raw,
    Reply,
    TellsExpiry,
    Touched,
)
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
from cancel_tui.venues.p99 import MAX_PAGES
from tests.venues.fake_port import FakePort, always, reply, value
from tests.venues.p99_case import ID, ROW, assert_signed, book, error, key, p99, path_of, query_of, row

OTHER_ID = "4c0e7b52-1d3f-4a6b-8c21-77b0a9e5d015"


# One order: cancel and read


BAD_IDS = ["", ".", "..", "/", ID + "/", f"{ID}?x=1", "../orders", "%2e%2e", ID[:-1], ID + "\n", "12345", " "]


@pytest.mark.parametrize("order_id", BAD_IDS)
async def test_an_id_that_is_no_uuid_is_never_sent(order_id: str) -> None:
    port = always(reply({"canceled": []}))
    assert isinstance(await p99().cancel(key(order_id), port), NotSent)
    assert isinstance(await p99().read(key(order_id), port), NotSent)
    assert port.sent == []


async def test_an_answer_that_names_another_order_is_none() -> None:
    port = always(reply({**ROW, "id": OTHER_ID, "status": "canceled"}))
    assert isinstance(await p99().cancel(key(), port), Unanswered)
    assert isinstance(await p99().read(key(), port), Unanswered)


async def test_the_same_uuid_in_capitals_is_the_same_order() -> None:
    port = always(reply({**ROW, "status": "canceled"}))
    ack = value(await p99().cancel(key(ID.upper()), port))
    assert ack.order is not None
    assert ack.order.key == key(ID.upper())


async def test_reading_back_tells_how_an_order_ended() -> None:
    port = always(reply({**ROW, "status": "filled", "filled_qty": "40"}))
    order = value(await p99().read(key(), port))
    assert (order.status, order.filled, order.remaining) == (OrderStatus.FILLED, Decimal(40), Decimal(0))
    assert path_of(port.sent[0][1]) == f"/api/v1/spot/orders/{ID}"
    assert port.sent[0][0] is CallClass.STATUS


async def test_the_word_in_a_cancel_answer_is_trusted_not_its_http_status() -> None:
    ack = value(await p99().cancel(key(), always(reply({**ROW, "status": "open", "filled_qty": "0"}))))
    assert ack.order is not None
    assert ack.order.status is OrderStatus.OPEN


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'{"error":"x"}', b"OK", b'{"id":null}'])
async def test_a_cancel_answer_without_an_order_is_no_answer(body: bytes) -> None:
    assert isinstance(await p99().cancel(key(), always(reply(body))), Unanswered)


REFUSALS = [
    (error(404, "ORDER_NOT_FOUND"), Refused, Reason.NOT_FOUND),
    (error(503, "ENGINE_BUSY"), Refused, Reason.BUSY),
    (error(503, "ENGINE_RESTARTING"), Refused, Reason.BUSY),
    (error(503, "spot trading disabled"), Refused, Reason.HALTED),
    (error(409, "MARKET_HALTED"), Refused, Reason.HALTED),
    (error(400, "invalid id"), Refused, Reason.REQUEST),
    (error(404, "MARKET_NOT_FOUND"), Refused, Reason.REQUEST),
    (reply(b"<html>404</html>", 404), Refused, Reason.REQUEST),
    (reply(b"", 404), Refused, Reason.REQUEST),
    (reply(b'["ORDER_NOT_FOUND"]', 404), Refused, Reason.REQUEST),
    (reply(b"", 405), Refused, Reason.REQUEST),
    (error(403, "FORBIDDEN"), Unauthorised, None),
    (error(403, "API Key permission denied"), Unauthorised, None),
    (error(500, "DB_ERROR"), Unanswered, None),
    (error(500, "ENGINE_BUSY"), Unanswered, None),
    (reply(b"", 503), Unanswered, None),
    (reply(b"<html>ENGINE_BUSY</html>", 503), Unanswered, None),
    (error(503, "maintenance"), Unanswered, None),
    (error(502, "bad gateway"), Unanswered, None),
    (reply(b"", 302), Unanswered, None),
    (reply(b"", 408), Unanswered, None),
    (error(429, "slow down"), Throttled, None),
]


@pytest.mark.parametrize(("answer", "kind", "reason"), REFUSALS)
async def test_what_an_error_means_for_a_cancel(answer: Reply, kind: type, reason: Reason | None) -> None:
    outcome = await p99().cancel(key(), always(answer))
    assert type(outcome) is kind
    if isinstance(outcome, Refused):
        assert outcome.reason is reason


async def test_a_key_without_the_right_is_told_to_use_a_jwt() -> None:
    outcome = await p99().cancel(key(), always(error(403, "API Key permission denied")))
    assert isinstance(outcome, Unauthorised)
    assert outcome.status == 403
    assert "use a jwt" in str(outcome.message)


async def test_a_wrong_base_url_is_told_on_a_list() -> None:
    outcome = await p99().list_part(Part("orders"), always(reply(b"<html>nginx</html>", 404)))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.REQUEST
    assert "/api/v1" in str(outcome.message)


async def test_throttling_keeps_the_venues_wish() -> None:
    answer = Reply(429, {"retry-after": "3"}, b"")
    assert await p99().cancel(key(), always(answer)) == Throttled(3.0, None)


async def test_other_error_shapes_are_read() -> None:
    wrapped = reply({"success": False, "data": None, "error": "ORDER_NOT_FOUND", "timestamp": 1}, 404)
    outcome = await p99().read(key(), always(wrapped))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.NOT_FOUND


async def test_an_echoed_signature_is_not_passed_on() -> None:
    signature = "08dcbc37b08c4aa5f86caeea8cec69d2a4b0cbbe06e0857538464b51aea0255f"
    outcome = await p99().cancel(
        key(), always(error(400, f"cannot DELETE /x?timestamp=1&signature={signature}"))
    )
    assert isinstance(outcome, Refused)
    assert "[hidden]" in str(outcome.message)
    assert signature[:8] not in repr(outcome)


# All orders


async def test_cancel_all_without_a_symbol_is_every_market() -> None:
    port = always(reply({"canceled": [{**ROW, "status": "canceled"}]}))
    ack = value(await p99().cancel_all(None, port))
    call, message = port.sent[0]
    assert (call, message.method) == (CallClass.CANCEL_ALL, b"DELETE")
    assert path_of(message) == "/api/v1/spot/orders"
    assert list(query_of(message)) == ["timestamp", "signature"]
    assert_signed(message)
    assert [(order.key, order.status) for order in ack.orders] == [(key(), OrderStatus.CANCELED)]


async def test_cancel_all_of_a_symbol_sends_it_exactly_as_given() -> None:
    port = always(reply({"canceled": []}))
    assert value(await p99().cancel_all("dfUSDT", port)).orders == ()
    assert port.sent[0][1].target.startswith(b"/api/v1/spot/orders?symbol=dfUSDT&timestamp=")
    await p99().cancel_all("A&B=c/d", port)
    assert query_of(port.sent[1][1])["symbol"] == "A&B=c/d"


async def test_an_empty_symbol_never_means_every_market() -> None:
    port = always(reply({"canceled": []}))
    assert isinstance(await p99().cancel_all("", port), NotSent)
    assert port.sent == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"canceled":null}', b'{"canceled":1}', b"<html>"])
async def test_an_unreadable_cancel_all_answer_is_no_answer(body: bytes) -> None:
    assert isinstance(await p99().cancel_all(None, always(reply(body))), Unanswered)


# Finished orders


def touched(number: int, created: float | None) -> Touched:
    found = key(f"00000000-0000-4000-8000-{number:012d}")
    return Touched(found, Order(key=found, created_at=created))


def test_the_plan_joins_near_creation_times_and_covers_only_known_ones() -> None:
    orders = [touched(1, 1000.0), touched(2, 2500.0), touched(3, 90_000.0), touched(4, None), Touched(key())]
    plan = p99().closed_plan(orders)
    assert [(query.begin, query.end) for query in plan.queries] == [(90_000.0, 90_000.0), (1000.0, 2500.0)]
    assert plan.covers == {orders[0].key, orders[1].key, orders[2].key}
    assert p99().closed_plan([]).queries == ()


async def follow(query: ClosedQuery, port: FakePort) -> list[Order]:
    venue, found, next_query = p99(), list[Order](), query
    for _ in range(MAX_PAGES + 1):
        page = value(await venue.closed_page(next_query, port))
        found.extend(page.orders)
        if page.next is None:
            return found
        next_query = page.next
    raise AssertionError("endless")


async def test_finished_orders_are_found_over_all_pages_of_the_window_only() -> None:
    rows = [row(number, 1000 + number, "canceled") for number in range(700)]
    port = FakePort(book(rows))
    found = await follow(ClosedQuery(begin=1100.0, end=1599.0), port)
    assert {order.key.order_id for order in found} == {one["id"] for one in rows[100:600]}
    assert port.sent[0][1].target.startswith(b"/api/v1/spot/orders?start=1100&end=1599&limit=200&timestamp=")
    assert {call for call, _ in port.sent} == {CallClass.CLOSED}
    assert len(port.sent) == 3


async def test_a_full_second_of_finished_orders_does_not_loop() -> None:
    rows = [row(number, 1000, "filled") for number in range(300)] + [row(900, 990, "filled")]
    found = await follow(ClosedQuery(begin=980.0, end=1000.0), FakePort(book(rows)))
    assert rows[-1]["id"] in {order.key.order_id for order in found}


async def test_closed_pages_are_bounded() -> None:
    def answer(message: Message) -> Raw:
        end = int(query_of(message)["end"])
        return reply([row(number, end - number) for number in range(200)])

    port = FakePort(answer)
    await follow(ClosedQuery(begin=0.0, end=9_000_000.0), port)
    assert len(port.sent) == MAX_PAGES


# Check


async def test_check_lists_once() -> None:
    port = always(reply([]))
    assert await p99().check(port) == Answered("API key accepted")
    assert [call for call, _ in port.sent] == [CallClass.OTHER]
    assert_signed(port.sent[0][1])


async def test_check_tells_until_when_a_jwt_is_valid() -> None:
    claims = base64.urlsafe_b64encode(b'{"exp":1779012345}').rstrip(b"=").decode()
    outcome = await p99(credentials={"jwt": f"e30.{claims}.sig"}).check(always(reply([])))
    assert outcome == Answered("JWT accepted, valid until 2026-05-17T10:05:45.000Z")
    for jwt in ("opaque", "a.!!.c", "e30.W10.x"):
        assert await p99(credentials={"jwt": jwt}).check(always(reply([]))) == Answered("JWT accepted")


def test_a_jwt_tells_when_it_ends_by_our_clock_and_a_key_pair_does_not_end() -> None:
    claims = base64.urlsafe_b64encode(b'{"exp":1779012345}').rstrip(b"=").decode()
    venue = p99(credentials={"jwt": f"e30.{claims}.sig"})
    assert isinstance(venue, TellsExpiry)
    assert venue.credentials_expire_at == 1779012345.0
    venue.clock_offset = 60.0
    assert venue.credentials_expire_at == 1779012285.0
    assert p99(credentials={"jwt": "opaque"}).credentials_expire_at is None
    assert p99().credentials_expire_at is None


async def test_check_passes_a_refusal_on() -> None:
    assert isinstance(await p99().check(always(error(403, "FORBIDDEN"))), Unauthorised)


# Anything at all


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*ROW, "error", "code", "canceled", "timestamp"]), inner, max_size=6
        )
    ),
    max_leaves=12,
)


async def everything(answer: Reply) -> None:
    venue, port = p99(), always(answer)
    outcomes: list[Outcome[Any]] = [
        await venue.list_part(Part("orders"), port),
        await venue.cancel(key(), port),
        await venue.cancel_all(None, port),
        await venue.read(key(), port),
        await venue.closed_page(ClosedQuery(begin=1.0, end=2.0), port),
        await venue.measure_clock(port),
        await venue.check(port),
    ]
    for outcome in outcomes:
        assert isinstance(outcome, Answered | NotSent | Unanswered | Throttled | Unauthorised | Refused)
    cancel = outcomes[1]
    if isinstance(cancel, Answered):
        assert isinstance(cancel.value, CancelAck)
        assert cancel.value.order is not None
        assert cancel.value.order.key == key()


@given(JSON, st.sampled_from([200, 201, 400, 401, 403, 404, 409, 410, 429, 500, 503]))
def test_any_json_becomes_an_outcome(content: Any, status: int) -> None:
    asyncio.run(everything(reply(content, status)))


@given(JSON)
def test_any_fields_of_a_row_become_an_outcome(content: Any) -> None:
    asyncio.run(everything(reply([{**ROW, **(content if isinstance(content, dict) else {"id": content})}])))


@given(st.binary(max_size=200), st.sampled_from([200, 204, 302, 400, 401, 404, 503]))
def test_any_bytes_become_an_outcome(body: bytes, status: int) -> None:
    asyncio.run(everything(reply(body, status)))
