"""Random keys, bursts, pastes, clicks and resizes against the real console over practice venues.

Whatever is hit: the console does not crash, no kill starts but by the word just typed key by key, and
no order is cancelled that did not stand under the painted cursor or on a confirm that could be read.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from textual import events

from cancel_tui.console.commands import COMMANDS, Where
from cancel_tui.console.guard import SAME_READ
from cancel_tui.console.screens.confirm import ConfirmScreen
from cancel_tui.orders import OrderKey
from cancel_tui.scope import Scope
from tests.console.ground import Ground, ground
from tests.console.hands import resize, settle

LEAVES = {"ctrl+q"}
KEYS = sorted({key for one in COMMANDS for key in one.keys} - LEAVES)
GRID = sorted({key for one in COMMANDS if one.at(Where.GRID) for key in one.keys} - LEAVES)
MOVES = ["up", "down", "down", "pageup", "pagedown", "home", "end", "space", "tab", "shift+tab", "backspace"]
LETTERS = ["K", "I", "L", "k", "i", "l", "1", "0", ":", "minus", "é", "注"]
PASTES = ["KILL\n", "KILL", "x", "X\n", "side:buy", "\x1b[2J", "[/red]", "注文" * 40, "", "\n" * 50, "age>"]
SIZES = [(80, 24), (80, 24), (120, 40), (20, 5), (1, 1), (56, 14), (200, 60), (80, 3), (3, 50)]


class Judge:
    """Watches what the console is asked to do, and knows only what was pressed and what had been painted."""

    def __init__(self, here: Ground) -> None:
        self.here = here
        self.pressed: list[str] = []
        self.seen: set[OrderKey] = set()
        self.fired = 0
        self.cancelled = 0
        app = here.app
        fire, cancel = app.fire, app._cancel

        def judged_fire(scope: Scope, **rest: Any) -> None:
            assert self.word_typed(), f"a kill without the word, after {self.pressed[-30:]}"
            self.fired += 1
            fire(scope, **rest)

        def judged_cancel(keys: frozenset[OrderKey]) -> None:
            assert keys <= self.seen, f"cancelled unseen {keys - self.seen}, after {self.pressed[-30:]}"
            self.cancelled += 1
            cancel(keys)

        vars(app).update(fire=judged_fire, _cancel=judged_cancel)

    def look(self) -> None:
        """What stands on the screen now may be acted on by the keys that come next."""
        self.seen = set()
        if (key := self.here.grid.painted_key) is not None:
            self.seen.add(key)
        screen = self.here.app.screen
        if isinstance(screen, ConfirmScreen) and screen.ready:
            self.seen |= {order.key for order in screen._orders}

    def word_typed(self) -> bool:
        """Whether the word stands before the last Enter, letter by letter, only Enter behind it."""
        text = ""
        for key in self.pressed[:-1] if self.pressed[-1] == "enter" else ():
            if key == "backspace":
                text = text[:-1]
            elif len(key) == 1:
                text += key
            elif key != "enter" or not text.casefold().endswith("kill"):
                text = ""
        return text.casefold().endswith("kill")


async def play(here: Ground, dice: random.Random, count: int) -> Judge:
    """So many events; the console must take each of them and be alive afterwards."""
    judge, done = Judge(here), 0
    # One order goes for certain, so that the judge is known to be asked.
    await here.press("down")
    await here.until(lambda: here.grid.painted_key is not None)
    await hit(here, judge, ["x"])
    await here.until(lambda: judge.cancelled == 1)
    while done < count:
        judge.look()
        luck = dice.random()
        if luck < 0.02:
            await resize(here.pilot, *dice.choice(SIZES))
            done += 1
        elif luck < 0.05:
            judge.pressed.append("<paste>")
            here.app.post_message(events.Paste(dice.choice(PASTES)))
            done += 1
        elif luck < 0.08:
            width, height = here.app.size
            at = dice.randrange(width), dice.randrange(height)
            await here.pilot.click(offset=at, times=dice.choice((1, 2)))
            done += 1
        elif luck < 0.11:
            make = dice.choice((events.MouseScrollDown, events.MouseScrollUp))
            x, y = dice.randrange(40), dice.randrange(20)
            here.app.post_message(make(None, x, y, 0, 1, 0, False, False, False))
            done += 1
        elif luck < 0.13:
            word = [*dice.choice(("KILL", "kill", "KIL", "KILLL", "KKILL")), "enter", "enter"]
            for key in ["ctrl+k", "", *word]:
                await hit(here, judge, [key] if key else [])
            done += len(word)
        elif luck < 0.16:
            for keys in (["escape"], ["escape"], ["u", "down"], [], [dice.choice(("x", "space"))], ["X"], []):
                await hit(here, judge, keys)
            done += 6
        else:
            pool = dice.choice((KEYS, GRID, MOVES, LETTERS, ["escape"], ["enter"], ["x", "X", "space"]))
            keys = [dice.choice(pool) for _ in range(dice.choice((1, 2, 4, 8)))]
            if dice.random() < 0.2:
                keys.insert(dice.randrange(len(keys) + 1), dice.choice(("escape", "enter", "ctrl+k")))
            await hit(here, judge, keys)
            done += len(keys)
        await here.pilot.pause(0.001)
        assert here.app.is_running
        assert here.app.return_code in (None, 0), judge.pressed[-30:]
        assert len(here.app.screen_stack) < 8, judge.pressed[-30:]
    assert len(here.kills) == judge.fired
    return judge


async def hit(here: Ground, judge: Judge, keys: list[str]) -> None:
    """One burst, handled and painted; the next one is another read of the terminal.

    Else a late key of this one could move the cursor behind the judge's back, on a machine that is busy.
    """
    judge.look()
    judge.pressed += keys
    here.burst(*keys)
    await asyncio.sleep(1.25 * SAME_READ)
    await settle(here.pilot)


async def fuzz(folder: Path, seed: int, count: int) -> Judge:
    async with ground(folder, orders=30, venues=("p99", "cs-spot"), latency=0.01) as here:
        judge = await play(here, random.Random(seed), count)
        # The console still does what it is there for.
        await resize(here.pilot, 80, 24)
        for _ in range(8):
            # Out of everything, also out of an armed screen with its own scope or a hold.
            await hit(here, judge, ["escape"])
        judge.pressed += [*"KILL", "enter"]
        kill = await here.kill()
        await here.over(kill)
        return judge


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_keys_crash_nothing_fire_nothing_and_cancel_nothing_unseen(
    tmp_path: Path, seed: int
) -> None:
    judge = await fuzz(tmp_path, seed, 500)
    assert judge.cancelled > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
async def test_twenty_thousand_random_keys(tmp_path: Path, seed: int) -> None:
    await fuzz(tmp_path, seed, 1_000)
