"""The markets of the practice P99 venue, its orders by the seed, and the checks on a new order."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from cancel_tui.practice.market import SimOrder, State

_ZERO = Decimal(0)
_OLDEST = 6 * 86_400.0


@dataclass(frozen=True, slots=True)
class Market:
    """One spot market; `reference` is the price around which its orders lie, in quote tokens."""

    id: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_notional: Decimal
    reference: Decimal
    size: Decimal
    """A common order size in base tokens."""

    def wire(self, status: str) -> dict[str, object]:
        """The market as the venue lists it."""
        return {
            "id": self.id,
            "base_token": self.base,
            "quote_token": self.quote,
            "tick_size": str(self.tick),
            "lot_size": str(self.lot),
            "min_notional": str(self.min_notional),
            "maker_fee_bps": 0,
            "taker_fee_bps": 0,
            "status": status,
        }

    def takes(self, side: str, price: Decimal) -> bool:
        """Whether an order at this price would trade at once."""
        return price >= self.reference if side == "buy" else price <= self.reference


def _market(name: str, tick: str, lot: str, reference: str, size: str) -> Market:
    base = name.removesuffix("USDT")
    return Market(
        name, base, "USDT", Decimal(tick), Decimal(lot), Decimal(1), Decimal(reference), Decimal(size)
    )


MARKETS: dict[str, Market] = {
    market.id: market
    for market in (
        _market("DFUSDT", "0.0001", "0.01", "0.7210", "250"),
        _market("ETHUSDT", "0.01", "0.0001", "3412.50", "0.8"),
        _market("BTCUSDT", "0.1", "0.00001", "96120.0", "0.02"),
    )
}
"""The venue documents DFUSDT alone; the others are there so that a filter by symbol has something to do."""


def draw(rng: random.Random, ident: str, now: float, *, age: float | None = None) -> SimOrder:
    """A plausible resting order; without an `age` in seconds it is from five seconds to six days old."""
    market = rng.choices(list(MARKETS.values()), weights=(6, 3, 2))[0]
    side = rng.choice(("buy", "sell"))
    away = Decimal(str(round(rng.uniform(0.001, 0.09), 5)))
    price = market.reference * (1 - away if side == "buy" else 1 + away)
    quantity = market.size * Decimal(str(round(rng.uniform(0.2, 6), 3)))
    quantity = max(quantity.quantize(market.lot), market.lot)
    if age is None:
        age = 5.0 * math.exp(rng.random() * math.log(_OLDEST / 5.0))
    order = SimOrder(
        id=ident,
        symbol=market.id,
        side=side,
        type="limit",
        price=price.quantize(market.tick),
        quantity=quantity,
        created=round(now - age, 3),
        updated=round(now - age, 3),
        tif=rng.choices(("gtc", "post_only"), weights=(4, 1))[0],
    )
    if age > 0 and rng.random() < 0.22:
        part = (quantity * Decimal(str(round(rng.uniform(0.1, 0.9), 3)))).quantize(market.lot)
        if _ZERO < part < quantity:
            order.filled, order.average = part, order.price or market.reference
            order.updated = round(now - age * rng.random(), 3)
    return order


def end(rng: random.Random, order: SimOrder) -> SimOrder:
    """Turn a drawn order into one that has ended already, somehow."""
    order.state = rng.choice((State.FILLED, State.CANCELLED, State.CANCELLED, State.REJECTED))
    if order.state is State.FILLED:
        order.filled, order.average = order.quantity, order.price or _ZERO
    elif order.state is State.REJECTED:
        order.filled = order.average = _ZERO
        order.extra["reject_reason"] = rng.choice(("POST_ONLY_REJECT", "SELF_TRADE"))
    return order


class RefusedError(Exception):
    """A new order that the venue does not take: HTTP status and the venue's `error` string."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


@dataclass(frozen=True, slots=True)
class Entry:
    """A new order whose form and amounts are in order."""

    market: Market
    side: str
    type: str
    tif: str
    price: Decimal | None
    quantity: Decimal | None
    quote_quantity: Decimal | None


def read_entry(body: object, status_of: Mapping[str, str]) -> Entry:
    """Check a request body; `status_of` tells which markets are not `listed`. Raises `RefusedError`."""
    if not isinstance(body, dict):
        raise RefusedError(400, "invalid body")
    market = MARKETS.get(str(body.get("symbol")))
    if market is None:
        raise RefusedError(404, "MARKET_NOT_FOUND")
    if status_of.get(market.id) == "halted":
        raise RefusedError(409, "MARKET_HALTED")
    if status_of.get(market.id) == "delisted":
        raise RefusedError(410, "MARKET_DELISTED")
    side, kind = body.get("side"), body.get("type")
    if side not in ("buy", "sell"):
        raise RefusedError(400, "invalid side")
    if kind not in ("limit", "market"):
        raise RefusedError(400, "invalid type")
    tif = body.get("tif") or ("ioc" if kind == "market" else "gtc")
    if tif not in ("gtc", "ioc", "post_only"):
        raise RefusedError(400, "invalid tif")
    price, quantity, quote = (_amount(body, name) for name in ("price", "quantity", "quote_quantity"))
    if kind == "market":
        if side == "buy" and quote is None:
            raise RefusedError(400, "quote_quantity required for market buy")
        if side == "sell" and quantity is None:
            raise RefusedError(400, "quantity required for market sell")
        buying = side == "buy"
        amounts = (None, quote) if buying else (quantity, None)
        return _sized(Entry(market, side, kind, "ioc", None, *amounts))
    if quantity is None:
        raise RefusedError(400, "quantity required for limit")
    if price is None:
        raise RefusedError(400, "price required for limit")
    return _sized(Entry(market, side, kind, tif, price, quantity, None))


def order_of(entry: Entry, ident: str, now: float) -> SimOrder:
    """The order that an entry becomes; the quantity of a market buy follows from the reference price."""
    market, quantity, extra = entry.market, entry.quantity, {}
    if quantity is None:
        quantity = (entry.quote_quantity or _ZERO) / market.reference // market.lot * market.lot
        extra["quote_quantity"] = str(entry.quote_quantity)
    return SimOrder(
        id=ident,
        symbol=market.id,
        side=entry.side,
        type=entry.type,
        price=entry.price,
        quantity=quantity,
        created=now,
        updated=now,
        trigger=None if entry.price else market.reference,
        tif=entry.tif,
        extra=extra,
    )


def refuse_crossing(entry: Entry, resting: Iterable[SimOrder]) -> None:
    """Raise `RefusedError` where the new order meets one of the caller's own, or may not trade at all."""
    market = entry.market
    limit = entry.price if entry.price is not None else market.reference
    for order in resting:
        if order.symbol == market.id and order.side != entry.side and order.price is not None:
            meets = limit >= order.price if entry.side == "buy" else limit <= order.price
            if meets:
                raise RefusedError(400, "SELF_TRADE")
    if entry.tif == "post_only" and market.takes(entry.side, limit):
        raise RefusedError(400, "POST_ONLY_REJECT")


def _sized(entry: Entry) -> Entry:
    market = entry.market
    if entry.price is not None and (entry.price <= 0 or entry.price % market.tick):
        raise RefusedError(400, "INVALID_TICK")
    if entry.quantity is not None and (entry.quantity <= 0 or entry.quantity % market.lot):
        raise RefusedError(400, "INVALID_LOT")
    spent = entry.quote_quantity
    if spent is None:
        spent = (entry.quantity or _ZERO) * (entry.price or market.reference)
    if spent < market.min_notional:
        raise RefusedError(400, "BELOW_MIN_NOTIONAL")
    return entry


def _amount(body: Mapping[str, object], name: str) -> Decimal | None:
    value = body.get(name)
    if value is None:
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise RefusedError(400, f"invalid {name}") from None
    if not amount.is_finite():
        raise RefusedError(400, f"invalid {name}")
    return amount
