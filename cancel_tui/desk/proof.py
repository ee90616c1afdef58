"""When is a venue proven flat: the contract's two lists, as arithmetic on readings. Pure.

Two consecutive complete lists without an order in scope, begun at least `settle` seconds apart, both begun
after the last cancel was answered or its connection closed. A past time window that was once read complete
and empty stays proven; one that held orders needs one re-read; only the rest needs two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from cancel_tui.venues.base import Part

_MARGIN = 0.01
"""Seconds by which the second list begins later than it must: arrivals jitter."""


class PartReading(msgspec.Struct, frozen=True):
    """One part of a list, read at one time."""

    begun: float
    complete: bool
    scoped: bool
    """Whether it held an order in scope, or one whose scope cannot be read."""


class Proof(msgspec.Struct):
    """What the lists of one venue have proven so far for one scope."""

    settle: float
    held: dict[str, float] = msgspec.field(default_factory=dict)
    """Past parts that held orders in scope → when the last such reading was begun."""
    proven: dict[str, float] = msgspec.field(default_factory=dict)
    """Past parts → when the last complete reading without an order in scope was begun."""
    streak: list[float] = msgspec.field(default_factory=list)
    """When each of the consecutive complete empty passes was begun."""
    starts: dict[float, dict[str, float]] = msgspec.field(default_factory=dict)
    """Such a pass → when each of its parts was begun: what is missing from a part for less than `settle`
    seconds must show when that part is read again."""
    whole: bool = False
    """Whether after the newest pass no past part was left to read."""

    def remember(self, part_ids: Iterable[str]) -> None:
        """Past parts that this process has once read complete and empty of the scope."""
        for part_id in part_ids:
            self.proven.setdefault(part_id, float("-inf"))

    def doubt(self, part_ids: Iterable[str], now: float) -> None:
        """These parts were found to hold an order in scope: nothing that was proven stands."""
        self.streak.clear()
        for part_id in part_ids:
            self.held[part_id] = max(now, self.held.get(part_id, now))
            self.proven.pop(part_id, None)

    def wanted(self, parts: Iterable[Part], last_cancel: float) -> tuple[Part, ...]:
        """Which parts the next pass has to read."""
        return tuple(part for part in parts if not part.past or not self.past_proven(part.id, last_cancel))

    def past_proven(self, part_id: str, last_cancel: float) -> bool:
        """Whether a past part needs no further reading."""
        begun = self.proven.get(part_id)
        if begun is None:
            return False
        return part_id not in self.held or begun > max(last_cancel, self.held[part_id])

    def absorb(
        self, parts: Iterable[Part], begun: float, readings: Mapping[str, PartReading], last_cancel: float
    ) -> bool:
        """Take one pass over `parts` (all that exist now). Returns whether all is read, complete and empty.

        A pass may leave past parts to a later one, for no order is born into them; the others it has to read.
        """
        all_parts = tuple(parts)
        for part in all_parts:
            reading = readings.get(part.id)
            if not part.past or reading is None:
                continue
            if reading.scoped:
                self.held[part.id] = max(reading.begun, self.held.get(part.id, float("-inf")))
                self.proven.pop(part.id, None)
            elif reading.complete:
                self.proven[part.id] = reading.begun
        begun = min([begun, *(reading.begun for reading in readings.values())])
        empty = begun > last_cancel and all(
            self._empty(part, readings.get(part.id), last_cancel) for part in all_parts
        )
        self.whole = all(self.past_proven(part.id, last_cancel) for part in all_parts if part.past)
        if not empty:
            self.streak.clear()
        else:
            self.streak = [one for one in self.streak if one > last_cancel]
            self.streak.append(begun)
            self.starts = {one: self.starts.get(one, {}) for one in self.streak}
            self.starts[begun] = {part.id: readings[part.id].begun for part in all_parts if not part.past}
        return empty and self.whole

    def _empty(self, part: Part, reading: PartReading | None, last_cancel: float) -> bool:
        if part.past:
            return reading is None or self.past_proven(part.id, last_cancel)
        return reading is not None and reading.complete and not reading.scoped

    def flat(self, last_cancel: float) -> bool:
        """Whether two passes of the streak are late enough, and far enough apart in every part."""
        late = [begun for begun in self.streak if begun > last_cancel]
        if len(late) < 2 or not self.whole:
            return False
        again = self.starts.get(late[-1], {})
        gaps = [late[-1] - late[0], *(begun - self._first(late, name) for name, begun in again.items())]
        return min(gaps) >= self.settle - 1e-6

    def next_pass(self, last_cancel: float) -> float | None:
        """When the pass that could complete the proof may begin; None while no empty pass counts."""
        late = [begun for begun in self.streak if begun > last_cancel]
        return late[0] + self.settle + _MARGIN if late else None

    def due(self, part_id: str, begun: float, last_cancel: float) -> float:
        """When a part is to be read in a pass begun at `begun`, so that the pass can complete the proof."""
        late = [one for one in self.streak if one > last_cancel]
        if not late or begun < late[0] + self.settle:
            return begun
        return max(begun, self._first(late, part_id) + self.settle + _MARGIN)

    def _first(self, late: list[float], part_id: str) -> float:
        """When a part was read first by these passes."""
        return self.starts.get(late[0], {}).get(part_id, late[0])
