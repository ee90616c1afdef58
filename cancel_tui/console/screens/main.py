"""The main screen: totals, venue chips, the grid, the order under the cursor, a short log, the keys."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.widgets import Input, Static

from cancel_tui.console import lines
from cancel_tui.console.commands import Where
from cancel_tui.console.grid import OrderGrid
from cancel_tui.console.rows import RowSource
from cancel_tui.console.screens.base import DeskScreen
from cancel_tui.orders import Order, OrderKey


class MainScreen(DeskScreen):
    """The grid over all venues."""

    WHERE: ClassVar[Where] = Where.GRID

    def compose(self) -> ComposeResult:
        """Lay the lines out, top to bottom."""
        yield Static(id="header", markup=False)
        yield Static(id="chips", markup=False)
        yield Static(id="banner", markup=False)
        yield OrderGrid(ascii_only=self.console_app.ascii_only, id="grid")
        yield Input(placeholder="filter: words that every shown order holds; Esc ends", id="filter")
        yield Static(id="detail", markup=False)
        yield Static(id="log", markup=False)
        yield Static(id="footer", markup=False)

    def on_mount(self) -> None:
        """Start from nothing: venues fill in as they answer."""
        self._rows = RowSource(self.console_app.desk)
        self.grid.set_placeholder("asking the venues …")
        self.query_one("#filter", Input).display = False
        self.grid.focus()
        self.tick()

    @property
    def grid(self) -> OrderGrid:
        """The order grid."""
        return self.query_one("#grid", OrderGrid)

    def shown_orders(self) -> list[Order]:
        """The orders that the filter shows."""
        return [row.order for row in self.grid.model]

    def marked(self) -> frozenset[OrderKey]:
        """The marked orders."""
        return self.grid.model.marked

    def tick(self) -> None:
        """Take what is new at the desk and paint what differs."""
        app, desk = self.console_app, self.console_app.desk
        now = desk.clock.monotonic()
        changed, gone = self._rows.changes()
        self.grid.apply(changed, gone, now)
        if desk.slots and all(slot.listed_at is not None for slot in desk.slots.values()):
            self.grid.set_placeholder("no open orders in anything that the venues can list")
        width = self.size.width
        self._put("#header", lines.header(desk, app.read_only, width))
        self._put("#chips", lines.chips(desk, now, width))
        self._banner()
        self._detail(width)
        shown = 3 if self.size.height >= 20 else 1
        log = Text("\n".join(app.log_lines[-shown:]), "dim", no_wrap=True, overflow="ellipsis")
        self._put("#log", log)
        self._put("#footer", lines.hints(app.keymap.hints(Where.GRID), width))

    def _banner(self) -> None:
        app = self.console_app
        banner = self.query_one("#banner", Static)
        kills = [kill for kill in app.desk.kills if not kill.by_id]
        text = Text()
        if app.notice:
            text = Text(f" {app.notice} ", "bold reverse", no_wrap=True)
        elif kills:
            text = lines.kill_line(kills[-1], app.desk.clock.wall())
        banner.display = bool(text.plain)
        self._put("#banner", text)

    def _detail(self, width: int) -> None:
        key = self.grid.cursor_key
        row = self.grid.model.get(key) if key else None
        message = None
        if key is not None:
            for kill in reversed(self.console_app.desk.kills):
                run = kill.runs.get(key.venue)
                track = run.engine.tracks.get(key) if run else None
                if track is not None:
                    message = track.message
                    break
        self._put("#detail", lines.detail(row.order if row else None, message, width))

    def _put(self, selector: str, text: Text) -> None:
        widget = self.query_one(selector, Static)
        if getattr(widget, "_last_text", None) != text:
            widget.update(text)
            widget._last_text = text  # type: ignore[attr-defined]

    # Commands

    def run_command(self, command_id: str) -> bool:
        """Commands of the grid."""
        grid = self.grid
        if command_id == "cancel":
            self.console_app.cancel_one(grid.painted_key)
        elif command_id == "cancel_marked":
            keys = self.marked() or frozenset(row.key for row in grid.model)
            self.console_app.confirm_cancel(keys, marked=bool(self.marked()))
        elif command_id == "filter":
            field = self.query_one("#filter", Input)
            field.display = True
            field.focus()
        elif command_id == "sort":
            grid.cycle_sort()
        elif command_id == "reverse":
            grid.set_sort(grid.model.sort, not grid.model.reverse)
        elif command_id == "unmark":
            grid.clear_marks()
        elif command_id == "mark":
            grid.action_mark()
        else:
            return False
        return True

    def on_key(self, event: events.Key) -> None:
        """While the filter has the focus, letters are text; Esc and Enter give the grid back."""
        field = self.query_one("#filter", Input)
        if field.has_focus:
            if event.key in ("escape", "enter"):
                event.stop()
                if event.key == "escape":
                    field.value = ""
                field.display = bool(field.value)
                self.grid.focus()
            return
        super().on_key(event)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as it is typed."""
        self.grid.set_filter(event.value)

    def on_order_grid_cursor_moved(self) -> None:
        """Show the order that is now under the cursor."""
        self._detail(self.size.width)
