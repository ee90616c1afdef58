"""The console as a whole process on a pseudo-terminal: its first paint, and what it costs when idle.

The first paint is the first frame whose last line was written, as the terminal's other end sees it. Idle: the
practice venues, in another process, hold orders that nobody touches; polls, streams and ages go on.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence

from tests.benchmarks.harness import Row, Scale, Target, in_turns, judged
from tests.benchmarks.processes import COLUMNS, LINES, Terminal, venues

PAINT = "Console: process start to first paint"
IDLE = "Console: processor time when idle with 1,000 orders"
ROWS = (PAINT, IDLE)
CONSOLE = [sys.executable, "-m", "cancel_tui"]
EMPTY = [sys.executable, "-m", "tests.benchmarks.empty_app"]
LAST_LINE = f"\x1b[{LINES};1H".encode()


def first_paint(command: Sequence[str], env: Mapping[str, str], cpu: list[float]) -> float:
    """Milliseconds from the start of the process; what it used of the processor goes into `cpu`."""
    terminal = Terminal(command, env)
    try:
        found = terminal.until(lambda written: LAST_LINE in written)
        cpu.append(terminal.cpu() * 1000)
        return found
    finally:
        terminal.end()


def idle(command: Sequence[str], env: Mapping[str, str], settle: float, seconds: float) -> float:
    """Milliseconds of processor time a second, once it has settled."""
    terminal = Terminal(command, env)
    try:
        terminal.until(lambda written: LAST_LINE in written)
        terminal.quiet(settle)
        before = terminal.cpu()
        terminal.quiet(seconds)
        return (terminal.cpu() - before) / seconds * 1000
    finally:
        terminal.end()


def rows(scale: Scale) -> list[Row]:
    """Both."""
    with venues(scale.of(1_000, 50)) as here:
        mine: list[float] = []
        theirs: list[float] = []
        sides = (
            lambda: first_paint(CONSOLE, here.fresh(), mine),
            lambda: first_paint(EMPTY, here.fresh(), theirs),
        )
        if not scale.quick:  # the byte code is made in a round that does not count
            in_turns(1, *sides)
            mine.clear()
            theirs.clear()
        ours, rival = in_turns(scale.of(15, 1), *sides)
        note = f"processor time {statistics.median(mine):.0f} against {statistics.median(theirs):.0f} ms"
        note += f"; {COLUMNS}x{LINES}"
        paint = judged(PAINT, ours, rival, Target(1.25), against="empty Textual app", note=note)
        settle, seconds = scale.of(8.0, 0.2), scale.of(30.0, 0.2)
        ours, rival = in_turns(
            scale.of(3, 1),
            lambda: idle(CONSOLE, here.fresh(), settle, seconds),
            lambda: idle([*EMPTY, "clock"], here.fresh(), settle, seconds),
        )
    return [
        paint,
        judged(
            IDLE,
            ours,
            max(rival, 0.001),
            Target(3.0),
            against="empty Textual app with a clock",
            unit="ms/s",
            note="five venues, streams live",
        ),
    ]
