"""What an engine knows: the state that its layers share. Pure; all times are values that are handed in.

The engine is built in layers, one idea each: this state, the cancels (`cancelling`), the ends of orders
(`endings`), the lists (`listing`), and on top what may be done next and the verdict (`engine`). A layer calls
only what lies below it, and the two questions that the top answers for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

import msgspec

from cancel_tui.cancels import Event, Stage
from cancel_tui.desk.actions import RUSH, Aim, sort_of
from cancel_tui.desk.changes import Changes
from cancel_tui.desk.proof import Proof
from cancel_tui.desk.track import Track
from cancel_tui.orders import Order, OrderKey, OrderStatus, VenueName
from cancel_tui.venues.base import CallClass, Capabilities, ClosedPlan, Part, Touched
from cancel_tui.venues.outcome import (
    Answered,
    NotSent,
    Reason,
    Refused,
    Throttled,
    Unanswered,
    Unauthorised,
    describe,
)

FEW_TRACKS = 64
"""So many orders are looked at whenever anything happens."""
SURVEY = 100e-6
"""Seconds between two looks at all orders of a venue, for each of them: many times what a look costs."""
LONGEST_GAP = 0.25
"""Seconds between two looks at the most."""
SPARING = 8
"""In the first rush: so many times that."""


class Native(msgspec.Struct):
    """The state of one native cancel-all."""

    symbol: str | None
    flying: bool = False
    wanted: bool = True
    answered: bool = False
    attempts: int = 0
    unsent: int = 0
    """How many of it in a row could not leave at all; no attempts."""
    next_try: float = 0.0
    sent_at: float | None = None
    """When its last request was handed out."""
    named: bool = False
    """An answer to it named orders: the venue understands this spelling."""
    reach: tuple[OrderKey, ...] = ()
    """Orders that were known when it left."""
    blind: bool = False
    """Whether it left before any list had named what it was going to reach."""


@dataclass(eq=False, repr=False, match_args=False)
class KillState(ABC):
    """One venue's part of a kill. All times are monotonic seconds unless they are named `wall`."""

    venue: VenueName
    capabilities: Capabilities
    aim: Aim
    started: float
    tracks: dict[OrderKey, Track] = field(default_factory=dict)
    unreadable: dict[OrderKey, Order] = field(default_factory=dict)
    """Orders whose scope cannot be read, as the last list showed them: named, never touched."""
    left: dict[str, dict[OrderKey, Order]] = field(default_factory=dict)
    """Part of the list → stop and take-profit orders that it showed last and that the scope leaves alone."""
    seen_symbols: set[str] = field(default_factory=set)
    seen_accounts: set[str] = field(default_factory=set)
    seen_exchanges: set[str] = field(default_factory=set)
    """Case-folded values that occurred in any order, for `unmatched`."""
    blind_spots: set[str] = field(default_factory=set)
    error: str | None = None
    """The last trouble, in one line; None while all is well."""
    failures: Counter[str] = field(default_factory=Counter)
    """How often each sort of failure came, lists and read-backs included."""
    odd_words: dict[str, set[OrderKey]] = field(default_factory=dict)
    """Status words that nobody has documented, as the venue spells them → the orders that carried them."""
    passes: int = 0
    complete_passes: int = 0
    restless: int = 0
    """Passes in a row that showed newcomers."""
    rest_until: float = -inf
    """Before that no pass begins, whatever asks for one."""
    whole: bool = False
    """Whether the newest pass read everything that it had to."""
    shown: int = 0
    """Orders in scope that the newest pass showed."""
    scouting: bool = False
    """Whether the pass that is due reads the newest orders only."""
    scouted: float = -inf
    """When such a pass last began."""
    told_at: float = -inf
    """When a read-back last told the end of an order that had none."""
    singly: set[OrderKey] = field(default_factory=set)
    """Orders that are cheaper to read one by one than to go on looking for."""
    closed_planner: Callable[[Sequence[Touched]], ClosedPlan] | None = None
    """The adapter's `closed_plan`, handed in by the runner."""
    ready: Callable[[CallClass, float], float] = lambda _, now: now
    """When the budget lets a request of a class leave; now or before it means at once."""
    room: Callable[[CallClass, float], float] = lambda _, __: inf
    """How many requests of a class the budget lets leave at once."""
    elsewhere: Callable[[OrderKey], bool] = lambda _: False
    """Whether a single cancel of the order is in flight, on whoever's behalf."""
    crowded: Callable[[float], bool] = lambda _: False
    """Whether cancels of the same kill leave at other venues as fast as they can."""

    def __post_init__(self) -> None:
        self.proof = Proof(self.aim.settle)
        self.changes = Changes()
        """Tracks of which stage, outcome, words or description are, or may be, others."""
        self.deadline = self.aim.deadline
        self.hold = self.aim.hold
        self.stopped = False
        """Whether it was told to start no new cancel: then no later list gives it new time."""
        self.parts: tuple[Part, ...] = ()
        self.last_cancel = -inf
        self.informed = False
        """Whether a complete list made shortly before has told which orders there are."""
        self.silent_at: float | None = None
        """When a cancel-all left that may have ended orders which neither a list nor its answer named."""
        self.untold = False
        """Whether such orders may still be missing from what is said: its answer was lost."""
        self.flat_at: float | None = None
        self.first_flat_at: float | None = None
        self.reopened = 0
        self._surveyed = -inf
        """When all orders were last looked at."""
        self._survey = True
        """Whether all orders are looked at this time."""
        self._queue: deque[OrderKey] = deque()
        """Orders whose single cancel was due at the last survey, the most urgent first."""
        self._natives: dict[str | None, Native] = {}
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
        self._pressed: set[OrderKey] = set()
        self._read_times: list[float] = []
        self._stalls: list[float] = []
        self._in_doubt: set[OrderKey] = set()
        self._looked: dict[OrderKey, float] = {}
        for key in self.aim.scope.keys or ():
            # With protective orders kept, a list says first which of these may be touched.
            if key.venue == self.venue and not self.aim.scope.keep_protective:
                self.tracks[key] = Track(key, sighted=True, since=self.started)
                self.changes.note(key)

    def adopt(self, orders: Iterable[Order]) -> None:
        """Start from descriptions that are known already (marked orders); they count as live."""
        for order in orders:
            track = self.tracks.get(order.key)
            if track is not None:
                track.describe(order)
                self.changes.note(order.key)

    def saw(self, symbol: str | None, account: str | None, exchange: str | None) -> None:
        """Values that occurred in an order of this venue, for `unmatched`."""
        for value, seen in (
            (symbol, self.seen_symbols),
            (account, self.seen_accounts),
            (exchange, self.seen_exchanges),
        ):
            if value is not None:
                seen.add(value.casefold())

    def inherit(self, key: OrderKey, requested_wall: float | None, *, acknowledged: bool) -> None:
        """Take over an order that another process touched and left: unknown until the venue speaks.

        `requested_wall` is when its first cancel was written down, seconds since 1970; `acknowledged` says
        whether the venue has ever answered one.
        """
        track = self._track(key, self.started)
        self.changes.note(key)
        track.apply(Event.SILENCE, self.started)
        track.sighted = False
        track.requested_wall = requested_wall
        track.acknowledged_wall = requested_wall if acknowledged else None

    @property
    def _lists_needed(self) -> bool:
        """Named orders are proven by reading them, where the venue can; everything else by lists."""
        if not self.aim.by_id:
            return True
        return not self.capabilities.read_order

    @property
    def kept(self) -> dict[OrderKey, Order]:
        """Stop and take-profit orders that the scope holds but for the wish to keep them, as last listed."""
        return {
            key: order for part in self.left.values() for key, order in part.items() if key not in self.tracks
        }

    @property
    def native_usable(self) -> bool:
        """Whether the scope is exactly a union of the native cancel-all's reaches."""
        scope = self.aim.scope
        if not self.capabilities.cancel_all or not scope.native:
            return False
        return not scope.symbols or self.capabilities.cancel_all_symbol

    def _gap(self, now: float) -> float:
        """Seconds between two looks at all orders, so that looking costs a small part of the time."""
        count = len(self.tracks)
        if count <= FEW_TRACKS:
            return 0.0
        gap = min(LONGEST_GAP, count * SURVEY)
        # In the first rush the last look has more to send than can leave: another one would add nothing.
        return max(LONGEST_GAP, SPARING * gap) if self._queue and now - self.started < RUSH else gap

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

    @property
    def _pass_at(self) -> float:
        """When the next pass may begin."""
        return max(self._list_at, self.rest_until)

    @property
    def _scarce(self) -> bool:
        budget = self.capabilities.budgets.get(CallClass.LIST)
        return budget is not None and budget.count / budget.seconds < 1.0

    def _track(self, key: OrderKey, now: float) -> Track:
        track = self.tracks.get(key)
        if track is None:
            track = self.tracks[key] = Track(key, since=now)
            self.changes.note(key)
        return track

    @property
    def _more_to_send(self) -> bool:
        """Whether cancels are in flight, or wait to leave."""
        return self.cancelling or any(
            one.stage is Stage.WANTED and one.sighted for one in self.tracks.values()
        )

    def _soon(self, now: float) -> None:
        """A cancel was answered: once none is left to send, look at the lists."""
        self._empty_wait = 0
        waiting = self._more_to_send
        self._list_at = min(max(self._list_at, now), now + self.aim.list_interval) if waiting else now

    def _odd(self, order: Order) -> None:
        """Count a status word that is not in the adapter's table."""
        if order.status is OrderStatus.UNKNOWN and order.venue_status is not None:
            self.odd_words.setdefault(order.venue_status.raw, set()).add(order.key)

    def _note(self, outcome: object) -> None:
        sort = sort_of(outcome)
        if sort is not None:
            self.failures[sort] += 1
        if isinstance(outcome, NotSent) and outcome.late and self.error is not None:
            # What kept it waiting says more than that its time was over.
            return
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

    @abstractmethod
    def done(self, now: float) -> bool:
        """Whether nothing more is to be started."""

    @abstractmethod
    def _conclude(self, now: float, wall: float) -> None:
        """Draw the conclusions from new evidence."""
