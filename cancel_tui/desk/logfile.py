"""The log as a file: rotating, redacted, for the owner's eyes, and never in anybody's way.

A thread of its own writes; whoever has a line hands it over and goes on. A disk that is full or gone loses
lines, which are counted, and the count is written once the disk takes lines again. Two processes never share
a file: each holds the lock of one name for as long as it lives, and the next one takes the next name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import threading
from pathlib import Path

from cancel_tui.desk.process import hold
from cancel_tui.private import ExposedError, exposed_folder, make_folder, open_private
from cancel_tui.redaction import redact
from cancel_tui.text import literal

MOST_BYTES = 1_000_000
"""Size of one file."""
FILES = 5
"""Files of one name, the newest included."""
NAMES = 9
"""Processes beside each other that have a log."""
LONGEST = 2_000
"""Characters of one line."""
BACKLOG = 10_000
"""Lines that wait for the disk; more are lost."""


class LogFile:
    """One process's log in a folder; without a folder nothing is written and nothing is wrong."""

    def __init__(self, folder: Path | None, *, most_bytes: int = MOST_BYTES, files: int = FILES) -> None:
        self._folder = folder
        self._most = most_bytes
        self._files = files
        self._queue: queue.Queue[str | None] = queue.Queue(BACKLOG)
        self._thread: threading.Thread | None = None
        self._closed = False
        self._lock: int | None = None
        self._file: int | None = None
        self._size = 0
        self._lost = 0
        self.lost = 0
        """Lines that could not be written, since the beginning."""
        self.trouble: str | None = None
        """Why the last line could not be written; None while all is well."""
        self.path: Path | None = None
        """The newest file, once there is one."""

    def write(self, line: str) -> None:
        """Hand a line over; never waits and never raises."""
        if self._folder is None or self._closed:
            return
        if self._thread is None:
            thread = threading.Thread(target=self._write_all, name="log", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                self.trouble, self.lost = "no thread for the log could be started", self.lost + 1
                return
            self._thread = thread
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._lose()

    def close(self, seconds: float = 1.0) -> None:
        """Write what is queued and take no more, waiting at most that long; may be called again to wait."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=seconds)
        if self._thread is not None:
            self._thread.join(seconds)

    # ------------------------------------------------------------------ in the thread

    def _write_all(self) -> None:
        while (line := self._queue.get()) is not None:
            try:
                self._write(line)
                self.trouble = None
            except Exception as error:
                # The thread outlives every fault: a line that it cannot write must not cost the next one.
                self.trouble = (isinstance(error, OSError) and error.strerror) or type(error).__name__
                self._lose()
        for handle in (self._file, self._lock):
            if handle is not None:
                with contextlib.suppress(OSError):
                    os.close(handle)
        self._file = self._lock = None

    def _lose(self) -> None:
        self._lost += 1
        self.lost += 1

    def _write(self, line: str) -> None:
        if self._file is None:
            self._open()
        text = literal(redact(line), LONGEST) + "\n"
        lost = self._lost
        if lost:
            text = f"{lost} lines could not be written here\n{text}"
        data = text.encode("utf-8", "replace")
        if self._size and self._size + len(data) > self._most:
            self._rotate()
        if self._file is None:
            return
        written = os.write(self._file, data)
        if written != len(data):
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written
        self._lost -= lost

    def _open(self) -> None:
        """Take the first name that no other process holds."""
        folder = self._folder
        if folder is None:
            return
        if self.path is None or self._lock is None:
            make_folder(folder)
            if folder.is_symlink():
                raise OSError(errno.ELOOP, "the log folder is a symbolic link")
            why = exposed_folder(folder)
            if why:
                raise ExposedError(why)
            self.path = self._claim(folder)
        self._file, self._size = _opened(self.path, os.O_APPEND)

    def _claim(self, folder: Path) -> Path:
        for number in range(1, NAMES + 1):
            name = "console" if number == 1 else f"console-{number}"
            lock, _ = _opened(folder / f"{name}.lock", 0)
            if hold(lock):
                self._lock = lock
                return folder / f"{name}.log"
            os.close(lock)
        raise OSError(errno.EAGAIN, f"{NAMES} other processes write logs here, or files cannot be locked")

    def _rotate(self) -> None:
        if self.path is None or self._file is None:
            return
        os.close(self._file)
        self._file = None
        names = [self.path, *(Path(f"{self.path}.{number}") for number in range(1, self._files))]
        for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
            with contextlib.suppress(FileNotFoundError):
                os.replace(newer, older)
        self._file, self._size = _opened(self.path, os.O_APPEND)


def _opened(path: Path, flags: int) -> tuple[int, int]:
    """A regular file for the owner alone, and its size; raises OSError, also for a symbolic link."""
    handle = open_private(path, flags)
    return handle, os.fstat(handle).st_size
