"""What every screen of the console shares: keys go through the registry, pasted text goes nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.screen import Screen

from cancel_tui.console.commands import Where

if TYPE_CHECKING:
    from cancel_tui.console.app import CancelApp


class DeskScreen(Screen[None]):
    """A screen of the console."""

    ALLOW_SELECT = False
    WHERE: ClassVar[Where] = Where.GRID

    @property
    def console_app(self) -> CancelApp:
        """The application, by its own type."""
        from cancel_tui.console.app import CancelApp

        app = self.app
        if not isinstance(app, CancelApp):
            raise TypeError("a screen of the console runs in the console only")
        return app

    def on_key(self, event: events.Key) -> None:
        """Look the key up in the registry; a key that is not in it does nothing."""
        command = self.console_app.keymap.command_for(event.key, self.WHERE)
        if command is None:
            return
        event.stop()
        event.prevent_default()
        if not self.run_command(command.id):
            self.console_app.run_command(command.id)

    def run_command(self, command_id: str) -> bool:
        """Carry out a command of this screen; False hands it to the application."""
        return False

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is no command."""
        event.stop()

    def tick(self) -> None:
        """Something at the desk changed, or time has passed; at most 20 times a second."""
