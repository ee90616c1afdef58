"""When the styles of orders are read, and that a change of one of them is painted."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip

from cancel_tui.console import grid_styles
from cancel_tui.console.grid import OrderGrid
from tests.console.hands import settle
from tests.console.test_grid import row_of, style_of, until

ORDERS = (grid_styles.__name__, "ORDER_CSS")


class Watched(OrderGrid):
    """A grid that remembers whether styles of orders had been read as its first line was drawn."""

    early: bool | None = None

    def render_lines(self, crop: Region) -> list[Strip]:
        if self.early is None:
            self.early = self.app.stylesheet.has_source(*ORDERS)
        return super().render_lines(crop)


class GridApp(App[None]):
    """Nothing but a grid."""

    CSS = ".hot OrderGrid > .order-grid--open { color: #ff0000; }"

    def compose(self) -> ComposeResult:
        yield Watched()


async def test_the_first_picture_waits_for_no_style_of_an_order_and_the_first_order_need_not() -> None:
    app = GridApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.stylesheet.has_source(*ORDERS))
        assert app.query_one(Watched).early is False


async def test_an_order_that_comes_before_them_is_drawn_in_them() -> None:
    app = GridApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        grid = app.query_one(Watched)
        grid.apply([row_of("a")])
        then = style_of(grid.render_line(1), "BUY")
        del app.stylesheet.source[ORDERS]
        app.stylesheet.parse()
        grid.notify_style_update()
        assert style_of(grid.render_line(1), "BUY") == then
        assert then != style_of(grid.render_line(1), "BTC")


async def test_a_change_of_a_single_style_is_painted() -> None:
    app = GridApp()
    async with app.run_test(size=(80, 24)) as pilot:
        grid = app.query_one(Watched)
        grid.apply([row_of("a")])
        await settle(pilot)
        before = style_of(grid.render_line(1), "open")
        assert not grid._repaint_regions
        app.set_class(True, "hot", update=False)
        app.stylesheet.update(app)
        assert Region(0, 0, *grid.size) in grid._repaint_regions
        after = style_of(grid.render_line(1), "open")
        assert before.color != after.color
        assert after.color is not None
        assert after.color.name == "#ff0000"
