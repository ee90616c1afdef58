"""What the tests of the Roxom adapter share: keys, rows, answers."""

from __future__ import annotations

import base64
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cancel_tui.clock import ManualClock
from cancel_tui.orders import Family, OrderId, OrderKey, VenueName
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings
from cancel_tui.venues.base import Message, Part, PartList, Raw, Reply
from cancel_tui.venues.outcome import Outcome
from cancel_tui.venues.roxom import RoxomVenue, make
from tests.venues.fake_port import always, reply

KEY_ID = "rxk_key_0123456789abcdef"
ID = "0199c0de-0001-7a00-8000-0000000000a1"
OTHER_ID = "0199c0de-0002-7b00-8000-0000000000b2"
ROW: dict[str, Any] = {
    "id": ID,
    "accountId": "7a0d5b1e-52c4-4f7e-9b35-0c6b1f2d8e11",
    "symbol": "GOLD-BTC",
    "instType": "perpetual",
    "type": "limit",
    "timeInForce": "gtc",
    "side": "buy",
    "qty": "3.00",
    "size": "2.25",
    "amountFilled": "0.75",
    "px": "0.00091250",
    "unit": "btc",
    "status": "partiallyfilled",
    "createdAt": 1760000000000,
    "clientOrderId": "desk-7",
    "triggerPx": None,
    "cancelAt": None,
    "triggeredAt": None,
}


def pem_of(key: Any, form: Any = serialization.PrivateFormat.PKCS8, word: bytes = b"") -> str:
    lock = serialization.BestAvailableEncryption(word) if word else serialization.NoEncryption()
    return str(key.private_bytes(serialization.Encoding.PEM, form, lock).decode())


RSA = rsa.generate_private_key(65537, 2048)
PEM = pem_of(RSA)


def orders(*rows: Any) -> Reply:
    return reply({"error": False, "data": {"orders": list(rows)}})


def key(order_id: str = ID) -> OrderKey:
    return OrderKey(VenueName("rx"), None, Family.ORDER, OrderId(order_id))


def roxom(clock: ManualClock | None = None, **more: Any) -> RoxomVenue:
    base_url = more.pop("base_url", "https://api.roxom.com")
    settings = VenueSettings(name="rx", kind="roxom", base_url=base_url, **more)
    return make(settings, {"api_key": Secret(KEY_ID), "private_key": Secret(PEM)}, clock or ManualClock())


def assert_signed(message: Message, header: bytes = b"X-API-Signature") -> None:
    headers = dict(message.headers)
    assert headers[b"Content-Type"] == b"application/json"
    assert message.body == b""
    text = message.method + b":" + message.target
    RSA.public_key().verify(
        base64.b64decode(headers[header], validate=True), text, padding.PKCS1v15(), hashes.SHA256()
    )


async def listed(answer: Raw, venue: RoxomVenue | None = None, name: str = "perpetual") -> Outcome[PartList]:
    return await (venue or roxom()).list_part(Part(f"inst_type:{name}"), always(answer))
