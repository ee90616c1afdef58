"""Hostile text from venues, keyrings and the configuration: on every screen it is text and nothing else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from msgspec.structs import replace
from rich.cells import cell_len
from textual import events

from cancel_tui.cancels import Stage
from cancel_tui.console.keydoor import KeyDoor
from cancel_tui.console.keyroom import Entry, KeyState
from cancel_tui.console.screens.ask import AskScreen
from cancel_tui.console.screens.confirm import ConfirmScreen
from cancel_tui.console.screens.keyform import KeyFormScreen
from cancel_tui.console.screens.keys import KeysScreen
from cancel_tui.console.screens.order import OrderScreen
from cancel_tui.console.screens.totals import TotalsScreen
from cancel_tui.console.screens.venues import VenuesScreen
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.kill import VenueResult
from cancel_tui.desk.slot import Slot
from cancel_tui.orders import OrderId, altered
from cancel_tui.redaction import Secret
from cancel_tui.text import VenueText, literal
from cancel_tui.vault import BackendInfo, Strength, VaultBroken
from cancel_tui.venues.base import PartList
from tests.console.ground import WIDE, Ground, ground

HOSTILE = (
    "[/order/7] [red]x[/red] [@click=app.exit]y[/]",
    "\x1b[2J\x1b]0;owned\x07",
    "a\nb\tc\rd",
    "\u202egnp.exe\u2066",
    "注文" * 40,
    "[" * 60,
    "e\u0301\u200d\U0001f469\u200d\U0001f4bb",
    "i" * 10_000,
    "\u200b\ufeff\u2060" + "e" + "\u0301" * 300,
    "x\ufe0f\u20e3 \x9b31m \u2028 \u0085",
)


@asynccontextmanager
async def hostile_ground(folder: Path, door: KeyDoor | None = None) -> AsyncIterator[Ground]:
    """A console with one order for each hostile text, which stands in every field that can hold it."""
    async with ground(folder, size=WIDE, orders=len(HOSTILE), door=door) as here:
        slot = one_slot(here)
        for poll in here.desk._polls.values():
            poll.cancel()
        part_id, reading = next(iter(slot.book.parts.items()))
        orders = [
            altered(
                order,
                key=order.key._replace(order_id=OrderId(text)),
                symbol=VenueText(text),
                venue_status=VenueText(text),
                client_order_id=VenueText(text),
                time_in_force=VenueText(text),
                exchange=VenueText(text),
                source=VenueText(text),
                display_symbol=VenueText(text),
            )
            for order, text in zip(reading.orders.values(), HOSTILE, strict=False)
        ]
        assert len(orders) == len(HOSTILE)
        now = here.desk.clock.monotonic()
        slot.book.absorb(part_id, now, PartList(orders=tuple(orders), complete=True), now)
        here.app.look()
        await here.until(lambda: "[/order/7]" in here.picture())
        yield here


def one_slot(here: Ground) -> Slot:
    return next(iter(here.desk.slots.values()))


def harmless(here: Ground) -> None:
    """Every cell of the screen holds a character that does nothing, and no line is longer than it is."""
    picture = here.picture()
    for line in picture.splitlines():
        assert literal(line, 10_000) == line
    strips = here.app.screen._compositor.render_strips()
    assert {strip.cell_length for strip in strips} == {here.app.size.width}
    assert max(map(cell_len, picture.splitlines())) <= here.app.size.width


async def shown(here: Ground, *words: str) -> None:
    await here.until(lambda: all(word in here.text() for word in words))


async def paste(here: Ground, text: str) -> None:
    here.app.post_message(events.Paste(text))
    await here.later()


async def test_it_stays_text_in_the_grid_the_log_the_kill_and_its_report(tmp_path: Path) -> None:
    async with hostile_ground(tmp_path) as here:
        slot = one_slot(here)
        for _ in range(here.grid.model.total):
            await here.press("down", "space")
            harmless(here)
        slot.error = "".join(HOSTILE)
        for text in HOSTILE:
            here.app.refuse(text)
        here.app.look()
        harmless(here)
        await here.press("slash")
        for text in HOSTILE:
            here.filter.value = ""
            await paste(here, f"symbol:{text} age>{text}")
            harmless(here)
        await here.press("escape", "l")
        harmless(here)
        await here.press("slash")
        await paste(here, "".join(HOSTILE))
        harmless(here)
        await here.press("escape", "escape")
        await here.arm()
        harmless(here)
        await here.press("y")
        harmless(here)
        await here.press("escape")
        await here.press("X")
        assert isinstance(here.app.screen, ConfirmScreen)
        harmless(here)
        assert "[/order/7]" in here.picture()
        await here.confirmed()
        await here.until(lambda: here.desk.kills != [])
        await here.until(lambda: any(t.stage is not Stage.WANTED for t in here.desk.kills[0].tracks()))
        here.app.look()
        harmless(here)
        kill = await here.kill()
        await here.press("d")
        harmless(here)
        await here.press("escape", "e")
        # Nobody knows these ids; past its deadline the kill asks for them once more, and ends.
        kill.stop(here.desk.clock.monotonic())
        await here.over(kill)
        assert kill.verdict is Verdict.UNVERIFIED
        harmless(here)


async def test_it_stays_text_in_the_details_of_an_order_and_in_the_totals(tmp_path: Path) -> None:
    async with hostile_ground(tmp_path) as here:
        await here.press("t")
        assert isinstance(here.app.screen, TotalsScreen)
        await here.until(lambda: "by symbol" in here.picture())
        harmless(here)
        counts = here.line("text").partition("by symbol\n")[2].splitlines()
        assert len(counts) >= len(HOSTILE)
        # The counts stand below each other, behind wide characters too.
        ends = [re.search(r" +\d+ +\d+ +\d+  ", line) for line in counts]
        assert len({cell_len(line[: end.end()]) for line, end in zip(counts, ends, strict=True) if end}) == 1
        await here.press("escape")
        left = set(HOSTILE)
        while left:
            await here.press("down", "enter")
            screen = here.app.screen
            assert isinstance(screen, OrderScreen)
            left.discard(screen.key.order_id)
            assert f" {'order_id':<16} {literal(screen.key.order_id)[:20]}" in here.line("text")
            harmless(here)
            await here.press("escape")


class HostileKeyring:
    """A keyring whose name, warnings and errors come from somebody else."""

    def __init__(self) -> None:
        self.text = ""

    async def backend(self) -> BackendInfo:
        return BackendInfo(self.text, Strength.UNKNOWN, explicit=True, warning=self.text)

    async def known(self, names: Sequence[str]) -> dict[str, bool]:
        return dict.fromkeys(names, True)

    async def get(self, name: str) -> dict[str, Secret]:
        raise VaultBroken(self.text)

    async def put(self, name: str, fields: Mapping[str, Secret]) -> None:
        raise VaultBroken(self.text)

    async def delete(self, name: str) -> None:
        raise VaultBroken(self.text)

    def retry(self) -> None:
        """Nothing was latched."""


async def test_it_stays_text_among_the_credentials_and_in_their_form(tmp_path: Path) -> None:
    keyring = HostileKeyring()
    door = KeyDoor(lambda: keyring, lambda name, fields: None, lambda name: None)
    async with ground(tmp_path, door=door) as here:
        room, settings = here.app.keyroom, here.desk.settings.venues[0]
        await here.press("K")
        screen = here.app.screen
        assert isinstance(screen, KeysScreen)
        for text in HOSTILE:
            # The name of an entry is any text of the configuration.
            entry = Entry(text, (replace(settings, credentials=text),))
            room.entries, room.told, keyring.text = (entry,), {text: [text]}, text
            await here.press("u")
            await here.until(lambda: not room.asking)
            assert room.state(entry) is KeyState.STORED
            room.delete(entry)
            await here.until(lambda: not room.asking)
            assert room.told[text] == [text]
            room.trouble, room.told[text] = text, [text] * 9
            here.app.look()
            await shown(here, literal(text)[:20], " needs api_key", "unknown")
            harmless(here)
            assert "unknown  p99" in here.picture()
            assert "^K KILL" in here.picture().splitlines()[-1]
            room.trouble = ""
            await here.press("d")
            ask = here.app.screen
            assert isinstance(ask, AskScreen)
            harmless(here)
            ask.dismiss()
            await here.until(lambda: here.app.screen is screen)
            await here.press("a", "1")
            assert isinstance(here.app.screen, KeyFormScreen)
            await paste(here, text)
            harmless(here)
            assert "character" in here.line("preview")
            assert literal(text)[:20] not in here.line("preview")
            await here.press("escape")


def _blind(results: list[VenueResult], spots: tuple[str, ...]) -> list[VenueResult]:
    return [replace(one, blind_spots=spots) for one in results]


async def test_it_stays_text_in_a_verdict_and_among_the_venues(tmp_path: Path) -> None:
    async with ground(tmp_path, orders=0) as here:
        kill = await here.kill()
        await here.over(kill)
        assert kill.verdict is Verdict.FLAT
        spots = tuple(f"account:{text}" for text in HOSTILE)
        vars(kill).update(results=partial(_blind, kill.results(), spots))
        for key in ("", "d", "escape", "escape"):
            await here.press(*filter(None, [key]))
            here.app.look()
            harmless(here)
        assert "account:[/order/7]" in here.line("banner")
        for poll in here.desk._polls.values():
            poll.cancel()
        slot = one_slot(here)
        await here.press("V")
        assert isinstance(here.app.screen, VenuesScreen)
        for text in HOSTILE:
            slot.error, slot.state = text, type(slot.state)("down")
            slot.blind_spots = {f"account:{text}"}
            here.app.look()
            await shown(here, f"account:{literal(text)[:20]}")
            harmless(here)


async def test_a_hostile_error_text_does_not_reach_markup_or_a_chip(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        slot = next(iter(here.desk.slots.values()))
        polls = list(here.desk._polls.values())
        for poll in polls:
            poll.cancel()
        text = "[/bold] 502 [red]" + "long " * 60 + "\x1b[2J"
        slot.error, slot.state = text, type(slot.state)("down")
        here.app.look()
        chips = here.line("chips")
        assert "DOWN" in chips
        assert "long" not in chips
        await here.arm()
        assert "[/bold] 502" in here.line("warnings")
        assert "\x1b" not in here.picture()
