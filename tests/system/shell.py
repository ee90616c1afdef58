"""The program as a person at a shell meets it: processes, their exit statuses and what they print."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
LIMIT = 120.0
"""Seconds after which a process that has not ended is a failed test."""


_IN_TERMINAL = (
    "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "from cancel_tui.__main__ import main; main()"
)
"""Standard input becomes the terminal that the process belongs to: its interrupt key interrupts."""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output; anything beside it fails."""
        return json.loads(self.out)


@dataclass
class Shell:
    """Runs commands with a home, a configuration and a data directory of their own."""

    home: Path
    config: Path
    keyring: str = "FileKeyring"
    secrets: set[str] = field(default_factory=set)
    """What must appear nowhere."""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """Where journal and sends go."""
        return self.home / "data"

    @property
    def env(self) -> dict[str, str]:
        """Nothing of the machine's own configuration reaches a test."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        return {
            **kept,
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "PYTHON_KEYRING_BACKEND": f"tests.system.file_keyring.{self.keyring}",
            "TEST_KEYRING_FILE": str(self.home / "keyring.json"),
            "CANCEL_TUI_CONFIG": str(self.config),
            "CANCEL_TUI_DATA_DIR": str(self.data),
            **self.environment,
        }

    def start(
        self, *arguments: str, stdin: int = subprocess.DEVNULL, terminal: bool = False
    ) -> subprocess.Popen[str]:
        """Start a command; with `terminal`, standard input is the one that it belongs to."""
        return subprocess.Popen(
            [sys.executable, *(("-c", _IN_TERMINAL) if terminal else ("-m", "cancel_tui")), *arguments],
            env=self.env,
            cwd=self.home,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=terminal,
        )

    def __call__(self, *arguments: str, stdin: str | None = None) -> Done:
        """Run a command to its end."""
        process = self.start(*arguments, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE)
        return self.ended(process, stdin)

    def ended(self, process: subprocess.Popen[str], stdin: str | None = None) -> Done:
        """Wait for the end; a traceback or a secret in what was printed fails the test."""
        try:
            out, err = process.communicate(stdin, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return self.checked(Done(process.returncode, out, err))

    def checked(self, done: Done) -> Done:
        """The same, once it is known to hold neither a traceback nor a secret."""
        assert "Traceback" not in done.err, done.err
        assert "internal fault" not in done.err, done.err
        for secret in self.secrets:
            assert secret not in done.out + done.err
        return done

    def typed(self, *arguments: str, answers: Iterable[tuple[str, str]]) -> tuple[Done, str]:
        """Run with a terminal as standard input; wait for each prompt, then type. And what was echoed."""
        pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
        master, slave = pty.openpty()
        process = self.start(*arguments, stdin=slave, terminal=True)
        os.close(slave)
        assert process.stderr is not None
        handle, err = process.stderr.fileno(), b""
        try:
            for prompt, answer in answers:
                while prompt.encode() not in err:
                    assert select.select([handle], [], [], LIMIT)[0], f"no {prompt!r} in {err!r}"
                    err += os.read(handle, 65_536)
                os.write(master, answer.encode())
            done = self.ended(process)
            echoed = b""
            while select.select([master], [], [], 0)[0]:
                try:
                    echoed += os.read(master, 65_536)
                except OSError:  # the other end is closed
                    break
        finally:
            os.close(master)
        return self.checked(Done(done.status, done.out, err.decode() + done.err)), echoed.decode()

    def leaks(self) -> list[str]:
        """Files of the data directory that hold a secret."""
        files = [path for path in self.data.rglob("*") if path.is_file()]
        return [
            str(path)
            for path in files
            for secret in self.secrets
            if secret.encode() in path.read_bytes() or secret in path.name
        ]


@dataclass
class Floor:
    """Practice venues in a process of their own, and a shell whose configuration points at them."""

    shell: Shell
    origins: dict[str, str]

    def live(self, venue: str) -> dict[str, dict[str, str]]:
        """What is really live at a venue, by id."""
        return {one["order_id"]: one for one in told_by(self.origins[venue], "/_practice/truth")["live"]}

    def endings(self, venue: str) -> dict[str, dict[str, str]]:
        """What is over at a venue, by id."""
        return {one["order_id"]: one for one in told_by(self.origins[venue], "/_practice/truth")["finished"]}


def told_by(origin: str, path: str) -> Any:
    """What a practice server tells at an address of its own."""
    connection = http.client.HTTPConnection(origin, timeout=10)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


@contextmanager
def practice(home: Path, *options: str) -> Iterator[Floor]:
    """Practice venues for as long as the block lasts; verdicts settle fast."""
    home.mkdir(parents=True, exist_ok=True)
    config = home / "config.toml"
    shell = Shell(home, config)
    written = home / "written.toml"
    process = shell.start("practice", "--still", "--write-config", str(written), *options)
    try:
        until = time.monotonic() + LIMIT
        while not written.exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        text = written.read_text()
        tables = tomllib.loads(text)["venues"]
        text = re.sub(r"(?m)^credentials = .*$", r"\g<0>\nsettle_seconds = 0.2", text)
        config.write_text(text)
        origins = {name: urlsplit(table["base_url"]).netloc for name, table in tables.items()}
        for origin in origins.values():
            for value in told_by(origin, "/_practice/credentials").values():
                shell.secrets |= {line for line in value.splitlines() if not line.startswith("-----")}
        yield Floor(shell, origins)
    finally:
        process.send_signal(signal.SIGINT)
        shell.ended(process)
