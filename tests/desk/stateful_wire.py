"""The way between the desk and the model venues: an adapter, a wire without sockets, a clock by hand.

The desk's own lane (pacing, reserve, urgency, slots per purpose) stands between the two; the wire takes the
place of connections only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from pathlib import Path
from typing import Any, ClassVar, TypeVarTuple, Unpack

from cancel_tui.clock import Clock, ManualClock
from cancel_tui.desk.journal import Journal
from cancel_tui.orders import AccountId, Order, OrderKey, VenueName
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
from cancel_tui.venues.outcome import Answered, NotSent, Outcome, Throttled, Unanswered, Unauthorised
from cancel_tui.venues.wire import Mark, Origin
from tests.desk.stateful_market import Asked, Market, Mood

Ts = TypeVarTuple("Ts")

DISK = 0.03
"""Seconds that a record takes which has to be on the disk."""
_STATUS = {Throttled: 429, Unauthorised: 401, Unanswered: 500}


class MemoryJournal(Journal):
    """The journal's interface over a list, with a disk that takes its time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(None, clock)
        self.clock = clock
        self.records: list[tuple[str, dict[str, Any]]] = []
        self.path: Path | None = None

    def note(self, kind: str, **facts: Any) -> None:
        self.records.append((kind, facts))

    async def record(self, kind: str, *, sync: bool = False, **facts: Any) -> None:
        if sync:
            await self.clock.sleep(DISK)
        self.records.append((kind, facts))


class ModelWire:
    """In the place of `Wire`: bounded slots, times and troubles by the model."""

    markets: ClassVar[dict[int, Market]] = {}
    """By port."""

    def __init__(self, origin: Origin, slots: int, **_: float) -> None:
        self.market = self.markets[origin.port]
        self._free = slots
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def exchange(self, message: Message, deadline: float, mark: Mark | None = None) -> Raw:
        """As the wire's: at most once, an outcome instead of an exception."""
        asked = self.market.log[int(message.target[1:])]
        mark = mark or Mark()
        await self._take()
        try:
            return await self._carry(asked, deadline, mark)
        finally:
            self._give()

    async def warm(self, count: int) -> int:
        """Nothing to open."""
        return count

    async def close(self) -> None:
        """Nothing to close."""

    async def _take(self) -> None:
        if self._free > 0:
            self._free -= 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _give(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1

    async def _carry(self, asked: Asked, deadline: float, mark: Mark) -> Raw:
        market, clock = self.market, self.market.clock
        roll = market.random
        asked.dialling = True
        if market.bad(Mood.REFUSE):
            await clock.sleep(0.01)
            return NotSent("the connection was refused")
        asked.dialling = False
        if mark.wanted is not None and not mark.wanted():
            return NotSent("its time was over", late=True)
        mark.write()
        asked.left = clock.monotonic()
        market.departures.append(asked)
        there, back = roll.uniform(0.01, 0.1), roll.uniform(0.01, 0.1)
        if market.bad(Mood.SLOW):
            there, back = roll.uniform(0.1, 1.5), roll.uniform(0.1, 2.0)

        def arrive() -> None:
            self._arrive(asked)

        hangs, loses = market.bad(Mood.HANG), market.bad(Mood.LOSE)
        if hangs and roll.random() < 0.5:
            # It arrives long after the connection was closed, or never.
            market.later(deadline + roll.uniform(0.0, 2.0), arrive)
            there = float("inf")
        if there + back > deadline or hangs or loses:
            if there < deadline:
                market.later(there, arrive)
            await clock.sleep(min(deadline, there + 0.05) if loses else deadline)
            return Unanswered("reset" if loses else "timeout")
        await clock.sleep(there)
        raw = self._arrive(asked)
        await clock.sleep(back)
        return raw

    def _arrive(self, asked: Asked) -> Raw:
        market = self.market
        market.arrivals.setdefault(asked.call, []).append(market.now)
        if market.bad(Mood.THROTTLE):
            wait = market.random.choice([None, 0.0, 2.0])
            asked.value = Throttled(wait)
            market.throttled_at = market.now
            headers = {} if wait is None else {"retry-after": str(wait)}
            return Reply(429, headers, b"")
        if market.bad(Mood.DENY):
            asked.value = Unauthorised()
            return Reply(401, {}, b"")
        if market.bad(Mood.BREAK):
            asked.value = Unanswered("500", status=500)
            return Reply(500, {}, b"")
        asked.value = market.effect(asked)
        if market.bad(Mood.BREAK_AFTER):
            asked.value = Unanswered("500", status=500)
            return Reply(500, {}, b"")
        if asked.call is CallClass.LIST and isinstance(asked.value, Answered) and market.bad(Mood.CUT):
            rows = asked.value.value.orders
            asked.value = Answered(PartList(rows[: len(rows) // 2], complete=False, note="a page is missing"))
        return Reply(200, {}, b"")


class ModelVenue:
    """The adapter of a model venue."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.name: VenueName = market.name
        self.kind = "model"
        self.capabilities: Capabilities = market.capabilities
        self.clock_offset: float | None = None

    async def _ask(
        self,
        port: Port,
        call: CallClass,
        *,
        key: OrderKey | None = None,
        symbol: str | None = None,
        part: str | None = None,
        query: ClosedQuery | None = None,
    ) -> Outcome[Any]:
        market = self.market
        kill = getattr(port, "facts", {}).get("kill")
        asked = Asked(len(market.log), call, kill, key, symbol, part, query, market.now)
        market.log.append(asked)
        market.open[asked.no] = asked

        def build() -> Message:
            asked.admitted = market.now
            return Message(b"POST", f"/{asked.no}".encode())

        try:
            raw = await port.call(call, build)
            asked.outcome = (asked.value or NotSent("?")) if isinstance(raw, Reply) else raw
        finally:
            asked.ended = market.now
            del market.open[asked.no]
            market.fresh.append(asked)
        return asked.outcome

    async def parts(self, port: Port) -> Outcome[Parts]:
        ids = self.market.part_ids()
        parts = [Part(one, one == "past", _account(one)) for one in ids]
        accounts = tuple(part.account for part in parts if part.account is not None)
        return Answered(Parts(tuple(parts), accounts=accounts))

    async def list_part(self, part: Part, port: Port) -> Outcome[PartList]:
        return await self._ask(port, CallClass.LIST, part=part.id)

    async def cancel(self, key: OrderKey, port: Port) -> Outcome[CancelAck]:
        return await self._ask(port, CallClass.CANCEL, key=key)

    async def cancel_all(self, symbol: str | None, port: Port) -> Outcome[CancelAllAck]:
        return await self._ask(port, CallClass.CANCEL_ALL, symbol=symbol)

    async def read(self, key: OrderKey, port: Port) -> Outcome[Order]:
        return await self._ask(port, CallClass.STATUS, key=key)

    def closed_plan(self, touched: Sequence[Touched]) -> ClosedPlan:
        keys = frozenset(one.key for one in touched if one.order is not None)
        return ClosedPlan((ClosedQuery(cursor="0"),), keys) if keys else ClosedPlan()

    async def closed_page(self, query: ClosedQuery, port: Port) -> Outcome[ClosedPage]:
        return await self._ask(port, CallClass.CLOSED, query=query)

    async def measure_clock(self, port: Port) -> Outcome[float]:
        return await self._ask(port, CallClass.OTHER)

    async def check(self, port: Port) -> Outcome[str]:
        return Answered("fine")

    async def close(self) -> None:
        """Nothing of its own."""


def _account(part_id: str) -> AccountId | None:
    kind, _, name = part_id.partition(":")
    return AccountId(name) if kind == "account" else None


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often something was made ready to run at once."""

    scheduled = 0

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self.scheduled += 1
        return super().call_soon(callback, *args, context=context)


class Driver:
    """An event loop that is let run until all wait, and a clock that is moved to whoever wakes next."""

    def __init__(self, clock: ManualClock, look: Callable[[], None]) -> None:
        self.loop = CountingLoop()
        self.clock = clock
        self._look = look
        self._tasks: set[asyncio.Task[None]] = set()

    def settle(self) -> None:
        """Let everything happen that needs no time, then look."""
        self.loop.run_until_complete(self._idle())
        self._look()

    async def _idle(self) -> None:
        while True:
            before = self.loop.scheduled
            await asyncio.sleep(0)
            if self.loop.scheduled == before + 1:
                # Since the last turn nothing was made ready but this one: whoever came before has run.
                return

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something so many seconds from now."""

        async def wait() -> None:
            await self.clock.sleep(seconds)
            act()

        task = self.loop.create_task(wait())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def run(self, work: Any) -> Any:
        """Run something that needs the loop and no time."""
        return self.loop.run_until_complete(work)

    def pass_time(self, seconds: float, done: Callable[[], bool] = lambda: False) -> None:
        """Move the clock on, from one sleeper to the next, until a condition holds or the time is over."""
        end = self.clock.monotonic() + seconds
        self.settle()
        while not done():
            wake = self.clock.next_wake
            if wake is None or wake > end:
                self.clock.advance(max(0.0, end - self.clock.monotonic()))
                self.settle()
                return
            self.clock.advance(max(0.0, wake - self.clock.monotonic()))
            self.settle()

    def close(self) -> None:
        """End what is left."""
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(self._idle())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
