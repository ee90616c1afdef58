"""Practice venues in a process of their own that place and end orders as fast as they are told to.

What they remember is theirs: whoever measures the desk beside them measures no venue. A line on standard
input is a rate, events a second over all venues, `truth`, or `faults` with the faults of each venue from now
on as JSON; each is answered by one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic

from cancel_tui.clock import SystemClock
from cancel_tui.practice.cluster import Cluster
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.practice.mischief import Faults
from cancel_tui.practice.venue import PracticeVenue
from tests.desk.truth import truth_of

TICK = 0.02
"""Seconds between two handfuls of events."""
STANDING = 20
"""Orders of each venue that come and go, at least."""
LIFE = 5.0
"""Seconds that an order lives, so that lists see it as well, however fast orders come."""


class Market:
    """Places and ends orders, the same number at each venue."""

    def __init__(self, venues: list[PracticeVenue]) -> None:
        self.rate = 0.0
        self.events = 0
        self._venues = venues
        self._fresh: dict[str, list[SimOrder]] = {one.name: [] for one in venues}

    async def run(self) -> None:
        """Events at the rate of the moment, evenly; what has ended is forgotten by the venues."""
        owed, last = 0.0, monotonic()
        while True:
            await asyncio.sleep(TICK)
            now = monotonic()
            owed, last = min(owed + (now - last) * self.rate, self.rate), now
            while owed >= 1:
                self._event(self._venues[self.events % len(self._venues)])
                owed -= 1

    def _event(self, venue: PracticeVenue) -> None:
        self.events += 1
        if len(self._fresh[venue.name]) >= self._standing:
            self._end(venue)
            return
        order = venue.newcomer()
        if order.id not in venue.book.orders:
            venue.book.add(order)
        self._fresh[venue.name].append(order)

    @property
    def _standing(self) -> float:
        """How many orders of a venue live side by side: half of the events place one."""
        return max(STANDING, self.rate / len(self._venues) / 2 * LIFE)

    def _end(self, venue: PracticeVenue) -> None:
        order = self._fresh[venue.name].pop(0)
        venue.book.change(order, State.CANCELLED)
        del venue.book.orders[order.id]

    def go(self, rate: float) -> None:
        """Another rate; what lives beyond its number ends at once."""
        self.rate = rate
        for venue in self._venues:
            while len(self._fresh[venue.name]) > self._standing:
                self._end(venue)

    def spoil(self, faults: dict[str, list[str]]) -> None:
        """Other faults from now on; whose credentials had expired has got new ones."""
        for venue in self._venues:
            venue.faults.clear()
            venue.expired = False
            venue.faults.update(faults.get(venue.name, ()))

    def struck(self) -> list[str]:
        """Every fault that has struck so far, with its venue."""
        found = [(one.name, one.faults) for one in self._venues]
        return [
            f"{name}:{hit}" for name, faults in found if isinstance(faults, Faults) for hit in faults.hits
        ]

    def truth(self) -> dict[str, list[tuple[str, str, str]]]:
        """By venue: account, id and filled amount of what can be listed and is live."""
        return {one.name: [(*key, filled) for key, filled in truth_of(one).items()] for one in self._venues}


async def _serve(config: Path, orders: int, names: list[str]) -> None:
    cluster = Cluster(orders, clock=SystemClock())
    cluster.venues = [cluster.named(name) for name in names]
    for venue in cluster.venues:
        # Twenty lists a minute of fifty rows each would make this a test of patience.
        venue.plan = replace(venue.plan, enforce_limits=False)
    await cluster.start()
    market = Market(cluster.venues)
    running = asyncio.create_task(market.run())
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    cluster.write_configuration(config)
    while line := (await lines.readline()).decode().strip():
        if running.done():
            # Without events nothing is tested: whoever measures is to see why there are none.
            running.result()
        if line.startswith("faults "):
            market.spoil(json.loads(line.removeprefix("faults ")))
        elif line != "truth":
            market.go(float(line))
        told = market.truth() if line == "truth" else {}
        answer = {"events": market.events, "live": told, "struck": market.struck()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    running.cancel()
    await cluster.stop()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
