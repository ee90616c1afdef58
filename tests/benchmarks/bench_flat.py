"""Time to proven flat on an injected clock: what limits and round trips allow, and what a kill takes.

Every venue kind is killed on its own, cold, with round trips of 100 ms and the documented limits enforced by
the practice venue. The bound is what nobody could beat: the least round trips, one behind the other, that the
proof needs, the limits, and the second between the two lists. Nothing of it depends on the machine.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import replace
from math import ceil
from pathlib import Path

from cancel_tui.clock import ManualClock
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.kill import Kill
from cancel_tui.orders import VenueName
from cancel_tui.scope import Scope
from tests.benchmarks.harness import Row, Scale, Target, judged, unjudged
from tests.desk.drive import stage

TARGET = Target(1.15)
SIZES = (50, 500, 2000)
ROWS = tuple(f"time to proven flat, {count} orders" for count in SIZES)
TRIP = 0.1
"""Seconds of a round trip."""
SETTLE = 1.0
"""Seconds between the beginnings of the two lists of a verdict."""
WIDE = 16
"""Cancels in flight at one venue."""
READS = 4
"""Reads in flight at one venue."""
MINUTE = 60.0


def _singles(count: int) -> float:
    """A list that tells the orders, their cancels side by side, and the two lists of the proof."""
    return TRIP + ceil(count / WIDE) * TRIP + SETTLE + TRIP


def _spot(count: int) -> float:
    """CoinSwitch spot: no cancel-all; one page holds 500 orders."""
    return (ceil(count / 500) - 1) * TRIP + _singles(count)


def _futures(count: int) -> float:
    """CoinSwitch futures: one cancel-all; 13 windows of 7 days once and the newest twice, 20 reads a minute.

    The ends stand on pages of 50 in each of those windows, 20 a minute too.
    """
    windows = 13 + 1
    lists = TRIP + max(SETTLE, ceil(windows / READS) * TRIP) + TRIP
    pages = max(ceil(count / 50), 1)
    return max(lists, TRIP + ((pages - 1) // 20) * MINUTE + (pages % 20 or 20) * TRIP)


def _roxom(count: int) -> float:
    """Roxom: one cancel-all; six lists each time, of which ten a second may leave."""
    return TRIP + SETTLE + ceil(6 / READS) * TRIP


def _p99(count: int) -> float:
    """P99: one cancel-all; the lists of two statuses, one behind the other, each time."""
    return TRIP + SETTLE + 2 * TRIP


def _broker(count: int) -> float:
    """B2TRADER: a token first; no cancel-all; a list is the accounts and then a fresh subscription."""
    return TRIP + 2 * TRIP + ceil(count / WIDE) * TRIP + SETTLE + 2 * TRIP


BOUNDS: dict[str, Callable[[int], float]] = {
    "cs-spot": _spot,
    "cs-fut": _futures,
    "roxom": _roxom,
    "p99": _p99,
    "broker": _broker,
}
_SHARES = {"cs-spot": 0.30, "cs-fut": 0.25, "roxom": 0.12, "p99": 0.20, "broker": 0.13}


class Ticking(ManualClock):
    """No two moments are the same, as on a real clock."""

    def monotonic(self) -> float:
        """Seconds advanced so far; asking takes a moment."""
        self._passed += 1e-9
        return self._passed


async def _flat(name: str, count: int) -> tuple[float, int]:
    """Seconds of the injected clock from the word to the proof, and how many orders there were."""
    with tempfile.TemporaryDirectory() as folder:
        total = round(count / _SHARES[name])
        async with stage(
            Path(folder), total, only=name, alone=True, clock=Ticking(1_790_000_000.0), latency=TRIP
        ) as at:
            venue = at.cluster.venues[0]
            venue.plan = replace(venue.plan, cancel_delay=0.0)
            orders = len(venue.truth())
            kill = at.desk.plan_kill(Scope(), deadline=1000.0)
            begun = at.clock.monotonic()
            await at.finish(at.desk.start(kill, {}), virtual=1000.0, real=300.0)
            _proven(kill, name)
            return at.clock.monotonic() - begun, orders


def _proven(kill: Kill, name: str) -> None:
    if kill.verdict is not Verdict.FLAT:
        raise RuntimeError(f"{name}: {kill.verdict.value}: {kill.runs[VenueName(name)].engine.error}")


def rows(scale: Scale) -> list[Row]:
    """For each size the venue that is furthest from its bound."""
    found = []
    for size, name in zip(SIZES, ROWS, strict=True):
        count = scale.of(size, 6)
        venues = scale.of(tuple(BOUNDS), ("p99",))
        times = {venue: asyncio.run(_flat(venue, count)) for venue in venues}
        worst = max(venues, key=lambda venue: times[venue][0] / BOUNDS[venue](times[venue][1]))
        taken, orders = times[worst]
        told = ", ".join(f"{one} {times[one][0] / BOUNDS[one](times[one][1]):.2f}" for one in venues)
        row = judged(
            name,
            taken * 1000,
            BOUNDS[worst](orders) * 1000,
            TARGET,
            against=f"the bound of {worst}",
            note=told,
        )
        found.append(unjudged(row) if scale.quick else row)
    return found
