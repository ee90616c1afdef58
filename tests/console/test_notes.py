"""What a venue's result has to add stands below its line and in the report, as literal text that fits."""

from __future__ import annotations

from pathlib import Path

from cancel_tui.console.board_lines import note_lines
from cancel_tui.console.screens.details import DetailScreen
from cancel_tui.desk.kill import UNTOLD
from tests.console.ground import NARROW, ground
from tests.console.hands import settle

FIVE = ("cs-spot", "cs-fut", "roxom", "p99", "broker")


async def test_what_a_venue_could_not_name_is_said_below_its_line_and_in_the_report(tmp_path: Path) -> None:
    async with ground(tmp_path, venues=FIVE, orders=2, listed=False) as here:
        kill = await here.kill()
        await here.over(kill)
        await settle(here.pilot)
        assert UNTOLD not in here.text(), "only where there is something to add"
        for run in kill.runs.values():
            run.engine.untold = True
        kill.runs[kill.names[0]].over = False
        kill.revision += 1
        here.app.look()
        await settle(here.pilot)
        assert here.line("venues").count(UNTOLD) == len(FIVE) - 1, "not before a venue's part is over"
        kill.runs[kill.names[0]].over = True
        kill.revision += 1
        here.app.look()
        await settle(here.pilot)
        lines = [line.rstrip() for line in here.picture().splitlines()]
        assert len(lines) == NARROW[1]
        for name in FIVE:
            row = next(index for index, line in enumerate(lines) if line.startswith(name))
            assert lines[row + 1] == f"! {UNTOLD}", "whole, on one line"
        assert any(line.strip().startswith("F L A T") for line in lines)
        assert "Esc" in lines[-1], here.picture()
        await here.press("d")
        assert isinstance(here.app.screen, DetailScreen)
        told = here.line("text")
        assert told.index("OUTCOME") > max(told.index(f"! {name}: its cancel-all may") for name in FIVE)
        await settle(here.pilot)
        painted = " ".join(here.picture().split())
        assert all(f"! {name}: {UNTOLD}" in painted for name in FIVE), here.picture()


def test_a_note_is_literal_text_and_is_cut_where_it_would_grow() -> None:
    first, second = note_lines(["[bold]\x1b[31m\u202e" + "long words " * 20], 80)
    assert first.plain.startswith("! [bold]·[31m·long words")
    assert second.plain.endswith(" …")
    assert not first.spans


def test_a_note_never_takes_more_than_its_two_lines() -> None:
    for width in (10, 56, 80, 200):
        shown = note_lines([UNTOLD, "word " * 200, ""], width)
        assert len(shown) <= 5
        assert all(len(line.plain) <= max(22, width) for line in shown)
    assert note_lines([], 80) == []
