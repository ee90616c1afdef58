"""Rows that a list says again: nearly all of them, word for word, each time that it is read. Pure.

What a row is read as depends on its words alone, so the same JSON need not be decoded a second time. A long
list is read with pauses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from cancel_tui.pauses import pause
from cancel_tui.venues.decode import decode, unopened

T = TypeVar("T")
AT_A_STRETCH = 32
"""Rows that are read between two pauses."""


class Repeats(Generic[T]):
    """The rows of one list while it is read, beside those of the list before.

    Whoever keeps `written` for the next list keeps what is listed now, and nothing that was listed earlier.
    Without a list before, nothing is compared and nothing is kept: a first list is the one that is waited
    for, and rows that are decoded one by one take longer. The one behind it is then the first to be kept.
    """

    def __init__(self, known: Mapping[bytes, T] | None = None) -> None:
        self._first = known is None
        self._known: Mapping[bytes, T] = known if known is not None else {}
        self.written: dict[bytes, T] = {}
        """What the rows of this list were read as, by the JSON that said them."""

    def load(self, body: bytes, *names: str) -> Any:
        """JSON, its rows under these names not decoded where they are compared. Raises Unreadable."""
        return decode(body) if self._first else unopened(body, *names)

    def read_all(self, rows: Sequence[object], how: Callable[[Any], T]) -> list[T]:
        """What each of the rows means, as `read` says."""
        found: list[T] = []
        for start in range(0, len(rows), AT_A_STRETCH):
            some = rows[start : start + AT_A_STRETCH]
            found += [how(row) for row in some] if self._first else [self.read(row, how) for row in some]
            pause()
        return found

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
