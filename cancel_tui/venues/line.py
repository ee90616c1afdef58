"""One HTTP/1.1 connection that carries at most one exchange at a time, parsed by h11.

The border between "not sent" and "unanswered" is one line: `transport.write` in `Line.begin`. Whatever
goes wrong before it is `NotSent`; from it on nothing is. A connection that ever received a byte nobody asked
for, or more than the answer it was owed, is dead: its next answer could be another order's.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import select
from dataclasses import dataclass

import h11

from cancel_tui.venues.base import Message, Reply
from cancel_tui.venues.outcome import Unanswered

MAX_HEAD = 32 * 1024
"""Bytes of status line and headers."""
MAX_BODY = 4 * 1024 * 1024
"""Bytes of body; a list of 10,000 orders fits, a bomb does not."""

_METHOD = re.compile(rb"[A-Z]{1,16}")
_TARGET = re.compile(rb"/[\x21-\x7e]*")
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(rb"[\x20-\x7e\x80-\xff\t]*")


@dataclass(slots=True)
class Mark:
    """How far a request came; stays readable when its caller was cancelled."""

    sent: bool = False
    """Whether the write began."""


def encode(message: Message, host: bytes) -> bytes:
    """The request's bytes. Raises ValueError for anything that could smuggle a second line or request."""
    if not _METHOD.fullmatch(message.method):
        raise ValueError("a method of capital letters")
    if not _TARGET.fullmatch(message.target):
        raise ValueError("a target that starts with / and holds no space or control character")
    lines = [b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (message.method, message.target, host)]
    for name, value in message.headers:
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ValueError("a header without line breaks or control characters")
        lines.append(b"%b: %b\r\n" % (name, value))
    if message.body or message.method in (b"POST", b"PUT", b"PATCH"):
        lines.append(b"Content-Length: %d\r\n" % len(message.body))
    lines.append(b"\r\n")
    lines.append(message.body)
    return b"".join(lines)


class _Unusable(Exception):
    """An answer that cannot be trusted; the text is ours."""


class _Answer:
    """Reads one answer, bounded and strict; `reply` is set once it is complete."""

    __slots__ = ("_body", "_head", "_parser", "keep", "reply")

    def __init__(self, method: bytes) -> None:
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        # h11 must know the method to know how long the answer is; the bytes that travel are our own.
        self._parser.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"x")]))
        self._parser.send(h11.EndOfMessage())
        self._head: h11.Response | None = None
        self._body = bytearray()
        self.reply: Reply | None = None
        self.keep = False

    def feed(self, data: bytes) -> None:
        """Take bytes, or the end of the stream as b""; raises _Unusable."""
        try:
            self._parser.receive_data(data)
            self._read()
        except h11.RemoteProtocolError as error:
            raise _Unusable("an answer that is no valid HTTP") from error

    def _read(self) -> None:
        while self.reply is None:
            event = self._parser.next_event()
            if event is h11.NEED_DATA:
                return
            if isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    raise _Unusable("an unasked change of protocol")
            elif isinstance(event, h11.Response):
                self._take_head(event)
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > MAX_BODY:
                    raise _Unusable("an answer that is too large")
            elif isinstance(event, h11.EndOfMessage):
                self._finish()
            else:
                raise _Unusable("the connection ended before the answer")

    def _take_head(self, head: h11.Response) -> None:
        names = [bytes(name) for name, _ in head.headers]
        if b"content-length" in names and b"transfer-encoding" in names:
            raise _Unusable("an answer with two lengths")
        encoding = next((value for name, value in head.headers if name == b"content-encoding"), b"identity")
        if bytes(encoding).strip().lower() not in (b"identity", b""):
            raise _Unusable("a compressed answer that nobody asked for")
        self._head = head

    def _finish(self) -> None:
        head = self._head
        if head is None:
            raise _Unusable("an answer without a head")
        surplus, _ = self._parser.trailing_data
        self.keep = self._parser.their_state is h11.DONE and not surplus
        self.reply = Reply(
            head.status_code,
            {
                bytes(name).decode("latin-1"): bytes(value).decode("latin-1")
                for name, value in reversed(list(head.headers))
            },
            bytes(self._body),
        )


class Line(asyncio.Protocol):
    """One connection. `clean` says whether it may carry another exchange."""

    def __init__(self, on_end: asyncio.Future[None] | None = None) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: _Answer | None = None
        self._done: asyncio.Future[Reply | Unanswered] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._dead = False
        self._end = on_end

    @property
    def clean(self) -> bool:
        """Open, idle, and nothing unasked was received."""
        return (
            not self._dead
            and self._answer is None
            and self._transport is not None
            and not self._transport.is_closing()
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; called by asyncio."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Bytes with no exchange to belong to kill the connection; called by asyncio."""
        answer = self._answer
        if answer is None:
            self.kill()
            return
        self._feed(answer, data)

    def eof_received(self) -> bool:
        """The end may complete an answer that lasts until close; called by asyncio."""
        if self._answer is not None:
            self._feed(self._answer, b"")
        self.kill()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever was in flight is unanswered; called by asyncio."""
        self._dead = True
        self._finish(Unanswered("the connection was lost before the answer"))
        if self._end is not None and not self._end.done():
            self._end.set_result(None)

    def _feed(self, answer: _Answer, data: bytes) -> None:
        try:
            answer.feed(data)
        except _Unusable as why:
            self.kill(str(why))
            return
        if answer.reply is not None:
            reply = answer.reply
            if not answer.keep:
                self._dead = True
            self._finish(
                reply if reply.status != 408 else Unanswered("the venue gave up waiting (408)", None, 408)
            )
            if self._dead:
                self.kill()

    def _finish(self, result: Reply | Unanswered) -> None:
        self._answer = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._done is not None and not self._done.done():
            self._done.set_result(result)
        self._done = None

    def kill(self, why: str = "the connection was dropped") -> None:
        """Drop the connection; an exchange in flight becomes unanswered."""
        self._dead = True
        self._finish(Unanswered(why))
        if self._transport is not None:
            self._transport.abort()

    async def silent(self) -> bool:
        """Whether nothing has arrived while it idled; looks at the socket itself, not at what was read.

        Readable may be a TLS session ticket: the loop gets three turns to take it. What stays readable,
        or was unasked, ends the connection.
        """
        for _ in range(3):
            if not self.clean:
                return False
            if not self._readable():
                return True
            await asyncio.sleep(0)
        return False

    def _readable(self) -> bool:
        if self._transport is None:
            return True
        sock = self._transport.get_extra_info("socket")
        if sock is None or sock.fileno() < 0:
            return True
        with contextlib.suppress(OSError, ValueError):
            if hasattr(select, "poll"):
                poller = select.poll()
                poller.register(sock.fileno(), select.POLLIN)
                return bool(poller.poll(0))
            return bool(select.select([sock.fileno()], [], [], 0)[0])
        return True

    def begin(
        self, method: bytes, wire: bytes, deadline: float, mark: Mark
    ) -> asyncio.Future[Reply | Unanswered]:
        """Write one request; the future ends with the answer, or with Unanswered after `deadline` seconds."""
        if self._transport is None or not self.clean:
            raise RuntimeError("a line that is not clean")
        loop = asyncio.get_running_loop()
        self._answer = _Answer(method)
        done = self._done = loop.create_future()
        self._timer = loop.call_later(deadline, self.kill, f"no answer within {deadline:g} s")
        mark.sent = True
        self._transport.write(wire)  # the border: from here on nothing is "not sent"
        return done
