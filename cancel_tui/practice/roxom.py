"""A practice Roxom venue: requests signed with RSA, a list for each instrument type, cancels in two phases.

Modelled on https://docs.roxom.com/reference/api-reference/orders/cancel and its sister pages. Where those are
silent (padding, status codes of a refused cancel, whether a cancel-all has two phases) the reading is
defensive.

`faults` is a mutable set of names that `catalogue` explains. Other attributes that tests may change at any
time are listed on the class.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cancel_tui.clock import Clock
from cancel_tui.practice.http import Answer, Request, Response, Upgrade
from cancel_tui.practice.market import Motion, SimOrder, State
from cancel_tui.practice.mischief import dated, planned, strikes, wire_fault
from cancel_tui.practice.pushes import FAULTS as STREAM_FAULTS
from cancel_tui.practice.roxom_market import (
    INST_TYPES,
    INSTRUMENTS,
    RefusedError,
    draw,
    end,
    read_entry,
    uuid7,
)
from cancel_tui.practice.roxom_stream import EventStream
from cancel_tui.practice.roxom_wire import (
    Errors,
    Wording,
    route_of,
    signed_text,
    truth,
    unauthorized,
    verifies,
    waits,
)
from cancel_tui.practice.venue import Plan, PracticeVenue, RateLimit

_LOST = Response(
    404,
    b"<!DOCTYPE html><html><head><title>404</title></head><body><h1>Page not found</h1></body></html>",
    (("content-type", "text/html"),),
)


class Roxom(PracticeVenue):
    """The practice Roxom venue."""

    kind = "roxom"
    name = "roxom"
    shared_faults = frozenset(
        (
            "cancel_all_noop",
            "cancel_all_lies",
            "cancel_all_skips",
            "cancel_all_half",
            "stop_triggers",
            *STREAM_FAULTS,
        )
    )
    own_faults: ClassVar[Mapping[str, str]] = {
        "filled_first": "the order has filled when its cancel arrives, which is refused",
        "success_false": "a single cancel says `success: false` and does nothing",
        "stream_chatter": "the stream tells of balances and positions too",
        "error_true": '`{"error": true}` with HTTP 200, and nothing is done',
    }
    routes_known = frozenset(
        ("list", "closed", "status", "cancel", "cancel_all", "create", "ping", "stream", "unknown")
    )

    def __init__(
        self,
        clock: Clock,
        plan: Plan,
        *,
        key: rsa.RSAPrivateKey | None = None,
        api_key: str | None = None,
    ) -> None:
        super().__init__(clock, plan)
        self.api_key = api_key or f"rxk_key_{secrets.token_hex(16)}"
        self.rate: RateLimit | None = None
        """A limit on all requests; the venue documents none. Ignored unless the plan enforces limits."""
        self.prefixes = {"/api/v1", "/v1"}
        """The path prefixes that are served; any other path is an HTML 404."""
        self.rsa_padding = "pkcs1v15"
        """`pkcs1v15`, or `pss` with MGF1-SHA256 and a salt of 32 bytes."""
        self.key_only_cancel_all = False
        """Whether a cancel-all needs the key header alone."""
        self.key_header = "X-API-Key"
        self.signature_header = "X-API-Signature"
        self.refused_types: set[str] = set()
        """Documented instrument types that a list answers with 400 all the same."""
        self.terminal_status = 400
        """HTTP status of the cancel of an order that is over; not documented, 409 is as likely."""
        self.closed_markets: set[str] = set()
        """Symbols outside their hours, where market orders are refused."""
        self.wording = Wording(strange=lambda: planned(self.faults, "unknown_status") is not None)
        """Field names, time unit and status words."""
        self.errors = Errors()
        """The shape of errors."""
        self.book.watchers.append(self._note_trigger)
        self.stream = EventStream(self.book, clock, self.wording, lambda: self.faults)
        """The stream at `/ws`."""
        self._key = key
        self._random = random.Random(f"roxom-{plan.seed}")

    @property
    def key(self) -> rsa.RSAPrivateKey:
        """The key of this run; made when it is first needed, which takes a moment."""
        if self._key is None:
            self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return self._key

    @property
    def base_url(self) -> str:
        """The origin; the API prefix is a setting of its own."""
        return self.server.origin

    async def start(self) -> None:
        """Make the key aside from the event loop, fill the book, then listen."""
        await asyncio.to_thread(lambda: self.key)
        await super().start()

    def credentials(self) -> Mapping[str, str]:
        """The key's name and the private key as PKCS#8 PEM."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {"api_key": self.api_key, "private_key": pem.decode()}

    def populate(self) -> None:
        """Put `plan.orders` live orders and some that have ended into the book."""
        now = self.clock.wall()
        for _ in range(self.plan.orders):
            self.book.add(draw(self._random, now))
        for _ in range(self.plan.orders // 4):
            self.book.add(end(self._random, draw(self._random, now)))
        Motion(self.book, self.plan.activity, self.newcomer).start()

    def place(
        self,
        symbol: str = "GOLD-BTC",
        side: str = "buy",
        price: str | Decimal | None = "0.00091250",
        quantity: str | Decimal = "3.00",
        *,
        filled: str | Decimal = "0",
        order_type: str = "limit",
        trigger: str | Decimal | None = None,
        age: float = 0.0,
        state: State = State.RESTING,
        inst_type: str | None = None,
        client_order_id: str | None = None,
    ) -> SimOrder:
        """Put one order into the book without any check; prices in BTC, the type follows from the symbol."""
        created = self.clock.wall() - age
        known = INSTRUMENTS.get(symbol)
        order = SimOrder(
            id=uuid7(created, self._random),
            symbol=symbol,
            side=side,
            type=order_type,
            price=None if price is None else Decimal(price),
            quantity=Decimal(quantity),
            created=created,
            updated=created,
            filled=Decimal(filled),
            state=state,
            trigger=None if trigger is None else Decimal(trigger),
            extra={"instType": inst_type or (known.inst_type if known else "perpetual")},
        )
        if client_order_id is not None:
            order.extra["clientOrderId"] = client_order_id
        return self.book.add(order)

    def trigger(self, order: SimOrder) -> None:
        """Let the price of a waiting stop be hit: a stop-limit rests then, a plain stop fills."""
        order.extra["triggeredAt"] = repr(self.clock.wall())
        if order.price is None:
            self.book.fill(order)
        else:
            self.book.change(order, order.state)

    def route_name(self, request: Request) -> str:
        """By which name faults know what this request asks for."""
        return route_of(request, self.prefixes)[0]

    async def answer(self, request: Request) -> Answer:
        """Route one request through the faults, the limit and the signature check to its handler."""
        route, ident = route_of(request, self.prefixes)
        answer = wire_fault(self.faults, route)
        if answer is None and route == "stream":
            return self._refusal(request, route) or Upgrade(self.stream.session)
        if answer is None:
            answer = self._respond(request, route, ident)
            if route in ("cancel", "cancel_all", "create") and answer.status == 200:
                answer = wire_fault(self.faults, route, "effect_then_") or answer
        return dated(answer, self.wall())

    def _respond(self, request: Request, route: str, ident: str) -> Response:
        if route == "ping":
            return Response(200, b"pong", (("content-type", "text/plain"),))
        if not any(request.path.startswith(f"{prefix}/") for prefix in self.prefixes):
            return _LOST
        if self.rate and self.plan.enforce_limits and not self.rate.admit():
            throttled = self._fail(429, "RATE_LIMITED", "too many requests")
            return Response(429, throttled.body, (*throttled.headers, ("retry-after", "1")))
        refused = self._refusal(request, route)
        if refused is not None:
            return refused
        if strikes(self.faults, "error_true", route):
            return Response.of({"error": True, "data": None, "message": "temporarily unavailable"})
        handlers: dict[str, Callable[[Request, str], Response]] = {
            "list": self._list,
            "closed": self._list,
            "status": self._status,
            "cancel": self._cancel,
            "cancel_all": self._cancel_all,
            "create": self._create,
        }
        handler = handlers.get(route)
        return handler(request, ident) if handler else self._fail(404, "NOT_FOUND", "no such endpoint")

    def _refusal(self, request: Request, route: str) -> Response | None:
        """The 401 for a request that may not come in."""
        key = request.headers.get(self.key_header.lower())
        signature = request.headers.get(self.signature_header.lower())
        if strikes(self.faults, "unauthorized", route):
            return unauthorized("Invalid API key")
        if route == "stream" and strikes(self.faults, "stream_refused", route):
            return unauthorized("Invalid API signature")
        if key is None:
            return unauthorized("API key is missing")
        if key != self.api_key:
            return unauthorized("Invalid API key")
        if self.expired:
            return unauthorized("API key has expired")
        if route == "cancel_all" and self.key_only_cancel_all:
            return None
        if signature is None:
            return unauthorized("API signature is missing")
        try:
            text = signed_text(request)
        except ValueError:
            return unauthorized("Invalid API signature")
        if not verifies(self.key.public_key(), signature, text, self.rsa_padding):
            return unauthorized("Invalid API signature")
        return None

    def _fail(self, status: int, code: str, message: str, details: str = "") -> Response:
        return self.errors.answer(status, code, message, self.wall(), details)

    def _unit(self, request: Request, default: str) -> str | None:
        unit = request.params.get("unit", default).lower()
        return unit if unit in ("btc", "sats") else None

    def _list(self, request: Request, _ident: str) -> Response:
        inst_type, symbol = request.params.get("instType"), request.params.get("symbol")
        unit = self._unit(request, "btc")
        if inst_type not in INST_TYPES or inst_type in self.refused_types:
            return self._fail(400, "VALIDATION_ERROR", "invalid instType", str(inst_type))
        if unit is None:
            return self._fail(400, "VALIDATION_ERROR", "invalid unit")
        orders = self.shown.orders()
        if truth(request, "includeClosed"):
            orders = self.book.live() + self.book.finished()
            orders.sort(key=lambda order: (order.created, order.id), reverse=True)
        found = [
            order
            for order in orders
            if order.extra.get("instType") == inst_type and symbol in (None, order.symbol)
        ]
        rows = [self.wording.order(order, unit, listed=True) for order in found]
        self.shown.told(found)
        return self._listed("orders", rows, "list")

    def _status(self, request: Request, ident: str) -> Response:
        unit = self._unit(request, "sats")
        order = self.book.orders.get(ident)
        if unit is None:
            return self._fail(400, "VALIDATION_ERROR", "invalid unit")
        if order is None:
            return self._fail(404, "NOT_FOUND", "order not found", ident)
        row = self.wording.order(order, unit, listed=False)
        if strikes(self.faults, "wrong_id", "status"):
            row["id"] = uuid7(order.created, self._random)
        answer: dict[str, object] = {"data": {"order": row}}
        return Response.of({"error": False, **answer} if self.wording.generation == "C" else answer)

    def _cancel(self, _request: Request, ident: str) -> Response:
        order = self.book.orders.get(ident)
        if order is None:
            return self._fail(404, "NOT_FOUND", "order not found", ident)
        if strikes(self.faults, "filled_first", "cancel"):
            self.book.fill(order)
        if not order.state.live or (order.type == "market" and order.state is State.PENDING):
            word = self.wording.status(order)
            return self._fail(self.terminal_status, "CANNOT_CANCEL", "order cannot be cancelled", word)
        if self.puts_off(order):
            return self._fail(self.terminal_status, "CANNOT_CANCEL", "order is being processed")
        if strikes(self.faults, "success_false", "cancel"):
            return Response.of({"data": {"success": False}})
        if not strikes(self.faults, "cancel_noop", "cancel"):
            self._leave(order, "cancel")
        return Response.of({"data": {"success": True}})

    def _leave(self, order: SimOrder, route: str) -> None:
        """Start the two phases of a cancel; one under way already keeps its time."""
        if order.state is State.LEAVING:
            return
        delay = self.plan.cancel_delay
        if waits(order) and strikes(self.faults, "stop_triggers", route):
            self._within(delay, lambda: self.trigger(order))
        part = self.raced(order, route)
        if part is not None:
            self._within(delay, lambda: self.book.fill(order, part))
        if order.state.live:
            self.book.cancel(order, delay)

    def _within(self, delay: float, act: Callable[[], None]) -> None:
        if delay > 0:
            self.book.at(delay / 2, act)
        else:
            act()

    def _cancel_all(self, _request: Request, _ident: str) -> Response:
        doomed = [one for one in self.book.live() if one.state is not State.LEAVING]
        if strikes(self.faults, "cancel_all_lies", "cancel_all"):
            return self._listed("cancelledOrderIds", [order.id for order in doomed], "cancel_all")
        doomed, broken = self.reached(doomed)
        for order in doomed[:-1]:
            self.book.cancel(order, self.plan.cancel_delay)
        for order in doomed[-1:]:
            self._leave(order, "cancel_all")
        if broken:
            return self._fail(500, "INTERNAL_ERROR", "internal error")
        gone = [order.id for order in doomed if order.state is not State.FILLED]
        return self._listed("cancelledOrderIds", gone, "cancel_all")

    def _listed(self, name: str, rows: Sequence[object], route: str) -> Response:
        """A success with a list; one that is empty may be null or missing, by faults."""
        data: dict[str, object] = {name: rows}
        if not rows and strikes(self.faults, "null_list", route):
            data = {name: None}
        elif not rows and strikes(self.faults, "missing_list", route):
            data = {}
        return Response.of({"error": False, "data": data})

    def _create(self, request: Request, _ident: str) -> Response:
        body = request.json()
        try:
            order = read_entry(body, self.clock.wall(), self.closed_markets, self._random)
        except RefusedError as refusal:
            code = "VALIDATION_ERROR" if refusal.form else "REJECTED"
            return self._fail(400, code, str(refusal))
        self.book.add(order)
        instrument = INSTRUMENTS[order.symbol]
        if not waits(order):
            crosses = instrument.takes(order.side, order.price or instrument.reference)
            if crosses and body.get("postOnly") is not True:
                self.book.fill(order)
            elif crosses or order.tif == "ioc":
                self.book.change(order, State.CANCELLED)
        if order.tif == "gtd":
            left = int(order.extra["cancelAt"]) / 1000 - self.clock.wall()
            self.book.at(left, lambda: self._lapse(order))
        return Response.of({"error": False, "data": {"orderId": order.id}})

    def _lapse(self, order: SimOrder) -> None:
        if order.state.live:
            self.book.change(order, State.EXPIRED)

    def newcomer(self) -> SimOrder:
        """A fresh order, as its owner might place it now."""
        return draw(self._random, self.clock.wall(), age=0.0)

    def _note_trigger(self, order: SimOrder) -> None:
        """A stop that has traded must have been triggered."""
        if order.filled and waits(order):
            order.extra["triggeredAt"] = repr(self.clock.wall())
