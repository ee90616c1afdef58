"""The kill from the keyboard: the whole way, and every way that must not fire it."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual.command import CommandPalette

from cancel_tui.console.guard import LAPSE
from cancel_tui.console.screens.arm import ArmScreen
from cancel_tui.console.screens.board import BoardScreen
from cancel_tui.console.screens.confirm import ConfirmScreen
from cancel_tui.console.screens.help import HelpScreen
from cancel_tui.console.screens.main import MainScreen
from cancel_tui.desk.engine import Verdict
from tests.console.ground import NARROW, WIDE, Ground, ground


def requests(here: Ground) -> int:
    """Requests that could have cancelled something."""
    return sum(here.asked(venue.name, "DELETE") for venue in here.cluster.venues)


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_from_the_chord_to_a_proven_flat(tmp_path: Path, size: tuple[int, int]) -> None:
    async with ground(tmp_path, venues=("p99", "cs-spot"), size=size, latency=0.1) as here:
        await here.arm()
        assert "cancel 12 orders on 2 venues" in here.line("title")
        assert "cs-spot" in here.line("preview")
        assert "Type  KILL  and press Enter" in here.line("word")
        assert here.kills == []
        await here.press(*"KILL")
        assert requests(here) == 0
        await here.press("enter")
        await here.until(lambda: isinstance(here.app.screen, BoardScreen))
        kill = here.kills[0]
        said: set[str] = set()

        def over() -> bool:
            if kill.finished_wall is None:
                said.add(here.line("verdict"))
            return kill.finished_wall is not None

        await here.until(over)
        assert said == {"N O T   F L A T   Y E T"}
        here.app.look()
        assert kill.verdict is Verdict.FLAT
        assert here.line("verdict").startswith("F L A T")
        assert here.cluster.live() == {"p99": [], "cs-spot": []}
        assert "canceled 12" in here.line("counts")
        await here.press("escape")
        await here.until(lambda: "last kill: FLAT" in here.line("banner"))
        assert "OPEN 0" in here.line("header")


async def test_a_kill_goes_on_while_its_board_is_left_and_the_banner_says_so(tmp_path: Path) -> None:
    async with ground(tmp_path, latency=0.2) as here:
        kill = await here.kill()
        await here.press("escape")
        assert isinstance(here.app.screen, MainScreen)
        await here.until(lambda: "KILL RUNNING" in here.line("banner"))
        await here.over(kill)
        assert kill.verdict is Verdict.FLAT
        await here.press("b")
        await here.until(lambda: "F L A T" in here.line("verdict"))


async def nothing_fired(here: Ground) -> None:
    await here.later()
    await here.pilot.pause()
    assert here.desk.kills == []
    assert requests(here) == 0


async def test_keys_typed_ahead_in_one_burst_do_not_fire(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        here.burst("ctrl+k", *"KILL", "enter", "enter", *"KILL", "enter")
        await here.until(lambda: isinstance(here.app.screen, ArmScreen) and here.app.screen.ready)
        await nothing_fired(here)
        await here.press("enter", "enter")
        await nothing_fired(here)


async def test_enter_in_the_burst_of_the_word_must_come_again(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.arm()
        here.burst(*"KILL", "enter", "enter")
        await here.until(lambda: "press Enter again" in here.line("word"))
        await nothing_fired(here)
        await here.press("enter")
        await here.until(lambda: isinstance(here.app.screen, BoardScreen))


async def test_pasted_text_does_not_fire(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.arm()
        here.app.post_message(events.Paste("KILL\n"))
        await here.until(lambda: "pasted text does not count" in here.line("word"))
        await here.press("enter")
        await nothing_fired(here)
        await here.press(*"KIL")
        here.app.post_message(events.Paste("L"))
        await here.until(lambda: "pasted text does not count" in here.line("word"))
        await here.press("enter")
        await nothing_fired(here)


async def test_a_wrong_word_does_not_fire(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.arm()
        await here.press(*"KIK")
        assert "that is not KILL" in here.line("word")
        await here.press(*"LL", "enter")
        await here.press(*"KIL", "enter")
        await nothing_fired(here)
        assert isinstance(here.app.screen, ArmScreen)


async def test_arming_lapses_and_can_be_armed_again(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        screen = await here.arm()
        await here.press(*"KILL")
        guard = screen._guard
        assert guard is not None
        assert guard.last_key is not None
        guard.last_key -= LAPSE
        screen.tick()
        assert "LAPSED" in here.line("title")
        await here.press("enter", *"KILL", "enter", "x")
        await nothing_fired(here)
        assert isinstance(here.app.screen, ArmScreen)
        await here.press("ctrl+k")
        await here.until(lambda: screen.ready and not screen.lapsed)
        await here.press(*"KILL", "enter")
        await here.until(lambda: isinstance(here.app.screen, BoardScreen))


async def test_read_only_shows_the_preview_and_does_not_fire(tmp_path: Path) -> None:
    async with ground(tmp_path, read_only=True) as here:
        await here.arm()
        assert "READ-ONLY" in here.line("word")
        await here.press(*"KILL", "enter")
        await nothing_fired(here)


async def test_a_held_enter_does_not_fire_and_does_not_leak(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("down")
        await here.arm()
        await here.press(*["enter"] * 20)
        await nothing_fired(here)
        await here.press(*"KILL", *["enter"] * 10)
        await here.until(lambda: isinstance(here.app.screen, BoardScreen))
        assert len(here.desk.kills) == 1


async def test_esc_sends_nothing(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.arm()
        await here.press(*"KILL", "escape", "enter")
        await nothing_fired(here)
        assert isinstance(here.app.screen, MainScreen)


class TestChord:
    """The chord works on every screen, in every input, over every dialog."""

    async def test_from_help(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            await here.press("question_mark")
            assert isinstance(here.app.screen, HelpScreen)
            await here.arm()
            await here.press("escape")
            assert isinstance(here.app.screen, MainScreen)

    async def test_from_the_filter(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            await here.press("slash", "e", "t")
            await here.arm()
            assert here.filter.value == "et"

    async def test_from_a_confirm_which_is_then_gone(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            await here.press("down", "space", "X")
            assert isinstance(here.app.screen, ConfirmScreen)
            await here.arm()
            await here.press("escape", "enter", "enter")
            assert isinstance(here.app.screen, MainScreen)
            await nothing_fired(here)

    async def test_from_the_palette(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            await here.press("ctrl+p")
            await here.until(lambda: isinstance(here.app.screen, CommandPalette))
            await here.arm()
            await here.press("escape")
            assert isinstance(here.app.screen, MainScreen)

    async def test_from_the_board_by_its_other_key(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            await here.over(await here.kill())
            await here.press("f12")
            assert isinstance(here.app.screen, ArmScreen)

    @pytest.mark.parametrize("size", [(60, 20), (20, 5), (1, 1)])
    async def test_on_a_small_terminal_the_whole_kill_works(
        self, tmp_path: Path, size: tuple[int, int]
    ) -> None:
        async with ground(tmp_path, size=size) as here:
            await here.press("question_mark", "escape", "down", "slash", "escape")
            kill = await here.kill()
            await here.over(kill)
            assert kill.verdict is Verdict.FLAT
            await here.press("d", "escape", "escape")


class TestScope:
    async def test_keys_narrow_the_scope_and_the_kill_keeps_to_it(self, tmp_path: Path) -> None:
        async with ground(tmp_path, venues=("p99", "cs-spot")) as here:
            await here.arm()
            await here.press("v", "v", "b")
            assert "cancel 1 order on 1 venue: p99, buy" in here.line("title")
            live = here.cluster.live()
            await here.press(*"KILL", "enter")
            await here.until(lambda: here.kills != [])
            await here.over(here.kills[0])
            left = here.cluster.live()
            assert left["cs-spot"] == live["cs-spot"]
            assert left["p99"] == [one for one in live["p99"] if one["side"] == "sell"]

    async def test_marked_orders_are_a_frozen_list(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            await here.press("down", "space")
            key = here.grid.cursor_key
            await here.arm()
            await here.press("m")
            assert "cancel 1 order on 1 venue: chosen orders only" in here.line("title")
            await here.press(*"KILL", "enter")
            await here.until(lambda: here.kills != [])
            await here.over(here.kills[0])
            assert here.kills[0].scope.keys == frozenset({key})
            assert len(here.cluster.live()["p99"]) == 5

    async def test_a_hold_sweeps_newcomers_until_it_is_released(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            await here.arm()
            await here.press("h", *"KILL", "enter")
            await here.until(lambda: here.kills != [])
            kill = here.kills[0]
            await here.until(lambda: "H O L D I N G" in here.text())
            venue = here.cluster.named("p99")
            old = next(iter(venue.book.orders.values()))
            newcomer = type(old)(**{name: getattr(old, name) for name in old.__slots__})
            newcomer.id, newcomer.state = venue.book.new_id(), venue.book.finished()[0].state
            newcomer.state = type(newcomer.state)("resting")
            venue.book.add(newcomer)
            await here.until(lambda: len(kill.tracks()) == 7 and not here.cluster.live()["p99"])
            assert kill.finished_wall is None
            await here.press("r")
            await here.over(kill)
            assert kill.verdict is Verdict.FLAT
