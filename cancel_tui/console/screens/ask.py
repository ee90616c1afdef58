"""One question with its consequences: Enter does it, anything else goes back."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from rich.text import Text

from cancel_tui.console import lines
from cancel_tui.console.screens.confirm import ConfirmScreen
from cancel_tui.text import literal


class AskScreen(ConfirmScreen):
    """Asks before something that is no cancel; the same guard against a repeated Enter."""

    def __init__(
        self, question: str, consequences: Sequence[str], does: str, act: Callable[[], None]
    ) -> None:
        super().__init__(literal(question, 200), (), act)
        self._consequences = consequences
        self._does = does

    def paint(self) -> None:
        """Draw the question and what follows from it."""
        width = self.size.width
        title = Text.assemble(lines.mode_mark(self.console_app.desk), (f" {self._question}", "bold"))
        self.show("title", lines.spread(title, Text(), width))
        banner = self.banner()
        self.show("banner", banner, when=bool(banner.plain))
        rows = [row for one in self._consequences for row in textwrap.wrap(literal(one), max(20, width - 4))]
        self.show("confirm", Text("\n".join(rows)))
        self.show("footer", lines.hints([("Enter", self._does), ("Esc", "goes back")], width))

    def in_short(self) -> Text:
        """The question and the two ways out."""
        return Text(f"{self._question}\nEnter {self._does}\nEsc goes back")
