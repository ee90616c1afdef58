"""The status of an order in one glance: a word, a shape, an ASCII twin, a style role, an age. Pure.

Every state has a word, a shape and a role of its own, so that none depends on colour to be told from another.
A word for a death (`canceled`, `FILLED`, `expired`, `rejected`) appears only on the venue's own word.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from math import inf

import msgspec

from cancel_tui.cancels import Ending, Stage
from cancel_tui.desk.alarms import UNKNOWN_AFTER
from cancel_tui.desk.impasse import ALARM_AFTER
from cancel_tui.orders import Order, OrderStatus, plain

UNKNOWN_ALARM = UNKNOWN_AFTER
"""Seconds after which an unknown outcome needs a hand: the role becomes the alarm."""
READING = "\N{CLOCKWISE GAPPED CIRCLE ARROW}"
"""The note of a state that is being read back at the venue."""
_READING_ASCII = "@"
ALARM = "alarm"
"""The only role that may be red."""

ROLES = (
    ALARM,
    "unknown",
    "halted",
    "refused",
    "stale",
    "sent",
    "pending",
    "queued",
    "part",
    "live",
    "new",
    "open",
    "gone",
    "filled",
    "rejected",
    "expired",
    "canceled",
)
"""Every style role of a badge, in the order of attention; sorting by status follows it."""
_RANK = {role: rank for rank, role in enumerate(ROLES)}
_OVER = frozenset({"gone", "filled", "rejected", "expired", "canceled"})
"""The roles of states in which nothing happens any more."""


class Badge(msgspec.Struct, frozen=True):
    """What the status column says of one order."""

    word: str
    """The state's word, unlike that of any other state."""
    shape: str
    """One cell wide; a space for the healthy state, which has nothing to point at."""
    ascii: str
    """The shape's twin for terminals without Unicode, one character."""
    role: str
    """One of `ROLES`."""
    since: float | None = None
    """Monotonic seconds from which the age counts; None where an age says nothing."""
    note: str = ""
    """A quantity, a percentage, or `READING`; shown where there is room."""
    alarm_after: float | None = None
    """Seconds of age from which the role is the alarm; None for never."""

    def age(self, now: float) -> float | None:
        """Seconds since `since`, never negative; None where no age is shown."""
        return None if self.since is None else max(0.0, now - self.since)

    @property
    def alarm_at(self) -> float:
        """Monotonic seconds from which the role is the alarm; infinite for never."""
        return inf if self.alarm_after is None or self.since is None else self.since + self.alarm_after

    def role_at(self, now: float) -> str:
        """The style role at a moment: a doubt that lasts too long becomes the alarm."""
        return self.role if now < self.alarm_at else ALARM

    def attention_at(self, now: float) -> int:
        """How early it comes when sorted by status: 0 is the most urgent, an alarm."""
        return _RANK.get(self.role_at(now), len(ROLES))


Maker = Callable[..., Badge]

OPEN: Maker = partial(Badge, "open", " ", " ", "open")
NEW: Maker = partial(Badge, "new", "\N{WHITE BULLET}", ".", "new")
PART: Maker = partial(Badge, "part", "\N{CIRCLE WITH LEFT HALF BLACK}", "%", "part")
LIVE: Maker = partial(Badge, "live", "\N{LOZENGE}", "&", "live")
QUEUED: Maker = partial(Badge, "QUEUED", "\N{WHITE RIGHT-POINTING TRIANGLE}", "-", "queued")
SENT: Maker = partial(Badge, "SENT", "\N{BLACK RIGHTWARDS ARROWHEAD}", ">", "sent")
PENDING: Maker = partial(Badge, "PENDING", "\N{CIRCLE WITH UPPER RIGHT QUADRANT BLACK}", "~", "pending")
UNKNOWN: Maker = partial(Badge, "UNKNOWN", "?", "?", "unknown")
REFUSED: Maker = partial(Badge, "REFUSED", "\N{HEAVY MULTIPLICATION X}", "x", "refused")
HALTED: Maker = partial(Badge, "HALTED", "\N{DOUBLE VERTICAL LINE}", "!", "halted", alarm_after=ALARM_AFTER)
CANCELED: Maker = partial(Badge, "canceled", "\N{HEAVY CHECK MARK}", "v", "canceled")
FILLED: Maker = partial(Badge, "FILLED", "\N{BLACK SQUARE}", "#", "filled")
EXPIRED: Maker = partial(Badge, "expired", "\N{WHITE DIAMOND}", "=", "expired")
REJECTED: Maker = partial(Badge, "rejected", "\N{CIRCLED DIVISION SLASH}", "/", "rejected")
GONE: Maker = partial(Badge, "gone", "\N{DOTTED CIRCLE}", "o", "gone")
NOT_SEEN: Maker = partial(Badge, "not seen", "\N{MEDIUM SHADE}", ":", "stale")
_HEALTHY = OPEN()
"""What nearly every order of a calm book shows: one for all of them."""
STATES: tuple[Maker, ...] = (
    OPEN,
    NEW,
    PART,
    LIVE,
    QUEUED,
    SENT,
    PENDING,
    UNKNOWN,
    REFUSED,
    HALTED,
    CANCELED,
    FILLED,
    EXPIRED,
    REJECTED,
    GONE,
    NOT_SEEN,
)
"""Every state there is; a test holds that no two share a word, a shape, a twin or a role."""


def badge_for(
    order: Order,
    stage: Stage | None = None,
    stage_since: float | None = None,
    ending: Ending | None = None,
    now: float = 0.0,
    last_seen_age: float | None = None,
    halted: float | None = None,
) -> Badge:
    """The badge of an order.

    `stage_since` and `now` are monotonic seconds. `last_seen_age` is given, in seconds, only when the order
    was not seen for longer than its venue's rhythm allows. A cancel under way says more than either list.
    `halted` is since when the venue has taken no cancels, in monotonic seconds, where it does not.
    """
    if stage is Stage.ENDED:
        return _ended(order, stage_since, ending)
    if stage is Stage.GONE:
        return GONE(since=stage_since)
    if halted is not None and stage is not Stage.ACCEPTED:
        return HALTED(since=halted)
    if stage is not None and not (stage is Stage.WANTED and stage_since is None):
        return _under_way(stage, stage_since)
    if order.status.terminal:
        return _death(order, Ending(order.status.value), stage_since, touched=False)
    if last_seen_age is not None:
        return NOT_SEEN(since=now - last_seen_age)
    return _alive(order)


def badge_text(badge: Badge, now: float, width: int, ascii_only: bool = False) -> str:
    """The badge in at most `width` characters: the longest form whose every part is whole.

    A number that was cut would be another number, so a part that does not fit is left out.
    """
    shape = badge.ascii if ascii_only else badge.shape
    head = f"{shape} {badge.word}"
    age = badge.age(now)
    # Tenths are for what may change at any moment: of an end they would only make the screen restless, and
    # a row for each end be painted ten times a second.
    told = "" if age is None else age_text(age, tenths=age < 1 or badge.role not in _OVER)
    note = _READING_ASCII if ascii_only and badge.note == READING else badge.note
    if ascii_only:
        note = note.encode("ascii", "replace").decode("ascii")
    forms = ((told, note), (told,), (note,)) if note else ((told,),)
    for form in forms:
        text = " ".join((head, *(part for part in form if part)))
        if len(text) <= width:
            return text
    return head[:width]


def age_text(seconds: float, tenths: bool = False) -> str:
    """An age in at most five characters: `0.2s` (with tenths), `40s`, `15m`, `3h`, `12d`, `9y`."""
    if tenths and seconds < 10:
        return f"{int(max(0.0, seconds) * 10 + 1e-6) / 10:.1f}s"
    for unit, length in (("y", 31_536_000), ("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{int(min(seconds / length, 9_999))}{unit}"
    return f"{max(0, int(seconds))}s"


def _under_way(stage: Stage, since: float | None) -> Badge:
    if stage is Stage.WANTED:
        return QUEUED(since=since)
    if stage is Stage.SENT:
        return SENT(since=since)
    if stage is Stage.ACCEPTED:
        return PENDING(since=since)
    if stage is Stage.REFUSED:
        return REFUSED(since=since)
    return UNKNOWN(since=since, note=READING, alarm_after=UNKNOWN_ALARM)


def _ended(order: Order, since: float | None, ending: Ending | None) -> Badge:
    if ending is None and order.status.terminal:
        ending = Ending(order.status.value)
    if ending is None or ending in (Ending.OPEN, Ending.UNKNOWN, Ending.GONE):
        return UNKNOWN(since=since, note=READING, alarm_after=UNKNOWN_ALARM)
    return _death(order, ending, since, touched=True)


def _death(order: Order, ending: Ending, since: float | None, touched: bool) -> Badge:
    filled = plain(order.filled) if order.filled else None
    if ending is Ending.FILLED:
        filled = filled or plain(order.quantity)
        return FILLED(note="" if filled is None else f"{filled} first" if touched else filled)
    note = "" if filled is None else f"{filled} filled"
    maker = {Ending.CANCELED: CANCELED, Ending.EXPIRED: EXPIRED}.get(ending, REJECTED)
    return maker(since=since, note=note)


def _alive(order: Order) -> Badge:
    if order.status is OrderStatus.PENDING_CANCEL:
        return PENDING()
    if order.status is OrderStatus.PENDING_NEW:
        return NEW()
    if order.status is OrderStatus.UNKNOWN:
        return LIVE(note=f"“{order.venue_status}”" if order.venue_status else "")
    if order.status is OrderStatus.PARTIALLY_FILLED or order.filled:
        return PART(note=_share(order))
    return _HEALTHY


def _share(order: Order) -> str:
    filled, quantity = order.filled, order.quantity
    if quantity is None and filled is not None and order.remaining is not None:
        quantity = filled + order.remaining
    if not filled or not quantity or filled < 0 or quantity < 0:
        return ""
    percent = int(min(filled * 100 / quantity, Decimal(99)))
    return f"{percent}%" if percent else "<1%"
