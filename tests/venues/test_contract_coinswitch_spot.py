"""CoinSwitch spot keeps the adapters' contract, over real sockets and before the practice venue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

import pytest

from cancel_tui.clock import ManualClock
from cancel_tui.orders import OrderKey, OrderStatus, OrderType
from cancel_tui.practice.coinswitch_auth import KeyPair
from cancel_tui.practice.coinswitch_base import Window
from cancel_tui.practice.coinswitch_spot import CoinSwitchSpot
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.venues.outcome import Answered, Reason, Refused, Throttled
from tests.venues.contract_ground import answered, facts_of
from tests.venues.contract_practice import PracticeContract


class TestCoinSwitchSpot(PracticeContract[CoinSwitchSpot]):
    """The inherited contract, and what only this venue has."""

    acknowledged = OrderStatus.PENDING_CANCEL
    refusal_when_over = Reason.ORDER
    clock_tolerance = 60.0
    absent_list: ClassVar[Mapping[str, bool]] = {"null_list": True, "missing_list": True}
    crowd_pages = 3
    closed_crowd = 1100
    symbols = ("BTC/INR", "ETH/INR")
    routes: ClassVar[Mapping[str, str]] = {
        "read": "status",
        "closed": "list",
        "check": "validate",
    }

    def make_server(self, clock: ManualClock, orders: int = 0) -> CoinSwitchSpot:
        return CoinSwitchSpot(clock, self.plan(orders))

    def wrong_credentials(self, server: CoinSwitchSpot) -> Sequence[Mapping[str, str]]:
        other = KeyPair.generate()
        right = self.credentials(server)
        return (
            {"api_key": other.api_key, "api_secret": other.api_secret},
            {"api_key": right["api_key"], "api_secret": other.api_secret},
            {"api_key": other.api_key, "api_secret": right["api_secret"]},
        )

    def tells(self, server: CoinSwitchSpot, order: SimOrder) -> Mapping[str, object]:
        return {
            "type": OrderType.LIMIT,
            "exchange": order.extra["exchange"],
            "source": order.extra["source"],
            "account": None,
            "trigger_price": None,
            "reduce_only": None,
            "time_in_force": None,
        }

    def place(
        self, server: CoinSwitchSpot, symbol: str | None = None, *, filled: bool = False, age: float = 0.0
    ) -> OrderKey:
        part = Decimal("0.00312") if filled else Decimal(0)
        order = server.place(symbol or self.symbols[0], quantity=Decimal("0.01234"), filled=part, age=age)
        return self.key_of(server, order)

    def crowd(self, server: CoinSwitchSpot) -> None:
        for index in range(1300):
            symbol = ("BTC/INR", "SHIB/INR", "BTC/USDT")[index % 3]
            exchange = ("coinswitchx", "coinswitchx", "c2c2")[index % 3]
            quantity = Decimal(index + 1) / 100_000 + 1
            # Neighbours share a second, as on the wire, also across the edge of a page.
            server.place(
                symbol,
                "sell" if index % 2 else "buy",
                quantity=quantity,
                exchange=exchange,
                age=10.0 + index // 4 * 97,
                filled=quantity / 8 if index % 7 == 0 else Decimal(0),
                source="APP" if index % 11 == 0 else "API_TRADING",
            )
        self.every_state(server, (State.LEAVING, State.LAPSING, State.PENDING))

    def crowd_of_one_instant(self, server: CoinSwitchSpot) -> None:
        for index in range(1200):
            self.place(server, self.symbols[index % 2], age=500.0)

    @pytest.mark.parametrize("fault", ["count_refused", "count_capped"])
    async def test_a_venue_that_gives_fewer_rows_than_asked_for_is_read_all_the_same(
        self, fault: str
    ) -> None:
        async with self.stage() as stage:
            self.crowd(stage.server)
            stage.server.faults = {fault}
            assert facts_of(list((await stage.listed()).values())) == self.live(stage.server)

    @pytest.mark.parametrize("cap", [set[str](), {"count_capped"}, {"count_refused"}])
    async def test_a_list_that_begins_with_the_oldest_is_read_to_the_newest(self, cap: set[str]) -> None:
        async with self.stage() as stage:
            self.crowd(stage.server)
            stage.server.faults = {"oldest_first", *cap}
            assert facts_of(list((await stage.listed()).values())) == self.live(stage.server)

    @pytest.mark.parametrize("cap", [set[str](), {"count_capped"}, {"count_refused"}])
    async def test_a_list_in_no_order_of_time_is_whole_or_called_incomplete(self, cap: set[str]) -> None:
        async with self.stage() as stage:
            self.crowd(stage.server)
            stage.server.faults = {"unsorted", *cap}
            (one,) = await stage.lists()
            truth = self.live(stage.server)
            assert facts_of(one.orders).items() <= truth.items()
            assert len(one.orders) == len(truth) or not one.complete

    async def test_a_cancel_without_delay_is_answered_as_done(self) -> None:
        async with self.stage() as stage:
            stage.server.plan = replace(stage.server.plan, cancel_delay=0.0)
            key = self.place(stage.server)
            ack = answered(await stage.venue.cancel(key, stage.port))
            assert ack.order is not None
            assert ack.order.status is OrderStatus.CANCELED

    async def test_a_cancel_that_the_venue_takes_back_leaves_the_order_live(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            stage.server.faults = {"cancel_reverts"}
            answered(await stage.venue.cancel(key, stage.port))
            stage.clock.advance(5.0)
            assert answered(await stage.venue.read(key, stage.port)).status is OrderStatus.OPEN
            assert key in await stage.listed()

    async def test_a_locked_venue_did_nothing_and_asks_to_come_again(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            self.spoil(stage.server, "http423", ["cancel"])
            outcome = await stage.venue.cancel(key, stage.port)
            assert isinstance(outcome, Refused)
            assert outcome.reason is Reason.HALTED
            assert set(self.live(stage.server)) == {key}

    async def test_a_429_as_a_web_page_without_a_wait_is_throttled(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            stage.server.plan = replace(stage.server.plan, enforce_limits=True)
            stage.server.limits["cancel"] = Window(stage.clock, 1, 10.0)
            stage.server.faults = {"html429"}
            assert isinstance(await stage.venue.cancel(key, stage.port), Answered)
            outcome = await stage.venue.cancel(key, stage.port)
            assert isinstance(outcome, Throttled)
            assert outcome.retry_after is None
