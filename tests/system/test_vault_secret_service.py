"""The vault over a real Secret Service: gnome-keyring in a D-Bus session of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("dbus-run-session", "dbus-send", "gnome-keyring-daemon")),
    reason="needs dbus-run-session, dbus-send and gnome-keyring-daemon",
)

CHILD = f"{sys.executable} -m tests.system.vault_child"
UNLOCKED = "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null"


def session(tmp_path: Path, script: str) -> list[str]:
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
    }
    done = subprocess.run(
        ["dbus-run-session", "--", "sh", "-ec", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


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


def test_a_locked_secret_service_without_anybody_to_ask_ends_in_a_clear_sentence(tmp_path: Path) -> None:
    lock = (
        "dbus-send --session --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets "
        "org.freedesktop.Secret.Service.Lock "
        "array:objpath:/org/freedesktop/secrets/collection/login >/dev/null"
    )
    lines = session(tmp_path, f"{UNLOCKED}\n{CHILD} store 10\n{lock}\n{CHILD} try 3")
    assert lines[:2] == ["stored", "done"]
    first, second, pace, end = lines[2:]
    assert first.split()[0] in {"VaultLocked", "VaultDenied", "Unresponsive"}
    assert "keyring" in first
    assert second == first
    assert (pace, end) == ("in time", "done")


def test_a_session_without_any_keyring_has_no_backend(tmp_path: Path) -> None:
    script = f"export DBUS_SESSION_BUS_ADDRESS=unix:path={tmp_path}/none\n{CHILD} try 10"
    lines = session(tmp_path, script)
    assert lines[0].startswith("NoBackend no usable keyring backend: start the system's keyring")
    assert lines[0] == lines[1]
    assert lines[2:] == ["in time", "done"]
