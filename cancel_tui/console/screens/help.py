"""Every key and every sign, on one screen, made from the registry."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from cancel_tui.console import lines
from cancel_tui.console.badges import STATES
from cancel_tui.console.commands import COMMANDS, Guard, Where, shown_key
from cancel_tui.console.screens.base import DeskScreen

_PLACES = {
    Where.GRID: "The grid",
    Where.EVERYWHERE: "On every screen, in every input",
    Where.ARMED: "Armed",
    Where.BOARD: "The kill board",
    Where.COLUMNS: "The column chooser",
    Where.LOG: "The log",
    Where.KEYS: "Credentials",
    Where.VENUES: "Venues",
}
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

    WHERE: ClassVar[Where] = Where.EVERYWHERE

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
        """Keys by the screen they belong to, then every sign."""
        width = max(30, self.size.width - 4)
        text = Text()
        for where, place in _PLACES.items():
            text.append(f"{place}\n", "bold")
            for one in COMMANDS:
                if one.where is not where:
                    continue
                keys = " ".join(shown_key(key) for key in self.console_app.keymap.keys[one.id])
                guard = "" if one.guard is Guard.NONE else f" Acts {one.guard.value}."
                told = textwrap.wrap(one.help + guard, max(20, width - 12))
                text.append(f"  {keys:<9} ", "bold").append(("\n" + " " * 12).join(told) + "\n")
            text.append("\n")
        text.append("Signs of an order\n", "bold")
        ascii_only = self.console_app.ascii_only
        signs = [make() for make in STATES]
        across = max(1, width // 14)
        for start in range(0, len(signs), across):
            row = [
                f"{one.ascii if ascii_only else one.shape} {one.word}"
                for one in signs[start : start + across]
            ]
            text.append("  " + "".join(f"{sign:<14}" for sign in row).rstrip() + "\n")
        text.append("  0*  a stop without a quantity of its own; it is alive\n")
        text.append("\nSigns of a venue\n", "bold")
        text.append("  ● live  ▲ stale  ✖ down  ◌ locked: no credentials  ⊘ refused: credentials rejected\n")
        return text.append("  A count with ? comes from a list that is not complete.")
