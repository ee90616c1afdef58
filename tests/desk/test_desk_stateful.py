"""The desk as a whole against model venues: random orders, troubles, times and acts; the truth is the judge.

Nothing of the desk is replaced but the sockets and the disk: lanes, pacing, polls, book, kills and runners
are its own. After every moment in which something happened each promise is held against the venues' own logs.
"""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from cancel_tui.desk.gate import Urgency
from cancel_tui.orders import Side
from cancel_tui.scope import Scope, fold
from tests.desk.stateful_deeds import Deed
from tests.desk.stateful_floor import DEADLINE, Floor
from tests.desk.stateful_market import ACCOUNTS, SYMBOLS, Honesty, Market, Mood, Temper, Truth

MOST_ORDERS = 14
MOST_DEEDS = 4

tempers = st.builds(
    Temper,
    reads=st.booleans(),
    closed=st.booleans(),
    native=st.booleans(),
    native_symbol=st.booleans(),
    honesty=st.sampled_from(list(Honesty)),
    two_phase=st.sampled_from([0.0, 0.3, 2.0]),
    forgets=st.booleans(),
    tight=st.booleans(),
    accounts=st.booleans(),
    past=st.booleans(),
    seed=st.integers(0, 2**16),
)
picks = st.integers(0, 1000)


class Crash(Exception):
    """A screen that fell over while drawing."""


class DeskMachine(RuleBasedStateMachine):
    """Operators, venues and time."""

    def __init__(self) -> None:
        super().__init__()
        self.floor: Floor | None = None

    @property
    def at(self) -> Floor:
        """The floor, once there is one."""
        assert self.floor is not None
        return self.floor

    @initialize(
        kinds=st.lists(tempers, min_size=1, max_size=3), orders=st.integers(0, 6), watching=st.booleans()
    )
    def begin(self, kinds: list[Temper], orders: int, watching: bool) -> None:
        self.floor = Floor(*kinds, orders=orders)
        self.at.open(watching=watching)
        self.at.pass_time(3.0)

    def _market(self, pick: int) -> Market:
        return list(self.at.markets.values())[pick % len(self.at.markets)]

    def _truth(self, pick: int, *, over: bool = False) -> tuple[Market, Truth] | None:
        found = [
            (market, truth)
            for market in self.at.markets.values()
            for truth in market.truths.values()
            if truth.status.terminal is over
        ]
        return found[pick % len(found)] if found else None

    # ------------------------------------------------------------------ time

    @rule(seconds=st.sampled_from([0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 12.0]))
    def time_passes(self, seconds: float) -> None:
        self.at.pass_time(seconds)

    # ------------------------------------------------------------------ the market

    @rule(pick=picks, protective=st.booleans(), hidden=st.sampled_from([0.0, 0.0, 0.7, 4.0]))
    def an_order_appears(self, pick: int, protective: bool, hidden: float) -> None:
        market = self._market(pick)
        if len(market.truths) < MOST_ORDERS:
            truth = market.place(protective=protective)
            if hidden:
                market.hide(truth, hidden)

    @rule(pick=picks, whole=st.booleans())
    def an_order_trades(self, pick: int, whole: bool) -> None:
        if found := self._truth(pick):
            found[0].fill(found[1], whole=whole)

    @rule(pick=picks)
    def an_order_expires(self, pick: int) -> None:
        if found := self._truth(pick):
            found[0].expire(found[1])

    @rule(pick=picks)
    def a_restart_brings_an_order_back(self, pick: int) -> None:
        if found := self._truth(pick, over=True):
            found[0].restart(found[1])

    @rule(pick=picks)
    def a_list_holds_on_to_an_order_that_is_over(self, pick: int) -> None:
        if found := self._truth(pick, over=True):
            found[0].haunt(found[1])

    @rule(pick=picks, seconds=st.sampled_from([0.7, 0.7, 4.0]))
    def a_list_misses_an_order(self, pick: int, seconds: float) -> None:
        if found := self._truth(pick):
            found[0].hide(found[1], seconds)

    @rule(pick=picks, mood=st.sampled_from(list(Mood)), chance=st.sampled_from([0.3, 0.7, 1.0]))
    def a_venue_changes_its_mood(self, pick: int, mood: Mood, chance: float) -> None:
        self._market(pick).change(mood, chance)

    @rule(pick=picks)
    def a_venue_recovers(self, pick: int) -> None:
        self._market(pick).change(Mood.FINE)

    # ------------------------------------------------------------------ operators

    @precondition(lambda self: len(self.at.running()) < MOST_DEEDS)
    @rule(pick=picks, times=st.integers(1, 3), gap=st.sampled_from([0.0, 0.01, 0.2]))
    def a_cancel_is_pressed(self, pick: int, times: int, gap: float) -> None:
        listed = self.at.listed()
        for _ in range(times if listed else 0):
            self.at.press(frozenset({listed[pick % len(listed)]}))
            if gap:
                self.at.pass_time(gap)

    @precondition(lambda self: len(self.at.running()) < MOST_DEEDS)
    @rule(pick=picks, count=st.integers(2, 5))
    def marked_orders_are_cancelled(self, pick: int, count: int) -> None:
        listed = self.at.listed()
        if listed:
            self.at.press(frozenset(listed[(pick + one) % len(listed)] for one in range(count)))

    @precondition(lambda self: len(self.at.running()) < MOST_DEEDS)
    @rule(
        pick=picks,
        narrow=st.sampled_from(["", "", "side", "symbol", "account", "older", "keep", "venue", "marked"]),
        hold=st.sampled_from([0.0, 0.0, 5.0, inf]),
        deadline=st.sampled_from([DEADLINE, DEADLINE, 4.0]),
        stop_after=st.sampled_from([None, None, 0.0, 0.2, 1.0]),
    )
    def a_kill(self, pick: int, narrow: str, hold: float, deadline: float, stop_after: float | None) -> None:
        kill = self.at.start(self._scope(narrow, pick), hold=hold, deadline=deadline)
        if stop_after is not None:
            self.at.pass_time(stop_after)
            self.at.stop(self.at.judge.deeds[kill.kill_id])

    @precondition(lambda self: len(self.at.running()) < MOST_DEEDS)
    @rule(
        hold=st.booleans(),
        stop=st.sampled_from([False, False, True]),
        what=st.sampled_from(["new", "back", "ghost"]),
    )
    def something_shows_after_a_flat(self, hold: bool, stop: bool, what: str) -> None:
        kill = self.at.start(Scope(raw={}), hold=inf if hold else 0.0)
        self.at.pass_time(12.0)
        if stop:
            self.at.stop(self.at.judge.deeds[kill.kill_id])
        for market in self.at.markets.values():
            over = [truth for truth in market.truths.values() if truth.status.terminal][:2]
            if what == "new" and len(market.truths) < MOST_ORDERS:
                market.place()
            for truth in over:
                if what == "back":
                    market.restart(truth)
                elif what == "ghost":
                    market.haunt(truth)
        self.at.pass_time(30.0)

    def _scope(self, narrow: str, pick: int) -> Scope:
        if narrow == "side":
            side = list(Side)[pick % 2]
            return Scope(sides=frozenset({side}), raw={"side": [side.value]})
        if narrow == "symbol":
            symbol = SYMBOLS[pick % 2]
            return Scope(symbols=fold([symbol]), raw={"symbol": [symbol]})
        if narrow == "account":
            account = ACCOUNTS[pick % 2]
            return Scope(accounts=fold([account]), raw={"account": [account]})
        if narrow == "venue":
            name = self._market(pick).name
            return Scope(venues=fold([name]), raw={"venue": [name]})
        if narrow == "older":
            return Scope(older_than=self.at.clock.wall() - 30.0, raw={})
        if narrow == "keep":
            return Scope(keep_protective=True, raw={})
        if narrow == "marked":
            return Scope(keys=frozenset(self.at.listed()[: 1 + pick % 4]), raw={})
        return Scope(raw={})

    def _deed(self, pick: int) -> Deed | None:
        running = self.at.running()
        return running[pick % len(running)] if running else None

    @rule(pick=picks, deep=st.booleans())
    def a_list_is_asked_for(self, pick: int, deep: bool) -> None:
        slot = self.at.desk.slots[self._market(pick).name]
        work = self.at.desk.list_venue(slot, Urgency.POLL, deep=deep)
        self.at.act(self.at.desk.spawn, work)

    @rule(pick=picks)
    def a_hold(self, pick: int) -> None:
        if deed := self._deed(pick):
            self.at.hold(deed)

    @rule(pick=picks)
    def a_release(self, pick: int) -> None:
        if deed := self._deed(pick):
            self.at.release(deed)

    @rule(pick=picks)
    def a_stop(self, pick: int) -> None:
        if deed := self._deed(pick):
            self.at.stop(deed)

    @rule(times=st.integers(1, 3), pick=picks, at_kill=st.booleans())
    def a_screen_crashes(self, times: int, pick: int, at_kill: bool) -> None:
        left = [times]
        deed = self._deed(pick)
        watchers = deed.kill.watchers if at_kill and deed is not None else self.at.desk.watchers

        def draw() -> None:
            left[0] -= 1
            if not left[0]:
                watchers.remove(draw)
            raise Crash

        watchers.append(draw)

    # ------------------------------------------------------------------ the end

    def teardown(self) -> None:
        if self.floor is None:
            return
        try:
            if not self.floor.broken:
                self.floor.end()
        finally:
            self.floor.close()


class ManyLives(DeskMachine):
    """The same, for the long mode."""


TestDesk = DeskMachine.TestCase
TestDesk.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestDeskForLong = pytest.mark.long(ManyLives.TestCase)
TestDeskForLong.settings = settings(
    max_examples=5000,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
