"""The instruments of the practice Roxom venue, its orders by the seed, and the checks on a new order."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from cancel_tui.practice.market import SimOrder, State

INST_TYPES = ("perpetual", "spot", "btc", "digital", "stock", "index")
"""Every documented `instType`, those without orders included."""

SATS = Decimal(100_000_000)
"""Satoshi in one BTC."""

_TICK = Decimal("0.00000001")
_STEP = Decimal("0.01")
_LEAST_NOTIONAL = Decimal("0.000001")
_OLDEST = 5 * 86_400.0


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument; `reference` is the price in BTC around which its orders lie."""

    symbol: str
    inst_type: str
    reference: Decimal
    size: Decimal
    weight: int

    def takes(self, side: str, price: Decimal) -> bool:
        """Whether an order at this price would trade at once."""
        return price >= self.reference if side == "buy" else price <= self.reference


INSTRUMENTS: dict[str, Instrument] = {
    symbol: Instrument(symbol, inst_type, Decimal(reference), Decimal(size), weight)
    for symbol, inst_type, reference, size, weight in (
        ("GOLD-BTC", "perpetual", "0.00092000", "4", 6),
        ("US500-BTC", "perpetual", "0.06410000", "0.3", 4),
        ("US100-BTC", "perpetual", "0.23150000", "0.1", 3),
        ("OIL-BTC", "perpetual", "0.00068400", "12", 3),
        ("ETH-BTC", "spot", "0.03550000", "1.5", 3),
        ("USDT-BTC", "spot", "0.00001040", "900", 2),
        ("TECH7-BTC", "index", "0.00481000", "2", 2),
        ("NVDA-BTC", "stock", "0.00176500", "5", 1),
    )
}
"""What is traded; some documented types have nothing, and so an empty list."""


def uuid7(wall: float, rng: random.Random) -> str:
    """A version 7 UUID of that wall time, otherwise random by `rng`."""
    bits = int(wall * 1000) << 80 | 7 << 76 | rng.getrandbits(12) << 64 | 2 << 62 | rng.getrandbits(62)
    return str(uuid.UUID(int=bits))


def draw(rng: random.Random, now: float, *, age: float | None = None) -> SimOrder:
    """A plausible live order; without an `age` in seconds it is from five seconds to five days old."""
    instrument = rng.choices(
        list(INSTRUMENTS.values()), weights=[instrument.weight for instrument in INSTRUMENTS.values()]
    )[0]
    side = rng.choice(("buy", "sell"))
    stop = rng.random() < 0.15
    away = Decimal(str(round(rng.uniform(0.002, 0.08), 5)))
    below = (side == "buy") is not stop
    price = (instrument.reference * (1 - away if below else 1 + away)).quantize(_TICK)
    quantity = max((instrument.size * Decimal(str(round(rng.uniform(0.2, 5), 3)))).quantize(_STEP), _STEP)
    if age is None:
        age = 5.0 * math.exp(rng.random() * math.log(_OLDEST / 5.0))
    created = round(now - age, 3)
    order = SimOrder(
        id=uuid7(created, rng),
        symbol=instrument.symbol,
        side=side,
        type=rng.choice(("stop", "stoplimit")) if stop else "limit",
        price=price,
        quantity=quantity,
        created=created,
        updated=created,
        trigger=price if stop else None,
        extra={"instType": instrument.inst_type},
    )
    if order.type == "stop":
        order.price = None
    if rng.random() < 0.3:
        order.extra["clientOrderId"] = f"desk-{rng.randrange(1, 9999)}"
    if age > 0 and not stop and rng.random() < 0.25:
        part = (quantity * Decimal(str(round(rng.uniform(0.1, 0.9), 3)))).quantize(_STEP)
        if 0 < part < quantity:
            order.filled, order.average = part, price
            order.updated = round(now - age * rng.random(), 3)
    return order


def end(rng: random.Random, order: SimOrder) -> SimOrder:
    """Turn a drawn order into one that has ended already, somehow."""
    order.state = rng.choice((State.FILLED, State.CANCELLED, State.CANCELLED, State.REJECTED))
    if order.state is State.FILLED:
        order.filled, order.average = order.quantity, order.price or order.trigger or Decimal(0)
        if order.trigger is not None:
            order.extra["triggeredAt"] = repr(order.updated)
    elif order.state is State.REJECTED:
        order.filled = order.average = Decimal(0)
        if rng.random() < 0.5:
            order.extra["word"] = "inactive"
    return order


class RefusedError(Exception):
    """A new order that the venue does not take; the text says why, `form` whether its form is to blame."""

    def __init__(self, why: str, *, form: bool = False) -> None:
        super().__init__(why)
        self.form = form


def read_entry(body: object, now: float, closed: set[str], rng: random.Random) -> SimOrder:
    """The order that a request body asks for. Raises `RefusedError` where the venue would not take it."""
    if not isinstance(body, dict):
        raise RefusedError("body must be a JSON object", form=True)
    instrument = INSTRUMENTS.get(str(body.get("symbol")))
    if instrument is None or body.get("instType") != instrument.inst_type:
        raise RefusedError("market not available")
    side, kind, tif = body.get("side"), body.get("orderType"), body.get("timeInForce") or "gtc"
    if side not in ("buy", "sell"):
        raise RefusedError("side must be buy or sell", form=True)
    if kind not in ("limit", "market", "stop", "stoplimit"):
        raise RefusedError("orderType must be limit, market, stop or stoplimit", form=True)
    if tif not in ("gtc", "ioc", "gtd") or (tif == "gtd" and not isinstance(body.get("cancelAt"), int)):
        raise RefusedError("timeInForce must be gtc, ioc, or gtd with cancelAt", form=True)
    if kind == "market" and instrument.symbol in closed:
        raise RefusedError("market is closed")
    scale = SATS if str(body.get("unit") or "btc").lower() == "sats" else Decimal(1)
    quantity = _amount(body, "qty", Decimal(1))
    price = _amount(body, "px", scale) if kind in ("limit", "stoplimit") else None
    trigger = _amount(body, "triggerPx", scale) if kind in ("stop", "stoplimit") else None
    _check_amounts(instrument, side, quantity, price)
    extra = {"instType": instrument.inst_type}
    for name in ("cancelAt", "clientOrderId"):
        if body.get(name) is not None:
            extra[name] = str(body[name])
    return SimOrder(
        id=uuid7(now, rng),
        symbol=instrument.symbol,
        side=side,
        type=kind,
        price=price,
        quantity=quantity,
        created=now,
        updated=now,
        trigger=trigger,
        tif=tif,
        extra=extra,
    )


def _check_amounts(instrument: Instrument, side: str, quantity: Decimal, price: Decimal | None) -> None:
    if quantity % _STEP:
        raise RefusedError("quantity is not on the step")
    if price is not None:
        if price % _TICK:
            raise RefusedError("price is not on the tick")
        if side == "buy" and price > instrument.reference * Decimal("1.1"):
            raise RefusedError("price above the limit")
        if side == "sell" and price < instrument.reference * Decimal("0.9"):
            raise RefusedError("price below the limit")
    if quantity * (price or instrument.reference) < _LEAST_NOTIONAL:
        raise RefusedError("notional too small")
    if quantity > instrument.size * 100_000:
        raise RefusedError("insufficient balance")


def _amount(body: Mapping[str, object], name: str, scale: Decimal) -> Decimal:
    try:
        amount = Decimal(str(body.get(name))) / scale
    except InvalidOperation:
        raise RefusedError(f"{name} is required", form=True) from None
    if not amount.is_finite() or amount <= 0:
        raise RefusedError(f"{name} must be positive", form=True)
    return amount
