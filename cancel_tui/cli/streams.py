"""The three standard streams, whatever the caller made of them: closed, full, or read by nobody.

A kill goes on and its exit status tells the verdict in each of these cases.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from typing import TextIO

MOST_WAITING = 1_000
"""Lines that wait for whoever reads standard error; more are dropped."""
LAST_SECONDS = 1.0
"""How long the last of them are waited for."""
_NUMBERS = (("stdin", 0), ("stdout", 1), ("stderr", 2))


def stand_in() -> None:
    """Put the null device where a standard stream is closed, before a file or a socket takes its number.

    A journal that got the number of standard output would be written to by every message.
    """
    for name, number in _NUMBERS:
        try:
            os.fstat(number)
        except OSError:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            made = open(number, mode, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
            setattr(sys, name, made)
            setattr(sys, f"__{name}__", made)


def complain(text: str) -> None:
    """One line on standard error; that nobody can read it changes nothing."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        silence(sys.stderr)


def finish() -> None:
    """Write out what is left; what cannot be written must not become the exit status."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            silence(stream)


def silence(stream: TextIO) -> None:
    """Let later writes go nowhere, Python's own at exit among them."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def on_terminal() -> bool:
    """Whether somebody can type, and see what is painted."""
    return sys.stdin.isatty() and (sys.stdout.isatty() or sys.stderr.isatty())


class Aside:
    """Writes lines to standard error in a thread, so that nobody waits for whoever reads them.

    A pipe that nobody empties, a terminal that was stopped with ^S and a dead SSH link take a few lines and
    then block. It writes past Python's buffers, whose locks a blocked thread would keep beyond the end.
    """

    def __init__(self) -> None:
        self._queue: queue.Queue[bytes | None] = queue.Queue(MOST_WAITING)
        self._handle: int | None = None
        self._encoding = "utf-8"
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
            self._handle = sys.stderr.fileno()
            self._encoding = sys.stderr.encoding or "utf-8"
        self._thread = threading.Thread(target=self._write_all, name="stderr", daemon=True)
        if self._handle is not None:
            try:
                self._thread.start()
            except RuntimeError:
                self._handle = None

    def take(self, text: str) -> bool:
        """Hand a line over; False where standard error is no file, so that it has to be written at once."""
        if self._handle is None:
            return False
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(f"{text}\n".encode(self._encoding, "replace"))
        return True

    def close(self) -> None:
        """Wait a moment for the last lines; where somebody reads nothing, later ones go nowhere."""
        if self._handle is None:
            return
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        self._thread.join(LAST_SECONDS)
        if self._thread.is_alive():
            silence(sys.stderr)

    def _write_all(self) -> None:
        while (left := self._queue.get()) is not None:
            with contextlib.suppress(OSError):
                while left and self._handle is not None:
                    left = left[os.write(self._handle, left) :]
