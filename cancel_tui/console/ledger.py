"""What is live by all that the desk knows: its lists, less what ended on the venue's own word since.

A list is older than the answer to a cancel, so an order that has ended stays in the book until the next list.
When a list that was begun well after that end still holds the order, the list is believed: it is live again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from cancel_tui.cancels import Stage
from cancel_tui.desk.changes import Changes
from cancel_tui.orders import Order, OrderKey, Side, VenueName

if TYPE_CHECKING:
    from cancel_tui.desk.desk import Desk
    from cancel_tui.desk.engine import Engine
    from cancel_tui.desk.slot import Slot
    from cancel_tui.desk.track import Track

LAG = 5.0
"""Seconds by which a venue's lists may run behind its answers."""


class VenueCount(msgspec.Struct, eq=False):
    """The open orders of one venue."""

    live: dict[OrderKey, Order] = msgspec.field(default_factory=dict)
    ended: dict[OrderKey, Order] = msgspec.field(default_factory=dict)
    """Still in the last lists, although the venue has said since that they are over."""
    returned: dict[OrderKey, Order] = msgspec.field(default_factory=dict)
    """Live in a list that was begun well after they had ended; part of `live`."""
    buys: int = 0
    sells: int = 0
    revision: int = 0
    """Counts the changes of `live`."""

    def forget(self, key: OrderKey) -> None:
        """Take an order out of everything."""
        self.ended.pop(key, None)
        self.returned.pop(key, None)
        order = self.live.pop(key, None)
        if order is not None:
            self.revision += 1
            self.buys -= order.side is Side.BUY
            self.sells -= order.side is Side.SELL

    def add(self, order: Order) -> None:
        """A live order."""
        self.live[order.key] = order
        self.revision += 1
        self.buys += order.side is Side.BUY
        self.sells += order.side is Side.SELL


class Ledger:
    """The desk's orders, sorted into live and over; `refresh` takes what has changed, and only that."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.tracks: dict[OrderKey, Track] = {}
        """The newest track of each order that was ever touched."""
        self.changes = Changes()
        """Orders that stand, or may stand, otherwise than before."""
        self._counts: dict[VenueName, VenueCount] = {}
        self._stages: dict[OrderKey, Stage] = {}
        self._by_stage: Counter[Stage] = Counter()
        self._ranks: dict[OrderKey, int] = {}
        """Which kill, counted from the first, the track of an order is of."""
        self._revisions: dict[str, int] = {}
        self._places: dict[tuple[str, VenueName], int] = {}
        self._books: dict[VenueName, tuple[Slot, int, tuple[object, ...]]] = {}

    @property
    def flying(self) -> int:
        """Orders whose cancel is in flight or at work at the venue."""
        return self._by_stage[Stage.SENT] + self._by_stage[Stage.ACCEPTED]

    @property
    def unknown(self) -> int:
        """Orders of which nobody can say what their cancel has done."""
        return self._by_stage[Stage.UNKNOWN]

    def refresh(self) -> None:
        """Take what is new at the desk, in one go."""
        for _ in self.refreshing():
            pass

    def refreshing(self) -> Iterator[None]:
        """The same in parts: the cancels, then venue by venue."""
        for rank, kill in enumerate(self.desk.kills):
            if self._revisions.get(kill.kill_id) != kill.revision:
                self._revisions[kill.kill_id] = kill.revision
                for name, run in kill.runs.items():
                    self._take_tracks(rank, (kill.kill_id, name), run.engine)
        for name in [one for one in self._books if one not in self.desk.slots]:
            held, _, _ = self._books.pop(name)
            count = self._counts.pop(name)
            touched = [key for key in self.tracks if key.venue == name]
            for key in (*count.live, *count.ended, *held.book.unseen, *touched):
                self.changes.note(key)
        for slot in list(self.desk.slots.values()):
            yield
            if self.desk.slots.get(slot.name) is slot:
                self._take_book(slot)

    def venue(self, name: VenueName) -> VenueCount:
        """One venue's count as of the last refresh."""
        return self._counts.setdefault(name, VenueCount())

    def orders(self) -> Iterator[Order]:
        """Every live order."""
        for count in self._counts.values():
            yield from count.live.values()

    def over(self, key: OrderKey) -> bool:
        """Whether the order has ended, and no later list holds it."""
        track = self.tracks.get(key)
        if track is None or not track.stage.settled:
            return False
        return key not in self.venue(key.venue).returned

    def returned(self) -> dict[OrderKey, Order]:
        """Orders that had ended, and that a later list shows as live."""
        return {key: order for count in self._counts.values() for key, order in count.returned.items()}

    def _take_tracks(self, rank: int, place: tuple[str, VenueName], engine: Engine) -> None:
        changed = engine.changes.since(self._places.get(place, 0))
        self._places[place] = engine.changes.serial
        keys: Iterable[OrderKey] = list(engine.tracks) if changed is None else changed
        for key in keys:
            track = engine.tracks.get(key)
            if track is None or self._ranks.get(key, -1) > rank:
                continue
            self._ranks[key], self.tracks[key] = rank, track
            was = self._stages.get(key)
            if was is not track.stage:
                if was is not None:
                    self._by_stage[was] -= 1
                self._by_stage[track.stage] += 1
                self._stages[key] = track.stage
            slot = self.desk.slots.get(key.venue)
            if slot is not None and (track.stage.settled or (was is not None and was.settled)):
                self._place(slot, key)
            else:
                # Only an end takes an order out of what is live.
                self.changes.note(key)

    def _take_book(self, slot: Slot) -> None:
        book, name = slot.book, slot.name
        readings = tuple((part_id, one.begun) for part_id, one in book.parts.items())
        held, serial, stamp = self._books.get(name, (slot, 0, None))
        if held is not slot:
            # Another venue under the same name.
            serial, stamp = 0, None
            for key in (*self.venue(name).live, *self.venue(name).ended):
                self._place(slot, key)
        if stamp == readings and serial == book.changes.serial:
            return
        self._books[name] = (slot, book.changes.serial, readings)
        # A newer list may hold what had ended: then it is believed.
        changed = book.changes.since(serial)
        if changed is None:
            changed = [*self.venue(name).live, *book.live(), *book.unseen]
        for key in {*self.venue(name).ended, *changed}:
            self._place(slot, key)

    def _place(self, slot: Slot, key: OrderKey) -> None:
        """Put one order where it belongs."""
        count = self.venue(slot.name)
        count.forget(key)
        found = slot.book.find(key)
        if found is not None:
            order, begun = found
            track = self.tracks.get(key)
            if track is None or not track.stage.settled:
                count.add(order)
            elif begun <= track.since + LAG:
                count.ended[key] = order
            else:
                count.returned[key] = order
                count.add(order)
        self.changes.note(key)
