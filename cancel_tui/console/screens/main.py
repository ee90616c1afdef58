"""The main screen: totals, venue chips, the grid, the order under the cursor, a short log, the keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal

from cancel_tui.console import lines
from cancel_tui.console.columns import Column
from cancel_tui.console.commands import Where, shown_key
from cancel_tui.console.grid import OrderGrid
from cancel_tui.console.rows import AT_ONCE, RowSource
from cancel_tui.console.screens.base import FLOOR, DeskScreen
from cancel_tui.console.totals import Sum, sum_of
from cancel_tui.console.why import why

if TYPE_CHECKING:
    from textual.widgets import Input

    from cancel_tui.console.filterinput import FilterInput
    from cancel_tui.orders import OrderKey

NO_VENUE = "no venue is configured: V says how to add one"
_AGAIN = 0.5
"""Seconds between two sums of the same marks."""


class MainScreen(DeskScreen):
    """The grid over all venues."""

    WHERE: ClassVar[Where] = Where.GRID
    _fresh = True
    """Whether it has not been in front yet."""
    _field: FilterInput | None = None
    """Where the filter is typed, once it is mounted."""

    def compose(self) -> ComposeResult:
        """Lay the lines out, top to bottom."""
        yield from self.lines_of("cramped", "header", "chips", "banner")
        yield OrderGrid(ascii_only=self.console_app.ascii_only, id="grid")
        yield from self.lines_of("marks", "detail", "log", "footer")

    def on_mount(self) -> None:
        """Start from nothing: venues fill in as they answer."""
        self._rows = RowSource(self.console_app.ledger)
        self._summed: tuple[frozenset[OrderKey], Sum, int] | None = None
        self._summed_at = 0.0
        chosen = self.console_app.desk.settings.console.columns
        if chosen is not None:
            self.grid.set_columns([Column(name) for name in chosen])
        self.grid.set_placeholder("asking the venues …")
        self.grid.focus()
        self.tick()

    def add_filter(self) -> FilterInput | None:
        """Mount the filter, unless it is there already, and give its field; the first picture shows none.

        None while the screen is going away.
        """
        if self._field is None and self.whole:
            from cancel_tui.console.filterinput import FilterInput

            self._field = FilterInput(
                placeholder="words  venue: side: status: age>5m  -not",
                id="filter",
                compact=True,
                select_on_focus=False,
            )
            bar = Horizontal(id="filterbar", classes="hidden")
            self.mount(bar, after=self.grid)
            # Not as parts that the bar composes: whoever opens it types into it before that.
            bar.mount(*self.lines_of("filterlabel"), self._field, *self.lines_of("filtercount"))
        return self._field

    @property
    def grid(self) -> OrderGrid:
        """The order grid."""
        return self.query_one("#grid", OrderGrid)

    def shown(self) -> frozenset[OrderKey]:
        """The orders that the filter shows and that have not ended; none where a word could not be read."""
        if self.grid.model.troubles:
            return frozenset()
        over = self.console_app.ledger.over
        return frozenset(row.key for row in self.grid.model if not over(row.key))

    def marked(self) -> frozenset[OrderKey]:
        """The marked orders."""
        return self.grid.model.marked

    # Paint

    @property
    def _standing(self) -> bool:
        """Whether its parts are there, the grid among them."""
        return self.whole and any(part.id == "grid" for part in self.children)

    def ticks(self) -> Iterator[None]:
        """Take what is new at the desk, then draw."""
        desk, ledger = self.console_app.desk, self.console_app.ledger
        while self._rows.look(AT_ONCE):
            yield
        if not self._standing:
            return
        changed, gone = self._rows.take()
        self.grid.apply(changed, gone, desk.clock.monotonic())
        self.grid.unmark(row.key for row in changed if ledger.over(row.key))
        if not desk.slots:
            self.grid.set_placeholder("no venue is switched on: V shows them" if desk.off else NO_VENUE)
        elif all(slot.listed_at is not None for slot in desk.slots.values()):
            self.grid.set_placeholder("no open orders in anything that the venues can list")
        yield
        yield from super().ticks()

    def paints(self) -> Iterator[None]:
        """Draw what differs, in parts."""
        app = self.console_app
        now = app.desk.clock.monotonic()
        width, height = self.size
        mark = app.keyring_mark
        told = lines.header(app.ledger, width, read_only=app.read_only, lag=app.lag, keyring=mark)
        self.show("header", told)
        yield
        self.show("chips", lines.chips(app.ledger, now, width, 2 if height < 30 else 3, app.alarms.lost()))
        yield
        banner = self.banner()
        self.show("banner", banner, when=bool(banner.plain))
        self._filterbar()
        self._marks(now)
        yield
        self._detail()
        yield
        shown = 1 if height < 22 else 3
        log = Text("\n".join(app.log_lines[-shown:]), no_wrap=True, overflow="ellipsis")
        self.show("log", log, when=bool(app.log_lines))
        self.show("footer", lines.hints(self._hints(), width))

    def _hints(self) -> list[tuple[str, str]]:
        """The keys that count now."""
        hints = self.console_app.keymap.hints
        if self._field is not None and self._field.has_focus:
            return [("Enter", "Keep the filter"), ("Esc", "End it"), hints(Where.EVERYWHERE)[0]]
        return hints(Where.GRID)

    def in_short(self) -> Text:
        """Counts, and how to reach the kill."""
        app = self.console_app
        chord = app.keymap.hints(Where.EVERYWHERE)[0][0]
        total = sum(1 for _ in app.ledger.orders())
        text = Text.assemble(lines.mode_mark(app.desk), f" OPEN {total}\n")
        text.append(f"{chord} KILL", "bold reverse")
        return text.append(f"\nneeds {FLOOR[0]}x{FLOOR[1]}")

    def _filterbar(self) -> None:
        model, field = self.grid.model, self._field
        if field is None:
            return
        # Not whether the field knows of its focus yet: a bar that is hidden would lose it again.
        wanted = self.focused is field or bool(field.value)
        self.query_one("#filterbar").set_class(not wanted, "hidden")
        if wanted:
            self.show("filterlabel", Text("filter ", "bold"))
            told = Text(f" {len(model)} of {model.total} shown", no_wrap=True)
            if model.troubles:
                told.append(f", {lines.plural(len(model.troubles), 'word')} not read", lines.DOUBT)
            self.show("filtercount", told)

    def _detail(self) -> None:
        if self.grid.model.troubles and self._field is not None and self._field.has_focus:
            said = Text(f"! {self.grid.model.troubles[-1]}; this word hides nothing", lines.DOUBT)
            self.show("detail", said)
            return
        key = self.grid.cursor_key
        row = self.grid.model.get(key) if key else None
        track = self.console_app.ledger.tracks.get(key) if key else None
        order = row.order if row else None
        now = self.console_app.desk.clock.monotonic()
        asks = shown_key(self.console_app.keymap.keys["cancel"][0])
        self.show("detail", lines.detail(order, why(track, now, asks) if track else None, self.size.width))

    def _marks(self, now: float) -> None:
        """How many are marked and what they are worth; summed up anew at most twice a second."""
        model = self.grid.model
        marks = model.marked
        if marks and (self._summed is None or self._summed[0] != marks or now - self._summed_at > _AGAIN):
            rows = [row for key in marks if (row := model.get(key)) is not None]
            hidden = sum(model.position(row.key) is None for row in rows)
            self._summed, self._summed_at = (marks, sum_of(row.order for row in rows), hidden), now
        text = Text(no_wrap=True)
        if marks and self._summed is not None:
            _, total, hidden = self._summed
            keys = self.console_app.keymap.keys
            text = lines.marks_line(
                total, hidden, shown_key(keys["cancel_marked"][0]), shown_key(keys["unmark"][0])
            )
        self.show("marks", text, when=bool(marks))

    # Commands

    def run_command(self, command_id: str) -> bool:
        """Commands of the grid."""
        grid = self.grid
        if command_id == "cancel":
            self._cancel()
        elif command_id == "resume":
            self.console_app.run_command("resume")
        elif command_id == "cancel_marked":
            self._cancel_several()
        elif command_id == "filter":
            self._open_filter()
        elif command_id == "sort":
            grid.cycle_sort()
        elif command_id == "reverse":
            grid.set_sort(grid.model.sort, not grid.model.reverse)
        elif command_id == "columns":
            from cancel_tui.console.screens.columns import ColumnsScreen

            self.app.push_screen(ColumnsScreen(grid))
        elif command_id == "unmark":
            grid.clear_marks()
        elif command_id == "mark_range":
            self._mark_range()
        elif command_id == "mark_all":
            self._mark_all()
        elif command_id == "totals":
            from cancel_tui.console.screens.totals import TotalsScreen

            self.app.push_screen(TotalsScreen(grid, self.console_app.ledger))
        elif command_id == "recent":
            from cancel_tui.console.screens.recent import RecentScreen

            self.app.push_screen(RecentScreen(self._rows.recent))
        elif command_id == "order":
            self._details()
        elif command_id == "mark":
            grid.action_mark()
        else:
            return False
        return True

    def _open_filter(self) -> None:
        field = self.add_filter()
        if field is not None:
            self.query_one("#filterbar").remove_class("hidden")
            # At once, and not behind the keys of the same burst: they are text already.
            self.set_focus(field)
            # The toolkit would do so once the field hears of its focus: the next letter would take away those
            # that were typed before that.
            field.action_select_all()

    def _cancel(self) -> None:
        painted = self.grid.painted_key
        if painted is None and self.grid.cursor_key is not None:
            self.console_app.refuse("the cursor had just moved: look, then press it again")
            return
        self.console_app.cancel_one(painted)

    def _cancel_several(self) -> None:
        marked = self.marked()
        if not marked and not self.grid.model.filter.strip():
            self.console_app.refuse("mark orders or set a filter first; ^K is for everything")
            return
        if not marked and self.grid.model.troubles:
            # More is shown than was asked for.
            self.console_app.refuse(f"the filter was not read: {self.grid.model.troubles[0]}")
            return
        self.console_app.confirm_cancel(marked or self.shown(), "marked" if marked else "shown")

    def _mark_range(self) -> None:
        keys = self.grid.range_keys()
        if keys is None:
            self.console_app.tell("mark an order with space first; v marks from there to the cursor")
            return
        self._mark(keys)

    def _mark_all(self) -> None:
        model = self.grid.model
        if model.troubles:
            # More is shown than was asked for.
            self.console_app.refuse(f"the filter was not read: {model.troubles[0]}")
            return
        self._mark(row.key for row in model)

    def _mark(self, keys: Iterable[OrderKey]) -> None:
        """Mark what is not over."""
        over = self.console_app.ledger.over
        self.grid.mark(key for key in keys if not over(key))
        self.call_later(self.tick)

    def _details(self) -> None:
        key = self.grid.painted_key
        if key is None:
            self.console_app.tell("no order is under the cursor; press an arrow key first")
            return
        from cancel_tui.console.screens.order import OrderScreen

        self.app.push_screen(OrderScreen(key, self.grid, self.console_app.ledger))

    @property
    def listens(self) -> bool:
        """Whether a key pressed now would be the grid's."""
        return self._standing and not self.cramped and self.focused is self.grid

    # Events

    def on_key(self, event: events.Key) -> None:
        """While the filter has the focus, letters are text; Esc and Enter give the grid back.

        Also those that were on their way to the grid when the filter was opened, in the same burst.
        """
        field = self._field
        if field is None or self.focused is not field:
            super().on_key(event)
            return
        # Else the toolkit would hand the key to the handler of the class below as well.
        event.prevent_default()
        if event.is_printable and event.character is not None:
            event.stop()
            field.insert_text_at_cursor(event.character)
        elif event.key in ("escape", "enter"):
            event.stop()
            if event.key == "escape":
                field.value = ""
            self.grid.focus()
            self.call_later(self.tick)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """Catch up with what happened while another screen was in front."""
        if self._fresh:
            # Its parts were styled as they were mounted; to do it again would only delay the first picture.
            self._fresh, event.refresh_styles = False, False
        if self.is_mounted:
            self.call_later(self.tick)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as it is typed."""
        self.grid.set_filter(event.value)
        self._filterbar()
        if not self.cramped:
            self._detail()

    def on_order_grid_cursor_moved(self) -> None:
        """Show the order that is now under the cursor."""
        if not self.cramped:
            self._detail()
