"""CoinSwitch PRO futures (`EXCHANGE_2`): lists in windows of seven days, a native cancel-all, tiny budgets.

Public documentation: https://api-trading.coinswitch.co (`/futures/reference/open-orders`,
`/futures/reference/closed-orders`, `/futures/reference/get-order-status`,
`/futures/reference/cancel-all-open-orders`, `/futures/concepts/order-lifecycle`). There is no private
stream (`/futures/websockets/connection`), and the HFT surface is another account that is not seen here.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

from cancel_tui.clock import Clock
from cancel_tui.orders import (
    Family,
    Order,
    OrderId,
    OrderKey,
    OrderStatus,
    OrderType,
    VenueName,
    altered,
    amount,
    order_key,
)
from cancel_tui.redaction import Secret
from cancel_tui.settings import Budget, VenueSettings
from cancel_tui.venues.adapter import one_symbol
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
    TakesPages,
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
    progress,
    query_to,
    read_page,
    safe_id,
    side_of,
    status_of,
    still_open,
    unless_zero,
)
from cancel_tui.venues.coinswitch_windows import AHEAD, NEWEST, WIDEST, Span, Windows, fixed, lookback, newest
from cancel_tui.venues.decode import Unreadable, Words, epoch, flag, number, own, table, text, wrapped
from cancel_tui.venues.outcome import Answered, Failure, NotSent, Outcome
from cancel_tui.venues.repeats import Repeats

EXCHANGE = "EXCHANGE_2"
"""The only futures book (`/futures/concepts/exchange-identifiers`); sent with every request that takes it."""
ROWS = 50
"""Rows per page at the most (`/futures/reference/open-orders`)."""
TYPES: Mapping[str, OrderType] = {
    "LIMIT": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "STOP_MARKET": OrderType.STOP,
    "TAKE_PROFIT_MARKET": OrderType.TAKE_PROFIT,
}
"""The order types of `/futures/reference/place-order`."""
_DAY = 86_400.0
_HOUR = 3_600_000
_ID_SLACK = 60.0
"""Seconds that an id's own time may differ from the creation time that is listed."""
_FEW = 3
"""Orders without a known time that are always left to be read one by one."""


def make(settings: VenueSettings, credentials: Mapping[str, Secret], clock: Clock) -> CoinSwitchFutures:
    """Build the adapter; raises ValueError for keys that cannot work."""
    return CoinSwitchFutures(settings, credentials, clock)


class CoinSwitchFutures(CoinSwitch):
    """The futures surface of one key pair."""

    def __init__(self, settings: VenueSettings, credentials: Mapping[str, Secret], clock: Clock) -> None:
        reads, cancels = Budget(20, 60.0), Budget(10, 60.0)
        capabilities = Capabilities(
            cancel_all=True,
            cancel_all_symbol=True,
            cancel_all_takes_protective=True,
            read_order=True,
            closed_page=ROWS,
            budgets={
                CallClass.CANCEL_ALL: cancels,
                CallClass.CANCEL: cancels,
                CallClass.LIST: reads,
                CallClass.STATUS: reads,
                CallClass.CLOSED: reads,
            },
            poll_seconds=8.0,
            blind_spots=("hft", f"older_than:{settings.lookback_days}d"),
            lacks=frozenset({"account"}),
        )
        super().__init__(settings, credentials, clock, capabilities)
        self._windows = Windows(settings.lookback_days)
        self._open = partial(read_order, self.name)
        self._known: dict[bytes, Order | None] | None = None
        """Rows of the newest window's last list, by the JSON that said them."""

    async def parts(self, port: Port) -> Outcome[Parts]:
        """The newest window and the fixed ones behind it, back to the end of the lookback."""
        return Answered(Parts(self._windows.parts(self.now_ms())))

    async def list_part(self, part: Part, port: Port) -> Outcome[PartList]:
        """Read one window to its last page, or to the one that failed (`/futures/reference/open-orders`)."""
        # What is past is listed too seldom to be kept for the next time.
        gathering = Gathering(repeats=Repeats(self._known if part.id == NEWEST else None))
        window = fixed(part.id)
        if window is not None:
            read = await self._window(gathering, lambda: window.past(self.now_ms()), port)
            failure = None if isinstance(read, Span) else read
        elif part.id == NEWEST:
            failure = await self._newest(gathering, port)
            self._known = gathering.repeats.written
        else:
            return NotSent("this venue has no such part")
        return gathering.result(failure)

    async def cancel(self, key: OrderKey, port: Port) -> Outcome[CancelAck]:
        """Cancel one order: `DELETE /trade/api/v2/futures/order` with exchange and id in a JSON body."""
        outcome = await self.ask(port, CallClass.CANCEL, partial(self.cancel_message, key), self._one)
        return acknowledged(outcome, key)

    def cancel_message(self, key: OrderKey) -> Message:
        """The request of `cancel`."""
        body = {"exchange": EXCHANGE, "order_id": safe_id(key.order_id)}
        return self.signed("DELETE", "/futures/order", body=body)

    async def cancel_all(self, symbol: str | None, port: Port) -> Outcome[CancelAllAck]:
        """Cancel everything, or one symbol, stops and take-profits too.

        `/futures/reference/cancel-all-open-orders`. What is answered when nothing is open is not
        documented: no ids are no failure, and a 4xx is passed on as the refusal that it is.
        """

        def build() -> Message:
            body = {"exchange": EXCHANGE}
            if symbol is not None:
                body["symbol"] = one_symbol(symbol)
            return self.signed("POST", "/futures/cancel_all", body=body)

        return await self.ask(port, CallClass.CANCEL_ALL, build, _cancelled_ids)

    async def read(self, key: OrderKey, port: Port) -> Outcome[Order]:
        """Read one order (`/futures/reference/get-order-status`).

        `PARTIALLY_EXECUTED` is read as live here: the venue calls it final, yet it is seen on resting
        orders as well, and membership in the open or closed list decides, not the word.
        """
        outcome = await self.ask(
            port,
            CallClass.STATUS,
            lambda: self.signed("GET", "/futures/order", (("order_id", safe_id(key.order_id)),)),
            self._one,
        )
        return named(outcome, key)

    def closed_plan(self, touched: Sequence[Touched]) -> ClosedPlan:
        """Windows of creation time around the orders, newest first, none wider than seven days.

        A quiet day or more between two orders is left out: reading through what else finished there would
        cost more pages than the one that another window costs. Orders that nothing dates (a cancel-all only
        named them) are looked for in the whole lookback, once they are more than its windows: fewer are
        cheaper to read one by one. That comes last, for the windows before it are sure to hold their orders.
        """
        now = self.now_ms() / 1000
        times = {one.key: when for one in touched if (when := self._created(one, now)) is not None}
        queries = _around(times.values())
        undated = {one.key for one in touched if one.key not in times and self._dateless(one, now)}
        windows = lookback(self.settings.lookback_days, self.now_ms())
        if len(undated) <= max(_FEW, len(windows)):
            return ClosedPlan(tuple(queries), frozenset(times))
        queries += [ClosedQuery(window.begin / 1000, window.end / 1000) for window in windows]
        return ClosedPlan(tuple(queries), frozenset(times) | undated)

    def finished_since(self, since: float) -> tuple[ClosedQuery, ...]:
        """The whole lookback, newest first: the venue sorts by creation, and an old order may have ended."""
        windows = lookback(self.settings.lookback_days, self.now_ms())
        return tuple(ClosedQuery(window.begin / 1000, window.end / 1000) for window in windows)

    async def closed_page(self, query: ClosedQuery, port: Port) -> Outcome[ClosedPage]:
        """One page of finished orders (`/futures/reference/closed-orders`)."""
        end = query_to(query) or self.now_ms() + AHEAD
        begin = end - WIDEST if query.begin is None else math.floor(query.begin * 1000)
        span = Span(max(begin, end - WIDEST), end)
        outcome = await self._page(port, CallClass.CLOSED, "closed", lambda: span, self._closed)
        if not isinstance(outcome, Answered):
            return outcome
        page, _ = outcome.value
        return Answered(ClosedPage(page.orders, following(query, page)))

    async def check(self, port: Port) -> Outcome[str]:
        """Ask for one page of open orders: key, clock and the futures surface itself in one request."""
        outcome = await self._page(
            port, CallClass.LIST, "open", self._up_to_now(self.now_ms() - _HOUR), self._open
        )
        return Answered("the key pair is accepted for futures") if isinstance(outcome, Answered) else outcome

    # ------------------------------------------------------------------ windows

    async def _newest(self, gathering: Gathering, port: Port) -> Failure | None:
        """Read from the boundary up to now: one window, or more where the clock was found to be behind."""
        if self._windows.boundary is None:
            self._windows.parts(self.now_ms())
        begin = self._windows.boundary or 0
        while True:
            read = await self._window(gathering, self._up_to_now(begin), port)
            if not isinstance(read, Span):
                return read
            if read.end >= read.asked:
                return None
            begin = read.end

    async def _window(self, gathering: Gathering, bounds: Callable[[], Span], port: Port) -> Span | Failure:
        """Read one window page by page; the bounds that its first page was asked with."""
        first: Span | None = None
        shown = port.page if isinstance(port, TakesPages) else None
        while True:
            outcome = await self._page(port, CallClass.LIST, "open", bounds, self._open, gathering.repeats)
            if not isinstance(outcome, Answered):
                return outcome
            page, span = outcome.value
            first = first or span
            fresh, step = gathering.take(page), page.step()
            if shown is not None:
                # Twenty pages a minute: a thousand orders take that long.
                shown(page.orders)
            if not page.full or gathering.spent:
                return first
            if step is None:
                gathering.cut = "a full page without a time to go on from"
                return first
            if not fresh:
                gathering.cut = "more orders of one millisecond than fit on a page"
                step = min(step, span.end) - 1
            if step < first.begin:
                return first
            bounds = _always(Span(first.begin, step))

    def _up_to_now(self, begin: int) -> Callable[[], Span]:
        return lambda: newest(begin, self.now_ms())

    async def _page(
        self,
        port: Port,
        call: CallClass,
        state: str,
        bounds: Callable[[], Span],
        read: Callable[[Any], Order | None],
        repeats: Repeats[Order | None] | None = None,
    ) -> Outcome[tuple[Page, Span]]:
        """One page of the open or closed list; the bounds are chosen when the request may leave."""
        sent = Span(0, 0)

        def build() -> Message:
            nonlocal sent
            sent = bounds()
            window = {"limit": ROWS, "from_time": sent.begin, "to_time": sent.end}
            return self.signed("POST", f"/futures/orders/{state}", body={"exchange": EXCHANGE, **window})

        def parse(answer: Any) -> tuple[Page, Span]:
            return read_page(answer, read, ROWS, sent.end, repeats), sent

        return await self.ask(port, call, build, parse, loader(repeats))

    # ------------------------------------------------------------------ rows

    def _one(self, answer: Any) -> Order | None:
        row = inner_order(answer)
        return None if row is None else must_name(self._open(row))

    def _closed(self, row: Any) -> Order | None:
        """A row of the closed list, where a part execution is final: the rest is canceled."""
        order = read_order(self.name, row)
        if order is not None and (text(row, "status") or "").strip().upper() == "PARTIALLY_EXECUTED":
            return altered(order, status=OrderStatus.CANCELED)
        return order

    def _created(self, one: Touched, now: float) -> tuple[float, float] | None:
        """When the order was created, as seconds from and to: by its description, else by its id."""
        if one.order is not None and one.order.created_at:
            return one.order.created_at - 1, one.order.created_at + 1
        born = born_of(one.key.order_id)
        if born is None or not now - self.settings.lookback_days * _DAY <= born <= now + _ID_SLACK:
            return None
        return born - _ID_SLACK, born + _ID_SLACK

    def _dateless(self, one: Touched, now: float) -> bool:
        """Whether nothing speaks against its creation in the lookback: no id of an earlier time."""
        born = born_of(one.key.order_id)
        return born is None or born > now


_WORDS = Words("symbol", "exchange", "side", "order_type", "status")
_values = itemgetter("order_id", "quantity", "exec_quantity", "price", "created_at", "updated_at")
_OPEN, _PARTLY = OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED


def read_order(venue: VenueName, row: Any) -> Order | None:
    """A row of any futures answer as an order; None for what is none, or has no id.

    A cancel's answer calls average price and fee `avg_exec_price` and `exec_fee`. The fee is an estimate
    while nothing is filled, so it is not shown as paid. Stops and take-profits are alive with quantity 0.
    """
    try:
        order_id, ordered, executed, price, created, updated = _values(row)
        symbol, exchange, side, kind, status, word = _WORDS.known[_WORDS.of(row)]
    except (KeyError, TypeError):
        return _read_order(venue, row)
    if type(order_id) is not str or not order_id or "client_order_id" in row or "time_in_force" in row:
        return _read_order(venue, row)
    quantity, created_at = amount(ordered), epoch(created, 1e-3)
    filled, left = progress(quantity, executed)
    reduces = row.get("reduce_only")
    # By position, in the order of the fields: named, they take five times as long.
    return Order(
        order_key(venue, order_id),  # key
        None,  # account
        None,  # client_order_id
        symbol,
        None,  # display_symbol
        exchange,
        side,
        kind,  # type
        None,  # time_in_force
        amount(price) or None,  # price
        unless_zero(row, "trigger_price") if "trigger_price" in row else None,  # trigger_price
        quantity,
        filled,
        left,
        unless_zero(row, "avg_execution_price", "avg_exec_price") if filled else None,  # average_price
        number(row, "execution_fee", "exec_fee") if filled else None,  # fee
        reduces if type(reduces) is bool else None,  # reduce_only
        _PARTLY if filled and status is _OPEN else status,  # status
        word,  # venue_status
        None,  # source
        created_at,
        created_at if updated == created else epoch(updated, 1e-3),  # updated_at
    )


def _read_order(venue: VenueName, row: Any) -> Order | None:
    """The same for any row, however odd; what its words mean is kept for the next one."""
    if not isinstance(row, dict):
        return None
    order_id = text(row, "order_id")
    if order_id is None:
        return None
    quantity, filled = number(row, "quantity"), number(row, "exec_quantity")
    order = Order(
        key=OrderKey(venue, None, Family.ORDER, OrderId(order_id)),
        client_order_id=own(row, "client_order_id"),
        symbol=wrapped(row, "symbol"),
        exchange=wrapped(row, "exchange"),
        side=side_of(row),
        type=TYPES.get((text(row, "order_type") or "").strip().upper(), OrderType.UNKNOWN),
        time_in_force=wrapped(row, "time_in_force"),
        price=unless_zero(row, "price"),
        trigger_price=unless_zero(row, "trigger_price"),
        quantity=quantity,
        filled=filled,
        remaining=still_open(quantity, filled),
        average_price=unless_zero(row, "avg_execution_price", "avg_exec_price") if filled else None,
        fee=number(row, "execution_fee", "exec_fee") if filled else None,
        reduce_only=flag(row, "reduce_only"),
        status=status_of(row, filled),
        venue_status=wrapped(row, "status"),
        created_at=epoch(row.get("created_at"), 1e-3),
        updated_at=epoch(row.get("updated_at"), 1e-3),
    )
    status = status_of(row, None)
    _WORDS.learn(row, (order.symbol, order.exchange, order.side, order.type, status, order.venue_status))
    return order


def born_of(order_id: str) -> float | None:
    """Seconds since 1970 from a time-ordered UUID (version 7, RFC 9562 5.7); None for any other id.

    That the venue's ids are of that version is not documented; the samples are.
    """
    try:
        value = uuid.UUID(order_id)
    except ValueError:
        return None
    return (value.int >> 80) / 1000 if value.version == 7 else None


def _cancelled_ids(answer: Any) -> CancelAllAck:
    """The ids of `data.orders_ids`; the more usual spelling and missing lists are read as well."""
    whole = table(answer)
    data = whole.get("data")
    if whole.get("error"):
        raise Unreadable("an error's words in place of ids")
    found = data
    if isinstance(data, dict):
        found = data.get("orders_ids")
        found = data.get("order_ids") if found is None else found
    if found is not None and not isinstance(found, list):
        raise Unreadable("the ids are no list")
    ids = (text({"order_id": one} if not isinstance(one, dict) else one, "order_id") for one in found or [])
    return CancelAllAck(tuple(dict.fromkeys(OrderId(one) for one in ids if one)))


def _around(times: Iterable[tuple[float, float]]) -> list[ClosedQuery]:
    """Windows that hold all of these stretches of time (seconds), newest first."""
    queries: list[ClosedQuery] = []
    for low, high in sorted(times, reverse=True):
        last = queries[-1] if queries else None
        if last is not None and last.begin is not None and last.end is not None:
            wide = last.end - low > WIDEST / 1000
            if not wide and last.begin - high <= _DAY:
                queries[-1] = ClosedQuery(min(last.begin, low), max(last.end, high))
                continue
        queries.append(ClosedQuery(low, high))
    return queries


def _always(span: Span) -> Callable[[], Span]:
    return lambda: span
