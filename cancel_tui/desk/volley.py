"""Many cancels of one venue, each leaving in the moment in which a connection has brought its answer.

While cancels leave as fast as they can, everything that can wait does: what an answer means is told a moment
later, by the task that every cancel has, and so is what is written down of it. What may not wait does not: a
cancel leaves only when it is written down and when its pace allows it, signed right then, and once; and an
answer that is anything but a yes or a no for its one order ends the haste: from then on each cancel goes its
ordinary way, as does one that cannot leave without a wait of any kind.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

import msgspec

from cancel_tui.clock import Clock
from cancel_tui.desk.engine import Engine
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.lane import Flown, Lane, LanePort, Written, what_of
from cancel_tui.desk.pacing import Ticket
from cancel_tui.orders import OrderKey, iso
from cancel_tui.venues.base import CallClass, Message, Raw, Reply, Venue, WritesCancels
from cancel_tui.venues.line import Line, Mark
from cancel_tui.venues.outcome import Unanswered

GLANCE = 0.02
"""Seconds between two looks whether answers can be looked into."""
PUT_OFF = 0.25
"""Seconds for which answers are put off at the most."""
FEW = 4
"""Answers that are looked into before others get a turn on the event loop."""
_OF_ITS_ORDER = frozenset({400, 404, 409, 410, 422})
"""Refusals that are about one order: others may leave all the same."""


class Sender(Protocol):
    """What a volley needs of the runner that it belongs to."""

    def cancel_port(self, key: OrderKey) -> LanePort:
        """The way out for the cancel of an order."""
        ...

    def one_more(self) -> OrderKey | None:
        """The next cancel for a connection that is free now; it must leave then."""
        ...

    def cancel_by_task(self, key: OrderKey, port: LanePort | None = None) -> None:
        """Send a cancel in its ordinary way; of one that has flown, whose port is given, take the answer."""
        ...


class Flight(msgspec.Struct, eq=False):
    """One cancel that left without a task."""

    key: OrderKey
    port: LanePort
    line: Line
    message: Message
    number: int
    ticket: Ticket
    wall: float
    """When it left, seconds since 1970."""


class Volley:
    """The cancels of one venue's part of a kill that leave without a task of their own."""

    def __init__(
        self,
        lane: Lane,
        venue: Venue,
        clock: Clock,
        engine: Engine,
        written: dict[OrderKey, Written],
        sender: Sender,
    ) -> None:
        self._lane = lane
        self._wire = lane.wire_for(CallClass.CANCEL, Urgency.KILL)
        self._venue = venue if isinstance(venue, WritesCancels) else None
        self._clock = clock
        self._engine = engine
        self._written = written
        self._sender = sender
        self._waiting: list[OrderKey] = []
        """Cancels that leave as soon as each other venue has begun."""
        self._flights: set[Flight] = set()
        self._came: deque[Flight] = deque()
        """Those that are back, and have not been looked into."""
        self._glance: asyncio.Handle | None = None
        self._over = self._venue is None

    @property
    def idle(self) -> bool:
        """Whether every cancel that it was given has come back and was handed on."""
        return not (self._waiting or self._flights or self._came)

    def cancel(self, key: OrderKey, *, later: bool) -> bool:
        """Send a cancel, if it stands written; `later`: other venues begin before it, so that none waits."""
        if self._over or key not in self._written:
            return False
        if not later:
            return self._send(key)
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._send_waiting)
        self._waiting.append(key)
        return True

    def end(self) -> list[OrderKey]:
        """Nobody waits for answers any more: hand on what has come, and give up the rest.

        Those that have not left are returned.
        """
        self._over = True
        for flight in list(self._flights):
            flight.line.kill("the kill was ended before its answer")
        if self._glance is not None:
            self._glance.cancel()
        while self._came:
            self._hand_on(self._came.popleft())
        waiting, self._waiting = self._waiting, []
        return waiting

    def _send_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for key in waiting:
            if not self._send(key):
                self._sender.cancel_by_task(key)

    def _send(self, key: OrderKey) -> bool:
        """Whether a cancel has left, as all that it needs was at hand; otherwise nothing has happened."""
        line = self._wire.lend() if self._may_leave(key) else None
        if line is None:
            return False
        if not self._leave(key, line):
            self._wire.give_back(line)
            return False
        return True

    def _may_leave(self, key: OrderKey) -> bool:
        written = self._written.get(key)
        return not self._over and written is not None and self._lane.stands(written)

    def _leave(self, key: OrderKey, line: Line) -> bool:
        try:
            message = self._venue.cancel_message(key) if self._venue is not None else None
            if message is None:
                return False
            wire = self._wire.encoded(message)
        except Exception:
            return False  # its ordinary way says why
        port = self._sender.cancel_port(key)
        ticket = self._lane.admit_at_once(CallClass.CANCEL, port.until)
        if ticket is None:
            return False
        number = self._written.pop(key).number
        port.numbers.append(number)
        flight = Flight(key, port, line, message, number, ticket, self._clock.wall())
        self._flights.add(flight)
        port.begin(CallClass.CANCEL)
        line.ask(message.method, wire, self._lane.timeout, Mark(), lambda raw: self._back(flight, raw))
        return True

    def _back(self, flight: Flight, raw: Reply | Unanswered) -> None:
        """An answer is there: the next cancel leaves before anybody looks into it."""
        now = self._clock.monotonic()
        self._flights.discard(flight)
        self._lane.settle(CallClass.CANCEL, flight.ticket)
        self._lane.learn(CallClass.CANCEL, raw, flight.port.tally, sent=True)
        self._over = self._over or not _calm(raw)
        flight.port.flown = Flown(raw, now, self._clock.wall())
        self._engine.answered(now)
        try:
            left = self._next(flight.line)
        except Exception:
            # A fault of ours costs neither the connection nor this answer; the runner's next step meets it.
            left, self._over = False, True
        if not left:
            self._wire.give_back(flight.line)
        self._came.append(flight)
        if self._glance is None:
            self._look_later(asyncio.get_running_loop(), self._busy(now))

    def _busy(self, now: float) -> bool:
        """Whether cancels leave, here or at another venue."""
        return not self._over and (self._engine.leaving(now) or self._engine.crowded(now))

    def _next(self, line: Line) -> bool:
        """Whether another cancel has left on this connection."""
        key = None if self._over else self._sender.one_more()
        if key is None:
            return False
        if line.quiet and self._may_leave(key) and self._leave(key, line):
            return True
        self._sender.cancel_by_task(key)
        return False

    def _look(self) -> None:
        """Hand answers on, few at a time, unless cancels leave here or elsewhere."""
        now = self._clock.monotonic()
        busy = self._busy(now)
        for _ in range(min(FEW, len(self._came))):
            if busy and not self._overdue(now):
                break
            self._hand_on(self._came.popleft())
        self._glance = None
        if self._came:
            self._look_later(asyncio.get_running_loop(), busy and not self._overdue(now))

    def _overdue(self, now: float) -> bool:
        """Whether the oldest answer was put off for long enough."""
        flown = self._came[0].port.flown if self._came else None
        return flown is not None and now - flown.at >= PUT_OFF

    def _look_later(self, loop: asyncio.AbstractEventLoop, busy: bool) -> None:
        self._glance = loop.call_later(GLANCE, self._look) if busy else loop.call_soon(self._look)

    def _hand_on(self, flight: Flight) -> None:
        """Write down what came back, and let its task take it."""
        port, flown = flight.port, flight.port.flown
        if flown is not None:
            late = {"left_at": iso(flight.wall), "what": what_of(flight.message), "came_at": iso(flown.wall)}
            self._lane.answered(CallClass.CANCEL, flight.number, flown.raw, port.facts, late, sent=True)
        self._sender.cancel_by_task(flight.key, port)


def _calm(raw: Raw) -> bool:
    """Whether an answer is a yes, or a no that is about its order only."""
    return isinstance(raw, Reply) and (200 <= raw.status < 300 or raw.status in _OF_ITS_ORDER)
