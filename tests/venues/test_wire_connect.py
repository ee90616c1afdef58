"""Whatever goes wrong before a connection stands: the request was not sent, and its slot is free again."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from cancel_tui.venues.outcome import NotSent
from cancel_tui.venues.wire import Mark, Origin, Wire
from tests.venues.authority import Authority, authority
from tests.venues.fault_server import (
    FaultServer,
    unanswering_port,
)
from tests.venues.wire_case import TLS, answered, delete, served, until


async def not_sent(origin: Origin, **options: Any) -> str:
    """The reason why a request did not leave; it names no address."""
    options.setdefault("connect_seconds", 5.0)
    wire = Wire(origin, 1, **options)
    mark = Mark()
    raw = await wire.exchange(delete("/1"), 5.0, mark)
    await wire.close()
    assert isinstance(raw, NotSent), raw
    assert not mark.sent
    assert wire.free == 1
    assert origin.host not in raw.reason
    assert str(origin.port) not in raw.reason
    return raw.reason


@TLS
async def test_a_closed_port_means_not_sent(tls: bool) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: refused, and nobody else can take it
        reason = await not_sent(
            Origin("127.0.0.1", taken.getsockname()[1], tls), context=authority().client_context
        )
    assert reason == "the connection was refused"


@TLS
async def test_an_unanswered_syn_means_not_sent(tls: bool) -> None:
    with unanswering_port() as port:
        origin = Origin("127.0.0.1", port, tls)
        reason = await not_sent(origin, connect_seconds=0.2, context=authority().client_context)
    assert reason == "no connection within 0.2 s"


@pytest.mark.parametrize(
    ("trusted", "names", "days", "reason"),
    [
        (
            False,
            ("127.0.0.1",),
            1,
            "the venue's certificate is not from an authority that this machine trusts",
        ),
        (True, ("127.0.0.2",), 1, "the venue's certificate is for another address"),
        (True, ("127.0.0.1",), -1, "the venue's certificate has expired"),
    ],
)
async def test_a_certificate_that_proves_nothing_means_not_sent(
    trusted: bool, names: tuple[str, ...], days: int, reason: str
) -> None:
    context = authority().server_context(*names, days=days)
    trust = authority() if trusted else Authority("someone else")
    with FaultServer(tls=context) as server:
        assert await not_sent(Origin("127.0.0.1", server.port, True), context=trust.client_context) == reason
    assert server.bytes_received == 0


async def test_the_name_is_asked_for_verified_and_spoken_to_in_http_1_1() -> None:
    async with served(tls=True, context=authority().server_context("localhost")) as (server, other):
        wire = Wire(Origin("localhost", server.port, True), 1, context=authority().client_context)
        await answered(wire, "/1")
        await wire.close()
        raw = await other.exchange(delete("/2"), 5.0)
        assert raw == NotSent("the venue's certificate is for another address")
    assert server.names[0] == "localhost"
    assert server.protocols[0] == "http/1.1"
    with FaultServer(tls=authority().server_context("elsewhere.example")) as server:
        reason = await not_sent(Origin("localhost", server.port, True), context=authority().client_context)
    assert reason == "the venue's certificate is for another name"
    assert server.targets == []


async def test_a_server_without_tls_means_not_sent() -> None:
    with FaultServer(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        reason = await not_sent(Origin("127.0.0.1", server.port, True), context=authority().client_context)
    assert reason == "no TLS connection could be made"
    assert server.targets == []


async def test_a_silent_handshake_means_not_sent_and_ends_in_time() -> None:
    with FaultServer(handshake=False) as server:
        origin = Origin("127.0.0.1", server.port, True)
        reason = await not_sent(origin, connect_seconds=0.2, context=authority().client_context)
        await until(lambda: server.open == 0)
    assert reason == "no connection within 0.2 s"


async def test_an_unknown_name_means_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*arguments: Any, **options: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    assert await not_sent(Origin("venue.example", 443, False)) == "the venue's name could not be resolved"


@pytest.mark.parametrize(
    "origin",
    [
        Origin("", 80, False),
        Origin("127.0.0.1", 70_000, False),
        Origin("a" * 70 + ".example", 80, False),
        Origin("ü" * 70 + ".example", 80, False),
        Origin("venue\r\nX: y", 80, False),
        Origin("venue .example", 80, True),
    ],
    ids=["empty", "port", "long label", "long foreign label", "line break", "space"],
)
async def test_an_address_that_cannot_be_used_means_not_sent(origin: Origin) -> None:
    wire = Wire(origin, 1)
    assert isinstance(await wire.exchange(delete("/1"), 1.0), NotSent)
    assert await wire.warm(1) == 0
    assert wire.free == 1


async def test_any_failure_to_connect_means_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*arguments: Any, **options: Any) -> Any:
        raise RuntimeError("cannot schedule new futures after shutdown")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", broken)
    assert "RuntimeError" in await not_sent(Origin("127.0.0.1", 9, False))


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_an_ipv6_literal_is_connected_to_and_named_in_brackets(tls: bool) -> None:
    async with served(tls=tls, host="::1") as (server, wire):
        await answered(wire, "/1")
    assert server.requests[0].lines[1] == b"Host: [::1]:%d" % server.port
