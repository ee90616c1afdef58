"""What can become of a request: the only thing that the desk decides from.

    Outcome
     |- NotSent        provably no byte of the request left
     |- Unanswered     it left; no usable answer (timeout, reset, 5xx, 3xx, 408, unreadable body)
     |- Throttled      too many requests: whether it was carried out is not known
     |- Unauthorised   key, signature, clock or right refused before the order was looked at
     |- Refused        a definite no, with a reason class
     `- Answered[T]    a readable answer, in the vocabulary

A message text never decides anything; it is for the screen and the journal.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from cancel_tui.text import VenueText

T = TypeVar("T")
U = TypeVar("U")


class NotSent(msgspec.Struct, frozen=True):
    """No byte left: name lookup, connect, TLS, no free slot, or a request that cannot be built."""

    reason: str
    """In our words, without addresses or secrets."""
    hopeless: bool = False
    """The request must not exist (an id that would change the path): trying again changes nothing."""
    late: bool = False
    """It waited for its turn until its time was over: this tells nothing of the venue."""


class Unanswered(msgspec.Struct, frozen=True):
    """The request left, or may have; nobody can say what it did."""

    reason: str
    """In our words, without addresses or secrets."""
    message: VenueText | None = None
    """The venue's words, where it sent any (a 5xx body)."""
    status: int | None = None
    """HTTP status, where one was read."""


class Throttled(msgspec.Struct, frozen=True):
    """HTTP 429 and its kin."""

    retry_after: float | None = None
    """Seconds that the venue asks to wait, where it says so."""
    message: VenueText | None = None


class Unauthorised(msgspec.Struct, frozen=True):
    """HTTP 401 and 403: the credentials, the clock or the rights, not the order."""

    message: VenueText | None = None
    status: int = 401


class Reason(StrEnum):
    """Why a venue refuses."""

    ORDER = "order"
    """A definite reason of this order: already finished, already being cancelled, not cancellable now."""
    NOT_FOUND = "not_found"
    """Unknown to the venue, or filled, or cancelled, or another account's: not an end."""
    BUSY = "busy"
    """The venue says that it did nothing now and asks to come again soon (queue full, restarting)."""
    HALTED = "halted"
    """No cancel is taken now, for long maybe: market halted, a phase without cancels, maintenance."""
    REQUEST = "request"
    """The request itself is wrong: an instrument type it does not know, a malformed field, a wrong path."""


class Refused(msgspec.Struct, frozen=True):
    """A definite no."""

    reason: Reason
    message: VenueText | None = None
    status: int = 400


class Answered(msgspec.Struct, Generic[T], frozen=True):
    """A readable answer."""

    value: T


Failure = NotSent | Unanswered | Throttled | Unauthorised | Refused
"""Every outcome that is no answer."""
Outcome = Answered[T] | NotSent | Unanswered | Throttled | Unauthorised | Refused


def describe(failure: Failure) -> str:
    """One short line for a person: our words first, then the venue's."""
    ours = {
        NotSent: "not sent",
        Unanswered: "no answer",
        Throttled: "throttled",
        Unauthorised: "refused: credentials, rights or clock",
        Refused: "refused",
    }[type(failure)]
    if isinstance(failure, NotSent | Unanswered):
        ours = f"{ours}: {failure.reason}"
    message = None if isinstance(failure, NotSent) else failure.message
    return f"{ours} ({message})" if message else ours
