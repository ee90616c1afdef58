"""A small HTTP/1.1 and WebSocket server for practice venues, with every fault within reach.

Bytes are parsed by h11, WebSocket frames by the `websockets` library's protocol without I/O. A handler
gets the request exactly as it was received, because signatures are checked over those very bytes, and
answers with a `Response`, an `Upgrade`, or one of the deliberate misbehaviours.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import h11
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as UpgradeRequest
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

_MAX_BODY = 1 << 20
_SILENT = logging.getLogger("cancel_tui.practice.http.silent")
"""For a library that would write down addresses and headers, which carry throw-away keys."""
_SILENT.disabled = True


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as it came off the wire."""

    method: str
    """Upper case, such as `DELETE`."""
    target: str
    """Path and query exactly as sent, percent-encoding untouched."""
    headers: dict[str, str]
    """Names in lower case; the last one wins."""
    body: bytes
    raw_headers: tuple[tuple[bytes, bytes], ...] = ()
    """Name (lower case) and value of each header line, in order."""

    @property
    def path(self) -> str:
        """The target without its query, still encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """Everything behind the first question mark, still encoded; empty without one."""
        return self.target.partition("?")[2]

    @property
    def params(self) -> dict[str, str]:
        """The query decoded with plus-to-space rules; the last of equal names wins."""
        pairs = (part.partition("=") for part in self.query.split("&") if part)
        return {unquote(name.replace("+", " ")): unquote(value.replace("+", " ")) for name, _, value in pairs}

    def json(self) -> Any:
        """The body as JSON; None when it is empty or no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `content-length` is added when the handler did not set it."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, value: Any, status: int = 200, *headers: tuple[str, str]) -> Response:
        """A JSON answer; a `str` value is taken as ready-made JSON text."""
        text = value if isinstance(value, str) else json.dumps(value)
        return cls(status, text.encode(), (("content-type", "application/json"), *headers))


@dataclass(frozen=True, slots=True)
class Drop:
    """Read the request and close the connection without an answer (`reset` sends RST instead of FIN)."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class Hang:
    """Read the request and never answer; the connection stays open until the client leaves."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Write these bytes instead of an answer, then close."""

    data: bytes


class Socket:
    """One accepted WebSocket: text in, text out."""

    def __init__(self, protocol: ServerProtocol, writer: asyncio.StreamWriter) -> None:
        self._protocol = protocol
        self._writer = writer
        self.incoming: asyncio.Queue[str | None] = asyncio.Queue()
        """Texts in order of arrival; None once the client is gone."""
        self.closed = False
        self.frozen = False
        """Whether nothing leaves any more, pongs and goodbyes included, while the connection stays open."""

    @property
    def _leaving(self) -> bool:
        """Whether either side has said goodbye: from then on nothing more can be said."""
        return self.closed or self._protocol.state is not OPEN

    def send(self, *pieces: str) -> None:
        """Send one text message, in one frame for each piece; ignored once either side has said goodbye."""
        if self._leaving:
            return
        first, *rest = [piece.encode() for piece in pieces]
        self._protocol.send_text(first, fin=not rest)
        for index, piece in enumerate(rest, 1):
            self._protocol.send_continuation(piece, fin=index == len(rest))
        self.flush()

    def ping(self) -> None:
        """Send a protocol ping."""
        if not self._leaving:
            self._protocol.send_ping(b"p")
            self.flush()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake."""
        if not self._leaving:
            self._protocol.send_close(code, reason)
            self.flush()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self.closed = True
        if self._writer.transport is not None:
            self._writer.transport.abort()

    def flush(self) -> None:
        """Hand the protocol's bytes to the transport."""
        for data in self._protocol.data_to_send():
            if data and not self.frozen:
                self._writer.write(data)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Accept the WebSocket handshake and let `session` speak on it until it returns."""

    session: Callable[[Socket], Awaitable[None]]


Answer = Response | Upgrade | Drop | Hang | Raw
Handler = Callable[[Request], Awaitable[Answer]]


@dataclass
class HttpServer:
    """Serves one handler on one loopback port; `port` is known after `start`."""

    handler: Handler
    host: str = "127.0.0.1"
    port: int = 0
    requests: int = 0
    """How many complete requests have been read."""
    _server: asyncio.Server | None = None
    _held: socket.socket | None = None
    """Keeps the port while connections to it are refused."""
    _connections: set[asyncio.Task[None]] = field(default_factory=set)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        """Listen. A port given before, or taken by an earlier start, is used again."""
        held, self._held = self._held, None
        if held is not None:
            self._server = await asyncio.start_server(self._accept, sock=held)
            return
        self._server = await asyncio.start_server(self._accept, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self, *, keep_port: bool = False) -> None:
        """Stop listening and drop every connection.

        With `keep_port` nobody else gets the port: connections to it are refused until the next start.
        """
        if self._held is not None and not keep_port:
            self._held.close()
            self._held = None
        if self._server is None:
            return
        self._server.close()
        if keep_port:
            self._held = _bound(self.host, self.port)
        for writer in list(self._writers):
            if writer.transport is not None:
                writer.transport.abort()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._server = None

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://{self.host}:{self.port}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
        self._writers.add(writer)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, h11.RemoteProtocolError, asyncio.CancelledError, OSError):
            pass
        finally:
            self._writers.discard(writer)
            if task is not None:
                self._connections.discard(task)
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = h11.Connection(h11.SERVER)
        while True:
            request = await self._read(line, reader)
            if request is None:
                return
            self.requests += 1
            answer = await self.handler(request)
            if isinstance(answer, Response):
                _write(line, writer, answer)
                await writer.drain()
                if line.our_state is not h11.DONE or line.their_state is not h11.DONE:
                    return
                line.start_next_cycle()
            elif isinstance(answer, Upgrade):
                await _speak(request, answer, reader, writer)
                return
            elif isinstance(answer, Hang):
                while await reader.read(4096):
                    continue
                return
            elif isinstance(answer, Raw):
                writer.write(answer.data)
                await writer.drain()
                return
            else:
                if answer.reset:
                    writer.transport.abort()
                return

    async def _read(self, line: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = line.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(65536)
                if not data and head is None:
                    return None
                line.receive_data(data)
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > _MAX_BODY:
                    return None
            elif isinstance(event, h11.EndOfMessage) or event is h11.PAUSED:
                if head is None:
                    return None
                pairs = tuple((bytes(name), bytes(value)) for name, value in head.headers)
                return Request(
                    head.method.decode("ascii").upper(),
                    head.target.decode("ascii"),
                    {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs},
                    bytes(body),
                    pairs,
                )
            else:
                return None


def _bound(host: str, port: int) -> socket.socket:
    """A socket that has the port and does not listen: whoever connects is refused."""
    # Named as TCP outright: only then are small answers of later connections sent without delay.
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":
        # What was accepted on the port before lingers for a while; elsewhere this option means to steal it.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((host, port))
    return held


def _write(line: h11.Connection, writer: asyncio.StreamWriter, answer: Response) -> None:
    headers = [(name, value) for name, value in answer.headers]
    if not any(name.lower() == "content-length" for name, _ in headers):
        headers.append(("content-length", str(len(answer.body))))
    for event in (
        h11.Response(status_code=answer.status, headers=headers),
        h11.Data(data=answer.body),
        h11.EndOfMessage(),
    ):
        if isinstance(event, h11.Data) and not event.data:
            continue
        data = line.send(event)
        if data:
            writer.write(data)


async def _speak(
    request: Request, upgrade: Upgrade, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    head = f"GET {request.target} HTTP/1.1\r\n".encode()
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in request.raw_headers)
    protocol = ServerProtocol(logger=_SILENT)
    protocol.receive_data(head + lines + b"\r\n")
    for event in protocol.events_received():
        if isinstance(event, UpgradeRequest):
            protocol.send_response(protocol.accept(event))
    socket = Socket(protocol, writer)
    socket.flush()
    pump = asyncio.create_task(_pump(socket, protocol, reader))
    try:
        await upgrade.session(socket)
        socket.close()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(pump), 1.0)
    finally:
        socket.closed = True
        pump.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError, OSError):
            await pump


async def _pump(socket: Socket, protocol: ServerProtocol, reader: asyncio.StreamReader) -> None:
    try:
        while True:
            data = await reader.read(65536)
            if data:
                protocol.receive_data(data)
            else:
                protocol.receive_eof()
            for event in protocol.events_received():
                if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                    socket.incoming.put_nowait(bytes(event.data).decode())
            socket.flush()
            if not data or protocol.close_expected():
                return
    finally:
        socket.closed = True
        socket.incoming.put_nowait(None)
