"""Cancels that get nowhere: the reason, the age from the first failure, the venue's words, and asking on."""

from __future__ import annotations

from pathlib import Path

import pytest

from cancel_tui.cancels import Ending
from cancel_tui.desk.actions import pause
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.impasse import ALARM_AFTER, Blocked, DeadEnd, blocked, dead_end, impasses, pending
from cancel_tui.desk.kill import INCOMPLETE
from cancel_tui.desk.report import kill_json
from cancel_tui.orders import VenueName
from cancel_tui.scope import Scope
from cancel_tui.text import VenueText
from cancel_tui.venues.outcome import (
    Failure,
    NotSent,
    Reason,
    Refused,
    Throttled,
    Unanswered,
    Unauthorised,
)
from tests.desk.drive import stage

P99 = VenueName("p99")


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (Refused(Reason.HALTED), DeadEnd.HALTED),
        (Refused(Reason.BUSY), DeadEnd.BUSY),
        (Refused(Reason.ORDER), DeadEnd.REFUSED),
        (Refused(Reason.REQUEST), DeadEnd.REFUSED),
        (Refused(Reason.NOT_FOUND), None),
        (Unauthorised(), DeadEnd.FORBIDDEN),
        (Throttled(), DeadEnd.THROTTLED),
        (Unanswered("HTTP 503", None, 503), DeadEnd.HALTED),
        (Unanswered("timeout"), DeadEnd.SILENT),
        (NotSent("connection refused"), DeadEnd.UNREACHABLE),
        (NotSent("the deadline passed", late=True), None),
    ],
)
def test_every_failure_has_its_dead_end(outcome: Failure, why: DeadEnd | None) -> None:
    assert dead_end(outcome) is why


def test_the_age_counts_from_the_first_failure_and_the_words_are_the_last() -> None:
    first = blocked(None, Refused(Reason.BUSY, VenueText("queue full")), 5.0)
    then = blocked(first, Refused(Reason.HALTED, VenueText("market halted")), 9.0)
    assert then == Blocked(DeadEnd.HALTED, 5.0, "refused (market halted)")
    assert blocked(then, Refused(Reason.NOT_FOUND), 12.0) is then


def test_orders_that_are_stuck_for_one_reason_are_one_line() -> None:
    old = Blocked(DeadEnd.HALTED, 1.0, "a")
    found = impasses([old, None, Blocked(DeadEnd.HALTED, 4.0, "b"), Blocked(DeadEnd.SILENT, 2.0, "c")])
    assert [(one.why, one.orders, one.since, one.words) for one in found] == [
        (DeadEnd.HALTED, 2, 1.0, "b"),
        (DeadEnd.SILENT, 1, 2.0, "c"),
    ]
    assert found[0].age(11.0) == 10.0


def test_an_accepted_cancel_that_does_not_come_about_is_a_dead_end_of_its_own() -> None:
    assert pending(0.0, ALARM_AFTER - 0.1) is None
    late = pending(0.0, ALARM_AFTER)
    assert late is not None
    assert late.why is DeadEnd.PENDING


def test_a_halted_market_is_asked_again_slowly_and_for_ever() -> None:
    waits = [pause(Refused(Reason.HALTED), attempts) for attempts in range(1, 40)]
    assert waits[0] == 1.0
    assert max(waits) == 5.0
    assert waits[-1] == 5.0


async def test_a_halt_is_told_with_its_age_and_its_words_and_ends_by_itself(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        venue = at.cluster.named("p99")
        venue.faults.add("trading_disabled")
        kill = at.desk.plan_kill(Scope(raw={}), deadline=120.0)
        task = at.desk.start(kill, {})
        begun = at.clock.monotonic()
        await at.until(lambda: at.clock.monotonic() - begun > ALARM_AFTER + 15, real=60.0)
        found = kill.runs[P99].engine.impasses(at.clock.monotonic())
        assert [one.why for one in found] == [DeadEnd.HALTED]
        assert found[0].age(at.clock.monotonic()) >= ALARM_AFTER
        assert "spot trading disabled" in found[0].words
        told = kill_json(kill)["venues"][0]["dead_ends"]
        assert told[0]["why"] == "halted"
        assert told[0]["orders"] == found[0].orders
        tries = sum(path.startswith("DELETE") for path in venue.seen)
        venue.faults.clear()
        await at.finish(task)
        assert kill.verdict is Verdict.FLAT
        assert at.cluster.live()["p99"] == []
        assert tries < 200, "a halted venue must not be stormed"
        assert {one.outcome for one in kill.tracks()} == {Ending.CANCELED}
        assert kill_json(kill)["venues"][0]["dead_ends"] == []


async def test_no_order_has_two_cancels_in_flight_whoever_sent_them(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True, extra="timeout_seconds = 1\n") as at:
        slot = at.desk.slots[P99]
        await at.finish(at.desk.spawn(at.desk.list_venue(slot, Urgency.KILL, deep=False)))
        venue = at.cluster.named("p99")
        venue.faults.add("hang@cancel")
        order = next(iter(slot.book.orders()))
        one = at.desk.plan_kill(
            Scope(keys=frozenset({order.key}), raw={}), by_id=True, known=[order], deadline=30_000.0
        )
        single = at.desk.start(one, {})
        path = f"/{order.key.order_id}"
        await at.until(lambda: any(seen.endswith(path) for seen in venue.seen))
        assert order.side is not None
        sides = frozenset({order.side})
        scoped = at.desk.plan_kill(Scope(sides=sides, raw={"side": [order.side.value]}), deadline=30_000.0)
        task = at.desk.start(scoped, {})
        deletes = [seen for seen in venue.seen if seen.startswith("DELETE")]
        await at.until(lambda: len([s for s in venue.seen if s.startswith("DELETE")]) > len(deletes))
        mine = [seen for seen in venue.seen if seen.startswith("DELETE") and seen.endswith(path)]
        assert len(mine) == 1, "the first one is still in flight"
        venue.faults.clear()
        await at.finish(task)
        await at.finish(single)
        assert scoped.verdict is Verdict.FLAT


async def test_a_venue_that_is_not_flat_says_why_although_its_lists_answer(tmp_path: Path) -> None:
    extra = 'limits = { cancel = "1/60", cancel_all = "1/60" }\n'
    async with stage(tmp_path, 20, only="p99", alone=True, extra=extra) as at:
        at.cluster.named("p99").faults |= {"http500@cancel", "http500@cancel_all"}
        kill = at.desk.plan_kill(Scope(raw={}), deadline=20.0)
        await at.finish(at.desk.start(kill, {}))
        assert kill.verdict is Verdict.NOT_FLAT
        result = kill.results()[0]
        assert "budget" in str(result.error)
        assert result.requests["cancel"] == 1, "singles must not wait for the budget of a cancel-all"


async def test_a_venue_whose_list_was_cut_short_says_that_more_may_be_live(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True, extra="timeout_seconds = 0.25\n") as at:
        venue = at.cluster.named("p99")
        venue.faults |= {"trading_disabled", "http500@list%70"}
        kill = at.desk.plan_kill(Scope(raw={}), deadline=20.0)
        task = at.desk.start(kill, {})
        await at.until(lambda: bool(kill.tracks()))
        venue.faults |= {"http500@list"}
        await at.finish(task)
        assert str(kill.results()[0].error).startswith(INCOMPLETE)


async def test_a_venue_whose_lists_were_whole_does_not_say_so(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        at.cluster.named("p99").faults |= {"trading_disabled"}
        kill = at.desk.plan_kill(Scope(raw={}), deadline=15.0)
        await at.finish(at.desk.start(kill, {}))
        assert kill.verdict is Verdict.NOT_FLAT
        assert INCOMPLETE not in str(kill.results()[0].error)
