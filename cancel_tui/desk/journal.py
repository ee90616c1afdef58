"""The record: append-only, hash-chained, one file per process, never in the way of a cancel.

Every record names the one before it by hash, so that an altered, removed or reordered line shows. A thread
of its own writes; whoever must not go on before the record is written waits at most 50 ms, then goes on and
the gap itself is recorded. A broken disk never stops anything; `trouble` says what is wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import heapq
import json
import os
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from cancel_tui.clock import Clock
from cancel_tui.orders import iso
from cancel_tui.redaction import redacted

LONGEST_WAIT = 0.05
"""Seconds that anybody waits for the disk."""
_GENESIS = "0" * 64


@dataclass(slots=True)
class _Entry:
    record: dict[str, Any]
    sync: bool
    done: asyncio.Future[None] | None


class Journal:
    """One process's chained file. Without a folder nothing is written and nothing is wrong."""

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._file: int | None = None
        self._size = 0
        self._previous = _GENESIS
        self._sequence = 0
        self._lost = 0
        self.trouble: str | None = None
        """Why the last record could not be written; None while all is well."""
        self.path: Path | None = None
        if folder is not None:
            stamp = (iso(clock.wall()) or "").replace(":", "").replace("-", "").replace(".", "")
            self.path = folder / f"{stamp}-{os.getpid()}-{token_hex(3)}.jsonl"

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
                self.trouble = "no thread for the journal could be started"
                self._lost += 1
                return False
            self._thread = thread
        record = {**facts, "at": iso(self._clock.wall()), "kind": kind}
        self._queue.put(_Entry(record, sync, done))
        return True

    def _write_all(self) -> None:
        while (entry := self._queue.get()) is not None:
            before = self._sequence
            try:
                self._write(entry)
                self.trouble = None
            except Exception as error:
                # The thread outlives every fault: a record that it cannot write must not cost the next one.
                self.trouble = (isinstance(error, OSError) and error.strerror) or type(error).__name__
                if self._sequence == before:
                    self._lost += 1
                self._undo()
            if entry.done is not None:
                with contextlib.suppress(RuntimeError):
                    entry.done.get_loop().call_soon_threadsafe(_finish, entry.done)
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.fsync(self._file)
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None

    def _write(self, entry: _Entry) -> None:
        if self._file is None:
            self._open()
        if self._lost:
            gap = {"at": iso(self._clock.wall()), "kind": "journal_gap", "lost": self._lost}
            self._append(gap)
            self._lost = 0
        self._append(entry.record)
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


@dataclass(frozen=True, slots=True)
class Fault:
    """A place where a journal file is not what was written."""

    file: str
    line: int
    """Counted from 1; 0 where the file as a whole cannot be read."""
    why: str


def read_journal(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every readable record of every file, merged by time: file name and record.

    Within one file the order is the file's own, whatever the wall clock did meanwhile.
    """
    files = [_records(path) for path in sorted(folder.glob("*.jsonl"))]
    yield from heapq.merge(*files, key=lambda one: str(one[1].get("at")))


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in _lines(path) or ():
        with contextlib.suppress(ValueError, RecursionError):
            record = json.loads(line)
            if isinstance(record, dict):
                yield path.name, record


def verify_journal(folder: Path) -> tuple[int, list[Fault]]:
    """Check each file's chain: how many records were good, and every fault.

    An unfinished last line is what a killed process leaves behind; it is named, as a fault of its own kind.
    """
    good = 0
    faults: list[Fault] = []
    for path in sorted(folder.glob("*.jsonl")):
        previous = _GENESIS
        lines = _lines(path)
        if lines is None:
            faults.append(Fault(path.name, 0, "cannot be read"))
            continue
        for index, line in enumerate(lines):
            why = _check(line, index, previous, last=index == len(lines) - 1)
            if why:
                faults.append(Fault(path.name, index + 1, why))
                break
            previous = str(json.loads(line)["hash"])
            good += 1
    return good, faults


def _check(line: bytes, index: int, previous: str, *, last: bool) -> str | None:
    if last and not line.endswith(b"}"):
        return "an unfinished record: the process was ended while it wrote"
    try:
        whole = line.decode()
        record = json.loads(whole)
        digest = record["hash"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "no readable record"
    tail = f',"hash":"{digest}"}}'
    text = whole.removesuffix(tail) + "}"
    if not whole.endswith(tail) or hashlib.sha256(text.encode()).hexdigest() != digest:
        return "the record was altered"
    if record.get("prev") != previous or record.get("seq") != index:
        return "a record before this one was removed, added or moved"
    return None


def _lines(path: Path) -> list[bytes] | None:
    try:
        return path.read_bytes().splitlines()
    except OSError:
        return None
