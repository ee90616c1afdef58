"""CoinSwitch PRO spot: the order updates, Socket.IO over a WebSocket.

Public documentation: https://api-trading.coinswitch.co/spot/websockets/connection and
`/spot/websockets/order-updates`. How an update reads cannot be relied on: its public readers disagree. So
every message means "read the list", and what is recognised in it (an id with a known status word, under any
of the names in use) is a hint for the screen. The API key alone opens the stream: it is a secret here, too.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from cancel_tui.clock import Clock
from cancel_tui.orders import Order, OrderStatus, VenueName, altered
from cancel_tui.redaction import Secret
from cancel_tui.venues import socket_io
from cancel_tui.venues.coinswitch_rows import read_spot_order
from cancel_tui.venues.decode import Unreadable, text
from cancel_tui.venues.feed import ALIVE, Heard, Tell
from cancel_tui.venues.outcome import Failure, Unanswered, Unauthorised
from cancel_tui.venues.pulse import Pulse
from cancel_tui.venues.streams import Closed, TextStream

NAMESPACE = "/orderupdates"
EVENT = "FETCH_ORDER_UPDATES"
HANDSHAKE = 5.0
"""Seconds within which the namespace has to stand."""
SETTLE = 1.0
"""Seconds after which a subscription counts as taken: the venue does not acknowledge it."""
MOST_ROWS = 1000
"""Rows of one message that are looked at; more than that are for the list to tell."""
_DEEPEST = 4


class UpdateStream:
    """One connection, from its opening to its end."""

    PATH = "/pro/realtime-rates-socket/spot/order-updates"
    """Where the stream is on its host (`/spot/websockets/order-updates`)."""

    @classmethod
    def address(cls, socket_url: str) -> Secret:
        """Its address, from what is configured or derived: a host, with or without the path."""
        head, _, query = socket_url.partition("?")
        if urlsplit(head).path in ("", "/"):
            head = head.rstrip("/") + cls.PATH
        return Secret(f"{head}?{query}&{socket_io.QUERY}" if query else f"{head}?{socket_io.QUERY}")

    def __init__(
        self, stream: TextStream, api_key: Secret, venue: VenueName, clock: Clock, pulse: Pulse, tell: Tell
    ) -> None:
        self._stream = stream
        self._api_key = api_key
        self._venue = venue
        self._clock = clock
        self._pulse = pulse
        self._tell = tell
        self._connected = asyncio.Event()

    async def run(self) -> Failure:
        """Connect the namespace, subscribe, listen until it is over; then the connection is closed."""
        reading = asyncio.create_task(self._read())
        subscribing = asyncio.create_task(self._subscribe())
        beating = asyncio.create_task(self._pulse.keep(self._stream, self._clock, self._tell))
        try:
            await asyncio.wait({reading, subscribing}, return_when=asyncio.FIRST_COMPLETED)
            failed = subscribing.result() if subscribing.done() else None
            return failed if failed is not None else await reading
        finally:
            for task in (reading, subscribing, beating):
                task.cancel()
            await asyncio.gather(reading, subscribing, beating, return_exceptions=True)
            await self._stream.close()

    async def _subscribe(self) -> Failure | None:
        """Subscribe once the namespace stands, and say so once the venue must have read it."""
        if not await self._within(self._connected.wait(), HANDSHAKE):
            return Unanswered("the stream's handshake was not answered")
        wish = {"event": "subscribe", "apikey": self._api_key.reveal()}  # the venue's only way to know us
        await self._stream.send(socket_io.emit(NAMESPACE, EVENT, wish))
        # Frames arrive in order: whoever answers this ping has the subscription before it.
        await self._within(self._stream.ping(), SETTLE)
        self._tell(Heard(ready=True))
        return None

    async def _within(self, work: Coroutine[Any, Any, object], seconds: float) -> bool:
        doing, alarm = asyncio.create_task(work), asyncio.create_task(self._clock.sleep(seconds))
        try:
            await asyncio.wait({doing, alarm}, return_when=asyncio.FIRST_COMPLETED)
            return doing.done()
        finally:
            doing.cancel()
            alarm.cancel()

    async def _read(self) -> Failure:
        while True:
            piece = await self._stream.receive()
            if isinstance(piece, Closed):
                return Unanswered(piece.reason)
            try:
                over = await self._take(socket_io.parse(piece))
            except Unreadable:
                self._tell(Heard(reread=True))
                continue
            if over is not None:
                return over

    async def _take(self, frame: socket_io.Frame) -> Failure | None:
        if isinstance(frame, socket_io.Event):
            self._tell(Heard(hints(frame.values, self._venue), reread=True))
            return None
        if isinstance(frame, socket_io.Refused):
            return Unauthorised(frame.message)
        if isinstance(frame, socket_io.Left):
            return Unanswered("the venue ended the stream")
        self._tell(ALIVE)
        if isinstance(frame, socket_io.Opened):
            if frame.ping_seconds is not None:
                self._pulse.documented = min(max(frame.ping_seconds, 1.0), 60.0)
            await self._stream.send(socket_io.connect(NAMESPACE))
        elif isinstance(frame, socket_io.Ping):
            await self._stream.send(socket_io.PONG)
        elif isinstance(frame, socket_io.Connected):
            self._connected.set()
        return None


def hints(values: tuple[Any, ...], venue: VenueName) -> tuple[Order, ...]:
    """Orders that a message names with a status word that is known; everything else is left to the list."""
    found: list[Order] = []
    for row in _rows(values, _DEEPEST):
        order = _hint(row, venue)
        if order is not None:
            found.append(order)
        if len(found) >= MOST_ROWS:
            break
    return tuple(found)


def _rows(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """Every object that may describe an order, in lists and under `data` and `orders`."""
    if depth < 0:
        return
    if isinstance(value, list | tuple):
        for one in value:
            yield from _rows(one, depth - 1)
    elif isinstance(value, dict):
        yield value
        for name in ("data", "orders", "order"):
            yield from _rows(value.get(name), depth - 1)


def _hint(row: Mapping[str, Any], venue: VenueName) -> Order | None:
    """One object as an order: the list's own names, else the short ones (`i`, `X`, `z`).

    Times are cut to whole seconds, which is how the lists have them: within one second the rules for an end
    and a larger fill decide, not a fraction that only one of the two carries.
    """
    named = {
        "order_id": text(row, "order_id", "i"),
        "status": text(row, "status", "X"),
        "executed_qty": row.get("executed_qty", row.get("z")),
    }
    order = read_spot_order(venue, {**row, **named})
    if order is None or order.status is OrderStatus.UNKNOWN:
        return None
    at = order.updated_at
    return order if at is None else altered(order, updated_at=float(math.floor(at)))
