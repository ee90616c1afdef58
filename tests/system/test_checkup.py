"""The check-up changes nothing, waits for nothing without a limit, and looks at everything side by side."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import pytest

from cancel_tui.cli import checkup, doctor, machine
from cancel_tui.cli.finding import Finding
from cancel_tui.cli.session import KeyringCredentials
from cancel_tui.desk.slot import LockedError
from cancel_tui.practice.cluster import Cluster
from cancel_tui.practice.venue import CREDENTIALS_PATH as CREDENTIALS
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings, parse_settings
from tests.system.shell import Shell, told_by


def by_check(document: dict[str, Any], venue: str | None) -> dict[str, dict[str, Any]]:
    return {one["check"]: one for one in document["findings"] if one["venue"] == venue}


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of a folder, hidden ones too, with its rights."""
    return {
        str(path): (path.read_bytes(), path.stat().st_mode) for path in folder.rglob("*") if path.is_file()
    }


async def test_nothing_is_changed_neither_here_nor_at_a_venue(tmp_path: Path) -> None:
    cluster = Cluster(15)
    await cluster.start()
    try:
        before = {venue.name: venue.truth() for venue in cluster.venues}
        config = tmp_path / "config.toml"
        config.write_text(
            cluster.configuration()
            + f'[venues.kept]\nkind = "roxom"\nbase_url = "{cluster.named("roxom").base_url}"\n'
        )
        config.chmod(0o600)
        shell = Shell(tmp_path, config)
        stored = await asyncio.to_thread(
            told_by, urlsplit(cluster.named("roxom").base_url).netloc, CREDENTIALS
        )
        kept = await asyncio.to_thread(shell, "keys", "set", "kept", "--from-stdin", stdin=json.dumps(stored))
        assert kept.status == 0, kept.err
        slip = await asyncio.to_thread(shell, "kill", "--yes", "--venue", "cs-spot", "--symbol", "NOPE")
        assert slip.status == 3
        there = contents(tmp_path)
        assert {Path(name).name for name in there} >= {"keyring.json", "config.toml"}
        assert any("/journal/" in name for name in there)
        for venue in cluster.venues:
            venue.seen.clear()
        done = await asyncio.to_thread(shell, "doctor", "--json")
        assert done.status == 0, done.out
        assert by_check(done.json, "kept")["credentials"]["ok"] is True
        assert contents(tmp_path) == there
        for venue in cluster.venues:
            assert venue.seen
            # The listen key of a stream and the access token are the two POSTs that there are.
            for request in venue.seen:
                assert "cancel" not in request.lower(), request
                assert not request.startswith(("DELETE", "PUT", "PATCH")), request
            assert venue.truth() == before[venue.name]
    finally:
        await cluster.stop()


def checks_of(monkeypatch: pytest.MonkeyPatch, check: Any, names: list[str], tmp_path: Path) -> Any:
    """Findings of a check-up whose venues are checked by `check` instead."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setattr(doctor, "check_venue", check)
    text = "".join(f'[venues.{name}]\nkind = "roxom"\n' for name in names)
    return doctor.looked(parse_settings(text, tmp_path / "c.toml"), tmp_path / "data")


async def test_venues_are_checked_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a", "b", "c"]
    together = asyncio.Barrier(len(names))

    async def check(_: Any, slot: Any, __: Path, found: list[Finding]) -> None:
        await asyncio.wait_for(together.wait(), 10)
        found.append(Finding("met", slot.name, True, "with the others"))

    found = await checks_of(monkeypatch, check, names, tmp_path)
    assert [one.venue for one in found if one.check == "met"] == names


async def test_a_venue_that_hangs_or_is_faulty_costs_only_what_it_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(_: Any, slot: Any, __: Path, found: list[Finding]) -> None:
        found.append(Finding("name", slot.name, True, "is known"))
        if slot.name == "hangs":
            await asyncio.Event().wait()
        if slot.name == "faulty":
            raise ZeroDivisionError("secret")

    monkeypatch.setattr(doctor, "_VENUE_SECONDS", 0.05)
    found = await checks_of(monkeypatch, check, ["hangs", "faulty", "fine"], tmp_path)
    assert [one.venue for one in found if one.check == "name"] == ["hangs", "faulty", "fine"]
    faults = {one.venue: one for one in found if one.check == "venue"}
    assert set(faults) == {"hangs", "faulty"}
    assert all(one.ok is False and one.remedy for one in faults.values())
    assert "secret" not in faults["faulty"].detail


async def test_a_keyring_that_hangs_for_one_venue_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hangs(KeyringCredentials):
        async def __call__(self, settings: VenueSettings) -> Mapping[str, Secret]:
            if settings.name == "hangs":
                await asyncio.Event().wait()
            raise LockedError("nothing is stored: cancel-tui keys set")

    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setattr(doctor, "KeyringCredentials", Hangs)
    monkeypatch.setattr(checkup, "_REQUEST_SECONDS", 0.05)
    text = "".join(
        f'[venues.{name}]\nkind = "roxom"\nbase_url = "http://127.0.0.1:1"\nstream = false\n'
        for name in ("hangs", "fine")
    )
    settings = parse_settings(text, tmp_path / "c.toml")
    async with asyncio.timeout(30):
        found = await doctor.looked(settings, tmp_path / "data")
    said = {one.venue: one.detail for one in found if one.check == "credentials"}
    assert set(said) == {"hangs", "fine"}
    assert "nothing is stored" in said["fine"]


async def test_a_disk_that_never_answers_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def hangs(*_: Any) -> NoReturn:
        over.wait(60)
        raise OSError

    for name in ("_data_dir", "_journal"):
        monkeypatch.setattr(machine, name, hangs)
    for name in ("_DISK_SECONDS", "_JOURNAL_SECONDS"):
        monkeypatch.setattr(machine, name, 0.02)
    try:
        data = await machine.data_dir(tmp_path)
        (journal,) = await machine.journal(tmp_path, 0.0)
    finally:
        over.set()
    assert (data.ok, journal.ok) == (False, None)
    assert data.remedy
    assert journal.remedy


async def test_a_disk_is_written_to_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await machine.data_dir(tmp_path)
    assert found.ok is not False
    assert os.listdir(tmp_path) == []
    monkeypatch.setattr(machine, "_SLOW_MS", -1)
    slow = await machine.data_dir(tmp_path)
    assert slow.ok is None
    assert "faster disk" in (slow.remedy or "")

    def full(_: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    found = await machine.data_dir(tmp_path)
    assert found.ok is False
    assert "No space left" in found.detail
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("size", "environment", "says"),
    [
        ((80, 24), {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}, None),
        ((79, 24), {"TERM": "xterm-256color"}, "at least 80x24"),
        ((80, 23), {"TERM": "xterm-256color"}, "at least 80x24"),
        ((80, 24), {"TERM": "dumb"}, "set TERM"),
        ((80, 24), {}, "set TERM"),
        (None, {"TERM": "xterm"}, "other commands need none"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="TERM is for POSIX")
def test_a_terminal_is_held_against_what_the_console_needs(
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int] | None,
    environment: dict[str, str],
    says: str | None,
) -> None:
    for name in ("TERM", "NO_COLOR", "COLORTERM", *machine.LOCALE):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(machine, "_size", lambda _: size)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    found = machine.terminal()
    assert found.ok is (True if says is None else None)
    assert (found.remedy is None) if says is None else says in (found.remedy or "")
    assert (f"TERM={environment['TERM']}" if "TERM" in environment else "TERM=not set") in found.detail
    monkeypatch.setenv("NO_COLOR", "1")
    assert "NO_COLOR" in machine.terminal().detail


async def test_a_terminal_without_utf_8_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_size", lambda _: (80, 24))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LC_ALL", "POSIX")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    found = machine.terminal()
    assert (found.ok, "LC_ALL=POSIX" in found.detail) == (None, True)
    assert "UTF-8 locale" in (found.remedy or "")
