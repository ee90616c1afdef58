"""What the commands print: the contract's JSON, and the same for people."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

from cancel_tui.desk.report import kill_json, order_json, scope_json, short, venue_json, verdict_line
from cancel_tui.text import table

__all__ = [
    "document",
    "kill_json",
    "order_json",
    "say",
    "scope_json",
    "short",
    "table",
    "venue_json",
    "verdict_line",
    "warn",
]


def say(text: str = "") -> None:
    """One line on standard output; characters that the terminal cannot show are replaced."""
    _write(sys.stdout, text)


def warn(text: str) -> None:
    """One line on standard error."""
    _write(sys.stderr, text)


def _write(stream: Any, text: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()
    except OSError as error:
        # What a kill has done, and its exit status, do not depend on who is listening.
        _silence(stream)
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            warn(f"cancel-tui: standard output cannot be written: {error.strerror}")


def _silence(stream: Any) -> None:
    """Let later writes go nowhere, Python's own at exit among them."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def document(value: Any) -> None:
    """One JSON document, ASCII only, so that no locale can break it."""
    say(json.dumps(value, ensure_ascii=True, indent=1))
