"""What is drawn anew for a picture: the lines that changed, and no others.

For one changed line the toolkit asks every widget of the screen for all of its lines, and what it keeps of a
line passes borders, colours and filters again each time. Here only those are asked that stand where
something changed, for these lines, and a line is kept as it left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from textual._compositor import Compositor
from textual._styles_cache import StylesCache
from textual.geometry import Region, Size
from textual.strip import Strip

from cancel_tui.pauses import pause

if TYPE_CHECKING:
    from textual.filter import LineFilter
    from textual.widget import Widget


class NarrowCompositor(Compositor):
    """Puts a screen together from the widgets that have a part in what is drawn anew."""

    def _get_renders(self, crop: Region | None = None) -> Iterable[tuple[Region, Region, list[Strip]]]:
        """Each widget's region, what of it can be seen on the lines of `crop`, and these lines."""
        width = self.size.width
        for widget, (region, clip) in self.visible_widgets.items():
            # Lines are taken whole: they are put together from one widget's edge to the next.
            seen = clip if crop is None else clip.intersection(Region(0, crop.y, width, crop.height))
            shown = region.intersection(seen)
            if shown:
                pause()
                yield region, seen, widget.render_lines(shown.translate((-region.x, -region.y)))


class LineCache(StylesCache):
    """The lines of one widget as they were painted last, with everything around its content."""

    def __init__(self) -> None:
        super().__init__()
        self._done: dict[int, Strip] = {}
        """By line of the widget; those that have changed since are among the dirty ones."""
        self._made_for: tuple[Size, Sequence[LineFilter]] | None = None

    def clear(self) -> None:
        """Everything is to be drawn anew."""
        super().clear()
        self._done.clear()

    def render_widget(self, widget: Widget, crop: Region) -> list[Strip]:
        """The lines of a part of the widget, those of them made anew that have changed."""
        size, filters = widget.region.size, widget.get_line_filters()
        if self._made_for != (size, filters):
            self._done.clear()
            self._made_for = size, filters
        done, dirty = self._done, self._dirty_lines
        if missing := [y for y in crop.line_range if y in dirty or y not in done]:
            for y, strip in self.make(widget, missing):
                done[y] = strip
            dirty.difference_update(missing)
        strips = [done[y] for y in crop.line_range]
        if crop.column_span != (0, size.width):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def make(self, widget: Widget, missing: list[int]) -> list[tuple[int, Strip]]:
        """Draw these lines, at least: they may come with others that lie between them."""
        band = Region(0, missing[0], widget.region.width, missing[-1] - missing[0] + 1)
        return list(zip(band.line_range, super().render_widget(widget, band), strict=True))


class Beside(Strip):
    """A line and the blank beside it, below a scroll bar; to divide it there costs nothing."""

    __slots__ = ["_parts"]

    def __init__(self, line: Strip, blank: Strip) -> None:
        super().__init__([*line, *blank], line.cell_length + blank.cell_length)
        self._parts = line, blank

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        """As any strip does."""
        cuts = list(cuts)
        if cuts == [self._parts[0].cell_length, self.cell_length]:
            return self._parts
        return super().divide(cuts)


class BareCache(LineCache):
    """The same where the content is drawn by `line` as it leaves, filters and all.

    For widgets without padding and without a border at their sides; above and below there may be one.
    """

    def __init__(self, line: Callable[[int], Strip]) -> None:
        super().__init__()
        self._line = line

    def make(self, widget: Widget, missing: list[int]) -> list[tuple[int, Strip]]:
        """Draw these lines; the toolkit draws the borders."""
        top, height = widget.styles.gutter.top, widget.content_region.height
        beside = widget.region.width - widget.scrollable_content_region.width
        _, ground = widget.background_colors
        blank = Strip.blank(beside, widget.visual_style.rich_style)
        for each in widget.get_line_filters():
            blank = blank.apply_filter(each, ground)
        made: list[tuple[int, Strip]] = []
        for y in missing:
            pause()
            if not 0 <= y - top < height:
                made += super().make(widget, [y])
            else:
                line = self._line(y - top)
                made.append((y, Beside(line, blank) if beside else line))
        return made
