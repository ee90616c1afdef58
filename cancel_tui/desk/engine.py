"""The kill of one venue as a synchronous machine: evidence in, actions out. No I/O, no waiting.

`next` says what may be done now; the runner does it and feeds back what came of it through the `took_…`
methods. The same machine serves the kill, the cancel of marked orders and the cancel of one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

import msgspec

from cancel_tui.cancels import Ending, Event, Stage
from cancel_tui.desk.actions import (
    ANSWERING,
    FINAL,
    Action,
    Aim,
    ListOrders,
    ReadClosed,
    ReadOrder,
    SendCancel,
    SendNative,
    Verdict,
    worst,
)
from cancel_tui.desk.impasse import Impasse, impasses, pending
from cancel_tui.desk.listing import Listing
from cancel_tui.desk.track import Track
from cancel_tui.orders import Order, OrderKey
from cancel_tui.scope import Scope
from cancel_tui.venues.base import CallClass

__all__ = [
    "Action",
    "Aim",
    "Engine",
    "ListOrders",
    "ReadClosed",
    "ReadOrder",
    "SendCancel",
    "SendNative",
    "Verdict",
    "worst",
]


@dataclass(eq=False, repr=False, match_args=False)
class Engine(Listing):
    """One venue's part of a kill, whole."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._want_natives()

    def next(self, now: float) -> list[Action]:
        """What may be done at this moment. The runner must start every action that it is given."""
        actions: list[Action] = []
        self._survey = now - self._surveyed >= self._gap(now) or not (self._queue or self.flying)
        if self._survey:
            self._surveyed = now
        if not self.expired(now):
            actions += self._natives_due(now)
            actions += self._singles_due(now)
        if self._list_due(now):
            self._listing = True
            actions.append(ListOrders())
        actions += self._reads_due(now)
        return actions

    def wake_at(self, now: float) -> float:
        """When `next` should be asked again although nothing has come back."""
        gap = self._gap(now)
        if not self._survey or (self._queue and gap > 0):
            return self._surveyed + gap
        times = [inf]
        if not self.expired(now):
            times.append(self.deadline)
            times += [one.next_try for one in self._natives.values() if one.wanted and not one.flying]
            times += [
                track.next_try
                for track in self.tracks.values()
                if track.stage in (Stage.WANTED, Stage.ACCEPTED) and track.key not in self._cancels_flying
            ]
        if not self._listing:
            times.append(self._pass_at)
        times.append(self._closed_at)
        times += [one.next_read for one in self.tracks.values() if one.doubted or not one.stage.settled]
        if self.flat_at is not None:
            times.append(self._hold_until())
        if self._stands_back(now):
            times.append(now + ANSWERING)
        later = [one for one in times if one > now]
        return min(later, default=inf)

    def _conclude(self, now: float, wall: float) -> None:
        """Where the lists prove absence, orders that the venue cannot account for are gone."""
        if self._lists_needed and self.proof.flat(self.last_cancel):
            for track in self.tracks.values():
                if not track.stage.settled and self._absence_tells(track) and self._unaccountable(track):
                    track.apply(Event.ABSENT, now)
                    self.changes.note(track.key)
        if self.flat and self.flat_at is None:
            self.flat_at = now
            self.first_flat_at = self.first_flat_at or now
        elif not self.flat and self.flat_at is not None:
            self.flat_at = None
            self.reopened += 1
            if self.expired(now):
                self._renew(now)

    def stop(self, now: float) -> None:
        """Start no new cancel any more, whatever shows later."""
        self.stopped = True
        self.deadline = min(self.deadline, now)

    def _renew(self, now: float) -> None:
        """As much time again as there was at the start; none for cancels after a stop."""
        self.deadline = now if self.stopped else now + (self.aim.deadline - self.started)
        self._final_begun = None
        self._final_listed = False
        self._final_read.clear()
        self._unauthorised = 0

    def reopen(
        self,
        now: float,
        before: float,
        parts: Iterable[str],
        shown: Mapping[OrderKey, tuple[Order, float]],
        *,
        last: bool,
    ) -> None:
        """Later lists of these parts show these orders: start over, for what there was before the flat.

        `before` is the venue's wall time of the flat. What was placed later belongs to nobody's kill, and so
        the venue's own cancel-all is not used again. With each order comes when the list that shows it was
        begun. `last`: nobody will ask about them any more, so that the list is the last word on them.
        """
        self._renew(now)
        self.flat_at = None
        self.reopened += 1
        self.hold, self._released = 0.0, False
        self.proof.doubt(parts, now)
        self._stalls.clear()
        self._natives.clear()
        self._list_at = now
        scope = self.aim.scope
        if scope.grows:
            before = before if scope.older_than is None else min(before, scope.older_than)
            narrowed = msgspec.structs.replace(scope, older_than=before)
            self.aim = msgspec.structs.replace(self.aim, scope=narrowed)
        for key, (order, begun) in shown.items():
            track = self.tracks.get(key)
            if track is None:
                self._see(order, begun, now)
            elif last:
                track.see(order, begun, now)
                self.changes.note(key)
            else:
                track.doubted, track.read_back, track.lost = True, False, False
                track.next_read = now

    def keep_holding(self, scope: Scope, now: float, *, again: bool) -> None:
        """Hold until released, for the whole scope; `again` where the venue had come to its end."""
        self.hold, self._released = inf, False
        self.aim = msgspec.structs.replace(self.aim, scope=scope)
        if again:
            self._renew(now)
            self._list_at = now

    def believed_at(self, now: float) -> float:
        """The moment of which its flat was last said: while it is held, every list says it anew."""
        flat_at = now if self.flat_at is None else self.flat_at
        return max([flat_at, *self.proof.streak])

    @property
    def holding(self) -> bool:
        """Whether it goes on sweeping after flat."""
        return self.hold > 0 and not self._released

    def impasses(self, now: float) -> list[Impasse]:
        """Why orders of this venue get nowhere, the largest group first."""
        left = [track for track in self.tracks.values() if not track.stage.settled]
        return impasses(
            pending(track.since, now) if track.stage is Stage.ACCEPTED else track.blocked for track in left
        )

    def next_try(self, now: float) -> float | None:
        """When the first of what failed is tried again; None where nothing that failed is waiting."""
        times: list[float] = []
        if not self.expired(now):
            ready = self.ready(CallClass.CANCEL, now)
            times += [
                max(one.next_try, ready)
                for one in self.tracks.values()
                if one.blocked and not one.stage.settled and one.key not in self._cancels_flying
            ]
            ready = self.ready(CallClass.CANCEL_ALL, now)
            times += [
                max(one.next_try, ready)
                for one in self._natives.values()
                if one.wanted and one.attempts and not one.flying
            ]
        if self._list_failures and not self._listing:
            times.append(max(self._pass_at, self.ready(CallClass.LIST, now)))
        return min((one for one in times if now < one < inf), default=None)

    @property
    def complaint(self) -> str | None:
        """What was last said of most orders that have not ended; None where nothing was."""
        said = Counter(one.message for one in self.tracks.values() if one.message and not one.stage.settled)
        return said.most_common(1)[0][0] if said else None

    @property
    def doubt(self) -> str:
        """What is missing for a flat, where no failure says it."""
        if live := sum(one.outcome is Ending.OPEN and bool(one.attempts) for one in self.tracks.values()):
            return f"{live} still listed although their cancels were answered"
        if not self.passes:
            return "no list has been answered yet: it waits for its budget, or for the venue"
        return "two complete lists without an order in scope were not read in time"

    @property
    def ghosts(self) -> int:
        """Orders that are over, by the venue's word, and that its lists show all the same."""
        return sum(bool(one.ghost_sightings) and one.stage.settled for one in self.tracks.values())

    @property
    def flat(self) -> bool:
        """Whether the contract's two conditions hold at this moment."""
        if self.cancelling or self.unreadable:
            return False
        if not all(self._over(track) for track in self.tracks.values()):
            return False
        return not self._lists_needed or self.proof.flat(self.last_cancel)

    def _over(self, track: Track) -> bool:
        if not track.stage.settled:
            return False
        if self.aim.by_id and self.capabilities.read_order:
            return track.read_back or track.lost
        return True

    def _hold_until(self) -> float:
        if self._released or self.flat_at is None:
            return -inf if self._released else inf
        return (self.first_flat_at or self.flat_at) + self.hold

    def release(self) -> None:
        """End a hold: the next flat is the last word."""
        self._released = True

    def done(self, now: float) -> bool:
        """Whether nothing more is to be started; what is in flight may still come back."""
        if self.flat:
            return self._released or self.hold <= 0 or now >= self._hold_until()
        if self._unauthorised >= 3:
            return True
        if self.aim.by_id and self._all_told():
            return True
        if self._stalled and (self._released or self.hold <= 0):
            return True
        if not self.expired(now):
            return False
        return self._final(now)

    def _all_told(self) -> bool:
        """Named orders only: each has an end, or it is certain that nothing more will be told of it."""
        if self.flying or not self.tracks:
            return False
        if self.capabilities.read_order:
            return all(self._over(one) or (one.lost and one.reads >= 2) for one in self.tracks.values())
        return self.proof.flat(self.last_cancel) and not any(
            self._waits_for_more(one) for one in self.tracks.values()
        )

    def _waits_for_more(self, track: Track) -> bool:
        """Whether another cancel or another list can still change what is known of it."""
        if track.stage.settled:
            return False
        unsent = track.stage is Stage.WANTED and track.next_try < inf
        return unsent or self._asks_again(track) or self._absence_tells(track)

    @property
    def _stalled(self) -> bool:
        """Whether all is proven but for orders that may not be touched: waiting would not change that."""
        late = [one for one in self._stalls if one > self.last_cancel]
        if self.flying or len(late) < 2 or late[-1] - late[0] < self.aim.settle - 1e-6:
            return False
        return all(self._over(one) for one in self.tracks.values())

    @property
    def reading_only(self) -> bool:
        """Whether nothing but reads of single orders is in flight: at the end nobody waits for those."""
        return not self.cancelling and not self._listing

    def _final(self, now: float) -> bool:
        """Past the deadline: one more list and one more read of what is unfinished, bounded in time."""
        if self.cancelling and now < self.deadline + FINAL:
            return False
        if self._final_begun is None:
            self._final_begun = now
            self._list_at = now
            self._closed_at = now
            for track in self.tracks.values():
                track.next_read = min(track.next_read, now)
        if now >= max(self._final_begun, self.deadline) + FINAL or self.hopeless(now):
            return True
        listed = self._final_listed or not self._lists_needed
        readable = self.capabilities.read_order or self.capabilities.closed_page
        return listed and not self.flying and not (readable and self._ends_readable)

    def hopeless(self, now: float) -> bool:
        """Past the deadline: whether the last list cannot even leave within the time that is left."""
        if self._final_begun is None or self.cancelling or not self._listing or not self._lists_needed:
            return False
        ready = self.ready(CallClass.LIST, now)
        return max(self._final_begun, self.deadline) + FINAL < ready < inf

    @property
    def verdict(self) -> Verdict:
        """The verdict of this venue as things stand."""
        if any(track.outcome.value == "open" for track in self.tracks.values()):
            return Verdict.NOT_FLAT
        if self.flat and all(track.stage.settled for track in self.tracks.values()):
            return Verdict.FLAT
        return Verdict.UNVERIFIED
