"""Growth: what a kill costs for each order, with a hundred of them and with a hundred times as many.

The whole kill runs on the desk, with its lane, its journal on disk and its proof, against a venue in memory
that answers at once, so that neither a network nor a rival's server is measured. The cost is the time of the
processor until the verdict. Two scopes: one side, order by order, and everything, by the venue's own
cancel-all, after which the ends are read from pages of finished orders.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

from cancel_tui import garbage
from cancel_tui.clock import SystemClock
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.engine import Verdict
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
from cancel_tui.venues.base import (
    CallClass,
    CancelAck,
    CancelAllAck,
    Capabilities,
    ClosedPage,
    ClosedPlan,
    ClosedQuery,
    Message,
    Part,
    PartList,
    Parts,
    Port,
    Raw,
    Reply,
    Touched,
)
from cancel_tui.venues.outcome import Answered, NotSent, Outcome
from cancel_tui.venues.wire import Mark
from tests.benchmarks.harness import Row, Scale, Target, in_turns, judged

TARGET = Target(1.3)
ROWS = ("growth of a kill, order by order", "growth of a kill, cancel-all")
SIZES = (100, 1_000, 10_000)
ROUNDS = 5
AT_LEAST = 2_000
"""Orders that one figure is taken over: as many small kills as that takes."""
NAME = VenueName("memory")
PAGE = 200
SCOPES = {
    ROWS[0]: Scope(sides=frozenset({Side.BUY}), raw={"side": ["buy"]}),
    ROWS[1]: Scope(raw={}),
}
_EMPTY = Message(b"GET", b"/")


class MemoryWire:
    """Answers every request in the next turn of the event loop."""

    async def exchange(self, message: Message, deadline: float, mark: Mark | None = None) -> Raw:
        """As a wire's."""
        if mark is not None:
            mark.write()
        await asyncio.sleep(0)
        return Reply(200, {}, b"")

    async def close(self) -> None:
        """Nothing to close."""


class MemoryVenue:
    """A venue without a wire format; cancels are final at once."""

    def __init__(self, count: int) -> None:
        self.name, self.kind, self.clock_offset = NAME, "p99-spot", 0.0
        self.capabilities = Capabilities(
            cancel_all=True, cancel_all_symbol=True, read_order=True, closed_page=PAGE
        )
        self._live = {one.key: one for one in map(_order, range(count))}
        self._over: list[Order] = []

    async def parts(self, port: Port) -> Outcome[Parts]:
        """One list."""
        return Answered(Parts((Part("all"),)))

    async def list_part(self, part: Part, port: Port) -> Outcome[PartList]:
        """What is live."""
        orders = tuple(self._live.values())
        await port.call(CallClass.LIST, _message)
        return Answered(PartList(orders))

    async def cancel(self, key: OrderKey, port: Port) -> Outcome[CancelAck]:
        """Over at once."""
        await port.call(CallClass.CANCEL, _message)
        return Answered(CancelAck(self._end(key)))

    async def cancel_all(self, symbol: str | None, port: Port) -> Outcome[CancelAllAck]:
        """All are over; their ids are told, and no more."""
        await port.call(CallClass.CANCEL_ALL, _message)
        ids = tuple(key.order_id for key in self._live)
        for key in list(self._live):
            self._end(key)
        return Answered(CancelAllAck(ids))

    async def read(self, key: OrderKey, port: Port) -> Outcome[Order]:
        """Never asked: every end is told otherwise."""
        return NotSent("a read-back was asked for")

    def closed_plan(self, touched: Sequence[Touched]) -> ClosedPlan:
        """Pages from the newest on."""
        return ClosedPlan((ClosedQuery(cursor="0"),), frozenset(one.key for one in touched))

    async def closed_page(self, query: ClosedQuery, port: Port) -> Outcome[ClosedPage]:
        """The page that begins where the cursor says."""
        await port.call(CallClass.CLOSED, _message)
        at = int(query.cursor or "0")
        after = ClosedQuery(cursor=str(at + PAGE)) if at + PAGE < len(self._over) else None
        return Answered(ClosedPage(tuple(self._over[at : at + PAGE]), after))

    async def measure_clock(self, port: Port) -> Outcome[float]:
        """No difference."""
        return Answered(0.0)

    async def check(self, port: Port) -> Outcome[str]:
        """There are no credentials."""
        return Answered("nothing to check")

    async def close(self) -> None:
        """Nothing to close."""

    def _end(self, key: OrderKey) -> Order:
        ended = altered(self._live.pop(key), status=OrderStatus.CANCELED, venue_status=VenueText("cancelled"))
        self._over.append(ended)
        return ended


def _order(number: int) -> Order:
    return Order(
        key=OrderKey(NAME, None, Family.ORDER, OrderId(f"698ed406-{number:08d}")),
        symbol=VenueText(("BTC/INR", "ETHUSDT", "GOLD-BTC", "cfd.eur_usd")[number % 4]),
        side=Side.BUY,
        type=OrderType.LIMIT,
        price=Decimal(number * 7919 % 1_000_003) / 100,
        quantity=Decimal(number % 97 + 1) / 8,
        filled=Decimal(0),
        remaining=Decimal(number % 97 + 1) / 8,
        status=OrderStatus.OPEN,
        venue_status=VenueText("OPEN"),
        created_at=1_790_000_000.0 - number,
    )


def _message() -> Message:
    return _EMPTY


async def _kill(scope: Scope, count: int) -> float:
    """Seconds of the processor from the word to the verdict."""
    text = f'[venues.{NAME}]\nkind = "p99-spot"\nbase_url = "http://127.0.0.1:1/v1"\nsettle_seconds = 0.01\n'

    async def credentials(_: object) -> Mapping[str, Any]:
        return {}

    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(parse_settings(text, Path("c.toml")), SystemClock(), Path(folder), credentials)
        slot = desk.slots[NAME]
        desk._equip(slot, MemoryVenue(count))
        assert slot.lane is not None
        wire: Any = MemoryWire()
        setattr(slot.lane, "wire_for", lambda call, urgency: wire)  # noqa: B010
        kill = desk.plan_kill(scope)
        gc.collect()
        begun = process_time()
        await desk.start(kill, {})
        taken = process_time() - begun
        ended = len(kill.tracks())
        await desk.close()
    if kill.verdict is not Verdict.FLAT or ended != count:
        raise RuntimeError(f"{kill.verdict.value} with {ended} of {count} orders")
    return taken


def cost(scope: Scope, count: int, at_least: int = AT_LEAST) -> float:
    """Microseconds of the processor for each order."""
    times = max(1, at_least // count)
    return sum(asyncio.run(_kill(scope, count)) for _ in range(times)) / times / count * 1e6


def rows(scale: Scale) -> list[Row]:
    """One for each scope: many orders against few."""
    garbage.hold()
    garbage.settle()
    sizes, rounds, least = scale.of(SIZES, (4, 6, 8)), scale.of(ROUNDS, 1), scale.of(AT_LEAST, 1)
    found = []
    for name, scope in SCOPES.items():
        times = in_turns(rounds, *(partial(cost, scope, size, least) for size in sizes))
        told = ", ".join(f"{size:,}: {one:.0f} µs" for size, one in zip(sizes, times, strict=True))
        against = f"each of {sizes[0]:,}"
        found.append(judged(name, times[-1], times[0], TARGET, against=against, unit="µs", note=told))
    return found
