"""The vocabulary: what an order is, in the words of FIX, for every venue alike. No I/O."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple, NewType

import msgspec

from cancel_tui.text import VenueText

VenueName = NewType("VenueName", str)
"""The name of a venue's table in the configuration."""
AccountId = NewType("AccountId", str)
"""The venue's own account identifier."""
OrderId = NewType("OrderId", str)
"""The venue's own order identifier, exactly as it sent it."""


class Family(StrEnum):
    """Separate id spaces of one venue."""

    ORDER = "order"
    STOP = "stop"
    """B2TRADER's Stop orders: their own ids, their own cancel, no documented list."""


class Side(StrEnum):
    """FIX tag 54 in words."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """FIX tag 40 in words, as far as the venues tell."""

    LIMIT = "limit"
    MARKET = "market"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TAKE_PROFIT = "take_profit"
    UNKNOWN = "unknown"

    @property
    def protective(self) -> bool:
        """Whether it usually protects a position, so that cancelling it takes protection away."""
        return self in (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT)


class OrderStatus(StrEnum):
    """FIX tag 39 (OrdStatus) in words, lower case. An unknown word counts as live."""

    PENDING_NEW = "pending_new"
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNKNOWN = "unknown"

    terminal: bool
    """Whether no further fill is possible."""
    live: bool
    """Whether the order may still trade."""


TERMINAL = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED})
for _status in OrderStatus:
    # Attributes of the members, not properties: they are asked for of every row of every list.
    _status.terminal = _status in TERMINAL
    _status.live = not _status.terminal


class OrderKey(NamedTuple):
    """What identifies an order across everything: venue, account (where ids are per account), family, id."""

    venue: VenueName
    account: AccountId | None
    """None where the venue's ids are unique without an account."""
    family: Family
    order_id: OrderId

    @property
    def shown_id(self) -> str:
        """The id as a person types it: `stop:ID` for a Stop order."""
        return f"stop:{self.order_id}" if self.family is Family.STOP else self.order_id


def order_key(venue: VenueName, order_id: str) -> OrderKey:
    """The key of a plain order at a venue whose ids need no account; quicker than the constructor."""
    return _make_key(OrderKey, (venue, None, Family.ORDER, order_id))


_make_key = tuple.__new__


class Order(msgspec.Struct, frozen=True, gc=False):
    """One order as a venue described it at one moment. Unknown values are None."""

    key: OrderKey
    account: AccountId | None = None
    """The account the venue names for it, for scope and display."""
    client_order_id: VenueText | None = None
    symbol: VenueText | None = None
    """The identifier that the venue's API uses for the market."""
    display_symbol: VenueText | None = None
    exchange: VenueText | None = None
    """The book behind the venue (CoinSwitch: `coinswitchx`, `c2c1`, `EXCHANGE_2`)."""
    side: Side | None = None
    type: OrderType = OrderType.UNKNOWN
    time_in_force: VenueText | None = None
    price: Decimal | None = None
    """Limit price in quote units; None for market orders."""
    trigger_price: Decimal | None = None
    """Stop price in quote units."""
    quantity: Decimal | None = None
    """Ordered, in base units as the venue means them."""
    filled: Decimal | None = None
    """Filled so far, in base units."""
    remaining: Decimal | None = None
    """Still open, in base units; 0 on a stop without a quantity of its own, which is alive all the same."""
    average_price: Decimal | None = None
    fee: Decimal | None = None
    """What was paid so far, where the venue tells it truly."""
    reduce_only: bool | None = None
    status: OrderStatus = OrderStatus.UNKNOWN
    venue_status: VenueText | None = None
    """The venue's own word."""
    source: VenueText | None = None
    """Who placed it, in the venue's words."""
    created_at: float | None = None
    """Seconds since the epoch, UTC, by the venue's clock."""
    updated_at: float | None = None
    """Seconds since the epoch, UTC, by the venue's clock."""

    @property
    def venue(self) -> VenueName:
        """The venue's table name."""
        return self.key.venue

    @property
    def notional(self) -> Decimal | None:
        """Remaining times price in quote units; None where either is unknown or no number."""
        if self.price is None or self.remaining is None:
            return None
        if not (self.price.is_finite() and self.remaining.is_finite()):
            return None
        return self.price * self.remaining

    @property
    def quote(self) -> str | None:
        """The quote currency read from the symbol (`BTC/INR`, `GOLD-BTC`, `cfd.eur_usd`, `DOGEUSDT`)."""
        if self.symbol is None:
            return None
        return quote_of(self.symbol.raw)


def altered(order: Order, **fields: Any) -> Order:
    """The same order with other values in some fields."""
    return msgspec.structs.replace(order, **fields)


_QUOTES = ("USDT", "USDC", "INR", "BTC", "EUR", "USD")


@lru_cache(1024)
def quote_of(symbol: str) -> str | None:
    """The quote currency of a market identifier, upper case; None where it cannot be read."""
    for mark in ("/", "-", "_"):
        if mark in symbol:
            return symbol.rpartition(mark)[2].upper() or None
    upper = symbol.upper()
    return next((quote for quote in _QUOTES if upper.endswith(quote) and upper != quote), None)


_LARGEST_EXPONENT = 60
_SHORT = 20
"""Digits before and behind the point that no amount of a venue exceeds in practice."""
_WHOLE = 10**_SHORT
NOTHING = Decimal(0)
"""The zero that most rows say: one for all of them."""
_plus = Context(prec=_SHORT, traps=[Inexact, InvalidOperation]).plus
"""Raises DecimalException for a number of more digits than that."""
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


def amount(value: object) -> Decimal | None:
    """A venue's number as Decimal: decimal string, JSON number or Decimal. None for anything else.

    Not a number, infinities and magnitudes beyond 60 digits either way are None as well: they are no
    amounts, and written out they would fill the memory. Digits grouped by `_` or written in another script
    are no amount that a venue documents.
    """
    if type(value) is str:
        if value == "0":
            return NOTHING
        # Nearly all: a few digits, perhaps a point.
        if len(value) <= _SHORT and not value.strip("0123456789."):
            try:
                return Decimal(value)
            except DecimalException:
                return None
    elif type(value) is Decimal:
        try:
            # So few digits that the exponent cannot be extreme.
            if -_SHORT < value.adjusted() < _SHORT and _plus(value).is_finite():
                return value
        except DecimalException:
            pass
    elif type(value) is int and -_WHOLE < value < _WHOLE:
        return Decimal(value) if value else NOTHING
    return _checked(value)


def _checked(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    if isinstance(value, str):
        value = value.strip()
        if not _NUMBER.fullmatch(value):
            return None
    try:
        parsed = Decimal(value)
    except InvalidOperation:
        return None
    exponent = parsed.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _LARGEST_EXPONENT:
        return None
    return parsed if abs(parsed.adjusted()) <= _LARGEST_EXPONENT else None


def plain(value: Decimal | None) -> str | None:
    """A decimal string without exponent, digits as the venue gave them; None stays None."""
    return None if value is None else format(value, "f")


def iso(seconds: float | None) -> str | None:
    """ISO 8601 in UTC with milliseconds and `Z`; None stays None, and so does a time no calendar holds."""
    if seconds is None:
        return None
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
