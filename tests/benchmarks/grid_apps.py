"""Three ways to show the same orders, each in an app of its own, driven alike: our grid and two tables."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable
from decimal import Decimal
from importlib import import_module
from typing import Any

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
FAST = "textual_fastdatatable"
"""The module of the other table. It brings 170 MB of libraries: measured only where it is installed."""


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
    def sort(self, column: Column) -> None:
        """Sort by a column, upwards."""

    @abstractmethod
    def remove(self, numbers: Iterable[int]) -> None:
        """Take these rows away for good."""

    @abstractmethod
    def in_view(self) -> int:
        """The number of a row that is in view, as long as nothing was sorted or removed."""

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

    def sort(self, column: Column) -> None:
        self.grid.set_sort(column)

    def remove(self, numbers: Iterable[int]) -> None:
        self.grid.apply((), [self.rows[n].key for n in numbers])

    def in_view(self) -> int:
        row = self.grid.model.row(self.grid.scroll_offset.y + 5)
        return 0 if row is None else int(row.key.order_id[-8:])

    def cursor(self) -> object:
        return self.grid.cursor_key


class TableBench(BenchApp):
    """What both tables share: the same texts as ours, made beforehand."""

    WORDS = ("➤ SENT 1.0s", "◔ PENDING 1.0s", "? UNKNOWN 1.0s ⟳")

    def __init__(self, rows: list[GridRow]) -> None:
        super().__init__(rows)
        self.places = layout(SIZE[0])
        self.texts = [self.words(row) for row in rows]
        self.columns = [place.column.value for place in self.places]

    def words(self, row: GridRow) -> list[str]:
        """The cells of a row."""
        return [cell.text for cell in cells(row, self.places, timed(row, 1.0, 28))]


class BuiltInBench(TableBench):
    """Textual's own DataTable."""

    def __init__(self, rows: list[GridRow]) -> None:
        super().__init__(rows)
        self.table: DataTable[str] = DataTable(cursor_type="row")

    def target(self) -> Widget:
        return self.table

    def on_mount(self) -> None:
        for column in self.columns:
            self.table.add_column(column, key=column)

    def fill(self) -> None:
        for row, texts in zip(self.rows, self.texts, strict=True):
            self.table.add_row(*texts, key=row.key.order_id)

    def change(self, numbers: Iterable[int], beat: int) -> None:
        for n in numbers:
            self.table.update_cell(
                self.rows[n].key.order_id, Column.STATUS.value, self.WORDS[beat % 3], update_width=False
            )

    def sort(self, column: Column) -> None:
        self.table.sort(column.value)

    def remove(self, numbers: Iterable[int]) -> None:
        for n in numbers:
            self.table.remove_row(self.rows[n].key.order_id)

    def in_view(self) -> int:
        return int(self.table.scroll_offset.y) + 5

    def cursor(self) -> object:
        return self.table.cursor_row


class FastBench(TableBench):
    """textual-fastdatatable, which has no row keys: rows are addressed by their places."""

    def __init__(self, rows: list[GridRow]) -> None:
        super().__init__(rows)
        module: Any = import_module(FAST)
        self.table = module.DataTable(column_labels=list(self.columns), cursor_type="row")
        self.status = self.columns.index(Column.STATUS.value)

    def target(self) -> Widget:
        widget: Widget = self.table
        return widget

    def fill(self) -> None:
        self.table.add_rows(self.texts)

    def change(self, numbers: Iterable[int], beat: int) -> None:
        for n in numbers:
            self.table.update_cell(n, self.status, self.WORDS[beat % 3])

    def sort(self, column: Column) -> None:
        name = self.table.backend.columns[self.columns.index(column.value)]
        self.table.sort([(name, "ascending")])

    def remove(self, numbers: Iterable[int]) -> None:
        for n in sorted(numbers, reverse=True):
            self.table.remove_row(n)

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
