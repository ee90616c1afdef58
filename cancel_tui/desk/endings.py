"""The ends of touched orders: read one by one or page by page, whichever costs fewer calls. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from math import inf

from cancel_tui.cancels import Stage
from cancel_tui.desk.actions import (
    CLOSED_MISSES,
    READ_AFTER,
    READERS,
    Action,
    ReadClosed,
    ReadOrder,
    pause,
)
from cancel_tui.desk.cancelling import Cancelling
from cancel_tui.desk.pacing import backoff
from cancel_tui.desk.track import Track
from cancel_tui.orders import Order, OrderKey, OrderStatus
from cancel_tui.venues.base import CallClass, ClosedPage, Touched
from cancel_tui.venues.outcome import Answered, NotSent, Outcome, Reason, Refused, describe


class Endings(Cancelling):
    """Reads how orders ended."""

    @property
    def _ends_readable(self) -> bool:
        if not (self.capabilities.read_order or self.capabilities.closed_page):
            return False
        return any(self._wants_end(track) for track in self.tracks.values())

    @property
    def reads_ends(self) -> bool:
        """Whether ends of orders that are named are being read, or are still to be read."""
        return self._closed_flying or self._ends_readable

    def _wants_end(self, track: Track) -> bool:
        if track.stage.settled:
            if track.doubted and track.key not in self._final_read:
                return True
            return self.aim.by_id and self.capabilities.read_order and not track.read_back and not track.lost
        if track.key in self._cancels_flying or track.key in self._final_read:
            return False
        if track.stage is Stage.SENT:
            return False
        return track.disputed or not (track.stage is Stage.WANTED and track.sighted)

    def _reads_due(self, now: float) -> list[Action]:
        if not (self.capabilities.read_order or self.capabilities.closed_page):
            return []
        if self._unauthorised >= 3:
            return []
        if not self._survey or self._rushing(now) or self._stands_back(now):
            return []
        if self._final_begun is None and any(one.flying for one in self._natives.values()):
            return []
        pending = [
            track
            for track in self.tracks.values()
            if self._wants_end(track) and track.key not in self._reads_flying
        ]
        if not pending:
            return []
        actions = self._closed_due(pending, now)
        if actions or self._closed_flying or self._closed_waits(pending, now):
            return actions
        if not self.capabilities.read_order:
            return []
        room = READERS - len(self._reads_flying)
        for track in [one for one in pending if one.next_read <= now][: max(0, room)]:
            self._reads_flying.add(track.key)
            self._read_times.append(now)
            actions.append(ReadOrder(track.key))
        return actions

    def _status_left(self, now: float) -> float:
        """How many more orders could be read one by one without waiting for the venue's budget."""
        budget = self.capabilities.budgets.get(CallClass.STATUS)
        if budget is None:
            return inf
        self._read_times = [one for one in self._read_times if now - one < budget.seconds]
        return budget.count - len(self._read_times)

    def _closed_candidates(self, pending: Sequence[Track]) -> list[Track]:
        if not self.capabilities.closed_page:
            return []
        if self.aim.by_id:
            return [one for one in pending if one.key in self._in_doubt]
        return [
            one
            for one in pending
            if self._closed_misses.get(one.key, 0) < CLOSED_MISSES and one.key not in self.singly
        ]

    def _closed_waits(self, pending: Sequence[Track], now: float) -> bool:
        """Whether another look at the finished orders is planned, which is cheaper than reading each."""
        return now < self._closed_at and len(self._closed_candidates(pending)) > 2

    def _closed_due(self, pending: Sequence[Track], now: float) -> list[Action]:
        if self._closed_flying or now < self._closed_at:
            return []
        touched = tuple(Touched(one.key, one.order) for one in self._closed_candidates(pending))
        left = self._status_left(now) if self.capabilities.read_order else 0.0
        doubts = any(one.key in self._in_doubt for one in touched)
        if len(touched) <= min(2, left) and not doubts:
            return []
        if not touched or self.closed_planner is None:
            return []
        found = self.closed_planner(touched)
        page = self.capabilities.closed_page or 1
        calls = max(len(found.queries), -(-len(found.covers) // page))
        # Reading each is as cheap, and tells more surely; but not where it would have to wait for budget.
        if not found.covers or (calls >= len(found.covers) <= left and not doubts):
            self._looked.update(dict.fromkeys(self._in_doubt, now))
            self._in_doubt.clear()
            return []
        self._closed_flying = True
        early = now < self.last_cancel + READ_AFTER
        return [ReadClosed(tuple(one for one in touched if one.key in found.covers), found, early)]

    def singles(self, now: float) -> float:
        """How many orders may be read one by one rather than in pages, as the budget stands."""
        return self._status_left(now) if self.capabilities.read_order else -inf

    def spare_rows(self, now: float) -> float:
        """How many finished orders the pages hold that the budget has at once, but for two of them."""
        return (self.room(CallClass.CLOSED, now) - 2) * (self.capabilities.closed_page or 1)

    def took_read(
        self, key: OrderKey, outcome: Outcome[Order], begun: float, now: float, wall: float
    ) -> None:
        """What came of reading one order back."""
        self._reads_flying.discard(key)
        self.singly.discard(key)
        self.changes.note(key)
        track = self.tracks[key]
        if self._final_begun is not None and begun >= self._final_begun:
            self._final_read.add(key)
        self._note(outcome)
        if isinstance(outcome, Answered):
            order = outcome.value
            self._observe(order)
            track.reads += 1
            if track.ended_at is not None and begun < track.ended_at:
                track.next_read = now
            elif order.status.terminal:
                self._told(track, now)
                track.end(order, now, wall)
                self._all_ends_told(now)
            elif self._ambiguous(track, order, begun):
                track.describe(order)
                self._in_doubt.add(key)
                self._closed_at = min(self._closed_at, now)
                track.next_read = now + 1.0
            else:
                self._read_live(track, order, begun, now)
        elif isinstance(outcome, Refused) and outcome.reason is Reason.NOT_FOUND:
            self._read_lost(track, now)
        elif isinstance(outcome, NotSent) and outcome.hopeless:
            track.lost, track.reads, track.next_read = True, 2, inf
        else:
            track.message = track.message or describe(outcome)
            track.next_read = now + max(pause(outcome, track.reads + 1), 0.5)
            track.reads += 1
        self._conclude(now, wall)

    def _ambiguous(self, track: Track, order: Order, begun: float) -> bool:
        """Whether `partly executed` may be the end of a cancelled order: some venues use the word for both.

        Where finished orders can be listed those are looked at first, once for each cancel.
        """
        if order.status is not OrderStatus.PARTIALLY_FILLED or track.ended_at is None:
            return False
        if not self.capabilities.closed_page or begun < track.ended_at:
            return False
        return self._looked.get(track.key, -inf) < track.ended_at

    def _read_live(self, track: Track, order: Order, begun: float, now: float) -> None:
        track.disputed = False
        if track.stage.settled:
            track.ghost_sightings = 0
        was = track.stage
        track.see(order, begun, now)
        if was in (Stage.ACCEPTED, Stage.ENDED) and track.stage is Stage.WANTED:
            track.next_try = max(track.next_try, now + backoff(track.attempts, 1.0))
        track.next_read = now + backoff(track.reads, 0.3, 4.0)

    def _read_lost(self, track: Track, now: float) -> None:
        """Asked for this order, the venue does not know it: not an end. Asked twice, it cannot tell."""
        track.reads += 1
        track.disputed = False
        if track.lost:
            track.next_read = inf if self.aim.by_id else now + 2.0
            return
        track.lost = True
        track.next_read = now + max(self.aim.settle, 0.2)

    def took_finished(
        self, orders: Iterable[Order], why: str, now: float, wall: float, asked: float | None = None
    ) -> None:
        """Finished orders of the scope that nobody has met, on the venue's word; `why` they are named.

        `asked` is the wall time of the cancel-all of this kill that may have reached them.
        """
        for order in orders:
            if order.key not in self.tracks:
                self._observe(order)
                track = self._track(order.key, now)
                track.end(order, now, wall)
                track.read_back = True
                track.message = why
                if asked is not None:
                    track.attempts, track.requested_wall = 1, asked
                self.changes.note(order.key)

    def took_closed_part(self, orders: Iterable[Order], now: float, wall: float) -> None:
        """One page of finished orders arrived; more may follow."""
        for order in orders:
            track = self.tracks.get(order.key)
            if track is not None and order.status.terminal and track.stage is not Stage.SENT:
                self._observe(order)
                self._told(track, now)
                track.end(order, now, wall)
                self.changes.note(order.key)
        self._all_ends_told(now)

    def _told(self, track: Track, now: float) -> None:
        track.read_back = True
        if not track.stage.settled:
            self.told_at = now

    def _all_ends_told(self, now: float) -> None:
        """Where the last end has just been told, scarce lists need not be spared any longer."""
        proven = self.proof.whole and self.proof.streak
        if self._scarce and self.told_at == now and not proven and not self._ends_readable:
            self._list_at = min(self._list_at, now)

    def took_closed(
        self,
        action: ReadClosed,
        outcome: Outcome[ClosedPage],
        found: Sequence[Order],
        unread: Set[OrderKey],
        now: float,
        wall: float,
    ) -> None:
        """What a look at the finished orders brought; `outcome` is the last page's, or what ended the look.

        `unread` are those that it was not worth looking for any further: nothing is said of them.
        """
        self._closed_flying = False
        self._note(outcome)
        ends = {order.key: order for order in found}
        missed = 0
        paid = any(one.key in ends for one in action.touched)
        for touched in action.touched:
            track = self.tracks[touched.key]
            self.changes.note(touched.key)
            order = ends.get(touched.key)
            self._in_doubt.discard(touched.key)
            if isinstance(outcome, Answered):
                self._looked[touched.key] = now
            if order is not None:
                self._observe(order)
            if order is not None and order.status.terminal:
                track.read_back = True
                track.end(order, now, wall)
            elif touched.key in unread and isinstance(outcome, Answered):
                if paid:
                    self.singly.add(touched.key)
            elif not track.stage.settled:
                missed += 1
                self._closed_misses[touched.key] = self._closed_misses.get(touched.key, 0) + 1
            if self._final_begun is not None and not isinstance(outcome, NotSent):
                self._final_read.add(touched.key)
        wait = 0.0
        if not isinstance(outcome, Answered):
            wait = pause(outcome, 2)
        elif missed:
            wait = 1.0 if self._scarce else 0.5
        elif unread and not paid:
            wait = READ_AFTER
        self._closed_at = now + wait
        self._conclude(now, wall)

    def _unaccountable(self, track: Track) -> bool:
        if track.key in self._cancels_flying:
            return False
        if self.capabilities.read_order:
            return track.lost
        if self.capabilities.closed_page and self.closed_planner is not None:
            if self._closed_misses.get(track.key, 0) >= CLOSED_MISSES:
                return True
            return track.key not in self.closed_planner((Touched(track.key, track.order),)).covers
        return True

    def _absence_tells(self, track: Track) -> bool:
        """Whether the lists can account for it: not for what they never hold, nor for an id unheard of."""
        if self._unlisted(track.key):
            return False
        return not self.aim.by_id or track.order is not None or track.acknowledged_wall is not None
