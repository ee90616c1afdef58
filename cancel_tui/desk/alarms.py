"""What needs a hand, derived from what the desk knows. Pure: facts in, alarms out; all times are values.

An alarm stands for as long as its cause does. Who has seen it, and when it sounds, is kept in `alarm_book`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

import msgspec

from cancel_tui.desk.actions import Verdict
from cancel_tui.desk.impasse import ALARM_AFTER, Impasse
from cancel_tui.desk.slot import STALE_AFTER, VenueState

if TYPE_CHECKING:
    from cancel_tui.orders import VenueName

UNKNOWN_AFTER = 15.0
"""Seconds after which an unknown outcome needs a hand."""
EXPIRES_WITHIN = 900.0
"""Seconds before the end of credentials that cannot renew themselves: time enough to fetch others."""


class Kind(StrEnum):
    """What an alarm is about; of equally grave ones the earlier kind comes first."""

    WITHDRAWN = "withdrawn"
    NOT_FLAT = "not_flat"
    UNPROVEN = "unproven"
    AGAIN = "again"
    LOST = "lost"
    NEWCOMERS = "newcomers"
    STUCK = "stuck"
    UNKNOWN = "unknown"
    UNENDED = "unended"
    JOURNAL = "journal"
    EXPIRING = "expiring"


RANK: Mapping[Kind, int] = {kind: number for number, kind in enumerate(Kind)}


class Severity(IntEnum):
    """How much a hand is needed."""

    SOON = 1
    """Something will go wrong."""
    SERIOUS = 2
    """Orders do not do what they were told to, or nobody can say."""
    GRAVE = 3
    """Orders live that should not, or nobody can reach them."""


class Alarm(msgspec.Struct, frozen=True):
    """One thing that needs a hand."""

    id: str
    """The same cause has the same id at every look."""
    kind: Kind
    severity: Severity
    since: float
    """Monotonic seconds at which the cause arose, as far as that is known."""
    sentence: str
    """In our words; no line end, and nothing that changes while the cause is the same."""
    words: str | None = None
    """The venue's, or the system's."""
    grade: int = 0
    """Within the severity: a higher one is worse."""
    venue: VenueName | None = None


class VenueFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One venue as it stands. Ages are seconds."""

    name: VenueName
    state: VenueState = VenueState.LIVE
    live: int = 0
    """Orders that are live by all that is known."""
    age: float | None = 0.0
    """Of its last list; None while there was none."""
    rhythm: float = 2.0
    """Seconds between two lists, when all is well."""
    error: str | None = None
    again: int = 0
    """Orders that had ended and are listed again, of no kill that has taken its flat back."""
    unknown: int = 0
    """Orders whose cancel came to an unknown end, and about which nothing else is told."""
    unknown_age: float = 0.0
    """Of the oldest of them."""
    unknown_words: str | None = None
    expires_in: float | None = None
    """Seconds until its credentials end; None where they do not, or nobody knows."""


class KillFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One kill, or one cancel of named orders, that no later kill has taken over."""

    kill_id: str
    by_id: bool = False
    running: bool = False
    flat: bool = False
    """Whether every venue of it is flat now."""
    verdict: Verdict = Verdict.UNVERIFIED
    past_deadline: float | None = None
    """Seconds; None before."""
    ended_ago: float = 0.0
    """Seconds since its end; 0 while it runs."""
    back: int = 0
    """Orders that contradicted a flat."""
    open: tuple[VenueName, ...] = ()
    """Venues that are not proven flat."""
    live: int = 0
    """Orders of it that are known to be live."""
    words: str | None = None
    newcomers: Mapping[VenueName, int] = msgspec.field(default_factory=dict)
    """Orders of its scope that appeared after its end and that nobody has touched."""

    @property
    def short_id(self) -> str:
        """As much of its id as a person needs."""
        return self.kill_id[:6]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that alarms are made of."""

    venues: tuple[VenueFacts, ...] = ()
    kills: tuple[KillFacts, ...] = ()
    stuck: tuple[tuple[VenueName, Impasse], ...] = ()
    """Cancels that get nowhere, of kills and cancels that are at work."""
    journal: str | None = None
    """Why records cannot be written."""
    exposed: str | None = None
    """Who else could remove records, and what to do about it."""
    unended: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Kill of an earlier start without an end → a sentence about it."""


def alarms(facts: Facts, now: float) -> list[Alarm]:
    """Every alarm that the facts give cause for; `now` is in monotonic seconds."""
    found = [alarm for kill in facts.kills for alarm in _kill(kill, now)]
    found += [alarm for venue in facts.venues for alarm in _venue(venue, now)]
    found += _stuck(facts, now)
    for kill_id, sentence in facts.unended.items():
        found.append(Alarm(f"unended {kill_id}", Kind.UNENDED, Severity.SERIOUS, now, sentence))
    if facts.journal is not None:
        told = "records are being lost: the journal cannot be written"
        found.append(Alarm("journal", Kind.JOURNAL, Severity.SERIOUS, now, told, facts.journal))
    if facts.exposed is not None:
        told = "the record is not safe: others can take it away"
        found.append(Alarm("exposed", Kind.JOURNAL, Severity.SERIOUS, now, told, facts.exposed))
    return found


def _kill(kill: KillFacts, now: float) -> Iterator[Alarm]:
    name = f"KILL {kill.short_id}"
    if kill.back and not kill.flat:
        what = "cancel" if kill.by_id else "FLAT"
        told = f"{name}: {what} WITHDRAWN, {_orders(kill.back)} listed as live again"
        ident = f"withdrawn {kill.kill_id}"
        yield Alarm(ident, Kind.WITHDRAWN, Severity.GRAVE, now, told, kill.words, kill.back)
    elif kill.by_id:
        if kill.live and not kill.running:
            told = f"{_orders(kill.live)} live on {_names(kill)} after the cancel was given up"
            ident = f"not_flat {kill.kill_id}"
            since = now - kill.ended_ago
            yield Alarm(ident, Kind.NOT_FLAT, Severity.GRAVE, since, told, kill.words, _size(kill.live))
    elif kill.running and kill.past_deadline is not None and not kill.flat:
        told = f"{name} is past its deadline and not flat: {_names(kill)}"
        since = now - kill.past_deadline
        ident = f"unproven {kill.kill_id}"
        yield Alarm(ident, Kind.UNPROVEN, Severity.GRAVE, since, told, kill.words, _size(kill.live))
    elif not kill.running and kill.verdict is not Verdict.FLAT:
        # The same cause as past the deadline, so the same id: seen once is seen.
        ident, since = f"unproven {kill.kill_id}", now - kill.ended_ago
        told = f"{name}: NOT PROVEN, {_names(kill)}"
        kind = Kind.UNPROVEN
        if kill.verdict is Verdict.NOT_FLAT:
            told, kind = f"{name}: NOT FLAT, {kill.live} still live on {_names(kill)}", Kind.NOT_FLAT
        yield Alarm(ident, kind, Severity.GRAVE, since, told, kill.words, _size(kill.live))
    for venue, count in kill.newcomers.items():
        told = f"{venue}: {_orders(count)} placed since the verdict of {name}, in its scope"
        ident = f"newcomers {kill.kill_id} {venue}"
        yield Alarm(ident, Kind.NEWCOMERS, Severity.SERIOUS, now, told, None, count, venue)


def _venue(venue: VenueFacts, now: float) -> Iterator[Alarm]:
    name = venue.name
    overdue = venue.age is not None and venue.age > venue.rhythm + STALE_AFTER
    if venue.live and overdue and venue.state is not VenueState.LIVE:
        since = now - (venue.age or 0.0)
        told = f"{name} is {venue.state.value.upper()} with {_plural(venue.live, 'live order')}"
        severity = Severity.SERIOUS if venue.state is VenueState.STALE else Severity.GRAVE
        yield Alarm(f"lost {name}", Kind.LOST, severity, since, told, venue.error, 0, name)
    if venue.again:
        told = f"{name}: LIVE AGAIN, {_orders(venue.again)} listed although ended"
        yield Alarm(f"again {name}", Kind.AGAIN, Severity.GRAVE, now, told, None, venue.again, name)
    if venue.unknown and venue.unknown_age >= UNKNOWN_AFTER:
        told = f"{name}: what became of {_orders(venue.unknown)} is UNKNOWN"
        since, grade = now - venue.unknown_age, _size(venue.unknown)
        words = venue.unknown_words
        yield Alarm(f"unknown {name}", Kind.UNKNOWN, Severity.SERIOUS, since, told, words, grade, name)
    if venue.expires_in is not None and venue.expires_in < EXPIRES_WITHIN:
        over = venue.expires_in <= 0
        told = f"{name}: its credentials {'have expired' if over else 'are about to expire'}"
        severity = Severity.GRAVE if over else Severity.SOON
        words = None if over else f"{max(1, int(venue.expires_in // 60))} min left"
        yield Alarm(f"expiring {name}", Kind.EXPIRING, severity, now, told, words, 0, name)


def _stuck(facts: Facts, now: float) -> Iterator[Alarm]:
    groups: dict[tuple[VenueName, str], list[Impasse]] = {}
    for venue, one in facts.stuck:
        if one.age(now) >= ALARM_AFTER:
            groups.setdefault((venue, one.why.value), []).append(one)
    for (venue, why), members in groups.items():
        count = sum(one.orders for one in members)
        told = f"{venue}: {_plural(count, 'cancel')} {why.upper()}, asking on"
        since, words = min(one.since for one in members), members[-1].words
        ident, grade = f"stuck {venue} {why}", _size(count)
        yield Alarm(ident, Kind.STUCK, Severity.SERIOUS, since, told, words, grade, venue)


def _size(count: int) -> int:
    """Twice as many is worse; a few more are not."""
    return count.bit_length()


def _names(kill: KillFacts) -> str:
    return ", ".join(kill.open) or "unproven"


def _orders(count: int) -> str:
    return _plural(count, "order")


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
