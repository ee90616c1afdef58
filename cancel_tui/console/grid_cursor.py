"""The cursor of the order grid, and the view over rows that come, go and move.

The cursor belongs to an order and not to a line: it follows its order through sorting and the coming and
going of others, and when the order's row leaves, nothing is under the cursor until an arrow key says so.
"""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar, ScrollTo

from cancel_tui.console.attentive import Attentive
from cancel_tui.console.grid_messages import CursorMoved
from cancel_tui.console.grid_model import GridModel, GridRow
from cancel_tui.console.scrollbar import QuickBar
from cancel_tui.orders import OrderKey


class CursorView(Attentive, ScrollView, can_focus=True, inherit_bindings=False):
    """A view of the model's rows below one heading line, with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", "Up", show=False, id="grid.up"),
        Binding("down", "step(1)", "Down", show=False, id="grid.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="grid.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="grid.page_down"),
        Binding("home", "first", "First", show=False, id="grid.first"),
        Binding("end", "last", "Last", show=False, id="grid.last"),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.model = GridModel()
        """The rows, sorted, filtered, marked; for reading."""
        self._cursor: OrderKey | None = None
        self._departed: GridRow | None = None

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """Its scroll bar, begun when it is first asked for."""
        if self._vertical_scrollbar is None:
            bar = QuickBar(vertical=True, name="vertical", thickness=1)
            bar.display = False
            self._vertical_scrollbar = bar
            self.app._start_widget(self, bar)
        return self._vertical_scrollbar

    def repaint(self, header: bool = False) -> None:
        """Ask for a new drawing of what would differ from what was last painted."""
        raise NotImplementedError

    @property
    def cursor_key(self) -> OrderKey | None:
        """The order that the cursor belongs to now; it may not have been painted yet."""
        return self._cursor

    def move_cursor(self, key: OrderKey | None) -> None:
        """Put the cursor on an order that is shown, scrolled into view, or on nothing."""
        if key is not None and self.model.position(key) is None:
            return
        self._set_cursor(key)
        if key is not None:
            self._reveal(key)
        self.repaint()

    # Keys, wheel and scroll bar

    def action_step(self, by: int) -> None:
        """One line up or down; with nothing under the cursor, to the row beside the place it was lost at."""
        index = self._cursor_index()
        if index is None:
            index = self._lost_place() - (1 if by < 0 and self._departed is not None else 0)
            by = 0
        self._go(index + by)

    def action_page(self, by: int) -> None:
        """One view up or down."""
        index = self._cursor_index()
        self._go((self._lost_place() if index is None else index) + by * max(1, self._page))

    def action_first(self) -> None:
        """To the first row."""
        self._go(0)

    def action_last(self) -> None:
        """To the last row."""
        self._go(len(self.model) - 1)

    def on_scroll_to(self, message: ScrollTo) -> None:
        """Follow the dragged scroll bar without animation."""
        self.scroll_to(y=message.y, animate=False)
        message.stop()
        message.prevent_default()

    def scroll_page_up(self, **_: object) -> None:
        """One view up without animation: what is seen must be what is there."""
        self.scroll_to(y=self.scroll_offset.y - self._page, animate=False)

    def scroll_page_down(self, **_: object) -> None:
        """One view down without animation."""
        self.scroll_to(y=self.scroll_offset.y + self._page, animate=False)

    # Where things stand

    @property
    def _page(self) -> int:
        """Rows in view."""
        return max(0, self.scrollable_content_region.height - 1)

    def _cursor_row(self) -> GridRow | None:
        return None if self._cursor is None else self.model.get(self._cursor)

    def _cursor_index(self) -> int | None:
        return None if self._cursor is None else self.model.position(self._cursor)

    def _cursor_line(self) -> int | None:
        """The cursor's line in the view, counted from the first row; None where it is not in view."""
        index = self._cursor_index()
        line = -1 if index is None else index - self.scroll_offset.y
        return line if 0 <= line < self._page else None

    def _lost_place(self) -> int:
        if self._departed is None:
            return self.scroll_offset.y
        return self.model.place(self._departed)

    def _go(self, index: int) -> None:
        row = self.model.row(max(0, min(index, len(self.model) - 1)))
        if row is not None:
            self.move_cursor(row.key)

    def _set_cursor(self, key: OrderKey | None, departed: GridRow | None = None) -> None:
        self._departed = departed
        if key != self._cursor:
            self._cursor = key
            self.post_message(CursorMoved(self, key))

    def _reveal(self, key: OrderKey) -> None:
        index = self.model.position(key)
        if index is None:
            return
        top = self.scroll_offset.y
        if index < top:
            self._scroll(index)
        elif index >= top + self._page:
            self._scroll(index - self._page + 1)

    def _scroll(self, y: int) -> None:
        # Forced: the scroll bar, which scrolling otherwise depends on, is settled only by the next layout.
        if self.is_mounted:
            self.scroll_to(y=y, animate=False, force=True)

    def _extend(self, size: Size) -> None:
        """Be so long; the screen is laid out anew only where the scroll bar comes or goes with it."""
        if self.is_mounted and self.show_vertical_scrollbar == (size.height > self.container_size.height):
            self.set_reactive(CursorView.virtual_size, size)
            self._scroll_update(size)
        else:
            self.virtual_size = size

    def _anchors(self) -> list[tuple[OrderKey, int]]:
        """Orders in view with their lines, counted from the first row: the cursor's, then from above.

        The first of them that stays is to keep its line. In a view that was not scrolled the lines below
        the heading are the first ones there are, so only the cursor's order matters.
        """
        top = self.scroll_offset.y
        line = self._cursor_line()
        anchors = [] if line is None or self._cursor is None else [(self._cursor, line)]
        if top > 0:
            rows = ((self.model.row(top + line), line) for line in range(self._page))
            anchors += [(row.key, line) for row, line in rows if row is not None]
        return anchors

    def _resettle(self, anchors: list[tuple[OrderKey, int]], held: GridRow | None) -> None:
        """After rows came, went or moved: the view follows its anchor, a cursor without a row is lost."""
        self._extend(Size(1, len(self.model) + 1))
        if held is not None and self.model.position(held.key) is None:
            self._set_cursor(None, departed=held)
        top = self.scroll_offset.y
        for key, line in anchors:
            index = self.model.position(key)
            if index is not None:
                top = index - line if top > 0 or index >= self._page else 0
                break
        self._scroll(top)
