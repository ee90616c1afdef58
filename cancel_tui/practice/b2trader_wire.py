"""How the practice B2TRADER writes its markets, orders, times and errors.

Field names and values follow https://api-docs.b2trader.b2broker.com/rest-api and
https://api-docs.b2trader.b2broker.com/websocket-api. Error bodies are not documented there; the shapes here
are those that the platform's framework and its older interface would give.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus

import msgspec

from cancel_tui.practice.b2trader_switches import Switches
from cancel_tui.practice.http import Response
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.practice.mischief import planned

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_FEE = Decimal("0.001")
_TICKS = 10_000_000


@dataclass(frozen=True, slots=True)
class Market:
    """One market; `lot` is how many base units a lot has, where orders are placed in lots."""

    id: str
    type: str
    """`Spot`, `Cfd` or `Perp`."""
    display: str
    price: Decimal
    tick: Decimal
    step: Decimal
    """Smallest amount, base units."""
    lot: Decimal = Decimal(1)

    @property
    def base(self) -> str:
        """The base asset's id."""
        return self.id.partition(".")[2].partition("_")[0]

    @property
    def quote(self) -> str:
        """The quote asset's id."""
        return self.id.partition("_")[2]


def _market(id_: str, type_: str, display: str, price: str, tick: str, step: str, lot: str = "1") -> Market:
    return Market(id_, type_, display, Decimal(price), Decimal(tick), Decimal(step), Decimal(lot))


MARKETS = {
    market.id: market
    for market in (
        _market("spot.btc_usdt", "Spot", "SPOT BTC/USDT", "98500", "0.5", "0.001"),
        _market("spot.eth_usdt", "Spot", "SPOT ETH/USDT", "3450", "0.01", "0.01"),
        _market("spot.sol_usdt", "Spot", "SPOT SOL/USDT", "187.4", "0.01", "0.1"),
        _market("spot.eth_btc", "Spot", "SPOT ETH/BTC", "0.03502", "0.00001", "0.001"),
        _market("spot.doge_btc", "Spot", "SPOT DOGE/BTC", "0.00000342", "0.00000001", "100"),
        _market("cfd.eur_usd", "Cfd", "EUR/USD", "1.08245", "0.00001", "1000", "100000"),
        _market("cfd.gbp_usd", "Cfd", "GBP/USD", "1.27110", "0.00001", "1000", "100000"),
        _market("cfd.usd_jpy", "Cfd", "USD/JPY", "151.325", "0.001", "1000", "100000"),
        _market("cfd.xau_usd", "Cfd", "XAU/USD", "2645.30", "0.01", "1", "100"),
        _market("cfd.us500_usd", "Cfd", "US500/USD", "5987.25", "0.25", "0.1", "10"),
        _market("perp.btc_usdt", "Perp", "PERP BTC/USDT", "98540", "0.5", "0.001", "0.01"),
        _market("perp.eth_usdt", "Perp", "PERP ETH/USDT", "3452", "0.05", "0.01", "0.1"),
    )
}
"""Every market of the practice venue, by its id."""


def market_of(symbol: str) -> Market:
    """The market of an order; for an id that is no market's, one that shows that very id."""
    known = MARKETS.get(symbol)
    return known or Market(symbol, "Spot", symbol, Decimal(1), Decimal("0.01"), Decimal("0.01"))


def status_word(order: SimOrder) -> str:
    """The venue's word for an order's state."""
    if order.family == "stop":
        words = {State.TRIGGERED: "Activated", State.REJECTED: "Rejected"}
        return words.get(order.state, "WaitingForActivation")
    if order.state is State.PENDING:
        return "Started"
    if order.state.live:
        working = order.state is State.LEAVING or order.filled > 0 or order.type == "Market"
        return "Working" if working else "Pending"
    return {State.FILLED: "Completed", State.CANCELLED: "Cancelled", State.EXPIRED: "Expired"}.get(
        order.state, "Rejected"
    )


def timestamp(seconds: float, digits: int) -> str:
    """ISO 8601 in UTC with so many fractional digits, 0 to 7."""
    whole, ticks = divmod(int(seconds * _TICKS), _TICKS)
    text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{f'{ticks:07d}'[:digits]}Z" if digits else f"{text}Z"


class Wire:
    """Writes as the switches say."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches

    def amount(self, value: Decimal) -> str | Decimal:
        """A decimal for the wire."""
        plain = format(value, "f")
        if "." in plain:
            plain = plain.rstrip("0").rstrip(".")
        return Decimal(plain) if self._switches.number_decimals else plain

    def stream_order(self, order: SimOrder) -> dict[str, object]:
        """One order as an element of an `OpenOrders` item."""
        market = market_of(order.symbol)
        extra = order.extra
        expires = extra.get("expires")
        stop_loss = extra.get("stop_loss")
        take_profit = extra.get("take_profit")
        leverage = extra.get("leverage")
        return {
            "marketId": market.id,
            "marketType": market.type,
            "marketDisplayName": market.display,
            "marketFullName": "",
            **self._core(order),
            "reason": "Hedging" if self._odd(order) == 2 else extra.get("reason", "Trader"),
            "cancellationDate": None if expires is None else self._time(order, float(expires), 2),
            "commissionAssetId": market.quote,
            "commissionAmount": self.amount(_fee(order)),
            "leverage": None if leverage is None else int(leverage),
            "takeProfit": None if take_profit is None else {"price": self.amount(Decimal(take_profit))},
            "stopLoss": None
            if stop_loss is None
            else {"price": self.amount(Decimal(stop_loss)), "isTrailing": extra.get("trailing") == "yes"},
        }

    def rest_order(self, order: SimOrder) -> dict[str, object]:
        """One order as REST answers carry it."""
        ended = order.state in (State.CANCELLED, State.EXPIRED) and not self._switches.null_cancellation_date
        return {
            "marketId": order.symbol,
            "marketDisplayName": market_of(order.symbol).display,
            **self._core(order),
            "commission": self.amount(_fee(order)),
            "rejectDetails": "",
            "cancellationDate": self._time(order, order.updated, 2) if ended else None,
        }

    def stop_order(self, order: SimOrder) -> dict[str, object]:
        """One Stop order; its statuses have no word for cancelled."""
        ended = order.state is State.CANCELLED and not self._switches.null_cancellation_date
        return {
            "marketId": order.symbol,
            "marketDisplayName": market_of(order.symbol).display,
            "orderId": order.id,
            "orderType": order.type,
            "side": order.side.capitalize(),
            "requestedPrice": None if order.price is None else self.amount(order.price),
            "activationPrice": self.amount(order.trigger or Decimal(0)),
            "requestedAmount": self.amount(order.quantity),
            "timeInForce": order.tif.capitalize(),
            "status": status_word(order),
            "createdAt": self._time(order, order.created, 0),
            "updatedAt": self._time(order, order.updated, 1),
            "cancellationDate": self._time(order, order.updated, 2) if ended else None,
        }

    def _core(self, order: SimOrder) -> dict[str, object]:
        odd = self._odd(order)
        factor = (order.filled / order.quantity).quantize(Decimal("0.0001")) if order.quantity else Decimal(0)
        return {
            "orderId": order.id,
            "orderType": order.type,
            "side": order.side.capitalize(),
            "status": "Suspended" if order.state.live and self._strange(odd) else status_word(order),
            "source": "MobileApp" if odd == 1 else order.extra.get("source", "Manual"),
            "timeInForce": order.tif.capitalize(),
            "requestedAmount": self.amount(order.quantity),
            "remainingAmount": self.amount(order.remaining),
            "requestedPrice": None if order.price is None else self.amount(order.price),
            "executionPrice": self.amount(order.average),
            "createdAt": self._time(order, order.created, 0),
            "updatedAt": self._time(order, order.updated, 1),
            "fillFactor": self.amount(factor),
        }

    def _odd(self, order: SimOrder) -> int:
        return _serial(order) % 3 if self._switches.unknown_enum else -1

    def _strange(self, odd: int) -> bool:
        """Whether a live order carries a status that no document has."""
        return odd == 0 or planned(self._switches.faults, "unknown_status") is not None

    def _time(self, order: SimOrder, seconds: float, field: int) -> str:
        digits = self._switches.fractional_digits
        return timestamp(seconds, digits[(_serial(order) + field) % len(digits)])

    def ok(self, value: object) -> Response:
        """A 200 with JSON."""
        return Response(200, _ENCODER.encode(value), (("content-type", "application/json; charset=utf-8"),))

    def error(self, status: int, message: str, *headers: tuple[str, str]) -> Response:
        """An error answer in the shape that is switched on."""
        title = HTTPStatus(status).phrase
        if self._switches.error_shape == "empty":
            return Response(status, b"", headers)
        if self._switches.error_shape == "html":
            page = f"<html><head><title>{status} {title}</title></head><body><h1>{title}</h1></body></html>"
            return Response(status, page.encode(), (("content-type", "text/html"), *headers))
        if self._switches.error_shape == "errors":
            listed = {"errors": [{"code": title.lower().replace(" ", "_"), "message": message}]}
            return Response(status, _ENCODER.encode(listed), (("content-type", "application/json"), *headers))
        problem = {
            "type": f"https://httpstatuses.io/{status}",
            "title": title,
            "status": status,
            "detail": message,
            "traceId": f"00-{hashlib.md5(message.encode(), usedforsecurity=False).hexdigest()}-00",
        }
        kind = ("content-type", "application/problem+json; charset=utf-8")
        return Response(status, _ENCODER.encode(problem), (kind, *headers))


def _fee(order: SimOrder) -> Decimal:
    return (order.filled * order.average * _FEE).quantize(Decimal("0.00000001"))


def _serial(order: SimOrder) -> int:
    return int(order.extra.get("serial", "0"))
