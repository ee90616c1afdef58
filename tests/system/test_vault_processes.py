"""The vault in processes of its own: shared stores, hung keyrings, and what importing it costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

BACKEND = """
import json, os, pathlib, threading
from keyring.backend import KeyringBackend

FILE = pathlib.Path(os.environ["TEST_STORE"])

class InAFile(KeyringBackend):
    priority = 1
    def _all(self):
        return json.loads(FILE.read_text()) if FILE.exists() else {}
    def get_password(self, service, username):
        return self._all().get(f"{service}|{username}")
    def set_password(self, service, username, password):
        FILE.write_text(json.dumps({**self._all(), f"{service}|{username}": password}))
    def delete_password(self, service, username):
        items = self._all()
        del items[f"{service}|{username}"]
        FILE.write_text(json.dumps(items))

class Hung(InAFile):
    def get_password(self, service, username):
        threading.Event().wait()

if os.environ.get("HANG_AT_IMPORT"):
    threading.Event().wait()
"""


def child(tmp_path: Path, backend: str, *arguments: str, **extra: str) -> list[str]:
    """Run the child over a backend that only this test knows; its lines on standard output."""
    (tmp_path / "acme_keyring.py").write_text(BACKEND)
    environment = {
        **os.environ,
        "PYTHON_KEYRING_BACKEND": f"acme_keyring.{backend}",
        "TEST_STORE": str(tmp_path / "store.json"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])]),
        **extra,
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


def test_processes_share_what_a_named_backend_keeps_in_a_file(tmp_path: Path) -> None:
    run = ("-m", "tests.system.vault_child")
    assert child(tmp_path, "InAFile", *run, "store", "10") == ["stored", "done"]
    assert child(tmp_path, "InAFile", *run, "read", "10") == ["kept", "done"]
    lines = child(tmp_path, "InAFile", *run, "round-trip", "10")
    assert lines[0].startswith(
        "acme_keyring.InAFile unknown keyring backend acme_keyring.InAFile is not known"
    )


def test_a_hung_keyring_does_not_keep_the_process_from_ending(tmp_path: Path) -> None:
    began = time.monotonic()
    lines = child(tmp_path, "Hung", "-m", "tests.system.vault_child", "try", "0.5")
    assert time.monotonic() - began < 20
    assert lines[0].startswith("Unresponsive the keyring did not answer in 0.5 s")
    assert lines[2:] == ["in time", "done"]


def test_a_backend_that_hangs_while_it_is_imported_is_bounded_too(tmp_path: Path) -> None:
    lines = child(tmp_path, "InAFile", "-m", "tests.system.vault_child", "try", "0.5", HANG_AT_IMPORT="1")
    assert lines[0].startswith("Unresponsive the keyring did not answer in 0.5 s")
    assert lines[2:] == ["in time", "done"]


def test_importing_the_vault_loads_neither_keyring_nor_cryptography(tmp_path: Path) -> None:
    script = (
        "import sys, cancel_tui.vault, cancel_tui.credentials\n"
        "cancel_tui.vault.Vault()\n"
        "print(sorted({'keyring', 'cryptography', 'httpx', 'secretstorage'} & set(sys.modules)))"
    )
    assert child(tmp_path, "InAFile", "-c", script) == ["[]"]
