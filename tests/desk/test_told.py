"""What a kill tells of trouble while it lasts: the next try, what came how often, words nobody knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cancel_tui.console.board_lines import venue_line
from cancel_tui.desk.actions import sort_of
from cancel_tui.desk.engine import Aim, Engine, SendNative, Verdict
from cancel_tui.desk.report import kill_json
from cancel_tui.orders import VenueName
from cancel_tui.scope import Scope
from cancel_tui.venues.base import Capabilities
from cancel_tui.venues.outcome import (
    Answered,
    Failure,
    NotSent,
    Reason,
    Refused,
    Throttled,
    Unanswered,
    Unauthorised,
)
from tests.desk.drive import Stage, stage

P99 = VenueName("p99")
EVERYTHING = Scope(raw={})


@pytest.mark.parametrize(
    ("outcome", "sort"),
    [
        (Refused(Reason.NOT_FOUND), "refused:not_found"),
        (Refused(Reason.ORDER), "refused:order"),
        (Unanswered("HTTP 502", None, 502), "unanswered"),
        (Unanswered("unreadable answer: no JSON", None, 200), "unreadable"),
        (Unanswered("timeout"), "unanswered"),
        (NotSent("connection refused"), "not_sent"),
        (NotSent("the deadline passed", late=True), None),
        (Throttled(), "throttled"),
        (Unauthorised(), "unauthorised"),
    ],
)
def test_every_failure_is_counted_by_its_sort(outcome: Failure, sort: str | None) -> None:
    assert sort_of(outcome) == sort
    assert sort_of(Answered(None)) is None


def shown(at: Stage, width: int = 200) -> str:
    return venue_line(at.desk.kills[-1], P99, width, at.clock.monotonic()).plain


async def test_the_board_says_when_the_next_try_is(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        venue = at.cluster.named("p99")
        venue.faults.add("trading_disabled")
        task = at.desk.start(kill := at.desk.plan_kill(EVERYTHING), {})
        await at.until(lambda: bool(re.search(r"next try in [1-9] s", shown(at))))
        when = kill.runs[P99].engine.next_try(at.clock.monotonic())
        assert when is not None
        tried = len([one for one in venue.seen if one.startswith("DELETE")])
        await at.until(lambda: at.clock.monotonic() >= when - 0.01)
        await at.until(lambda: len([one for one in venue.seen if one.startswith("DELETE")]) > tried)
        assert at.clock.monotonic() < when + 3.0, "it came about when it was said to"
        venue.faults.clear()
        await at.finish(task)
        assert kill.verdict is Verdict.FLAT
        assert "next try" not in shown(at)


def test_the_next_try_is_not_told_before_the_budget_and_the_wait_that_the_venue_asks_for() -> None:
    it = Engine(P99, Capabilities(cancel_all=True), Aim(EVERYTHING, deadline=500.0), 0.0)
    assert it.next_try(0.0) is None, "nothing has failed"
    assert SendNative(None) in it.next(0.0)
    it.took_native(None, Throttled(7.0), 1.0, 1.0)
    when = it.next_try(1.0)
    assert when is not None
    assert when >= 8.0
    it.ready = lambda call, now: 40.0
    assert it.next_try(1.0) == 40.0
    assert it.next_try(600.0) is None, "past the deadline nothing is tried again"


async def test_answers_that_nobody_can_read_are_unknown_read_back_counted_and_shown(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        venue = at.cluster.named("p99")
        venue.faults |= {"effect_then_badjson@cancel", "http500@cancel_all"}
        kill = at.desk.plan_kill(EVERYTHING)
        task = at.desk.start(kill, {})
        await at.until(lambda: "unreadable answers" in shown(at))
        await at.finish(task)
        assert kill.verdict is Verdict.FLAT
        told = kill_json(kill)["venues"][0]["failures"]
        assert told["unreadable"] == kill.results()[0].requests["cancel"]
        assert told["unanswered"] >= 1
        assert at.cluster.live()["p99"] == []


async def test_a_status_word_that_nobody_documents_is_counted_and_shown_as_it_is_spelt(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, 20, only="p99", faults=("p99:unknown_status",)) as at:
        orders = len(at.cluster.live()["p99"])
        one_by_one = Scope(raw={}, older_than=at.clock.wall() + 60)
        kill = at.desk.plan_kill(one_by_one)
        await at.finish(at.desk.start(kill, {}))
        assert kill.verdict is Verdict.FLAT
        words = kill_json(kill)["venues"][0]["unknown_words"]
        assert sum(words.values()) == orders
        assert f"{orders} in unknown words “{next(iter(words))}”" in shown(at)
