"""What the first picture does not show is loaded behind it: a kill's screens at once, the rest bit by bit."""

from __future__ import annotations

import asyncio
from importlib import import_module

KILL = (
    "hashlib",
    "cancel_tui.desk.lane",
    "cancel_tui.vault",
    "cancel_tui.desk.unfinished",
    "cancel_tui.desk.kill",
    "cancel_tui.desk.lookback",
    "cancel_tui.desk.resume",
    "cancel_tui.console.screens.arm",
    "cancel_tui.console.screens.board",
    "cancel_tui.console.screens.confirm",
)
"""What is on the way of a kill and of a cancel: loaded before anything else is done."""
REST = (
    "cancel_tui.venues.careful",
    "email.utils",
    "cancel_tui.console.filterinput",
    "cancel_tui.console.keyroom",
    "cancel_tui.console.export",
    "cancel_tui.console.screens.help",
    "cancel_tui.console.screens.columns",
    "cancel_tui.console.screens.order",
    "cancel_tui.console.screens.recent",
    "cancel_tui.console.screens.totals",
    "cancel_tui.console.screens.details",
    "cancel_tui.console.screens.log",
    "cancel_tui.console.screens.keys",
    "cancel_tui.console.screens.venues",
)
"""What a key may ask for, and what an answer out of the ordinary is read with."""


def ready_to_kill() -> None:
    """Load what no kill must wait for."""
    for name in KILL:
        import_module(name)


async def load() -> None:
    """Load everything else; others have their turn in between."""
    for name in REST:
        import_module(name)
        await asyncio.sleep(0)
