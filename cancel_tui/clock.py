"""Time as a value that is handed in, so that tests and practice venues can decide what time it is."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """What every part that measures or waits asks for the time."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; for ages, deadlines and pacing."""
        ...

    def wall(self) -> float:
        """Seconds since the Unix epoch, UTC; for signatures, journal lines and reports."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less yields once to the event loop."""
        ...


def to_beat(now: float, seconds: float) -> float:
    """Seconds until the next whole multiple of so many: who beats alike wakes the process together."""
    return seconds - now % seconds


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """Seconds on the machine's monotonic clock."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the Unix epoch, as the machine believes."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait on the running event loop."""
        await asyncio.sleep(max(0.0, seconds))


class ManualClock:
    """A clock that stands still until it is told to advance.

    `advance` moves the time and wakes whoever slept up to then, in the order of their waking times.
    `next_wake` tells when the earliest sleeper wants to wake, so that a driver can jump there.
    """

    def __init__(self, wall: float = 1_760_000_000.0) -> None:
        self._wall = wall
        self._passed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    def monotonic(self) -> float:
        """Seconds advanced so far."""
        return self._passed

    def wall(self) -> float:
        """The starting wall time plus all that was advanced."""
        return self._wall + self._passed

    @property
    def next_wake(self) -> float | None:
        """Monotonic seconds of the earliest sleeper that still waits, or None."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def advance(self, seconds: float) -> None:
        """Move the time forward and wake every sleeper whose time has come."""
        self._passed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._passed + 1e-9:
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Wait until somebody has advanced the clock by that much."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed + seconds, next(self._count), sleeper))
        await sleeper
