"""CoinSwitch futures keeps the adapters' contract, over real sockets and before the practice venue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

import pytest

from cancel_tui.clock import ManualClock
from cancel_tui.orders import OrderKey, OrderStatus, OrderType
from cancel_tui.practice.coinswitch_auth import KeyPair
from cancel_tui.practice.coinswitch_futures import CoinSwitchFutures
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.venues.base import CallClass, Touched
from cancel_tui.venues.outcome import Answered, Reason, Refused, Throttled
from tests.venues.contract_ground import answered, facts_of
from tests.venues.contract_practice import PracticeContract

DAY = 86_400.0


class TestCoinSwitchFutures(PracticeContract[CoinSwitchFutures]):
    """The inherited contract, and what only this venue has."""

    acknowledged = OrderStatus.PENDING_CANCEL
    refusal_when_over = Reason.ORDER
    clock_tolerance = 60.0
    blind_spots = frozenset({"hft", "older_than:91d"})
    absent_list: ClassVar[Mapping[str, bool]] = {"null_list": True, "missing_list": True}
    crowd_pages = 14 + 3 + 1
    closed_crowd = 160
    symbols = ("BTCUSDT", "DOGEUSDT")
    routes: ClassVar[Mapping[str, str]] = {"read": "status", "check": "list", "cancel_symbol": "cancel_all"}

    def make_server(self, clock: ManualClock, orders: int = 0) -> CoinSwitchFutures:
        return CoinSwitchFutures(clock, self.plan(orders))

    def wrong_credentials(self, server: CoinSwitchFutures) -> Sequence[Mapping[str, str]]:
        other = KeyPair.generate()
        return (
            {"api_key": other.api_key, "api_secret": other.api_secret},
            {"api_key": self.credentials(server)["api_key"], "api_secret": other.api_secret},
        )

    def tells(self, server: CoinSwitchFutures, order: SimOrder) -> Mapping[str, object]:
        types = {"STOP_MARKET": OrderType.STOP, "TAKE_PROFIT_MARKET": OrderType.TAKE_PROFIT}
        return {
            "type": types.get(order.type, OrderType.LIMIT),
            "exchange": "EXCHANGE_2",
            "trigger_price": order.trigger,
            "reduce_only": bool(order.extra["reduce_only"]),
            "created_at": pytest.approx(order.created, abs=0.001),
            "account": None,
        }

    def place(
        self, server: CoinSwitchFutures, symbol: str | None = None, *, filled: bool = False, age: float = 0.0
    ) -> OrderKey:
        part = Decimal("0.003") if filled else Decimal(0)
        order = server.place(symbol or self.symbols[0], quantity=Decimal("0.017"), filled=part, age=age)
        return self.key_of(server, order)

    def crowd(self, server: CoinSwitchFutures) -> None:
        markets = ("BTCUSDT", "ETHUSDT", "1000PEPEUSDT")
        for index in range(170):
            server.place(markets[index % 3], "sell" if index % 2 else "buy", age=index * 3000.5)
        for index in range(120):
            age = (8 + 82.9 * index / 120) * DAY
            part = Decimal("0.001") if index % 5 == 0 else Decimal(0)
            server.place(markets[index % 3], quantity=Decimal("0.02"), age=age, filled=part)
        for index in range(70):
            # More than a page within a minute, weeks ago.
            server.place(markets[0], age=30 * DAY + index)
        for index in range(9):
            server.place(order_type=("STOP_MARKET", "TAKE_PROFIT_MARKET")[index % 2], age=index * 9 * DAY)
        self.every_state(server, (State.LEAVING, State.LAPSING, State.PENDING))

    def crowd_of_one_instant(self, server: CoinSwitchFutures) -> None:
        for _ in range(120):
            self.place(server, age=500.0)

    def beyond(self, server: CoinSwitchFutures) -> frozenset[OrderKey]:
        return frozenset({self.place(server, age=92 * DAY), self.place(server, age=400 * DAY)})

    async def test_orders_at_the_edges_of_the_windows_are_listed_once(self) -> None:
        async with self.stage() as stage:
            for days in range(1, 90):
                for seconds in (-1.0, -0.001, 0.0, 0.001, 1.0):
                    self.place(stage.server, age=days * DAY + seconds)
            assert facts_of(list((await stage.listed()).values())) == self.live(stage.server)

    async def test_a_cancel_all_takes_protective_and_old_orders_as_it_declares(self) -> None:
        async with self.stage() as stage:
            stop = stage.server.place(order_type="STOP_MARKET", age=60 * DAY)
            assert stage.venue.capabilities.cancel_all_takes_protective
            ack = answered(await stage.venue.cancel_all(None, stage.port))
            assert ack.ids == (stop.id,)
            stage.clock.advance(5.0)
            assert self.live(stage.server) == {}

    async def test_a_cancel_all_that_leaves_old_orders_says_so_by_the_ids(self) -> None:
        async with self.stage() as stage:
            young, old = self.place(stage.server), self.place(stage.server, age=9 * DAY)
            stage.server.faults = {"recent_only"}
            assert answered(await stage.venue.cancel_all(None, stage.port)).ids == (young.order_id,)
            stage.clock.advance(5.0)
            assert set(await stage.listed()) == {old}

    @pytest.mark.parametrize("fault", ["nothing_refused", "null_list", "missing_list"])
    async def test_a_cancel_all_of_nothing_may_be_told_in_other_ways(self, fault: str) -> None:
        async with self.stage() as stage:
            stage.server.faults = {fault}
            outcome = await stage.venue.cancel_all(None, stage.port)
            if fault == "nothing_refused":
                assert isinstance(outcome, Refused)
                assert outcome.reason is Reason.ORDER
            else:
                assert answered(outcome).ids == ()

    async def test_a_part_execution_is_live_until_the_closed_list_has_it(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server, filled=True)
            await self.asks_all(stage, key)
            assert answered(await stage.venue.read(key, stage.port)).status is OrderStatus.PARTIALLY_FILLED
            self.finish(stage.server, key, OrderStatus.CANCELED)
            stage.server.faults = {"partial_end"}
            read = answered(await stage.venue.read(key, stage.port))
            assert read.venue_status is not None
            assert (read.venue_status.raw, read.status.live) == ("PARTIALLY_EXECUTED", True)
            assert stage.query is not None
            (row,) = answered(await stage.venue.closed_page(stage.query, stage.port)).orders
            assert (row.status, row.filled) == (OrderStatus.CANCELED, Decimal("0.003"))

    async def test_orders_that_a_cancel_all_only_named_are_found_among_the_finished_ones(self) -> None:
        async with self.stage() as stage:
            ages = [60.0 * index for index in range(70)] + [9.0 * DAY * index for index in range(1, 11)]
            keys = {self.place(stage.server, age=age) for age in ages}
            named = answered(await stage.venue.cancel_all(None, stage.port)).ids
            assert set(named) == {key.order_id for key in keys}
            stage.clock.advance(5.0)
            plan = stage.venue.closed_plan([Touched(key) for key in keys])
            assert plan.covers == keys
            assert await self._closed(stage, plan.queries) == self.ended(stage.server)

    async def test_the_limits_that_the_venue_enforces_are_those_that_are_declared(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            asks = await self.asks_all(stage, key)
            stage.clock.advance(60.0)
            stage.server.plan = replace(stage.server.plan, enforce_limits=True)
            stage.server.faults = {"retry_after"}
            for name, call in (
                ("cancel", CallClass.CANCEL),
                ("cancel_all", CallClass.CANCEL_ALL),
                ("read", CallClass.STATUS),
                ("list", CallClass.LIST),
                ("closed", CallClass.CLOSED),
            ):
                budget = stage.venue.capabilities.budgets[call]
                outcomes = [await asks[name]() for _ in range(budget.count + 1)]
                assert not any(isinstance(one, Throttled) for one in outcomes[:-1]), name
                assert isinstance(outcomes[-1], Throttled)
                assert outcomes[-1].retry_after == budget.seconds
                stage.clock.advance(budget.seconds)
                assert isinstance(await asks[name](), Answered | Refused)
