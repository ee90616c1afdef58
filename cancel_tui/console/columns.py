"""The grid's columns: their labels, widths, and which of them a narrow screen keeps. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Column(StrEnum):
    """A column, in the order from left to right."""

    VENUE = "venue"
    ACCOUNT = "account"
    SYMBOL = "symbol"
    SIDE = "side"
    TYPE = "type"
    PRICE = "price"
    QUANTITY = "quantity"
    FILLED = "filled"
    REMAINING = "remaining"
    AGE = "age"
    STATUS = "status"
    ID = "id"


@dataclass(frozen=True, slots=True)
class Measure:
    """How wide a column is; cells."""

    width: int
    """Its width on a narrow screen."""
    widest: int
    """What it may grow to."""
    gap: int = 1
    """Blank cells before it."""
    right: bool = False
    """Whether its heading stands at the right."""


MEASURES: dict[Column, Measure] = {
    Column.VENUE: Measure(7, 14),
    Column.ACCOUNT: Measure(10, 24),
    Column.SYMBOL: Measure(9, 16),
    Column.SIDE: Measure(5, 5),
    Column.TYPE: Measure(4, 4),
    Column.PRICE: Measure(11, 16, right=True),
    Column.QUANTITY: Measure(11, 15, right=True),
    Column.FILLED: Measure(11, 15, right=True),
    Column.REMAINING: Measure(11, 15, right=True),
    Column.AGE: Measure(4, 4, right=True),
    Column.STATUS: Measure(17, 28, gap=2),
    Column.ID: Measure(12, 40),
}
GUTTER = 2
"""Cells of the cursor's marker and the mark, before the first column's own gap."""

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
_BASE = len(_KEPT) - 4
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
"""Who gets the cells that are left, first come first served."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One column where it stands."""

    column: Column
    width: int
    """Cells of its content."""
    gap: int
    """Blank cells before it."""


@lru_cache(256)
def layout(width: int, skip: frozenset[Column] = frozenset()) -> tuple[Placed, ...]:
    """The columns that `width` cells can show whole, from left to right; `skip` are not wanted at all.

    Symbol and status always stay; on a screen too narrow for both the status takes what there is.
    """
    left = width - GUTTER
    widths: dict[Column, int] = {}
    for number, column in enumerate(_KEPT):
        measure = MEASURES[column]
        if number == _BASE and Column.ACCOUNT not in skip and Column.SYMBOL in widths:
            more = max(0, min(left, _LEGIBLE - widths[Column.SYMBOL]))
            widths[Column.SYMBOL] += more
            left -= more
        if column in skip:
            continue
        if measure.width + measure.gap > left and column not in (Column.SYMBOL, Column.STATUS):
            break
        widths[column] = max(0, min(measure.width, left - measure.gap))
        left -= widths[column] + measure.gap
    for column in _GROWN:
        if column in widths and left > 0:
            more = min(left, MEASURES[column].widest - widths[column])
            widths[column] += more
            left -= more
    return tuple(
        Placed(column, widths[column], MEASURES[column].gap) for column in Column if column in widths
    )
