"""P99 spot's private stream: the contract of streams, getting in both ways, and every sort of message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cancel_tui.clock import ManualClock
from cancel_tui.orders import OrderStatus, VenueName
from cancel_tui.practice.market import SimOrder
from cancel_tui.practice.p99 import P99Spot
from cancel_tui.practice.venue import Plan
from cancel_tui.redaction import Secret
from cancel_tui.venues.dialogue import Turn
from cancel_tui.venues.outcome import Reason, Refused, Unanswered, Unauthorised, describe
from cancel_tui.venues.p99_stream import CHANNEL, EXTEND_SECONDS, PING_SECONDS, understand
from tests.venues.stream_contract import StreamContract, amounts, frame

P99 = VenueName("p99")
ROW: dict[str, Any] = {
    "id": "4c0e7b52-1d3f-4a6b-8c21-77b0a9e5d014",
    "symbol": "DFUSDT",
    "side": "sell",
    "type": "limit",
    "tif": "gtc",
    "price": "0.7250",
    "quantity": "40",
    "quote_quantity": None,
    "filled_qty": "12.5",
    "avg_fill_price": "0.725",
    "status": "partially_filled",
    "reject_reason": None,
    "updated_at": 1779012344,
    "last_fill": {"trade_id": "e1b7", "price": "0.7250", "quantity": "12.5", "fee": "0", "fee_token": "USDT"},
}


class TestP99Stream(StreamContract[P99Spot]):
    """With an API key, by a listen key."""

    def make_server(self, clock: ManualClock, plan: Plan) -> P99Spot:
        return P99Spot(clock, plan)

    def place(self, server: P99Spot) -> SimOrder:
        return server.place(quantity="12.5")

    def drop(self, server: P99Spot) -> None:
        server.stream.abort()

    def clients(self, server: P99Spot) -> int:
        return server.stream.clients

    async def test_the_key_to_the_stream_is_made_to_last_while_it_is_used(self) -> None:
        async with self.listening() as at:
            await at.ready()
            made = at.server.seen.count("POST /fapi/v1/listenKey")
            at.clock.advance(EXTEND_SECONDS)
            await at.until(lambda: "PUT /fapi/v1/listenKey" in at.server.seen)
            assert made == 1

    async def test_a_host_without_listen_keys_says_what_would_help(self) -> None:
        async with self.listening("no_listen_key") as at:
            at.begin()
            failure = await at.ended()
            assert isinstance(failure, Refused)
            assert "jwt" in describe(failure)
            assert await at.listed() == {}, "the lists do without"

    async def test_another_users_orders_are_not_told(self) -> None:
        async with self.listening() as at:
            await at.ready()
            at.server.place(account="0xsomebody")
            mine = self.place(at.server)
            await at.until(lambda: bool(at.orders))
            assert {order.key for order in at.orders} == {self.key_of(at.server, mine)}

    async def test_the_venue_is_pinged_as_it_wants_to_be(self) -> None:
        async with self.listening() as at:
            await at.ready()
            await at.pass_time(PING_SECONDS / 10)
            assert at.server.stream.pings == 0
            at.clock.advance(PING_SECONDS)
            await at.until(lambda: at.server.stream.pings == 1)


class TestP99StreamByJwt(TestP99Stream):
    """The same with a JWT, which has an end."""

    def credentials(self, server: P99Spot) -> Mapping[str, str]:
        if not hasattr(self, "_jwt"):
            self._jwt = server.issue_jwt()
        return {"jwt": self._jwt}

    async def test_the_key_to_the_stream_is_made_to_last_while_it_is_used(self) -> None:
        async with self.listening() as at:
            await at.ready()
            at.clock.advance(3600.0)
            failure = await at.ended()
            assert isinstance(failure, Unanswered), "whether it is over is for the venue to say"
            at.begin()
            assert isinstance(await at.ended(), Unauthorised)
            assert "/fapi/v1/listenKey" not in str(at.server.seen)

    async def test_a_host_without_listen_keys_says_what_would_help(self) -> None:
        async with self.listening("no_listen_key") as at:
            await at.ready()


def test_a_push_is_an_order_without_a_creation_time() -> None:
    [order] = understand(P99, frame(type="spot_user_order", channel=CHANNEL, data=ROW)).heard.orders
    assert (order.status, order.created_at, order.updated_at) == (
        OrderStatus.PARTIALLY_FILLED,
        None,
        1779012344,
    )
    assert amounts(order) == (Decimal(40), Decimal("12.5"), Decimal("27.5"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "pong",
        frame(type="spot_user_order"),
        frame(type="spot_user_order", data=[]),
        frame(type="spot_user_order", data={**ROW, "id": ""}),
        frame(type="something_new", data=ROW),
        frame(data=ROW),
    ],
)
def test_what_cannot_be_understood_is_a_reason_to_look(text: str) -> None:
    turn = understand(P99, text)
    assert turn.heard.reread
    assert not turn.heard.orders
    assert turn.over is None


def test_a_status_that_nobody_documents_is_shown_and_looked_up() -> None:
    turn = understand(P99, frame(type="spot_user_order", data={**ROW, "status": "under_review"}))
    assert turn.heard.reread
    assert turn.heard.orders[0].status is OrderStatus.UNKNOWN


def test_each_message_of_the_protocol_means_what_it_says() -> None:
    assert understand(P99, frame(type="pong")) == Turn()
    assert understand(P99, frame(type="spot_user_balance", data={})) == Turn()
    answer = understand(P99, frame(type="auth_result", success=True)).answer
    assert answer is not None
    assert json.loads(answer.reveal()) == {"type": "subscribe", "channel": CHANNEL}
    assert isinstance(understand(P99, frame(type="auth_result", success=False)).over, Unauthorised)
    assert isinstance(understand(P99, frame(type="auth_result")).over, Unauthorised)
    assert understand(P99, frame(type="subscribed", channel=CHANNEL)).heard.ready
    assert not understand(P99, frame(type="subscribed", channel="spot:user:balances")).heard.ready
    refused = understand(P99, frame(type="error", code="INVALID_CHANNEL", message=CHANNEL)).over
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.REQUEST
    assert isinstance(understand(P99, frame(type="error", code="UNAUTHORIZED")).over, Unauthorised)


def test_words_of_the_venue_that_repeat_a_secret_are_not_shown() -> None:
    token = Secret("eyJhbGciOiJIUzI1NiJ9.sentinel.c2VhbA")
    over = understand(P99, frame(type="auth_result", success=False, message=f"bad {token.reveal()}")).over
    assert over is not None
    assert "sentinel" not in repr(over) + describe(over)
    assert "bad" in describe(over)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
words = st.sampled_from(["spot_user_order", "auth_result", "subscribed", "error", "ping", "pong", "other"])


@settings(max_examples=50)
@given(st.text(max_size=200) | json_values.map(json.dumps))
def test_garbage_is_never_more_than_a_reason_to_look(text: str) -> None:
    assert isinstance(understand(P99, text), Turn)


@settings(max_examples=50)
@given(words, st.dictionaries(st.sampled_from([*ROW, "success", "channel", "code"]), json_values))
def test_messages_with_strange_members_are_read_as_far_as_they_go(kind: str, inner: dict[str, Any]) -> None:
    for text in (json.dumps({"type": kind, "data": {**ROW, **inner}}), json.dumps({**inner, "type": kind})):
        turn = understand(P99, text)
        assert all(order.key.order_id for order in turn.heard.orders)
