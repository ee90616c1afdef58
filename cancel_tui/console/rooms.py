"""The screens that a key opens beside the grid, and what those of credentials and venues work with."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

from textual.app import App
from textual.screen import Screen

if TYPE_CHECKING:
    from cancel_tui.console.keydoor import KeyDoor
    from cancel_tui.console.keyroom import KeyRoom
    from cancel_tui.desk.desk import Desk

_ROOMS = {"help": "HelpScreen", "log": "LogScreen", "keys": "KeysScreen", "venues": "VenuesScreen"}
"""Module and class, by the command that opens it."""


def _room(command_id: str) -> type[Screen[None]]:
    """Loaded when it is first entered, or before."""
    found: type[Screen[None]] = getattr(
        import_module(f"cancel_tui.console.screens.{command_id}"), _ROOMS[command_id]
    )
    return found


class RoomyApp(App[int], inherit_bindings=False):
    """An application with rooms beside the grid."""

    desk: Desk
    left = False
    """Whether the operator has left of their own accord."""
    practice_offered = False
    """Whether the console may be left for the practice venues."""
    practice_wanted = False
    """Whether it was."""

    def furnish(self, desk: Desk, door: KeyDoor | None) -> None:
        """Take what the rooms need; `door` leads to the keyring, where it is used."""
        self.desk, self._door = desk, door
        self.practice_offered = door is not None and not desk.settings.venues

    @cached_property
    def keyroom(self) -> KeyRoom:
        """What the screens of credentials and venues work with; made when one of them first asks for it."""
        from cancel_tui.console.keyroom import KeyRoom

        return KeyRoom(self.desk, self._door)

    @property
    def keyring_mark(self) -> str:
        """What every screen says of a keyring that protects nothing; empty for one that does."""
        info = self.keyroom.backend if "keyroom" in vars(self) else None
        if info is None and self._door is not None:
            info = self._door.seen()
        return (info.mark if info is not None else None) or ""

    def enter(self, command_id: str) -> bool:
        """Open the room of a command, unless one is in it already; False where it has none."""
        if command_id not in _ROOMS:
            return False
        room = _room(command_id)
        if not isinstance(self.screen, room):
            self.push_screen(room())
        return True

    def want_practice(self) -> None:
        """Leave for the practice venues."""
        self.practice_wanted = self.left = True
        self.exit(0)
