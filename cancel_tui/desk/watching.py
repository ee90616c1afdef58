"""The venues as the desk watches them: opened, listed, polled, each in a task of its own."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

from cancel_tui.clock import Clock, to_beat
from cancel_tui.desk.book import VenueBook
from cancel_tui.desk.feeds import FeedState, Keeper
from cancel_tui.desk.gate import Tally, Urgency
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.rhythm import Scene, reserve, rhythm, scan_gap, scarce
from cancel_tui.desk.sends import SendMemory, key_name
from cancel_tui.desk.slot import NOT_ASKED, READING, UNOPENED, LockedError, Slot, VenueState, state_of
from cancel_tui.orders import Order, VenueName
from cancel_tui.pauses import pause
from cancel_tui.redaction import Secret
from cancel_tui.settings import Settings, VenueSettings
from cancel_tui.venues.base import CallClass, Part, PartList, Venue
from cancel_tui.venues.feed import Listens
from cancel_tui.venues.outcome import Answered, Failure, Outcome, Unanswered, describe
from cancel_tui.venues.registry import make_venue

Credentials = Callable[[VenueSettings], Awaitable[Mapping[str, Secret]]]
"""Where credentials come from; raises `LockedError` with a sentence when there are none to be had."""
NOTICE = 1.0
"""Seconds within which a change of what the rhythm depends on is noticed."""
SCAN_EVERY, SCAN_AGAIN = 600.0, 60.0
"""Seconds between two scans of old windows; after one that failed."""


class Watching(ABC):
    """Knows the venues, their lanes and books, and owns every task."""

    def __init__(
        self, settings: Settings, clock: Clock, data_dir: Path | None, credentials: Credentials
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.journal = Journal(data_dir / "journal" if data_dir else None, clock)
        self.slots: dict[VenueName, Slot] = {
            VenueName(one.name): Slot(one, VenueBook(VenueName(one.name)))
            for one in settings.venues
            if one.enabled
        }
        self.occasion = ""
        """What it is run for beside its work, such as a drill by its name; shown on every screen."""
        self.revision = 0
        self.watchers: list[Callable[[], None]] = []
        self._data_dir = data_dir
        self._credentials = credentials
        self._tasks: set[asyncio.Task[Any]] = set()
        self._polls: dict[VenueName, asyncio.Task[None]] = {}
        self._feeds: dict[VenueName, asyncio.Task[None]] = {}
        self._watched = False

    @property
    def data_dir(self) -> Path | None:
        """The folder of journal and logs; None where nothing is to be written."""
        return self._data_dir

    @abstractmethod
    def killing(self, name: VenueName) -> bool:
        """Whether a kill with lists of its own runs on a venue."""

    @abstractmethod
    def occupied(self, name: VenueName) -> bool:
        """Whether a kill, or a cancel of named orders, is not over at a venue."""

    @abstractmethod
    def heard(self, slot: Slot, order: Order) -> bool:
        """Take what a push stream says of one order; whether it is news."""

    @abstractmethod
    def review(self, slot: Slot) -> None:
        """Hold a new list against what has been said."""

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
            if slot.opened:
                # Somebody else was faster; one venue has one adapter and one lane.
                return
            venue = make_venue(slot.settings, credentials, self.clock)
        except (LockedError, ValueError) as why:
            slot.state, slot.error = VenueState.LOCKED, str(why)
            self.journal.note("venue_locked", venue=slot.name, why=str(why))
            self.changed()
            return
        self._equip(slot, venue)

    def _equip(self, slot: Slot, venue: Venue) -> None:
        """Give a slot its adapter, and a lane where it has none: a lane outlives every adapter."""
        slot.venue = venue
        if slot.lane is None:
            from cancel_tui.desk.lane import Lane

            folder = self._data_dir / "sends" if self._data_dir else None
            shared = slot.settings.credentials
            memory = SendMemory(folder, key_name(slot.settings.kind, slot.settings.base_url, shared))
            slot.lane = Lane(
                slot.name, slot.settings.base_url, venue.capabilities, self.clock, self.journal, memory
            )
        self.changed()

    async def close(self) -> None:
        """Stop polling, drop every connection, close the journal. Kills in flight are not waited for."""
        tasks = [*self._polls.values(), *self._feeds.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
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
        slot.look_cost = max(1, tally.count(CallClass.LIST))
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
            if slot.name not in self.slots:
                return
            outcomes.append(await self._list_part(slot, part, Urgency.SCAN, Tally()))
            budget = slot.venue.capabilities.budgets.get(CallClass.LIST) if slot.venue else None
            await self.clock.sleep(scan_gap(budget, slot.look_cost, slot.beat))
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
        port.paged = lambda orders: self._page(slot, part, port.begun or begun, orders)
        outcome = await self._guard(slot.venue.list_part(part, port))
        if isinstance(outcome, Answered):
            pause()
            slot.book.absorb(part.id, port.begun or begun, outcome.value, self.clock.monotonic())
            pause()
            self.review(slot)
            self.changed()
            pause()
        return outcome

    def _page(self, slot: Slot, part: Part, begun: float, orders: Sequence[Order]) -> None:
        """Show what the first list of a part has brought so far.

        Only that: beside what a page has not reached yet, older rows would look as new as the page.
        """
        old = slot.book.parts.get(part.id)
        if old is not None and (old.begun != begun or old.complete):
            return
        found = PartList(tuple(orders), complete=False)
        slot.book.absorb(part.id, begun, found, self.clock.monotonic())
        if slot.error == NOT_ASKED:
            slot.error = READING
        self.changed()

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
        self._watched = True
        self._poll_again()

    def _poll_again(self) -> None:
        """Poll every venue that is not polled yet, once polling has begun."""
        for slot in self.slots.values():
            if self._watched and slot.name not in self._polls:
                self._polls[slot.name] = asyncio.create_task(self._poll(slot))

    def listen(self, slot: Slot) -> None:
        """Begin to listen to a venue that was opened and listed meanwhile, before its next poll would."""
        if self._watched and self.slots.get(slot.name) is slot:
            self._listen(slot)

    def _listen(self, slot: Slot) -> None:
        """Let the venue's push stream be kept, where it has one and it is wanted."""
        lane = slot.lane
        venue: object = slot.venue
        if slot.name in self._feeds or lane is None or not slot.settings.stream:
            return
        if not isinstance(venue, Listens):
            return
        keeper = Keeper(
            slot.name,
            venue,
            lambda: lane.port(Urgency.POLL),
            self.clock,
            slot.feed,
            lambda order: self.heard(slot, order),
            lambda: self._look(slot),
            self.changed,
        )
        self._feeds[slot.name] = asyncio.create_task(keeper.run())

    async def _look(self, slot: Slot) -> None:
        """The newest lists, because a stream has something to say; a kill looks for itself."""
        if not self.killing(slot.name):
            await self.list_venue(slot, Urgency.POLL, deep=False)

    def _stop(self, running: dict[VenueName, asyncio.Task[None]], name: VenueName) -> None:
        """End a venue's polling, or its stream."""
        task = running.pop(name, None)
        if task is not None:
            # Kept with the others, so that closing waits for its end.
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.cancel()

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
            self._listen(slot)
            if slot.book.forget_unseen(self.clock.monotonic()):
                self.changed()
            await self._rest(slot)

    async def _rest(self, slot: Slot) -> None:
        """Wait for the next look, with an eye on what makes it due earlier or later.

        The rhythm that lists are held against is not shortened before that look: it would make a list stale
        that is as young as was promised.
        """
        begun = self.clock.monotonic()
        slot.rhythm = wanted = self._rhythm(slot)
        while (left := begun + wanted - (now := self.clock.monotonic())) > 0:
            await self.clock.sleep(min(left, to_beat(now, NOTICE)))
            wanted = self._rhythm(slot)
            slot.rhythm = max(slot.rhythm, wanted)

    def _rhythm(self, slot: Slot) -> float:
        """Seconds from one look to the next as things are; tells the lane what polls must leave."""
        venue, lane = slot.venue, slot.lane
        if venue is None or lane is None:
            return max(UNOPENED, self.settings.console.refresh_seconds)
        budget, kept = venue.capabilities.budgets.get(CallClass.LIST), 0
        out: tuple[float, ...] = ()
        if budget is not None and scarce(budget, slot.look_cost):
            kept = reserve(budget, slot.look_cost, slot.unproven)
            lane.keep(CallClass.LIST, kept)
            out = lane.pace(CallClass.LIST).out(self.clock.monotonic())
        scene = Scene(
            venue.capabilities.poll_seconds,
            orders=not slot.complete or any(True for _ in slot.book.orders()),
            cancelling=self.occupied(slot.name),
            watched=bool(self.watchers),
            pushed=slot.feed.state is FeedState.LIVE,
            budget=budget,
            cost=slot.look_cost,
            reserve=kept,
            out=out,
        )
        return max(rhythm(scene), self.settings.console.refresh_seconds)
