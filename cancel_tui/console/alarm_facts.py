"""What alarms are made of, collected from the desk, the ledger and the journal's open cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from cancel_tui.cancels import Ending, Stage
from cancel_tui.desk.actions import Verdict
from cancel_tui.desk.alarms import Facts, KillFacts, VenueFacts
from cancel_tui.scope import Match, Scope
from cancel_tui.venues.base import TellsExpiry

if TYPE_CHECKING:
    from cancel_tui.console.ledger import Ledger
    from cancel_tui.desk.desk import Desk
    from cancel_tui.desk.impasse import Impasse
    from cancel_tui.desk.kill import Kill
    from cancel_tui.desk.slot import Slot
    from cancel_tui.orders import Order, OrderKey, VenueName

NEW_WITHIN = 120.0
"""Seconds after the end of a kill within which an order of its scope is most likely not wanted."""
_CLOCKS = 1.0
"""Seconds by which the measured offset of a venue's clock may be wrong."""


class _Ended(msgspec.Struct):
    """What can be said of a kill that has ended, for as long as nothing about it changes."""

    stamp: tuple[int, float]
    verdict: Verdict
    open: tuple[VenueName, ...]
    live: tuple[OrderKey, ...]
    """Orders that its own last evidence shows as live."""
    words: str | None


class _Arrivals(msgspec.Struct):
    """Orders that appeared in the scope of a kill after its end, on one venue."""

    ended: float
    book: object
    serial: int = 0
    keys: set[OrderKey] = msgspec.field(default_factory=set)


class Collector:
    """Looks at the desk; what is dear to find is looked for again only where something changed."""

    def __init__(self, ledger: Ledger) -> None:
        self._desk: Desk = ledger.desk
        self._ledger = ledger
        self._ended: dict[str, _Ended] = {}
        self._arrivals: dict[tuple[str, VenueName], _Arrivals] = {}

    def facts(self, unended: dict[str, str]) -> Facts:
        """Everything as it stands now; the ledger is up to date."""
        desk = self._desk
        now = desk.clock.monotonic()
        later: list[Kill] = []
        kills: list[KillFacts] = []
        for kill in reversed(desk.kills):
            if not any(_covers(one, kill) for one in later):
                kills.append(self._kill(kill, later, now))
            if not kill.by_id:
                later.append(kill)
        claimed = {key for kill in desk.kills for keys in kill.withdrawn.values() for key in keys}
        stuck: list[tuple[VenueName, Impasse]] = [
            (name, one)
            for kill in desk.kills
            if kill.finished_wall is None
            for name, run in kill.runs.items()
            if not run.over
            for one in run.engine.impasses(now)
        ]
        return Facts(
            venues=tuple(self._venue(slot, claimed, now) for slot in desk.slots.values()),
            kills=tuple(kills),
            stuck=tuple(stuck),
            journal=desk.journal.broken,
            exposed=desk.journal.exposed,
            unended=unended,
        )

    # ------------------------------------------------------------------ venues

    def _venue(self, slot: Slot, claimed: set[OrderKey], now: float) -> VenueFacts:
        count = self._ledger.venue(slot.name)
        unknown = list(self._unknown(slot.name)) if self._ledger.unknown else []
        oldest = min(unknown, default=(now, None), key=lambda one: one[0])
        expires = slot.venue.credentials_expire_at if isinstance(slot.venue, TellsExpiry) else None
        return VenueFacts(
            name=slot.name,
            state=slot.state_at(now),
            live=len(count.live),
            age=None if slot.listed_at is None else now - slot.listed_at,
            rhythm=slot.beat,
            error=slot.error,
            again=len(count.returned.keys() - claimed),
            unknown=len(unknown),
            unknown_age=now - oldest[0],
            unknown_words=oldest[1],
            expires_in=None if expires is None else expires - self._desk.clock.wall(),
        )

    def _unknown(self, name: VenueName) -> Iterator[tuple[float, str | None]]:
        """Orders of unknown fate of which no cancel that gets nowhere tells already."""
        for kill in self._desk.kills:
            run = kill.runs.get(name)
            for track in run.engine.tracks.values() if run is not None else ():
                if track.stage is not Stage.UNKNOWN or self._ledger.tracks.get(track.key) is not track:
                    continue
                if track.blocked is None or (run is not None and run.over):
                    yield track.since, track.message

    # ------------------------------------------------------------------ kills

    def _kill(self, kill: Kill, later: list[Kill], now: float) -> KillFacts:
        if kill.finished_wall is not None:
            return self._over(kill, kill.finished_wall, later)
        engines = {name: run.engine for name, run in kill.runs.items()}
        unproven = tuple(
            name for name in kill.names if name in kill.locked or (name in engines and not engines[name].flat)
        )
        late = [now - one.deadline for one in engines.values() if not one.flat and one.expired(now)]
        live = [track for track in kill.tracks() if track.outcome is Ending.OPEN] if late else []
        return KillFacts(
            kill_id=kill.kill_id,
            by_id=kill.by_id,
            running=True,
            flat=bool(engines) and not unproven,
            past_deadline=max(late, default=None),
            back=kill.came_back,
            open=unproven,
            live=len(live),
            words=self._words(kill, unproven) if late or kill.came_back else None,
        )

    def _over(self, kill: Kill, ended: float, later: list[Kill]) -> KillFacts:
        known = self._ended.get(kill.kill_id)
        if known is None or known.stamp != (kill.revision, ended):
            known = self._ended[kill.kill_id] = self._look_at_end(kill, ended)
        live = [key for key in known.live if self._still_live(kill, key)]
        return KillFacts(
            kill_id=kill.kill_id,
            by_id=kill.by_id,
            flat=known.verdict is Verdict.FLAT,
            verdict=known.verdict,
            ended_ago=max(0.0, self._desk.clock.wall() - ended),
            back=kill.came_back,
            open=tuple(dict.fromkeys(key.venue for key in live)) if kill.by_id else known.open,
            live=len(live),
            words=known.words,
            newcomers=dict(self._newcomers(kill, ended, later)),
        )

    def _look_at_end(self, kill: Kill, ended: float) -> _Ended:
        verdict = kill.verdict
        flat = verdict is Verdict.FLAT
        unproven = tuple(one.venue for one in kill.results() if one.verdict is not Verdict.FLAT)
        return _Ended(
            (kill.revision, ended),
            verdict,
            unproven,
            () if flat else tuple(one.key for one in kill.tracks() if one.outcome is Ending.OPEN),
            None if flat else self._words(kill, unproven),
        )

    def _still_live(self, kill: Kill, key: OrderKey) -> bool:
        """Whether no later cancel looks after an order that the last lists hold."""
        run, track = kill.runs.get(key.venue), self._ledger.tracks.get(key)
        mine = run is not None and run.engine.tracks.get(key) is track
        return mine and (not kill.by_id or key in self._ledger.venue(key.venue).live)

    def _words(self, kill: Kill, names: tuple[VenueName, ...]) -> str | None:
        """What the venues said last, of those that are not proven."""
        told = [f"{name}: {kill.locked[name]}" for name in names if name in kill.locked]
        told += [
            f"{name}: {why}"
            for name in names
            if name in kill.runs and (why := kill.runs[name].engine.error or kill.runs[name].engine.complaint)
        ]
        return "; ".join(told) or None

    # ------------------------------------------------------------------ newcomers

    def _newcomers(self, kill: Kill, ended: float, later: list[Kill]) -> Iterator[tuple[VenueName, int]]:
        """Orders of its scope that appeared after its end, where no later kill looks after the venue."""
        if kill.by_id or not kill.scope.grows:
            return
        taken = {name for one in later for name in one.names}
        for name in kill.names:
            slot = self._desk.slots.get(name)
            if slot is None or name in taken or name not in kill.runs:
                continue
            live = self._ledger.venue(name).live
            # Whoever cancels one has seen it.
            found = self._arrived(kill, slot, ended)
            count = sum(key in live and key not in self._ledger.tracks for key in found)
            if count:
                yield name, count

    def _arrived(self, kill: Kill, slot: Slot, ended: float) -> set[OrderKey]:
        mark = kill.kill_id, slot.name
        seen = self._arrivals.get(mark)
        if seen is None or seen.ended != ended or seen.book is not slot.book:
            seen = self._arrivals[mark] = _Arrivals(ended, slot.book)
        changes = slot.book.changes
        if seen.serial != changes.serial:
            changed = changes.since(seen.serial)
            seen.serial = changes.serial
            live = self._ledger.venue(slot.name).live
            for key in list(live) if changed is None else changed:
                order = live.get(key)
                if order is not None and self._is_new(kill, order, ended):
                    seen.keys.add(key)
        return seen.keys

    def _is_new(self, kill: Kill, order: Order, ended: float) -> bool:
        run = kill.runs[order.key.venue]
        if order.key in run.engine.tracks:
            return False
        if order.created_at is None:
            # Without a time only a proof says that it was not there before.
            fresh = run.engine.verdict is Verdict.FLAT and self._desk.clock.wall() - ended <= NEW_WITHIN
        else:
            offset = run.venue.clock_offset or 0.0
            fresh = -_CLOCKS < order.created_at - offset - ended <= NEW_WITHIN
        return fresh and kill.scope.match(order, run.engine.capabilities.lacks) is Match.YES


def _covers(later: Kill, earlier: Kill) -> bool:
    if earlier.by_id or not set(earlier.names) <= set(later.names):
        return False
    wide, narrow = (replace(one.scope, venues=frozenset()) for one in (later, earlier))
    return wide in (narrow, Scope(raw={}))
