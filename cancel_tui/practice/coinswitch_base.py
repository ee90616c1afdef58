"""What both practice CoinSwitch venues share: the front door, the rules of a cancel, deliberate faults.

`faults` is a mutable set of names that `catalogue` explains. Those of the wire strike behind the check of key
and limits, and answer in the venue's own shape. Spot answers open and closed lists on one path, so that both
are the route `list` there.
"""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from json.encoder import encode_basestring_ascii
from typing import ClassVar

import msgspec

from cancel_tui.clock import Clock
from cancel_tui.practice.coinswitch_auth import Gate, KeyPair
from cancel_tui.practice.http import Answer, Drop, Hang, Raw, Request, Response
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.practice.mischief import strikes
from cancel_tui.practice.venue import Plan, PracticeVenue, RateLimit

API = "/trade/api/v2"
"""Every path starts with this; the base URL is the origin alone."""
UNKNOWN_WORD = "AWAITING_REVIEW"
"""The undocumented status of fault `unknown_status`."""

_HTML = (("content-type", "text/html"),)
_PAGE = b"<html><head><title>%s</title></head><body><h1>%s</h1></body></html>"
_TORN = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"data": {'
_CHANGING = frozenset({"cancel", "cancel_all", "create"})
_ACK_DELAY = 0.5
_NOT_CANCELLABLE = {
    State.PENDING: "Order is not acknowledged by the exchange yet",
    State.LEAVING: "Cancellation is already raised for this order",
    State.LAPSING: "Expiration is already raised for this order",
    State.FILLED: "Order is already executed",
    State.TRIGGERED: "Order is already executed",
    State.CANCELLED: "Order is already cancelled",
    State.EXPIRED: "Order is already expired",
    State.REJECTED: "Order was not accepted",
}


class Refusal(Exception):
    """Ends a handler with the venue's error shape."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def message(status: int, text: str, *headers: tuple[str, str]) -> Response:
    """The flat error body of spot and futures."""
    return Response.of({"message": text}, status, *headers)


_MISBEHAVIOUR: dict[str, Answer] = {
    "hang": Hang(),
    "drop": Drop(),
    "reset": Drop(reset=True),
    "http500": message(500, "Internal Server Error"),
    "html": Response(502, _PAGE % (b"502 Bad Gateway", b"502 Bad Gateway"), _HTML),
    "http423": message(423, "Locked"),
    "throttle_plain": message(429, "Too Many Requests"),
    "throttle": message(429, "Too Many Requests", ("retry-after", "1")),
    "empty": Response(200),
    "badjson": Response.of('{"data": {"orders": [{"order_id": "'),
    "torn": Raw(_TORN),
    "redirect": Response(307, headers=(("location", "/moved"),)),
}


class Window(RateLimit):
    """A rate limit that also knows when it will admit again."""

    def __init__(self, clock: Clock, count: int, seconds: float) -> None:
        super().__init__(clock, count, seconds)
        self._now = clock.monotonic
        self._span = seconds
        self._admitted: deque[float] = deque(maxlen=count)

    def admit(self) -> bool:
        """Whether one more request may pass now; a refused one does not count."""
        admitted = super().admit()
        if admitted:
            self._admitted.append(self._now())
        return admitted

    def wait(self) -> int:
        """Whole seconds until a refused request would pass."""
        return max(1, math.ceil(self._admitted[0] + self._span - self._now())) if self._admitted else 1


@dataclass(frozen=True, slots=True)
class Route:
    """What a method and path lead to."""

    operation: str
    handler: Callable[[Request], Answer]


class CoinSwitchVenue(PracticeVenue):
    """The part that spot and futures share. `faults`, `limits` and `routes` may be changed while it runs."""

    own_faults: ClassVar[Mapping[str, str]] = {
        "http423": "423 with a message",
        "effect_then_http423": "carried out, then: 423 with a message",
        "replay_refused": "a signature that was used before is refused with 401",
        "retry_after": "a 429 of a spent limit carries `Retry-After`",
        "html429": "a 429 of a spent limit is an HTML page",
        "shared_limit": "all methods on the order path also draw on one common window",
        "cancel_reverts": "a cancel is accepted, but the order goes back to resting",
        "stuck_cancel": "a cancel is accepted and never ends",
        "slow_ack": "new orders are not acknowledged for half a second, and not cancelled till then",
    }
    """What spot and futures have in common."""
    windows: ClassVar[Mapping[str, tuple[int, float]]] = {}
    """The documented limits: operation to requests and seconds."""
    shared_window: ClassVar[tuple[int, float]]
    """The common limit of the order path under fault `shared_limit`."""
    order_path: ClassVar[str]
    cancels_at_once: ClassVar[bool]
    """Whether a cancel without delay is answered as already done."""

    def __init__(self, clock: Clock, plan: Plan, keys: KeyPair | None = None) -> None:
        super().__init__(clock, plan)
        self.keys = keys or KeyPair.generate()
        self.limits = {name: Window(clock, *window) for name, window in self.windows.items()}
        self._shared = Window(clock, *self.shared_window)
        self._gate = Gate(self.keys, self.now_ms)
        self.routes: dict[tuple[str, str], Route] = {
            ("GET", f"{API}/validate/keys"): Route("validate", lambda _: message(200, "Valid Access")),
            ("GET", f"{API}/ping"): Route("ping", lambda _: message(200, "OK")),
        }

    @property
    def base_url(self) -> str:
        """The origin; known after `start`."""
        return self.server.origin

    def credentials(self) -> Mapping[str, str]:
        """The key pair of this run."""
        return {"api_key": self.keys.api_key, "api_secret": self.keys.api_secret}

    def now_ms(self) -> int:
        """The server's clock, milliseconds since the epoch."""
        return int(self.wall() * 1000)

    def fault(self, name: str, operation: str = "") -> bool:
        """Whether a fault is on for an operation; one that is counted is used up by asking."""
        return strikes(self.faults, name, operation)

    def route_name(self, request: Request) -> str:
        """By which name faults know what this request asks for."""
        route = self.routes.get((request.method, request.path))
        return route.operation if route else "unknown"

    async def answer(self, request: Request) -> Answer:
        """Answer one request: gate, limits, faults, then the operation itself."""
        if (request.method, request.path) == ("GET", f"{API}/time"):
            return Response.of({"serverTime": self.now_ms()})
        route = self.routes.get((request.method, request.path))
        if route is None:
            return message(404, "Not Found")
        admitted = self._gate.admits(request, refuse_replays=self.fault("replay_refused"))
        if not admitted or self.expired or self.fault("unauthorized", route.operation):
            return message(401, "Invalid Access")
        throttled = self._throttle(route.operation, request.path) if self.plan.enforce_limits else None
        if throttled is not None:
            return throttled
        for name, misbehaviour in _MISBEHAVIOUR.items():
            if self.fault(name, route.operation):
                return misbehaviour
        try:
            answer = route.handler(request)
        except Refusal as refusal:
            return message(refusal.status, refusal.message)
        if route.operation in _CHANGING:
            for name, misbehaviour in _MISBEHAVIOUR.items():
                if self.fault(f"effect_then_{name}", route.operation):
                    return misbehaviour
        return answer

    def _throttle(self, operation: str, path: str) -> Response | None:
        windows = [self.limits[operation]] if operation in self.limits else []
        if path == self.order_path and self.fault("shared_limit"):
            windows.append(self._shared)
        for window in windows:
            if not window.admit():
                waits = (("retry-after", str(window.wait())),) if self.fault("retry_after", operation) else ()
                if self.fault("html429", operation):
                    page = _PAGE % (b"429 Too Many Requests", b"429 Too Many Requests")
                    return Response(429, page, _HTML + waits)
                return message(429, "Too Many Requests", *waits)
        return None

    @abstractmethod
    def describe(self, order: SimOrder) -> dict[str, object]:
        """One order as lists and status reads show it."""

    def told(self, row: dict[str, object], operation: str) -> dict[str, object]:
        """The order of an answer about one order; under fault `wrong_id` it names another one."""
        if self.fault("wrong_id", operation):
            row["order_id"] = self.book.new_id()
        return row

    def word(self, order: SimOrder, words: Mapping[State, str]) -> str:
        """The status word: a part fill has a word of its own while the order rests."""
        if order.state is State.RESTING:
            if self.fault("unknown_status"):
                return UNKNOWN_WORD
            if order.filled > 0:
                return "PARTIALLY_EXECUTED"
        return words[order.state]

    def hold_back(self, order: SimOrder) -> None:
        """Under fault `slow_ack` a new resting order is not acknowledged at first."""
        if order.state is not State.RESTING or not self.fault("slow_ack", "create"):
            return
        order.state = State.PENDING

        def acknowledge() -> None:
            if order.state is State.PENDING:
                self.book.change(order, State.RESTING)

        self.book.at(_ACK_DELAY, acknowledge)

    def find(self, order_id: str) -> SimOrder:
        """The order with this id; refused with 404 where there is none."""
        order = self.book.orders.get(order_id)
        if order is None:
            raise Refusal(404, "Order not found")
        return order

    def cancel(self, order: SimOrder) -> None:
        """Take a cancel of one order, or refuse it as the venue does."""
        reason = _NOT_CANCELLABLE.get(order.state)
        if reason is None and self.puts_off(order):
            reason = "Order is being processed"
        if reason is not None:
            raise Refusal(400, reason)
        if not self.fault("cancel_noop", "cancel"):
            self.raise_cancel(order)

    def raise_cancel(self, order: SimOrder, operation: str = "cancel") -> None:
        """Start the two phases of a cancel; how they end is up to delay and faults."""
        delay = self.plan.cancel_delay
        if self.fault("stuck_cancel", operation):
            self.book.change(order, State.LEAVING)
            return
        end, part = State.CANCELLED, self.raced(order, operation)
        if part is not None and part == order.remaining:
            end = State.FILLED
        elif part is not None:
            self.book.at(delay / 2, lambda: self.book.fill(order, part))
        elif order.trigger is not None and self.fault("stop_triggers", operation):
            end = State.TRIGGERED
        elif self.fault("cancel_reverts", operation):
            end = State.RESTING
        elif self.cancels_at_once and delay <= 0:
            self.book.change(order, State.CANCELLED)
            return
        self.book.change(order, State.LEAVING)
        self.book.at(delay, lambda: self._end(order, end))

    def _end(self, order: SimOrder, end: State) -> None:
        if order.state is not State.LEAVING:
            return
        if end is State.FILLED and order.remaining > 0:
            self.book.fill(order)
        else:
            self.book.change(order, end)

    def listed(self, orders: Sequence[SimOrder], **others: object) -> Response:
        """A list answer; what is empty may be null or missing, by faults."""
        rows: dict[str, object] = {"orders": [self.describe(order) for order in orders], **others}
        if not orders and self.fault("null_list"):
            rows["orders"] = None
        elif not orders and self.fault("missing_list"):
            rows = {}
        return reply(rows)


def reply(data: object) -> Response:
    """A success in the `data` envelope."""
    return Response.of(encode({"data": data}))


def encode(value: object) -> str:
    """JSON text in which a `Decimal` is a number, in exponent form when it is tiny, as in `5e-05`.

    What is raw is JSON already and stands as it is.
    """
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    if isinstance(value, Mapping):
        items = [f"{encode_basestring_ascii(str(key))}:{encode(item)}" for key, item in value.items()]
        return "{" + ",".join(items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join([encode(item) for item in value]) + "]"
    return json.dumps(value)


def _number(value: Decimal) -> str:
    if value == 0:
        return "0"
    sign, digits, exponent = value.normalize().as_tuple()
    if value.adjusted() >= -4 or not isinstance(exponent, int):
        return plain(value)
    head, tail = str(digits[0]), "".join(map(str, digits[1:]))
    mantissa = f"{head}.{tail}" if tail else head
    return f"{'-' if sign else ''}{mantissa}e-{-value.adjusted():02d}"


def plain(value: Decimal) -> str:
    """A decimal without exponent and without trailing zeros."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def fields_of(request: Request) -> dict[str, object]:
    """The body's JSON object, numbers as `int` and `Decimal`; empty for an empty body."""
    if not request.body:
        return {}
    try:
        value = json.loads(request.body, parse_float=Decimal)
    except ValueError:
        raise Refusal(400, "Malformed request body") from None
    if not isinstance(value, dict):
        raise Refusal(422, "The request body must be an object")
    return value


def text_in(fields: Mapping[str, object], name: str) -> str:
    """A mandatory text field."""
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal(422, f"{name} is missing or invalid")
    return value


def number_in(fields: Mapping[str, object], name: str) -> Decimal:
    """A mandatory JSON number."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refusal(422, f"{name} is missing or invalid")
    return Decimal(value)


def whole_in(fields: Mapping[str, object], name: str, *, digits: bool = False) -> int | None:
    """An optional whole number: a JSON integer, or with `digits` its text, as queries have it."""
    value = fields.get(name)
    if value is None:
        return None
    if digits and isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refusal(422, f"{name} is invalid")
    return value


def milliseconds(seconds: float) -> int:
    """A time of the book as the wire has it."""
    return round(seconds * 1000)
