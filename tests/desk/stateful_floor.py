"""The floor: a desk and its model venues on one manual clock, the acts of operators, and the judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from cancel_tui.clock import Clock, ManualClock
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.kill import Kill
from cancel_tui.orders import OrderKey, VenueName
from cancel_tui.redaction import Secret
from cancel_tui.scope import Scope
from cancel_tui.settings import Settings, VenueSettings
from tests.desk.stateful_deeds import Deed
from tests.desk.stateful_judge import Judge
from tests.desk.stateful_market import SETTLE, Market, Temper
from tests.desk.stateful_wire import Driver, MemoryJournal, ModelVenue, ModelWire

DEADLINE = 120.0


class Floor:
    """Everything between the operators and the venues' own truth."""

    def __init__(self, *tempers: Temper, orders: int = 0) -> None:
        self.broken = False
        """Whether a promise was broken: then nothing more is asked of the desk."""
        self.clock = ManualClock(1_790_000_000.0)
        self.driver = Driver(self.clock, self._look)
        self.journal = MemoryJournal(self.clock)
        self.markets: dict[str, Market] = {}
        self.opening = 0.0
        """Seconds that the credentials of a venue take."""
        for number, temper in enumerate(tempers):
            name = f"v{number}"
            market = Market(VenueName(name), temper, self.clock, later=self.driver.later)
            self.markets[name] = market
            for index in range(orders):
                market.place(age=7200.0 if index % 3 == 1 else 60.0, protective=index % 4 == 3)
        ModelWire.markets = {port + 1: one for port, one in enumerate(self.markets.values())}
        self._patches = ExitStack()
        for name, stand_in in (
            ("lane.Wire", ModelWire),
            ("watching.make_venue", self._make),
            ("watching.Journal", self._journal),
            # The jitter of waits after a 429: the same in every life.
            ("pacing.random", SimpleNamespace(Random=lambda: Random(0))),
        ):
            self._patches.enter_context(patch(f"cancel_tui.desk.{name}", stand_in))
        tables = tuple(
            VenueSettings(
                name=one, kind="p99-spot", base_url=f"http://127.0.0.1:{port + 1}", settle_seconds=SETTLE
            )
            for port, one in enumerate(self.markets)
        )
        self.desk = Desk(Settings(path=None, venues=tables), self.clock, None, self._credentials)
        self.judge = Judge(self.desk, self.journal, self.markets)

    def _make(self, table: VenueSettings, _: object, __: object) -> ModelVenue:
        return ModelVenue(self.markets[table.name])

    def _journal(self, _: object, __: Clock) -> MemoryJournal:
        return self.journal

    async def _credentials(self, _: VenueSettings) -> dict[str, Secret]:
        await self.clock.sleep(self.opening)
        return {}

    def _look(self) -> None:
        try:
            self.judge.look()
        except BaseException:
            self.broken = True
            raise

    # ------------------------------------------------------------------ time

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self.clock.monotonic()

    def act(self, what: Callable[..., Any], *args: Any) -> Any:
        """Do something inside the event loop, at one stroke."""

        async def inside() -> Any:
            return what(*args)

        return self.driver.run(inside())

    def open(self, *, watching: bool) -> None:
        """Open every venue; with `watching`, poll from now on."""
        self.driver.run(self.desk.open())
        if watching:
            self.act(self.desk.watch)

    def pass_time(self, seconds: float, done: Callable[[], bool] = lambda: False) -> None:
        """Let that much time pass, or less where a condition comes true."""
        self.driver.pass_time(seconds, done)

    def finish(self, *kills: Kill, seconds: float = 300.0) -> None:
        """Let time pass until these kills are over."""
        self.pass_time(seconds, lambda: all(kill.finished_wall is not None for kill in kills))
        left = [self.judge.deeds[kill.kill_id] for kill in kills if kill.finished_wall is None]
        self.judge.claim(not left, "a kill has no end", *left)

    # ------------------------------------------------------------------ operators

    def running(self) -> list[Deed]:
        """Acts that are not over."""
        return [deed for deed in self.judge.deeds.values() if deed.kill.finished_wall is None]

    def listed(self) -> list[OrderKey]:
        """What the book holds."""
        return sorted(order.key for slot in self.desk.slots.values() for order in slot.book.orders())

    def start(
        self, scope: Scope, *, by_id: bool = False, hold: float = 0.0, deadline: float = DEADLINE
    ) -> Kill:
        """A kill, or a cancel of named orders."""
        rows = [order for slot in self.desk.slots.values() for order in slot.book.orders()]
        known = [order for order in rows if scope.keys is not None and order.key in scope.keys]
        kill = self.desk.plan_kill(scope, hold=hold, deadline=deadline, by_id=by_id, known=known)
        task = self.act(self.desk.start, kill, {})
        self.judge.deeds[kill.kill_id] = Deed(kill, task, self.now, deadline, hold > 0)
        return kill

    def press(self, keys: frozenset[OrderKey]) -> Kill | None:
        """As the console does it: what is under way already is not asked for again."""
        wanted = frozenset(key for key in keys if not self.desk.busy(key))
        if not wanted:
            return None
        kill = self.start(Scope(keys=wanted, raw={}), by_id=True)
        self.judge.claim(
            all(map(self.desk.busy, wanted)), "what was just asked for does not count as under way"
        )
        return kill

    def hold(self, deed: Deed) -> None:
        """Go on after flat, until released."""
        deed.held, deed.held_at = True, self.now
        deed.before.clear()
        self.act(deed.kill.hold)

    def release(self, deed: Deed) -> None:
        """End a hold."""
        self.act(deed.kill.release)

    def stop(self, deed: Deed) -> None:
        """No new cancel."""
        deed.stopped = min(deed.stopped, self.now)
        self.act(deed.kill.stop, self.now)

    # ------------------------------------------------------------------ the end

    def end(self) -> None:
        """The troubles are over: everything ends, and a last kill proves flat."""
        for market in self.markets.values():
            market.heal()
        for deed in self.running():
            self.release(deed)
        self.finish(*(deed.kill for deed in self.running()))
        last = self.start(Scope(raw={}))
        self.finish(last, seconds=200.0)
        deed = self.judge.deeds[last.kill_id]
        self.judge.claim(last.verdict is Verdict.FLAT, "not flat at the end", deed)
        for market in self.markets.values():
            left = [truth for truth in market.live() if not truth.hidden_long]
            self.judge.claim(not left, "live at the end", *left, deed)
        polls: Sequence[Any] = list(self.desk._polls.values())
        self.judge.claim(not any(one.done() for one in polls), "a venue is not polled any more")

    def close(self) -> None:
        """Let go of everything."""
        self.driver.loop.run_until_complete(self.desk.close())
        self.driver.close()
        self._patches.close()
