"""What is known of one order that a cancel or a kill touches. Pure: times are values that are handed in."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from cancel_tui.cancels import Ending, Event, Stage, step
from cancel_tui.desk.impasse import Blocked
from cancel_tui.orders import Order, OrderKey, OrderStatus, OrderType, altered

_ENDINGS = {
    OrderStatus.CANCELED: Ending.CANCELED,
    OrderStatus.FILLED: Ending.FILLED,
    OrderStatus.EXPIRED: Ending.EXPIRED,
    OrderStatus.REJECTED: Ending.REJECTED,
}


class Track(msgspec.Struct, eq=False, gc=False):
    """One order on its way out. Times named `_at` are monotonic seconds, `_wall` seconds since 1970."""

    key: OrderKey
    order: Order | None = None
    """Its last description by the venue."""
    stage: Stage = Stage.WANTED
    since: float = 0.0
    """When it entered its stage."""
    sighted: bool = False
    """Whether the newest evidence says: live, and nothing was sent since."""
    lingering: bool = False
    """Whether the newest evidence says: cancel or expiry under way, and nothing was sent since."""
    newcomer: bool = False
    attempts: int = 0
    unsent: int = 0
    """How many cancels in a row could not leave at all; no attempts."""
    next_try: float = 0.0
    """No cancel leaves before."""
    next_read: float = 0.0
    """No read-back leaves before."""
    reads: int = 0
    """Read-backs that brought no end."""
    lost: bool = False
    """The venue, asked for this order, does not know it."""
    read_back: bool = False
    """A read-back brought a terminal word."""
    sent_at: float | None = None
    ended_at: float | None = None
    """When its last cancel was answered, or its connection closed."""
    requested_wall: float | None = None
    acknowledged_wall: float | None = None
    confirmed_wall: float | None = None
    """When the venue's word for its end arrived."""
    ending: Ending | None = None
    filled: Decimal | None = None
    """The venue's last word."""
    last_seen_filled: Decimal | None = None
    first_seen_filled: Decimal | None = None
    """The first reading, while it was live: what filled later filled during the kill."""
    message: str | None = None
    blocked: Blocked | None = None
    """Why its cancels get nowhere, while they do."""
    ghost_sightings: int = 0
    """Complete lists begun after its end that still hold it."""
    revivals: int = 0
    """How often such lists were believed against the venue's word; each time it takes twice as many."""
    disputed: bool = False
    """Over by the venue's word, live in its lists, and the cancel failed: it is asked about first."""
    doubted: bool = False
    """Such a list contradicts its end, and the venue has not been asked about it since."""

    @classmethod
    def listed(cls, order: Order, now: float) -> Track:
        """What is known of an order of which a list is all: as if it had just been seen there, live."""
        filled = order.filled
        return cls(
            order.key,
            order=order,
            since=now,
            sighted=True,
            last_seen_filled=filled,
            first_seen_filled=filled,
        )

    def apply(self, event: Event, now: float) -> None:
        """Take one step of the table."""
        stage = step(self.stage, event)
        if stage is self.stage:
            return
        if self.stage.settled:
            # What was concluded about it turned out to be wrong; its numbers go with it.
            self.ending = self.filled = self.confirmed_wall = None
        self.stage, self.since = stage, now

    def describe(self, order: Order) -> None:
        """Keep a newer description; what it leaves out stays known."""
        if self.order is None or order == self.order:
            self.order = order
        else:
            self.order = merge(self.order, order)
        if order.filled is not None:
            self.last_seen_filled = order.filled
            if self.first_seen_filled is None and order.status.live:
                self.first_seen_filled = order.filled

    def end(self, order: Order, now: float, wall: float) -> None:
        """The venue's own terminal word for this order; any other word is no end and changes nothing."""
        ending = _ENDINGS.get(order.status)
        if ending is None:
            return
        self.describe(order)
        self.apply(Event.SEEN_END, now)
        self.sighted = self.lingering = self.doubted = self.disputed = False
        self.blocked = None
        self.ending = ending
        self.filled = self._last_word(order)
        self.confirmed_wall = self.confirmed_wall or wall

    def _last_word(self, order: Order) -> Decimal | None:
        """The filled quantity that goes with an end; by the mere word `filled`, all of it."""
        if order.filled is not None:
            return order.filled
        if order.status is OrderStatus.FILLED:
            return self.order.quantity if self.order is not None else None
        return self.last_seen_filled

    def see(self, order: Order, begun: float, now: float) -> None:
        """A list or read-back begun at `begun` shows it live or pending; older evidence changes nothing."""
        if self.ended_at is not None and begun < self.ended_at:
            if self.order is None:
                # Too old to say how it stands, yet all that is known of what it is.
                self.describe(order)
            return
        if self.stage is Stage.ENDED and begun < self.since:
            return
        self.describe(order)
        if self.stage is Stage.SENT:
            return
        pending = order.status is OrderStatus.PENDING_CANCEL
        self.apply(Event.SEEN_PENDING if pending else Event.SEEN_LIVE, now)
        self.sighted, self.lingering = not pending, pending
        self.lost = self.doubted = False

    @property
    def filled_since(self) -> Decimal | None:
        """What filled after its first reading, by the last one; None where there is nothing to compare."""
        last = self.last_seen_filled if self.filled is None else self.filled
        if last is None or self.first_seen_filled is None:
            return None
        return max(last - self.first_seen_filled, Decimal(0))

    @property
    def outcome(self) -> Ending:
        """The contract's word for it, as things stand now."""
        if self.stage is Stage.ENDED and self.ending is not None:
            return self.ending
        if self.stage is Stage.GONE:
            return Ending.GONE
        if (self.sighted or self.lingering) and self.order is not None:
            return Ending.OPEN
        return Ending.UNKNOWN


def merge(old: Order, new: Order) -> Order:
    """The newer description, with the older one's values where the newer is silent.

    What moves with the status and the fill is not carried over where those have changed.
    """
    fields = {
        name: value
        for name in Order.__struct_fields__
        if getattr(new, name) is None and (value := getattr(old, name)) is not None
    }
    if new.status is not old.status:
        fields.pop("venue_status", None)
    if new.type is OrderType.UNKNOWN and old.type is not new.type:
        fields["type"] = old.type
    if "remaining" in fields and new.filled is not None and new.filled != old.filled:
        quantity = new.quantity if new.quantity is not None else old.quantity
        fields["remaining"] = None if quantity is None else max(quantity - new.filled, Decimal(0))
    return altered(new, **fields) if fields else new


def urgency(track: Track) -> tuple[int, Decimal, str]:
    """Sort key of singles: partly filled first, then the largest notional; ids keep it stable."""
    order = track.order
    part = 0 if order is not None and order.filled is not None and order.filled > 0 else 1
    notional = order.notional if order is not None else None
    return part, -(notional or Decimal(0)), track.key.order_id


def plan(tracks: list[Track]) -> list[Track]:
    """The order in which singles leave: urgent first, interleaved across quote currencies.

    Notionals of different currencies cannot be compared, so each currency gets its turn.
    """
    queues: dict[str | None, list[Track]] = {}
    for track in sorted(tracks, key=urgency):
        queues.setdefault(track.order.quote if track.order else None, []).append(track)
    lines = [iter(queue) for queue in queues.values()]
    planned: list[Track] = []
    while lines:
        still = []
        for line in lines:
            for track in line:
                planned.append(track)
                still.append(line)
                break
        lines = still
    return planned
