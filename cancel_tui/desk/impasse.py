"""Dead ends: cancels that get nowhere, why, since when, and in whose words. Pure.

A halted market, a phase without cancels, a venue under maintenance, a key without the right: the order is
still live, the same answer comes again and again. The desk goes on asking, ever more slowly, and says so;
from a certain age on it is an alarm.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from cancel_tui.venues.outcome import (
    Failure,
    NotSent,
    Reason,
    Throttled,
    Unanswered,
    Unauthorised,
    describe,
)

ALARM_AFTER = 10.0
"""Seconds after which cancels that get nowhere are an alarm."""


class DeadEnd(StrEnum):
    """Why cancels get nowhere."""

    HALTED = "halted"
    """The venue takes none now: market halted, no-cancel phase, maintenance."""
    BUSY = "busy"
    """It asks to come again soon, again and again."""
    REFUSED = "refused"
    """A definite no for this order, which is live all the same."""
    FORBIDDEN = "forbidden"
    """Key, signature, clock or right."""
    THROTTLED = "throttled"
    """Too many requests, by the venue's account."""
    SILENT = "silent"
    """They leave, and no usable answer comes."""
    UNREACHABLE = "unreachable"
    """They do not even leave."""
    PENDING = "pending"
    """The venue says that it is cancelling, and does not come to an end."""


class Blocked(msgspec.Struct, frozen=True):
    """Why the cancels of one order get nowhere."""

    why: DeadEnd
    since: float
    """Monotonic seconds at which the first of them failed."""
    words: str
    """Our words and the venue's, of the last of them."""


class Impasse(msgspec.Struct, frozen=True):
    """Orders of one venue that are stuck for the same reason."""

    why: DeadEnd
    since: float
    """Monotonic seconds: the oldest of them."""
    orders: int
    words: str
    """Of the newest failure."""

    def age(self, now: float) -> float:
        """Seconds."""
        return max(0.0, now - self.since)


_REASONS: dict[Reason, DeadEnd | None] = {
    Reason.HALTED: DeadEnd.HALTED,
    Reason.BUSY: DeadEnd.BUSY,
    Reason.NOT_FOUND: None,
}


def dead_end(outcome: Failure) -> DeadEnd | None:
    """The sort of dead end that a failed cancel points to; None for one that tells nothing."""
    if isinstance(outcome, NotSent):
        return None if outcome.late else DeadEnd.UNREACHABLE
    if isinstance(outcome, Unanswered):
        # 503 is the word of a server that is up and declines: most often maintenance.
        return DeadEnd.HALTED if outcome.status == 503 else DeadEnd.SILENT
    if isinstance(outcome, Throttled):
        return DeadEnd.THROTTLED
    if isinstance(outcome, Unauthorised):
        return DeadEnd.FORBIDDEN
    return _REASONS.get(outcome.reason, DeadEnd.REFUSED)


def blocked(before: Blocked | None, outcome: Failure, now: float) -> Blocked | None:
    """The state after one more failed cancel; its age counts from the first."""
    why = dead_end(outcome)
    if why is None:
        return before
    return Blocked(why, now if before is None else before.since, describe(outcome))


def pending(since: float, now: float) -> Blocked | None:
    """The state of a cancel that was accepted at `since` and has not come into effect; None while young."""
    if now - since < ALARM_AFTER:
        return None
    return Blocked(DeadEnd.PENDING, since, "accepted, and not carried out yet")


def impasses(states: Iterable[Blocked | None]) -> list[Impasse]:
    """The dead ends of one venue from those of its unfinished orders, the largest first."""
    found: dict[DeadEnd, list[Blocked]] = {}
    for state in states:
        if state is not None:
            found.setdefault(state.why, []).append(state)
    ranked = sorted(found.items(), key=lambda one: -len(one[1]))
    return [
        Impasse(why, min(one.since for one in group), len(group), group[-1].words) for why, group in ranked
    ]
