"""What the B2TRADER tests share: a port with canned answers, and a hub of its own on 127.0.0.1."""

from __future__ import annotations

import asyncio
import base64
import http
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from cancel_tui.clock import Clock, ManualClock
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings
from cancel_tui.venues.b2trader import B2Trader, make
from cancel_tui.venues.base import CallClass, Message, Raw, Reply
from cancel_tui.venues.outcome import NotSent, Unanswered

ACCOUNT = "66f0a1b2c3d4e5f601234567"
OTHER_ACCOUNT = "66f0a1b2c3d4e5f607654321"
ORDER = "01JZ3M8Q4X7T5N2RB6WCVEYK9D"
API_TOKEN = "offline-token-sentinel"
START = 1_760_000_000.0


def jwt(ends: float | None, name: str = "a") -> str:
    """A token whose middle part says when it ends; the rest is of no meaning."""
    claims = {"sub": name} if ends is None else {"sub": name, "exp": ends}
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{middle}.c2lnbmF0dXJl{name}"


def reply(status: int, body: Any = None, **headers: str) -> Reply:
    """An answer; `body` is bytes as they are, or anything JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def account_row(account: str = ACCOUNT) -> dict[str, Any]:
    """One row of the accounts list, as the settings page prints it."""
    return {
        "accountId": account,
        "publicAccountId": 7000123,
        "accountName": "Hedge A",
        "accountType": "Hedging",
        "totalBalanceInRAT": "1500.25",
        "isCopyTradingAccount": False,
    }


def stream_order(order_id: str = ORDER, **changes: Any) -> dict[str, Any]:
    """One order of the `OpenOrders` stream."""
    return {
        "marketId": "cfd.eur_usd",
        "marketType": "Cfd",
        "marketDisplayName": "EUR/USD",
        "marketFullName": "",
        "orderId": order_id,
        "orderType": "Limit",
        "side": "Buy",
        "status": "Pending",
        "timeInForce": "Gtc",
        "source": "Manual",
        "reason": "Trader",
        "requestedAmount": "20000",
        "remainingAmount": "20000",
        "requestedPrice": "1.05",
        "executionPrice": "0",
        "createdAt": "2025-07-01T09:15:02.4Z",
        "updatedAt": "2025-07-01T09:15:02.4012345Z",
        "cancellationDate": None,
        "commissionAssetId": "eur",
        "commissionAmount": "0",
        "leverage": 1,
        "fillFactor": "0",
        "takeProfit": None,
        "stopLoss": None,
    } | changes


def cancelled_order(order_id: str = ORDER, **changes: Any) -> dict[str, Any]:
    """The order object of an answer to a cancel."""
    return {
        "marketId": "spot.btc_usdt",
        "marketDisplayName": "SPOT BTC/USDT",
        "orderId": order_id,
        "orderType": "Limit",
        "side": "Sell",
        "status": "Cancelled",
        "source": "Manual",
        "timeInForce": "Gtc",
        "commission": "0",
        "requestedAmount": "0.5",
        "remainingAmount": "0.5",
        "requestedPrice": "99000",
        "executionPrice": "0",
        "createdAt": "2025-07-01T09:15:02.4Z",
        "updatedAt": "2025-07-01T09:15:09.1234567Z",
        "rejectDetails": "",
        "cancellationDate": None,
        "fillFactor": "0",
    } | changes


def stop_order(order_id: str = "01STOP", **changes: Any) -> dict[str, Any]:
    """A Stop order object."""
    return {
        "marketId": "spot.btc_usdt",
        "marketDisplayName": "SPOT BTC/USDT",
        "orderId": order_id,
        "orderType": "Market",
        "side": "Sell",
        "requestedPrice": None,
        "activationPrice": "90000",
        "requestedAmount": "0.25",
        "timeInForce": "Gtc",
        "status": "WaitingForActivation",
        "createdAt": "2025-07-01T09:15:02Z",
        "updatedAt": "2025-07-01T09:15:02.12Z",
        "cancellationDate": None,
    } | changes


Handler = Callable[[Message], Raw]


class FakePort:
    """Records what was built and answers by method and path; exchanges tokens by itself."""

    def __init__(self, clock: Clock, answers: dict[str, Handler | Raw | list[Raw]] | None = None) -> None:
        self.clock = clock
        self.answers = answers or {}
        self.calls: list[CallClass] = []
        self.messages: list[Message] = []
        self.admitted: list[CallClass] = []
        self.exchanges = 0

    def sent(self, method: str, path: str) -> list[Message]:
        """The messages to one path."""
        return [one for one in self.messages if (one.method, one.target) == (method.encode(), path.encode())]

    async def admit(self, call: CallClass) -> None:
        """Count it."""
        self.admitted.append(call)

    async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
        """Build, record, answer."""
        try:
            message = build()
        except ValueError as why:
            return NotSent(str(why))
        self.calls.append(call)
        self.messages.append(message)
        answer = self.answers.get(f"{message.method.decode()} {message.target.decode()}")
        if answer is None and message.target.endswith(b"/access-token"):
            return self.exchange()
        if answer is None:
            return Unanswered("nothing planned")
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer(message) if callable(answer) else answer

    def exchange(self) -> Reply:
        """A fresh token of an hour."""
        self.exchanges += 1
        return reply(200, {"accessToken": jwt(self.clock.wall() + 3600, f"t{self.exchanges}")})


def settings(base_url: str = "https://broker.example", **more: Any) -> VenueSettings:
    """A venue's table."""
    return VenueSettings(name="broker", kind="b2trader", base_url=base_url, **more)


def venue(
    clock: Clock | None = None, base_url: str = "https://broker.example", *, jwt_only: str = "", **more: Any
) -> B2Trader:
    """An adapter with an API token, or with an access token alone."""
    secrets = {"access_token": Secret(jwt_only)} if jwt_only else {"api_token": Secret(API_TOKEN)}
    return make(settings(base_url, **more), secrets, clock or ManualClock())


class HubServer:
    """A hub that speaks the protocol by the book; `script` decides what follows a subscription."""

    def __init__(self) -> None:
        self.orders: dict[str, list[Any]] = {}
        self.script: Callable[[HubServer, dict[str, Any]], list[dict[str, Any]] | None] = (
            HubServer.by_the_book
        )
        self.refuse: list[int] = []
        """Statuses for the next upgrades; empty means welcome."""
        self.tokens: list[str] = []
        self.paths: list[str] = []
        self.messages: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        """Set by the first subscription."""
        self.base_url = ""

    @staticmethod
    def by_the_book(hub: HubServer, message: dict[str, Any]) -> list[dict[str, Any]] | None:
        """The account's orders as the first item."""
        return [
            {
                "type": 2,
                "invocationId": message["invocationId"],
                "item": hub.orders.get(message["arguments"][0], []),
            }
        ]

    def check(self, connection: ServerConnection, request: Request) -> Response | None:
        """Look at the token of an upgrade."""
        parts = urlsplit(request.path)
        self.paths.append(parts.path)
        self.tokens.append(parse_qs(parts.query)["access_token"][0])
        if self.refuse:
            return connection.respond(http.HTTPStatus(self.refuse.pop(0)), "")
        return None

    async def serve(self, connection: ServerConnection) -> None:
        """One connection; a script that answers None drops it."""
        try:
            first = json.loads(str(await connection.recv()).rstrip("\x1e"))
            assert first == {"protocol": "json", "version": 1}
            await connection.send("{}\x1e")
            async for frame in connection:
                for record in str(frame).split("\x1e")[:-1]:
                    message = json.loads(record)
                    self.messages.append(message)
                    if message["type"] != 4:
                        continue
                    self.asked.set()
                    answer = self.script(self, message)
                    if answer is None:
                        connection.transport.abort()
                        return
                    await connection.send("".join(json.dumps(one) + "\x1e" for one in answer))
        except ConnectionClosed:
            return


@asynccontextmanager
async def hub_server() -> AsyncIterator[HubServer]:
    """A hub on loopback."""
    hub = HubServer()
    server: Server
    async with serve(hub.serve, "127.0.0.1", 0, process_request=hub.check) as server:
        hub.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield hub
