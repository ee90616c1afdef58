"""A kill from wherever it is started: cron, a hook, a dying connection; and signals to a real process.

Whatever the caller made of the standard streams, the kill is carried out and the exit status is its verdict.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.system.shell import LIMIT, ROOT, Floor, Shell, practice

pytestmark = pytest.mark.skipif(os.name == "nt", reason="descriptors and signals of POSIX")

KILL = ("kill", "--yes", "--json", "--venue", "p99", "--reason", "café")
ROXOM = ("kill", "--yes", "--json", "--venue", "roxom")
LATIN = {"TERM": "dumb", "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
# What a shell does to the streams, what is said of the rest, and the status that the kill must have.
PLACES: dict[str, tuple[str, Mapping[str, str | None], int]] = {
    "cron": ("", {"HOME": None, "PATH": None, "LANG": None, "TZ": None, "DBUS_SESSION_BUS_ADDRESS": None}, 0),
    "no terminal worth the name": ("", LATIN, 0),
    "ascii": ("", {**LATIN, "PYTHONIOENCODING": "ascii:strict", "TERM": None}, 0),
    "nobody listens": ("| head -c 1 >/dev/null", {}, 0),
    "no output": (">&-", {}, 0),
    "no errors": ("2>&-", {}, 0),
    "nothing at all": ("<&- >&- 2>&-", {}, 0),
    "a slip, nothing at all": ("--symbol NOPE <&- >&- 2>&-", {}, 3),
    "a full disk": (">/dev/full 2>/dev/full", {}, 0),
    "a usage error, a full disk": ("--side both >/dev/full 2>/dev/full", {}, 2),
    "an unknown venue, a full disk": ("--venue nowhere 2>/dev/full", {}, 2),
    "help, a full disk": ("--help >/dev/full", {}, 0),
}
STATUS = '; echo "${PIPESTATUS[0]}" >"$STATUS"'


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with practice(tmp_path_factory.mktemp("floor"), "--orders", "25") as found:
        yield found
        assert found.shell.leaks() == []


def command(shell: Shell, *arguments: str) -> str:
    where = ("--config", str(shell.config), "--data-dir", str(shell.data))
    return shlex.join([sys.executable, "-m", "cancel_tui", *arguments, *where])


def until(fact: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.02)


def kinds(shell: Shell) -> list[str]:
    lines = [line for path in shell.data.glob("journal/*.jsonl") for line in path.read_text().splitlines()]
    return [json.loads(line)["kind"] for line in lines if line.endswith("}")]


@pytest.mark.skipif(
    not os.path.exists("/bin/bash") or not os.path.exists("/dev/full"), reason="a Linux shell"
)
def test_wherever_a_kill_is_started_it_is_carried_out_and_its_status_is_the_verdict(
    floor: Floor, tmp_path: Path
) -> None:
    assert floor.live("p99")
    running: dict[str, tuple[subprocess.Popen[str], Path]] = {}
    for number, (name, (streams, env, _)) in enumerate(PLACES.items()):
        home = tmp_path / str(number)
        home.mkdir()
        shell = Shell(home, floor.shell.config)
        told = home / "status"
        changed = {**shell.env, "STATUS": str(told), **env}
        process = subprocess.Popen(
            ["/bin/bash", "-c", f"{command(shell, *KILL)} {streams}{STATUS}"],
            env={key: value for key, value in changed.items() if value is not None},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running[name] = (process, told)
    found = {}
    for name, (process, told) in running.items():
        out, err = process.communicate(timeout=LIMIT)
        assert "Traceback" not in err
        assert "internal fault" not in err, (name, err)
        if name in ("cron", "ascii", "no terminal worth the name", "no errors"):
            assert json.loads(out)["reason"] == "café"
            assert out.isascii()
        found[name] = int(told.read_text())
    assert found == {name: status for name, (_, _, status) in PLACES.items()}
    assert floor.live("p99") == {}
    for number in range(len(PLACES)):
        # A journal that took the number of a closed stream would hold more than records.
        for path in tmp_path.glob(f"{number}/data/journal/*.jsonl"):
            assert all(line.startswith('{"seq":') for line in path.read_text().splitlines())


@contextlib.contextmanager
def brimful() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe that takes nothing more, and that nobody reads."""
    reading, writing = os.pipe()
    try:
        os.set_blocking(writing, False)
        for size in (65_536, 1):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(writing, b"." * size)
        os.set_blocking(writing, True)
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


def waiting(pipe: int) -> int:
    """How many bytes nobody has read yet."""
    fcntl = pytest.importorskip("fcntl", reason="pipes of POSIX")
    termios = pytest.importorskip("termios", reason="pipes of POSIX")
    count: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]
    return count


def start(
    shell: Shell,
    *arguments: str,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    deaf: str = "",
) -> subprocess.Popen[str]:
    """As `Shell.start`; `deaf` names a signal that the caller had ignored."""
    prefix = f"trap '' {deaf}; " if deaf else ""
    return subprocess.Popen(
        ["/bin/sh", "-c", f"{prefix}exec {command(shell, *arguments)}"],
        env=shell.env,
        cwd=shell.home,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
    )


def test_a_kill_waits_for_nobody_who_reads_its_messages(floor: Floor, tmp_path: Path) -> None:
    shell = Shell(tmp_path, floor.shell.config)
    with brimful() as (_, nobody):
        process = start(shell, "kill", "--yes", "--json", "--venue", "cs-spot", "--hold", "1", stderr=nobody)
        out, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert json.loads(out)["verdict"] == "flat"
    assert floor.live("cs-spot") == {}


def test_a_signal_after_the_verdict_cuts_the_report_short_and_not_the_status(
    floor: Floor, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, floor.shell.config)
    with brimful() as (reading, nobody):
        # Room for the beginning of the report: what begins to be written, a signal can cut short.
        os.read(reading, select.PIPE_BUF)
        full = waiting(reading)
        words = "long " * select.PIPE_BUF
        process = start(shell, *ROXOM, "--reason", words, stdout=nobody)
        until(lambda: waiting(reading) > full)
        assert process.poll() is None, "it waits for whoever reads the rest of the report"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, err
    assert floor.live("roxom") == {}


def test_a_hang_up_that_the_caller_ignores_ends_no_kill(floor: Floor, tmp_path: Path) -> None:
    shell = Shell(tmp_path, floor.shell.config)
    process = start(shell, "kill", "--yes", "--json", "--venue", "broker", "--hold", "1", deaf="HUP")
    until(lambda: "request" in " ".join(kinds(shell)))
    process.send_signal(signal.SIGHUP)
    done = shell.ended(process)
    assert done.status == 0, done.err
    assert done.json["verdict"] == "flat"
    assert "kill_interrupted" not in kinds(shell)


def test_a_signal_ends_a_kill_in_good_order_and_a_second_one_at_once(tmp_path: Path) -> None:
    with practice(tmp_path / "slow", "--orders", "25", "--faults", "hang") as floor:
        running = {}
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            (tmp_path / number.name).mkdir()
            shell = Shell(tmp_path / number.name, floor.shell.config, secrets=floor.shell.secrets)
            running[number] = shell, shell.start("kill", "--yes", "--json", "--venue", "p99")
        for shell, _ in running.values():
            until(lambda at=shell: "request" in " ".join(kinds(at)))  # type: ignore[misc]
        for number, (_, process) in running.items():
            process.send_signal(number)
        for number, (_, process) in running.items():
            assert process.stderr is not None
            told = process.stderr.readline()
            while "interrupted: no new cancel leaves" not in told:
                assert told, f"{number.name}: it ended without a word"
                told = process.stderr.readline()
            process.send_signal(number)
        for number, (shell, process) in running.items():
            done = shell.ended(process)
            assert done.status == 130, (number.name, done.err)
            assert done.json["verdict"] == "unverified", "what is known is told, as one document"
            assert "kill_interrupted" in kinds(shell)
            assert kinds(shell)[-1] == "closed"
            assert shell.leaks() == []
        verified = shell("journal", "verify", "--json")
        assert verified.status == 0
        assert len(verified.json["kills_without_end"]) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_word_sends_nothing_and_is_an_interruption(
    floor: Floor, tmp_path: Path, number: signal.Signals
) -> None:
    pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
    shell = Shell(tmp_path, floor.shell.config)
    master, slave = pty.openpty()
    try:
        process = shell.start("kill", stdin=slave, terminal=True)
        os.close(slave)
        assert process.stderr is not None
        assert process.stderr.read(4) == "Type"
        process.send_signal(number)
        done = shell.ended(process)
    finally:
        os.close(master)
    assert done.status == 130
    assert "interrupted" in done.err
    assert not shell.data.exists()


@pytest.mark.parametrize("arguments", [(), ("demo",), ("demo", "--drill", "calm")], ids=" ".join)
def test_the_console_without_a_terminal_says_so_and_ends(floor: Floor, arguments: tuple[str, ...]) -> None:
    done = floor.shell(*arguments)
    assert (done.status, done.out) == (2, "")
    assert "the console needs a terminal" in done.err
    assert "cancel-tui kill --yes" in done.err


def test_a_console_whose_terminal_goes_away_without_a_signal_ends(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
    shell = Shell(tmp_path, tmp_path / "none.toml", environment={"TERM": "xterm"})
    master, slave = pty.openpty()
    # Not the terminal that the process belongs to: nobody sends it a SIGHUP.
    process = subprocess.Popen(
        [sys.executable, "-m", "cancel_tui", "demo", "--orders", "5", "--still"],
        env=shell.env,
        cwd=tmp_path,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        shown = b""
        while b"PRACTICE" not in shown:
            shown += os.read(master, 65_536)
        os.close(master)
        assert process.wait(LIMIT) == 0
    finally:
        process.kill()
        process.wait()


def test_a_kill_that_nobody_can_be_asked_about_is_refused(floor: Floor, tmp_path: Path) -> None:
    shell = Shell(tmp_path, floor.shell.config)
    process = subprocess.run(
        ["/bin/sh", "-c", f"{command(shell, 'kill')} <&-"],
        env=shell.env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert process.returncode == 2
    assert "without a terminal say --yes" in process.stderr
