"""Cancelling from the grid: one key for one order, a short confirm for several, nothing by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from cancel_tui.cancels import Ending
from cancel_tui.console.screens.confirm import ConfirmScreen
from cancel_tui.console.screens.main import MainScreen
from tests.console.ground import NARROW, WIDE, ground
from tests.console.hands import press


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_one_key_cancels_the_order_under_the_cursor_and_its_badge_lives_until_the_end(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with ground(tmp_path, venues=("cs-spot",), size=size) as here:
        await here.press("down", "down")
        key = here.grid.cursor_key
        assert key is not None
        seen: list[str] = []

        def ended() -> bool:
            row = here.grid.model.get(key)
            word = row.shown_badge.word if row else ""
            if word and word not in seen:
                seen.append(word)
            return word == "canceled"

        await press(here.pilot, "x")
        await here.until(ended)
        assert seen[0] in ("open", "part", "SENT", "PENDING")
        assert {"SENT", "PENDING"} & set(seen)
        assert "canceled" in here.picture()
        live = {one["order_id"] for one in here.cluster.live()["cs-spot"]}
        assert key.order_id not in live
        assert len(live) == 5
        await here.until(lambda: f"…{key.order_id[-6:]}" in here.text() and "canceled in" in here.text())
        assert "OPEN 5" in here.line("header")


async def test_pressing_again_while_the_cancel_is_under_way_sends_nothing_more(tmp_path: Path) -> None:
    async with ground(tmp_path, latency=0.3) as here:
        await here.press("down", "x", "x", "x", "x")
        assert "under way already" in here.text()
        await here.until(lambda: here.desk.kills[0].finished_wall is not None)
        here.app.look()
        await here.press("x")
        assert "over already" in here.text()
        assert len(here.desk.kills) == 1
        assert here.asked("p99", "DELETE") == 1


async def test_without_a_cursor_the_key_does_nothing_and_says_so(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("x")
        assert "no order is under the cursor" in here.line("banner")
        assert here.desk.kills == []


async def test_a_key_acts_on_the_painted_row_never_on_one_that_was_not_seen(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        here.burst("down", "down", "x")
        await here.until(lambda: here.grid.painted_key is not None)
        await here.until(lambda: here.line("banner") != "")
        assert here.desk.kills == []
        first, second = here.keys()[:2]
        await here.cursor(first)
        here.burst("down", "x")
        await here.until(lambda: here.desk.kills != [])
        assert here.desk.kills[0].scope.keys == frozenset({first})
        await here.until(lambda: here.grid.painted_key == second)


async def test_marked_orders_go_after_a_confirm_and_only_they(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("down", "space", "down", "down", "space")
        marked = here.app._main.marked()
        assert len(marked) == 2
        await here.press("X")
        assert "Cancel 2 marked orders?" in here.line("title")
        assert here.desk.kills == []
        await here.confirmed()
        await here.until(lambda: [kill.finished_wall for kill in here.desk.kills] not in ([], [None]))
        assert {track.outcome for track in here.desk.kills[0].tracks()} == {Ending.CANCELED}
        assert {one["order_id"] for one in here.cluster.live()["p99"]}.isdisjoint(k.order_id for k in marked)
        assert len(here.cluster.live()["p99"]) == 4
        await here.until(lambda: not here.app._main.marked())


async def test_enter_in_the_burst_of_the_key_is_no_consent(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("down", "space")
        here.burst("X", "enter", "enter")
        await here.until(lambda: isinstance(here.app.screen, ConfirmScreen))
        await here.later()
        assert isinstance(here.app.screen, ConfirmScreen)
        await here.press("escape")
        assert here.desk.kills == []


async def test_without_marks_and_filter_nothing_is_offered(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("X")
        assert "mark orders or set a filter first" in here.line("banner")
        assert not isinstance(here.app.screen, ConfirmScreen)


async def test_the_filter_narrows_what_is_cancelled_together(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        wanted = here.keys()[2]
        await here.press("slash")
        here.filter.value = wanted.order_id
        await here.until(lambda: len(here.grid.model) == 1)
        await here.press("enter", "X")
        assert "Cancel 1 shown order?" in here.line("title")
        await here.confirmed()
        await here.until(lambda: here.desk.kills != [])
        assert here.desk.kills[0].scope.keys == frozenset({wanted})


async def test_letters_in_the_filter_are_text(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("down", "slash", "x", "X", "b", "u")
        assert here.filter.value == "xXbu"
        assert here.desk.kills == []
        await here.press("escape")
        assert here.filter.value == ""
        assert here.grid.has_focus


async def test_enter_ends_the_filter_and_is_no_key_of_the_grid(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("slash", "p", "9", "9", "enter")
        assert here.grid.has_focus
        here.app.look()
        assert here.line("banner") == ""
        await here.press("down", "slash", "enter")
        assert isinstance(here.app.screen, MainScreen)


async def test_read_only_cancels_nothing(tmp_path: Path) -> None:
    async with ground(tmp_path, read_only=True) as here:
        await here.press("down", "x")
        assert "READ-ONLY" in here.line("header")
        assert "nothing that cancels will run" in here.line("banner")
        await here.press("space", "X")
        assert here.desk.kills == []
        assert here.asked("p99", "DELETE") == 0


async def test_a_click_selects_and_never_cancels(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        for _ in range(3):
            await here.pilot.click("#grid", offset=(20, 4))
        await here.until(lambda: here.grid.cursor_key is not None)
        assert here.desk.kills == []


async def test_the_palette_shows_the_order_once_more(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("down")
        key = here.grid.cursor_key
        command = next(one for one in here.app.get_system_commands(here.app.screen) if one.title == "Cancel")
        command.callback()
        await here.until(lambda: isinstance(here.app.screen, ConfirmScreen))
        assert here.desk.kills == []
        await here.confirmed()
        await here.until(lambda: here.desk.kills != [])
        assert here.desk.kills[0].scope.keys == frozenset({key})


async def test_an_order_that_fills_while_it_is_cancelled_is_told_as_filled(tmp_path: Path) -> None:
    faults = {"cs-spot": ("fill_race",)}
    async with ground(tmp_path, venues=("cs-spot",), faults=faults) as here:
        await here.press("down", "x")
        await here.until(lambda: "FILLED" in here.picture())
        await here.until(lambda: "before its cancel" in here.text())
        assert "canceled" not in here.picture()


async def test_an_unanswered_cancel_is_unknown_on_the_screen_until_the_venue_speaks(tmp_path: Path) -> None:
    faults = {"p99": ("once:effect_then_drop@cancel", "hang@status")}
    async with ground(tmp_path, faults=faults) as here:
        await here.press("down", "x")
        await here.until(lambda: "UNKNOWN" in here.picture())
        await here.until(lambda: "UNKNOWN 1" in here.line("header"))  # the next part of the same frame
        assert "canceled" not in here.picture()


async def test_pressed_on_a_cancel_that_failed_the_key_asks_again_at_once(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        venue = here.cluster.named("p99")
        venue.faults.add("trading_disabled")
        await here.press("down", "x")
        kill = here.desk.kills[0]
        await here.until(lambda: bool(kill.tracks()) and kill.tracks()[0].attempts >= 2)
        (track,) = kill.tracks()
        await here.until(lambda: not track.stage.flying)
        venue.faults.clear()
        await here.press("x")
        assert "asking again at once" in here.line("banner")
        await here.until(lambda: track.outcome is Ending.CANCELED)
        assert len(here.desk.kills) == 1


async def test_a_filter_that_cannot_be_read_hides_nothing_says_so_and_cancels_nothing(tmp_path: Path) -> None:
    async with ground(tmp_path, orders=20) as here:
        await here.press("slash")
        here.filter.value = "side:buy age>5x"
        await here.until(lambda: "1 word not read" in here.line("filtercount"))
        await here.until(lambda: "needs a time" in here.line("detail"))
        model = here.grid.model
        assert 0 < len(model) < model.total
        assert f"{len(model)} of {model.total} shown" in here.line("filtercount")
        await here.press("enter", "X")
        assert "the filter was not read" in here.line("banner")
        assert here.desk.kills == []
        assert here.app._main.shown() == frozenset()
        here.filter.value = "side:buy"
        await here.until(lambda: not model.troubles)
        await here.press("X")
        await here.until(lambda: isinstance(here.app.screen, ConfirmScreen))
        assert f"Cancel {len(model)} shown orders?" in here.line("title")
