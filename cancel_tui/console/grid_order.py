"""The order in which rows are shown: a sorted sequence that is cheap to sort anew and to change. Pure.

What is sorted are numbers; what stands behind a number is looked at when it is asked for. So a sort of a
hundred thousand rows makes nothing of those that nobody looks at.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from math import inf
from typing import Any, TypeAlias

from cancel_tui.orders import OrderKey

SortValue: TypeAlias = str | float | Decimal | tuple[int, ...]
Place: TypeAlias = tuple[str, str, str, str, OrderKey]
"""Where a row stands among those of the same value: the parts of its key."""
Entry: TypeAlias = tuple[float, SortValue, Place]
"""Where a row stands: about where the value is, the value, the place among its equals.

The first is the value rounded to a float, 0 for a text and infinity for an unknown one, which is last: floats
are compared many times faster than anything else, and what they do not tell apart the value does.
"""
LARGEST = sys.float_info.max
"""What stands for a number that is larger still: infinity is for what is not known."""
SPARE = 1_000
"""Entries that have left and are kept all the same, beside as many as there are."""


def place_of(key: OrderKey) -> Place:
    """Where a row stands among those of the same value."""
    venue, account, family, order_id = key
    return (venue, "" if account is None else "=" + account, family, order_id, key)


def entry_of(value: SortValue | None, place: Place) -> Entry:
    """Where a row stands; None for a value that is not known."""
    if value is None:
        return (inf, 0, place)
    about = 0.0 if isinstance(value, str | tuple) else min(float(value), LARGEST)
    return (about, value, place)


class Standing(Sequence[Entry]):
    """Sorted entries. Values are all numbers, all texts or all tuples, or None; places come in order."""

    def __init__(self, values: Sequence[Any] = (), places: Sequence[Place] = ()) -> None:
        self._values = list(values)
        self._places = list(places)
        known = [number for number, one in enumerate(self._values) if one is not None]
        unknown = [number for number, one in enumerate(self._values) if one is None]
        # A stable sort keeps the order of places; plain floats and texts are sorted several times faster
        # than what is made of them.
        if known and isinstance(self._values[known[0]], str | tuple):
            self._about = [inf if one is None else 0.0 for one in self._values]
            known.sort(key=self._values.__getitem__)
        else:
            self._about = [inf if one is None else float(one) for one in self._values]
            for number in known if self._about.count(inf) > len(unknown) else ():
                self._about[number] = min(self._about[number], LARGEST)
            known.sort(key=self._about.__getitem__)
            if self._coarse(known):
                known.sort(key=self._entry)
        self._numbers = known + unknown

    def _coarse(self, known: Sequence[int]) -> bool:
        """Whether one float stands for several numbers."""
        about, values = self._about, self._values
        return any(about[a] == about[b] and values[a] != values[b] for a, b in pairwise(known))

    def _entry(self, number: int) -> Entry:
        value = self._values[number]
        return (self._about[number], 0 if value is None else value, self._places[number])

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
        self._values.append(None if about == inf else value)
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
