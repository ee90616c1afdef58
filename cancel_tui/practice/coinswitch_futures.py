"""The practice CoinSwitch futures venue.

It models https://api-trading.coinswitch.co/futures/reference/ : lists by POST with at most 50 rows, the last
7 days unless times are given and never a longer span, an inclusive cursor, decimal strings, single cancels
whose answer has field names of its own, a cancel-all for everything or one symbol that takes protective
orders too, and limits of 10 or 20 a minute. Where the documentation is silent the defensive reading is
taken: a single given time opens a window of 7 days, an unknown order is 404, a refused cancel 400, and the
cancel-all reaches orders of any age. `PARTIALLY_EXECUTED` is shown for orders that still rest with a part
fill, and in the closed list for the rests of immediate-or-cancel orders.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from cancel_tui.practice.http import Answer, Request
from cancel_tui.practice.market import Motion, SimOrder, State
from cancel_tui.practice.venue import Plan

EXCHANGE = "EXCHANGE_2"
MARKETS = {
    place.symbol: place
    for place in (
        market(EXCHANGE, "BTCUSDT", "112400", "0.1", "0.001", "10"),
        market(EXCHANGE, "ETHUSDT", "3950", "0.01", "0.01", "10"),
        market(EXCHANGE, "SOLUSDT", "188.5", "0.01", "0.1", "10"),
        market(EXCHANGE, "BNBUSDT", "1120", "0.1", "0.01", "10"),
        market(EXCHANGE, "XRPUSDT", "2.48", "0.0001", "0.1", "10"),
        market(EXCHANGE, "DOGEUSDT", "0.198", "0.00001", "1", "10"),
        market(EXCHANGE, "1000PEPEUSDT", "0.0095", "0.0000001", "100", "10"),
    )
}
PROTECTIVE = ("STOP_MARKET", "TAKE_PROFIT_MARKET")
"""Order types that act on a whole position and carry no quantity."""
SPAN_MS = 7 * 86_400_000
"""The longest window that a list may ask for."""
MAX_ROWS = 50

_WORDS = {
    State.PENDING: "RAISED",
    State.RESTING: "RAISED",
    State.LEAVING: "CANCELLATION_RAISED",
    State.LAPSING: "CANCELLATION_RAISED",
    State.FILLED: "EXECUTED",
    State.TRIGGERED: "EXECUTED",
    State.CANCELLED: "CANCELLED",
    State.EXPIRED: "EXPIRED",
    State.REJECTED: "REJECTED",
}
_DAY = 86_400.0
_FEE = Decimal("0.0005")


class CoinSwitchFutures(CoinSwitchVenue):
    """CoinSwitch PRO perpetuals, as far as a console that lists and cancels can see them."""

    kind = "coinswitch-futures"
    name = "cs-fut"
    shared_faults = frozenset(
        ("cancel_all_noop", "cancel_all_lies", "cancel_all_skips", "cancel_all_half", "stop_triggers")
    )
    own_faults: ClassVar[Mapping[str, str]] = {
        **CoinSwitchVenue.own_faults,
        "recent_only": "a cancel-all reaches orders of the last 7 days only",
        "nothing_refused": "a cancel-all with nothing open is refused with 400",
        "partial_end": "an order cancelled after a part fill ends as `PARTIALLY_EXECUTED`",
    }
    routes_known = frozenset(
        ("list", "closed", "status", "cancel", "cancel_all", "create", "validate", "ping", "market")
    )
    windows: ClassVar[Mapping[str, tuple[int, float]]] = {
        "list": (20, 60.0),
        "closed": (20, 60.0),
        "status": (20, 60.0),
        "create": (20, 60.0),
        "cancel": (10, 60.0),
        "cancel_all": (10, 60.0),
        "market": (100, 60.0),
    }
    shared_window: ClassVar[tuple[int, float]] = (20, 60.0)
    order_path: ClassVar[str] = f"{API}/futures/order"
    cancels_at_once: ClassVar[bool] = False

    def __init__(self, clock: Clock, plan: Plan, keys: KeyPair | None = None) -> None:
        super().__init__(clock, plan, keys)
        self._random = random.Random(plan.seed)
        self.routes |= {
            ("POST", f"{API}/futures/orders/open"): Route("list", self._list_open),
            ("POST", f"{API}/futures/orders/closed"): Route("closed", self._list_closed),
            ("GET", self.order_path): Route("status", self._status),
            ("DELETE", self.order_path): Route("cancel", self._cancel),
            ("POST", self.order_path): Route("create", self._create),
            ("POST", f"{API}/futures/cancel_all"): Route("cancel_all", self._cancel_all),
            ("GET", f"{API}/futures/instrument_info"): Route("market", self._instruments),
        }

    def place(
        self,
        symbol: str = "BTCUSDT",
        side: str = "buy",
        price: Decimal | None = None,
        quantity: Decimal | None = None,
        *,
        order_type: str = "LIMIT",
        trigger: Decimal | None = None,
        reduce_only: bool = False,
        age: float = 0.0,
        filled: Decimal = Decimal(0),
        tif: str = "GTC",
        client_id: str = "",
    ) -> SimOrder:
        """Put an order into the book; what is not given is drawn. A protective type has quantity zero."""
        place = _market(symbol)
        drawn = place.draw_price(self._random, side)
        if order_type in PROTECTIVE:
            price, quantity, reduce_only = None, Decimal(0), True
            trigger = drawn if trigger is None else trigger
        else:
            price = drawn if price is None else price
            quantity = place.draw_quantity(self._random, price) if quantity is None else quantity
        order = self._make(place, side, price, quantity, age=age, filled=filled)
        order.type, order.trigger, order.tif = order_type, trigger, tif.lower()
        order.extra["client_id"] = client_id
        order.extra["reduce_only"] = "true" if reduce_only else ""
        return self.book.add(order)

    def populate(self) -> None:
        """Put the plan's open orders into the book, and a fifth as many that are over already.

        A tenth is out of reach of a list without times: forgotten in two bunches, 9 to 12 and 40 to 43 days
        ago. A tenth is protective.
        """
        rng = self._random
        for index in range(self.plan.orders):
            age = (
                round((rng.choice((9, 40)) + rng.uniform(0, 3)) * _DAY, 3)
                if index % 10 == 3
                else draw_age(rng, 3, 6.9 * _DAY)
            )
            if index % 10 == 7:
                symbol, side = rng.choice(list(MARKETS)), rng.choice(("buy", "sell"))
                self.place(symbol, side, order_type=PROTECTIVE[index // 10 % 2], age=age)
            else:
                order = self.book.add(self._draw(age, part_fills=0.15))
                order.extra["reduce_only"] = "true" if index % 10 == 5 else ""
        for index in range(self.plan.orders // 5):
            self.book.add(self._draw_finished(index))
        # The documentation has no expiry for resting futures orders.
        Motion(self.book, replace(self.plan.activity, expiries=0.0), self.newcomer).start()

    def describe(self, order: SimOrder) -> dict[str, object]:
        """An order as place, lists and status reads show it."""
        row: dict[str, object] = {
            "order_id": order.id,
            "exchange": EXCHANGE,
            "symbol": order.symbol,
            "side": order.side.upper(),
            "status": self._word(order),
            "order_type": order.type,
            "quantity": plain(order.quantity),
            "exec_quantity": plain(order.filled),
            "price": plain(order.price or Decimal(0)),
            "avg_execution_price": plain(order.average),
            # The samples show a fee before anything has filled: it is an estimate for the whole order.
            "execution_fee": plain(_fee(order, order.quantity)),
            "realised_pnl": "0",
            "reduce_only": bool(order.extra["reduce_only"]),
            "created_at": milliseconds(order.created),
            "updated_at": milliseconds(order.updated),
        }
        if order.trigger is not None:
            row["trigger_price"] = plain(order.trigger)
        if order.extra["client_id"]:
            row["client_order_id"] = order.extra["client_id"]
        return row

    def _word(self, order: SimOrder) -> str:
        cut_short = order.state is State.CANCELLED and order.filled > 0
        if cut_short and (order.tif == "ioc" or self.fault("partial_end")):
            return "PARTIALLY_EXECUTED"
        return self.word(order, _WORDS)

    def _make(
        self,
        place: Market,
        side: str,
        price: Decimal | None,
        quantity: Decimal,
        *,
        age: float = 0.0,
        filled: Decimal = Decimal(0),
    ) -> SimOrder:
        created = self.clock.wall() - age
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
            average=price if filled and price is not None else Decimal(0),
            extra={"exchange": EXCHANGE, "client_id": "", "reduce_only": ""},
        )
        if age <= 0:
            self.hold_back(order)
        return order

    def _draw(self, age: float = 0.0, part_fills: float = 0.0) -> SimOrder:
        rng = self._random
        place = rng.choice(list(MARKETS.values()))
        side = rng.choice(("buy", "sell"))
        price = place.draw_price(rng, side)
        quantity = place.draw_quantity(rng, price)
        filled = place.draw_part(rng, quantity) if rng.random() < part_fills else Decimal(0)
        return self._make(place, side, price, quantity, age=age, filled=filled)

    def newcomer(self) -> SimOrder:
        """A fresh order, as its owner might place it now."""
        return self._draw()

    def _draw_finished(self, index: int) -> SimOrder:
        order = self._draw(draw_age(self._random, 600, 30 * _DAY), part_fills=1.0 if index % 3 == 2 else 0.0)
        order.state = State.FILLED if index % 3 == 0 else State.CANCELLED
        if order.state is State.FILLED:
            order.filled, order.average = order.quantity, order.price or Decimal(0)
        elif order.filled:
            order.tif = "ioc"
        order.updated = order.created + self._random.randint(1, 90_000) / 1000
        return order

    def _list_open(self, request: Request) -> Answer:
        fields = fields_of(request)
        return self._page(fields, self.shown.orders(), live=True)

    def _list_closed(self, request: Request) -> Answer:
        fields = fields_of(request)
        orders = self.book.finished()
        if fields.get("status") is not None:
            word = text_in(fields, "status").upper()
            orders = [order for order in orders if self._word(order) == word]
        return self._page(fields, orders)

    def _page(
        self, fields: Mapping[str, object], orders: Sequence[SimOrder], *, live: bool = False
    ) -> Answer:
        _exchange_in(fields)
        symbol = _market(text_in(fields, "symbol")).symbol if fields.get("symbol") is not None else None
        limit = whole_in(fields, "limit")
        if limit is not None and not 1 <= limit <= MAX_ROWS:
            raise Refusal(422, f"limit must be between 1 and {MAX_ROWS}")
        since, until = self._bounds(fields)
        rows = [
            order
            for order in orders
            if since <= milliseconds(order.created) <= until and symbol in (None, order.symbol)
        ][: limit or MAX_ROWS]
        answer = self.listed(rows, cursor=milliseconds(rows[-1].created) if rows else 0)
        if live:
            self.shown.told(rows)
        return answer

    def _bounds(self, fields: Mapping[str, object]) -> tuple[int, int]:
        since, until = whole_in(fields, "from_time"), whole_in(fields, "to_time")
        if until is None:
            until = self.now_ms() if since is None else since + SPAN_MS
        if since is None:
            since = until - SPAN_MS
        if not 0 <= until - since <= SPAN_MS:
            raise Refusal(400, "The difference between from_time and to_time must be at most 7 days")
        return since, until

    def _status(self, request: Request) -> Answer:
        order = self.find(text_in(request.params, "order_id"))
        return reply({"order": self.told(self.describe(order), "status")})

    def _cancel(self, request: Request) -> Answer:
        fields = fields_of(request)
        _exchange_in(fields)
        order = self.find(text_in(fields, "order_id"))
        self.cancel(order)
        row = self.describe(order)
        # The cancel answer calls two fields differently and leaves two out.
        row["avg_exec_price"] = row.pop("avg_execution_price")
        row["exec_fee"] = plain(_fee(order, order.filled))
        for absent in ("execution_fee", "realised_pnl"):
            del row[absent]
        return reply(self.told(row, "cancel"))

    def _cancel_all(self, request: Request) -> Answer:
        fields = fields_of(request)
        _exchange_in(fields)
        symbol = _market(text_in(fields, "symbol")).symbol if fields.get("symbol") is not None else None
        oldest = self.now_ms() - SPAN_MS if self.fault("recent_only", "cancel_all") else 0
        reached = [
            order
            for order in self.book.live()
            if order.state is State.RESTING
            and symbol in (None, order.symbol)
            and milliseconds(order.created) >= oldest
        ]
        if not reached and self.fault("nothing_refused", "cancel_all"):
            raise Refusal(400, "No open orders found")
        if self.fault("cancel_all_lies", "cancel_all"):
            return reply({"orders_ids": [order.id for order in reached]})
        reached, broken = self.reached(reached)
        for order in reached:
            self.raise_cancel(order, "cancel_all")
        if broken:
            raise Refusal(500, "Internal Server Error")
        ids = [order.id for order in reached]
        if not ids and self.fault("missing_list"):
            return reply({})
        return reply({"orders_ids": None if not ids and self.fault("null_list") else ids})

    def _create(self, request: Request) -> Answer:
        fields = fields_of(request)
        _exchange_in(fields)
        place, side = _market(text_in(fields, "symbol")), text_in(fields, "side").lower()
        if side not in ("buy", "sell"):
            raise Refusal(422, "side is missing or invalid")
        client_id = text_in(fields, "client_order_id") if "client_order_id" in fields else ""
        order_type, quantity = text_in(fields, "order_type").upper(), number_in(fields, "quantity")
        reduce_only = fields.get("reduce_only") is True
        if order_type in PROTECTIVE:
            if not reduce_only:
                raise Refusal(422, "reduce_only is missing or invalid")
            trigger = number_in(fields, "trigger_price")
            order = self.place(
                place.symbol, side, order_type=order_type, trigger=trigger, client_id=client_id
            )
            return reply(self.describe(order))
        if order_type not in ("LIMIT", "MARKET"):
            raise Refusal(422, "order_type is missing or invalid")
        tif = text_in(fields, "time_in_force").upper() if "time_in_force" in fields else "GTC"
        if tif not in ("GTC", "IOC", "FOK"):
            raise Refusal(422, "time_in_force is invalid")
        if quantity < place.quantity_step:
            raise Refusal(400, "Quantity is below the minimum")
        order = self.place(
            place.symbol,
            side,
            number_in(fields, "price") if order_type == "LIMIT" else place.price,
            quantity,
            order_type=order_type,
            reduce_only=reduce_only,
            tif=tif,
            client_id=client_id,
        )
        answer = reply(self.describe(order))
        if order_type == "MARKET":
            self.book.fill(order)
        elif tif != "GTC":
            # Far from the market nothing fills at once, and nothing may be left to rest.
            self.book.change(order, State.CANCELLED)
        return answer

    def _instruments(self, request: Request) -> Answer:
        _exchange_in(request.params)
        return reply(
            {
                place.symbol: {
                    "min_base_quantity": plain(place.quantity_step),
                    "quantity_precision": place.quantity_decimals,
                    "price_precision": place.price_decimals,
                    "max_leverage": "20",
                }
                for place in MARKETS.values()
            }
        )


def _exchange_in(fields: Mapping[str, object]) -> None:
    if text_in(fields, "exchange").upper() != EXCHANGE:
        raise Refusal(422, "exchange is missing or invalid")


def _market(symbol: str) -> Market:
    found = MARKETS.get(symbol.upper())
    if found is None:
        raise Refusal(422, "symbol is invalid")
    return found


def _fee(order: SimOrder, quantity: Decimal) -> Decimal:
    return (quantity * (order.price or Decimal(0)) * _FEE).quantize(Decimal("0.000001"))
