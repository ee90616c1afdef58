"""One manual clock for venues and desk, moved on whenever everybody only waits: minutes pass in moments."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cancel_tui.cli.session import practice_credentials
from cancel_tui.clock import ManualClock
from cancel_tui.desk.desk import Desk
from cancel_tui.practice.cluster import Cluster
from cancel_tui.settings import parse_settings

QUIET = 0.003
"""Real seconds without a request that count as: everybody waits."""


async def _turns() -> None:
    """Some turns of the event loop, each with a look at every socket."""
    for _ in range(12):
        await asyncio.sleep(0)


class Stage:
    """A cluster of practice venues and a desk on one manual clock."""

    def __init__(self, clock: ManualClock, cluster: Cluster, desk: Desk) -> None:
        self.clock = clock
        self.cluster = cluster
        self.desk = desk
        self.look: Callable[[], None] = lambda: None
        """Called again and again while time passes: for whoever holds words against the truth meanwhile."""
        self.quiet = QUIET

    def _pulse(self) -> tuple[int, int]:
        return sum(venue.server.requests for venue in self.cluster.venues), self.desk.revision

    @property
    def _writing(self) -> bool:
        """Whether a record is waited for: a slow disk must not look like time that passes."""
        return bool(self.desk.journal._urgent or self.desk.journal._waited)

    async def until(self, done: Callable[[], bool], *, virtual: float = 600.0, real: float = 40.0) -> None:
        """Let time pass until a condition holds; fails past either limit."""
        begun, started = self.clock.monotonic(), time.monotonic()
        calm = False
        while not done():
            assert self.clock.monotonic() - begun < virtual, "the condition did not come true in time"
            assert time.monotonic() - started < real, "the test takes too long"
            pulse = self._pulse()
            self.look()
            await self._quiet(calm)
            if self._pulse() != pulse or done() or self._writing:
                calm = False
                continue
            wake = self.clock.next_wake
            if wake is not None:
                self.clock.advance(max(0.0, wake - self.clock.monotonic()))
            # A beat of a venue that nobody answers to needs no long look: what it starts shows at once.
            await _turns()
            calm = self._pulse() == pulse

    async def _quiet(self, calm: bool) -> None:
        """Long enough for whatever is on its way to show."""
        if calm:
            await _turns()
            await asyncio.sleep(self.quiet / 10)
        else:
            await asyncio.sleep(self.quiet)
            await asyncio.sleep(self.quiet)

    async def finish(self, task: asyncio.Task[Any], **limits: float) -> None:
        """Let time pass until a task is over, and raise what it raised."""
        await self.until(task.done, **limits)
        await task


@asynccontextmanager
async def stage(
    folder: Path,
    orders: int = 60,
    *,
    only: str | None = None,
    alone: bool = False,
    clock: ManualClock | None = None,
    extra: str = "",
    **plan: Any,
) -> AsyncIterator[Stage]:
    """Practice venues and an opened desk; `extra` is TOML that is added to every venue's table.

    `only` configures one venue; with `alone` the others are not even started.
    """
    clock = clock or ManualClock(1_790_000_000.0)
    cluster = Cluster(orders, clock=clock, **plan)
    if only is not None and alone:
        cluster.venues = [cluster.named(only)]
    await cluster.start()
    text = "".join(
        f"{block.rstrip()}\n{extra}\n"
        for block in cluster.configuration().split("\n\n")
        if only is None or f"[venues.{only}]" in block
    )
    desk = Desk(parse_settings(text, folder / "c.toml"), clock, folder / "data", practice_credentials)
    await desk.open()
    try:
        yield Stage(clock, cluster, desk)
    finally:
        await desk.close()
        await cluster.stop()
