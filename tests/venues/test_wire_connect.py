"""Whatever goes wrong before a connection stands: the request was not sent, and its slot is free again."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from cancel_tui.redaction import Secret
from cancel_tui.venues.outcome import NotSent
from cancel_tui.venues.streams import open_stream
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


CERTIFICATES: dict[str, tuple[bool, Mapping[str, Any], str]] = {
    "from an unknown authority": (
        False,
        {},
        "the venue's certificate is not from an authority that this machine trusts",
    ),
    "self-signed": (False, {"alone": True}, "the venue's certificate is signed by nobody but itself"),
    "for another address": (True, {"name": "127.0.0.2"}, "the venue's certificate is for another address"),
    "expired": (True, {"days": -1}, "the venue's certificate has expired"),
    "not valid yet": (True, {"begun": -1, "days": 2}, "the venue's certificate is not valid yet"),
}
"""Whether its authority is trusted, what is presented, and what is said of it."""


def _dates(presented: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in presented.items() if name != "name"}


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


@pytest.mark.parametrize(("trusted", "presented", "reason"), CERTIFICATES.values(), ids=CERTIFICATES)
async def test_a_certificate_that_proves_nothing_means_not_sent(
    trusted: bool, presented: Mapping[str, Any], reason: str
) -> None:
    context = authority().server_context(presented.get("name", "127.0.0.1"), **_dates(presented))
    trust = authority() if trusted else Authority("someone else")
    with FaultServer(tls=context) as server:
        assert await not_sent(Origin("127.0.0.1", server.port, True), context=trust.client_context) == reason
    assert server.bytes_received == 0


@pytest.mark.parametrize(("trusted", "presented", "reason"), CERTIFICATES.values(), ids=CERTIFICATES)
async def test_a_stream_is_opened_to_no_such_certificate_either(
    trusted: bool, presented: Mapping[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = authority() if trusted else Authority("someone else")

    async def prepared() -> ssl.SSLContext:
        return trust.client_context

    monkeypatch.setattr("cancel_tui.venues.streams.prepare", prepared)
    context = authority().server_context(presented.get("name", "127.0.0.1"), **_dates(presented))
    with FaultServer(tls=context) as server:
        raw = await open_stream(Secret(f"wss://127.0.0.1:{server.port}/?token=abc"), timeout=5.0)
    assert raw == NotSent(reason)
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


# --- names --------------------------------------------------------------------------------------------------


class NameServer:
    """Stands in for the system's lookup; can answer, deny, and hang."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked: list[str] = []
        self.unhang = threading.Event()
        self.unhang.set()
        monkeypatch.setattr(socket, "getaddrinfo", self.look_up)

    def look_up(self, host: str, port: object, *_: object, **__: object) -> list[Any]:
        self.asked.append(host)
        self.unhang.wait(10)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 0)) for one in self.addresses]


def named(server: FaultServer, slots: int = 4, connect_seconds: float = 3.0) -> Wire:
    return Wire(Origin("venue.example", server.port, False), slots, connect_seconds=connect_seconds)


async def test_an_unknown_name_means_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    NameServer(monkeypatch)
    assert await not_sent(Origin("venue.example", 443, False)) == "the venue's name could not be resolved"


async def test_connections_made_at_once_share_one_lookup_and_later_ones_look_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = NameServer(monkeypatch, "127.0.0.1")
    with FaultServer() as server:
        wire = named(server)
        assert await wire.warm(4) == 4
        assert names.asked == ["venue.example"]
        await until(lambda: server.open == 4)
        server.end_all()
        await until(lambda: wire.idle == 0)
        await answered(wire, "/1")
        assert len(names.asked) == 2
        await wire.close()


async def test_a_lookup_that_hangs_means_not_sent_in_time_and_keeps_nothing_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = NameServer(monkeypatch, "127.0.0.1")
    names.unhang.clear()
    with FaultServer() as server:
        wire = named(server, connect_seconds=0.1)
        assert await wire.exchange(delete("/1"), 5.0) == NotSent("no connection within 0.1 s")
        assert await asyncio.get_running_loop().run_in_executor(None, lambda: 1) == 1
        assert [thread.daemon for thread in threading.enumerate() if thread.name.startswith("lookup")] == [
            True
        ]
        names.unhang.set()
        await answered(wire, "/2")
        await wire.close()
    assert server.targets == [b"/2"]


@pytest.mark.parametrize("fault", ["hangs", "denies"])
async def test_when_names_stop_working_the_last_known_address_still_does(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = NameServer(monkeypatch, "127.0.0.1")
    with FaultServer() as server:
        wire = named(server, connect_seconds=0.9)
        await answered(wire, "/1")
        if fault == "hangs":
            names.unhang.clear()
        else:
            names.addresses.clear()
        server.end_all()
        await until(lambda: wire.idle == 0)
        await answered(wire, "/2")
        assert len(names.asked) == 2
        await wire.close()
        names.unhang.set()


async def test_a_venue_that_moved_is_found_at_its_new_address(monkeypatch: pytest.MonkeyPatch) -> None:
    names = NameServer(monkeypatch, "127.0.0.1")
    with FaultServer() as server:
        wire = named(server)
        await answered(wire, "/1")
        names.addresses = ["127.0.0.2"]
        server.end_all()
        await until(lambda: wire.idle == 0)
        assert isinstance(await wire.exchange(delete("/2"), 5.0), NotSent)
        await wire.close()
    assert server.targets == [b"/1"]


async def test_an_address_that_is_silent_costs_half_the_time_and_only_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FaultServer() as server:
        dials: list[str] = []
        loop = asyncio.get_running_loop()
        real = loop.create_connection

        async def connect(factory: Any, address: str, *arguments: Any, **options: Any) -> Any:
            dials.append(address)
            if address == "127.0.0.9":
                await asyncio.Event().wait()
            return await real(factory, address, *arguments, **options)

        monkeypatch.setattr(loop, "create_connection", connect)
        NameServer(monkeypatch, "127.0.0.9", "127.0.0.2", "127.0.0.1")
        wire = named(server, connect_seconds=1.0)
        await answered(wire, "/1")
        server.end_all()
        await until(lambda: wire.idle == 0)
        await answered(wire, "/2")
        await wire.close()
    assert dials == ["127.0.0.9", "127.0.0.2", "127.0.0.1", "127.0.0.1"]


# --- addresses that cannot be -------------------------------------------------------------------------------


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
    assert wire.free == 1


async def test_warming_towards_a_port_that_cannot_be_opens_nothing() -> None:
    wire = Wire(Origin("127.0.0.1", 70_000, False), 2)
    assert await wire.warm(2) == 0
    assert wire.free == 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            OSError(errno.EHOSTUNREACH, "Connect call failed ('127.0.0.1', 9)"),
            f"no connection ({os.strerror(errno.EHOSTUNREACH)})",
        ),
        (OSError("Multiple exceptions: [Errno 111] ('127.0.0.1', 9)"), "no connection (OSError)"),
        (ConnectionResetError(), "no connection (ConnectionResetError)"),
        (RuntimeError("('127.0.0.1', 9)"), "the venue's address cannot be used (RuntimeError)"),
    ],
)
async def test_any_failure_to_connect_means_not_sent_and_names_no_address(
    error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*arguments: Any, **options: Any) -> Any:
        raise error

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", broken)
    assert await not_sent(Origin("127.0.0.1", 9, False)) == reason


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_an_ipv6_literal_is_connected_to_and_named_in_brackets(tls: bool) -> None:
    async with served(tls=tls, host="::1") as (server, wire):
        await answered(wire, "/1")
    assert server.requests[0].lines[1] == b"Host: [::1]:%d" % server.port
