"""Slots, warm connections, cancelled callers and the end: nothing is lost, nothing is left open."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Any

import pytest

from cancel_tui.venues.base import Raw, Reply
from cancel_tui.venues.line import Line
from cancel_tui.venues.outcome import NotSent, Unanswered
from cancel_tui.venues.wire import Mark, Origin, Wire
from tests.venues.authority import authority
from tests.venues.fault_server import (
    Connection,
    FaultServer,
    Request,
    echo,
    unanswering_port,
)
from tests.venues.wire_case import TLS, answered, delete, served, silence, until


def hold(connection: Connection, request: Request) -> None:
    """Answer only when told to."""
    connection.server.go.wait(10)
    echo(connection, request)


# --- slots --------------------------------------------------------------------------------------------------


async def test_no_free_slot_means_not_sent() -> None:
    mark = Mark()
    async with served(hold, slots=1, slot_seconds=0.1) as (server, wire):
        first = asyncio.create_task(wire.exchange(delete("/1"), 5.0))
        await until(lambda: server.targets == [b"/1"])
        raw = await wire.exchange(delete("/2"), 5.0, mark)
        server.go.set()
        assert isinstance(await first, Reply)
    assert raw == NotSent("no connection became free in time")
    assert not mark.sent
    assert server.targets == [b"/1"]


async def test_what_is_no_longer_wanted_when_a_slot_is_free_does_not_leave() -> None:
    wanted = [True]
    mark = Mark(wanted=lambda: wanted[0])
    async with served(hold, slots=1) as (server, wire):
        first = asyncio.create_task(wire.exchange(delete("/1"), 5.0))
        await until(lambda: server.targets == [b"/1"])
        second = asyncio.create_task(wire.exchange(delete("/2"), 5.0, mark))
        await asyncio.sleep(0)
        wanted[0] = False
        server.go.set()
        assert isinstance(await first, Reply)
        raw = await second
        assert isinstance(raw, NotSent)
        assert raw.late
        assert not mark.sent
        assert wire.free == 1
        await answered(wire, "/3")
    assert server.targets == [b"/1", b"/3"]


async def test_a_waiter_gets_the_next_free_slot_and_its_own_answer() -> None:
    async with served(slots=2) as (server, wire):
        await asyncio.gather(*(answered(wire, f"/{number}") for number in range(50)))
    assert server.accepted <= 2
    assert sorted(server.targets) == sorted(f"/{number}".encode() for number in range(50))


async def test_a_slot_given_to_a_waiter_that_is_cancelled_in_the_same_turn_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with served(hold, slots=1) as (server, wire):
        first = asyncio.create_task(wire.exchange(delete("/1"), 5.0))
        await until(lambda: server.targets == [b"/1"])
        waiters = [asyncio.create_task(wire.exchange(delete(f"/{n}"), 5.0)) for n in range(2, 5)]
        await asyncio.sleep(0)
        give = wire._slots.give
        given: list[bool] = []

        def give_and_cancel() -> None:
            give()
            if not given:
                given.append(True)
                waiters[0].cancel()

        monkeypatch.setattr(wire._slots, "give", give_and_cancel)
        server.go.set()
        await asyncio.wait([first, *waiters])
        assert waiters[0].cancelled()
        assert all(isinstance(waiter.result(), Reply) for waiter in waiters[1:])


@TLS
async def test_storms_of_cancelled_callers_leave_every_slot_usable(tls: bool) -> None:
    rng = random.Random(30)

    def behaviour(connection: Connection, request: Request) -> bool:
        if request.target.startswith(b"/storm") and rng.random() < 0.1:
            return silence(connection, request)
        echo(connection, request)
        return True

    async with served(behaviour, tls=tls) as (server, wire):
        for storm in range(15 if tls else 30):
            tasks = [asyncio.create_task(wire.exchange(delete(f"/storm/{n}"), 5.0)) for n in range(100)]
            for _ in range(rng.randrange(12)):
                await asyncio.sleep(0)
            if storm % 3 == 0:
                await until(partial(server.has_seen, len(server.targets) + 1))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert wire.free == 4
        await asyncio.gather(*(answered(wire, f"/after/{n}") for n in range(16)))
        assert wire.idle <= 4


# --- cancelled before the write -----------------------------------------------------------------------------


async def test_a_caller_cancelled_while_connecting_sent_nothing() -> None:
    mark = Mark()
    with unanswering_port() as port:
        wire = Wire(Origin("127.0.0.1", port, False), 1)
        caller = asyncio.create_task(wire.exchange(delete("/1"), 5.0, mark))
        await until(lambda: wire.free == 0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await wire.close()
        assert not wire.idle
    assert not mark.sent
    assert wire._slots.free == 1


async def test_a_caller_cancelled_in_the_handshake_leaves_no_connection() -> None:
    mark = Mark()
    with FaultServer(handshake=False) as server:
        wire = Wire(Origin("127.0.0.1", server.port, True), 1, context=authority().client_context)
        caller = asyncio.create_task(wire.exchange(delete("/1"), 5.0, mark))
        await until(lambda: server.bytes_received > 0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await until(lambda: server.open == 0)
        await wire.close()
    assert not mark.sent
    assert wire.free == 1


async def test_a_caller_cancelled_while_a_connection_is_looked_at_leaves_it_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark = Mark()
    async with served() as (server, wire):
        await answered(wire, "/1")
        looked = asyncio.Event()

        def readable(line: Line) -> bool:
            looked.set()
            return True

        with monkeypatch.context() as patch:
            patch.setattr(Line, "_readable", readable)
            caller = asyncio.create_task(wire.exchange(delete("/2"), 5.0, mark))
            async with asyncio.timeout(5):
                await looked.wait()
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
        await until(lambda: server.open == 0)
        assert not mark.sent
        await answered(wire, "/3")
    assert server.targets == [b"/1", b"/3"]


# --- warm connections ---------------------------------------------------------------------------------------


@TLS
async def test_warm_opens_connections_and_sends_nothing(tls: bool) -> None:
    async with served(tls=tls, slots=16) as (server, wire):
        assert await wire.warm(16) == 16
        assert await wire.warm(16) == 16
        await until(lambda: server.open == 16)
        assert server.bytes_received == 0
        await asyncio.gather(*(answered(wire, f"/{number}") for number in range(16)))
    assert server.accepted == 16


async def test_warm_never_opens_more_connections_than_there_are_slots() -> None:
    async with served(hold, slots=4) as (server, wire):
        busy = asyncio.create_task(wire.exchange(delete("/1"), 5.0))
        await until(lambda: server.targets == [b"/1"])
        assert await wire.warm(4) == 3
        assert await wire.warm(9) == 3
        await until(lambda: server.accepted == 4)
        server.go.set()
        await busy
        assert wire.idle == 4
        assert await wire.warm(9) == 4
    assert server.accepted == 4


async def test_warm_beside_exchanges_and_another_warm_keeps_to_the_slots() -> None:
    rng = random.Random(7)
    async with served(slots=4) as (server, wire):
        for _ in range(20):
            jobs: list[Any] = [wire.warm(rng.randrange(6)) for _ in range(3)]
            jobs += [answered(wire, f"/{number}") for number in range(rng.randrange(8))]
            rng.shuffle(jobs)
            await asyncio.gather(*jobs)
            assert wire.free == 4
            assert wire.idle <= 4
    assert server.accepted <= 4


async def test_warm_replaces_what_died_and_does_not_hoard_it() -> None:
    def never(connection: Connection, request: Request) -> None:
        raise AssertionError("nothing is sent")

    async with served(never, slots=3) as (server, wire):
        for _ in range(5):
            assert await wire.warm(3) == 3
            await until(partial(server.has_open, 3))
            server.end_all()
            await until(lambda: wire.idle == 0 and server.open == 0)
        assert len(wire._idle) <= 3
    assert server.accepted == 15


async def test_warm_says_how_many_there_are_when_none_can_be_opened() -> None:
    with unanswering_port() as port:
        wire = Wire(Origin("127.0.0.1", port, False), 4, connect_seconds=0.1)
        assert await wire.warm(4) == 0
        assert wire.free == 4
        warming = asyncio.create_task(wire.warm(4))
        await until(lambda: wire.free == 0)
        warming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await warming
        await until(lambda: wire.free == 4)
        await wire.close()


# --- the end ------------------------------------------------------------------------------------------------


@TLS
async def test_close_ends_what_is_in_flight_as_unanswered_and_sends_nothing_more(tls: bool) -> None:
    async with served(hold, tls=tls, slots=2) as (server, wire):
        flying = [asyncio.create_task(wire.exchange(delete(f"/{n}"), 5.0)) for n in (1, 2)]
        waiting = asyncio.create_task(wire.exchange(delete("/3"), 5.0))
        await until(lambda: len(server.targets) == 2)
        await wire.close()
        outcomes: list[Raw] = await asyncio.gather(*flying, waiting, wire.exchange(delete("/4"), 5.0))
        assert await wire.warm(2) == 0
    assert outcomes[:2] == [Unanswered("the connection was dropped")] * 2  # at once, not at the deadline
    assert [type(outcome) for outcome in outcomes[2:]] == [NotSent, NotSent]
    assert sorted(server.targets) == [b"/1", b"/2"]


@pytest.mark.parametrize("warming", [False, True], ids=["exchange", "warm"])
async def test_a_connection_that_comes_about_after_close_is_dropped_unused(
    warming: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    real, gate = loop.create_connection, asyncio.Event()
    mark = Mark()

    async def connect(*arguments: Any, **options: Any) -> Any:
        made = await real(*arguments, **options)
        await gate.wait()
        return made

    async with served() as (server, wire):
        monkeypatch.setattr(loop, "create_connection", connect)
        job: asyncio.Task[Any] = asyncio.create_task(
            wire.warm(1) if warming else wire.exchange(delete("/1"), 5.0, mark)
        )
        await until(lambda: server.open == 1)
        await wire.close()
        gate.set()
        assert await job == (0 if warming else NotSent("the connection set is closed"))
        await until(lambda: server.open == 0)
    assert not mark.sent
    assert server.bytes_received == 0


async def test_close_while_an_idle_connection_is_looked_at_sends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = asyncio.Event()

    def readable(line: Line) -> bool:
        first = not looked.is_set()
        looked.set()
        return first

    async with served() as (server, wire):
        await wire.warm(1)
        monkeypatch.setattr(Line, "_readable", readable)
        job = asyncio.create_task(wire.exchange(delete("/1"), 5.0))
        async with asyncio.timeout(5):
            await looked.wait()
        await wire.close()
        assert isinstance(await job, NotSent)
    assert server.bytes_received == 0
