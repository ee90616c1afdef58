"""What else could send the same cancels: raw sockets, httpx, requests, one after another.

Each takes the orders of each venue and sends one cancel per order, signed as the venue wants it, right before
it leaves. The raw client is the floor: connections open beforehand, as few lines as it takes, no error known.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

WIDTH = 16
"""Connections to one venue, and cancels in flight there."""

_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
Request = tuple[str, str, dict[str, str], bytes]
"""Method, target, headers, body."""
Build = Callable[[str], Request]


@dataclass(frozen=True, slots=True)
class Target:
    """One venue: where, which orders, and how a cancel of one is built and signed."""

    url: str
    orders: tuple[str, ...]
    build: Build


def targets(
    tables: Mapping[str, str], orders: Mapping[str, list[str]], keys: Mapping[str, Mapping[str, str]]
) -> list[Target]:
    """A target for each venue of the bare server, by its base URL, orders and credentials."""
    return [
        Target(tables[name], tuple(orders[name]), _BUILDERS[name](keys[name], tables[name]))
        for name in tables
    ]


def _coinswitch(path: str, extra: str) -> Callable[[Mapping[str, str], str], Build]:
    def make(keys: Mapping[str, str], _url: str) -> Build:
        seed = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(keys["api_secret"]))
        key = keys["api_key"]

        def build(order: str) -> Request:
            epoch = str(time.time_ns() // 1_000_000)
            headers = {
                "Content-Type": "application/json",
                "X-AUTH-APIKEY": key,
                "X-AUTH-SIGNATURE": seed.sign(f"DELETE{path}{epoch}".encode()).hex(),
                "X-AUTH-EPOCH": epoch,
            }
            return "DELETE", path, headers, f'{{{extra}"order_id":"{order}"}}'.encode()

        return build

    return make


def _roxom(keys: Mapping[str, str], _url: str) -> Build:
    key = load_pem_private_key(keys["private_key"].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    name = keys["api_key"]

    def build(order: str) -> Request:
        path = f"/api/v1/orders/{order}/cancel"
        signature = base64.b64encode(key.sign(f"POST:{path}".encode(), PKCS1v15(), SHA256())).decode()
        headers = {"X-API-Key": name, "X-API-Signature": signature, "Content-Type": "application/json"}
        return "POST", path, headers, b""

    return build


def _p99(keys: Mapping[str, str], url: str) -> Build:
    secret, key, base = keys["api_secret"].encode(), keys["api_key"], urlsplit(url).path

    def build(order: str) -> Request:
        query = f"timestamp={time.time_ns() // 1_000_000}"
        signature = hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()
        target = f"{base}/spot/orders/{order}?{query}&signature={signature}"
        return "DELETE", target, {"Accept": "application/json", "X-MBX-APIKEY": key}, b""

    return build


def _broker(keys: Mapping[str, str], _url: str) -> Build:
    bearer = "Bearer " + "x" * 220

    def build(order: str) -> Request:
        headers = {"Authorization": bearer, "accountId": "66f0a1b2c3d4e5f601234567", "Accept": "*/*"}
        return "DELETE", f"/frontoffice/api/v3/orders/{order}", headers, b""

    return build


_BUILDERS: dict[str, Callable[[Mapping[str, str], str], Build]] = {
    "cs-spot": _coinswitch("/trade/api/v2/order", ""),
    "cs-fut": _coinswitch("/trade/api/v2/futures/order", '"exchange":"EXCHANGE_2",'),
    "roxom": _roxom,
    "p99": _p99,
    "broker": _broker,
}


# ---------------------------------------------------------------------- raw sockets


class _Raw(asyncio.Protocol):
    """One connection, one exchange at a time, no fault expected."""

    done: asyncio.Future[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        found = _LENGTH.search(self.buffer, 0, end + 2)
        size = end + 4 + (int(found[1]) if found else 0)
        if len(self.buffer) >= size:
            body = bytes(self.buffer[end + 4 : size])
            del self.buffer[:size]
            self.done.set_result(body)

    def ask(self, wire: bytes) -> asyncio.Future[bytes]:
        self.done = asyncio.get_running_loop().create_future()
        self.transport.write(wire)
        return self.done


def written(request: Request, host: str) -> bytes:
    """The bytes of a request."""
    method, target, headers, body = request
    lines = [f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}\r\n")
    return "".join(lines).encode() + b"\r\n" + body


async def raw(found: list[Target], context: ssl.SSLContext | None) -> float:
    """Raw asyncio sockets; the monotonic time at which all connections are open and cancels may leave."""
    loop = asyncio.get_running_loop()
    work = []
    for target in found:
        parts = urlsplit(target.url)
        lines = []
        for _ in range(min(WIDTH, len(target.orders))):
            _, line = await loop.create_connection(_Raw, parts.hostname or "", parts.port or 0, ssl=context)
            lines.append(line)
        work.append((target, lines))

    async def one(line: _Raw, queue: list[str], build: Build, host: str) -> None:
        while queue:
            msgspec.json.decode(await line.ask(written(build(queue.pop()), host)))

    jobs = []
    for target, lines in work:
        queue, host = list(target.orders), urlsplit(target.url).netloc
        jobs += [one(line, queue, target.build, host) for line in lines]
    begun = time.monotonic()
    await asyncio.gather(*jobs)
    for _, lines in work:
        for line in lines:
            line.transport.close()
    return begun


# ---------------------------------------------------------------------- libraries


async def httpx_gather(found: list[Target], context: ssl.SSLContext | None) -> None:
    """httpx as most people write it: a client for each venue, all cancels gathered."""
    import httpx

    async def venue(target: Target) -> None:
        parts = urlsplit(target.url)
        base = f"{parts.scheme}://{parts.netloc}"
        async with httpx.AsyncClient(verify=context or True, timeout=60.0) as client:

            async def one(order: str) -> None:
                method, path, headers, body = target.build(order)
                (await client.request(method, base + path, headers=headers, content=body)).json()

            await asyncio.gather(*(one(order) for order in target.orders))

    await asyncio.gather(*(venue(target) for target in found))


async def one_by_one(found: list[Target], context: ssl.SSLContext | None) -> None:
    """As scripts on an exchange library do: venues side by side, in each one cancel awaited after another."""
    import httpx

    async def venue(target: Target) -> None:
        parts = urlsplit(target.url)
        base = f"{parts.scheme}://{parts.netloc}"
        async with httpx.AsyncClient(verify=context or True, timeout=60.0) as client:
            for order in target.orders:
                method, path, headers, body = target.build(order)
                (await client.request(method, base + path, headers=headers, content=body)).json()

    await asyncio.gather(*(venue(target) for target in found))


def requests_loop(found: list[Target], authority: str | None) -> None:
    """A loop over `requests`, with a session for each venue."""
    import requests  # type: ignore[import-untyped,unused-ignore]

    for target in found:
        parts = urlsplit(target.url)
        base = f"{parts.scheme}://{parts.netloc}"
        with requests.Session() as session:
            session.verify = authority or True
            for order in target.orders:
                method, path, headers, body = target.build(order)
                session.request(method, base + path, headers=headers, data=body, timeout=60.0).json()
