"""The journal's chain, and what its files say of each other."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cancel_tui.clock import ManualClock, SystemClock
from cancel_tui.desk import chain
from cancel_tui.desk.chain import NEWEST, OPENED, read_journal, verify_journal
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.process import alive
from cancel_tui.text import VenueText
from tests.desk.journal_case import kinds, records, written


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def rewrite(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change what lies behind the first record."""
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first, *change(rest)]))


# ---------------------------------------------------------------- the chain


def test_what_was_written_verifies(folder: Path) -> None:
    written(folder)
    written(folder, 3)
    assert verify_journal(folder) == (12, [])


async def test_a_record_is_on_the_disk_when_it_was_waited_for(folder: Path) -> None:
    journal = Journal(folder, SystemClock())
    await journal.record("kill_begin", sync=True, scope={"venue": []}, amount=Decimal("1.50"))
    (found,) = records(folder)
    assert found["kind"] == "kill_begin"
    assert found["amount"] == "1.50"
    assert found["seq"] == 1
    assert str(found["at"]).endswith("Z")
    journal.close()


CHANGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "altered": lambda lines: [*lines[:2], lines[2].replace(b'"number":2', b'"number":9'), *lines[3:]],
    "altered in the last": lambda lines: [*lines[:-1], lines[-1].replace(b"closed", b"c1osed")],
    "another hash": lambda lines: [*lines[:-1], lines[-1].replace(b'"hash":"', b'"hash":"0')],
    "the first removed": lambda lines: lines[1:],
    "one removed": lambda lines: [*lines[:2], *lines[3:]],
    "swapped": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "repeated": lambda lines: [*lines[:2], lines[1], *lines[2:]],
    "cut in the last": lambda lines: [*lines[:-1], lines[-1][:-10]],
    "cut in the middle": lambda lines: [*lines[:2], lines[2][:20] + b"\n", *lines[3:]],
    "an empty line": lambda lines: [*lines[:2], b"\n", *lines[2:]],
    "an unknown line": lambda lines: [*lines, b'{"kind":"kill"}\n'],
    "no object": lambda lines: [*lines, b"[1,2]\n"],
    "no JSON": lambda lines: [*lines, b"\xff\xfe}\n"],
    "deep": lambda lines: [*lines, b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"\n"],
    "a field behind the hash": lambda lines: [*lines[:-1], lines[-1].replace(b'"}', b'","x":1}')],
    "a space before the hash": lambda lines: [*lines[:-1], lines[-1].replace(b',"hash"', b', "hash"')],
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_found(folder: Path, change: str) -> None:
    path = written(folder)
    rewrite(path, CHANGES[change])
    good, faults = verify_journal(folder)
    assert len(faults) == 1
    assert faults[0].file == path.name
    assert faults[0].line == good + 1


def test_a_record_that_was_altered_and_sealed_again_breaks_the_next(folder: Path) -> None:
    path = written(folder)

    def reseal(lines: list[bytes]) -> list[bytes]:
        text = lines[2].replace(b'"number":2', b'"number":9').rpartition(b',"hash"')[0] + b"}"
        seal = hashlib.sha256(text).hexdigest().encode()
        return [*lines[:2], text[:-1] + b',"hash":"' + seal + b'"}\n', *lines[3:]]

    rewrite(path, reseal)
    good, (fault,) = verify_journal(folder)
    assert (good, fault.line) == (4, 5)


def test_another_files_records_do_not_fit(folder: Path) -> None:
    first, second = written(folder), written(folder, 6)
    tail = second.read_bytes().splitlines(keepends=True)[3:]
    rewrite(first, lambda lines: [*lines[:2], *tail])
    _, faults = verify_journal(folder)
    assert [fault.file for fault in faults] == [first.name]


def test_an_unfinished_last_record_is_named_as_such(folder: Path) -> None:
    path = written(folder)
    rewrite(path, CHANGES["cut in the last"])
    (fault,) = verify_journal(folder)[1]
    assert "unfinished" in fault.why
    assert not fault.broken
    assert len(records(folder)) == 5


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_flipped_byte_goes_unnoticed(tmp_path: Path, position: int, change: int) -> None:
    folder = tmp_path / "flipped"
    for old in folder.glob("*"):
        old.unlink()
    path = written(folder, 3)
    data = bytearray(path.read_bytes())
    position %= len(data)
    data[position] ^= change
    path.write_bytes(bytes(data))
    good, faults = verify_journal(folder)
    if position == len(data) - 1:
        return  # the line end behind the last record says nothing
    assert faults or good == 0


def test_a_file_that_cannot_be_read_is_a_fault(folder: Path) -> None:
    (folder / "x.jsonl").mkdir(parents=True)
    good, (fault,) = verify_journal(folder)
    assert good == 0
    assert (fault.file, fault.line, fault.why) == ("x.jsonl", 0, "cannot be read")
    assert records(folder) == []


def test_a_folder_that_does_not_exist_is_an_empty_journal(tmp_path: Path) -> None:
    assert verify_journal(tmp_path / "none") == (0, [])
    assert records(tmp_path / "none") == []


def test_files_are_merged_by_time_and_keep_their_own_order(folder: Path) -> None:
    early, late = ManualClock(1_000.0), ManualClock(1_001.0)
    one, other = Journal(folder, early), Journal(folder, late)
    one.note("a1")
    other.note("b1")
    early.advance(5)
    one.note("a2")
    late.advance(-0.5)
    other.note("b2")
    for journal in (one, other):
        journal.close(5)
    found = kinds(folder)
    assert (found[0], found[-1]) == ("a1", "a2")
    assert found.index("b1") < found.index("b2")


def test_strange_lines_do_not_stop_the_reader(folder: Path) -> None:
    path = written(folder, 2)
    with path.open("ab") as file:
        file.write(b'{"seq":[],"at":{}}\n[]\nnull\n\xff\n{"at":7}\n')
    assert len(records(folder)) == 4


def test_a_fact_cannot_pose_as_the_chain(folder: Path) -> None:
    journal = Journal(folder, ManualClock())
    journal.note("x", seq=77, prev="y", at="never", hash="z")
    journal.note("x")
    journal.close(5)
    assert verify_journal(folder) == (4, [])
    assert [record["seq"] for record in records(folder)] == [1, 2]
    assert all(str(record["at"]).startswith("20") for record in records(folder))


def test_foreign_text_stays_on_its_line(folder: Path) -> None:
    journal = Journal(folder, ManualClock())
    journal.note("x", why=VenueText("a\nb\x1b[31m"), raw="c\r\n\u2028\ud800d")
    journal.close(5)
    assert verify_journal(folder) == (3, [])
    assert "\x1b" not in str(records(folder)[0]["why"])


def test_one_process_writes_one_file_for_its_owner_only(folder: Path) -> None:
    path = written(folder)
    assert list(folder.iterdir()) == [path]
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o077 == 0
        assert folder.stat().st_mode & 0o077 == 0


def test_what_is_noted_after_closing_goes_on_with_the_chain(folder: Path) -> None:
    journal = Journal(folder, ManualClock())
    journal.note("one")
    journal.close(5)
    journal.note("two")
    journal.close(5)
    assert verify_journal(folder) == (5, [])
    assert journal.trouble is None


async def test_without_a_folder_nothing_is_written_and_nothing_is_wrong() -> None:
    journal = Journal(None, SystemClock())
    journal.note("x")
    await journal.record("y", sync=True)
    journal.close()
    assert journal.path is None
    assert journal.trouble is None


# ---------------------------------------------------------------- the files about each other

ENDS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "removed": (lambda one, _: one.unlink(), "removed"),
    "cut at its end": (lambda one, _: rewrite(one, lambda lines: lines[:-2]), "removed from its end"),
    "emptied": (lambda one, _: one.write_bytes(b""), "removed from its end"),
    "written anew": (lambda one, other: one.write_bytes(other.read_bytes()), "written anew"),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_later_file_anchors_an_earlier_one(folder: Path, how: str) -> None:
    first, other = written(folder), written(folder.parent / "elsewhere", 7)
    written(folder, 1)
    assert verify_journal(folder)[1] == []
    change, why = ENDS[how]
    change(first, other)
    faults = [fault for fault in verify_journal(folder)[1] if fault.broken]
    assert [fault.file for fault in faults] == [first.name]
    assert why in faults[0].why


def test_a_file_that_was_open_beside_is_anchored_by_the_end_of_the_other(folder: Path) -> None:
    long, short = Journal(folder, ManualClock()), Journal(folder, ManualClock())
    long.note("a")
    short.note("b")
    short.close(5)
    assert short.path is not None
    long.close(5)
    rewrite(short.path, lambda lines: lines[:-1])
    (fault,) = [fault for fault in verify_journal(folder)[1] if fault.broken]
    assert fault.file == short.path.name


def test_only_the_newest_files_are_named_and_the_chain_of_anchors_reaches_the_oldest(folder: Path) -> None:
    clock = ManualClock()
    paths = []
    for _ in range(NEWEST + 3):
        journal = Journal(folder, clock)
        journal.note("x")
        journal.close(5)
        clock.advance(1)
        paths.append(journal.path)
    last = [record for name, record in read_journal(folder) if paths[-1] and name == paths[-1].name]
    assert len(last[0]["heads"]) == NEWEST
    assert paths[0] is not None
    paths[0].unlink()
    assert [fault.file for fault in verify_journal(folder)[1]] == [paths[0].name]


def test_a_file_that_grew_while_it_was_being_verified_was_not_cut(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(folder, SystemClock())
    asyncio.run(journal.record("early"))
    real, grown = chain._chain, False

    def meanwhile(path: Path) -> chain._Chain:
        nonlocal grown
        found = real(path)
        if not grown:
            grown = True
            journal.note("late")
            journal.close(5)
            written(folder, 1)
        return found

    monkeypatch.setattr(chain, "_chain", meanwhile)
    names = sorted(folder.glob("*.jsonl"))
    stale = {path.name: chain._chain(path) for path in names}
    fresh = {path.name: real(path) for path in folder.glob("*.jsonl") if path not in names}
    assert chain._disanchored(folder, stale | fresh) == []


def killed(folder: Path) -> Path:
    """The file of a process that is gone without a word."""
    path = written(folder)
    rewrite(path, lambda lines: lines[:-1])
    return path


def test_a_process_that_was_killed_is_named_and_breaks_nothing(folder: Path) -> None:
    path = killed(folder)
    (fault,) = verify_journal(folder)[1]
    assert (fault.file, fault.broken) == (path.name, False)
    assert "without a closing record" in fault.why
    rewrite(path, CHANGES["cut in the last"])
    written(folder, 1)
    (fault,) = verify_journal(folder)[1]
    assert (fault.file, fault.broken) == (path.name, False), "a cut record is no head that others name"


async def test_a_process_that_lives_is_not_called_dead(folder: Path) -> None:
    journal = Journal(folder, SystemClock())
    await journal.record("x")
    assert verify_journal(folder)[1] == []
    journal.close(5)
    assert verify_journal(folder)[1] == []


async def test_without_a_lock_the_process_itself_is_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cancel_tui.desk.journal.hold", lambda handle: False)
    journal = Journal(folder, SystemClock())
    await journal.record("x")
    assert journal.path is not None
    first = next(record for _, record in read_journal(folder))
    assert first["locked"] is False
    assert alive(journal.path, first) is (True if sys.platform == "linux" else None)
    assert alive(journal.path, {**first, "host": "another"}) is None
    if sys.platform == "linux":
        assert alive(journal.path, {**first, "started": "1"}) is False
        assert alive(journal.path, {**first, "boot": "before"}) is False
        assert alive(journal.path, {**first, "pid": 2**22 + 1}) is False
    assert alive(journal.path, {**first, "pid": "x"}) in (None, False)
    journal.close(5)


async def test_asking_whether_a_process_lives_takes_its_lock_from_nobody(folder: Path) -> None:
    journal = Journal(folder, SystemClock())
    await journal.record("x")
    for _ in range(3):
        assert verify_journal(folder)[1] == []
    first = next(record for _, record in read_journal(folder))
    assert first["locked"] is True
    assert journal.path is not None
    assert alive(journal.path, first) is True
    journal.close(5)
    assert alive(journal.path, first) is False


def test_an_anchor_that_points_out_of_the_folder_is_no_anchor(folder: Path) -> None:
    journal = Journal(folder, ManualClock())
    journal.note(OPENED, heads=[["../../etc/passwd", 0, "x"], ["a", "b"], 7, ["x", None, "y"]])
    journal.close(5)
    assert verify_journal(folder)[1] == []
