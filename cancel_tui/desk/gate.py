"""The gate of one class of requests: who goes first where several wait for the same budget."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from enum import IntEnum
from math import inf

import msgspec

from cancel_tui.clock import Clock
from cancel_tui.desk.pacing import Pace, Ticket
from cancel_tui.venues.base import CallClass


class Urgency(IntEnum):
    """Who goes first where several wait for the same budget."""

    KILL = 0
    POLL = 1
    SCAN = 2
    """Old windows of a list, which nobody waits for."""


class Tally(msgspec.Struct):
    """What was asked of a venue on behalf of one purpose."""

    requests: dict[CallClass, int] = msgspec.field(default_factory=dict)
    """Requests that left, or may have left."""
    throttled: int = 0
    """Answers that said: too many."""

    def count(self, call: CallClass) -> int:
        """How many requests of one class."""
        return self.requests.get(call, 0)


def forever() -> float:
    """The deadline of what has none."""
    return inf


class TooLateError(Exception):
    """The time by which a request had to leave passed while it waited for its turn."""


class Wait(msgspec.Struct, frozen=True):
    """A class of requests of which the next one may not leave yet. Times are seconds."""

    call: CallClass
    since: float
    """How long the next one has been waiting."""
    left: float
    """How long it still has to; infinity until an answer comes."""
    told: bool
    """Whether the venue has asked for it; else its documented budget is used up."""


class Gate:
    """Lets waiters of one class through in the order of urgency, as the pace allows."""

    def __init__(self, pace: Pace, clock: Clock, refresh: Callable[[], None]) -> None:
        self.pace = pace
        self._refresh = refresh
        self._clock = clock
        self.kept: int | None = None
        """Units that polls must leave; None is half of them, which is what scans always leave."""
        self._heap: list[tuple[int, int]] = []
        self._order = itertools.count()
        self._sleeping: set[asyncio.Future[None]] = set()
        self._since = 0.0
        """Since when whoever is first has been first."""

    def wait(self, call: CallClass) -> Wait | None:
        """What whoever is first waits for; None where nobody waits."""
        if not self._heap:
            return None
        now = self._clock.monotonic()
        ready = self.pace.earliest(now, self._reserve(Urgency(self._heap[0][0])))
        return Wait(call, now - self._since, max(0.0, ready - now), self.pace.told_to_wait(now))

    async def admit(self, urgency: Urgency, until: Callable[[], float] = forever) -> Ticket:
        """Wait until one request may leave, and count it; raises `TooLateError` past `until()`."""
        if self.pace.budget is None and not self._heap:
            # Nobody waits and nothing is counted: nothing to put in order.
            now = self._clock.monotonic()
            if now < until() and self.pace.earliest(now) <= now:
                return self.pace.take(now)
        me = (int(urgency), next(self._order))
        if not self._heap:
            self._since = self._clock.monotonic()
        heapq.heappush(self._heap, me)
        try:
            while True:
                budget = self.pace.budget
                reserve = self._reserve(urgency)
                now = self._clock.monotonic()
                if now >= until():
                    raise TooLateError
                when = self.pace.earliest(now, reserve) if self._heap[0] == me else inf
                if when <= now and budget is not None:
                    # Others may have sent while this one waited.
                    self._refresh()
                    when = self.pace.earliest(now, reserve)
                if when <= now:
                    return self.pace.take(now)
                await self._wait(min(when, until()) - now)
        finally:
            if self._heap[0] == me:
                self._since = self._clock.monotonic()
            self._heap.remove(me)
            heapq.heapify(self._heap)
            self.wake()

    def admit_at_once(self, until: Callable[[], float]) -> Ticket | None:
        """Count one request of a kill that may leave at this moment; None where it has to wait."""
        now = self._clock.monotonic()
        if self._heap or now >= until() or self.pace.earliest(now) > now:
            return None
        if self.pace.budget is not None:
            # Others may have sent meanwhile.
            self._refresh()
            if self.pace.earliest(now) > now:
                return None
        return self.pace.take(now)

    def _reserve(self, urgency: Urgency) -> int:
        """Units that a request of this urgency must leave to more urgent ones."""
        if urgency is Urgency.KILL or self.pace.budget is None:
            return 0
        kept = self.kept if urgency is Urgency.POLL else None
        return self.pace.budget.count // 2 if kept is None else kept

    def wake(self) -> None:
        """Let every waiter look again."""
        for sleeper in list(self._sleeping):
            if not sleeper.done():
                sleeper.set_result(None)

    async def _wait(self, seconds: float) -> None:
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleeping.add(sleeper)
        alarm = asyncio.create_task(self._clock.sleep(seconds)) if seconds != inf else None
        try:
            await asyncio.wait(
                {sleeper} if alarm is None else {sleeper, alarm}, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self._sleeping.discard(sleeper)
            if alarm is not None:
                alarm.cancel()
