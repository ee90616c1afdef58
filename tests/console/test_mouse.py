"""The mouse: it selects, sorts, scrolls and presses the keys of the footer, and can fire nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.command import CommandList, CommandPalette

from cancel_tui.console.commands import COMMANDS, Where
from cancel_tui.console.screens.arm import ArmScreen
from cancel_tui.console.screens.board import BoardScreen
from cancel_tui.console.screens.confirm import ConfirmScreen
from cancel_tui.console.screens.help import HelpScreen
from cancel_tui.console.screens.main import MainScreen
from cancel_tui.console.widgets import Line
from tests.console.ground import WIDE, Ground, ground
from tests.console.hands import settle


async def click_hint(here: Ground, name: str, label: str, button: int = 1) -> None:
    """Click on the first cell of a key's label in a footer."""
    line = here.app.screen.query_one(f"#{name}", Line)
    rows = line.said.splitlines()
    row = next(number for number, text in enumerate(rows) if label in text)
    assert await here.pilot.click(line, offset=(rows[row].index(label), row), button=button)
    await here.later()


async def test_a_click_on_cancel_asks_first(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("down")
        key = here.grid.painted_key
        await click_hint(here, "footer", "Cancel")
        assert isinstance(here.app.screen, ConfirmScreen)
        assert here.desk.kills == []
        await click_hint(here, "footer", "cancels them")
        assert here.desk.kills == [], "consent is a key"
        await here.confirmed()
        await here.until(lambda: len(here.desk.kills) == 1)
        assert here.desk.kills[0].scope.keys == frozenset({key})


async def test_a_click_on_the_kill_arms_and_no_more(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await click_hint(here, "footer", "KILL")
        screen = here.app.screen
        assert isinstance(screen, ArmScreen)
        await here.until(lambda: screen.ready)
        await here.later()
        for _ in range(3):
            await click_hint(here, "word", "KILL")
        await click_hint(here, "scope", "buys")
        assert "buy" in here.line("title")
        await here.press("K")
        await click_hint(here, "scope", "sells")
        assert "sell" not in here.line("title"), "the scope stands while the word is typed"
        await click_hint(here, "footer", "back")
        assert isinstance(here.app.screen, MainScreen)
        assert here.desk.kills == []


async def test_other_buttons_do_nothing(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        for button in (2, 3):
            await click_hint(here, "footer", "KILL", button)
            await here.pilot.click(here.grid, offset=(10, 2), button=button)
        assert isinstance(here.app.screen, MainScreen)
        assert here.grid.cursor_key is None


async def test_a_click_starts_no_hold_and_reads_of_the_board_work(tmp_path: Path) -> None:
    async with ground(tmp_path, size=WIDE) as here:
        kill = await here.kill()
        await here.over(kill)
        await click_hint(here, "footer", "Hold flat")
        await here.until(lambda: "a click starts nothing" in here.line("banner"))
        assert not kill.holding
        await click_hint(here, "footer", "Details")
        await here.until(lambda: not isinstance(here.app.screen, BoardScreen))
        await click_hint(here, "footer", "Back")
        await here.until(lambda: isinstance(here.app.screen, BoardScreen))
        await click_hint(here, "footer", "Back")
        assert isinstance(here.app.screen, MainScreen)


@pytest.mark.parametrize("shown", ["PRICE", "AGE"])
async def test_a_click_on_a_heading_sorts_and_again_turns_it_round(tmp_path: Path, shown: str) -> None:
    async with ground(tmp_path) as here:
        where = here.picture().splitlines()
        heading = next(line for line in where if "REMAINING" in line)
        for reverse in (False, True, False):
            await here.pilot.click(here.grid, offset=(heading.index(shown), 1))
            await settle(here.pilot)
            assert (here.grid.model.sort.value, here.grid.model.reverse) == (shown.lower(), reverse)
        assert here.grid.cursor_key is None


async def test_the_palette_has_every_command_of_the_screen(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        main = here.app.screen
        offered = {one.title for one in here.app.get_system_commands(main)}
        wanted = {one for one in COMMANDS if one.at(Where.GRID)}
        assert {one.label for one in wanted} == offered
        screen = await here.arm()
        offered = {one.title for one in here.app.get_system_commands(screen)}
        assert {one.label for one in COMMANDS if one.at(Where.ARMED)} <= offered
        await here.press("ctrl+p")
        await here.until(lambda: isinstance(here.app.screen, CommandPalette))
        await here.press(*"buys")
        await here.until(lambda: "buys" in str(here.app.screen.query_one(CommandList).highlighted_option))
        await here.press("enter")
        await here.until(lambda: here.app.screen is screen and "buy" in here.line("title"))
        assert here.desk.kills == []


async def test_help_is_reached_from_the_board_as_well(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.over(await here.kill())
        await here.press("question_mark")
        assert isinstance(here.app.screen, HelpScreen)
        await here.press("escape")
        assert isinstance(here.app.screen, BoardScreen)
