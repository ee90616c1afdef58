"""The armed screen holds what matters at 80×24, and the kill works whatever else is going on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import pytest

from cancel_tui.console.arming import MOST, Previews
from cancel_tui.console.screens.arm import ArmScreen
from cancel_tui.console.screens.base import DeskScreen
from cancel_tui.console.screens.board import BoardScreen
from cancel_tui.console.screens.main import MainScreen
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.slot import VenueState
from cancel_tui.orders import Side, VenueName
from cancel_tui.redaction import Secret
from cancel_tui.scope import Scope
from cancel_tui.settings import VenueSettings
from tests.console.ground import NARROW, Ground, ground
from tests.console.hands import resize, settle

FIVE = ("cs-spot", "cs-fut", "roxom", "p99", "broker")


async def fire(here: Ground) -> None:
    await here.arm()
    await here.press(*"KILL", "enter")
    await here.until(lambda: isinstance(here.app.screen, BoardScreen))


async def test_five_venues_and_every_warning_fit_on_the_smallest_screen(tmp_path: Path) -> None:
    async with ground(tmp_path, venues=FIVE, orders=8, listed=False) as here:
        await here.complete()
        await here.arm()
        for name in ("roxom", "broker"):
            slot = next(one for one in here.desk.slots.values() if one.name == name)
            polling = here.desk._polls.get(slot.name)
            if polling is not None:
                polling.cancel()
            slot.state, slot.error = (
                VenueState.DOWN,
                f"no answer from {name}: the connection was refused " * 4,
            )
        await here.press("s")
        here.app.tell("a notice of some length that stands in the banner")
        here.app.look()
        await settle(here.pilot)
        picture = here.picture()
        lines = picture.splitlines()
        assert len(lines) == NARROW[1]
        for name in FIVE:
            assert any(line.startswith(name) for line in lines), f"{name} has no row\n{picture}"
        told = [line for line in lines if line.startswith("! ")]
        assert 1 <= len(told) <= MOST
        assert told[0].startswith("! roxom down: no answer"), "the gravest comes first"
        assert "broker" in " ".join(" ".join(lines).partition("! ")[2].split()[:30])
        assert any("a notice of some length" in line for line in lines)
        assert any("notional" in line for line in lines)
        assert any("Type  KILL  and press Enter" in line for line in lines), picture
        assert lines[-1].startswith("Esc back: nothing has been sent"), picture
        assert any(line.startswith("scope") for line in lines)
        for height in (20, 18, 16, 14):
            await resize(here.pilot, 80, height)
            await settle(here.pilot)
            assert "Type  KILL  and press Enter" in here.picture(), here.picture()
        here.app.read_only = True
        here.app.look()
        await settle(here.pilot)
        assert "started with --read-only" in here.picture()


async def test_it_fires_while_the_venues_are_still_being_opened(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def keys(settings: VenueSettings) -> Mapping[str, Secret]:
        if settings.name == "cs-spot":
            await gate.wait()
        venue = here.cluster.named(settings.name)
        return {name: Secret(value) for name, value in venue.credentials().items()}

    async with ground(tmp_path, venues=("p99", "cs-spot"), credentials=keys, listed=False) as here:
        await here.arm()
        assert "cs-spot not asked yet" in here.line("warnings")
        assert "not open yet" in here.line("preview")
        await here.press(*"KILL", "enter")
        await here.until(lambda: isinstance(here.app.screen, BoardScreen))
        kill = here.kills[0]
        await here.until(lambda: here.cluster.live()["p99"] == [])
        assert here.cluster.live()["cs-spot"] != []
        assert "opening" in here.line("venues")
        gate.set()
        await here.over(kill)
        assert here.cluster.live() == {"p99": [], "cs-spot": []}
        assert here.line("verdict").startswith("F L A T")


async def test_it_fires_while_a_venue_refuses_connections(tmp_path: Path) -> None:
    async with ground(tmp_path, venues=("p99", "cs-spot")) as here:
        await here.cluster.named("cs-spot").stop()
        await here.until(lambda: "cs-spot" in here.line("chips") and "DOWN" in here.line("chips"))
        await here.arm()
        assert "cs-spot down" in here.line("warnings")
        assert "DOWN" in here.line("preview")
        await here.press(*"KILL", "enter")
        await here.until(lambda: isinstance(here.app.screen, BoardScreen))
        await here.until(lambda: here.cluster.live()["p99"] == [])
        await here.until(lambda: "FLAT" in here.line("venues"))
        assert here.line("verdict") == "N O T   F L A T   Y E T"


@pytest.mark.parametrize(
    "keys", [("l",), ("l", "slash"), ("c",), ("K",), ("V",), ("V", "n"), ("question_mark",), ("slash", "x")]
)
async def test_it_arms_over_every_dialog_and_every_input(tmp_path: Path, keys: tuple[str, ...]) -> None:
    async with ground(tmp_path) as here:
        await here.press(*keys)
        before = here.app.screen
        assert isinstance(before, DeskScreen)
        await here.arm()
        await here.press(*"KILL")
        assert here.line("word").endswith("KILL▌")
        await here.press("escape")
        assert isinstance(here.app.screen, MainScreen)
        assert here.desk.kills == []


async def test_it_fires_over_a_dialog(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("V")
        await fire(here)
        assert not any(isinstance(one, ArmScreen) for one in here.app.screen_stack)
        await here.over(here.kills[0])
        assert here.cluster.live()["p99"] == []


async def test_a_scope_key_that_is_the_words_first_letter_says_so(tmp_path: Path) -> None:
    async with ground(tmp_path, console='confirm_word = "STOP"') as here:
        await here.arm()
        await here.press("s")
        assert "s is a scope key; STOP is typed as it is shown" in here.line("word")
        await here.press(*"STOP", "enter")
        await here.until(lambda: isinstance(here.app.screen, BoardScreen))


async def test_one_order_and_the_kill_in_at_most_fifteen_keys_by_the_footer(tmp_path: Path) -> None:
    async with ground(tmp_path, venues=("p99", "cs-spot")) as here:
        footer = here.line("footer")
        assert "x Cancel" in footer
        assert "^K KILL" in footer
        pressed = ["down", "x"]
        await here.press(*pressed)
        await here.until(lambda: len(here.desk.kills) == 1)
        await here.arm()
        await here.press(*"KILL", "enter")
        await here.until(lambda: isinstance(here.app.screen, BoardScreen))
        assert len([*pressed, "ctrl+k", *"KILL", "enter"]) <= 15
        await here.over(here.kills[0])
        assert here.line("verdict").startswith("F L A T")


async def test_a_preview_is_made_anew_where_orders_or_scope_are_others_and_only_there(tmp_path: Path) -> None:
    async with ground(tmp_path, venues=("p99", "cs-spot")) as here:
        for poll in here.desk._polls.values():
            poll.cancel()
        ledger, everything, previews = here.app.ledger, Scope(raw={}), Previews()
        first = previews.of(ledger, everything)
        ledger.refresh()
        assert all(new is old for new, old in zip(previews.of(ledger, everything), first, strict=True))
        buys = previews.of(ledger, Scope(raw={"side": ["buy"]}, sides=frozenset({Side.BUY})))
        assert [one.orders for one in buys] == [one.buys for one in first]
        assert previews.of(ledger, everything) == first
        here.cluster.named("p99").book.add(here.cluster.named("p99").newcomer())
        await here.desk.list_venue(here.desk.slots[VenueName("p99")], Urgency.POLL, deep=True)
        ledger.refresh()
        later = {one.venue: one.orders for one in previews.of(ledger, everything)}
        assert later == {"p99": 7, "cs-spot": 6}


async def test_the_board_of_a_kill_that_is_over_is_drawn_again_only_where_it_differs(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        kill = await here.kill()
        await here.over(kill)
        board = here.app.screen
        assert isinstance(board, BoardScreen)
        with patch.object(board, "_paint_kill", wraps=board._paint_kill) as drawn:
            for _ in range(3):
                here.app.look()
            assert drawn.call_count == 0

            def drawn_again() -> bool:
                here.app.look()
                count = drawn.call_count
                drawn.reset_mock()
                here.app.look()
                assert drawn.call_count == 0
                return count > 0

            here.app.wear("light")
            assert drawn_again()
            await resize(here.pilot, 100, 30)
            assert drawn_again()
            kill.revision += 1
            assert drawn_again()
        await here.press("escape")
        banner = here.line("banner")
        assert "last kill: FLAT" in banner
        again = await here.kill()
        await here.over(again)
        await here.press("escape")
        assert here.line("banner") != banner
