"""What is live by all that the desk knows: its lists, less what ended on the venue's own word since.

A list is older than the answer to a cancel, so an order that has ended stays in the book until the next list.
When a list that was begun well after that end still holds the order, the list is believed: it is live again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cancel_tui.cancels import Stage
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.slot import Slot
from cancel_tui.desk.track import Track
from cancel_tui.orders import Order, OrderKey, Side, VenueName

LAG = 5.0
"""Seconds by which a venue's lists may run behind its answers."""


@dataclass(slots=True)
class VenueCount:
    """The open orders of one venue."""

    live: dict[OrderKey, Order] = field(default_factory=dict)
    ended: dict[OrderKey, Order] = field(default_factory=dict)
    """Still in the last lists, although the venue has said since that they are over."""
    returned: dict[OrderKey, Order] = field(default_factory=dict)
    """Live in a list that was begun well after they had ended; part of `live`."""
    buys: int = 0
    sells: int = 0


class Ledger:
    """The desk's orders, sorted into live and over; brought up to date by `refresh`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.tracks: dict[OrderKey, Track] = {}
        """The newest track of each order that was ever touched."""
        self.flying = 0
        """Orders whose cancel is in flight or at work at the venue."""
        self.unknown = 0
        """Orders of which nobody can say what their cancel has done."""
        self._counts: dict[VenueName, VenueCount] = {name: VenueCount() for name in desk.slots}
        self._touched = -1
        self._stamps: dict[VenueName, tuple[object, ...]] = {}

    def refresh(self) -> None:
        """Take what is new at the desk."""
        touched = sum(kill.revision + 1 for kill in self.desk.kills)
        if touched != self._touched:
            self._touched = touched
            self.tracks = {track.key: track for kill in self.desk.kills for track in kill.tracks()}
            stages = [track.stage for track in self.tracks.values()]
            self.flying = sum(stage.flying for stage in stages)
            self.unknown = stages.count(Stage.UNKNOWN)
        for name, slot in self.desk.slots.items():
            readings = tuple((part_id, one.begun) for part_id, one in slot.book.parts.items())
            stamp = (touched, slot.book.revision, readings)
            if self._stamps.get(name) != stamp:
                self._stamps[name] = stamp
                self._counts[name] = self._count(slot)

    def venue(self, name: VenueName) -> VenueCount:
        """One venue's count as of the last refresh."""
        return self._counts[name]

    def orders(self) -> Iterator[Order]:
        """Every live order."""
        for count in self._counts.values():
            yield from count.live.values()

    def over(self, key: OrderKey) -> bool:
        """Whether the order has ended, and no later list holds it."""
        track = self.tracks.get(key)
        if track is None or not track.stage.settled:
            return False
        return key not in self._counts[key.venue].returned

    def returned(self) -> dict[OrderKey, Order]:
        """Orders that had ended, and that a later list shows as live."""
        return {key: order for count in self._counts.values() for key, order in count.returned.items()}

    def _count(self, slot: Slot) -> VenueCount:
        count = VenueCount()
        seen: dict[OrderKey, tuple[Order, float]] = {}
        for reading in sorted(slot.book.parts.values(), key=lambda one: one.begun):
            seen.update((key, (order, reading.begun)) for key, order in reading.orders.items())
        for key, (order, begun) in seen.items():
            track = self.tracks.get(key)
            if track is not None and track.stage.settled:
                if begun <= track.since + LAG:
                    count.ended[key] = order
                    continue
                count.returned[key] = order
            count.live[key] = order
            count.buys += order.side is Side.BUY
            count.sells += order.side is Side.SELL
        return count
