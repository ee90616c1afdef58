"""A drill in the console: the brief, what is noted of the operator, the report, PRACTICE on every frame."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from msgspec.structs import replace
from textual import events

from cancel_tui.console.drill import DrillApp
from cancel_tui.console.guard import LAPSE
from cancel_tui.console.screens.arm import ArmScreen
from cancel_tui.console.screens.drill import BriefScreen, DrillReportScreen
from cancel_tui.console.screens.main import MainScreen
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.drilling import Drilling
from cancel_tui.desk.engine import Verdict
from cancel_tui.practice.cluster import Cluster
from cancel_tui.practice.drills import truth
from tests.console.ground import NARROW, Ground, ground
from tests.desk.test_drill import TASK

MARK = "PRACTICE DRILL calm"


@asynccontextmanager
async def drill(folder: Path, *, size: tuple[int, int] = NARROW) -> AsyncIterator[tuple[Ground, Drilling]]:
    """A drill on one venue; the brief stands."""
    made: list[Drilling] = []
    async with ground(
        folder,
        size=size,
        listed=False,
        make=lambda cluster, desk: _app(cluster, desk, folder, made),
    ) as here:
        await here.until(lambda: isinstance(here.app.screen, BriefScreen))
        yield here, made[0]


def _app(cluster: Cluster, desk: Desk, folder: Path, made: list[Drilling]) -> DrillApp:
    found = Drilling(TASK, desk, lambda: [asdict(one) for one in truth(cluster)], folder / "reports")
    made.append(found)
    return DrillApp(desk, found)


async def test_a_drill_from_its_brief_to_its_report(tmp_path: Path) -> None:
    async with drill(tmp_path) as (here, drilling):
        told = here.text()
        for words in (MARK, TASK.sentence, TASK.see[0], TASK.do[0], TASK.done):
            assert words in told
        await here.press("enter")
        await here.until(lambda: isinstance(here.app.screen, MainScreen))
        await here.listed()
        assert MARK in here.line("header")
        await here.press("question_mark")
        assert MARK in here.line("title")
        await here.press("escape")
        screen = await here.arm()
        assert MARK in here.line("title")
        await here.press("K", "x")
        here.app.screen.post_message(events.Paste("KILL"))
        await here.until(lambda: "pasted" in here.line("word"))
        assert screen._guard is not None
        screen._guard.armed = screen._guard.last_key = here.app.event_time() - LAPSE - 1
        await here.until(lambda: "LAPSED" in here.line("title"))
        await here.press("ctrl+k")
        await here.until(lambda: isinstance(here.app.screen, ArmScreen) and here.app.screen.ready)
        await here.later()
        await here.press(*"KILL")
        here.burst("enter")
        await here.until(lambda: bool(here.kills))
        kill = here.kills[0]
        await here.over(kill)
        assert MARK in here.line("title")
        assert kill.verdict is Verdict.FLAT
        await here.press("escape", "D")
        await here.until(lambda: isinstance(here.app.screen, DrillReportScreen))
        await here.until(lambda: MARK in here.line("title"))
        assert "Report so far: DONE" in here.line("title")
        assert "p99: proven flat" in here.line("text")
        await here.until(lambda: "report so far" in here.line("banner"))
        early = json.loads(next((tmp_path / "reports").glob("*.json")).read_text())
        await here.desk.close()
        late = await drilling.report(final=True)
        for report in (early, late):
            assert report["verdict"] == "flat"
            assert report["truth"] == {"agree": 6, "contradict": 0, "named": 0, "since": 0, "unclaimed": 0}
            did = report["operator_did"]
            assert (did["armed"], did["lapsed"], did["mistyped_words"], did["pasted"]) == (2, 1, 1, 1)
            assert did["kills"] == 1
            for name, seconds in report["times"].items():
                if name.endswith("_seconds"):
                    assert seconds >= 0, name
            did_in_turn = [one["step"] for one in report["steps"]]
            assert did_in_turn[:4] == ["the drill began", "first key", "the brief was left", "armed"]
            assert did_in_turn.index("the word stood") < did_in_turn.index("Enter: the word was accepted")
        assert (early["final"], late["final"]) == (False, True)


async def test_the_chord_works_over_the_brief_and_a_single_cancel_is_noted(tmp_path: Path) -> None:
    async with drill(tmp_path) as (here, drilling):
        await here.press("ctrl+k")
        await here.until(lambda: isinstance(here.app.screen, ArmScreen))
        await here.press("escape")
        await here.until(lambda: isinstance(here.app.screen, MainScreen))
        await here.listed()
        key = here.keys()[0]
        await here.cursor(key)
        await here.press("x")
        await here.until(lambda: bool(here.desk.kills) and here.desk.kills[0].finished_wall is not None)
        report = await drilling.report(final=False)
        assert [one["step"] for one in report["steps"]][:4] == [
            "the drill began",
            "first key",
            "the brief was left",
            "armed",
        ]
        assert report["operator_did"]["cancels_of_named_orders"] == 1
        assert report["verdict"] == "not_tried"
        named = {one["order"]: (one["said"], one["judgement"]) for one in report["orders"]}
        assert named[key.order_id] == ("canceled", "agree")
        assert sum(one["live_at_end"] for one in report["orders"]) == 5


async def test_practice_stands_on_a_frame_that_is_too_small_and_on_a_title_that_is_too_long(
    tmp_path: Path,
) -> None:
    async with drill(tmp_path, size=(40, 12)) as (here, _):
        assert MARK in here.text()
        await here.press("enter")
        await here.until(lambda: isinstance(here.app.screen, MainScreen) and MARK in here.text())
    async with drill(tmp_path) as (here, drilling):
        here.desk.occasion = "DRILL lying-cancel-all"
        drilling.task = replace(TASK, name="lying-cancel-all")
        await here.press("enter")
        await here.listed()
        await here.arm()
        assert "PRACTICE DRILL" in here.line("title")
        assert here.line("title").count("PRACTICE DRILL") == 1
        assert "cancel 6 orders on 1 venue" in here.line("title")
        assert "lapses in" in here.line("title")


async def test_outside_a_drill_its_key_says_that_none_is_on(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("D")
        await here.until(lambda: "no drill is on" in here.line("banner"))
        assert not (tmp_path / "reports").exists()
