"""The order updates of CoinSwitch spot: Socket.IO over loopback, and whatever a message may hold."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as few
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from cancel_tui.clock import SystemClock
from cancel_tui.orders import Family, Order, OrderId, OrderKey, OrderStatus, VenueName
from cancel_tui.practice.coinswitch_auth import KeyPair
from cancel_tui.practice.coinswitch_spot import CoinSwitchSpot as PracticeSpot
from cancel_tui.practice.market import State
from cancel_tui.practice.venue import Plan
from cancel_tui.venues import coinswitch_spot, socket_io
from cancel_tui.venues.coinswitch_stream import NAMESPACE, UpdateStream, hints
from cancel_tui.venues.decode import Unreadable
from cancel_tui.venues.feed import Heard
from cancel_tui.venues.outcome import Failure, Unanswered, Unauthorised, describe
from tests.venues.support_coinswitch import FakePort, credentials, settings

V = VenueName("cs")
LIMIT = 5.0


@dataclass
class Line:
    """An adapter that listens, and everything that it told."""

    venue: PracticeSpot
    adapter: coinswitch_spot.CoinSwitchSpot
    told: list[Heard] = field(default_factory=list)
    task: asyncio.Task[Failure] | None = None

    def listen(self) -> asyncio.Task[Failure]:
        self.task = asyncio.create_task(self.adapter.listen(FakePort([]), self.told.append))
        return self.task

    def running(self) -> asyncio.Task[Failure]:
        assert self.task is not None
        return self.task

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT):
            while not done():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def ready(self) -> None:
        self.listen()
        await self.until(lambda: any(one.ready for one in self.told))
        self.told.clear()

    def orders(self) -> list[Order]:
        return [order for one in self.told for order in one.orders]

    async def statuses(self, count: int) -> list[OrderStatus]:
        await self.until(lambda: len(self.orders()) >= count)
        return [one.status for one in self.orders()]


@asynccontextmanager
async def line(**changes: object) -> AsyncIterator[Line]:
    venue = PracticeSpot(SystemClock(), Plan(orders=0), KeyPair.from_seed(bytes(range(32))))
    await venue.start()
    table = settings("coinswitch-spot", base_url=venue.base_url, **changes)
    made = Line(venue, coinswitch_spot.make(table, credentials(), SystemClock()))
    try:
        yield made
    finally:
        if made.task is not None:
            made.task.cancel()
            await asyncio.gather(made.task, return_exceptions=True)
        await venue.stop()


# ------------------------------------------------------------------ over loopback


async def test_every_change_of_an_order_is_told_under_the_key_that_the_lists_use() -> None:
    async with line() as at:
        await at.ready()
        order = at.venue.place("BTC/INR", "buy", Decimal(9_000_000), Decimal("0.01"))
        at.venue.book.fill(order, Decimal("0.004"))
        at.venue.book.change(order, State.LEAVING)
        at.venue.book.change(order, State.CANCELLED)
        assert await at.statuses(4) == [
            OrderStatus.OPEN,
            OrderStatus.PARTIALLY_FILLED,
            OrderStatus.PENDING_CANCEL,
            OrderStatus.CANCELED,
        ]
        assert {one.key for one in at.orders()} == {OrderKey(V, None, Family.ORDER, OrderId(order.id))}
        for state, status in (
            (State.FILLED, OrderStatus.FILLED),
            (State.EXPIRED, OrderStatus.EXPIRED),
            (State.REJECTED, OrderStatus.REJECTED),
        ):
            at.told.clear()
            at.venue.book.change(order, state)
            assert await at.statuses(1) == [status]
        assert all(one.reread for one in at.told if one.orders), "the list is asked whatever a message says"


@pytest.mark.parametrize("spelling", ["short", "rows", "named"])
async def test_each_spelling_that_is_seen_in_the_wild_is_a_hint(spelling: str) -> None:
    async with line() as at:
        at.venue.stream.spelling = spelling
        await at.ready()
        order = at.venue.place()
        at.venue.book.change(order, State.CANCELLED)
        assert await at.statuses(2) == [OrderStatus.OPEN, OrderStatus.CANCELED]


async def test_a_message_that_nobody_can_read_is_a_reason_to_look() -> None:
    async with line() as at:
        at.venue.stream.spelling = "opaque"
        await at.ready()
        at.venue.place()
        await at.until(lambda: any(one.reread for one in at.told))
        assert at.orders() == []
        at.told.clear()
        at.venue.faults = {"stream_garbled"}
        at.venue.place()
        await at.until(lambda: any(one.reread for one in at.told))
        assert not at.running().done()


async def test_said_twice_is_told_twice_and_a_socket_that_breaks_is_over() -> None:
    async with line() as at:
        await at.ready()
        at.venue.faults = {"stream_duplicates"}
        at.venue.place()
        assert await at.statuses(2) == [OrderStatus.OPEN] * 2
        at.venue.faults = {"stream_drops"}
        at.venue.place()
        assert isinstance(await asyncio.wait_for(at.running(), LIMIT), Unanswered)
        assert at.venue.stream.subscribers == 0


async def test_a_frozen_stream_says_nothing_any_more_although_its_socket_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cancel_tui.venues.pulse.BEAT", 0.02)
    async with line() as at:
        await at.ready()
        await at.until(lambda: at.adapter.rhythm < 5.0)
        at.venue.faults = {"stream_freezes"}
        at.venue.place()
        assert at.venue.stream._clients[0].socket.frozen
        await asyncio.wait({at.running()}, timeout=0.1)  # what was on its way before
        at.told.clear()
        at.venue.stream.spelling = "short"
        at.venue.place()
        await asyncio.wait({at.running()}, timeout=0.2)
        assert at.told == [], "no pong, no update: its silence is seen"


async def test_a_namespace_that_is_refused_is_a_matter_of_the_key() -> None:
    async with line() as at:
        at.venue.faults = {"stream_refused"}
        why = await asyncio.wait_for(at.listen(), LIMIT)
        assert isinstance(why, Unauthorised)
        assert "Unauthorized" in describe(why)


@pytest.mark.parametrize(("fault", "sort"), [("http500@stream", Unanswered), ("throttle@stream", None)])
async def test_an_upgrade_that_is_refused_is_told_as_what_it_is(fault: str, sort: type | None) -> None:
    async with line() as at:
        at.venue.faults = {fault}
        why = await asyncio.wait_for(at.listen(), LIMIT)
        assert isinstance(why, sort) if sort else type(why).__name__ == "Throttled"


async def test_the_servers_pings_are_answered_and_set_the_rhythm() -> None:
    async with line() as at:
        at.venue.stream.ping_seconds = 0.05
        await at.ready()
        await at.until(lambda: at.venue.stream._clients[0].pongs > 1)
        assert at.adapter._pulse.documented == 1.0, "what a server claims is kept within bounds"


async def test_a_venue_that_never_opens_the_namespace_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cancel_tui.venues.coinswitch_stream.HANDSHAKE", 0.1)

    async def mute(connection: ServerConnection) -> None:
        await connection.send('0{"pingInterval":25000}')
        await connection.wait_closed()

    async with serve(mute, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        adapter = coinswitch_spot.make(
            settings("coinswitch-spot", ws_url=f"ws://127.0.0.1:{port}"), credentials(), SystemClock()
        )
        told: list[Heard] = []
        why = await asyncio.wait_for(adapter.listen(FakePort([]), told.append), LIMIT)
        assert describe(why) == "no answer: the stream's handshake was not answered"
        assert not any(one.ready for one in told)


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
