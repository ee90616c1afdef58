"""What adapters that speak HTTP share: answers sorted into outcomes, one fresh try after a 401, safe ids."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import quote

from cancel_tui.clock import Clock
from cancel_tui.orders import OrderId, VenueName
from cancel_tui.redaction import Secret
from cancel_tui.settings import Budget, VenueSettings
from cancel_tui.venues.base import (
    CallClass,
    CancelAck,
    CancelAllAck,
    Capabilities,
    ClosedPage,
    ClosedPlan,
    ClosedQuery,
    Message,
    Port,
    Reply,
    Touched,
)
from cancel_tui.venues.decode import Unreadable, complaint, decode
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

T = TypeVar("T")

_LONGEST_RETRY = 3600.0
"""Seconds: a slip in a header must not silence a venue for days."""
LONGEST_ID = 200
"""Characters of an order id: none that is longer is sent."""
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_PATH_ID = re.compile(rf"[A-Za-z0-9._~:|=+,@-]{{1,{LONGEST_ID}}}")


def path_id(order_id: str) -> str:
    """An order id as one path segment; raises ValueError for one that could change the path.

    An empty id, a dot segment or a slash would turn the cancel of one order into another request, in the
    worst case into a cancel-all. Escaping is not enough: a gateway that decodes before it looks for slashes
    and dots undoes it, and one that decodes twice takes a plus for a blank. No venue puts such signs into an
    id.
    """
    if _SAFE_ID.fullmatch(order_id):
        return order_id
    if not _PATH_ID.fullmatch(order_id) or set(order_id) <= {".", "+"}:
        raise ValueError("an order id that cannot stand in a path")
    return quote(order_id, safe="")


def one_symbol(symbol: str) -> str:
    """The symbol of a cancel-all of one market; raises ValueError for one that could come to mean all.

    A venue that trims it, or that drops what it cannot read, would be left with an empty one.
    """
    if not symbol.isprintable() or symbol != symbol.strip() or not any(one.isalnum() for one in symbol):
        raise ValueError("a cancel-all of one market needs its symbol")
    return symbol


def retry_after(reply: Reply) -> float | None:
    """Seconds from a Retry-After header (number or date, RFC 9110 10.2.3); None where there is none."""
    value = reply.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}(\.\d+)?", value):
        return min(float(value), _LONGEST_RETRY)
    if not value:
        return None
    from email.utils import parsedate_to_datetime

    try:
        wanted = parsedate_to_datetime(value).timestamp()
        now = parsedate_to_datetime(reply.headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, wanted - now), _LONGEST_RETRY)


CAUTIOUS_READS: Mapping[CallClass, Budget] = dict.fromkeys(
    (CallClass.LIST, CallClass.STATUS, CallClass.CLOSED), Budget(40, 4.0)
)
"""For venues that document no limit: caution of our own, which binds reads and never cancels.

Ten a second over some seconds: the lists of a verdict leave without a wait.
"""


LARGE = 65_536
"""Bytes of an answer from which on it is read beside the event loop: no key waits for hundreds of rows."""


def limited(
    budgets: Mapping[CallClass, Budget], limits: Mapping[str, Budget | None]
) -> dict[CallClass, Budget]:
    """A venue's budgets with the configured `limits` laid over them; None takes one away."""
    merged: dict[CallClass, Budget | None] = {**budgets}
    merged.update({CallClass(name): budget for name, budget in limits.items()})
    return {call: budget for call, budget in merged.items() if budget is not None}


class HttpVenue:
    """Base of the adapters: `ask` is the way from a message to an outcome."""

    capabilities: Capabilities

    def __init__(self, settings: VenueSettings, credentials: Mapping[str, Secret], clock: Clock) -> None:
        self.settings = settings
        self.name = VenueName(settings.name)
        """The table's name."""
        self.credentials = credentials
        self.clock = clock
        # A thread of its own: a venue with endless lists must not delay the lists of others.
        self._reader = ThreadPoolExecutor(1, "cancel-tui-reader")
        self.clock_offset: float | None = None
        """Seconds that the venue's clock is ahead of ours; None until measured."""

    @property
    def kind(self) -> str:
        """The contract's venue kind."""
        return self.settings.kind

    async def ask(
        self,
        port: Port,
        call: CallClass,
        build: Callable[[], Message],
        read: Callable[[Any], T],
        load: Callable[[bytes], Any] = decode,
    ) -> Outcome[T]:
        """Send one request and sort the answer; after a 401 once more, if `renew` found a remedy.

        `build` signs; `load` decodes JSON and `read` turns it into the vocabulary; both may raise
        `Unreadable`.
        """
        missing = await self.ready(port)
        if missing is not None:
            return missing
        used = self.signs_with

        def noted() -> Message:
            nonlocal used
            used = self.signs_with
            return build()

        outcome = await self._once(port, call, noted, read, load)
        if isinstance(outcome, Unauthorised) and outcome.status == 401 and await self.renew(port, used):
            outcome = await self._once(port, call, noted, read, load)
        if isinstance(outcome, Answered | Refused):
            self.proved()
        return outcome

    @property
    def signs_with(self) -> object:
        """What a request is signed with now, as far as a 401 may come of it (clock offset, token)."""
        return None

    async def ready(self, port: Port) -> Failure | None:
        """Make sure that requests can be signed; what stands in the way otherwise."""
        return None

    async def renew(self, port: Port, used: object) -> bool:
        """Try to cure a 401 of what was signed with `used`; whether a second try is worth it."""
        return False

    def proved(self) -> None:
        """The venue took what requests are signed with now."""

    def classify(self, call: CallClass, reply: Reply) -> Failure | None:
        """What an answer that is no success means; None for 2xx. Adapters refine it."""
        status = reply.status
        if 200 <= status < 300:
            return None
        message = complaint(reply.body)
        if status in (429, 418):
            return Throttled(retry_after(reply), message)
        if status in (401, 403):
            return Unauthorised(message, status)
        if status >= 500 or status < 400 or status == 408:
            return Unanswered(f"HTTP {status}", message, status)
        if status == 423:
            return Refused(Reason.HALTED, message, status)
        if call not in (CallClass.CANCEL, CallClass.STATUS):
            return Refused(Reason.REQUEST, message, status)
        return Refused(Reason.NOT_FOUND if status in (404, 410) else Reason.ORDER, message, status)

    async def _once(
        self,
        port: Port,
        call: CallClass,
        build: Callable[[], Message],
        read: Callable[[Any], T],
        load: Callable[[bytes], Any] = decode,
    ) -> Outcome[T]:
        raw = await port.call(call, build)
        if isinstance(raw, NotSent | Unanswered):
            return raw
        failure = self.classify(call, raw)
        if failure is not None:
            return failure
        try:
            if len(raw.body) < LARGE:
                return Answered(read(load(raw.body)))
            loop = asyncio.get_running_loop()
            return Answered(await loop.run_in_executor(self._reader, lambda: read(load(raw.body))))
        except Unreadable as why:
            return Unanswered(f"unreadable answer: {why}", None, raw.status)

    # What a venue without the ability answers; capabilities tell the desk not to ask.

    async def cancel_all(self, symbol: str | None, port: Port) -> Outcome[CancelAllAck]:
        """Not offered by this venue."""
        return NotSent("this venue has no cancel-all")

    def closed_plan(self, touched: Sequence[Touched]) -> ClosedPlan:
        """No list of finished orders."""
        return ClosedPlan()

    async def closed_page(self, query: ClosedQuery, port: Port) -> Outcome[ClosedPage]:
        """No list of finished orders."""
        return NotSent("this venue lists no finished orders")

    async def close(self) -> None:
        """Nothing of its own to let go."""


def same_order(ack: CancelAck, order_id: OrderId) -> Outcome[CancelAck]:
    """The answer, unless it names another order: then it is none at all."""
    if ack.order is not None and ack.order.key.order_id != order_id:
        return Unanswered("the answer names another order")
    return Answered(ack)
