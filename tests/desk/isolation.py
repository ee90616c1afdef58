"""How long each venue takes to its proven flat while another one is a black hole.

`python -m tests.desk.isolation` measures it in real time over loopback and prints the figures; it ends with
status 1 where a venue took more than a tenth longer, plus noise, than without the black hole.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from cancel_tui.cli.session import practice_credentials
from cancel_tui.clock import SystemClock
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.kill import Kill
from cancel_tui.practice.cluster import KINDS, Cluster
from cancel_tui.scope import Scope
from cancel_tui.settings import parse_settings

NAMES = tuple(kind.name for kind in KINDS)
HOLES = ("hang", "refused")
"""No answer to anything; or a closed port."""
SHARE = 0.10
"""How much longer a venue may take than without the black hole."""
NOISE = 0.15
"""Seconds that two equal runs may differ by in real time."""
LONGEST = 60.0
RUNS = 3


async def dig(cluster: Cluster, victim: str | None, hole: str) -> None:
    """Make one venue a black hole, for good."""
    if victim is None:
        return
    if hole == "hang":
        cluster.named(victim).faults.add("hang")
    else:
        await cluster.named(victim).server.stop(keep_port=True)


def flat_after(kill: Kill, victim: str | None) -> dict[str, float]:
    """Seconds to the first proven flat of every venue that has one, the victim aside."""
    return {
        name: engine.first_flat_at - engine.started
        for name, engine in ((str(name), run.engine) for name, run in kill.runs.items())
        if name != victim and engine.first_flat_at is not None
    }


def through(kill: Kill, victim: str | None) -> bool:
    """Whether every venue but the victim has its proven flat."""
    return set(flat_after(kill, victim)) == {*NAMES} - {victim}


async def _measure(victim: str | None, hole: str, seed: int, folder: Path) -> dict[str, float]:
    cluster = Cluster(60, seed=seed)
    await cluster.start()
    settings = parse_settings(cluster.configuration(), folder / "c.toml")
    desk = Desk(settings, SystemClock(), folder / f"data-{victim}-{hole}-{seed}", practice_credentials)
    try:
        await desk.open()
        await dig(cluster, victim, hole)
        kill = desk.plan_kill(Scope(raw={}), deadline=LONGEST)
        desk.start(kill, {})
        begun = time.monotonic()
        while not through(kill, victim):
            assert time.monotonic() - begun < LONGEST, f"{victim} {hole}: {flat_after(kill, victim)}"
            await asyncio.sleep(0.02)
        return flat_after(kill, victim)
    finally:
        await desk.close()
        await cluster.stop()


async def _median(victim: str | None, hole: str, folder: Path) -> dict[str, float]:
    found = [await _measure(victim, hole, seed, folder) for seed in range(RUNS)]
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


async def _main() -> int:
    worst = most = 0.0
    with tempfile.TemporaryDirectory(prefix="cancel-tui-isolation-") as place:
        folder = Path(place)
        alone = await _median(None, "", folder)
        print(f"| {'Black hole':<20} | {' | '.join(NAMES)} |")
        print("|---|" + "---:|" * len(NAMES))
        print(f"| {'none':<20} | {' | '.join(f'{alone[name]:.2f} s' for name in NAMES)} |")
        for hole in HOLES:
            for victim in NAMES:
                taken = await _median(victim, hole, folder)
                cells = []
                for name in NAMES:
                    if name == victim:
                        cells.append("-")
                        continue
                    most = max(most, taken[name] / alone[name] - 1)
                    worst = max(worst, (taken[name] - NOISE) / alone[name] - 1)
                    cells.append(f"{(taken[name] / alone[name] - 1) * 100:+.0f} %")
                print(f"| {f'{victim}, {hole}':<20} | {' | '.join(cells)} |", flush=True)
    print(f"median of {RUNS} runs each; at most {most * 100:+.0f} %", end="; ")
    print(f"beyond {NOISE} s of noise: {max(0.0, worst) * 100:.0f} %")
    return int(worst > SHARE)


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
