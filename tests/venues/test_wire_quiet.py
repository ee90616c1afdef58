"""The quiet GET over httpx, and the TLS context of the process."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from pathlib import Path

import pytest

from cancel_tui.venues import tls
from cancel_tui.venues.wire import QuietError, quiet_get
from tests.venues.fault_server import (
    Behaviour,
    Connection,
    FaultServer,
    Request,
    answer,
)
from tests.venues.wire_case import until


async def got(
    behaviour: Behaviour, path: str = "/time?x=1", timeout: float = 5.0
) -> tuple[int, bytes, FaultServer]:
    with FaultServer(behaviour) as server:
        status, body = await quiet_get(f"http://127.0.0.1:{server.port}{path}", timeout=timeout)
        await until(lambda: server.open == 0)
    assert server.accepted == 1
    return status, body, server


async def test_a_quiet_get_brings_status_and_body_and_asks_for_nothing_odd() -> None:
    def behaviour(connection: Connection, request: Request) -> None:
        connection.send(answer(b'{"t":1}', "200 OK", b"Set-Cookie: a=b"))

    status, body, server = await got(behaviour)
    assert (status, body) == (200, b'{"t":1}')
    assert server.targets == [b"/time?x=1"]
    names = [line.partition(b":")[0].lower() for line in server.requests[0].lines[1:]]
    assert names == [b"host", b"accept"]


async def test_a_quiet_get_reads_chunks_and_follows_no_redirect() -> None:
    def behaviour(connection: Connection, request: Request) -> None:
        head = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.send(head + b"2\r\n{}\r\n0\r\n\r\n")

    status, body, server = await got(behaviour)
    assert (status, body) == (302, b"{}")
    assert server.targets == [b"/time?x=1"]


async def test_a_quiet_get_ignores_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{dead.getsockname()[1]}")

        def behaviour(connection: Connection, request: Request) -> None:
            connection.send(answer())

        status, _, _ = await got(behaviour)
    assert status == 200


async def test_a_quiet_get_without_a_usable_answer_says_so_in_its_own_words() -> None:
    def behaviour(connection: Connection, request: Request) -> bool:
        return False

    with pytest.raises(QuietError, match="ended before the answer"):
        await got(behaviour)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(QuietError, match="refused"):
            await quiet_get(f"http://127.0.0.1:{taken.getsockname()[1]}/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nowhere",
        "ftp://127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://[::1",
        "http://",
        "http://127.0.0.1/\x00",
    ],
)
async def test_a_quiet_get_of_an_impossible_address_raises_nothing_else(url: str) -> None:
    with pytest.raises(QuietError):
        await quiet_get(url)


def test_the_context_verifies_names_and_writes_its_keys_to_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(file))
    context = tls.build_context()
    assert not context.keylog_filename
    assert not file.exists()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


async def test_the_context_is_built_once_and_not_in_the_loops_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    real = tls.build_context

    def build() -> ssl.SSLContext:
        threads.append(threading.get_ident())
        return real()

    monkeypatch.setattr(tls, "_made", [])
    monkeypatch.setattr(tls, "build_context", build)
    first, second = await asyncio.gather(tls.prepare(), tls.prepare())
    third = await tls.prepare()
    assert first is second is third
    assert len(threads) == 1
    assert threading.get_ident() not in threads
