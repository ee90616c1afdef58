"""Pictures of the console over seeded practice venues: `python -m cancel_tui.console.shots [DIR] [NAME …]`.

Each picture is an SVG of the real console on real practice servers on 127.0.0.1. The calendar stands at one
fixed moment, the books come from fixed seeds and the faults are fixed, so that two runs differ by fractions
of seconds and ids only. Without names all are taken, into `screenshots`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from textual.pilot import Pilot

from cancel_tui.clock import SystemClock
from cancel_tui.console.app import CancelApp
from cancel_tui.console.screens.board import BoardScreen
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.lane import Urgency
from cancel_tui.desk.slot import VenueState
from cancel_tui.orders import OrderKey
from cancel_tui.practice.cluster import Cluster
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings, parse_settings

NARROW, WIDE = (80, 24), (120, 32)
_MOMENT = 1_767_614_667.0
"""5 January 2026, 12:04:27 UTC."""
_PATIENCE = 30.0
"""Seconds after which a picture that has not come about is given up."""


class PictureClock(SystemClock):
    """Runs like the machine's clock, from a fixed moment of the calendar."""

    def __init__(self) -> None:
        self._begun = monotonic()

    def wall(self) -> float:
        """Seconds since the epoch, as if it were that moment."""
        return _MOMENT + monotonic() - self._begun


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture is taken of."""

    size: tuple[int, int]
    play: Callable[[Pilot[int]], Awaitable[None]]
    """Brings the console to the moment of the picture."""
    orders: int = 200
    faults: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By venue."""
    latency: Mapping[str, float] = field(default_factory=dict)
    """Seconds before each answer, by venue."""
    cancel_delay: Mapping[str, float] = field(default_factory=dict)
    """Seconds between taking a cancel and its effect, by venue."""
    colour: bool = True
    lookback_days: int = 91
    """How far back the futures venue is listed; a week at a time, so more days take longer."""


async def until(pilot: Pilot[int], condition: Callable[[], bool]) -> None:
    """Let frames pass until it holds; raises TimeoutError."""
    limit = monotonic() + _PATIENCE
    while not condition():
        if monotonic() > limit:
            raise TimeoutError("the moment of the picture did not come about")
        await pilot.pause(0.05)
    app = _app(pilot)
    app.look()
    await pilot.pause(0.05)


def _app(pilot: Pilot[int]) -> CancelApp:
    app = pilot.app
    if not isinstance(app, CancelApp):
        raise TypeError("pictures are taken of the console only")
    return app


async def _listed(pilot: Pilot[int]) -> None:
    """Every venue has been listed completely, and is in step with its own rhythm."""
    desk = _app(pilot).desk
    slots = desk.slots.values()

    def fresh() -> bool:
        now = desk.clock.monotonic()
        return all(one.complete and one.state_at(now) is VenueState.LIVE for one in slots)

    await until(pilot, lambda: all(one.listed_at is not None for one in slots))
    for slot in slots:
        if not slot.complete:
            # Left to its own pace a venue with a scarce budget takes its time for what is old.
            await desk.list_venue(slot, Urgency.POLL, deep=True)
    await until(pilot, fresh)


async def calm(pilot: Pilot[int]) -> None:
    """Part of the log is noise of starting up; a picture shows what is told after it."""
    await _listed(pilot)
    _app(pilot).log_lines.clear()


async def _grid(pilot: Pilot[int]) -> None:
    await calm(pilot)
    app = _app(pilot)
    grid = app._main.grid
    rows = list(grid.model)

    def key(venue: str, number: int) -> OrderKey:
        return [row.key for row in rows if row.key.venue == venue][number]

    for marked in (key("cs-spot", 2), key("cs-spot", 3)):
        grid.model.mark(marked, True)
    app.cancel_one(key("p99", 0))
    app.cancel_one(key("roxom", 1))
    await until(pilot, lambda: app.ledger.unknown > 0)
    app.cancel_one(key("cs-fut", 1))
    app.cancel_one(key("cs-spot", 0))
    app.cancel_one(key("broker", 2))
    grid.move_cursor(key("cs-fut", 1))
    await until(pilot, lambda: sum(app.ledger.over(row.key) for row in rows) >= 2)
    await _settle(pilot)


async def _settle(pilot: Pilot[int]) -> None:
    """Half a second of life, so that ages are those of a living screen."""
    begun = monotonic()
    await until(pilot, lambda: monotonic() - begun > 0.5)


async def _armed(pilot: Pilot[int]) -> None:
    await calm(pilot)
    await pilot.press("ctrl+k")
    await _settle(pilot)
    await pilot.press("K", "I")
    await _settle(pilot)


async def _fire(pilot: Pilot[int]) -> Kill:
    await calm(pilot)
    await pilot.press("ctrl+k")
    await _settle(pilot)
    await pilot.press("K", "I", "L", "L")
    await _settle(pilot)
    await pilot.press("enter")
    app = _app(pilot)
    await until(pilot, lambda: isinstance(app.screen, BoardScreen))
    return app.desk.kills[-1]


async def _board(pilot: Pilot[int]) -> None:
    kill = await _fire(pilot)

    def midway() -> bool:
        flat = sum(run.engine.flat for run in kill.runs.values())
        tracks = kill.tracks()
        return flat >= 2 and 0.55 < sum(track.stage.settled for track in tracks) / max(1, len(tracks)) < 0.9

    await until(pilot, midway)


async def _flat(pilot: Pilot[int]) -> None:
    kill = await _fire(pilot)
    await until(pilot, lambda: kill.finished_wall is not None)


SCENES: Mapping[str, Scene] = {
    "grid": Scene(
        WIDE,
        _grid,
        orders=26,
        faults={"p99": ("once:effect_then_drop@cancel", "throttle@status"), "roxom": ("fill_race",)},
        cancel_delay={"cs-fut": 60.0},
    ),
    "armed": Scene(NARROW, _armed),
    "board": Scene(
        NARROW,
        _board,
        faults={"cs-spot": ("once:fill_race",), "broker": ("drop@cancel*2",)},
        latency={"cs-spot": 0.4, "broker": 0.5},
    ),
    "flat": Scene(NARROW, _flat, faults={"cs-spot": ("fill_race@cancel*2",)}),
    "mono80x24": Scene(
        NARROW,
        _grid,
        orders=20,
        faults={"p99": ("once:effect_then_drop@cancel", "throttle@status"), "roxom": ("fill_race",)},
        cancel_delay={"cs-fut": 60.0},
        colour=False,
    ),
}
"""The pictures by name."""


@asynccontextmanager
async def desk_of(scene: Scene, clock: SystemClock) -> AsyncIterator[Desk]:
    """A desk over the practice venues of a scene, as long as it is needed."""
    cluster = Cluster(scene.orders, clock=clock)
    cluster.venues = [
        type(venue)(
            clock,
            replace(
                venue.plan,
                faults=scene.faults.get(venue.name, ()),
                latency=scene.latency.get(venue.name, 0.0),
                enforce_limits=False,
                cancel_delay=scene.cancel_delay.get(venue.name, venue.plan.cancel_delay),
            ),
        )
        for venue in cluster.venues
    ]
    await cluster.start()
    try:
        with TemporaryDirectory(prefix="cancel-tui-shots-") as folder:

            async def keys(settings: VenueSettings) -> Mapping[str, Secret]:
                given = cluster.named(settings.name).credentials()
                return {name: Secret(value) for name, value in given.items()}

            table = "[venues.cs-fut]\n"
            back = f"lookback_days = {scene.lookback_days}\n"
            text = cluster.configuration().replace(table, f'{table}limits = {{ list = "none" }}\n{back}')
            settings = parse_settings(text, Path(folder) / "shots.toml")
            desk = Desk(settings, clock, Path(folder), keys)
            try:
                yield desk
            finally:
                await desk.close()
    finally:
        await cluster.stop()


async def take(name: str) -> str:
    """One picture as SVG text; raises KeyError for an unknown name, TimeoutError."""
    scene = SCENES[name]
    if not scene.colour:
        os.environ["NO_COLOR"] = "1"
    async with desk_of(scene, PictureClock()) as desk:
        app = CancelApp(desk)
        app.operator = "alice@desk4"
        async with app.run_test(size=scene.size) as pilot:
            await scene.play(pilot)
            picture = app.export_screenshot(title="cancel-tui")
            app.exit(0)
        return picture


def main(arguments: list[str]) -> int:
    """Write the pictures; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cancel_tui.console.shots", description=__doc__)
    parser.add_argument("folder", nargs="?", default="screenshots", metavar="DIR")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCENES))
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in SCENES]
    if unknown:
        parser.error(f"no such picture: {', '.join(unknown)}; there are {', '.join(SCENES)}")
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or SCENES:
        picture = asyncio.run(take(name))
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")
        sys.stderr.write(f"{folder / name}.svg\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
