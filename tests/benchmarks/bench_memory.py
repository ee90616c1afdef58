"""What showing 100,000 orders takes in memory, against Textual's built-in table with the same rows.

Each side is a process of its own, `… bench_memory grid|table ORDERS`, in which a desk
without a network holds the orders. Counted is what resident memory grows by when they are shown: on our side
the ledger, the rows and the grid, on the other the texts and the table.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from cancel_tui.console.badges import badge_for
from cancel_tui.console.grid_model import GridRow
from tests.benchmarks.bench_looks import Bench
from tests.benchmarks.grid_apps import SIZE, BenchApp, BuiltInBench, GridBench
from tests.benchmarks.harness import Row, Scale, Target, in_turns, judged
from tests.benchmarks.processes import ROOT, environment

NAME = "Memory: showing 100,000 orders"
ROWS = (NAME,)
MIB = 1024.0 * 1024.0


def resident() -> float:
    """MiB that this process occupies."""
    gc.collect()
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / MIB


class Ours(GridBench):
    """The grid, fed as the console feeds it."""

    def __init__(self, bench: Bench) -> None:
        super().__init__([])
        self.bench = bench

    def fill(self) -> None:
        self.bench.ledger.refresh()
        changed, gone = self.bench.rows.changes()
        self.grid.apply(changed, gone, now=1.0)


class Theirs(BuiltInBench):
    """The table, fed with the texts of the same orders."""

    def __init__(self, bench: Bench) -> None:
        super().__init__([])
        self.bench = bench

    def fill(self) -> None:
        for orders in self.bench.orders.values():
            for order in orders:
                row = GridRow(key=order.key, order=order, badge=badge_for(order), born=0.0)
                self.table.add_row(*self.words(row), key=f"{order.key.venue} {order.key.order_id}")


SIDES: dict[str, type[Ours] | type[Theirs]] = {"grid": Ours, "table": Theirs}


async def _shown(app: BenchApp) -> tuple[float, float]:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.2)
        before = resident()
        await app.frame_after(app.fill)
        await pilot.pause(0.2)
        after = resident()
        return after - before, after


def rows(scale: Scale) -> list[Row]:
    """Growth against growth; the whole process is in the note."""
    count = scale.of(100_000, 500)
    whole: dict[str, float] = {}

    def once(what: str) -> float:
        command = [sys.executable, "-m", "tests.benchmarks.bench_memory", what, str(count)]
        with tempfile.TemporaryDirectory() as folder:
            env = environment(Path(folder))
            done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, timeout=600, check=True)
        grown, whole[what] = json.loads(done.stdout)
        return float(grown)

    ours, rival = in_turns(scale.of(3, 1), partial(once, "grid"), partial(once, "table"))
    note = f"resident; whole processes {whole['grid']:.0f} and {whole['table']:.0f} MiB"
    return [judged(NAME, ours, rival, Target(1 / 3), against="DataTable", unit="MiB", note=note)]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_shown(SIDES[sys.argv[1]](Bench(int(sys.argv[2])))))))
