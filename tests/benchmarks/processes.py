"""Whole processes, measured from outside: the practice venues beside them, shells, and pseudo-terminals."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.ring import VARIABLE

ROOT = Path(__file__).parents[2]
LIMIT = 60.0
"""Seconds after which something that has not come never will."""
COLUMNS, LINES = 120, 40


@dataclass
class Venues:
    """Practice venues in another process, and what a client of theirs needs."""

    process: subprocess.Popen[str]
    home: Path
    env: Mapping[str, str]

    def ask(self, command: str) -> Any:
        """Carry out one of the commands of `venue_process`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def fresh(self) -> dict[str, str]:
        """The environment of a program that was never run before: a data directory of its own."""
        data = tempfile.mkdtemp(dir=self.home)
        return {**self.env, "CANCEL_TUI_DATA_DIR": data}


def environment(home: Path, **more: str) -> dict[str, str]:
    """What every measured process gets; its byte code is kept, as that of an installed program is."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / f"benchmark-bytecode-{os.getuid()}"),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        **more,
    }


@contextmanager
def venues(orders: int) -> Iterator[Venues]:
    """Practice venues for as long as the block lasts."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.venue_process", "--orders", str(orders)],
            env=environment(home),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            config = home / "config.toml"
            config.write_text(told["configuration"], encoding="utf-8")
            more = {
                "PYTHON_KEYRING_BACKEND": "tests.benchmarks.ring.EnvironmentKeyring",
                VARIABLE: json.dumps(told["keyring"]),
                "CANCEL_TUI_CONFIG": str(config),
            }
            yield Venues(process, home, environment(home, **more))
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(LIMIT)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took, milliseconds."""

    wall: float
    cpu: float


def timed(command: Sequence[str], env: Mapping[str, str], *, status: int = 0) -> Cost:
    """Run a process to its end; raises RuntimeError where it ends otherwise than it should."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = started(command, env, errors.fileno())
        _, ended, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(ended)
        if process.returncode != status:
            errors.seek(0)
            raise RuntimeError(f"{command[1:4]} ended with {process.returncode}: {errors.read()[-500:]!r}")
    return Cost(wall * 1000, (used.ru_utime + used.ru_stime) * 1000)


def started(
    command: Sequence[str], env: Mapping[str, str], errors: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start a process whose output nobody reads."""
    return subprocess.Popen(
        command,
        env=dict(env),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
    )


def cpu(pid: int) -> float:
    """Seconds of processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Terminal:
    """A process on a pseudo-terminal of its own."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], *, pass_fds: Sequence[int] = ()
    ) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            env=dict(env),
            cwd=ROOT,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            pass_fds=pass_fds,
        )
        os.close(slave)
        self.written = bytearray()
        """Everything that it wrote so far."""

    def read(self, seconds: float) -> bool:
        """Take what it has written; False where nothing came in time, or it has ended."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            piece = os.read(self.master, 1 << 20)
        except OSError:  # the other end is closed
            return False
        self.written += piece
        return bool(piece)

    def until(self, shown: Callable[[bytearray], bool]) -> float:
        """Read until what was written satisfies; milliseconds since the start. Raises TimeoutError."""
        end = time.monotonic() + LIMIT
        while not shown(self.written):
            if not self.read(1.0) and (time.monotonic() > end or self.process.poll() is not None):
                raise TimeoutError(f"it never came; the last of what was written: {self.written[-300:]!r}")
        return (time.perf_counter() - self.begun) * 1000

    def quiet(self, seconds: float) -> None:
        """Go on reading for so long, so that the process never waits for its terminal."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)

    def cpu(self) -> float:
        """Seconds of processor time that it has used so far."""
        return cpu(self.process.pid)

    def memory(self) -> int:
        """Bytes of memory that it occupies."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def end(self) -> float:
        """End it; the processor time that it used in all, milliseconds."""
        self.process.kill()
        _, ended, used = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(ended)
        with contextlib.suppress(OSError):
            os.close(self.master)
        return (used.ru_utime + used.ru_stime) * 1000
