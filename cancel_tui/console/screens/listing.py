"""What the screens of credentials and of venues share: a short list with a cursor, and text below it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.widgets import Static

from cancel_tui.console import lines
from cancel_tui.console.commands import Where
from cancel_tui.console.screens.base import DeskScreen
from cancel_tui.text import literal, table

_MOVES = {"up": -1, "down": 1, "pageup": -8, "pagedown": 8, "home": -10_000, "end": 10_000}
_ROOMS = ("keys", "venues", "help")
"""Commands of the grid that lead from here to the next room."""
_FRAME = 6
"""Rows of the screen that are neither list nor text below it."""
_LEAST = 3
"""Rows of the list that are left to it however much is said below."""


class ListScreen(DeskScreen):
    """A list with a cursor that belongs to a name, not to a row."""

    def __init__(self) -> None:
        super().__init__()
        self._chosen = ""

    def compose(self) -> ComposeResult:
        """Title, list, what there is to say of the chosen one, keys."""
        yield from self.lines_of("cramped", "title", "banner", "preview", "warnings")
        yield Static(id="space")
        yield from self.lines_of("footer")

    def on_mount(self) -> None:
        """First frame."""
        self.tick()

    # What a screen says

    def names(self) -> Sequence[str]:
        """What the cursor can stand on, in order."""
        return ()

    def headline(self) -> Text:
        """The title."""
        return Text()

    def columns(self) -> Sequence[str]:
        """Titles of the columns."""
        return ()

    def row(self, name: str) -> Sequence[str]:
        """The cells of one row."""
        return ()

    def below(self) -> Iterable[tuple[str, str]]:
        """Sentences below the list, each with its style; they are made literal here."""
        return ()

    def hints(self) -> list[tuple[str, str]]:
        """Keys for the footer."""
        return self.console_app.keymap.hints(self.WHERE)

    # Cursor

    @property
    def chosen(self) -> str:
        """The name under the cursor; empty where the list is."""
        names = self.names()
        return self._chosen if self._chosen in names else (names[0] if names else "")

    def on_key(self, event: events.Key) -> None:
        """Arrows move the cursor, everything else goes through the registry."""
        names = self.names()
        if event.key in _MOVES and names:
            event.stop()
            event.prevent_default()
            index = names.index(self.chosen) + _MOVES[event.key]
            self._chosen = names[min(max(index, 0), len(names) - 1)]
            self.tick()
            return
        keymap = self.console_app.keymap
        if keymap.command_for(event.key, self.WHERE) is None:
            other = keymap.command_for(event.key, Where.GRID)
            if other is not None and other.id in _ROOMS:
                event.stop()
                event.prevent_default()
                self.console_app.run_command(other.id)
            return
        super().on_key(event)

    # Paint

    def paint(self) -> None:
        """Draw the list and what belongs to the chosen row."""
        width, height = self.size
        self.show("title", lines.spread(self.headline(), Text(), width))
        banner = self.banner()
        self.show("banner", banner, when=bool(banner.plain))
        free = height - _FRAME - bool(banner.plain) - self.alarmed
        told = self._below(width - 3, max(1, free - _LEAST))
        room = max(2, free - told.plain.count("\n"))
        self.show("preview", self._list(room), when=bool(self.names()))
        self.show("warnings", told, when=bool(told.plain))
        self.show("footer", lines.hints(self.hints(), width))

    def _below(self, width: int, rows: int) -> Text:
        """What there is to say, in so many rows at the most, so that list and keys are always seen."""
        found: list[tuple[str, str]] = []
        for words, style in self.below():
            wrapped = textwrap.wrap(literal(words), max(20, width), subsequent_indent="  ") or [""]
            found += [(row, style) for row in wrapped]
        if len(found) > rows:
            found[rows - 1 :] = [("…", "")]
        text = Text("\n").join(Text(row, style) for row, style in found)
        text.rstrip()
        return text

    def _list(self, room: int) -> Text:
        names = list(self.names())
        if not names:
            return Text()
        at = names.index(self.chosen)
        first = min(max(0, at - room // 2), max(0, len(names) - room))
        drawn = table(self.columns(), [self.row(name) for name in names])
        text = Text(f"  {drawn[0]}", "bold", no_wrap=True, overflow="ellipsis")
        for index, line in list(enumerate(drawn[1:]))[first : first + room]:
            style = "reverse" if index == at else ""
            text.append(f"\n{'▸ ' if index == at else '  '}{line}", f"not bold {style}".strip())
        if len(names) > room:
            text.append(f"\n  {at + 1} of {len(names)}", "not bold dim")
        return text

    def in_short(self) -> Text:
        """Nothing can be read at this size."""
        return Text("needs a larger\nterminal; Esc back")
