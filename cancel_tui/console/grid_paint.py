"""How one line of the order grid is drawn: rows made into strips, in the styles of their parts."""

from __future__ import annotations

from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip
from textual.widget import Widget

from cancel_tui.console import cells
from cancel_tui.console.cells import Timed
from cancel_tui.console.columns import GUTTER, MEASURES, Column, Placed, layout
from cancel_tui.console.grid_model import GridRow
from cancel_tui.console.grid_styles import RoleStyles


class Look(NamedTuple):
    """Everything that one drawn line depends on, but for layout and theme, whose change drops every line."""

    row: GridRow
    cursor: bool
    marked: bool
    moment: Timed


class Drawn(NamedTuple):
    """A line as it was drawn, and from what."""

    look: Look
    made: list[cells.Cell]
    strip: Strip


class Painter:
    """Draws the lines of one grid in the widths and colours that it has now."""

    def __init__(self, grid: Widget, ascii_only: bool) -> None:
        self._grid = grid
        self.roles = RoleStyles(grid)
        self._styles: dict[tuple[str, bool], Style] = {}
        self._places: tuple[Placed, ...] = ()
        self._width = self._filled = 0
        self._status_width = 0
        self.ascii_only = ascii_only
        """Whether every sign is ASCII."""

    def fit(self, width: int, skip: frozenset[Column], chosen: tuple[Column, ...]) -> None:
        """Lay the chosen columns out for `width` cells, without those that are of no use now."""
        self._width = width
        self._places = layout(width, skip, chosen)
        self._filled = GUTTER + sum(place.gap + place.width for place in self._places)
        self._status_width = next(place.width for place in self._places if place.column is Column.STATUS)

    @property
    def columns(self) -> tuple[Column, ...]:
        """What there is room for, from left to right."""
        return tuple(place.column for place in self._places)

    def column_at(self, x: int) -> Column | None:
        """The column at a cell of the line; the gap before a column belongs to it."""
        right = GUTTER
        for place in self._places:
            right += place.gap + place.width
            if GUTTER <= x < right:
                return place.column
        return None

    def forget_styles(self) -> None:
        """Theme, focus or colours have changed."""
        self.roles.forget()
        self._styles.clear()

    def moment(self, row: GridRow, now: float) -> Timed:
        """What the row says at a moment, monotonic seconds."""
        return cells.timed(row, now, self._status_width, self.ascii_only)

    def row(self, look: Look, last: Drawn | None = None) -> Drawn:
        """The line of an order; `last` is how it was drawn before, in the same layout."""
        cursor = look.cursor
        base = self._style(cells.TEXT, cursor)
        marker, mark = (">", "x") if self.ascii_only else ("▸", "✓")
        pieces = [
            (marker, self._style("marker", cursor)) if cursor else (" ", base),
            (mark, self._style("mark", cursor)) if look.marked else (" ", base),
        ]
        if last is not None and last.look.row.order is look.row.order:
            # What is said of an order is not made into texts again because its age has grown.
            made = cells.retimed(last.made, self._places, look.moment, self.ascii_only)
        else:
            made = cells.cells(look.row, self._places, look.moment, self.ascii_only)
        for place, (text, role) in zip(self._places, made, strict=True):
            # The padding belongs to the line, so that a reversed or underlined word ends where it ends.
            said = text.rstrip(" ")
            pieces += (
                (" " * place.gap, base),
                (said, self._style(role, cursor)),
                (" " * (len(text) - len(said)), base),
            )
        # Each cell is as wide as its column: nothing has to be measured again.
        pieces.append((" " * (self._width - self._filled), base))
        strip = Strip(_joined(pieces), max(self._width, self._filled))
        if self._filled > self._width:
            strip = strip.crop(0, self._width)
        return Drawn(look, made, strip)

    def header(self, sort: Column, reverse: bool) -> Strip:
        """The line of labels."""
        style = self._style("header", False)
        parts = [" " * GUTTER]
        for place in self._places:
            right = MEASURES[place.column].right
            parts.append(" " * place.gap + cells.heading(place, right, sort, reverse, self.ascii_only))
        return Strip([Segment("".join(parts), style)]).adjust_cell_length(self._width, style)

    def blank(self, text: str = "") -> Strip:
        """A line without an order, with a sentence in its middle where there is one."""
        base = self._style(cells.TEXT, False)
        if not text:
            return Strip.blank(self._width, base)
        said = cells.fit(text, self._width, self.ascii_only).rstrip(" ")
        segments = [Segment(said, self._style("placeholder", False))]
        return Strip(segments).text_align(self._width, "center").adjust_cell_length(self._width, base)

    def _style(self, role: str, cursor: bool) -> Style:
        style = self._styles.get((role, cursor))
        if style is None:
            style = self._styles[role, cursor] = self._make_style(role, cursor)
        return style

    def _make_style(self, role: str, cursor: bool) -> Style:
        """The colours of a role on the grid's ground, or on the cursor's line.

        On a reversed line no role has a colour of its own, but what is itself reversed stands upright in it.
        """
        grid, text = self._grid, Style()
        ground, fore = grid.background_colors[1], grid.styles.color
        for layer in (["cursor"] if cursor else []) + ([] if role == cells.TEXT else [role]):
            styles = self.roles.of(layer)
            if styles.has_rule("background"):
                ground = _blend(ground, styles.background)
            upright = bool(text.reverse and styles.text_style.reverse)
            if styles.has_rule("color") and (upright or not text.reverse):
                fore = styles.color
            if styles.has_rule("text_style"):
                text += styles.text_style
                text += Style(reverse=False) if upright else Style()
        made = Style.from_color(_blend(ground, fore).rich_color, ground.rich_color) + text
        return self._filtered(made)

    def _filtered(self, style: Style) -> Style:
        """As the style leaves for the terminal: a filter changes nothing but styles."""
        segments = [Segment("x", style)]
        for each in self._grid.get_line_filters():
            segments = each.apply(segments, self._grid.background_colors[1])
        return segments[0].style or style


def _joined(pieces: list[tuple[str, Style]]) -> list[Segment]:
    """Neighbours of one style become one piece: the fewer there are, the less there is to draw."""
    segments: list[Segment] = []
    run, worn = pieces[0]
    for text, style in pieces[1:]:
        if style is worn or not text:
            run += text
            continue
        if run:
            segments.append(Segment(run, worn))
        run, worn = text, style
    segments.append(Segment(run, worn))
    return segments


def _blend(ground: Color, over: Color) -> Color:
    """A colour on a ground; the terminal's own colours cannot be mixed and stand as they are."""
    return over if over.ansi is not None or over.a == 1 else ground + over
