"""The kill of one venue as a synchronous machine: evidence in, actions out. No I/O, no waiting.

`next` says what may be done now; the runner does it and feeds back what came of it through the `took_…`
methods. The same machine serves the kill, the cancel of marked orders and the cancel of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from cancel_tui.cancels import Event, Stage
from cancel_tui.desk.pacing import backoff
from cancel_tui.desk.proof import PartReading, Proof
from cancel_tui.desk.track import Track, plan
from cancel_tui.orders import Family, Order, OrderId, OrderKey, OrderStatus, VenueName
from cancel_tui.scope import Match, Scope
from cancel_tui.venues.base import (
    CallClass,
    CancelAck,
    CancelAllAck,
    Capabilities,
    ClosedPage,
    ClosedPlan,
    Part,
    PartList,
    Parts,
    Touched,
)
from cancel_tui.venues.outcome import (
    Answered,
    Failure,
    NotSent,
    Outcome,
    Reason,
    Refused,
    Throttled,
    Unanswered,
    Unauthorised,
    describe,
)


class Verdict(StrEnum):
    """The contract's words, worst last in `RANK`."""

    FLAT = "flat"
    UNVERIFIED = "unverified"
    NOT_FLAT = "not_flat"


RANK = (Verdict.FLAT, Verdict.UNVERIFIED, Verdict.NOT_FLAT)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some verdicts; of none, unverified."""
    found = list(verdicts)
    return max(found, key=RANK.index) if found else Verdict.UNVERIFIED


@dataclass(frozen=True, slots=True)
class SendNative:
    """Send the venue's own cancel-all, for one symbol or (None) for everything."""

    symbol: str | None


@dataclass(frozen=True, slots=True)
class SendCancel:
    """Cancel one order."""

    key: OrderKey


@dataclass(frozen=True, slots=True)
class ListOrders:
    """Make one pass: the venue's parts, those that `proof.wanted` names."""


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """Read one order back."""

    key: OrderKey


@dataclass(frozen=True, slots=True)
class ReadClosed:
    """Look for the ends of these orders among the finished ones."""

    touched: tuple[Touched, ...]
    plan: ClosedPlan


Action = SendNative | SendCancel | ListOrders | ReadOrder | ReadClosed


@dataclass(slots=True)
class _Native:
    """The state of one native cancel-all."""

    symbol: str | None
    flying: bool = False
    wanted: bool = True
    answered: bool = False
    attempts: int = 0
    next_try: float = 0.0
    named: bool = False
    """An answer to it named orders: the venue understands this spelling."""
    reach: tuple[OrderKey, ...] = ()
    """Orders that were known when it left."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What an engine is to achieve at one venue."""

    scope: Scope
    settle: float = 1.0
    deadline: float = inf
    """Monotonic time past which no new cancel starts."""
    hold: float = 0.0
    """Seconds of sweeping after flat; infinity until released."""
    by_id: bool = False
    """A cancel of named orders: proven per order, by lists only where the venue reads no order."""
    list_interval: float = 2.0
    """Seconds between lists while cancels are still leaving."""


@dataclass
class Engine:
    """One venue's part of a kill. All times are monotonic seconds unless they are named `wall`."""

    venue: VenueName
    capabilities: Capabilities
    aim: Aim
    started: float
    tracks: dict[OrderKey, Track] = field(default_factory=dict)
    unreadable: dict[OrderKey, Order] = field(default_factory=dict)
    """Orders whose scope cannot be read, as the last list showed them: named, never touched."""
    seen_symbols: set[str] = field(default_factory=set)
    seen_accounts: set[str] = field(default_factory=set)
    seen_exchanges: set[str] = field(default_factory=set)
    """Case-folded values that occurred in any order, for `unmatched`."""
    blind_spots: set[str] = field(default_factory=set)
    error: str | None = None
    """The last trouble, in one line; None while all is well."""
    passes: int = 0
    complete_passes: int = 0
    closed_planner: Callable[[Sequence[Touched]], ClosedPlan] | None = None
    """The adapter's `closed_plan`, handed in by the runner."""

    def __post_init__(self) -> None:
        self.proof = Proof(self.aim.settle)
        self.deadline = self.aim.deadline
        self.hold = self.aim.hold
        self.parts: tuple[Part, ...] = ()
        self.last_cancel = -inf
        self.flat_at: float | None = None
        self.first_flat_at: float | None = None
        self.reopened = 0
        self._natives: dict[str | None, _Native] = {}
        self._cancels_flying: set[OrderKey] = set()
        self._reads_flying: set[OrderKey] = set()
        self._closed_flying = False
        self._listing = False
        self._list_at = self.started
        self._list_failures = 0
        self._empty_wait = 0
        self._unauthorised = 0
        self._closed_at = 0.0
        self._closed_misses: dict[OrderKey, int] = {}
        self._final_begun: float | None = None
        self._final_listed = False
        self._final_read: set[OrderKey] = set()
        self._released = False
        self._spellings: dict[str, set[str]] = {}
        self._resend: set[OrderKey] = set()
        self._read_times: list[float] = []
        self._stalls: list[float] = []
        self._in_doubt: set[OrderKey] = set()
        self._looked: dict[OrderKey, float] = {}
        self._want_natives()
        for key in self.aim.scope.keys or ():
            if key.venue == self.venue:
                self.tracks[key] = Track(key, sighted=True, since=self.started)

    # ------------------------------------------------------------------ plan

    @property
    def _lists_needed(self) -> bool:
        """Named orders are proven by reading them, where the venue can; everything else by lists."""
        if not self.aim.by_id:
            return True
        return not self.capabilities.read_order

    @property
    def native_usable(self) -> bool:
        """Whether the scope is exactly a union of the native cancel-all's reaches."""
        scope = self.aim.scope
        if not self.capabilities.cancel_all or not scope.native:
            return False
        return not scope.symbols or self.capabilities.cancel_all_symbol

    def _want_natives(self) -> None:
        if not self.native_usable:
            return
        scope = self.aim.scope
        for symbol in sorted(scope.raw.get("symbol", [])) if scope.symbols else [None]:
            self._natives[symbol] = _Native(symbol)

    def learn_spelling(self, symbols: Iterable[str]) -> None:
        """Take the venue's exact spelling of symbols, from lists made before."""
        for symbol in symbols:
            self._spellings.setdefault(symbol.casefold(), set()).add(symbol)
        if not self.aim.scope.symbols or not self.native_usable:
            return
        for wanted in self.aim.scope.symbols:
            same = [one for name, one in self._natives.items() if name and name.casefold() == wanted]
            if any(one.flying or one.named for one in same):
                # As it was typed it may do, or does already: one cancel-all is enough.
                continue
            for exact in self._spellings.get(wanted, ()):
                if exact not in self._natives:
                    self._natives[exact] = _Native(exact)
            # A spelling that the venue never showed is dropped before it was ever sent.
            if self._spellings.get(wanted):
                for typed in [one for one in self._natives if one and one.casefold() == wanted]:
                    if typed not in self._spellings[wanted] and not self._natives[typed].attempts:
                        del self._natives[typed]

    def adopt(self, orders: Iterable[Order]) -> None:
        """Start from descriptions that are known already (marked orders); they count as live."""
        for order in orders:
            track = self.tracks.get(order.key)
            if track is not None:
                track.describe(order)

    # ------------------------------------------------------------------ next

    def next(self, now: float) -> list[Action]:
        """What may be done at this moment. The runner must start every action that it is given."""
        actions: list[Action] = []
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
            times.append(self._list_at)
        times.append(self._closed_at)
        times += [one.next_read for one in self.tracks.values() if one.doubted or not one.stage.settled]
        if self.flat_at is not None:
            times.append(self._hold_until())
        later = [one for one in times if one > now]
        return min(later, default=inf)

    def expired(self, now: float) -> bool:
        """Whether the deadline is past; a hold starts no new one until something appears."""
        return now >= self.deadline

    @property
    def flying(self) -> bool:
        """Whether anything that was started has not come back."""
        return bool(
            self._cancels_flying
            or self._reads_flying
            or self._closed_flying
            or self._listing
            or any(one.flying for one in self._natives.values())
        )

    @property
    def cancelling(self) -> bool:
        """Whether a cancel is in flight."""
        return bool(self._cancels_flying) or any(one.flying for one in self._natives.values())

    def _natives_due(self, now: float) -> list[Action]:
        due: list[Action] = []
        for native in self._natives.values():
            if native.wanted and not native.flying and native.next_try <= now and self._unauthorised < 3:
                native.wanted, native.flying = False, True
                native.attempts += 1
                native.reach = self._in_reach(native.symbol)
                for key in native.reach:
                    self._sent(self.tracks[key], now)
                due.append(SendNative(native.symbol))
        return due

    def _in_reach(self, symbol: str | None) -> tuple[OrderKey, ...]:
        return tuple(
            key
            for key, track in self.tracks.items()
            if track.stage in (Stage.WANTED, Stage.UNKNOWN, Stage.REFUSED)
            and key not in self._cancels_flying
            and (symbol is None or (track.order and track.order.symbol and track.order.symbol.same(symbol)))
        )

    def _sent(self, track: Track, now: float) -> None:
        track.attempts += 1
        track.sent_at = now
        track.apply(Event.SEND, now)

    def _singles_due(self, now: float) -> list[Action]:
        if self._natives_first(now) or self._unauthorised >= 3:
            return []
        room = self.capabilities.connections - len(self._cancels_flying)
        if room <= 0:
            return []
        due = [track for track in self.tracks.values() if self._single_due(track, now)]
        actions: list[Action] = []
        for track in plan(due)[:room]:
            self._cancels_flying.add(track.key)
            self._sent(track, now)
            track.sighted = track.lingering = False
            self._resend.discard(track.key)
            actions.append(SendCancel(track.key))
        return actions

    def _natives_first(self, now: float) -> bool:
        """Whether singles wait for a cancel-all: in flight, or due so soon that they would gain nothing."""
        return any(
            one.flying or (one.wanted and one.next_try <= now + _NATIVE_WAIT)
            for one in self._natives.values()
        )

    def _single_due(self, track: Track, now: float) -> bool:
        if track.key in self._cancels_flying or track.next_try > now:
            return False
        if track.stage is Stage.WANTED:
            return track.sighted
        if self._asks_again(track):
            return True
        # A cancel that the venue has been "raising" for long is asked for again; at worst it is refused.
        return track.stage is Stage.ACCEPTED and track.lingering and now - track.since > _STUCK

    def _list_due(self, now: float) -> bool:
        if self._listing or now < self._list_at or not self._lists_needed:
            return False
        if self._final_begun is not None and self._final_listed:
            return False
        if self.done(now) or self._unauthorised >= 3:
            return False
        # Scarce lists are not spent while reading the ends can still tell more for less.
        return not (
            self.passes
            and self._scarce
            and self._final_begun is None
            and not self.cancelling
            and self._ends_readable
            and now - self._list_at < _PATIENCE
            and not any(track.sighted for track in self.tracks.values())
        )

    @property
    def _scarce(self) -> bool:
        budget = self.capabilities.budgets.get(CallClass.LIST)
        return budget is not None and budget.count / budget.seconds < 1.0

    @property
    def _ends_readable(self) -> bool:
        if not (self.capabilities.read_order or self.capabilities.closed_page):
            return False
        return any(self._wants_end(track) for track in self.tracks.values())

    def _wants_end(self, track: Track) -> bool:
        if track.stage.settled:
            if track.doubted and track.key not in self._final_read:
                return True
            return self.aim.by_id and self.capabilities.read_order and not track.read_back and not track.lost
        if track.key in self._cancels_flying or track.key in self._final_read:
            return False
        if track.stage is Stage.SENT:
            return False
        return not (track.stage is Stage.WANTED and track.sighted)

    def _reads_due(self, now: float) -> list[Action]:
        if not (self.capabilities.read_order or self.capabilities.closed_page):
            return []
        if self._unauthorised >= 3:
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
        room = _READERS - len(self._reads_flying)
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
        return [one for one in pending if self._closed_misses.get(one.key, 0) < _CLOSED_MISSES]

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
        return [ReadClosed(tuple(one for one in touched if one.key in found.covers), found)]

    # ------------------------------------------------------------------ cancels

    def took_cancel(self, key: OrderKey, outcome: Outcome[CancelAck], now: float, wall: float) -> None:
        """What came of one single cancel."""
        self._cancels_flying.discard(key)
        track = self.tracks[key]
        if not isinstance(outcome, NotSent):
            self.last_cancel = max(self.last_cancel, now)
            track.ended_at = now
            track.requested_wall = track.requested_wall or wall
        self._note(outcome)
        if isinstance(outcome, Answered):
            track.acknowledged_wall = track.acknowledged_wall or wall
            track.message = None
            self._took_order(track, outcome.value.order, now, wall)
        else:
            track.message = describe(outcome)
            track.apply(event_of(outcome), now)
            if isinstance(outcome, NotSent):
                track.attempts -= 1
                track.sighted = True
        track.next_try = now + _pause(outcome, track.attempts)
        if isinstance(outcome, NotSent) and outcome.hopeless:
            track.next_try, track.sighted = inf, False
        if isinstance(outcome, Unanswered | Throttled) and track.attempts < _BLIND_TRIES:
            self._resend.add(key)
        track.next_read = now + _READ_AFTER
        self._closed_at = max(self._closed_at, now + _READ_AFTER)
        self._soon(now)

    def _took_order(self, track: Track, order: Order | None, now: float, wall: float) -> None:
        if order is not None and order.status.terminal:
            track.end(order, now, wall)
            return
        if order is not None:
            track.describe(order)
        if order is not None and order.venue_status is not None and order.venue_status.same("activated"):
            # A Stop that triggered: the cancel came too late, and what it placed is live under another id.
            track.apply(Event.REFUSE, now)
            track.sighted = True
            track.message = "the Stop triggered before the cancel: it has placed a new order"
            return
        track.apply(Event.TOOK, now)

    def took_native(
        self, symbol: str | None, outcome: Outcome[CancelAllAck], now: float, wall: float
    ) -> None:
        """What came of the venue's own cancel-all."""
        native = self._natives[symbol]
        native.flying = False
        if not isinstance(outcome, NotSent):
            self.last_cancel = max(self.last_cancel, now)
        self._note(outcome)
        named: set[OrderId] = set()
        if isinstance(outcome, Answered):
            native.answered = True
            native.named = native.named or bool(outcome.value.orders or outcome.value.ids)
            named = self._named(outcome.value, now, wall)
        for key in native.reach:
            track = self.tracks[key]
            if track.stage is not Stage.SENT or key in self._cancels_flying:
                continue
            if not isinstance(outcome, NotSent):
                track.ended_at = now
                track.sighted = track.lingering = False
                track.requested_wall = track.requested_wall or wall
            if isinstance(outcome, Answered):
                if key.order_id not in named:
                    track.apply(Event.SILENCE, now)
            else:
                track.message = describe(outcome)
                track.apply(event_of(outcome), now)
            track.next_read = now + _READ_AFTER
        # Singles need evidence from after the cancel-all: it may have done its work without saying so.
        for track in self.tracks.values():
            if track.stage is Stage.WANTED and not isinstance(outcome, NotSent):
                track.sighted = False
        if not isinstance(outcome, Answered):
            native.wanted = native.attempts < _NATIVE_TRIES and not _definite(outcome)
            native.next_try = now + _pause(outcome, native.attempts)
        self.learn_spelling(())
        self._closed_at = max(self._closed_at, now + _READ_AFTER)
        self._soon(now)

    def _named(self, ack: CancelAllAck, now: float, wall: float) -> set[OrderId]:
        for order in ack.orders:
            self._observe(order)
            track = self._track(order.key, now)
            self._acknowledged(track, now, wall)
            self._took_order(track, order, now, wall)
        for order_id in ack.ids:
            track = self._track(OrderKey(self.venue, None, Family.ORDER, order_id), now)
            self._acknowledged(track, now, wall)
            if track.stage is not Stage.ENDED:
                track.apply(Event.TOOK, now)
        return {order.key.order_id for order in ack.orders} | set(ack.ids)

    def _acknowledged(self, track: Track, now: float, wall: float) -> None:
        track.attempts = max(track.attempts, 1)
        track.ended_at = now
        track.sighted = track.lingering = False
        track.message = None
        track.requested_wall = track.requested_wall or wall
        track.acknowledged_wall = track.acknowledged_wall or wall
        track.next_read = now + _READ_AFTER

    def _track(self, key: OrderKey, now: float) -> Track:
        track = self.tracks.get(key)
        if track is None:
            track = self.tracks[key] = Track(key, since=now)
        return track

    def _again_natively(self, now: float) -> None:
        """Many orders are live after an answered cancel-all: ask once more rather than one by one."""
        if not self._natives or any(one.wanted or one.flying for one in self._natives.values()):
            return
        left = [one for one in self.tracks.values() if one.stage is Stage.WANTED and one.sighted]
        if len(left) <= _FEW:
            return
        for native in self._natives.values():
            if native.answered and native.attempts < _NATIVE_TRIES:
                native.wanted, native.next_try = True, now

    # ------------------------------------------------------------------ lists

    def took_parts(self, parts: Parts) -> tuple[Part, ...]:
        """The venue said what a complete list consists of; which of it this pass has to read."""
        self.parts = parts.parts
        self.blind_spots |= set(parts.blind_spots)
        self.seen_accounts |= {account.casefold() for account in parts.accounts}
        wanted = self.proof.wanted(parts.parts, self.last_cancel)
        if self._unauthorised:
            # One request tells whether the key is accepted again; many would only spend the budget.
            return wanted[:1]
        if self._scarce and not self.passes and self.native_usable:
            # Past windows that are read while the cancel-all is at work would all have to be read again.
            return tuple(part for part in wanted if not part.past)
        return wanted

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
            scoped = self._take_orders(found.orders, part_begun, now, wall, listed, unreadable)
            readings[part_id] = PartReading(part_begun, found.complete, scoped)
        whole = failed is None and set(readings) >= {
            part.id for part in self.proof.wanted(self.parts, self.last_cancel)
        }
        self.unreadable = unreadable if whole else {**self.unreadable, **unreadable}
        if failure is None:
            empty = self.proof.absorb(self.parts, begun, readings, self.last_cancel)
        else:
            empty = False
            self.proof.streak.clear()
        if whole and all(one.complete for one in readings.values()):
            self.complete_passes += 1
            self._missing(begun, listed)
        self._note_stall(begun, whole=whole, listed=bool(listed))
        self._note(failed if failed is not None else Answered(None))
        if failed is None and note:
            self.error = f"the list is incomplete: {note}"
        self._after_pass(begun, now, empty=empty, failed=failed, listed=bool(listed))
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
        scoped = False
        for order in orders:
            self._observe(order)
            track = self.tracks.get(order.key)
            if order.status.terminal:
                # A finished order in a list of open ones is the venue's word for its end.
                if track is not None:
                    track.end(order, now, wall)
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

    def _see(self, order: Order, begun: float, now: float) -> None:
        track = self.tracks.get(order.key)
        if track is None:
            track = self.tracks[order.key] = Track(order.key, since=now)
            track.newcomer = self.complete_passes > 0
            if self.first_flat_at is not None and self.flat_at is None and self.expired(now):
                self.deadline = now + (self.aim.deadline - self.started)
        if track.stage.settled:
            self._ghost(track, order, begun, now)
            return
        was = track.stage
        track.see(order, begun, now)
        if track.stage is Stage.WANTED and was is Stage.ACCEPTED:
            # Accepted, yet listed as if nothing had happened: most likely a list that lags.
            track.next_try = max(track.next_try, now + backoff(track.attempts, 1.0))

    def _ghost(self, track: Track, order: Order, begun: float, now: float) -> None:
        """An order that is over, by the venue's word or by proof, stands in a later list."""
        if begun <= (track.ended_at or -inf) or begun <= track.since:
            return
        track.ghost_sightings += 1
        readable = self.capabilities.read_order
        if track.stage is Stage.GONE or track.ghost_sightings >= (_GHOSTS if readable else 2):
            track.ghost_sightings = 0
            track.see(order, begun, now)
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
            track.lingering = False
            if track.stage is Stage.WANTED:
                track.sighted = False

    def _unlisted(self, key: OrderKey) -> bool:
        """Whether the order belongs to a family that the venue does not list: its absence says nothing."""
        spots = {*self.capabilities.blind_spots, *self.blind_spots}
        return key.family is Family.STOP and "stop_orders" in spots

    def _absence_tells(self, track: Track) -> bool:
        """Whether the lists can account for it: not for what they never hold, nor for an id unheard of."""
        if self._unlisted(track.key):
            return False
        return not self.aim.by_id or track.order is not None or track.acknowledged_wall is not None

    def _note_stall(self, begun: float, *, whole: bool, listed: bool) -> None:
        """Remember complete passes in which nothing was left but what may not be touched."""
        if not whole or listed or not self.unreadable or begun <= self.last_cancel:
            self._stalls.clear()
        else:
            self._stalls.append(begun)

    def _observe(self, order: Order) -> None:
        if order.symbol is not None:
            self.seen_symbols.add(order.symbol.raw.casefold())
            if self.aim.scope.symbols and order.symbol.raw.casefold() in self.aim.scope.symbols:
                self.learn_spelling([order.symbol.raw])
        if order.account is not None:
            self.seen_accounts.add(order.account.casefold())
        if order.exchange is not None:
            self.seen_exchanges.add(order.exchange.raw.casefold())

    def _after_pass(
        self, begun: float, now: float, *, empty: bool, failed: Failure | None, listed: bool
    ) -> None:
        if self._final_begun is not None and begun >= self._final_begun:
            self._final_listed = True
        if failed is not None:
            self._list_failures += 1
            self._list_at = now + _pause(failed, self._list_failures)
            return
        self._list_failures = 0
        if empty:
            self._empty_wait = 0
            self._list_at = self.proof.next_pass(self.last_cancel) or now
            if self.proof.flat(self.last_cancel):
                # The lists have proven their part; what follows is the watch for newcomers.
                self._list_at = now + max(self.aim.list_interval, self.aim.settle)
        elif listed or self.tracks:
            self._empty_wait += 1
            first, longest = (1.5, 6.0) if self._scarce else (0.25, 2.0)
            self._list_at = max(begun, now) + backoff(self._empty_wait, first, longest)
        else:
            self._list_at = now + self.aim.settle
        self._again_natively(now)

    def _soon(self, now: float) -> None:
        """A cancel was answered: once none is left to send, look at the lists."""
        self._empty_wait = 0
        waiting = self.cancelling or any(
            one.stage is Stage.WANTED and one.sighted for one in self.tracks.values()
        )
        pause = self.aim.list_interval if waiting else (1.0 if self._scarce and self.tracks else 0.0)
        self._list_at = now + pause if not waiting else min(max(self._list_at, now), now + pause)

    # ------------------------------------------------------------------ ends

    def took_read(
        self, key: OrderKey, outcome: Outcome[Order], begun: float, now: float, wall: float
    ) -> None:
        """What came of reading one order back."""
        self._reads_flying.discard(key)
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
                track.read_back = True
                track.end(order, now, wall)
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
            track.next_read = now + max(_pause(outcome, track.reads + 1), 0.5)
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
        if track.lost:
            track.next_read = inf if self.aim.by_id else now + 2.0
            return
        track.lost = True
        track.next_read = now + max(self.aim.settle, 0.2)

    def took_closed_part(self, orders: Iterable[Order], now: float, wall: float) -> None:
        """One page of finished orders arrived; more may follow."""
        for order in orders:
            track = self.tracks.get(order.key)
            if track is not None and order.status.terminal and track.stage is not Stage.SENT:
                self._observe(order)
                track.read_back = True
                track.end(order, now, wall)

    def took_closed(
        self,
        action: ReadClosed,
        outcome: Outcome[ClosedPage],
        found: Sequence[Order],
        now: float,
        wall: float,
    ) -> None:
        """What a look at the finished orders brought; `outcome` is the last page's."""
        self._closed_flying = False
        self._note(outcome)
        ends = {order.key: order for order in found}
        missed = 0
        for touched in action.touched:
            track = self.tracks[touched.key]
            order = ends.get(touched.key)
            self._in_doubt.discard(touched.key)
            if isinstance(outcome, Answered):
                self._looked[touched.key] = now
            if order is not None:
                self._observe(order)
            if order is not None and order.status.terminal:
                track.read_back = True
                track.end(order, now, wall)
            elif not track.stage.settled:
                missed += 1
                self._closed_misses[touched.key] = self._closed_misses.get(touched.key, 0) + 1
            if self._final_begun is not None and not isinstance(outcome, NotSent):
                self._final_read.add(touched.key)
        pause = 0.0
        if not isinstance(outcome, Answered):
            pause = _pause(outcome, 2)
        elif missed:
            pause = 1.0 if self._scarce else 0.5
        self._closed_at = now + pause
        self._conclude(now, wall)

    # ------------------------------------------------------------------ verdict

    def _conclude(self, now: float, wall: float) -> None:
        """Where the lists prove absence, orders that the venue cannot account for are gone."""
        if self._lists_needed and self.proof.flat(self.last_cancel):
            for track in self.tracks.values():
                if not track.stage.settled and self._absence_tells(track) and self._unaccountable(track):
                    track.apply(Event.ABSENT, now)
        if self.flat and self.flat_at is None:
            self.flat_at = now
            self.first_flat_at = self.first_flat_at or now
        elif not self.flat and self.flat_at is not None:
            self.flat_at = None
            self.reopened += 1
            if self.expired(now):
                self.deadline = now + (self.aim.deadline - self.started)
                self._final_begun = None
                self._final_listed = False
                self._final_read.clear()

    def _unaccountable(self, track: Track) -> bool:
        if track.key in self._cancels_flying:
            return False
        if self.capabilities.read_order:
            return track.lost
        if self.capabilities.closed_page and self.closed_planner is not None:
            if self._closed_misses.get(track.key, 0) >= _CLOSED_MISSES:
                return True
            return track.key not in self.closed_planner((Touched(track.key, track.order),)).covers
        return True

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

    def _asks_again(self, track: Track) -> bool:
        """No list will ever tell how an unanswered cancel ended: another one is the only question left."""
        return track.stage is Stage.UNKNOWN and track.key in self._resend and self._unlisted(track.key)

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
        if self.cancelling and now < self.deadline + _FINAL:
            return False
        if self._final_begun is None:
            self._final_begun = now
            self._list_at = now
            self._closed_at = now
            for track in self.tracks.values():
                track.next_read = min(track.next_read, now)
        if now >= max(self._final_begun, self.deadline) + _FINAL:
            return True
        listed = self._final_listed or not self._lists_needed
        readable = self.capabilities.read_order or self.capabilities.closed_page
        return listed and not self.flying and not (readable and self._ends_readable)

    def resume_sweep(self, now: float) -> None:
        """While holding: look again after the usual interval."""
        if self.flat_at is not None and not self._listing:
            self._list_at = max(self._list_at, self.flat_at + self.aim.list_interval)

    @property
    def verdict(self) -> Verdict:
        """The verdict of this venue as things stand."""
        if any(track.outcome.value == "open" for track in self.tracks.values()):
            return Verdict.NOT_FLAT
        if self.flat and all(track.stage.settled for track in self.tracks.values()):
            return Verdict.FLAT
        return Verdict.UNVERIFIED

    # ------------------------------------------------------------------ errors

    def _note(self, outcome: object) -> None:
        if isinstance(outcome, Unauthorised):
            self._unauthorised += 1
        elif isinstance(outcome, Answered):
            self._unauthorised = 0
            self.error = None
            return
        if isinstance(outcome, Refused) and outcome.reason is Reason.NOT_FOUND:
            return
        if isinstance(outcome, NotSent | Unanswered | Throttled | Unauthorised | Refused):
            self.error = describe(outcome)


_STUCK = 15.0
"""Seconds after which an accepted cancel is asked for again."""
_READ_AFTER = 0.3
"""Seconds between the answer to a cancel and the first read-back."""
_READERS = 3
_CLOSED_MISSES = 6
_NATIVE_TRIES = 4
_NATIVE_WAIT = 1.0
"""Seconds to the next try of a cancel-all beyond which singles do not wait for it."""
_BLIND_TRIES = 4
"""Cancels of an order that can be neither listed nor read, while no answer comes."""
_GHOSTS = 3
"""Complete lists that hold an order which the venue, asked for it, calls over: then it is cancelled again."""
_FEW = 5
"""Up to so many leftovers of a cancel-all are cancelled one by one."""
_PATIENCE = 6.0
"""Seconds that scarce lists are saved while ends are being read."""
_FINAL = 13.0
"""Seconds that the last look may take after the deadline."""


def event_of(outcome: Failure) -> Event:
    """What an outcome that is no answer means for the order: the one table for it.

    | Outcome                      | The order                                        |
    |------------------------------|--------------------------------------------------|
    | NotSent                      | as before: nothing happened                      |
    | Unanswered                   | unknown until read                               |
    | Throttled                    | unknown until read: it may have been carried out |
    | Unauthorised                 | refused before the order was looked at           |
    | Refused, NOT_FOUND           | unknown: not an end                              |
    | Refused, anything else       | refused; live until read otherwise               |
    """
    if isinstance(outcome, NotSent):
        return Event.NOT_SENT
    if isinstance(outcome, Unanswered | Throttled):
        return Event.SILENCE
    if isinstance(outcome, Refused) and outcome.reason is Reason.NOT_FOUND:
        return Event.SILENCE
    return Event.REFUSE


def _definite(outcome: Failure) -> bool:
    """Whether the same request would be refused again: a no that is neither haste nor loss."""
    if isinstance(outcome, Refused):
        return outcome.reason is not Reason.BUSY
    return isinstance(outcome, Unauthorised) or (isinstance(outcome, NotSent) and outcome.hopeless)


def _pause(outcome: object, attempts: int) -> float:
    """Seconds before the same is tried again, from the class of the outcome."""
    if isinstance(outcome, Throttled):
        return max(outcome.retry_after or 0.0, backoff(attempts, 1.0, 30.0))
    if isinstance(outcome, Unauthorised):
        return backoff(attempts, 1.0, 8.0)
    if isinstance(outcome, Refused) and outcome.reason is Reason.BUSY:
        return backoff(attempts, 0.2, 2.0)
    if isinstance(outcome, Answered):
        return backoff(attempts, 0.5, 8.0)
    return backoff(attempts, 0.3, 4.0)
