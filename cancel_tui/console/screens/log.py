"""The log: what happened, newest last; it follows the end unless somebody has scrolled up."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input

from cancel_tui.console import lines
from cancel_tui.console.commands import Where
from cancel_tui.console.filterinput import FilterInput
from cancel_tui.console.screens.base import DeskScreen

_MOVES = {"up": (-1, 0), "down": (1, 0), "pageup": (0, -1), "pagedown": (0, 1)}
_WHEEL = 3


class LogScreen(DeskScreen):
    """Every line that is kept, or those that hold every word that was typed."""

    WHERE: ClassVar[Where] = Where.LOG

    def __init__(self) -> None:
        super().__init__()
        self._last: int | None = None
        """Number of the lowest line that is shown; None follows the newest."""

    def compose(self) -> ComposeResult:
        """The lines, the filter, the keys."""
        yield from self.lines_of("cramped", "title", "banner", "lines")
        with Horizontal(id="filterbar", classes="hidden"):
            yield from self.lines_of("filterlabel")
            yield FilterInput(placeholder="words that every shown line holds", id="filter", compact=True)
            yield from self.lines_of("filtercount")
        yield from self.lines_of("footer")

    def on_mount(self) -> None:
        """First frame."""
        self.tick()

    @property
    def field(self) -> Input:
        """Where the filter is typed."""
        return self.query_one("#filter", Input)

    @property
    def following(self) -> bool:
        """Whether the newest line is shown as it comes."""
        return self._last is None

    def _room(self) -> int:
        return max(1, self.query_one("#lines").size.height)

    def paint(self) -> None:
        """Draw as many lines as there is room for."""
        app, width, room = self.console_app, self.size.width, self._room()
        found = app.book.matching(self.field.value)
        end = self._end(found)
        shown = found[max(0, end - room) : end]
        title = Text.assemble(
            lines.mode_mark(app.desk), (" LOG", "bold"), f"  {lines.plural(len(found), 'line')}"
        )
        below = len(found) - end
        place = "newest last" if not below else f"{lines.plural(below, 'newer line')} below; End follows"
        self.show("title", lines.spread(title, Text(place), width))
        banner = self.banner()
        self.show("banner", banner, when=bool(banner.plain))
        text = Text("\n".join(line for _, line in shown), no_wrap=True, overflow="ellipsis")
        self.show(
            "lines", text if shown else Text("nothing yet" if not self.field.value else "no line holds that")
        )
        self._filterbar(len(found))
        hints = [("↑↓", "Scroll"), *app.keymap.hints(Where.LOG)]
        self.show("footer", lines.hints(hints, width))

    def _filterbar(self, found: int) -> None:
        field = self.field
        wanted = field.has_focus or bool(field.value)
        self.query_one("#filterbar").set_class(not wanted, "hidden")
        if wanted:
            total = len(self.console_app.book.lines)
            self.show("filterlabel", Text("filter ", "bold"))
            told = f" {found} of {total} shown; "
            told += "Enter keeps it, Esc ends it" if field.has_focus else "/ changes it"
            self.show("filtercount", Text(told, "dim", no_wrap=True))

    def _end(self, found: list[tuple[int, str]]) -> int:
        """How many of the lines stand above the lower edge, the last one included."""
        if self._last is None:
            return len(found)
        last = self._last
        end = sum(number <= last for number, _ in found)
        return min(max(end, self._room()), len(found))

    def in_short(self) -> Text:
        """The newest lines, as they fit."""
        room = max(1, self.size.height - 2)
        return Text("\n".join(self.console_app.book.lines[-room:]), no_wrap=True, overflow="ellipsis")

    # Moving

    def scroll_by(self, by: int) -> None:
        """Show later (or, below zero, earlier) lines; at the newest one it follows again."""
        found = self.console_app.book.matching(self.field.value)
        end = min(max(self._end(found) + by, self._room()), len(found))
        self._last = None if end >= len(found) else found[end - 1][0]
        self.tick()

    def on_key(self, event: events.Key) -> None:
        """Arrows scroll, also while the filter is typed; there letters are text."""
        # Else the toolkit would hand the key to the handler of the class below as well.
        event.prevent_default()
        field = self.field
        if event.key in _MOVES:
            event.stop()
            step, pages = _MOVES[event.key]
            self.scroll_by(step + pages * max(1, self._room() - 1))
        elif field.has_focus:
            if event.key in ("escape", "enter"):
                event.stop()
                if event.key == "escape":
                    field.value = ""
                self.set_focus(None)
                self.call_later(self.tick)
        elif event.key in ("home", "end"):
            event.stop()
            self.scroll_by(
                -self.console_app.book.total if event.key == "home" else self.console_app.book.total
            )
        else:
            super().on_key(event)

    def run_command(self, command_id: str) -> bool:
        """Filter and back."""
        if command_id == "back":
            self.dismiss()
        elif command_id == "filter":
            self.query_one("#filterbar").remove_class("hidden")
            self.field.focus()
        else:
            return False
        return True

    def on_input_changed(self) -> None:
        """Filter as it is typed."""
        self.tick()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel scrolls."""
        event.stop()
        self.scroll_by(-_WHEEL)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel scrolls."""
        event.stop()
        self.scroll_by(_WHEEL)
