"""What each column sorts by. Unknown values are None; a number that is none counts as unknown. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

from cancel_tui.console.columns import Column
from cancel_tui.console.filtering import LONGEST
from cancel_tui.orders import Order
from cancel_tui.text import VenueText

if TYPE_CHECKING:
    from cancel_tui.console.grid_model import GridRow

Plain: TypeAlias = str | float | Decimal | None
"""A value to sort by, the smallest first."""


def _words(text: VenueText | str | None) -> str | None:
    if text is None:
        return None
    raw = text.raw if isinstance(text, VenueText) else text
    return raw[:LONGEST].casefold() or None


def _number(value: Decimal | None) -> Decimal | None:
    return value if value is not None and value.is_finite() else None


def _time(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _youngest_first(row: GridRow) -> float | None:
    created = _time(row.order.created_at)
    return None if created is None else -created


def _notional(order: Order) -> Decimal | None:
    """None where a part of it is no number."""
    known = _number(order.price) is not None and _number(order.remaining) is not None
    return order.notional if known else None


VALUES: Mapping[Column, Callable[[GridRow], Plain]] = {
    Column.VENUE: lambda row: row.key.venue,
    Column.ACCOUNT: lambda row: _words(row.order.account or row.key.account),
    Column.SYMBOL: lambda row: _words(row.shown_symbol),
    Column.DISPLAY: lambda row: _words(row.order.display_symbol),
    Column.EXCHANGE: lambda row: _words(row.order.exchange),
    Column.SIDE: lambda row: None if row.order.side is None else row.order.side.value,
    Column.TYPE: lambda row: row.order.type.value,
    Column.TIF: lambda row: _words(row.order.time_in_force),
    Column.PRICE: lambda row: _number(row.shown_price),
    Column.TRIGGER: lambda row: _number(row.order.trigger_price),
    Column.QUANTITY: lambda row: _number(row.order.quantity),
    Column.FILLED: lambda row: _number(row.order.filled),
    Column.REMAINING: lambda row: _number(row.order.remaining),
    Column.AVERAGE: lambda row: _number(row.order.average_price),
    Column.NOTIONAL: lambda row: _notional(row.order),
    Column.FEE: lambda row: _number(row.order.fee),
    Column.REDUCE: lambda row: None if row.order.reduce_only is None else float(row.order.reduce_only),
    Column.AGE: _youngest_first,
    Column.WORD: lambda row: _words(row.order.venue_status),
    Column.SOURCE: lambda row: _words(row.order.source),
    Column.CREATED: lambda row: _time(row.order.created_at),
    Column.UPDATED: lambda row: _time(row.order.updated_at),
    Column.FAMILY: lambda row: row.key.family.value,
    Column.ID: lambda row: _words(row.key.order_id),
    Column.CLIENT: lambda row: _words(row.order.client_order_id),
}
"""Every column can be sorted by; the status, whose rank depends on the moment, by its attention."""
