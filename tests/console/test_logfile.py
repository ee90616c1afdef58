"""The log file: rotation, rights, redaction, links, a second process, a disk that is full."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from cancel_tui.clock import ManualClock
from cancel_tui.console.logbook import KEPT, Logbook
from cancel_tui.desk import logfile
from cancel_tui.desk.logfile import FILES, LogFile
from cancel_tui.redaction import HIDDEN, Secret

CANARY = "canary-4f1b9d-never-to-be-seen"


def written(folder: Path, *lines: str) -> LogFile:
    file = LogFile(folder)
    for line in lines:
        file.write(line)
    file.close()
    return file


def test_lines_stand_in_their_order_in_a_file_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    file = written(folder, "one", "two\x1b[31m\nthree")
    assert file.trouble is None
    assert (folder / "console.log").read_text() == "one\ntwo·[31m three\n"
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "console.log").write_text("old\n")
    (tmp_path / "console.log").chmod(0o644)
    written(tmp_path, "new")
    assert (tmp_path / "console.log").read_text() == "old\nnew\n"
    assert stat.S_IMODE((tmp_path / "console.log").stat().st_mode) == 0o600


def test_it_rotates_and_the_oldest_go(tmp_path: Path) -> None:
    file = LogFile(tmp_path, most_bytes=100)
    for number in range(100):
        file.write(f"line {number:04}")
    file.close()
    assert file.trouble is None
    names = sorted(path.name for path in tmp_path.glob("*.log*"))
    assert names == ["console.log", *(f"console.log.{one}" for one in range(1, FILES))]
    assert all(path.stat().st_size <= 100 for path in tmp_path.glob("*.log*"))
    kept = [
        line
        for name in ["console.log", *names[1:]][::-1]
        for line in (tmp_path / name).read_text().splitlines()
    ]
    assert kept == [f"line {number:04}" for number in range(100 - len(kept), 100)]
    assert len(kept) > 40
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.glob("*.log*"))


def test_no_secret_reaches_it(tmp_path: Path) -> None:
    secret = Secret(CANARY)
    written(tmp_path, f"asked with {secret.reveal()}", "x" * 1_985 + CANARY)
    text = (tmp_path / "console.log").read_text()
    assert "canary" not in text
    assert HIDDEN in text


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    aim.write_text("precious")
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "console.log").symlink_to(aim)
    file = written(folder, "one")
    assert file.trouble is not None
    assert file.lost == 1
    assert aim.read_text() == "precious"


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "aim").mkdir()
    (tmp_path / "logs").symlink_to(tmp_path / "aim")
    assert written(tmp_path / "logs", "one").trouble is not None
    assert list((tmp_path / "aim").iterdir()) == []


def test_a_pipe_in_its_place_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "console.log")
    assert written(tmp_path, "one").lost == 1


def test_a_second_process_has_a_file_of_its_own(tmp_path: Path) -> None:
    first = LogFile(tmp_path)
    first.write("first")
    until((tmp_path / "console.log").exists)
    probe = (
        "import sys; from pathlib import Path; from cancel_tui.desk.logfile import LogFile\n"
        "file = LogFile(Path(sys.argv[1])); file.write('second'); file.close()"
    )
    done = subprocess.run([sys.executable, "-c", probe, str(tmp_path)], timeout=60, check=False)
    assert done.returncode == 0
    first.write("first again")
    first.close()
    assert (tmp_path / "console.log").read_text() == "first\nfirst again\n"
    assert (tmp_path / "console-2.log").read_text() == "second\n"
    written(tmp_path, "third")
    assert (tmp_path / "console.log").read_text().endswith("third\n"), "a name that is free is taken again"


def until(condition: Callable[[], bool]) -> None:
    end = monotonic() + 10.0
    while not condition():
        assert monotonic() < end
        os.sched_yield()


def test_a_full_disk_costs_lines_and_says_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LogFile(tmp_path)
    file.write("before")
    until(lambda: (tmp_path / "console.log").exists() and (tmp_path / "console.log").stat().st_size > 0)
    real = os.write

    def half(handle: int, data: bytes) -> int:
        return real(handle, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    file.write("lost one")
    file.write("lost two")
    until(lambda: file.lost == 2)
    assert file.trouble == os.strerror(28)
    monkeypatch.undo()
    file.write("after")
    file.close()
    assert not file.trouble
    assert (tmp_path / "console.log").read_text() == "before\n2 lines could not be written here\nafter\n"


def test_a_disk_that_hangs_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "BACKLOG", 3)
    file = LogFile(tmp_path)
    monkeypatch.setattr(file, "_write_all", lambda: None)
    for number in range(10):
        file.write(f"line {number}")
    assert file.lost == 7


def test_without_a_folder_nothing_is_written_and_nothing_is_wrong() -> None:
    file = LogFile(None)
    file.write("one")
    file.close()
    assert (file.trouble, file.lost) == (None, 0)


class TestLogbook:
    def test_lines_keep_their_number_and_the_oldest_go(self) -> None:
        book = Logbook(ManualClock(), LogFile(None))
        for number in range(KEPT + 10):
            book.say(f"line {number}")
        assert len(book.lines) == KEPT
        assert book.matching(f"LINE {KEPT + 9}") == [(KEPT + 9, book.lines[-1])]
        assert book.matching("")[0][0] == 10

    def test_a_line_is_redacted_before_it_is_cut(self) -> None:
        Secret(CANARY)
        book = Logbook(ManualClock(), LogFile(None))
        book.say("y" * 385 + CANARY)
        assert "canary" not in book.lines[0]

    def test_it_says_once_that_its_file_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "logs").write_text("in the way")
        file = LogFile(tmp_path / "logs")
        book = Logbook(ManualClock(), file)
        book.say("one")
        until(lambda: file.trouble is not None)
        book.say("two")
        book.say("three")
        assert sum("the log file cannot be written" in line for line in book.lines) == 1
