"""What the wire says about a request is true: not sent, unanswered, or answered with its own answer."""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Callable
from typing import Any

import pytest

from cancel_tui.venues.base import Reply
from cancel_tui.venues.line import Line
from cancel_tui.venues.outcome import NotSent, Unanswered
from cancel_tui.venues.wire import Mark
from tests.venues.fault_server import (
    Behaviour,
    Connection,
    Request,
    answer,
    echo,
)
from tests.venues.wire_case import TLS, answered, delete, hang_up, reset, served, silence, speak, until

# --- sent, and no answer ------------------------------------------------------------------------------------


@TLS
@pytest.mark.parametrize("end", [hang_up, reset])
async def test_a_request_that_was_read_before_the_connection_ended_is_unanswered_and_sent_once(
    tls: bool, end: Behaviour
) -> None:
    mark = Mark()
    async with served(end, tls=tls) as (server, wire):
        raw = await wire.exchange(delete("/1"), 5.0, mark)
    assert isinstance(raw, Unanswered)
    assert mark.sent
    assert (server.targets, server.accepted) == ([b"/1"], 1)


@TLS
async def test_a_kept_connection_that_ends_at_its_second_use_is_not_replaced_by_a_second_sending(
    tls: bool,
) -> None:
    def behaviour(connection: Connection, request: Request) -> bool:
        return speak(connection, request) if request.number == 1 else hang_up(connection, request)

    async with served(behaviour, tls=tls) as (server, wire):
        await answered(wire, "/1")
        raw = await wire.exchange(delete("/2"), 5.0)
    assert isinstance(raw, Unanswered)
    assert (server.targets, server.accepted) == ([b"/1", b"/2"], 1)


@TLS
async def test_silence_ends_at_the_deadline_and_the_connection_is_not_used_again(tls: bool) -> None:
    def behaviour(connection: Connection, request: Request) -> bool:
        return silence(connection, request) if request.target == b"/1" else speak(connection, request)

    async with served(behaviour, tls=tls) as (server, wire):
        begun = time.monotonic()
        raw = await wire.exchange(delete("/1"), 0.15)
        taken = time.monotonic() - begun
        assert wire.idle == 0
        await answered(wire, "/2")
    assert raw == Unanswered("no answer within 0.15 s")
    assert 0.14 < taken < 2.0
    assert (server.targets, server.accepted) == ([b"/1", b"/2"], 2)


@pytest.mark.parametrize("part", ["head", "body", "chunks"])
async def test_a_drip_ends_at_the_deadline_however_often_a_byte_arrives(part: str) -> None:
    def behaviour(connection: Connection, request: Request) -> bool:
        start = {
            "head": b"",
            "body": b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n",
            "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        }[part]
        connection.send(start)
        drips = {"head": b"HTTP/1.1 200 " + b"x" * 9000, "body": b"x" * 9000, "chunks": b"1\r\nx\r\n" * 2000}
        connection.drip(drips[part], 0.01)
        return False

    async with served(behaviour) as (server, wire):
        begun = time.monotonic()
        raw = await wire.exchange(delete("/1"), 0.3)
        taken = time.monotonic() - begun
        await until(lambda: server.open == 0)
    assert isinstance(raw, Unanswered)
    assert 0.29 < taken < 2.0


async def test_an_error_of_the_write_itself_counts_as_sent() -> None:
    class Torn(asyncio.Transport):
        def write(self, data: Any) -> None:
            raise RuntimeError("cannot write")

        def is_closing(self) -> bool:
            return False

        def abort(self) -> None:
            line.connection_lost(None)

    line, mark = Line(), Mark()
    line.connection_made(Torn())
    raw = await line.begin(b"DELETE", b"DELETE / HTTP/1.1\r\n\r\n", 5.0, mark)
    assert isinstance(raw, Unanswered)
    assert mark.sent
    assert not line.clean


async def test_a_listener_that_fails_at_the_write_fails_no_caller_and_no_later_request() -> None:
    def fail() -> None:
        raise RuntimeError("listener")

    mark = Mark(written=fail)
    async with served() as (_, wire):
        assert isinstance(await wire.exchange(delete("/1"), 5.0, mark), Unanswered)
        assert mark.sent
        await answered(wire, "/2")


@TLS
async def test_a_cancelled_caller_in_flight_costs_the_connection_at_once(tls: bool) -> None:
    mark = Mark()
    async with served(silence, tls=tls) as (server, wire):
        caller = asyncio.create_task(wire.exchange(delete("/1"), 60.0, mark))
        await until(lambda: server.targets == [b"/1"])
        caller.cancel()
        await asyncio.wait([caller])
        assert mark.sent
        await until(lambda: server.open == 0)


# --- idle connections ---------------------------------------------------------------------------------------


def idle_behaviour(act: Callable[[Connection], object]) -> Behaviour:
    """Answer; after targets under /first, do something to the idle connection when told to."""

    def behaviour(connection: Connection, request: Request) -> bool | None:
        echo(connection, request)
        if request.target.startswith(b"/first"):
            connection.server.go.wait(10)
            act(connection)
            connection.server.acted()
        return connection.sock.fileno() >= 0

    return behaviour


EVIL = answer(b"/another-order")
TIMEOUT = answer(b"", "408 Request Timeout", b"Connection: close")


def say_408_and_hang_up(connection: Connection) -> None:
    connection.send(TIMEOUT)
    connection.hang_up()


def say_408(connection: Connection) -> None:
    connection.send(TIMEOUT)


def say_an_answer(connection: Connection) -> None:
    connection.send(EVIL)


def say_one_byte(connection: Connection) -> None:
    connection.send(b"\n")


IDLE_FAULTS = [
    Connection.hang_up,
    Connection.cut,
    Connection.reset,
    say_408_and_hang_up,
    say_408,
    say_an_answer,
    say_one_byte,
]


@TLS
@pytest.mark.parametrize("fault", IDLE_FAULTS)
async def test_what_befell_an_idle_connection_while_the_loop_was_busy_costs_no_request(
    tls: bool, fault: Callable[[Connection], None]
) -> None:
    async with served(idle_behaviour(fault), tls=tls) as (server, wire):
        for turn in range(5):
            await answered(wire, f"/first/{turn}")
            server.act(1)  # the loop gets no turn between this and the next request
            await answered(wire, f"/second/{turn}")
    assert server.accepted == 6
    assert len(server.targets) == 10


@TLS
@pytest.mark.parametrize("fault", IDLE_FAULTS)
async def test_an_idle_connection_that_ended_or_spoke_unasked_is_dropped_at_once(
    tls: bool, fault: Callable[[Connection], None]
) -> None:
    async with served(idle_behaviour(fault), tls=tls) as (server, wire):
        await answered(wire, "/first")
        assert wire.idle == 1
        server.act(1)
        await until(lambda: wire.idle == 0)
        await until(lambda: server.open == 0)
        await answered(wire, "/second")
    assert server.targets == [b"/first", b"/second"]


@TLS
@pytest.mark.parametrize("fault", IDLE_FAULTS)
async def test_a_connection_that_something_befell_is_not_lent(
    tls: bool, fault: Callable[[Connection], None]
) -> None:
    async with served(idle_behaviour(fault), tls=tls) as (server, wire):
        await answered(wire, "/first")
        server.act(1)
        assert wire.lend() is None
        await answered(wire, "/second")
    assert server.targets == [b"/first", b"/second"]


@TLS
async def test_a_connection_that_is_lent_takes_its_slot_and_brings_it_back(tls: bool) -> None:
    async with served(echo, tls=tls) as (server, wire):
        await answered(wire, "/first")
        free = wire.free
        line = wire.lend()
        assert line is not None
        assert (wire.free, wire.idle) == (free - 1, 0)
        assert wire.lend() is None
        came: list[object] = []
        line.ask(b"DELETE", wire.encoded(delete("/lent")), 5.0, Mark(), came.append)
        await until(lambda: came != [])
        assert isinstance(came[0], Reply)
        assert came[0].body == b"/lent"
        wire.give_back(line)
        assert (wire.free, wire.idle) == (free, 1)
        await answered(wire, "/second")
    assert server.accepted == 1


@TLS
async def test_an_idle_connection_is_given_time_to_show_its_end_where_there_is_no_poll(
    tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(idle_behaviour(Connection.reset), tls=tls) as (server, wire):
        monkeypatch.delattr(select, "poll")
        await answered(wire, "/first")
        server.act(1)
        await answered(wire, "/second")
        await answered(wire, "/third")
    assert server.accepted == 2


@pytest.mark.parametrize("error", [OSError, ValueError])
async def test_a_connection_that_cannot_be_looked_at_is_not_written_to(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blind:
        def register(self, *_: object) -> None:
            pass

        def poll(self, _: float) -> list[tuple[int, int]]:
            raise error

    mark = Mark()
    async with served() as (server, wire):
        monkeypatch.setattr(select, "poll", Blind)
        raw = await wire.exchange(delete("/1"), 5.0, mark)
    assert isinstance(raw, NotSent)
    assert not mark.sent
    assert server.bytes_received == 0


async def test_bytes_on_a_fresh_connection_are_not_taken_for_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    real = loop.create_connection
    async with served(greeting=EVIL) as (server, wire):

        async def connect(*arguments: Any, **options: Any) -> Any:
            made = await real(*arguments, **options)
            readable, _, _ = select.select([made[0].get_extra_info("socket")], [], [], 5)
            assert readable
            return made

        monkeypatch.setattr(loop, "create_connection", connect)
        mark = Mark()
        raw = await wire.exchange(delete("/1"), 5.0, mark)
    assert raw == NotSent("the venue closes connections as soon as they are open")
    assert not mark.sent
    assert server.bytes_received == 0


# --- surplus ------------------------------------------------------------------------------------------------

SURPLUS = {
    "behind an answer with a length": answer(b"/1") + EVIL,
    "behind a chunked answer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n/1\r\n0\r\n\r\n"
    + EVIL,
    "a body behind a 204": b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n" + EVIL,
    "a line break": answer(b"/1") + b"\r\n",
    "a piece of a head": answer(b"/1") + b"HTTP/1.1 2",
}


@TLS
@pytest.mark.parametrize("surplus", SURPLUS.values(), ids=SURPLUS)
async def test_surplus_behind_an_answer_is_never_the_next_requests_answer(tls: bool, surplus: bytes) -> None:
    def behaviour(connection: Connection, request: Request) -> None:
        connection.send(surplus if request.target == b"/1" else answer(request.target))

    async with served(behaviour, tls=tls) as (server, wire):
        assert isinstance(await wire.exchange(delete("/1"), 5.0), Reply)
        assert wire.idle == 0
        for number in range(2, 5):
            await answered(wire, f"/{number}")
    assert server.accepted == 2
    assert server.targets == [b"/1", b"/2", b"/3", b"/4"]


@TLS
async def test_after_a_408_the_requests_own_answer_may_still_come_so_the_connection_goes(tls: bool) -> None:
    def behaviour(connection: Connection, request: Request) -> None:
        if request.target == b"/1":
            connection.send(answer(b"", "408 Request Timeout"))
            connection.server.go.wait(10)
        connection.send(answer(request.target))

    async with served(behaviour, tls=tls) as (server, wire):
        raw = await wire.exchange(delete("/1"), 5.0)
        assert isinstance(raw, Unanswered)
        assert raw.status == 408
        server.go.set()
        await answered(wire, "/2")
    assert server.accepted == 2


@TLS
async def test_a_cancelled_callers_answer_is_never_the_next_requests_answer(tls: bool) -> None:
    def behaviour(connection: Connection, request: Request) -> None:
        if request.target == b"/1":
            connection.server.go.wait(10)
        connection.send(answer(request.target))

    mark = Mark()
    async with served(behaviour, tls=tls, slots=1) as (server, wire):
        caller = asyncio.create_task(wire.exchange(delete("/1"), 5.0, mark))
        await until(lambda: server.targets == [b"/1"])
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert mark.sent
        server.go.set()
        await answered(wire, "/2")
    assert (server.targets, server.accepted) == ([b"/1", b"/2"], 2)
