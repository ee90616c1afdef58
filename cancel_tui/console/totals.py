"""Counts and notional of many orders, per venue, per symbol and per side. Pure.

Amounts of different quote currencies are never summed; what has no price is counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from cancel_tui.orders import Order, Side
from cancel_tui.text import literal


class Sum(msgspec.Struct):
    """Some orders together."""

    count: int = 0
    buys: int = 0
    sells: int = 0
    notional: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """Quote currency -> price times remaining."""
    unpriced: int = 0
    """Orders whose notional or currency is not known."""

    def add(self, order: Order) -> None:
        """One more."""
        self.count += 1
        self.buys += order.side is Side.BUY
        self.sells += order.side is Side.SELL
        quote, value = order.quote, order.notional
        if quote is None or value is None or not value.is_finite():
            self.unpriced += 1
        else:
            self.notional[quote] = self.notional.get(quote, Decimal(0)) + value

    def words(self) -> list[str]:
        """The notional, one piece per quote currency."""
        told = [f"{literal(quote, 12)} {money(value)}" for quote, value in sorted(self.notional.items())]
        if self.unpriced:
            told.append(f"{self.unpriced} without a price")
        return told


class Totals(msgspec.Struct):
    """The same orders, taken apart three ways; every group keeps the order in which it was met."""

    whole: Sum = msgspec.field(default_factory=Sum)
    venues: dict[str, Sum] = msgspec.field(default_factory=dict)
    symbols: dict[str, Sum] = msgspec.field(default_factory=dict)
    sides: dict[str, Sum] = msgspec.field(default_factory=dict)


def totals(orders: Iterable[Order]) -> Totals:
    """Sum them up."""
    found = Totals()
    for order in orders:
        symbol = order.symbol or order.display_symbol
        found.whole.add(order)
        found.venues.setdefault(order.venue, Sum()).add(order)
        found.symbols.setdefault(symbol.raw if symbol else "?", Sum()).add(order)
        found.sides.setdefault(order.side.value if order.side else "?", Sum()).add(order)
    return found


def sum_of(orders: Iterable[Order]) -> Sum:
    """One sum of them all."""
    found = Sum()
    for order in orders:
        found.add(order)
    return found


def money(value: Decimal) -> str:
    """A sum for a summary line: four places below one, two below a thousand, whole above."""
    size = abs(value)
    return f"{value:,.4f}" if size < 1 else f"{value:,.2f}" if size < 1000 else f"{value:,.0f}"
