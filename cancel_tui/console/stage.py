"""The stage of a picture: seeded practice venues, a calendar that stands at one moment, a keyring."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import msgspec
from textual.pilot import Pilot

from cancel_tui.clock import SystemClock
from cancel_tui.console.app import CancelApp
from cancel_tui.console.keydoor import KeyDoor
from cancel_tui.console.theme import NAME
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.slot import LockedError, VenueState
from cancel_tui.practice.cluster import Cluster
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings, parse_settings
from cancel_tui.vault.backends import BackendInfo, Strength

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


class Scene(msgspec.Struct, frozen=True):
    """What a picture is taken of."""

    size: tuple[int, int]
    play: Callable[[Pilot[int]], Awaitable[None]]
    """Brings the console to the moment of the picture."""
    orders: int = 200
    faults: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """By venue."""
    latency: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Seconds before each answer, by venue."""
    cancel_delay: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Seconds between taking a cancel and its effect, by venue."""
    colour: bool = True
    theme: str = NAME
    stored: tuple[str, ...] = ()
    """Names of keyring entries that exist; with any, the venues take their keys from the keyring."""
    lookback_days: int = 91
    """How far back the futures venue is listed; a week at a time, so more days take longer."""


async def until(pilot: Pilot[int], condition: Callable[[], bool]) -> None:
    """Let frames pass until it holds; raises TimeoutError."""
    limit = monotonic() + _PATIENCE
    while not condition():
        if monotonic() > limit:
            raise TimeoutError("the moment of the picture did not come about")
        await pilot.pause(0.05)
    app = app_of(pilot)
    app.look()
    await pilot.pause(0.05)


def app_of(pilot: Pilot[int]) -> CancelApp:
    """The console that a pilot leads."""
    app = pilot.app
    if not isinstance(app, CancelApp):
        raise TypeError("pictures are taken of the console only")
    return app


async def listed(pilot: Pilot[int]) -> None:
    """Every venue has been listed completely, and is in step with its own rhythm."""
    desk = app_of(pilot).desk
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
    await listed(pilot)
    app_of(pilot).log_lines.clear()


class PictureKeyring:
    """A keyring that exists in pictures only: it has names, and never a value."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    async def backend(self) -> BackendInfo:
        """The desktop's own."""
        return BackendInfo("keyring.backends.SecretService.Keyring", Strength.SYSTEM, False, None)

    async def known(self, names: Sequence[str]) -> dict[str, bool]:
        """Which names have an entry."""
        return {name: name in self._names for name in names}

    async def get(self, name: str) -> dict[str, Secret]:
        """Nothing: no picture needs a value."""
        return {}

    async def put(self, name: str, fields: Mapping[str, Secret]) -> None:
        """Nothing is kept."""

    async def delete(self, name: str) -> None:
        """Nothing is removed."""

    def retry(self) -> None:
        """It is never locked."""


def door_of(scene: Scene) -> KeyDoor | None:
    """The way to the keyring of a scene, where it has one."""
    if not scene.stored:
        return None
    keyring = PictureKeyring(scene.stored)
    return KeyDoor(lambda: keyring, lambda name, fields: None, lambda name: None)


def _own_entries(text: str) -> str:
    """The configuration with an entry of its own for each venue; CoinSwitch has one key pair for both."""
    first, *tables = text.split("[venues.")
    made = [first]
    for table in tables:
        name = table.partition("]")[0]
        entry = "coinswitch" if name.startswith("cs-") else name
        made.append(table.replace('credentials = "practice"', f'credentials = "{entry}"'))
    return "[venues.".join(made)


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
                if scene.stored and settings.credentials not in scene.stored:
                    raise LockedError(f"no credentials: run `cancel-tui keys set {settings.credentials}`")
                given = cluster.named(settings.name).credentials()
                return {name: Secret(value) for name, value in given.items()}

            table = "[venues.cs-fut]\n"
            back = f"lookback_days = {scene.lookback_days}\n"
            text = cluster.configuration().replace(table, f'{table}limits = {{ list = "none" }}\n{back}')
            if scene.stored:
                text = _own_entries(text)
            text += f'\n[console]\ntheme = "{scene.theme}"\n'
            settings = parse_settings(text, Path(folder) / "shots.toml")
            desk = Desk(settings, clock, Path(folder), keys)
            try:
                yield desk
            finally:
                await desk.close()
    finally:
        await cluster.stop()
