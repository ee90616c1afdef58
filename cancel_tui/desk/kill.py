"""The kill: one object that owns its scope, its progress and its proof; console and shell only watch it.

Per venue a runner moves bytes and time for one `Engine`; the venues share nothing, so that a dead one delays
nobody. A runner belongs to the desk: closing a screen never ends it.
"""

from __future__ import annotations

import asyncio
import getpass
import socket
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from math import inf
from secrets import token_hex
from typing import Any

from cancel_tui.clock import Clock
from cancel_tui.desk.engine import (
    Action,
    Engine,
    ListOrders,
    ReadClosed,
    ReadOrder,
    SendCancel,
    SendNative,
    Verdict,
    worst,
)
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.lane import Lane, LanePort, Tally, Urgency
from cancel_tui.desk.track import Track
from cancel_tui.orders import Order, OrderKey, VenueName
from cancel_tui.scope import Scope
from cancel_tui.venues.base import CallClass, ClosedPage, ClosedQuery, Part, PartList, Venue
from cancel_tui.venues.outcome import Answered, NotSent, Outcome, Unanswered

_TICK = 0.5
"""The longest that a runner sleeps without looking again, in seconds of the desk's clock."""
_MAX_CLOSED_PAGES = 60
_LONGEST = 13.0
"""Seconds past the deadline after which nothing but a cancel in flight is waited for."""


class VenueRun:
    """One venue's runner: does what the engine says, tells it what came of it."""

    def __init__(
        self, kill_id: str, engine: Engine, venue: Venue, lane: Lane, clock: Clock, journal: Journal
    ) -> None:
        self.engine = engine
        self.venue = venue
        self.lane = lane
        self.tally = Tally()
        self.over = False
        """Whether this venue's part has come to its end."""
        self.changed: Callable[[], None] = lambda: None
        self.listed: Callable[[dict[str, Outcome[PartList]]], None] = lambda _: None
        """Called with what each pass brought, so that the book learns of it too."""
        self._kill_id = kill_id
        self._clock = clock
        self._journal = journal
        self._tasks: set[asyncio.Task[None]] = set()
        self._nudge = asyncio.Event()
        engine.closed_planner = venue.closed_plan

    async def run(self) -> None:
        """Drive the engine until it is done and everything that was started has come back."""
        while True:
            now = self._clock.monotonic()
            for action in self.engine.next(now):
                self._start(self._do(action))
            if self.engine.done(now) and (not self._tasks or self._leave(now)):
                break
            await self._wait(min(self.engine.wake_at(now) - now, _TICK))
            self.changed()
        self.over = True
        self.changed()

    def release(self) -> None:
        """End a hold."""
        self.engine.release()
        self._nudge.set()

    def _leave(self, now: float) -> bool:
        """Whether what is in flight is not worth waiting for: reads after the proof, anything long after."""
        if self.engine.flat and self.engine.reading_only:
            return True
        return now > self.engine.deadline + _LONGEST and not self.engine.cancelling

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._nudge.set()
        if not task.cancelled() and task.exception() is not None:
            # A fault of ours must not pass in silence, and must not end the kill of other orders.
            self.engine.error = f"internal fault: {type(task.exception()).__name__}"
            self._journal.note("fault", kill=self._kill_id, venue=self.venue.name, what=self.engine.error)

    async def _wait(self, seconds: float) -> None:
        alarm = asyncio.create_task(self._clock.sleep(max(seconds, 0.001)))
        nudge = asyncio.create_task(self._nudge.wait())
        try:
            await asyncio.wait({alarm, nudge}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            nudge.cancel()
            self._nudge.clear()

    def _port(self, *, until: float = inf, **facts: Any) -> LanePort:
        return self.lane.port(Urgency.KILL, self.tally, until=until, kill=self._kill_id, **facts)

    def _now(self) -> tuple[float, float]:
        return self._clock.monotonic(), self._clock.wall()

    async def _do(self, action: Action) -> None:
        if isinstance(action, SendNative):
            port = self._port(until=self.engine.deadline, symbol=action.symbol)
            native = await self._safe(self.venue.cancel_all(action.symbol, port))
            self.engine.took_native(action.symbol, native, *self._now())
        elif isinstance(action, SendCancel):
            port = self._port(
                until=self.engine.deadline, order=action.key.shown_id, account=action.key.account
            )
            single = await self._safe(self.venue.cancel(action.key, port))
            self.engine.took_cancel(action.key, single, *self._now())
            self._tell(action.key)
        elif isinstance(action, ListOrders):
            await self._list()
        elif isinstance(action, ReadOrder):
            begun = self._clock.monotonic()
            port = self._port(order=action.key.shown_id)
            read = await self._safe(self.venue.read(action.key, port))
            self.engine.took_read(action.key, read, port.begun or begun, *self._now())
            self._tell(action.key)
        else:
            await self._closed(action)

    def _tell(self, key: OrderKey) -> None:
        track = self.engine.tracks[key]
        self._journal.note(
            "order",
            kill=self._kill_id,
            venue=key.venue,
            order=key.shown_id,
            stage=track.stage.value,
            outcome=track.outcome.value,
            filled=track.filled,
            why=track.message,
        )

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
            return
        wanted = self.engine.took_parts(parts.value)
        found = dict(await asyncio.gather(*(self._part(part) for part in wanted)))
        starts = [start for start, _ in found.values()]
        self.listed({part_id: outcome for part_id, (_, outcome) in found.items()})
        self.engine.took_list(min(starts, default=begun), found, None, *self._now())

    async def _part(self, part: Part) -> tuple[str, tuple[float, Outcome[PartList]]]:
        begun = self._clock.monotonic()
        port = self._port(part=part.id)
        outcome = await self._safe(self.venue.list_part(part, port))
        return part.id, (port.begun or begun, outcome)

    async def _closed(self, action: ReadClosed) -> None:
        wanted = set(action.plan.covers)
        found: list[Order] = []
        outcome: Outcome[ClosedPage] = NotSent("nothing to look for")
        pages = 0
        queue: list[ClosedQuery] = list(action.plan.queries)
        reads = self.engine.capabilities.read_order
        while queue and wanted and pages < _MAX_CLOSED_PAGES:
            if reads and pages and len(wanted) < len(queue):
                # Fewer orders than pages are left: reading them one by one costs less.
                break
            query = queue.pop(0)
            pages += 1
            outcome = await self._safe(self.venue.closed_page(query, self._port()))
            if not isinstance(outcome, Answered):
                break
            found += outcome.value.orders
            wanted -= {order.key for order in outcome.value.orders if order.status.terminal}
            if outcome.value.next is not None:
                queue.insert(0, outcome.value.next)
            self.engine.took_closed_part(outcome.value.orders, *self._now())
            self.changed()
        self.engine.took_closed(action, outcome, found, *self._now())


def whoami() -> dict[str, str]:
    """Who acts, and on which machine, as far as the system tells."""
    try:
        operator = getpass.getuser()
    except (KeyError, OSError, ImportError):
        operator = "unknown"
    return {"operator": operator, "host": socket.gethostname()}


@dataclass(frozen=True, slots=True)
class VenueResult:
    """How one venue came out of a kill."""

    venue: VenueName
    verdict: Verdict
    requests: dict[str, int]
    throttled: int
    error: str | None
    blind_spots: tuple[str, ...]


@dataclass
class Kill:
    """One kill, or one cancel of named orders."""

    scope: Scope
    started_wall: float
    reason: str | None = None
    kill_id: str = field(default_factory=lambda: token_hex(8))
    names: tuple[VenueName, ...] = ()
    """The venues in scope."""
    prepare: Callable[[VenueName], Awaitable[VenueRun | str]] | None = None
    """Opens one venue and makes its runner; a text says why it cannot be asked."""
    runs: dict[VenueName, VenueRun] = field(default_factory=dict)
    locked: dict[VenueName, str] = field(default_factory=dict)
    """Venues in scope that cannot be asked, and why."""
    unfound: list[OrderKey] = field(default_factory=list)
    """Named orders that could not be placed in an account; nothing was sent for them."""
    finished_wall: float | None = None
    by_id: bool = False
    revision: int = 0
    watchers: list[Callable[[], None]] = field(default_factory=list)

    async def run(self, clock: Clock, journal: Journal, describe_scope: dict[str, Any]) -> None:
        """Run every venue to its end; the decision is on disk before the first request, or 50 ms pass."""
        await journal.record(
            "kill_begin",
            sync=True,
            kill=self.kill_id,
            scope=describe_scope,
            reason=self.reason,
            venues=list(self.names),
            **whoami(),
        )
        await asyncio.gather(*(self._venue(name) for name in self.names))
        self.finished_wall = clock.wall()
        await journal.record(
            "kill_end",
            sync=True,
            kill=self.kill_id,
            verdict=self.verdict.value,
            venues={one.venue: one.verdict.value for one in self.results()},
            unmatched=self.unmatched,
            outcomes={track.key.shown_id: track.outcome.value for track in self.tracks()},
        )
        self._changed()

    async def _venue(self, name: VenueName) -> None:
        """One venue from opening to its end: none waits for another's keys, lists or answers."""
        if name not in self.runs and self.prepare is not None:
            found = await self.prepare(name)
            if isinstance(found, str):
                self.locked[name] = found
                self._changed()
                return
            self.runs[name] = found
        self.runs[name].changed = self._changed
        await self.runs[name].run()

    def _changed(self) -> None:
        self.revision += 1
        for watcher in list(self.watchers):
            watcher()

    @property
    def holding(self) -> bool:
        """Whether it goes on sweeping after flat."""
        return self.finished_wall is None and any(run.engine.hold > 0 for run in self.runs.values())

    def hold(self) -> None:
        """Go on sweeping after flat until released; without effect once the kill is over."""
        for run in self.runs.values():
            run.engine.hold = float("inf")

    def release(self) -> None:
        """End the hold on every venue."""
        for run in self.runs.values():
            run.release()

    def stop(self, now: float) -> None:
        """Start no new cancel from this moment on."""
        for run in self.runs.values():
            run.engine.deadline = min(run.engine.deadline, now)

    @property
    def cancelling(self) -> bool:
        """Whether a cancel is in flight anywhere."""
        return any(run.engine.cancelling for run in self.runs.values())

    def tracks(self) -> list[Track]:
        """Every order that was touched or named, in the order in which they were met."""
        named = [Track(key, message="not found in any account; nothing was sent") for key in self.unfound]
        return [track for run in self.runs.values() for track in run.engine.tracks.values()] + named

    def results(self) -> list[VenueResult]:
        """One line per venue."""
        return [self._one(name) for name in self.names]

    def _one(self, name: VenueName) -> VenueResult:
        run = self.runs.get(name)
        if run is not None:
            return _result(name, run)
        why = self.locked.get(name, "not asked yet")
        return VenueResult(name, Verdict.UNVERIFIED, _counts(Tally()), 0, why, ())

    @property
    def unmatched(self) -> list[str]:
        """Scope values that occurred in no list: most likely a slip of the pen."""
        if self.scope.keys is not None:
            return []
        engines = [run.engine for run in self.runs.values()]
        missing: list[str] = []
        for field_name, seen in (
            ("account", {one for engine in engines for one in engine.seen_accounts}),
            ("symbol", {one for engine in engines for one in engine.seen_symbols}),
            ("exchange", {one for engine in engines for one in engine.seen_exchanges}),
        ):
            missing += [value for value in self.scope.raw.get(field_name, []) if value.casefold() not in seen]
        return missing

    @property
    def verdict(self) -> Verdict:
        """The worst of the venues; a value that matched nothing cannot be read as flat."""
        found = worst(one.verdict for one in self.results())
        doubtful = bool(self.unmatched or self.unfound)
        return Verdict.UNVERIFIED if found is Verdict.FLAT and doubtful else found


def _counts(tally: Tally) -> dict[str, int]:
    return {call.value: tally.count(call) for call in CallClass if call is not CallClass.OTHER}


def _result(name: VenueName, run: VenueRun) -> VenueResult:
    engine = run.engine
    verdict = engine.verdict
    return VenueResult(
        name,
        verdict,
        _counts(run.tally),
        run.tally.throttled,
        None if verdict is Verdict.FLAT else engine.error,
        tuple(sorted({*engine.capabilities.blind_spots, *engine.blind_spots})),
    )
