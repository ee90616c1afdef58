"""A cancel-all whose answer was lost before any list was read: what it ended is found, or that is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cancel_tui.cli.kill import report
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.kill import UNTOLD, Kill
from cancel_tui.desk.report import kill_json
from cancel_tui.orders import VenueName
from cancel_tui.practice.market import State
from cancel_tui.scope import Scope
from tests.desk.drive import Stage, stage

LOST = ("effect_then_hang@cancel_all*1", "http500@list*2")
"""The cancel-all takes effect, its answer is lost, and no list can be read before that."""
FAST = "timeout_seconds = 0.25\n"


async def killed(at: Stage, name: str, *faults: str) -> Kill:
    at.cluster.named(name).faults |= set(faults)
    kill = at.desk.plan_kill(Scope(raw={}), deadline=120.0)
    await at.finish(at.desk.start(kill, {}))
    return kill


def live(at: Stage, name: str) -> set[str]:
    return {one["order_id"] for one in at.cluster.live()[name]}


@pytest.mark.parametrize("name", ["p99", "cs-fut"])
async def test_what_a_lost_cancel_all_ended_is_named_though_no_list_ever_held_it(
    tmp_path: Path, name: str
) -> None:
    async with stage(tmp_path, 40, only=name, alone=True, extra=FAST) as at:
        there = live(at, name)
        kill = await killed(at, name, *LOST)
        assert kill.verdict is Verdict.FLAT
        document = kill_json(kill)
        named = {one["order_id"]: one for one in document["orders"]}
        assert there <= named.keys()
        for ident in there:
            one = named[ident]
            assert (one["outcome"], one["attempts"]) == ("canceled", 1)
            assert one["requested_at"] is not None
            assert one["confirmed_at"] is not None
            assert "found among the finished orders" in one["message"]
        assert named.keys() <= there, "nothing that had ended before belongs to the report"
        assert document["venues"][0]["notes"] == []
        assert kill.results()[0].requests["closed"] >= 1


@pytest.mark.parametrize(("name", "fault"), [("cs-fut", "http500@closed"), ("roxom", "")])
async def test_what_cannot_be_known_of_it_is_said_on_the_venues_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, fault: str
) -> None:
    """One history cannot be read, the other does not say when its orders ended."""
    async with stage(tmp_path, 40, only=name, alone=True, extra=FAST) as at:
        there = live(at, name)
        kill = await killed(at, name, *LOST, *filter(None, [fault]))
        assert kill.verdict is Verdict.FLAT, "the two lists are the proof"
        assert {one["order_id"] for one in kill_json(kill)["orders"]}.isdisjoint(there)
        assert kill.results()[0].notes == (UNTOLD,)
        assert kill.results()[0].error is None
        assert kill_json(kill)["venues"][0]["notes"] == [UNTOLD]
        report(kill, as_json=False)
        assert f"{name}: {UNTOLD}" in capsys.readouterr().out


async def test_a_verdict_waits_for_no_more_than_one_page_of_a_long_history(tmp_path: Path) -> None:
    async with stage(tmp_path, 40, only="p99", alone=True, extra=FAST + 'limits.closed = "1/60"\n') as at:
        book = at.cluster.named("p99").book
        old = book.finished()[0]
        for number in range(450):
            created = old.created - 10.0 * number
            book.add(replace(old, id=book.new_id(), created=created, state=State.CANCELLED))
        kill = await killed(at, "p99", *LOST)
        assert kill.verdict is Verdict.FLAT
        assert kill.results()[0].requests["closed"] == 1
        assert kill.results()[0].notes == (UNTOLD,)
        flat_at = kill.runs[VenueName("p99")].engine.flat_at or 0.0
        assert at.clock.monotonic() - flat_at < 1.0, "the budget of the next page is not waited for"


async def test_a_cancel_all_that_said_what_it_ended_is_not_looked_after(tmp_path: Path) -> None:
    async with stage(tmp_path, 40, only="p99", alone=True, extra=FAST) as at:
        there = live(at, "p99")
        kill = await killed(at, "p99")
        assert there <= {one["order_id"] for one in kill_json(kill)["orders"]}
        assert kill.runs[VenueName("p99")].engine.silent_at is None
        assert kill.results()[0].notes == ()
        assert not [one for one in kill.tracks() if "found among" in (one.message or "")]


async def test_a_cancel_all_that_named_nothing_before_any_list_is_checked_with_one_page(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, 40, only="cs-fut", alone=True, extra=FAST) as at:
        for order in at.cluster.named("cs-fut").book.live():
            order.state = State.CANCELLED
        kill = await killed(at, "cs-fut")
        assert kill.verdict is Verdict.FLAT
        assert kill.results()[0].requests["closed"] == 1
        assert kill.results()[0].notes == ()


async def test_what_was_placed_after_the_cancel_all_is_none_of_its_doing(tmp_path: Path) -> None:
    async with stage(tmp_path, 40, only="p99", alone=True, extra=FAST) as at:
        book, now = at.cluster.named("p99").book, at.clock.wall()
        there, old = live(at, "p99"), book.finished()[0]
        later = replace(old, id=book.new_id(), created=now + 1000.0, updated=now + 1001.0)
        book.add(later)
        kill = await killed(at, "p99", *LOST)
        named = {one.key.order_id for one in kill.tracks()}
        assert there <= named
        assert later.id not in named


async def test_after_a_fresh_list_nothing_has_to_be_looked_for(tmp_path: Path) -> None:
    async with stage(tmp_path, 40, only="p99", alone=True, extra=FAST) as at:
        slot = at.desk.slots[VenueName("p99")]
        await at.finish(at.desk.spawn(at.desk.list_venue(slot, Urgency.KILL, deep=True)))
        kill = await killed(at, "p99", *LOST)
        assert kill.runs[slot.name].engine.silent_at is None
        assert kill.results()[0].notes == ()
        assert kill.verdict is Verdict.FLAT
