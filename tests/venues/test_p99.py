"""P99 / ZTDX spot: what travels, and what its answers mean."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.clock import ManualClock
from cancel_tui.orders import Family, Order, OrderId, OrderKey, OrderStatus, OrderType, Side, VenueName
from cancel_tui.redaction import Secret
from cancel_tui.settings import Budget, VenueSettings
from cancel_tui.text import VenueText
from cancel_tui.venues.base import (
    CallClass,
    CancelAck,
    ClosedQuery,
    Message,
    Part,
    PartList,
    Raw,
    Reply,
    TellsExpiry,
    Touched,
    Venue,
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
from cancel_tui.venues.p99 import MAX_PAGES, P99Venue, make
from cancel_tui.venues.p99_auth import Offset, signed_query
from cancel_tui.venues.registry import make_venue
from tests.venues.fake_port import FakePort, always, reply, value

NOW = 1_779_012_345.678
KEY = "p99-test-key-0001"
SECRET = "p99-test-secret-0001"
ID = "4c0e7b52-1d3f-4a6b-8c21-77b0a9e5d014"
OTHER_ID = "4c0e7b52-1d3f-4a6b-8c21-77b0a9e5d015"
ROW: dict[str, Any] = {
    "id": ID,
    "symbol": "DFUSDT",
    "side": "sell",
    "type": "limit",
    "tif": "gtc",
    "price": "0.7250",
    "quantity": "40",
    "quote_quantity": None,
    "filled_qty": "12.5",
    "avg_fill_price": "0.725",
    "status": "partially_filled",
    "reject_reason": None,
    "created_at": 1779012300,
    "updated_at": 1779012344,
}
HMAC = {"api_key": KEY, "api_secret": SECRET}
BODY = '{"symbol":"DFUSDT","side":"sell","type":"limit","tif":"post_only","price":"0.7250","quantity":"12.5"}'


def error(status: int, word: str) -> Reply:
    return reply({"error": word}, status)


def key(order_id: str = ID) -> OrderKey:
    return OrderKey(VenueName("p99"), None, Family.ORDER, OrderId(order_id))


def row(number: int, second: int, status: str = "open", **changes: Any) -> dict[str, Any]:
    order_id = f"00000000-0000-4000-8000-{number:012d}"
    return {**ROW, "id": order_id, "filled_qty": "0", "status": status, "created_at": second, **changes}


def query_of(message: Message) -> dict[str, str]:
    return dict(parse_qsl(message.target.decode().partition("?")[2], keep_blank_values=True))


def path_of(message: Message) -> str:
    return message.target.decode().partition("?")[0]


def p99(clock: ManualClock | None = None, credentials: dict[str, str] | None = None, **more: Any) -> P99Venue:
    settings = VenueSettings(
        name="p99", kind="p99-spot", base_url="https://api-sepolia.p99.world/api/v1", **more
    )
    secrets = {name: Secret(value) for name, value in (credentials or HMAC).items()}
    return make(settings, secrets, clock or ManualClock(NOW))


# Signing


@pytest.mark.parametrize(
    ("query", "body", "signature"),
    [
        ("", "", "08dcbc37b08c4aa5f86caeea8cec69d2a4b0cbbe06e0857538464b51aea0255f"),
        ("status=open&limit=200", "", "3a9eb4cd9251178dc01965475d291e0ff79017a800d9578587e6e3e62aae85bd"),
        (
            "status=partially_filled&limit=200",
            "",
            "406a15faafb818bfc60c9d2f35c8b20dd2ca3eb609275bd7134f3162b32740ec",
        ),
        ("symbol=DFUSDT", "", "f07dfd326018c9e82ef9cb0f2bbd1fee9a40624c5697344b0356a36094acb292"),
        ("", BODY, "917865ab2778152e436a4229b890e3795c4730163d3cb12a829cae7236dce186"),
        ("", "{}", "7f59e2c10b8ee22f61d45a1a99de42d1c3aaa66705b9188f9a2ea35779d3290c"),
    ],
    ids=["V1", "V2", "V3", "V4", "V5", "N1"],
)
def test_the_signature_covers_the_query_as_sent_and_the_body(query: str, body: str, signature: str) -> None:
    signed = signed_query(Secret(SECRET), query, 1779012345678, body.encode())
    joined = f"{query}&" if query else ""
    assert signed == f"{joined}timestamp=1779012345678&signature={signature}"


def test_another_parameter_order_is_another_signature() -> None:
    wrong = hmac.new(SECRET.encode(), b"timestamp=1779012345678&symbol=DFUSDT", hashlib.sha256).hexdigest()
    assert wrong == "235a4f8cb26400428d73e89c9d8581dcef575e80a3ead76ec5d3c2294a949328"
    assert wrong not in signed_query(Secret(SECRET), "symbol=DFUSDT", 1779012345678)


def assert_signed(message: Message) -> None:
    payload, _, signature = message.target.decode().partition("?")[2].rpartition("&signature=")
    assert signature == hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    assert message.body == b""
    headers = dict(message.headers)
    assert headers[b"X-MBX-APIKEY"] == KEY.encode()
    assert b"X-API-Key" not in headers
    assert b"Authorization" not in headers


async def test_a_cancel_is_a_signed_delete_of_one_path_without_a_body() -> None:
    port = always(reply({**ROW, "status": "canceled"}))
    ack = value(await p99().cancel(key(), port))
    call, message = port.sent[0]
    assert (call, message.method) == (CallClass.CANCEL, b"DELETE")
    assert path_of(message) == f"/api/v1/spot/orders/{ID}"
    assert list(query_of(message)) == ["timestamp", "signature"]
    assert abs(int(query_of(message)["timestamp"]) - NOW * 1000) < 2
    assert_signed(message)
    assert ack.order is not None
    assert ack.order.status is OrderStatus.CANCELED
    assert ack.order.filled == Decimal("12.5")


async def test_every_attempt_is_signed_anew() -> None:
    venue, built = p99(), list[Message]()

    class Twice(FakePort):
        async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
            built.extend([build(), build()])
            return reply({**ROW, "status": "canceled"})

    await venue.cancel(key(), Twice(lambda _: reply()))
    first, second = (int(query_of(message)["timestamp"]) for message in built)
    assert second > first


async def test_a_jwt_goes_as_a_bearer_and_nothing_is_signed() -> None:
    port = always(reply([]))
    await p99(credentials={"jwt": "Bearer aaa.bbb.ccc\n"}).list_part(Part("orders"), port)
    message = port.sent[0][1]
    assert message.target == b"/api/v1/spot/orders?status=open&limit=200"
    assert dict(message.headers)[b"Authorization"] == b"Bearer aaa.bbb.ccc"
    assert b"X-MBX-APIKEY" not in dict(message.headers)


@pytest.mark.parametrize(
    ("credentials", "named"),
    [
        ({"api_key": "k"}, "api_secret"),
        ({"api_secret": "s"}, "api_key"),
        ({"api_key": "k", "jwt": "a.b.c"}, "api_secret"),
        ({"jwt": "  "}, "jwt"),
        ({"api_key": "k\r\nX-Evil: 1", "api_secret": "s"}, "api_key"),
        ({"jwt": "a b"}, "jwt"),
    ],
)
def test_credentials_that_cannot_work_are_named(credentials: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        p99(credentials=credentials)


def test_no_credentials_is_an_error_with_a_remedy() -> None:
    settings = VenueSettings(name="p99", kind="p99-spot", base_url="http://127.0.0.1/api/v1")
    with pytest.raises(ValueError, match="enter one of the two"):
        make(settings, {}, ManualClock())


def test_the_adapter_is_a_venue() -> None:
    settings = VenueSettings(name="p99", kind="p99-spot", base_url="http://127.0.0.1/api/v1")
    venue: Venue = make_venue(settings, {"jwt": Secret("a.b.c")}, ManualClock())
    assert isinstance(venue, P99Venue)


def test_the_capabilities_are_the_documented_ones() -> None:
    can = p99().capabilities
    assert can.cancel_all
    assert can.cancel_all_symbol
    assert can.read_order
    assert can.closed_page == 200
    assert can.lacks == {"account", "exchange"}
    assert dict(can.budgets) == {
        CallClass.LIST: Budget(40, 4.0),
        CallClass.STATUS: Budget(40, 4.0),
        CallClass.CLOSED: Budget(40, 4.0),
    }


def test_configured_limits_replace_the_cautious_ones() -> None:
    can = p99(limits={"list": None, "cancel": Budget(3, 2.0)}, timeout_seconds=1.5).capabilities
    assert CallClass.LIST not in can.budgets
    assert can.budgets[CallClass.CANCEL] == Budget(3, 2.0)
    assert can.timeout_seconds == 1.5


# Lists


def book(rows: list[dict[str, Any]], cap: int = 200) -> Callable[[Message], Raw]:
    """The list as documented: one status, inclusive bounds, newest first, `cap` rows at most."""

    def answer(message: Message) -> Raw:
        query = query_of(message)
        assert query["limit"] == "200"
        low, high = int(query.get("start", "0")), int(query.get("end", "99999999999"))
        wanted = query.get("status")
        fitting = [
            one for one in rows if wanted in (None, one["status"]) and low <= one["created_at"] <= high
        ]
        return reply(sorted(fitting, key=lambda one: -int(one["created_at"]))[:cap])

    return answer


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


# Clock


def tokens(seconds: int) -> Reply:
    return reply({"success": True, "data": [], "error": None, "timestamp": seconds})


async def test_the_clock_is_measured_by_the_public_envelope() -> None:
    venue, port = p99(), always(tokens(1779012348))
    offset = value(await venue.measure_clock(port))
    call, message = port.sent[0]
    assert (call, message.target) == (CallClass.OTHER, b"/api/v1/wallet/tokens")
    assert message.headers == ((b"Accept", b"application/json"),)
    assert offset == pytest.approx(1779012348.5 - NOW, abs=0.01)
    assert venue.clock_offset == offset


async def test_without_an_envelope_the_date_header_tells() -> None:
    date = "Sun, 17 May 2026 10:05:43 GMT"
    for answer in (Reply(404, {"date": date}, b""), Reply(200, {"date": date}, b"[1]")):
        offset = value(await p99().measure_clock(always(answer)))
        assert offset == pytest.approx(1779012343.5 - NOW, abs=0.01)


@pytest.mark.parametrize(
    "answer",
    [
        reply(b""),
        reply({"timestamp": "soon"}),
        reply({"timestamp": 10**30}),
        Reply(200, {"date": "yesterday"}, b"{}"),
        error(500, "x"),
        Unanswered("timeout"),
    ],
)
async def test_a_venue_that_tells_no_time_changes_nothing(answer: Raw) -> None:
    venue = p99()
    assert isinstance(await venue.measure_clock(always(answer)), Unanswered)
    assert venue.clock_offset is None


async def test_requests_are_signed_a_quarter_second_behind_the_venue() -> None:
    clock = ManualClock(NOW)
    venue = p99(clock)
    offset = value(await venue.measure_clock(always(tokens(1779012300))))
    port = always(reply([]))
    await venue.list_part(Part("orders"), port)
    stamp = int(query_of(port.sent[0][1])["timestamp"])
    assert stamp == pytest.approx((NOW + offset - 0.25) * 1000, abs=3)


def test_measurements_that_agree_narrow_each_other_and_a_contradiction_starts_again() -> None:
    offset = Offset()
    assert offset.narrow(100.0, 100.0, 100.0, 1.0) == pytest.approx(0.5)
    assert offset.narrow(200.9, 200.9, 201.0, 1.0) == pytest.approx(0.55)
    assert offset.narrow(300.8, 300.8, 300.0, 1.0) == pytest.approx(0.15)
    assert offset.narrow(400.0, 400.0, 430.0, 1.0) == pytest.approx(30.5)


def skewed(clock: ManualClock, ahead: float) -> Callable[[Message], Raw]:
    """A venue whose clock is ahead of ours and that wants timestamps within 5 s of it."""

    def answer(message: Message) -> Raw:
        server = clock.wall() + ahead
        if path_of(message).endswith("/wallet/tokens"):
            return tokens(int(server))
        if abs(int(query_of(message)["timestamp"]) / 1000 - server) > 5:
            return reply(b"", 401)
        return reply({**ROW, "status": "canceled"})

    return answer


@pytest.mark.parametrize("ahead", [-3600.0, -7.3, 7.3, 3600.0])
async def test_a_wrong_clock_is_cured_by_one_measurement_and_one_fresh_signature(ahead: float) -> None:
    clock = ManualClock(NOW)
    port = FakePort(skewed(clock, ahead))
    assert isinstance(await p99(clock).cancel(key(), port), Answered)
    assert [call for call, _ in port.sent] == [CallClass.CANCEL, CallClass.OTHER, CallClass.CANCEL]


async def test_many_refusals_at_once_are_cured_by_one_measurement() -> None:
    clock = ManualClock(NOW)
    venue, port = p99(clock), FakePort(skewed(clock, -60.0))
    outcomes = await asyncio.gather(*(venue.cancel(key(), port) for _ in range(20)))
    assert all(isinstance(outcome, Answered) for outcome in outcomes)
    assert [call for call, _ in port.sent].count(CallClass.OTHER) == 1


async def test_a_refused_key_is_tried_twice_at_most() -> None:
    clock = ManualClock(NOW)
    venue = p99(clock)

    def answer(message: Message) -> Raw:
        return tokens(int(clock.wall())) if b"wallet" in message.target else reply(b"", 401)

    port = FakePort(answer)
    assert await venue.cancel(key(), port) == Unauthorised(None, 401)
    assert [call for call, _ in port.sent] == [CallClass.CANCEL, CallClass.OTHER, CallClass.CANCEL]
    clock.advance(60)
    assert isinstance(await venue.cancel(key(), port), Unauthorised)
    assert [call for call, _ in port.sent][3:] == [CallClass.CANCEL, CallClass.OTHER]


async def test_many_refusals_of_a_bad_key_measure_once_per_second_at_most() -> None:
    clock = ManualClock(NOW)
    venue = p99(clock)
    port = FakePort(lambda sent: tokens(int(clock.wall())) if b"wallet" in sent.target else reply(b"", 401))
    for measured in (1, 2):
        outcomes = await asyncio.gather(*(venue.cancel(key(), port) for _ in range(20)))
        assert all(isinstance(outcome, Unauthorised) for outcome in outcomes)
        assert [call for call, _ in port.sent].count(CallClass.OTHER) == measured
        clock.advance(5)


async def test_renew_tells_whether_the_measurement_was_news() -> None:
    clock = ManualClock(NOW)
    venue = p99(clock)
    assert await venue.renew(always(tokens(int(clock.wall()))), venue.signs_with)
    clock.advance(10)
    assert not await venue.renew(always(tokens(int(clock.wall()))), venue.signs_with)
    clock.advance(10)
    assert await venue.renew(always(tokens(int(clock.wall()) + 5)), venue.signs_with)
    clock.advance(10)
    assert not await venue.renew(always(Unanswered("timeout")), venue.signs_with)


async def test_a_refusal_is_of_the_offset_that_it_was_signed_with_not_of_the_one_before() -> None:
    clock = ManualClock(NOW)
    venue = p99(clock)

    class Waits(FakePort):
        """Somebody else measures the clock while the cancel waits for its turn."""

        async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
            if call is CallClass.CANCEL and not self.sent:
                assert isinstance(await venue.measure_clock(self), Answered)
                clock.advance(5)
            return await super().call(call, build)

    port = Waits(lambda sent: tokens(int(clock.wall()) + 60) if b"wallet" in sent.target else reply(b"", 401))
    assert isinstance(await venue.cancel(key(), port), Unauthorised)
    calls = [call for call, _ in port.sent]
    assert calls == [CallClass.OTHER, CallClass.CANCEL, CallClass.OTHER], "measured again, and no news"


async def test_an_expired_jwt_is_not_tried_again() -> None:
    port = always(reply(b"", 401))
    assert await p99(credentials={"jwt": "a.b.c"}).cancel(key(), port) == Unauthorised(None, 401)
    assert len(port.sent) == 1


async def test_the_other_sides_bad_timestamp_code_is_cured_as_well() -> None:
    clock = ManualClock(NOW)

    def answer(message: Message) -> Raw:
        inner = skewed(clock, 30.0)(message)
        refused = isinstance(inner, Reply) and inner.status == 401
        return reply({"code": -1021, "msg": "Timestamp"}, 400) if refused else inner

    assert isinstance(await p99(clock).cancel(key(), FakePort(answer)), Answered)


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
