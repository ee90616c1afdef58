"""Roxom: RSA-signed requests without a timestamp, one list per instrument type, cancels that are only taken.

Public pages: https://docs.roxom.com/reference/authentication,
https://docs.roxom.com/reference/api-reference/orders/cancel, /list and /status, and their newer texts under
https://docs.roxom.com/api-reference/orders.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from msgspec.structs import replace

from cancel_tui.clock import Clock
from cancel_tui.orders import Order, OrderId, OrderKey, altered
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings
from cancel_tui.text import VenueText
from cancel_tui.venues import decode
from cancel_tui.venues.adapter import CAUTIOUS_READS, HttpVenue, limited, path_id, same_order
from cancel_tui.venues.base import (
    CallClass,
    CancelAck,
    CancelAllAck,
    Capabilities,
    ClosedPage,
    ClosedPlan,
    ClosedQuery,
    Message,
    Part,
    PartList,
    Parts,
    Port,
    Reply,
    Touched,
)
from cancel_tui.venues.decode import Unreadable
from cancel_tui.venues.feed import Tell
from cancel_tui.venues.outcome import (
    Answered,
    Failure,
    NotSent,
    Outcome,
    Reason,
    Refused,
    Throttled,
    Unanswered,
    Unauthorised,
)
from cancel_tui.venues.repeats import Repeats
from cancel_tui.venues.roxom_rows import error_code, failed, is_error, order_of, scrubbed
from cancel_tui.venues.roxom_signing import Signer, load_key, signed_text
from cancel_tui.venues.roxom_stream import HANDSHAKE, EventStream

T = TypeVar("T")

INST_TYPES = ("perpetual", "spot", "btc", "digital", "stock", "index")
"""Documented at https://docs.roxom.com/api-reference/orders/get-real-time-orders."""
REMEMBERED = 5_000
"""Orders beside those of the last lists whose instrument type is kept for reading their end."""

_PART = "inst_type:"
_PER_ORDER = (CallClass.CANCEL, CallClass.STATUS)
_JSON = (b"Content-Type", b"application/json")
_NO_PAGE = VenueText("no such page at this address: base_url or api_prefix is wrong")


class RoxomVenue(HttpVenue):
    """The adapter.

    Listing finished orders has no pages and no cursor: one answer holds all that the venue keeps of one
    instrument type, so the page size is given as larger than any such answer.
    """

    def __init__(self, settings: VenueSettings, credentials: Mapping[str, Secret], clock: Clock) -> None:
        super().__init__(settings, credentials, clock)
        self._key = _key_id(credentials.get("api_key"))
        pem = credentials.get("private_key")
        if not pem:
            raise ValueError("private_key is missing: enter it together with api_key")
        self._signer = Signer(load_key(pem), settings.rsa_padding)
        self._base = urlsplit(settings.base_url).path.rstrip("/") + settings.api_prefix
        self._types = tuple(dict.fromkeys(settings.inst_types or INST_TYPES))
        self._refused: set[str] = set()
        """Instrument types that the venue refused when last asked."""
        self._known: dict[str, dict[bytes, Order | None]] = {}
        """Rows of the list before, of each instrument type, by the JSON that said them."""
        self._listed: dict[str, int] = {}
        """How many orders the last list of each instrument type held, of those that it has listed."""
        self._type_of: dict[OrderId, str] = {}
        self._stream = EventStream(settings, clock, self._handshake, self.classify)
        self.capabilities = Capabilities(
            cancel_all=True,
            cancel_all_takes_protective=True,
            read_order=True,
            closed_page=100_000,
            budgets=limited(CAUTIOUS_READS, settings.limits),
            poll_seconds=2.0,
            timeout_seconds=settings.timeout_seconds or 5.0,
            lacks=frozenset({"exchange"}),
        )

    # Requests

    def _message(self, method: str, path: str, query: str = "", *, sign: bool = True) -> Message:
        target = self._base + path + (f"?{query}" if query else "")
        headers = [(self.settings.key_header.encode(), self._key.reveal().encode()), _JSON]
        if sign:
            signature = self._signer.sign(signed_text(method, target))
            headers.insert(1, (self.settings.signature_header.encode(), signature))
        return Message(method.encode(), target.encode(), tuple(headers))

    def _list(self, inst_type: str, extra: str = "") -> Message:
        query = f"instType={quote(inst_type, safe='')}&unit={quote(self.settings.unit, safe='')}{extra}"
        return self._message("GET", "/orders", query)

    async def _asked(
        self,
        port: Port,
        call: CallClass,
        build: Callable[[], Message],
        read: Callable[[Any], T],
        load: Callable[[bytes], Any] = decode.decode,
    ) -> Outcome[T]:
        """`ask`, with a no that came as HTTP 200 sorted out."""

        def opened(value: Any) -> T | Failure:
            return _refusal(call, value) if failed(value) else read(value)

        outcome = await self.ask(port, call, build, opened, load)
        if isinstance(outcome, Answered):
            if isinstance(outcome.value, NotSent | Unanswered | Throttled | Unauthorised | Refused):
                return outcome.value
            return Answered(outcome.value)
        return outcome

    def classify(self, call: CallClass, reply: Reply) -> Failure | None:
        """The codes and bodies of refusals are hardly documented; what is not the venue's proves nothing."""
        failure = super().classify(call, reply)
        if failure is None or isinstance(failure, NotSent):
            return failure
        message = scrubbed(failure.message)
        if not isinstance(failure, Refused):
            return replace(failure, message=message)
        value = _json(reply.body)
        ours, status = is_error(value), reply.status
        if status in (404, 410) and not ours:
            return Refused(Reason.REQUEST, _NO_PAGE, status)
        if status == 405:
            return Refused(Reason.REQUEST, message, status)
        if call in _PER_ORDER:
            gone = status in (404, 410) or (ours and error_code(value) == 404)
            return Refused(Reason.NOT_FOUND if gone else Reason.ORDER, message, status)
        if ours or failed(value):
            return replace(failure, message=message)
        return Unanswered(f"HTTP {status} with a body that is not the venue's", message, status)

    # Lists

    async def parts(self, port: Port) -> Outcome[Parts]:
        """One part per instrument type: the list demands one."""
        return Answered(Parts(tuple(Part(_PART + name) for name in self._types)))

    async def list_part(self, part: Part, port: Port) -> Outcome[PartList]:
        """All open orders of one instrument type; the venue documents no pages.

        A type that the venue refuses is a blind spot, asked for again every time. It is a failure where
        every configured type is refused, so that nothing at all was listed, and where the type was listed
        before, so that orders of it may be known.
        """
        inst_type = part.id.removeprefix(_PART)
        repeats: Repeats[Order | None] = Repeats(self._known.get(inst_type))
        read = partial(self._rows, repeats=repeats)
        outcome = await self._asked(
            port,
            CallClass.LIST,
            partial(self._list, inst_type),
            read,
            lambda body: repeats.load(body, "data", "orders"),
        )
        if isinstance(outcome, Refused) and _definite(outcome):
            self._refused.add(inst_type)
            if inst_type in self._listed or self._refused.issuperset(self._types):
                return outcome
            return Answered(PartList((), blind_spots=(_PART + inst_type,)))
        if not isinstance(outcome, Answered):
            return outcome
        self._refused.discard(inst_type)
        orders, bad = outcome.value
        self._known[inst_type] = repeats.written
        self._remember(inst_type, orders)
        unique = {order.key: order for order in orders}
        note = "rows without a readable order id" if bad else None
        return Answered(PartList(tuple(unique.values()), not bad, note=note))

    def _rows(
        self, value: Any, repeats: Repeats[Order | None] | None = None
    ) -> tuple[tuple[Order, ...], int]:
        data = decode.table(decode.table(value).get("data"), "data")
        if "orders" not in data:
            raise Unreadable("no list of orders")
        listed = data["orders"] if data["orders"] is not None else []
        if not isinstance(listed, list):
            raise Unreadable("list is no array")
        repeats = Repeats() if repeats is None else repeats
        how = partial(order_of, self.name)
        orders = tuple(order for order in repeats.read_all(listed, how) if order is not None)
        return orders, len(listed) - len(orders)

    def _remember(self, inst_type: str, orders: Sequence[Order]) -> None:
        self._listed[inst_type] = len(orders)
        for order in orders:
            self._type_of.pop(order.key.order_id, None)
            self._type_of[order.key.order_id] = inst_type
        while len(self._type_of) > REMEMBERED + sum(self._listed.values()):
            del self._type_of[next(iter(self._type_of))]

    # One order

    async def read(self, key: OrderKey, port: Port) -> Outcome[Order]:
        """Read one order: https://docs.roxom.com/api-reference/orders/get-order-by-id."""
        query = f"unit={quote(self.settings.unit, safe='')}"
        outcome = await self._asked(
            port,
            CallClass.STATUS,
            lambda: self._message("GET", f"/orders/{path_id(key.order_id)}", query),
            partial(self._one, key),
        )
        if isinstance(outcome, Answered) and outcome.value.key != key:
            return Unanswered("the answer names another order")
        return outcome

    def _one(self, key: OrderKey, value: Any) -> Order:
        order = self._named(key, decode.table(decode.table(value).get("data"), "data").get("order"))
        if order is None:
            raise Unreadable("no order in it")
        return order

    def _named(self, key: OrderKey, row: Any) -> Order | None:
        order = order_of(self.name, row)
        if order is not None and order.key.order_id.lower() == key.order_id.lower():
            # The same UUID in other letters is the same order; the desk knows it as it was asked for.
            return altered(order, key=key)
        return order

    async def cancel(self, key: OrderKey, port: Port) -> Outcome[CancelAck]:
        """Ask for a cancel: https://docs.roxom.com/reference/api-reference/orders/cancel.

        A yes means that the request was taken: the order can still fill while it is pending.
        """
        outcome = await self._asked(
            port,
            CallClass.CANCEL,
            partial(self.cancel_message, key),
            partial(self._taken, key),
        )
        if not isinstance(outcome, Answered):
            return outcome
        ack = same_order(outcome.value, key.order_id)
        told = outcome.value.order
        bare = told is not None and told.venue_status is None
        return Answered(CancelAck()) if isinstance(ack, Answered) and bare else ack

    def cancel_message(self, key: OrderKey) -> Message:
        """The request of `cancel`."""
        return self._message("POST", self._cancel_path(key))

    def sign_ahead(self, key: OrderKey) -> None:
        """Sign the cancel of an order before it is asked for: the text holds no time, the same one holds."""
        with contextlib.suppress(ValueError):  # an id that cannot stand in a path; its cancel will say so
            self._signer.sign(signed_text("POST", self._base + self._cancel_path(key)))

    def _cancel_path(self, key: OrderKey) -> str:
        path = self.settings.cancel_path.replace("{orderId}", path_id(key.order_id))
        # A gateway that decodes twice takes a plus for a blank, and blanks at the end for nothing.
        bare = self.settings.cancel_path.replace("{orderId}", key.order_id.strip("+"))
        everything = self.settings.cancel_all_path.casefold()
        if everything in (path.casefold(), bare.casefold()):
            raise ValueError("an order id that would make this a cancel-all")
        return path

    def _taken(self, key: OrderKey, value: Any) -> CancelAck:
        data = decode.table(decode.table(value).get("data"), "data")
        order = self._named(key, data.get("order")) or self._named(key, data)
        if data.get("success") is not True and (order is None or order.venue_status is None):
            raise Unreadable("neither success nor an order in it")
        return CancelAck(order)

    # All orders

    async def cancel_all(self, symbol: str | None, port: Port) -> Outcome[CancelAllAck]:
        """Ask for the cancel of every order of the account; the venue takes no symbol.

        The ids in the answer were taken, which is no end. That trigger orders go too is not documented;
        the lists afterwards tell.
        """
        if symbol is not None:
            return NotSent("this venue has no cancel-all for one symbol")
        sign, path = self.settings.sign_cancel_all, self.settings.cancel_all_path
        return await self._asked(
            port, CallClass.CANCEL_ALL, lambda: self._message("POST", path, sign=sign), _ids
        )

    # Finished orders

    def closed_plan(self, touched: Sequence[Touched]) -> ClosedPlan:
        """One query per instrument type of the orders whose type a list has told.

        Of many orders that no list has shown, as a cancel-all names them, every type may hold some; few are
        cheaper to read one by one.
        """
        known: dict[str, int] = {}
        covers = set()
        for one in touched:
            inst_type = self._type_of.get(one.key.order_id)
            if inst_type is not None:
                known[inst_type] = known.get(inst_type, 0) + 1
                covers.add(one.key)
        fullest = sorted(known, key=lambda name: -known[name])
        if len(touched) - len(covers) > len(self._types):
            fullest += [name for name in self._types if name not in known and name not in self._refused]
            covers = {one.key for one in touched}
        return ClosedPlan(tuple(ClosedQuery(part=_PART + name) for name in fullest), frozenset(covers))

    def finished_since(self, since: float) -> tuple[ClosedQuery, ...]:
        """One query per instrument type that the venue knows."""
        known = [name for name in self._types if name not in self._refused]
        return tuple(ClosedQuery(part=_PART + name) for name in known)

    async def closed_page(self, query: ClosedQuery, port: Port) -> Outcome[ClosedPage]:
        """All orders of one instrument type, finished ones included, in one answer."""
        if query.part is None:
            return NotSent("a query without an instrument type")
        build = partial(self._list, query.part.removeprefix(_PART), "&includeClosed=true")
        outcome = await self._asked(port, CallClass.CLOSED, build, self._rows)
        return Answered(ClosedPage(outcome.value[0])) if isinstance(outcome, Answered) else outcome

    # The stream

    @property
    def rhythm(self) -> float:
        """Seconds within which a living stream says something."""
        return self._stream.pulse.rhythm

    async def listen(self, port: Port, tell: Tell) -> Failure:
        """The account's events: https://docs.roxom.com/reference/websocket/orders."""
        return await self._stream.listen(tell, self.capabilities.timeout_seconds)

    def _handshake(self) -> tuple[tuple[str, str], ...]:
        return (
            (self.settings.key_header, self._key.reveal()),
            (self.settings.signature_header, self._signer.sign(HANDSHAKE).decode("ascii")),
        )

    # Clock and credentials

    async def measure_clock(self, port: Port) -> Outcome[float]:
        """Compare clocks by the Date header of a list (whole seconds); nothing here is signed with a time."""
        sent = self.clock.wall()

        def build() -> Message:
            nonlocal sent
            sent = self.clock.wall()
            return self._list(self._types[0])

        raw = await port.call(CallClass.OTHER, build)
        middle = (sent + self.clock.wall()) / 2
        if isinstance(raw, NotSent | Unanswered):
            return raw
        told = _date(raw)
        if told is None:
            return self.classify(CallClass.OTHER, raw) or Unanswered("the venue does not tell its time")
        self.clock_offset = told + 0.5 - middle
        return Answered(self.clock_offset)

    async def check(self, port: Port) -> Outcome[str]:
        """List one instrument type that the venue knows; advise on the prefix where that may be the fault."""
        outcome: Outcome[Any] = NotSent("no instrument type is configured")
        for inst_type in self._types:
            outcome = await self._asked(port, CallClass.OTHER, partial(self._list, inst_type), self._rows)
            if isinstance(outcome, Answered):
                return Answered(f"API key and signature accepted ({inst_type})")
            if not _definite(outcome):
                break
        other = "/api/v1" if self.settings.api_prefix == "/v1" else "/v1"
        advice = f'api_prefix = "{other}" may be the right one'
        if isinstance(outcome, Unauthorised | Refused) and outcome.status in (401, 404):
            words = f"{outcome.message.raw}; {advice}" if outcome.message else advice
            return replace(outcome, message=VenueText(words))
        return outcome


def make(settings: VenueSettings, credentials: Mapping[str, Secret], clock: Clock) -> RoxomVenue:
    """Build the adapter; raises ValueError with a sentence for credentials that cannot work."""
    return RoxomVenue(settings, credentials, clock)


def _key_id(value: Secret | None) -> Secret:
    text = value.reveal().strip() if value is not None else ""
    if not text:
        raise ValueError("api_key is missing: enter the key's identifier together with private_key")
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("api_key holds spaces or characters that are not ASCII: copy it again")
    return Secret(text)


def _definite(outcome: Outcome[Any]) -> bool:
    """Whether the venue itself says that the request, and so the instrument type, is wrong."""
    return (
        isinstance(outcome, Refused) and outcome.status in (400, 404, 422) and outcome.message is not _NO_PAGE
    )


def _refusal(call: CallClass, value: Any) -> Failure:
    """What a no with HTTP 200 means, from the number that it carries."""
    message = scrubbed(decode.complaint(json.dumps(value, default=str).encode()))
    code = error_code(value)
    if code in (401, 403):
        return Unauthorised(message, code)
    if code == 429:
        return Throttled(None, message)
    if code is not None and code >= 500:
        return Unanswered("the venue reports a fault of its own", message, 200)
    if call in _PER_ORDER:
        return Refused(Reason.NOT_FOUND if code == 404 else Reason.ORDER, message, 200)
    return Refused(Reason.REQUEST, message, 200)


def _ids(value: Any) -> CancelAllAck:
    data = decode.table(decode.table(value).get("data"), "data")
    if "cancelledOrderIds" not in data:
        raise Unreadable("no list of order ids")
    listed = data["cancelledOrderIds"] if data["cancelledOrderIds"] is not None else []
    if not isinstance(listed, list):
        raise Unreadable("the ids are no array")
    return CancelAllAck(tuple(OrderId(one) for one in listed if isinstance(one, str) and one))


def _json(body: bytes) -> Any:
    try:
        return decode.decode(body)
    except Unreadable:
        return None


def _date(reply: Reply) -> float | None:
    try:
        date = parsedate_to_datetime(reply.headers.get("date", ""))
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
