"""What is chosen from a list or with a pointer: every command of the registry, through the same guards.

A list covers the grid and a pointer slips, so what would cancel at once is shown once more before it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.screen import Screen

from cancel_tui.console.commands import COMMANDS, Command, Guard, Where, shown_key
from cancel_tui.console.screens.base import DeskScreen

if TYPE_CHECKING:
    from cancel_tui.console.app import CancelApp


def palette(app: CancelApp, screen: Screen[Any]) -> Iterable[SystemCommand]:
    """The commands of a screen first, then those of the grid and of every screen."""
    where = screen.WHERE if isinstance(screen, DeskScreen) else Where.GRID
    rooms = dict.fromkeys((where, Where.EVERYWHERE, Where.GRID))
    told: list[Command] = []
    for room in rooms:
        for command in COMMANDS:
            if command.at(room) and command not in told:
                told.append(command)
                keys = " ".join(shown_key(key) for key in app.keymap.keys[command.id])
                yield SystemCommand(command.label, f"{keys}  {command.help}", chosen(app, command))


def chosen(app: CancelApp, command: Command) -> Callable[[], None]:
    """What choosing a command from the list does."""

    def act() -> None:
        screen = app.screen
        if command.id == "cancel":
            key = app.grid_key()
            app.confirm_cancel(frozenset({key} if key else ()), "chosen")
            return
        if isinstance(screen, DeskScreen) and command.at(screen.WHERE) and screen.run_command(command.id):
            return
        app.run_command(command.id)

    return act


def clicked(app: CancelApp, command: Command) -> None:
    """What a click on a command's key in a footer does: never a cancel, at the most a question."""
    if command.cancels and command.guard is Guard.NONE and command.id != "cancel":
        app.tell(f"a click starts nothing that cancels; press {shown_key(app.keymap.keys[command.id][0])}")
        return
    chosen(app, command)()
