"""The merged book: what each venue last said is open, part by part. Pure; times are values handed in.

A long reading makes pauses: whoever acts in them finds the book as it stood before.

A row leaves the book only when a complete list begun later no longer holds it, and even then it is kept for a
while as "not seen": absence is no end.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import msgspec

from cancel_tui.desk.changes import Changes
from cancel_tui.desk.hints import newer
from cancel_tui.desk.track import merge
from cancel_tui.orders import TERMINAL, Order, OrderKey, VenueName
from cancel_tui.pauses import pause
from cancel_tui.venues.base import PartList

KEEP_UNSEEN = 30.0
"""Seconds that an order which dropped out of the lists stays visible."""


KEEP_END = 600.0
"""Seconds that an end which a stream told is remembered, so that a late echo does not raise the dead."""
MOST_TOLD = 5_000
"""Orders of which is remembered what a stream said; the lists know the others."""


def _forgets(order: Order, at: float, now: float) -> bool:
    return not order.status.terminal or now - at > KEEP_END


class _Reading(msgspec.Struct):
    begun: float
    orders: dict[OrderKey, Order]
    complete: bool


class VenueBook(msgspec.Struct):
    """The open orders of one venue."""

    venue: VenueName
    parts: dict[str, _Reading] = msgspec.field(default_factory=dict)
    unseen: dict[OrderKey, tuple[Order, float]] = msgspec.field(default_factory=dict)
    """Orders that dropped out: the last description, and since when they are not seen."""
    revision: int = 0
    changes: Changes = msgspec.field(default_factory=Changes)
    """Orders that came, went, or are described otherwise."""
    told: dict[OrderKey, tuple[Order, float]] = msgspec.field(default_factory=dict)
    """What a push stream last said of an order, and when; it counts until lists that were begun later."""

    def hear(self, order: Order, at: float) -> bool:
        """Take what a push stream says; what is older than what is known changes nothing. Whether it did."""
        key = order.key
        known = self.find(key)
        before = known[0] if known is not None else self.told[key][0] if key in self.told else None
        if before is not None and not newer(before, order):
            return False
        whole = order if before is None else merge(before, order)
        self.told.pop(key, None)
        self.told[key] = whole, at
        if len(self.told) > MOST_TOLD:
            oldest = next(iter(self.told))
            del self.told[oldest]
            self.changes.note(oldest)
        if whole.status.terminal:
            self.unseen[key] = whole, at
        else:
            self.unseen.pop(key, None)
        self.changes.note(key)
        self.revision += 1
        return True

    def _outdate(self, now: float) -> None:
        """Forget what the stream said where every list was begun later; an end is kept for a while."""
        begun = self._all_begun()
        for key in [one for one, (order, at) in self.told.items() if at < begun and _forgets(order, at, now)]:
            del self.told[key]
            # Where a list holds it, that list has counted more since it was taken.
            if not any(key in reading.orders for reading in self.parts.values()):
                self.changes.note(key)

    def absorb(self, part_id: str, begun: float, found: PartList, now: float) -> bool:
        """Take one reading of one part; an older one than the last changes nothing. Whether rows changed."""
        old = self.parts.get(part_id)
        if old is not None and begun < old.begun:
            return False
        rows = {order.key: order for order in found.orders if order.status not in TERMINAL}
        if old is not None and not found.complete:
            rows = {**old.orders, **rows}
        before = {} if old is None else old.orders
        pause()
        different = [
            key for key, order in rows.items() if (was := before.get(key)) is not order and was != order
        ]
        pause()
        new = sum(key not in before for key in different)
        left = [key for key in before if key not in rows] if len(rows) < len(before) + new else []
        pause()
        # Where parts overlap, this reading is the one that counts now, although it says nothing new itself.
        overlapping = [
            key
            for name, other in self.parts.items()
            if name != part_id
            for key in rows.keys() & other.orders.keys()
            if other.orders[key] != rows[key]
        ]
        # So it is where the stream has spoken: a list that was begun later counts more than its word.
        spoken = [
            key
            for key, (order, _) in self.told.items()
            if (row := rows.get(key)) is not None and row is not order and row != order
        ]
        pause()
        self.parts[part_id] = _Reading(begun, rows, found.complete)
        for key in left:
            if self.find(key) is None:
                # That it is absent takes nothing away from the venue's own word for its end.
                self.unseen[key] = self.told.get(key, (before[key], now))
        for key in self.unseen.keys() & rows.keys():
            del self.unseen[key]
        self.changes.note_these((*different, *left, *overlapping, *spoken))
        self._outdate(now)
        changed = old is None or bool(different or left)
        if changed:
            self.revision += 1
        return changed

    def clear(self) -> None:
        """Forget every reading: what they said need not hold for whoever is asked from now on."""
        for key in [*self.live(), *self.unseen, *self.told]:
            self.changes.note(key)
        self.parts.clear()
        self.unseen.clear()
        self.told.clear()
        self.revision += 1

    def forget_unseen(self, now: float) -> bool:
        """Drop what has not been seen for long. Whether rows changed."""
        old = [key for key, (_, since) in self.unseen.items() if now - since > KEEP_UNSEEN]
        for key in old:
            del self.unseen[key]
            self.changes.note(key)
        if old:
            self.revision += 1
        return bool(old)

    def retire(self, keep: set[str]) -> None:
        """Forget parts that no longer exist."""
        for part_id in [one for one in self.parts if one not in keep]:
            for key in self.parts.pop(part_id).orders:
                self.changes.note(key)

    def find(self, key: OrderKey) -> tuple[Order, float] | None:
        """An open order with the time at which the list was begun that brought it; the latest one counts."""
        found: tuple[Order, float] | None = None
        for reading in self.parts.values():
            order = reading.orders.get(key)
            if order is not None and (found is None or reading.begun >= found[1]):
                found = order, reading.begun
        said = self.told.get(key)
        if said is None or (found is not None and found[1] > said[1]):
            return found
        return None if said[0].status.terminal else said

    def _all_begun(self) -> float:
        return min((one.begun for one in self.parts.values()), default=-inf)

    def live(self) -> dict[OrderKey, Order]:
        """Every order that the newest readings hold; where parts overlap, the later reading wins."""
        merged: dict[OrderKey, Order] = {}
        for reading in sorted(self.parts.values(), key=lambda one: one.begun):
            merged.update(reading.orders)
        for key in self.told:
            found = self.find(key)
            if found is None:
                merged.pop(key, None)
            else:
                merged[key] = found[0]
        return merged

    @property
    def count(self) -> int:
        """About how many orders are open; one that two parts showed counts twice."""
        return sum(len(reading.orders) for reading in self.parts.values())

    def orders(self) -> Iterator[Order]:
        """The open orders."""
        yield from self.live().values()

    @property
    def complete(self) -> bool:
        """Whether every part was read to its end."""
        return bool(self.parts) and all(one.complete for one in self.parts.values())

    def empty_past(self, part_ids: set[str]) -> set[str]:
        """Which of these past parts were once read complete and without any order."""
        return {
            one
            for one in part_ids
            if (found := self.parts.get(one)) is not None and found.complete and not found.orders
        }
