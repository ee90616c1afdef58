"""The record: append-only, hash-chained, one file per process, never in the way of a cancel.

Every record names the one before it by hash, so that an altered, removed or reordered line shows. The first
record of a file says which process writes it, the last one that it ended in good order, and both name the
heads of the other files (`chain` says what that proves). A thread of its own writes; whoever must not go on
before the record is written waits at most 50 ms, then goes on and the gap itself is recorded. A broken disk
never stops anything; `trouble` says what is wrong. Neither does a folder that others can write to: the record
is written all the same, into a file that only the owner can read or change, and the folder is shouted about.

Records that somebody waits for go to the thread together, once per turn of the event loop. Those that nobody
waits for follow as soon as no more requests leave, half a second later at the latest, so that writing down
answers never delays the next request: in the file they may stand behind records of a later time. `made`
counts the records in the order in which things happened; readers give them in that order.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import threading
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec

from cancel_tui import __version__
from cancel_tui.clock import Clock
from cancel_tui.desk.chain import CLOSED, GENESIS, OPENED, heads
from cancel_tui.desk.handover import Handover
from cancel_tui.desk.process import hold, identity, whoami
from cancel_tui.digest import digest_of
from cancel_tui.orders import iso
from cancel_tui.private import exposed_folder, make_folder, open_private
from cancel_tui.redaction import betrays, redacted

LONGEST_WAIT = 0.05
"""Seconds that anybody waits for the disk."""
PROMPT = 0.008
"""Seconds that the event loop itself stands still for records that first requests wait for.

On a busy machine a thread gets its processor some milliseconds late, and every way around it takes longer.
"""
LULL, LATEST = 0.1, 0.5
"""Seconds without a request after which records go to the thread that nobody waits for; after which they go
all the same."""
BACKLOG = 100_000
"""Records that wait for the disk, some of the largest kills; more are lost, and counted."""


class _Entry(msgspec.Struct):
    kind: str
    wall: float
    facts: Mapping[str, Any]
    made: int | None = None
    """Its place among what happened."""
    sync: bool = False
    done: asyncio.Future[bool] | None = None
    """Ends with whether the record was written in time."""
    kept: bool = False
    """Whether it stands in the file."""

    @property
    def record(self) -> dict[str, Any]:
        """As it is written, but for what makes it a link of the chain."""
        head: dict[str, Any] = {"at": iso(self.wall), "kind": self.kind}
        if self.made is not None:
            head["made"] = self.made
        return {**head, **self.facts, **head}


class _Batch(msgspec.Struct, eq=False):
    """Records that go to the thread together."""

    entries: list[_Entry]
    loop: asyncio.AbstractEventLoop | None = None
    """Whose tasks wait for them, if any do."""
    limit: asyncio.TimerHandle | None = None
    """Ends the wait."""
    written: bool = False

    def over(self, written: bool) -> None:
        """End the wait of everybody who still waits; in the event loop only."""
        if self.limit is not None:
            self.limit.cancel()
        for entry in self.entries:
            if entry.done is not None and not entry.done.done():
                entry.done.set_result(written)


def _plain(value: object) -> object:
    """What JSON does not know, as `redacted` writes it; secrets show nothing by themselves."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return list(value)
    return str(value)


@cache
def _encoder() -> Callable[[Any], str]:
    # Loaded with the first record: the console's first picture is there before it.
    import json

    return json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=_plain).encode


def _text(record: dict[str, Any]) -> str:
    """The record as JSON in which no secret of this process stands."""
    with contextlib.suppress(TypeError):
        text = _encoder()(record)
        if not betrays(text):
            return text
    return _encoder()(redacted(record))


class Journal:
    """One process's chained file. Without a folder nothing is written and nothing is wrong."""

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._made = itertools.count()
        self._handed = self._taken = 0
        """Records that went to the thread, and those that it has done with."""
        self._urgent: list[_Entry] = []
        self._notes: list[_Entry] = []
        self._timer: tuple[asyncio.AbstractEventLoop, asyncio.TimerHandle] | None = None
        """Hands the notes over when its time comes."""
        self._noted = self._asked = 0.0
        """By the clock of the event loop: when the oldest note that waits was made, and the last request."""
        self._thread: threading.Thread | None = None
        self._way: Handover[_Batch | None] | None = None
        """To the thread."""
        self._file: int | None = None
        self._size = 0
        self._previous = GENESIS
        self._sequence = 0
        self._held = False
        self._lost = 0
        self._error: str | None = None
        self._late = False
        self._waited: list[_Batch] = []
        """What is on its way to the disk and waited for, the oldest first."""
        self._sluggish = False
        """Whether the last record that was stood still for took too long."""
        self.exposed: str | None = None
        """Who beside the owner could remove the record, and what to do about it."""
        self.missing = 0
        """Records that could not be written, since the beginning."""
        self.path: Path | None = None
        if folder is not None:
            stamp = (iso(clock.wall()) or "").replace(":", "").replace("-", "").replace(".", "")
            self.path = folder / f"{stamp}-{os.getpid()}-{os.urandom(3).hex()}.jsonl"

    @property
    def trouble(self) -> str | None:
        """Why the last record could not be written, or not in time, or who could remove it; None while all
        is well."""
        late = "the disk is slow: records are written late" if self._late else None
        return self._error or late or self.exposed

    @property
    def broken(self) -> str | None:
        """Why the last record could not be written at all; one that was only late counts as written."""
        return self._error

    @property
    def words(self) -> str | None:
        """The trouble as a sentence; None while all is well."""
        return f"cannot be written: {self._error}" if self._error else self.trouble

    def note(self, kind: str, **facts: Any) -> None:
        """Write a record without waiting for it."""
        if self._folder is None:
            return
        self._notes.append(_Entry(kind, self._clock.wall(), facts, next(self._made)))
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._flush()
            return
        if self._timer is None or self._timer[0] is not loop:
            self._noted = self._asked = loop.time()
            self._timer = (loop, loop.call_later(LULL, self._lull, loop))

    async def record(self, kind: str, *, sync: bool = False, ahead: bool = False, **facts: Any) -> None:
        """Write a record and wait until it is written (with `sync`: on the disk), at most 50 ms.

        With `ahead` it may stand in front of records that were noted before and that nobody waits for.
        """
        done = self.hand(kind, sync=sync, ahead=ahead, **facts)
        if done is None:
            return
        await done

    def push(self) -> None:
        """Hand over what is waited for now, and not in the next turn of the event loop."""
        self._send(asyncio.get_running_loop())

    def urge(self) -> None:
        """Stand still until what was handed over is written, for 8 ms at most.

        In a busy event loop the turns that a wait takes are longer than the writing, and the thread that
        writes gets no turn of the interpreter meanwhile. A disk that once took longer is not stood still for
        again before it has written all that it was given.
        """
        self.push()
        if self._sluggish or not self._waited:
            return
        last, way = self._waited[-1], self._way
        self._sluggish = way is not None and not way.stand_still(lambda: last.written, PROMPT)
        if not self._sluggish:
            for batch in list(self._waited):
                self._over(batch, True)

    def hand(
        self, kind: str, *, sync: bool = False, ahead: bool = False, **facts: Any
    ) -> asyncio.Future[bool] | None:
        """The same without waiting: the future ends when it is written, or after 50 ms.

        It tells whether it was written in time; None where nothing is written at all. Whoever waits for one
        that others wait for too has to shield it.
        """
        if self._folder is None:
            return None
        loop = asyncio.get_running_loop()
        if ahead:
            self._asked = loop.time()
        else:
            self._flush()
        if not self._urgent:
            loop.call_soon(self._send, loop)
        done: asyncio.Future[bool] = loop.create_future()
        done.add_done_callback(partial(self._in_time, kind))
        self._urgent.append(_Entry(kind, self._clock.wall(), facts, next(self._made), sync, done))
        return done

    def _in_time(self, kind: str, done: asyncio.Future[bool]) -> None:
        if not done.cancelled() and not done.result():
            self._late = True
            self.note("journal_gap", of=kind, waited_ms=int(LONGEST_WAIT * 1000))

    def close(self, seconds: float = 1.0) -> None:
        """Write what is queued and close, waiting at most that long."""
        self._flush()
        urgent, self._urgent = self._urgent, []
        self._hand_over(_Batch(urgent))
        thread, way = self._thread, self._way
        if thread is not None and way is not None:
            way.give(None)
            thread.join(seconds)
            if not thread.is_alive():
                self._thread = self._way = None
                way.close()

    def _lull(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand the notes over, unless requests are leaving and the notes can wait."""
        when = min(self._asked + LULL, self._noted + LATEST)
        if when <= loop.time():
            self._flush()
        else:
            self._timer = (loop, loop.call_at(when, self._lull, loop))

    def _flush(self) -> None:
        """Hand the notes to the thread."""
        if self._timer is not None:
            self._timer[1].cancel()
            self._timer = None
        notes, self._notes = self._notes, []
        self._hand_over(_Batch(notes))

    def _send(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand over what is waited for, with a limit to the wait."""
        urgent, self._urgent = self._urgent, []
        if not urgent:
            return
        batch = _Batch(urgent, loop)
        batch.limit = loop.call_later(LONGEST_WAIT, self._over, batch, False)
        self._waited.append(batch)
        if not self._hand_over(batch):
            self._over(batch, True)

    def _over(self, batch: _Batch, written: bool) -> None:
        """Nobody waits for a batch any more."""
        if batch in self._waited:
            self._waited.remove(batch)
            batch.over(written)

    def _hand_over(self, batch: _Batch) -> bool:
        """Whether there is a thread that writes it, or nothing to write."""
        if not batch.entries:
            return False
        way = self._way or self._start()
        if way is None:
            self._error = "no thread for the journal could be started"
            self._lose(len(batch.entries))
            return False
        if self._handed - self._taken >= BACKLOG:
            self._error = "the disk takes no records"
            self._lose(len(batch.entries))
            return False
        self._handed += len(batch.entries)
        way.give(batch)
        return True

    def _start(self) -> Handover[_Batch | None] | None:
        """Start the thread that writes; None where the system has no room for it."""
        try:
            way = Handover[_Batch | None]()
        except OSError:
            return None
        thread = threading.Thread(target=self._write_all, args=(way,), name="journal", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            way.close()
            return None
        self._thread, self._way = thread, way
        return way

    def _lose(self, count: int = 1) -> None:
        self._lost += count
        self.missing += count

    def _write_all(self, way: Handover[_Batch | None]) -> None:
        while (batch := way.take()) is not None:
            if not self._write_together(batch.entries):
                for entry in batch.entries:
                    self._write_alone(entry)
            self._taken += len(batch.entries)
            if not way.waiting:
                self._late = self._sluggish = False
            batch.written = True
            if batch.loop is not None:
                with contextlib.suppress(RuntimeError):
                    batch.loop.call_soon_threadsafe(self._over, batch, True)
            # Last, so that it sleeps at once and leaves the interpreter to whoever stood still.
            way.tell()
        self._end()

    def _write_together(self, entries: list[_Entry]) -> bool:
        """All of them in one go, where the file is open and all is well; whether that was done."""
        if self._file is None or not self._held or not self._sequence or self._lost:
            return False
        before = self._previous, self._sequence
        try:
            self._put(b"".join([self._line(entry.record) for entry in entries]))
        except Exception:
            # Which of them it was shows when each is written alone.
            self._previous, self._sequence = before
            self._undo()
            return False
        for entry in entries:
            entry.kept = True
        self._error = None
        if any(entry.sync for entry in entries):
            try:
                os.fsync(self._file)
            except OSError as error:
                self._error = error.strerror or type(error).__name__
        return True

    def _write_alone(self, entry: _Entry) -> None:
        try:
            self._write(entry)
            self._error = None
        except Exception as error:
            # The thread outlives every fault: a record that it cannot write must not cost the next one.
            self._error = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            if not entry.kept:
                self._lose()
            self._undo()

    def _end(self) -> None:
        """The closing record, and let go of the file."""
        if self._file is None:
            return
        try:
            self._write(_Entry(CLOSED, self._clock.wall(), {"heads": self._heads()}, sync=True))
        except Exception:
            self._undo()
        with contextlib.suppress(OSError):
            os.close(self._file)
        self._file, self._held, self._late = None, False, False

    def _heads(self) -> list[list[Any]]:
        """What a first or last record says of the other files."""
        folder, path = self._folder, self.path
        return heads(folder, path.name) if folder is not None and path is not None else []

    def _write(self, entry: _Entry) -> None:
        if self._file is None:
            self._open()
        if not self._held and self._file is not None:
            self._held = hold(self._file)
        if not self._sequence:
            facts = {"version": __version__, **whoami(), **identity(), "locked": self._held}
            self._append({"at": iso(entry.wall), "kind": OPENED, "heads": self._heads(), **facts})
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
        make_folder(self.path.parent)
        self.exposed = exposed_folder(self.path.parent)
        self._file = open_private(self.path, os.O_APPEND)

    def _append(self, record: dict[str, Any]) -> None:
        before = self._previous, self._sequence
        try:
            self._put(self._line(record))
        except BaseException:
            self._previous, self._sequence = before
            raise

    def _line(self, record: dict[str, Any]) -> bytes:
        """The next line of the chain."""
        facts = {name: value for name, value in record.items() if name not in ("seq", "prev")}
        # A secret may look like a hash of the chain; it is not looked for there.
        text = f'{{"seq":{self._sequence},"prev":"{self._previous}",{_text(facts)[1:]}'
        digest = digest_of(text)
        self._previous = digest
        self._sequence += 1
        return f'{text[:-1]},"hash":"{digest}"}}\n'.encode()

    def _put(self, lines: bytes) -> None:
        if self._file is None:
            return
        written = os.write(self._file, lines)
        if written != len(lines):
            raise OSError(errno.ENOSPC, "the disk took only a part of a record")
        self._size += written

    def _undo(self) -> None:
        """Take back what is left of a record that was written in part, so that the chain goes on."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
