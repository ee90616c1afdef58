"""CoinSwitch PRO: rows, pages and answers about one order, as both surfaces write them.

Numbers are JSON numbers on spot and decimal strings on futures (`/spot/concepts/numeric-types`,
`/futures/concepts/numeric-types`); every time is in milliseconds since 1970.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from operator import itemgetter
from typing import Any

import msgspec

from cancel_tui.orders import (
    NOTHING,
    Family,
    Order,
    OrderId,
    OrderKey,
    OrderStatus,
    OrderType,
    Side,
    VenueName,
    altered,
    amount,
    order_key,
)
from cancel_tui.venues.adapter import LONGEST_ID
from cancel_tui.venues.base import CancelAck, ClosedQuery, PartList
from cancel_tui.venues.decode import Unreadable, Words, decode, epoch, number, own, table, text, wrapped
from cancel_tui.venues.outcome import Answered, Failure, Outcome, Reason, Refused, Unanswered, describe
from cancel_tui.venues.repeats import Repeats

MOST_PAGES = 200
"""Pages of one list after which it is given up as endless."""

_subtract = Context(prec=200).subtract
_OPEN, _PARTLY = OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED

STATUSES: Mapping[str, OrderStatus] = {
    "OPEN": OrderStatus.OPEN,
    "RAISED": OrderStatus.OPEN,
    "PARTIALLY_EXECUTED": OrderStatus.PARTIALLY_FILLED,
    "CANCELLATION_RAISED": OrderStatus.PENDING_CANCEL,
    "EXPIRATION_RAISED": OrderStatus.PENDING_CANCEL,
    "EXECUTED": OrderStatus.FILLED,
    "CANCELLED": OrderStatus.CANCELED,
    "EXPIRED": OrderStatus.EXPIRED,
    "DISCARDED": OrderStatus.REJECTED,
    "FAILED": OrderStatus.REJECTED,
    "REJECTED": OrderStatus.REJECTED,
}
"""The words of `/spot/concepts/order-lifecycle` and `/futures/concepts/order-lifecycle`."""


def status_of(row: Mapping[str, Any], filled: Decimal | None) -> OrderStatus:
    """The status word of a row in the vocabulary; any word that is not documented is UNKNOWN, so live."""
    word = row.get("status")
    status = STATUSES.get(word.strip().upper()) if isinstance(word, str) else None
    if status is OrderStatus.OPEN and filled:
        return OrderStatus.PARTIALLY_FILLED
    return status or OrderStatus.UNKNOWN


def side_of(row: Mapping[str, Any]) -> Side | None:
    """`BUY` or `SELL`, in either case."""
    return {"BUY": Side.BUY, "SELL": Side.SELL}.get((text(row, "side") or "").strip().upper())


def unless_zero(row: Mapping[str, Any], *names: str) -> Decimal | None:
    """A number that the venue writes as 0 where there is none (price, average price, trigger)."""
    return number(row, *names) or None


def still_open(quantity: Decimal | None, filled: Decimal | None) -> Decimal | None:
    """Ordered minus filled to the last digit, never below zero; None where either is unknown."""
    if quantity is None or filled is None:
        return None
    left = _subtract(quantity, filled)
    return left if left >= 0 else NOTHING


def progress(quantity: Decimal | None, executed: object) -> tuple[Decimal | None, Decimal | None]:
    """Filled and still open, from what was executed as a row says it; most rows say 0."""
    filled = amount(executed)
    if filled is NOTHING and quantity is not None and quantity >= 0:
        return filled, quantity
    return filled, still_open(quantity, filled)


def millis(value: object) -> int | None:
    """Milliseconds since 1970 from a JSON number or text; None for anything else and for 0."""
    if type(value) is int:
        return value if 0 < value < 10**18 else None
    parsed = amount(value)
    return int(parsed) if parsed is not None and parsed > 0 and parsed.adjusted() <= 17 else None


class Page(msgspec.Struct, frozen=True):
    """The rows of one answered list request."""

    orders: tuple[Order, ...]
    size: int
    """Rows in the answer, unreadable ones included."""
    limit: int
    """How many were asked for at the most."""
    cursor: int | None = None
    """The venue's own pointer to the next page, where it sent one."""
    to_time: int | None = None
    """The newest creation time that was asked for, in milliseconds."""

    @property
    def created(self) -> list[float]:
        """Creation times in seconds, in the order of the rows."""
        return [order.created_at for order in self.orders if order.created_at is not None]

    @property
    def oldest(self) -> int | None:
        """The earliest creation time on the page, milliseconds."""
        return _millis(min(self.created, default=None))

    @property
    def newest(self) -> int | None:
        """The latest creation time on the page, milliseconds."""
        return _millis(max(self.created, default=None))

    @property
    def ids(self) -> frozenset[OrderId]:
        """The ids on the page."""
        return frozenset([order.key.order_id for order in self.orders])

    @property
    def full(self) -> bool:
        """Whether there may be more behind it."""
        return self.size >= self.limit

    def step(self) -> int | None:
        """The next inclusive `to_time`: the venue's cursor where it is sane, else the oldest row's time.

        A cursor below the oldest row would skip orders and one above the asked window would go back up;
        neither is followed.
        """
        top = self.to_time if self.to_time is not None else self.newest
        bottom = self.oldest
        if self.cursor is not None and (top is None or self.cursor <= top):
            return self.cursor if bottom is None else max(self.cursor, bottom)
        return bottom


def _millis(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def loader(repeats: Repeats[Order | None] | None) -> Callable[[bytes], Any]:
    """How a list answer is decoded: its rows only where they are not compared with those of a list before."""
    return decode if repeats is None else lambda body: repeats.load(body, "data", "orders")


def read_page(
    answer: Any,
    read: Callable[[Any], Order | None],
    limit: int,
    to_time: int | None = None,
    repeats: Repeats[Order | None] | None = None,
) -> Page:
    """The rows of a list answer; raises Unreadable for anything that is no list.

    `{"data":{"orders":[...]}}`; null or missing lists are empty (not documented: defensive reading), but
    not where the answer carries an error's words instead.
    """
    whole = table(answer)
    if "data" not in whole:
        raise Unreadable("no data in the answer")
    data = whole["data"]
    found: Any = data
    cursor = None
    if isinstance(data, dict):
        found, cursor = data.get("orders"), millis(data.get("cursor"))
    if found is None and any(one.get(name) for one in (whole, data or {}) for name in ("message", "error")):
        raise Unreadable("an error's words in place of a list")
    if found is not None and not isinstance(found, list):
        raise Unreadable("the list is none")
    raw: list[Any] = found or []
    repeats = Repeats() if repeats is None else repeats

    orders = tuple([order for order in repeats.read_all(raw, read) if order is not None])
    return Page(orders, len(raw), limit, cursor, to_time)


class Gathering(msgspec.Struct):
    """What the pages of one part have brought so far."""

    orders: dict[OrderId, Order] = msgspec.field(default_factory=dict)
    repeats: Repeats[Order | None] = msgspec.field(default_factory=Repeats)
    unreadable: int = 0
    pages: int = 0
    cap: int | None = None
    """Rows at which the venue was found to cut a page, where that is known."""
    cut: str | None = None
    """Why orders may be missing, in our words."""

    def take(self, page: Page) -> int:
        """Add a page, the later row of an id winning; how many ids were new."""
        before = len(self.orders)
        self.pages += 1
        self.unreadable += page.size - len(page.orders)
        for order in page.orders:
            self.orders[order.key.order_id] = order
        return len(self.orders) - before

    @property
    def spent(self) -> bool:
        """Whether the bound on pages is reached; the list is then marked as cut."""
        if self.pages >= MOST_PAGES:
            self.cut = f"no end after {MOST_PAGES} pages"
        return self.pages >= MOST_PAGES

    def result(self, failure: Failure | None = None) -> Outcome[PartList]:
        """The list; incomplete where a page failed, rows were unreadable or the venue may keep some back.

        Without a single page a failure stays one. Behind a page it must not hide the orders that were read:
        they can be cancelled, though the list proves nothing.
        """
        if failure is not None and not self.pages:
            return failure
        notes = [self.cut] if self.cut else []
        if failure is not None:
            notes.append(f"page {self.pages + 1}: {describe(failure)}")
        if self.unreadable:
            notes.append(f"{self.unreadable} rows could not be read as orders")
        return Answered(PartList(tuple(self.orders.values()), not notes, note="; ".join(notes) or None))


def following(query: ClosedQuery, page: Page) -> ClosedQuery | None:
    """The page of finished orders behind this one; None at the end.

    A page that lies wholly in its newest millisecond is stepped over: what else that instant holds cannot
    be reached.
    """
    step = page.step()
    if not page.full or step is None:
        return None
    if page.to_time is not None and step >= page.to_time:
        step = page.to_time - 1
        if page.oldest is None or page.oldest > page.to_time:
            return None
    count = int((query.cursor or "1:").partition(":")[0]) + 1
    if count > MOST_PAGES or (query.begin is not None and step < math.floor(query.begin * 1000)):
        return None
    return msgspec.structs.replace(query, cursor=f"{count}:{step}")


def query_to(query: ClosedQuery) -> int | None:
    """The `to_time` of a query in milliseconds: its cursor's, else its end, rounded up."""
    if query.cursor is not None:
        return int(query.cursor.partition(":")[2])
    return None if query.end is None else math.ceil(query.end * 1000)


def safe_id(order_id: str) -> str:
    """The id unchanged if it can be sent at all; raises ValueError for an empty or absurd one.

    It travels as a value of a document or of a query, whose encoding keeps it one.
    """
    if not order_id or len(order_id) > LONGEST_ID or set(order_id) <= {"."}:
        raise ValueError("an order id that cannot be sent")
    return order_id


_SPOT_WORDS = Words("symbol", "exchange", "side", "status", "order_source")
_spot_values = itemgetter(
    "order_id", "price", "orig_qty", "executed_qty", "average_price", "created_time", "updated_time"
)


def read_spot_order(venue: VenueName, row: Any) -> Order | None:
    """A row of any spot answer as an order; None for what is none, or has no id.

    The object has no order type, because limit orders are the only ones. A price of a fill is believed only
    beside a fill, and never the other way round.
    """
    try:
        order_id, price, ordered, executed, average, created, updated = _spot_values(row)
        symbol, exchange, side, status, word, source = _SPOT_WORDS.known[_SPOT_WORDS.of(row)]
    except (KeyError, TypeError):
        return _read_spot_order(venue, row)
    if type(order_id) is not str or not order_id or "client_order_id" in row:
        return _read_spot_order(venue, row)
    quantity, created_at = amount(ordered), epoch(created, 1e-3)
    filled, left = progress(quantity, executed)
    # By position, in the order of the fields: named, they take five times as long.
    return Order(
        order_key(venue, order_id),  # key
        None,  # account
        None,  # client_order_id
        symbol,
        None,  # display_symbol
        exchange,
        side,
        OrderType.LIMIT,  # type
        None,  # time_in_force
        amount(price) or None,  # price
        None,  # trigger_price
        quantity,
        filled,
        left,
        (amount(average) or None) if filled else None,  # average_price
        None,  # fee
        None,  # reduce_only
        _PARTLY if filled and status is _OPEN else status,  # status
        word,  # venue_status
        source,
        created_at,
        created_at if updated == created else epoch(updated, 1e-3),  # updated_at
    )


def _read_spot_order(venue: VenueName, row: Any) -> Order | None:
    """The same for any row, however odd; what its words mean is kept for the next one."""
    if not isinstance(row, dict):
        return None
    order_id = text(row, "order_id")
    if order_id is None:
        return None
    quantity, filled = number(row, "orig_qty"), number(row, "executed_qty")
    order = Order(
        key=OrderKey(venue, None, Family.ORDER, OrderId(order_id)),
        client_order_id=own(row, "client_order_id"),
        symbol=wrapped(row, "symbol"),
        exchange=wrapped(row, "exchange"),
        side=side_of(row),
        type=OrderType.LIMIT,
        price=unless_zero(row, "price"),
        quantity=quantity,
        filled=filled,
        remaining=still_open(quantity, filled),
        average_price=unless_zero(row, "average_price") if filled else None,
        status=status_of(row, filled),
        venue_status=wrapped(row, "status"),
        source=wrapped(row, "order_source"),
        created_at=epoch(row.get("created_time"), 1e-3),
        updated_at=epoch(row.get("updated_time"), 1e-3),
    )
    status = status_of(row, None)
    _SPOT_WORDS.learn(
        row, (order.symbol, order.exchange, order.side, status, order.venue_status, order.source)
    )
    return order


def inner_order(answer: Any) -> dict[str, Any] | None:
    """The order of an answer about one order: `data.order` or `data`; None where the venue wrote null."""
    whole = table(answer)
    if "data" not in whole:
        raise Unreadable("no data in the answer")
    data = whole["data"]
    if isinstance(data, dict) and "order" in data:
        data = data["order"]
    if data is None and not any(whole.get(name) for name in ("message", "error")):
        return None
    return table(data, "order")


def must_name(order: Order | None) -> Order:
    """The order of an answer about one order; raises Unreadable where it has no id."""
    if order is None:
        raise Unreadable("an order without an id")
    return order


def named(outcome: Outcome[Order | None], key: OrderKey) -> Outcome[Order]:
    """The order that was asked for, under the asked key; an answer about another one is no answer.

    Null in place of an order is "not found" (not documented: defensive reading). Ids are UUIDs, so their
    case means nothing.
    """
    if not isinstance(outcome, Answered):
        return outcome
    order = outcome.value
    if order is None:
        return Refused(Reason.NOT_FOUND, status=200)
    if order.key.order_id.casefold() != key.order_id.casefold():
        return Unanswered("the answer names another order", status=200)
    return Answered(altered(order, key=key))


def acknowledged(outcome: Outcome[Order | None], key: OrderKey) -> Outcome[CancelAck]:
    """The answer to a cancel; one that describes no order, or another one, is no answer."""
    if isinstance(outcome, Answered) and outcome.value is None:
        return Unanswered("the answer names no order", status=200)
    found = named(outcome, key)
    return Answered(CancelAck(found.value)) if isinstance(found, Answered) else found
