"""What the tests of the P99 adapter share: keys, rows, answers."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from cancel_tui.clock import ManualClock
from cancel_tui.orders import Family, OrderId, OrderKey, VenueName
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings
from cancel_tui.venues.base import Message, Raw, Reply
from cancel_tui.venues.p99 import P99Venue, make
from tests.venues.fake_port import reply

NOW = 1_779_012_345.678
KEY = "p99-test-key-0001"
SECRET = "p99-test-secret-0001"
ID = "4c0e7b52-1d3f-4a6b-8c21-77b0a9e5d014"
ROW: dict[str, Any] = {
    "id": ID,
    "symbol": "DFUSDT",
    "side": "sell",
    "type": "limit",
    "tif": "gtc",
    "price": "0.7250",
    "quantity": "40",
    "quote_quantity": None,
    "filled_qty": "12.5",
    "avg_fill_price": "0.725",
    "status": "partially_filled",
    "reject_reason": None,
    "created_at": 1779012300,
    "updated_at": 1779012344,
}
HMAC = {"api_key": KEY, "api_secret": SECRET}


def error(status: int, word: str) -> Reply:
    return reply({"error": word}, status)


def key(order_id: str = ID) -> OrderKey:
    return OrderKey(VenueName("p99"), None, Family.ORDER, OrderId(order_id))


def row(number: int, second: int, status: str = "open", **changes: Any) -> dict[str, Any]:
    order_id = f"00000000-0000-4000-8000-{number:012d}"
    return {**ROW, "id": order_id, "filled_qty": "0", "status": status, "created_at": second, **changes}


def query_of(message: Message) -> dict[str, str]:
    return dict(parse_qsl(message.target.decode().partition("?")[2], keep_blank_values=True))


def path_of(message: Message) -> str:
    return message.target.decode().partition("?")[0]


def p99(clock: ManualClock | None = None, credentials: dict[str, str] | None = None, **more: Any) -> P99Venue:
    settings = VenueSettings(
        name="p99", kind="p99-spot", base_url="https://api-sepolia.p99.world/api/v1", **more
    )
    secrets = {name: Secret(value) for name, value in (credentials or HMAC).items()}
    return make(settings, secrets, clock or ManualClock(NOW))


def assert_signed(message: Message) -> None:
    payload, _, signature = message.target.decode().partition("?")[2].rpartition("&signature=")
    assert signature == hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    assert message.body == b""
    headers = dict(message.headers)
    assert headers[b"X-MBX-APIKEY"] == KEY.encode()
    assert b"X-API-Key" not in headers
    assert b"Authorization" not in headers


def book(rows: list[dict[str, Any]], cap: int = 200) -> Callable[[Message], Raw]:
    """The list as documented: one status, inclusive bounds, newest first, `cap` rows at most."""

    def answer(message: Message) -> Raw:
        query = query_of(message)
        assert query["limit"] == "200"
        low, high = int(query.get("start", "0")), int(query.get("end", "99999999999"))
        wanted = query.get("status")
        fitting = [
            one for one in rows if wanted in (None, one["status"]) and low <= one["created_at"] <= high
        ]
        return reply(sorted(fitting, key=lambda one: -int(one["created_at"]))[:cap])

    return answer
