"""Marks, totals, the story of one order and what ended of late, in the console on practice venues."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cancel_tui.cancels import Ending
from cancel_tui.console.rows import KEEP_ENDED
from cancel_tui.console.screens.confirm import ConfirmScreen
from cancel_tui.console.screens.order import OrderScreen
from cancel_tui.console.screens.recent import RecentScreen
from cancel_tui.console.screens.totals import TotalsScreen
from cancel_tui.console.totals import sum_of
from cancel_tui.desk.track import Track
from tests.console.ground import NARROW, WIDE, Ground, ground


async def test_a_range_is_marked_from_the_last_mark_to_the_cursor_either_way(tmp_path: Path) -> None:
    async with ground(tmp_path, orders=12) as here:
        keys = here.keys()
        await here.press("down", "v")
        assert "mark an order with space first" in here.line("banner")
        assert here.app._main.marked() == frozenset()
        await here.cursor(keys[6])
        await here.press("space")
        await here.cursor(keys[3])
        await here.press("v")
        assert here.app._main.marked() == frozenset(keys[3:7])
        await here.cursor(keys[8])
        await here.press("v")
        assert here.app._main.marked() == frozenset(keys[3:9])
        await here.press("u", "v")
        assert here.app._main.marked() == frozenset(), "the mark that it would begin at is gone"


async def test_the_marks_are_counted_and_summed_up_also_those_that_the_filter_hides(tmp_path: Path) -> None:
    async with ground(tmp_path, orders=20) as here:
        assert not here.app._main.query_one("#marks").display
        here.filter.value = "side:buy"
        await here.until(lambda: 0 < len(here.grid.model) < here.grid.model.total)
        buys = here.keys()
        await here.press("M")
        assert here.app._main.marked() == frozenset(buys)
        await here.until(lambda: f"{len(buys)} marked" in here.line("marks"))
        rows = [row for key in buys if (row := here.grid.model.get(key)) is not None]
        for word in sum_of(row.order for row in rows).words():
            assert word in here.line("marks")
        here.filter.value = "side:sell"
        await here.until(lambda: f"{len(buys)} hidden by the filter" in here.line("marks"))
        await here.press("X")
        await here.until(lambda: isinstance(here.app.screen, ConfirmScreen))
        assert f"Cancel {len(buys)} marked orders? {len(buys)} of them hidden" in here.line("title")
        for word in sum_of(row.order for row in rows).words():
            assert word in here.line("confirm")
        confirm = here.app.screen
        assert isinstance(confirm, ConfirmScreen)
        await here.until(lambda: confirm.ready)
        await here.press("escape")
        await here.until(lambda: here.app.screen is here.app._main)
        here.filter.value = "side:sell age>x"
        await here.until(lambda: here.grid.model.troubles != ())
        await here.press("u", "M")
        assert "the filter was not read" in here.line("banner")
        assert here.app._main.marked() == frozenset()


async def test_the_totals_are_of_what_the_filter_shows_and_go_on(tmp_path: Path) -> None:
    async with ground(tmp_path, orders=20, venues=("p99", "cs-spot")) as here:
        await here.press("t")
        assert isinstance(here.app.screen, TotalsScreen)
        orders = [row.order for row in here.grid.model]

        def count(name: str) -> str:
            line = next(one for one in here.line("text").splitlines() if one.split()[:1] == [name])
            return line.split()[1]

        await here.until(lambda: count("all") == str(len(orders)))
        assert count("p99") == str(sum(one.venue == "p99" for one in orders))
        assert count("sell") == str(sum(one.side == "sell" for one in orders))
        assert count("BTC/INR") == str(sum(str(one.symbol) == "BTC/INR" for one in orders))
        await here.press("escape")
        here.filter.value = "venue:p99 side:buy"
        await here.until(lambda: len(here.grid.model) < len(orders))
        shown = len(here.grid.model)
        await here.cursor(here.keys()[0])
        await here.press("t")
        await here.until(lambda: count("all") == str(shown))
        assert "venue:p99 side:buy" in here.line("title")
        assert "cs-spot" not in here.line("text")
        key = here.grid.cursor_key
        here.app.cancel_one(key)
        await here.until(lambda: count("all") == str(shown - 1))


async def story(here: Ground) -> str:
    """The details of the order under the cursor."""
    await here.press("enter")
    await here.until(lambda: isinstance(here.app.screen, OrderScreen))
    await here.until(lambda: "What happened" in here.line("text"))
    return here.line("text")


async def test_the_details_hold_every_field_and_the_story_of_the_order(tmp_path: Path) -> None:
    async with ground(tmp_path, size=WIDE) as here:
        await here.press("enter")
        await here.until(lambda: "no order is under the cursor" in here.line("banner"))
        venue = here.cluster.named("p99")
        venue.faults.add("trading_disabled")
        await here.press("down")
        key = here.grid.painted_key
        assert key is not None
        text = await story(here)
        for field in ("client_order_id", "time_in_force", "reduce_only", "updated_at", "notional"):
            assert field in text
        assert key.order_id in text
        assert "created, by the venue's clock" in text
        assert "Its cancel" not in text
        await here.press("escape", "x")
        (track,) = await tracks(here)
        await here.until(lambda: track.blocked is not None)
        await here.until(lambda: "spot trading disabled" in here.line("detail"))
        await here.until(lambda: "x asks again" in here.line("detail"))
        text = await story(here)
        await here.until(lambda: "cancel 1 on its way" in here.line("text"))
        text = here.line("text")
        assert "spot trading disabled" in text
        assert "halted for" in text
        assert "now refused\n" in text, "what has just been said is not said again"
        venue.faults.clear()
        await here.until(lambda: "outcome canceled" in here.line("text"), limit=30.0)
        text = here.line("text")
        assert "now canceled" in text
        assert "the venue's word for its end arrived" in text
        assert text.index("cancel 1 on its way") < text.index("now canceled")
        await here.until(lambda: "canceled" in here.line("title"))
        screen = here.app.screen
        assert isinstance(screen, OrderScreen)
        assert screen.key == key


def _shows(here: Ground, words: str) -> bool:
    return words in here.picture()


async def tracks(here: Ground) -> list[Track]:
    await here.until(lambda: bool(here.desk.kills) and bool(here.desk.kills[0].tracks()))
    return here.desk.kills[0].tracks()


async def test_what_ended_stays_for_a_while_and_then_among_the_recent(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("z")
        assert "no order has ended" in here.line("text")
        await here.press("escape", "down")
        key = here.grid.painted_key
        assert key is not None
        await here.press("x")
        (track,) = await tracks(here)
        await here.until(lambda: track.outcome is Ending.CANCELED)
        await here.until(lambda: "canceled" in here.picture())
        book = here.desk.slots[key.venue].book
        await here.until(lambda: book.find(key) is None)
        track.since -= KEEP_ENDED
        here.app.ledger.changes.note(key)
        await here.until(lambda: here.grid.model.get(key) is None)
        await here.press("z")
        assert isinstance(here.app.screen, RecentScreen)
        (line,) = [one for one in here.line("text").splitlines() if "canceled" in one]
        assert key.order_id[-8:] in line
        assert "p99" in line
        assert " ms" in line or " s " in line
        other = here.keys()[0]
        here.app.cancel_one(other)
        await here.until(lambda: other.order_id[-8:] in here.line("text"))


async def test_every_new_screen_can_be_read_at_eighty_columns_and_in_ascii(tmp_path: Path) -> None:
    async with ground(tmp_path, size=NARROW, ascii_only=True) as here:
        await here.press("down")
        for key, words in (
            ("t", "NOTIONAL"),
            ("c", "to keep it"),
            ("z", "no order has ended"),
            ("enter", "Every field"),
        ):
            await here.press(key)
            await here.until(partial(_shows, here, words))
            assert here.picture().isascii()
            await here.press("escape")
