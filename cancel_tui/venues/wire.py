"""The wire of one venue: a bounded set of connections, outcomes instead of exceptions, bytes as given.

`Wire.exchange` sends a request at most once, ever. Only a connection that proved dead before anything was
written is replaced by another. Nothing is retried, followed, decoded or added behind the caller's back.
`quiet_get` is httpx over the same transport, for the calls where its comfort matters and speed does not; no
other module names httpx.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from cancel_tui.venues.base import Message, Raw, Reply
from cancel_tui.venues.line import Line, Mark, encode
from cancel_tui.venues.names import Addresses
from cancel_tui.venues.outcome import NotSent, Unanswered
from cancel_tui.venues.tls import prepare, why

if TYPE_CHECKING:
    import httpx


class Origin(msgspec.Struct, frozen=True):
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
        """The value of the Host header. Raises ValueError for a name that cannot be written down."""
        try:
            name = self.host if self.host.isascii() else self.host.encode("idna").decode("ascii")
        except UnicodeError:
            raise ValueError("for a host whose name can be written down") from None
        host = f"[{name}]" if ":" in name else name
        return (host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}").encode("ascii")


_AT_ONCE = 4
"""Connections that are opened ahead at the same time: a handshake keeps the event loop busy for a moment."""


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
        self._addresses = Addresses(origin.host)
        self._host = b""
        """The Host header, once it was needed."""
        self._size = slots
        self._slots = _Slots(slots)
        self._idle: list[Line] = []
        self._busy: set[Line] = set()
        self._open = True

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
            wire = self.encoded(message)
        except ValueError as why:
            return NotSent(f"the request must be {why}", hopeless=True)
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
            if mark.wanted is not None and not mark.wanted():
                return NotSent("its time was over before a connection was free", late=True)
            return await line.begin(message.method, wire, deadline, mark)
        finally:
            if line is not None:
                self._put_back(line)
            self._slots.give()

    def encoded(self, message: Message) -> bytes:
        """The request's bytes for this origin. Raises ValueError as `encode` does."""
        self._host = self._host or self.origin.header
        return encode(message, self._host)

    def lend(self) -> Line | None:
        """A connection, with its slot, that may be written to right now; None where that takes a wait.

        It belongs to the caller until `give_back`.
        """
        if not self._idle or self._slots.free <= 0 or not self._idle[-1].quiet:
            return None
        line = self._idle.pop()
        self._slots.free -= 1
        self._busy.add(line)
        return line

    def give_back(self, line: Line) -> None:
        """Take a lent connection back, whatever became of it."""
        self._put_back(line)
        self._slots.give()

    async def warm(self, count: int) -> int:
        """Open connections until `count` are idle, without sending anything; how many are idle then.

        They count against the slots: never more than `slots` connections exist, busy ones included.
        """
        self._idle = [line for line in self._idle if line.clean]
        missing = min(count, self._size) - len(self._idle)
        while missing > 0:
            before = self.idle
            await asyncio.gather(*(self._warm_one() for _ in range(min(missing, _AT_ONCE))))
            if self.idle <= before:
                break
            missing -= _AT_ONCE
        return self.idle

    async def close(self) -> None:
        """Drop every connection; exchanges in flight end unanswered, later ones are not sent."""
        self._open = False
        for line in [*self._idle, *self._busy]:
            line.kill()
        self._idle.clear()
        await asyncio.sleep(0)

    async def _warm_one(self) -> None:
        if self._slots.free <= self.idle:  # every further connection already exists, or is being made
            return
        self._slots.free -= 1
        try:
            line = await self._dial()
            if isinstance(line, Line):
                self._put_back(line)
        finally:
            self._slots.give()

    async def _line(self) -> Line | NotSent:
        """A line that may carry a request now; it belongs to the caller until `_put_back`."""
        while self._idle:
            line = self._idle.pop()
            if await self._usable(line):
                return line
        for _ in range(2):
            found = await self._dial()
            if isinstance(found, NotSent) or await self._usable(found):
                return found
        return NotSent("the venue closes connections as soon as they are open")

    async def _usable(self, line: Line) -> bool:
        """Take charge of a line and look whether it may be written to; one that may not is dropped."""
        self._busy.add(line)
        usable = False
        try:
            usable = await line.silent() and self._open
        finally:
            if not usable:
                self._busy.discard(line)
                line.kill()
        return usable

    def _put_back(self, line: Line) -> None:
        self._busy.discard(line)
        if line.clean and self._open:
            self._idle.append(line)
        else:
            line.kill()

    async def _dial(self) -> Line | NotSent:
        if not self._open:
            return NotSent("the connection set is closed")
        try:
            async with asyncio.timeout(self.connect_seconds):
                return await self._connect()
        except TimeoutError:
            return NotSent(f"no connection within {self.connect_seconds:g} s")
        except Exception as error:  # nothing was written yet, whatever went wrong
            return NotSent(why(error))

    async def _connect(self) -> Line:
        """One connection, TLS included, to the first address that takes it; half of what is left for each."""
        host, port, tls = self.origin.host, self.origin.port, self.origin.tls
        context = (self._context or await prepare()) if tls else None
        loop = asyncio.get_running_loop()
        end = loop.time() + self.connect_seconds
        addresses = await self._addresses.find(self.connect_seconds / 3)
        for address in addresses:
            last = address == addresses[-1]
            try:
                async with asyncio.timeout(None if last else (end - loop.time()) / 2):
                    _, line = await loop.create_connection(
                        Line, address, port, ssl=context, server_hostname=host if tls else None
                    )
            except ssl.SSLError:
                raise  # somebody is there, and is not who it should be
            except OSError:  # TimeoutError is one
                if last:
                    raise
            else:
                self._addresses.worked(address)
                return line
        raise OSError(errno.EADDRNOTAVAIL, "no address")


class QuietError(Exception):
    """A quiet call that brought no usable answer; the text is ours."""


async def quiet_get(url: str, *, timeout: float = 5.0) -> tuple[int, bytes]:
    """GET an address through httpx over our own transport: status and body. Raises QuietError.

    No environment proxies, no redirects, no cookies; for addresses without secrets only.
    """
    import httpx

    try:
        wire = Wire(Origin.of(url), 1)
    except ValueError:
        raise QuietError("the address cannot be used") from None

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
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise QuietError(type(error).__name__) from None
    finally:
        await wire.close()
    return answer.status_code, answer.content


__all__ = ["Mark", "NotSent", "Origin", "QuietError", "Unanswered", "Wire", "quiet_get"]
