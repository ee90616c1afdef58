"""The record: append-only, hash-chained, one file per process, never in the way of a cancel.

Every record names the one before it by hash, so that an altered, removed or reordered line shows. The first
record of a file says which process writes it, the last one that it ended in good order, and both name the
heads of the other files (`chain` says what that proves). A thread of its own writes; whoever must not go on
before the record is written waits at most 50 ms, then goes on and the gap itself is recorded. A broken disk
never stops anything; `trouble` says what is wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import queue
import threading
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from cancel_tui import __version__
from cancel_tui.clock import Clock
from cancel_tui.desk.chain import CLOSED, GENESIS, OPENED, heads
from cancel_tui.desk.process import hold, identity, whoami
from cancel_tui.orders import iso
from cancel_tui.redaction import redacted

LONGEST_WAIT = 0.05
"""Seconds that anybody waits for the disk."""
BACKLOG = 100_000
"""Records that wait for the disk, some of the largest kills; more are lost, and counted."""


@dataclass(slots=True)
class _Entry:
    record: dict[str, Any]
    sync: bool
    done: asyncio.Future[None] | None
    kept: bool = False
    """Whether it stands in the file."""


class Journal:
    """One process's chained file. Without a folder nothing is written and nothing is wrong."""

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._file: int | None = None
        self._size = 0
        self._previous = GENESIS
        self._sequence = 0
        self._held = False
        self._lost = 0
        self._error: str | None = None
        self._late = False
        self.missing = 0
        """Records that could not be written, since the beginning."""
        self.path: Path | None = None
        if folder is not None:
            stamp = (iso(clock.wall()) or "").replace(":", "").replace("-", "").replace(".", "")
            self.path = folder / f"{stamp}-{os.getpid()}-{token_hex(3)}.jsonl"

    @property
    def trouble(self) -> str | None:
        """Why the last record could not be written, or not in time; None while all is well."""
        return self._error or ("the disk is slow: records are written late" if self._late else None)

    @property
    def broken(self) -> str | None:
        """Why the last record could not be written at all; one that was only late counts as written."""
        return self._error

    def note(self, kind: str, **facts: Any) -> None:
        """Write a record without waiting for it."""
        self._put(kind, facts, sync=False, done=None)

    async def record(self, kind: str, *, sync: bool = False, **facts: Any) -> None:
        """Write a record and wait until it is written (with `sync`: on the disk), at most 50 ms."""
        if self._folder is None:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._put(kind, facts, sync=sync, done=done):
            return
        try:
            await asyncio.wait_for(done, LONGEST_WAIT)
        except TimeoutError:
            self._late = True
            self.note("journal_gap", of=kind, waited_ms=int(LONGEST_WAIT * 1000))

    def close(self, seconds: float = 1.0) -> None:
        """Write what is queued and close, waiting at most that long."""
        thread = self._thread
        if thread is not None:
            self._queue.put(None)
            thread.join(seconds)
            if not thread.is_alive():
                self._thread = None

    def _put(
        self, kind: str, facts: dict[str, Any], *, sync: bool, done: asyncio.Future[None] | None
    ) -> bool:
        if self._folder is None:
            return False
        if self._thread is None:
            thread = threading.Thread(target=self._write_all, name="journal", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                self._error = "no thread for the journal could be started"
                self._lose()
                return False
            self._thread = thread
        if self._queue.qsize() >= BACKLOG:
            self._error = "the disk takes no records"
            self._lose()
            return False
        record = {**facts, "at": iso(self._clock.wall()), "kind": kind}
        self._queue.put(_Entry(record, sync, done))
        return True

    def _lose(self) -> None:
        self._lost += 1
        self.missing += 1

    def _write_all(self) -> None:
        while (entry := self._queue.get()) is not None:
            try:
                self._write(entry)
                self._error = None
            except Exception as error:
                # The thread outlives every fault: a record that it cannot write must not cost the next one.
                self._error = (isinstance(error, OSError) and error.strerror) or type(error).__name__
                if not entry.kept:
                    self._lose()
                self._undo()
            if self._queue.empty():
                self._late = False
            if entry.done is not None:
                with contextlib.suppress(RuntimeError):
                    entry.done.get_loop().call_soon_threadsafe(_finish, entry.done)
        self._end()

    def _end(self) -> None:
        """The closing record, and let go of the file."""
        if self._file is None:
            return
        try:
            self._write(_Entry(self._mark(CLOSED), sync=True, done=None))
        except Exception:
            self._undo()
        with contextlib.suppress(OSError):
            os.close(self._file)
        self._file, self._held, self._late = None, False, False

    def _mark(self, kind: str) -> dict[str, Any]:
        """A first or last record: what it knows of the other files."""
        folder, path = self._folder, self.path
        found = heads(folder, path.name) if folder is not None and path is not None else []
        return {"at": iso(self._clock.wall()), "kind": kind, "heads": found}

    def _write(self, entry: _Entry) -> None:
        if self._file is None:
            self._open()
        if not self._held and self._file is not None:
            self._held = hold(self._file)
        if not self._sequence:
            facts = {"version": __version__, **whoami(), **identity(), "locked": self._held}
            self._append({**self._mark(OPENED), **facts, "at": entry.record["at"]})
        lost = self._lost
        if lost:
            gap = {"at": iso(self._clock.wall()), "kind": "journal_gap", "lost": lost}
            self._append(gap)
            # Meanwhile more may have been lost, by whoever finds the backlog full.
            self._lost -= lost
        self._append(entry.record)
        entry.kept = True
        if entry.sync and self._file is not None:
            os.fsync(self._file)

    def _open(self) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        self._file = os.open(self.path, flags, 0o600)

    def _append(self, record: dict[str, Any]) -> None:
        if self._file is None:
            return
        facts = redacted(record)
        body = {"seq": self._sequence, "prev": self._previous, "at": facts["at"], "kind": facts["kind"]}
        text = json.dumps({**body, **facts, **body}, ensure_ascii=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        line = f'{text[:-1]},"hash":"{digest}"}}\n'.encode()
        written = os.write(self._file, line)
        if written != len(line):
            raise OSError(errno.ENOSPC, "the disk took only a part of a record")
        self._size += written
        self._previous = digest
        self._sequence += 1

    def _undo(self) -> None:
        """Take back what is left of a record that was written in part, so that the chain goes on."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
