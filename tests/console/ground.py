"""The ground of the console's tests: the real console on real practice servers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from textual.pilot import Pilot
from textual.widgets import Input

from cancel_tui.clock import SystemClock
from cancel_tui.console.app import CancelApp
from cancel_tui.console.grid import OrderGrid
from cancel_tui.console.guard import SAME_READ
from cancel_tui.console.keydoor import KeyDoor
from cancel_tui.console.screens.arm import ArmScreen
from cancel_tui.console.screens.board import BoardScreen
from cancel_tui.console.screens.confirm import ConfirmScreen
from cancel_tui.console.widgets import Line
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.kill import Kill
from cancel_tui.orders import OrderKey
from cancel_tui.practice.cluster import Cluster
from cancel_tui.practice.venue import PracticeVenue
from cancel_tui.redaction import Secret
from cancel_tui.settings import Settings, VenueSettings, parse_settings
from tests.console.hands import bring, hit, key_event

NARROW, WIDE = (80, 24), (120, 40)
LIMIT = 20.0
"""Seconds after which a condition counts as never met."""

Credentials = Callable[[VenueSettings], Awaitable[Mapping[str, Secret]]]


@dataclass
class Ground:
    """One console with its desk and its venues."""

    cluster: Cluster
    desk: Desk
    app: CancelApp
    pilot: Pilot[int]

    @property
    def grid(self) -> OrderGrid:
        return self.app._main.grid

    async def until(self, condition: Callable[[], bool], limit: float = LIMIT) -> None:
        """Let frames pass until it holds."""
        end = monotonic() + limit
        while not condition():
            if monotonic() > end:
                raise AssertionError("it never came about; on the screen:\n" + self.text())
            await self.pilot.pause(0.02)

    async def complete(self) -> None:
        """Every venue was listed as far as it can be, also what is old."""
        slots = self.desk.slots.values()
        await self.until(lambda: all(slot.listed_at is not None for slot in slots))
        end = monotonic() + LIMIT
        while late := [slot for slot in slots if not slot.complete]:
            assert monotonic() < end, f"never complete: {[slot.name for slot in late]}"
            for slot in late:
                # Left to its own pace a venue with a scarce budget takes its time for what is old.
                await self.desk.list_venue(slot, Urgency.POLL, deep=True)
            await self.pilot.pause(0.02)
        self.app.look()

    async def listed(self) -> None:
        """The same, and the grid shows what is live."""
        live = sum(len(rows) for rows in self.cluster.live().values())
        await self.complete()
        await self.until(lambda: self.grid.model.total >= live)

    def text(self) -> str:
        """Every line widget of the screen in front."""
        shown = [line for line in self.app.screen.query(Line) if line.display]
        return "\n".join(line.said for line in shown)

    def line(self, name: str) -> str:
        """One line of the screen in front."""
        return self.app.screen.query_one(f"#{name}", Line).said

    def picture(self) -> str:
        """Everything that is painted, as text."""
        width, _ = self.app.size
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text[:width] for strip in strips)

    def burst(self, *keys: str) -> None:
        """Keys that arrive in one read of the terminal: all at one time, before anything is painted."""
        at = self.app.event_time()
        for key in keys:
            event = key_event(key)
            event.time = at
            bring(self.app, event)

    async def later(self) -> None:
        """Let more time pass than one read of the terminal lasts."""
        begun = self.app.event_time()
        await self.until(lambda: self.app.event_time() > begun + SAME_READ)

    async def press(self, *keys: str) -> None:
        """Keys that arrive one by one; what they made the console say has been painted."""
        for key in keys:
            await hit(self.pilot, key)
            await self.later()
        before = self.app._rest_until
        await self.until(lambda: not self.app.untold or self.app._rest_until != before or self.app._exit)
        # A look that has begun is whole, with all that it shows.
        await self.until(lambda: self.app._looking is None or self.app._exit)

    async def arm(self) -> ArmScreen:
        await self.press("ctrl+k")
        await self.until(lambda: isinstance(self.app.screen, ArmScreen) and self.app.screen.ready)
        await self.later()
        screen = self.app.screen
        assert isinstance(screen, ArmScreen)
        return screen

    async def kill(self) -> Kill:
        """The whole way: arm, type, Enter."""
        await self.arm()
        await self.press(*"KILL", "enter")
        await self.until(lambda: isinstance(self.app.screen, BoardScreen))
        return self.desk.kills[-1]

    async def over(self, kill: Kill) -> None:
        await self.until(lambda: kill.finished_wall is not None)
        self.app.look()

    async def confirmed(self) -> None:
        """Press Enter on a confirm, once it can be read."""
        screen = self.app.screen
        assert isinstance(screen, ConfirmScreen)
        await self.until(lambda: screen.ready)
        await self.press("enter")

    async def cursor(self, key: OrderKey) -> None:
        self.grid.move_cursor(key)
        await self.until(lambda: self.grid.painted_key == key)

    def keys(self, venue: str = "p99") -> list[OrderKey]:
        return [row.key for row in self.grid.model if row.key.venue == venue]

    def asked(self, venue: str, method: str) -> int:
        """How many requests of a method the venue has seen."""
        return sum(one.startswith(f"{method} ") for one in self.cluster.named(venue).seen)

    def ledger_flying(self) -> int:
        """Cancels in flight, as of now."""
        self.app.ledger.refresh()
        return self.app.ledger.flying

    @property
    def kills(self) -> list[Kill]:
        return [kill for kill in self.desk.kills if not kill.by_id]

    @property
    def filter(self) -> Input:
        return self.app._main.query_one("#filter", Input)


def staged(
    orders: int, venues: tuple[str, ...], faults: Mapping[str, tuple[str, ...]], latency: float
) -> Cluster:
    """A cluster of some of the practice venues, without their rate limits."""

    def again(venue: PracticeVenue) -> PracticeVenue:
        plan = replace(
            venue.plan,
            orders=orders,
            faults=faults.get(venue.name, ()),
            latency=latency,
            enforce_limits=False,
        )
        return type(venue)(SystemClock(), plan)

    cluster = Cluster(0)
    cluster.venues = [again(venue) for venue in cluster.venues if venue.name in venues]
    return cluster


@asynccontextmanager
async def ground(
    folder: Path,
    *,
    orders: int = 6,
    venues: tuple[str, ...] = ("p99",),
    size: tuple[int, int] = NARROW,
    faults: Mapping[str, tuple[str, ...]] | None = None,
    latency: float = 0.0,
    read_only: bool = False,
    ascii_only: bool = False,
    console: str = "",
    credentials: Credentials | None = None,
    listed: bool = True,
    make: Callable[[Cluster, Desk], CancelApp] | None = None,
    door: KeyDoor | None = None,
    configure: Callable[[str], str] = str,
    streams: bool = False,
) -> AsyncIterator[Ground]:
    """The console on practice venues; `orders` is per venue. Without `streams` all news waits for a look."""
    cluster = staged(orders, venues, faults or {}, latency)
    await cluster.start()

    async def keys(settings: VenueSettings) -> Mapping[str, Secret]:
        return {name: Secret(value) for name, value in cluster.named(settings.name).credentials().items()}

    text = cluster.configuration().replace("credentials =", "settle_seconds = 0.2\ncredentials =")
    text = text.replace("[venues.cs-fut]\n", '[venues.cs-fut]\nlimits = { list = "none" }\n')
    for venue in cluster.venues if not streams else ():
        if venue.name != "cs-fut":
            text = text.replace(f"[venues.{venue.name}]\n", f"[venues.{venue.name}]\nstream = false\n")
    settings = parse_settings(
        f"{configure(text)}\n[console]\nrefresh_seconds = 0.3\n{console}", folder / "test.toml"
    )
    desk = Desk(settings, SystemClock(), folder, credentials or keys)
    made = make(cluster, desk) if make is not None else None
    app = made or CancelApp(desk, read_only=read_only, ascii_only=ascii_only, door=door)
    try:
        async with app.run_test(size=size) as pilot:
            here = Ground(cluster, desk, app, pilot)
            if listed:
                await here.listed()
            yield here
            app.exit(0)
    finally:
        await desk.close()
        await cluster.stop()
        await asyncio.sleep(0)


async def no_keys(settings: VenueSettings) -> Mapping[str, Secret]:
    """A keyring that holds nothing."""
    return {}


@asynccontextmanager
async def nowhere(path: Path, size: tuple[int, int] = NARROW) -> AsyncIterator[Ground]:
    """The console of a first start: no file at `path`, so no venue, no server, and nothing that is kept."""
    desk = Desk(Settings(path=path), SystemClock(), None, no_keys)
    app = CancelApp(desk)
    app.practice_offered = True
    try:
        async with app.run_test(size=size) as pilot:
            yield Ground(staged(0, (), {}, 0.0), desk, app, pilot)
    finally:
        await desk.close()
