"""One configured venue and all that the desk knows of it: state, book, age of its lists. No I/O."""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING

import msgspec

from cancel_tui.desk.book import VenueBook
from cancel_tui.desk.feeds import Feed
from cancel_tui.orders import OrderKey, VenueName
from cancel_tui.venues.outcome import Failure, Unauthorised

if TYPE_CHECKING:
    from cancel_tui.desk.lane import Lane
    from cancel_tui.settings import VenueSettings
    from cancel_tui.venues.base import Part, Venue

NOT_ASKED = "not asked yet"
"""The error of a venue of which nothing can be said yet."""
READING = "its first list is still being read"
"""What stands in its place while pages of that list are shown."""
STALE_AFTER = 5.0
"""Seconds past a venue's own rhythm after which its list counts as stale."""


UNOPENED = 2.0
"""Seconds from one look to the next at a venue that cannot be asked yet."""


class LockedError(Exception):
    """No usable credentials for a venue; the text says why and what to do."""


class VenueState(StrEnum):
    """The contract's words."""

    LIVE = "live"
    STALE = "stale"
    DOWN = "down"
    LOCKED = "locked"
    REFUSED = "refused"


class Slot(msgspec.Struct, eq=False):
    """One configured venue and all that the desk knows of it."""

    settings: VenueSettings
    book: VenueBook
    venue: Venue | None = None
    lane: Lane | None = None
    state: VenueState = VenueState.DOWN
    error: str | None = NOT_ASKED
    blind_spots: set[str] = msgspec.field(default_factory=set)
    past_spots: set[str] = msgspec.field(default_factory=set)
    """Those that old windows brought."""
    scan_at: float = -inf
    """Monotonic time from which old windows are read again; infinity while they are."""
    parts: tuple[Part, ...] = ()
    accounts: set[str] = msgspec.field(default_factory=set)
    """Accounts that the venue named, in its own spelling."""
    listed_at: float | None = None
    """Monotonic time at which the newest orders were last read to the end."""
    full_at: float | None = None
    """Monotonic time at which every part was last read."""
    complete: bool = False
    rhythm: float | None = None
    """Seconds from one look to the next as things are; None before the first: the venue's own."""
    look_cost: int = 1
    """Requests that the last look at the newest orders took."""
    feed: Feed = msgspec.field(default_factory=Feed)
    """Its push stream."""
    flying: set[OrderKey] = msgspec.field(default_factory=set)
    """Orders whose single cancel is in flight, whoever sent it: never two for one order."""

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

    @property
    def beat(self) -> float:
        """Seconds from one look to the next, by which a list is stale or not."""
        if self.rhythm is not None:
            return self.rhythm
        return self.venue.capabilities.poll_seconds if self.venue is not None else UNOPENED

    @property
    def unproven(self) -> int | None:
        """Old windows that a verdict would have to read; None before they were read once."""
        past = {part.id for part in self.parts if part.past}
        return None if past and self.full_at is None else len(past - self.book.empty_past(past))

    def state_at(self, now: float) -> VenueState:
        """The state, where a live list may meanwhile have gone stale."""
        if self.state is not VenueState.LIVE or self.venue is None or self.listed_at is None:
            return self.state
        return VenueState.STALE if now - self.listed_at > self.beat + STALE_AFTER else VenueState.LIVE


def state_of(failure: Failure) -> VenueState:
    """What a failed list says of the venue."""
    return VenueState.REFUSED if isinstance(failure, Unauthorised) else VenueState.DOWN
