"""The journal: no secret in it, broken disks, and records that go together."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cancel_tui.clock import ManualClock, SystemClock
from cancel_tui.desk import journal as journal_module
from cancel_tui.desk.chain import verify_journal
from cancel_tui.desk.journal import LATEST, LONGEST_WAIT, Journal
from cancel_tui.redaction import HIDDEN, Secret
from cancel_tui.text import VenueText
from tests.desk.journal_case import kinds, records, written

SLACK = 0.35
"""Seconds beyond the bound that a busy machine may take; the slow disks here take much longer."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


# ---------------------------------------------------------------- secrets

VALUE = "9f8e7d6c5b4a39281706f5e4d3c2b1a0-journal"
PEM = "-----BEGIN PRIVATE KEY-----\nJOURNALJOURNALJOURNALJOURNAL01\nJOURNALJOURNALJOURNALJOURNAL02\n-----END"


def test_no_secret_reaches_the_file(folder: Path) -> None:
    Secret(VALUE)
    Secret(PEM)
    journal = Journal(folder, ManualClock())
    journal.note("x", why=f"bad key {VALUE}", deep={"list": [VALUE, {VALUE: PEM}]}, secret=Secret(VALUE))
    journal.note("y", text=VenueText(f"<{VALUE}>"), error=ValueError(PEM))
    journal.close(5)
    text = (journal.path or folder).read_text()
    assert VALUE not in text
    assert "JOURNALJOURNAL" not in text
    assert HIDDEN in text
    assert verify_journal(folder) == (4, [])


def test_a_secret_that_looks_like_the_chain_does_not_break_it(folder: Path) -> None:
    Secret("0" * 64)
    written(folder, 3)
    assert verify_journal(folder) == (5, [])


# ---------------------------------------------------------------- broken disks


async def timed(journal: Journal, kind: str = "request") -> float:
    begun = time.monotonic()
    await journal.record(kind, sync=True, no=1)
    return time.monotonic() - begun


def trouble_of(journal: Journal) -> str | None:
    return journal.trouble


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
async def test_a_device_without_room_is_shouted_about_and_stops_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(journal_module, "open_private", lambda *_: os.dup(full))
    journal = Journal(folder, SystemClock())
    for _ in range(3):
        assert await timed(journal) < LONGEST_WAIT + SLACK
    assert journal.trouble == "No space left on device"
    journal.close(5)
    assert journal.missing == 3
    os.close(full)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs rights that bind the user")
async def test_a_read_only_folder_is_shouted_about_and_stops_nothing(folder: Path) -> None:
    await asyncio.to_thread(folder.mkdir, 0o500)
    journal = Journal(folder, SystemClock())
    assert await timed(journal) < LONGEST_WAIT + SLACK
    assert journal.trouble == "Permission denied"
    journal.close(5)


class Disk:
    """Stands in front of `os.write`: refuses, takes a part, or takes its time."""

    def __init__(self) -> None:
        self.real = os.write
        self.mode = "good"
        self.release = threading.Event()

    def write(self, handle: int, data: bytes) -> int:
        if self.mode == "full":
            raise OSError(28, "No space left on device")
        if self.mode == "part":
            return self.real(handle, data[: len(data) // 2])
        if self.mode == "slow":
            self.release.wait(20)
        return self.real(handle, data)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk()
    monkeypatch.setattr(os, "write", disk.write)
    yield disk
    disk.release.set()


async def test_a_slow_disk_delays_nobody_beyond_the_bound(folder: Path, disk: Disk) -> None:
    journal = Journal(folder, SystemClock())
    disk.mode = "slow"
    begun = time.monotonic()
    await asyncio.gather(*(timed(journal, f"request{number}") for number in range(20)))
    assert time.monotonic() - begun < LONGEST_WAIT + SLACK
    assert "slow" in (trouble_of(journal) or "")
    disk.release.set()
    await asyncio.to_thread(journal.close, 10)
    assert [record["kind"] for record in records(folder)].count("journal_gap") == 20, (
        "the gap itself is recorded"
    )
    assert verify_journal(folder) == (42, [])
    assert journal.trouble is None
    assert journal.missing == 0


async def urged(journal: Journal, kind: str) -> None:
    """A record that is stood still for, and waited for if that was not enough."""
    done = journal.hand(kind)
    assert done is not None
    journal.urge()
    if not done.done():
        await done


async def test_the_record_of_a_single_key_is_written_before_anything_else_has_a_turn(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = 30.0  # however slow the disk of a test is
    monkeypatch.setattr("cancel_tui.desk.journal.PROMPT", prompt)
    journal = Journal(folder, SystemClock())
    await journal.record("before")
    turns: list[str] = []
    asyncio.get_running_loop().call_soon(turns.append, "another's")
    journal.hand("kill_begin")
    begun = time.monotonic()
    await urged(journal, "request")
    assert time.monotonic() - begun < prompt / 2, "it is told when it is written"
    assert not turns
    assert kinds(folder) == ["before", "kill_begin", "request"]
    await journal.record("request")
    assert turns
    journal.close(5)
    assert verify_journal(folder)[1] == []


async def test_what_others_have_handed_over_is_stood_still_for_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cancel_tui.desk.journal.PROMPT", 5.0)  # however slow the disk of a test is
    journal = Journal(folder, SystemClock())
    await journal.record("before")
    first = journal.hand("first", ahead=True)
    await asyncio.sleep(0)
    second = journal.hand("second", ahead=True)
    assert first is not None
    assert second is not None
    journal.urge()
    assert first.done()
    assert second.done()
    assert kinds(folder) == ["before", "first", "second"]
    assert (first.result(), second.result()) == (True, True)
    await asyncio.to_thread(journal.close, 5)
    journal.urge()


async def test_a_slow_disk_is_stood_still_for_once_and_not_again(
    folder: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(folder, SystemClock())
    await journal.record("before")
    monkeypatch.setattr("cancel_tui.desk.journal.PROMPT", 2 * SLACK)
    disk.mode = "slow"
    begun = time.monotonic()
    await urged(journal, "first")
    assert time.monotonic() - begun >= 2 * SLACK, "the disk had all the time that there is"
    turns: list[str] = []
    for number in range(5):
        asyncio.get_running_loop().call_soon(turns.append, "another's")
        begun = time.monotonic()
        await urged(journal, f"later{number}")
        assert time.monotonic() - begun < LONGEST_WAIT + SLACK
    assert len(turns) == 5, "the event loop went on meanwhile"
    disk.mode = "good"
    disk.release.set()
    limit = time.monotonic() + 20
    while journal.trouble:
        assert time.monotonic() < limit
        await asyncio.sleep(0.002)
    asyncio.get_running_loop().call_soon(turns.append, "another's")
    await urged(journal, "good again")
    assert len(turns) == 5
    await asyncio.to_thread(journal.close, 5)
    assert verify_journal(folder)[1] == []


def test_what_waits_for_a_disk_that_hangs_has_an_end(
    folder: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cancel_tui.desk.journal.BACKLOG", 5)
    journal = Journal(folder, SystemClock())
    disk.mode = "slow"
    for number in range(100):
        journal.note(f"r{number}")
    assert journal._way is not None
    assert journal._way.waiting <= 5
    assert journal.broken == "the disk takes no records"
    assert journal.missing in (94, 95), "one may be on its way to the disk already"
    disk.release.set()
    journal.close(10)
    assert not trouble_of(journal)
    found = records(folder)
    assert sum(int(str(one.get("lost", 0))) for one in found) == journal.missing
    assert verify_journal(folder)[1] == []


@pytest.mark.parametrize("mode", ["full", "part"])
async def test_a_full_disk_is_shouted_about_and_stops_nothing(folder: Path, disk: Disk, mode: str) -> None:
    journal = Journal(folder, SystemClock())
    await journal.record("before")
    disk.mode = mode
    for _ in range(3):
        assert await timed(journal) < LONGEST_WAIT + SLACK
    assert trouble_of(journal)
    disk.mode = "good"
    await journal.record("after")
    journal.close(5)
    assert not trouble_of(journal)
    found = records(folder)
    assert [record["kind"] for record in found] == ["before", "journal_gap", "after"]
    assert found[1]["lost"] == 3
    assert verify_journal(folder) == (5, [])


async def test_a_disk_that_fails_to_sync_loses_no_record(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    journal = Journal(folder, SystemClock())
    assert await timed(journal) < LONGEST_WAIT + SLACK
    assert journal.trouble == "Input/output error"
    await journal.record("next")
    journal.close(5)
    assert kinds(folder) == ["request", "next"]
    assert verify_journal(folder)[1] == []


async def test_a_folder_that_cannot_be_written_is_trouble_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    journal = Journal(tmp_path / "file" / "journal", SystemClock())
    for _ in range(3):
        assert await timed(journal) < LONGEST_WAIT + SLACK
    journal.note("x")
    journal.close(5)
    assert journal.trouble


async def test_a_folder_that_appears_later_is_used(tmp_path: Path) -> None:
    (tmp_path / "place").write_text("x")
    journal = Journal(tmp_path / "place", SystemClock())
    await journal.record("lost")
    (tmp_path / "place").unlink()
    await journal.record("kept")
    journal.close(5)
    assert kinds(tmp_path / "place") == ["journal_gap", "kept"]


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("threading.Thread.start", RuntimeError("can't start new thread")),
        ("socket.socketpair", OSError(errno.EMFILE, "Too many open files")),
    ],
    ids=["thread", "sockets"],
)
async def test_a_thread_that_cannot_be_started_is_trouble_and_no_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch, what: str, error: Exception
) -> None:
    def none_left(*_: object) -> None:
        raise error

    journal = Journal(folder, SystemClock())
    with monkeypatch.context() as patch:
        patch.setattr(what, none_left)
        journal.note("x")
        assert await timed(journal) < LONGEST_WAIT + SLACK
    assert journal.trouble
    await journal.record("later")
    journal.close(5)
    assert kinds(folder) == ["journal_gap", "later"]


class Unspeakable:
    """An object whose text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


async def test_a_record_that_cannot_be_written_down_costs_only_itself(folder: Path) -> None:
    journal = Journal(folder, SystemClock())
    circle: list[object] = []
    circle.append(circle)
    assert await timed(journal) < LONGEST_WAIT + SLACK
    await journal.record("bad", what=Unspeakable())
    await journal.record("bad", what=circle)
    assert journal.trouble
    await journal.record("good")
    journal.close(5)
    assert kinds(folder) == ["request", "journal_gap", "journal_gap", "good"]
    assert sum(int(str(record.get("lost", 0))) for record in records(folder)) == 2
    assert verify_journal(folder)[1] == []


async def test_closing_waits_no_longer_than_it_may(folder: Path, disk: Disk) -> None:
    disk.mode = "slow"
    journal = Journal(folder, SystemClock())
    journal.note("x")
    begun = time.monotonic()
    journal.close(0.1)
    assert time.monotonic() - begun < 0.1 + SLACK
    journal.note("y")


def test_many_records_keep_their_order(folder: Path) -> None:
    written(folder, 500)
    assert [record["number"] for record in records(folder)] == list(range(500))
    assert json.loads((next(folder.iterdir())).read_text().splitlines()[-1])["seq"] == 501


# ---------------------------------------------------------------- together


class Writes:
    """Counts the lines of each write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[int] = []
        real = os.write

        def write(handle: int, data: bytes) -> int:
            if data.endswith(b"}\n"):
                self.lines.append(data.count(b"\n"))
            return real(handle, data)

        monkeypatch.setattr(os, "write", write)


async def test_requests_of_one_turn_are_written_together_and_before_they_leave(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(folder, SystemClock())
    await journal.record("kill_begin", sync=True)
    writes = Writes(monkeypatch)
    await asyncio.gather(*(journal.record("request", ahead=True, no=number) for number in range(50)))
    assert writes.lines == [50]
    assert [one.get("no") for one in records(folder) if one["kind"] == "request"] == list(range(50))
    journal.close(5)
    assert verify_journal(folder) == (53, [])


async def test_answers_wait_while_requests_leave_and_not_for_ever(folder: Path) -> None:
    journal = Journal(folder, SystemClock())
    await journal.record("kill_begin", sync=True)
    journal.note("answer", no=1)
    begun = time.monotonic()
    overtaken = 0
    while "answer" not in kinds(folder):
        await journal.record("request", ahead=True)
        overtaken += 1
        assert time.monotonic() - begun < LATEST + 5.0, "a note that never comes"
    assert overtaken > 1
    assert time.monotonic() - begun >= LATEST
    journal.close(5)
    assert verify_journal(folder)[1] == []


async def test_a_reader_gets_what_happened_in_the_order_in_which_it_happened(folder: Path) -> None:
    journal = Journal(folder, SystemClock())
    await journal.record("kill_begin", sync=True)
    wanted = ["kill_begin"]
    for number in range(5):
        journal.note(f"answer {number}")
        await journal.record(f"request {number}", ahead=True)
        wanted += [f"answer {number}", f"request {number}"]
    journal.close(5)
    raw = [json.loads(line)["kind"] for line in (journal.path or folder).read_bytes().splitlines()]
    assert raw[1:-1] != wanted, "nothing was overtaken, so that this shows nothing"
    assert kinds(folder) == wanted
    assert verify_journal(folder) == (13, [])


async def test_an_answer_follows_soon_when_no_request_leaves(folder: Path) -> None:
    journal = Journal(folder, SystemClock())
    await journal.record("kill_begin", sync=True)
    journal.note("answer", no=1)
    deadline = time.monotonic() + 5.0
    while "answer" not in kinds(folder):
        await asyncio.sleep(0.01)
        assert time.monotonic() < deadline
    journal.close(5)


async def test_whoever_must_be_on_the_disk_takes_along_what_was_noted_before(folder: Path) -> None:
    journal = Journal(folder, SystemClock())
    journal.note("answer", no=1)
    await journal.record("kill_end", sync=True)
    assert kinds(folder) == ["answer", "kill_end"]
    journal.close(5)


async def test_one_bad_record_among_many_costs_only_itself(folder: Path) -> None:
    class Sly:
        def __str__(self) -> str:
            raise ValueError("no text")

    journal = Journal(folder, SystemClock())
    await journal.record("kill_begin", sync=True)
    jobs = [
        journal.record("request", ahead=True, no=number, what=Sly() if number == 3 else "")
        for number in range(9)
    ]
    await asyncio.gather(*jobs)
    assert [one["no"] for one in records(folder) if one["kind"] == "request"] == [0, 1, 2, 4, 5, 6, 7, 8]
    assert journal.missing == 1
    journal.close(5)
    assert verify_journal(folder)[1] == []


async def test_a_disk_that_fills_in_the_middle_of_many_keeps_what_it_took(folder: Path, disk: Disk) -> None:
    journal = Journal(folder, SystemClock())
    await journal.record("kill_begin", sync=True)
    disk.mode = "part"
    await asyncio.gather(*(journal.record("request", ahead=True, no=number) for number in range(9)))
    assert journal.trouble is not None
    disk.mode = "good"
    await journal.record("kill_end", sync=True)
    assert kinds(folder) == ["kill_begin", "journal_gap", "kill_end"]
    journal.close(5)
    assert verify_journal(folder)[1] == []
