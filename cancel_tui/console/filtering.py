"""What is typed into the filter, read word by word: free text, `field:value`, comparisons, `-` before any.

A word that cannot be read is told and takes no row away: who types sees more than was asked for, never less.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from cancel_tui.orders import Order, Side, amount
from cancel_tui.text import literal

if TYPE_CHECKING:
    from cancel_tui.console.grid_model import GridRow

LONGEST = 200
"""Characters of a foreign text that the filter looks at."""
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_OPERATORS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {">=": ge, "<=": le, ">": gt, "<": lt, "=": eq}
# Compiled when something is typed: the first picture waits for none of them.
_COMPARED = r"([a-z_]+)(>=|<=|>|<|=)(.*)"
_AGE = r"-?age[<>=]"
_DURATION = r"([0-9]+(?:\.[0-9]+)?)([smhd]?)"

Test: TypeAlias = "Callable[[GridRow, str, float], bool]"
"""Whether a row passes, given its searched text and the time in monotonic seconds."""


def _texts(row: GridRow, name: str) -> tuple[str, ...]:
    """What a field of a row may be searched by, in lower case."""
    order = row.order
    words: tuple[object, ...]
    match name:
        case "venue":
            words = (row.key.venue,)
        case "account":
            words = (order.account or row.key.account or "",)
        case "symbol":
            words = (order.symbol, order.display_symbol)
        case "status":
            words = (row.shown_badge.word, order.status.value, order.venue_status)
        case "type":
            words = (order.type.value,)
        case "exchange":
            words = (order.exchange,)
        case "source":
            words = (order.source,)
        case _:
            words = (row.key.shown_id, order.client_order_id)
    return tuple(_raw(word)[:LONGEST].casefold() for word in words if word)


def _raw(word: object) -> str:
    return str(getattr(word, "raw", word))


FIELDS = ("venue", "side", "symbol", "status", "type", "account", "exchange", "source", "id")
"""What may stand before a colon."""
NUMBERS: Mapping[str, Callable[[Order], Decimal | None]] = {
    "price": lambda order: order.price if order.price is not None else order.trigger_price,
    "trigger": lambda order: order.trigger_price,
    "quantity": lambda order: order.quantity,
    "filled": lambda order: order.filled,
    "remaining": lambda order: order.remaining,
    "notional": lambda order: order.notional,
}
"""What may be compared with a number, besides the age."""


class Filter(msgspec.Struct, frozen=True):
    """A filter as it was typed, and how it was read."""

    text: str = ""
    tests: tuple[Test, ...] = ()
    """Every row that is shown passes all of them."""
    troubles: tuple[str, ...] = msgspec.field(default=())
    """Why words could not be read, a sentence each; such a word hides nothing."""
    timed: bool = False
    """Whether a row may come or go by the mere passing of time."""

    def shows(self, row: GridRow, haystack: str, now: float) -> bool:
        """Whether a row is shown; `haystack` is its searched text, in lower case."""
        return all(test(row, haystack, now) for test in self.tests)


def read(text: str) -> Filter:
    """Read what was typed."""
    tests: list[Test] = []
    troubles: list[str] = []
    timed = False
    for word in text.casefold().split():
        negated = word.startswith("-")
        found = _read(word.removeprefix("-"))
        if isinstance(found, str):
            troubles.append(found)
            continue
        timed = timed or re.match(_AGE, word) is not None
        tests.append(_negated(found) if negated else found)
    return Filter(text, tuple(tests), tuple(troubles), timed)


def _negated(test: Test) -> Test:
    return lambda row, haystack, now: not test(row, haystack, now)


def _read(word: str) -> Test | str:
    """One word without its minus; a text says why it cannot be read."""
    if not word:
        return "- needs a word behind it"
    compared = re.fullmatch(_COMPARED, word)
    if compared is not None:
        return _comparison(*compared.groups())
    name, colon, value = word.partition(":")
    if not colon or name == "stop":
        # `stop:` begins the id of a Stop order.
        return lambda row, haystack, now: word in haystack
    if name not in FIELDS:
        return f"{literal(name, 12)}: is no field; there are {', '.join(FIELDS)}"
    values = tuple(one for one in value.split(",") if one)
    if not values:
        return f"{name}: needs a value behind it"
    if name == "side":
        return _side(values)
    return lambda row, haystack, now: any(one in text for text in _texts(row, name) for one in values)


def _side(values: tuple[str, ...]) -> Test | str:
    sides = {side for side in Side for value in values if side.value.startswith(value)}
    if not all(any(side.value.startswith(value) for side in Side) for value in values):
        return "side: is buy or sell"
    return lambda row, haystack, now: row.order.side in sides


def _comparison(name: str, sign: str, value: str) -> Test | str:
    compare = _OPERATORS[sign]
    if name == "age":
        found = re.fullmatch(_DURATION, value)
        if found is None:
            return f"age{sign} needs a time such as 30s, 5m, 2h or 1d"
        limit = Decimal(found[1]) * _UNITS[found[2]]
        return lambda row, haystack, now: (
            row.born is not None and compare(Decimal(max(0.0, now - row.born)), limit)
        )
    number = NUMBERS.get(name)
    if number is None:
        return f"{literal(name, 12)}{sign} cannot be compared; age, {', '.join(NUMBERS)} can"
    wanted = amount(value)
    if wanted is None:
        return f"{name}{sign} needs a number behind it"

    def test(row: GridRow, haystack: str, now: float) -> bool:
        held = number(row.order)
        return held is not None and held.is_finite() and compare(held, wanted)

    return test
