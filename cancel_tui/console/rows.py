"""From the ledger to the grid: which rows changed since the last look. Knows no widget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cancel_tui.cancels import Stage
from cancel_tui.console.badges import badge_for
from cancel_tui.console.grid_model import GridRow
from cancel_tui.console.ledger import Ledger
from cancel_tui.desk.impasse import DeadEnd
from cancel_tui.desk.slot import Slot, VenueState
from cancel_tui.desk.track import Track
from cancel_tui.orders import Order, OrderKey

KEEP_ENDED = 20.0
"""Seconds that an order which has ended stays in the grid with its end."""


@dataclass(slots=True)
class RowSource:
    """Remembers what the grid was told, and tells what is different now."""

    ledger: Ledger
    _shown: dict[OrderKey, tuple[object, ...]] = field(default_factory=dict)
    _count: int = 0

    def changes(self) -> tuple[list[GridRow], list[OrderKey]]:
        """Rows that are new or different, and orders whose rows leave."""
        clock = self.ledger.desk.clock
        now, wall = clock.monotonic(), clock.wall()
        changed: list[GridRow] = []
        present: set[OrderKey] = set()
        for slot in self.ledger.desk.slots.values():
            for order, track, unseen in self._orders(slot, now):
                present.add(order.key)
                stage = _stage(track)
                halted = _halted(track)
                mark = (order, stage, track and track.since, track and track.ending, unseen, halted)
                if self._shown.get(order.key) == mark:
                    continue
                self._shown[order.key] = mark
                self._count += 1
                changed.append(self._row(order, track, unseen, now, wall))
        gone = [key for key in self._shown if key not in present]
        for key in gone:
            del self._shown[key]
        return changed, gone

    def _row(
        self, order: Order, track: Track | None, unseen: float | None, now: float, wall: float
    ) -> GridRow:
        stage = _stage(track)
        badge = badge_for(
            order,
            stage,
            track.since if track and stage else None,
            track.ending if track else None,
            now,
            None if unseen is None else now - unseen,
            _halted(track),
        )
        born = None if order.created_at is None else now - (wall - order.created_at)
        return GridRow(key=order.key, order=order, stage=stage, badge=badge, revision=self._count, born=born)

    def _orders(self, slot: Slot, now: float) -> Iterator[tuple[Order, Track | None, float | None]]:
        """The rows of a venue with the cancel of each and, where it is in doubt, since when it is unseen."""
        tracks, count = self.ledger.tracks, self.ledger.venue(slot.name)
        doubtful = slot.state_at(now) is not VenueState.LIVE
        for key, order in count.live.items():
            yield order, None if key in count.returned else tracks.get(key), _since(slot, doubtful)
        for key, (order, since) in slot.book.unseen.items():
            if key not in count.live and key not in tracks:
                yield order, None, since
        for key, track in tracks.items():
            if key.venue != slot.name or key in count.live or track.order is None:
                continue
            if not track.stage.settled or now - track.since < KEEP_ENDED:
                yield track.order, track, None


def _stage(track: Track | None) -> Stage | None:
    if track is None or (track.stage is Stage.WANTED and not track.attempts):
        return None
    return track.stage


def _halted(track: Track | None) -> float | None:
    """Since when the venue takes no cancels of this order; None where it does, or none was tried."""
    if track is None or track.blocked is None or track.blocked.why is not DeadEnd.HALTED:
        return None
    return track.blocked.since


def _since(slot: Slot, doubtful: bool) -> float | None:
    """Since when nobody has seen the orders of a venue that does not answer as it should."""
    return slot.listed_at if doubtful else None
