"""What is worth a line in the log: ends of cancels, refusals, and venues that change their state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING

import msgspec

from cancel_tui.cancels import Ending, Stage
from cancel_tui.console.lines import plural, took, waiting
from cancel_tui.desk.actions import Verdict
from cancel_tui.desk.impasse import ALARM_AFTER, DeadEnd
from cancel_tui.desk.report import verdict_line
from cancel_tui.desk.slot import VenueState
from cancel_tui.orders import OrderKey, VenueName, plain

if TYPE_CHECKING:
    from cancel_tui.console.ledger import Ledger
    from cancel_tui.desk.desk import Desk
    from cancel_tui.desk.kill import Kill
    from cancel_tui.desk.track import Track

_TROUBLE = (Stage.UNKNOWN, Stage.REFUSED)
_BETWEEN = 0.5
"""Seconds between two looks for dead ends: each goes through every order that has not ended."""
_SINGLY = 5
"""Lines about single orders of a kill that one look may bring; more are counted."""


class News(msgspec.Struct):
    """Remembers what was told already."""

    desk: Desk
    ledger: Ledger
    _kills: dict[str, int] = msgspec.field(default_factory=dict)
    _orders: dict[tuple[str, OrderKey], tuple[Stage, Ending, str | None]] = msgspec.field(
        default_factory=dict
    )
    _places: dict[tuple[str, VenueName], int] = msgspec.field(default_factory=dict)
    _complaints: dict[tuple[str, OrderKey], str] = msgspec.field(default_factory=dict)
    _flat: set[tuple[str, VenueName]] = msgspec.field(default_factory=set)
    _over: set[str] = msgspec.field(default_factory=set)
    _withdrawn: dict[str, int] = msgspec.field(default_factory=dict)
    _stuck: set[tuple[str, VenueName, DeadEnd]] = msgspec.field(default_factory=set)
    _stood: dict[str, float] = msgspec.field(default_factory=dict)
    _states: dict[VenueName, VenueState] = msgspec.field(default_factory=dict)
    _trouble: str | None = None

    def take(self) -> list[str]:
        """The lines that are new."""
        lines = self._venues()
        for kill in self.desk.kills:
            if self._kills.get(kill.kill_id) != kill.revision:
                self._kills[kill.kill_id] = kill.revision
                lines += self._single(kill) if kill.by_id else self._kill(kill)
            lines += self._stands(kill)
            if (back := kill.came_back) > self._withdrawn.get(kill.kill_id, 0):
                self._withdrawn[kill.kill_id] = back
                self._over.discard(kill.kill_id)
                what = "cancel" if kill.by_id else "FLAT"
                then = "" if kill.finished_wall else ", taken up again"
                lines.append(
                    f"KILL {kill.kill_id[:6]}: {what} WITHDRAWN, {plural(back, 'order')} listed again{then}"
                )
        trouble = self.desk.journal.words
        if trouble != self._trouble:
            self._trouble = trouble
            lines.append(f"the journal: {trouble}" if trouble else "the journal works again")
        return lines

    def _venues(self) -> list[str]:
        lines = []
        now = self.desk.clock.monotonic()
        for slot in self.desk.slots.values():
            state = slot.state_at(now)
            if waiting(slot) or self._states.get(slot.name, VenueState.LIVE) is state:
                continue
            self._states[slot.name] = state
            if state is VenueState.LIVE:
                lines.append(f"{slot.name}: live again")
            else:
                why = "no new list" if state is VenueState.STALE else slot.error
                lines.append(f"{slot.name} {state.value.upper()}: {why}")
        return lines

    def _stands(self, kill: Kill) -> list[str]:
        """Dead ends that have grown old, each told once, and once more when it is over."""
        lines: list[str] = []
        now = self.desk.clock.monotonic()
        if now - self._stood.get(kill.kill_id, -inf) < _BETWEEN:
            return []
        self._stood[kill.kill_id] = now
        found: set[tuple[str, VenueName, DeadEnd]] = set()
        for name, run in kill.runs.items():
            for one in run.engine.impasses(now) if not run.over else ():
                mark = (kill.kill_id, name, one.why)
                if one.age(now) < ALARM_AFTER:
                    continue
                found.add(mark)
                if mark not in self._stuck:
                    lines.append(
                        f"{name}: {plural(one.orders, 'cancel')} {one.why.value.upper()}"
                        f" for {one.age(now):.0f} s, asking on; {one.words}"
                    )
        for mark in [one for one in self._stuck if one[0] == kill.kill_id and one not in found]:
            lines.append(f"{mark[1]}: no longer {mark[2].value}")
        self._stuck = {one for one in self._stuck if one[0] != kill.kill_id} | found
        return lines

    def _changed(self, kill: Kill) -> list[Track]:
        changed = []
        for track in self._touched(kill):
            mark = (track.stage, track.outcome, track.message)
            known = (kill.kill_id, track.key)
            if (track.attempts or track.stage.settled) and self._orders.get(known) != mark:
                self._orders[known] = mark
                if track.stage.settled:
                    changed.append(track)
                elif track.message and track.stage in _TROUBLE:
                    # The same trouble again is no news; that it lasts is told by its age.
                    if self._complaints.get(known) != track.message:
                        changed.append(track)
                    self._complaints[known] = track.message
        return changed

    def _touched(self, kill: Kill) -> Iterator[Track]:
        """The orders of a kill that may stand otherwise than when they were last looked at."""
        for name, run in kill.runs.items():
            changes, tracks, place = run.engine.changes, run.engine.tracks, (kill.kill_id, name)
            keys = changes.since(self._places.get(place, 0))
            self._places[place] = changes.serial
            yield from tracks.values() if keys is None else (tracks[key] for key in keys if key in tracks)

    def _single(self, kill: Kill) -> list[str]:
        lines = [_sentence(track) for track in self._changed(kill)]
        if kill.finished_wall is not None and kill.kill_id not in self._over:
            self._over.add(kill.kill_id)
            lines += [f"{name}: {why}; nothing was sent" for name, why in kill.locked.items()]
        return lines

    def _kill(self, kill: Kill) -> list[str]:
        changed = self._changed(kill)
        quiet = Counter(
            (track.key.venue, track.outcome)
            for track in changed
            if track.stage.settled and track.outcome is not Ending.FILLED
        )
        loud = [track for track in changed if not track.stage.settled or track.outcome is Ending.FILLED]
        lines = [f"{venue}: {count} {outcome.value}" for (venue, outcome), count in quiet.items()]
        lines += [_sentence(track) for track in loud[:_SINGLY]]
        if len(loud) > _SINGLY:
            lines.append(
                f"and {len(loud) - _SINGLY} more filled, refused or unknown; d on the board lists them"
            )
        for name, run in kill.runs.items():
            if run.engine.flat_at is not None and run.engine.verdict is Verdict.FLAT:
                if (kill.kill_id, name) not in self._flat:
                    lines.append(f"{name}: FLAT, proven")
                self._flat.add((kill.kill_id, name))
            elif (kill.kill_id, name) in self._flat:
                self._flat.discard((kill.kill_id, name))
                lines.append(f"{name}: FLAT WITHDRAWN, a later list shows orders again")
        if kill.finished_wall is not None and kill.kill_id not in self._over:
            self._over.add(kill.kill_id)
            lines.append(f"KILL {kill.kill_id[:6]}: {verdict_line(kill)}")
        return lines


def _sentence(track: Track) -> str:
    """What came of one cancel, in one line."""
    order = track.order
    symbol = str(order.symbol) if order is not None and order.symbol else ""
    words = f"{track.key.venue} …{track.key.shown_id[-6:]} {symbol}".rstrip()
    if not track.stage.settled:
        return f"{words} {track.stage.value}: {track.message}"
    filled = plain(track.filled) if track.filled else None
    if track.outcome is Ending.FILLED:
        told = f"{words} FILLED {filled or ''}".rstrip() + " before its cancel"
    else:
        told = f"{words} {track.outcome.value}"
    if seconds := took(track):
        told += f" in {seconds}"
    if filled and track.outcome is not Ending.FILLED:
        of = f" of {plain(order.quantity)}" if order and order.quantity else ""
        told += f", {filled}{of} had filled"
    return told
