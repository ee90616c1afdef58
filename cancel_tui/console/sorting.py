"""What each column sorts by; unknown values are None. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

from cancel_tui.console.columns import Column
from cancel_tui.console.filtering import LONGEST
from cancel_tui.text import VenueText

if TYPE_CHECKING:
    from cancel_tui.console.grid_model import GridRow

Plain: TypeAlias = str | float | Decimal | None
"""A value to sort by, the smallest first."""


def _words(text: VenueText | str | None) -> str | None:
    if text is None:
        return None
    raw = text if isinstance(text, str) else text.raw
    return raw[:LONGEST].casefold() or None


def _youngest_first(row: GridRow) -> float | None:
    created = row.order.created_at
    return None if created is None else -created


VALUES: Mapping[Column, Callable[[GridRow], Plain]] = {
    Column.VENUE: attrgetter("key.venue"),
    Column.ACCOUNT: lambda row: _words(row.order.account or row.key.account),
    Column.SYMBOL: lambda row: _words(row.shown_symbol),
    Column.DISPLAY: lambda row: _words(row.order.display_symbol),
    Column.EXCHANGE: lambda row: _words(row.order.exchange),
    Column.SIDE: lambda row: None if row.order.side is None else row.order.side.value,
    Column.TYPE: lambda row: row.order.type.value,
    Column.TIF: lambda row: _words(row.order.time_in_force),
    Column.PRICE: attrgetter("shown_price"),
    Column.TRIGGER: attrgetter("order.trigger_price"),
    Column.QUANTITY: attrgetter("order.quantity"),
    Column.FILLED: attrgetter("order.filled"),
    Column.REMAINING: attrgetter("order.remaining"),
    Column.AVERAGE: attrgetter("order.average_price"),
    Column.NOTIONAL: attrgetter("order.notional"),
    Column.FEE: attrgetter("order.fee"),
    Column.REDUCE: lambda row: None if row.order.reduce_only is None else float(row.order.reduce_only),
    Column.AGE: _youngest_first,
    Column.WORD: lambda row: _words(row.order.venue_status),
    Column.SOURCE: lambda row: _words(row.order.source),
    Column.CREATED: attrgetter("order.created_at"),
    Column.UPDATED: attrgetter("order.updated_at"),
    Column.FAMILY: lambda row: row.key.family.value,
    Column.ID: lambda row: _words(row.key.order_id),
    Column.CLIENT: lambda row: _words(row.order.client_order_id),
}
"""Every column can be sorted by; the status, whose rank depends on the moment, by its attention."""
