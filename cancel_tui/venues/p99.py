"""P99 / ZTDX spot: HMAC-signed query strings or a JWT, lists without a cursor, a true cancel-all.

Public pages: https://docs.ztdx.io/spot/general-info, /spot/trades-rest/list-orders, /query-order,
/cancel-order, /cancel-all-orders, /spot/error-codes, /spot/enums, and https://docs.p99.world/auth.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from msgspec.structs import replace

from cancel_tui.clock import Clock
from cancel_tui.orders import Order, OrderKey, altered, iso
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings
from cancel_tui.text import VenueText
from cancel_tui.venues import decode
from cancel_tui.venues.adapter import CAUTIOUS_READS, HttpVenue, limited, same_order
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
    Unanswered,
    Unauthorised,
)
from cancel_tui.venues.p99_auth import Offset, credentials_of, expiry, signed_query, told
from cancel_tui.venues.p99_rows import (
    PAGE,
    Gathering,
    all_orders,
    one_order,
    order_of,
    page_of,
    scrubbed,
    words_of,
)
from cancel_tui.venues.p99_stream import OrderStream
from cancel_tui.venues.repeats import Repeats
from cancel_tui.venues.signing import signing_clock

T = TypeVar("T")

MAX_PAGES = 200
BEHIND = 0.25
"""Seconds behind the venue's clock to sign: one page allows only 1 s ahead, all of them 5 s behind."""
TOLERANCE = 0.5
"""Seconds by which a fresh offset must differ from the one in use to make a second try worth it."""
GAP = 3600.0
"""Seconds between two creation times that are looked for by two queries rather than one."""

_ACCEPT = (b"Accept", b"application/json")
_BUSY = frozenset({"ENGINE_BUSY", "ENGINE_RESTARTING"})
_HALTED = frozenset({"SPOT_TRADING_DISABLED", "MARKET_HALTED"})
"""503s of which the venue says that nothing was done: https://docs.ztdx.io/spot/error-codes."""
_NO_PAGE = VenueText("no such page at this address: base_url must end with the API prefix, such as /api/v1")
_NO_LISTEN_KEY = VenueText("this host gives out no listen keys: with a jwt there is a stream")
_NO_RIGHT = VenueText("API Key permission denied: this key cannot do that here; use a jwt instead")


class P99Venue(HttpVenue):
    """The adapter. Spot only; reads come from the venue's database, cancels go through its engine."""

    def __init__(self, settings: VenueSettings, credentials: Mapping[str, Secret], clock: Clock) -> None:
        super().__init__(settings, credentials, clock)
        self._jwt, self._key, self._secret = credentials_of(credentials)
        self._expiry = expiry(self._jwt)
        self._signing = signing_clock(self._key or self._jwt or Secret(""), clock)
        self._base = urlsplit(settings.base_url).path.rstrip("/")
        self._offset = Offset()
        self._curing = asyncio.Lock()
        self._generation = 0
        """Grows with every offset that is news; tells whether a request was signed before or after."""
        self._known: dict[bytes, Order | None] | None = None
        """Rows of the list before, by the JSON that said them."""
        self._tried = -math.inf
        """When a 401 last made us measure, monotonic seconds."""
        self._stream = OrderStream(settings, clock, self._jwt, self._listen_key, self.classify)
        self.capabilities = Capabilities(
            cancel_all=True,
            cancel_all_symbol=True,
            read_order=True,
            closed_page=PAGE,
            budgets=limited(CAUTIOUS_READS, settings.limits),
            poll_seconds=2.0,
            timeout_seconds=settings.timeout_seconds or 5.0,
        )

    @property
    def credentials_expire_at(self) -> float | None:
        """When the JWT says that it ends, by our clock; a key pair does not end."""
        return None if self._expiry is None else self._expiry - (self.clock_offset or 0.0)

    # Requests

    def _signed(self, method: str, path: str, query: str, *, base: str | None = None) -> Message:
        target = f"{self._base if base is None else base}{path}"
        if self._secret is None or self._key is None:
            bearer = f"Bearer {self._jwt.reveal() if self._jwt else ''}".encode()
            target += f"?{query}" if query else ""
            return Message(method.encode(), target.encode(), (_ACCEPT, (b"Authorization", bearer)))
        target += "?" + signed_query(self._secret, query, self._signing.next_ms())
        return Message(
            method.encode(), target.encode(), (_ACCEPT, (b"X-MBX-APIKEY", self._key.reveal().encode()))
        )

    @property
    def signs_with(self) -> object:
        """Which offset of the clock."""
        return self._generation

    async def renew(self, port: Port, used: object) -> bool:
        """Measure the clock anew; whether there is an offset that was not used (401s have no body here).

        Of many 401s at once only the first measures, all profit from it.
        """
        if self._secret is None:
            return False
        async with self._curing:
            if self._generation == used and self.clock.monotonic() - self._tried >= 1.0:
                await self.measure_clock(port)
                self._tried = self.clock.monotonic()
            return self._generation != used

    def classify(self, call: CallClass, reply: Reply) -> Failure | None:
        """The venue's error strings: https://docs.ztdx.io/spot/error-codes."""
        failure = super().classify(call, reply)
        if failure is None or isinstance(failure, NotSent):
            return failure
        message = scrubbed(failure.message)
        words = words_of(reply.body)
        status = reply.status
        if status == 503 and words & _BUSY:
            return Refused(Reason.BUSY, message, status)
        if status in (503, 409) and words & _HALTED:
            return Refused(Reason.HALTED, message, status)
        if "-1021" in words:
            # The futures side's code for a bad timestamp; here 401 is documented. Defensive reading.
            return Unauthorised(message, 401)
        if status == 403 and "API_KEY_PERMISSION_DENIED" in words:
            return Unauthorised(_NO_RIGHT, status)
        if status == 404 and "ORDER_NOT_FOUND" in words and call in (CallClass.CANCEL, CallClass.STATUS):
            return Refused(Reason.NOT_FOUND, message, status)
        if status == 404:
            return Refused(Reason.REQUEST, message if words else _NO_PAGE, status)
        if "INVALID_ID" in words or status == 405:
            return Refused(Reason.REQUEST, message, status)
        return replace(failure, message=message)

    # Lists

    async def parts(self, port: Port) -> Outcome[Parts]:
        """One part: a list without `symbol` is every market."""
        return Answered(Parts((Part("orders"),)))

    async def list_part(self, part: Part, port: Port) -> Outcome[PartList]:
        """Both live statuses, each to its last page, or as far as no page fails.

        `open` is read before `partially_filled`: orders move that way only, so an order that fills in part
        between the two is in the second list. https://docs.ztdx.io/spot/trades-rest/list-orders
        """
        gathering, repeats = Gathering(), Repeats(self._known)
        failure = None
        for status in ("open", "partially_filled"):
            failure = failure or await self._every(port, status, gathering, repeats)
        self._known = repeats.written
        return gathering.result(failure)

    async def _every(
        self, port: Port, status: str, gathering: Gathering, repeats: Repeats[Order | None]
    ) -> Failure | None:
        read = partial(page_of, self.name, repeats=repeats)
        end: int | None = None
        for _ in range(MAX_PAGES):
            upto = "" if end is None else f"&end={end}"
            query = f"status={status}{upto}&limit={PAGE}"
            build = partial(self._signed, "GET", "/spot/orders", query)
            outcome = await self.ask(port, CallClass.LIST, build, read, repeats.load)
            if not isinstance(outcome, Answered):
                return outcome
            page = outcome.value
            gathering.take(page)
            end, gap = page.older(end)
            if gap:
                gathering.notes.append("list truncated")
            if end is None or end < 0:
                return None
        gathering.notes.append("list truncated")
        return None

    # Orders

    def _named(self, key: OrderKey, value: Any) -> Order:
        order = order_of(self.name, value)
        if order is None:
            raise Unreadable("no order in it")
        if order.key.order_id.lower() == key.order_id.lower():
            # The same UUID in other letters is the same order; the desk knows it as it was asked for.
            return altered(order, key=key)
        return order

    async def read(self, key: OrderKey, port: Port) -> Outcome[Order]:
        """Read one order, finished ones too: https://docs.ztdx.io/spot/trades-rest/query-order."""
        outcome = await self.ask(
            port,
            CallClass.STATUS,
            lambda: self._signed("GET", one_order(key.order_id), ""),
            partial(self._named, key),
        )
        if isinstance(outcome, Answered) and outcome.value.key != key:
            return Unanswered("the answer names another order")
        return outcome

    # Cancels

    async def cancel(self, key: OrderKey, port: Port) -> Outcome[CancelAck]:
        """Cancel one order: https://docs.ztdx.io/spot/trades-rest/cancel-order. The answer is final."""
        outcome = await self.ask(
            port,
            CallClass.CANCEL,
            partial(self.cancel_message, key),
            lambda value: CancelAck(self._named(key, value)),
        )
        return same_order(outcome.value, key.order_id) if isinstance(outcome, Answered) else outcome

    def cancel_message(self, key: OrderKey) -> Message:
        """The request of `cancel`."""
        return self._signed("DELETE", one_order(key.order_id), "")

    async def cancel_all(self, symbol: str | None, port: Port) -> Outcome[CancelAllAck]:
        """Cancel everything, or one market: https://docs.ztdx.io/spot/trades-rest/cancel-all-orders.

        The symbol goes out exactly as given: the venue is particular about case, and what it does with a
        wrong one is not documented.
        """
        return await self.ask(
            port,
            CallClass.CANCEL_ALL,
            lambda: self._signed("DELETE", "/spot/orders", all_orders(symbol)),
            self._canceled,
        )

    def _canceled(self, value: Any) -> CancelAllAck:
        answer = decode.table(value)
        if not isinstance(listed := answer.get("canceled"), list):
            raise Unreadable("no list of canceled orders")
        return CancelAllAck(
            orders=tuple(order for row in listed if (order := order_of(self.name, row)) is not None)
        )

    # Finished orders

    def closed_plan(self, touched: Sequence[Touched]) -> ClosedPlan:
        """Windows of creation time around the touched orders, newest first, far ones apart."""
        known = [
            (one.order.created_at, one.key)
            for one in touched
            if one.order is not None and one.order.created_at is not None
        ]
        windows: list[list[float]] = []
        for created in sorted((created for created, _ in known), reverse=True):
            if windows and windows[-1][0] - created <= GAP:
                windows[-1][0] = created
            else:
                windows.append([created, created])
        queries = tuple(ClosedQuery(begin=begin, end=end) for begin, end in windows)
        return ClosedPlan(queries, frozenset(key for _, key in known))

    def finished_since(self, since: float) -> tuple[ClosedQuery, ...]:
        """All orders: the venue sorts them by creation, and an old order may have ended just now."""
        return (ClosedQuery(),)

    async def closed_page(self, query: ClosedQuery, port: Port) -> Outcome[ClosedPage]:
        """One page of all orders, live ones too, that were created in the window; newest first."""
        bounds = [("start", query.begin, math.floor), ("end", query.end, math.ceil)]
        window = "".join(f"{name}={whole(value)}&" for name, value, whole in bounds if value is not None)
        build = partial(self._signed, "GET", "/spot/orders", f"{window}limit={PAGE}")
        outcome = await self.ask(port, CallClass.CLOSED, build, partial(page_of, self.name))
        if not isinstance(outcome, Answered):
            return outcome
        page = outcome.value
        end, _ = page.older(None if query.end is None else math.ceil(query.end))
        count = int(query.cursor or "1")
        over = end is None or end < max(0.0, math.floor(query.begin or 0.0)) or count >= MAX_PAGES
        return Answered(
            ClosedPage(page.orders, None if over else replace(query, end=end, cursor=str(count + 1)))
        )

    # The stream

    @property
    def rhythm(self) -> float:
        """Seconds within which a living stream says something."""
        return self._stream.pulse.rhythm

    async def listen(self, port: Port, tell: Tell) -> Failure:
        """The private order stream: https://docs.ztdx.io/spot/user-ws/user-orders."""
        ends = self.credentials_expire_at
        lifetime = None if ends is None else ends - self.clock.wall()
        return await self._stream.listen(port, tell, self.capabilities.timeout_seconds, lifetime)

    async def _listen_key(self, port: Port, method: str) -> Outcome[Secret]:
        """A key to the stream for callers with an API key: `POST` makes one, `PUT` lets it last longer.

        The call belongs to the other half of the venue; whether this host answers it is not documented.
        """
        base = self._base.removesuffix("/api/v1")
        build = partial(self._signed, method, "/fapi/v1/listenKey", "", base=base)
        outcome = await self.ask(port, CallClass.OTHER, build, _key_in)
        if isinstance(outcome, Refused) and outcome.status in (404, 405, 410):
            return Refused(Reason.REQUEST, _NO_LISTEN_KEY, outcome.status)
        return outcome

    # Clock and credentials

    async def measure_clock(self, port: Port) -> Outcome[float]:
        """Compare clocks with a public answer: `timestamp` of /wallet/tokens (s), else its Date header."""
        sent = self.clock.wall()

        def build() -> Message:
            nonlocal sent
            sent = self.clock.wall()
            return Message(b"GET", f"{self._base}/wallet/tokens".encode(), (_ACCEPT,))

        raw = await port.call(CallClass.OTHER, build)
        received = self.clock.wall()
        if isinstance(raw, NotSent | Unanswered):
            return raw
        stamp = told(raw)
        if stamp is None:
            return self.classify(CallClass.OTHER, raw) or Unanswered("the venue does not tell its time")
        offset = self._offset.narrow(sent, received, *stamp)
        if self.clock_offset is None or abs(offset - self.clock_offset) > TOLERANCE:
            self._generation += 1
            self._signing.restart()
        self.clock_offset = offset
        self._signing.offset = offset - BEHIND
        return Answered(offset)

    async def check(self, port: Port) -> Outcome[str]:
        """List once; for a JWT say until when it claims to be valid (its lifetime is not documented)."""
        build = partial(self._signed, "GET", "/spot/orders", f"status=open&limit={PAGE}")
        outcome = await self.ask(port, CallClass.OTHER, build, partial(page_of, self.name))
        if not isinstance(outcome, Answered):
            return outcome
        if self._secret is not None:
            return Answered("API key accepted")
        until = iso(self._expiry)
        return Answered(f"JWT accepted, valid until {until}" if until else "JWT accepted")


def make(settings: VenueSettings, credentials: Mapping[str, Secret], clock: Clock) -> P99Venue:
    """Build the adapter; raises ValueError with a sentence for credentials that cannot work."""
    return P99Venue(settings, credentials, clock)


def _key_in(value: Any) -> Secret:
    answer = decode.table(value)
    inner = answer.get("data")
    found = decode.text(answer, "listenKey") or decode.text(
        inner if isinstance(inner, dict) else {}, "listenKey"
    )
    if found is None:
        raise Unreadable("no listen key in it")
    return Secret.passing(found)
