"""The order grid on a screen: what is painted, what is under the cursor, what keys and mouse do."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterable
from decimal import Decimal

import pytest
from rich.cells import cell_len
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown
from textual.geometry import Region
from textual.pilot import Pilot
from textual.scrollbar import ScrollDown, ScrollTo, ScrollUp
from textual.strip import Strip

from cancel_tui.cancels import Ending, Stage
from cancel_tui.console.badges import badge_for
from cancel_tui.console.columns import Column
from cancel_tui.console.grid import STRIPS, OrderGrid
from cancel_tui.console.grid_messages import CursorMoved, MarksChanged
from cancel_tui.console.grid_model import GridRow
from cancel_tui.console.grid_paint import Drawn, Look
from cancel_tui.orders import (
    AccountId,
    Family,
    Order,
    OrderId,
    OrderKey,
    OrderStatus,
    OrderType,
    Side,
    VenueName,
)
from cancel_tui.text import VenueText
from tests.console.hands import press, resize, settle

NARROW, WIDE = (80, 24), (120, 40)


class GridApp(App[None]):
    """Nothing but a grid, and a list of what it said."""

    def __init__(self, *, ascii_only: bool = False, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self.grid = OrderGrid(ascii_only=ascii_only)
        self.moved: list[OrderKey | None] = []
        self.marks: list[frozenset[OrderKey]] = []

    def compose(self) -> ComposeResult:
        yield self.grid

    def on_order_grid_cursor_moved(self, message: CursorMoved) -> None:
        assert message.control is self.grid
        self.moved.append(message.key)

    def on_order_grid_marks_changed(self, message: MarksChanged) -> None:
        assert message.control is self.grid
        self.marks.append(message.marked)


def key_of(order_id: str, venue: str = "p99") -> OrderKey:
    return OrderKey(VenueName(venue), None, Family.ORDER, OrderId(order_id))


def row_of(
    order_id: str,
    price: str = "10",
    stage: Stage | None = None,
    since: float = 0.0,
    venue: str = "p99",
    symbol: str = "BTC/INR",
    account: str | None = None,
    ending: Ending | None = None,
    side: Side = Side.BUY,
    born: float = 0.0,
) -> GridRow:
    key = key_of(order_id, venue)
    order = Order(
        key=key,
        account=AccountId(account) if account else None,
        symbol=VenueText(symbol),
        side=side,
        type=OrderType.LIMIT,
        price=Decimal(price),
        quantity=Decimal(1),
        filled=Decimal(0),
        remaining=Decimal(1),
        status=OrderStatus.OPEN,
        created_at=1_000.0 - born,
    )
    return GridRow(key=key, order=order, stage=stage, badge=badge_for(order, stage, since, ending), born=born)


def numbered(count: int) -> list[GridRow]:
    return [row_of(f"{n:06d}", price=str(n)) for n in range(count)]


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Let frames pass until it holds; a grid that never paints it fails here."""
    for _ in range(300):
        if condition():
            return
        await pilot.pause(0.01)
    raise AssertionError("it was never painted")


async def settled(pilot: Pilot[None]) -> None:
    """A frame with all that was asked for: the last painted lines are those that would be painted now."""
    grid = pilot.app.query_one(OrderGrid)
    await settle(pilot)
    await until(pilot, lambda: not grid._repaint_regions and not grid._repaint_required)


def painted_lines(grid: OrderGrid) -> list[str]:
    """What the last frames left on the screen, line by line."""
    return [strip.text for strip in strips(grid)]


def strips(grid: OrderGrid) -> list[Strip]:
    return grid.render_lines(Region(0, 0, grid.size.width, grid.size.height))


def ids(grid: OrderGrid) -> list[str]:
    return [row.key.order_id for row in grid.model]


async def start(pilot: Pilot[None], rows: Iterable[GridRow], now: float = 0.0) -> OrderGrid:
    grid = pilot.app.query_one(OrderGrid)
    grid.apply(rows, now=now)
    grid.focus()
    await settled(pilot)
    return grid


class TestLines:
    async def test_eighty_columns_show_what_matters_and_every_line_fills_the_screen(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(100))
            header, first, *_ = painted_lines(grid)
            assert " ".join(header.split()) == "VENUE↑ SYMBOL SIDE TYPE PRICE REMAINING AGE STATUS"
            assert first.split() == ["p99", "BTC/INR", "▲BUY", "lmt", "0", "1", "0s", "open"]
            assert {cell_len(line) for line in painted_lines(grid)} == {grid.size.width}

    async def test_a_wide_screen_adds_columns(self) -> None:
        async with GridApp().run_test(size=WIDE) as pilot:
            grid = await start(pilot, [row_of("abc", account="acc-1")])
            header, first, *_ = painted_lines(grid)
            assert {"ACCOUNT", "FILLED", "ID"} <= set(header.split())
            assert "acc-1" in first
            assert "abc" in first

    async def test_the_account_column_is_there_only_while_an_order_names_one(self) -> None:
        async with GridApp().run_test(size=WIDE) as pilot:
            grid = await start(pilot, [row_of("a")])
            assert "ACCOUNT" not in painted_lines(grid)[0]
            grid.apply([row_of("b", account="x")])
            await settled(pilot)
            assert "ACCOUNT" in painted_lines(grid)[0]
            grid.apply([], [key_of("b")])
            await settled(pilot)
            assert "ACCOUNT" not in painted_lines(grid)[0]

    @pytest.mark.parametrize("size", [(80, 24), (60, 20), (20, 5), (3, 2), (200, 60)])
    async def test_any_size_draws(self, size: tuple[int, int]) -> None:
        async with GridApp().run_test(size=size) as pilot:
            grid = await start(pilot, numbered(50))
            await press(pilot, "end", "up", "pageup", "space")
            await settled(pilot)
            assert {cell_len(line) for line in painted_lines(grid)} == {grid.size.width}

    async def test_the_heading_stays_while_rows_scroll(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(200))
            await press(pilot, "end")
            await settled(pilot)
            lines = painted_lines(grid)
            assert "VENUE" in lines[0]
            assert " 199 " in lines[-1]

    async def test_the_heading_marks_the_sort(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(5))
            grid.set_sort(Column.PRICE, reverse=True)
            await settled(pilot)
            assert "↓PRICE" in painted_lines(grid)[0]
            assert " 4 " in painted_lines(grid)[1]

    async def test_the_sort_key_walks_through_the_columns_and_round(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(5))
            walked = []
            for _ in range(8):
                grid.cycle_sort()
                walked.append(grid.model.sort.value)
            assert walked == ["symbol", "side", "type", "price", "remaining", "age", "status", "venue"]

    async def test_ascii_means_ascii(self) -> None:
        async with GridApp(ascii_only=True).run_test(size=WIDE) as pilot:
            rows = [row_of(str(n), stage=stage, symbol="日経") for n, stage in enumerate(Stage)]
            grid = await start(pilot, rows)
            await press(pilot, "down", "space")
            await settled(pilot)
            text = "".join(painted_lines(grid))
            assert text.isascii()
            assert ">x" in text
            grid.ascii_only = False
            await settled(pilot)
            assert "▸✓" in "".join(painted_lines(grid))

    async def test_without_a_row_the_placeholder_stands_in_the_middle(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, [])
            grid.set_placeholder("Loading [b]5[/b] venues")
            await settled(pilot)
            assert "Loading [b]5[/b] venues" in painted_lines(grid)[12]
            grid.apply([row_of("a")])
            await settled(pilot)
            assert "Loading" not in "".join(painted_lines(grid))

    async def test_a_filter_that_hides_all_says_how_many(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(7))
            grid.set_filter("[/nothing]")
            await settled(pilot)
            assert "none of 7 orders matches: [/nothing]" in "".join(painted_lines(grid))
            grid.set_filter("[/nothing else]")
            grid.apply(numbered(8))
            await settled(pilot)
            assert "none of 8 orders matches: [/nothing else]" in "".join(painted_lines(grid))

    async def test_rows_given_before_the_first_paint_are_on_it(self) -> None:
        app = GridApp()
        app.grid.apply(numbered(50), now=3.0)
        app.grid.set_sort(Column.PRICE, reverse=True)
        app.grid.move_cursor(key_of("000048"))
        async with app.run_test(size=NARROW) as pilot:
            await until(pilot, lambda: app.grid.painted_key == key_of("000048"))
            assert " 49 " in painted_lines(app.grid)[1]


class TestForeignText:
    HOSTILE = (
        "[/order/123]",
        "[@click=app.quit]x[/]",
        "\x1b]0;owned\x07\x1b[2J",
        "\u202egnirts",
        "日経平均先物",
        "x" * 10_000,
        "e\u0301" * 500,
        "two\nlines",
    )

    @pytest.mark.parametrize("size", [NARROW, WIDE])
    async def test_hostile_names_stay_text_and_break_no_line(self, size: tuple[int, int]) -> None:
        async with GridApp().run_test(size=size) as pilot:
            grid = await start(pilot, [row_of(text, symbol=text, venue="p99") for text in self.HOSTILE])
            lines = painted_lines(grid)
            assert {cell_len(line) for line in lines} == {grid.size.width}
            assert not any(char in "".join(lines) for char in "\x1b\x07\n\u202e")
            assert any("[/order/…" in line or "[/order/123]" in line for line in lines)
            assert not any(
                segment.style and segment.style.meta for strip in strips(grid) for segment in strip
            )


class TestCursor:
    async def test_nothing_is_under_the_cursor_before_an_arrow_key(self) -> None:
        app = GridApp()
        async with app.run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(5))
            assert grid.cursor_key is None
            assert grid.painted_key is None
            await press(pilot, "down")
            await until(pilot, lambda: grid.painted_key == key_of("000000"))
            assert app.moved == [key_of("000000")]

    async def test_keys_move_by_lines_and_views_and_stop_at_the_ends(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(100))

            async def reached(*keys: str) -> str:
                await press(pilot, *keys)
                assert grid.cursor_key is not None
                return str(int(grid.cursor_key.order_id))

            assert await reached("down", "down") == "1"
            assert await reached("pagedown") == "24"
            assert await reached("pageup") == "1"
            assert await reached("pageup") == "0"
            assert await reached("up") == "0"
            assert await reached("end") == "99"
            assert await reached("down") == "99"
            assert await reached("home") == "0"
            assert await reached("j") == "0"
            await until(pilot, lambda: grid.painted_key == key_of("000000"))

    async def test_the_cursor_stays_with_its_order_through_sorting(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(300))
            await press(pilot, "down", "down", "down")
            for reverse in (True, False):
                grid.set_sort(Column.PRICE, reverse)
                await settled(pilot)
                assert grid.cursor_key == grid.painted_key == key_of("000002")
                assert sum("▸" in line for line in painted_lines(grid)) == 1
                assert next(line for line in painted_lines(grid) if "▸" in line).split()[5] == "2"

    async def test_rows_that_come_and_go_leave_the_cursors_order_on_its_line(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(300))
            await press(pilot, "end", "pageup", "up")
            await settled(pilot)
            key = grid.cursor_key

            def line() -> int:
                return next(y for y, text in enumerate(painted_lines(grid)) if "▸" in text)

            before = line()
            grid.apply([row_of(f"0000{n:02d}x", price="1") for n in range(10)])
            await settled(pilot)
            assert (grid.painted_key, line()) == (key, before)
            grid.apply([], [key_of(f"{n:06d}") for n in range(40)])
            await settled(pilot)
            assert (grid.painted_key, line()) == (key, before)

    async def test_without_the_cursor_in_view_the_first_row_that_stays_keeps_its_line(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(300))
            await press(pilot, "down")
            grid.scroll_to(y=100, animate=False)
            await settled(pilot)
            grid.apply([], [key_of(f"{n:06d}") for n in range(50, 103)])
            await settled(pilot)
            assert " 103 " in painted_lines(grid)[4]

    async def test_at_the_top_newcomers_show_above_the_cursor(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(300))
            await press(pilot, "down")
            grid.apply([row_of("000000-", venue="a")])
            await settled(pilot)
            assert painted_lines(grid)[1].startswith("   a ")
            assert painted_lines(grid)[2].startswith("▸")
            grid.apply([row_of(f"{n}", venue="a") for n in range(30)])
            await settled(pilot)
            assert grid.painted_key == key_of("000000"), "the cursor's order never slides out of the view"

    async def test_when_the_row_leaves_nothing_is_under_the_cursor_until_an_arrow_key(self) -> None:
        app = GridApp()
        async with app.run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(10))
            await press(pilot, *["down"] * 5)
            await until(pilot, lambda: grid.painted_key == key_of("000004"))
            grid.apply([], [key_of("000004")])
            assert grid.cursor_key is None
            assert grid.painted_key == key_of("000004"), "the frame that the hand answers to still shows it"
            await until(pilot, lambda: grid.painted_key is None)
            await press(pilot, "space")
            assert grid.model.marked == frozenset()
            assert app.moved[-1] is None
            grid.apply([], [key_of("000000")])
            await press(pilot, "down")
            assert grid.cursor_key == key_of("000005")

    async def test_after_a_loss_up_goes_to_the_row_above_the_place(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(10))
            await press(pilot, *["down"] * 5)
            grid.apply([], [key_of("000004")])
            await press(pilot, "up")
            assert grid.cursor_key == key_of("000003")

    async def test_the_last_row_leaving_lets_an_arrow_go_to_the_new_last(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(3))
            await press(pilot, "end")
            grid.apply([], [key_of("000002")])
            await press(pilot, "down")
            assert grid.cursor_key == key_of("000001")
            grid.apply([], [row.key for row in numbered(3)])
            await press(pilot, "down", "end", "pageup")
            assert grid.cursor_key is None

    async def test_a_row_that_comes_back_does_not_take_the_cursor(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(3))
            await press(pilot, "down")
            grid.apply([], [key_of("000000")])
            grid.apply(numbered(1))
            await settled(pilot)
            assert grid.cursor_key is None
            assert grid.painted_key is None

    async def test_a_filter_that_hides_the_row_takes_the_cursor_away(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(10))
            await press(pilot, "down")
            grid.set_filter("000005")
            await settled(pilot)
            assert (grid.cursor_key, grid.painted_key) == (None, None)
            await press(pilot, "down")
            assert grid.cursor_key == key_of("000005")
            grid.set_filter("")
            await settled(pilot)
            assert grid.painted_key == key_of("000005")

    async def test_no_key_is_painted_while_the_cursor_is_scrolled_out_of_view(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(300))
            await press(pilot, "down")
            await until(pilot, lambda: grid.painted_key is not None)
            grid.scroll_to(y=100, animate=False)
            await until(pilot, lambda: grid.painted_key is None)
            assert grid.cursor_key == key_of("000000")
            await press(pilot, "down")
            await until(pilot, lambda: grid.painted_key == key_of("000001"))

    async def test_the_painted_key_is_of_the_last_frame_and_not_of_the_next(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(10))
            await press(pilot, "down")
            await until(pilot, lambda: grid.painted_key == key_of("000000"))
            grid.move_cursor(key_of("000007"))
            assert grid.painted_key == key_of("000000")
            await until(pilot, lambda: grid.painted_key == key_of("000007"))
            grid.move_cursor(key_of("nowhere"))
            assert grid.cursor_key == key_of("000007")

    async def test_a_smaller_window_keeps_the_cursor_in_view(self) -> None:
        async with GridApp().run_test(size=WIDE) as pilot:
            grid = await start(pilot, numbered(100))
            await press(pilot, *["down"] * 35)
            await resize(pilot, 80, 12)
            await until(pilot, lambda: grid.size.height == 12 and grid.painted_key == key_of("000034"))

    async def test_the_view_never_stays_below_the_last_row(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(300))
            grid.scroll_to(y=250, animate=False)
            grid.apply([], [row.key for row in numbered(290)])
            await settled(pilot)
            assert grid.scroll_offset.y == 0
            assert " 290 " in painted_lines(grid)[1]


class TestMarks:
    async def test_space_marks_and_unmarks_the_order_under_the_cursor(self) -> None:
        app = GridApp()
        async with app.run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(5))
            await press(pilot, "down", "space", "down", "down", "space")
            await settled(pilot)
            both = {key_of("000000"), key_of("000002")}
            assert grid.model.marked == both == app.marks[-1]
            assert sum("✓" in line for line in painted_lines(grid)) == 2
            await press(pilot, "space")
            await settled(pilot)
            assert grid.model.marked == app.marks[-1] == {key_of("000000")}

    async def test_marks_stay_with_their_orders_and_leave_with_them(self) -> None:
        app = GridApp()
        async with app.run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(5))
            await press(pilot, "down", "space", "end", "space")
            grid.set_sort(Column.PRICE, reverse=True)
            await settled(pilot)
            marked = [line.split()[-4] for line in painted_lines(grid) if "✓" in line]
            assert marked == ["4", "0"]
            grid.apply([], [key_of("000004")])
            await settled(pilot)
            assert app.marks[-1] == {key_of("000000")}
            grid.clear_marks()
            await settled(pilot)
            assert app.marks[-1] == frozenset()
            assert not any("✓" in line for line in painted_lines(grid))


class TestMouse:
    async def test_a_click_highlights_the_order_that_was_painted_there(self) -> None:
        app = GridApp()
        async with app.run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(50))
            await pilot.click(OrderGrid, offset=(20, 4))
            await until(pilot, lambda: grid.painted_key == key_of("000003"))
            await pilot.click(OrderGrid, offset=(20, 4), times=2)
            assert grid.model.marked == frozenset()
            assert app.moved == [key_of("000003")]

    async def test_a_click_below_the_rows_or_with_another_button_does_nothing(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(3))
            for button, y in ((1, 15), (2, 0), (3, 0), (3, 1)):
                await pilot.click(OrderGrid, offset=(20, y), button=button)
                assert grid.cursor_key is None
                assert grid.model.sort is Column.VENUE

    async def test_a_click_on_a_heading_sorts_by_it_and_another_one_turns_that_round(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(3))
            await press(pilot, "down")
            for label in ("PRICE", "TYPE", "SIDE", "VENUE", "STATUS"):
                for reverse in (False, True, False):
                    await pilot.click(OrderGrid, offset=(painted_lines(grid)[0].index(label[:3]), 0))
                    await settled(pilot)
                    assert (grid.model.sort.value, grid.model.reverse) == (label.lower(), reverse)
                    assert ("↓" if reverse else "↑") in painted_lines(grid)[0], "the mark is there to see"
            assert grid.cursor_key == key_of("000000")
            await pilot.click(OrderGrid, offset=(0, 0))
            assert grid.model.sort is Column.STATUS

    async def test_the_wheel_scrolls_and_leaves_the_cursor(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(100))
            await press(pilot, "down")
            await pilot._post_mouse_events([MouseScrollDown], OrderGrid, offset=(5, 5))
            await until(pilot, lambda: grid.scroll_offset.y > 0)
            assert grid.cursor_key == key_of("000000")

    async def test_the_scroll_bar_moves_the_view_at_once(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(300))
            grid.post_message(ScrollTo(y=150))
            await settle(pilot)
            assert grid.scroll_offset.y == 150
            grid.post_message(ScrollDown())
            await settle(pilot)
            assert grid.scroll_offset.y == 173
            grid.post_message(ScrollUp())
            await settle(pilot)
            assert grid.scroll_offset.y == 150


class TestTime:
    async def test_ages_move_with_the_tick_and_only_where_their_text_changes(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            rows = [row_of("a", born=-1000.0), row_of("b", stage=Stage.SENT, since=0.0, born=-1000.0)]
            grid = await start(pilot, rows, now=0.2)
            assert "SENT 0.2s" in painted_lines(grid)[2]
            grid.tick(0.9)
            assert {region.y for region in grid._repaint_regions} == {2}
            await settled(pilot)
            assert "SENT 0.9s" in painted_lines(grid)[2]
            grid.tick(0.91)
            assert not grid._repaint_regions

    async def test_a_doubt_that_lasts_turns_into_the_alarm(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, [row_of("a", stage=Stage.UNKNOWN)], now=1.0)
            before = style_of(strips(grid)[1], "UNKNOWN")
            grid.tick(100.0)
            await settled(pilot)
            after = style_of(strips(grid)[1], "UNKNOWN")
            assert not before.reverse
            assert after.reverse

    async def test_a_changed_badge_repaints_its_line_alone(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(100))
            changed = row_of("000003", price="3", stage=Stage.ENDED, ending=Ending.CANCELED)
            grid.apply([changed, row_of("000090", price="90", stage=Stage.SENT)])
            assert {region.y for region in grid._repaint_regions} == {4}
            await settled(pilot)
            assert "✔ canceled" in painted_lines(grid)[4]

    async def test_a_hidden_change_shows_when_it_comes_into_view(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(100))
            await press(pilot, "end", "home")
            await settled(pilot)
            grid.apply([row_of("000099", price="99", stage=Stage.UNKNOWN)])
            await press(pilot, "end")
            await settled(pilot)
            assert "? UNKNOWN" in painted_lines(grid)[-1]


def style_of(strip: Strip, word: str) -> Style:
    """The style of the segment that holds the word."""
    styles = [segment.style for segment in strip if word in segment.text]
    assert styles[0] is not None
    return styles[0]


EVERY_STATE = [row_of(f"{n}", stage=stage, since=0.0) for n, stage in enumerate(Stage)]


class TestLooks:
    @pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "nord", "gruvbox", "ansi-dark"])
    async def test_red_is_for_the_alarm_alone(self, theme: str) -> None:
        app = GridApp()
        async with app.run_test(size=WIDE) as pilot:
            app.theme = theme
            rows = [*EVERY_STATE, row_of("s", side=Side.SELL), row_of("u", stage=Stage.UNKNOWN, since=-1e6)]
            grid = await start(pilot, rows, now=1.0)
            await press(pilot, "end", "space")
            await settled(pilot)
            reds = {segment.text for strip in strips(grid) for segment in strip if is_red(segment)}
            assert reds == {"? UNKNOWN 11d ⟳"}

    async def test_a_reversed_cursor_line_is_of_one_colour(self) -> None:
        app = GridApp()
        async with app.run_test(size=NARROW) as pilot:
            app.theme = "ansi-dark"
            grid = await start(pilot, [row_of("a", stage=Stage.SENT)])
            await press(pilot, "down", "space")
            await settled(pilot)
            found = [one for one in strips(grid)[1] if one.style and one.style.reverse]
            assert sum(len(one.text) for one in found) > 50
            assert len({one.style.color for one in found if one.style}) == 1

    async def test_another_theme_repaints_every_line(self) -> None:
        app = GridApp()
        async with app.run_test(size=NARROW) as pilot:
            grid = await start(pilot, EVERY_STATE)
            before = [segment.style for strip in strips(grid) for segment in strip]
            app.theme = "textual-light"
            await until(pilot, lambda: [s.style for strip in strips(grid) for s in strip] != before)
            light = strips(grid)[1]
            assert all(segment.style and segment.style.bgcolor for segment in light)

    async def test_without_colour_alarm_doubt_and_health_differ_by_inverse_bold_and_plain(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        app = GridApp(ansi_color=True)
        async with app.run_test(size=NARROW) as pilot:
            rows = [
                row_of("a"),
                row_of("b", stage=Stage.UNKNOWN),
                row_of("c", stage=Stage.UNKNOWN, since=-99.0),
            ]
            grid = await start(pilot, rows, now=1.0)
            looks = [style_of(strip, word) for strip, word in zip(strips(grid)[1:4], STATES, strict=True)]
            assert [attributes(style) for style in looks] == [(False, False), (True, False), (True, True)]
            await press(pilot, "end")
            await settled(pilot)
            line = strips(grid)[3]
            assert attributes(style_of(line, "BUY")) == (False, True), "the cursor's line is reversed"
            assert attributes(style_of(line, "UNKNOWN")) == (True, False), "and the alarm upright in it"

    async def test_the_cursors_line_looks_different_with_and_without_focus(self) -> None:
        app = GridApp()
        async with app.run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(3))
            await press(pilot, "down")
            await settled(pilot)
            focused, plain = style_of(strips(grid)[1], "BTC"), style_of(strips(grid)[2], "BTC")
            app.set_focus(None)
            await until(pilot, lambda: style_of(strips(grid)[1], "BTC") != focused)
            assert style_of(strips(grid)[1], "BTC") != plain


STATES = ("open", "UNKNOWN", "UNKNOWN")


def attributes(style: Style) -> tuple[bool, bool]:
    return bool(style.bold), bool(style.reverse)


def is_red(segment: Segment) -> bool:
    """Whether the segment's colour would be called red by a person."""
    colour = segment.style.color if segment.style else None
    return colour is not None and _red(colour)


def _red(colour: RichColor) -> bool:
    if colour.is_default:
        return False
    hue, saturation, _ = colorsys.rgb_to_hsv(*(part / 255 for part in colour.get_truecolor()))
    return saturation > 0.3 and (hue > 0.9 or hue < 0.04)


class TestSize:
    async def test_a_hundred_thousand_orders_come_go_sort_and_filter(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            rows = numbered(100_000)
            grid = await start(pilot, rows)
            await press(pilot, "end")
            await until(pilot, lambda: grid.painted_key == key_of("099999"))
            grid.set_sort(Column.PRICE, reverse=True)
            await until(pilot, lambda: "99999" in painted_lines(grid)[1] and grid.painted_key is not None)
            grid.set_filter("09999")
            await settled(pilot)
            assert len(grid.model) == 11
            grid.set_filter("")
            grid.apply([], [row.key for row in rows[:99_990]])
            await settled(pilot)
            assert len(grid.model) == 10
            assert grid.painted_key == key_of("099999")

    async def test_drawn_lines_do_not_pile_up(self) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(5_000))
            for top in range(0, 5_000, 20):
                grid.scroll_to(y=top, animate=False)
                painted_lines(grid)
            assert len(grid._strips) <= STRIPS

    async def test_a_line_is_made_once_for_what_it_says_also_after_it_said_something_else(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with GridApp().run_test(size=NARROW) as pilot:
            grid = await start(pilot, numbered(3))
            await settled(pilot)
            grid.apply([row_of("000001", price="77")])
            await until(pilot, lambda: "77" in painted_lines(grid)[2])
            await settled(pilot)
            made: list[OrderKey] = []
            row = grid._painter.row

            def counted(look: Look, last: Drawn | None = None) -> Drawn:
                made.append(look.row.key)
                return row(look, last)

            monkeypatch.setattr(grid._painter, "row", counted)
            for y in range(1, 4):
                grid.render_line(y)
            assert made == []
