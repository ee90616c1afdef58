"""The practice B2TRADER's accounts and orders: the opening book, new orders, Stops that trigger, expiries."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from cancel_tui.practice.b2trader_wire import MARKETS, Market
from cancel_tui.practice.market import Book, SimOrder, State

MARKET_SECONDS = 1.0
"""How long a Market order works before it is filled in full."""

_ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DAY = 86400.0
_SHORTEST_DAY = 3600.0


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the token's user."""

    id: str
    public_id: int
    name: str
    type: str
    """`Hedging` or `Netting`."""
    balance: Decimal
    copies: bool = False
    """Whether it is a copy-trading account."""


class Dealer:
    """Puts orders into a book and makes them move."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._serial = 0
        draw = random.Random(f"accounts/{book.seed}")
        self.accounts = [
            Account(f"66f0{draw.getrandbits(80):020x}", 7000100 + at, name, type_, Decimal(balance), copies)
            for at, (name, type_, balance, copies) in enumerate(
                (
                    ("Hedge A", "Hedging", "150200.25", False),
                    ("Net B", "Netting", "48000.5", False),
                    ("Copy C", "Hedging", "2500", True),
                )
            )
        ]
        """Two that trade and a copy-trading one that starts without orders."""

    def populate(self, orders: int, stops: int) -> None:
        """Put so many open orders and waiting Stops into the book, by the seed."""
        for _ in range(orders):
            self.random_order(self._book.random)
        for _ in range(stops):
            self._random_stop(self._book.random)

    def place(
        self,
        symbol: str,
        side: str,
        quantity: Decimal,
        price: Decimal | None = None,
        *,
        account: str = "",
        tif: str = "gtc",
        filled: Decimal = Decimal(0),
        age: float = 0.0,
        expires: float | None = None,
        state: State = State.RESTING,
        extra: Mapping[str, str] | None = None,
    ) -> SimOrder:
        """Add one order: a Limit order, or a Market order where no price is given.

        `expires` (seconds since the epoch) counts for `gtd`; `day` orders end at the end of the UTC day.
        """
        market = MARKETS[symbol]
        wall = self._book.clock.wall()
        order = SimOrder(
            self._ulid(wall - age),
            symbol,
            side,
            "Market" if price is None else "Limit",
            price,
            quantity,
            wall - age,
            wall - age / 2 if filled else wall - age,
            filled=filled,
            average=(price or market.price) if filled else Decimal(0),
            state=state,
            trigger=market.price if price is None else None,
            account=account or self.accounts[0].id,
            tif=tif,
            extra=self._extra(market, extra),
        )
        if tif == "gtd" and expires is not None:
            order.extra["expires"] = repr(expires)
            self._expire_at(order, expires - wall)
        elif tif == "day":
            left = _DAY - math.fmod(wall, _DAY)
            self._expire_at(order, left if left >= _SHORTEST_DAY else left + _DAY)
        return self._book.add(order)

    def place_stop(
        self,
        symbol: str,
        side: str,
        quantity: Decimal,
        trigger: Decimal,
        price: Decimal | None = None,
        *,
        account: str = "",
        tif: str = "gtc",
        age: float = 0.0,
        extra: Mapping[str, str] | None = None,
    ) -> SimOrder:
        """Add one waiting Stop: a stop limit, or a stop market where no price is given."""
        created = self._book.clock.wall() - age
        return self._book.add(
            SimOrder(
                self._ulid(created),
                symbol,
                side,
                "Market" if price is None else "Limit",
                price,
                quantity,
                created,
                created,
                trigger=trigger,
                account=account or self.accounts[0].id,
                family="stop",
                tif=tif,
                extra=self._extra(MARKETS[symbol], extra),
            )
        )

    def trigger(self, stop: SimOrder) -> SimOrder:
        """Let a waiting Stop activate; the order that it places is returned."""
        self._book.change(stop, State.TRIGGERED)
        placed = self.place(
            stop.symbol,
            stop.side,
            stop.quantity,
            stop.price,
            account=stop.account,
            extra={"source": "StopOrder", "stop": stop.id},
        )
        if placed.price is None:
            self.fill_later(placed)
        return placed

    def fill_later(self, order: SimOrder, delay: float = MARKET_SECONDS) -> None:
        """Let an order fill in full after so many seconds, if it is still live then."""
        self._book.at(delay, lambda: self._book.fill(order))

    def random_order(self, draw: random.Random, age: float | None = None) -> SimOrder:
        """Add one realistic order; without an age it is seconds to days old."""
        market = draw.choice(list(MARKETS.values()))
        side = draw.choice(("buy", "sell"))
        units = draw.randint(1, 9) * draw.choice((1, 5, 10, 25, 100))
        filled = draw.randint(1, units - 1) if units > 1 and draw.random() < 0.2 else 0
        is_market = age is None and units > 1 and draw.random() < 0.03
        if is_market:
            filled = draw.randint(1, units - 1)
        away = Decimal(str(round(draw.uniform(0.001, 0.06), 5)))
        price = _near(market, 1 - away if side == "buy" else 1 + away)
        tif = draw.choices(("gtc", "gtd", "day"), (75, 12, 13))[0]
        new = age is not None
        order = self.place(
            market.id,
            side,
            market.step * units,
            None if is_market else price,
            account=self.accounts[0 if draw.random() < 0.6 else 1].id,
            tif="ioc" if is_market else tif,
            filled=market.step * (0 if new else filled),
            age=10 ** draw.uniform(0.5, 5.9) if age is None else age,
            expires=self._book.clock.wall() + draw.uniform(3600, 10 * _DAY),
            state=State.PENDING if new else State.RESTING,
            extra=_colour(draw, market, side, price),
        )
        if new:
            self._book.at(0.05, lambda: self._accept(order))
        return order

    def _random_stop(self, draw: random.Random) -> SimOrder:
        market = draw.choice(list(MARKETS.values()))
        side = draw.choice(("buy", "sell"))
        away = Decimal(str(round(draw.uniform(0.01, 0.08), 5)))
        trigger = _near(market, 1 + away if side == "buy" else 1 - away)
        return self.place_stop(
            market.id,
            side,
            market.step * draw.randint(1, 200),
            trigger,
            trigger if draw.random() < 0.5 else None,
            account=self.accounts[0 if draw.random() < 0.6 else 1].id,
            age=10 ** draw.uniform(2, 5.9),
        )

    def _accept(self, order: SimOrder) -> None:
        if order.state is State.PENDING:
            self._book.change(order, State.RESTING)

    def _expire_at(self, order: SimOrder, delay: float) -> None:
        def expire() -> None:
            if order.state.live:
                self._book.change(order, State.EXPIRED)

        self._book.at(delay, expire)

    def _extra(self, market: Market, given: Mapping[str, str] | None) -> dict[str, str]:
        self._serial += 1
        extra = {"serial": str(self._serial), **(given or {})}
        if market.type != "Spot":
            extra.setdefault("leverage", "1")
        return extra

    def _ulid(self, created: float) -> str:
        number = (max(0, int(created * 1000)) << 80) | self._book.random.getrandbits(80)
        return "".join(_ULID[(number >> shift) & 31] for shift in range(125, -1, -5))


def _near(market: Market, factor: Decimal) -> Decimal:
    return (market.price * factor / market.tick).quantize(Decimal(1)) * market.tick


def _colour(draw: random.Random, market: Market, side: str, price: Decimal) -> dict[str, str]:
    source = draw.choices(("Manual", "FixApi", "StopOrder", "System"), (70, 20, 7, 3))[0]
    extra = {"source": source}
    if source == "System":
        extra["reason"] = draw.choice(("TakeProfit", "StopLoss", "StopOut", "Admin"))
    if market.type != "Spot":
        extra["leverage"] = str(draw.choice((1, 5, 10, 20)))
        if draw.random() < 0.3:
            sign = 1 if side == "buy" else -1
            extra["take_profit"] = str(price + sign * 200 * market.tick)
            extra["stop_loss"] = str(price - sign * 100 * market.tick)
            extra["trailing"] = draw.choice(("yes", "no"))
    return extra
