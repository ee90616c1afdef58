"""What the commands print: the contract's JSON, and the same for people."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cancel_tui.cli.streams import Aside, silence
from cancel_tui.desk.report import kill_json, order_json, scope_json, short, venue_json, verdict_line
from cancel_tui.text import table

__all__ = [
    "ask",
    "document",
    "kill_json",
    "never_waiting",
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


def ask(text: str) -> str:
    """What a person types on standard input behind a question on standard error, without its end."""
    _write(sys.stderr, text, end="")
    return sys.stdin.readline().strip()


_aside: Aside | None = None
"""Who writes to standard error meanwhile."""


def warn(text: str) -> None:
    """One line on standard error."""
    if _aside is None or not _aside.take(text):
        _write(sys.stderr, text)


@contextmanager
def never_waiting() -> Iterator[None]:
    """While this lasts, `warn` waits for nobody: a reader that reads nothing would hold up the cancels."""
    global _aside  # noqa: PLW0603
    before, _aside = _aside, Aside()
    try:
        yield
    finally:
        _aside.close()
        _aside = before


def _write(stream: Any, text: str, end: str = "\n") -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding) + end)
        stream.flush()
    except OSError as error:
        # What a kill has done, and its exit status, do not depend on who is listening.
        silence(stream)
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            warn(f"cancel-tui: standard output cannot be written: {error.strerror}")


def document(value: Any) -> None:
    """One JSON document, ASCII only, so that no locale can break it."""
    import json  # the console's first picture does not wait for it

    say(json.dumps(value, ensure_ascii=True, indent=1))
