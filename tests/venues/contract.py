"""The contract that every venue adapter keeps, as tests to inherit.

A venue's tests derive from `VenueContract` and fill in what `VenueGround` asks for: a server on a loopback
address, an adapter to it, and the server's truth. Everything runs over real sockets and the real wire. What a
venue cannot do by its declared capabilities must be refused without a request; all else is asked for.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

import pytest

from cancel_tui.orders import OrderId, OrderKey, OrderStatus
from cancel_tui.venues.base import CallClass
from cancel_tui.venues.outcome import (
    Answered,
    NotSent,
    Reason,
    Refused,
    Throttled,
    Unanswered,
    Unauthorised,
    describe,
)
from tests.venues.contract_ground import (
    LATER,
    PATIENCE,
    SHORT,
    Server,
    Stage,
    answered,
    fact_of,
    replace_status,
)
from tests.venues.contract_lists import ListContract

S = TypeVar("S", bound=Server)

NO_ANSWER = ("hang", "drop", "reset", "http500", "html", "empty", "badjson", "torn", "redirect")
"""Faults after which nobody can say what became of a request."""
HOSTILE_IDS = (
    "",
    ".",
    "..",
    "../cancel-all",
    "a/b",
    "a?x=1",
    "a#b",
    "%2e%2e",
    "a\r\nX-Injected: 1",
    "\x00",
    "\ud800",
    " ",
    "x" * 300,
)
"""Ids that would change a path, a header or a document if they were pasted in."""
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


class VenueContract(ListContract[S]):
    """The whole contract: lists and reads (inherited), cancels, broken lines, credentials, clock, limits."""

    # ------------------------------------------------------------------ one order

    @pytest.mark.parametrize("part_filled", [False, True])
    async def test_a_cancel_says_what_the_venue_means_and_the_order_ends_canceled(
        self, part_filled: bool
    ) -> None:
        async with self.stage(orders=12) as stage:
            key = self.place(stage.server, filled=part_filled)
            before = self.live(stage.server)
            ack = answered(await stage.venue.cancel(key, stage.port))
            assert stage.port.counts[CallClass.CANCEL] == 1
            assert (ack.order.status if ack.order else None) == self.acknowledged
            if ack.order is not None:
                assert fact_of(ack.order) == before[key]._replace(status=ack.order.status)
                assert ack.order.status.live == (key in self.live(stage.server))
            stage.clock.advance(LATER)
            end = replace_status(before.pop(key), OrderStatus.CANCELED)
            assert self.live(stage.server) == before, "another order was touched"
            assert self.ended(stage.server)[key] == end
            await self.reads_as(stage, key, OrderStatus.CANCELED)

    async def reads_as(self, stage: Stage[S], key: OrderKey, status: OrderStatus) -> None:
        """The venue's own word for an order, or, where it reads none, its absence from the list."""
        if stage.venue.capabilities.read_order:
            order = answered(await stage.venue.read(key, stage.port))
            assert (order.status, fact_of(order)) == (status, self.ended(stage.server)[key])
        else:
            assert key not in await stage.listed()

    async def test_many_cancels_at_once_are_each_carried_out_once(self) -> None:
        async with self.stage() as stage:
            keys = [self.place(stage.server) for _ in range(48)]
            await stage.look()
            self.spoil(stage.server, "replay_refused", [])
            asked = stage.port.total
            outcomes = await asyncio.gather(*(stage.venue.cancel(key, stage.port) for key in keys[:-4]))
            assert all(isinstance(one, Answered) for one in outcomes), outcomes
            assert stage.port.total - asked == len(keys) - 4
            stage.clock.advance(LATER)
            assert set(self.live(stage.server)) == set(keys[-4:])

    async def test_many_cancels_at_once_under_a_wrong_clock_are_each_carried_out(self) -> None:
        async with self.stage(skew=-90.0) as stage:
            keys = [self.place(stage.server) for _ in range(24)]
            self.spoil(stage.server, "replay_refused", [])
            outcomes = await asyncio.gather(*(stage.venue.cancel(key, stage.port) for key in keys))
            assert all(isinstance(one, Answered) for one in outcomes), outcomes
            assert stage.port.counts[CallClass.CANCEL] <= 2 * len(keys)
            stage.clock.advance(LATER)
            assert self.live(stage.server) == {}

    async def test_the_cancel_of_an_unknown_order_is_refused_as_not_found_and_touches_nothing(self) -> None:
        async with self.stage(orders=5) as stage:
            stranger = self.stranger(stage)
            before = self.live(stage.server)
            outcome = await stage.venue.cancel(stranger, stage.port)
            assert isinstance(outcome, Refused), outcome
            assert outcome.reason is Reason.NOT_FOUND
            stage.clock.advance(LATER)
            assert self.live(stage.server) == before

    @pytest.mark.parametrize("status", [OrderStatus.FILLED, OrderStatus.CANCELED])
    async def test_the_cancel_of_an_order_that_is_over_is_refused_and_claims_no_end(
        self, status: OrderStatus
    ) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            self.finish(stage.server, key, status)
            outcome = await stage.venue.cancel(key, stage.port)
            assert isinstance(outcome, Refused), outcome
            assert outcome.reason is self.refusal_when_over
            await self.reads_as(stage, key, status)

    async def test_a_second_cancel_does_no_harm_and_claims_no_end(self) -> None:
        async with self.stage() as stage:
            key, other = self.place(stage.server), self.place(stage.server)
            first = await stage.venue.cancel(key, stage.port)
            second = await stage.venue.cancel(key, stage.port)
            assert isinstance(first, Answered), first
            assert isinstance(second, Answered | Refused), second
            if isinstance(second, Refused):
                assert second.reason in (Reason.ORDER, Reason.NOT_FOUND)
            stage.clock.advance(LATER)
            assert set(self.live(stage.server)) == {other}
            await self.reads_as(stage, key, OrderStatus.CANCELED)

    async def test_an_order_that_fills_while_it_is_cancelled_is_filled_with_its_quantity(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server, filled=True)
            quantity = self.live(stage.server)[key].quantity
            self.spoil(stage.server, "fill_race", ["cancel"])
            outcome = await stage.venue.cancel(key, stage.port)
            assert isinstance(outcome, Answered | Refused), outcome
            if isinstance(outcome, Answered) and outcome.value.order is not None:
                assert outcome.value.order.status is not OrderStatus.CANCELED
            stage.clock.advance(LATER)
            end = self.ended(stage.server)[key]
            assert (end.status, end.filled) == (OrderStatus.FILLED, quantity)
            await self.reads_as(stage, key, OrderStatus.FILLED)

    async def test_an_id_that_would_change_the_request_reaches_no_order(self) -> None:
        async with self.stage(orders=5) as stage:
            key = self.place(stage.server)
            before = self.live(stage.server)
            for hostile in HOSTILE_IDS:
                wrong = key._replace(order_id=OrderId(hostile))
                for outcome in (
                    await stage.venue.cancel(wrong, stage.port),
                    await stage.venue.read(wrong, stage.port),
                ):
                    assert isinstance(outcome, NotSent | Refused), (hostile, outcome)
                    if isinstance(outcome, NotSent):
                        assert outcome.hopeless
            stage.clock.advance(LATER)
            assert self.live(stage.server) == before

    async def test_an_empty_id_is_never_sent(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)._replace(order_id=OrderId(""))
            await stage.look()
            asked = stage.port.total
            assert isinstance(await stage.venue.cancel(key, stage.port), NotSent)
            assert stage.port.total == asked

    # ------------------------------------------------------------------ all orders

    async def test_a_cancel_all_reaches_every_order_that_it_declares_and_nothing_else(self) -> None:
        async with self.stage(orders=40) as stage:
            self.place(stage.server, self.symbols[1], filled=True, age=20 * 86_400.0)
            before, asked = self.live(stage.server), stage.port.total
            outcome = await stage.venue.cancel_all(None, stage.port)
            stage.clock.advance(LATER)
            if not stage.venue.capabilities.cancel_all:
                assert isinstance(outcome, NotSent)
                assert (stage.port.total, self.live(stage.server)) == (asked, before)
                return
            ack = answered(outcome)
            assert stage.port.counts[CallClass.CANCEL_ALL] == 1
            assert self.live(stage.server) == {}
            told = {*ack.ids, *(order.key.order_id for order in ack.orders)}
            assert told == {key.order_id for key in before}
            ended = self.ended(stage.server)
            assert {key: ended[key] for key in before} == self.after(before, OrderStatus.CANCELED)
            for order in ack.orders:
                assert fact_of(order) == ended[order.key]
            assert await stage.listed() == {}

    async def test_a_cancel_all_of_one_symbol_leaves_the_others_alone(self) -> None:
        async with self.stage() as stage:
            doomed = [self.place(stage.server, self.symbols[0]) for _ in range(4)]
            spared = [self.place(stage.server, self.symbols[1]) for _ in range(4)]
            before = self.live(stage.server)
            outcome = await stage.venue.cancel_all(self.symbols[0], stage.port)
            stage.clock.advance(LATER)
            if not stage.venue.capabilities.cancel_all_symbol:
                assert isinstance(outcome, NotSent)
                assert (stage.port.total, self.live(stage.server)) == (0, before)
                return
            ack = answered(outcome)
            told = {*ack.ids, *(order.key.order_id for order in ack.orders)}
            assert told == {key.order_id for key in doomed}
            assert set(self.live(stage.server)) == set(spared)

    @pytest.mark.parametrize("symbol", ["", " ", "NO/SUCH", "&symbol=", "../..", "a\r\nb", "\ud800"])
    async def test_a_cancel_all_of_no_real_symbol_cancels_nothing(self, symbol: str) -> None:
        async with self.stage(orders=6) as stage:
            before = self.live(stage.server)
            outcome = await stage.venue.cancel_all(symbol, stage.port)
            assert isinstance(outcome, NotSent | Refused | Answered), outcome
            if isinstance(outcome, Answered):
                assert not outcome.value.ids
                assert not outcome.value.orders
            stage.clock.advance(LATER)
            assert self.live(stage.server) == before

    async def test_a_cancel_all_of_nothing_is_no_failure(self) -> None:
        async with self.stage() as stage:
            if stage.venue.capabilities.cancel_all:
                ack = answered(await stage.venue.cancel_all(None, stage.port))
                assert (ack.ids, ack.orders) == ((), ())

    # ------------------------------------------------------------------ broken lines

    @pytest.mark.parametrize("fault", NO_ANSWER)
    async def test_without_a_usable_answer_nothing_is_claimed_and_nothing_sent_again(
        self, fault: str
    ) -> None:
        async with self.stage(timeout=SHORT if fault == "hang" else PATIENCE) as stage:
            asks = await self.asks_all(stage, self.place(stage.server))
            before, asked = self.live(stage.server), self.arrivals(stage.server)
            self.spoil(stage.server, fault, list(asks))
            outcomes = await asyncio.gather(*(ask() for ask in asks.values()))
            assert {name: type(one) for name, one in zip(asks, outcomes, strict=True)} == dict.fromkeys(
                asks, Unanswered
            )
            assert self.arrivals(stage.server) - asked == len(asks)
            self.assert_silent(stage, outcomes)
            assert self.live(stage.server) == before
            self.mend(stage.server)
            assert isinstance(await asks["list"](), Answered), "the line must come back"

    @pytest.mark.parametrize("fault", NO_ANSWER)
    async def test_a_cancel_whose_answer_is_lost_is_unanswered_and_its_end_is_read_back(
        self, fault: str
    ) -> None:
        async with self.stage(timeout=SHORT if fault == "hang" else PATIENCE) as stage:
            key = self.place(stage.server)
            await stage.look()
            self.spoil(stage.server, f"effect_then_{fault}", ["cancel"])
            assert isinstance(await stage.venue.cancel(key, stage.port), Unanswered)
            assert stage.port.counts[CallClass.CANCEL] == 1
            stage.clock.advance(LATER)
            assert self.ended(stage.server)[key].status is OrderStatus.CANCELED
            self.mend(stage.server)
            await self.reads_as(stage, key, OrderStatus.CANCELED)

    @pytest.mark.parametrize("fault", NO_ANSWER)
    async def test_a_cancel_all_whose_answer_is_lost_is_unanswered(self, fault: str) -> None:
        async with self.stage(timeout=SHORT if fault == "hang" else PATIENCE) as stage:
            if not stage.venue.capabilities.cancel_all:
                return
            keys = {self.place(stage.server) for _ in range(3)}
            self.spoil(stage.server, f"effect_then_{fault}", ["cancel_all"])
            assert isinstance(await stage.venue.cancel_all(None, stage.port), Unanswered)
            assert stage.port.counts[CallClass.CANCEL_ALL] == 1
            stage.clock.advance(LATER)
            assert self.live(stage.server) == {}
            self.mend(stage.server)
            for key in keys:
                await self.reads_as(stage, key, OrderStatus.CANCELED)

    @pytest.mark.parametrize("fault", NO_ANSWER)
    async def test_with_everything_broken_nothing_is_raised_and_nothing_claimed(self, fault: str) -> None:
        async with self.stage(timeout=SHORT if fault == "hang" else PATIENCE) as stage:
            key = self.place(stage.server)
            asks = await self.asks_all(stage, key)
            before = self.live(stage.server)
            self.spoil(stage.server, fault, [])
            async with self.another(stage, timeout=stage.port.timeout) as fresh:
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
                    assert status < 500 or isinstance(outcome, Unanswered) or outcome.reason is Reason.BUSY
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

    # ------------------------------------------------------------------ credentials, clock, limits

    async def test_the_right_credentials_are_found_right(self) -> None:
        async with self.stage() as stage:
            words = answered(await stage.venue.check(stage.port))
            assert words.isprintable()
            self.assert_silent(stage, words)

    async def test_wrong_credentials_are_unauthorised_and_do_nothing(self) -> None:
        async with self.stage(orders=3) as stage:
            key = self.place(stage.server)
            await self.asks_all(stage, key)
            before = self.live(stage.server)
            for wrong in self.wrong_credentials(stage.server):
                async with self.another(stage, wrong) as stranger:
                    asks = stranger.same_asks(key, self.symbols[0])
                    outcomes = {name: await ask() for name, ask in asks.items()}
                    assert {name: type(one) for name, one in outcomes.items()} == (
                        dict.fromkeys(asks, Unauthorised)
                    )
                    self.assert_silent(stage, outcomes)
            stage.clock.advance(LATER)
            assert self.live(stage.server) == before

    @pytest.mark.parametrize("skew", [10.0, -10.0, 90.0, -90.0])
    async def test_a_clock_that_is_off_is_cured_by_one_fresh_signature(self, skew: float) -> None:
        async with self.stage(skew=skew) as stage:
            key = self.place(stage.server)
            await self.asks_all(stage, key)
            refused = self.clock_tolerance is not None and abs(skew) > self.clock_tolerance
            for name in stage.same_asks(key, self.symbols[0]):
                fresh_key = self.place(stage.server)
                async with self.another(stage) as fresh:
                    asks = fresh.same_asks(fresh_key, self.symbols[0])
                    outcome = await asks[name]()
                    assert isinstance(outcome, Answered), (name, outcome)
                    assert fresh.port.statuses[401] == (1 if refused else 0), name
                    assert isinstance(await fresh.venue.check(fresh.port), Answered)
                    assert fresh.port.statuses[401] == (1 if refused else 0), "the cure must last"

    @pytest.mark.parametrize("skew", [0.0, 10.0, -90.0])
    async def test_the_clock_offset_is_measured_to_a_second(self, skew: float) -> None:
        async with self.stage(skew=skew) as stage:
            assert stage.venue.clock_offset is None
            measured = answered(await stage.venue.measure_clock(stage.port))
            assert measured == stage.venue.clock_offset
            assert abs(measured - skew) <= 1.01

    async def test_a_429_is_throttled_with_the_wait_that_the_venue_asks_for(self) -> None:
        async with self.stage() as stage:
            asks = await self.asks_all(stage, self.place(stage.server))
            before, asked = self.live(stage.server), self.arrivals(stage.server)
            self.spoil(stage.server, "throttle", list(asks))
            outcomes = {name: await ask() for name, ask in asks.items()}
            assert {name: type(one) for name, one in outcomes.items()} == dict.fromkeys(asks, Throttled)
            assert {one.retry_after for one in outcomes.values() if isinstance(one, Throttled)} == {1.0}
            assert self.arrivals(stage.server) - asked == len(asks), "a throttled request is not sent again"
            assert self.live(stage.server) == before
            self.mend(stage.server)
            assert isinstance(await asks["list"](), Answered)
            assert isinstance(await asks["cancel"](), Answered)
