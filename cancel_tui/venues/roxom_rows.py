"""Roxom: orders as rows in the field names of both generations of the API, and its error shapes.

Public pages: https://docs.roxom.com/api-reference/orders/get-real-time-orders, /get-order-by-id,
https://docs.roxom.com/reference/api-reference/orders/list, /status, /cancel and /create.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from operator import itemgetter
from typing import Any

from cancel_tui.orders import (
    NOTHING,
    AccountId,
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

_subtract = Context(prec=150).subtract
"""Keeps every digit of a difference of two amounts."""
_OPEN, _PARTLY = OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED
_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{60,}={0,2}")

_STATUSES = {
    "pendingsubmit": OrderStatus.PENDING_NEW,
    "pending": OrderStatus.PENDING_NEW,
    "waitingtrigger": OrderStatus.OPEN,
    "submitted": OrderStatus.OPEN,
    "partiallyfilled": OrderStatus.PARTIALLY_FILLED,
    "pendingcancel": OrderStatus.PENDING_CANCEL,
    "filled": OrderStatus.FILLED,
    "cancelled": OrderStatus.CANCELED,
    "canceled": OrderStatus.CANCELED,
    "partiallyfilledcancelled": OrderStatus.CANCELED,
    "partiallyfilledcanceled": OrderStatus.CANCELED,
    "rejected": OrderStatus.REJECTED,
    "inactive": OrderStatus.REJECTED,
    "expired": OrderStatus.EXPIRED,
}
_TYPES = {
    "limit": OrderType.LIMIT,
    "market": OrderType.MARKET,
    "stop": OrderType.STOP,
    "stoplimit": OrderType.STOP_LIMIT,
    "takeprofit": OrderType.TAKE_PROFIT,
}
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}


def bare(word: str | None) -> str:
    """A venue's word without case, dashes, underscores and spaces, which its pages use unevenly."""
    return re.sub(r"[\s_-]+", "", word or "").lower()


_WORDS = decode.Words("symbol", "side", "type", "timeInForce", "status")
_values = itemgetter("id", "accountId", "px", "qty", "size", "amountFilled", "createdAt")


def order_of(venue: VenueName, row: Any) -> Order | None:
    """A row as an order; None for what is no order with an id."""
    try:
        order_id, account, asked, ordered, rests, done, created = _values(row)
        symbol, side, kind, force, status, word = _WORDS.known[_WORDS.of(row)]
    except (KeyError, TypeError):
        return _order_of(venue, row)
    price, quantity = amount(asked), amount(ordered)
    if type(order_id) is not str or not order_id or type(account) is not str or price is None:
        return _order_of(venue, row)
    if quantity is None or status.terminal or "triggerPrice" in row:
        return _order_of(venue, row)
    if done == "0" and rests == ordered:
        told, size = NOTHING, quantity
    elif (filled := amount(done)) is None or (left := amount(rests)) is None:
        return _order_of(venue, row)
    else:
        told, size = filled, left
        if _subtract(quantity, told) != size:
            return _order_of(venue, row)
        if status is _OPEN and told > 0:
            status = _PARTLY
    client = row.get("clientOrderId")
    trigger, updated = row.get("triggerPx"), row.get("updatedAt")
    # By position, in the order of the fields: named, they take five times as long.
    return Order(
        order_key(venue, order_id),  # key
        AccountId(account) if account else None,  # account
        None if client is None else decode.own(row, "clientOrderId"),  # client_order_id
        symbol,
        None,  # display_symbol
        None,  # exchange
        side,
        kind,  # type
        force,  # time_in_force
        price,
        None if trigger is None else amount(trigger),  # trigger_price
        quantity,
        told,  # filled
        size,  # remaining
        None,  # average_price
        None,  # fee
        None,  # reduce_only
        status,
        word,  # venue_status
        None,  # source
        decode.epoch_guessed(created),  # created_at
        None if updated is None else decode.epoch_guessed(updated),  # updated_at
    )


def _order_of(venue: VenueName, row: Any) -> Order | None:
    """The same for any row, however odd; what its words mean is kept for the next one."""
    if not isinstance(row, dict):
        return None
    order_id = decode.text(row, "id", "orderId")
    if order_id is None:
        return None
    word = decode.text(row, "status")
    status = plainly = _STATUSES.get(bare(word), OrderStatus.UNKNOWN)
    quantity, filled, remaining = _amounts(row, status)
    if status is OrderStatus.OPEN and filled is not None and filled > 0:
        status = OrderStatus.PARTIALLY_FILLED
    account = decode.text(row, "accountId")
    order = Order(
        key=OrderKey(venue, None, Family.ORDER, OrderId(order_id)),
        account=AccountId(account) if account else None,
        client_order_id=decode.own(row, "clientOrderId"),
        symbol=decode.wrapped(row, "symbol"),
        side=_SIDES.get(bare(decode.text(row, "side"))),
        type=_TYPES.get(bare(decode.text(row, "type", "orderType")), OrderType.UNKNOWN),
        time_in_force=decode.wrapped(row, "timeInForce"),
        price=decode.number(row, "px", "price"),
        trigger_price=decode.number(row, "triggerPx", "triggerPrice"),
        quantity=quantity,
        filled=filled,
        remaining=remaining,
        status=status,
        venue_status=VenueText(word) if word else None,
        created_at=decode.epoch_guessed(row.get("createdAt")),
        updated_at=decode.epoch_guessed(row.get("updatedAt")),
    )
    _WORDS.learn(
        row, (order.symbol, order.side, order.type, order.time_in_force, plainly, order.venue_status)
    )
    return order


def _amounts(
    row: dict[str, Any], status: OrderStatus
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Quantity, filled and remaining in base units.

    `size` is what remains. Whether `amountFilled` counts in base units is not documented: it is believed
    where it agrees with `size`, where there is no `size`, and on an order that ended otherwise than by
    filling with a `size` of 0, which may just mean that nothing rests any more.
    """
    quantity, told = decode.number(row, "qty", "quantity"), decode.number(row, "amountFilled")
    size = decode.number(row, "size")
    emptied = status.terminal and status is not OrderStatus.FILLED and size is not None and size == 0
    if quantity is None:
        return None, told, size
    if told is not None and (emptied or size is None or _subtract(quantity, told) == size):
        return quantity, told, size if size is not None else _subtract(quantity, told)
    if size is not None:
        return quantity, None if emptied else _subtract(quantity, size), size
    if status is OrderStatus.FILLED:
        return quantity, quantity, Decimal(0)
    return quantity, None, None


def is_error(value: Any) -> bool:
    """Whether an answer is one of the documented error shapes, whatever its HTTP status.

    `{"error": 401, "message": …}`, `{"error": {"code": …, "message": …}}`, `{"code": "NOT_FOUND",
    "message": …}` without `data`, and the wrapper with `"error": true`.
    """
    if not isinstance(value, dict):
        return False
    error, code = value.get("error"), value.get("code")
    if error is True or (isinstance(error, dict) and ("code" in error or "message" in error)):
        return True
    if isinstance(error, int) and error != 0:
        return isinstance(value.get("message"), str)
    return isinstance(code, str) and isinstance(value.get("message"), str) and value.get("data") is None


def failed(value: Any) -> bool:
    """Whether an answer with a good HTTP status says no all the same."""
    if not isinstance(value, dict):
        return False
    error, data = value.get("error"), value.get("data")
    if error not in (None, "", 0):
        return True
    if isinstance(value.get("code"), str) and data is None:
        return True
    return isinstance(data, dict) and data.get("success") is False


def error_code(value: Any) -> int | None:
    """The HTTP-like number that an error answer carries, or that its word stands for."""
    if not isinstance(value, dict):
        return None
    error = value.get("error")
    code = error.get("code") if isinstance(error, dict) else value.get("code")
    for one in (error, code):
        if isinstance(one, int) and not isinstance(one, bool) and 100 <= one < 600:
            return one
    return 404 if isinstance(code, str) and bare(code) in {"404", "notfound", "ordernotfound"} else None


def scrubbed(message: VenueText | None) -> VenueText | None:
    """A message without anything as long as a signature: one that is repeated would work for ever."""
    return VenueText(_SIGNATURE.sub("[hidden]", message.raw)) if message else message
