"""A crash of the screen: it shows its class and place only, and the desk's requests go on."""

from __future__ import annotations

import contextlib

from rich.console import RenderableType
from rich.text import Text
from textual.app import App

from cancel_tui.desk.desk import Desk
from cancel_tui.redaction import place_of


class DiscreetApp(App[int], inherit_bindings=False):
    """An application whose crashes show no locals: those could hold keys."""

    desk: Desk

    def panic(self, *renderables: RenderableType) -> None:
        """A fault in the terminal driver: its traceback could hold what was typed."""
        self._end_with("internal fault in the terminal driver")

    def _fatal_error(self) -> None:
        error = self._exception
        what = type(error).__name__ if error else "an unknown fault"
        where = place_of(error) if error else "an unknown place"
        self.desk.journal.note("fault", where=where, what=what)
        self._end_with(f"internal fault: {what} in {where}")

    def _end_with(self, words: str) -> None:
        with contextlib.suppress(Exception):
            self._exit_renderables.append(Text(f"cancel-tui: {words}"))
        self._return_code = 1
        self._close_messages_no_wait()
