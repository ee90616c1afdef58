"""The column chooser: what the grid shows, in which order, and the configuration line that keeps it."""

from __future__ import annotations

import textwrap
from math import ceil
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.widgets import Static

from cancel_tui.console import lines
from cancel_tui.console.choosing import Chooser, toml_line
from cancel_tui.console.columns import ALWAYS, MEASURES, Column
from cancel_tui.console.commands import Where
from cancel_tui.console.grid import OrderGrid
from cancel_tui.console.screens.base import DeskScreen

_FRAME = 6
"""Rows of the screen that are neither the list nor the line that keeps the choice."""
_WIDE = 24
"""Cells of one column's entry."""


class ColumnsScreen(DeskScreen):
    """Changes the grid behind it at once; this run only."""

    WHERE: ClassVar[Where] = Where.COLUMNS

    def __init__(self, grid: OrderGrid) -> None:
        super().__init__()
        self._grid = grid
        self.chooser = Chooser(list(grid.chosen))

    def compose(self) -> ComposeResult:
        """Title, the columns, what the one under the cursor is, the line that keeps the choice, the keys."""
        yield from self.lines_of("cramped", "title", "banner", "choice", "detail", "toml")
        yield Static(id="space")
        yield from self.lines_of("footer")

    def on_mount(self) -> None:
        """First frame."""
        self.tick()

    def paint(self) -> None:
        """Draw the choice."""
        width, height = self.size
        chooser, room = self.chooser, self._grid.columns
        shown = sum(column in room for column in chooser.shown)
        title = Text.assemble(("Columns", "bold"), f"  {len(chooser.shown)} chosen, room for {shown}")
        self.show("title", lines.spread(title, Text("this run only", "dim"), width))
        banner = self.banner()
        self.show("banner", banner, when=bool(banner.plain))
        kept = textwrap.wrap(toml_line(chooser.shown), max(20, width - 2))
        free = height - _FRAME - bool(banner.plain) - self.alarmed
        across = max(1, width // (_WIDE + 1))
        told = free - len(kept) - 1 >= ceil(len(Column) / across)
        self.show("choice", self._list(max(1, free - (len(kept) + 1) * told), across))
        about = Text.assemble((chooser.cursor.value, "bold"), f"  {MEASURES[chooser.cursor].about}")
        if chooser.cursor in chooser.shown and chooser.cursor not in room:
            about.append("   no room for it in this width", lines.DOUBT)
        self.show("detail", about)
        how = Text("to keep it, under [console] of the configuration:", "dim", no_wrap=True)
        self.show("toml", how.append("\n" + "\n".join(kept), ""), when=told)
        self.show("footer", lines.hints(self.console_app.keymap.hints(Where.COLUMNS), width))

    def _list(self, rows: int, across: int) -> Text:
        """The columns, downwards and then to the right; where room is short, those up to the cursor."""
        room, ascii_only = self._grid.columns, self.console_app.ascii_only
        columns = self.chooser.columns
        rows = ceil(len(columns) / ceil(len(columns) / rows))
        first = max(0, columns.index(self.chooser.cursor) // rows - across + 1) * rows
        drawn = [Text() for _ in range(rows)]
        for at, column in list(enumerate(columns))[first : first + rows * across]:
            entry = self._entry(at + 1, column, fits=column in room, ascii_only=ascii_only)
            drawn[at % rows].append_text(entry)
        return Text("\n", no_wrap=True).join(drawn)

    def _entry(self, number: int, column: Column, *, fits: bool, ascii_only: bool) -> Text:
        chooser = self.chooser
        marker = (">" if ascii_only else "▸") if column is chooser.cursor else " "
        if column not in chooser.shown:
            words, style = f"{marker} [ ]    {column.value}", "dim"
        else:
            box = "[=]" if column in ALWAYS else "[x]"
            words, style = f"{marker} {box} {number:>2} {column.value}", "" if fits else "italic"
        return Text(f"{words:<{_WIDE}} ", "bold reverse" if column is chooser.cursor else style)

    def in_short(self) -> Text:
        """Nothing can be chosen at this size."""
        return Text("needs a larger\nterminal; Esc back")

    def on_key(self, event: events.Key) -> None:
        """Arrows move the cursor; the rest is in the registry."""
        if event.key in ("up", "down"):
            event.stop()
            self.chooser.step(-1 if event.key == "up" else 1)
            self.tick()
            return
        super().on_key(event)

    def run_command(self, command_id: str) -> bool:
        """Show, move, start over, back."""
        chooser = self.chooser
        if command_id == "column_back":
            self.dismiss()
            return True
        if command_id == "column_show":
            if (why := chooser.toggle()) is not None:
                self.console_app.tell(why)
        elif command_id in ("column_left", "column_right"):
            chooser.move(-1 if command_id == "column_left" else 1)
        elif command_id == "column_reset":
            chooser.reset()
        else:
            return False
        self._grid.set_columns(chooser.shown)
        self._grid.fit()
        self.tick()
        return True
