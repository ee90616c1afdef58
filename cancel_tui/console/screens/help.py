"""Every key and every sign, on one screen, made from the registry."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from cancel_tui.console.badges import STATES
from cancel_tui.console.commands import COMMANDS, Where, shown_key
from cancel_tui.console.screens.base import DeskScreen


class HelpScreen(DeskScreen):
    """The help; any key but the arrows leaves it."""

    WHERE: ClassVar[Where] = Where.EVERYWHERE

    def compose(self) -> ComposeResult:
        """One scrolling text."""
        with VerticalScroll(id="help"):
            yield Static(self._text(), markup=False)

    def _text(self) -> Text:
        text = Text("Keys\n", "bold")
        for where in (Where.GRID, Where.EVERYWHERE, Where.ARMED, Where.BOARD):
            if where in (Where.ARMED, Where.BOARD):
                text.append(f"On the screen {where.value}\n", "bold")
            for one in COMMANDS:
                if one.where is where:
                    keys = " ".join(shown_key(key) for key in self.console_app.keymap.keys[one.id])
                    text.append(f"  {keys:<9}", "bold")
                    guard = "" if one.guard.value == "at once" else f"  ({one.guard.value})"
                    text.append(f"{one.help}{guard}\n")
        text.append("Signs\n", "bold")
        signs = [make() for make in STATES]
        for start in range(0, len(signs), 5):
            text.append("  " + "  ".join(f"{s.shape} {s.word}" for s in signs[start : start + 5]) + "\n")
        text.append("\nEsc back")
        return text

    def on_key(self, event: events.Key) -> None:
        """Arrows scroll, anything else leaves."""
        if event.key in ("up", "down", "pageup", "pagedown", "home", "end"):
            return
        event.stop()
        self.dismiss()
