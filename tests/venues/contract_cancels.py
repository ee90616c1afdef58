"""The contract suite on cancels: of one order, of many, of all, and what their answers may claim."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TypeVar

import pytest

from cancel_tui.orders import OrderId, OrderKey, OrderStatus
from cancel_tui.venues.base import CallClass, Reply, WritesCancels
from cancel_tui.venues.outcome import (
    Answered,
    NotSent,
    Reason,
    Refused,
    Unanswered,
)
from tests.venues.contract_ground import (
    LATER,
    AheadPort,
    Server,
    Stage,
    answered,
    fact_of,
    replace_status,
)
from tests.venues.contract_lists import ListContract

S = TypeVar("S", bound=Server)

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


class CancelContract(ListContract[S]):
    """Cancels that are answered."""

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

    async def test_a_cancel_that_leaves_ahead_is_the_same_and_its_answer_means_the_same(self) -> None:
        async with self.stage(orders=12) as stage:
            one, other = self.place(stage.server), self.place(stage.server)
            ordinary = answered(await stage.venue.cancel(one, stage.port))
            assert isinstance(stage.venue, WritesCancels)
            message = stage.venue.cancel_message(other)
            assert message is not None
            before, asked = self.live(stage.server), stage.port.total
            raw = await stage.port.wire.exchange(message, stage.port.timeout)
            ahead = answered(await stage.venue.cancel(other, AheadPort(stage.port, raw)))
            assert stage.port.total == asked, "nothing else was sent"
            assert (ahead.order and ahead.order.status) == (ordinary.order and ordinary.order.status)
            stage.clock.advance(LATER)
            before.pop(one, None)
            end = replace_status(before.pop(other), OrderStatus.CANCELED)
            assert self.live(stage.server) == before, "another order was touched"
            assert self.ended(stage.server)[other] == end

    async def test_a_refusal_of_a_cancel_that_left_ahead_means_the_same(self) -> None:
        async with self.stage(orders=5) as stage:
            stranger = self.stranger(stage)
            ordinary = await stage.venue.cancel(stranger, stage.port)
            assert isinstance(stage.venue, WritesCancels)
            message = stage.venue.cancel_message(stranger)
            assert message is not None
            raw = await stage.port.wire.exchange(message, stage.port.timeout)
            assert await stage.venue.cancel(stranger, AheadPort(stage.port, raw)) == ordinary

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

    async def test_an_answer_that_names_another_order_is_no_answer(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            asks = await self.asks_all(stage, key)
            self.spoil(stage.server, "wrong_id", [])
            if "read" in asks:
                assert isinstance(await asks["read"](), Unanswered)
            if self.acknowledged is not None:
                assert isinstance(await asks["cancel"](), Unanswered)

    async def test_an_id_that_would_change_the_request_reaches_no_order(self) -> None:
        async with self.stage(orders=5) as stage:
            key = self.place(stage.server)
            before = self.live(stage.server)
            answered(await stage.venue.check(stage.port))
            for hostile in HOSTILE_IDS:
                wrong = key._replace(order_id=OrderId(hostile))
                await self.goes_ahead_no_further(stage, wrong)
                for outcome in (
                    await stage.venue.cancel(wrong, stage.port),
                    await stage.venue.read(wrong, stage.port),
                ):
                    assert isinstance(outcome, NotSent | Refused), (hostile, outcome)
                    if isinstance(outcome, NotSent):
                        assert outcome.hopeless
            stage.clock.advance(LATER)
            assert self.live(stage.server) == before

    async def goes_ahead_no_further(self, stage: Stage[S], wrong: OrderKey) -> None:
        """A hostile id is refused before a request of it exists, or is one that the venue refuses."""
        assert isinstance(stage.venue, WritesCancels)
        with contextlib.suppress(ValueError):
            message = stage.venue.cancel_message(wrong)
            assert message is not None
            raw = await stage.port.wire.exchange(message, stage.port.timeout)
            assert isinstance(raw, Reply)
            assert raw.status >= 400

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
            assert symbol or isinstance(outcome, NotSent)
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
