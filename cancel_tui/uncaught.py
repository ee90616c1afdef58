"""Faults that nobody caught: each shows its class and its place. Never its text, never a local variable.

The interpreter's own words would quote both the text and lines of source; either could lead to a key.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from cancel_tui.redaction import place_of

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


def install() -> None:
    """Answer for this process: in the main thread, in others, and where nothing can be raised."""
    sys.excepthook = _in_main
    threading.excepthook = _in_thread
    sys.unraisablehook = _in_vain


def words(error: BaseException | None) -> str:
    """What is said of a fault: its class and the place of ours where it arose."""
    if error is None:
        return "internal fault"
    return f"internal fault: {type(error).__name__} in {place_of(error)}"


def _say(text: str) -> None:
    # The stream may be gone or closed; a fault in telling a fault helps nobody.
    with contextlib.suppress(Exception):
        sys.stderr.write(f"cancel-tui: {text}\n")


def _in_main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _say("interrupted" if isinstance(error, KeyboardInterrupt) else words(error))


def _in_thread(what: threading.ExceptHookArgs) -> None:
    if what.exc_type is not SystemExit:
        _say(words(what.exc_value))


def _in_vain(what: UnraisableHookArgs) -> None:
    _say(words(what.exc_value))
