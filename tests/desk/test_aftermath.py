"""After the verdict: a list that contradicts it withdraws it and reopens the kill; a new order does not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from cancel_tui.cancels import Ending
from cancel_tui.desk.chain import read_journal
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.kill import REOPENINGS, Kill
from cancel_tui.desk.report import kill_json
from cancel_tui.desk.story import order_stories
from cancel_tui.orders import VenueName
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.scope import Scope
from tests.desk.drive import Stage, stage

P99 = VenueName("p99")


async def killed(at: Stage, *, by_id: bool = False) -> Kill:
    """A kill that has ended flat, and the book read once more."""
    if by_id:
        await look(at)
        known = list(at.desk.slots[P99].book.orders())[:1]
        scope = Scope(keys=frozenset(one.key for one in known), raw={})
        kill = at.desk.plan_kill(scope, deadline=60.0, by_id=True, known=known)
    else:
        kill = at.desk.plan_kill(Scope(raw={}), deadline=60.0)
    await at.finish(at.desk.start(kill, {}))
    assert kill.verdict is Verdict.FLAT
    at.clock.advance(8.0)
    return kill


async def look(at: Stage) -> None:
    """One poll."""
    work = at.desk.list_venue(at.desk.slots[P99], Urgency.POLL, deep=False)
    await at.finish(at.desk.spawn(work))


async def ended(at: Stage, kill: Kill) -> None:
    await at.until(lambda: kill.finished_wall is not None)


def verdict(kill: Kill) -> Verdict:
    """As it stands now."""
    return kill.verdict


def again(at: Stage) -> SimOrder:
    """An order that was over is live again."""
    order = at.cluster.named("p99").book.finished()[0]
    order.state = State.RESTING
    return order


def fresh(at: Stage, created: float) -> SimOrder:
    """A live order that nobody has seen, created at a wall time."""
    book = at.cluster.named("p99").book
    order = replace(book.finished()[0], id=book.new_id(), created=created, state=State.RESTING)
    return book.add(order)


async def test_an_order_that_comes_back_withdraws_the_flat_and_is_cancelled_again(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        kill = await killed(at)
        order = again(at)
        await look(at)
        assert kill.came_back == 1
        assert verdict(kill) is not Verdict.FLAT or order.state is State.CANCELLED
        assert {str(key.order_id) for key in kill.withdrawn[P99]} == {order.id}
        await ended(at, kill)
        assert kill.verdict is Verdict.FLAT
        assert order.state is State.CANCELLED
        at.desk.journal.close()
        kinds = [one["kind"] for _, one in read_journal(tmp_path / "data" / "journal")]
        assert kinds.count("flat_withdrawn") == 1
        assert kinds.count("kill_end") == 2


async def test_an_order_that_was_hidden_all_along_is_found_and_cancelled(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        kill = await killed(at)
        order = fresh(at, at.clock.wall() - 3600.0)
        await look(at)
        await ended(at, kill)
        assert order.state is State.CANCELLED
        assert verdict(kill) is Verdict.FLAT
        assert kill.came_back == 1


async def test_an_order_that_was_placed_after_the_verdict_is_nobodys(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        kill = await killed(at)
        new = fresh(at, at.clock.wall())
        await look(at)
        assert kill.finished_wall is not None
        assert kill.verdict is Verdict.FLAT
        again(at)
        await look(at)
        assert kill.came_back == 1
        await ended(at, kill)
        assert new.state is State.RESTING, "a kill that reopens must not take what was placed since"
        assert kill.verdict is Verdict.FLAT


async def test_what_was_placed_while_a_flat_was_held_belongs_to_the_kill_also_later(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        kill = at.desk.plan_kill(Scope(raw={}), deadline=60.0, hold=inf)
        task = at.desk.start(kill, {})
        begun = at.clock.monotonic()
        await at.until(lambda: at.clock.monotonic() - begun > 30.0)
        during = at.clock.wall() - 10.0
        kill.release()
        await at.finish(task)
        for times in (1, 2):
            at.clock.advance(8.0)
            hidden, new = fresh(at, during), fresh(at, at.clock.wall())
            await look(at)
            await ended(at, kill)
            assert kill.came_back == times
            assert (hidden.state, new.state) == (State.CANCELLED, State.RESTING)
            assert verdict(kill) is Verdict.FLAT


async def test_a_single_cancel_whose_order_is_listed_again_is_taken_up_again(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        kill = await killed(at, by_id=True)
        order = again(at)
        await look(at)
        assert kill.came_back == 1
        await ended(at, kill)
        assert order.state is State.CANCELLED
        assert [one.outcome for one in kill.tracks()] == [Ending.CANCELED]


async def test_an_order_that_comes_back_for_ever_is_alarmed_and_not_chased_for_ever(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        kill = await killed(at)
        for _ in range(REOPENINGS):
            again(at)
            await look(at)
            await ended(at, kill)
            assert verdict(kill) is Verdict.FLAT
            at.clock.advance(8.0)
        back, hidden = again(at), fresh(at, at.clock.wall() - 3600.0)
        await look(at)
        assert kill.finished_wall is not None
        assert verdict(kill) is Verdict.NOT_FLAT, "it is withdrawn all the same"
        assert "came back after a flat" in str(kill.results()[0].error)
        named = {one["order_id"]: one["outcome"] for one in kill_json(kill)["orders"]}
        assert (named[back.id], named[hidden.id]) == ("open", "open"), "nobody asks any more: the list is it"
        await asyncio.to_thread(at.desk.journal.close, 5)
        stories = order_stories(one for _, one in read_journal(tmp_path / "data" / "journal"))
        assert {one.outcome for one in stories if one.order in (back.id, hidden.id)} == {"open"}


async def test_orders_that_were_left_behind_are_taken_and_new_ones_not_with_them(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        kill = await killed(at)
        venue = at.cluster.named("p99")
        new = fresh(at, at.clock.wall())
        for _ in range(9):
            fresh(at, at.clock.wall() - 3600.0)
        venue.seen.clear()
        await look(at)
        await ended(at, kill)
        assert kill.verdict is Verdict.FLAT
        assert [one["order_id"] for one in at.cluster.live()["p99"]] == [new.id]
        assert not any(path.startswith("DELETE") and path.endswith("/orders") for path in venue.seen)


async def test_what_was_never_called_over_withdraws_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        venue = at.cluster.named("p99")
        venue.faults |= {"trading_disabled"}
        kill = at.desk.plan_kill(Scope(raw={}), deadline=15.0)
        await at.finish(at.desk.start(kill, {}))
        assert kill.verdict is Verdict.NOT_FLAT
        at.clock.advance(8.0)
        venue.faults.clear()
        await look(at)
        assert kill.came_back == 0
        assert kill.finished_wall is not None
        assert len(at.cluster.live()["p99"]) > 0


async def test_a_hold_pressed_after_a_venue_was_through_covers_it(tmp_path: Path) -> None:
    async with stage(tmp_path, 40) as at:
        at.cluster.named("roxom").faults.add("hang")
        kill = at.desk.plan_kill(Scope(raw={}), deadline=60.0)
        task = at.desk.start(kill, {})
        await at.until(lambda: P99 in kill.runs and kill.runs[P99].over)
        assert kill.finished_wall is None
        kill.hold()
        at.clock.advance(5.0)
        newcomer = fresh(at, at.clock.wall())
        await at.until(lambda: newcomer.state is State.CANCELLED, real=60.0)
        at.cluster.named("roxom").faults.clear()
        kill.release()
        await at.finish(task, real=60.0)
        assert any(str(one.key.order_id) == newcomer.id and one.newcomer for one in kill.tracks())


async def test_a_watcher_that_fails_stops_no_kill(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        kill = at.desk.plan_kill(Scope(raw={}), deadline=inf)

        def broken() -> None:
            raise RuntimeError("a screen that cannot be drawn")

        kill.watchers.append(broken)
        at.desk.watchers.append(broken)
        await at.finish(at.desk.start(kill, {}))
        assert kill.verdict is Verdict.FLAT
        assert at.cluster.live()["p99"] == []


@pytest.mark.parametrize("flat", [True, False])
async def test_lists_that_a_kill_of_its_own_scope_reads_do_not_reopen_it(tmp_path: Path, flat: bool) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        first = await killed(at)
        if not flat:
            fresh(at, at.clock.wall())
        second = at.desk.plan_kill(Scope(raw={}), deadline=60.0)
        await at.finish(at.desk.start(second, {}))
        assert second.verdict is Verdict.FLAT
        assert first.came_back == 0
