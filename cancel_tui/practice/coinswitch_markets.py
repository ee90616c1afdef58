"""Plausible markets and order sizes for the practice CoinSwitch venues, drawn from a seeded generator."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Market:
    """One symbol at one exchange identifier."""

    exchange: str
    symbol: str
    price: Decimal
    """About where it trades, in the quote currency."""
    price_step: Decimal
    quantity_step: Decimal
    minimum: Decimal
    """Smallest order value, in the quote currency."""

    def draw_price(self, rng: random.Random, side: str) -> Decimal:
        """A resting price: bids up to ten percent below the market, asks above."""
        away = Decimal(rng.randint(10, 1000)) / 10_000
        return self.on_step(self.price * (1 - away if side == "buy" else 1 + away))

    def draw_quantity(self, rng: random.Random, price: Decimal) -> Decimal:
        """A size worth between the minimum and two thousand times that, small ones far more often."""
        value = self.minimum * Decimal(round(math.exp(rng.uniform(math.log(1.2), math.log(2000))), 2))
        return max((value / price).quantize(self.quantity_step), self.quantity_step)

    def draw_part(self, rng: random.Random, quantity: Decimal) -> Decimal:
        """A part fill of an order of this size; zero where it is too small to be split."""
        part = (quantity * rng.randint(5, 95) / 100).quantize(self.quantity_step)
        return part if 0 < part < quantity else Decimal(0)

    def on_step(self, price: Decimal) -> Decimal:
        """The nearest price that the market can have."""
        return max(price.quantize(self.price_step), self.price_step)

    @property
    def price_decimals(self) -> int:
        """Decimal places of a price."""
        return _places(self.price_step)

    @property
    def quantity_decimals(self) -> int:
        """Decimal places of a quantity."""
        return _places(self.quantity_step)


def market(
    exchange: str, symbol: str, price: str, price_step: str, quantity_step: str, minimum: str
) -> Market:
    """A market from texts, for tables."""
    return Market(
        exchange, symbol, Decimal(price), Decimal(price_step), Decimal(quantity_step), Decimal(minimum)
    )


def draw_age(rng: random.Random, youngest: float, oldest: float) -> float:
    """Seconds, spread evenly over orders of magnitude, to the millisecond."""
    return round(math.exp(rng.uniform(math.log(youngest), math.log(oldest))), 3)


def _places(step: Decimal) -> int:
    exponent = step.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
