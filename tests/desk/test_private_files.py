"""What the desk writes is its owner's alone; what others put beside it decides nothing and stops nothing."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cancel_tui.clock import SystemClock
from cancel_tui.desk.chain import verify_journal
from cancel_tui.desk.journal import LONGEST_WAIT, Journal
from cancel_tui.desk.logfile import LogFile
from cancel_tui.desk.process import alive
from cancel_tui.desk.sends import SendMemory
from cancel_tui.desk.unfinished import find, named
from cancel_tui.venues.base import CallClass
from tests.unit.test_private import give_away

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
__all__ = ["give_away"]


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A data directory that everybody can write to."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def write_a_kill(folder: Path) -> None:
    journal = Journal(folder, SystemClock())
    journal.note("kill_begin", kill="k1", scope={}, venues=["x"], at="")
    journal.close(5)


def cut(folder: Path) -> Path:
    """The kill's process is gone, and its file ends with the decision."""
    (path,) = folder.glob("*.jsonl")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    return path


def test_everything_that_is_written_is_for_the_owner_alone_without_any_umask(tmp_path: Path) -> None:
    data = tmp_path / "home" / "data"
    write_a_kill(data / "journal")
    SendMemory(data / "sends", "key").add(CallClass.CANCEL, time.time())
    log = LogFile(data / "logs")
    log.write("one")
    log.close(5)
    found = {path: stat.S_IMODE(path.lstat().st_mode) for path in (data.parent, *data.parent.rglob("*"))}
    assert {path.name for path in found} > {"home", "data", "journal", "sends", "logs", "console.log"}
    for path, mode in found.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path


async def test_a_record_is_written_in_a_shared_folder_too_and_shouted_about(shared: Path) -> None:
    journal = Journal(shared / "journal", SystemClock())
    await journal.record("request", sync=True, no=1)
    journal.close(5)
    assert journal.path is not None
    assert journal.missing == 0
    assert journal.broken is None
    assert journal.trouble == f"{shared}: others can write to it (mode 0777): chmod go-w '{shared}'"
    assert journal.words == journal.trouble
    assert b'"kind":"request"' in journal.path.read_bytes()
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


async def test_a_journal_folder_that_somebody_planted_as_a_link_stops_nothing(
    shared: Path, tmp_path: Path, give_away: Callable[[Path], None]
) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (shared / "journal").symlink_to(tmp_path / "elsewhere")
    give_away(shared / "journal")
    journal = Journal(shared / "journal", SystemClock())
    begun = time.monotonic()
    await journal.record("request", sync=True, no=1)
    assert time.monotonic() - begun < LONGEST_WAIT + 0.35
    journal.close(5)
    assert "link of another user" in str(journal.trouble)


def test_the_log_is_not_written_where_others_could_change_it(shared: Path) -> None:
    log = LogFile(shared / "logs")
    log.write("one")
    log.close(5)
    assert log.lost == 1
    assert "others can write to it" in str(log.trouble)
    assert not list((shared / "logs").iterdir())


def test_sends_of_somebody_else_use_up_no_budget(tmp_path: Path, give_away: Callable[[Path], None]) -> None:
    now = time.time()
    other = SendMemory(tmp_path, "key")
    other.add(CallClass.CANCEL, now)
    assert [call for call, _ in SendMemory(tmp_path, "key").others(now)] == [CallClass.CANCEL]
    (path,) = tmp_path.iterdir()
    give_away(path)
    assert list(SendMemory(tmp_path, "key").others(now)) == []


def test_a_pipe_among_the_sends_and_a_link_hold_nobody_up(tmp_path: Path) -> None:
    now = time.time()
    aim = tmp_path / "aim"
    aim.write_text(f"cancel {now}\n")
    folder = tmp_path / "sends"
    folder.mkdir()
    os.mkfifo(folder / "key.1-a")
    (folder / "key.2-b").symlink_to(aim)
    assert list(SendMemory(folder, "key").others(now)) == []


def test_a_pipe_among_the_journals_holds_nobody_up(tmp_path: Path) -> None:
    write_a_kill(tmp_path)
    os.mkfifo(tmp_path / "a.jsonl")
    assert alive(tmp_path / "a.jsonl", {"locked": True}) is None
    write_a_kill(tmp_path)
    assert [fault.file for fault in verify_journal(tmp_path)[1]] == ["a.jsonl"]


def test_a_kill_that_somebody_else_wrote_down_is_not_resumed(
    tmp_path: Path, give_away: Callable[[Path], None]
) -> None:
    write_a_kill(tmp_path)
    path = cut(tmp_path)
    assert [one.kill_id for one in find(tmp_path, time.time())] == ["k1"]
    give_away(path)
    assert find(tmp_path, time.time()) == []
    assert named(tmp_path, "k1") == "no such kill is on record"


def test_a_link_to_a_kill_is_not_resumed(tmp_path: Path) -> None:
    write_a_kill(tmp_path / "other")
    cut(tmp_path / "other")
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "a.jsonl").symlink_to(next((tmp_path / "other").iterdir()))
    assert find(tmp_path / "journal", time.time()) == []
    assert json.dumps(named(tmp_path / "journal", "k1")) == '"no such kill is on record"'
