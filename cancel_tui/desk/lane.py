"""One venue's way out: paced per class, cancels apart from reads, kills before polls, all written down.

Each venue has a lane of its own, with its own connections, so that no venue can hold up another. Within a
lane cancels have connections that no read can take, and polls may not spend the reserve of a budget.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from cancel_tui.clock import Clock
from cancel_tui.desk.gate import Gate, Tally, TooLateError, Urgency, Wait, forever
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.pacing import Pace, Ticket
from cancel_tui.desk.sends import SendMemory
from cancel_tui.orders import Order, OrderKey, iso
from cancel_tui.venues.adapter import retry_after
from cancel_tui.venues.base import CallClass, Capabilities, Message, Raw, Reply
from cancel_tui.venues.outcome import NotSent
from cancel_tui.venues.wire import Mark, Origin, Wire

_READ_SLOTS = 6
_WARM = 4
"""Connections for cancels that are opened ahead in any case."""
_CANCELS = (CallClass.CANCEL, CallClass.CANCEL_ALL)


class Written(msgspec.Struct, frozen=True):
    """A request that was written down before its turn came."""

    number: int
    done: asyncio.Future[bool] | None
    """Ends when the record is written; None where no record is kept."""


class Flown(msgspec.Struct, frozen=True):
    """A cancel that left before its task had a turn, and what came back."""

    raw: Raw
    at: float
    """When that was, by the monotonic clock."""
    wall: float
    """The same in seconds since 1970."""


class Lane:
    """The requests of one venue."""

    def __init__(
        self,
        name: str,
        base_url: str,
        capabilities: Capabilities,
        clock: Clock,
        journal: Journal,
        memory: SendMemory,
    ) -> None:
        self.name = name
        self._clock = clock
        self._journal = journal
        self._memory = memory
        self.timeout = capabilities.timeout_seconds
        origin = Origin.of(base_url)
        connect = min(3.0, max(0.5, self.timeout))
        self._cancels = Wire(origin, capabilities.connections, connect_seconds=connect, slot_seconds=30.0)
        self._reads = Wire(origin, _READ_SLOTS, connect_seconds=connect, slot_seconds=60.0)
        self._polls = Wire(origin, 2, connect_seconds=connect, slot_seconds=60.0)
        self._gates: dict[CallClass, Gate] = {
            call: Gate(Pace(capabilities.budgets.get(call)), clock, self._count_others)
            for call in CallClass
            if call is not CallClass.OTHER
        }
        self._numbers = itertools.count(1)

    def now(self) -> float:
        """Monotonic seconds of the desk's clock."""
        return self._clock.monotonic()

    def port(
        self,
        urgency: Urgency,
        tally: Tally | None = None,
        *,
        until: Callable[[], float] = forever,
        **facts: Any,
    ) -> LanePort:
        """A way out for one purpose; `facts` go into each journal record.

        What is still waiting for its turn at the monotonic time `until()` does not leave any more. That time
        may be brought forward meanwhile, with `wake` to let those who wait look again.
        """
        return LanePort(self, urgency, tally or Tally(), facts, until)

    def wake(self) -> None:
        """Let everything that waits for its turn look at its deadline again."""
        for gate in self._gates.values():
            gate.wake()

    def pace(self, call: CallClass) -> Pace:
        """The pace of one class, for headroom and planning."""
        return self._gates[call].pace

    def waits(self) -> list[Wait]:
        """What waits for its turn right now, one line for each class of requests."""
        return [wait for call, gate in self._gates.items() if (wait := gate.wait(call)) is not None]

    def keep(self, call: CallClass, units: int) -> None:
        """From now on polls leave so many units of a class to kills."""
        self._gates[call].kept = units

    async def warm(self, orders: int = _WARM) -> None:
        """Open connections for cancels and kill reads, without sending anything.

        For so many orders one each, as far as the lane has as many.
        """
        await asyncio.gather(self._cancels.warm(max(_WARM, orders)), self._reads.warm(2))

    async def close(self) -> None:
        """Drop every connection."""
        await asyncio.gather(self._cancels.close(), self._reads.close(), self._polls.close())
        self._memory.close()

    def stands(self, written: Written) -> bool:
        """Whether a request that was written down ahead may leave; stands still for 8 ms if need be."""
        if written.done is not None and not written.done.done():
            self._journal.urge()
        return written.done is None or written.done.done()

    def wire_for(self, call: CallClass, urgency: Urgency) -> Wire:
        """Cancels have connections of their own, and so have polls: neither waits for the other."""
        if call in _CANCELS:
            return self._cancels
        return self._reads if urgency is Urgency.KILL else self._polls

    async def admit(
        self, call: CallClass, urgency: Urgency, until: Callable[[], float] = forever
    ) -> Ticket | None:
        """Wait for one unit of budget; requests of class OTHER need none. Raises `TooLateError`."""
        gate = self._gates.get(call)
        if gate is None:
            return None
        ticket = await gate.admit(urgency, until)
        self._remember(call, gate)
        return ticket

    def admit_at_once(self, call: CallClass, until: Callable[[], float]) -> Ticket | None:
        """One unit of budget for a kill, where it is to be had without a wait."""
        gate = self._gates[call]
        ticket = gate.admit_at_once(until)
        if ticket is not None:
            self._remember(call, gate)
        return ticket

    def _remember(self, call: CallClass, gate: Gate) -> None:
        if gate.pace.budget is not None:
            self._memory.add(call, self._clock.wall())

    def _count_others(self) -> None:
        wall, now = self._clock.wall(), self._clock.monotonic()
        for call, moment in self._memory.others(wall):
            gate = self._gates.get(call)
            if gate is not None and gate.pace.budget is not None:
                gate.pace.remember(now - max(0.0, wall - moment))

    def settle(self, call: CallClass, ticket: Ticket | None, *, unused: bool = False) -> None:
        """The request of a ticket is over."""
        gate = self._gates.get(call)
        if gate is not None and ticket is not None:
            gate.pace.settle(ticket, self._clock.monotonic(), unused=unused)
            gate.wake()

    def announce(self, keys: Sequence[OrderKey], facts: Mapping[str, Any]) -> dict[OrderKey, Written]:
        """Write down together that these orders are going to be cancelled one by one, each under a number.

        One record for many, before the first of them leaves, so that no cancel waits for its own.
        """
        numbers = [next(self._numbers) for _ in keys]
        each = [[number, key.shown_id, key.account] for number, key in zip(numbers, keys, strict=True)]
        done = self._journal.hand(
            "requests", ahead=True, venue=self.name, call=CallClass.CANCEL.value, cancels=each, **facts
        )
        return {key: Written(number, done) for number, key in zip(numbers, keys, strict=True)}

    def forgo(self, key: OrderKey, written: Written, facts: Mapping[str, Any], why: str) -> None:
        """Write down that a request which was announced has not left and is not going to."""
        named = {"order": key.shown_id} | ({} if key.account is None else {"account": key.account})
        self._journal.note(
            "answer",
            venue=self.name,
            call=CallClass.CANCEL.value,
            no=written.number,
            sent=False,
            came="not_sent",
            why=why,
            **named,
            **facts,
        )

    async def carry(
        self,
        call: CallClass,
        urgency: Urgency,
        build: Callable[[], Message],
        tally: Tally,
        facts: Mapping[str, Any],
        begin: Callable[[CallClass], None],
        until: Callable[[], float] = forever,
        numbers: list[int] | None = None,
        written: Written | None = None,
    ) -> Raw:
        """Admit, sign, write down, send, write down; the request's number is added to `numbers`."""
        kept = urgency is Urgency.KILL or call in _CANCELS
        number = next(self._numbers) if written is None else written.number
        late: dict[str, Any] = {}
        try:
            ticket = await self.admit(call, urgency, until)
        except TooLateError:
            too_late = NotSent("the deadline passed while it waited for its budget", late=True)
            if written is not None:
                self.answered(call, number, too_late, facts, late, sent=False)
            return too_late

        def leaves() -> None:
            begin(call)
            if written is not None:
                late["left_at"] = iso(self._clock.wall())

        mark = Mark(written=leaves, wanted=lambda: self.now() < until())
        raw: Raw = NotSent("the request could not be built")
        if numbers is not None:
            numbers.append(number)
        try:
            try:
                message = build()
            except ValueError as why:
                raw = NotSent(f"the request could not be built: {why}", hopeless=True)
                return raw
            if written is not None:
                late["what"] = what_of(message)
                if not self.stands(written) and written.done is not None:
                    await asyncio.shield(written.done)
            elif kept:
                what = what_of(message)
                await self._journal.record(
                    "request",
                    ahead=True,
                    venue=self.name,
                    call=call.value,
                    no=number,
                    what=what,
                    **facts,
                )
            raw = await self.wire_for(call, urgency).exchange(message, self.timeout, mark)
            return raw
        finally:
            self.settle(call, ticket, unused=not mark.sent)
            self.learn(call, raw, tally, sent=mark.sent)
            if kept:
                self.answered(call, number, raw, facts, late, sent=mark.sent)

    def answered(
        self,
        call: CallClass,
        number: int,
        raw: Raw,
        facts: Mapping[str, Any],
        late: Mapping[str, Any],
        *,
        sent: bool,
    ) -> None:
        """Write down what came back; `late` is what a record made before its turn could not say."""
        self._journal.note(
            "answer", venue=self.name, call=call.value, no=number, sent=sent, **_came(raw), **late, **facts
        )

    async def count(
        self, call: CallClass, urgency: Urgency, tally: Tally, facts: Mapping[str, Any]
    ) -> tuple[int, Ticket | None]:
        """Admit and write down something that is no HTTP request; its number, and what to settle."""
        ticket = await self.admit(call, urgency)
        number = next(self._numbers)
        tally.requests[call] = tally.requests.get(call, 0) + 1
        if urgency is Urgency.KILL:
            await self._journal.record(
                "request", venue=self.name, call=call.value, no=number, what="snapshot of the stream", **facts
            )
        return number, ticket

    def learn(self, call: CallClass, raw: Raw, tally: Tally, *, sent: bool) -> None:
        """Count a request that is over, and take the pace from its answer."""
        if sent:
            tally.requests[call] = tally.requests.get(call, 0) + 1
        gate = self._gates.get(call)
        if gate is None or not isinstance(raw, Reply):
            return
        if raw.status in (429, 418):
            tally.throttled += 1
            gate.pace.throttled(self._clock.monotonic(), retry_after(raw))
            gate.wake()
        elif raw.status < 500:
            gate.pace.succeeded()


class LanePort(msgspec.Struct):
    """The `Port` that adapters see: one lane, one purpose."""

    lane: Lane
    urgency: Urgency
    tally: Tally
    facts: dict[str, Any]
    until: Callable[[], float] = forever
    """Tells the monotonic time past which nothing of it leaves any more."""
    begun: float | None = None
    """Monotonic time at which the first metered request was let through; None before."""
    numbers: list[int] = msgspec.field(default_factory=list)
    """The numbers under which its requests stand in the journal."""
    written: Written | None = None
    """The record of its first request, where that was made before its turn came."""
    flown: Flown | None = None
    """The cancel that has left already, with its answer, where that is to be understood only now."""
    paged: Callable[[Sequence[Order]], None] = lambda _: None
    """Called with each page of a list that is still being read."""

    def page(self, orders: Sequence[Order]) -> None:
        """Hand a page of a list on before the list is whole."""
        self.paged(orders)

    def begin(self, call: CallClass) -> None:
        """A request of this class leaves now."""
        if self.begun is None and call is not CallClass.OTHER:
            self.begun = self.lane.now()

    async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
        """Send one request as the lane's turn comes; one that has flown already only brings its answer."""
        if self.flown is not None and call is CallClass.CANCEL:
            flown, self.flown = self.flown, None
            return flown.raw
        written, self.written = self.written, None
        return await self.lane.carry(
            call,
            self.urgency,
            build,
            self.tally,
            self.facts,
            self.begin,
            self.until,
            self.numbers,
            written,
        )

    async def admit(self, call: CallClass) -> None:
        """Count one unit for something that is no HTTP request."""
        number, ticket = await self.lane.count(call, self.urgency, self.tally, self.facts)
        self.begin(call)
        self.lane.settle(call, ticket)
        self.numbers.append(number)


def what_of(message: Message) -> str:
    """Method and path, without the query: that is where signatures travel."""
    return f"{message.method.decode('ascii')} {message.target.decode('ascii').partition('?')[0]}"


def _came(raw: Raw) -> dict[str, Any]:
    if isinstance(raw, Reply):
        return {"came": "answer", "status": raw.status, "bytes": len(raw.body)}
    return {"came": "not_sent" if isinstance(raw, NotSent) else "unanswered", "why": raw.reason}
