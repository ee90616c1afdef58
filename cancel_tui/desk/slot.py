"""One configured venue and all that the desk knows of it: state, book, age of its lists. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from cancel_tui.desk.book import VenueBook
from cancel_tui.desk.feeds import Feed
from cancel_tui.desk.lane import Lane
from cancel_tui.orders import OrderKey, VenueName
from cancel_tui.settings import VenueSettings
from cancel_tui.venues.base import CallClass, Part, Venue
from cancel_tui.venues.outcome import Failure, Unauthorised

NOT_ASKED = "not asked yet"
"""The error of a venue of which nothing can be said yet."""
STALE_AFTER = 5.0
"""Seconds past a venue's own rhythm after which its list counts as stale."""


class LockedError(Exception):
    """No usable credentials for a venue; the text says why and what to do."""


class VenueState(StrEnum):
    """The contract's words."""

    LIVE = "live"
    STALE = "stale"
    DOWN = "down"
    LOCKED = "locked"
    REFUSED = "refused"


@dataclass(slots=True)
class Slot:
    """One configured venue and all that the desk knows of it."""

    settings: VenueSettings
    venue: Venue | None = None
    lane: Lane | None = None
    state: VenueState = VenueState.DOWN
    error: str | None = NOT_ASKED
    book: VenueBook = field(init=False)
    blind_spots: set[str] = field(default_factory=set)
    past_spots: set[str] = field(default_factory=set)
    """Those that old windows brought."""
    scan_at: float = -inf
    """Monotonic time from which old windows are read again; infinity while they are."""
    parts: tuple[Part, ...] = ()
    accounts: set[str] = field(default_factory=set)
    """Accounts that the venue named, in its own spelling."""
    listed_at: float | None = None
    """Monotonic time at which the newest orders were last read to the end."""
    full_at: float | None = None
    """Monotonic time at which every part was last read."""
    complete: bool = False
    feed: Feed = field(default_factory=Feed)
    """Its push stream."""
    flying: set[OrderKey] = field(default_factory=set)
    """Orders whose single cancel is in flight, whoever sent it: never two for one order."""

    def __post_init__(self) -> None:
        self.book = VenueBook(VenueName(self.settings.name))

    def forget(self) -> None:
        """As if the venue had not been asked yet. What is in flight there still is."""
        self.book.clear()
        self.state, self.error = VenueState.DOWN, NOT_ASKED
        self.blind_spots, self.past_spots, self.accounts = set(), set(), set()
        self.scan_at, self.parts = -inf, ()
        self.listed_at = self.full_at = None
        self.complete = False
        self.feed = Feed()

    @property
    def opened(self) -> bool:
        """Whether it has its credentials, so that it can be asked."""
        return self.venue is not None

    @property
    def name(self) -> VenueName:
        """The table's name."""
        return VenueName(self.settings.name)

    @property
    def all_blind_spots(self) -> tuple[str, ...]:
        """The venue's fixed blind spots and those that turned up."""
        fixed = set(self.venue.capabilities.blind_spots) if self.venue else set()
        return tuple(sorted(fixed | self.blind_spots))

    def state_at(self, now: float) -> VenueState:
        """The state, where a live list may meanwhile have gone stale."""
        if self.state is VenueState.LIVE and self.venue is not None and self.listed_at is not None:
            rhythm = self.venue.capabilities.poll_seconds
            if now - self.listed_at > rhythm + STALE_AFTER:
                return VenueState.STALE
        return self.state


def state_of(failure: Failure) -> VenueState:
    """What a failed list says of the venue."""
    return VenueState.REFUSED if isinstance(failure, Unauthorised) else VenueState.DOWN


def scan_gap(slot: Slot) -> float:
    """Seconds between two old windows: what polls leave of that half of the budget which is not a kill's."""
    if slot.venue is None:
        return 1.0
    budget = slot.venue.capabilities.budgets.get(CallClass.LIST)
    if budget is None:
        return 0.0
    spare = budget.count // 2 - budget.seconds / slot.venue.capabilities.poll_seconds
    return budget.seconds / max(spare, 1.0)
