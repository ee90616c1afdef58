"""A practice B2TRADER with a client of its REST interface and one of its hub."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect

from cancel_tui.clock import ManualClock
from cancel_tui.practice.b2trader import B2Trader
from cancel_tui.practice.venue import Plan

ORDERS = "/frontoffice/api/v3/orders"
EXCHANGE = "/frontoffice/api/v4/access-token"
RS = "\x1e"


class HubClient:
    """A hub client that keeps its own buffer and remembers how messages came in frames."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[str] = []
        self.waiting: list[Any] = []
        self._buffer = ""

    async def send(self, *messages: object) -> None:
        await self.socket.send("".join(json.dumps(message) + RS for message in messages))

    async def subscribe(self, account: str, invocation: str = "0") -> None:
        await self.send(
            {"type": 4, "invocationId": invocation, "target": "OpenOrders", "arguments": [account]}
        )

    async def next(self, wanted: int | None = None) -> Any:
        """The next message, of the wanted type where one is given; other messages are skipped."""
        async with asyncio.timeout(5):
            while True:
                while self.waiting:
                    message = self.waiting.pop(0)
                    if wanted is None or message.get("type") == wanted:
                        return message
                frame = await self.socket.recv()
                assert isinstance(frame, str)
                self.frames.append(frame)
                *texts, self._buffer = (self._buffer + frame).split(RS)
                self.waiting += [json.loads(text) for text in texts]

    async def item(self) -> Any:
        return (await self.next(2))["item"]

    async def silent(self) -> bool:
        """Whether nothing is on its way: the answer to an unknown target overtakes nothing."""
        await self.send({"type": 1, "invocationId": "probe", "target": "Nothing", "arguments": []})
        message = await self.next()
        return bool(message.get("invocationId") == "probe")


class Desk:
    """One venue and a client of it."""

    def __init__(self, venue: B2Trader, clock: ManualClock, http: httpx.AsyncClient) -> None:
        self.venue = venue
        self.clock = clock
        self.http = http
        self.token = ""
        self.first, self.second, self.third = (account.id for account in venue.accounts)

    @classmethod
    async def login(cls, venue: B2Trader, clock: ManualClock, http: httpx.AsyncClient) -> Self:
        desk = cls(venue, clock, http)
        await desk.renew()
        return desk

    async def renew(self) -> None:
        answer = await self.http.post(EXCHANGE, json={"token": self.venue.credentials()["api_token"]})
        self.token = answer.json()["accessToken"]

    async def call(self, method: str, path: str, account: str = "", body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        if account:
            headers["accountId"] = account
        return await self.http.request(method, path, headers=headers, json=body)

    @asynccontextmanager
    async def socket(self, query: str | None = None) -> AsyncIterator[ClientConnection]:
        query = f"access_token={self.token}" if query is None else query
        origin = self.venue.base_url.replace("http://", "ws://")
        async with connect(
            f"{origin}/frontoffice/ws/v4/account?{query}", proxy=None, max_size=None
        ) as socket:
            yield socket

    @asynccontextmanager
    async def hub(self) -> AsyncIterator[HubClient]:
        async with self.socket() as socket:
            client = HubClient(socket)
            await client.send({"protocol": "json", "version": 1})
            assert await client.next() == {}
            yield client

    async def advance(self, seconds: float, steps: int = 1) -> None:
        for _ in range(steps):
            self.clock.advance(seconds / steps)
            await asyncio.sleep(0)
            await asyncio.sleep(0)


@asynccontextmanager
async def opened(**plan: Any) -> AsyncIterator[Desk]:
    clock = ManualClock()
    venue = B2Trader(clock, Plan(**{"orders": 0, "cancel_delay": 0.0, **plan}))
    await venue.start()
    try:
        async with httpx.AsyncClient(base_url=venue.base_url, trust_env=False, timeout=5) as http:
            yield await Desk.login(venue, clock, http)
    finally:
        await venue.stop()


def place(desk: Desk, account: str = "", **more: Any) -> str:
    order = desk.venue.dealer.place(
        "spot.btc_usdt", "sell", Decimal("0.5"), Decimal("99000"), account=account or desk.first, **more
    )
    return order.id
