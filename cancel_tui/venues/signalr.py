"""A SignalR client for one purpose: the first item of a fresh subscription, or a word why there is none.

`signalrcore` runs threads over blocking libraries and knows no asyncio; `pysignalr` is asyncio but brings
aiohttp and msgpack along and reconnects by a policy of its own, which hides the very silence that has to be
seen here. The JSON hub protocol is small enough to be spoken directly over our own WebSocket.

The upper half is pure: records in, messages out. The wire is described at
https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from cancel_tui.clock import Clock
from cancel_tui.redaction import redact
from cancel_tui.text import VenueText
from cancel_tui.venues.base import Raw, Reply
from cancel_tui.venues.decode import Unreadable, decode, table, text
from cancel_tui.venues.outcome import NotSent, Unanswered
from cancel_tui.venues.streams import Closed

RECORD_END = "\x1e"
PING_SECONDS = 15.0
"""How often we say that we are there; the framework's default."""
SILENCE_SECONDS = 30.0
"""After this long without a word the connection counts as dead; the framework's default."""


class Framer:
    """Cuts a stream of text into records; several may come in one message, or one in several."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._begun: list[str] = []
        self._size = 0

    def feed(self, piece: str) -> list[str]:
        """The records that this piece completes; raises Unreadable for one that does not end in time."""
        *whole, rest = piece.split(RECORD_END)
        if whole:
            whole[0] = "".join([*self._begun, whole[0]])
            self._begun, self._size = [], 0
        if rest:
            self._begun.append(rest)
            self._size += len(rest)
        if self._size > self._largest:
            raise Unreadable("a record without an end")
        return [record for record in whole if record]


class Item(msgspec.Struct, frozen=True):
    """Type 2: one piece of a stream."""

    invocation: str
    payload: msgspec.Raw
    """Whatever JSON the venue sent as `item`, not decoded; `null` where it sent none."""


class Completion(msgspec.Struct, frozen=True):
    """Type 3: the stream of an invocation is over."""

    invocation: str
    failed: bool
    """Whether it carries an error."""
    error: VenueText | None


class Close(msgspec.Struct, frozen=True):
    """Type 7: the server is about to close the connection."""

    error: VenueText | None


class Other(msgspec.Struct, frozen=True):
    """Pings, and types that mean nothing to a reader of streams."""


HubMessage = Item | Completion | Close | Other


class _Envelope(msgspec.Struct, rename="camel"):
    """What all messages have; an item may be as large as a whole list, and is often no news."""

    type: Any = None
    invocation_id: Any = None
    error: Any = None
    item: msgspec.Raw = msgspec.Raw(b"null")


_ENVELOPES = msgspec.json.Decoder(_Envelope, float_hook=Decimal)


def _record(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode() + RECORD_END


def handshake() -> str:
    """The first record of a connection."""
    return _record({"protocol": "json", "version": 1})


def subscribe(invocation: str, target: str, argument: str) -> str:
    """Type 4: start a stream. `target` is case-sensitive."""
    return _record({"type": 4, "invocationId": invocation, "target": target, "arguments": [argument]})


def unsubscribe(invocation: str) -> str:
    """Type 5: stop a stream."""
    return _record({"type": 5, "invocationId": invocation})


def ping() -> str:
    """Type 6: a sign of life."""
    return _record({"type": 6})


def _said(row: dict[str, Any]) -> VenueText | None:
    words = text(row, "error")
    return None if words is None else VenueText(redact(words)[:200])


def parse_handshake(record: str) -> VenueText | None:
    """None when the server took the handshake, its error otherwise; raises Unreadable for anything else."""
    answer = table(decode(record.encode("utf-8", "replace")), "handshake answer")
    if answer.get("error") is not None:
        return _said(answer) or VenueText("(no reason)")
    if "type" in answer:
        raise Unreadable("a message where the handshake answer belongs")
    return None


def parse(record: str) -> HubMessage:
    """One record as a message; raises Unreadable where it is none.

    A `type` is accepted as a number and as a text, as the venues' pages show both.
    """
    try:
        envelope = _ENVELOPES.decode(record.encode("utf-8", "replace"))
    except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
        raise Unreadable("no readable message") from error
    row = {"type": envelope.type, "invocationId": envelope.invocation_id, "error": envelope.error}
    kind, invocation = text(row, "type"), text(row, "invocationId")
    if kind is None:
        raise Unreadable("a message without a type")
    if kind == "7":
        return Close(_said(row))
    if kind not in ("2", "3"):
        return Other()
    if invocation is None:
        raise Unreadable("a stream message without an invocation")
    if kind == "3":
        return Completion(invocation, envelope.error is not None, _said(row))
    return Item(invocation, envelope.item)


class Cause(StrEnum):
    """Why a connection or a subscription came to nothing."""

    HANDSHAKE = "the hub refused the handshake"
    ENDED = "the venue ended the stream with an error"
    FINISHED = "the venue ended the stream without a list"
    CLOSED = "the venue closed the hub connection"
    DROPPED = "the connection was lost"
    SILENT = "nothing came in time"
    GARBLED = "the venue sent what is no hub message"
    GIVEN_UP = "the connection was given up"


class Lost(msgspec.Struct, frozen=True):
    """No item, and why."""

    cause: Cause
    message: VenueText | None = None
    """The venue's words."""


class HubStream(Protocol):
    """What the client needs of a connection; `streams.TextStream` is one."""

    async def send(self, text: str) -> Closed | None:
        """Send one text."""
        ...

    async def receive(self) -> str | Closed:
        """Wait for the next text."""
        ...

    async def close(self) -> None:
        """Let go of it, in bounded time."""
        ...


Opener = Callable[[], Awaitable["HubStream | Raw"]]
"""Opens a connection, in bounded time; called again whenever a new one is needed."""
Answer = Item | Lost


async def within(clock: Clock, seconds: float, wanted: asyncio.Future[Any]) -> bool:
    """Wait for a future, that long at most; whether it is done. The future itself is never cancelled."""
    timer = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({wanted, timer}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
    return wanted.done()


class _Feed(msgspec.Struct):
    """One stream of one argument: its newest invocation, and who waits for that one's first item."""

    invocation: str | None
    waiting: list[asyncio.Future[Answer]]


class _Link:
    """One open connection. Its own task reads, writes and pings, so that no caller's end can break it."""

    def __init__(self, stream: HubStream, clock: Clock, largest: int) -> None:
        self._stream = stream
        self._clock = clock
        self._framer = Framer(largest)
        self._numbers = itertools.count()
        self._feeds: dict[tuple[str, str], _Feed] = {}
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._outgoing.put_nowait(handshake())
        self.heard_at = clock.monotonic()
        self.greeted: asyncio.Future[Lost | None] = asyncio.get_running_loop().create_future()
        self.lost: Lost | None = None
        """Why it is over; None while it is good."""
        self._stopped: asyncio.Future[Lost] = asyncio.get_running_loop().create_future()
        self.run = asyncio.create_task(self._run())

    @property
    def busy(self) -> bool:
        """Whether anybody waits for an item."""
        return any(feed.waiting for feed in self._feeds.values())

    def fresh(self, target: str, argument: str) -> asyncio.Future[Answer]:
        """Subscribe anew; the future gets the first item of this subscription or of a later one.

        Who already waits on the same stream moves over: a list that was begun even later serves them too.
        """
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if self.lost is not None:
            waiter.set_result(self.lost)
            return waiter
        feed = self._feeds.setdefault((target, argument), _Feed(None, []))
        if feed.invocation is not None:
            self._outgoing.put_nowait(unsubscribe(feed.invocation))
        feed.invocation = str(next(self._numbers))
        feed.waiting.append(waiter)
        self._outgoing.put_nowait(subscribe(feed.invocation, target, argument))
        return waiter

    def leave(self, waiter: asyncio.Future[Answer]) -> None:
        """Nobody waits for this one any more."""
        for feed in self._feeds.values():
            if waiter in feed.waiting:
                feed.waiting.remove(waiter)

    def stop(self) -> None:
        """End it. Cancelling `run` before its first step would clean up nothing."""
        if not self._stopped.done():
            self._stopped.set_result(Lost(Cause.GIVEN_UP))

    async def _run(self) -> None:
        """Until one of the three loops ends: then everybody who waits learns why."""
        loops = [asyncio.create_task(one()) for one in (self._read, self._write, self._keep)]
        ends: list[asyncio.Future[Lost]] = [self._stopped, *loops]
        why = Lost(Cause.GIVEN_UP)
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            why = next(one for one in ends if one in done).result()
        finally:
            self._end(why)
            for one in loops:
                one.cancel()
            await asyncio.wait(loops)
            await self._stream.close()

    def _end(self, why: Lost) -> None:
        self.lost = why
        if not self.greeted.done():
            self.greeted.set_result(why)
        for feed in self._feeds.values():
            _settle(feed, why)

    async def _read(self) -> Lost:
        while True:
            piece = await self._stream.receive()
            if isinstance(piece, Closed):
                return Lost(Cause.DROPPED)
            self.heard_at = self._clock.monotonic()
            try:
                for record in self._framer.feed(piece):
                    lost = self._take(record)
                    if lost is not None:
                        return lost
            except Unreadable:
                # It may have been the very list that somebody waits for: what follows proves nothing.
                return Lost(Cause.GARBLED)

    def _take(self, record: str) -> Lost | None:
        if not self.greeted.done():
            error = parse_handshake(record)
            if error is not None:
                return Lost(Cause.HANDSHAKE, error)
            self.greeted.set_result(None)
            return None
        message = parse(record)
        if isinstance(message, Close):
            return Lost(Cause.CLOSED, message.error)
        if isinstance(message, Other):
            return None
        feed = next((one for one in self._feeds.values() if one.invocation == message.invocation), None)
        if feed is None:
            return None
        if isinstance(message, Item):
            _settle(feed, message)
        else:
            feed.invocation = None
            _settle(feed, Lost(Cause.ENDED if message.failed else Cause.FINISHED, message.error))
        return None

    async def _write(self) -> Lost:
        while True:
            if await self._stream.send(await self._outgoing.get()) is not None:
                return Lost(Cause.DROPPED)

    async def _keep(self) -> Lost:
        due = self._clock.monotonic() + PING_SECONDS
        while True:
            now = self._clock.monotonic()
            if now >= self.heard_at + SILENCE_SECONDS:
                return Lost(Cause.SILENT)
            if now >= due:
                self._outgoing.put_nowait(ping())
                due = now + PING_SECONDS
            await self._clock.sleep(min(due, self.heard_at + SILENCE_SECONDS) - now)


def _settle(feed: _Feed, answer: Answer) -> None:
    for waiter in feed.waiting:
        if not waiter.done():
            waiter.set_result(answer)
    feed.waiting.clear()


class HubClient:
    """One shared connection, opened when it is first needed and again when it was lost."""

    def __init__(self, opener: Opener, clock: Clock, largest: int) -> None:
        self._opener = opener
        self._clock = clock
        self._largest = largest
        self._current: _Link | None = None
        self._opening: asyncio.Task[_Link | Lost | Raw] | None = None
        self._links: set[_Link] = set()
        self._closed = False

    async def connect(self, seconds: float) -> Lost | Raw | None:
        """Open the connection if it is not open; None once it is. A subscription then leaves at once."""
        link = await self._connected(seconds)
        return None if isinstance(link, _Link) else link

    async def first_item(self, target: str, argument: str, seconds: float) -> Item | Lost | Raw:
        """Subscribe afresh and wait for the first item; `seconds` bounds handshake and item, each."""
        link = await self._connected(seconds)
        if not isinstance(link, _Link):
            return link
        asked_at = self._clock.monotonic()
        waiter = link.fresh(target, argument)
        try:
            answer = waiter.result() if await within(self._clock, seconds, waiter) else Lost(Cause.SILENT)
            # A silent link is perhaps half-open: it would swallow every question until the silence is
            # long enough. One that ended a stream with an error perhaps holds a token of yesterday.
            silent = isinstance(answer, Lost) and answer.cause is Cause.SILENT and link.heard_at <= asked_at
            ended = isinstance(answer, Lost) and answer.cause is Cause.ENDED
            if (silent or ended) and link is self._current:
                self._current = None
            return answer
        finally:
            link.leave(waiter)
            if link is not self._current and not link.busy:
                link.stop()

    async def close(self) -> None:
        """Close for good; who still waits gets an answer."""
        self._closed = True
        self._current = None
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            await asyncio.wait({self._opening})
        for link in tuple(self._links):
            link.stop()
        if self._links:
            await asyncio.wait({link.run for link in self._links})

    async def _connected(self, seconds: float) -> _Link | Lost | Raw:
        if self._closed:
            return NotSent("the hub connection was closed")
        if self._current is not None and self._current.lost is None:
            return self._current
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open(seconds))
        opening = self._opening
        # Waiting, not awaiting: a caller that is cancelled leaves the others their connection.
        await asyncio.wait({opening})
        return NotSent("the hub connection was closed") if opening.cancelled() else opening.result()

    async def _open(self, seconds: float) -> _Link | Lost | Raw:
        stream = await self._opener()
        if isinstance(stream, Reply | NotSent | Unanswered):
            return stream
        link = _Link(stream, self._clock, self._largest)
        self._links.add(link)
        link.run.add_done_callback(lambda _: self._links.discard(link))
        if not await within(self._clock, seconds, link.greeted):
            link.stop()
            return Lost(Cause.SILENT)
        refused = link.greeted.result()
        if refused is not None:
            return refused
        self._current = link
        return link
