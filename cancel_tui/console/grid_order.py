"""The order in which rows are shown: a sorted sequence that is cheap to sort anew and to change. Pure.

What is sorted are numbers; what stands behind a number is looked at when it is asked for. So a sort of a
hundred thousand rows makes nothing of those that nobody looks at.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from math import inf, isfinite
from typing import Any, TypeAlias

from cancel_tui.orders import OrderKey

SortValue: TypeAlias = str | float | Decimal | tuple[int, ...]
Place: TypeAlias = tuple[str, str, str, str, OrderKey]
"""Where a row stands among those of the same value: the parts of its key."""
Entry: TypeAlias = tuple[float, str | int | tuple[int, ...], Place]
"""Where a row stands: about where its value is, the value where that is a text, the place among its equals.

The first is a number as a float, 0 for a text and infinity for what is unknown, which is last. Floats are
compared many times faster than anything else; numbers that one float stands for are equals.
"""
LARGEST = sys.float_info.max
"""What stands for a number that is larger still: infinity is for what is not known."""
SPARE = 1_000
"""Entries that have left and are kept all the same, beside as many as there are."""


def places_of(keys: Iterable[OrderKey]) -> list[Place]:
    """Where rows stand among those of the same value; as they come."""
    return [
        (venue, "" if account is None else "=" + account, family, order_id, key)
        for key in keys
        for venue, account, family, order_id in (key,)
    ]


def place_of(key: OrderKey) -> Place:
    """Where a row stands among those of the same value."""
    return places_of((key,))[0]


def entry_of(value: SortValue | None, place: Place) -> Entry:
    """Where a row stands; None for a value that is not known, and so is a number that is none."""
    if isinstance(value, str | tuple):
        return (0.0, value, place)
    return (_about(value), 0, place)


def _about(value: SortValue | None) -> float:
    if isinstance(value, str | tuple):
        return 0.0
    if value is None or not (value.is_finite() if isinstance(value, Decimal) else isfinite(value)):
        return inf
    return min(float(value), LARGEST)


def _abouts(values: Sequence[Any]) -> list[float]:
    """About where known values are. Raises TypeError or ValueError where one is unknown, or beyond floats."""
    if values and isinstance(values[0], str | tuple):
        return [0.0] * len(values)
    found = list(map(float, values))
    # A sum is no number where a part of it is none.
    if not isfinite(sum(found)):
        raise ValueError("numbers that floats do not hold")
    return found


class Standing(Sequence[Entry]):
    """Sorted entries. Values are all numbers, all texts or all tuples, or None; places come in order."""

    def __init__(self, values: Iterable[Any] = (), places: Iterable[Place] = ()) -> None:
        self._values = list(values)
        self._places = list(places)
        known, unknown = list(range(len(self._values))), []
        try:
            # Nearly always every value is known.
            self._about = _abouts(self._values)
            self._sort(known)
        except (TypeError, ValueError):
            self._about = [_about(one) for one in self._values]
            known = [number for number, one in enumerate(self._about) if one != inf]
            unknown = [number for number, one in enumerate(self._about) if one == inf]
            self._sort(known)
        self._numbers = known + unknown

    def _sort(self, known: list[int]) -> None:
        """Sort the numbers of known values. Raises TypeError where one of them is not.

        A stable sort keeps the order of places; plain floats and texts are sorted several times faster than
        what is made of them.
        """
        texts = bool(known) and isinstance(self._values[known[0]], str | tuple)
        known.sort(key=(self._values if texts else self._about).__getitem__)

    def _entry(self, number: int) -> Entry:
        value = self._values[number]
        return (self._about[number], value if isinstance(value, str | tuple) else 0, self._places[number])

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        return self._entry(self._numbers[index])

    def key(self, index: int) -> OrderKey:
        """The order at a position."""
        return self._places[self._numbers[index]][-1]

    def orders(self) -> Iterator[OrderKey]:
        """The orders, as they stand."""
        return (self._places[number][-1] for number in self._numbers)

    def find(self, entry: Entry) -> int:
        """Where an entry stands, or would stand."""
        return bisect_left(self, entry)

    def add(self, entry: Entry) -> None:
        """Take an entry in."""
        about, value, place = entry
        index = self.find(entry)
        self._numbers.insert(index, len(self._values))
        self._values.append(value)
        self._about.append(about)
        self._places.append(place)

    def remove(self, entry: Entry) -> bool:
        """Take an entry out; False where it does not stand where it should."""
        index = self.find(entry)
        if index == len(self) or self[index] != entry:
            return False
        del self._numbers[index]
        return True

    @property
    def worn(self) -> bool:
        """Whether so much has left that it is time to sort anew."""
        return len(self._values) > 2 * len(self._numbers) + SPARE
