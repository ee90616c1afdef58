"""What one look at the desk costs the console, at rest and in the midst of a kill of everything.

No screen and no venue takes part: books and engines are real and are fed by hand, so that the figures are
those of the ledger, the rows of the grid and the log alone. A look must follow what has changed, but not the
number of orders: each row holds ten times as many orders against a tenth of them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from cancel_tui.clock import ManualClock
from cancel_tui.console.ledger import Ledger
from cancel_tui.console.news import News
from cancel_tui.console.rows import RowSource
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.engine import Aim, Engine
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.runner import VenueRun
from cancel_tui.desk.slot import Slot, VenueState
from cancel_tui.orders import (
    Family,
    Order,
    OrderId,
    OrderKey,
    OrderStatus,
    OrderType,
    Side,
    VenueName,
    altered,
)
from cancel_tui.scope import Scope
from cancel_tui.settings import parse_settings
from cancel_tui.text import VenueText
from cancel_tui.venues.base import CancelAck, Capabilities, Part, PartList, Parts
from cancel_tui.venues.outcome import Answered
from tests.benchmarks.harness import Row, Scale, Target, judged

VENUES = ("broker", "cs-fut", "cs-spot", "p99", "roxom")
STEP = 20
"""Cancels that are answered between two looks."""
LOOKS = 40
GROWTH = 4.0
"""How many times dearer a look may be with ten times as many orders."""
IDLE = 0.05
"""Milliseconds below which a look counts as nothing."""


def open_order(venue: str, number: int) -> Order:
    """One of many."""
    return Order(
        key=OrderKey(VenueName(venue), None, Family.ORDER, OrderId(f"698ed406-{number:08d}")),
        symbol=VenueText(("BTC/INR", "ETHUSDT", "GOLD-BTC", "cfd.eur_usd")[number % 4]),
        side=Side.BUY if number % 2 else Side.SELL,
        type=OrderType.LIMIT,
        price=Decimal(number * 7919 % 1_000_003) / 100,
        quantity=Decimal(number % 97 + 1) / 8,
        filled=Decimal(0),
        remaining=Decimal(number % 97 + 1) / 8,
        status=OrderStatus.OPEN,
        venue_status=VenueText("OPEN"),
        created_at=1_790_000_000.0 - number,
    )


class Bench:
    """A desk without a network, its console side, and a kill of everything that is moved on by hand."""

    def __init__(self, orders: int) -> None:
        text = "".join(
            f'[venues.{name}]\nkind = "p99-spot"\nbase_url = "http://127.0.0.1:1/v1"\n'
            'credentials = "practice"\n'
            for name in VENUES
        )

        async def none(_: object) -> dict[str, Any]:
            return {}

        self.clock = ManualClock(1_790_000_000.0)
        self.desk = Desk(parse_settings(text, Path("bench.toml")), self.clock, None, none)
        self.orders = {
            name: [open_order(name, n) for n in range(at, orders, len(VENUES))]
            for at, name in enumerate(VENUES)
        }
        self.list_all()
        self.ledger = Ledger(self.desk)
        self.rows = RowSource(self.ledger)
        self.news = News(self.desk, self.ledger)
        self.kill: Kill | None = None
        self.waiting: list[OrderKey] = []

    def list_all(self) -> None:
        """A list of every venue, as it stood before."""
        now = self.clock.monotonic()
        for slot in self.desk.slots.values():
            self.list_one(slot, now)

    def list_one(self, slot: Slot, now: float) -> None:
        """A list of one venue."""
        slot.book.absorb("all", now, PartList(tuple(self.orders[slot.name])), now)
        slot.state, slot.error, slot.complete = VenueState.LIVE, None, True
        slot.listed_at = now

    def begin(self) -> None:
        """A kill of everything; its first lists are there."""
        kill = self.kill = Kill(Scope(raw={}), self.clock.wall(), names=tuple(self.desk.slots))
        now = self.clock.monotonic()
        for name in self.desk.slots:
            engine = Engine(name, Capabilities(connections=10**6, read_order=True), Aim(Scope(raw={})), now)
            parts = {"closed_plan": None, "pace": None, "wire_for": lambda *_: None}
            stub: Any = cast("Any", type("Stub", (), parts))
            kill.runs[name] = VenueRun(kill.kill_id, engine, stub, stub, self.clock, self.desk.journal, set())
            engine.closed_planner = None
            engine.ready = lambda _, at: at
            self.relist(name)
            self.waiting += list(engine.tracks)
            engine.next(now + 0.01)
        self.desk.kills.append(kill)
        kill.revision += 1

    def relist(self, name: VenueName) -> None:
        """A list within the kill."""
        assert self.kill is not None
        engine, now = self.kill.runs[name].engine, self.clock.monotonic()
        (part,) = engine.took_parts(Parts((Part("all"),)))
        found = {part.id: (now, Answered(PartList(tuple(self.orders[name]))))}
        engine.took_list(now, found, None, now, self.clock.wall())
        self.kill.revision += 1

    def answer(self, count: int) -> None:
        """So many cancels are answered: over."""
        assert self.kill is not None
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        now = self.clock.monotonic()
        for key in taken:
            engine = self.kill.runs[key.venue].engine
            track = engine.tracks[key]
            assert track.order is not None
            ended = altered(track.order, status=OrderStatus.CANCELED)
            engine.took_cancel(key, Answered(CancelAck(ended)), now, self.clock.wall())
        self.kill.revision += 1

    def look(self) -> dict[str, float]:
        """One look; milliseconds of its parts."""
        return {
            "ledger.refresh": timed(self.ledger.refresh),
            "news.take": timed(self.news.take),
            "rows.changes": timed(self.rows.changes),
        }


def timed(act: Callable[[], object]) -> float:
    """Milliseconds that it takes."""
    begun = time.perf_counter()
    act()
    return (time.perf_counter() - begun) * 1000


def middle(looks: Iterable[dict[str, float]]) -> dict[str, float]:
    """The median of each part, and of the whole look."""
    found = list(looks)
    parts = {name: statistics.median(one[name] for one in found) for name in found[0]}
    return parts | {"a look": statistics.median(sum(one.values()) for one in found)}


def measure(orders: int) -> dict[str, dict[str, float]]:
    """What looks cost: the first, at rest, after one list of one venue, and while a kill runs."""
    bench = Bench(orders)
    found = {"first": middle([bench.look()])}
    resting, listing, killing = [], [], []
    for _ in range(LOOKS):
        bench.clock.advance(0.05)
        resting.append(bench.look())
    found["at rest"] = middle(resting)
    for beat in range(LOOKS):
        bench.clock.advance(0.05)
        slot = bench.desk.slots[VenueName(VENUES[beat % len(VENUES)])]
        old = bench.orders[slot.name][beat]
        bench.orders[slot.name][beat] = altered(old, filled=Decimal(beat + 1) / 1000)
        bench.list_one(slot, bench.clock.monotonic())
        listing.append(bench.look())
    found["after a list"] = middle(listing)
    bench.begin()
    found["kill: first"] = middle([bench.look()])
    for _ in range(LOOKS):
        bench.clock.advance(0.05)
        bench.answer(STEP)
        killing.append(bench.look())
    found["kill: each"] = middle(killing)
    bench.clock.advance(0.05)
    for name in bench.desk.slots:
        bench.relist(name)
    found["kill: listed"] = middle([bench.look()])
    return found


ROWS = ("A look in the midst of a kill, ten times the orders", "A look at rest, ten times the orders")


def rows(scale: Scale) -> list[Row]:
    """10,000 orders against 1,000."""
    orders = scale.of(10_000, 2_000)
    few, many = measure(orders // 10), measure(orders)
    note = f"{orders:,} orders"
    return [
        judged(name, max(ours, IDLE), max(rival, IDLE), Target(GROWTH), against="itself", note=note)
        for name, ours, rival in (
            (ROWS[0], many["kill: each"]["a look"], few["kill: each"]["a look"]),
            (ROWS[1], many["at rest"]["a look"], few["at rest"]["a look"]),
        )
    ]
