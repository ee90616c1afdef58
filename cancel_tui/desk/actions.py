"""What an engine may ask for, what it aims at, and what outcomes mean to it. Pure values."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from math import inf

import msgspec

from cancel_tui.cancels import Event
from cancel_tui.desk.pacing import backoff
from cancel_tui.orders import OrderKey
from cancel_tui.scope import Scope
from cancel_tui.venues.base import ClosedPlan, Touched
from cancel_tui.venues.outcome import (
    Answered,
    Failure,
    NotSent,
    Reason,
    Refused,
    Throttled,
    Unanswered,
    Unauthorised,
)


class Verdict(StrEnum):
    """The contract's words, worst last in `RANK`."""

    FLAT = "flat"
    UNVERIFIED = "unverified"
    NOT_FLAT = "not_flat"


RANK = (Verdict.FLAT, Verdict.UNVERIFIED, Verdict.NOT_FLAT)
"""From the best to the worst."""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some verdicts; of none, unverified."""
    found = list(verdicts)
    return max(found, key=RANK.index) if found else Verdict.UNVERIFIED


class SendNative(msgspec.Struct, frozen=True):
    """Send the venue's own cancel-all, for one symbol or (None) for everything."""

    symbol: str | None


class SendCancel(msgspec.Struct, frozen=True, gc=False):
    """Cancel one order."""

    key: OrderKey


class ListOrders(msgspec.Struct, frozen=True):
    """Make one pass: the venue's parts, those that `proof.wanted` names."""


class ReadOrder(msgspec.Struct, frozen=True):
    """Read one order back."""

    key: OrderKey


class ReadClosed(msgspec.Struct, frozen=True):
    """Look for the ends of these orders among the finished ones."""

    touched: tuple[Touched, ...]
    plan: ClosedPlan
    early: bool = False
    """So soon after the cancels that they may not have ended yet: the first page tells whether to go on."""


Action = SendNative | SendCancel | ListOrders | ReadOrder | ReadClosed


class Aim(msgspec.Struct, frozen=True):
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


STUCK = 15.0
"""Seconds after which an accepted cancel is asked for again."""
READ_AFTER = 0.3
"""Seconds between the answer to a cancel and the first read-back."""
READERS = 3
RUSH = 2.0
"""Seconds from the start in which no order is read back while cancels can leave without waiting."""
STANDING_BACK = 0.25
"""Seconds behind the last cancel of a venue in which others' cancels go before its lists and read-backs."""
ANSWERING = 0.05
"""Seconds since its last answer in which a venue counts as one that answers."""
CLOSED_MISSES = 6
NATIVE_TRIES = 4
NATIVE_WAIT = 1.0
"""Seconds to the next try of a cancel-all beyond which singles do not wait for it."""
BLIND_TRIES = 4
"""Cancels of an order that can be neither listed nor read, while no answer comes."""
GHOSTS = 3
"""Complete lists that hold an order which the venue, asked for it, calls over: then it is cancelled again."""
FEW = 5
"""Up to so many leftovers of a cancel-all are cancelled one by one."""
PATIENCE = 6.0
"""Seconds that scarce lists are saved while ends are being read."""
RESTS = 0.1, 0.5
"""Seconds from one pass to the next while each shows newcomers: the first rest and the longest."""
FINAL = 13.0
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


def definite(outcome: Failure) -> bool:
    """Whether the same request would be refused again: a no that is neither haste nor loss."""
    if isinstance(outcome, Refused):
        return outcome.reason not in (Reason.BUSY, Reason.HALTED)
    return isinstance(outcome, Unauthorised) or (isinstance(outcome, NotSent) and outcome.hopeless)


def sort_of(outcome: object) -> str | None:
    """The sort of a failure, for counting; None for an answer and for what says nothing of the venue.

    `unreadable` is a success by its status whose body nobody could read.
    """
    if isinstance(outcome, Refused):
        return f"refused:{outcome.reason.value}"
    if isinstance(outcome, Unanswered):
        read = outcome.status is not None and 200 <= outcome.status < 300
        return "unreadable" if read else "unanswered"
    if isinstance(outcome, NotSent):
        return None if outcome.late else "not_sent"
    if isinstance(outcome, Throttled):
        return "throttled"
    return "unauthorised" if isinstance(outcome, Unauthorised) else None


def pause(outcome: object, attempts: int) -> float:
    """Seconds before the same is tried again, from the class of the outcome."""
    if isinstance(outcome, Throttled):
        return max(outcome.retry_after or 0.0, backoff(attempts, 1.0, 30.0))
    if isinstance(outcome, Unauthorised):
        return backoff(attempts, 1.0, 8.0)
    if isinstance(outcome, Refused) and outcome.reason is Reason.BUSY:
        return backoff(attempts, 0.2, 2.0)
    if isinstance(outcome, Refused) and outcome.reason is Reason.HALTED:
        return backoff(attempts, 1.0, 5.0)
    if isinstance(outcome, Answered):
        return backoff(attempts, 0.5, 8.0)
    return backoff(attempts, 0.3, 4.0)
