"""The console as a whole process on a pseudo-terminal: its first paint, and what it costs when idle.

The first paint is the first frame whose last line was written, as the terminal's other end sees it. Idle: the
practice venues, in another process, hold orders that nobody touches; polls, streams and ages go on.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tests.benchmarks.harness import Row, Scale, Target, in_turns, judged
from tests.benchmarks.processes import COLUMNS, LINES, Terminal, Venues, venues

PAINT = "Console: process start to first paint"
IDLE = "Console: processor time when idle with 1,000 orders"
ROWS = (PAINT, IDLE)
CONSOLE = [sys.executable, "-m", "cancel_tui"]
EMPTY = [sys.executable, "-m", "tests.benchmarks.empty_app"]
LAST_LINE = f"\x1b[{LINES};1H".encode()


@dataclass(frozen=True, slots=True)
class Life:
    """What was seen of one process."""

    paint: float
    """Milliseconds from its start to its first paint."""
    cpu: float
    """Milliseconds of processor time until then."""
    idle: float
    """Milliseconds of processor time a second later on; 0 where nobody waited for that."""


def life(command: Sequence[str], env: Mapping[str, str], settle: float, seconds: float) -> Life:
    """Start a process, wait until it has settled, watch it for so many seconds, end it."""
    terminal = Terminal(command, env)
    try:
        paint = terminal.until(lambda written: LAST_LINE in written)
        cpu = terminal.cpu()
        terminal.quiet(settle)
        before = terminal.cpu()
        terminal.quiet(seconds)
        idle = (terminal.cpu() - before) / seconds if seconds else 0.0
        return Life(paint, cpu * 1000, idle * 1000)
    finally:
        terminal.end()


def lives(
    here: Venues, commands: Sequence[Sequence[str]], rounds: int, settle: float, seconds: float
) -> list[list[Life]]:
    """Each command in its turn, so many rounds."""
    found: list[list[Life]] = [[] for _ in commands]

    def turn(index: int) -> float:
        found[index].append(life(commands[index], here.fresh(), settle, seconds))
        return 0.0

    in_turns(rounds, *(partial(turn, index) for index in range(len(commands))))
    return found


def rows(scale: Scale) -> list[Row]:
    """Both; the smoke run takes both from the same processes."""
    with venues(scale.of(1_000, 50)) as here:
        if scale.quick:
            started = calm = lives(here, [CONSOLE, [*EMPTY, "clock"]], 1, 0.1, 0.1)
        else:
            lives(here, [CONSOLE, EMPTY], 1, 0.0, 0.0)  # the byte code is made in a round that does not count
            started = lives(here, [CONSOLE, EMPTY], 15, 0.0, 0.0)
            calm = lives(here, [CONSOLE, [*EMPTY, "clock"]], 3, 8.0, 30.0)
    middle = statistics.median
    mine, theirs = (middle(one.cpu for one in side) for side in started)
    ours, rival = (middle(one.paint for one in side) for side in started)
    note = f"processor time {mine:.0f} against {theirs:.0f} ms; {COLUMNS}x{LINES}"
    return [
        judged(PAINT, ours, rival, Target(1.25), against="empty Textual app", note=note),
        judged(
            IDLE,
            middle(one.idle for one in calm[0]),
            max(middle(one.idle for one in calm[1]), 0.001),
            Target(3.0),
            against="empty Textual app with a clock",
            unit="ms/s",
            note="five venues, streams live",
        ),
    ]
