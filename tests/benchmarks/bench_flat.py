"""Time to proven flat on an injected clock: what limits and round trips allow, and what a kill takes.

Every venue kind is killed on its own, cold, with round trips of 100 ms and the documented limits enforced by
the practice venue. The bound is what nobody could beat: the least round trips, one behind the other, that the
proof needs, the limits, and the second between the two lists. Its parts are what flat means: the lists, and
an end for every order, read by somebody who knows on which pages they stand. Nothing depends on the machine.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
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
READS = 6
"""Reads in flight at one venue."""
MINUTE = 60.0
QUIET = 0.01
"""Real seconds without a request that count as: everybody waits. A signature or a disk takes no time here."""


def _singles(count: int) -> float:
    """A list that tells the orders, their cancels side by side, and the two lists of the proof."""
    return TRIP + ceil(count / WIDE) * TRIP + SETTLE + TRIP


def _spot(over: Sequence[bool]) -> float:
    """CoinSwitch spot: no cancel-all; one page holds 500 orders."""
    return (ceil(sum(over) / 500) - 1) * TRIP + _singles(sum(over))


def _futures(over: Sequence[bool]) -> float:
    """CoinSwitch futures: one cancel-all; 13 windows of 7 days once and the newest twice, 20 reads a minute.

    The ends stand on pages of 50, of which 20 a minute may be read, and 20 orders a minute one by one.
    """
    windows = 13 + 1
    lists = TRIP + max(SETTLE, ceil(windows / READS) * TRIP) + TRIP
    minutes = 0
    while (pages := fewest_pages(over, 50, (minutes + 1) * 20)) > (minutes + 1) * 20:
        minutes += 1
    return max(lists, TRIP + minutes * MINUTE + ceil((pages - minutes * 20) / READS) * TRIP)


def fewest_pages(over: Sequence[bool], rows: int, singles: int) -> int:
    """Pages of so many rows one behind the other that show all orders but a few, which are read one by one.

    `over` are the finished orders as the venue sorts them, true where the end is wanted.
    """
    best = [[0] * (singles + 1) for _ in range(len(over) + rows + 1)]
    for at in range(len(over) - 1, -1, -1):
        for left in range(singles + 1):
            page = 1 + best[at + rows][left]
            if not over[at]:
                best[at][left] = best[at + 1][left]
            else:
                best[at][left] = min(page, best[at + 1][left - 1]) if left else page
    return best[0][singles]


def _roxom(over: Sequence[bool]) -> float:
    """Roxom: one cancel-all; the lists of six types side by side each time, and no documented limit."""
    return TRIP + SETTLE + ceil(6 / READS) * TRIP


def _p99(over: Sequence[bool]) -> float:
    """P99: one cancel-all; the lists of two statuses, one behind the other, each time."""
    return TRIP + SETTLE + 2 * TRIP


def _broker(over: Sequence[bool]) -> float:
    """B2TRADER: a token first; no cancel-all; a list is the accounts and then a fresh subscription."""
    return TRIP + 2 * TRIP + ceil(sum(over) / WIDE) * TRIP + SETTLE + 2 * TRIP


BOUNDS: dict[str, Callable[[Sequence[bool]], float]] = {
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


async def _flat(name: str, count: int) -> tuple[float, float]:
    """Seconds of the injected clock from the word to the proof, and the bound."""
    with tempfile.TemporaryDirectory() as folder:
        total = round(count / _SHARES[name])
        async with stage(
            Path(folder), total, only=name, alone=True, clock=Ticking(1_790_000_000.0), latency=TRIP
        ) as at:
            at.quiet = QUIET
            venue = at.cluster.venues[0]
            venue.plan = replace(venue.plan, cancel_delay=0.0)
            mine = {row["order_id"] for row in venue.truth()}
            kill = at.desk.plan_kill(Scope(), deadline=1000.0)
            begun = at.clock.monotonic()
            await at.finish(at.desk.start(kill, {}), virtual=1000.0, real=300.0)
            _proven(kill, name)
            taken = at.clock.monotonic() - begun
            return taken, BOUNDS[name]([order.id in mine for order in venue.book.finished()])


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
        ratios = {venue: taken / bound for venue, (taken, bound) in times.items()}
        worst = max(venues, key=lambda venue: ratios[venue])
        taken, bound = times[worst]
        told = ", ".join(f"{one} {ratio:.2f}" for one, ratio in ratios.items())
        row = judged(
            name,
            taken * 1000,
            bound * 1000,
            TARGET,
            against=f"the bound of {worst}",
            note=told,
        )
        found.append(unjudged(row) if scale.quick else row)
    return found
