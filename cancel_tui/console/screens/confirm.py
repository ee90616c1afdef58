"""The short confirm before several named orders are cancelled: a count, a notional, Enter."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.widgets import Static

from cancel_tui.console.commands import Where
from cancel_tui.console.guard import SAME_READ
from cancel_tui.console.screens.base import DeskScreen


class ConfirmScreen(DeskScreen):
    """Says what would be cancelled; Enter does it, anything else goes back.

    Keys from before its first frame do not count: a repeated Enter is no consent.
    """

    WHERE: ClassVar[Where] = Where.EVERYWHERE

    def __init__(self, words: list[str], act: Callable[[], None]) -> None:
        super().__init__()
        self._words = words
        self._act = act
        self._painted: float | None = None

    def compose(self) -> ComposeResult:
        """A few lines of text."""
        yield Static(
            Text("\n".join(["", *self._words, "", "Enter cancels them.  Esc goes back."])),
            id="confirm",
            markup=False,
        )

    def on_mount(self) -> None:
        """Remember when the first frame stood on the screen."""
        self.call_after_refresh(self._first_frame)

    def _first_frame(self) -> None:
        self._painted = self.console_app.event_time()

    def on_key(self, event: events.Key) -> None:
        """Enter, or back."""
        event.stop()
        if self._painted is None or event.time <= self._painted + SAME_READ:
            return
        self.dismiss()
        if event.key == "enter":
            self._act()
