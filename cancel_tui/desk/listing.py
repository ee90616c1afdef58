"""The lists of one venue: when to make a pass, and what it says of the orders. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cancel_tui.cancels import Stage
from cancel_tui.desk.actions import GHOSTS, PATIENCE, RESTS, pause
from cancel_tui.desk.endings import Endings
from cancel_tui.desk.pacing import backoff, jitter
from cancel_tui.desk.proof import PartReading
from cancel_tui.scope import Match
from cancel_tui.venues.base import CallClass, Part, PartList, Parts
from cancel_tui.venues.outcome import Answered, Failure, NotSent, Outcome, Throttled

if TYPE_CHECKING:
    from cancel_tui.desk.track import Track
    from cancel_tui.orders import Order, OrderKey


class Listing(Endings):
    """Makes passes and takes what they bring."""

    def _list_due(self, now: float) -> bool:
        if self._listing or now < self._pass_at or not self._lists_needed:
            return False
        if self._final_begun is not None and self._final_listed:
            return False
        if self.done(now) or self._unauthorised >= 3:
            return False
        if self.informed and (self._rushing(now) or self._stands_back(now)):
            # A fresh list has told which orders there are; reading another would only delay their cancels.
            return False
        self.scouting = self._spares(now)
        return not self.scouting or self._worth_a_look(now)

    def _spares(self, now: float) -> bool:
        """Whether scarce lists are not spent, because reading the ends can still tell more for less.

        Not where the newest orders are gone from the list and an end was told: then the cancels have worked.
        """
        if not self._scarce or not self.passes or self._final_begun is not None or self.cancelling:
            return False
        worked = self.proof.next_pass(self.last_cancel) is not None and self.told_at > self.last_cancel
        if worked or now - self._list_at >= PATIENCE:
            return False
        return self._ends_readable and not any(track.sighted for track in self.tracks.values())

    def _worth_a_look(self, now: float) -> bool:
        """Whether the newest orders may be looked at meanwhile, once after the last cancel.

        What is not there any more need not be read a second time at the end. It costs a page or so, which the
        budget must have beside those of a whole list, and of the last look at the newest orders.
        """
        if not self.parts or self.scouted >= self.last_cancel or self._more_to_send:
            return False
        wanted = len(self.proof.wanted(self.parts, self.last_cancel))
        pages = 1 + self.shown // (self.capabilities.closed_page or 1)
        if self.room(CallClass.LIST, now) < pages + wanted + 1:
            return False
        self.scouted = now
        return True

    def heard(self, order: Order, now: float) -> None:
        """A push stream says something of this order. It proves nothing; it tells where to look at once."""
        track = self.tracks.get(order.key)
        if track is None:
            mine = self.aim.scope.match(order, self.capabilities.lacks) is Match.YES
            if mine and self.aim.scope.grows and order.status.live and not self._scarce:
                self._list_at = min(self._list_at, now)
        elif order.status.terminal and not track.stage.settled:
            track.next_read = min(track.next_read, now)
            self._closed_at = min(self._closed_at, now)

    def took_parts(self, parts: Parts) -> tuple[Part, ...]:
        """The venue said what a complete list consists of; which of it this pass has to read."""
        self.parts = tuple(part for part in parts.parts if self._may_hold(part))
        self.blind_spots |= set(parts.blind_spots)
        self.seen_accounts |= {account.casefold() for account in parts.accounts}
        wanted = self.proof.wanted(self.parts, self.last_cancel)
        if self._unauthorised:
            # One request tells whether the key is accepted again; many would only spend the budget.
            return wanted[:1]
        if self.scouting or (self._scarce and not self.passes and self.native_usable):
            # Past windows that are read while cancels are at work would all have to be read again.
            return tuple(part for part in wanted if not part.past)
        return wanted

    def _may_hold(self, part: Part) -> bool:
        """Whether a part can hold an order in scope: another account's silence must not delay a proof."""
        scope = self.aim.scope
        if part.account is None:
            return True
        if scope.accounts and part.account.casefold() not in scope.accounts:
            return False
        keys = scope.keys
        return keys is None or any(key.account in (None, part.account) for key in keys)

    def took_list(
        self,
        begun: float,
        outcomes: Mapping[str, tuple[float, Outcome[PartList]]],
        failure: Failure | None,
        now: float,
        wall: float,
    ) -> None:
        """What came of one pass: per part when it was begun and what it brought; `failure` without parts."""
        self._listing = False
        self.passes += 1
        known = len(self.tracks)
        failed = failure
        readings: dict[str, PartReading] = {}
        note: str | None = None
        listed: set[OrderKey] = set()
        unreadable: dict[OrderKey, Order] = {}
        for part_id, (part_begun, outcome) in outcomes.items():
            if not isinstance(outcome, Answered):
                failed = outcome
                continue
            found = outcome.value
            self.blind_spots |= set(found.blind_spots)
            note = note or found.note
            self._leave_alone(part_id, found)
            scoped = self._take_orders(found.orders, part_begun, now, wall, listed, unreadable)
            readings[part_id] = PartReading(part_begun, found.complete, scoped)
        wanted = {part.id for part in self.proof.wanted(self.parts, self.last_cancel)}
        whole = failed is None and wanted <= {name for name, one in readings.items() if one.complete}
        self.whole = whole
        self.unreadable = unreadable if whole else {**self.unreadable, **unreadable}
        unread = [failure] if failure is not None else [one for _, one in outcomes.values()]
        if unread and all(isinstance(one, Throttled | NotSent) for one in unread):
            # Nothing was read, so nothing speaks against what was read before: the same list is asked again.
            empty = False
        elif failure is None:
            empty = self.proof.absorb(self.parts, begun, readings, self.last_cancel)
        else:
            empty = False
            self.proof.streak.clear()
        self._rest(begun, fresh=self.complete_passes > 0 and len(self.tracks) > known, whole=whole)
        if whole:
            self.complete_passes += 1
            self._missing(begun, listed)
        self._note_stall(begun, whole=whole, listed=bool(listed))
        self._note(failed if failed is not None else Answered(None))
        if failed is None and note:
            self.error = f"the list is incomplete: {note}"
        self.shown = len(listed)
        self._after_pass(begun, now, empty=empty, failed=failed, listed=bool(listed))
        self._surveyed = -inf
        self._conclude(now, wall)

    def _take_orders(
        self,
        orders: Iterable[Order],
        begun: float,
        now: float,
        wall: float,
        listed: set[OrderKey],
        unreadable: dict[OrderKey, Order],
    ) -> bool:
        scoped, keys = False, self.aim.scope.keys
        for order in orders:
            track = self.tracks.get(order.key)
            if keys is not None and track is None and order.key not in keys:
                # A frozen list says nothing about any other order.
                continue
            self._observe(order)
            if order.status.terminal:
                # A finished order in a list of open ones is the venue's word for its end.
                if track is not None:
                    track.end(order, now, wall)
                    self.changes.note(order.key)
                continue
            match = self.aim.scope.match(order, self.capabilities.lacks)
            if match is Match.UNREADABLE and track is None:
                unreadable[order.key] = order
                scoped = True
                continue
            if match is Match.NO and track is None:
                continue
            scoped = True
            listed.add(order.key)
            self._see(order, begun, now)
        return scoped

    def _leave_alone(self, part_id: str, found: PartList) -> None:
        """Remember what is skipped because protective orders are kept: it has to be named."""
        scope = self.aim.scope
        if not scope.keep_protective:
            return
        whole, lacks = replace(scope, keep_protective=False), self.capabilities.lacks
        skipped = {
            order.key: order
            for order in found.orders
            if order.status.live
            and scope.match(order, lacks) is Match.NO
            and whole.match(order, lacks) is Match.YES
        }
        self.left[part_id] = skipped if found.complete else {**self.left.get(part_id, {}), **skipped}

    def _see(self, order: Order, begun: float, now: float) -> None:
        track = self.tracks.get(order.key)
        if track is None:
            track = self._track(order.key, now)
            track.newcomer = self.complete_passes > 0
            again = self.first_flat_at is not None and self.flat_at is None and not self.stopped
            if again and self.expired(now):
                self.deadline = now + (self.aim.deadline - self.started)
        if track.stage.settled:
            self._ghost(track, order, begun, now)
            return
        was, before = track.stage, (track.sighted, track.lingering, track.order)
        track.see(order, begun, now)
        if track.stage is not was or before != (track.sighted, track.lingering, track.order):
            self.changes.note(order.key)
        if track.stage is Stage.WANTED and was is Stage.ACCEPTED:
            # Accepted, yet listed as if nothing had happened: most likely a list that lags.
            track.next_try = max(track.next_try, now + backoff(track.attempts, 1.0))

    def _ghost(self, track: Track, order: Order, begun: float, now: float) -> None:
        """An order that is over, by the venue's word or by proof, stands in a later list."""
        if begun <= (track.ended_at or -inf) or begun <= track.since:
            return
        track.ghost_sightings += 1
        readable = self.capabilities.read_order
        believed = (GHOSTS if readable else 2) << min(track.revivals, 8)
        if track.stage is Stage.GONE or track.ghost_sightings >= believed:
            track.ghost_sightings = 0
            track.revivals += track.stage is Stage.ENDED
            track.see(order, begun, now)
            self.changes.note(track.key)
        elif readable:
            track.doubted, track.read_back = True, False
            track.next_read = now

    def _missing(self, begun: float, listed: set[OrderKey]) -> None:
        """Orders that a complete list no longer shows are not cancelled again on old evidence."""
        if self.aim.by_id:
            return
        for track in self.tracks.values():
            if self._unlisted(track.key):
                continue
            if track.key in listed or begun < (track.ended_at or track.since):
                continue
            if track.lingering or track.sighted:
                self.changes.note(track.key)
            track.lingering = False
            track.ghost_sightings = 0
            if track.stage is Stage.WANTED:
                track.sighted = False

    def _note_stall(self, begun: float, *, whole: bool, listed: bool) -> None:
        """Remember complete passes in which nothing was left but what may not be touched."""
        if not whole or listed or not self.unreadable or begun <= self.last_cancel:
            self._stalls.clear()
        else:
            self._stalls.append(begun)

    def _rest(self, begun: float, *, fresh: bool, whole: bool) -> None:
        """Let passes that show newcomers again and again begin some time apart.

        The first newcomers are looked after at once. Where each cancel or each list brings another order, the
        venue would be asked as fast as it answers, for as long as there is time.
        """
        if fresh:
            self.restless += 1
        elif whole:
            self.restless = 0
        self.rest_until = begun + backoff(self.restless - 1, *RESTS)

    def _after_pass(
        self, begun: float, now: float, *, empty: bool, failed: Failure | None, listed: bool
    ) -> None:
        if self._final_begun is not None and begun >= self._final_begun:
            self._final_listed = True
        if failed is not None:
            self._list_failures += 1
            self._list_at = now + jitter(pause(failed, self._list_failures), self.venue, self._list_failures)
            return
        self._list_failures = 0
        if empty:
            self._empty_wait = 0
            self._list_at = self.proof.next_pass(self.last_cancel) or now
            if self.proof.flat(self.last_cancel):
                # The lists have proven their part; what follows is the watch for newcomers.
                self._list_at = now + max(self.aim.list_interval, self.aim.settle)
        elif begun < self.last_cancel and not self._more_to_send:
            # It was begun while cancels were on their way: what came of them is asked at once.
            self._list_at = now
        elif self.proof.streak:
            # Nothing is left in what it read; the rest follows as soon as scarce lists need not be spared.
            self._list_at = now
        elif self._more_to_send:
            self._list_at = now + self.aim.list_interval
        elif listed or self.tracks:
            self._empty_wait += 1
            first, longest = (1.5, 6.0) if self._scarce else (0.25, 2.0)
            self._list_at = max(begun, now) + backoff(self._empty_wait, first, longest)
        else:
            self._list_at = now + self.aim.settle
        self._again_natively(now)
