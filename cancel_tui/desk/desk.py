"""The desk: owns the venues, their lanes, the book, every task, every kill. It outlives every screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from math import inf
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancel_tui.desk.aftermath import contradiction
from cancel_tui.desk.hints import newer
from cancel_tui.desk.slot import Slot, VenueState
from cancel_tui.desk.switching import Switching
from cancel_tui.pauses import pause
from cancel_tui.venues.base import SignsAhead, TellsFinished, Venue
from cancel_tui.venues.outcome import Answered

if TYPE_CHECKING:
    from cancel_tui.clock import Clock
    from cancel_tui.desk.engine import Engine
    from cancel_tui.desk.kill import Kill
    from cancel_tui.desk.preview import VenuePreview
    from cancel_tui.desk.runner import Pass, VenueRun
    from cancel_tui.desk.watching import Credentials
    from cancel_tui.orders import Order, OrderKey, VenueName
    from cancel_tui.scope import Scope
    from cancel_tui.settings import Settings

AHEAD = 500
"""Cancels of one venue that are signed before the word is typed."""
FRESH = 10.0
"""Seconds of age up to which a list is good enough to cancel by while a newer one is on its way."""


class Desk(Switching):
    """Everything between the venues and whoever watches."""

    def __init__(
        self, settings: Settings, clock: Clock, data_dir: Path | None, credentials: Credentials
    ) -> None:
        super().__init__(settings, clock, data_dir, credentials)
        self.kills: list[Kill] = []
        self._wide: list[tuple[int, Kill]] = []
        """Those whose scope is no list of orders, each with its number."""
        self._naming: dict[OrderKey, list[tuple[int, Kill]]] = {}
        """The others, by the orders that they name: of a long day there may be thousands."""

    def heard(self, slot: Slot, order: Order) -> bool:
        """What a push stream says: a hint for the screen, and for a kill a reason to look at once."""
        runs = self._concerned(slot.name, order.key)
        for run in reversed(runs):
            track = run.engine.tracks.get(order.key)
            if track is not None and track.stage.settled and track.order is not None:
                if not newer(track.order, order):
                    return False
                break
        moved = slot.book.hear(order, self.clock.monotonic())
        if moved:
            for run in runs:
                if not run.over:
                    run.hear(order)
        return moved

    def _concerned(self, name: VenueName, key: OrderKey) -> list[VenueRun]:
        """The parts of kills at a venue that the order may belong to, the oldest first."""
        kills = self._wide
        if key in self._naming:
            kills = sorted([*kills, *self._naming[key]], key=itemgetter(0))
        return [run for _, kill in kills if (run := kill.runs.get(name)) is not None]

    def review(self, slot: Slot) -> None:
        """Hold a new list against every verdict: a flat that it contradicts is withdrawn, and reopened."""
        venue_wall = self.clock.wall() + ((slot.venue and slot.venue.clock_offset) or 0.0)
        for kill in self._spoken_of(slot):
            run = kill.runs.get(slot.name)
            if run is None or not run.over or run.venue is not slot.venue:
                # With other credentials since, the orders may be those of another account.
                continue
            found = contradiction(run.engine, slot.book, venue_wall - self.clock.monotonic())
            if found is not None:
                kill.contradict(slot.name, found)

    def _spoken_of(self, slot: Slot) -> Iterator[Kill]:
        """The kills whose verdict a venue's lists could contradict: named orders have to be in one."""
        lists = [reading.orders for reading in slot.book.parts.values()]
        listed = [key for key in self._naming if any(key in orders for orders in lists)]
        named = {rank: kill for key in listed for rank, kill in self._naming[key]}
        yield from (kill for _, kill in sorted({**dict(self._wide), **named}.items()))

    def killing(self, name: VenueName) -> bool:
        """Whether a kill with lists of its own runs on a venue."""
        running = [kill for kill in self.kills if kill.finished_wall is None and not kill.by_id]
        return any(
            name in kill.names and not (name in kill.runs and kill.runs[name].over) for kill in running
        )

    def occupied(self, name: VenueName) -> bool:
        """Whether a kill, or a cancel of named orders, is not over at a venue."""
        return any(
            kill.finished_wall is None
            and name in kill.names
            and name not in kill.locked
            and not (name in kill.runs and kill.runs[name].over)
            for kill in self.kills
        )

    def in_use(self, venue: Venue) -> bool:
        """Whether a kill that is not over works with this adapter."""
        runs = [run for kill in self.kills for run in kill.runs.values()]
        return any(run.venue is venue and not run.over for run in runs)

    def _serves(self, run: VenueRun) -> bool:
        """Whether a part of a kill that is over could be taken up again: same adapter, not switched off."""
        slot = self.slots.get(run.engine.venue)
        return slot is not None and slot.venue is run.venue

    async def warm(self) -> None:
        """Get ready for a kill: connections are opened and costly signatures made. Nothing is sent."""
        await asyncio.gather(*(self._warm(slot) for slot in self.slots.values()))

    async def _warm(self, slot: Slot) -> None:
        if slot.lane is None:
            return
        await slot.lane.warm(slot.book.count)
        venue: object = slot.venue
        if isinstance(venue, SignsAhead):
            for key in list(islice(slot.book.live(), AHEAD)):
                await asyncio.to_thread(venue.sign_ahead, key)

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
        # What makes kills is loaded behind the console's first picture.
        from cancel_tui.desk.decision import Place, decision
        from cancel_tui.desk.engine import Aim, Engine
        from cancel_tui.desk.kill import Kill
        from cancel_tui.desk.lookback import after_silence
        from cancel_tui.desk.runner import VenueRun

        orders = list(known)
        begun = self.clock.monotonic()
        names = tuple(name for name in self.slots if scope.venue_in(name))
        kill = Kill(scope, self.clock.wall(), reason, names=names, by_id=by_id)
        places = {name: Place.of(self.slots[name].settings) for name in names}
        kill.about = decision(scope, places, deadline=deadline, hold=hold, previews=previews)
        if self.off:
            kill.about["switched_off"] = list(self.off)

        async def prepare(name: VenueName) -> VenueRun | str:
            slot = self.slots.get(name)
            if slot is None:
                return "switched off for this run: nothing was sent there"
            if slot.venue is None and slot.state is not VenueState.LOCKED:
                await self.open([name])
            return ready(name) or slot.error or "locked"

        def ready(name: VenueName) -> VenueRun | None:
            slot = self.slots.get(name)
            if slot is None or slot.venue is None or slot.lane is None:
                return None
            settle, rhythm = slot.settings.settle_seconds, max(2.0, slot.venue.capabilities.poll_seconds)
            aim = Aim(scope, settle, begun + deadline, hold, by_id, rhythm)
            engine = Engine(name, slot.venue.capabilities, aim, self.clock.monotonic())
            self._hand_over(slot, engine)
            if not by_id and scope.grows:
                engine.start_from(self._known_live(slot))
                engine.informed = slot.complete and self._fresh(slot.listed_at)
            engine.adopt(order for order in orders if order.venue == name)
            run = VenueRun(kill.kill_id, engine, slot.venue, slot.lane, self.clock, self.journal, slot.flying)
            run.listed = self._feed(slot)
            venue: object = slot.venue
            if isinstance(venue, TellsFinished):
                run.look_back = lambda one: after_silence(one, venue, self.clock)
            return run

        kill.prepare, kill.ready, kill.serves = prepare, ready, self._serves
        return kill

    def _hand_over(self, slot: Slot, engine: Engine) -> None:
        """What the book already knows: exact spellings, and past windows that were read and empty."""
        if engine.aim.scope.symbols:
            engine.learn_spelling(order.symbol.raw for order in slot.book.orders() if order.symbol)
        engine.proof.remember(slot.book.empty_past({part.id for part in slot.parts if part.past}))

    def _fresh(self, begun: float | None) -> bool:
        """Whether a list that was begun then is good enough to cancel by."""
        return begun is not None and self.clock.monotonic() - begun <= FRESH

    def _known_live(self, slot: Slot) -> Iterator[tuple[Order, float]]:
        """Orders of a list that is fresh enough to cancel by, with the time at which it was begun.

        What another kill has brought to an end since is not among them.
        """
        runs = [kill.runs[slot.name] for kill in self.kills if slot.name in kill.runs]
        ended = {
            key: one.since for run in runs for key, one in run.engine.tracks.items() if one.stage.settled
        }
        for reading in slot.book.parts.values():
            if self._fresh(reading.begun):
                for key, order in reading.orders.items():
                    if ended.get(key, -inf) < reading.begun:
                        yield order, reading.begun

    def _feed(self, slot: Slot) -> Callable[[Pass], None]:
        def take(found: Pass) -> None:
            now = self.clock.monotonic()
            for part_id, (begun, outcome) in found.items():
                if isinstance(outcome, Answered):
                    pause()
                    slot.book.absorb(part_id, begun, outcome.value, now)
            pause()
            self.review(slot)
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
        one = (len(self.kills), kill)
        if kill.scope.keys is None:
            self._wide.append(one)
        for key in kill.scope.keys or ():
            self._naming.setdefault(key, []).append(one)
        kill.watchers.append(self.changed)
        kill.spawn = self.spawn
        kill.begin(self.clock, self.journal, described)
        return self.spawn(kill.run())

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
            if track is not None and not track.stage.settled and not run.over:
                return True
        return False

    def retry(self, key: OrderKey) -> bool:
        """Cancel an order again at once whose cancel was refused or is in doubt; whether one is to leave.

        False while a request is in flight for it, and where no cancel of it is under way at all.
        """
        runs = [kill.runs.get(key.venue) for kill in self.kills if kill.finished_wall is None]
        return any(run.retry(key) for run in reversed(runs) if run is not None)
