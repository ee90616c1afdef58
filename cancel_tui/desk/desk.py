"""The desk: owns the venues, their lanes, the book, every task, every kill. It outlives every screen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import Any

from cancel_tui.clock import Clock
from cancel_tui.desk.aftermath import contradiction
from cancel_tui.desk.book import VenueBook
from cancel_tui.desk.decision import Place, decision
from cancel_tui.desk.engine import Aim, Engine
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.lane import Lane, Tally, Urgency
from cancel_tui.desk.preview import VenuePreview
from cancel_tui.desk.runner import Pass, VenueRun
from cancel_tui.desk.sends import SendMemory, key_name
from cancel_tui.orders import Order, OrderKey, VenueName
from cancel_tui.redaction import Secret
from cancel_tui.scope import Scope
from cancel_tui.settings import Settings, VenueSettings
from cancel_tui.venues.base import CallClass, Part, PartList, Venue
from cancel_tui.venues.outcome import Answered, Failure, Outcome, Unanswered, Unauthorised, describe
from cancel_tui.venues.registry import make_venue

Credentials = Callable[[VenueSettings], Awaitable[Mapping[str, Secret]]]
"""Where credentials come from; raises `LockedError` with a sentence when there are none to be had."""

FRESH = 10.0
"""Seconds of age up to which a list is good enough to cancel by while a newer one is on its way."""
SCAN_EVERY, SCAN_AGAIN = 600.0, 60.0
"""Seconds between two scans of old windows; after one that failed."""
STALE_AFTER = 5.0
"""Seconds past a venue's own rhythm after which its list counts as stale."""


class LockedError(Exception):
    """No usable credentials for a venue; the text says why and what to do."""


class VenueState(StrEnum):
    """The contract's words."""

    LIVE = "live"
    STALE = "stale"
    DOWN = "down"
    LOCKED = "locked"
    REFUSED = "refused"


@dataclass(slots=True)
class Slot:
    """One configured venue and all that the desk knows of it."""

    settings: VenueSettings
    venue: Venue | None = None
    lane: Lane | None = None
    state: VenueState = VenueState.DOWN
    error: str | None = "not asked yet"
    book: VenueBook = field(init=False)
    blind_spots: set[str] = field(default_factory=set)
    past_spots: set[str] = field(default_factory=set)
    """Those that old windows brought."""
    scan_at: float = -inf
    """Monotonic time from which old windows are read again; infinity while they are."""
    parts: tuple[Part, ...] = ()
    accounts: set[str] = field(default_factory=set)
    """Accounts that the venue named, in its own spelling."""
    listed_at: float | None = None
    """Monotonic time at which the newest orders were last read to the end."""
    full_at: float | None = None
    """Monotonic time at which every part was last read."""
    complete: bool = False
    flying: set[OrderKey] = field(default_factory=set)
    """Orders whose single cancel is in flight, whoever sent it: never two for one order."""

    def __post_init__(self) -> None:
        self.book = VenueBook(VenueName(self.settings.name))

    @property
    def name(self) -> VenueName:
        """The table's name."""
        return VenueName(self.settings.name)

    @property
    def all_blind_spots(self) -> tuple[str, ...]:
        """The venue's fixed blind spots and those that turned up."""
        fixed = set(self.venue.capabilities.blind_spots) if self.venue else set()
        return tuple(sorted(fixed | self.blind_spots))

    def state_at(self, now: float) -> VenueState:
        """The state, where a live list may meanwhile have gone stale."""
        if self.state is VenueState.LIVE and self.venue is not None and self.listed_at is not None:
            rhythm = self.venue.capabilities.poll_seconds
            if now - self.listed_at > rhythm + STALE_AFTER:
                return VenueState.STALE
        return self.state


def state_of(failure: Failure) -> VenueState:
    """What a failed list says of the venue."""
    return VenueState.REFUSED if isinstance(failure, Unauthorised) else VenueState.DOWN


def scan_gap(slot: Slot) -> float:
    """Seconds between two old windows: what polls leave of that half of the budget which is not a kill's."""
    if slot.venue is None:
        return 1.0
    budget = slot.venue.capabilities.budgets.get(CallClass.LIST)
    if budget is None:
        return 0.0
    spare = budget.count // 2 - budget.seconds / slot.venue.capabilities.poll_seconds
    return budget.seconds / max(spare, 1.0)


class Desk:
    """Everything between the venues and whoever watches."""

    def __init__(
        self, settings: Settings, clock: Clock, data_dir: Path | None, credentials: Credentials
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.journal = Journal(data_dir / "journal" if data_dir else None, clock)
        self.slots: dict[VenueName, Slot] = {
            VenueName(one.name): Slot(one) for one in settings.venues if one.enabled
        }
        self.kills: list[Kill] = []
        self.revision = 0
        self.watchers: list[Callable[[], None]] = []
        self._data_dir = data_dir
        self._credentials = credentials
        self._tasks: set[asyncio.Task[Any]] = set()
        self._polls: dict[VenueName, asyncio.Task[None]] = {}

    # ------------------------------------------------------------------ life

    async def open(self, names: Iterable[str] | None = None) -> None:
        """Fetch credentials and build adapters, all venues at once; a failure locks that venue only."""
        wanted = [self.slots[VenueName(name)] for name in names] if names is not None else self.slots.values()
        await asyncio.gather(*(self._open(slot) for slot in wanted))

    async def _open(self, slot: Slot) -> None:
        if slot.venue is not None:
            return
        try:
            credentials = await self._credentials(slot.settings)
            slot.venue = make_venue(slot.settings, credentials, self.clock)
        except (LockedError, ValueError) as why:
            slot.state, slot.error = VenueState.LOCKED, str(why)
            self.journal.note("venue_locked", venue=slot.name, why=str(why))
            self.changed()
            return
        folder = self._data_dir / "sends" if self._data_dir else None
        shared = slot.settings.credentials
        memory = SendMemory(folder, key_name(slot.settings.kind, slot.settings.base_url, shared))
        slot.lane = Lane(
            slot.name, slot.settings.base_url, slot.venue.capabilities, self.clock, self.journal, memory
        )
        self.changed()

    async def close(self) -> None:
        """Stop polling, drop every connection, close the journal. Kills in flight are not waited for."""
        for task in [*self._polls.values(), *self._tasks]:
            task.cancel()
        await asyncio.gather(*self._polls.values(), *self._tasks, return_exceptions=True)
        for slot in self.slots.values():
            if slot.venue is not None:
                await slot.venue.close()
            if slot.lane is not None:
                await slot.lane.close()
        await asyncio.get_running_loop().run_in_executor(None, self.journal.close)

    def changed(self) -> None:
        """Tell the watchers that something is different."""
        self.revision += 1
        for watcher in list(self.watchers):
            try:
                watcher()
            except Exception as error:
                # A screen that fails must not take down what it watches.
                self.journal.note("fault", what=type(error).__name__)

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        """Run something that belongs to the desk, not to a screen."""
        task: asyncio.Task[Any] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ------------------------------------------------------------------ lists

    async def list_venue(self, slot: Slot, urgency: Urgency, *, deep: bool) -> None:
        """Read a venue's open orders into the book: the live parts, with `deep` the past ones too."""
        if slot.venue is None or slot.lane is None:
            return
        venue, tally = slot.venue, Tally()
        now = self.clock.monotonic()
        parts = await self._guard(venue.parts(slot.lane.port(urgency, tally)))
        if not isinstance(parts, Answered):
            self._failed(slot, parts)
            return
        slot.parts = parts.value.parts
        slot.accounts |= set(parts.value.accounts)
        spots = set(parts.value.blind_spots)
        slot.book.retire({part.id for part in slot.parts})
        recent = [part for part in slot.parts if not part.past]
        past = [part for part in slot.parts if part.past]
        outcomes = await asyncio.gather(*(self._list_part(slot, part, urgency, tally) for part in recent))
        self._listed(slot, outcomes, spots, now, whole=not past)
        if deep and past and any(isinstance(one, Answered) for one in outcomes):
            # Older windows come second: what is new is shown, and counts as listed, while they are read.
            outcomes += await asyncio.gather(*(self._list_part(slot, part, urgency, tally) for part in past))
            self._listed(slot, outcomes, spots, now, whole=True)

    async def _scan(self, slot: Slot) -> None:
        """Read the old windows in the background; polls of the newest one overtake it."""
        past = [part for part in slot.parts if part.past]
        begun = self.clock.monotonic()
        outcomes: list[Outcome[PartList]] = []
        for part in past:
            outcomes.append(await self._list_part(slot, part, Urgency.SCAN, Tally()))
            await self.clock.sleep(scan_gap(slot))
        good = [one.value for one in outcomes if isinstance(one, Answered)]
        slot.past_spots = {code for one in good for code in one.blind_spots}
        if len(good) == len(past) and all(one.complete for one in good):
            slot.full_at = begun
            slot.complete = slot.complete or slot.error is None
        slot.scan_at = self.clock.monotonic() + (SCAN_EVERY if slot.full_at == begun else SCAN_AGAIN)
        self.changed()

    async def _list_part(self, slot: Slot, part: Part, urgency: Urgency, tally: Tally) -> Outcome[PartList]:
        if slot.venue is None or slot.lane is None:
            return Unanswered("the venue is locked")
        begun = self.clock.monotonic()
        port = slot.lane.port(urgency, tally, part=part.id)
        outcome = await self._guard(slot.venue.list_part(part, port))
        if isinstance(outcome, Answered):
            slot.book.absorb(part.id, port.begun or begun, outcome.value, self.clock.monotonic())
            self._review(slot)
            self.changed()
        return outcome

    def _review(self, slot: Slot) -> None:
        """Hold a new list against every verdict: a flat that it contradicts is withdrawn, and reopened."""
        venue_wall = self.clock.wall() + ((slot.venue and slot.venue.clock_offset) or 0.0)
        for kill in self.kills:
            run = kill.runs.get(slot.name)
            if run is None or not run.over:
                continue
            found = contradiction(run.engine, slot.book, venue_wall - self.clock.monotonic())
            if found is not None:
                kill.contradict(slot.name, found.keys, found.parts)

    async def _guard(self, work: Awaitable[Outcome[Any]]) -> Outcome[Any]:
        """A fault in an adapter is that venue's trouble, nobody else's."""
        try:
            return await work
        except Exception as error:
            self.journal.note("fault", what=type(error).__name__)
            return Unanswered(f"internal fault ({type(error).__name__})")

    def _failed(self, slot: Slot, failure: Failure) -> None:
        slot.state, slot.error, slot.complete = state_of(failure), describe(failure), False
        self.changed()

    def _listed(
        self, slot: Slot, outcomes: list[Outcome[PartList]], spots: set[str], begun: float, *, whole: bool
    ) -> None:
        good = [one.value for one in outcomes if isinstance(one, Answered)]
        failures = [one for one in outcomes if not isinstance(one, Answered)]
        slot.blind_spots = spots | slot.past_spots | {code for one in good for code in one.blind_spots}
        note = next((one.note for one in good if not one.complete), None)
        if failures and not good:
            self._failed(slot, failures[0])
            return
        slot.state = VenueState.LIVE
        slot.error = (
            describe(failures[0]) if failures else (f"the list is incomplete: {note}" if note else None)
        )
        fine = not failures and note is None and all(one.complete for one in good)
        slot.complete = fine and (whole or slot.full_at is not None)
        if not failures:
            slot.listed_at = begun
            if whole:
                slot.full_at = begun
        self.changed()

    # ------------------------------------------------------------------ polling

    def watch(self) -> None:
        """Start polling every venue within its budget, each in a task of its own."""
        for slot in self.slots.values():
            if slot.name not in self._polls:
                self._polls[slot.name] = asyncio.create_task(self._poll(slot))

    async def _poll(self, slot: Slot) -> None:
        offset_at = -inf
        while True:
            now = self.clock.monotonic()
            if slot.venue is not None and not self.killing(slot.name):
                await self.list_venue(slot, Urgency.POLL, deep=False)
                if now >= slot.scan_at and slot.listed_at is not None and any(one.past for one in slot.parts):
                    slot.scan_at = inf
                    self.spawn(self._scan(slot))
                if now - offset_at > 300.0 and slot.lane is not None:
                    offset_at = now
                    await self._guard(slot.venue.measure_clock(slot.lane.port(Urgency.POLL)))
            if slot.book.forget_unseen(self.clock.monotonic()):
                self.changed()
            rhythm = slot.venue.capabilities.poll_seconds if slot.venue else 2.0
            await self.clock.sleep(max(rhythm, self.settings.console.refresh_seconds))

    # ------------------------------------------------------------------ kills

    def killing(self, name: VenueName) -> bool:
        """Whether a kill with lists of its own runs on a venue."""
        running = [kill for kill in self.kills if kill.finished_wall is None and not kill.by_id]
        return any(
            name in kill.names and not (name in kill.runs and kill.runs[name].over) for kill in running
        )

    def plan_kill(
        self,
        scope: Scope,
        *,
        deadline: float = 120.0,
        hold: float = 0.0,
        reason: str | None = None,
        by_id: bool = False,
        known: Iterable[Order] = (),
        previews: Iterable[VenuePreview] = (),
    ) -> Kill:
        """Make a kill; nothing is sent until it is started. Times are seconds from now.

        `known` are descriptions of orders that lists made before have brought; `previews` is what was shown
        to whoever decided, for the record.
        """
        orders = list(known)
        begun = self.clock.monotonic()
        names = tuple(name for name in self.slots if scope.venue_in(name))
        kill = Kill(scope, self.clock.wall(), reason, names=names, by_id=by_id)
        places = {name: Place.of(self.slots[name].settings) for name in names}
        kill.about = decision(scope, places, deadline=deadline, hold=hold, previews=previews)

        async def prepare(name: VenueName) -> VenueRun | str:
            slot = self.slots[name]
            if slot.venue is None and slot.state is not VenueState.LOCKED:
                await self.open([name])
            if slot.venue is None or slot.lane is None:
                return slot.error or "locked"
            settle, rhythm = slot.settings.settle_seconds, max(2.0, slot.venue.capabilities.poll_seconds)
            aim = Aim(scope, settle, begun + deadline, hold, by_id, rhythm)
            engine = Engine(name, slot.venue.capabilities, aim, self.clock.monotonic())
            self._hand_over(slot, engine)
            if not by_id and scope.grows:
                engine.start_from(self._known_live(slot))
            engine.adopt(order for order in orders if order.venue == name)
            run = VenueRun(kill.kill_id, engine, slot.venue, slot.lane, self.clock, self.journal, slot.flying)
            run.listed = self._feed(slot)
            return run

        kill.prepare = prepare
        return kill

    def _hand_over(self, slot: Slot, engine: Engine) -> None:
        """What the book already knows: exact spellings, and past windows that were read and empty."""
        engine.learn_spelling(order.symbol.raw for order in slot.book.orders() if order.symbol)
        engine.proof.remember(slot.book.empty_past({part.id for part in slot.parts if part.past}))

    def _known_live(self, slot: Slot) -> Iterator[tuple[Order, float]]:
        """Orders of a list that is fresh enough to cancel by, with the time at which it was begun.

        What another kill has brought to an end since is not among them.
        """
        now = self.clock.monotonic()
        runs = [kill.runs[slot.name] for kill in self.kills if slot.name in kill.runs]
        ended = {
            key: one.since for run in runs for key, one in run.engine.tracks.items() if one.stage.settled
        }
        for reading in slot.book.parts.values():
            if now - reading.begun <= FRESH:
                for key, order in reading.orders.items():
                    if ended.get(key, -inf) < reading.begun:
                        yield order, reading.begun

    def _feed(self, slot: Slot) -> Callable[[Pass], None]:
        def take(found: Pass) -> None:
            now = self.clock.monotonic()
            for part_id, (begun, outcome) in found.items():
                if isinstance(outcome, Answered):
                    slot.book.absorb(part_id, begun, outcome.value, now)
            self._review(slot)
            bad = [one for _, one in found.values() if not isinstance(one, Answered)]
            if bad and len(bad) == len(found):
                self._failed(slot, bad[0])
            elif not bad and found:
                slot.state, slot.error, slot.listed_at = VenueState.LIVE, None, now
                slot.complete = slot.book.complete
            self.changed()

        return take

    def start(self, kill: Kill, described: dict[str, Any]) -> asyncio.Task[Any]:
        """Let a kill run; its requests belong to the desk."""
        self.kills.append(kill)
        kill.watchers.append(self.changed)
        kill.spawn = self.spawn
        return self.spawn(kill.run(self.clock, self.journal, described))

    def busy(self, key: OrderKey) -> bool:
        """Whether a cancel of this order is under way already."""
        for kill in self.kills:
            if kill.finished_wall is not None:
                continue
            run = kill.runs.get(key.venue)
            if run is None:
                # Its venue is being opened, or the decision is on its way to the disk.
                if key in (kill.scope.keys or ()) and key.venue not in kill.locked:
                    return True
                continue
            track = run.engine.tracks.get(key)
            if track is not None and not track.stage.settled:
                return True
        return False
