"""What the practice P99 venue reads and writes on the wire: routes, list windows, orders, errors."""

from __future__ import annotations

import math
from decimal import Decimal
from urllib.parse import unquote

from cancel_tui.practice.http import Request, Response
from cancel_tui.practice.market import SimOrder, State

PREFIX = "/api/v1"

_OVER = {
    State.FILLED: "filled",
    State.CANCELLED: "canceled",
    State.REJECTED: "rejected",
    State.EXPIRED: "expired",
    State.TRIGGERED: "filled",
}
LIVE_WORDS = ("open", "partially_filled")
"""What `status` says of orders that can still trade."""
WORDS = (*LIVE_WORDS, "filled", "canceled", "rejected", "expired")
"""Everything that `status` may say."""
UNKNOWN_WORD = "under_review"
"""The undocumented status of fault `unknown_status`."""
_ROUTES = {
    ("GET", "/spot/health"): "health",
    ("GET", "/spot/markets"): "markets",
    ("GET", "/wallet/tokens"): "tokens",
    ("GET", "/spot/orders"): "list",
    ("DELETE", "/spot/orders"): "cancel_all",
    ("POST", "/spot/orders"): "create",
    ("GET", "/spot/trades/me"): "trades",
    ("GET", "/spot/balances"): "balances",
    ("POST", "/spot/transfer"): "money",
    ("POST", "/spot/withdraw/request"): "money",
}
_OUTSIDE = {
    ("GET", "/ws"): "stream",
    ("POST", "/fapi/v1/listenKey"): "listen_key",
    ("PUT", "/fapi/v1/listenKey"): "listen_key",
}
PUBLIC = ("health", "markets", "tokens", "stream")
"""Routes that need no caller; a stream asks who it is by itself."""


def route_of(request: Request) -> tuple[str, str]:
    """The route's name, and the order id where the path carries one."""
    if not request.path.startswith(PREFIX + "/"):
        return _OUTSIDE.get((request.method, request.path), "unknown"), ""
    path = request.path.removeprefix(PREFIX)
    route = _ROUTES.get((request.method, path), "unknown")
    if route == "list" and request.params.get("status", "open") not in LIVE_WORDS:
        return "closed", ""
    ident = path.removeprefix("/spot/orders/")
    if route == "unknown" and ident not in ("", path) and "/" not in ident:
        return {"GET": "status", "DELETE": "cancel"}.get(request.method, "unknown"), unquote(ident)
    return route, ""


def window_of(request: Request) -> tuple[float, float, int] | Response:
    """`start`, `end` and the clamped `limit` of a list, or the 400 for one that is no number."""
    found: list[float] = []
    for name, default in (("start", -math.inf), ("end", math.inf), ("limit", 50)):
        text = request.params.get(name)
        if text is not None and not text.removeprefix("-").isdecimal():
            return error(400, f"invalid {name}")
        found.append(default if text is None else int(text))
    return found[0], found[1], int(max(1, min(200, found[2])))


def word(order: SimOrder) -> str:
    """The venue's status word for an order."""
    if order.state.live:
        return "partially_filled" if order.filled else "open"
    return _OVER[order.state]


def wire(order: SimOrder) -> dict[str, object]:
    """An order as list, get, cancel and cancel-all show it."""
    quote = order.extra.get("quote_quantity")
    return {
        "id": order.id,
        "symbol": order.symbol,
        "side": order.side,
        "type": order.type,
        "tif": order.tif,
        "price": None if order.price is None else format(order.price, "f"),
        "quantity": None if quote else format(order.quantity, "f"),
        "quote_quantity": quote,
        "filled_qty": plain(order.filled),
        "avg_fill_price": plain(order.average),
        "status": word(order),
        "reject_reason": order.extra.get("reject_reason"),
        "created_at": int(order.created),
        "updated_at": int(order.updated),
    }


def plain(amount: Decimal) -> str:
    """A decimal without trailing zeros, as the venue writes computed amounts."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def error(status: int, error: str, *headers: tuple[str, str]) -> Response:
    """An answer in the venue's error shape."""
    return Response.of({"error": error}, status, *headers)
