"""The order updates of the practice CoinSwitch spot venue: Socket.IO version 4 over a WebSocket, by hand.

It models https://api-trading.coinswitch.co/spot/websockets/connection : namespace `/orderupdates`, event
`FETCH_ORDER_UPDATES` with `{"event":"subscribe","apikey":...}`, updates under the same name. Framed as in
https://github.com/socketio/engine.io-protocol and https://github.com/socketio/socket.io-protocol : the server
pings with `2` and the client answers `3`. How an update reads is not documented; `spelling` chooses between
what is seen in the wild. A key that nobody knows is let in and told nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from cancel_tui.clock import Clock
from cancel_tui.practice.http import Answer, Request, Response, Socket, Upgrade
from cancel_tui.practice.market import Book, SimOrder
from cancel_tui.practice.mischief import strikes
from cancel_tui.practice.pushes import Outlet, converse

PATH = "/pro/realtime-rates-socket/spot/order-updates"
NAMESPACE = "/orderupdates"
EVENT = "FETCH_ORDER_UPDATES"
SPELLINGS = ("short", "rows", "named", "opaque")
"""Short keys; rows in a `data` list; an event name of its own; words that nobody can read."""

_OPEN, _CLOSE, _PONG, _MESSAGE = "0", "1", "3", "4"
_CONNECT, _DISCONNECT, _EVENT, _REFUSED = "0", "1", "2", "4"


@dataclass(eq=False)
class _Client:
    """One connection and how far it has come."""

    socket: Socket
    connected: bool = False
    subscribed: bool = False
    asked_at: float | None = None
    """Since when a ping of ours waits for its answer."""
    pongs: int = 0


class UpdateStream:
    """Pushes each change of an order to every client that subscribed with the account's key."""

    def __init__(
        self,
        book: Book,
        clock: Clock,
        api_key: str,
        describe: Callable[[SimOrder], dict[str, object]],
        faults: Callable[[], set[str]],
    ) -> None:
        self.spelling = "rows"
        """Which of `SPELLINGS` updates are written in."""
        self.ping_seconds = 25.0
        """The protocol's usual interval between two pings of the server."""
        self.pong_seconds = 20.0
        """How long it waits for the answer before it closes."""
        self._book = book
        self._clock = clock
        self._api_key = api_key
        self._describe = describe
        self._faults = faults
        self._outlet = Outlet(book, faults)
        self._clients: list[_Client] = []
        book.watchers.append(self._push)

    @property
    def subscribers(self) -> int:
        """How many clients are told about orders now."""
        return sum(one.subscribed for one in self._clients)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    def answer(self, request: Request) -> Answer:
        """Accept the upgrade of a Socket.IO client, or say what is wrong with it."""
        wanted = request.params
        if wanted.get("EIO") != "4":
            return Response.of({"code": 5, "message": "Unsupported protocol version"}, 400)
        if (
            wanted.get("transport") != "websocket"
            or request.headers.get("upgrade", "").lower() != "websocket"
        ):
            return Response.of({"code": 0, "message": "Transport unknown"}, 400)
        return Upgrade(self.session)

    def abort(self) -> None:
        """Drop every connection without a word."""
        for client in self._clients:
            client.socket.abort()

    async def session(self, socket: Socket) -> None:
        """Serve one client until it leaves."""
        client = _Client(socket)
        self._clients.append(client)
        facts = {
            "sid": secrets.token_hex(8),
            "upgrades": [],
            "pingInterval": round(self.ping_seconds * 1000),
            "pingTimeout": round(self.pong_seconds * 1000),
            "maxPayload": 1_000_000,
        }
        socket.send(_OPEN + json.dumps(facts))
        pinging = asyncio.create_task(self._ping(client))
        try:
            await converse(
                socket, self._book, self._clock, self._faults, lambda text: self._take(client, text)
            )
        finally:
            self._clients.remove(client)
            pinging.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pinging

    async def _ping(self, client: _Client) -> None:
        while not client.socket.closed:
            await self._clock.sleep(self.ping_seconds)
            now = self._clock.monotonic()
            if client.asked_at is not None and now - client.asked_at > self.pong_seconds:
                client.socket.close()
                return
            client.asked_at = client.asked_at or now
            client.socket.send("2")

    def _take(self, client: _Client, text: str) -> None:
        if strikes(self._faults(), "stream_mute", "stream"):
            return
        if text == _PONG:
            client.asked_at = None
            client.pongs += 1
        elif text.startswith(_MESSAGE + _CONNECT):
            self._connect(client, text[2:])
        elif text.startswith(_MESSAGE + _EVENT) and client.connected:
            self._event(client, text[2:])
        else:
            client.socket.close()

    def _connect(self, client: _Client, rest: str) -> None:
        namespace = rest.partition(",")[0]
        if namespace != NAMESPACE:
            client.socket.send(f'{_MESSAGE}{_REFUSED}{namespace},{{"message":"Invalid namespace"}}')
        elif strikes(self._faults(), "stream_refused", "stream"):
            client.socket.send(f'{_MESSAGE}{_REFUSED}{NAMESPACE},{{"message":"Unauthorized"}}')
        else:
            client.connected = True
            client.socket.send(f'{_MESSAGE}{_CONNECT}{NAMESPACE},{{"sid":"{secrets.token_hex(8)}"}}')

    def _event(self, client: _Client, rest: str) -> None:
        namespace, _, body = rest.partition(",")
        try:
            name, wish = json.loads(body)
            event, key = wish["event"], wish["apikey"]
        except (ValueError, KeyError, TypeError):
            return
        if namespace == NAMESPACE and name == EVENT and event == "subscribe":
            client.subscribed = key == self._api_key

    def _push(self, order: SimOrder) -> None:
        name, payload = self._words(order)
        text = f"{_MESSAGE}{_EVENT}{NAMESPACE},{json.dumps([name, payload])}"
        self._outlet.push([one.socket for one in self._clients if one.subscribed], text)

    def _words(self, order: SimOrder) -> tuple[str, object]:
        row = self._describe(order)
        short: dict[str, object] = {
            "order_id": order.id,
            "status": row["status"],
            "updated_time": row["updated_time"],
        }
        if "client_order_id" in row:
            short["client_order_id"] = row["client_order_id"]
        if self.spelling == "short":
            return EVENT, {"i": order.id, "X": row["status"], "z": format(order.filled, "f")}
        if self.spelling == "named":
            return "ORDER_UPDATE", short
        if self.spelling == "opaque":
            return EVENT, {"changed": True}
        return EVENT, {"data": [short]}
