"""The rows of the order grid: held, sorted, filtered and marked. Pure; it knows no screen.

The shown order is one sorted list, so that a changed, new or leaving row costs a binary search and not a
sort, and so that the place of a row that has left can still be told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache
from math import inf
from typing import Any

import msgspec

from cancel_tui.cancels import Stage
from cancel_tui.console.badges import Badge, badge_for
from cancel_tui.console.columns import Column
from cancel_tui.console.filtering import LONGEST, Filter, read
from cancel_tui.console.grid_order import Entry, Place, SortValue, Standing, entry_of, place_of, places_of
from cancel_tui.console.sorting import VALUES, Plain
from cancel_tui.orders import Order, OrderKey


class GridRow(msgspec.Struct, frozen=True, kw_only=True):
    """One order as the grid shows it. A change is another row; ages move on by themselves."""

    key: OrderKey
    order: Order
    stage: Stage | None = None
    """Where its cancel stands; None where nobody wanted one."""
    badge: Badge | None = None
    """Its status; None means: by the order's own status."""
    revision: int = 0
    """The caller's count of changes to this row."""
    born: float | None = None
    """Monotonic seconds at which the order was created, by the venue's clock; None where unknown."""

    @property
    def shown_badge(self) -> Badge:
        """The badge, made from the order's own status where none was given."""
        return self.badge or badge_for(self.order, self.stage)

    @property
    def shown_price(self) -> Decimal | None:
        """The limit price, or the trigger price of a stop without one; quote units."""
        return self.order.price if self.order.price is not None else self.order.trigger_price

    @property
    def shown_symbol(self) -> str:
        """The venue's market identifier, raw; empty where unknown."""
        symbol = self.order.symbol
        if symbol is None or not symbol.raw:
            symbol = self.order.display_symbol
        return "" if symbol is None else symbol.raw


@lru_cache(4096)
def _downwards(text: str) -> tuple[int, ...]:
    """A value that sorts the other way round than the text does."""
    return (*(-ord(char) for char in text), 1)


def _flipped(value: str | float | Decimal) -> SortValue:
    if isinstance(value, str):
        return _downwards(value)
    return value.copy_negate() if isinstance(value, Decimal) else -value


def _all_flipped(values: list[Any]) -> list[Any]:
    with suppress(TypeError):
        return list(map(Decimal.copy_negate, values))
    return [one if one is None else _flipped(one) for one in values]


class GridModel:
    """Every row by its key, and the shown ones in order."""

    def __init__(self) -> None:
        self._rows: dict[OrderKey, GridRow] = {}
        self._places: dict[OrderKey, Place] = {}
        """Of the same rows, in the same order."""
        self._tidy = True
        """Whether that is the order of their places."""
        self._order = Standing()
        self._marks: set[OrderKey] = set()
        self._haystacks: dict[OrderKey, str] = {}
        self._filter = Filter()
        self._shown: set[OrderKey] | None = None
        """Which rows the filter shows; None without one: all of them."""
        self._now = 0.0
        self._with_account = 0
        self._next_alarm = inf
        """When the first of the doubts that are sorted as young becomes an alarm, monotonic seconds."""
        self._value: Callable[[GridRow], Plain] = VALUES[Column.VENUE]
        self.sort = Column.VENUE
        """The column that the rows are sorted by."""
        self.reverse = False
        """Whether the largest comes first; unknown values come last all the same."""
        self.revision = 0
        """Counts every change of anything here."""

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[GridRow]:
        rows = self._rows
        return (rows[key] for key in self._order.orders())

    @property
    def filter(self) -> str:
        """The filter as it was typed."""
        return self._filter.text

    @property
    def troubles(self) -> tuple[str, ...]:
        """Why words of the filter could not be read, a sentence each; those hide nothing."""
        return self._filter.troubles

    @property
    def total(self) -> int:
        """How many rows there are, shown or not."""
        return len(self._rows)

    @property
    def has_accounts(self) -> bool:
        """Whether any row names an account; without one the column is of no use."""
        return self._with_account > 0

    @property
    def marked(self) -> frozenset[OrderKey]:
        """The marked orders, those that the filter hides as well."""
        return frozenset(self._marks)

    @property
    def mark_count(self) -> int:
        """How many orders are marked."""
        return len(self._marks)

    def is_marked(self, key: OrderKey) -> bool:
        """Whether the order is marked."""
        return key in self._marks

    def get(self, key: OrderKey) -> GridRow | None:
        """The row of an order, shown or not."""
        return self._rows.get(key)

    def row(self, index: int) -> GridRow | None:
        """The shown row at a position; None where there is none."""
        return self._rows[self._order.key(index)] if 0 <= index < len(self._order) else None

    def place(self, row: GridRow) -> int:
        """The position where the row stands, or would stand if it were still shown."""
        return self._order.find(self._entry(row))

    def position(self, key: OrderKey) -> int | None:
        """The position of an order among the shown ones; None where it is not shown."""
        row = self._rows.get(key)
        if row is None:
            return None
        index = self.place(row)
        return index if index < len(self._order) and self._order.key(index) == key else None

    def apply(self, changes: Iterable[GridRow], removed: Iterable[OrderKey] = ()) -> bool:
        """Take leaving, changed and new rows, in this order; whether which rows stand where has changed.

        A row equal to the one held is no change. Marks leave with their rows.
        """
        latest = {row.key: row for row in changes}
        if not self._rows and latest:
            return self._fill(latest)
        takes: list[Entry] = []
        puts: list[Entry] = []
        for key in removed:
            self._drop(key, takes)
        for row in latest.values():
            self._put(row, takes, puts)
        self._reorder(takes, puts)
        return bool(takes or puts)

    def set_sort(self, column: Column, reverse: bool = False) -> bool:
        """Sort by a column; whether that was a change."""
        if (column, reverse) == (self.sort, self.reverse):
            return False
        self.sort, self.reverse = column, reverse
        self._value = self._attention if column is Column.STATUS else VALUES[column]
        self._rebuild()
        return True

    def set_filter(self, text: str) -> bool:
        """Show only rows that pass every word of the text, ignoring case; whether that was a change."""
        if text == self.filter:
            return False
        before, self._filter = self._filter, read(text)
        if before.tests or self._filter.tests:
            self._rebuild()
        return True

    def pass_time(self, now: float) -> bool:
        """It is `now`, monotonic seconds; whether other rows are shown than before, or in another order.

        A filter by age lets rows come and go. Sorted by status, a doubt that has become an alarm comes before
        those that are young.
        """
        was, self._now = self._now, now
        alarmed = self.sort is Column.STATUS and (now >= self._next_alarm or now < was)
        if not alarmed and not self._other_ages():
            return False
        before = list(self._order.orders())
        self._rebuild()
        return before != list(self._order.orders())

    def _other_ages(self) -> bool:
        if not self._filter.timed or self._shown is None:
            return False
        return any(self._passes(row) is not (key in self._shown) for key, row in self._rows.items())

    def mark(self, key: OrderKey, marked: bool) -> bool:
        """Mark or unmark a row that is held; whether that was a change."""
        if key not in self._rows or (key in self._marks) is marked:
            return False
        self._marks.symmetric_difference_update((key,))
        self.revision += 1
        return True

    def clear_marks(self) -> bool:
        """Unmark everything; whether there was a mark."""
        if not self._marks:
            return False
        self._marks.clear()
        self.revision += 1
        return True

    def _fill(self, rows: dict[OrderKey, GridRow]) -> bool:
        self._rows = rows
        self._arrange(sorted(places_of(rows)))
        self._with_account = sum(row.order.account is not None for row in rows.values())
        self._rebuild()
        return True

    def _arrange(self, places: Iterable[Place]) -> None:
        """Hold the rows in the order of their places."""
        self._places = {place[-1]: place for place in places}
        self._rows = {key: self._rows[key] for key in self._places}
        self._tidy = True

    def _drop(self, key: OrderKey, takes: list[Entry]) -> None:
        row = self._rows.get(key)
        if row is None:
            return
        if self._shows(key):
            takes.append(self._entry(row))
        if self._shown is not None:
            self._shown.discard(key)
        self._with_account -= row.order.account is not None
        self._marks.discard(key)
        self._haystacks.pop(key, None)
        del self._rows[key], self._places[key]
        self.revision += 1

    def _put(self, row: GridRow, takes: list[Entry], puts: list[Entry]) -> None:
        old = self._rows.get(row.key)
        before = after = None
        if old is not None:
            if old is row or (old.revision == row.revision and old == row):
                return
            if self._shows(row.key):
                before = self._entry(old)
            self._with_account -= old.order.account is not None
            self._haystacks.pop(row.key, None)
        else:
            self._places[row.key], self._tidy = place_of(row.key), False
        self._rows[row.key] = row
        self._await_alarm(row)
        self._with_account += row.order.account is not None
        self.revision += 1
        if self._shown is not None:
            (self._shown.add if self._passes(row) else self._shown.discard)(row.key)
        if self._shows(row.key):
            after = self._entry(row)
        if before == after:
            return
        if before is not None:
            takes.append(before)
        if after is not None:
            puts.append(after)

    def _reorder(self, takes: list[Entry], puts: list[Entry]) -> None:
        """Move the few by searching, the many by sorting anew."""
        if len(takes) + len(puts) > 50 + len(self._order) // 50 or self._order.worn:
            self._rebuild()
            return
        if not all(map(self._order.remove, takes)):
            # A value that does not compare with itself: sorting anew is always right.
            self._rebuild()
            return
        for entry in puts:
            self._order.add(entry)

    def _rebuild(self) -> None:
        if not self._tidy:
            self._arrange(sorted(self._places.values()))
        rows: Collection[GridRow] = self._rows.values()
        places: Collection[Place] = self._places.values()
        if self._filter.tests:
            rows = [row for row in rows if self._passes(row)]
            self._shown = {row.key for row in rows}
            places = [self._places[row.key] for row in rows]
        else:
            self._shown = None
        if self.sort is Column.STATUS:
            self._next_alarm = inf
            for row in self._rows.values():
                self._await_alarm(row)
        values: Iterable[SortValue | None] = map(self._value, rows)
        self._order = Standing(_all_flipped(list(values)) if self.reverse else values, places)
        self.revision += 1

    def _await_alarm(self, row: GridRow) -> None:
        if row.badge is not None and self._now < row.badge.alarm_at < self._next_alarm:
            self._next_alarm = row.badge.alarm_at

    def _attention(self, row: GridRow) -> int:
        # Stands still until the next alarm, when all rows are sorted anew: so a search finds its row.
        return row.shown_badge.attention_at(self._now)

    def _sorted_by(self, row: GridRow) -> SortValue | None:
        plain = self._value(row)
        return _flipped(plain) if self.reverse and plain is not None else plain

    def _entry(self, row: GridRow) -> Entry:
        return entry_of(self._sorted_by(row), self._places.get(row.key) or place_of(row.key))

    def _shows(self, key: OrderKey) -> bool:
        return self._shown is None or key in self._shown

    def _passes(self, row: GridRow) -> bool:
        haystack = self._haystacks.get(row.key)
        if haystack is None:
            haystack = self._haystacks[row.key] = _haystack(row)
        return self._filter.shows(row, haystack, self._now)


def _haystack(row: GridRow) -> str:
    order = row.order
    texts = (order.symbol, order.display_symbol, order.exchange, order.client_order_id, order.venue_status)
    parts = [
        row.key.venue,
        order.account or row.key.account or "",
        row.key.shown_id,
        order.side.value if order.side else "",
        order.type.value,
        row.shown_badge.word,
        *(text.raw for text in texts if text),
    ]
    return "\n".join(part[:LONGEST] for part in parts).casefold()
