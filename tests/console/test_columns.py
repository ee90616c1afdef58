"""The column chooser: what is chosen is shown at once, in its order, for this run."""

from __future__ import annotations

import re
import tomllib
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.console.choosing import Chooser, toml_line
from cancel_tui.console.columns import ALWAYS, DEFAULT, Column
from cancel_tui.console.screens.base import FLOOR
from cancel_tui.console.screens.columns import ColumnsScreen
from cancel_tui.settings import parse_settings
from tests.console.ground import NARROW, ground
from tests.console.hands import press

ACTS = st.lists(
    st.sampled_from(["toggle", "left", "right", "reset", *range(-30, 30)]),
    max_size=30,
)


@given(st.lists(st.sampled_from(list(Column)), max_size=26), ACTS)
def test_every_column_stays_in_the_list_once_and_what_must_be_seen_is_shown(
    chosen: list[Column], acts: list[str | int]
) -> None:
    chooser = Chooser(chosen)
    for act in acts:
        under = chooser.cursor
        if isinstance(act, int):
            chooser.step(act)
        elif act == "toggle":
            was = under in chooser.shown
            refused = chooser.toggle() is not None
            assert refused is (under in ALWAYS)
            assert (under in chooser.shown) is (was if refused else not was)
        elif act == "reset":
            chooser.reset()
            assert tuple(chooser.shown) == DEFAULT
        else:
            others = [one for one in chooser.shown if one is not under]
            chooser.move(-1 if act == "left" else 1)
            assert [one for one in chooser.shown if one is not under] == others
        if not isinstance(act, int):
            assert chooser.cursor is under
        assert sorted(chooser.columns) == sorted(Column)
        assert set(chooser.shown) >= ALWAYS
        text = f"[console]\n{toml_line(chooser.shown)}\n"
        assert tomllib.loads(text)["console"]["columns"] == [one.value for one in chooser.shown]
        assert parse_settings(text, Path("x.toml")).console.columns == tuple(chooser.shown)


async def test_what_is_chosen_is_shown_at_once_and_can_be_kept(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        assert "TYPE" in here.picture()
        await here.press("c")
        screen = here.app.screen
        assert isinstance(screen, ColumnsScreen)
        while screen.chooser.cursor is not Column.WORD:
            await press(here.pilot, "down")
        await here.press("space", *["less_than_sign"] * 10)
        picture = here.picture()
        assert "[x]" in picture
        assert "the venue's own word" in here.line("detail")
        assert toml_line(screen.chooser.shown).replace(" ", "") in here.line("toml").replace(
            "\n", ""
        ).replace(" ", "")
        await here.press("escape")
        await here.until(lambda: "AT VENUE" in here.picture())
        head = next(line for line in here.picture().splitlines() if "AT VENUE" in line)
        assert "TYPE" not in head
        assert head.index("AT VENUE") < head.index("STATUS")
        assert "REMAINING" in head
        await here.press("c", "r", "enter")
        await here.until(lambda: "TYPE" in here.picture())


async def test_what_must_be_seen_cannot_be_taken_away(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("c")
        screen = here.app.screen
        assert isinstance(screen, ColumnsScreen)
        while screen.chooser.cursor is not Column.STATUS:
            await press(here.pilot, "down")
        await here.press("space")
        assert "always shown" in here.line("banner")
        assert Column.STATUS in here.grid.chosen


async def test_the_configuration_chooses_the_columns(tmp_path: Path) -> None:
    async with ground(tmp_path, console='columns = ["status", "order_id", "symbol"]\n') as here:
        await here.until(lambda: "STATUS" in here.picture())
        head = next(line for line in here.picture().splitlines() if "STATUS" in line)
        assert head.split() == ["STATUS", "ID", "SYMBOL"]


@pytest.mark.parametrize("size", [FLOOR, NARROW, (140, 45)])
async def test_the_keys_are_on_the_last_line_and_the_cursor_is_seen_at_every_size(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with ground(tmp_path, size=size) as here:

        def stands(pattern: str) -> bool:
            return re.search(pattern, here.picture()) is not None

        await here.press("c")
        screen = here.app.screen
        assert isinstance(screen, ColumnsScreen)
        screen.chooser.shown[:] = Column
        for column in (Column.VENUE, Column.AVERAGE, list(Column)[-1]):
            screen.chooser.cursor = column
            screen.tick()
            await here.until(partial(stands, rf"▸ \[[x=]\] +\d+ {column.value} "))
            assert "^K KILL" in here.picture().splitlines()[-1]
        here.app.refuse("a sentence in the banner")
        await here.until(lambda: "a sentence" in here.picture())
        assert "^K KILL" in here.picture().splitlines()[-1]
        assert ("to keep it" in here.picture()) is (size != FLOOR)
