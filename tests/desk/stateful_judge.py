"""The judge: after every moment, the promises as predicates over the desk's face and the venues' own logs.

It knows nothing of the engine's inner state: what a venue has said, to which kill and when, stands in the
market's log; what is shown stands in the kill's tracks and verdicts.
"""

from __future__ import annotations

from math import inf

from cancel_tui.cancels import Ending, Stage
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.track import Track
from cancel_tui.orders import OrderKey, OrderStatus
from cancel_tui.scope import Scope
from cancel_tui.venues.base import CallClass
from cancel_tui.venues.outcome import Answered, NotSent, Unanswered, Unauthorised
from tests.desk.stateful_deeds import Deed, line, means, told, whole
from tests.desk.stateful_market import SETTLE, Asked, Market, Mood, Truth
from tests.desk.stateful_wire import MemoryJournal

CANCELS = (CallClass.CANCEL, CallClass.CANCEL_ALL)
LOOKS = (CallClass.LIST, CallClass.STATUS, CallClass.CLOSED)
READ_SLOTS = 4
POLL_SLOTS = 2
MARGIN = 0.1
"""Seconds by which a desk's own margins may keep a unit of budget longer than its window."""
READ_BACK = 25.0
"""Seconds within which an order whose cancel was not answered is asked for, whatever the trouble."""
NOTICED = 20.0
"""Seconds within which a kill that holds has noticed a new order in its scope."""
LISTS_LAG = 6.0
"""Seconds past a flat in which a list may be late without contradicting it."""
LAST_LOOK = 60.0
"""Seconds past its deadline in which a kill without a hold comes to its end, whatever the trouble."""
ENDED = {
    Ending.CANCELED: OrderStatus.CANCELED,
    Ending.FILLED: OrderStatus.FILLED,
    Ending.EXPIRED: OrderStatus.EXPIRED,
    Ending.REJECTED: OrderStatus.REJECTED,
}


class Broken(AssertionError):
    """A promise was broken."""


class Judge:
    """Looks on."""

    def __init__(self, desk: Desk, journal: MemoryJournal, markets: dict[str, Market]) -> None:
        self.desk = desk
        self.journal = journal
        self._read = 0
        self.markets = markets
        self.deeds: dict[str, Deed] = {}
        self.newest: dict[tuple[str, str], Asked] = {}
        """The complete list of a part that was sent last, whoever got it."""
        self.taken: set[OrderKey] = set()
        """Orders of which a venue has said, in whatever words, that it is cancelling them, or would."""
        self.listed_live: dict[OrderKey, float] = {}
        """When the newest list that showed an order as live was sent, whoever got it: all go by the book."""
        self.withdrawn = 0
        self._stamp: tuple[int, ...] = ()

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self.desk.clock.monotonic()

    def claim(self, holds: object, *what: object) -> None:
        """A promise; `what` is said where it is broken."""
        if not holds:
            words = (self.explain(one) if isinstance(one, Deed) else str(one) for one in what)
            raise Broken(f"{self.now:.3f}: " + " ".join(words))

    def look(self) -> None:
        """Everything that can be said of this moment."""
        for kind, facts in self.journal.records[self._read :]:
            if kind == "flat_withdrawn" and (found := self.deeds.get(facts["kill"])):
                # What contradicts a flat starts the kill again, with as much time as it had.
                found.deadline = self.now + found.seconds
                found.over = found.over and not facts["reopened"]
                name = facts["venue"]
                flat = max(found.flat_wall.get(name, self.desk.clock.wall()), self._kept_flat(found, name))
                found.before[name] = min(flat, found.before.get(name, inf))
        self._read = len(self.journal.records)
        for market in self.markets.values():
            self.claim(not market.complaints, *market.complaints)
            for asked in market.departures:
                self._left(market, asked)
            market.departures.clear()
            for asked in market.fresh:
                self._ended(market, asked)
            market.fresh.clear()
            for asked in market.open.values():
                if asked.left is None:
                    self._waits(market, asked)
        for deed in self.deeds.values():
            self._watches(deed)
        stamp = (self.desk.revision, int(self.now), *(len(one.log) for one in self.markets.values()))
        if stamp == self._stamp:
            return
        self._stamp = stamp
        for deed in self.deeds.values():
            self._deed(deed)
        for market in self.markets.values():
            self._book(market)

    def _kept_flat(self, deed: Deed, name: str) -> float:
        """The wall time at which its newest list began: while a flat is held, each says it anew."""
        parts = [part for part in self.markets[name].part_ids() if part != "past"]
        found = [lists[-1] for part in parts if (lists := deed.lists.get((name, part)))]
        newest = min((one.left or 0.0 for one in found), default=-inf)
        return newest - self.now + self.desk.clock.wall()

    # ------------------------------------------------------------------ requests

    def _left(self, market: Market, asked: Asked) -> None:
        self._paced(market, asked)
        if asked.call in CANCELS:
            self._cancel_left(market, asked)

    def _cancel_left(self, market: Market, asked: Asked) -> None:
        deed = self.deeds.get(asked.kill or "")
        if deed is None:
            raise Broken(f"{self.now:.3f}: a cancel that nobody asked for: {asked}")
        at, scope = asked.left or 0.0, deed.scope(market)
        self.claim(at <= deed.stopped, "a cancel left after the stop", asked)
        self.claim(not deed.over, "a cancel left after the end of its kill", asked)
        self.claim(deed.held or at <= deed.deadline, "a cancel left past the deadline", asked)
        self.claim(at >= deed.started, "a cancel left before its kill", asked)
        if asked.key is None:
            self.claim(whole(scope), "a cancel-all for a scope that is no union of reaches", scope)
            named = asked.symbol.lower() if asked.symbol else None
            self.claim((named in scope.symbols) if scope.symbols else named is None, asked.symbol, scope)
            self.claim(not scope.venues or market.name in scope.venues, "another venue", market.name)
            return
        truth = market.truths[asked.key]
        self.claim(means(scope, truth, market), "out of scope and cancelled:", truth, scope)
        twins = [one for one in market.open.values() if one is not asked and one.call is CallClass.CANCEL]
        twice = [one for one in twins if one.key == asked.key and one.left is not None]
        self.claim(not twice, "two cancels of one order in flight:", asked.key.order_id, twice, asked)

    def _held(self, market: Market, call: CallClass, now: float, margin: float) -> int:
        budget = market.capabilities.budgets.get(call)
        if budget is None:
            return 0
        recent = (one for one in reversed(market.log) if one.call is call and one.admitted is not None)
        return sum(
            one.ended is None or (one.left is not None and one.ended + budget.seconds + margin > now)
            for one in recent
        )

    def _paced(self, market: Market, asked: Asked) -> None:
        """A poll leaves the reserve alone, and goes behind whoever kills."""
        budget = market.capabilities.budgets.get(asked.call)
        if budget is None or asked.admitted is None:
            return
        at = asked.admitted
        held = sum(
            one.ended is None or one.ended > at or (one.left is not None and one.ended + budget.seconds > at)
            for one in market.log
            if one.call is asked.call and one is not asked
            if one.admitted is not None and (one.admitted, one.no) < (at, asked.no)
        )
        self.claim(held < budget.count, "more than the budget allows", asked, held)
        if asked.kill is not None:
            return
        room = max(1, budget.count - budget.count // 2)
        self.claim(held < room, "a poll spends what is kept for a kill", asked, held)
        ahead = [
            one
            for one in market.open.values()
            if one.kill and one.call is asked.call and one.admitted is None and one.asked < at
        ]
        self.claim(not ahead, "a poll goes before a kill's read", asked, ahead)

    def _waits(self, market: Market, asked: Asked) -> None:
        """Who waits has a reason at its own venue: its budget is spent, or its connections are taken."""
        if asked.dialling or self.now - asked.asked < MARGIN or market.throttled_at > 0.0:
            return
        if asked.admitted is not None:
            mine = (
                one
                for one in market.open.values()
                if one.left is not None or one.dialling
                if (one.call in CANCELS) == (asked.call in CANCELS)
                if asked.call in CANCELS or (one.kill is None) == (asked.kill is None)
            )
            reads = POLL_SLOTS if asked.kill is None else READ_SLOTS
            slots = market.capabilities.connections if asked.call in CANCELS else reads
            self.claim(sum(1 for _ in mine) >= slots, "waits although a connection is free:", asked)
            return
        budget = market.capabilities.budgets.get(asked.call)
        self.claim(budget is not None, "waits without a budget:", asked)
        if budget is None:
            return
        room = budget.count
        if asked.kill is None:
            room = max(1, room - room // 2)
        held = self._held(market, asked.call, self.now, MARGIN)
        self.claim(held >= room, "waits although its budget is free:", asked, held)

    def _ended(self, market: Market, asked: Asked) -> None:
        """An answer came: remember what it says, and to whom."""
        part = asked.part if _complete_list(asked) else None
        if part is not None:
            newest = self.newest.get((market.name, part))
            if newest is None or (newest.left or 0.0) <= (asked.left or 0.0):
                self.newest[market.name, part] = asked
                if asked.kill is None:
                    self._contradicts(market, asked)
        self.taken |= {one.key for one in told(asked) if one.status is OrderStatus.PENDING_CANCEL}
        if asked.call is CallClass.LIST and asked.left is not None:
            self.listed_live.update({one.key: asked.left for one in told(asked) if one.status.live})
        deed = self.deeds.get(asked.kill or "")
        if deed is None:
            return
        left, ended = asked.left, asked.ended or 0.0
        if asked.call in CANCELS and left is not None:
            deed.last_cancel[market.name] = ended
        if asked.call is CallClass.CANCEL and asked.key is not None and left is not None:
            said = deed.of(asked.key)
            said.cancel_ended = ended
            said.lost_at = ended if isinstance(asked.outcome, Unanswered) else None
        if asked.call in LOOKS and not isinstance(asked.outcome, NotSent):
            for said in deed.said.values():
                if said.lost_at is not None and asked.asked >= said.lost_at:
                    said.lost_at = None
        if part is not None:
            deed.lists.setdefault((market.name, part), []).append(asked)
        if isinstance(asked.outcome, Answered) and asked.call in CANCELS:
            named = [asked.key] if asked.key is not None else list(market.truths)
            for key in named:
                self.taken.add(key)
        for order in told(asked):
            said = deed.of(order.key)
            if order.status.terminal:
                said.ends.append((ended, left or 0.0, order))
                said.lives_after_end = 0
            elif left is not None and asked.call in LOOKS:
                said.live_begun = max(said.live_begun, left)
                if said.ends and left > said.ends[-1][0]:
                    said.lives_after_end += 1

    # ------------------------------------------------------------------ what is shown

    def _deed(self, deed: Deed) -> None:
        kill = deed.kill
        if deed.task.done():
            self.claim(not deed.task.cancelled(), "a kill was cancelled from outside")
            self.claim(deed.task.exception() is None, "a kill died:", deed.task.exception())
        deed.over = kill.finished_wall is not None
        if not deed.over and not deed.held:
            late = self.now - min(deed.deadline, max(deed.stopped, deed.deadline - deed.seconds))
            self.claim(late < LAST_LOOK, "a kill does not come to its end", deed)
        for result in kill.results():
            if result.verdict is Verdict.FLAT:
                self._flat(deed, self.markets[result.venue])
                if result.venue not in deed.was_flat:
                    deed.was_flat.add(result.venue)
                    deed.flat_wall[result.venue] = self.desk.clock.wall()
                    deed.flat_mono[result.venue] = self.now
            elif result.venue in deed.was_flat:
                deed.was_flat.discard(result.venue)
                self.withdrawn += 1
        for track in kill.tracks():
            self._track(deed, track, self.markets[track.key.venue])

    def _watches(self, deed: Deed) -> None:
        """A kill that holds knows of every order in scope soon, where nothing is wrong with the venue."""
        if not deed.held or deed.over or self.now > deed.stopped:
            return
        for name, run in deed.kill.runs.items():
            market = self.markets[name]
            if market.mood is not Mood.FINE or self.now - market.fine_since < NOTICED or run.over:
                continue
            if self.now - max(deed.started, deed.held_at, market.throttled_at + 30.0) < NOTICED:
                continue
            for truth in market.live():
                seen = truth.key in run.engine.tracks or truth.hidden_long
                late = self.now - max(truth.live_since, truth.hidden_until) > NOTICED
                mine = means(deed.scope(market), truth, market)
                self.claim(seen or not late or not mine, "held, and not noticed:", truth, deed)

    def _contradicts(self, market: Market, asked: Asked) -> None:
        """A later list shows what a kill that is over has called over: that is withdrawn."""
        for deed in self.deeds.values():
            flat = deed.flat_mono.get(market.name)
            if not deed.over or market.name not in deed.was_flat or flat is None:
                continue
            if (asked.left or 0.0) <= flat + LISTS_LAG or not isinstance(asked.outcome, Answered):
                continue
            tracked = {track.key for track in deed.kill.tracks()}
            back = {row.key for row in asked.outcome.value.orders} & tracked
            told_so = deed.kill.withdrawn.get(market.name, set())
            self.claim(back <= told_so, "a flat stands against a later list:", back, deed)

    def _track(self, deed: Deed, track: Track, market: Market) -> None:
        truth, said, shown = market.truths[track.key], deed.of(track.key), track.outcome
        if shown in ENDED:
            words = [order for _, _, order in said.ends if order.status is ENDED[shown]]
            self.claim(words, "shown as", shown, "without the venue's word:", track, truth)
            amounts = [order.filled for order in words]
            self.claim(track.filled in amounts, "filled", track.filled, "and the venue said", amounts)
            # Each time that it comes back, it takes twice as many lists to be believed against the word.
            enough = 6 << min(len(said.ends) - 1, 8)
            self.claim(
                said.lives_after_end < enough, "lives, is shown as over:", track.key, said.lives_after_end
            )
            if said.ends[-1][1] >= truth.live_since and truth.status.terminal:
                same = (ENDED[shown], track.filled) == (truth.status, truth.filled)
                self.claim(same, "shown as", shown, track.filled, "in truth", truth)
        elif shown is Ending.GONE:
            if truth.live_since < self._second_list(deed, market, truth) and not truth.hidden_long:
                self.claim(truth.status.terminal, "gone, and it lives:", truth)
        elif shown is Ending.OPEN and said.cancel_ended is not None:
            seen = max(said.live_begun, self.listed_live.get(track.key, -inf))
            fresh = seen >= said.cancel_ended
            self.claim(fresh, "shown as open on evidence from before its cancel:", track.key, seen, deed)
        accepted = track.stage is Stage.ACCEPTED
        self.claim(
            track.key in self.taken or not accepted,
            "shown as accepted without the word:",
            track.key,
            deed,
        )
        run = deed.kill.runs.get(track.key.venue)
        if said.lost_at is not None and run is not None and not run.over and not self._denied(deed, market):
            since = self.now - said.lost_at
            self.claim(since < READ_BACK, "not answered, and not read back:", track.key, deed)

    def _denied(self, deed: Deed, market: Market) -> bool:
        last = [one for one in market.log[-40:] if one.kill == deed.kill.kill_id and one.outcome is not None]
        return bool(last) and isinstance(last[-1].outcome, Unauthorised)

    def _second_list(self, deed: Deed, market: Market, truth: Truth) -> float:
        """When the first list of the newest pair began that stands for this order's part; before is known."""
        found = deed.lists.get((market.name, market.part_of(truth)), [])
        if not found:
            return -inf
        last = found[-1].left or 0.0
        return max(
            (one.left or 0.0 for one in found if (one.left or 0.0) <= last - SETTLE + 1e-6), default=-inf
        )

    def _flat(self, deed: Deed, market: Market) -> None:
        """The contract's two conditions, counted again from the log, and the truth."""
        scope, name = deed.scope(market), market.name
        if deed.kill.by_id and market.capabilities.read_order:
            for truth in (market.truths[key] for key in scope.keys or () if key.venue == name):
                key = truth.key
                if not truth.hidden_long:
                    ended = truth.status.terminal or bool(deed.of(key).ends)
                    self.claim(ended, "FLAT, and it lives:", truth, deed)
            return
        last_cancel = deed.last_cancel.get(name, -inf)
        for part in market.part_ids():
            self._proven(deed, market, part, last_cancel)
        for truth in market.live():
            if not means(scope, truth, market) or truth.hidden_long:
                continue
            known = truth.live_since < self._second_list(deed, market, truth)
            self.claim(not known, "FLAT, and it lives:", truth, deed)

    def _proven(self, deed: Deed, market: Market, part: str, last_cancel: float) -> None:
        scope = deed.scope(market)
        if part.startswith("account:") and scope.accounts and part[8:] not in scope.accounts:
            return
        # A pass is taken as a whole: what one of its parts brought counts when the last has come.
        mine = (one for one in market.open.values() if one.kill == deed.kill.kill_id)
        open_pass = min((one.asked for one in mine if one.call is CallClass.LIST), default=inf)
        found = [one for one in deed.lists.get((market.name, part), []) if one.asked < open_pass]
        late = [one for one in found if (one.left or 0.0) > last_cancel]
        if part == "past":
            held = any(self._scoped(scope, one, market) for one in found)
            if held:
                self.claim(
                    late and not self._scoped(scope, late[-1], market), "FLAT, and no re-read of", part
                )
            return
        ends = [(one.left or 0.0) for one in late]
        self.claim(
            len(late) >= 2 and ends[-1] - ends[0] >= SETTLE - 1e-6,
            "FLAT without two lists after the last cancel:", part, ends, last_cancel,
        )  # fmt: skip
        self.claim(
            not self._scoped(scope, late[-1], market),
            "FLAT against the last list of",
            part,
            deed,
        )

    @staticmethod
    def _scoped(scope: Scope, asked: Asked, market: Market) -> bool:
        if not isinstance(asked.outcome, Answered):
            return False
        rows = asked.outcome.value.orders
        return any(means(scope, market.truths[row.key], market) for row in rows)

    def _book(self, market: Market) -> None:
        """The book holds what the newest complete lists hold."""
        book = self.desk.slots[market.name].book
        for part, reading in book.parts.items():
            newest = self.newest.get((market.name, part))
            if newest is not None and newest.kill is not None:
                # A kill hands its lists over by the pass.
                at_it = (one for one in market.open.values() if one.call is CallClass.LIST)
                if any(one.kill == newest.kill for one in at_it):
                    continue
            if newest is None or not isinstance(newest.outcome, Answered) or not reading.complete:
                continue
            if newest.left is not None and newest.left <= reading.begun:
                continue
            rows = {row.key for row in newest.outcome.value.orders}
            stale = set(reading.orders) ^ rows
            self.claim(
                not stale, "the book of", part, "is older than the newest list:", stale, reading, newest
            )

    def explain(self, deed: Deed) -> str:
        """The last requests of a kill and its orders, for a reader of a failure."""
        lines = [f"\nkill {deed.kill.kill_id} {deed.kill.scope} deadline {deed.deadline} held {deed.held}"]
        for market in self.markets.values():
            lines += [line(one) for one in market.log if one.kill in (None, deed.kill.kill_id)][-25:]
        for track in deed.kill.tracks():
            truth = self.markets[track.key.venue].truths[track.key]
            lines.append(
                f"{track.key.order_id} {track.outcome} {track.stage} since {track.since:.3f}"
                f" sighted={track.sighted} lost={track.lost} doubted={track.doubted};"
                f" in truth {truth.status} since {truth.live_since:.3f}"
                f" {market.part_of(truth)} hidden until {truth.hidden_until:.3f} haunts={truth.haunts}"
            )
        return "\n  ".join(lines)


def _complete_list(asked: Asked) -> bool:
    if asked.call is not CallClass.LIST or not isinstance(asked.outcome, Answered):
        return False
    return bool(asked.outcome.value.complete)
