"""The contract suite on broken lines: no answer, lost answers, answers that mean nothing."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import pytest

from cancel_tui.orders import OrderKey, OrderStatus
from cancel_tui.venues.base import CallClass, Raw, Reply
from cancel_tui.venues.outcome import (
    Answered,
    NotSent,
    Reason,
    Refused,
    Unanswered,
    describe,
)
from tests.venues.contract_cancels import CancelContract
from tests.venues.contract_ground import (
    LATER,
    PATIENCE,
    SHORT,
    Server,
    TornPort,
    answered,
)

S = TypeVar("S", bound=Server)

NO_ANSWER = ("hang", "drop", "reset", "http500", "html", "empty", "badjson", "torn", "redirect")
"""Faults after which nobody can say what became of a request."""
_ESC = "\\u001b[31m[bold]\\u202e"
HOSTILE_BODIES = (
    b"",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'"' + b"x" * 5000 + b'"',
    b'{"data":null,"order":null,"canceled":null}',
    b'{"data":{},"order":{},"canceled":{}}',
    b'{"data":{"orders":[null,1,"x",{}],"order":[],"orders_ids":7},"order":7,"canceled":7}',
    b"[null,1,{},[]]",
    b"[" * 50_000,
    b'{"message":' + b"9" * 9000 + b"}",
    b"\xff\xfe\x00",
    b"<html><script>alert(1)</script></html>",
    f'{{"message":"{_ESC}","error":"{_ESC}"}}'.encode(),
    f'{{"error":{{"code":"{_ESC}","message":"{_ESC}","details":["{_ESC}"]}}}}'.encode(),
    f'{{"errors":[{{"code":"{_ESC}","message":"{_ESC * 999}"}}],"title":"{_ESC}"}}'.encode(),
    b'{"message":"\\ud800","error":1e99999}',
)
"""Bodies that no venue documents."""


def patience(fault: str) -> float:
    """Seconds to wait for an answer under a fault: only a server that hangs makes us wait at all."""
    return SHORT if fault == "hang" else PATIENCE


class FaultContract(CancelContract[S]):
    """Whatever happens on the way: nothing is raised, nothing claimed, nothing sent again."""

    @pytest.mark.parametrize("fault", NO_ANSWER)
    async def test_without_a_usable_answer_nothing_is_claimed_and_nothing_sent_again(
        self, fault: str
    ) -> None:
        async with self.stage(timeout=patience(fault)) as stage:
            asks = await self.asks_all(stage, self.place(stage.server))
            before, asked = self.live(stage.server), self.arrivals(stage.server)
            self.spoil(stage.server, fault, list(asks))
            stage.port.timeout = patience(fault)
            outcomes = await asyncio.gather(*(ask() for ask in asks.values()))
            assert {name: type(one) for name, one in zip(asks, outcomes, strict=True)} == dict.fromkeys(
                asks, Unanswered
            )
            assert self.arrivals(stage.server) - asked == len(asks)
            self.assert_silent(stage, outcomes)
            assert self.live(stage.server) == before
            self.mend(stage.server)
            async with self.another(stage) as fresh:
                assert self.live(stage.server).keys() == (await fresh.listed()).keys()

    @pytest.mark.parametrize("fault", NO_ANSWER)
    async def test_a_cancel_whose_answer_is_lost_is_unanswered_and_its_end_is_read_back(
        self, fault: str
    ) -> None:
        async with self.stage(timeout=patience(fault)) as stage:
            key = self.place(stage.server)
            await stage.look()
            self.spoil(stage.server, f"effect_then_{fault}", ["cancel"])
            stage.port.timeout = patience(fault)
            assert isinstance(await stage.venue.cancel(key, stage.port), Unanswered)
            assert stage.port.counts[CallClass.CANCEL] == 1
            stage.clock.advance(LATER)
            assert self.ended(stage.server)[key].status is OrderStatus.CANCELED
            self.mend(stage.server)
            async with self.another(stage) as fresh:
                await self.reads_as(fresh, key, OrderStatus.CANCELED)

    @pytest.mark.parametrize("fault", NO_ANSWER)
    async def test_a_cancel_all_whose_answer_is_lost_is_unanswered(self, fault: str) -> None:
        async with self.stage(timeout=patience(fault)) as stage:
            if not stage.venue.capabilities.cancel_all:
                return
            keys = {self.place(stage.server) for _ in range(3)}
            self.spoil(stage.server, f"effect_then_{fault}", ["cancel_all"])
            stage.port.timeout = patience(fault)
            assert isinstance(await stage.venue.cancel_all(None, stage.port), Unanswered)
            assert stage.port.counts[CallClass.CANCEL_ALL] == 1
            stage.clock.advance(LATER)
            assert self.live(stage.server) == {}
            self.mend(stage.server)
            async with self.another(stage) as fresh:
                for key in keys:
                    await self.reads_as(fresh, key, OrderStatus.CANCELED)

    @pytest.mark.parametrize("fault", NO_ANSWER)
    async def test_with_everything_broken_nothing_is_raised_and_nothing_claimed(self, fault: str) -> None:
        async with self.stage(timeout=patience(fault)) as stage:
            key = self.place(stage.server)
            asks = await self.asks_all(stage, key)
            before = self.live(stage.server)
            self.spoil(stage.server, fault, [])
            async with self.another(stage, timeout=patience(fault)) as fresh:
                venue, port = fresh.venue, fresh.port
                asks = fresh.same_asks(key, self.symbols[0])
                outcomes = await asyncio.gather(
                    *(ask() for ask in asks.values()), venue.parts(port), venue.measure_clock(port)
                )
            for outcome in outcomes[:-2]:
                assert isinstance(outcome, Unanswered | NotSent), outcome
            # Some know their parts without asking, and a proxy's Date header tells the time as well.
            for outcome in outcomes[-2:]:
                assert isinstance(outcome, Answered | Unanswered | NotSent), outcome
            assert self.live(stage.server) == before

    @pytest.mark.parametrize("status", [400, 404, 409, 422, 500, 503])
    async def test_whatever_a_refusal_says_it_is_no_answer_and_harmless_to_show(self, status: int) -> None:
        async with self.stage() as stage:
            asks = await self.asks_all(stage, self.place(stage.server))
            for body in HOSTILE_BODIES:
                self.answer_with(stage.server, status, body)
                for name, ask in asks.items():
                    outcome = await ask()
                    assert isinstance(outcome, Unanswered | Refused), (name, body[:80], outcome)
                    assert (
                        status < 500
                        or isinstance(outcome, Unanswered)
                        or outcome.reason in (Reason.BUSY, Reason.HALTED)
                    )
                    shown = describe(outcome)
                    assert shown.isprintable(), (name, body[:80], shown)
                    assert len(shown) < 600

    async def test_whatever_a_success_says_no_order_is_made_up_from_it(self) -> None:
        async with self.stage() as stage:
            asks = await self.asks_all(stage, self.place(stage.server))
            for body in HOSTILE_BODIES:
                self.answer_with(stage.server, 200, body)
                for name, ask in asks.items():
                    outcome = await ask()
                    assert isinstance(outcome, Answered | Unanswered | Refused), (name, body[:80], outcome)
                    if name in ("cancel", "read"):
                        assert not isinstance(outcome, Answered), (name, body[:80], outcome)
                    elif isinstance(outcome, Answered) and name != "check":
                        assert not getattr(outcome.value, "orders", ()), (name, body[:80])
                        assert not getattr(outcome.value, "ids", ()), (name, body[:80])

    @pytest.mark.parametrize(
        "failure", [Unanswered("timeout"), NotSent("no route"), Reply(429, {}, b""), Reply(403, {}, b"")]
    )
    async def test_pages_before_one_that_fails_are_handed_over_and_prove_nothing(self, failure: Raw) -> None:
        async with self.stage() as stage:
            self.crowd(stage.server)
            part = (await stage.look())[0]
            truth = {order.key for order in answered(await stage.venue.list_part(part, stage.port)).orders}
            found: set[OrderKey] = set()
            for passed in range(1, stage.port.counts[CallClass.LIST]):
                torn = TornPort(stage.port, passed, failure)
                one = answered(await stage.venue.list_part(part, torn))
                keys = {order.key for order in one.orders}
                assert not one.complete, passed
                assert one.note is not None
                assert found <= keys <= truth
                assert keys
                found = keys

    async def test_a_server_that_is_not_there_is_told_from_one_that_is_silent(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            await self.asks_all(stage, key)
            await stage.server.stop()
            async with self.another(stage) as gone:
                for name, ask in gone.same_asks(key, self.symbols[0]).items():
                    outcome = await ask()
                    assert isinstance(outcome, NotSent), (name, outcome)
                    assert not outcome.hopeless
