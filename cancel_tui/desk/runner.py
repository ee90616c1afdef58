"""One venue's runner: moves bytes and time for one engine, and tells it what came of everything.

The engine decides, the runner does: it starts each action in a task of its own, feeds the outcome back, and
writes down what was learnt. A runner belongs to the desk: closing a screen never ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from math import inf
from typing import Any

from cancel_tui.clock import Clock
from cancel_tui.desk.actions import Action, ListOrders, ReadClosed, ReadOrder, SendCancel, SendNative
from cancel_tui.desk.engine import Engine
from cancel_tui.desk.gate import Tally, Urgency, forever
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.lane import Lane, LanePort, Written
from cancel_tui.desk.looking import Look
from cancel_tui.desk.trail import Trail
from cancel_tui.desk.volley import Volley
from cancel_tui.orders import Order, OrderKey
from cancel_tui.pauses import pause
from cancel_tui.venues.base import CallClass, ClosedPage, ClosedQuery, Part, PartList, Venue
from cancel_tui.venues.outcome import Answered, NotSent, Outcome, Unanswered, Unauthorised

Pass = dict[str, tuple[float, Outcome[PartList]]]
"""What one pass brought: per part when it was begun, and what came of it."""

_TICK = 0.5
"""The longest that a runner sleeps without looking again, in seconds of the desk's clock."""
_LOOK = 0.05
"""Seconds between two looks whether a list has come."""
AHEAD = 64
"""Cancels of the first rush that are written down together, before the first of them leaves."""
_LONGEST = 13.0
"""Seconds past the deadline after which nothing but a cancel in flight is waited for."""


def _cut_off(port: LanePort) -> NotSent | Unanswered:
    """What is known of a cancel whose kill is ended before its answer."""
    if port.begun is None:
        return NotSent("the kill was ended before it left")
    return Unanswered("the kill was ended before its answer")


class VenueRun:
    """One venue's runner: does what the engine says, tells it what came of it."""

    def __init__(
        self,
        kill_id: str,
        engine: Engine,
        venue: Venue,
        lane: Lane,
        clock: Clock,
        journal: Journal,
        flying: set[OrderKey],
    ) -> None:
        self.engine = engine
        self.venue = venue
        self.lane = lane
        self.tally = Tally()
        self.over = False
        """Whether this venue's part has come to its end."""
        self.changed: Callable[[], None] = lambda: None
        self.listed: Callable[[Pass], None] = lambda _: None
        """Called with what each pass brought, so that the book learns of it too."""
        self.look_back: Callable[[VenueRun], Coroutine[Any, Any, None]] | None = None
        """Looks for what a cancel-all ended without a name; None where the venue cannot tell."""
        self._kill_id = kill_id
        self._clock = clock
        self._journal = journal
        self._tasks: set[asyncio.Task[None]] = set()
        self._beside: set[asyncio.Task[None]] = set()
        self._nudge = asyncio.Event()
        self._prepared: tuple[float, list[Action]] | None = None
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = inf
        self._flying = flying
        self._written: dict[OrderKey, Written] = {}
        """Cancels that are written down and have not begun to leave."""
        self.trail = Trail(journal, clock, kill_id, engine)
        self._volley = Volley(lane, venue, clock, engine, self._written, self)
        engine.closed_planner = venue.closed_plan
        engine.elsewhere = flying.__contains__
        engine.ready = lambda call, now: lane.pace(call).earliest(now)
        engine.room = lambda call, now: lane.pace(call).left(now)

    async def run(self) -> None:
        """Drive the engine until it is done and everything that was started has come back."""
        self.over = False
        try:
            await self._drive()
        except asyncio.CancelledError:
            await self._cut_short()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self.trail.scan(whole=True)
            raise
        finally:
            self._quiet()
            self._forgo()
        self.trail.scan(whole=True)
        self.trail.describe()
        self.over = True
        self.changed()

    def prepare(self) -> None:
        """Find out what is to be done first, and write its cancels down, so that `begin` can send them."""
        self._prepared = self._next()

    def begin(self) -> None:
        """Let the first cancels leave before `run` has its first turn."""
        self._step()

    async def _drive(self) -> None:
        while not self._step():
            now = self._clock.monotonic()
            await self._wait(min(self.engine.wake_at(now) - now, _TICK))
            self.changed()

    def _next(self) -> tuple[float, list[Action]]:
        now = self._clock.monotonic()
        actions = self.engine.next(now)
        self._announce(actions, now)
        return now, actions

    def _step(self) -> bool:
        """Start what may be done now; whether all is over."""
        (now, actions), self._prepared = self._prepared or self._next(), None
        for action in actions:
            if isinstance(action, SendCancel):
                self._leaves(action.key)
                later = action is not actions[0]
                if not self._volley.cancel(action.key, later=later):
                    self.cancel_by_task(action.key, later=later)
                continue
            if isinstance(action, SendNative):
                self.trail.native_left(self.engine.reach_of(action.symbol))
            self._start(self._do(action))
        idle = not self._tasks and self._volley.idle
        return self.engine.done(now) and (idle or self._leave(now))

    def _announce(self, actions: Sequence[Action], now: float) -> None:
        """Write down the cancels that leave next, many at a time, while they leave as fast as they can."""
        new = [one.key for one in actions if isinstance(one, SendCancel) and one.key not in self._written]
        if not new and len(self._written) > AHEAD // 2:
            return
        room = self.lane.pace(CallClass.CANCEL).left(now) - len(new) - len(self._written)
        # The first ones wait for this record: it is kept short.
        count = AHEAD if self._written or not new else len(new)
        coming = self.engine.coming(count, now) if room >= AHEAD else []
        new += [key for key in coming if key not in self._written]
        # What would have to wait for its pace is written down when it leaves.
        if new and room >= 0:
            self._written |= self.lane.announce(new, {"kill": self._kill_id})

    def _leaves(self, key: OrderKey) -> None:
        self._flying.add(key)
        self.trail.left(key)

    def one_more(self) -> OrderKey | None:
        """The next cancel for a connection that is free right now."""
        now = self._clock.monotonic()
        key = self.engine.one_more(now)
        if key is not None:
            self._leaves(key)
            written = len(self._written)
            if written <= AHEAD // 2 and written < self.engine.queued:
                self._announce((), now)
        return key

    def cancel_port(self, key: OrderKey) -> LanePort:
        """The way out for the cancel of an order."""
        return self._port(cancels=True, order=key.shown_id, account=key.account)

    def cancel_by_task(self, key: OrderKey, port: LanePort | None = None, *, later: bool = False) -> None:
        """Send a cancel, or take the answer of one that has flown; `later` as for actions."""
        self._start(self._single(key, port or self.cancel_port(key), later=later))

    async def _cut_short(self) -> None:
        """The kill is ended: nothing more leaves, and what has come back is still taken."""
        for key in self._volley.end():
            self._flying.discard(key)
            self.engine.took_cancel(key, NotSent("the kill was ended before it left"), *self._now())
        await asyncio.sleep(0)

    def _forgo(self) -> None:
        """What was announced and is not going to leave is none of the cancels in flight."""
        for key, written in self._written.items():
            self.lane.forgo(key, written, {"kill": self._kill_id}, "it was over before its turn came")
        self._written.clear()

    def hear(self, order: Order) -> None:
        """A push stream says something of an order: look at once."""
        self.engine.heard(order, self._clock.monotonic())
        self._nudge.set()

    def release(self) -> None:
        """End a hold."""
        self.engine.release()
        self.trail.note("release")
        self._nudge.set()

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside what the engine asks for; until the deadline this part waits for it."""
        self._beside.add(self._start(work))

    async def once_listed(self) -> bool:
        """Wait for the first complete list; False where the deadline came before it."""
        while not self.engine.complete_passes:
            if self._clock.monotonic() > self.engine.deadline:
                return False
            await self._clock.sleep(_LOOK)
        return True

    async def know_clock(self) -> None:
        """Measure the venue's clock, where nobody has: finished orders are dated by it."""
        if self.venue.clock_offset is None:
            await self._safe(self.venue.measure_clock(self._port()))

    async def spare_page(self, *, first: bool) -> bool:
        """Wait until a page of finished orders costs nobody else anything; False where none may be read.

        Ends of orders that are named come first, and a verdict waits for the first page only.
        """
        while (now := self._clock.monotonic()) <= self.engine.deadline:
            ready = self.lane.pace(CallClass.CLOSED).earliest(now) <= now
            if self.engine.done(now):
                return first and ready
            if ready and not self.engine.reads_ends:
                return True
            await self._clock.sleep(_LOOK)
        return False

    async def finished_page(self, query: ClosedQuery) -> ClosedPage | None:
        """One page of finished orders for a look back; None where it could not be read."""
        port = self._port()
        outcome = await self._safe(self.venue.closed_page(query, port))
        self.trail.closed(outcome, port.numbers)
        return outcome.value if isinstance(outcome, Answered) else None

    def found_finished(self, orders: Iterable[Order], why: str, asked: float | None = None) -> None:
        """Orders of the scope that a look back found, and how they come to be named.

        `asked` is the wall time of the cancel-all that may have reached them.
        """
        self.engine.took_finished(orders, why, *self._now(), asked)
        self.trail.scan()
        self.changed()

    def retry(self, key: OrderKey) -> bool:
        """Cancel at once again what was refused or is in doubt; whether a cancel is going to leave."""
        if self.over or not self.engine.retry(key, self._clock.monotonic()):
            return False
        self.trail.pressed(key)
        self._nudge.set()
        return True

    def stop(self, now: float) -> None:
        """Start no new cancel from this moment on; one that waits for its turn does not leave any more."""
        self.engine.stop(now)
        self.lane.wake()
        self._nudge.set()

    def _leave(self, now: float) -> bool:
        """Whether what is in flight is not worth waiting for: reads after the proof, anything long after."""
        if self.engine.flat and self.engine.reading_only:
            return not self._beside or now > self.engine.deadline
        late = now > self.engine.deadline + _LONGEST or self.engine.hopeless(now)
        return late and not self.engine.cancelling

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._beside.discard(task)
        self._nudge.set()
        if not task.cancelled() and task.exception() is not None:
            # A fault of ours must not pass in silence, and must not end the kill of other orders.
            self.engine.error = f"internal fault: {type(task.exception()).__name__}"
            self._journal.note("fault", kill=self._kill_id, venue=self.venue.name, what=self.engine.error)

    async def _wait(self, seconds: float) -> None:
        """Until something comes back, or for so long; an alarm that is set for earlier is good enough."""
        at = self._clock.monotonic() + max(seconds, 0.001)
        if self._alarm is None or self._alarm.done() or at < self._alarm_at:
            self._quiet()
            self._alarm, self._alarm_at = asyncio.create_task(self._ring(max(seconds, 0.001))), at
        await self._nudge.wait()
        self._nudge.clear()

    async def _ring(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._nudge.set()

    def _quiet(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    def _port(self, *, cancels: bool = False, **facts: Any) -> LanePort:
        until = self._deadline if cancels else forever
        return self.lane.port(Urgency.KILL, self.tally, until=until, kill=self._kill_id, **facts)

    def _deadline(self) -> float:
        """As it stands when it is asked for: an interrupt brings it forward."""
        return self.engine.deadline

    def _now(self) -> tuple[float, float]:
        return self._clock.monotonic(), self._clock.wall()

    async def _do(self, action: SendNative | ListOrders | ReadOrder | ReadClosed) -> None:
        """Carry out what the engine wants."""
        if isinstance(action, SendNative):
            port = self._port(cancels=True, symbol=action.symbol)
            try:
                native = await self._safe(self.venue.cancel_all(action.symbol, port))
            except asyncio.CancelledError:
                self.engine.took_native(action.symbol, _cut_off(port), *self._now())
                raise
            self.engine.took_native(action.symbol, native, *self._now())
            self.trail.native(action.symbol, native, port.numbers)
            look_back, silent = self.look_back, self.engine.silent_at is not None
            if silent and look_back is not None:
                self.look_back = None
                self.beside(look_back(self))
        elif isinstance(action, ListOrders):
            await self._list()
        elif isinstance(action, ReadOrder):
            begun = self._clock.monotonic()
            port = self._port(order=action.key.shown_id, account=action.key.account)
            read = await self._safe(self.venue.read(action.key, port))
            self.engine.took_read(action.key, read, port.begun or begun, *self._now())
            self.trail.read(action.key, read, port.numbers)
        else:
            await self._closed(action)

    async def _single(self, key: OrderKey, port: LanePort, *, later: bool = False) -> None:
        """One single cancel from its leaving to what came of it, or from its answer on if that is there."""
        flown = port.flown
        try:
            if later:
                await asyncio.sleep(0)
            port.written = self._written.pop(key, None)
            outcome = await self._safe(self.venue.cancel(key, port))
            if flown is not None and isinstance(outcome, Unauthorised) and len(port.numbers) == 1:
                # The cure may have been found between its leaving and this look: signed anew it may pass.
                outcome = await self._safe(self.venue.cancel(key, port))
        except asyncio.CancelledError:
            self.engine.took_cancel(key, _cut_off(port), *self._now())
            raise
        finally:
            self._flying.discard(key)
        if port.flown is not None and isinstance(outcome, NotSent):
            # It has left, whatever stood in the way of understanding what came back.
            outcome = Unanswered(f"its answer could not be read: {outcome.reason}")
        when = self._now() if flown is None or len(port.numbers) > 1 else (flown.at, flown.wall)
        self.engine.took_cancel(key, outcome, *when)
        self.trail.cancel(key, outcome, port.numbers)

    async def _safe(self, work: Coroutine[Any, Any, Outcome[Any]]) -> Outcome[Any]:
        """An adapter that raises is an adapter with a fault; the order stays unknown, the kill goes on."""
        try:
            return await work
        except Exception as error:
            self._journal.note("fault", kill=self._kill_id, venue=self.venue.name, what=type(error).__name__)
            return Unanswered(f"internal fault ({type(error).__name__})")

    async def _list(self) -> None:
        begun = self._clock.monotonic()
        parts = await self._safe(self.venue.parts(self._port()))
        if not isinstance(parts, Answered):
            self.engine.took_list(begun, {}, parts, *self._now())
            self.trail.scan()
            return
        wanted = self.engine.took_parts(parts.value)
        numbers: dict[str, list[int]] = {}
        found = dict(await asyncio.gather(*(self._part(part, numbers) for part in wanted)))
        starts = [start for start, _ in found.values()]
        pause()
        self.listed(found)
        # Of a long list each look takes a while: a key need not wait for both.
        await asyncio.sleep(0)
        self.engine.took_list(min(starts, default=begun), found, None, *self._now())
        self.trail.listed({part_id: outcome for part_id, (_, outcome) in found.items()}, numbers)

    async def _part(
        self, part: Part, numbers: dict[str, list[int]]
    ) -> tuple[str, tuple[float, Outcome[PartList]]]:
        begun = self._clock.monotonic()
        if (due := self.engine.proof.due(part.id, begun, self.engine.last_cancel)) > begun:
            await self._clock.sleep(due - begun)
            begun = due
        port = self._port(part=part.id)
        numbers[part.id] = port.numbers
        outcome = await self._safe(self.venue.list_part(part, port))
        return part.id, (port.begun or begun, outcome)

    async def _closed(self, action: ReadClosed) -> None:
        look = Look(action)
        await self._pages(look, most=1)
        await asyncio.gather(self._pages(look), self._pages(look, beside=True))
        self.engine.took_closed(action, look.outcome, look.found, look.unread, *self._now())
        self.trail.scan()

    async def _pages(self, look: Look, *, most: float = inf, beside: bool = False) -> None:
        """Read pages of a look one behind the other, as long as there are any."""
        while most > 0:
            now = self._clock.monotonic()
            query = look.next(self.engine.singles(now), self.engine.spare_rows(now) if beside else inf)
            if query is None:
                break
            most -= 1
            port = self._port()
            outcome = await self._safe(self.venue.closed_page(query, port))
            self.trail.closed(outcome, port.numbers)
            look.took(outcome)
            if isinstance(outcome, Answered):
                self.engine.took_closed_part(outcome.value.orders, *self._now())
                self.trail.scan()
                self.changed()
