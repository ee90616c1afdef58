"""What the practice Roxom venue reads and writes on the wire: signatures, orders, and three error shapes."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cancel_tui.practice.http import Request, Response
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.practice.roxom_market import SATS

_TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def signed_text(request: Request) -> str:
    """`METHOD:PATH[?QUERY][:BODYPARAMS]` of a request; body parameters sorted, those that are null left out.

    How values of the body are written is not documented; defensive reading: strings without quotes, booleans
    in lower case, numbers as sent. Raises `ValueError` for a body that is no JSON object.
    """
    text = f"{request.method}:{request.target}"
    if not request.body:
        return text
    body = json.loads(request.body, parse_float=str)
    if not isinstance(body, dict):
        raise ValueError("body is no object")
    pairs = [f"{name}={_value(value)}" for name, value in sorted(body.items()) if value is not None]
    return f"{text}:{'&'.join(pairs)}" if pairs else text


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def verifies(key: rsa.RSAPublicKey, signature: str, text: str, scheme: str) -> bool:
    """Whether `signature` (base64) is one over `text`; `scheme` is `pkcs1v15` or `pss`, SHA-256 in both."""
    try:
        raw = base64.b64decode(signature, validate=True)
        if scheme == "pss":
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            key.verify(raw, text.encode(), pss, hashes.SHA256())
        else:
            key.verify(raw, text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


@dataclass
class Wording:
    """How orders are written; the documentation has several generations and leaves units open."""

    generation: str = "C"
    """`C` for the current field names, `A` for the older ones, long in lists."""
    created_at: str = "ms"
    """Unit of `createdAt`: `s`, `ms`, `us` or `ns`."""
    words: dict[str, str] = field(default_factory=dict)
    """Other spellings by status word, such as `cancelled` to `CANCELED`."""
    strange: Callable[[], bool] = lambda: False
    """Whether live orders carry a word that no document has."""
    account_id: str = "7a0d5b1e-52c4-4f7e-9b35-0c6b1f2d8e11"

    def order(self, order: SimOrder, unit: str, *, listed: bool) -> dict[str, object]:
        """One order, prices in `unit` (`btc` or `sats`)."""
        stamp = self._stamp(order.created)
        moment = order.extra.get("triggeredAt")
        extra = order.extra
        shown: dict[str, object] = {
            "id": order.id,
            "accountId": self.account_id,
            "symbol": order.symbol,
            "instType": extra.get("instType"),
            "type": order.type,
            "timeInForce": order.tif,
            "side": order.side,
            "qty": format(order.quantity, "f"),
            "size": format(order.remaining, "f"),
            "amountFilled": format(order.filled, "f"),
            "px": _price(order.price, unit),
            "unit": unit,
            "status": self.status(order),
            "createdAt": stamp,
            "clientOrderId": extra.get("clientOrderId"),
            "triggerPx": _price(order.trigger, unit),
            "cancelAt": int(extra["cancelAt"]) if "cancelAt" in extra else None,
            "triggeredAt": self._stamp(float(moment)) if moment else None,
        }
        return shown if self.generation == "C" else _older(shown, listed=listed)

    def status(self, order: SimOrder) -> str:
        """The venue's word for the state of an order."""
        word = order.extra.get("word") or _status(order)
        if order.state.live and self.strange():
            word = "underreview"
        return self.words.get(word, word)

    def _stamp(self, wall: float) -> int:
        return round(wall * 1_000) * _TICKS[self.created_at] // 1_000


def _older(shown: dict[str, object], *, listed: bool) -> dict[str, object]:
    """The same order in the words of the oldest documentation; a single read keeps the short names there."""
    older = {**shown, "isTriggered": shown["triggeredAt"] is not None}
    del older["triggeredAt"], older["amountFilled"]
    if listed:
        for short, long in (("type", "orderType"), ("qty", "quantity"), ("px", "price")):
            older[long] = older.pop(short)
        older["unit"] = str(older["unit"]).upper()
    return older


def _status(order: SimOrder) -> str:
    if order.state is State.LEAVING:
        return "pendingcancel"
    if order.state is State.PENDING:
        return "pendingsubmit"
    if order.state.live:
        if waits(order):
            return "waitingtrigger"
        return "partiallyfilled" if order.filled else "submitted"
    if order.state in (State.CANCELLED, State.EXPIRED):
        return "partiallyfilledcancelled" if order.filled else "cancelled"
    return "rejected" if order.state is State.REJECTED else "filled"


def waits(order: SimOrder) -> bool:
    """Whether this is a stop whose trigger has not been hit."""
    return order.trigger is not None and "triggeredAt" not in order.extra


def _price(price: Decimal | None, unit: str) -> str | None:
    if price is None:
        return None
    return (
        format(price.quantize(Decimal(1) / SATS), "f")
        if unit == "btc"
        else format((price * SATS).normalize(), "f")
    )


@dataclass
class Errors:
    """The three error shapes that the documentation shows; it leaves open which answers use which."""

    shape: str = "code"
    """`flat`, `nested` or `code`: what errors other than 401 look like."""
    count: int = 0

    def answer(self, status: int, code: str, message: str, wall: float, details: str = "") -> Response:
        """An error in the chosen shape; `wall` is the server's time in seconds."""
        self.count += 1
        body: Mapping[str, object]
        if self.shape == "flat":
            body = {"error": status, "message": message}
        elif self.shape == "nested":
            body = {
                "error": {"code": status, "message": message, "details": details},
                "timestamp": datetime.fromtimestamp(int(wall), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "requestId": f"req_x{self.count}",
            }
        else:
            body = {"code": code, "message": message, "details": details}
        return Response.of(body, status)


def unauthorized(message: str) -> Response:
    """A 401, which has the flat shape always."""
    return Response.of({"error": 401, "message": message}, 401)


def route_of(request: Request, prefixes: set[str]) -> tuple[str, str]:
    """The route's name, and the order id where the path carries one."""
    outside = {"/ping": "ping", "/ws": "stream"}.get(request.path)
    if outside and request.method == "GET":
        return outside, ""
    for prefix in prefixes:
        head, mark, tail = request.path.partition(f"{prefix}/orders")
        if mark and not head and tail[:1] in ("", "/"):
            return _order_route(request, tail.split("/")[1:])
    return "unknown", ""


def _order_route(request: Request, rest: list[str]) -> tuple[str, str]:
    """The route by what follows `/orders` in the path."""
    match request.method, rest:
        case "GET", []:
            return ("closed" if truth(request, "includeClosed") else "list"), ""
        case "POST", []:
            return "create", ""
        case "POST", ["cancel-all"]:
            return "cancel_all", ""
        case "GET", [ident] if ident:
            return "status", ident
        case "POST", [ident, "cancel"] if ident:
            return "cancel", ident
    return "unknown", ""


def truth(request: Request, name: str) -> bool:
    """Whether a query parameter says `true`."""
    return request.params.get(name, "").lower() == "true"
