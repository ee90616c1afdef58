"""The shell commands as whole processes, against a bare script over httpx that does the same.

Both read the same configuration and the same keyring, talk to the same practice venues in a third process,
and take turns. What counts for a kill is the moment at which a venue saw the first request that cancels.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from functools import partial

from tests.benchmarks.harness import Row, Scale, Target, in_turns, judged, unmeasured
from tests.benchmarks.processes import LIMIT, Cost, Venues, started, timed, venues

ORDERS = "`orders --json`, whole process"
KILL = "Cold kill: process start to first cancel on the wire"
SIDE = "The same, one side only: it must list first"
ROWS = (ORDERS, KILL, SIDE)
AGAINST = "bare httpx script"
PROGRAM = [sys.executable, "-m", "cancel_tui"]
SCRIPT = [sys.executable, "-m", "tests.benchmarks.bare_script"]


def first_cancel(here: Venues, command: Sequence[str]) -> float:
    """Milliseconds from the start of a process to the first cancel that a venue saw."""
    here.ask("fill")
    env = here.fresh()
    begun = time.monotonic()
    process = started(command, env)
    try:
        while (at := here.ask("cancel")) is None:
            if time.monotonic() - begun > LIMIT or process.poll() is not None:
                raise TimeoutError(f"{command[2:4]} cancelled nothing")
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    return float((at - begun) * 1000)


def rows(scale: Scale) -> list[Row]:
    """All three."""
    rounds = scale.of(15, 1)
    with venues(scale.of(200, 50)) as here:
        costs: dict[str, list[Cost]] = {"ours": [], "rival": []}

        def whole(side: str, command: Sequence[str]) -> float:
            cost = timed(command, here.fresh())
            costs[side].append(cost)
            return cost.wall

        sides = (
            lambda: whole("ours", [*PROGRAM, "orders", "--json"]),
            lambda: whole("rival", [*SCRIPT, "list"]),
        )
        if not scale.quick:  # the byte code is made in a round that does not count
            in_turns(1, *sides)
            costs = {"ours": [], "rival": []}
        ours, rival = in_turns(rounds, *sides)
        mine, theirs = (statistics.median(one.cpu for one in costs[side]) for side in ("ours", "rival"))
        note = f"processor time {mine:.0f} against {theirs:.0f} ms"
        found = [judged(ORDERS, ours, rival, Target(1.2), against=AGAINST, note=note)]
        for name, scope in ((KILL, []), (SIDE, ["--side", "buy"])):
            if scale.quick and scope:
                found.append(unmeasured(name, Target(1.1), against=AGAINST, why="as the one above"))
                continue
            commands = ([*PROGRAM, "kill", "--yes", "--json", *scope], [*SCRIPT, "kill"])
            ours, rival = in_turns(rounds, *(partial(first_cancel, here, one) for one in commands))
            found.append(judged(name, ours, rival, Target(1.1), against=AGAINST))
    return found
