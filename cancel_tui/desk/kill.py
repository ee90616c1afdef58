"""The kill: one object that owns its scope, its progress and its proof; console and shell only watch it.

The venues share nothing, so that a dead one delays nobody. A venue whose part is over can be started again:
by a hold, or because a later list contradicts its flat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from secrets import token_hex
from typing import Any

import msgspec

from cancel_tui import __version__
from cancel_tui.clock import Clock
from cancel_tui.desk.aftermath import Contradiction
from cancel_tui.desk.engine import Engine, Verdict, worst
from cancel_tui.desk.gate import Tally
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.process import whoami
from cancel_tui.desk.runner import VenueRun
from cancel_tui.desk.track import Track
from cancel_tui.orders import OrderKey, VenueName
from cancel_tui.scope import Scope
from cancel_tui.venues.base import CallClass

TOGETHER = 0.005
"""Seconds after which the venues that are ready wait for no other before their first cancels leave."""
REOPENINGS = 3
"""How often a kill takes up a venue again whose flat was contradicted; after that it is only alarmed."""


class VenueResult(msgspec.Struct, frozen=True):
    """How one venue came out of a kill."""

    venue: VenueName
    verdict: Verdict
    requests: dict[str, int]
    throttled: int
    error: str | None
    blind_spots: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What the record of it leaves out, in words; it takes nothing from the verdict."""


@dataclass(eq=False, repr=False, match_args=False)
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
    ready: Callable[[VenueName], VenueRun | None] | None = None
    """Makes the runner of a venue that is open; None where `prepare` has to be waited for."""
    runs: dict[VenueName, VenueRun] = field(default_factory=dict)
    locked: dict[VenueName, str] = field(default_factory=dict)
    """Venues in scope that cannot be asked, and why."""
    unfound: list[OrderKey] = field(default_factory=list)
    """Named orders that could not be placed in an account; nothing was sent for them."""
    finished_wall: float | None = None
    by_id: bool = False
    about: dict[str, Any] = field(default_factory=dict)
    """What the record of the decision holds beside scope and names, ready for JSON."""
    revision: int = 0
    watchers: list[Callable[[], None]] = field(default_factory=list)
    withdrawn: dict[VenueName, set[OrderKey]] = field(default_factory=dict)
    """Orders that contradicted a flat, or a proven end, after it had been said."""
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[Any]] = asyncio.create_task
    """Starts what must outlive every screen; the desk's own."""
    serves: Callable[[VenueRun], bool] = lambda _: True
    """Whether a part that is over can be taken up again with what it has."""
    _held: bool | None = None
    """What was asked last, for venues that are opened later: to hold, to let go, or neither."""
    _stopped_at: float | None = None
    _at_work: list[asyncio.Task[None]] = field(default_factory=list)
    _reopenings: dict[VenueName, int] = field(default_factory=dict)
    _desk: tuple[Clock, Journal] | None = None

    def begin(self, clock: Clock, journal: Journal, describe_scope: dict[str, Any]) -> None:
        """Let the first cancels leave; the decision is on disk before the first request, or 50 ms pass.

        Nobody waits for it here: each request waits for its own record, and that is written behind this one.
        A cancel of named orders, for which no word was typed, does not wait for the disk itself either. What
        can leave at once leaves before this returns: between a key and its request nothing else has a turn.
        """
        self._desk = clock, journal
        journal.hand(
            "kill_begin",
            sync=not self.by_id,
            kill=self.kill_id,
            scope=describe_scope,
            reason=self.reason,
            venues=list(self.names),
            by_id=self.by_id,
            version=__version__,
            **(self.about | whoami()),
        )
        # The disk works on it while the venues are made ready; their first cancels are written together.
        journal.push()
        begun, waiting = clock.monotonic(), list[VenueRun]()
        for name in self.names:
            with self._told(journal, name):
                run = self.ready(name) if self.ready is not None else None
                if run is not None:
                    self._take(name, run)
                    run.prepare()
                    waiting.append(run)
            if clock.monotonic() - begun > TOGETHER:
                self._let_leave(journal, waiting)
        self._let_leave(journal, waiting)

    def _let_leave(self, journal: Journal, waiting: list[VenueRun]) -> None:
        for run in waiting:
            with self._told(journal, run.venue.name):
                run.begin()
        waiting.clear()

    @contextmanager
    def _told(self, journal: Journal, name: VenueName) -> Iterator[None]:
        """A fault of ours is told; the venue's own task tries again, and other venues lose nothing by it."""
        try:
            yield
        except Exception as error:
            journal.note("fault", kill=self.kill_id, venue=name, what=type(error).__name__)

    async def run(self) -> None:
        """Run every venue to its end, once it was begun."""
        if self._desk is None:
            raise RuntimeError("a kill that was not begun")
        self._at_work += [asyncio.create_task(self._venue(name)) for name in self.names]
        await self._finish(*self._desk)

    async def _finish(self, clock: Clock, journal: Journal) -> None:
        """Wait for every venue, those that are started again meanwhile too; then the verdict is written."""
        while self._at_work:
            tasks, self._at_work = self._at_work, []
            await asyncio.gather(*tasks)
        self.finished_wall = clock.wall()
        await journal.record(
            "kill_end",
            sync=True,
            kill=self.kill_id,
            verdict=self.verdict.value,
            venues={one.venue: one.verdict.value for one in self.results()},
            unmatched=self.unmatched,
            blind_spots={one.venue: list(one.blind_spots) for one in self.results() if one.blind_spots},
            errors={one.venue: one.error for one in self.results() if one.error},
            requests={one.venue: one.requests for one in self.results()},
            notes={one.venue: list(one.notes) for one in self.results() if one.notes},
            resumes=self.about.get("resumes"),
            outcomes={track.key.shown_id: track.outcome.value for track in self.tracks()},
        )
        self._changed()

    def _again(self, name: VenueName) -> None:
        """Start a venue again whose part was over; a kill that had ended runs again."""
        if self._desk is None or not self.runs[name].over:
            return
        self.runs[name].over = False
        ended = self.finished_wall is not None
        self._at_work.append(asyncio.create_task(self._venue(name)))
        if ended:
            self.finished_wall = None
            self._desk[1].note("kill_reopened", kill=self.kill_id, venue=name)
            self.spawn(self._finish(*self._desk))

    def contradict(self, name: VenueName, by: Contradiction) -> None:
        """A later list shows orders as live: what was said of them is withdrawn, and they are named.

        The venue is taken up again, for what was there before its flat, or while that was held: an order that
        somebody placed after the verdict is none of this kill's.
        """
        run = self.runs[name]
        if self._desk is None or not run.over:
            return
        clock, journal = self._desk
        found = set(by.orders)
        count = self._reopenings[name] = self._reopenings.get(name, 0) + 1
        self.withdrawn.setdefault(name, set()).update(found)
        journal.note(
            "flat_withdrawn",
            kill=self.kill_id,
            venue=name,
            orders=sorted(key.shown_id for key in found),
            reopened=count <= REOPENINGS,
        )
        now = clock.monotonic()
        before = clock.wall() - (now - run.engine.believed_at(now)) + (run.venue.clock_offset or 0.0)
        run.engine.reopen(now, before, by.parts, by.orders, last=count > REOPENINGS)
        run.trail.scan()
        if count <= REOPENINGS:
            self._again(name)
        self._changed()

    async def _venue(self, name: VenueName) -> None:
        """One venue from opening to its end: none waits for another's keys, lists or answers."""
        if name not in self.runs and self.prepare is not None:
            found = await self.prepare(name)
            if isinstance(found, str):
                self.locked[name] = found
                self._changed()
                return
            self._take(name, found)
        await self.runs[name].run()

    def _take(self, name: VenueName, run: VenueRun) -> None:
        self._pass_on(run)
        self.runs[name] = run
        run.changed = self._changed
        run.engine.crowded = partial(self._leaving_elsewhere, name)

    def _leaving_elsewhere(self, name: VenueName, now: float) -> bool:
        return any(run.engine.leaving(now) for other, run in self.runs.items() if other != name)

    def _pass_on(self, run: VenueRun) -> None:
        """A venue that was opened late is told what was asked meanwhile."""
        if self._held and self._desk is not None:
            run.engine.keep_holding(self.scope, self._desk[0].monotonic(), again=False)
        elif self._held is False:
            run.release()
        if self._stopped_at is not None:
            run.stop(self._stopped_at)

    def _changed(self) -> None:
        self.revision += 1
        for watcher in list(self.watchers):
            try:
                watcher()
            except Exception as error:
                # Whoever watches is no part of the kill: a fault there must not cost a cancel.
                if self._desk is not None:
                    self._desk[1].note("fault", kill=self.kill_id, what=type(error).__name__)

    @property
    def holding(self) -> bool:
        """Whether it goes on sweeping after flat."""
        return self.finished_wall is None and any(run.engine.holding for run in self.runs.values())

    def hold(self) -> None:
        """Go on sweeping until released, on every venue: one that has come to its end is watched again."""
        if self.by_id:
            return
        self._held = True
        if self._desk is None:
            return
        now = self._desk[0].monotonic()
        for name, run in self.runs.items():
            if run.over and not self.serves(run):
                continue
            run.engine.keep_holding(self.scope, now, again=run.over)
            run.trail.note("hold")
            self._again(name)
        self._changed()

    def release(self) -> None:
        """End the hold on every venue."""
        self._held = False
        for run in self.runs.values():
            run.release()

    def stop(self, now: float) -> None:
        """Start no new cancel from this moment on."""
        self._stopped_at = now
        for run in self.runs.values():
            run.stop(now)

    @property
    def cancelling(self) -> bool:
        """Whether a cancel is in flight anywhere."""
        return any(run.engine.cancelling for run in self.runs.values())

    def now(self) -> float:
        """Monotonic seconds of the clock that it runs on; 0 before it was started."""
        return self._desk[0].monotonic() if self._desk else 0.0

    @property
    def came_back(self) -> int:
        """How many orders contradicted what had been said of them."""
        return sum(len(keys) for keys in self.withdrawn.values())

    def tracks(self) -> list[Track]:
        """Every order that was touched or named, in the order in which they were met."""
        named = [Track(key, message="not found in any account; nothing was sent") for key in self.unfound]
        return [track for run in self.runs.values() for track in run.engine.tracks.values()] + named

    def results(self) -> list[VenueResult]:
        """One line per venue."""
        return [self.result(name) for name in self.names]

    def result(self, name: VenueName) -> VenueResult:
        """The line of one venue."""
        run = self.runs.get(name)
        if run is not None:
            found = _result(name, run)
            back = len(self.withdrawn.get(name, ()))
            if back and run.over and found.verdict is not Verdict.FLAT:
                # More than that the lists of this venue cannot be believed there is not to say.
                said = f"{back} orders came back after a flat; {found.error}"
                return msgspec.structs.replace(found, error=said)
            return found
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


INCOMPLETE = "the newest list is not complete: more may be live"
"""What a venue's line says first where nobody can know which orders it leaves out."""


UNTOLD = "its cancel-all may have ended orders that nothing named: how many is not known"
"""What a venue's line says where the report may not hold every order that ended."""


def _trouble(engine: Engine) -> str | None:
    """What a venue that is not flat has to say."""
    said = engine.error or engine.complaint or engine.doubt
    if engine.aim.by_id or engine.whole:
        return said
    return f"{INCOMPLETE}; {said}" if said else INCOMPLETE


def _result(name: VenueName, run: VenueRun) -> VenueResult:
    engine = run.engine
    verdict = engine.verdict
    return VenueResult(
        name,
        verdict,
        _counts(run.tally),
        run.tally.throttled,
        None if verdict is Verdict.FLAT else _trouble(engine),
        tuple(sorted({*engine.capabilities.blind_spots, *engine.blind_spots})),
        (UNTOLD,) if engine.untold else (),
    )
