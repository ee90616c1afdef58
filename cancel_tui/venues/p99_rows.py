"""P99 / ZTDX spot: orders as rows, pages of them, and the words of its errors.

Public pages: https://docs.ztdx.io/spot/trades-rest/list-orders, /spot/enums and /spot/error-codes.
"""

from __future__ import annotations

import math
import re
from decimal import Context
from functools import partial
from operator import itemgetter
from typing import Any
from urllib.parse import quote

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
    amount,
    order_key,
)
from cancel_tui.text import VenueText
from cancel_tui.venues import decode
from cancel_tui.venues.adapter import one_symbol
from cancel_tui.venues.base import PartList
from cancel_tui.venues.decode import Unreadable
from cancel_tui.venues.outcome import Answered, Failure, Outcome, describe
from cancel_tui.venues.repeats import Repeats

PAGE = 200
"""Rows per page: the venue's largest; it cuts larger wishes down without a word."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SIGNATURE = re.compile(r"(?i)(signature=)[0-9a-f]+")
_subtract = Context(prec=150).subtract
"""Keeps every digit of a difference of two amounts."""
_OPEN, _PARTLY = OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED

_STATUSES = {
    "open": OrderStatus.OPEN,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "cancelled": OrderStatus.CANCELED,
    "rejected": OrderStatus.REJECTED,
    "expired": OrderStatus.EXPIRED,
}
_TYPES = {"limit": OrderType.LIMIT, "market": OrderType.MARKET}
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}


def one_order(order_id: str) -> str:
    """The path of one order; raises ValueError for an id that is no UUID.

    The paths of one order and of all orders differ only by the id, so nothing else may stand there.
    """
    if not _UUID.fullmatch(order_id):
        raise ValueError("this venue's order ids are UUIDs")
    return f"/spot/orders/{order_id}"


def all_orders(symbol: str | None) -> str:
    """The query of a cancel-all: empty for every market; raises ValueError for an empty or absurd symbol."""
    return "" if symbol is None else f"symbol={quote(one_symbol(symbol), safe='')}"


class Page(msgspec.Struct, frozen=True):
    """One page of orders, with what paging needs to know of it."""

    orders: tuple[Order, ...]
    rows: int
    """Rows that were sent, unreadable ones too."""
    oldest: int | None
    """Smallest creation time, seconds; None where no row tells it."""
    newest: int | None

    @property
    def unreadable(self) -> int:
        """Rows that are no order with an id."""
        return self.rows - len(self.orders)

    def older(self, end: int | None) -> tuple[int | None, bool]:
        """The `end` of the next page (None at the end), and whether rows may be missed on the way.

        `end` is inclusive, so a full page within one second cannot be paged past without a gap.
        """
        if self.rows < PAGE:
            return None, False
        if self.oldest is None or self.newest is None or (end is not None and self.newest > end):
            return None, True
        if self.oldest == self.newest:
            return self.oldest - 1, True
        return self.oldest, False


class Gathering(msgspec.Struct):
    """What the pages of the list have brought so far."""

    orders: dict[OrderKey, Order] = msgspec.field(default_factory=dict)
    pages: int = 0
    notes: list[str] = msgspec.field(default_factory=list)
    """Why orders may be missing, in our words."""

    def take(self, page: Page) -> None:
        """Add a page, the later row of an order winning."""
        self.pages += 1
        self.orders.update({order.key: order for order in page.orders})
        if page.unreadable:
            self.notes.append("rows without a readable order id")

    def result(self, failure: Failure | None = None) -> Outcome[PartList]:
        """The list; incomplete where there is a note or a page failed.

        Without a single page a failure stays one. Behind a page it must not hide the orders that were read:
        they can be cancelled, though the list proves nothing.
        """
        if failure is not None and not self.pages:
            return failure
        broken = [] if failure is None else [f"page {self.pages + 1}: {describe(failure)}"]
        notes = list(dict.fromkeys([*self.notes, *broken]))
        return Answered(PartList(tuple(self.orders.values()), not notes, note="; ".join(notes) or None))


_WORDS = decode.Words("symbol", "side", "type", "tif", "status")
_values = itemgetter("id", "price", "quantity", "filled_qty", "avg_fill_price", "created_at", "updated_at")


def order_of(venue: VenueName, row: Any) -> Order | None:
    """A row as an order; None for what is no order with an id."""
    try:
        order_id, price, ordered, done, paid, created, updated = _values(row)
        symbol, side, kind, force, status, word = _WORDS.known[_WORDS.of(row)]
    except (KeyError, TypeError):
        return _order_of(venue, row)
    if type(order_id) is not str or not order_id:
        return _order_of(venue, row)
    quantity, created_at = amount(ordered), decode.epoch(created, 1.0)
    filled, left = amount(done), quantity
    if filled is not NOTHING:
        left = None if quantity is None or filled is None else _subtract(quantity, filled)
        if status is _OPEN and filled:
            status = _PARTLY if filled > 0 else status
    # By position, in the order of the fields: named, they take five times as long.
    return Order(
        order_key(venue, order_id),  # key
        None,  # account
        None,  # client_order_id
        symbol,
        None,  # display_symbol
        None,  # exchange
        side,
        kind,  # type
        force,  # time_in_force
        amount(price),  # price
        None,  # trigger_price
        quantity,
        filled,
        left,
        None if paid == "0" else amount(paid) or None,  # average_price
        None,  # fee
        None,  # reduce_only
        status,
        word,  # venue_status
        None,  # source
        created_at,
        created_at if updated == created else decode.epoch(updated, 1.0),  # updated_at
    )


def _order_of(venue: VenueName, row: Any) -> Order | None:
    """The same for any row, however odd; what its words mean is kept for the next one."""
    if not isinstance(row, dict):
        return None
    order_id = decode.text(row, "id")
    if order_id is None:
        return None
    word = decode.text(row, "status") or ""
    quantity, filled = decode.number(row, "quantity"), decode.number(row, "filled_qty")
    average = decode.number(row, "avg_fill_price")
    status = plainly = _STATUSES.get(word.lower(), OrderStatus.UNKNOWN)
    if status is OrderStatus.OPEN and filled is not None and filled > 0:
        status = OrderStatus.PARTIALLY_FILLED
    order = Order(
        key=OrderKey(venue, None, Family.ORDER, OrderId(order_id)),
        symbol=decode.wrapped(row, "symbol"),
        side=_SIDES.get((decode.text(row, "side") or "").lower()),
        type=_TYPES.get((decode.text(row, "type") or "").lower(), OrderType.UNKNOWN),
        time_in_force=decode.wrapped(row, "tif"),
        price=decode.number(row, "price"),
        quantity=quantity,
        filled=filled,
        remaining=_subtract(quantity, filled) if quantity is not None and filled is not None else None,
        average_price=average or None,
        status=status,
        venue_status=VenueText(word) if word else None,
        created_at=decode.epoch(row.get("created_at"), 1.0),
        updated_at=decode.epoch(row.get("updated_at"), 1.0),
    )
    _WORDS.learn(
        row, (order.symbol, order.side, order.type, order.time_in_force, plainly, order.venue_status)
    )
    return order


def page_of(venue: VenueName, value: Any, repeats: Repeats[Order | None] | None = None) -> Page:
    """A bare array as a page; raises Unreadable for anything else, null included."""
    if not isinstance(value, list):
        raise Unreadable("list is no array")
    repeats = Repeats() if repeats is None else repeats
    found = repeats.read_all(value, partial(order_of, venue))
    orders = tuple([order for order in found if order is not None])
    told = [order.created_at for order in orders if order.created_at is not None]
    if not told:
        return Page(orders, len(value), None, None)
    return Page(orders, len(value), math.ceil(min(told)), math.ceil(max(told)))


def words_of(body: bytes) -> frozenset[str]:
    """The error words of an answer in upper case with underscores; empty for what is no JSON object."""
    try:
        value = decode.decode(body)
    except Unreadable:
        return frozenset()
    if not isinstance(value, dict):
        return frozenset()
    inner = value.get("error")
    found: set[str] = set()
    for table in (value, inner if isinstance(inner, dict) else {}):
        for name in ("error", "code", "msg", "message"):
            word = decode.text(table, name)
            if word:
                found.add(re.sub(r"[\s_]+", "_", word.strip()).upper())
    return frozenset(found)


def scrubbed(message: VenueText | None) -> VenueText | None:
    """A message without the signature of the request, which a page about a bad address may repeat."""
    return VenueText(_SIGNATURE.sub(r"\1[hidden]", message.raw)) if message else message
