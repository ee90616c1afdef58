"""The grid's scroll bar: the toolkit's own, whose cells are not each taken for a text of its own."""

from __future__ import annotations

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.strip import Strip

_GROUND, _THUMB = Color.parse("#555555"), Color.parse("bright_magenta")
"""Of a style without colours; what the toolkit takes then."""


class QuickBar(ScrollBar):
    """A vertical scroll bar of one cell a line, without borders."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw a part of it; cells that are the same object, nearly all of them, become one line."""
        bar = self.render()
        if not isinstance(bar, ScrollBarRender) or not isinstance(bar.style, Style):
            return super().render_lines(crop)
        height, (_, ground) = self.size.height, self.background_colors
        drawn = bar.render_bar(
            size=height,
            virtual_size=bar.virtual_size,
            window_size=bar.window_size,
            position=bar.position,
            back_color=bar.style.bgcolor or _GROUND,
            bar_color=bar.style.color or _THUMB,
        )
        base, filters = self.visual_style.rich_style, self.get_line_filters()
        strips: dict[int, Strip] = {}
        for cell in drawn.segments:
            if id(cell) not in strips:
                strip = Strip([Segment(cell.text, base + cell.style)], 1)
                for each in filters:
                    strip = strip.apply_filter(each, ground)
                strips[id(cell)] = strip
        return [strips[id(cell)] for cell in drawn.segments[crop.y : crop.bottom]]
