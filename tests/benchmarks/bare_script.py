"""What somebody would write instead: a script over httpx. `python -m tests.benchmarks.bare_script list|kill`.

It reads the same configuration and the same keyring as our program, signs as each venue wants it, lists every
open order of every venue at the same time, and prints them as JSON or cancels them one by one. It proves
nothing, keeps no record, knows no limits, and takes every answer for what it seems.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import sys
import time
import tomllib
import urllib.parse
from abc import ABC, abstractmethod
from pathlib import Path

import httpx
import keyring
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from websockets.asyncio.client import connect

WEEK = 7 * 86_400_000
INST_TYPES = ("perpetual", "spot", "btc", "digital", "stock", "index")


def secrets_of(name: str) -> dict[str, str]:
    """The fields of a keyring entry."""
    service = f"cancel-tui:{name}"
    manifest = json.loads(keyring.get_password(service, "credentials") or "")
    parts = range(1, manifest["parts"] + 1)
    text = "".join(keyring.get_password(f"{service}:{number}", "credentials") or "" for number in parts)
    found: dict[str, str] = json.loads(text)
    return found


class Venue(ABC):
    """One venue of the configuration."""

    def __init__(self, name: str, table: dict[str, str], http: httpx.AsyncClient) -> None:
        self.name, self.base, self.http = name, table["base_url"], http
        self.keys = secrets_of(name)
        self.signer = self.signing()

    def signing(self) -> object:
        return None

    @abstractmethod
    async def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        """One signed request."""

    @abstractmethod
    async def orders(self) -> list[dict[str, object]]:
        """What is open."""

    @abstractmethod
    async def cancel(self, order: dict[str, object]) -> None:
        """Cancel one."""


class CoinSwitch(Venue):
    API = "/trade/api/v2"

    def signing(self) -> ed25519.Ed25519PrivateKey:
        return ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self.keys["api_secret"]))

    async def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        epoch = str(int(time.time() * 1000))
        target = f"{self.API}{path}"
        signed = f"{method}{urllib.parse.unquote_plus(target)}{epoch}".encode()
        assert isinstance(self.signer, ed25519.Ed25519PrivateKey)
        headers = {
            "Content-Type": "application/json",
            "X-AUTH-APIKEY": self.keys["api_key"],
            "X-AUTH-SIGNATURE": self.signer.sign(signed).hex(),
            "X-AUTH-EPOCH": epoch,
        }
        content = None if body is None else json.dumps(body).encode()
        return await self.http.request(method, f"{self.base}{target}", headers=headers, content=content)


class Spot(CoinSwitch):
    async def orders(self) -> list[dict[str, object]]:
        answer = await self.send("GET", "/orders?open=true&count=500")
        found: list[dict[str, object]] = answer.json()["data"]["orders"]
        return found

    async def cancel(self, order: dict[str, object]) -> None:
        await self.send("DELETE", "/order", {"order_id": order["order_id"]})


class Futures(CoinSwitch):
    EXCHANGE = "EXCHANGE_2"

    async def orders(self) -> list[dict[str, object]]:
        now = int(time.time() * 1000)
        pages = await asyncio.gather(*(self._window(now - n * WEEK) for n in range(13)))
        return [row for page in pages for row in page]

    async def _window(self, end: int) -> list[dict[str, object]]:
        body = {"exchange": self.EXCHANGE, "limit": 50, "from_time": end - WEEK + 1, "to_time": end}
        answer = await self.send("POST", "/futures/orders/open", body)
        found: list[dict[str, object]] = answer.json()["data"]["orders"]
        return found

    async def cancel(self, order: dict[str, object]) -> None:
        await self.send(
            "DELETE", "/futures/order", {"exchange": self.EXCHANGE, "order_id": order["order_id"]}
        )


class Roxom(Venue):
    def signing(self) -> rsa.RSAPrivateKey:
        key = serialization.load_pem_private_key(self.keys["private_key"].encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key

    async def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        target = f"{urllib.parse.urlsplit(self.base).path.rstrip('/')}/api/v1{path}"
        assert isinstance(self.signer, rsa.RSAPrivateKey)
        signature = self.signer.sign(f"{method}:{target}".encode(), padding.PKCS1v15(), hashes.SHA256())
        headers = {
            "X-API-KEY": self.keys["api_key"],
            "X-API-SIGNATURE": base64.b64encode(signature).decode(),
            "Content-Type": "application/json",
        }
        return await self.http.request(method, urllib.parse.urljoin(self.base, target), headers=headers)

    async def orders(self) -> list[dict[str, object]]:
        answers = await asyncio.gather(
            *(self.send("GET", f"/orders?instType={one}&unit=btc") for one in INST_TYPES)
        )
        return [row for answer in answers if answer.status_code == 200 for row in _rows(answer.json())]

    async def cancel(self, order: dict[str, object]) -> None:
        await self.send("POST", f"/orders/{order['id']}/cancel")


class P99(Venue):
    async def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        path, _, query = path.partition("?")
        query += f"{'&' if query else ''}timestamp={int(time.time() * 1000)}"
        key = self.keys["api_secret"].encode()
        query += f"&signature={hmac.new(key, query.encode(), hashlib.sha256).hexdigest()}"
        headers = {"X-MBX-APIKEY": self.keys["api_key"]}
        return await self.http.request(method, f"{self.base}{path}?{query}", headers=headers)

    async def orders(self) -> list[dict[str, object]]:
        answers = await asyncio.gather(
            *(
                self.send("GET", f"/spot/orders?status={one}&limit=200")
                for one in ("open", "partially_filled")
            )
        )
        return [row for answer in answers for row in _rows(answer.json())]

    async def cancel(self, order: dict[str, object]) -> None:
        await self.send("DELETE", f"/spot/orders/{order['id']}")


class B2Trader(Venue):
    async def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.http.request(method, f"{self.base}/frontoffice/api/v3{path}", headers=headers)

    async def orders(self) -> list[dict[str, object]]:
        given = await self.http.post(
            f"{self.base}/frontoffice/api/v4/access-token", json={"token": self.keys["api_token"]}
        )
        self.token = given.json()["accessToken"]
        accounts = _rows((await self.send("GET", "/accounts")).json())
        address = self.base.replace("http", "ws", 1)
        found: list[dict[str, object]] = []
        async with connect(f"{address}/frontoffice/ws/v4/account?access_token={self.token}") as stream:
            await stream.send(json.dumps({"protocol": "json", "version": 1}) + "\x1e")
            for number, one in enumerate(accounts):
                asked = {"type": 4, "invocationId": str(number), "target": "OpenOrders"}
                await stream.send(json.dumps({**asked, "arguments": [one["accountId"]]}) + "\x1e")
            missing = {str(number): one for number, one in enumerate(accounts)}
            while missing:
                for record in filter(None, str(await stream.recv()).split("\x1e")):
                    message = json.loads(record)
                    account = missing.pop(message.get("invocationId", ""), None)
                    if account is not None:
                        found += [{**row, "account": account["accountId"]} for row in message["item"]]
        return found

    async def cancel(self, order: dict[str, object]) -> None:
        headers = {"Authorization": f"Bearer {self.token}", "accountId": str(order["account"])}
        await self.http.delete(f"{self.base}/frontoffice/api/v3/orders/{order['orderId']}", headers=headers)


KINDS: dict[str, type[Venue]] = {
    "coinswitch-spot": Spot,
    "coinswitch-futures": Futures,
    "roxom": Roxom,
    "p99-spot": P99,
    "b2trader": B2Trader,
}


def _rows(answer: object) -> list[dict[str, object]]:
    """The list in an answer, under whatever name."""
    while isinstance(answer, dict):
        lists = [value for value in answer.values() if isinstance(value, list | dict)]
        answer = lists[0] if lists else []
    assert isinstance(answer, list)
    return answer


async def main(what: str, tables: dict[str, dict[str, str]]) -> None:
    """List everything, then print or cancel it."""
    async with httpx.AsyncClient() as http:
        venues = [KINDS[table["kind"]](name, table, http) for name, table in tables.items()]

        async def one(venue: Venue) -> list[dict[str, object]]:
            orders = await venue.orders()
            for order in orders if what == "kill" else ():
                await venue.cancel(order)
            return orders

        found = await asyncio.gather(*(one(venue) for venue in venues))
    print(json.dumps({venue.name: orders for venue, orders in zip(venues, found, strict=True)}))


if __name__ == "__main__":
    configuration = Path(os.environ["CANCEL_TUI_CONFIG"]).read_text(encoding="utf-8")
    asyncio.run(main(sys.argv[1], tomllib.loads(configuration)["venues"]))
