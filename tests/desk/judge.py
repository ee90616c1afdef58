"""Holds every word that a kill says against the practice venue's own state, meanwhile and at its end."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from cancel_tui.cancels import Ending
from cancel_tui.clock import Clock
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.kill import INCOMPLETE, Kill
from cancel_tui.desk.report import kill_json
from cancel_tui.desk.runner import Pass, VenueRun
from cancel_tui.desk.track import Track
from cancel_tui.orders import VenueName
from cancel_tui.practice.market import SimOrder
from cancel_tui.practice.venue import PracticeVenue

WORDS = {
    "cancelled": "canceled",
    "filled": "filled",
    "triggered": "filled",
    "expired": "expired",
    "rejected": "rejected",
}
"""The contract's word for each way in which a practice order ends."""
NO_WORDS = (Ending.OPEN, Ending.UNKNOWN, Ending.GONE)
"""Outcomes that do not say how an order ended."""


class Judge:
    """Remembers what became of every order of one venue, and when; compares what is said with that."""

    def __init__(self, venue: PracticeVenue, clock: Clock) -> None:
        self._venue = venue
        self._clock = clock
        self._ends: dict[str, set[tuple[str, Decimal]]] = {}
        self._alive_since: dict[str, float] = {}
        self._started = {one["order_id"] for one in venue.truth()}
        self._wrong: dict[str, None] = {}
        self._overheard: VenueRun | None = None
        self._newest: float | None = None
        """When the newest pass was begun."""
        self.mine: Callable[[dict[str, str]], bool] = lambda _: True
        """Whether an order of the truth is in scope."""
        venue.book.watchers.append(self._note)
        for order in venue.book.orders.values():
            self._note(order)

    def _note(self, order: SimOrder) -> None:
        if order.state.live:
            self._alive_since.setdefault(order.id, self._clock.monotonic())
        else:
            self._alive_since.pop(order.id, None)
            self._ends.setdefault(order.id, set()).add((WORDS[order.state.value], order.filled))

    def watch(self, kill: Kill) -> None:
        """Look at every word that is said right now: each must have been true at some time."""
        self._overhear(kill)
        for track in kill.tracks():
            outcome = track.outcome
            if outcome not in NO_WORDS and not self._happened(track):
                self._wrong[f"{track.key.order_id} was called {outcome.value}, filled {track.filled}"] = None

    def _overhear(self, kill: Kill) -> None:
        """Learn from now on when each pass is begun."""
        run = kill.runs.get(VenueName(self._venue.name))
        if run is None or run is self._overheard:
            return
        self._overheard, listed = run, run.listed

        def learn(found: Pass) -> None:
            self._newest = min((begun for begun, _ in found.values()), default=self._newest)
            listed(found)

        run.listed = learn

    def _happened(self, track: Track) -> bool:
        ends = self._ends.get(str(track.key.order_id), set())
        if track.filled is None:
            return any(word == track.outcome.value for word, _ in ends)
        return (track.outcome.value, track.filled) in ends

    def verdict(self, kill: Kill) -> list[str]:
        """Every false word, meanwhile and at the end."""
        self.watch(kill)
        live = {one["order_id"]: one for one in self._venue.truth()}
        ends = {one["order_id"]: one for one in self._venue.endings()}
        wrong = list(self._wrong)
        for track in kill.tracks():
            wrong += self._final(track, live, ends, self._looked(kill))
        left = self.too_early(kill)
        if left:
            wrong.append(f"FLAT with {len(left)} live, such as {left[0]['order_id']}")
        touched = [
            row["order_id"]
            for row in ends.values()
            if row["order_id"] in self._started and row["state"] == "cancelled" and not self.mine(row)
        ]
        if touched:
            wrong.append(f"{len(touched)} cancelled outside the scope, such as {touched[0]}")
        return wrong

    def too_early(self, kill: Kill) -> list[dict[str, str]]:
        """What was live in scope before the newest list was begun, while FLAT is said."""
        if kill.verdict is not Verdict.FLAT:
            return []
        return [row for row in self._venue.truth() if self._counts(kill, row) and self.mine(row)]

    def excused(self, kill: Kill, faults: set[str]) -> bool:
        """Whether a flat came early for no other reason than lists that lagged longer than a proof takes.

        A past window of a venue that lists by windows is read once only: there, any lag is longer.
        """
        early = [self._venue.book.orders[row["order_id"]] for row in self.too_early(kill)]
        oldest = self._clock.wall() - 7 * 86_400.0
        windowed = self._venue.name == "cs-fut" and all(order.created < oldest for order in early)
        return bool(early) and ("list_hides_long" in faults or ("list_hides" in faults and windowed))

    def _final(
        self, track: Track, live: dict[str, dict[str, str]], ends: dict[str, dict[str, str]], looked: float
    ) -> list[str]:
        ident, outcome = str(track.key.order_id), track.outcome
        if outcome in (Ending.OPEN, Ending.UNKNOWN):
            return []
        if ident in live:
            if self._alive_since[ident] >= looked:
                return []
            return [f"{ident} is {outcome.value} in our words and live in truth"]
        if outcome is Ending.GONE:
            return []
        end = ends[ident]
        if WORDS[end["state"]] != outcome.value:
            return [f"{ident} is {outcome.value} in our words and {end['state']} in truth"]
        if track.filled is None and end["family"] == "stop":
            # What answers about a Stop carries no fill: it is called unknown.
            return []
        if track.filled != Decimal(end["filled"]):
            return [f"{ident} filled {track.filled} in our words, {end['filled']} in truth"]
        return []

    def unnamed(self, kill: Kill) -> list[str]:
        """Orders in scope that are live and that the report does not call open or unknown, each by its id.

        Only where the venue's line says that the list was not whole can nobody know what is missing.
        """
        if any(INCOMPLETE in (one.error or "") for one in kill.results()):
            return []
        said = (Ending.OPEN.value, Ending.UNKNOWN.value)
        named = {str(one["order_id"]) for one in kill_json(kill)["orders"] if one["outcome"] in said}
        rows = [row for row in self._venue.truth() if self._counts(kill, row) and self.mine(row)]
        return [f"{row['order_id']} is live and not named" for row in rows if row["order_id"] not in named]

    def _looked(self, kill: Kill) -> float:
        """When the newest list was begun; what came to life after that nobody can know."""
        run = kill.runs.get(VenueName(self._venue.name))
        streak = run.engine.proof.streak if run is not None else []
        if streak:
            return streak[-1]
        return self._clock.monotonic() if self._newest is None else self._newest

    def _counts(self, kill: Kill, row: dict[str, str]) -> bool:
        """Whether an order that is live in truth contradicts the verdict."""
        if row["family"] == "stop" and not kill.by_id:
            return False
        return self._alive_since[row["order_id"]] < self._looked(kill)
