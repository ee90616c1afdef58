"""From a row to the texts of its cells and the names of their styles. Pure: plain strings, never markup.

Foreign text is made literal, measured in terminal cells and cut to its column, so that nothing a venue sends
can steer the terminal, be read as markup or push another column aside.
"""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size

from cancel_tui.console.badges import age_text, badge_text
from cancel_tui.console.columns import Column, Placed, label
from cancel_tui.console.grid_model import GridRow
from cancel_tui.orders import Order, OrderType, Side, iso, plain
from cancel_tui.text import literal

TEXT = "text"
"""The role of ordinary cells."""
FAINT = "faint"
"""The role of what is secondary or absent."""
BUY = "buy"
SELL = "sell"

_STAND_IN = "\N{MIDDLE DOT}"
_LONGEST = 100
_TYPES = {
    OrderType.LIMIT: "lmt",
    OrderType.MARKET: "mkt",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stpl",
    OrderType.TAKE_PROFIT: "tp",
    OrderType.UNKNOWN: "?",
}
_SIDES = {
    (Side.BUY, False): "\N{BLACK UP-POINTING TRIANGLE}BUY",
    (Side.SELL, False): "\N{BLACK DOWN-POINTING TRIANGLE}SELL",
    (Side.BUY, True): "+BUY",
    (Side.SELL, True): "-SELL",
}
_ARROWS = {
    (False, False): "\N{UPWARDS ARROW}",
    (True, False): "\N{DOWNWARDS ARROW}",
    (False, True): "^",
    (True, True): "v",
}


class Cell(NamedTuple):
    """One cell, exactly as wide as its column."""

    text: str
    role: str


class Timed(NamedTuple):
    """The parts of a row that change by the mere passing of time."""

    status: str
    role: str
    """The status's style role."""
    age: str


def timed(row: GridRow, now: float, width: int, ascii_only: bool = False) -> Timed:
    """What the row says at a moment, monotonic seconds, where the status column has `width` cells."""
    badge = row.shown_badge
    age = "" if row.born is None else age_text(now - row.born)
    return Timed(badge_text(badge, now, width, ascii_only), badge.role_at(now), age)


def cells(row: GridRow, places: tuple[Placed, ...], moment: Timed, ascii_only: bool = False) -> list[Cell]:
    """The cells of a row from left to right, each padded or cut to its width."""
    order = row.order
    made: list[Cell] = []
    for place in places:
        width, role = place.width, TEXT
        match place.column:
            case Column.VENUE:
                text = fit(row.key.venue, width, ascii_only)
            case Column.SYMBOL:
                text = fit(row.shown_symbol or _none(ascii_only), width, ascii_only)
            case Column.SIDE:
                role = FAINT if order.side is None else BUY if order.side is Side.BUY else SELL
                text = side_text(order.side, ascii_only).ljust(width)
            case Column.TYPE:
                role = FAINT
                text = _TYPES[order.type].ljust(width)
            case Column.PRICE:
                text, role = _amount(row.shown_price, width, ascii_only)
            case Column.QUANTITY:
                text, role = _amount(order.quantity, width, ascii_only)
            case Column.FILLED:
                text, role = _amount(order.filled, width, ascii_only)
                role = role if order.filled else FAINT
            case Column.REMAINING:
                text, role = _amount(order.remaining, width, ascii_only, "*" if _own_less(order) else "")
            case Column.AGE:
                text, role = _age(moment, width, ascii_only)
            case Column.STATUS:
                text, role = _status(moment, width, ascii_only)
            case Column.TRIGGER:
                text, role = _amount(order.trigger_price, width, ascii_only)
            case Column.AVERAGE:
                text, role = _amount(order.average_price, width, ascii_only)
            case Column.NOTIONAL:
                text, role = _amount(order.notional, width, ascii_only)
            case Column.FEE:
                text, role = _amount(order.fee, width, ascii_only)
            case _:
                role = FAINT
                text = fit(_words(row, place.column, width) or _none(ascii_only), width, ascii_only)
        made.append(Cell(text, role))
    return made


def retimed(
    made: list[Cell], places: tuple[Placed, ...], moment: Timed, ascii_only: bool = False
) -> list[Cell]:
    """The same cells of the same order at another moment."""
    return [
        _age(moment, place.width, ascii_only)
        if place.column is Column.AGE
        else _status(moment, place.width, ascii_only)
        if place.column is Column.STATUS
        else cell
        for place, cell in zip(places, made, strict=True)
    ]


def _age(moment: Timed, width: int, ascii_only: bool) -> Cell:
    return Cell((moment.age or _none(ascii_only)).rjust(width), FAINT)


def _status(moment: Timed, width: int, ascii_only: bool) -> Cell:
    return Cell(fit(moment.status, width, ascii_only), moment.role)


def _words(row: GridRow, column: Column, width: int) -> str:
    """The text of a column that only says something about the order; empty where nothing is known."""
    order = row.order
    match column:
        case Column.ACCOUNT:
            return order.account or row.key.account or ""
        case Column.FAMILY:
            return row.key.family.value
        case Column.REDUCE:
            return "" if order.reduce_only is None else "yes" if order.reduce_only else "no"
        case Column.CREATED | Column.UPDATED:
            told = iso(order.created_at if column is Column.CREATED else order.updated_at) or ""
            # The date and the minute; with room for them the year and the second.
            return told[:19].replace("T", " ") if width >= 19 else told[5:16].replace("T", " ")
        case Column.ID:
            return row.key.shown_id
    texts = {
        Column.DISPLAY: order.display_symbol,
        Column.EXCHANGE: order.exchange,
        Column.TIF: order.time_in_force,
        Column.WORD: order.venue_status,
        Column.SOURCE: order.source,
        Column.CLIENT: order.client_order_id,
    }
    found = texts.get(column)
    return found.raw if found else ""


def heading(
    place: Placed, right: bool, sort: Column | None = None, reverse: bool = False, ascii_only: bool = False
) -> str:
    """A column's label with the sort mark beside it, as wide as the column."""
    text = label(place.column)
    if place.column is sort:
        arrow = _ARROWS[reverse, ascii_only]
        text = f"{arrow}{text}" if right or len(text) >= place.width else f"{text}{arrow}"
    return (text.rjust if right else text.ljust)(place.width)[: place.width]


def side_text(side: Side | None, ascii_only: bool = False) -> str:
    """The side as shape and word."""
    return _none(ascii_only) if side is None else _SIDES[side, ascii_only]


def fit(text: str, width: int, ascii_only: bool = False) -> str:
    """The text, made literal, in exactly `width` terminal cells; what is cut off leaves an ellipsis."""
    if text.isascii() and text.isprintable():
        if len(text) <= width:
            return text.ljust(width)
        return (text[: width - 1] + ("~" if ascii_only else "…")) if width > 0 else ""
    shown = _measurable(literal(text, _LONGEST))
    if ascii_only:
        return fit(shown.replace("…", "~").encode("ascii", "replace").decode("ascii"), width, True)
    size = cell_len(shown)
    if size <= width:
        return shown + " " * (width - size)
    kept, used = "", 0
    for char in shown:
        wide = get_character_cell_size(char)
        if used + wide > width - 1:
            break
        kept, used = kept + char, used + wide
    return (kept + "…" + " " * (width - used - 1)) if width > 0 else ""


def number_text(value: Decimal | None, width: int, suffix: str = "", ascii_only: bool = False) -> str:
    """The number in `width` cells with its point in the column's place, as far as its digits allow.

    Digits are the venue's own, none added, none rounded. A fraction that does not fit ends in an ellipsis, a
    whole number that does not fit is written `~1.23E+45`.
    """
    text = plain(value)
    if text is None:
        text = _none(ascii_only)
    if len(text) + len(suffix) > width:
        text = _shortened(text, value, width - len(suffix), ascii_only)
    whole = text.partition(".")[0]
    text += suffix
    fraction = min(8, max(4, width - 8))
    start = width - 1 - fraction - len(whole)
    return (" " * min(max(0, start), width - len(text)) + text).ljust(width)


def _shortened(text: str, value: Decimal | None, width: int, ascii_only: bool) -> str:
    whole, point, _ = text.partition(".")
    if point and len(whole) + 2 < width:
        return text[: width - 1] + ("~" if ascii_only else "…")
    return f"~{value:.2E}"[:width]


def _amount(value: Decimal | None, width: int, ascii_only: bool, suffix: str = "") -> tuple[str, str]:
    return number_text(value, width, suffix, ascii_only), FAINT if value is None else TEXT


def _own_less(order: Order) -> bool:
    """Whether a remaining 0 means an order without a quantity of its own, which is alive all the same."""
    return order.type.protective and order.status.live and order.remaining is not None and not order.remaining


def _none(ascii_only: bool) -> str:
    return "-" if ascii_only else "–"


def _measurable(text: str) -> str:
    """The text without characters whose width terminals do not agree on: combining, modifying, flags."""
    if text.isascii():
        return text
    return "".join(
        char if char.isascii() or (get_character_cell_size(char) and _plain_symbol(char)) else _STAND_IN
        for char in text
    )


def _plain_symbol(char: str) -> bool:
    return unicodedata.category(char) != "Sk" and not "\U0001f1e6" <= char <= "\U0001f1ff"
