"""What the tests of the wire share: a server with a wire to it, and the simplest requests and behaviours."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable

import pytest

from cancel_tui.venues.base import Message, Reply
from cancel_tui.venues.wire import Origin, Wire
from tests.venues.authority import authority
from tests.venues.fault_server import Behaviour, Connection, FaultServer, Request, echo

TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


def delete(target: str) -> Message:
    """A cancel."""
    return Message(b"DELETE", target.encode())


async def answered(wire: Wire, target: str) -> None:
    """The next request gets its own answer."""
    raw = await wire.exchange(delete(target), 5.0)
    assert isinstance(raw, Reply), raw
    assert (raw.status, raw.body) == (200, target.encode())


def speak(connection: Connection, request: Request) -> bool:
    echo(connection, request)
    return True


def hang_up(connection: Connection, request: Request) -> bool:
    connection.hang_up()
    return False


def reset(connection: Connection, request: Request) -> bool:
    connection.reset()
    return False


def silence(connection: Connection, request: Request) -> bool:
    connection.wait_for_peer()
    return False


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Let the loop run until a condition holds."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "the condition never came true"
        await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def served(
    behaviour: Behaviour = echo,
    *,
    tls: bool = False,
    slots: int = 4,
    host: str = "127.0.0.1",
    connect_seconds: float = 5.0,
    slot_seconds: float = 5.0,
    greeting: bytes = b"",
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[FaultServer, Wire]]:
    """A server and a wire to it; afterwards no slot, no connection and no task may be left behind."""
    server_context = (context or authority().server_context()) if tls else None
    with FaultServer(behaviour, tls=server_context, greeting=greeting, host=host) as server:
        wire = Wire(
            Origin(host, server.port, tls),
            slots,
            connect_seconds=connect_seconds,
            slot_seconds=slot_seconds,
            context=authority().client_context,
        )
        yield server, wire
        server.stopping.set()
        server.go.set()
        assert wire.free == slots
        await until(lambda: server.open <= wire.idle)
        await wire.close()
        await until(lambda: server.open == 0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
