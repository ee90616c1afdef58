"""The grid's columns: their labels, widths, and which of them a narrow screen keeps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache

import msgspec


class Column(StrEnum):
    """A column, by the name that the contract's order object and the configuration have for it."""

    VENUE = "venue"
    ACCOUNT = "account"
    SYMBOL = "symbol"
    DISPLAY = "display_symbol"
    EXCHANGE = "exchange"
    SIDE = "side"
    TYPE = "type"
    TIF = "time_in_force"
    PRICE = "price"
    TRIGGER = "trigger_price"
    QUANTITY = "quantity"
    FILLED = "filled"
    REMAINING = "remaining"
    AVERAGE = "average_price"
    NOTIONAL = "notional"
    FEE = "fee"
    REDUCE = "reduce_only"
    AGE = "age"
    STATUS = "status"
    WORD = "venue_status"
    SOURCE = "source"
    CREATED = "created_at"
    UPDATED = "updated_at"
    FAMILY = "family"
    ID = "order_id"
    CLIENT = "client_order_id"


class Measure(msgspec.Struct, frozen=True):
    """How wide a column is, in cells, and how it is headed."""

    width: int
    """Its width on a narrow screen."""
    widest: int
    """What it may grow to."""
    about: str
    """What it says, in a few words."""
    gap: int = 1
    """Blank cells before it."""
    right: bool = False
    """Whether its heading stands at the right."""
    label: str = ""
    """Its heading where that is not its name."""


MEASURES: dict[Column, Measure] = {
    Column.VENUE: Measure(7, 14, "the venue's table name"),
    Column.ACCOUNT: Measure(10, 24, "the account at the venue"),
    Column.SYMBOL: Measure(9, 16, "the venue's market identifier"),
    Column.DISPLAY: Measure(9, 16, "the market as the venue shows it", label="DISPLAY"),
    Column.EXCHANGE: Measure(8, 14, "the book behind the venue"),
    Column.SIDE: Measure(5, 5, "buy or sell"),
    Column.TYPE: Measure(4, 4, "limit, market, stop, …"),
    Column.TIF: Measure(4, 8, "how long it is good for", label="TIF"),
    Column.PRICE: Measure(11, 16, "limit price, else trigger price", right=True),
    Column.TRIGGER: Measure(11, 16, "stop price", right=True, label="TRIGGER"),
    Column.QUANTITY: Measure(11, 15, "ordered, base units", right=True),
    Column.FILLED: Measure(11, 15, "filled so far, base units", right=True),
    Column.REMAINING: Measure(11, 15, "still open, base units", right=True),
    Column.AVERAGE: Measure(11, 16, "average price of the fills", right=True, label="AVERAGE"),
    Column.NOTIONAL: Measure(12, 18, "price times remaining", right=True),
    Column.FEE: Measure(10, 14, "what was paid so far", right=True),
    Column.REDUCE: Measure(3, 3, "only reduces a position", label="RED"),
    Column.AGE: Measure(4, 4, "since it was created", right=True),
    Column.STATUS: Measure(17, 28, "the live badge", gap=2),
    Column.WORD: Measure(9, 20, "the venue's own word", label="AT VENUE"),
    Column.SOURCE: Measure(8, 16, "who placed it"),
    Column.CREATED: Measure(11, 19, "when, UTC, by the venue's clock", label="CREATED"),
    Column.UPDATED: Measure(11, 19, "last change, by the venue's clock", label="UPDATED"),
    Column.FAMILY: Measure(6, 6, "order, or stop: ids of their own"),
    Column.ID: Measure(12, 40, "the venue's order id", label="ID"),
    Column.CLIENT: Measure(12, 40, "the id given by who placed it", label="CLIENT ID"),
}
GUTTER = 2
"""Cells of the cursor's marker and the mark, before the first column's own gap."""
ALWAYS = frozenset({Column.SYMBOL, Column.STATUS})
"""Nothing is cancelled unseen: what it is and how it stands can be moved, but not taken away."""
DEFAULT = (
    Column.VENUE,
    Column.ACCOUNT,
    Column.SYMBOL,
    Column.SIDE,
    Column.TYPE,
    Column.PRICE,
    Column.QUANTITY,
    Column.FILLED,
    Column.REMAINING,
    Column.AGE,
    Column.STATUS,
    Column.ID,
)
"""What is shown where nobody chose, from left to right, as far as there is room."""

_KEPT = (
    Column.SYMBOL,
    Column.STATUS,
    Column.SIDE,
    Column.VENUE,
    Column.PRICE,
    Column.REMAINING,
    Column.TYPE,
    Column.AGE,
    Column.FILLED,
    Column.ID,
    Column.ACCOUNT,
    Column.QUANTITY,
)
"""Priority: the first is the last to go. The first eight are what 80 columns show."""
_BASE = frozenset(_KEPT[:8])
_LEGIBLE = 13
"""Cells that tell the symbols of venues with accounts apart (`spot.btc_usdt`)."""
_GROWN = (
    Column.STATUS,
    Column.SYMBOL,
    Column.VENUE,
    Column.PRICE,
    Column.REMAINING,
    Column.FILLED,
    Column.QUANTITY,
    Column.ID,
    Column.ACCOUNT,
)
"""Who gets the cells that are left, first come first served; the others follow as they were chosen."""


class Placed(msgspec.Struct, frozen=True):
    """One column where it stands."""

    column: Column
    width: int
    """Cells of its content."""
    gap: int
    """Blank cells before it."""


def label(column: Column) -> str:
    """A column's heading."""
    return MEASURES[column].label or column.value.upper()


def whole(chosen: Sequence[Column]) -> tuple[Column, ...]:
    """What was chosen, each once; what must never be missing comes first where it was left out."""
    missing = [column for column in DEFAULT if column in ALWAYS and column not in chosen]
    return tuple(dict.fromkeys([*missing, *chosen]))


@lru_cache(256)
def layout(
    width: int, skip: frozenset[Column] = frozenset(), chosen: tuple[Column, ...] = DEFAULT
) -> tuple[Placed, ...]:
    """The columns of `chosen` that `width` cells can show whole, in that order; `skip` are not wanted at all.

    Symbol and status always stay; on a screen too narrow for both the status takes what there is.
    """
    left = width - GUTTER
    widths: dict[Column, int] = {}
    wanted = [column for column in whole(chosen) if column not in skip]
    ranked = [column for column in _KEPT if column in wanted]
    # Who adds a column wants to see it: only the first six go before it.
    ranked[len([one for one in ranked if one in _KEPT[:6]]) :] = [
        *(one for one in wanted if one not in _KEPT),
        *(one for one in ranked if one not in _KEPT[:6]),
    ]
    legible = False
    for column in ranked:
        measure = MEASURES[column]
        if not legible and column not in _BASE and Column.ACCOUNT not in skip:
            legible = True
            more = max(0, min(left, _LEGIBLE - widths[Column.SYMBOL]))
            widths[Column.SYMBOL] += more
            left -= more
        if measure.width + measure.gap > left and column not in ALWAYS:
            break
        widths[column] = max(0, min(measure.width, left - measure.gap))
        left -= widths[column] + measure.gap
    for column in (*_GROWN, *(one for one in wanted if one not in _GROWN)):
        if column in widths and left > 0:
            more = min(left, MEASURES[column].widest - widths[column])
            widths[column] += more
            left -= more
    return tuple(
        Placed(column, widths[column], MEASURES[column].gap) for column in wanted if column in widths
    )
