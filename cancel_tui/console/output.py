"""A terminal that takes nothing more must not stop the console: what it would wait for is measured instead.

Textual hands what it paints to a thread through a short queue; when the terminal stalls (a dead SSH link),
that queue fills and the event loop, cancels included, would wait in it. So the queue may grow, and painting
pauses while it is long.
"""

from __future__ import annotations

from textual.app import App
from textual.drivers._writer_thread import WriterThread

LONGEST = 8
"""Pieces of output that may wait for the terminal before painting pauses."""


def _writer(app: App[int]) -> WriterThread | None:
    found = getattr(app._driver, "_writer_thread", None)
    return found if isinstance(found, WriterThread) else None


def never_wait(app: App[int]) -> None:
    """Let output queue up instead of making the event loop wait for the terminal.

    To be called again and again: a process that is continued after a stop gets another queue.
    """
    writer = _writer(app)
    if writer is not None:
        writer._queue.maxsize = 0


def stalled(app: App[int]) -> bool:
    """Whether the terminal is behind with taking what was painted."""
    writer = _writer(app)
    return writer is not None and writer._queue.qsize() > LONGEST
