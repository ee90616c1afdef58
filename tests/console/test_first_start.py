"""A first start in a real terminal, without a configuration; and without a terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.test_tmux import ROOT, Terminal

PLAIN = [sys.executable, "-m", "cancel_tui"]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    found = Terminal(tmp_path, 80, 24, PLAIN)
    try:
        yield found
    finally:
        found.end()


def test_it_says_where_to_begin_and_leads_to_the_practice_venues(terminal: Terminal) -> None:
    terminal.sees("NO VENUES", "No venue is configured yet", "p  opens the practice venues")
    terminal.keys("n")
    # What is typed at a screen that has just been covered counts no more.
    terminal.sees("Which kind?")
    terminal.keys("2")
    terminal.sees("[venues.cs-fut]", 'kind = "coinswitch-futures"', "Add this to")
    assert "cancel-tui/config.toml" in "".join(terminal.screen().split())
    terminal.keys("Escape")
    terminal.sees("No venue is configured yet")
    terminal.keys("p")
    terminal.sees("PRACTICE", "cs-spot 60")
    assert "NO VENUES" not in terminal.screen()
    terminal.keys("C-q")
    assert terminal.status() == 0
    assert not list(terminal.folder.rglob("config.toml"))
    # The practice venues keep their record apart from the one of the desk.
    assert not list((terminal.data / "journal").glob("*.jsonl"))


def test_it_can_be_left_at_once(terminal: Terminal) -> None:
    terminal.sees("No venue is configured yet")
    terminal.keys("Escape")
    terminal.sees("no venue is configured: V says how to add one")
    terminal.keys("C-q")
    assert terminal.status() == 0


@pytest.mark.parametrize("option", [[], ["--config", "elsewhere.toml"]])
def test_without_a_terminal_it_is_one_line_and_status_2(tmp_path: Path, option: list[str]) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    done = subprocess.run(
        [*PLAIN, *option],
        env={**kept, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "no such file" in done.stderr
    assert ("elsewhere.toml" if option else "config.toml") in done.stderr
    assert list(tmp_path.iterdir()) == []
