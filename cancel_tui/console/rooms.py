"""The screens that a key opens beside the grid, and what those of credentials and venues work with."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import App
from textual.screen import Screen

from cancel_tui.console.keyroom import KeyDoor, KeyRoom
from cancel_tui.console.screens.help import HelpScreen
from cancel_tui.console.screens.keys import KeysScreen
from cancel_tui.console.screens.log import LogScreen
from cancel_tui.console.screens.venues import VenuesScreen
from cancel_tui.desk.desk import Desk

_ROOMS: Mapping[str, type[Screen[None]]] = {
    "help": HelpScreen,
    "log": LogScreen,
    "keys": KeysScreen,
    "venues": VenuesScreen,
}


class RoomyApp(App[int], inherit_bindings=False):
    """An application with rooms beside the grid."""

    left = False
    """Whether the operator has left of their own accord."""
    practice_offered = False
    """Whether the console may be left for the practice venues."""
    practice_wanted = False
    """Whether it was."""

    def furnish(self, desk: Desk, door: KeyDoor | None) -> None:
        """Take what the rooms need; `door` leads to the keyring, where it is used."""
        self.keyroom = KeyRoom(desk, door)
        self.practice_offered = door is not None and not desk.settings.venues

    def enter(self, command_id: str) -> bool:
        """Open the room of a command, unless one is in it already; False where it has none."""
        room = _ROOMS.get(command_id)
        if room is not None and not isinstance(self.screen, room):
            self.push_screen(room())
        return room is not None

    def want_practice(self) -> None:
        """Leave for the practice venues."""
        self.practice_wanted = self.left = True
        self.exit(0)
