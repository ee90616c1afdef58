"""What is drawn anew: only what changed, and exactly as the toolkit would draw it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from rich.console import RenderableType
from textual._compositor import Compositor, CompositorUpdate
from textual._styles_cache import StylesCache
from textual.geometry import Region
from textual.screen import Screen
from textual.scrollbar import ScrollBar
from textual.strip import Strip
from textual.widget import Widget

from cancel_tui.console.app import CancelApp
from cancel_tui.console.picture import Beside, NarrowCompositor
from cancel_tui.console.scrollbar import QuickBar
from cancel_tui.console.widgets import Line
from tests.console.ground import Ground, ground
from tests.console.hands import resize


def codes(screen: Screen[object], lines: list[int]) -> str:
    """What the terminal gets when these lines of the screen are drawn anew."""
    compositor = screen._compositor
    compositor._dirty_regions = {Region(0, y, screen.size.width, 1) for y in lines}
    update: object = compositor.render_update(screen_stack=[])
    assert isinstance(update, CompositorUpdate)
    return update.render_segments(screen.app.console)


def by_the_toolkit(screen: Screen[object], lines: list[int]) -> str:
    """The same by the toolkit's own compositor, its own cache of lines and its own scroll bar."""
    kept: dict[Widget, StylesCache] = {}
    for widget in screen._compositor.visible_widgets:
        kept[widget] = widget._styles_cache
        widget._styles_cache = StylesCache()
    own = [(NarrowCompositor, "_get_renders"), (QuickBar, "render_lines")]
    theirs = [Compositor._get_renders, ScrollBar.render_lines]
    before = [vars(owner)[name] for owner, name in own]
    try:
        for (owner, name), method in zip(own, theirs, strict=True):
            setattr(owner, name, method)
        return codes(screen, lines)
    finally:
        for (owner, name), method in zip(own, before, strict=True):
            setattr(owner, name, method)
        for widget, cache in kept.items():
            widget._styles_cache = cache


async def walk(here: Ground, seed: int) -> None:
    """Move about, and compare what is drawn of some lines after each step."""
    dice = random.Random(seed)
    for _ in range(25):
        await here.press(dice.choice(["down", "up", "pagedown", "end", "home", "space", "s", "r"]))
        screen = here.app.screen
        lines = sorted(dice.sample(range(screen.size.height), dice.randint(1, 6)))
        assert codes(screen, lines) == by_the_toolkit(screen, lines)


@pytest.mark.parametrize(("width", "height", "ascii_only"), [(140, 45, False), (80, 24, True)])
async def test_a_line_that_is_drawn_anew_is_as_the_toolkit_draws_it(
    width: int, height: int, ascii_only: bool, tmp_path: Path
) -> None:
    async with ground(tmp_path, orders=60, ascii_only=ascii_only) as here:
        await resize(here.pilot, width, height)
        await walk(here, width)


async def test_only_widgets_with_a_changed_line_are_asked_and_only_for_those(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ground(tmp_path, orders=60) as here:
        asked: list[tuple[str | None, int]] = []
        for kind in (Line, type(here.grid)):

            def noting(widget: Widget, crop: Region, draw: object = kind.render_lines) -> list[Strip]:
                asked.append((widget.id, crop.height))
                return draw(widget, crop)  # type: ignore[operator,no-any-return]

            monkeypatch.setattr(kind, "render_lines", noting)
        codes(here.app.screen, [0])
        assert asked == [("header", 1)]
        asked.clear()
        grid = here.grid.region
        codes(here.app.screen, [grid.y + 3, grid.y + 5])
        assert asked == [("grid", 3)]


async def test_a_picture_comes_in_parts_and_the_grid_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ground(tmp_path, orders=60) as here:
        parts: list[set[str | None]] = []
        screen = here.app._main

        def noting(app: CancelApp, drawn: Screen[object], renderable: RenderableType | None) -> None:
            parts.append({widget.id for widget in drawn._dirty_widgets})

        await here.press("down")
        monkeypatch.setattr(CancelApp, "_display", noting)
        screen._on_timer_update()
        await here.until(lambda: not screen._dirty_widgets)
        parts.clear()
        here.grid.refresh()
        for name in ("header", "footer"):
            screen.query_one(f"#{name}").refresh()
        done: list[int] = []
        screen.call_after_refresh(lambda: done.append(len(parts)))
        await here.until(lambda: bool(done))
        assert parts[0] == {"grid"}
        assert all(len(part) == 1 for part in parts)
        # What was to follow the picture follows all of it.
        assert set().union(*parts[: done[0]]) >= {"grid", "header", "footer"}


def test_a_line_and_what_is_beside_it_divide_as_any_strip() -> None:
    line, blank = Strip([], 0).extend_cell_length(10), Strip.blank(1)
    both, plain = Beside(line, blank), Strip([*line, *blank])
    for cuts in ([10, 11], [4, 11], [11], [3, 10, 11]):
        assert [one.text for one in both.divide(cuts)] == [one.text for one in plain.divide(cuts)]
    assert both.divide([10, 11])[0] is line
