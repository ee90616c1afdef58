"""Rows that a list says again: nearly all of them, word for word, each time that it is read. Pure.

What a row is read as depends on its words alone, so the same JSON need not be decoded a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from cancel_tui.venues.decode import decode

T = TypeVar("T")


class Repeats(Generic[T]):
    """The rows of one list while it is read, beside those of the list before.

    Whoever keeps `written` for the next list keeps what is listed now, and nothing that was listed earlier.
    """

    def __init__(self, known: Mapping[bytes, T] | None = None) -> None:
        self._known: Mapping[bytes, T] = known if known is not None else {}
        self.written: dict[bytes, T] = {}
        """What the rows of this list were read as, by the JSON that said them."""

    def read(self, row: object, how: Callable[[Any], T]) -> T:
        """What a row means; one that is not decoded yet is decoded where its words are new.

        `how` may depend on the row alone. Raises Unreadable for what is no JSON.
        """
        if not isinstance(row, msgspec.Raw):
            return how(row)
        written = bytes(row)
        found = self._known[written] if written in self._known else how(decode(written))
        self.written[written] = found
        return found
