"""P99 spot keeps the adapters' contract, over real sockets and before the practice venue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

import pytest

from cancel_tui.clock import ManualClock
from cancel_tui.orders import OrderKey, OrderStatus, OrderType
from cancel_tui.practice.market import SimOrder
from cancel_tui.practice.p99 import P99Spot
from cancel_tui.venues.base import CallClass
from cancel_tui.venues.outcome import Answered, Reason, Refused, Unanswered, Unauthorised
from tests.venues.contract_ground import answered
from tests.venues.contract_practice import PracticeContract


class TestP99(PracticeContract[P99Spot]):
    """The inherited contract, and what only this venue has."""

    acknowledged = OrderStatus.CANCELED
    refusal_when_over = Reason.NOT_FOUND
    clock_tolerance = 5.0
    leaving = lapsing = OrderStatus.OPEN
    absent_list: ClassVar[Mapping[str, bool]] = {"null_list": False, "missing_list": False}
    crowd_pages = 3 + 2
    closed_crowd = 500
    symbols = ("DFUSDT", "ETHUSDT")
    routes: ClassVar[Mapping[str, str]] = {
        "read": "status",
        "closed": "list",
        "check": "list",
        "cancel_symbol": "cancel_all",
    }

    def make_server(self, clock: ManualClock, orders: int = 0) -> P99Spot:
        return P99Spot(clock, self.plan(orders))

    def wrong_credentials(self, server: P99Spot) -> Sequence[Mapping[str, str]]:
        right = self.credentials(server)
        return (
            {"api_key": right["api_key"], "api_secret": "not-the-secret-of-this-key"},
            {"api_key": "another-key", "api_secret": right["api_secret"]},
            {"jwt": "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE5MDAwMDAwMDB9.c2VhbA"},
            {"jwt": server.issue_jwt(-1.0)},
        )

    def is_mine(self, order: SimOrder) -> bool:
        return not order.account

    def tells(self, server: P99Spot, order: SimOrder) -> Mapping[str, object]:
        return {
            "type": OrderType.LIMIT,
            "time_in_force": order.tif,
            "created_at": int(order.created),
            "account": None,
            "exchange": None,
        }

    def place(
        self, server: P99Spot, symbol: str | None = None, *, filled: bool = False, age: float = 0.0
    ) -> OrderKey:
        part = "3.25" if filled else "0"
        order = server.place(symbol or self.symbols[0], quantity="12.5", filled=part, age=age)
        return self.key_of(server, order)

    def crowd(self, server: P99Spot) -> None:
        for index in range(900):
            server.place(
                ("DFUSDT", "ETHUSDT", "BTCUSDT")[index % 3],
                "sell" if index % 2 else "buy",
                quantity=Decimal(index + 1) / 100,
                filled=Decimal(index + 1) / 400 if index % 3 == 1 else "0",
                # Neighbours share a second, also across the edge of a page.
                age=index // 7 * 7.0,
            )
        for index in range(30):
            server.place(age=60.0 * index, account="0xsomebody")

    def crowd_of_one_instant(self, server: P99Spot) -> None:
        for _ in range(450):
            self.place(server, age=500.0)

    async def test_orders_that_fill_in_part_between_the_two_lists_are_seen(self) -> None:
        async with self.stage() as stage:
            keys = {self.place(stage.server, age=5.0 * index) for index in range(230)}
            stage.server.faults = {"partial_between_lists"}
            assert set(await stage.listed()) == keys

    async def test_another_users_order_is_neither_listed_nor_cancelled(self) -> None:
        async with self.stage() as stage:
            theirs = self.key_of(stage.server, stage.server.place(account="0xsomebody"))
            assert await stage.listed() == {}
            assert isinstance(await stage.venue.cancel(theirs, stage.port), Unauthorised)
            assert answered(await stage.venue.cancel_all(None, stage.port)).orders == ()
            stage.server.foreign_not_found = True
            outcome = await stage.venue.cancel(theirs, stage.port)
            assert isinstance(outcome, Refused)
            assert outcome.reason is Reason.NOT_FOUND
            assert self.order_of(stage.server, theirs).state.live

    @pytest.mark.parametrize("fault", ["engine_busy", "engine_restarting", "trading_disabled"])
    async def test_an_engine_that_is_away_did_nothing_and_lists_go_on(self, fault: str) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            asks = await self.asks_all(stage, key)
            stage.server.faults = {fault}
            for name in ("cancel", "cancel_all", "cancel_symbol"):
                outcome = await asks[name]()
                assert isinstance(outcome, Refused), (name, outcome)
                assert outcome.reason is (Reason.HALTED if fault == "trading_disabled" else Reason.BUSY)
            assert set(await stage.listed()) == {key}

    async def test_a_cancel_all_that_stops_half_way_shows_what_is_left(self) -> None:
        async with self.stage() as stage:
            for _ in range(9):
                self.place(stage.server)
            stage.server.faults = {"cancel_all_half"}
            outcome = await stage.venue.cancel_all(None, stage.port)
            assert isinstance(outcome, Unanswered | Refused), outcome
            assert len(await stage.listed()) == 4

    async def test_a_fill_beside_a_cancel_all_is_not_among_the_canceled(self) -> None:
        async with self.stage() as stage:
            old, young = self.place(stage.server, age=9.0), self.place(stage.server)
            stage.server.faults = {"fill_race"}
            ack = answered(await stage.venue.cancel_all(None, stage.port))
            assert [order.key for order in ack.orders] == [young]
            await self.reads_as(stage, old, OrderStatus.FILLED)

    async def test_a_jwt_does_what_a_key_does(self) -> None:
        async with self.stage() as stage, self.another(stage, {"jwt": stage.server.issue_jwt()}) as bearer:
            key = self.place(stage.server)
            for name, ask in (await self.asks_all(bearer, key)).items():
                if not name.startswith("cancel"):
                    assert isinstance(await ask(), Answered), name
            assert isinstance(await bearer.venue.cancel(key, bearer.port), Answered)

    async def test_a_key_without_the_right_to_cancel_is_told_what_to_use(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            stage.server.faults = {"key_cannot_cancel"}
            outcome = await stage.venue.cancel(key, stage.port)
            assert isinstance(outcome, Unauthorised)
            assert outcome.status == 403
            assert "jwt" in str(outcome.message)
            assert stage.port.counts[CallClass.CANCEL] == 1

    async def test_many_refused_for_the_clock_measure_it_once(self) -> None:
        async with self.stage(skew=-40.0) as stage:
            keys = [self.place(stage.server) for _ in range(20)]
            outcomes = await asyncio.gather(*(stage.venue.cancel(key, stage.port) for key in keys))
            assert all(isinstance(one, Answered) for one in outcomes), outcomes
            assert stage.port.counts[CallClass.OTHER] == 1

    async def test_a_window_of_one_second_ahead_is_enough(self) -> None:
        async with self.stage(skew=2.6) as stage:
            stage.server.keys.ahead_ms = 1000
            key = self.place(stage.server)
            answered(await stage.venue.measure_clock(stage.port))
            assert isinstance(await stage.venue.cancel(key, stage.port), Answered)
            assert stage.port.statuses[401] == 0

    async def test_a_wrong_spelling_of_a_symbol_cancels_nothing(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            assert answered(await stage.venue.cancel_all("dfusdt", stage.port)).orders == ()
            stage.server.faults = {"strict_symbols"}
            assert isinstance(await stage.venue.cancel_all("dfusdt", stage.port), Refused)
            assert set(self.live(stage.server)) == {key}
