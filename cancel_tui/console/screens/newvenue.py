"""The table that a new venue needs, to be copied into the configuration; the file itself is not touched."""

from __future__ import annotations

import textwrap

from rich.text import Text
from textual import events

from cancel_tui.console import lines
from cancel_tui.console.new_venue import toml_for
from cancel_tui.console.screens.help import ScrollScreen
from cancel_tui.settings import KINDS
from cancel_tui.text import literal
from cancel_tui.venues.registry import FIELDS


class NewVenueScreen(ScrollScreen):
    """First the kind, then its table."""

    def __init__(self) -> None:
        super().__init__()
        self._kind = ""

    def headline(self) -> Text:
        """Which kind."""
        return Text(f"A new venue{f': {self._kind}' if self._kind else ''}", "bold")

    def body(self) -> Text:
        """The kinds, or the table of the chosen one."""
        text = Text()
        settings = self.console_app.desk.settings
        if not self._kind:
            text.append("Which kind?\n\n", "bold")
            for number, kind in enumerate(KINDS, 1):
                text.append(f"  {number}", "bold").append(f"  {kind}\n")
            return text
        text.append("Add this to\n")
        for row in textwrap.wrap(literal(str(settings.path), 300), max(20, self.size.width - 4)):
            text.append(f"  {row}\n", "bold")
        text.append("\n")
        text.append(self._table())
        needs = ", or ".join(" and ".join(names) for names in FIELDS[self._kind])
        text.append(f"\nThen start cancel-tui again; K stores {needs}.\n")
        return text.append("c copies the table, where the terminal allows it.", "dim")

    def _table(self) -> str:
        return toml_for(self._kind, [one.name for one in self.console_app.desk.settings.venues])

    def paint(self) -> None:
        """The text, and its own keys."""
        super().paint()
        keys = [("c", "Copy"), ("↑↓", "Scroll"), ("Esc", "Back")] if self._kind else [("Esc", "Back")]
        self.show("footer", lines.hints(keys, self.size.width))

    def on_key(self, event: events.Key) -> None:
        """A digit chooses, c copies."""
        if not self._kind and event.character in {str(number) for number in range(1, len(KINDS) + 1)}:
            event.stop()
            event.prevent_default()
            self._kind = list(KINDS)[int(event.character or "1") - 1]
            self.tick()
        elif self._kind and event.key == "c":
            event.stop()
            event.prevent_default()
            self.app.copy_to_clipboard(self._table())
            self.console_app.tell("copied, if this terminal takes it")
            self.tick()
        else:
            super().on_key(event)
