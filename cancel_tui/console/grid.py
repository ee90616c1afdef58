"""The order grid: only the lines in view are drawn, and only those that differ from what was last painted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.strip import Strip

from cancel_tui.console.columns import DEFAULT, Column, whole
from cancel_tui.console.grid_cursor import CursorView
from cancel_tui.console.grid_messages import MarksChanged
from cancel_tui.console.grid_model import GridRow
from cancel_tui.console.grid_paint import Drawn, Look, Painter
from cancel_tui.console.grid_styles import GRID_CSS
from cancel_tui.console.picture import BareCache
from cancel_tui.orders import OrderKey

STRIPS = 500
"""Drawn lines that are kept, at some kilobytes each: a few of the tallest screens."""


class OrderGrid(CursorView):
    """Every open order in one table.

    Rows are changed through `apply`, `set_sort`, `set_filter` and the marking methods; `model` is for
    reading. Times are monotonic seconds and come in through `apply` and `tick`; the grid reads no clock.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = GRID_CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", show=False, id="grid.mark"),
    ]

    def __init__(
        self, *, ascii_only: bool = False, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._styles_cache = BareCache(self._line)
        self._painter = Painter(self, ascii_only)
        self._now = 0.0
        self._timed_at = -inf
        self._last_mark: OrderKey | None = None
        self._placeholder = ""
        self._chosen: tuple[Column, ...] = DEFAULT
        self._fitted: tuple[int, bool, tuple[Column, ...]] | None = None
        self._strips: dict[OrderKey, Drawn] = {}
        """What was drawn last of the orders, those drawn longest ago first."""
        self._painted: dict[int, Look | str] = {}
        self._drawing = False
        """Whether lines are being drawn: meanwhile the cursor is where the last frame showed it."""
        self._stood: OrderKey | None = None

    def on_mount(self) -> None:
        """Paint first."""
        self.call_after_refresh(self._painter.roles.read)

    # What others read

    @property
    def painted_key(self) -> OrderKey | None:
        """The order that stood under the cursor on the last painted frame; what an action must act on.

        None where that frame showed no cursor, also because it had been scrolled out of view.
        """
        if self._drawing:
            return self._stood
        looks = (look for look in self._painted.values() if isinstance(look, Look))
        return next((look.row.key for look in looks if look.cursor), None)

    @property
    def ascii_only(self) -> bool:
        """Whether every sign is ASCII."""
        return self._painter.ascii_only

    @ascii_only.setter
    def ascii_only(self, ascii_only: bool) -> None:
        self._painter.ascii_only = ascii_only
        self._strips.clear()
        self.refresh()

    # What others tell

    def apply(
        self, changes: Iterable[GridRow], removed: Iterable[OrderKey] = (), now: float | None = None
    ) -> None:
        """Take changed, new and leaving rows; of the lines in view only those that differ are drawn anew."""
        if now is not None:
            self._pass_time(now)
        anchors, held = self._anchors(), self._cursor_row()
        marks = self.model.mark_count
        if self.model.apply(changes, removed):
            self._resettle(anchors, held)
        self.repaint()
        if self.model.mark_count != marks:
            self.post_message(MarksChanged(self, self.model.marked))

    def tick(self, now: float) -> None:
        """Let the ages move on; `now` in monotonic seconds. Touches only lines whose text changes."""
        self._pass_time(now)
        self.repaint()

    def set_sort(self, column: Column, reverse: bool = False) -> None:
        """Sort by a column; the cursor keeps its order and stays in view."""
        in_view = self._cursor_line() is not None
        if self.model.set_sort(column, reverse):
            if self._cursor is not None and in_view:
                self._reveal(self._cursor)
            self.repaint(header=True)

    def cycle_sort(self) -> None:
        """Sort by the next column that is shown, upwards."""
        shown = self.columns or DEFAULT
        at = shown.index(self.model.sort) + 1 if self.model.sort in shown else 0
        self.set_sort(shown[at % len(shown)])

    def set_columns(self, chosen: Sequence[Column]) -> None:
        """Show these columns from left to right, as far as there is room."""
        self._chosen = whole(chosen)
        self.repaint()

    @property
    def chosen(self) -> tuple[Column, ...]:
        """The columns that are wanted, from left to right."""
        return self._chosen

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that there is room for, as of the last frame."""
        return self._painter.columns

    def set_filter(self, text: str) -> None:
        """Show only rows that pass every word of the text, as `filtering` reads it."""
        anchors, held = self._anchors(), self._cursor_row()
        if self.model.set_filter(text):
            self._resettle(anchors, held)
            self.repaint()

    def set_placeholder(self, text: str) -> None:
        """Say what stands in the grid while it holds no row: that it loads, or that nothing is open."""
        if text != self._placeholder:
            self._placeholder = text
            self.repaint()

    def unmark(self, keys: Iterable[OrderKey]) -> None:
        """Take the marks of these orders away."""
        marks = self.model.mark_count
        for key in keys if marks else ():
            self.model.mark(key, False)
        if self.model.mark_count != marks:
            self._tell_marks()

    def mark(self, keys: Iterable[OrderKey]) -> None:
        """Mark these orders, where they are held."""
        marks = self.model.mark_count
        for key in keys:
            self.model.mark(key, True)
        if self.model.mark_count != marks:
            self._tell_marks()

    def range_keys(self) -> list[OrderKey] | None:
        """The shown orders from the one that was marked last to the cursor, both included.

        None where there is no such range: nothing under the cursor, or that mark is gone or filtered away.
        """
        here = self._cursor_index()
        last = self._last_mark
        there = None if last is None or not self.model.is_marked(last) else self.model.position(last)
        if here is None or there is None:
            return None
        rows = (self.model.row(index) for index in range(min(here, there), max(here, there) + 1))
        return [row.key for row in rows if row is not None]

    def clear_marks(self) -> None:
        """Unmark every order."""
        if self.model.clear_marks():
            self._tell_marks()

    # Keys and mouse

    def action_mark(self) -> None:
        """Mark the order under the cursor, or take its mark away."""
        key = self._cursor
        if key is not None and self.model.mark(key, not self.model.is_marked(key)):
            self._last_mark = key
            self._tell_marks()

    def on_click(self, event: events.Click) -> None:
        """Highlight the order that was painted where the click fell; on the heading, sort. Never more."""
        offset = event.get_content_offset(self)
        if offset is None or event.button != 1:
            return
        if offset.y == 0:
            column = self._painter.column_at(offset.x)
            if column is not None:
                self.set_sort(column, column is self.model.sort and not self.model.reverse)
            return
        look = self._painted.get(offset.y)
        if isinstance(look, Look):
            self.move_cursor(look.row.key)

    # Drawing

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw lines of the view."""
        self.fit()
        self._stood, self._drawing = self.painted_key, True
        try:
            return super().render_lines(crop)
        finally:
            self._drawing = False

    def render_line(self, y: int) -> Strip:
        """Draw one line of the view: the heading, a row, or nothing."""
        self.fit()
        return self._line(y)

    def _line(self, y: int) -> Strip:
        if y == 0:
            return self._painter.header(self.model.sort, self.model.reverse)
        look = self._painted[y] = self._look(y)
        if isinstance(look, str):
            return self._painter.blank(look)
        kept = self._strips.get(look.row.key)
        if kept is not None and kept.look == look:
            return kept.strip
        drawn = self._painter.row(look, kept)
        self._strips.pop(look.row.key, None)
        self._strips[look.row.key] = drawn
        if len(self._strips) > STRIPS:
            del self._strips[next(iter(self._strips))]
        return drawn.strip

    def notify_style_update(self) -> None:
        """Drop everything drawn: theme, focus or colours have changed."""
        super().notify_style_update()
        self._strips.clear()
        self._painter.forget_styles()
        self.refresh()

    def on_resize(self) -> None:
        """Keep the cursor in view and forget what stood on lines that are gone."""
        in_view = self.painted_key is not None
        self._painted.clear()
        if self._cursor is not None and in_view:
            self._reveal(self._cursor)
        self.refresh()

    # Where things stand

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    def fit(self) -> None:
        """Lay the columns out anew where width or choice have changed."""
        fitted = (self._width, self.model.has_accounts, self._chosen)
        if fitted != self._fitted:
            self._fitted = fitted
            skip = frozenset() if self.model.has_accounts else frozenset({Column.ACCOUNT})
            self._painter.fit(self._width, skip, self._chosen)
            self._strips.clear()

    def _look(self, y: int) -> Look | str:
        """What a line of the view shows now: an order, or the text on a line without one."""
        row = self.model.row(self.scroll_offset.y + y - 1)
        if row is not None:
            moment = self._painter.moment(row, self._now)
            return Look(row, row.key == self._cursor, self.model.is_marked(row.key), moment)
        if len(self.model) or y != max(1, self.size.height // 2):
            return ""
        if self.model.total and self.model.filter:
            return f"none of {self.model.total} orders matches: {self.model.filter}"
        return self._placeholder

    def repaint(self, header: bool = False) -> None:
        """Ask for a new drawing of the lines in view that would differ from what was last painted."""
        if self._fitted is None:
            return
        if self._fitted != (self._width, self.model.has_accounts, self._chosen):
            self.refresh()
            return
        lines = [y for y in range(1, self.size.height) if self._painted.get(y) != self._look(y)]
        if header:
            lines.append(0)
        if lines:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in lines))

    def _pass_time(self, now: float) -> None:
        """An age filter lets rows come and go by themselves; once a second is enough for that."""
        self._now = now
        if now - self._timed_at < 1.0:
            return
        self._timed_at = now
        anchors, held = self._anchors(), self._cursor_row()
        if self.model.pass_time(now):
            self._resettle(anchors, held)

    def _tell_marks(self) -> None:
        self.repaint()
        self.post_message(MarksChanged(self, self.model.marked))
