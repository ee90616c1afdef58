"""The private order stream of the practice P99 venue: pushes to those who subscribed, without a snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from cancel_tui.clock import Clock
from cancel_tui.practice.http import Socket
from cancel_tui.practice.market import Book, SimOrder
from cancel_tui.practice.mischief import strikes
from cancel_tui.practice.p99_account import Account
from cancel_tui.practice.p99_auth import Keys
from cancel_tui.practice.p99_wire import wire
from cancel_tui.practice.pushes import Outlet, converse

ORDERS = "spot:user:orders"
BALANCES = "spot:user:balances"


@dataclass(eq=False, slots=True)
class _Listener:
    """One client: who it is, and whether it wants orders."""

    socket: Socket
    known: bool = False
    subscribed: bool = False


class OrderStream:
    """Pushes each change of the caller's orders to everybody who has subscribed."""

    def __init__(
        self,
        book: Book,
        clock: Clock,
        account: Account,
        keys: Keys,
        now: Callable[[], float],
        faults: Callable[[], set[str]],
    ) -> None:
        self._faults = faults
        self._book = book
        self._clock = clock
        self._account = account
        self._keys = keys
        self._now = now
        self._listeners: list[_Listener] = []
        self._outlet = Outlet(book, faults)
        self._traded = 0
        self.pings = 0
        """How many JSON pings have come."""
        book.watchers.append(self._push)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._listeners)

    async def session(self, socket: Socket) -> None:
        """Serve one client until it leaves."""
        listener = _Listener(socket)
        self._listeners.append(listener)
        try:
            await converse(
                socket, self._book, self._clock, self._faults, lambda text: self._take(listener, text)
            )
        finally:
            self._listeners.remove(listener)

    def abort(self) -> None:
        """Drop every connection without a word."""
        for listener in self._listeners:
            listener.socket.abort()

    def _take(self, listener: _Listener, text: str) -> None:
        try:
            frame = json.loads(text)
        except ValueError:
            frame = None
        if strikes(self._faults(), "stream_mute", "stream"):
            return
        if not isinstance(frame, dict):
            _send(listener, {"type": "error", "code": "INVALID_MESSAGE", "message": "not a JSON object"})
        elif frame.get("type") == "ping":
            self.pings += 1
            _send(listener, {"type": "pong"})
        elif frame.get("type") in ("auth_token", "auth"):
            listener.known = self._knows(frame)
            _send(listener, {"type": "auth_result", "success": listener.known})
        elif frame.get("type") == "subscribe":
            listener.known = listener.known or self._knows(frame)
            self._subscribe(listener, frame.get("channel"))
        else:
            _send(listener, {"type": "error", "code": "INVALID_TYPE", "message": "unknown type"})

    def _knows(self, frame: dict[str, object]) -> bool:
        now = self._now()
        if strikes(self._faults(), "stream_refused", "stream"):
            return False
        if "listenKey" in frame:
            return self._keys.listens(str(frame["listenKey"]), now)
        return self._keys.jwt_valid(str(frame.get("token")), now)

    def _subscribe(self, listener: _Listener, channel: object) -> None:
        if channel not in (ORDERS, BALANCES):
            _send(listener, {"type": "error", "code": "INVALID_CHANNEL", "message": str(channel)})
        elif not listener.known:
            _send(listener, {"type": "error", "code": "UNAUTHORIZED", "message": "authenticate first"})
        else:
            listener.subscribed = listener.subscribed or channel == ORDERS
            _send(listener, {"type": "subscribed", "channel": channel})

    def _push(self, order: SimOrder) -> None:
        fills = [row for row in self._account.trades[self._traded :] if row["order_id"] == order.id]
        self._traded = len(self._account.trades)
        takers = [listener.socket for listener in self._listeners if listener.subscribed]
        if order.account or not takers:
            return
        data = wire(order)
        del data["created_at"]
        if fills:
            data["last_fill"] = self._account.fills_since(-1)[0]
        frame = {"type": "spot_user_order", "channel": ORDERS, "data": data}
        self._outlet.push(takers, json.dumps(frame))


def _send(listener: _Listener, frame: dict[str, object]) -> None:
    listener.socket.send(json.dumps(frame))
