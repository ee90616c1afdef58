"""The order grid against Textual's built-in table, in one run, so that the machine does not matter.

Run it by hand: `python -m tests.benchmarks.bench_grid [ROWS]`. It prints a table and ends with status 1 when
the grid is not as many times faster as promised. Each figure is the time from the call or key to the frame
that shows it, terminal codes included, which a run without a terminal would otherwise skip.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from rich.console import RenderableType
from textual.app import App, ComposeResult
from textual.events import Key
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import DataTable

from cancel_tui.cancels import Stage
from cancel_tui.console.badges import badge_for
from cancel_tui.console.cells import cells, timed
from cancel_tui.console.columns import Column, layout
from cancel_tui.console.grid import OrderGrid
from cancel_tui.console.grid_model import GridRow
from cancel_tui.orders import Family, Order, OrderId, OrderKey, OrderStatus, OrderType, Side, VenueName
from cancel_tui.text import VenueText

SIZE = (160, 48)
STORM_ROWS = 100
"""Badges that change in every beat of the storm."""
BEAT = 0.1
"""Seconds between the beats."""
PRESSES = 40
PROMISED = {"fill": 100.0, "one badge": 20.0, "key in a storm": 10.0}
"""How many times faster the grid must be, at 10,000 rows."""


class BenchApp(App[None]):
    """One widget under test; it makes terminal codes of every frame, as a terminal would get them."""

    def __init__(self, rows: list[GridRow]) -> None:
        super().__init__()
        self.rows = rows
        self.frames = 0
        self.codes = 0

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        codes = getattr(renderable, "render_segments", None)
        if codes is not None:
            self.codes += len(codes(self.console))
            self.frames += 1
        super()._display(screen, renderable)

    @abstractmethod
    def target(self) -> Widget:
        """The widget."""

    @abstractmethod
    def fill(self) -> None:
        """Give it every row."""

    @abstractmethod
    def change(self, numbers: Iterable[int], beat: int) -> None:
        """Give these rows another badge."""

    @abstractmethod
    def in_view(self) -> int:
        """The number of a row that is in view."""

    @abstractmethod
    def cursor(self) -> object:
        """What tells one place of the cursor from another."""

    def compose(self) -> ComposeResult:
        yield self.target()

    async def frame_after(self, act: Callable[[], object], done: Callable[[], bool] | None = None) -> float:
        """Milliseconds from the act to the first frame that follows, once it is done."""
        before, begun = self.frames, time.perf_counter()
        act()
        while done is not None and not done():
            before = self.frames
            await pass_on(begun)
        while self.frames == before:
            await pass_on(begun)
        return (time.perf_counter() - begun) * 1000

    async def press_down(self) -> float:
        """Milliseconds from the key to the frame after it was handled."""
        held = self.cursor()
        return await self.frame_after(
            lambda: self.post_message(Key("down", None)), lambda: self.cursor() != held
        )


async def pass_on(begun: float) -> None:
    """Let others work for a moment; TimeoutError after two minutes."""
    if time.perf_counter() - begun > 120:
        raise TimeoutError("no frame came")
    await asyncio.sleep(0.0002)


class GridBench(BenchApp):
    """Our grid."""

    def __init__(self, rows: list[GridRow]) -> None:
        super().__init__(rows)
        self.grid = OrderGrid()

    def target(self) -> Widget:
        return self.grid

    def fill(self) -> None:
        self.grid.apply(self.rows, now=1.0)

    def change(self, numbers: Iterable[int], beat: int) -> None:
        self.grid.apply([badged(self.rows[n], beat) for n in numbers])

    def in_view(self) -> int:
        row = self.grid.model.row(self.grid.scroll_offset.y + 5)
        return 0 if row is None else int(row.key.order_id[-8:])

    def cursor(self) -> object:
        return self.grid.cursor_key


class TableBench(BenchApp):
    """The built-in table over the same texts, made beforehand."""

    WORDS = ("➤ SENT 1.0s", "◔ PENDING 1.0s", "? UNKNOWN 1.0s ⟳")

    def __init__(self, rows: list[GridRow]) -> None:
        super().__init__(rows)
        places = layout(SIZE[0])
        self.texts = [[cell.text for cell in cells(row, places, timed(row, 1.0, 28))] for row in rows]
        self.columns = [place.column for place in places]
        self.table: DataTable[str] = DataTable(cursor_type="row")

    def target(self) -> Widget:
        return self.table

    def on_mount(self) -> None:
        for column in self.columns:
            self.table.add_column(column.value, key=column.value)

    def fill(self) -> None:
        for row, texts in zip(self.rows, self.texts, strict=True):
            self.table.add_row(*texts, key=row.key.order_id)

    def change(self, numbers: Iterable[int], beat: int) -> None:
        for n in numbers:
            self.table.update_cell(
                self.rows[n].key.order_id, Column.STATUS.value, self.WORDS[beat % 3], update_width=False
            )

    def in_view(self) -> int:
        return int(self.table.scroll_offset.y) + 5

    def cursor(self) -> object:
        return self.table.cursor_row


def make_rows(count: int) -> list[GridRow]:
    """Realistic rows over five venues."""
    venues = ("broker", "cs-fut", "cs-spot", "p99", "roxom")
    rows = []
    for n in range(count):
        key = OrderKey(VenueName(venues[n % 5]), None, Family.ORDER, OrderId(f"698ed406-{n:08d}"))
        order = Order(
            key=key,
            symbol=VenueText(("BTC/INR", "ETHUSDT", "GOLD-BTC", "cfd.eur_usd")[n % 4]),
            side=Side.BUY if n % 2 else Side.SELL,
            type=OrderType.LIMIT,
            price=Decimal(n * 7919 % 1_000_003) / 100,
            quantity=Decimal(n % 97) / 8,
            filled=Decimal(0),
            remaining=Decimal(n % 97) / 8,
            status=OrderStatus.OPEN,
            created_at=1_000.0 + n,
        )
        rows.append(GridRow(key=key, order=order, badge=badge_for(order), born=float(-n % 4_000)))
    return rows


def badged(row: GridRow, beat: int) -> GridRow:
    """The same row with another badge."""
    stage = (Stage.SENT, Stage.ACCEPTED, Stage.UNKNOWN)[beat % 3]
    badge = badge_for(row.order, stage, 0.0)
    return GridRow(key=row.key, order=row.order, stage=stage, badge=badge, revision=beat, born=row.born)


@dataclass(frozen=True)
class Figures:
    """One widget's times, milliseconds."""

    fill: float
    badge: float
    key: float
    worst_key: float


async def storm(app: BenchApp, beats: list[int]) -> None:
    """Change badges in every beat, a few in view and the rest anywhere, until cancelled."""
    count = len(app.rows)
    while True:
        beats[0] += 1
        start = app.in_view()
        app.change([(start + n * (1 if n < 10 else 37)) % count for n in range(STORM_ROWS)], beats[0])
        await asyncio.sleep(BEAT)


async def measure(app: BenchApp) -> Figures:
    """Every figure of one widget, from one run."""
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.3)
        gc.collect()
        fill = await app.frame_after(app.fill)
        await pilot.pause(1.0)
        app.target().focus()
        await pilot.pause(0.3)
        badge = []
        for beat in range(1, 21):
            await pilot.pause(0.05)
            badge.append(await app.frame_after(partial(app.change, [app.in_view()], beat)))
        beats = [100]
        storming = asyncio.create_task(storm(app, beats))
        keys = []
        for press in range(PRESSES):
            await asyncio.sleep(0.02 + press % 7 * 0.005)
            keys.append(await app.press_down())
        storming.cancel()
    return Figures(fill, statistics.median(badge), statistics.median(keys), max(keys))


def report(count: int, ours: Figures, theirs: Figures) -> bool:
    """Print the table; whether every promise was kept."""
    kept = True
    print(f"{count:,} orders at {SIZE[0]}x{SIZE[1]}, milliseconds to the frame")
    print(f"{'':22}{'DataTable':>12}{'OrderGrid':>12}{'ratio':>9}{'promised':>10}")
    lines = (
        ("fill", theirs.fill, ours.fill),
        ("one badge", theirs.badge, ours.badge),
        ("key in a storm", theirs.key, ours.key),
        ("worst key in a storm", theirs.worst_key, ours.worst_key),
    )
    for name, slow, fast in lines:
        promised = PROMISED.get(name) if count == 10_000 else None
        missed = promised is not None and slow / fast < promised
        kept = kept and not missed
        told = "" if promised is None else f"{promised:.0f}"
        print(f"{name:22}{slow:12.1f}{fast:12.2f}{slow / fast:9.1f}{told:>10}{'  MISSED' if missed else ''}")
    return kept


def main() -> int:
    """Measure both on the same rows."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rows = make_rows(count)
    ours = asyncio.run(measure(GridBench(rows)))
    theirs = asyncio.run(measure(TableBench(rows)))
    return 0 if report(count, ours, theirs) else 1


if __name__ == "__main__":
    sys.exit(main())
