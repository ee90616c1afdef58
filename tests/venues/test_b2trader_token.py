"""The B2TRADER adapter: tokens, their exchange and their end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.clock import Clock, ManualClock
from cancel_tui.venues.b2trader_token import expiry
from cancel_tui.venues.base import CallClass, Message, Raw
from cancel_tui.venues.outcome import Answered, NotSent, Throttled, Unanswered, Unauthorised
from tests.venues.b2trader_case import ACCOUNTS, DELETE, EXCHANGE, KEY, Answers, port_with, value
from tests.venues.support_b2trader import API_TOKEN, FakePort, account_row, cancelled_order, jwt, reply, venue

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
