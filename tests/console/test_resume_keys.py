"""A kill that an earlier start left without an end: said at once, and finished behind the same guard."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cancel_tui.clock import SystemClock
from cancel_tui.console.screens.arm import ArmScreen
from cancel_tui.console.screens.board import BoardScreen
from cancel_tui.console.unended import Unended
from cancel_tui.desk.decision import Place, decision
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.report import scope_json
from cancel_tui.desk.unfinished import find
from cancel_tui.scope import Scope, fold
from tests.console.ground import Ground, ground


async def left_behind(here: Ground, folder: Path, scope: Scope) -> None:
    """What a process leaves that died after its decision."""
    places = {name: Place.of(slot.settings) for name, slot in here.desk.slots.items()}
    dead = Journal(folder / "journal", SystemClock())
    dead.note(
        "kill_begin",
        kill="feedbeefcafe0001",
        scope=scope_json(scope),
        venues=list(places),
        by_id=False,
        **decision(scope, places, deadline=120.0, hold=0.0),
    )
    await asyncio.to_thread(dead.close, 5)
    await here.app._look_back()


def symbols(here: Ground) -> list[str]:
    return sorted({one["symbol"] for one in here.cluster.live()["p99"]})


async def armed(here: Ground) -> ArmScreen:
    await here.press("R")
    await here.until(lambda: isinstance(here.app.screen, ArmScreen) and here.app.screen.ready)
    await here.later()
    screen = here.app.screen
    assert isinstance(screen, ArmScreen)
    return screen


async def test_a_kill_without_an_end_is_said_and_finished_in_its_own_scope(tmp_path: Path) -> None:
    async with ground(tmp_path, orders=12) as here:
        symbol = symbols(here)[0]
        outside = {one["order_id"] for one in here.cluster.live()["p99"] if one["symbol"] != symbol}
        assert outside
        await left_behind(here, tmp_path, Scope(symbols=fold([symbol]), raw={"symbol": [symbol]}))
        assert "KILL feedbe" in here.app.log_lines[-1]
        assert "has no end" in here.app.log_lines[-1]
        assert "has no end" in here.app.notice
        screen = await armed(here)
        await here.press("a")
        assert screen.scope.symbols == fold([symbol]), "its scope is fixed"
        assert "ARMED  resume feedbe: cancel" in here.text()
        assert here.kills == []
        await here.press(*"KILL", "enter")
        await here.until(lambda: isinstance(here.app.screen, BoardScreen))
        kill = here.desk.kills[-1]
        await here.over(kill)
        assert kill.verdict is Verdict.FLAT
        assert {one["order_id"] for one in here.cluster.live()["p99"]} == outside
        await here.press("escape", "R")
        assert not isinstance(here.app.screen, ArmScreen)
        assert "without an end" in here.app.notice


async def test_a_resumed_kill_whose_market_has_no_order_any_more_is_finished(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await left_behind(here, tmp_path, Scope(symbols=fold(["NONE"]), raw={"symbol": ["NONE"]}))
        await armed(here)
        await here.press(*"KILL", "enter")
        await here.until(lambda: isinstance(here.app.screen, BoardScreen))
        kill = here.desk.kills[-1]
        await here.over(kill)
        assert (kill.verdict, kill.unmatched) == (Verdict.UNVERIFIED, ["NONE"])
        assert here.app._unended.left() == []
        assert find(tmp_path / "journal", here.desk.clock.wall()) == [], "no later start announces it either"


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(
    ("verdict", "venues"),
    [
        ("flat", ["flat", "flat"]),
        ("unverified", ["flat", "flat"]),
        ("unverified", ["flat", "unverified"]),
        ("not_flat", ["flat", "not_flat"]),
        ("unverified", []),
    ],
)
async def test_what_counts_as_finished_here_does_so_at_the_next_start(
    tmp_path: Path, again: bool, verdict: str, venues: list[str]
) -> None:
    """With `again` the kill itself ended unproven, and the process of the first that took it up died."""
    folder, clock = tmp_path / "journal", SystemClock()
    dead = Journal(folder, clock)
    dead.note("kill_begin", kill="root")
    if again:
        dead.note("kill_end", kill="root", verdict="not_flat", venues={"v0": "not_flat"})
        dead.note("kill_begin", kill="second", resumes="root")
    await asyncio.to_thread(dead.close, 5)
    kill: Any = SimpleNamespace(about={"resumes": "root"}, finished_wall=None, verdict=Verdict.UNVERIFIED)
    desk: Any = SimpleNamespace(journal=dead, clock=clock, kills=[])
    unended = Unended(desk)
    assert [one.kill_id for one in await unended.look()] == ["root"]
    assert len(unended.left()) == 1
    desk.kills.append(kill)
    assert unended.left() == [], "somebody is at work on it"
    kill.finished_wall, kill.verdict = clock.wall(), Verdict(verdict)
    kill.results = lambda: [SimpleNamespace(verdict=Verdict(one)) for one in venues]
    told = Journal(folder, clock)
    told.note("kill_begin", kill="third", resumes="root")
    ends = {f"v{number}": one for number, one in enumerate(venues)}
    told.note("kill_end", kill="third", verdict=verdict, venues=ends)
    await asyncio.to_thread(told.close, 5)
    assert len(unended.left()) == len(find(folder, clock.wall()))


async def test_the_chord_over_a_resumed_kill_arms_everything(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        symbol = symbols(here)[0]
        await left_behind(here, tmp_path, Scope(symbols=fold([symbol]), raw={"symbol": [symbol]}))
        await armed(here)
        screen = await here.arm()
        assert screen.case is None
        assert screen.scope == Scope(raw={})


async def test_read_only_resumes_nothing(tmp_path: Path) -> None:
    async with ground(tmp_path, read_only=True) as here:
        before = here.cluster.live()
        await left_behind(here, tmp_path, Scope(raw={}))
        await armed(here)
        await here.press(*"KILL", "enter")
        assert here.kills == []
        assert here.cluster.live() == before


async def test_without_a_kill_to_resume_the_key_says_so(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("R")
        assert not isinstance(here.app.screen, ArmScreen)
        assert "without an end" in here.app.notice
