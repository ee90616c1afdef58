"""The vault over a real Secret Service: gnome-keyring in a D-Bus session of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.shell import practice, told_by

pytestmark = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("dbus-run-session", "dbus-send", "gnome-keyring-daemon")),
    reason="needs dbus-run-session, dbus-send and gnome-keyring-daemon",
)

CHILD = f"{sys.executable} -m tests.system.vault_child"
UNLOCKED = "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null"


BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"""
"""A session in which nothing is started by being asked for: neither a prompter nor a second keyring."""
LOCKED = (
    "VaultLocked the keyring is locked: unlock it (log in to the desktop, or answer its prompt), then retry"
)
DENIED = "VaultDenied access to the keyring was denied or its prompt was closed: retry, and allow it"


def session(tmp_path: Path, script: str, *, bare: bool = False, **more: str) -> list[str]:
    """Run a script in a fresh D-Bus session without a desktop; its lines on standard output."""
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700, exist_ok=True)
    unwanted = {"PYTHON_KEYRING_BACKEND", "DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"}
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment |= {
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_RUNTIME_DIR": str(runtime),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **more,
    }
    options = []
    if bare:
        (tmp_path / "bus.conf").write_text(BUS)
        options = [f"--config-file={tmp_path / 'bus.conf'}"]
    done = subprocess.run(
        ["dbus-run-session", *options, "--", "sh", "-ec", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


def scenario(tmp_path: Path, name: str, limit: float = 10) -> list[str]:
    return session(tmp_path, f"{sys.executable} -m tests.system.secret_service {name} {limit}", bare=True)


def test_a_key_pair_goes_in_and_out_of_the_secret_service(tmp_path: Path) -> None:
    lines = session(tmp_path, f"{UNLOCKED}\n{CHILD} round-trip 10")
    missing = "no credentials are stored under 'roxom': store them with `cancel-tui keys set VENUE`"
    assert lines == ["keyring.backends.SecretService.Keyring system None", missing, missing, "done"]


def test_another_process_reads_what_was_stored(tmp_path: Path) -> None:
    assert session(tmp_path, f"{UNLOCKED}\n{CHILD} store 10\n{CHILD} read 10") == [
        "stored",
        "done",
        "kept",
        "done",
    ]


def test_a_keyring_that_is_locked_in_mid_session_is_unlocked_later_in_the_same_run(tmp_path: Path) -> None:
    assert scenario(tmp_path, "locked") == ["kept", LOCKED, LOCKED, LOCKED, "kept"]


def test_a_prompt_that_is_closed_is_a_denial_for_every_sort_of_call_and_loses_nothing(tmp_path: Path) -> None:
    assert scenario(tmp_path, "denied") == [DENIED, DENIED, DENIED, "kept"]


def test_a_prompt_that_nobody_answers_is_given_up_and_the_event_loop_goes_on(tmp_path: Path) -> None:
    first, second, loop, later = scenario(tmp_path, "waiting", 0.8)
    assert first.startswith("Unresponsive the keyring did not answer in 0.8 s: look for a prompt")
    assert (second, loop, later) == (first, "the loop went on", "kept")


def test_a_keyring_that_dies_in_mid_session_is_missed_and_works_again_when_it_is_back(tmp_path: Path) -> None:
    before, missing, unstored, after = scenario(tmp_path, "gone")
    assert missing.startswith("NoBackend no usable keyring backend: start the system's keyring")
    assert unstored == missing
    assert (before, after) == ("kept", "kept")


def test_a_locked_keyring_locks_its_venue_and_the_next_command_after_an_unlock_kills_there(
    tmp_path: Path,
) -> None:
    with practice(tmp_path / "floor", "--orders", "10") as floor:
        config = tmp_path / "floor.toml"
        text = floor.shell.config.read_text()
        config.write_text(re.sub(r'(?s)(\[venues\.p99\].*?)credentials = "practice"\n', r"\1", text, count=1))
        (tmp_path / "p99.json").write_text(
            json.dumps(told_by(floor.origins["p99"], "/_practice/credentials"))
        )
        program, service = f"{sys.executable} -m cancel_tui", "from tests.system.secret_service import"
        kill = f"{program} kill --yes --json --venue p99 --venue roxom >"
        script = f"""
            {program} keys set p99 --from-stdin < {tmp_path}/p99.json
            {sys.executable} -c '{service} lock; lock()'
            {kill} {tmp_path}/locked || echo status $?
            {sys.executable} -c '{service} unlock; unlock()'
            {kill} {tmp_path}/killed && echo status $?
            {program} keys delete p99 --yes
        """
        (tmp_path / "script").write_text(script)
        run = f"{sys.executable} -m tests.system.secret_service run 'sh -e {tmp_path}/script'"
        more = {"CANCEL_TUI_CONFIG": str(config), "CANCEL_TUI_DATA_DIR": str(tmp_path / "journals")}
        stored, unproven, proven, deleted = session(tmp_path, run, bare=True, **more)
        assert "in keyring.backends.SecretService.Keyring (system)" in stored
        assert (unproven, proven) == ("status 3", "status 0")
        told = json.loads((tmp_path / "locked").read_text())["venues"]
        found = {one["venue"]: one for one in told}
        assert "the keyring is locked" in found["p99"]["error"]
        assert (found["p99"]["verdict"], found["roxom"]["verdict"]) == ("unverified", "flat")
        assert json.loads((tmp_path / "killed").read_text())["verdict"] == "flat"
        assert floor.live("p99") == {}
        assert "is deleted" in deleted


def test_a_session_without_any_keyring_has_no_backend(tmp_path: Path) -> None:
    script = f"export DBUS_SESSION_BUS_ADDRESS=unix:path={tmp_path}/none\n{CHILD} try 10"
    lines = session(tmp_path, script)
    assert lines[0].startswith("NoBackend no usable keyring backend: start the system's keyring")
    assert lines[0] == lines[1]
    assert lines[2:] == ["in time", "done"]
