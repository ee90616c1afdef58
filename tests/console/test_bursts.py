"""Keys of one burst reach a screen together: what the first leaves or covers must not take the second."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from cancel_tui.console.screens.board import BoardScreen
from cancel_tui.console.screens.confirm import ConfirmScreen
from cancel_tui.console.screens.main import MainScreen
from tests.console.ground import ground


async def test_esc_and_enter_in_one_burst_leave_every_question_unanswered(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.arm()
        await here.press(*"KILL")
        here.burst("escape", "enter", "enter")
        await here.until(lambda: isinstance(here.app.screen, MainScreen))
        await here.press("down", "space", "X")
        confirm = here.app.screen
        assert isinstance(confirm, ConfirmScreen)
        await here.until(lambda: confirm.ready)
        await here.later()
        here.burst("escape", "enter", "enter")
        await here.until(lambda: isinstance(here.app.screen, MainScreen))
        await here.press("up")
        assert here.desk.kills == []
        assert here.asked("p99", "DELETE") == 0


@pytest.mark.parametrize("opener", ["ctrl+k", "question_mark", "l", "c", "d"])
async def test_a_held_esc_leaves_one_screen_and_not_the_console(tmp_path: Path, opener: str) -> None:
    async with ground(tmp_path, orders=1) as here:
        if opener == "d":
            await here.over(await here.kill())
        await here.press(opener)
        front = here.app.screen
        assert not isinstance(front, MainScreen)
        here.burst("escape", "escape", "escape")
        await here.until(lambda: here.app.screen is not front)
        await here.press("o")
        assert isinstance(here.app.screen, BoardScreen if opener == "d" else MainScreen)
        assert here.app.is_running


async def test_one_burst_opens_one_screen(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("down", "space")
        here.burst("X", "X", "c", "l", "question_mark", "x")
        await here.until(lambda: isinstance(here.app.screen, ConfirmScreen))
        await here.later()
        assert len(here.app.screen_stack) == 2
        assert here.desk.kills == []


@pytest.mark.parametrize("typed", ["xrp", "Xx", " v x", "xxxx"])
async def test_what_is_typed_behind_the_slash_in_one_burst_is_text(typed: str, tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("down")
        assert here.app.grid_key() is not None
        field = here.app._main.query_one("#filter", Input)
        here.burst("slash", *("space" if one == " " else one for one in typed))
        await here.until(lambda: field.value == typed)
        assert here.app._main.focused is field
        assert here.desk.kills == []
        assert isinstance(here.app.screen, MainScreen)
        assert not here.grid.model.marked
        here.burst("escape", "slash", "x", "enter")
        await here.until(lambda: here.app._main.focused is here.grid)
        assert here.desk.kills == []


async def test_what_is_typed_before_the_filter_hears_of_its_focus_stays(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("down")
        field = here.app._main.query_one("#filter", Input)
        here.burst("slash", "p")
        await here.until(lambda: field.value == "p" and field.has_focus)
        await here.press("9", "9")
        assert field.value == "p99"
        # Opened again, it is typed anew.
        await here.press("enter", "slash", "x")
        assert field.value == "x"
        assert here.desk.kills == []


async def test_the_filter_stays_open_whatever_is_painted_before_it_has_the_focus(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("down")
        main = here.app._main
        assert main.run_command("filter")
        field = main.query_one("#filter", Input)
        assert not field.has_focus, "that takes a turn of the event loop"
        main.tick()
        assert not main.query_one("#filterbar").has_class("hidden")
        here.burst("x")
        await here.until(lambda: field.value == "x")
        assert here.desk.kills == []
