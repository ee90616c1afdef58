"""The console in real terminals: through tmux, and through one that takes nothing any more."""

from __future__ import annotations

import fcntl
import json
import math
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 40.0
"""Seconds after which something counts as never seen."""
PROGRAM = [sys.executable, "-m", "cancel_tui"]
DEMO = [*PROGRAM, "demo", "--orders", "20", "--still"]
FUTURES = "[venues.cs-fut]\n"
SHOWN = 19
"""How many of the 20 orders are listed."""


def until(condition: Callable[[], bool], seen: Callable[[], str]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it was never seen; last:\n" + seen())
        time.sleep(0.05)


class Terminal:
    """One tmux server with one window, in which a command runs."""

    def __init__(self, folder: Path, width: int, height: int, program: Sequence[str]) -> None:
        self.data = folder / "data"
        self.folder = folder
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", os.devnull]
        command = " ".join([*program, "--data-dir", str(self.data)])
        script = f"cd {ROOT}; {command}; echo $? > {folder / 'status'}; exec sleep 600"
        # The home of the test is not the user's: nothing of theirs is read or written.
        environment = {**os.environ, "HOME": str(folder), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        for name in ("TMUX", "COLUMNS", "LINES", "XDG_CONFIG_HOME", "CANCEL_TUI_CONFIG"):
            environment.pop(name, None)
        subprocess.run(
            [*self._tmux, "new-session", "-d", "-x", str(width), "-y", str(height), script],
            env=environment,
            check=True,
            timeout=20,
        )

    def screen(self) -> str:
        answer = subprocess.run(
            [*self._tmux, "capture-pane", "-p"], capture_output=True, text=True, timeout=20, check=False
        )
        return answer.stdout

    def keys(self, *keys: str) -> None:
        """One by one, and not faster than hands are: keys of one moment count as a burst."""
        for key in keys:
            time.sleep(0.03)
            subprocess.run([*self._tmux, "send-keys", key], check=True, timeout=20)

    def paste(self, text: str) -> None:
        subprocess.run([*self._tmux, "set-buffer", text], check=True, timeout=20)
        subprocess.run([*self._tmux, "paste-buffer", "-p"], check=True, timeout=20)

    def resize(self, width: int, height: int) -> None:
        size = ["-x", str(width), "-y", str(height)]
        subprocess.run([*self._tmux, "resize-window", *size], check=True, timeout=20)

    def sees(self, *words: str, after: Callable[[], None] = lambda: None) -> None:
        """`after` is done before each look: what it brings about does not stand for long."""

        def seen() -> bool:
            after()
            screen = self.screen()
            return all(word in screen for word in words)

        until(seen, self.screen)

    def open_orders(self, count: int) -> None:
        until(lambda: re.search(rf"OPEN {count}\b", self.screen()) is not None, self.screen)

    def status(self) -> int:
        """The exit status, once the program has ended."""
        path = self.folder / "status"
        until(lambda: path.exists() and path.read_text().strip() != "", self.screen)
        return int(path.read_text())

    def pid(self) -> int:
        """The console's own process: it has opened the journal."""
        stem = next((self.data / "journal").glob("*.jsonl")).stem
        return int(stem.split("-")[1])

    def end(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], check=False, timeout=20, capture_output=True)


def journal(data: Path) -> list[dict[str, Any]]:
    lines = [line for path in (data / "journal").glob("*.jsonl") for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines if line.endswith("}")]


def kinds(data: Path) -> list[str]:
    return [str(record["kind"]) for record in journal(data)] if (data / "journal").exists() else []


@contextmanager
def practice(folder: Path) -> Iterator[Path]:
    """The practice venues in a process of their own; the configuration that points at them.

    Futures are listed by windows of time within a small budget. Only the newest window is asked for: those
    of the past would keep every test waiting for some 20 seconds. One order is in the past, so 19 are shown.
    """
    path = folder / "practice.toml"
    command = [*PROGRAM, "practice", "--orders", "20", "--still", "--write-config", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: path.exists() or process.poll() is not None, lambda: "no practice venues")
            text = path.read_text(encoding="utf-8")
            assert FUTURES in text
            path.write_text(text.replace(FUTURES, f"{FUTURES}lookback_days = 7\n"), encoding="utf-8")
            yield path
        finally:
            process.terminate()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    with practice(tmp_path) as configuration:
        found = Terminal(tmp_path, 80, 24, [*PROGRAM, "--config", str(configuration)])
        try:
            yield found
        finally:
            found.end()


def press_until(press: Callable[[], None], done: Callable[[], bool], seen: Callable[[], str]) -> None:
    """Press a key, and again where nothing has come of it for a while."""
    again = -math.inf

    def there() -> bool:
        nonlocal again
        if done():
            return True
        if time.monotonic() >= again:
            press()
            again = time.monotonic() + 3.0
        return False

    until(there, seen)


def _shows(screen: Callable[[], str], words: str) -> bool:
    return words in screen()


def arm_and_type(terminal: Terminal, *first: str) -> None:
    """Arm, press these keys of the scope, type the word.

    The terminal can show the first frame a moment before the guard counts it; then a key does nothing yet.
    """
    terminal.keys("C-k")
    terminal.sees("ARMED", "Type  KILL")
    for count, key in enumerate([*first, *"KILL"], 1 - len(first)):
        shown = f"Enter:  {'KILL'[:count]}" if count > 0 else "hold flat"
        press_until(partial(terminal.keys, key), partial(_shows, terminal.screen, shown), terminal.screen)


def fire(terminal: Terminal) -> None:
    """Enter; where it came as fast as no hand is, the screen asks for another one."""
    terminal.keys("Enter")
    until(
        lambda: "KILL  and" not in terminal.screen() or "press Enter again" in terminal.screen(),
        terminal.screen,
    )
    if "press Enter again" in terminal.screen():
        terminal.keys("Enter")
    until(lambda: "kill_begin" in kinds(terminal.data), terminal.screen)


def test_a_cancel_and_a_kill_from_the_keyboard_of_a_real_terminal(terminal: Terminal) -> None:
    terminal.open_orders(SHOWN)
    terminal.keys("/", "p", "9", "9")
    terminal.sees(f"4 of {SHOWN} shown", "Keep the filter")
    terminal.keys("Enter")
    until(lambda: "Keep the filter" not in terminal.screen(), terminal.screen)
    terminal.keys("Down")
    terminal.sees("▸")
    terminal.keys("x")
    terminal.sees("canceled")
    terminal.open_orders(SHOWN - 1)
    terminal.keys("C-k")
    terminal.sees("ARMED")
    terminal.paste("KILL\n")
    terminal.sees("pasted text does not count")
    terminal.keys("Escape")
    terminal.open_orders(SHOWN - 1)
    terminal.resize(20, 5)
    terminal.sees("needs")
    terminal.resize(80, 24)
    arm_and_type(terminal)
    fire(terminal)
    terminal.sees("F L A T", "E X C E P T", "timed from Enter")
    terminal.keys("Escape")
    terminal.open_orders(0)
    terminal.keys("C-q")
    assert terminal.status() == 0
    assert terminal.screen().strip() == ""
    ends = [record for record in journal(terminal.data) if record["kind"] == "kill_end"]
    assert [record["verdict"] for record in ends] == ["flat", "flat"]


def test_a_kill_goes_on_through_resizes_and_requests_to_stop_and_a_hang_up_lets_it_end(
    terminal: Terminal,
) -> None:
    terminal.open_orders(SHOWN)
    terminal.keys("C-z")
    terminal.sees("^Z does nothing here")
    terminal.keys("C-c")
    terminal.sees("^C does nothing here")
    arm_and_type(terminal, "h")
    fire(terminal)
    pid = terminal.pid()
    terminal.resize(20, 5)
    # The cancel-all of the futures has named the order of the past as well.
    terminal.sees("KILL", "/20")
    terminal.keys("C-z", "C-c")
    terminal.resize(100, 30)
    terminal.sees("^Z does nothing here", after=lambda: os.kill(pid, signal.SIGTSTP))
    terminal.sees("H O L D I N G")
    assert "kill_end" not in kinds(terminal.data)
    # The hang-up of the terminal releases the hold and lets the kill come to its verdict.
    os.kill(pid, signal.SIGHUP)
    # A hang-up often comes twice; that is no second request.
    os.kill(pid, signal.SIGHUP)
    assert terminal.status() == 0
    ends = [record["verdict"] for record in journal(terminal.data) if record["kind"] == "kill_end"]
    assert ends == ["flat"]


def test_a_terminal_that_goes_away_lets_a_kill_come_to_its_end(terminal: Terminal) -> None:
    terminal.open_orders(SHOWN)
    arm_and_type(terminal)
    fire(terminal)
    pid = terminal.pid()
    terminal.end()
    until(lambda: "kill_end" in kinds(terminal.data), lambda: str(kinds(terminal.data)))
    until(lambda: not _alive(pid), lambda: f"{pid} is alive")


def _write(terminal: int, key: bytes) -> None:
    os.write(terminal, key)


def _plain(painted: str) -> str:
    """What a terminal was sent, without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", painted)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="pty sizes and process states of Linux")
def test_a_terminal_that_takes_nothing_more_and_a_signal_delay_no_cancel(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.environ.update(HOME=str(tmp_path), LANG="C.UTF-8", TERM="xterm-256color", COLUMNS="", LINES="")
        os.execv(DEMO[0], [*DEMO, "--data-dir", str(data)])
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    told = bytearray()

    def read() -> str:
        while select.select([master], [], [], 0.05)[0]:
            told.extend(os.read(master, 65_536))
        return told.decode("utf-8", "replace")

    try:
        until(lambda: "OPEN" in read() and "canceled" not in read() and "broker" in read(), read)
        until(lambda: data.exists() and "open" in read(), read)
        os.write(master, b"\x0b")
        until(lambda: "ARMED" in read(), read)
        for typed in ("K", "KI", "KIL", "KILL"):
            # Before the first frame counts as painted a letter does nothing.
            letter = partial(_write, master, typed[-1].encode())
            press_until(letter, partial(_shows, lambda: _plain(read()), f"Enter:  {typed}"), read)
        # From here on nobody reads: the terminal's buffer fills up while the kill runs.
        press_until(
            partial(_write, master, b"\r"), lambda: "kill_begin" in kinds(data), lambda: str(kinds(data))
        )
        os.kill(pid, signal.SIGTERM)
        until(lambda: "kill_end" in kinds(data), lambda: str(kinds(data)))
        assert [r["verdict"] for r in journal(data) if r["kind"] == "kill_end"] == ["flat"]
    finally:
        os.kill(pid, signal.SIGKILL)
        os.close(master)
        os.waitpid(pid, 0)
