"""The stream of the practice Roxom venue: let in by the handshake, order events to every connection."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from decimal import Decimal

from cancel_tui.clock import Clock
from cancel_tui.practice.http import Socket
from cancel_tui.practice.market import Book, SimOrder
from cancel_tui.practice.mischief import planned, strikes
from cancel_tui.practice.pushes import Outlet, converse
from cancel_tui.practice.roxom_wire import Wording

_OLDEST = ("orderId", "accountId", "symbol", "status", "remainingQty", "executedQty", "avgPx", "timestamp")
_CHANNELS = ("orders", "balance", "positions")


class EventStream:
    """Pushes each change of an order to everybody connected, whatever was subscribed, as the venue does."""

    def __init__(self, book: Book, clock: Clock, wording: Wording, faults: Callable[[], set[str]]) -> None:
        self.nested = False
        """Whether events come one level deeper, as an old sample of the documentation reads them."""
        self.sparse = False
        """Whether order events have the few members that the oldest documentation lists."""
        self._book = book
        self._clock = clock
        self._wording = wording
        self._faults = faults
        self._sockets: dict[Socket, str] = {}
        self._outlet = Outlet(book, faults)
        book.watchers.append(self._push)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._sockets)

    async def session(self, socket: Socket) -> None:
        """Serve one client until it leaves; its handshake has been checked already."""
        self._sockets[socket] = secrets.token_hex(8)
        try:
            await converse(
                socket, self._book, self._clock, self._faults, lambda text: self._take(socket, text)
            )
        finally:
            del self._sockets[socket]

    def abort(self) -> None:
        """Drop every connection without a word."""
        for socket in self._sockets:
            socket.abort()

    def _take(self, socket: Socket, text: str) -> None:
        if strikes(self._faults(), "stream_mute", "stream"):
            return
        try:
            frame = json.loads(text)
            wanted = frame["op"], [argument["channel"] for argument in frame["args"]]
        except (ValueError, KeyError, TypeError):
            self._error(socket, "60017", "invalid JSON")
            return
        for channel in wanted[1]:
            if wanted[0] not in ("subscribe", "unsubscribe") or channel not in _CHANNELS:
                self._error(socket, "60014", f"invalid channel {channel}")
                continue
            done = {"event": wanted[0], "code": "0", "msg": "", "arg": {"channel": channel}}
            socket.send(json.dumps({**done, "connId": self._sockets[socket]}))

    def _error(self, socket: Socket, code: str, message: str) -> None:
        error = {"event": "error", "code": code, "msg": message, "connId": self._sockets[socket]}
        socket.send(json.dumps(error))

    def _push(self, order: SimOrder) -> None:
        data = self._event(order)
        if self.sparse:
            data = {name: data[name] for name in _OLDEST}
        self._say({"type": "order", "data": data})
        if order.filled and planned(self._faults(), "stream_chatter", "stream"):
            self._say({"type": "balance", "data": {"asset": "BTC", "available": "1.5"}})
            self._say({"type": "position", "data": {"symbol": order.symbol, "qty": "0"}})

    def _say(self, event: dict[str, object]) -> None:
        self._outlet.push(self._sockets, json.dumps({"data": event} if self.nested else event))

    def _event(self, order: SimOrder) -> dict[str, object]:
        price = None if order.price is None else format(order.price, "f")
        traded = format(order.average, "f") if order.filled else None
        return {
            "orderId": order.id,
            "accountId": self._wording.account_id,
            "symbol": order.symbol,
            "status": self._wording.status(order),
            "remainingQty": format(order.remaining, "f"),
            "executedQty": format(order.filled, "f"),
            "avgPx": traded,
            "fillPx": traded,
            "filledFees": format((order.filled * order.average / 5000).quantize(Decimal("1e-8")), "f"),
            "side": order.side,
            "orderType": order.type,
            "orderSize": format(order.quantity, "f"),
            "limitPrice": price,
            "clientOrderId": order.extra.get("clientOrderId"),
            "entryPositionId": None,
            "exitPositionId": None,
            "reason": None,
            "timestamp": round(order.updated * 1_000_000) * 1_000,
        }
