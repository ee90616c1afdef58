"""The thin WebSocket: values instead of exceptions, no address in any text, no surprise on the wire."""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import http
import ipaddress
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from cancel_tui.redaction import Secret
from cancel_tui.venues.base import Message, Reply
from cancel_tui.venues.outcome import NotSent, Unanswered
from cancel_tui.venues.streams import LARGEST, PIECES, Closed, TextStream, open_stream
from cancel_tui.venues.wire import Origin, Wire, quiet_get

TOKEN = "sentinel-token-5f1e"
Handler = Callable[[ServerConnection], Awaitable[None]]
Check = Callable[[ServerConnection, Request], Response | None]


@asynccontextmanager
async def websocket(handler: Handler, check: Check | None = None) -> AsyncIterator[Secret]:
    """A WebSocket server on loopback; yields its address, token and all."""
    async with serve(handler, "127.0.0.1", 0, process_request=check) as server:
        port = server.sockets[0].getsockname()[1]
        yield Secret(f"ws://127.0.0.1:{port}/stream?access_token={TOKEN}")


@asynccontextmanager
async def raw_server(
    serve_one: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[Secret]:
    """A TCP server on loopback that need not speak any protocol."""
    writers: list[asyncio.StreamWriter] = []

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve_one(reader, writer)

    server = await asyncio.start_server(kept, "127.0.0.1", 0)
    try:
        yield Secret(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream?access_token={TOKEN}")
    finally:
        server.close()
        for writer in writers:
            writer.close()


async def opened(url: Secret, largest: int = LARGEST) -> TextStream:
    stream = await open_stream(url, timeout=5.0, largest=largest)
    assert isinstance(stream, TextStream)
    return stream


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def test_text_goes_out_and_comes_back() -> None:
    async with websocket(echo) as url:
        stream = await opened(url)
        assert await stream.send("grüße\x1e") is None
        assert await stream.receive() == "grüße\x1e"
        await stream.close()


async def test_the_upgrade_says_nothing_about_us_and_offers_no_compression() -> None:
    seen: list[Request] = []

    def look(connection: ServerConnection, request: Request) -> None:
        seen.append(request)

    async with websocket(echo, look) as url:
        await (await opened(url)).close()
    headers = {name.lower() for name in seen[0].headers}
    assert not headers & {"user-agent", "sec-websocket-extensions", "cookie", "origin"}
    assert seen[0].path == f"/stream?access_token={TOKEN}"


async def test_extra_headers_travel() -> None:
    seen: list[str] = []

    def look(connection: ServerConnection, request: Request) -> None:
        seen.append(request.headers["X-Key"])

    async with websocket(echo, look) as url:
        stream = await open_stream(url, timeout=5.0, headers=[("X-Key", "k")])
        assert isinstance(stream, TextStream)
        await stream.close()
    assert seen == ["k"]


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
async def test_a_refused_upgrade_is_the_venues_reply(status: int) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        answer = connection.respond(http.HTTPStatus(status), "no")
        answer.headers["Retry-After"] = "7"
        return answer

    async with websocket(echo, refuse) as url:
        reply = await open_stream(url, timeout=5.0)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body, reply.headers["retry-after"]) == (status, b"no", "7")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    asked: list[str] = []

    def redirect(connection: ServerConnection, request: Request) -> Response | None:
        asked.append(request.path)
        if len(asked) > 1:
            return None
        answer = connection.respond(http.HTTPStatus(status), "")
        answer.headers["Location"] = "/elsewhere"
        return answer

    async with websocket(echo, redirect) as url:
        reply = await open_stream(url, timeout=5.0)
    assert isinstance(reply, Reply)
    assert reply.status == status
    assert len(asked) == 1


async def test_a_closed_port_is_not_sent_and_names_no_address() -> None:
    async with websocket(echo) as url:
        pass
    outcome = await open_stream(url, timeout=5.0)
    assert isinstance(outcome, NotSent)
    assert TOKEN not in repr(outcome)
    assert "127.0.0.1" not in repr(outcome)


async def test_an_answer_that_is_no_http_is_unanswered() -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x00\x01 what?\r\n\r\n")
        writer.close()

    async with raw_server(garbage) as url:
        outcome = await open_stream(url, timeout=5.0)
    assert isinstance(outcome, Unanswered)
    assert TOKEN not in repr(outcome)


async def test_a_server_that_hangs_up_before_the_upgrade_is_unanswered() -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with raw_server(rude) as url:
        assert isinstance(await open_stream(url, timeout=5.0), Unanswered)


async def test_a_silent_server_is_unanswered_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_server(silent) as url:
        began = time.monotonic()
        outcome = await open_stream(url, timeout=0.2)
        assert time.monotonic() - began < 3.0
    assert isinstance(outcome, Unanswered)


@pytest.mark.parametrize("url", ["ws://", "http://127.0.0.1/", "ws://127.0.0.1:99999/", "nonsense"])
async def test_an_address_that_is_none_is_not_sent(url: str) -> None:
    assert isinstance(await open_stream(Secret(url), timeout=1.0), NotSent)


async def test_a_plain_server_behind_wss_is_not_sent() -> None:
    async with websocket(echo) as url:
        outcome = await open_stream(Secret(url.reveal().replace("ws://", "wss://")), timeout=5.0)
    assert isinstance(outcome, NotSent)
    assert TOKEN not in repr(outcome)


async def test_a_message_longer_than_allowed_closes() -> None:
    async def long(connection: ServerConnection) -> None:
        await connection.send("x" * 2000)
        await connection.wait_closed()

    async with websocket(long) as url:
        stream = await opened(url, largest=1000)
        assert await stream.receive() == Closed("a message longer than allowed")
        await stream.close()


def _frame(first: int, payload: bytes = b"") -> bytes:
    """A short frame of a server: unmasked."""
    return bytes([first, len(payload)]) + payload


TEXT, CONTINUED, FINAL, COMPRESSED = 0x1, 0x0, 0x80, 0x40
Pushed = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def pushing(push: Pushed, extra: bytes = b"") -> AsyncIterator[Secret]:
    """A server that takes the upgrade, with further headers, and then sends what it likes."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = dict(line.partition(": ")[::2] for line in head.split("\r\n"))
        upgraded = _upgrade(lines["Sec-WebSocket-Key"])
        writer.write(upgraded[:-2] + extra + b"\r\n")
        with suppress(ConnectionError):
            await push(writer)
            await reader.read()

    async with raw_server(speak) as url:
        yield url


async def test_a_message_in_endless_empty_pieces_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    # Newer versions of the library have a bound of their own.
    monkeypatch.setattr("websockets.asyncio.messages.MAX_FRAGMENTS", 10**9, raising=False)
    sent = 0

    async def push(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(_frame(TEXT, b"{"))
        while sent < 50 * PIECES:
            writer.write(_frame(CONTINUED) * 100)
            sent += 100
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(_frame(CONTINUED | FINAL, b"}"))

    async with pushing(push) as url, asyncio.timeout(20):
        stream = await opened(url)
        assert await stream.receive() == Closed("connection lost")
        await stream.close()
    assert sent > PIECES


async def test_pieces_are_counted_by_message() -> None:
    async def push(writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            writer.write(
                _frame(TEXT, b"a") + _frame(CONTINUED) * (PIECES - 1) + _frame(CONTINUED | FINAL, b"b")
            )
            await writer.drain()

    async with pushing(push) as url:
        stream = await opened(url)
        assert [await stream.receive() for _ in range(3)] == ["ab"] * 3
        await stream.close()


async def test_a_compressed_message_that_nobody_asked_for_ends_the_connection() -> None:
    async def push(writer: asyncio.StreamWriter) -> None:
        writer.write(_frame(TEXT | FINAL | COMPRESSED, b"\x00\x00"))
        await writer.drain()

    async with pushing(push) as url:
        stream = await opened(url)
        assert await stream.receive() == Closed("the peer broke the protocol")
        await stream.close()


@pytest.mark.parametrize("last", [b"\x83\x00", b"\x88\x02\x03\xe8"], ids=["no protocol", "goodbye"])
async def test_a_peer_that_is_through_with_us_and_does_not_hang_up_is_hung_up_on(last: bytes) -> None:
    async def push(writer: asyncio.StreamWriter) -> None:
        writer.write(last)
        await writer.drain()

    async with pushing(push) as url, asyncio.timeout(20):
        stream = await opened(url)
        assert isinstance(await stream.receive(), Closed)
        await stream.close()


@pytest.mark.parametrize(
    "extra",
    [b"Sec-WebSocket-Extensions: permessage-deflate\r\n", b"X: y\r\n" * 10_000, b"X: " + b"y" * 1_000_000],
    ids=["compression", "too many headers", "too long a header"],
)
async def test_an_upgrade_with_what_nobody_asked_for_is_none(extra: bytes) -> None:
    async def push(writer: asyncio.StreamWriter) -> None:
        await writer.drain()

    async with pushing(push, extra) as url:
        assert isinstance(await open_stream(url, timeout=5.0), Unanswered)


async def test_a_refusal_of_any_length_is_read_within_bounds() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
                await asyncio.sleep(0)

    async with raw_server(speak) as url:
        assert isinstance(await open_stream(url, timeout=5.0), Unanswered)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "WSS_PROXY"])
async def test_no_byte_reaches_a_proxy_of_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trapped: list[bytes] = []

    async def trap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        trapped.append(await reader.read(1))

    async with raw_server(trap) as proxy, websocket(echo) as url:
        for spelled in (name, name.lower()):
            monkeypatch.setenv(spelled, proxy.reveal().replace("ws://", "http://").partition("/stream")[0])
        stream = await opened(url)
        assert await stream.send("x") is None
        assert await stream.receive() == "x"
        await stream.close()
        origin = Origin.of(url.reveal())
        wire = Wire(origin, 1)
        assert isinstance(await wire.exchange(Message(b"GET", b"/"), 5.0), Reply)
        await wire.close()
        await quiet_get(f"http://{origin.host}:{origin.port}/")
    assert trapped == []


async def test_the_venues_close_code_is_told() -> None:
    async def leave(connection: ServerConnection) -> None:
        await connection.close(4321, TOKEN)

    async with websocket(leave) as url:
        stream = await opened(url)
        closed = await stream.receive()
        assert isinstance(closed, Closed)
        assert closed.code == 4321
        assert TOKEN not in closed.reason
        assert isinstance(await stream.send("late"), Closed)
        assert isinstance(await stream.receive(), Closed)
        await stream.close()


async def test_a_dropped_connection_is_closed() -> None:
    async def drop(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with websocket(drop) as url:
        stream = await opened(url)
        assert isinstance(await stream.receive(), Closed)
        await stream.close()


async def test_cancelling_a_wait_loses_no_message() -> None:
    go = asyncio.Event()

    async def later(connection: ServerConnection) -> None:
        await go.wait()
        await connection.send("kept")
        await connection.wait_closed()

    async with websocket(later) as url:
        stream = await opened(url)
        waiting = asyncio.create_task(stream.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        go.set()
        assert await stream.receive() == "kept"
        await stream.close()


async def test_binary_messages_are_read_as_text() -> None:
    async def binary(connection: ServerConnection) -> None:
        await connection.send(b"{}\x1e\xff")
        await connection.wait_closed()

    async with websocket(binary) as url:
        stream = await opened(url)
        assert await stream.receive() == "{}\x1e\N{REPLACEMENT CHARACTER}"
        await stream.close()


async def test_text_that_is_none_closes() -> None:
    async def broken(connection: ServerConnection) -> None:
        await connection.send(b"\xff\xfe", text=True)
        await connection.wait_closed()

    async with websocket(broken) as url:
        stream = await opened(url)
        assert isinstance(await stream.receive(), Closed)
        await stream.close()


async def test_close_does_not_wait_for_a_peer_that_never_answers() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        line = next(one for one in request.split("\r\n") if one.lower().startswith("sec-websocket-key:"))
        writer.write(_upgrade(line.partition(":")[2].strip()))
        await reader.read()

    async with raw_server(deaf) as url:
        stream = await opened(url)
        began = time.monotonic()
        await stream.close()
        assert time.monotonic() - began < 5.0


async def test_a_close_that_is_cancelled_lets_go_of_the_socket_all_the_same() -> None:
    over = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        line = next(one for one in request.split("\r\n") if one.lower().startswith("sec-websocket-key:"))
        writer.write(_upgrade(line.partition(":")[2].strip()))
        with suppress(ConnectionError):
            await reader.read()
        over.set()

    async with raw_server(deaf) as url:
        stream = await opened(url)
        closing = asyncio.create_task(stream.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        async with asyncio.timeout(0.5):
            await over.wait()


def _upgrade(key: str) -> bytes:
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


async def test_no_log_line_holds_the_token(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(http.HTTPStatus.UNAUTHORIZED, "no")

    with caplog.at_level(logging.DEBUG):
        async with serve(echo, "127.0.0.1", 0, logger=_quiet()) as server:
            port = server.sockets[0].getsockname()[1]
            stream = await opened(Secret(f"ws://127.0.0.1:{port}/?access_token={TOKEN}"))
            await stream.send("hello")
            await stream.receive()
            await stream.close()
        async with serve(echo, "127.0.0.1", 0, process_request=refuse, logger=_quiet()) as server:
            port = server.sockets[0].getsockname()[1]
            await open_stream(Secret(f"ws://127.0.0.1:{port}/?access_token={TOKEN}"), timeout=5.0)
    assert TOKEN not in caplog.text


def _quiet() -> logging.Logger:
    logger = logging.getLogger("tests.quiet")
    logger.disabled = True
    return logger


def _certificate(folder: Path) -> Path:
    """A throw-away certificate for 127.0.0.1 that nobody trusts, key and all in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


async def test_tls_is_the_shared_context_and_distrusts_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _certificate(tmp_path)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(path)
    async with serve(echo, "127.0.0.1", 0, ssl=server_side, logger=_quiet()) as server:
        url = Secret(f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}/?access_token={TOKEN}")
        stranger = await open_stream(url, timeout=5.0)
        assert isinstance(stranger, NotSent)
        assert TOKEN not in repr(stranger)
        trusting = ssl.create_default_context(cafile=str(path))

        async def prepared() -> ssl.SSLContext:
            return trusting

        monkeypatch.setattr("cancel_tui.venues.streams.prepare", prepared)
        stream = await opened(url)
        await stream.send("over TLS")
        assert await stream.receive() == "over TLS"
        await stream.close()
        wrong_name = Secret(url.reveal().replace("127.0.0.1", "localhost"))
        assert isinstance(await open_stream(wrong_name, timeout=5.0), NotSent)
