"""The order grid against Textual's built-in table and textual-fastdatatable, over the same rows.

Each figure is the time from the call or key to the frame that shows it, terminal codes included, which a run
without a terminal would otherwise skip. The storm changes a hundred badges ten times a second.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
from dataclasses import dataclass, fields
from functools import partial
from importlib.util import find_spec

from cancel_tui import garbage
from cancel_tui.console.columns import Column
from cancel_tui.console.grid_model import GridRow
from tests.benchmarks.grid_apps import FAST, SIZE, BenchApp, BuiltInBench, FastBench, GridBench, make_rows
from tests.benchmarks.harness import Row, Scale, Target, judged, unmeasured

STORM_ROWS = 100
"""Badges that change in every beat of the storm."""
BEAT = 0.1
"""Seconds between the beats."""
SORTS = (Column.PRICE, Column.QUANTITY, Column.SYMBOL)
BUILT_IN, OTHER = "DataTable", "fastdatatable"
GROWTH = "Grid: one badge at 100,000 orders against 1,000"
WORDS = {
    "fill": "fill",
    "badge": "one badge",
    "badges": "200 badges",
    "sort": "sort",
    "key": "key in a storm of badges",
    "remove": "remove 50",
}
PROMISED = {"fill": 100.0, "badge": 20.0, "key": 10.0}
"""How many times faster than the built-in table the grid must be, at 10,000 rows."""
SIZES = (10_000, 100_000)


@dataclass(frozen=True, slots=True)
class Figures:
    """One widget's times, milliseconds."""

    fill: float
    badge: float
    badges: float
    sort: float
    key: float
    remove: float


async def storm(app: BenchApp, beats: list[int]) -> None:
    """Change badges in every beat, a few in view and the rest anywhere, until cancelled."""
    count = len(app.rows)
    while True:
        beats[0] += 1
        start = app.in_view()
        app.change([(start + n * (1 if n < 10 else 37)) % count for n in range(STORM_ROWS)], beats[0])
        await asyncio.sleep(BEAT)


async def measure(app: BenchApp, scale: Scale) -> Figures:
    """Every figure of one widget, from one run; fewer of each where one of them takes the tables seconds."""
    count = len(app.rows)
    many_rows = count > 10_000

    def times(full: int, quick: int) -> int:
        return scale.of(max(2, full // 3) if many_rows else full, quick)

    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(scale.of(0.3, 0.0))
        gc.collect()
        fill = await app.frame_after(app.fill)
        await pilot.pause(scale.of(1.0, 0.0))
        app.target().focus()
        await pilot.pause(scale.of(0.3, 0.0))
        one, many, sorts, keys, removes = [], [], [], [], []
        for beat in range(1, 1 + times(15, 1)):
            await pilot.pause(scale.of(0.05, 0.0))
            one.append(await app.frame_after(partial(app.change, [app.in_view()], beat)))
        for beat in range(20, 20 + times(5, 1)):
            await pilot.pause(scale.of(0.05, 0.0))
            start = app.in_view()
            numbers = [(start + n) % count for n in range(200)]
            many.append(await app.frame_after(partial(app.change, numbers, beat)))
        storming = asyncio.create_task(storm(app, [100]))
        for press in range(times(30, 2)):
            await asyncio.sleep(0.02 + press % 7 * 0.005)
            keys.append(await app.press_down())
        storming.cancel()
        await asyncio.gather(storming, return_exceptions=True)
        for column in SORTS:
            await pilot.pause(scale.of(0.2, 0.0))
            sorts.append(await app.frame_after(partial(app.sort, column)))
        for turn in range(times(3, 1)):
            await pilot.pause(scale.of(0.2, 0.0))
            numbers = [n * (count // 500) + turn for n in range(50)]
            removes.append(await app.frame_after(partial(app.remove, numbers)))
    middle = statistics.median
    return Figures(fill, middle(one), middle(many), middle(sorts), middle(keys), middle(removes))


def together(found: list[Figures]) -> Figures:
    """The median of each figure."""
    return Figures(*(statistics.median(getattr(one, at.name) for one in found) for at in fields(Figures)))


def _turns(rows: list[GridRow], kinds: list[type[BenchApp]], scale: Scale) -> dict[type[BenchApp], Figures]:
    found: dict[type[BenchApp], list[Figures]] = {kind: [] for kind in kinds}
    for _ in range(scale.of(3 if len(rows) > 10_000 else 7, 1)):
        for kind in kinds:
            gc.collect()
            found[kind].append(asyncio.run(measure(kind(rows), scale)))
    return {kind: together(figures) for kind, figures in found.items()}


def _name(count: int, what: str, rival: str) -> str:
    return f"Grid {count:,}: {WORDS[what]}, {rival}"


ROWS = (
    *(_name(count, what, rival) for count in SIZES for rival in (BUILT_IN, OTHER) for what in WORDS),
    GROWTH,
)


def rows(scale: Scale) -> list[Row]:
    """Both sizes against both tables, and the grid against itself."""
    # As in the program: what is loaded is not looked through for garbage. It helps the tables as well.
    garbage.hold()
    garbage.settle()
    fast = find_spec(FAST) is not None
    kinds: list[type[BenchApp]] = [GridBench, BuiltInBench, *[FastBench] * fast]
    found: list[Row] = []
    badge: dict[int, float] = {}
    figures: dict[type[BenchApp], Figures] = {}
    for count in SIZES:
        if not figures or not scale.quick:
            figures = _turns(make_rows(scale.of(count, 500)), kinds, scale)
        badge[count] = figures[GridBench].badge
        for rival, kind in ((BUILT_IN, BuiltInBench), (OTHER, FastBench)):
            for what in WORDS:
                target = Target(1.0, faster=True)
                if count == 10_000 and kind is BuiltInBench and what in PROMISED:
                    target = Target(PROMISED[what], faster=True)
                name = _name(count, what, rival)
                if kind not in figures:
                    found.append(unmeasured(name, target, against=rival, why="not installed"))
                    continue
                ours, theirs = getattr(figures[GridBench], what), getattr(figures[kind], what)
                found.append(judged(name, ours, theirs, target, against=rival))
    if not scale.quick:
        figures = _turns(make_rows(1_000), [GridBench], scale)
    few = figures[GridBench].badge
    found.append(judged(GROWTH, badge[100_000], few, Target(1.5), against="itself"))
    return found
