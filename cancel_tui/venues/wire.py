"""The wire of one venue: a bounded set of connections, outcomes instead of exceptions, bytes as given.

`Wire.exchange` sends a request at most once, ever. Only a connection that proved dead before anything was
written is replaced by another. Nothing is retried, followed, decoded or added behind the caller's back.
`quiet_get` is httpx over the same transport, for the calls where its comfort matters and speed does not; no
other module names httpx.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cancel_tui.venues.base import Message, Raw, Reply
from cancel_tui.venues.line import Line, Mark, encode
from cancel_tui.venues.outcome import NotSent, Unanswered
from cancel_tui.venues.tls import prepare

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a venue listens."""

    host: str
    port: int
    tls: bool

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of an `https://` or `http://` address."""
        parts = urlsplit(url)
        tls = parts.scheme in ("https", "wss")
        return cls(parts.hostname or "", parts.port or (443 if tls else 80), tls)

    @property
    def header(self) -> bytes:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}").encode(
            "ascii", "ignore"
        )


class _Busy(Exception):
    """No slot became free in time."""


class _Slots:
    """A counted set of places; a waiter that is cancelled passes its place on."""

    def __init__(self, count: int) -> None:
        self.free = count
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def take(self, seconds: float) -> None:
        if self.free > 0:
            self.free -= 1
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        timer = loop.call_later(seconds, _expire, waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.give()
            raise
        finally:
            timer.cancel()

    def give(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.free += 1


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(_Busy())


class Wire:
    """Up to `slots` connections to one origin; last in, first out, so that few of them stay warm."""

    def __init__(
        self,
        origin: Origin,
        slots: int,
        *,
        connect_seconds: float = 3.0,
        slot_seconds: float = 5.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.origin = origin
        self.connect_seconds = connect_seconds
        self.slot_seconds = slot_seconds
        self._context = context
        self._size = slots
        self._slots = _Slots(slots)
        self._idle: list[Line] = []
        self._busy: set[Line] = set()
        self._closed = False

    @property
    def idle(self) -> int:
        """Connections that are open and unused."""
        return sum(line.clean for line in self._idle)

    @property
    def free(self) -> int:
        """Slots that nobody holds."""
        return self._slots.free

    async def exchange(self, message: Message, deadline: float, mark: Mark | None = None) -> Raw:
        """Send one request and read its answer. Never raises, except for the caller's own cancellation.

        `deadline` is seconds from the write to the last byte of the answer. `mark` tells, also after a
        cancellation, whether the write began.
        """
        mark = mark or Mark()
        try:
            wire = encode(message, self.origin.header)
        except ValueError as why:
            return NotSent(f"the request must be {why}")
        try:
            await self._slots.take(self.slot_seconds)
        except _Busy:
            return NotSent("no connection became free in time")
        line: Line | None = None
        try:
            found = await self._line()
            if isinstance(found, NotSent):
                return found
            line = found
            self._busy.add(line)
            return await line.begin(message.method, wire, deadline, mark)
        finally:
            if line is not None:
                self._busy.discard(line)
                if line.clean and not self._closed:
                    self._idle.append(line)
                else:
                    line.kill()
            self._slots.give()

    async def warm(self, count: int) -> int:
        """Open connections until `count` are idle, without sending anything; how many are idle then."""
        missing = min(count, self._size) - self.idle
        if missing > 0:
            await asyncio.gather(*(self._warm_one() for _ in range(missing)))
        return self.idle

    async def close(self) -> None:
        """Drop every connection; exchanges in flight end unanswered."""
        self._closed = True
        for line in [*self._idle, *self._busy]:
            line.kill()
        self._idle.clear()
        await asyncio.sleep(0)

    async def _warm_one(self) -> None:
        if self._slots.free <= 0:
            return
        self._slots.free -= 1
        try:
            line = await self._dial()
            if isinstance(line, Line):
                self._idle.append(line)
        finally:
            self._slots.give()

    async def _line(self) -> Line | NotSent:
        while self._idle:
            line = self._idle.pop()
            if await line.silent():
                return line
            line.kill()
        for _ in range(2):
            line_or = await self._dial()
            if isinstance(line_or, NotSent) or line_or.clean:
                return line_or
            line_or.kill()
        return NotSent("the venue closes connections as soon as they are open")

    async def _dial(self) -> Line | NotSent:
        if self._closed:
            return NotSent("the connection set is closed")
        origin = self.origin
        loop = asyncio.get_running_loop()
        try:
            context = (self._context or await prepare()) if origin.tls else None
            async with asyncio.timeout(self.connect_seconds):
                _, line = await loop.create_connection(
                    Line,
                    origin.host,
                    origin.port,
                    ssl=context,
                    server_hostname=origin.host if origin.tls else None,
                )
        except TimeoutError:
            return NotSent(f"no connection within {self.connect_seconds:g} s")
        except ssl.SSLCertVerificationError as error:
            return NotSent(f"the venue's certificate is not trusted: {error.verify_message}")
        except ssl.SSLError:
            return NotSent("no TLS connection could be made")
        except ConnectionRefusedError:
            return NotSent("the connection was refused")
        except OSError as error:
            return NotSent(f"no connection ({error.strerror or type(error).__name__})")
        except (ValueError, UnicodeError):
            return NotSent("the venue's address cannot be used")
        return line


class QuietError(Exception):
    """A quiet call that brought no usable answer; the text is ours."""


async def quiet_get(url: str, *, timeout: float = 5.0) -> tuple[int, bytes]:
    """GET an address through httpx over our own transport: status and body. Raises QuietError.

    No environment proxies, no redirects, no cookies; for addresses without secrets only.
    """
    import httpx

    wire = Wire(Origin.of(url), 1)

    class Carrier(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            own = {b"host", b"content-length", b"connection", b"accept-encoding", b"user-agent"}
            headers = tuple((name, value) for name, value in request.headers.raw if name.lower() not in own)
            message = Message(request.method.encode(), request.url.raw_path, headers)
            raw = await wire.exchange(message, timeout)
            if isinstance(raw, Reply):
                return httpx.Response(raw.status, headers=dict(raw.headers), content=raw.body)
            raise QuietError(raw.reason)

    try:
        async with httpx.AsyncClient(transport=Carrier(), trust_env=False) as client:
            answer = await client.get(url)
    except httpx.HTTPError as error:
        raise QuietError(type(error).__name__) from None
    finally:
        await wire.close()
    return answer.status_code, answer.content


__all__ = ["Mark", "NotSent", "Origin", "QuietError", "Unanswered", "Wire", "quiet_get"]
