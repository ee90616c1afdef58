"""A practice P99 / ZTDX spot venue: HMAC or JWT callers, one status per list, cancels that are done at once.

Modelled on https://docs.ztdx.io/spot/ and https://docs.p99.world/spot/. Where those pages are silent the
reading is defensive and said so below.

`faults` is a mutable set of names that `catalogue` explains. Other attributes that tests may change at any
time are listed on the class.
"""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import ClassVar

from cancel_tui.clock import Clock
from cancel_tui.practice.http import Answer, Request, Response, Upgrade
from cancel_tui.practice.market import Motion, SimOrder, State
from cancel_tui.practice.mischief import dated, planned, strikes, wire_fault
from cancel_tui.practice.p99_account import Account
from cancel_tui.practice.p99_auth import Keys
from cancel_tui.practice.p99_market import (
    MARKETS,
    RefusedError,
    draw,
    end,
    order_of,
    read_entry,
    refuse_crossing,
)
from cancel_tui.practice.p99_stream import OrderStream
from cancel_tui.practice.p99_wire import (
    LIVE_WORDS,
    PREFIX,
    PUBLIC,
    UNKNOWN_WORD,
    WORDS,
    error,
    route_of,
    window_of,
    wire,
    word,
)
from cancel_tui.practice.pushes import FAULTS as STREAM_FAULTS
from cancel_tui.practice.venue import Plan, PracticeVenue, RateLimit

_ENGINE = {
    "engine_busy": "ENGINE_BUSY",
    "engine_restarting": "ENGINE_RESTARTING",
    "trading_disabled": "spot trading disabled",
}


class P99Spot(PracticeVenue):
    """The practice P99 / ZTDX spot venue."""

    kind = "p99-spot"
    name = "p99"
    shared_faults = frozenset(
        ("cancel_all_noop", "cancel_all_lies", "cancel_all_skips", "cancel_all_half", *STREAM_FAULTS)
    )
    own_faults: ClassVar[Mapping[str, str]] = {
        "engine_busy": "503 of that name on whatever needs the engine",
        "engine_restarting": "503 of that name on whatever needs the engine",
        "trading_disabled": "503 of that name on whatever needs the engine",
        "partial_between_lists": "after each list of one live status an open order fills in part",
        "db_error": "500 `DB_ERROR`",
        "key_cannot_cancel": "403 on cancels of callers with an API key",
        "no_listen_key": "404 for whoever wants a listen key",
        "strict_symbols": "a cancel-all of an unknown symbol answers 404 instead of an empty list",
    }
    routes_known = frozenset(
        ("list", "closed", "status", "cancel", "cancel_all", "create", "trades", "balances", "money")
    ) | {"health", "markets", "tokens", "listen_key", "stream", "unknown"}

    def __init__(
        self, clock: Clock, plan: Plan, *, api_key: str | None = None, api_secret: str | None = None
    ) -> None:
        super().__init__(clock, plan)
        self.keys = Keys(api_key, api_secret)
        """The keys of this run, and how far a timestamp may be off."""
        self.rate: RateLimit | None = None
        """A limit on all requests; the venue documents none. Ignored unless the plan enforces limits."""
        self.foreign_not_found = False
        """Whether the cancel of another user's order answers 404 instead of 403; both are documented."""
        self.market_status: dict[str, str] = {}
        """`halted` or `delisted` by market id; what is missing is `listed`."""
        self.account = Account(lambda: self._mine(live=True))
        """The caller's balances and fills."""
        self.book.watchers.append(self.account.watch)
        self.stream = OrderStream(self.book, clock, self.account, self.keys, self.wall, lambda: self.faults)
        """The private order stream at `/ws`; it sees a fill after the account has."""
        self._restarted = -math.inf
        self._random = random.Random(f"p99-{plan.seed}")

    @property
    def base_url(self) -> str:
        """The origin with the API prefix."""
        return self.server.origin + PREFIX

    def credentials(self) -> Mapping[str, str]:
        """The key pair of this run."""
        return {"api_key": self.keys.api_key, "api_secret": self.keys.api_secret}

    def issue_jwt(self, lifetime: float = 3600.0) -> str:
        """A bearer token of this run that ends `lifetime` seconds from now by the server's clock."""
        return self.keys.issue_jwt(self.wall(), lifetime)

    def populate(self) -> None:
        """Put `plan.orders` open orders and some that have ended into the book."""
        now = self.clock.wall()
        for _ in range(self.plan.orders):
            self.book.add(draw(self._random, self.book.new_id(), now))
        for _ in range(self.plan.orders // 4):
            self.book.add(end(self._random, draw(self._random, self.book.new_id(), now)))
        Motion(self.book, self.plan.activity, self.newcomer).start()

    def place(
        self,
        symbol: str = "DFUSDT",
        side: str = "buy",
        price: str | Decimal = "0.7000",
        quantity: str | Decimal = "100",
        *,
        filled: str | Decimal = "0",
        tif: str = "gtc",
        age: float = 0.0,
        state: State = State.RESTING,
        account: str = "",
    ) -> SimOrder:
        """Put one limit order into the book without any check; `account` names another user."""
        now = self.clock.wall()
        limit, part = Decimal(price), Decimal(filled)
        return self.book.add(
            SimOrder(
                id=self.book.new_id(),
                symbol=symbol,
                side=side,
                type="limit",
                price=limit,
                quantity=Decimal(quantity),
                created=now - age,
                updated=now - age,
                filled=part,
                average=limit if part else Decimal(0),
                state=state,
                tif=tif,
                account=account,
            )
        )

    def restart(self, seconds: float) -> None:
        """Answer `ENGINE_RESTARTING` for so long; resting GTC orders come back, IOC ones do not."""
        self._restarted = self.clock.monotonic() + seconds
        for order in self._mine(live=True):
            if order.tif == "ioc":
                self.book.change(order, State.CANCELLED)

    def delist(self, symbol: str) -> None:
        """Delist a market, whose orders the venue then cancels itself."""
        self.market_status[symbol] = "delisted"
        for order in self._mine(live=True):
            if order.symbol == symbol:
                self.book.change(order, State.CANCELLED)

    def route_name(self, request: Request) -> str:
        """By which name faults know what this request asks for."""
        return route_of(request)[0]

    async def answer(self, request: Request) -> Answer:
        """Route one request through the faults, the limit and the signature check to its handler."""
        route, ident = route_of(request)
        broken = wire_fault(self.faults, route)
        if broken is not None:
            return dated(broken, self.wall())
        if self.rate and self.plan.enforce_limits and not self.rate.admit():
            return dated(error(429, "Too Many Requests", ("retry-after", "1")), self.wall())
        if route == "stream":
            return Upgrade(self.stream.session)
        answer = self._respond(request, route, ident)
        if route in ("cancel", "cancel_all", "create") and answer.status == 200:
            lost = wire_fault(self.faults, route, "effect_then_")
            if lost is not None:
                return dated(lost, self.wall())
        return dated(answer, self.wall())

    def _respond(self, request: Request, route: str, ident: str) -> Response:
        if route == "unknown":
            return error(404, "not found")
        caller = None if route in PUBLIC else self.keys.caller(request, self.wall())
        expired = self.expired and caller == "key"
        if route not in PUBLIC and (caller is None or expired or strikes(self.faults, "unauthorized", route)):
            return Response(401)
        if strikes(self.faults, "db_error", route):
            return error(500, "DB_ERROR")
        if caller == "key" and (
            route == "money"
            or (route in ("cancel", "cancel_all") and strikes(self.faults, "key_cannot_cancel", route))
        ):
            return error(403, "API Key permission denied")
        handlers: dict[str, Callable[[Request, str], Response]] = {
            "health": self._health,
            "markets": self._markets,
            "tokens": self._tokens,
            "list": self._list,
            "closed": self._list,
            "status": self._status,
            "cancel": self._cancel,
            "cancel_all": self._cancel_all,
            "create": self._create,
            "trades": self._my_trades,
            "balances": self._balances,
            "listen_key": self._listen_key,
        }
        handler = handlers.get(route)
        return handler(request, ident) if handler else error(400, "invalid body")

    def _engine_trouble(self, route: str) -> Response | None:
        for name, text in _ENGINE.items():
            if strikes(self.faults, name, route):
                return error(503, text)
        if self.clock.monotonic() < self._restarted:
            return error(503, "ENGINE_RESTARTING")
        return None

    def _mine(self, *, live: bool) -> list[SimOrder]:
        orders = self.book.live()
        if not live:
            orders += self.book.finished()
            orders.sort(key=lambda order: (order.created, order.id), reverse=True)
        return [order for order in orders if not order.account]

    def _health(self, _request: Request, _ident: str) -> Response:
        disabled = planned(self.faults, "trading_disabled", "cancel") is not None
        busy = planned(self.faults, "engine_busy", "cancel") is not None
        return Response.of(
            {
                "engine": "disabled" if disabled else "running",
                "queue_depth": 4096 if busy else 3,
                "books_loaded": 0 if disabled else len(MARKETS),
            }
        )

    def _markets(self, _request: Request, _ident: str) -> Response:
        return Response.of(
            [market.wire(self.market_status.get(market.id, "listed")) for market in MARKETS.values()]
        )

    def _tokens(self, _request: Request, _ident: str) -> Response:
        data = [{"symbol": token, "decimals": 18} for token in self.account.owned]
        return Response.of(
            {"success": True, "data": {"tokens": data}, "error": None, "timestamp": int(self.wall())}
        )

    def _balances(self, _request: Request, _ident: str) -> Response:
        return Response.of({"balances": self.account.rows()})

    def _listen_key(self, _request: Request, _ident: str) -> Response:
        if strikes(self.faults, "no_listen_key", "listen_key"):
            return error(404, "not found")
        return Response.of({"listenKey": self.keys.extend_listen_key(self.wall())})

    def _list(self, request: Request, _ident: str) -> Response:
        status = request.params.get("status")
        if status is not None and (status not in WORDS or request.query.count("status=") > 1):
            return error(400, "invalid status")
        window = window_of(request)
        if isinstance(window, Response):
            return window
        start, stop, limit = window
        symbol = request.params.get("symbol")
        orders = self.shown.orders() if status in LIVE_WORDS else self._mine(live=False)
        rows = [
            order
            for order in orders
            if not order.account
            and symbol in (None, order.symbol)
            and status in (None, word(order))
            and start <= int(order.created) <= stop
        ][:limit]
        answer = self._listed([self._wire(order, "list") for order in rows], "list")
        if status in LIVE_WORDS:
            self.shown.told(rows)
        if status in LIVE_WORDS and planned(self.faults, "partial_between_lists", "list"):
            self._fill_somebody_in_part()
        return answer

    def _listed(self, rows: list[dict[str, object]], route: str) -> Response:
        for name, value in (("null_list", None), ("missing_list", {})):
            if not rows and strikes(self.faults, name, route):
                return Response.of(value)
        return Response.of(rows)

    def _wire(self, order: SimOrder, route: str) -> dict[str, object]:
        row = wire(order)
        if order.state.live and strikes(self.faults, "unknown_status", route):
            row["status"] = UNKNOWN_WORD
        if route != "list" and strikes(self.faults, "wrong_id", route):
            row["id"] = self.book.new_id()
        return row

    def _fill_somebody_in_part(self) -> None:
        for order in self._mine(live=True):
            part = (order.remaining / 2).quantize(MARKETS[order.symbol].lot)
            if word(order) == "open" and 0 < part < order.remaining:
                if strikes(self.faults, "partial_between_lists", "list"):
                    self.book.fill(order, part)
                return

    def _status(self, _request: Request, ident: str) -> Response:
        order = self._find(ident)
        if isinstance(order, Response):
            return order
        return error(404, "ORDER_NOT_FOUND") if order.account else Response.of(self._wire(order, "status"))

    def _find(self, ident: str) -> SimOrder | Response:
        try:
            order = self.book.orders.get(str(uuid.UUID(ident)))
        except ValueError:
            return error(400, "invalid id")
        return order or error(404, "ORDER_NOT_FOUND")

    def _cancel(self, _request: Request, ident: str) -> Response:
        order = self._find(ident)
        if isinstance(order, Response) and order.status == 400:
            return order
        trouble = self._engine_trouble("cancel")
        if trouble or isinstance(order, Response):
            return trouble or error(404, "ORDER_NOT_FOUND")
        if order.account:
            return error(404, "ORDER_NOT_FOUND") if self.foreign_not_found else error(403, "FORBIDDEN")
        if order.state.live and self.puts_off(order):
            return error(503, "ENGINE_BUSY")
        if order.state.live and strikes(self.faults, "cancel_noop", "cancel"):
            return Response.of(self._wire(order, "cancel"))
        self._race(order, "cancel")
        if not order.state.live:
            return error(404, "ORDER_NOT_FOUND")
        self.book.change(order, State.CANCELLED)
        return Response.of(self._wire(order, "cancel"))

    def _cancel_all(self, request: Request, _ident: str) -> Response:
        trouble = self._engine_trouble("cancel_all")
        if trouble:
            return trouble
        symbol = request.params.get("symbol")
        if (
            symbol is not None
            and symbol not in MARKETS
            and strikes(self.faults, "strict_symbols", "cancel_all")
        ):
            return error(404, "MARKET_NOT_FOUND")
        doomed = [order for order in self._mine(live=True) if symbol in (None, order.symbol)]
        if strikes(self.faults, "cancel_all_lies", "cancel_all"):
            return Response.of({"canceled": [wire(order) for order in doomed]})
        doomed, broken = self.reached(doomed)
        for order in doomed[-1:]:
            self._race(order, "cancel_all")
        doomed = [order for order in doomed if order.state.live]
        for order in doomed:
            self.book.change(order, State.CANCELLED)
        if broken:
            return error(503, "ENGINE_RESTARTING")
        return Response.of({"canceled": [wire(order) for order in doomed]})

    def _race(self, order: SimOrder, route: str) -> None:
        """Under the faults of that name some of an order fills just before its cancel."""
        part = self.raced(order, route) if order.state.live else None
        if part is not None:
            self.book.fill(order, part)

    def _create(self, request: Request, _ident: str) -> Response:
        trouble = self._engine_trouble("create")
        if trouble:
            return trouble
        try:
            entry = read_entry(request.json(), self.market_status)
            self.account.afford(entry)
            refuse_crossing(entry, self._mine(live=True))
        except RefusedError as refusal:
            return error(refusal.status, refusal.error)
        order = self.book.add(order_of(entry, self.book.new_id(), self.clock.wall()))
        first = len(self.account.trades)
        if entry.market.takes(entry.side, entry.price or entry.market.reference):
            self.book.fill(order)
        elif entry.tif == "ioc":
            self.book.change(order, State.CANCELLED)
        return Response.of({**wire(order), "fills": self.account.fills_since(first)})

    def _my_trades(self, request: Request, _ident: str) -> Response:
        window = window_of(request)
        if isinstance(window, Response):
            return window
        start, stop, limit = window
        symbol = request.params.get("symbol")
        rows = [
            row
            for row in sorted(self.account.trades, key=lambda row: str(row["ts"]), reverse=True)
            if symbol in (None, row["symbol"]) and start <= int(str(row["ts"])) <= stop
        ]
        return Response.of(rows[:limit])

    def newcomer(self) -> SimOrder:
        """A fresh order, as its owner might place it now."""
        return draw(self._random, self.book.new_id(), self.clock.wall(), age=0.0)
