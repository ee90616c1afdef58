"""Roxom's stream of events: the contract of streams, the signed handshake, and events in every shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from cancel_tui import redaction
from cancel_tui.clock import ManualClock
from cancel_tui.orders import OrderStatus, OrderType, Side, VenueName
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.practice.roxom import Roxom
from cancel_tui.practice.venue import Plan
from cancel_tui.venues import roxom_stream
from cancel_tui.venues.dialogue import Turn
from cancel_tui.venues.outcome import Refused, Unanswered, Unauthorised
from cancel_tui.venues.roxom_stream import Events
from tests.venues.stream_contract import Listening, StreamContract, amounts, frame
from tests.venues.test_stream_p99 import json_values

ROXOM = VenueName("roxom")
EVENT: dict[str, Any] = {
    "orderId": "0199c0de-0001-7a00-8000-0000000000a1",
    "accountId": "7a0d5b1e-52c4-4f7e-9b35-0c6b1f2d8e11",
    "symbol": "GOLD-BTC",
    "status": "partiallyfilled",
    "remainingQty": "2.25",
    "executedQty": "0.75",
    "avgPx": "0.00091250",
    "fillPx": "0.00091250",
    "filledFees": "0.00000014",
    "side": "buy",
    "orderType": "limit",
    "orderSize": "3.00",
    "limitPrice": "0.00091250",
    "clientOrderId": "desk-7",
    "entryPositionId": None,
    "exitPositionId": None,
    "reason": None,
    "timestamp": 1760000001250000000,
}
OLDEST = ("orderId", "accountId", "symbol", "status", "remainingQty", "executedQty", "avgPx", "timestamp")


class TestRoxomStream(StreamContract[Roxom]):
    """The inherited contract, and what only this venue has."""

    key: ClassVar[rsa.RSAPrivateKey] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def make_server(self, clock: ManualClock, plan: Plan) -> Roxom:
        return Roxom(clock, plan, key=self.key)

    def place(self, server: Roxom) -> SimOrder:
        return server.place(quantity="4.00")

    def drop(self, server: Roxom) -> None:
        server.stream.abort()

    def clients(self, server: Roxom) -> int:
        return server.stream.clients

    @pytest.mark.parametrize(("nested", "sparse"), [(True, False), (False, True), (True, True)])
    async def test_every_shape_of_an_event_comes_to_the_truth(self, nested: bool, sparse: bool) -> None:
        async with self.listening("stream_chatter") as at:
            at.server.stream.nested, at.server.stream.sparse = nested, sparse
            await at.ready()
            self.live_through(at.server)
            await at.until(lambda: self.agrees(at))
            assert not any(heard.reread for heard in at.told), "other channels are no news"

    async def test_a_cancel_is_told_in_both_of_its_phases(self) -> None:
        async with self.listening() as at:
            await at.ready()
            order = self.place(at.server)
            at.server.book.cancel(order, 0.5)
            await at.until(lambda: self.words(at) == ["pending_cancel", "canceled"])

    def words(self, at: Listening[Roxom]) -> list[str]:
        return [order.status.value for order in at.orders if order.status is not OrderStatus.OPEN]

    async def test_the_padding_of_the_settings_signs_the_handshake_too(self) -> None:
        async with self.listening(rsa_padding="pss") as at:
            at.begin()
            assert isinstance(await at.ended(), Unauthorised)
            at.server.rsa_padding = "pss"
            await at.ready()

    async def test_waiting_stops_are_told(self) -> None:
        async with self.listening() as at:
            await at.ready()
            stop = at.server.place(order_type="stoplimit", trigger="0.0008")
            at.server.book.change(stop, State.CANCELLED)
            await at.until(lambda: len(at.orders) == 2)
            assert [order.type for order in at.orders] == [OrderType.STOP_LIMIT] * 2


def events(unit: str = "btc") -> Events:
    return Events(ROXOM, unit)


def event(**changes: Any) -> str:
    return frame(type="order", data={**EVENT, **changes})


def test_an_event_is_an_order_in_other_words() -> None:
    [order] = events().understand(event()).heard.orders
    assert (order.status, order.side, order.type) == (
        OrderStatus.PARTIALLY_FILLED,
        Side.BUY,
        OrderType.LIMIT,
    )
    assert amounts(order) == (Decimal(3), Decimal("0.75"), Decimal("2.25"))
    assert order.price == Decimal("0.0009125")
    assert order.updated_at == 1760000001.25
    assert order.created_at is None


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: {"data": one}])
@pytest.mark.parametrize("members", [tuple(EVENT), OLDEST])
@pytest.mark.parametrize("flat", [False, True])
def test_both_generations_are_read_nested_and_flat(wrap: Any, members: tuple[str, ...], flat: bool) -> None:
    data = {name: EVENT[name] for name in members}
    whole = {"type": "order", **data} if flat else {"type": "order", "data": data}
    [order] = events().understand(json.dumps(wrap(whole))).heard.orders
    assert (order.filled, order.remaining) == (Decimal("0.75"), Decimal("2.25"))
    assert order.type is (OrderType.LIMIT if members != OLDEST else OrderType.UNKNOWN)


def test_prices_of_events_are_not_believed_where_lists_are_in_another_unit() -> None:
    [order] = events("sats").understand(event()).heard.orders
    assert order.price is None


def test_an_event_that_is_older_than_one_before_is_no_news() -> None:
    read = events()
    assert read.understand(event(status="cancelled", timestamp=1760000002000000000)).heard.orders
    assert read.understand(event()) == Turn()
    assert read.understand(event(timestamp=None)).heard.orders, "without a time it is for the desk to judge"
    assert read.understand(event(status="filled", timestamp=1760000002000000000)).heard.orders


def test_what_is_remembered_of_orders_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roxom_stream, "REMEMBERED", 50)
    read = events()
    for number in range(60):
        read.understand(event(orderId=f"o{number}"))
    assert len(read._latest) == 50


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"event": "error", "code": "600010", "msg": "auth"}, Unauthorised),
        ({"event": "error", "code": "60014", "msg": "channel"}, Refused),
        ({"event": "error", "code": "60017", "msg": "json"}, Refused),
        ({"event": "error", "code": "60019", "msg": "internal"}, Unanswered),
        ({"event": "error", "code": 600010}, Unauthorised),
        ({"event": "subscribe", "code": "60014", "msg": "channel"}, Refused),
        ({"event": "unsubscribe", "code": "0"}, Unanswered),
    ],
)
def test_errors_end_the_connection_as_what_they_are(message: Mapping[str, Any], kind: type) -> None:
    assert isinstance(events().understand(json.dumps(message)).over, kind)


@pytest.mark.parametrize(
    ("ping", "pong"),
    [
        ("ping", "pong"),
        ('{"op": "ping"}', '{"op": "pong"}'),
        ('{"event": "ping", "ts": 5}', '{"event": "pong", "ts": 5}'),
        ('{"type": "PING"}', '{"type": "pong"}'),
    ],
)
def test_a_ping_in_whatever_words_is_answered_in_the_same(ping: str, pong: str) -> None:
    answer = events().understand(ping).answer
    assert answer is not None
    assert answer.reveal() == pong
    assert events().understand(pong) == Turn()


def test_nothing_is_kept_of_pings_however_many_come() -> None:
    read, before = events(), redaction._known.forms
    for number in range(100):
        assert read.understand(frame(op="ping", ts=number)).answer is not None
    assert redaction._known.forms == before


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", frame(type="order"), frame(type="order", data={}), frame(type="new"), frame(a=1)],
)
def test_what_cannot_be_understood_is_a_reason_to_look(text: str) -> None:
    turn = events().understand(text)
    assert turn.heard.reread
    assert not turn.heard.orders
    assert turn.over is None


@settings(max_examples=50)
@given(st.text(max_size=200) | json_values.map(json.dumps))
def test_garbage_is_never_more_than_a_reason_to_look(text: str) -> None:
    assert isinstance(events().understand(text), Turn)


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from([*EVENT, "type", "event", "op", "code", "arg", "msg", "data"]), json_values
    )
)
def test_messages_with_strange_members_are_read_as_far_as_they_go(inner: dict[str, Any]) -> None:
    for whole in ({"type": "order", "data": {**EVENT, **inner}}, inner, {"data": inner}):
        turn = events().understand(json.dumps(whole))
        assert all(order.key.order_id for order in turn.heard.orders)
