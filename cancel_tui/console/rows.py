"""From the ledger to the grid: which rows changed since the last look. Knows no widget."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import islice
from math import inf
from typing import TYPE_CHECKING

import msgspec

from cancel_tui.cancels import Ending, Stage
from cancel_tui.console.badges import badge_for
from cancel_tui.console.grid_model import GridRow
from cancel_tui.console.lines import took
from cancel_tui.console.recent import NOT_LISTED, Ended, Recent
from cancel_tui.desk.impasse import DeadEnd
from cancel_tui.desk.slot import VenueState
from cancel_tui.desk.track import Track
from cancel_tui.orders import Order, OrderKey, VenueName
from cancel_tui.pauses import pause

if TYPE_CHECKING:
    from cancel_tui.console.ledger import Ledger

KEEP_ENDED = 20.0
"""Seconds that an order which has ended stays in the grid with its end."""
AT_ONCE = 100
"""Orders that are looked at in one go: about half a millisecond."""
MANY = 20 * AT_ONCE
"""With more than so many nothing is gained by going through them in pieces."""

_Standing = tuple[Order, Track | None, float | None]
"""An order, its cancel and, where it is in doubt, since when nobody has seen it."""


_Told = tuple[Order, Stage | None, float | None, Ending | None, float | None, float | None]
_Mark = Order | _Told


class RowSource(msgspec.Struct):
    """Remembers what the grid was told, and tells what is different now."""

    ledger: Ledger
    recent: Recent = msgspec.field(default_factory=Recent)
    """What has left, or is about to."""
    _shown: dict[OrderKey, _Mark] = msgspec.field(default_factory=dict)
    _count: int = 0
    _place: int = 0
    _looked: float = -inf
    _doubts: dict[VenueName, tuple[bool, float | None]] = msgspec.field(default_factory=dict)
    _waiting: dict[OrderKey, None] = msgspec.field(default_factory=dict)
    """Orders that are still to be looked at."""
    _changed: dict[OrderKey, GridRow] = msgspec.field(default_factory=dict)
    """Rows that nobody has taken yet, and the same of those that leave."""
    _gone: list[OrderKey] = msgspec.field(default_factory=list)
    _fading: list[tuple[float, OrderKey]] = msgspec.field(default_factory=list)
    """When which row of an ended order is due to leave; a heap."""

    def changes(self) -> tuple[list[GridRow], list[OrderKey]]:
        """Rows that are new or different, and orders whose rows leave."""
        self.look()
        return self.take()

    def take(self) -> tuple[list[GridRow], list[OrderKey]]:
        """The same of the orders that were looked at; each is told once."""
        changed, gone = list(self._changed.values()), self._gone
        self._changed, self._gone = {}, []
        return changed, gone

    def look(self, most: int | None = None) -> bool:
        """Look at orders whose rows may be others, at so many of them; whether some are left to look at.

        Where there are very many, at all of them: to be shown late would be worse.
        """
        clock = self.ledger.desk.clock
        now, wall = clock.monotonic(), clock.wall()
        due = self._due(now)
        if most is None or len(due) + len(self._waiting) > MANY:
            due.update(self._waiting)
            self._waiting, keys = {}, iter(due)
        else:
            self._waiting.update(dict.fromkeys(due))
            keys = self._next(most)
        for key in keys:
            pause()
            standing = self._standing(key, now)
            self._remember(key, standing, now)
            if standing is None:
                self._changed.pop(key, None)
                if self._shown.pop(key, None) is not None:
                    self._gone.append(key)
                continue
            order, track, unseen = standing
            mark = _mark(order, track, unseen)
            if self._shown.get(key) == mark:
                continue
            self._shown[key] = mark
            self._count += 1
            self._changed[key] = self._row(order, track, unseen, now, wall)
        return bool(self._waiting)

    def _next(self, most: int) -> Iterator[OrderKey]:
        """So many of the orders that wait for a look, those that wait longest first."""
        for key in list(islice(self._waiting, most)):
            del self._waiting[key]
            yield key

    def _due(self, now: float) -> set[OrderKey]:
        """The orders whose rows may be others than at the last look."""
        ledger = self.ledger
        changed = ledger.changes.since(self._place)
        due = set(self._all() if changed is None else changed)
        self._place, self._looked = ledger.changes.serial, now
        for name, slot in ledger.desk.slots.items():
            doubtful = slot.state_at(now) is not VenueState.LIVE
            doubt = (doubtful, slot.listed_at if doubtful else None)
            if self._doubts.get(name) != doubt:
                self._doubts[name] = doubt
                due.update(ledger.venue(name).live)
        while self._fading and self._fading[0][0] <= now:
            due.add(heappop(self._fading)[1])
        return due

    def _all(self) -> Iterator[OrderKey]:
        """Every order that has a row, may need one, or has ended since the last look."""
        yield from self._shown
        for key, track in self.ledger.tracks.items():
            if not track.stage.settled or track.since >= self._looked:
                yield key
        for name, slot in self.ledger.desk.slots.items():
            yield from self.ledger.venue(name).live
            yield from slot.book.unseen

    def _remember(self, key: OrderKey, standing: _Standing | None, now: float) -> None:
        """Keep the end of an order that is over; forget it where the order is live again."""
        track = self.ledger.tracks.get(key)
        if standing is not None and standing[1] is None:
            self.recent.forget(key)
        elif track is not None:
            if track.stage.settled and track.order is not None:
                end = Ended(track.order, track.outcome.value, track.since, took(track), track.message or "")
                self.recent.note(end)
            elif len(self.recent):
                self.recent.forget(key)
        elif key in self._shown:
            mark = self._shown[key]
            order = mark if isinstance(mark, Order) else mark[0]
            word = order.status.value if order.status.terminal else NOT_LISTED
            self.recent.note(Ended(order, word, now))

    def _standing(self, key: OrderKey, now: float) -> _Standing | None:
        """How an order is to be shown; None where it has no row."""
        slot = self.ledger.desk.slots.get(key.venue)
        if slot is None:
            return None
        count, track = self.ledger.venue(key.venue), self.ledger.tracks.get(key)
        order = count.live.get(key)
        if order is not None:
            return order, None if key in count.returned else track, self._doubts[key.venue][1]
        if track is None:
            unseen = slot.book.unseen.get(key)
            return None if unseen is None else (unseen[0], None, unseen[1])
        if track.order is None:
            return None
        if track.stage.settled:
            if now - track.since >= KEEP_ENDED:
                return None
            heappush(self._fading, (track.since + KEEP_ENDED, key))
        return track.order, track, None

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


def _mark(order: Order, track: Track | None, unseen: float | None) -> _Mark:
    """What a row is made of; an order that nothing is known of besides is its own mark."""
    if track is None and unseen is None:
        return order
    since, ending = (None, None) if track is None else (track.since, track.ending)
    return order, _stage(track), since, ending, unseen, _halted(track)


def _stage(track: Track | None) -> Stage | None:
    if track is None or (track.stage is Stage.WANTED and not track.attempts):
        return None
    return track.stage


def _halted(track: Track | None) -> float | None:
    """Since when the venue takes no cancels of this order; None where it does, or none was tried."""
    if track is None or track.blocked is None or track.blocked.why is not DeadEnd.HALTED:
        return None
    return track.blocked.since
