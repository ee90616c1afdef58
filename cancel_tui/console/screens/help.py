"""Every key and every sign, on one screen, made from the registry."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from cancel_tui.console import lines
from cancel_tui.console.commands import COMMANDS, Where, shown_key
from cancel_tui.console.help_text import help_text
from cancel_tui.console.screens.base import DeskScreen

_PLACES = {
    Where.GRID: "Grid",
    Where.EVERYWHERE: "All over",
    Where.ARMED: "Armed",
    Where.BOARD: "Board",
    Where.COLUMNS: "Columns",
    Where.LOG: "Log",
    Where.KEYS: "Keys",
    Where.VENUES: "Venues",
}
_FRAME = 3
"""Rows of the screen that are no text."""
_SCROLL = {
    "up": (-1, False),
    "down": (1, False),
    "pageup": (-1, True),
    "pagedown": (1, True),
    "home": (-99, True),
    "end": (99, True),
}


class ScrollScreen(DeskScreen):
    """A screen of one long text: arrows scroll, any other key leaves."""

    COVERS = True
    WHERE: ClassVar[Where] = Where.EVERYWHERE
    LIVE: ClassVar[bool] = False
    """Whether it shows what the grid behind it holds, so that the grid must go on."""

    def compose(self) -> ComposeResult:
        """One scrolling text between a banner and the way out."""
        yield from self.lines_of("cramped", "title", "banner")
        with VerticalScroll(id="scroll", can_focus=False):
            yield from self.lines_of("text")
        yield from self.lines_of("footer")

    def on_mount(self) -> None:
        """First frame."""
        self.tick()

    def headline(self) -> Text:
        """The first line."""
        return Text()

    def body(self) -> Text:
        """The long text."""
        return Text()

    def paint(self) -> None:
        """Draw the text for this width."""
        self.show("title", lines.spread(self.headline(), Text(), self.size.width))
        banner = self.banner()
        self.show("banner", banner, when=bool(banner.plain))
        self.show("text", self.body())
        self.show("footer", lines.hints([("↑↓", "Scroll"), ("Esc", "Back")], self.size.width))

    def in_short(self) -> Text:
        """Nothing can be read at this size."""
        return Text("needs a larger\nterminal; Esc back")

    def on_key(self, event: events.Key) -> None:
        """Arrows scroll, anything else leaves."""
        event.stop()
        event.prevent_default()
        if event.key not in _SCROLL:
            self.dismiss()
            return
        by, pages = _SCROLL[event.key]
        scroll = self.query_one("#scroll", VerticalScroll)
        step = max(1, scroll.size.height - 1) if pages else 1
        scroll.scroll_to(y=scroll.scroll_offset.y + by * step, animate=False)


class HelpScreen(ScrollScreen):
    """The help."""

    def headline(self) -> Text:
        """What this is."""
        return Text("Keys and signs", "bold")

    def body(self) -> Text:
        """Keys by the screen they belong to, then every sign; as sentences where they fit on one screen."""
        keys = self.console_app.keymap.keys
        parts = [
            (
                _PLACES.get(where, where.value.capitalize()),
                [
                    (" ".join(map(shown_key, keys[one.id])), one.label, one.help, one.guard)
                    for one in COMMANDS
                    if one.where is where
                ],
            )
            for where in [*_PLACES, *(one for one in Where if one not in _PLACES)]
        ]
        free = self.size.height - _FRAME - bool(self.banner().plain)
        return help_text(parts, self.size.width - 2, free, ascii_only=self.console_app.ascii_only)
