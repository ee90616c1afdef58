"""From the venue's own word for an end to the badge that says so, with the push stream and without.

Run it by hand: `python -m tests.benchmarks.bench_badge [ROUNDS]`. The console runs headless on one practice
venue after another; an order is ended at the venue, and the clock stops when the line of the grid that is on
the screen carries the end. The figures are in repaint intervals and in poll intervals of the same run; it
ends with status 1 where the median is above two of the first with the stream, or one of the second without.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from cancel_tui.console.app import FRAMES
from cancel_tui.desk.feeds import DEBOUNCE, FeedState
from cancel_tui.desk.slot import Slot
from cancel_tui.orders import OrderKey, VenueName
from cancel_tui.practice.market import SimOrder, State
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
            Path(folder), orders=count + 4, venues=(venue,), listed=False, configure=configure
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


async def main(count: int) -> int:
    """Print the table; 1 where a median is too long."""
    poor = 0
    print(f"{'venue':<9}{'stream: repaint intervals':>27}{'without: poll intervals':>26}")
    for venue in VENUES:
        pushed = (await rounds(venue, count, stream=True))[0] * FRAMES
        took, interval = await rounds(venue, max(3, count // 3), stream=False)
        polled = took / (interval + 1 / FRAMES)
        poor += pushed > 2.0 or polled > 1.0
        print(f"{venue:<9}{pushed:>27.2f}{polled:>26.2f}")
    return 1 if poor else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)))
