"""The order updates of CoinSwitch spot: Socket.IO over loopback, and whatever a message may hold."""

from __future__ import annotations

import asyncio
import json
import logging
from decimal import Decimal
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import settings as few
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from cancel_tui.clock import ManualClock, SystemClock
from cancel_tui.orders import Order, OrderStatus, VenueName
from cancel_tui.practice.coinswitch_spot import CoinSwitchSpot as PracticeSpot
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.practice.venue import Plan
from cancel_tui.venues import coinswitch_spot, socket_io
from cancel_tui.venues.coinswitch_stream import HANDSHAKE, NAMESPACE, UpdateStream, hints
from cancel_tui.venues.decode import Unreadable
from cancel_tui.venues.feed import Heard
from cancel_tui.venues.outcome import Throttled, Unanswered, describe
from tests.venues.stream_contract import StreamContract
from tests.venues.support_coinswitch import FakePort, credentials, settings

V = VenueName("cs")
LIMIT = 5.0


class TestCoinSwitchSpotStream(StreamContract[PracticeSpot]):
    """The inherited contract, and what only this venue has: its messages are hints, whatever they say."""

    tells_all: ClassVar[bool] = False
    patience: ClassVar[float] = HANDSHAKE

    def make_server(self, clock: ManualClock, plan: Plan) -> PracticeSpot:
        return PracticeSpot(clock, plan)

    def place(self, server: PracticeSpot) -> SimOrder:
        return server.place("BTC/INR", "buy", Decimal(9_000_000), Decimal("0.01"))

    def drop(self, server: PracticeSpot) -> None:
        server.stream.abort()

    def clients(self, server: PracticeSpot) -> int:
        return server.stream.clients

    @pytest.mark.parametrize("spelling", ["short", "rows", "named"])
    async def test_each_spelling_that_is_seen_in_the_wild_is_a_hint_and_a_reason_to_look(
        self, spelling: str
    ) -> None:
        async with self.listening() as at:
            at.server.stream.spelling = spelling
            await at.ready()
            order = self.place(at.server)
            at.server.book.fill(order, Decimal("0.004"))
            at.server.book.change(order, State.LEAVING)
            at.server.book.change(order, State.CANCELLED)
            await at.until(lambda: len(at.orders) == 4)
            assert [one.status for one in at.orders] == [
                OrderStatus.OPEN,
                OrderStatus.PARTIALLY_FILLED,
                OrderStatus.PENDING_CANCEL,
                OrderStatus.CANCELED,
            ]
            assert {one.key for one in at.orders} == {self.key_of(at.server, order)}
            assert all(one.reread for one in at.told if one.orders), (
                "the list is asked whatever a message says"
            )

    async def test_a_message_that_names_no_order_is_a_reason_to_look(self) -> None:
        async with self.listening() as at:
            at.server.stream.spelling = "opaque"
            await at.ready()
            self.place(at.server)
            await at.until(lambda: any(one.reread for one in at.told))
            assert at.orders == []

    async def test_a_namespace_that_is_refused_is_told_in_the_venues_words(self) -> None:
        async with self.listening("stream_refused") as at:
            at.begin()
            assert "Unauthorized" in describe(await at.ended())

    @pytest.mark.parametrize(
        ("fault", "sort"), [("http500@stream", Unanswered), ("throttle@stream", Throttled)]
    )
    async def test_an_upgrade_that_is_refused_is_told_as_what_it_is(self, fault: str, sort: type) -> None:
        async with self.listening(fault) as at:
            at.begin()
            assert isinstance(await at.ended(), sort)

    async def test_the_servers_pings_are_answered_and_set_the_rhythm(self) -> None:
        async with self.listening() as at:
            at.server.stream.ping_seconds = 0.05
            await at.ready()
            await at.until(lambda: at.server.stream._clients[0].pongs > 1)
            assert isinstance(at.venue, coinswitch_spot.CoinSwitchSpot)
            assert at.venue._pulse.documented == 1.0, "what a server claims is kept within bounds"


async def test_the_key_travels_in_the_subscription_only_and_shows_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    frames: list[str] = []
    paths: list[str] = []

    async def note(connection: ServerConnection) -> None:
        assert connection.request is not None
        paths.append(connection.request.path)
        await connection.send('0{"pingInterval":25000}')
        async for text in connection:
            frames.append(str(text))
            if len(frames) == 1:
                await connection.send(f"40{NAMESPACE},{{}}")
            else:
                await connection.close()

    async with serve(note, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        key = credentials()["api_key"].reveal()
        table = settings("coinswitch-spot", ws_url=f"ws://127.0.0.1:{port}/own/path")
        adapter = coinswitch_spot.make(table, credentials(), SystemClock())
        told: list[Heard] = []
        why = await asyncio.wait_for(adapter.listen(FakePort([]), told.append), LIMIT)
    subscribe = f'["FETCH_ORDER_UPDATES",{{"event":"subscribe","apikey":"{key}"}}]'
    assert frames == ["40/orderupdates,", f"42/orderupdates,{subscribe}"]
    assert paths == ["/own/path?EIO=4&transport=websocket"]
    assert key not in repr((told, why, adapter.__dict__)) + describe(why) + caplog.text


def test_the_address_follows_from_what_is_configured() -> None:
    def of(**changes: str) -> str:
        table = settings("coinswitch-spot", **changes)
        return UpdateStream.address(table.socket_url(UpdateStream.PATH)).reveal()

    tail = "/pro/realtime-rates-socket/spot/order-updates?EIO=4&transport=websocket"
    assert of() == "wss://ws.coinswitch.co" + tail
    assert of(base_url="http://127.0.0.1:9") == "ws://127.0.0.1:9" + tail
    assert of(ws_url="wss://other.example/") == "wss://other.example" + tail
    assert of(ws_url="wss://other.example/x?a=b").endswith("/x?a=b&EIO=4&transport=websocket")


# ------------------------------------------------------------------ whatever a message may hold


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('0{"sid":"x","pingInterval":25000,"pingTimeout":20000}', socket_io.Opened),
        ("1", socket_io.Left),
        ("2", socket_io.Ping),
        ("2probe", socket_io.Ping),
        ("3", socket_io.Other),
        ("6", socket_io.Other),
        ('40/orderupdates,{"sid":"x"}', socket_io.Connected),
        ("41/orderupdates,", socket_io.Left),
        ('44/orderupdates,{"message":"no"}', socket_io.Refused),
        ('42/orderupdates,["A",{"x":1.5}]', socket_io.Event),
        ('42/orderupdates,7["A"]', socket_io.Event),
        ("43/orderupdates,7[]", socket_io.Other),
    ],
)
def test_the_frames_of_the_protocol(text: str, kind: type) -> None:
    assert isinstance(socket_io.parse(text), kind)


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "9", "4", "42", "42{", '42/o,{"a":1}', "5x", "bAA", "b!", "4²", "42" + "1" * 200),
        '451-/o,["A",{"_placeholder":true}]',
        "42/o," + "[" * 100_000,
    ],
)
def test_what_is_no_frame_is_unreadable_and_nothing_else(text: str) -> None:
    with pytest.raises(Unreadable):
        socket_io.parse(text)


words = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
        st.text(max_size=8),
        st.sampled_from(["OPEN", "CANCELLED", "EXECUTED", "PARTIALLY_EXECUTED", "7d0c"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(
                ["i", "X", "z", "order_id", "status", "data", "orders", "updated_time", "price", "q"]
            ),
            inner,
            max_size=6,
        ),
    ),
    max_leaves=20,
)


texts = st.one_of(
    words.map(lambda one: '42/orderupdates,["E",' + json.dumps(one) + "]"), st.text(max_size=60)
)


@few(max_examples=60, deadline=None)
@given(texts)
def test_whatever_comes_is_read_or_unreadable_and_never_raises_anything_else(text: str) -> None:
    try:
        frame = socket_io.parse(text)
    except Unreadable:
        return
    if isinstance(frame, socket_io.Event):
        for order in hints(frame.values, V):
            assert order.key.venue == V
            assert order.status is not OrderStatus.UNKNOWN


def _hints(*values: object) -> tuple[Order, ...]:
    frame = socket_io.parse(f"42/orderupdates,{json.dumps(['E', *values])}")
    assert isinstance(frame, socket_io.Event)
    return hints(frame.values, V)


def test_only_a_status_that_is_known_is_a_hint() -> None:
    assert _hints({"i": "a", "X": "SOMETHING"}) == ()
    assert _hints({"X": "CANCELLED"}) == ()
    assert _hints({"i": "a"}) == ()
    [found] = _hints({"i": "a", "X": "PARTIALLY_EXECUTED", "z": "0.25"})
    assert (found.status, found.filled) == (OrderStatus.PARTIALLY_FILLED, Decimal("0.25"))


def test_times_are_cut_to_the_seconds_that_the_lists_have() -> None:
    [found] = _hints({"data": [{"order_id": "a", "status": "OPEN", "updated_time": 1_732_000_009_900}]})
    assert found.updated_at == 1_732_000_009.0


def test_a_flood_of_rows_is_bounded() -> None:
    assert len(_hints([{"i": str(one), "X": "OPEN"} for one in range(3000)])) == 1000
