"""The life of a cancel as one table: stages down, events across. Pure; the desk drives it.

`ended` is reachable only by an event that carries the venue's own terminal word for that order. Absence
leads to `gone`, which is another thing. Nothing that was ended or gone comes back by a late message: the
desk sends `SEEN_LIVE` for such an order only on evidence that was begun after the end.
"""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """Where the cancel of one order stands."""

    WANTED = "wanted"
    """To be sent: nothing is in flight, and the order was live when last looked at."""
    SENT = "sent"
    """A request is in flight."""
    ACCEPTED = "accepted"
    """The venue says that it is cancelling; the order may still fill."""
    UNKNOWN = "unknown"
    """A request left and nobody can say what became of it."""
    REFUSED = "refused"
    """The venue said no for this order; it is live until read otherwise."""
    ENDED = "ended"
    """Over, on the venue's own word for this order."""
    GONE = "gone"
    """Absent from the lists of a proof; the venue did not say how it ended."""

    settled: bool
    """Whether nothing more is to be done for the order."""
    flying: bool
    """Whether a request is in flight or the venue is at work on it."""


for _stage in Stage:
    # Attributes of the members, not properties: they are asked for thousands of times in a kill.
    _stage.settled = _stage in (Stage.ENDED, Stage.GONE)
    _stage.flying = _stage in (Stage.SENT, Stage.ACCEPTED)


class Event(StrEnum):
    """What can be learnt about the cancel of one order."""

    SEND = "send"
    """A request is about to leave."""
    NOT_SENT = "not_sent"
    """Provably no byte of it left."""
    TOOK = "took"
    """The venue answered that it will cancel (a pending word, or an id in a cancel-all's answer)."""
    SILENCE = "silence"
    """It left, and no usable answer came: timeout, reset, 5xx, throttled, "not found"."""
    REFUSE = "refuse"
    """A definite refusal."""
    SEEN_LIVE = "seen_live"
    """A list or read-back begun after the last answer shows it live."""
    SEEN_PENDING = "seen_pending"
    """The same, with a word that means: cancel or expiry under way."""
    SEEN_END = "seen_end"
    """A terminal word for this order, in an answer, a list of closed orders or a read-back."""
    ABSENT = "absent"
    """The two lists of a proof do not hold it."""


_TABLE = """
           SEND     NOT_SENT TOOK      SILENCE  REFUSE   SEEN_LIVE SEEN_PENDING SEEN_END ABSENT
WANTED     sent     .        accepted  unknown  refused  .         accepted     ended    gone
SENT       .        wanted   accepted  unknown  refused  .         .            ended    .
ACCEPTED   sent     .        .         .        .        wanted    .            ended    gone
UNKNOWN    sent     .        accepted  .        refused  wanted    accepted     ended    gone
REFUSED    sent     .        accepted  unknown  .        wanted    accepted     ended    gone
ENDED      .        .        .         .        .        wanted    accepted     .        .
GONE       .        .        .         .        .        wanted    accepted     ended    .
"""


def _read(table: str) -> dict[tuple[Stage, Event], Stage]:
    head, *rows = (line.split() for line in table.strip().splitlines())
    events = [Event[name] for name in head]
    return {
        (Stage[row[0]], event): Stage[row[0]] if cell == "." else Stage(cell)
        for row in rows
        for event, cell in zip(events, row[1:], strict=True)
    }


STEPS: dict[tuple[Stage, Event], Stage] = _read(_TABLE)
"""Every stage and event; a cell that stays the same changes nothing."""


def step(stage: Stage, event: Event) -> Stage:
    """The stage that follows."""
    return STEPS[stage, event]


class Ending(StrEnum):
    """The contract's words for what became of an order that was touched."""

    CANCELED = "canceled"
    FILLED = "filled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    GONE = "gone"
    OPEN = "open"
    UNKNOWN = "unknown"
