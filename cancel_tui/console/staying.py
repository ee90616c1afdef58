"""Keys and signals that must not end or stop the console: a stopped kill switch kills nothing."""

from __future__ import annotations

from collections.abc import Callable

from cancel_tui import signals

IDLE = {
    "ctrl+c": "^C does nothing here, so that it can end no kill; ^Q leaves",
    "ctrl+z": "^Z does nothing here: while suspended, no kill would go on; ^Q leaves",
}
"""Keys of a terminal that do nothing, each with the reason."""


def never_suspend(tell: Callable[[str], None]) -> None:
    """From now on a request to suspend the process only says why it is not obeyed.

    To be called on the event loop once the terminal is taken: the toolkit obeys such requests from there on.
    """
    signals.take({"SIGTSTP": lambda: tell(IDLE["ctrl+z"])})
