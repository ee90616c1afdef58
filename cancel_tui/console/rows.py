"""From the desk to the grid: which rows changed since the last look. Knows no widget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cancel_tui.cancels import Stage
from cancel_tui.console.badges import badge_for
from cancel_tui.console.grid_model import GridRow
from cancel_tui.desk.desk import Desk, Slot
from cancel_tui.desk.track import Track
from cancel_tui.orders import Order, OrderKey

KEEP_ENDED = 20.0
"""Seconds that an order which has ended stays in the grid with its end."""


@dataclass(slots=True)
class RowSource:
    """Remembers what the grid was told, and tells what is different now."""

    desk: Desk
    _shown: dict[OrderKey, tuple[object, ...]] = field(default_factory=dict)
    _count: int = 0

    def changes(self) -> tuple[list[GridRow], list[OrderKey]]:
        """Rows that are new or different, and orders whose rows leave."""
        now, wall = self.desk.clock.monotonic(), self.desk.clock.wall()
        tracks = self._tracks()
        changed: list[GridRow] = []
        present: set[OrderKey] = set()
        for slot in self.desk.slots.values():
            for order, unseen in _orders(slot, tracks, now):
                track = tracks.get(order.key)
                present.add(order.key)
                stage = _stage(track)
                described = track.order if track and track.order and track.stage.settled else order
                mark = (described, stage, track.since if track else None, track and track.ending, unseen)
                if self._shown.get(order.key) == mark:
                    continue
                self._shown[order.key] = mark
                self._count += 1
                changed.append(self._row(described, track, unseen, now, wall))
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
        )
        born = None if order.created_at is None else now - (wall - order.created_at)
        return GridRow(key=order.key, order=order, stage=stage, badge=badge, revision=self._count, born=born)

    def _tracks(self) -> dict[OrderKey, Track]:
        """The newest track of each order that was ever touched."""
        return {track.key: track for kill in self.desk.kills for track in kill.tracks()}


def _stage(track: Track | None) -> Stage | None:
    if track is None or (track.stage is Stage.WANTED and not track.attempts):
        return None
    return track.stage


def _orders(slot: Slot, tracks: dict[OrderKey, Track], now: float) -> Iterator[tuple[Order, float | None]]:
    """The rows of a venue: what is listed, what dropped out of the lists, what was touched of late."""
    live = slot.book.live()
    for order in live.values():
        yield order, None
    for key, (order, since) in slot.book.unseen.items():
        if key not in live and key not in tracks:
            yield order, since
    for key, track in tracks.items():
        if key.venue != slot.name or key in live or track.order is None:
            continue
        if not track.stage.settled or now - track.since < KEEP_ENDED:
            yield track.order, None
