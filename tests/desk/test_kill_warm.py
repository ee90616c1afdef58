"""A kill in a console that knows the orders: the cancels leave at once, not after another list."""

from __future__ import annotations

from pathlib import Path

from cancel_tui.cancels import Ending
from cancel_tui.desk.desk import FRESH
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.gate import Urgency
from cancel_tui.orders import OrderKey, Side, VenueName
from cancel_tui.practice.market import State
from cancel_tui.scope import Scope
from tests.desk.drive import Stage, stage

P99 = VenueName("p99")
BUYS = Scope(sides=frozenset({Side.BUY}), raw={"side": ["buy"]})


async def look(at: Stage) -> None:
    await at.finish(at.desk.spawn(at.desk.list_venue(at.desk.slots[P99], Urgency.POLL, deep=False)))


def buys(at: Stage) -> set[OrderKey]:
    return {one.key for one in at.desk.slots[P99].book.orders() if one.side is Side.BUY}


async def test_singles_leave_although_no_list_of_the_kill_is_answered(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True, extra="timeout_seconds = 0.25\n") as at:
        await look(at)
        venue = at.cluster.named("p99")
        venue.faults.add("hang@list")
        kill = at.desk.plan_kill(BUYS, deadline=3000.0)
        task = at.desk.start(kill, {})
        wanted = buys(at)
        await at.until(lambda: sum(one.state is State.CANCELLED for one in venue.book.orders.values()) > 0)
        await at.until(lambda: {one.key for one in kill.tracks() if one.attempts} == wanted)
        assert kill.verdict is not Verdict.FLAT
        venue.faults.clear()
        await at.finish(task)
        assert verdict(kill.verdict) is Verdict.FLAT
        assert {one.outcome for one in kill.tracks()} == {Ending.CANCELED}
        assert not any(one.newcomer for one in kill.tracks())


def verdict(found: Verdict) -> Verdict:
    return found


async def test_an_old_list_is_not_cancelled_by(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        await look(at)
        at.clock.advance(FRESH + 1.0)
        venue = at.cluster.named("p99")
        venue.faults.add("hang@list")
        kill = at.desk.plan_kill(BUYS, deadline=30.0)
        await at.finish(at.desk.start(kill, {}))
        assert kill.tracks() == []
        assert kill.verdict is Verdict.UNVERIFIED


async def test_what_was_cancelled_since_the_list_is_not_cancelled_again(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        await look(at)
        known = [next(one for one in at.desk.slots[P99].book.orders() if one.side is Side.BUY)]
        one = at.desk.plan_kill(
            Scope(keys=frozenset({known[0].key}), raw={}), by_id=True, known=known, deadline=60.0
        )
        await at.finish(at.desk.start(one, {}))
        assert verdict(one.verdict) is Verdict.FLAT
        kill = at.desk.plan_kill(BUYS, deadline=60.0)
        await at.finish(at.desk.start(kill, {}))
        assert verdict(kill.verdict) is Verdict.FLAT
        assert known[0].key not in {track.key for track in kill.tracks()}


async def test_orders_outside_the_scope_are_not_taken_from_the_list(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        await look(at)
        wanted = buys(at)
        kill = at.desk.plan_kill(BUYS, deadline=60.0)
        await at.finish(at.desk.start(kill, {}))
        assert {track.key for track in kill.tracks()} == wanted
        assert at.cluster.live()["p99"] != []
