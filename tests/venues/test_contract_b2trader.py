"""B2TRADER keeps the adapters' contract, over real sockets and before the practice venue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

import msgspec
import pytest

from cancel_tui.clock import Clock, ManualClock, SystemClock
from cancel_tui.orders import AccountId, Family, OrderId, OrderKey, OrderStatus, OrderType, VenueName
from cancel_tui.practice.b2trader import B2Trader
from cancel_tui.practice.b2trader_wire import market_of
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.practice.venue import Plan
from cancel_tui.venues.base import CallClass
from cancel_tui.venues.outcome import Answered, NotSent, Reason, Refused, Throttled, Unanswered, Unauthorised
from tests.venues.contract_ground import SHORT, Ask, Stage, answered, facts_of
from tests.venues.contract_practice import PracticeContract


class TestB2Trader(PracticeContract[B2Trader]):
    """The inherited contract, and what only this venue has."""

    acknowledged = OrderStatus.CANCELED
    refusal_when_over = Reason.NOT_FOUND
    blind_spots = frozenset({"stop_orders"})
    leaving = lapsing = OrderStatus.OPEN
    absent_list: ClassVar[Mapping[str, bool]] = {"null_list": False, "missing_list": False}
    crowd_pages = 3
    symbols = ("spot.btc_usdt", "perp.eth_usdt")
    routes: ClassVar[Mapping[str, str]] = {"list": "upgrade", "check": "accounts"}

    def adapter_clock(self) -> Clock:
        # The stream is waited for by the adapter's own clock.
        return SystemClock()

    def plan(self, orders: int) -> Plan:
        return Plan(orders=orders, cancel_delay=0.0, enforce_limits=False)

    def make_server(self, clock: ManualClock, orders: int = 0) -> B2Trader:
        return B2Trader(clock, self.plan(orders))

    def wrong_credentials(self, server: B2Trader) -> Sequence[Mapping[str, str]]:
        return (
            {"api_token": "eyJhbGciOiJIUzI1NiJ9.eyJ0eXAiOiJPZmZsaW5lIn0.c2VhbA"},
            {"access_token": "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE5MDAwMDAwMDB9.c2VhbA"},
            {"access_token": server.tokens.issue(-1.0)},
            {"access_token": server.tokens.offline},
        )

    def key_of(self, server: B2Trader, order: SimOrder) -> OrderKey:
        account, family = AccountId(order.account), Family(order.family)
        return OrderKey(VenueName(server.name), account, family, OrderId(order.id))

    def tells(self, server: B2Trader, order: SimOrder) -> Mapping[str, object]:
        return {
            "type": OrderType.LIMIT if order.type == "Limit" else OrderType.MARKET,
            "account": order.account,
            "display_symbol": market_of(order.symbol).display,
            "time_in_force": order.tif.capitalize(),
            "source": order.extra.get("source", "Manual"),
            "trigger_price": None,
            "exchange": None,
        }

    def place(
        self, server: B2Trader, symbol: str | None = None, *, filled: bool = False, age: float = 0.0
    ) -> OrderKey:
        part = Decimal("0.125") if filled else Decimal(0)
        order = server.dealer.place(
            symbol or self.symbols[0], "sell", Decimal("0.5"), Decimal(99000), filled=part, age=age
        )
        return self.key_of(server, order)

    def crowd(self, server: B2Trader) -> None:
        for index in range(2500):
            account = server.accounts[0 if index % 5 else 1]
            quantity = Decimal(index + 1) / 1000
            server.dealer.place(
                ("spot.btc_usdt", "cfd.eur_usd", "perp.eth_usdt")[index % 3],
                "sell" if index % 2 else "buy",
                quantity,
                None if index % 17 == 0 else Decimal("1.05"),
                account=account.id,
                filled=quantity / 8 if index % 7 == 0 else Decimal(0),
                age=index * 311.0,
            )
        self.every_state(server, (State.LEAVING, State.LAPSING, State.PENDING))

    def crowd_of_one_instant(self, server: B2Trader) -> None:
        for _ in range(600):
            self.place(server, age=500.0)

    def beyond(self, server: B2Trader) -> frozenset[OrderKey]:
        return frozenset({self.stop(server)})

    def stop(self, server: B2Trader) -> OrderKey:
        """A waiting Stop order."""
        stop = server.dealer.place_stop("spot.btc_usdt", "sell", Decimal("0.5"), Decimal(90000))
        return self.key_of(server, stop)

    def spoil(self, server: B2Trader, fault: str, asks: Sequence[str]) -> None:
        if fault == "unknown_status":
            server.unknown_enum = True
            for order in server.book.orders.values():
                order.extra["serial"] = "3"
        else:
            super().spoil(server, fault, asks)

    async def asks_all(self, stage: Stage[B2Trader], key: OrderKey) -> dict[str, Ask]:
        # With a token, but without an open socket: the faults of a list are those of its upgrade.
        await stage.look()
        return stage.same_asks(key, self.symbols[0])

    # Lists

    async def test_a_snapshot_of_more_than_a_mebibyte_arrives_whole(self) -> None:
        async with self.stage() as stage:
            self.crowd(stage.server)
            first = stage.server.accounts[0].id
            rows = [
                stage.server.wire.stream_order(order)
                for order in stage.server.book.live()
                if order.account == first
            ]
            assert len(msgspec.json.encode(rows)) > 1 << 20
            stage.server.coalesce = True
            assert facts_of(list((await stage.listed()).values())) == self.live(stage.server)

    async def test_numbers_for_strings_and_any_fraction_of_a_second_are_read(self) -> None:
        async with self.stage(orders=40) as stage:
            strings = await stage.listed()
            stage.server.number_decimals = True
            numbers = await stage.listed()
            assert facts_of(list(numbers.values())) == facts_of(list(strings.values()))
            for key, order in numbers.items():
                assert order.price == strings[key].price
                assert order.created_at is not None
                assert abs(order.created_at - self.order_of(stage.server, key).created) < 1.0

    @pytest.mark.parametrize("fault", ["no_snapshot", "stream_error", "handshake"])
    async def test_a_stream_that_says_nothing_is_no_empty_list(self, fault: str) -> None:
        async with self.stage(timeout=SHORT) as stage:
            self.place(stage.server)
            (part, *_) = await stage.look()
            if fault == "handshake":
                stage.server.handshake_error = "\x1b[31mno"
            else:
                stage.server.faults = {fault}
            outcome = await stage.venue.list_part(part, stage.port)
            assert isinstance(outcome, Unanswered), outcome
            stage.server.handshake_error = None
            self.mend(stage.server)
            async with self.another(stage) as fresh:
                assert len(await fresh.listed()) == 1

    @pytest.mark.parametrize("fault", ["stream_end", "stream_close", "stream_drop"])
    async def test_a_stream_that_ends_behind_its_list_is_opened_again(self, fault: str) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            (part, *_) = await stage.look()
            stage.server.faults = {f"{fault}@stream"}
            for _ in range(3):
                outcome = await stage.venue.list_part(part, stage.port)
                if isinstance(outcome, Answered):
                    assert [order.key for order in outcome.value.orders] == [key]
                else:
                    assert isinstance(outcome, Unanswered), outcome
            self.mend(stage.server)
            # A line that was cut behind its list may be noticed by the next list only.
            await stage.venue.list_part(part, stage.port)
            assert set(await stage.listed()) == {key}

    async def test_a_venue_that_sends_nothing_when_there_is_nothing_proves_nothing(self) -> None:
        async with self.stage(timeout=SHORT) as stage:
            (part, *_) = await stage.look()
            stage.server.stream_mode = "nothing_when_empty"
            assert isinstance(await stage.venue.list_part(part, stage.port), Unanswered)

    @pytest.mark.parametrize("mode", ["full", "changed", "changed_final"])
    async def test_each_list_is_a_fresh_one_whatever_later_items_hold(self, mode: str) -> None:
        async with self.stage() as stage:
            keys = [self.place(stage.server) for _ in range(4)]
            stage.server.stream_mode, stage.server.push_spacing = mode, 0.0
            assert set(await stage.listed()) == set(keys)
            self.finish(stage.server, keys[0], OrderStatus.FILLED)
            self.finish(stage.server, keys[1], OrderStatus.CANCELED)
            fresh = self.place(stage.server)
            assert set(await stage.listed()) == {fresh, *keys[2:]}

    async def test_a_forbidden_upgrade_is_unauthorised_and_a_busy_one_throttled(self) -> None:
        async with self.stage() as stage:
            (part, *_) = await stage.look()
            stage.server.faults = {"upgrade_403"}
            assert isinstance(await stage.venue.list_part(part, stage.port), Unauthorised)
            stage.server.faults = {"throttle_plain@upgrade"}
            outcome = await stage.venue.list_part(part, stage.port)
            assert isinstance(outcome, Throttled)
            assert outcome.retry_after is None

    async def test_undocumented_lists_are_used_where_the_venue_has_them(self) -> None:
        async with self.stage(probe_rest_lists=True) as stage:
            order, stop = self.place(stage.server), self.stop(stage.server)
            assert set(await stage.listed()) == {order}
            assert set(stage.venue.capabilities.blind_spots) == self.blind_spots
            stage.server.rest_lists = True
            assert set(await stage.listed()) == {order, stop}
            assert not stage.venue.capabilities.blind_spots
            answered(await stage.venue.cancel(stop, stage.port))
            assert set(await stage.listed()) == {order}

    # Accounts

    async def test_only_configured_accounts_are_listed_and_the_others_are_named(self) -> None:
        async with self.stage() as probe:
            # Accounts follow from the seed, so that they are the same on the next stage.
            first, second, third = (account.id for account in probe.server.accounts)
        async with self.stage(accounts=(second,)) as stage:
            self.place(stage.server)
            mine = self.key_of(
                stage.server,
                stage.server.dealer.place("cfd.eur_usd", "buy", Decimal(1000), Decimal(1), account=second),
            )
            parts = answered(await stage.venue.parts(stage.port))
            assert set(parts.blind_spots) == {f"account:{first}", f"account:{third}"}
            assert set(await stage.listed()) == {mine}

    async def test_an_order_is_cancelled_in_its_own_account_only(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            for account, reason in (
                (AccountId(stage.server.accounts[1].id), Reason.NOT_FOUND),
                (AccountId("66f0ffffffffffffffffffff"), None),
                (AccountId("x\r\nX-Injected: 1"), None),
                (None, None),
            ):
                outcome = await stage.venue.cancel(key._replace(account=account), stage.port)
                assert isinstance(outcome, Refused | Unauthorised | NotSent), outcome
                assert reason is None or getattr(outcome, "reason", None) is reason
            assert set(self.live(stage.server)) == {key}

    # Cancels

    @pytest.mark.parametrize("end", ["cancelled", "completed"])
    async def test_a_cancel_that_takes_its_time_is_live_until_its_end(self, end: str) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            stage.server.async_cancel, stage.server.async_outcome = True, end
            ack = answered(await stage.venue.cancel(key, stage.port))
            assert ack.order is not None
            assert ack.order.status is OrderStatus.OPEN
            assert set(await stage.listed()) == {key}
            stage.clock.advance(5.0)
            assert await stage.listed() == {}

    async def test_a_fill_that_the_answer_tells_is_filled_with_its_quantity(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server, filled=True)
            stage.server.faults = {"fill_race_completed"}
            ack = answered(await stage.venue.cancel(key, stage.port))
            assert ack.order is not None
            assert (ack.order.status, ack.order.filled) == (OrderStatus.FILLED, Decimal("0.5"))

    @pytest.mark.parametrize("shape", ["problem", "errors", "empty", "html"])
    @pytest.mark.parametrize("code", [400, 404, 409, 422])
    async def test_every_way_to_refuse_a_finished_order_is_a_refusal_and_no_end(
        self, shape: str, code: int
    ) -> None:
        async with self.stage() as stage:
            stage.server.error_shape, stage.server.finished_cancel_code = shape, code
            key = self.place(stage.server)
            self.finish(stage.server, key, OrderStatus.FILLED)
            outcome = await stage.venue.cancel(key, stage.port)
            assert isinstance(outcome, Refused), outcome
            assert outcome.reason is (Reason.NOT_FOUND if code == 404 else Reason.ORDER)

    async def test_a_stop_order_is_cancelled_by_its_own_call(self) -> None:
        async with self.stage() as stage:
            stop, order = self.stop(stage.server), self.place(stage.server)
            ack = answered(await stage.venue.cancel(stop, stage.port))
            assert ack.order is not None
            assert (ack.order.key, ack.order.status) == (stop, OrderStatus.CANCELED)
            assert set(self.live(stage.server)) == {order}
            wrong = await stage.venue.cancel(order._replace(family=Family.STOP), stage.port)
            assert isinstance(wrong, Refused)
            assert set(self.live(stage.server)) == {order}

    async def test_a_stop_that_triggers_while_it_is_cancelled_is_not_called_canceled(self) -> None:
        async with self.stage() as stage:
            stop = self.stop(stage.server)
            stage.server.faults = {"stop_triggers"}
            ack = answered(await stage.venue.cancel(stop, stage.port))
            assert ack.order is not None
            assert ack.order.status.live
            (placed,) = (await stage.listed()).values()
            assert placed.key.order_id != stop.order_id

    # Tokens

    @pytest.mark.parametrize("why", ["revoked", "an hour old"])
    async def test_tokens_that_ended_are_exchanged_once_for_everybody(self, why: str) -> None:
        async with self.stage() as stage:
            keys = [self.place(stage.server) for _ in range(30)]
            await stage.listed()
            others = stage.port.counts[CallClass.OTHER]
            if why == "revoked":
                stage.server.expire_tokens()
            else:
                stage.clock.advance(3700.0)
            outcomes = await asyncio.gather(*(stage.venue.cancel(key, stage.port) for key in keys))
            assert all(isinstance(one, Answered) for one in outcomes), outcomes
            assert stage.port.counts[CallClass.OTHER] == others + 1
            assert await stage.listed() == {}

    async def test_an_open_socket_whose_token_ends_is_opened_with_a_new_one(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            await stage.listed()
            stage.server.expire_tokens()
            assert set(await stage.listed()) == {key}

    async def test_an_exchange_that_fails_sends_no_cancel(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            stage.server.faults = {"http500@exchange"}
            outcome = await stage.venue.cancel(key, stage.port)
            assert isinstance(outcome, NotSent)
            assert stage.port.counts[CallClass.CANCEL] == 0
            self.mend(stage.server)
            stage.clock.advance(1.0)
            assert set(self.live(stage.server)) == {key}
