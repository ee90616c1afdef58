"""What other processes sent: seen without a lock, and a broken folder is in nobody's way."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cancel_tui.desk.sends import SendMemory, key_name
from cancel_tui.venues.base import CallClass

NOW = 1_760_000_000.0
NAME = key_name("roxom", "https://api.example", "desk")


def memory(folder: Path | None) -> SendMemory:
    return SendMemory(folder, NAME)


def test_two_memories_see_each_other(tmp_path: Path) -> None:
    one, other = memory(tmp_path), memory(tmp_path)
    one.add(CallClass.CANCEL, NOW)
    other.add(CallClass.LIST, NOW + 1)
    assert list(other.others(NOW + 2)) == [(CallClass.CANCEL, NOW)]
    assert list(one.others(NOW + 2)) == [(CallClass.LIST, NOW + 1)]


def test_nothing_is_told_twice_and_nothing_is_missed(tmp_path: Path) -> None:
    one, other = memory(tmp_path), memory(tmp_path)
    for step in range(5):
        one.add(CallClass.CANCEL, NOW + step)
        assert list(other.others(NOW + step)) == [(CallClass.CANCEL, NOW + step)]
        assert list(other.others(NOW + step)) == []


def test_nobody_counts_its_own_sends_as_anothers(tmp_path: Path) -> None:
    one = memory(tmp_path)
    one.add(CallClass.CANCEL, NOW)
    assert list(one.others(NOW)) == []


def test_a_later_process_sees_an_earlier_one_that_ended(tmp_path: Path) -> None:
    one = memory(tmp_path)
    one.add(CallClass.CANCEL_ALL, NOW)
    one.close()
    assert list(memory(tmp_path).others(NOW)) == [(CallClass.CANCEL_ALL, NOW)]


def test_another_key_is_another_memory(tmp_path: Path) -> None:
    memory(tmp_path).add(CallClass.CANCEL, NOW)
    other = SendMemory(tmp_path, key_name("roxom", "https://api.example", "other"))
    assert list(other.others(NOW)) == []


def test_the_name_holds_nothing_readable_and_tells_keys_apart() -> None:
    names = {
        key_name(kind, url, credentials)
        for kind in ("a", "b")
        for url in ("u", "v")
        for credentials in ("c", "d")
    }
    assert len(names) == 8
    assert all(len(name) == 16 and name.isalnum() for name in names)


def test_broken_lines_are_skipped_and_whole_ones_counted(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.broken").write_bytes(
        b"\n\xff\xfe\ncancel\ncancel x\nteapot 1\ncancel nan\ncancel inf\n"
        + f"cancel {NOW:.3f}\ncancel 17600cancel {NOW:.3f}\nlist {NOW:.3f}\r\n".encode()
    )
    assert list(memory(tmp_path).others(NOW)) == [(CallClass.CANCEL, NOW), (CallClass.LIST, NOW)]


def test_a_line_that_is_still_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.half"
    path.write_text("cancel 17600")
    reader = memory(tmp_path)
    assert list(reader.others(NOW)) == []
    with path.open("a") as file:
        file.write("00000.000\n")
    assert list(reader.others(NOW)) == [(CallClass.CANCEL, NOW)]


def test_files_past_the_longest_window_are_removed(tmp_path: Path) -> None:
    old, new = tmp_path / f"{NAME}.old", tmp_path / f"{NAME}.new"
    for path in (old, new):
        path.write_text(f"cancel {NOW:.3f}\n")
    os.utime(old, (NOW - 90_000, NOW - 90_000))
    os.utime(new, (NOW, NOW))
    mine = memory(tmp_path)
    assert len(list(mine.others(NOW))) == 1
    assert not old.exists()
    assert new.exists()
    os.utime(new, (NOW - 90_000, NOW - 90_000))
    for _ in range(2):
        assert list(mine.others(NOW)) == []
    assert mine._read == {}, "nor is a file that is gone"


def test_a_process_whose_file_was_removed_starts_another(tmp_path: Path) -> None:
    one, other = memory(tmp_path), memory(tmp_path)
    one.add(CallClass.CANCEL, NOW)
    for path in tmp_path.iterdir():
        path.unlink()
    one.add(CallClass.LIST, NOW + 1)
    assert list(other.others(NOW + 1)) == [(CallClass.LIST, NOW + 1)]


def test_closing_and_going_on_keeps_one_file(tmp_path: Path) -> None:
    one = memory(tmp_path)
    one.add(CallClass.CANCEL, NOW)
    one.close()
    one.close()
    one.add(CallClass.LIST, NOW)
    assert len(list(tmp_path.iterdir())) == 1
    assert len(list(memory(tmp_path).others(NOW))) == 2


def test_without_a_folder_nothing_is_remembered() -> None:
    one = memory(None)
    one.add(CallClass.CANCEL, NOW)
    assert list(one.others(NOW)) == []
    one.close()


def test_a_folder_that_does_not_exist_is_made(tmp_path: Path) -> None:
    one = memory(tmp_path / "a" / "b")
    assert list(one.others(NOW)) == []
    one.add(CallClass.CANCEL, NOW)
    assert len(list(memory(tmp_path / "a" / "b").others(NOW))) == 1


def test_a_file_in_place_of_the_folder_is_harmless(tmp_path: Path) -> None:
    (tmp_path / "sends").write_text("x")
    one = memory(tmp_path / "sends")
    one.add(CallClass.CANCEL, NOW)
    assert list(one.others(NOW)) == []
    one.close()


def test_a_disk_that_refuses_is_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = memory(tmp_path)

    def full(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    one.add(CallClass.CANCEL, NOW)
    monkeypatch.undo()
    one.add(CallClass.CANCEL, NOW)
    assert list(memory(tmp_path).others(NOW)) == [(CallClass.CANCEL, NOW)]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_the_files_are_for_the_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "sends"
    memory(folder).add(CallClass.CANCEL, NOW)
    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("")
    folder = tmp_path / "sends"
    folder.mkdir()
    one = memory(folder)
    one.add(CallClass.CANCEL, NOW)
    (own,) = folder.iterdir()
    one.close()
    own.unlink()
    own.symlink_to(target)
    one.add(CallClass.LIST, NOW)
    assert target.read_text() == ""
