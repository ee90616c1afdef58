"""Bare venues for the fan-out: cancels are answered at once by a few lines of code, lists by practice venues.

A process of its own (`python -m tests.benchmarks.bare ORDERS DELAY FOLDER [tls]`), so that what it costs is
not counted as the client's. It writes one JSON line with the configuration and the cancels that are waited
for, and then answers `take` on its standard input with the times of the first and the last cancel since the
last `take`, by the clock that all processes share (CLOCK_MONOTONIC).
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import Encoding

from cancel_tui.practice.cluster import Cluster
from cancel_tui.practice.market import SimOrder
from cancel_tui.practice.venue import PracticeVenue
from tests.venues.authority import authority

_ID = re.compile(rb'"order_id":\s*"([^"]+)"|/orders/([^/?\s]+)')
_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)

_SIGNED = re.compile(rb"[?&](?:timestamp|signature|from_time|to_time|startTime|endTime)=[^& ]*")

_COINSWITCH = (
    b'{"data":{"order_id":"%b","symbol":"BTC/USDT","price":110084.56,"average_price":0,"orig_qty":0.08795,'
    b'"executed_qty":0,"status":"CANCELLATION_RAISED","side":"BUY","exchange":"c2c2",'
    b'"order_source":"API_TRADING","created_time":1795284121000,"updated_time":1795285250000}}'
)
_FUTURES = (
    b'{"data":{"order_id":"%b","exchange":"EXCHANGE_2","symbol":"SOLUSDT","side":"BUY",'
    b'"status":"CANCELLATION_RAISED","order_type":"LIMIT","quantity":"3.1","exec_quantity":"0",'
    b'"price":"184.03","reduce_only":false,"created_at":1795282807055,"updated_at":1795285250643}}'
)
_P99 = (
    b'{"id": "%b", "symbol": "DFUSDT", "side": "buy", "type": "limit", "tif": "gtc", "price": "0.6963",'
    b' "quantity": "342.50", "quote_quantity": null, "filled_qty": "0", "avg_fill_price": "0",'
    b' "status": "canceled", "reject_reason": null, "created_at": 1795274024, "updated_at": 1795285250}'
)
_BROKER = (
    b'{"order":{"marketId":"perp.btc_usdt","orderId":"%b","orderType":"Limit","side":"Buy",'
    b'"status":"Cancelled","source":"FixApi","timeInForce":"Gtc","requestedAmount":"0.007",'
    b'"remainingAmount":"0.007","requestedPrice":"93450.5","executionPrice":"0",'
    b'"createdAt":"2026-11-21T18:20:36.774Z","updatedAt":"2026-11-21T18:20:50.6510846Z"}}'
)
_ANSWERS: dict[str, tuple[bytes, re.Pattern[bytes], bytes]] = {
    "cs-spot": (b"DELETE", re.compile(rb"/trade/api/v2/order "), _COINSWITCH),
    "cs-fut": (b"DELETE", re.compile(rb"/trade/api/v2/futures/order "), _FUTURES),
    "roxom": (b"POST", re.compile(rb"/api/v1/orders/[^/]+/cancel "), b'{"data": {"success": true}}'),
    "p99": (b"DELETE", re.compile(rb"/api/v1/spot/orders/[^/]+\?"), _P99),
    "broker": (b"DELETE", re.compile(rb"/frontoffice/api/v\d/[a-z-]*orders/"), _BROKER),
}


class Board:
    """The cancels since it was last asked."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.seen: set[bytes] = set()
        self.count = 0

    def note(self, venue: str, order: bytes) -> None:
        """A cancel has arrived; one that came before is counted and moves no time."""
        now = time.monotonic()
        self.count += 1
        if order not in self.seen:
            self.seen.add(order)
            self.first.setdefault(venue, now)
            self.last[venue] = now

    def take(self) -> dict[str, object]:
        """What there is, and start anew."""
        found = {"first": self.first, "last": self.last, "distinct": len(self.seen), "count": self.count}
        self.first, self.last, self.seen, self.count = {}, {}, set(), 0
        return found


_given: dict[tuple[str, bytes], bytes] = {}


class Bare(asyncio.Protocol):
    """One connection: a cancel is answered from a template, everything else goes to the practice venue."""

    def __init__(self, venue: PracticeVenue, live: dict[bytes, SimOrder], board: Board, delay: float) -> None:
        self.name = venue.name
        self.venue = venue
        self.live = live
        self.board = board
        self.delay = delay
        self.method, self.path, self.body = _ANSWERS[venue.name]
        self.upstream = urlsplit(str(venue.table()["base_url"])).port or 0
        self.buffer = bytearray()
        self.answers: dict[tuple[str, bytes], bytes] = _given
        self.busy: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.buffer[: end + 4])
            found = _LENGTH.search(head)
            size = end + 4 + (int(found[1]) if found else 0)
            if len(self.buffer) < size:
                return
            whole = bytes(self.buffer[:size])
            del self.buffer[:size]
            self.take(head, whole)

    def take(self, head: bytes, whole: bytes) -> None:
        """One whole request."""
        method, _, rest = head.partition(b" ")
        if method != self.method or not self.path.match(rest):
            self.busy = asyncio.create_task(self.forward(whole))
            return
        found = _ID.search(whole)
        assert found is not None
        order = found[1] or found[2]
        self.board.note(self.name, order)
        if (live := self.live.pop(order, None)) is not None:
            self.venue.book.cancel(live, 0)
        body = self.body.replace(b"%b", order)
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
            len(body),
            body,
        )
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self.transport.write, answer)
        else:
            self.transport.write(answer)

    async def forward(self, whole: bytes) -> None:
        """Ask the practice venue, byte for byte; a list is asked for once and then given from memory.

        What a practice venue's lists cost would otherwise be counted as the time that its cancels take.
        """
        line = _SIGNED.sub(b"", whole.partition(b"\r\n")[0])
        if (self.name, line) in self.answers:
            self.transport.write(self.answers[self.name, line])
            return
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            writer.write(whole)
            head = await reader.readuntil(b"\r\n\r\n")
            found = _LENGTH.search(head)
            body = await reader.readexactly(int(found[1])) if found else b""
            if line.startswith(b"GET") and b"200" in head[:15]:
                self.answers[self.name, line] = head + body
            self.transport.write(head + body)
        finally:
            writer.close()


async def main(orders: int, delay: float, folder: Path, *, tls: bool) -> None:
    """Serve until standard input ends."""
    cluster = Cluster(orders)
    for venue in cluster.venues:
        venue.plan = replace(venue.plan, enforce_limits=False)
    await cluster.start()
    board = Board()
    loop = asyncio.get_running_loop()
    context: ssl.SSLContext | None = None
    scheme = "http"
    if tls:
        context = authority().server_context()
        context.set_alpn_protocols(["http/1.1"])
        (folder / "ca.pem").write_bytes(authority().certificate.public_bytes(Encoding.PEM))
        scheme = "https"
    text = cluster.configuration()
    for venue in cluster.venues:
        resting = {order.id.encode(): order for order in venue.book.live()}
        server = await loop.create_server(
            lambda venue=venue, resting=resting: Bare(venue, resting, board, delay),
            "127.0.0.1",
            0,
            ssl=context,
        )
        own = urlsplit(str(venue.table()["base_url"]))
        port = server.sockets[0].getsockname()[1]
        streams = f'ws_url = "ws://{own.netloc}{_WS.get(venue.name, "")}"' if venue.name in _WS else ""
        table = f'base_url = "http://{own.netloc}'
        limits = 'limits = { cancel = "none", list = "none", status = "none", closed = "none" }'
        text = text.replace(table, f'{limits}\n{streams}\nbase_url = "{scheme}://127.0.0.1:{port}')
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    live = {venue.name: venue.truth() for venue in cluster.venues}
    keys = {venue.name: await _credentials(venue) for venue in cluster.venues}
    print(json.dumps({"configuration": text, "live": live, "credentials": keys}), flush=True)
    while await reader.readline():
        print(json.dumps(board.take()), flush=True)
    await cluster.stop()


_WS: dict[str, str] = {"broker": "/frontoffice/ws/v4/account"}


async def _credentials(venue: PracticeVenue) -> dict[str, str]:
    port = urlsplit(str(venue.table()["base_url"])).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /_practice/credentials HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    found = _LENGTH.search(head)
    body = await reader.readexactly(int(found[1])) if found else b"{}"
    writer.close()
    credentials: dict[str, str] = json.loads(body)
    return credentials


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]), tls="tls" in sys.argv[4:]))
