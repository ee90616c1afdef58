"""The practice CoinSwitch spot venue.

It models https://api-trading.coinswitch.co/spot/reference/ : open lists of 25 rows unless `count` asks for
more and closed lists of 500, no cursor and no total, creation times in whole seconds with both bounds
inclusive, JSON numbers with tiny ones in exponent form, single cancels in two phases, and no cancel-all.
Where the documentation is silent the defensive reading is taken: the greatest `count` is 500, the newest
order comes first, an unknown order is 404, a refused cancel 400.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from cancel_tui.clock import Clock
from cancel_tui.practice.coinswitch_auth import KeyPair
from cancel_tui.practice.coinswitch_base import (
    API,
    CoinSwitchVenue,
    Refusal,
    Route,
    fields_of,
    milliseconds,
    number_in,
    plain,
    reply,
    text_in,
    whole_in,
)
from cancel_tui.practice.coinswitch_markets import Market, draw_age, market
from cancel_tui.practice.coinswitch_stream import PATH as STREAM_PATH
from cancel_tui.practice.coinswitch_stream import UpdateStream
from cancel_tui.practice.http import Answer, Request
from cancel_tui.practice.market import Motion, SimOrder, State
from cancel_tui.practice.mischief import wire_fault
from cancel_tui.practice.pushes import FAULTS as STREAM_FAULTS
from cancel_tui.practice.venue import Plan

MARKETS = (
    market("coinswitchx", "BTC/INR", "9850000", "1", "0.00001", "150"),
    market("coinswitchx", "ETH/INR", "345000", "0.5", "0.0001", "150"),
    market("coinswitchx", "SOL/INR", "16450", "0.1", "0.001", "150"),
    market("coinswitchx", "XRP/INR", "215.5", "0.01", "0.1", "150"),
    market("coinswitchx", "DOGE/INR", "18.9", "0.001", "1", "150"),
    market("coinswitchx", "SHIB/INR", "0.00105", "0.000001", "1", "150"),
    market("c2c1", "BTC/USDT", "112400", "0.01", "0.00001", "5"),
    market("c2c1", "PEPE/USDT", "0.0000095", "0.00000001", "1", "5"),
    market("c2c2", "BTC/USDT", "112400", "0.01", "0.00001", "5"),
    market("c2c2", "ETH/USDT", "3950", "0.01", "0.0001", "5"),
)
DEFAULT_EXPIRY = 90
"""Seconds that an order lives when its maker does not say."""

_WORDS = {
    State.PENDING: "OPEN",
    State.RESTING: "OPEN",
    State.LEAVING: "CANCELLATION_RAISED",
    State.LAPSING: "EXPIRATION_RAISED",
    State.FILLED: "EXECUTED",
    State.TRIGGERED: "EXECUTED",
    State.CANCELLED: "CANCELLED",
    State.EXPIRED: "EXPIRED",
    State.REJECTED: "DISCARDED",
}
_DAY = 86_400.0
_MAX_COUNT = 500
_LOW_COUNT = 100


class CoinSwitchSpot(CoinSwitchVenue):
    """CoinSwitch PRO spot, as far as a console that lists and cancels can see it."""

    kind = "coinswitch-spot"
    name = "cs-spot"
    shared_faults = STREAM_FAULTS
    own_faults: ClassVar[Mapping[str, str]] = {
        **CoinSwitchVenue.own_faults,
        "count_refused": "a `count` above 100 is refused with 422",
        "count_capped": "no answer has more than 100 rows, whatever `count` asked for",
        "oldest_first": "lists begin with the oldest order",
        "unsorted": "lists are in no order of time",
    }
    routes_known = frozenset(("list", "status", "cancel", "create", "validate", "ping", "market", "stream"))
    windows: ClassVar[Mapping[str, tuple[int, float]]] = {"create": (100, 10.0), "list": (10_000, 10.0)}
    shared_window: ClassVar[tuple[int, float]] = (100, 10.0)
    order_path: ClassVar[str] = f"{API}/order"
    cancels_at_once: ClassVar[bool] = True

    def __init__(self, clock: Clock, plan: Plan, keys: KeyPair | None = None) -> None:
        super().__init__(clock, plan, keys)
        self._random = random.Random(plan.seed)
        self.stream = UpdateStream(self.book, clock, self.keys.api_key, self.describe, lambda: self.faults)
        self.routes |= {
            ("GET", f"{API}/orders"): Route("list", self._list),
            ("GET", self.order_path): Route("status", self._status),
            ("DELETE", self.order_path): Route("cancel", self._cancel),
            ("POST", self.order_path): Route("create", self._create),
            ("POST", f"{API}/exchangePrecision"): Route("market", self._precision),
            ("GET", f"{API}/tradeInfo"): Route("market", self._trade_info),
        }

    def route_name(self, request: Request) -> str:
        """By which name faults know what this request asks for."""
        return "stream" if request.path.rstrip("/") == STREAM_PATH else super().route_name(request)

    async def answer(self, request: Request) -> Answer:
        """Answer one request; the order updates have a door of their own, without a signature."""
        if request.path.rstrip("/") != STREAM_PATH:
            return await super().answer(request)
        broken = wire_fault(self.faults, "stream")
        return broken if broken is not None else self.stream.answer(request)

    def place(
        self,
        symbol: str = "BTC/INR",
        side: str = "buy",
        price: Decimal | None = None,
        quantity: Decimal | None = None,
        *,
        exchange: str | None = None,
        age: float = 0.0,
        filled: Decimal = Decimal(0),
        source: str = "API_TRADING",
        expires: float | None = None,
        client_id: str = "",
    ) -> SimOrder:
        """Put a limit order into the book; what is not given is drawn. `age` and `expires` in seconds."""
        place = _market(exchange, symbol)
        price = place.draw_price(self._random, side) if price is None else price
        quantity = place.draw_quantity(self._random, price) if quantity is None else quantity
        order = self._make(place, side, price, quantity, age=age, filled=filled)
        order.extra |= {"source": source, "client_id": client_id}
        if expires is not None:
            self.book.at(expires, lambda: self._lapse(order))
        return self.book.add(order)

    def populate(self) -> None:
        """Put the plan's open orders into the book, and a fifth as many that are over already."""
        rng = self._random
        for index in range(self.plan.orders):
            age = draw_age(rng, 5, 6 * _DAY)
            if index % 12 == 0:
                # The smallest usual order: its quantity is written 5e-05 on the wire.
                self.place("BTC/INR", "buy", quantity=Decimal("0.00005"), age=age)
            else:
                self.book.add(self._draw(age, part_fills=0.15))
        for index in range(self.plan.orders // 5):
            order = self._draw(draw_age(rng, 600, 30 * _DAY))
            order.state = (State.FILLED, State.CANCELLED, State.EXPIRED)[index % 3]
            if order.state is State.FILLED:
                order.filled, order.average = order.quantity, order.price or Decimal(0)
            order.updated = order.created + float(rng.randint(1, 90))
            self.book.add(order)
        Motion(self.book, self.plan.activity, self.newcomer).start()

    def describe(self, order: SimOrder) -> dict[str, object]:
        """The one shape that create, cancel, list and status reads share."""
        row: dict[str, object] = {
            "order_id": order.id,
            "symbol": order.symbol,
            "price": order.price,
            "average_price": order.average,
            "orig_qty": order.quantity,
            "executed_qty": order.filled,
            "status": self.word(order, _WORDS),
            "side": order.side.upper(),
            "exchange": order.extra["exchange"],
            "order_source": order.extra["source"],
            "created_time": milliseconds(math.floor(order.created)),
            "updated_time": milliseconds(math.floor(order.updated)),
        }
        if order.extra["client_id"]:
            row["client_order_id"] = order.extra["client_id"]
        return row

    def _make(
        self,
        place: Market,
        side: str,
        price: Decimal,
        quantity: Decimal,
        *,
        age: float = 0.0,
        filled: Decimal = Decimal(0),
    ) -> SimOrder:
        # The venue's own samples carry whole seconds only.
        created = float(math.floor(self.clock.wall() - age))
        order = SimOrder(
            id=self.book.new_id(),
            symbol=place.symbol,
            side=side,
            type="LIMIT",
            price=price,
            quantity=quantity,
            created=created,
            updated=created,
            filled=filled,
            average=price if filled else Decimal(0),
            extra={"exchange": place.exchange, "source": "API_TRADING", "client_id": ""},
        )
        if price * quantity < place.minimum:
            order.state = State.REJECTED
        if age <= 0:
            self.hold_back(order)
        return order

    def _draw(self, age: float = 0.0, part_fills: float = 0.0) -> SimOrder:
        rng = self._random
        place = rng.choice(MARKETS)
        side = rng.choice(("buy", "sell"))
        price = place.draw_price(rng, side)
        quantity = place.draw_quantity(rng, price)
        filled = place.draw_part(rng, quantity) if rng.random() < part_fills else Decimal(0)
        order = self._make(place, side, price, quantity, age=age, filled=filled)
        if rng.random() < 0.1:
            order.extra["source"] = "APP"
        return order

    def newcomer(self) -> SimOrder:
        """A fresh order, as its owner might place it now; it lapses after a while."""
        order = self._draw()
        self.book.at(self._random.choice((DEFAULT_EXPIRY, 600, 3600)), lambda: self._lapse(order))
        return order

    def _lapse(self, order: SimOrder) -> None:
        if order.state in (State.RESTING, State.PENDING):
            self.book.cancel(order, self.plan.cancel_delay, then=State.EXPIRED)

    def _list(self, request: Request) -> Answer:
        params = request.params
        wanted = params.get("open")
        if wanted not in ("true", "false"):
            raise Refusal(422, "open is missing or invalid")
        count = whole_in(params, "count", digits=True)
        limit = _LOW_COUNT if self.fault("count_refused", "list") else _MAX_COUNT
        if count is not None and not 1 <= count <= limit:
            raise Refusal(422, f"count must be between 1 and {limit}")
        size = count or (25 if wanted == "true" else 500)
        if self.fault("count_capped", "list"):
            size = min(size, _LOW_COUNT)
        orders = self.shown.orders() if wanted == "true" else self.book.finished()
        rows = self._matching(orders, params)
        if self.fault("oldest_first", "list"):
            rows.reverse()
        elif self.fault("unsorted", "list"):
            rows.sort(key=lambda order: order.id)
        answer = self.listed(rows[:size])
        if wanted == "true":
            self.shown.told(rows[:size])
        return answer

    def _matching(self, orders: Sequence[SimOrder], params: Mapping[str, str]) -> list[SimOrder]:
        since = whole_in(params, "from_time", digits=True)
        until = whole_in(params, "to_time", digits=True)
        symbols, exchanges = _set_of(params.get("symbols")), _set_of(params.get("exchanges"))
        sides, types = _set_of(params.get("side")), _set_of(params.get("type"))
        if exchanges and not exchanges <= {place.exchange for place in MARKETS}:
            raise Refusal(422, "exchanges is invalid")
        if sides and not sides <= {"buy", "sell"}:
            raise Refusal(422, "side is invalid")
        if types and types != {"limit"}:
            raise Refusal(422, "type is invalid")
        status = params.get("status")
        return [
            order
            for order in orders
            if (since is None or milliseconds(order.created) >= since)
            and (until is None or milliseconds(order.created) <= until)
            and (not symbols or order.symbol.lower() in symbols)
            and (not exchanges or order.extra["exchange"] in exchanges)
            and (not sides or order.side in sides)
            and (not status or self.word(order, _WORDS) == status)
        ]

    def _status(self, request: Request) -> Answer:
        params = request.params
        client_id = params.get("client_order_id")
        if "order_id" not in params and client_id:
            order = self._by_client_id(client_id)
            if order is None:
                raise Refusal(404, "Order not found")
            return reply(self.describe(order))
        return reply(self.told(self.describe(self.find(text_in(params, "order_id"))), "status"))

    def _cancel(self, request: Request) -> Answer:
        order = self.find(text_in(fields_of(request), "order_id"))
        self.cancel(order)
        return reply(self.told(self.describe(order), "cancel"))

    def _create(self, request: Request) -> Answer:
        fields = fields_of(request)
        side, symbol = text_in(fields, "side").lower(), text_in(fields, "symbol")
        if side not in ("buy", "sell"):
            raise Refusal(422, "side is missing or invalid")
        if text_in(fields, "type").lower() != "limit":
            raise Refusal(422, "type is missing or invalid")
        price, quantity = number_in(fields, "price"), number_in(fields, "quantity")
        if price <= 0 or quantity <= 0:
            raise Refusal(422, "price and quantity must be positive")
        expiry = whole_in(fields, "expiry_period")
        exchange = text_in(fields, "exchange")
        client_id = text_in(fields, "client_order_id") if "client_order_id" in fields else ""
        order = self._by_client_id(client_id) if client_id else None
        if order is None:
            order = self.place(
                symbol,
                side,
                price,
                quantity,
                exchange=exchange,
                expires=DEFAULT_EXPIRY if expiry is None else expiry,
                client_id=client_id,
            )
        return reply(self.describe(order))

    def _by_client_id(self, client_id: str) -> SimOrder | None:
        same = (order for order in self.book.orders.values() if order.extra["client_id"] == client_id)
        return next(same, None)

    def _precision(self, request: Request) -> Answer:
        fields = fields_of(request)
        symbol = text_in(fields, "symbol") if "symbol" in fields else None
        return reply(_by_symbol(text_in(fields, "exchange"), symbol, _decimals))

    def _trade_info(self, request: Request) -> Answer:
        params = request.params
        return reply(_by_symbol(text_in(params, "exchange"), params.get("symbol"), _limits))


def _set_of(text: str | None) -> set[str]:
    return {part.strip().lower() for part in (text or "").split(",") if part.strip()}


def _market(exchange: str | None, symbol: str) -> Market:
    places = [place for place in MARKETS if exchange is None or place.exchange == exchange.lower()]
    if not places:
        raise Refusal(422, "exchange is invalid")
    found = next((place for place in places if place.symbol == symbol.upper()), None)
    if found is None:
        raise Refusal(422, "symbol is invalid")
    return found


def _by_symbol(
    exchange: str, symbol: str | None, show: Callable[[Market], dict[str, object]]
) -> dict[str, object]:
    places = [place for place in MARKETS if place.exchange == exchange.lower()]
    if symbol is not None:
        places = [_market(exchange, symbol)]
    if not places:
        raise Refusal(422, "exchange is invalid")
    return {exchange.lower(): {place.symbol: show(place) for place in places}}


def _decimals(place: Market) -> dict[str, object]:
    return {"base": place.quantity_decimals, "quote": place.price_decimals, "limit": place.price_decimals}


def _limits(place: Market) -> dict[str, object]:
    quote = {"min": plain(place.minimum), "max": plain(place.minimum * 100_000)}
    return {"quote": quote, "precision": _decimals(place)}
