"""Roxom keeps the adapters' contract, over real sockets and before the practice venue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import ClassVar

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cancel_tui.clock import ManualClock
from cancel_tui.orders import OrderKey, OrderStatus, OrderType
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.practice.roxom import Roxom
from cancel_tui.practice.roxom_market import INST_TYPES
from cancel_tui.venues.base import Part
from cancel_tui.venues.outcome import Answered, Reason, Refused, Unanswered
from tests.venues.contract_ground import answered, facts_of
from tests.venues.contract_practice import PracticeContract


@cache
def rsa_key(which: int) -> rsa.RSAPrivateKey:
    """One of a few keys for all tests of a process: making one takes a moment."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    """A private key as the venue hands it out."""
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*form).decode()


class TestRoxom(PracticeContract[Roxom]):
    """The inherited contract, and what only this venue has."""

    acknowledged = None
    refusal_when_over = Reason.ORDER
    pending_new = OrderStatus.PENDING_NEW
    lapsing = OrderStatus.OPEN
    expired = OrderStatus.CANCELED
    absent_list: ClassVar[Mapping[str, bool]] = {"null_list": True, "missing_list": False}
    crowd_pages = len(INST_TYPES)
    closed_crowd = 60
    symbols = ("GOLD-BTC", "ETH-BTC")
    routes: ClassVar[Mapping[str, str]] = {"read": "status", "check": "list"}

    def make_server(self, clock: ManualClock, orders: int = 0) -> Roxom:
        return Roxom(clock, self.plan(orders), key=rsa_key(0))

    def wrong_credentials(self, server: Roxom) -> Sequence[Mapping[str, str]]:
        right = self.credentials(server)
        return (
            {"api_key": right["api_key"], "private_key": pem(rsa_key(1))},
            {"api_key": "rxk_key_of_somebody_else", "private_key": right["private_key"]},
        )

    def tells(self, server: Roxom, order: SimOrder) -> Mapping[str, object]:
        types = {"stop": OrderType.STOP, "stoplimit": OrderType.STOP_LIMIT}
        return {
            "type": types.get(order.type, OrderType.LIMIT),
            "trigger_price": order.trigger,
            "time_in_force": order.tif,
            "account": server.wording.account_id,
            "client_order_id": order.extra.get("clientOrderId"),
            # The venue tells neither when it changed last nor at what price it filled.
            "updated_at": None,
            "average_price": None,
        }

    def place(
        self, server: Roxom, symbol: str | None = None, *, filled: bool = False, age: float = 0.0
    ) -> OrderKey:
        part = "0.75" if filled else "0"
        order = server.place(symbol or self.symbols[0], quantity="3.00", filled=part, age=age)
        return self.key_of(server, order)

    def crowd(self, server: Roxom) -> None:
        for index in range(900):
            inst_type = INST_TYPES[index % len(INST_TYPES)]
            stop = index % 10 == 7
            server.place(
                f"{inst_type.upper()}{index % 3}-BTC",
                "sell" if index % 2 else "buy",
                None if stop else "0.00091250",
                Decimal(index + 1) / 100,
                filled=Decimal(index + 1) / 400 if index % 4 == 0 and not stop else "0",
                order_type="stop" if stop else "limit",
                trigger="0.00090000" if stop else None,
                age=index * 311.0,
                inst_type=inst_type,
            )
        self.every_state(server, (State.LEAVING, State.LAPSING, State.PENDING))

    def crowd_of_one_instant(self, server: Roxom) -> None:
        for _ in range(700):
            self.place(server, age=500.0)

    def spoil(self, server: Roxom, fault: str, asks: Sequence[str]) -> None:
        if fault == "unknown_status":
            server.wording.words = {"submitted": "underreview"}
        else:
            super().spoil(server, fault, asks)

    async def test_an_instrument_type_that_the_venue_refuses_is_a_blind_spot(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            stage.server.refused_types = {"digital", "stock"}
            lists = await stage.lists()
            assert {order.key for one in lists for order in one.orders} == {key}
            assert {code for one in lists for code in one.blind_spots} == {
                "inst_type:digital",
                "inst_type:stock",
            }

    async def test_an_instrument_type_that_was_listed_before_is_no_blind_spot_but_a_failure(self) -> None:
        async with self.stage() as stage:
            await stage.listed()
            stage.server.refused_types = {"perpetual"}
            outcome = await stage.venue.list_part(Part("inst_type:perpetual"), stage.port)
            assert isinstance(outcome, Refused)

    async def test_only_the_configured_instrument_types_are_listed(self) -> None:
        async with self.stage(inst_types=("spot",)) as stage:
            self.place(stage.server, "GOLD-BTC")
            key = self.place(stage.server, "ETH-BTC")
            assert set(await stage.listed()) == {key}

    @pytest.mark.parametrize("generation", ["A", "C"])
    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    async def test_both_generations_of_field_names_and_every_time_unit_are_read(
        self, generation: str, unit: str
    ) -> None:
        async with self.stage() as stage:
            stage.server.wording.generation, stage.server.wording.created_at = generation, unit
            self.crowd(stage.server)
            listed = await stage.listed()
            assert facts_of(list(listed.values())) == self.live(stage.server)
            for key, order in listed.items():
                assert order.created_at is not None
                assert abs(order.created_at - self.order_of(stage.server, key).created) <= 1.0
                assert order.price == self.order_of(stage.server, key).price

    async def test_status_words_are_read_in_whatever_way_they_are_spelled(self) -> None:
        async with self.stage() as stage:
            key, other = self.place(stage.server, filled=True), self.place(stage.server)
            stage.server.wording.words = {
                "submitted": "SUBMITTED",
                "partiallyfilled": "Partially-Filled",
                "pendingcancel": "PENDING_CANCEL",
                "cancelled": "CANCELED",
                "partiallyfilledcancelled": "partially filled canceled",
            }
            assert facts_of(list((await stage.listed()).values())) == self.live(stage.server)
            for one in (key, other):
                answered(await stage.venue.cancel(one, stage.port))
            assert facts_of(list((await stage.listed()).values())) == self.live(stage.server)
            stage.clock.advance(5.0)
            for one in (key, other):
                await self.reads_as(stage, one, OrderStatus.CANCELED)

    async def test_prices_in_sats_are_asked_for_and_read_as_sats(self) -> None:
        async with self.stage(unit="sats") as stage:
            key = self.place(stage.server)
            assert (await stage.listed())[key].price == Decimal(91250)

    @pytest.mark.parametrize("shape", ["flat", "nested", "code"])
    @pytest.mark.parametrize("status", [400, 409])
    async def test_every_error_shape_refuses_an_order_that_is_over(self, shape: str, status: int) -> None:
        async with self.stage() as stage:
            stage.server.errors.shape, stage.server.terminal_status = shape, status
            key = self.place(stage.server)
            self.finish(stage.server, key, OrderStatus.FILLED)
            outcome = await stage.venue.cancel(key, stage.port)
            assert isinstance(outcome, Refused)
            assert (outcome.reason, outcome.status) == (Reason.ORDER, status)
            missing = await stage.venue.read(self.stranger(stage), stage.port)
            assert isinstance(missing, Refused)
            assert missing.reason is Reason.NOT_FOUND

    async def test_a_wrong_prefix_is_not_taken_for_orders_that_are_gone(self) -> None:
        async with self.stage(api_prefix="/api/v2") as stage:
            key = self.place(stage.server)
            for outcome in (
                await stage.venue.cancel(key, stage.port),
                await stage.venue.read(key, stage.port),
                await stage.venue.list_part(Part("inst_type:perpetual"), stage.port),
                await stage.venue.check(stage.port),
            ):
                assert isinstance(outcome, Refused), outcome
                assert outcome.reason is Reason.REQUEST

    async def test_an_error_with_a_good_status_does_nothing_and_is_no_answer(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            asks = await self.asks_all(stage, key)
            stage.server.faults = {"error_true"}
            for name, ask in asks.items():
                assert isinstance(await ask(), Refused | Unanswered), name
            assert set(self.live(stage.server)) == {key}

    async def test_success_false_is_a_refusal(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            stage.server.faults = {"success_false"}
            assert isinstance(await stage.venue.cancel(key, stage.port), Refused)

    async def test_a_taken_cancel_of_a_part_fill_race_ends_canceled_with_what_filled(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            stage.server.faults = {"part_fill_race"}
            assert answered(await stage.venue.cancel(key, stage.port)).order is None
            stage.clock.advance(5.0)
            order = answered(await stage.venue.read(key, stage.port))
            assert (order.status, order.filled) == (OrderStatus.CANCELED, Decimal("1.50"))

    async def test_a_cancel_all_that_leaves_some_out_says_which_went(self) -> None:
        async with self.stage() as stage:
            keys = {self.place(stage.server, age=float(age)) for age in range(12)}
            stage.server.faults = {"cancel_all_skips"}
            named = answered(await stage.venue.cancel_all(None, stage.port)).ids
            stage.clock.advance(5.0)
            left = set(await stage.listed())
            assert 0 < len(left) < 12
            assert set(named) == {key.order_id for key in keys - left}

    @pytest.mark.parametrize("fault", ["null_list", "missing_list"])
    async def test_a_cancel_all_of_nothing_without_a_list_claims_nothing(self, fault: str) -> None:
        async with self.stage() as stage:
            stage.server.faults = {fault}
            outcome = await stage.venue.cancel_all(None, stage.port)
            if fault == "null_list":
                assert answered(outcome).ids == ()
            else:
                assert isinstance(outcome, Unanswered)

    async def test_a_cancel_all_with_the_key_alone_is_a_setting(self) -> None:
        async with self.stage(sign_cancel_all=False) as stage:
            self.place(stage.server)
            assert not isinstance(await stage.venue.cancel_all(None, stage.port), Answered)
            stage.server.key_only_cancel_all = True
            assert len(answered(await stage.venue.cancel_all(None, stage.port)).ids) == 1

    async def test_pss_padding_is_a_setting_on_both_sides(self) -> None:
        async with self.stage(rsa_padding="pss") as stage:
            stage.server.rsa_padding = "pss"
            key = self.place(stage.server)
            assert set(await stage.listed()) == {key}
            answered(await stage.venue.cancel(key, stage.port))
