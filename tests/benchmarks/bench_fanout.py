"""The fan-out: a thousand single cancels over five venues, from the first to the last that the servers see.

The scope is narrower than any venue's own cancel-all (one side), so that each order needs a cancel of its
own; the venues have no limits. The desk is as a console that is armed has it: lists are fresh, connections
open. It is held against the same cancels from raw sockets, and against what people would write instead.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cancel_tui import garbage, redaction
from cancel_tui.clock import SystemClock
from cancel_tui.desk.desk import Desk
from cancel_tui.orders import Side
from cancel_tui.redaction import Secret
from cancel_tui.scope import Scope
from cancel_tui.settings import VenueSettings, load_settings
from cancel_tui.venues import tls as product_tls
from tests.benchmarks import fan_rivals
from tests.benchmarks.fan_rivals import Target as Aim
from tests.benchmarks.harness import Row, Scale, Target, judged, unjudged, unmeasured

AT_ONCE, WITH_LATENCY = Target(1.5), Target(1.05)
WORD = Target(2.0)
HTTPX, LOOP, SCRIPT = Target(15.0, faster=True), Target(5.0, faster=True), Target(5.0, faster=True)
ROWS = (
    "fan-out at once",
    "fan-out at once, TLS",
    "fan-out after 20 ms",
    "fan-out after 20 ms, TLS",
    "fan-out against httpx",
    "fan-out against requests",
    "fan-out against one by one",
    "fan-out against httpx, after 20 ms",
    "fan-out against requests, after 20 ms",
    "fan-out against one by one, after 20 ms",
    "word to first request",
    "word to first request, TLS",
)
WORDS = ROWS[10:]
_LONGEST = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the servers saw of one fan-out. Times are monotonic seconds, the same in every process."""

    distinct: int
    first: float
    last: float
    slowest: float
    """When the venue that waited longest got its first cancel."""

    @property
    def spread(self) -> float:
        """Milliseconds from the first to the last."""
        return (self.last - self.first) * 1000


class Floor:
    """The bare venues in a process of their own."""

    def __init__(self, orders: int, delay: float, folder: Path, *, tls: bool) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.bare", str(orders), str(delay), str(folder)]
        self._process = subprocess.Popen(
            command + (["tls"] if tls else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        told = self._line()
        self.credentials: dict[str, dict[str, str]] = told["credentials"]
        path = folder / "config.toml"
        path.write_text(told["configuration"])
        self.settings = load_settings(path)
        self.buys = {
            name: [one["order_id"] for one in rows if one["side"] == "buy" and one["family"] == "order"]
            for name, rows in told["live"].items()
        }
        self.count = sum(len(one) for one in self.buys.values())
        self.context: ssl.SSLContext | None = None
        self.authority: str | None = None
        if tls:
            self.authority = str(folder / "ca.pem")
            product_tls.client_context().load_verify_locations(self.authority)
            self.context = ssl.create_default_context(cafile=self.authority)
        tables = {one.name: one.base_url for one in self.settings.venues}
        self.aims: list[Aim] = fan_rivals.targets(tables, self.buys, self.credentials)

    def _line(self) -> dict[str, Any]:
        stream = self._process.stdout
        line = stream.readline() if stream is not None else ""
        if not line:
            raise RuntimeError("the bare venues ended")
        found: dict[str, Any] = json.loads(line)
        return found

    def _ask(self) -> dict[str, Any]:
        stream = self._process.stdin
        if stream is not None:
            stream.write("take\n")
            stream.flush()
        return self._line()

    def take(self) -> Seen:
        """What was seen since the last time."""
        told = self._ask()
        if not told["first"]:
            return Seen(0, 0.0, 0.0, 0.0)
        firsts, lasts = told["first"].values(), told["last"].values()
        return Seen(told["distinct"], min(firsts), max(lasts), max(firsts))

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(10)


@contextmanager
def floor(orders: int, delay: float, *, tls: bool) -> Iterator[tuple[Floor, Path]]:
    """Bare venues with about so many orders, half of them to buy."""
    with tempfile.TemporaryDirectory() as name:
        venues = Floor(orders, delay, Path(name), tls=tls)
        try:
            yield venues, Path(name)
        finally:
            venues.close()


async def _until(met: Callable[[], bool], what: str, pause: float = 0.01) -> None:
    end = time.monotonic() + _LONGEST
    while not met():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not come about")
        await asyncio.sleep(pause)


async def ours(venues: Floor, folder: Path, *, warm: bool = True) -> tuple[Seen, float]:
    """A kill by the desk: what the servers saw, and when the word was given."""
    # A process knows one set of secrets, and looks for them in what it writes; not those of every round.
    redaction._known = redaction._Known()

    async def credentials(settings: VenueSettings) -> dict[str, Secret]:
        return {name: Secret(value) for name, value in venues.credentials[settings.name].items()}

    desk = Desk(venues.settings, SystemClock(), folder, credentials)
    try:
        await desk.open()
        desk.watch()
        await _until(lambda: all(slot.complete for slot in desk.slots.values()), "a complete list")
        if warm:
            await desk.warm()
        await asyncio.sleep(0.2)
        kill = desk.plan_kill(Scope(sides=frozenset({Side.BUY}), raw={"side": ["buy"]}), deadline=_LONGEST)
        venues.take()
        word = time.monotonic()
        task = desk.start(kill, {})
        await _until(
            lambda: (
                sum(one.attempts > 0 and one.stage.value != "sent" for one in kill.tracks()) >= venues.count
            ),
            "an answer to every cancel",
            0.05,
        )
        seen = venues.take()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return seen, word
    finally:
        await desk.close()


def _raw(venues: Floor) -> tuple[Seen, float]:
    venues.take()
    word = asyncio.run(fan_rivals.raw(venues.aims, venues.context))
    return venues.take(), word


def _checked(seen: Seen, venues: Floor) -> Seen:
    if seen.distinct != venues.count:
        raise RuntimeError(f"{seen.distinct} of {venues.count} orders were cancelled")
    return seen


def _pair(
    name: str, word_name: str | None, scale: Scale, delay: float, target: Target, *, tls: bool
) -> list[Row]:
    if scale.quick and delay:
        return [unmeasured(name, target, against="raw sockets", why="its servers only take long to start")]
    mine: list[float] = []
    raw: list[float] = []
    word_mine: list[float] = []
    word_raw: list[float] = []

    def turn(sides: Sequence[int]) -> None:
        with floor(scale.of(2000, 60), delay, tls=tls) as (venues, folder):
            for side in sides:
                seen, word = asyncio.run(ours(venues, folder / "data")) if side else _raw(venues)
                (mine if side else raw).append(_checked(seen, venues).spread)
                (word_mine if side else word_raw).append((seen.slowest - word) * 1000)

    if scale.quick:
        turn((1, 0))
    else:
        # At once it is over in a tenth of a second, in which the machine may be fast or slow.
        for number in range(5 if delay else 9):
            for side in (0, 1) if number % 2 == 0 else (1, 0):
                turn((side,))
    median = statistics.median
    found = [judged(name, median(mine), median(raw), target, against="raw sockets")]
    if word_name is not None:
        note = "to the last venue's first; the decision is on the disk before"
        found.append(
            judged(word_name, median(word_mine), median(word_raw), WORD, against="raw sockets", note=note)
        )
    return found


def _rivals(scale: Scale, names: Sequence[str], delay: float) -> list[Row]:
    """Against httpx, a loop with requests, and one after another, in the order of the names."""
    told = ("httpx, gathered", "requests, a loop", "one by one")
    aims = (HTTPX, LOOP, SCRIPT)
    if scale.quick and delay:
        why = "its servers only take long to start"
        lines = zip(names, aims, told, strict=True)
        return [unmeasured(name, aim, against=against, why=why) for name, aim, against in lines]
    with floor(scale.of(2000, 60), delay, tls=False) as (venues, folder):
        seen, _ = asyncio.run(ours(venues, folder / "data"))
        mine = _checked(seen, venues).spread

        def others() -> Iterator[Callable[[], object]]:
            yield lambda: asyncio.run(fan_rivals.httpx_gather(venues.aims, venues.context))
            yield lambda: fan_rivals.requests_loop(venues.aims, venues.authority)
            yield lambda: asyncio.run(fan_rivals.one_by_one(venues.aims, venues.context))

        rows = []
        for name, aim, against, rival in zip(names, aims, told, others(), strict=True):
            venues.take()
            try:
                rival()
            except ImportError:
                rows.append(unmeasured(name, aim, against=against, why="requests is not installed"))
            else:
                rows.append(judged(name, mine, _checked(venues.take(), venues).spread, aim, against=against))
        return rows


def rows(scale: Scale) -> list[Row]:
    """Every row, in the order of `ROWS`."""
    garbage.hold()
    garbage.settle()
    found = [
        *_pair(ROWS[0], WORDS[0], scale, 0.0, AT_ONCE, tls=False),
        *_pair(ROWS[1], WORDS[1], scale, 0.0, AT_ONCE, tls=True),
        *_pair(ROWS[2], None, scale, 0.02, WITH_LATENCY, tls=False),
        *_pair(ROWS[3], None, scale, 0.02, WITH_LATENCY, tls=True),
        *_rivals(scale, ROWS[4:7], 0.0),
        *_rivals(scale, ROWS[7:10], 0.02),
    ]
    found.sort(key=lambda row: ROWS.index(row.name))
    return [unjudged(row) for row in found] if scale.quick else found
