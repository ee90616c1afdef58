"""What was sent recently, remembered in the data directory, so that a second process counts it too.

Each process appends to a file of its own and reads all of them; nobody waits for a lock. A file holds one
line per metered request: class and wall-clock seconds. Files past the longest window are removed. A file of
somebody else counts for nothing: it could use up a budget that a cancel needs.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

from cancel_tui.digest import digest_of
from cancel_tui.private import make_folder, open_private, open_regular, ours
from cancel_tui.venues.base import CallClass

_LONGEST = 86_400.0


def key_name(kind: str, base_url: str, credentials: str) -> str:
    """The name under which sends with one key at one venue are remembered; holds nothing readable."""
    return digest_of(f"{kind}|{base_url}|{credentials}")[:16]


class SendMemory:
    """Recent metered sends of one key at one venue, over all processes."""

    def __init__(self, folder: Path | None, name: str) -> None:
        self._folder = folder
        self._name = name
        self._own = folder / f"{name}.{os.getpid()}-{os.urandom(3).hex()}" if folder else None
        self._handle: int | None = None
        self._read: dict[Path, int] = {}

    def others(self, now_wall: float) -> Iterator[tuple[CallClass, float]]:
        """What other processes sent and was not told before: class and wall-clock time."""
        if self._folder is None:
            return
        try:
            names = set(self._folder.glob(f"{self._name}.*"))
        except OSError:
            return
        for path in self._read.keys() - names:
            del self._read[path]
        for path in names:
            if path == self._own:
                continue
            with contextlib.suppress(OSError, ValueError):
                if path.lstat().st_mtime < now_wall - _LONGEST:
                    path.unlink()
                elif ours(path):
                    yield from self._fresh(path)

    def _fresh(self, path: Path) -> Iterator[tuple[CallClass, float]]:
        done = self._read.get(path, 0)
        if path.lstat().st_size <= done:
            return
        with os.fdopen(open_regular(path), "rb") as file:
            file.seek(done)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read[path] = done + len(whole)
        for line in whole.splitlines():
            sent = _read_line(line)
            if sent is not None:
                yield sent

    def add(self, call: CallClass, wall: float) -> None:
        """Remember one send. A disk that refuses is no reason not to send."""
        if self._own is None:
            return
        with contextlib.suppress(OSError):
            if self._handle is not None and os.fstat(self._handle).st_nlink == 0:
                # Another process took the file for one that nobody uses any more.
                self.close()
            if self._handle is None:
                make_folder(self._own.parent)
                self._handle = open_private(self._own, os.O_APPEND)
            os.write(self._handle, f"{call.value} {wall:.3f}\n".encode())

    def close(self) -> None:
        """Close the file; it stays for others to read."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.close(self._handle)
            self._handle = None


def _read_line(line: bytes) -> tuple[CallClass, float] | None:
    """Class and time of one line; None for a line that a crash, a full disk or a stranger left."""
    name, _, moment = line.partition(b" ")
    try:
        call, wall = CallClass(name.decode("ascii", "replace")), float(moment)
    except ValueError:
        return None
    return (call, wall) if math.isfinite(wall) else None
