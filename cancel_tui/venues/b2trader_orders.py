"""B2TRADER's order objects as `Order`: the stream's, the answers' and the Stop orders'. Pure.

Field names: https://api-docs.b2trader.b2broker.com/websocket-api and
https://api-docs.b2trader.b2broker.com/rest-api; the words of `status`:
https://api-docs.b2trader.b2broker.com/get-started/order-statuses
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from operator import itemgetter
from typing import Any

import msgspec

from cancel_tui.orders import (
    AccountId,
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
)
from cancel_tui.pauses import pause
from cancel_tui.venues.decode import Unreadable, Words, decode, moment, number, table, text, wrapped

_STATUS: Mapping[str, OrderStatus] = {
    "started": OrderStatus.OPEN,
    "pending": OrderStatus.OPEN,
    "working": OrderStatus.OPEN,
    "waitingforactivation": OrderStatus.OPEN,
    "completed": OrderStatus.FILLED,
    "cancelled": OrderStatus.CANCELED,
    "canceled": OrderStatus.CANCELED,
    "rejected": OrderStatus.REJECTED,
    "expired": OrderStatus.EXPIRED,
}
_STOP_CANCELED = frozenset({"waitingforactivation", "cancelled", "canceled"})
_SIDE = {"buy": Side.BUY, "sell": Side.SELL}
_TYPE = {"limit": OrderType.LIMIT, "market": OrderType.MARKET}
_STOP_TYPE = {"limit": OrderType.STOP_LIMIT, "market": OrderType.STOP}


class Rows(msgspec.Struct):
    """Orders of one account as they are read, the last of a repeated id winning."""

    venue: VenueName
    account: AccountId
    orders: dict[OrderKey, Order] = msgspec.field(default_factory=dict)
    unreadable: int = 0
    """Rows that are no order with an id."""
    known: Mapping[bytes, Order] = msgspec.field(default_factory=dict)
    """Orders of the list before, by the JSON that said them: the same words mean the same order."""
    written: dict[bytes, Order] = msgspec.field(default_factory=dict)
    """The same of this list."""

    def take(self, rows: list[msgspec.Raw]) -> None:
        """Add rows that are not decoded yet; those that stood in the list before need not be."""
        for written in map(bytes, rows):
            pause()
            order = self.known.get(written) or self._decoded(written)
            if order is None:
                self.unreadable += 1
            else:
                self.written[written] = self.orders[order.key] = order

    def _decoded(self, written: bytes) -> Order | None:
        try:
            return read_order(decode(written), self.venue, self.account)
        except Unreadable:
            return None

    def read(self, rows: list[Any], family: Family = Family.ORDER, *, known_win: bool = False) -> None:
        """Add rows; with `known_win` only those whose ids are not there yet."""
        for row in rows:
            order = read_order(row, self.venue, self.account, family)
            if order is None:
                self.unreadable += 1
            elif not known_win or order.key not in self.orders:
                self.orders[order.key] = order


_WORDS = Words("marketId", "marketDisplayName", "side", "orderType", "timeInForce", "status", "source")
_values = itemgetter(
    "orderId",
    "requestedAmount",
    "remainingAmount",
    "requestedPrice",
    "executionPrice",
    "createdAt",
    "updatedAt",
)


def read_order(
    row: object, venue: VenueName, account: AccountId, family: Family = Family.ORDER
) -> Order | None:
    """One order object; None where it is none, or has no id. Any other oddity leaves a field unknown."""
    if not isinstance(row, dict) or family is Family.STOP:
        return _read_order(row, venue, account, family)
    try:
        order_id, ordered, rests, asked, paid, created, updated = _values(row)
        words = _WORDS.known[_WORDS.of(row)]
    except (KeyError, TypeError):
        return _read_order(row, venue, account, family)
    if type(order_id) is not str or not order_id:
        return _read_order(row, venue, account, family)
    symbol, shown, side, kind, force, status, word, source = words
    quantity, remaining = amount(ordered), amount(rests)
    if quantity is None or remaining is None or (filled := quantity - remaining) < 0:
        return _read_order(row, venue, account, family)
    average = amount(paid)
    # By position, in the order of the fields: named, they take five times as long.
    return Order(
        OrderKey(venue, account, family, OrderId(order_id)),  # key
        account,
        None,  # client_order_id
        symbol,
        shown,  # display_symbol
        None,  # exchange
        side,
        kind,  # type
        force,  # time_in_force
        None if kind is OrderType.MARKET else amount(asked),  # price
        number(row, "activationPrice") if "activationPrice" in row else None,  # trigger_price
        quantity,
        filled,
        remaining,
        average if average is not None and average > 0 else None,  # average_price
        number(row, "commissionAmount", "commission"),  # fee
        None,  # reduce_only
        OrderStatus.PARTIALLY_FILLED if status is OrderStatus.OPEN and filled > 0 else status,  # status
        word,  # venue_status
        source,
        moment(created),  # created_at
        moment(updated),  # updated_at
    )


def _read_order(
    row: object, venue: VenueName, account: AccountId, family: Family = Family.ORDER
) -> Order | None:
    """The same for any row, however odd; what its words mean is kept for the next one."""
    if not isinstance(row, dict):
        return None
    order_id = text(row, "orderId")
    if order_id is None:
        return None
    quantity, remaining = number(row, "requestedAmount"), number(row, "remainingAmount")
    filled = None if quantity is None or remaining is None else quantity - remaining
    if filled is not None and filled < 0:
        filled = None
    kind = (text(row, "orderType") or "").casefold()
    price, average = number(row, "requestedPrice"), number(row, "executionPrice")
    order = Order(
        key=OrderKey(venue, account, family, OrderId(order_id)),
        account=account,
        symbol=wrapped(row, "marketId"),
        display_symbol=wrapped(row, "marketDisplayName"),
        side=_SIDE.get((text(row, "side") or "").casefold()),
        type=(_STOP_TYPE if family is Family.STOP else _TYPE).get(kind, OrderType.UNKNOWN),
        time_in_force=wrapped(row, "timeInForce"),
        price=price if kind != "market" else None,
        trigger_price=number(row, "activationPrice"),
        quantity=quantity,
        filled=filled,
        remaining=remaining,
        average_price=average if average is not None and average > 0 else None,
        fee=number(row, "commissionAmount", "commission"),
        status=_status(row, filled),
        venue_status=wrapped(row, "status"),
        source=wrapped(row, "source"),
        created_at=moment(row.get("createdAt")),
        updated_at=moment(row.get("updatedAt")),
    )
    if family is not Family.STOP:
        plainly = _status(row, None)
        meaning = (order.symbol, order.display_symbol, order.side, order.type, order.time_in_force, plainly)
        _WORDS.learn(row, (*meaning, order.venue_status, order.source))
    return order


def _status(row: Mapping[str, Any], filled: Decimal | None) -> OrderStatus:
    """The venue's word; a word that it does not document is live. `cancellationDate` proves nothing."""
    status = _STATUS.get((text(row, "status") or "").casefold(), OrderStatus.UNKNOWN)
    if status is OrderStatus.OPEN and filled is not None and filled > 0:
        return OrderStatus.PARTIALLY_FILLED
    return status


def read_cancelled(answer: Any, venue: VenueName, account: AccountId, family: Family) -> Order:
    """The order in the answer to a cancel; raises Unreadable where it holds none.

    A Stop order's own list of statuses has no word for cancelled
    (https://support.xbtfx.com/en/articles/13885966-rest-api-trading-cancel-stop-order): a 200 that still
    says that it waits is how the venue says that it is cancelled. `Activated` means that it became a live
    order with an id of its own; that, and any word that is not documented, counts as live.
    """
    order = read_order(table(answer).get("order"), venue, account, family)
    if order is None:
        raise Unreadable("no order in it")
    if family is not Family.STOP:
        return order
    if order.venue_status is None:
        raise Unreadable("a Stop order without a status")
    if order.venue_status.raw.casefold() in _STOP_CANCELED:
        return altered(order, status=OrderStatus.CANCELED)
    return order
