"""The caller's money and fills at the practice P99 venue."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from decimal import Decimal

from cancel_tui.practice.market import SimOrder
from cancel_tui.practice.p99_market import MARKETS, Entry, RefusedError
from cancel_tui.practice.p99_wire import plain

_FILL = ("trade_id", "price", "quantity", "fee", "fee_token")


class Account:
    """Balances, and a trade for each fill of the caller's orders; `watch` has to see every change."""

    def __init__(self, live: Callable[[], list[SimOrder]]) -> None:
        self.owned: dict[str, Decimal] = {
            "USDT": Decimal(10_000_000),
            **{market.base: Decimal(1_000_000) for market in MARKETS.values()},
        }
        """What belongs to the caller by token, locked amounts included."""
        self.trades: list[dict[str, object]] = []
        """Fills in the order they happened, in the shape of `/spot/trades/me`."""
        self._live = live
        self._told: dict[str, Decimal] = {}

    def available(self, token: str) -> Decimal:
        """What is owned of a token and not held by live orders."""
        total = self.owned[token]
        for order in self._live():
            market = MARKETS.get(order.symbol)
            if market and order.side == "buy" and token == market.quote:
                total -= order.remaining * (order.price or Decimal(0))
            elif market and order.side == "sell" and token == market.base:
                total -= order.remaining
        return total

    def rows(self) -> list[dict[str, str]]:
        """The balances as the venue lists them."""
        return [
            {"token": token, "available": plain(self.available(token)), "frozen": "0"} for token in self.owned
        ]

    def afford(self, entry: Entry) -> None:
        """Raise `RefusedError` where the balance does not carry a new order."""
        price = entry.price or entry.market.reference
        if entry.side == "buy":
            token, needed = entry.market.quote, entry.quote_quantity or price * (entry.quantity or 0)
        else:
            token, needed = entry.market.base, entry.quantity or Decimal(0)
        if needed > self.available(token):
            raise RefusedError(400, "INSUFFICIENT_BALANCE")

    def fills_since(self, first: int) -> list[dict[str, object]]:
        """The fills from index `first` on, in the shape that the answer to a new order carries."""
        return [{name: row[name] for name in _FILL} for row in self.trades[first:]]

    def watch(self, order: SimOrder) -> None:
        """Write a trade for what has filled since the last look at this order."""
        gained = order.filled - self._told.get(order.id, Decimal(0))
        if gained <= 0 or order.account:
            return
        self._told[order.id] = order.filled
        self.trades.append(
            {
                "trade_id": str(uuid.uuid5(uuid.UUID(order.id), str(order.filled))),
                "symbol": order.symbol,
                "side": order.side,
                "price": plain(order.average),
                "quantity": plain(gained),
                "fee": "0",
                "fee_token": "USDT",
                "role": "taker" if order.type == "market" else "maker",
                "order_id": order.id,
                "ts": int(order.updated),
            }
        )
