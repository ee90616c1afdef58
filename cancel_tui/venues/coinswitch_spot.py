"""CoinSwitch PRO spot: one list without a cursor, single cancels only.

Public documentation: https://api-trading.coinswitch.co (`/spot/reference/list-orders`,
`/spot/concepts/order-lifecycle`, `/spot/concepts/exchange-identifiers`, `/spot/reference/`). Whether orders
placed by hand in the venue's own app are listed is not documented; `source` shows who placed each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from cancel_tui.clock import Clock
from cancel_tui.orders import Order, OrderKey
from cancel_tui.redaction import Secret
from cancel_tui.settings import Budget, VenueSettings
from cancel_tui.venues.base import (
    CallClass,
    CancelAck,
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
from cancel_tui.venues.coinswitch import CoinSwitch
from cancel_tui.venues.coinswitch_rows import (
    Gathering,
    Page,
    acknowledged,
    following,
    inner_order,
    loader,
    must_name,
    named,
    query_to,
    read_page,
    read_spot_order,
    safe_id,
)
from cancel_tui.venues.feed import Tell
from cancel_tui.venues.outcome import Answered, Failure, NotSent, Outcome, Reason, Refused, Unanswered
from cancel_tui.venues.pulse import Pulse
from cancel_tui.venues.repeats import Repeats
from cancel_tui.venues.streams import TextStream, open_stream

if TYPE_CHECKING:
    from cancel_tui.venues.coinswitch_stream import UpdateStream

EXCHANGES = ("coinswitchx", "c2c1", "c2c2")
"""The books of `/spot/concepts/exchange-identifiers`; retired ones are read but never asked for."""
COUNTS = (500, 100, 25)
"""Rows to ask for: the largest number that the venue takes; its maximum is not documented."""
_DEFAULT_COUNT = 25
_PING_SECONDS = 25.0
"""How often the stream's server pings where it does not tell: the protocol's usual interval."""
_PART = Part("orders")
_Filter = tuple[tuple[str, str], ...]


def make(settings: VenueSettings, credentials: Mapping[str, Secret], clock: Clock) -> CoinSwitchSpot:
    """Build the adapter; raises ValueError for keys that cannot work."""
    return CoinSwitchSpot(settings, credentials, clock)


class CoinSwitchSpot(CoinSwitch):
    """The spot surface of one key pair."""

    def __init__(self, settings: VenueSettings, credentials: Mapping[str, Secret], clock: Clock) -> None:
        # The venue documents no limit for spot cancels, so none binds them. Status reads have none either;
        # theirs is our own caution, which keeps polling polite.
        budgets = {
            CallClass.LIST: Budget(10_000, 10.0),
            CallClass.CLOSED: Budget(10_000, 10.0),
            CallClass.STATUS: Budget(10, 1.0),
        }
        capabilities = Capabilities(
            read_order=True,
            closed_page=COUNTS[0],
            budgets=budgets,
            poll_seconds=2.0,
            lacks=frozenset({"account"}),
        )
        super().__init__(settings, credentials, clock, capabilities)
        self._counts: dict[CallClass, tuple[int, ...]] = {CallClass.LIST: COUNTS, CallClass.CLOSED: COUNTS}
        """What is still worth asking for; what the venue refused is not asked again in this process."""
        self._order = partial(read_spot_order, self.name)
        self._known: dict[bytes, Order | None] | None = None
        """Rows of the list before, by the JSON that said them."""
        self._pulse = Pulse(_PING_SECONDS)

    async def parts(self, port: Port) -> Outcome[Parts]:
        """One part: everything is in one list."""
        return Answered(Parts((_PART,)))

    async def list_part(self, part: Part, port: Port) -> Outcome[PartList]:
        """Read every open order, or those before the page that failed (`/spot/reference/list-orders`)."""
        if part.id != _PART.id:
            return NotSent("this venue has no such part")
        gathering = Gathering(repeats=Repeats(self._known))
        failure = await self._gather(gathering, (), port)
        self._known = gathering.repeats.written
        return gathering.result(failure)

    async def cancel(self, key: OrderKey, port: Port) -> Outcome[CancelAck]:
        """Cancel one order: `DELETE /trade/api/v2/order` with the id in a JSON body."""
        outcome = await self.ask(port, CallClass.CANCEL, partial(self.cancel_message, key), self._one)
        return acknowledged(outcome, key)

    def cancel_message(self, key: OrderKey) -> Message:
        """The request of `cancel`."""
        return self.signed("DELETE", "/order", body={"order_id": safe_id(key.order_id)})

    async def read(self, key: OrderKey, port: Port) -> Outcome[Order]:
        """Read one order: `GET /trade/api/v2/order?order_id=`.

        The page is listed in `/spot/reference/`; its parameter and reply are a defensive reading.
        """
        outcome = await self.ask(
            port,
            CallClass.STATUS,
            lambda: self.signed("GET", "/order", (("order_id", safe_id(key.order_id)),)),
            self._one,
        )
        return named(outcome, key)

    def closed_plan(self, touched: Sequence[Touched]) -> ClosedPlan:
        """One window of creation times around every order whose creation time is known."""
        times = {
            one.key: one.order.created_at for one in touched if one.order is not None and one.order.created_at
        }
        if not times:
            return ClosedPlan()
        query = ClosedQuery(begin=min(times.values()) - 1, end=max(times.values()) + 1)
        return ClosedPlan((query,), frozenset(times))

    async def closed_page(self, query: ClosedQuery, port: Port) -> Outcome[ClosedPage]:
        """One page of finished orders: the same list with `open=false`."""
        to_time = query_to(query)
        window: _Filter = ()
        if query.begin is not None:
            window += (("from_time", str(int(query.begin * 1000))),)
        if to_time is not None:
            window += (("to_time", str(to_time)),)
        outcome = await self._page(CallClass.CLOSED, "false", window, port, to_time)
        if not isinstance(outcome, Answered):
            return outcome
        return Answered(ClosedPage(outcome.value.orders, following(query, outcome.value)))

    # ------------------------------------------------------------------ the open list

    async def _gather(self, gathering: Gathering, only: _Filter, port: Port) -> Failure | None:
        """Read the list under a filter; where it jams, read it again in narrower pieces.

        The venue has no cursor and its times are whole seconds, so more orders of one second than fit on a
        page cannot be paged by time. Exchange and side divide them without remainder; known symbols only
        help to find more.
        """
        jammed = await self._sweep(gathering, only, port)
        if not isinstance(jammed, bool):
            return jammed
        if not jammed:
            return None
        orders = tuple(gathering.orders.values())
        pieces, whole = _pieces(orders, only)
        if not whole:
            gathering.cut = "the venue may have kept orders back behind a full page"
        dry = 0
        for piece in pieces:
            before = len(gathering.orders)
            failure = await self._gather(gathering, (*only, piece), port)
            if isinstance(failure, Refused):
                gathering.cut = f"the venue refuses to list by {piece[0]}"
            elif failure is not None:
                return failure
            dry = 0 if len(gathering.orders) > before else dry + 1
            if gathering.spent or (piece[0] == "symbols" and dry >= 2):
                break
        return None

    async def _sweep(self, gathering: Gathering, only: _Filter, port: Port) -> Failure | bool:
        """Page a filtered list by creation time; whether it jammed: a full page with nothing new on it.

        A page of 25 or more is checked for a shorter cut than the one asked for, because the venue's
        maximum is not documented; neither is its order, so the way to page is read from the first page.
        """
        repeats = gathering.repeats
        outcome = await self._page(CallClass.LIST, "true", only, port, repeats=repeats)
        if not isinstance(outcome, Answered):
            return outcome
        first = outcome.value
        gathering.take(first)
        seen = set(first.ids)
        limit, jammed = min(first.limit, gathering.cap or first.limit), False
        if first.size < min(limit, _DEFAULT_COUNT):
            return False
        ways = _ways(first)
        for way in ways:
            page = first
            while not gathering.spent:
                edge = page.oldest if way == "to_time" else page.newest
                if edge is None:
                    jammed = jammed or page.size >= limit
                    break
                size = page.size
                narrowed = (*only, (way, str(edge)))
                outcome = await self._page(CallClass.LIST, "true", narrowed, port, repeats=repeats)
                if not isinstance(outcome, Answered):
                    return outcome
                page = outcome.value
                gathering.take(page)
                ids = page.ids
                if ids <= seen:
                    jammed = jammed or page.size >= limit
                    break
                # In place: a copy for each page would make a long list dearer by the row.
                seen |= ids
                if way == "to_time":
                    limit = gathering.cap = min(limit, size)
                if page.size < min(limit, _DEFAULT_COUNT):
                    break
        return jammed or (len(ways) > 1 and first.size >= limit)

    async def _page(
        self,
        call: CallClass,
        is_open: str,
        only: _Filter,
        port: Port,
        to_time: int | None = None,
        repeats: Repeats[Order | None] | None = None,
    ) -> Outcome[Page]:
        """One page, with the largest `count` that the venue takes."""
        outcome: Outcome[Page] = NotSent("no row count is left to ask for")
        counts = self._counts[call]
        for index, count in enumerate(counts):
            query = (("open", is_open), ("count", str(count)), *only)
            outcome = await self._ask_page(call, query, count, port, to_time, repeats)
            if isinstance(outcome, Answered):
                self._counts[call] = counts[index:]
            if not _count_refused(outcome):
                break
        return outcome

    async def _ask_page(
        self,
        call: CallClass,
        query: _Filter,
        count: int,
        port: Port,
        to_time: int | None,
        repeats: Repeats[Order | None] | None,
    ) -> Outcome[Page]:
        def read(answer: Any) -> Page:
            return read_page(answer, self._order, count, to_time, repeats)

        build = partial(self.signed, "GET", "/orders", query)
        return await self.ask(port, call, build, read, loader(repeats))

    # ------------------------------------------------------------------ stream

    @property
    def rhythm(self) -> float:
        """Seconds within which a living stream says something."""
        return self._pulse.rhythm

    async def listen(self, port: Port, tell: Tell) -> Failure:
        """Listen to the order updates (`/spot/websockets/order-updates`) until they are over."""
        self._pulse.begin()
        updates = await asyncio.to_thread(_updates)
        seconds = self.capabilities.timeout_seconds
        opened = await open_stream(updates.address(self.settings.socket_url(updates.PATH)), timeout=seconds)
        if isinstance(opened, Reply):
            return self.classify(CallClass.OTHER, opened) or Unanswered("no WebSocket", None, opened.status)
        if not isinstance(opened, TextStream):
            return opened
        return await updates(opened, self._keys.api_key, self.name, self.clock, self._pulse, tell).run()

    # ------------------------------------------------------------------ rows

    def _one(self, answer: Any) -> Order | None:
        row = inner_order(answer)
        return None if row is None else must_name(self._order(row))


def _updates() -> type[UpdateStream]:
    """The stream's reader, loaded when it is first needed: no kill from a shell waits for its library."""
    from cancel_tui.venues.coinswitch_stream import UpdateStream

    return UpdateStream


def _count_refused(outcome: Outcome[Page]) -> bool:
    """Whether a smaller page may be taken: a definite no that is not about the address."""
    return (
        isinstance(outcome, Refused)
        and outcome.reason is Reason.REQUEST
        and outcome.status not in (404, 405, 410)
    )


def _ways(page: Page) -> tuple[str, ...]:
    """Which ends of a page may have been cut off: the older, the newer, or either."""
    falling = sorted(page.created, reverse=True)
    if falling and falling[0] != falling[-1]:
        if page.created == falling:
            return ("to_time",)
        if page.created == falling[::-1]:
            return ("from_time",)
    return ("to_time", "from_time")


def _pieces(orders: Sequence[Order], only: _Filter) -> tuple[list[tuple[str, str]], bool]:
    """The next narrower filters, and whether together they hold everything."""
    used = {name for name, _ in only}
    if "exchanges" not in used:
        known = all(one.exchange and one.exchange.raw.casefold() in EXCHANGES for one in orders)
        return [("exchanges", name) for name in EXCHANGES], known
    if "side" not in used:
        return [("side", "buy"), ("side", "sell")], all(one.side is not None for one in orders)
    if "symbols" not in used:
        symbols = sorted({one.symbol.raw.upper() for one in orders if one.symbol})
        return [("symbols", name) for name in symbols], False
    return [], False
