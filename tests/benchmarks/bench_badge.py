"""From the venue's own word for an end to the badge that says so, with the push stream and without.

The console runs headless on one practice venue after another; an order is ended at the venue, and the clock
stops when the line of the grid that is on the screen carries the end. With the stream the figure is held
against the interval between two repaints; without it, against the longest time between two lists of that run.
Each row is that of the slowest venue.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

from cancel_tui.console.frames import FRAMES
from cancel_tui.desk.feeds import DEBOUNCE, FeedState
from cancel_tui.desk.slot import Slot
from cancel_tui.orders import OrderKey, VenueName
from cancel_tui.practice.market import SimOrder, State
from tests.benchmarks.harness import Row, Scale, Target, judged, unmeasured
from tests.console.ground import Ground, ground

VENUES = ("cs-spot", "roxom", "p99", "broker")
ENDED = ("FILLED", "canceled", "expired", "rejected")


async def one(here: Ground, venue: str, order: SimOrder) -> float:
    """End one order at the venue; seconds until its line says so."""
    key = next(key for key in here.keys(venue) if str(key.order_id) == order.id)
    begun = perf_counter()
    here.cluster.named(venue).book.fill(order)
    while not _says(here, key):
        if perf_counter() - begun > 20.0:
            raise SystemExit(f"{venue}: the end never came to the screen")
        await asyncio.sleep(0.002)
    return perf_counter() - begun


def _says(here: Ground, key: OrderKey) -> bool:
    row = here.grid.model.get(key)
    return row is None or row.shown_badge.word in (*ENDED, "not seen")


_GAPS: list[float] = []


async def _intervals(slot: Slot) -> None:
    """Note the longest time between two lists, until cancelled."""
    last, longest = slot.listed_at, 0.0
    _GAPS.append(longest)
    while True:
        await asyncio.sleep(0.01)
        if slot.listed_at != last and slot.listed_at is not None and last is not None:
            longest = _GAPS[-1] = max(longest, slot.listed_at - last)
        last = slot.listed_at


async def rounds(venue: str, count: int, *, stream: bool) -> tuple[float, float]:
    """The median over some orders, and the longest time between two lists meanwhile, both in seconds."""
    switch = "" if stream else "stream = false\n"

    def configure(text: str) -> str:
        return text.replace("credentials =", f"{switch}credentials =")

    with tempfile.TemporaryDirectory() as folder:
        async with ground(
            Path(folder), orders=count + 4, venues=(venue,), listed=False, configure=configure, streams=True
        ) as here:
            slot = here.desk.slots[VenueName(venue)]
            await here.until(lambda: slot.listed_at is not None and here.grid.model.total > count)
            if stream:
                await here.until(lambda: slot.feed.state is FeedState.LIVE)
            found = []
            shown = {str(key.order_id) for key in here.keys(venue)}
            live = [
                order
                for order in here.cluster.named(venue).book.live()
                if order.id in shown and order.state is State.RESTING and order.quantity > 0
            ]
            watch = asyncio.create_task(_intervals(slot))
            for index, order in enumerate(live[:count]):
                # Far enough apart not to be one burst, and not in step with the frames.
                await asyncio.sleep(DEBOUNCE + 0.1 + index * 0.013)
                found.append(await one(here, venue, order))
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            return statistics.median(found), _GAPS[-1]


ROWS = ("Venue's word to badge, pushed", "Venue's word to badge, polled")


async def _measured(scale: Scale) -> list[Row]:
    venues = scale.of(VENUES, ("p99",))
    pushed, polled = {}, {}
    for venue in venues:
        pushed[venue] = (await rounds(venue, scale.of(15, 1), stream=True))[0]
        if not scale.quick:
            polled[venue] = await rounds(venue, 5, stream=False)
    late = max(venues, key=lambda venue: pushed[venue])
    first = judged(
        ROWS[0],
        pushed[late] * 1000,
        1000 / FRAMES,
        Target(2.0),
        against="one repaint interval",
        note=", ".join(f"{name} {seconds * 1000:.0f}" for name, seconds in pushed.items()),
    )
    target, against = Target(1.0), "one poll and repaint interval"
    if not polled:
        return [first, unmeasured(ROWS[1], target, against=against, why="takes several polls")]
    took, interval = max(polled.values(), key=lambda one: one[0] / (one[1] + 1 / FRAMES))
    note = ", ".join(f"{name} {one[0] * 1000:.0f}" for name, one in polled.items())
    second = judged(ROWS[1], took * 1000, (interval + 1 / FRAMES) * 1000, target, against=against, note=note)
    return [first, second]


def rows(scale: Scale) -> list[Row]:
    """Both, on every venue that has a stream."""
    return asyncio.run(_measured(scale))
