"""A desk, with its console or without, beside venues that place and end orders for minutes: what it holds.

Memory is flat where what is held does not grow with the events. Everything that is remembered for a while is
filled first, at its real size, by a burst; then two medians are compared, of the first third of the time and
of the last. What is measured is every byte that the interpreter has handed out in this process, after a
collection; the venues live in another one.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from cancel_tui.cli.session import practice_credentials
from cancel_tui.clock import SystemClock
from cancel_tui.console import grid, recent
from cancel_tui.console.app import CancelApp
from cancel_tui.desk import book, changes
from cancel_tui.desk.desk import Desk
from cancel_tui.settings import parse_settings
from cancel_tui.venues import roxom, roxom_stream
from cancel_tui.venues.feed import Listens
from tests.desk.truth import Truth, difference
from tests.system.shell import ROOT

VENUES = ("cs-spot", "roxom", "p99", "broker")
"""Those that push."""
FEW = 30
"""Orders that stand there from the beginning."""
LIMITED = "[venues.cs-fut]"
UNLIMITED = 'limits = { list = "none", status = "none", closed = "none", cancel = "none" }'
"""The venue whose documented limits its lists would have to wait for, and what takes them away."""
BURST = 400.0
"""Events a second while the memories are being filled."""
FILLING = 600.0
"""Seconds within which they must be full."""
CALM = 60.0
"""Seconds after the burst until what is kept for half a minute is forgotten."""
SAMPLE = 5.0
"""Seconds between two looks at what is held."""
NOISE = 256 * 1024
"""Bytes that two medians of the same may differ by: lists come and go while they are read."""


@dataclass(slots=True)
class Series:
    """What was held at which number of events."""

    held: list[tuple[int, int]] = field(default_factory=list)

    def growth(self) -> tuple[int, int]:
        """Bytes and events between the medians of the first third and of the last."""
        third = max(1, len(self.held) // 3)
        events, sizes = zip(*self.held, strict=True)
        return round(median(sizes[-third:]) - median(sizes[:third])), round(
            median(events[-third:]) - median(events[:third])
        )

    @property
    def flat(self) -> bool:
        """Whether what is held does not grow with the events."""
        grown, _ = self.growth()
        return grown <= NOISE


class Market:
    """The venues, in a process of their own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._one = asyncio.Lock()

    async def _ask(self, line: str) -> dict[str, object]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._one, asyncio.timeout(20.0):
            self._process.stdin.write(f"{line}\n".encode())
            found: dict[str, object] = json.loads(await self._process.stdout.readline())
        return found

    async def go(self, rate: float) -> int:
        """So many events a second from now on; how many there have been."""
        events = (await self._ask(f"{rate}"))["events"]
        assert isinstance(events, int)
        return events

    async def spoil(self, faults: Mapping[str, Sequence[str]]) -> set[str]:
        """Other faults at the venues from now on; which have struck so far, with their venues."""
        struck = (await self._ask(f"faults {json.dumps(faults)}"))["struck"]
        assert isinstance(struck, list)
        return set(struck)

    async def truth(self) -> dict[str, Truth]:
        """What is live at each venue: filled amounts by account and id."""
        live = (await self._ask("truth"))["live"]
        assert isinstance(live, dict)
        return {name: {(one[0], one[1]): one[2] for one in rows} for name, rows in live.items()}


@asynccontextmanager
async def market(config: Path, orders: int = FEW, venues: Sequence[str] = VENUES) -> AsyncIterator[Market]:
    """Venues for as long as the block lasts, and the configuration that points at them."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.system.soak_market", str(config), str(orders), *venues),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**26,
    )
    try:
        await until(config.exists, 20.0)
        yield Market(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def until(done: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds."""
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, "it did not come about"
        await asyncio.sleep(0.05)


class Soak:
    """One desk beside one market."""

    def __init__(self, desk: Desk, market: Market, app: CancelApp | None) -> None:
        self.desk = desk
        self.market = market
        self.app = app
        self.series = Series()
        self._before: dict[str, int] = {}
        self._kinds: Counter[str] = Counter()

    def memories(self) -> dict[str, tuple[int, int]]:
        """Everything that is remembered up to a number and that events fill: how much of how much."""
        found: dict[str, tuple[int, int]] = {}
        share = changes.MOST - changes.MOST // changes.SHARE
        for slot in self.desk.slots.values():
            if slot.venue is not None and not isinstance(slot.venue, Listens):
                # Lists alone say little; what they fill is small beside the rest.
                continue
            found[f"changes of {slot.name}"] = len(slot.book.changes), share
            # What B2TRADER says is outdated by a list that is as fast as the stream, ends included.
            if slot.name != "broker":
                found[f"told by {slot.name}"] = len(slot.book.told), book.MOST_TOLD
            venue: object = slot.venue
            if isinstance(venue, roxom.RoxomVenue):
                found["instrument types"] = len(venue._type_of), roxom.REMEMBERED
                found["event times"] = len(venue._stream._events._latest), roxom_stream.REMEMBERED
        if self.app is not None:
            found["changes on the screen"] = len(self.app.ledger.changes), share
            found["recent ends"] = len(self.app._main._rows.recent), recent.KEPT
            found["drawn lines"] = len(self.app._main.grid._strips), grid.STRIPS
        return found

    async def fill(self) -> None:
        """Fill every memory to its real size, then let pass what is kept for a while."""
        await self.market.go(BURST)
        limit, full = time.monotonic() + FILLING, set[str]()
        while lacking := {name: held for name, held in self.memories().items() if name not in full}:
            full |= {name for name, (held, room) in lacking.items() if held >= room}
            assert time.monotonic() < limit, f"not filled: {lacking}"
            self._leaf()
            await asyncio.sleep(1.0)
        await self.market.go(0.0)

    def _leaf(self) -> None:
        """Another page of the grid, from the first to the last and again: what is drawn is remembered."""
        if self.app is not None:
            shown = self.app._main.grid
            if shown.scroll_offset.y >= shown.max_scroll_y:
                shown.scroll_home(animate=False)
            else:
                shown.scroll_page_down(animate=False)

    async def run(self, seconds: float, rate: float) -> int:
        """So many events a second; how many there were."""
        first, begun = await self.market.go(rate), time.monotonic()
        while (left := begun + seconds - time.monotonic()) > 0:
            await asyncio.sleep(min(SAMPLE, left))
            gc.collect()
            held, _ = tracemalloc.get_traced_memory()
            self.series.held.append((await self.market.go(rate), held))
        return await self.market.go(0.0) - first

    async def settle(self, seconds: float = 30.0) -> None:
        """Until every book is the truth, which may still move by itself for a while."""
        limit = time.monotonic() + seconds
        while True:
            truth = await self.market.truth()
            slots = self.desk.slots.values()
            wrong = {one.name: difference(one, truth[one.name]) for one in slots}
            if not any(wrong.values()):
                return
            assert time.monotonic() < limit, wrong
            await asyncio.sleep(0.2)

    def heard(self) -> None:
        """Every stream has spoken."""
        assert all(slot.feed.messages > 0 for slot in self.desk.slots.values())

    def mark(self) -> None:
        """From here on growth is told by the line that made it, and by the kind of object."""
        self._before, self._kinds = _lines(), _kinds()

    def grown(self) -> list[str]:
        """The lines that hold more than at the mark, and the kinds of which there are more, most first."""
        lines = [(size - self._before.get(line, 0), line) for line, size in _lines().items()]
        kinds = (_kinds() - self._kinds).most_common(10)
        return [f"{size / 1024:+.0f} KiB {line}" for size, line in sorted(lines, reverse=True)[:20]] + [
            f"{number:+} {kind}" for kind, number in kinds
        ]


def _lines() -> dict[str, int]:
    gc.collect()
    return {str(one.traceback): one.size for one in tracemalloc.take_snapshot().statistics("lineno")}


def _kinds() -> Counter[str]:
    return Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())


@asynccontextmanager
async def soaking(
    folder: Path, *, console: bool, orders: int = FEW, names: Sequence[str] = VENUES
) -> AsyncIterator[Soak]:
    """A desk that listens to a market, and every byte counted."""
    config = folder / "config.toml"
    async with market(config, orders, names) as venues:
        text = config.read_text().replace(LIMITED, f"{LIMITED}\n{UNLIMITED}")
        settings = parse_settings(text, config)
        desk = Desk(settings, SystemClock(), folder / "data", practice_credentials)
        app = CancelApp(desk) if console else None
        tracemalloc.start()
        try:
            if app is None:
                await desk.open()
                desk.watch()
                yield Soak(desk, venues, None)
            else:
                async with app.run_test(size=(120, 40)):
                    yield Soak(desk, venues, app)
                    app.exit(0)
        finally:
            tracemalloc.stop()
            await desk.close()
