"""The record: append-only, hash-chained, one file per process, never in the way of a cancel.

Every record names the one before it by hash, so that an altered, removed or reordered line shows. A thread
of its own writes; whoever must not go on before the record is written waits at most 50 ms, then goes on and
the gap itself is recorded. A broken disk never stops anything; `trouble` says what is wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
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
from cancel_tui.redaction import redact

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
        self._previous = _GENESIS
        self._sequence = 0
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
        self._put(kind, facts, sync=sync, done=done)
        try:
            await asyncio.wait_for(done, LONGEST_WAIT)
        except TimeoutError:
            self.note("journal_gap", of=kind, waited_ms=int(LONGEST_WAIT * 1000))

    def close(self, seconds: float = 1.0) -> None:
        """Write what is queued and close, waiting at most that long."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(seconds)
            self._thread = None

    def _put(
        self, kind: str, facts: dict[str, Any], *, sync: bool, done: asyncio.Future[None] | None
    ) -> None:
        if self._folder is None:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_all, name="journal", daemon=True)
            self._thread.start()
        record = {"at": iso(self._clock.wall()), "kind": kind, **facts}
        self._queue.put(_Entry(record, sync, done))

    def _write_all(self) -> None:
        while True:
            entry = self._queue.get()
            if entry is None:
                break
            try:
                self._write(entry)
                self.trouble = None
            except OSError as error:
                self.trouble = error.strerror or type(error).__name__
            if entry.done is not None:
                with contextlib.suppress(RuntimeError):
                    entry.done.get_loop().call_soon_threadsafe(_finish, entry.done)
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.fsync(self._file)
                os.close(self._file)
            self._file = None

    def _write(self, entry: _Entry) -> None:
        if self._file is None:
            if self.path is None:
                return
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
            self._file = os.open(self.path, flags, 0o600)
        body = {"seq": self._sequence, "prev": self._previous, **entry.record}
        text = redact(json.dumps(body, ensure_ascii=True, separators=(",", ":"), default=str))
        digest = hashlib.sha256(text.encode()).hexdigest()
        line = f'{text[:-1]},"hash":"{digest}"}}\n'.encode()
        written = os.write(self._file, line)
        if written != len(line):
            raise OSError("the disk took only a part of a record")
        self._previous = digest
        self._sequence += 1
        if entry.sync:
            os.fsync(self._file)


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


@dataclass(frozen=True, slots=True)
class Fault:
    """A place where a journal file is not what was written."""

    file: str
    line: int
    """Counted from 1."""
    why: str


def read_journal(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every readable record of every file, merged by time: file name and record."""
    merged: list[tuple[str, int, str, dict[str, Any]]] = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in _lines(path):
            with contextlib.suppress(ValueError):
                record = json.loads(line)
                if isinstance(record, dict):
                    merged.append((str(record.get("at")), int(record.get("seq", 0)), path.name, record))
    for _, _, name, record in sorted(merged, key=lambda one: one[:3]):
        yield name, record


def verify_journal(folder: Path) -> tuple[int, list[Fault]]:
    """Check each file's chain: how many records were good, and every fault.

    An unfinished last line is what a killed process leaves behind; it is named, as a fault of its own kind.
    """
    good = 0
    faults: list[Fault] = []
    for path in sorted(folder.glob("*.jsonl")):
        previous = _GENESIS
        for index, line in enumerate(_lines(path)):
            why = _check(line, index, previous)
            if why:
                faults.append(Fault(path.name, index + 1, why))
                break
            previous = str(json.loads(line)["hash"])
            good += 1
    return good, faults


def _check(line: bytes, index: int, previous: str) -> str | None:
    if not line.endswith(b"}"):
        return "an unfinished record: the process was ended while it wrote"
    try:
        record = json.loads(line)
        digest = record["hash"]
        text = line.decode()[: -len(f',"hash":"{digest}"}}')] + "}"
    except (ValueError, KeyError, TypeError):
        return "no readable record"
    if hashlib.sha256(text.encode()).hexdigest() != digest:
        return "the record was altered"
    if record.get("prev") != previous or record.get("seq") != index:
        return "a record before this one was removed, added or moved"
    return None


def _lines(path: Path) -> list[bytes]:
    with contextlib.suppress(OSError):
        return path.read_bytes().splitlines()
    return []
