"""The B2TRADER adapter: tokens, accounts, lists from the stream, cancels, and everything that goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.clock import Clock, ManualClock, SystemClock
from cancel_tui.orders import (
    AccountId,
    Family,
    OrderId,
    OrderKey,
    OrderStatus,
    OrderType,
    Side,
    VenueName,
    iso,
)
from cancel_tui.redaction import Secret
from cancel_tui.settings import Budget
from cancel_tui.venues.b2trader import B2Trader, make
from cancel_tui.venues.b2trader_orders import Rows, read_cancelled, read_order
from cancel_tui.venues.b2trader_token import expiry
from cancel_tui.venues.base import (
    CallClass,
    CancelAck,
    Message,
    Part,
    PartList,
    Parts,
    Raw,
    Reply,
    TellsExpiry,
)
from cancel_tui.venues.decode import Unreadable
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
from tests.venues.support_b2trader import (
    ACCOUNT,
    API_TOKEN,
    ORDER,
    OTHER_ACCOUNT,
    START,
    FakePort,
    Handler,
    HubServer,
    account_row,
    cancelled_order,
    hub_server,
    jwt,
    reply,
    settings,
    stop_order,
    stream_order,
    venue,
)

EXCHANGE = "POST /frontoffice/api/v4/access-token"
ACCOUNTS = "GET /frontoffice/api/v3/accounts"
DELETE = f"DELETE /frontoffice/api/v3/orders/{ORDER}"
DELETE_STOP = "DELETE /frontoffice/api/v3/stop-orders/01STOP"
REST_ORDERS = "GET /frontoffice/api/v3/orders"
REST_STOPS = "GET /frontoffice/api/v3/stop-orders"
NAME = VenueName("broker")
KEY = OrderKey(NAME, AccountId(ACCOUNT), Family.ORDER, OrderId(ORDER))
STOP_KEY = OrderKey(NAME, AccountId(ACCOUNT), Family.STOP, OrderId("01STOP"))
PART = Part(f"account:{ACCOUNT}", account=AccountId(ACCOUNT))
Answers = dict[str, "Handler | Raw | list[Raw]"]


T = TypeVar("T")


def value(outcome: Outcome[T]) -> T:
    assert isinstance(outcome, Answered), outcome
    return outcome.value


def port_with(answers: Answers, clock: ManualClock | None = None) -> FakePort:
    return FakePort(clock or ManualClock(), answers)


# The order object.


def test_an_order_of_the_stream() -> None:
    order = read_order(stream_order(), NAME, AccountId(ACCOUNT))
    assert order is not None
    assert order.key == KEY
    assert order.account == ACCOUNT
    assert (str(order.symbol), str(order.display_symbol)) == ("cfd.eur_usd", "EUR/USD")
    assert (order.side, order.type, order.status) == (Side.BUY, OrderType.LIMIT, OrderStatus.OPEN)
    assert (str(order.venue_status), str(order.source), str(order.time_in_force)) == (
        "Pending",
        "Manual",
        "Gtc",
    )
    assert (order.quantity, order.remaining, order.filled) == (Decimal(20000), Decimal(20000), Decimal(0))
    assert (order.price, order.average_price, order.trigger_price) == (Decimal("1.05"), None, None)
    assert order.fee == 0
    assert iso(order.created_at) == "2025-07-01T09:15:02.400Z"
    assert iso(order.updated_at) == "2025-07-01T09:15:02.401Z"
    assert order.quote == "USD"


def test_an_order_of_a_cancel_answer_is_cancelled_though_its_cancellation_date_is_null() -> None:
    order = read_cancelled({"order": cancelled_order()}, NAME, AccountId(ACCOUNT), Family.ORDER)
    assert order.status is OrderStatus.CANCELED
    assert (order.filled, order.price, order.fee) == (Decimal("0.0"), Decimal(99000), Decimal(0))
    assert iso(order.updated_at) == "2025-07-01T09:15:09.123Z"


def test_a_part_fill_is_kept_to_the_last_decimal() -> None:
    row = stream_order(
        requestedAmount="0.30000000000000001",
        remainingAmount="0.1",
        executionPrice="1.04999",
        status="Working",
    )
    order = read_order(row, NAME, AccountId(ACCOUNT))
    assert order is not None
    assert order.filled == Decimal("0.20000000000000001")
    assert order.status is OrderStatus.PARTIALLY_FILLED
    assert order.average_price == Decimal("1.04999")


@pytest.mark.parametrize(
    ("word", "remaining", "status"),
    [
        ("Started", "20000", OrderStatus.OPEN),
        ("Pending", "20000", OrderStatus.OPEN),
        ("Working", "20000", OrderStatus.OPEN),
        ("working", "0", OrderStatus.PARTIALLY_FILLED),
        ("PENDING", "19999.5", OrderStatus.PARTIALLY_FILLED),
        ("Completed", "0", OrderStatus.FILLED),
        ("Cancelled", "20000", OrderStatus.CANCELED),
        ("Cancelled", "5", OrderStatus.CANCELED),
        ("cancelled", "20000", OrderStatus.CANCELED),
        ("Rejected", "20000", OrderStatus.REJECTED),
        ("Expired", "100", OrderStatus.EXPIRED),
        ("WaitingForActivation", "20000", OrderStatus.OPEN),
        ("Activated", "20000", OrderStatus.UNKNOWN),
        ("Frobnicated", "20000", OrderStatus.UNKNOWN),
        (None, "20000", OrderStatus.UNKNOWN),
        (7, "20000", OrderStatus.UNKNOWN),
    ],
)
def test_every_word_of_the_venue(word: Any, remaining: str, status: OrderStatus) -> None:
    order = read_order(stream_order(status=word, remainingAmount=remaining), NAME, AccountId(ACCOUNT))
    assert order is not None
    assert order.status is status
    assert order.status.live is (status not in {"filled", "canceled", "expired", "rejected"})


def test_fills_are_never_inferred() -> None:
    row = stream_order(status="Completed", remainingAmount=None, executionPrice="1.05", fillFactor="1")
    order = read_order(row, NAME, AccountId(ACCOUNT))
    assert order is not None
    assert (order.filled, order.remaining, order.status) == (None, None, OrderStatus.FILLED)
    more = read_order(stream_order(remainingAmount="20001"), NAME, AccountId(ACCOUNT))
    assert more is not None
    assert more.filled is None


@pytest.mark.parametrize("digits", ["", ".4", ".12", ".123", ".1234567", ".123456789"])
def test_any_number_of_fractional_digits(digits: str) -> None:
    row = stream_order(createdAt=f"2025-07-01T09:15:02{digits}Z", updatedAt="2025-07-01T09:15:02")
    order = read_order(row, NAME, AccountId(ACCOUNT))
    assert order is not None
    assert iso(order.created_at) == f"2025-07-01T09:15:02.{digits[1:4]:0<3}Z"
    assert order.updated_at is None


def test_numbers_instead_of_texts_and_a_market_order_without_a_price() -> None:
    row = stream_order(
        requestedAmount=20000, remainingAmount=5, requestedPrice=None, orderType="market", side="SELL"
    )
    order = read_order(row, NAME, AccountId(ACCOUNT))
    assert order is not None
    assert (order.quantity, order.filled, order.price) == (Decimal(20000), Decimal(19995), None)
    assert (order.type, order.side) == (OrderType.MARKET, Side.SELL)


@pytest.mark.parametrize(("kind", "shown"), [("Market", OrderType.STOP), ("Limit", OrderType.STOP_LIMIT)])
def test_a_stop_order(kind: str, shown: OrderType) -> None:
    order = read_order(stop_order(orderType=kind), NAME, AccountId(ACCOUNT), Family.STOP)
    assert order is not None
    assert order.key == STOP_KEY
    assert (order.type, order.trigger_price, order.status) == (shown, Decimal(90000), OrderStatus.OPEN)
    assert (order.quantity, order.filled) == (Decimal("0.25"), None)
    assert order.type.protective


@pytest.mark.parametrize("row", [None, [], "x", 1, {}, {"orderId": ""}, {"orderId": None}, {"orderId": [1]}])
def test_what_is_no_order_with_an_id(row: Any) -> None:
    assert read_order(row, NAME, AccountId(ACCOUNT)) is None


_OTHERS = [name for name in stream_order() | stop_order() if name != "orderId"]
_fields = st.sampled_from([*stream_order(), *stop_order(), "order", "activationPrice"])
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats().map(str)
    | st.decimals()
    | st.text()
    | st.datetimes().map(lambda one: one.isoformat() + "Z"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_fields | st.text(), inner, max_size=6),
    max_leaves=20,
)


@given(
    _json | st.fixed_dictionaries({"orderId": st.text(min_size=1)}, optional=dict.fromkeys(_OTHERS, _json))
)
def test_any_value_is_an_order_or_none(row: Any) -> None:
    for family in Family:
        order = read_order(row, NAME, AccountId(ACCOUNT), family)
        assert order is None or order.key.order_id
        try:
            read_cancelled({"order": row}, NAME, AccountId(ACCOUNT), family)
            read_cancelled(row, NAME, AccountId(ACCOUNT), family)
        except Unreadable:
            continue


@given(st.lists(_json, max_size=5))
def test_any_rows_are_counted(rows: list[Any]) -> None:
    found = Rows(NAME, AccountId(ACCOUNT))
    found.read(rows)
    assert len(found.orders) + found.unreadable <= len(rows)
    assert bool(rows) == bool(found.orders or found.unreadable)


# Credentials and settings.


@pytest.mark.parametrize(
    ("secrets", "named"),
    [
        ({}, "api_token"),
        ({"api_token": "two words"}, "api_token"),
        ({"api_token": ""}, "api_token"),
        ({"access_token": "Bearer abc"}, "access_token"),
        ({"access_token": "abc\n"}, "access_token"),
        ({"access_token": "ä"}, "access_token"),
    ],
)
def test_credentials_that_cannot_work_are_refused_without_showing_them(
    secrets: dict[str, str], named: str
) -> None:
    with pytest.raises(ValueError, match=named) as error:
        make(settings(), {name: Secret(one) for name, one in secrets.items()}, ManualClock())
    assert all(not one or one not in str(error.value) for one in secrets.values())


def test_an_unknown_path_names_the_allowed_ones() -> None:
    with pytest.raises(
        ValueError, match=r"paths\.order is unknown.*access_token, accounts, orders, stop_orders, stream"
    ):
        venue(paths={"order": "/x"})


@pytest.mark.parametrize("path", ["x", "/x/", "/x?y", "/x y", "", "//x", "/x/{id}"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"paths\.orders must"):
        venue(paths={"orders": path})


def test_capabilities() -> None:
    has = venue().capabilities
    assert not has.cancel_all
    assert not has.cancel_all_symbol
    assert not has.read_order
    assert has.blind_spots == ("stop_orders",)
    assert has.lacks == {"exchange"}
    assert has.budgets == {CallClass.LIST: Budget(10, 1.0)}
    assert (has.poll_seconds, has.connections, has.timeout_seconds) == (5.0, 16, 5.0)
    limited = venue(limits={"list": None, "cancel": Budget(3, 2.0)}, timeout_seconds=2.5).capabilities
    assert limited.budgets == {CallClass.CANCEL: Budget(3, 2.0)}
    assert limited.timeout_seconds == 2.5


# Tokens.


def test_the_end_of_a_token_is_read_without_verifying_it() -> None:
    assert expiry(jwt(1_760_003_600)) == 1_760_003_600
    for odd in ("opaque", "a.b.c", "a.b", "..", "e30.e30.x", "e30.bnVsbA.x", "e30.!!!.x", jwt(None)):
        assert expiry(odd) is None


@given(st.text() | st.binary().map(lambda raw: f"a.{raw.hex()}.c") | st.text().map(lambda one: f"a.{one}.b"))
def test_no_token_raises(token: str) -> None:
    expiry(token)


async def test_the_api_token_is_exchanged_once_and_used() -> None:
    port = port_with({ACCOUNTS: reply(200, [account_row()])})
    broker = venue()
    for _ in range(3):
        value(await broker.parts(port))
    exchange, *rest = port.messages
    assert exchange == Message(
        b"POST",
        b"/frontoffice/api/v4/access-token",
        ((b"Content-Type", b"application/json"), (b"Accept", b"*/*")),
        json.dumps({"token": API_TOKEN}, separators=(",", ":")).encode(),
    )
    bearer = b"Bearer " + jwt(port.clock.wall() + 3600, "t1").encode()
    assert (
        rest
        == [
            Message(
                b"GET", b"/frontoffice/api/v3/accounts", ((b"Authorization", bearer), (b"Accept", b"*/*"))
            )
        ]
        * 3
    )
    assert set(port.calls) == {CallClass.OTHER}


@pytest.mark.parametrize("field", ["accessToken", "access_token", "token"])
async def test_the_answer_to_the_exchange_may_name_it_three_ways(field: str) -> None:
    port = port_with({EXCHANGE: reply(200, {field: "opaque"}), ACCOUNTS: reply(200, [account_row()])})
    value(await venue().parts(port))
    assert (b"Authorization", b"Bearer opaque") in port.messages[-1].headers


@pytest.mark.parametrize(
    "body", [{}, [], None, b"", b"<html>", {"accessToken": ""}, {"accessToken": "two words"}]
)
async def test_an_exchange_without_a_readable_token_leaves_the_call_unsent(body: Any) -> None:
    port = port_with({EXCHANGE: reply(200, body)})
    assert isinstance(await venue().cancel(KEY, port), NotSent)
    assert [one.method for one in port.messages] == [b"POST"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(401), Unauthorised),
        (reply(403), Unauthorised),
        (reply(400, {"message": "bad token"}), Unauthorised),
        (reply(404), NotSent),
        (reply(500), NotSent),
        (reply(429, None, retry_after="3"), Throttled),
        (Unanswered("timeout"), NotSent),
        (NotSent("no connection"), NotSent),
    ],
)
async def test_what_a_failed_exchange_means_for_a_cancel(answer: Raw, kind: type) -> None:
    port = port_with({EXCHANGE: answer})
    outcome = await venue().cancel(KEY, port)
    assert isinstance(outcome, kind)
    assert API_TOKEN not in repr(outcome)
    assert not port.sent("DELETE", DELETE.split()[1])


async def test_a_token_is_renewed_with_less_than_two_minutes_to_live() -> None:
    clock = ManualClock()
    port = port_with({ACCOUNTS: reply(200, [account_row()])}, clock)
    broker = venue(clock)
    await broker.parts(port)
    clock.advance(3600 - 121)
    await broker.parts(port)
    assert port.exchanges == 1
    clock.advance(2)
    await broker.parts(port)
    assert port.exchanges == 2


async def test_no_cancel_leaves_ahead_of_a_token_that_has_to_be_exchanged_first() -> None:
    clock = ManualClock()
    port = port_with({ACCOUNTS: reply(200, [account_row()])}, clock)
    broker = venue(clock)
    assert broker.cancel_message(KEY) is None
    await broker.parts(port)
    assert broker.cancel_message(KEY) is not None
    clock.advance(3600 - 119)
    assert broker.cancel_message(KEY) is None
    await broker.parts(port)
    with pytest.raises(ValueError, match="account"):
        broker.cancel_message(KEY._replace(account=None))


async def test_a_token_that_does_not_tell_its_end_lives_50_minutes() -> None:
    clock = ManualClock()
    answers: Answers = {
        EXCHANGE: reply(200, {"accessToken": "opaque"}),
        ACCOUNTS: reply(200, [account_row()]),
    }
    port = port_with(answers, clock)
    broker = venue(clock)
    await broker.parts(port)
    clock.advance(47 * 60)
    await broker.parts(port)
    assert len(port.sent("POST", EXCHANGE.split()[1])) == 1
    clock.advance(2 * 60)
    await broker.parts(port)
    assert len(port.sent("POST", EXCHANGE.split()[1])) == 2


async def test_a_wrong_clock_here_does_not_make_every_call_exchange() -> None:
    clock = ManualClock()
    ends = clock.wall() - 7200 + 3600
    answers: Answers = {
        EXCHANGE: reply(200, {"accessToken": jwt(ends)}),
        ACCOUNTS: reply(200, [account_row()]),
    }
    port = port_with(answers, clock)
    broker = venue(clock)
    for _ in range(5):
        await broker.parts(port)
    assert len(port.sent("POST", EXCHANGE.split()[1])) == 1


async def test_a_clock_that_is_ahead_does_not_shorten_the_life_of_a_token() -> None:
    clock = ManualClock(1_760_000_000.0 + 3590)
    answer = reply(200, {"accessToken": jwt(1_760_003_600)}, date="Thu, 09 Oct 2025 08:53:20 GMT")
    port = port_with({EXCHANGE: answer, ACCOUNTS: reply(200, [account_row()])}, clock)
    broker = venue(clock)
    await broker.parts(port)
    clock.advance(3600 - 121)
    await broker.parts(port)
    assert len(port.sent("POST", EXCHANGE.split()[1])) == 1
    clock.advance(2)
    await broker.parts(port)
    assert len(port.sent("POST", EXCHANGE.split()[1])) == 2


async def test_a_short_lived_token_is_used_for_half_its_life() -> None:
    clock = ManualClock()
    answer = reply(200, {"accessToken": jwt(clock.wall() + 60)})
    port = port_with({EXCHANGE: answer, ACCOUNTS: reply(200, [account_row()])}, clock)
    broker = venue(clock)
    for seconds, exchanges in ((0, 1), (29, 1), (2, 2)):
        clock.advance(seconds)
        await broker.parts(port)
        assert len(port.sent("POST", EXCHANGE.split()[1])) == exchanges


async def test_while_the_old_token_lives_a_failing_exchange_is_no_obstacle() -> None:
    clock = ManualClock()
    port = port_with({DELETE: reply(200, {"order": cancelled_order()})}, clock)
    broker = venue(clock)
    value(await broker.cancel(KEY, port))
    port.answers[EXCHANGE] = Unanswered("timeout")
    clock.advance(3500)
    for _ in range(3):
        value(await broker.cancel(KEY, port))
    assert len(port.sent("POST", EXCHANGE.split()[1])) == 2
    clock.advance(101)
    assert isinstance(await broker.cancel(KEY, port), NotSent)


async def test_a_cancel_does_not_wait_for_an_exchange_that_somebody_else_has_begun() -> None:
    clock = ManualClock()
    port = port_with({DELETE: reply(200, {"order": cancelled_order()})}, clock)
    broker = venue(clock)
    value(await broker.cancel(KEY, port))
    clock.advance(3500)
    gate = asyncio.Event()
    slow = Gated(clock, {ACCOUNTS: reply(200, [account_row()])}, gate, CallClass.OTHER)
    poll = asyncio.create_task(broker.parts(slow))
    async with asyncio.timeout(5):
        await slow.held.wait()
        value(await broker.cancel(KEY, port))
    assert (slow.exchanges, port.exchanges) == (1, 1)
    gate.set()
    value(await poll)


async def test_a_401_is_cured_once_by_a_fresh_token() -> None:
    port = port_with({DELETE: [reply(401), reply(200, {"order": cancelled_order()})]})
    value(await venue().cancel(KEY, port))
    assert port.exchanges == 2
    first, second = port.sent("DELETE", DELETE.split()[1])
    assert first.headers[0] != second.headers[0]


async def test_a_401_that_stays_is_told_after_one_fresh_token() -> None:
    port = port_with({DELETE: reply(401, {"message": "expired"})})
    assert isinstance(await venue().cancel(KEY, port), Unauthorised)
    assert port.exchanges == 2
    assert len(port.sent("DELETE", DELETE.split()[1])) == 2


async def test_a_403_is_not_cured() -> None:
    port = port_with({DELETE: reply(403)})
    outcome = await venue().cancel(KEY, port)
    assert isinstance(outcome, Unauthorised)
    assert outcome.status == 403
    assert len(port.sent("DELETE", DELETE.split()[1])) == 1


async def test_many_401s_share_one_exchange() -> None:
    clock = ManualClock()
    port = SlowExchange(clock, {})
    broker = venue(clock)
    await broker.measure_clock(port)
    stale = (b"Authorization", b"Bearer " + jwt(clock.wall() + 3600, "t1").encode())
    port.answers[DELETE] = lambda message: (
        reply(401) if stale in message.headers else reply(200, {"order": cancelled_order()})
    )
    outcomes = await asyncio.gather(*(broker.cancel(KEY, port) for _ in range(20)))
    assert all(isinstance(one, Answered) for one in outcomes)
    assert port.exchanges == 2


async def test_a_late_401_for_an_old_token_costs_no_exchange() -> None:
    gate = asyncio.Event()
    port = Gated(
        ManualClock(), {DELETE: [reply(401), reply(401), reply(200, {"order": cancelled_order()})]}, gate
    )
    broker = venue(port.clock)
    late = asyncio.create_task(broker.cancel(KEY, port))
    async with asyncio.timeout(5):
        await port.held.wait()
    assert isinstance(await broker.cancel(KEY, port), Answered)
    assert port.exchanges == 2
    gate.set()
    assert isinstance(await late, Answered)
    assert port.exchanges == 2


class Gated(FakePort):
    """A port that holds back its first answer of one class."""

    def __init__(
        self, clock: Clock, answers: Answers, gate: asyncio.Event, held: CallClass = CallClass.CANCEL
    ) -> None:
        super().__init__(clock, answers)
        self.held = asyncio.Event()
        self._gate = gate
        self._held = held

    async def call(self, call: CallClass, build: Any) -> Raw:
        answer = await super().call(call, build)
        if call is self._held and not self.held.is_set():
            self.held.set()
            await self._gate.wait()
        return answer


async def test_a_token_that_worked_in_between_may_be_renewed_again_at_once() -> None:
    good = reply(200, {"order": cancelled_order()})
    port = port_with({DELETE: [reply(401), good, reply(401), good]})
    broker = venue()
    for _ in range(2):
        value(await broker.cancel(KEY, port))
    assert port.exchanges == 3


async def test_a_token_that_never_helps_is_not_asked_for_again_and_again() -> None:
    clock = ManualClock()
    port = port_with({DELETE: reply(401)}, clock)
    broker = venue(clock)
    for _ in range(10):
        await broker.cancel(KEY, port)
    assert port.exchanges == 2
    clock.advance(11)
    await broker.cancel(KEY, port)
    assert port.exchanges == 3


class SlowExchange(FakePort):
    """A port whose exchange takes a few turns of the loop."""

    async def call(self, call: CallClass, build: Any) -> Raw:
        answer = await super().call(call, build)
        for _ in range(5):
            await asyncio.sleep(0)
        return answer


async def test_concurrent_first_calls_share_one_exchange_and_a_cancelled_one_spoils_nothing() -> None:
    clock = ManualClock()
    port = SlowExchange(clock, {DELETE: reply(200, {"order": cancelled_order()})})
    broker = venue(clock)
    calls = [asyncio.create_task(broker.cancel(KEY, port)) for _ in range(5)]
    await asyncio.sleep(0)
    calls[0].cancel()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError)
    assert all(isinstance(one, Answered) for one in done[1:])
    assert port.exchanges == 1


async def test_an_access_token_alone_is_used_as_it_is_and_cannot_be_renewed() -> None:
    port = port_with({DELETE: reply(401)})
    broker = venue(jwt_only="opaque")
    assert isinstance(await broker.cancel(KEY, port), Unauthorised)
    assert [one.method for one in port.messages] == [b"DELETE"]
    assert (b"Authorization", b"Bearer opaque") in port.messages[0].headers
    assert await broker.renew(port, broker.signs_with) is False


# Accounts.


async def test_every_account_that_the_token_sees_is_a_part() -> None:
    port = port_with({ACCOUNTS: reply(200, [account_row(), account_row(OTHER_ACCOUNT), account_row()])})
    assert value(await venue().parts(port)) == Parts(
        (
            Part(f"account:{ACCOUNT}", account=AccountId(ACCOUNT)),
            Part(f"account:{OTHER_ACCOUNT}", account=AccountId(OTHER_ACCOUNT)),
        ),
        (),
        (AccountId(ACCOUNT), AccountId(OTHER_ACCOUNT)),
    )


async def test_accounts_that_are_not_configured_become_blind_spots_and_unseen_ones_stay_parts() -> None:
    port = port_with({ACCOUNTS: reply(200, [account_row(), account_row(OTHER_ACCOUNT)])})
    parts = value(await venue(accounts=(ACCOUNT, "unseen")).parts(port))
    assert [part.id for part in parts.parts] == [f"account:{ACCOUNT}", "account:unseen"]
    assert parts.blind_spots == (f"account:{OTHER_ACCOUNT}",)
    assert set(parts.accounts) == {ACCOUNT, OTHER_ACCOUNT, "unseen"}


async def test_configured_accounts_are_used_when_the_accounts_call_fails() -> None:
    port = port_with({ACCOUNTS: [reply(200, [account_row(), account_row(OTHER_ACCOUNT)]), reply(500)]})
    broker = venue(accounts=(ACCOUNT,))
    assert value(await broker.parts(port)).blind_spots == (f"account:{OTHER_ACCOUNT}",)
    again = value(await broker.parts(port))
    assert again.parts == (PART,)
    assert again.blind_spots == (f"account:{OTHER_ACCOUNT}",)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(500), Unanswered),
        (reply(403), Unauthorised),
        (reply(429), Throttled),
        (reply(404), Refused),
        (NotSent("no connection"), NotSent),
        (reply(200, b""), Unanswered),
        (reply(200, b"<html>"), Unanswered),
        (reply(200, None), Unanswered),
        (reply(200, {"accounts": []}), Unanswered),
        (reply(200, []), Unanswered),
        (reply(200, [{"accountName": "no id"}]), Unanswered),
        (reply(200, ["x"]), Unanswered),
    ],
)
async def test_without_configured_accounts_a_failure_is_a_failure(answer: Raw, kind: type) -> None:
    assert isinstance(await venue().parts(port_with({ACCOUNTS: answer})), kind)


async def test_an_account_without_an_id_is_a_blind_spot_and_the_others_are_still_listed() -> None:
    port = port_with({ACCOUNTS: reply(200, [{"accountName": "?"}, account_row()])})
    parts = value(await venue().parts(port))
    assert (parts.parts, parts.blind_spots) == ((PART,), ("account:?",))


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


async def test_paths_and_a_base_path_are_configurable() -> None:
    port = port_with({"DELETE /b2/v9/orders/X": reply(200, {"order": cancelled_order("X")})})
    broker = venue(base_url="https://broker.example/b2", paths={"orders": "/v9/orders"}, jwt_only="opaque")
    value(await broker.cancel(KEY._replace(order_id=OrderId("X")), port))


@given(st.binary(max_size=300), st.integers(200, 599))
def test_any_answer_becomes_an_outcome(body: bytes, status: int) -> None:
    async def ask() -> None:
        answer = Reply(status, {}, body)
        port = port_with({DELETE: answer, DELETE_STOP: answer, ACCOUNTS: answer})
        broker = venue(jwt_only="opaque")
        for outcome in (await broker.cancel(KEY, port), await broker.cancel(STOP_KEY, port)):
            assert not isinstance(outcome, Answered) or isinstance(outcome.value, CancelAck)
        await broker.parts(port)
        await broker.check(port)

    asyncio.run(ask())


# Health.


async def test_the_clock_is_measured_by_the_date_header() -> None:
    clock = ManualClock(1_760_000_000.0)
    port = port_with({ACCOUNTS: reply(200, [account_row()], date="Thu, 09 Oct 2025 08:53:25 GMT")}, clock)
    broker = venue(clock)
    assert broker.clock_offset is None
    assert value(await broker.measure_clock(port)) == pytest.approx(5.5)
    assert broker.clock_offset == pytest.approx(5.5)


@pytest.mark.parametrize(
    "answer", [reply(200, []), reply(200, [], date="soon"), reply(500), NotSent("no"), Unanswered("no")]
)
async def test_without_a_date_nothing_is_measured(answer: Raw) -> None:
    broker = venue()
    assert not isinstance(await broker.measure_clock(port_with({ACCOUNTS: answer})), Answered)
    assert broker.clock_offset is None


async def test_check_exchanges_and_reads_the_accounts() -> None:
    port = port_with({ACCOUNTS: reply(200, [account_row()])})
    told = value(await venue(accounts=(ACCOUNT, "unseen")).check(port))
    assert ACCOUNT in told
    assert "not seen: unseen" in told
    assert port.exchanges == 1
    refused = port_with({EXCHANGE: reply(401)})
    assert isinstance(await venue().check(refused), Unauthorised)


# Lists.


@asynccontextmanager
async def listing(**more: Any) -> AsyncIterator[tuple[HubServer, B2Trader, FakePort]]:
    """A hub, an adapter on the machine's clock, and a port."""
    clock = SystemClock()
    async with hub_server() as hub:
        broker = venue(clock, hub.base_url, **({"timeout_seconds": 5.0} | more))
        try:
            yield hub, broker, FakePort(clock)
        finally:
            await broker.close()


def once(*answers: dict[str, Any]) -> Any:
    """A script that gives these answers to the first subscription and goes by the book afterwards."""
    left = [list(answers)]

    def script(hub: HubServer, message: dict[str, Any]) -> list[dict[str, Any]] | None:
        if left:
            return [one | {"invocationId": message["invocationId"]} for one in left.pop()]
        return HubServer.by_the_book(hub, message)

    return script


def token(port: FakePort, number: int, hub: HubServer) -> bool:
    """Whether the hub's last upgrade carried the token of the given exchange."""
    return hub.tokens[-1].endswith(f"t{number}") and port.exchanges == number


async def test_a_list_is_the_first_item_of_a_fresh_subscription() -> None:
    async with listing() as (hub, broker, port):
        hub.orders[ACCOUNT] = [stream_order(), stream_order("SECOND")]
        for number in range(3):
            listed = value(await broker.list_part(PART, port))
            assert [order.key.order_id for order in listed.orders] == [ORDER, "SECOND"]
            assert listed.complete
            assert listed.note is None
            subscription = [one for one in hub.messages if one["type"] == 4][-1]
            assert subscription == {
                "type": 4,
                "invocationId": str(number),
                "target": "OpenOrders",
                "arguments": [ACCOUNT],
            }
        assert [one["invocationId"] for one in hub.messages if one["type"] == 5] == ["0", "1"]
        assert hub.paths == ["/frontoffice/ws/v4/account"]
        assert token(port, 1, hub)
        assert port.admitted == [CallClass.LIST] * 3
        assert broker.capabilities.blind_spots == ("stop_orders",)


async def test_a_row_that_stood_in_the_list_before_is_not_read_again() -> None:
    async with listing() as (hub, broker, port):
        hub.orders[ACCOUNT] = [stream_order("A"), stream_order("B"), stream_order("C")]
        first = value(await broker.list_part(PART, port)).orders
        hub.orders[ACCOUNT] = [stream_order("A"), stream_order("B", remainingAmount="1"), stream_order("D")]
        second = value(await broker.list_part(PART, port)).orders
        assert second[0] is first[0]
        assert (second[1].key, second[1].remaining) == (first[1].key, Decimal(1))
        assert [order.key.order_id for order in second] == ["A", "B", "D"]
        hub.orders[ACCOUNT] = [stream_order("A"), stream_order("B")]
        third = value(await broker.list_part(PART, port)).orders
        assert third == first[:2], "what had changed is back as it was"
        hub.orders[OTHER_ACCOUNT] = [stream_order("A")]
        part = Part(f"account:{OTHER_ACCOUNT}", account=AccountId(OTHER_ACCOUNT))
        assert [order.key.account for order in value(await broker.list_part(part, port)).orders] == [
            OTHER_ACCOUNT
        ]


async def test_only_an_explicit_empty_array_means_none() -> None:
    async with listing(timeout_seconds=0.3) as (hub, broker, port):
        assert value(await broker.list_part(PART, port)) == PartList(())
        hub.script = lambda hub, message: []
        silent = await broker.list_part(PART, port)
        assert isinstance(silent, Unanswered)
        odds: list[Any] = [None, {}, {"item": []}, "none", 0]
        for odd in odds:
            hub.script = once({"type": 2, "item": odd})
            assert isinstance(await broker.list_part(PART, port), Unanswered)


async def test_unreadable_rows_make_a_list_incomplete_and_repeated_ids_take_the_last() -> None:
    async with listing() as (hub, broker, port):
        hub.orders[ACCOUNT] = [
            stream_order(),
            {"orderId": None},
            stream_order("B", status="Unheard"),
            stream_order(remainingAmount="1"),
        ]
        listed = value(await broker.list_part(PART, port))
        assert [(order.key.order_id, order.status) for order in listed.orders] == [
            (ORDER, OrderStatus.PARTIALLY_FILLED),
            ("B", OrderStatus.UNKNOWN),
        ]
        assert not listed.complete
        assert listed.note == "1 rows are no readable orders"


async def test_accounts_are_listed_at_the_same_time_over_one_connection() -> None:
    async with listing() as (hub, broker, port):
        names = [f"account{number}" for number in range(8)]
        hub.orders = {name: [stream_order(f"ID-{name}")] for name in names}
        lists = await asyncio.gather(*(broker.list_part(Part(f"account:{name}"), port) for name in names))
        assert [value(one).orders[0].key.order_id for one in lists] == [f"ID-{name}" for name in names]
        assert len(hub.tokens) == 1


async def test_a_long_list_is_read_whole() -> None:
    async with listing() as (hub, broker, port):
        hub.orders[ACCOUNT] = [stream_order(f"ORDER{number:05}") for number in range(8000)]
        listed = value(await broker.list_part(PART, port))
        assert len(listed.orders) == 8000
        assert listed.complete


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_upgrade_is_cured_once(status: int) -> None:
    async with listing() as (hub, broker, port):
        hub.refuse = [status]
        assert value(await broker.list_part(PART, port)) == PartList(())
        assert len(hub.tokens) == 2
        assert token(port, 2, hub)


async def test_an_upgrade_that_stays_refused_is_told() -> None:
    async with listing() as (hub, broker, port):
        hub.refuse = [401, 401, 401]
        outcome = await broker.list_part(PART, port)
        assert isinstance(outcome, Unauthorised)
        assert len(hub.tokens) == 2


async def test_a_refused_upgrade_cannot_be_cured_with_an_access_token_alone() -> None:
    async with listing(jwt_only="opaque") as (hub, broker, port):
        hub.refuse = [401, 401]
        assert isinstance(await broker.list_part(PART, port), Unauthorised)
        assert hub.tokens == ["opaque"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, Refused), (429, Throttled), (500, Unanswered), (200, Unanswered), (302, Unanswered)],
)
async def test_other_refusals_of_the_upgrade(status: int, kind: type) -> None:
    async with listing() as (hub, broker, port):
        hub.refuse = [status]
        assert isinstance(await broker.list_part(PART, port), kind)
        assert value(await broker.list_part(PART, port)) == PartList(())


@pytest.mark.parametrize(
    "message",
    [{"type": 3, "error": "token expired"}, {"type": 7, "error": "expired", "allowReconnect": True}],
)
@pytest.mark.parametrize("secret", ["", "opaque"])
async def test_an_ended_stream_is_renewed_and_reconnected_once(message: dict[str, Any], secret: str) -> None:
    async with listing(jwt_only=secret) as (hub, broker, port):
        hub.orders[ACCOUNT] = [stream_order()]
        hub.script = once(message)
        assert len(value(await broker.list_part(PART, port)).orders) == 1
        assert len(hub.tokens) == 2
        assert port.exchanges == (0 if secret else 2)
        assert secret or hub.tokens[0] != hub.tokens[1]


async def test_a_list_in_between_allows_the_next_renewal_at_once() -> None:
    async with listing() as (hub, broker, port):
        for _ in range(2):
            hub.script = once({"type": 7})
            value(await broker.list_part(PART, port))
        assert port.exchanges == 3


async def test_a_stream_that_ends_again_is_unanswered_with_the_venues_words() -> None:
    async with listing() as (hub, broker, port):
        hub.script = lambda hub, message: [
            {"type": 3, "invocationId": message["invocationId"], "error": "unknown account"}
        ]
        outcome = await broker.list_part(PART, port)
        assert isinstance(outcome, Unanswered)
        assert str(outcome.message) == "unknown account"
        assert len(hub.tokens) == 2


async def test_a_connection_lost_while_listing_is_unanswered_and_the_next_list_works() -> None:
    async with listing() as (hub, broker, port):
        hub.script = lambda hub, message: None
        assert isinstance(await broker.list_part(PART, port), Unanswered)
        hub.script = HubServer.by_the_book
        assert value(await broker.list_part(PART, port)) == PartList(())


async def test_a_list_that_is_cancelled_harms_no_later_one() -> None:
    async with listing() as (hub, broker, port):
        hub.script = lambda hub, message: []
        asking = asyncio.create_task(broker.list_part(PART, port))
        async with asyncio.timeout(5):
            await hub.asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        hub.script = HubServer.by_the_book
        async with asyncio.timeout(5):
            assert value(await broker.list_part(PART, port)) == PartList(())


async def test_after_close_lists_are_not_sent() -> None:
    async with listing() as (_, broker, port):
        value(await broker.list_part(PART, port))
        await broker.close()
        assert isinstance(await broker.list_part(PART, port), NotSent)


async def test_no_hub_at_all_is_not_sent() -> None:
    async with hub_server() as hub:
        pass
    clock = SystemClock()
    broker = venue(clock, hub.base_url)
    outcome = await broker.list_part(PART, FakePort(clock))
    assert isinstance(outcome, NotSent)
    assert "127.0.0.1" not in outcome.reason
    await broker.close()


@pytest.mark.parametrize("path", ["", "/", "/hub/account"])
async def test_a_stream_address_of_its_own(path: str) -> None:
    async with hub_server() as hub:
        clock = SystemClock()
        broker = venue(clock, ws_url=hub.base_url.replace("http", "ws") + path)
        assert value(await broker.list_part(PART, FakePort(clock))) == PartList(())
        assert hub.paths == [path if len(path) > 1 else "/frontoffice/ws/v4/account"]
        await broker.close()


async def test_no_outcome_holds_a_token_or_an_address() -> None:
    async with listing() as (hub, broker, port):
        hub.script = lambda hub, message: [
            {"type": 3, "invocationId": message["invocationId"], "error": f"bad token {hub.tokens[-1]}"}
        ]
        outcome = await broker.list_part(PART, port)
        assert isinstance(outcome, Unanswered)
        assert hub.tokens[-1] not in repr(outcome)
        assert "access_token" not in repr(outcome)


# The opt-in probe of undocumented lists.


async def test_the_probe_adds_stop_orders_and_orders_that_the_stream_did_not_name() -> None:
    async with listing(probe_rest_lists=True) as (hub, broker, port):
        hub.orders[ACCOUNT] = [stream_order()]
        port.answers[REST_ORDERS] = reply(200, [stream_order(status="Cancelled"), stream_order("MORE")])
        port.answers[REST_STOPS] = reply(200, [stop_order(), stop_order("02STOP", orderType="Limit")])
        listed = value(await broker.list_part(PART, port))
        assert {order.key.shown_id: order.status for order in listed.orders} == {
            ORDER: OrderStatus.OPEN,
            "MORE": OrderStatus.OPEN,
            "stop:01STOP": OrderStatus.OPEN,
            "stop:02STOP": OrderStatus.OPEN,
        }
        assert (listed.complete, listed.blind_spots) == (True, ())
        assert broker.capabilities.blind_spots == ()
        assert port.calls.count(CallClass.LIST) == 2
        assert (b"accountId", ACCOUNT.encode()) in port.sent("GET", REST_STOPS.split()[1])[0].headers


@pytest.mark.parametrize(
    "answer",
    [reply(404), reply(405), reply(500), reply(200, {}), reply(200, b""), reply(200, None),
     Unanswered("timeout"), reply(403), reply(429), reply(204, b"")],
)  # fmt: skip
async def test_anything_but_a_list_means_not_supported(answer: Raw) -> None:
    async with listing(probe_rest_lists=True) as (hub, broker, port):
        hub.orders[ACCOUNT] = [stream_order()]
        port.answers = {REST_ORDERS: answer, REST_STOPS: answer}
        listed = value(await broker.list_part(PART, port))
        assert len(listed.orders) == 1
        assert (listed.complete, listed.blind_spots) == (True, ("stop_orders",))
        assert broker.capabilities.blind_spots == ("stop_orders",)


async def test_stop_orders_that_could_be_listed_before_make_the_list_incomplete_when_they_cannot() -> None:
    async with listing(probe_rest_lists=True) as (_, broker, port):
        port.answers = {REST_ORDERS: reply(404), REST_STOPS: [reply(200, []), reply(500)]}
        assert value(await broker.list_part(PART, port)) == PartList(())
        listed = value(await broker.list_part(PART, port))
        assert not listed.complete
        assert listed.blind_spots == ("stop_orders",)
        assert "500" in (listed.note or "")


async def test_without_the_switch_nothing_is_probed() -> None:
    async with listing() as (_, broker, port):
        value(await broker.list_part(PART, port))
        assert {message.method for message in port.messages} == {b"POST"}


def test_an_access_token_tells_when_it_ends_and_one_that_renews_itself_does_not_end() -> None:
    broker = venue(jwt_only=jwt(START + 600))
    assert isinstance(broker, TellsExpiry)
    assert broker.credentials_expire_at == START + 600
    broker.clock_offset = -2.0
    assert broker.credentials_expire_at == START + 602
    assert venue(jwt_only="opaque").credentials_expire_at is None
    renewing = venue()
    renewing._tokens.current = Secret(jwt(START + 600))
    assert renewing.credentials_expire_at is None
