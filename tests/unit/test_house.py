"""The house as a test: which room may import which, and which library only where."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "cancel_tui"
HEAVY = ("textual", "rich", "httpx", "keyring", "websockets", "cryptography", "socketio", "engineio")

# Which of the heavy libraries a room may load when it is imported, and which rooms must stay unloaded.
ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "cancel_tui.settings": (set(), {"venues", "desk", "practice", "vault", "console"}),
    "cancel_tui.scope": (set(), {"venues", "desk", "practice", "vault", "console"}),
    "cancel_tui.cancels": (set(), {"venues", "desk", "practice", "vault", "console"}),
    "cancel_tui.vault": (set(), {"venues", "desk", "practice", "console"}),
    "cancel_tui.desk.kill": (set(), {"practice", "vault", "console"}),
    "cancel_tui.desk.desk": (set(), {"practice", "vault", "console"}),
    "cancel_tui.venues.registry": (set(), {"desk", "practice", "vault", "console"}),
    "cancel_tui.venues.wire": (set(), {"desk", "practice", "vault", "console"}),
    "cancel_tui.venues.streams": ({"websockets"}, {"desk", "practice", "vault", "console"}),
    "cancel_tui.venues.coinswitch_spot": (
        {"cryptography", "websockets"},
        {"desk", "practice", "vault", "console"},
    ),
    "cancel_tui.venues.coinswitch_futures": ({"cryptography"}, {"desk", "practice", "vault", "console"}),
    "cancel_tui.venues.p99": ({"websockets"}, {"desk", "practice", "vault", "console"}),
    "cancel_tui.venues.roxom": (
        {"cryptography", "websockets"},
        {"desk", "practice", "vault", "console"},
    ),
    "cancel_tui.venues.b2trader": ({"websockets"}, {"desk", "practice", "vault", "console"}),
    "cancel_tui.practice.http": ({"websockets"}, {"venues", "desk", "vault", "console"}),
    "cancel_tui.practice.cluster": (
        {"websockets", "cryptography"},
        {"venues", "desk", "vault", "console"},
    ),
    "cancel_tui.cli.main": (set(), {"practice", "vault", "console"}),
    "cancel_tui.cli.kill": (set(), {"practice", "vault", "console"}),
    "cancel_tui.__main__": (set(), {"practice", "vault", "console", "desk", "venues"}),
}


def _loaded(room: str) -> set[str]:
    probe = f"import sys, json, {room}; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return set(json.loads(answer.stdout))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_loads_no_library_and_no_room_that_it_must_not(room: str) -> None:
    libraries, rooms = ROOMS[room]
    loaded = _loaded(room)
    assert {name for name in HEAVY if name in loaded} <= libraries
    assert not {name for name in rooms if f"cancel_tui.{name}" in loaded}


def test_the_import_contracts_hold() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as go; go()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-1000:]
    assert "0 broken" in answer.stdout


def test_every_room_is_in_the_contracts() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    layers = text[text.index("layers = [") :].partition("]")[0]
    rooms = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    missing = {room for room in rooms - {"__init__"} if f"cancel_tui.{room}" not in layers}
    assert not missing, f"not in the layers of pyproject.toml: {sorted(missing)}"
