"""The whole program, searched byte by byte for whatever the venues were told in confidence.

Every command runs as a process of its own against practice venues of this process, which overhear what
travels: with every logger at debug level, faults of our own in adapter, desk and console, and every
proxy variable pointing at a trap.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from cancel_tui.clock import SystemClock
from cancel_tui.practice.catalogue import known, sort_out
from cancel_tui.practice.cluster import KINDS, Cluster
from cancel_tui.practice.venue import PracticeVenue
from tests.overheard import VENUES, Overheard, listen_in
from tests.system.shell import ROOT

LIMIT = 60.0
"""Seconds after which a command that has not ended is a failed test."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "WSS_PROXY")
NOBODY = "0b0e7b52-1d3f-4a6c-9e0b-3c1f8d6a2b47"


@dataclass
class Floor:
    """Practice venues, a home, and everything that was produced in it."""

    home: Path
    heard: Overheard
    cluster: Cluster
    trap: str
    trapped: list[bytes] = field(default_factory=list)
    produced: dict[str, bytes] = field(default_factory=dict)
    """What a command printed and what the system shows of it, by command."""
    statuses: dict[str, int] = field(default_factory=dict)

    def environment(self, crash: str, heard: Path | None) -> dict[str, str]:
        """As little as a program needs, and whatever could make it talk."""
        found = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
        found |= {
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "PYTHONPATH": str(ROOT),
            "PYTHONASYNCIODEBUG": "1",
            "PYTHON_KEYRING_BACKEND": "tests.system.file_keyring.FileKeyring",
            "TEST_KEYRING_FILE": str(self.home.parent / "keyring.json"),
            "CANCEL_TUI_CONFIG": str(self.home / "config.toml"),
            "CANCEL_TUI_DATA_DIR": str(self.home / "data"),
            "SSLKEYLOGFILE": str(self.home / "sslkeys.txt"),
            "TEXTUAL_LOG": str(self.home / "textual.txt"),
            "CANARY_CRASH": crash,
            "CANARY_HEARD": str(heard or ""),
        }
        for name in PROXIES:
            found[name] = found[name.lower()] = self.trap
        return found

    async def run(
        self, *arguments: str, stdin: str = "", crash: str = "", heard: Path | None = None
    ) -> bytes:
        """Run a command to its end; what it printed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.system.canary_child", *arguments),
            env=self.environment(crash, heard),
            cwd=self.home,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        name = " ".join([*arguments, crash and f"({crash} fails)"]).strip()
        watching = asyncio.create_task(self._watch(name, process.pid))
        # Whoever waits for a venue that never says anything readable is interrupted, as a person would.
        impatience = asyncio.get_running_loop().call_later(LIMIT / 3, _interrupt, process)
        try:
            async with asyncio.timeout(LIMIT):
                printed, _ = await process.communicate(stdin.encode())
        except TimeoutError:
            raise AssertionError(f"{name} did not end") from None
        finally:
            watching.cancel()
            impatience.cancel()
            with suppress(ProcessLookupError):
                process.kill()
        self._keep(name, printed, process.returncode or 0)
        return printed

    def _keep(self, name: str, printed: bytes, status: int) -> None:
        self.produced[name] = self.produced.get(name, b"") + printed
        self.statuses[name] = status
        assert b"Traceback" not in printed, printed.decode("utf-8", "replace")[-3000:]

    async def _watch(self, name: str, pid: int) -> None:
        """What anybody on the machine can see of the process and of its children."""
        seen: set[bytes] = set()
        while True:
            seen |= _shown(pid)
            self.produced[f"/proc of {name}"] = b"\n".join(seen)
            await asyncio.sleep(0.1)

    async def console(self, *keys: tuple[str, str], crash: str = "") -> bytes:
        """The console on a terminal of its own: wait for words to be painted, type, wait for its end."""
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.system.canary_child"),
            env=self.environment(crash, None),
            cwd=self.home,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        os.set_blocking(master, False)
        painted, seen, begun = b"", 0, monotonic()
        waiting = [*keys, ("", "")]
        try:
            while waiting:
                words, typed = waiting[0]
                try:
                    painted += os.read(master, 65_536)
                except BlockingIOError:
                    await asyncio.sleep(0.02)
                except OSError:  # its end is closed
                    break
                if words and words.encode() in painted[seen:]:
                    waiting.pop(0)
                    seen = len(painted)
                    for key in typed:
                        os.write(master, key.encode())
                        await asyncio.sleep(0.15)
                late = painted.decode("utf-8", "replace")[-2000:]
                assert monotonic() - begun < LIMIT, f"no {words!r} in {late!r}"
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            os.close(master)
        self._keep(f"console {crash and f'({crash} fails)'}".strip(), painted, process.returncode or 0)
        return painted

    def left(self) -> bytes:
        """Names and contents of everything that lies in the home."""
        files = [path for path in self.home.rglob("*") if path.is_file()]
        return b"\n".join([*(str(path).encode() for path in files), *(path.read_bytes() for path in files)])

    def assert_silent(self) -> None:
        """Nothing secret anywhere, and not a byte to the proxy."""
        for name, found in {**self.produced, "what is left": self.left()}.items():
            assert (name, self.heard.found_in(found.decode("utf-8", "replace"))) == (name, [])
        assert self.trapped == []
        assert not (self.home / "sslkeys.txt").exists()
        assert not (self.home / "textual.txt").exists()


def _interrupt(process: asyncio.subprocess.Process) -> None:
    # Where whoever started these tests has ^C ignored, as a shell does for what runs behind it, so do they.
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM if ignored else signal.SIGINT)


def _shown(pid: int) -> set[bytes]:
    found = set()
    for one in (pid, *_children(pid)):
        for what in ("cmdline", "environ"):
            with suppress(OSError):
                found.add(Path(f"/proc/{one}/{what}").read_bytes())
    return found


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _again(venue: PracticeVenue, faults: tuple[str, ...]) -> PracticeVenue:
    plan = replace(venue.plan, orders=6, enforce_limits=False, faults=faults)
    return type(venue)(SystemClock(), plan)


@asynccontextmanager
async def floor(
    folder: Path, monkeypatch: pytest.MonkeyPatch, faults: tuple[str, ...] = ()
) -> AsyncIterator[Floor]:
    """Five venues, whose keys lie in a keyring, and a proxy that nobody may use."""
    heard, cluster = listen_in(monkeypatch), Cluster(0)
    mine = sort_out(faults, KINDS)
    cluster.venues = [_again(one, mine[type(one).name]) for one in cluster.venues]
    trapped: list[bytes] = []

    async def trap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        trapped.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(trap, "127.0.0.1", 0)
    home = folder / "home"
    home.mkdir()
    await cluster.start()
    try:
        text = cluster.configuration().replace('credentials = "practice"', "settle_seconds = 0.2")
        # Several commands share the budgets of a minute: none of them is to wait for another.
        text = text.replace("[venues.cs-fut]\n", '[venues.cs-fut]\nlimits = { list = "none" }\n')
        (home / "config.toml").write_text(text)
        (home / "config.toml").chmod(0o600)
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        here = Floor(home, heard, cluster, address, trapped)
        for venue in cluster.venues:
            for name, value in venue.credentials().items():
                heard.take(venue.name, f"own {name}", value)
        yield here
    finally:
        await cluster.stop()
        server.close()


async def stored(here: Floor) -> None:
    """Every venue's keys, through the program's own door."""
    for venue in here.cluster.venues:
        printed = await here.run(
            "keys", "set", venue.name, "--from-stdin", stdin=json.dumps(dict(venue.credentials()))
        )
        assert here.statuses[f"keys set {venue.name} --from-stdin"] == 0, printed


async def beside(*work: Coroutine[Any, Any, object]) -> None:
    """A few at a time."""
    gate = asyncio.Semaphore(3)

    async def one(task: Coroutine[Any, Any, object]) -> None:
        async with gate:
            await task

    async with asyncio.TaskGroup() as group:
        for task in work:
            group.create_task(one(task))


def overheard_in_child(here: Floor, path: Path) -> None:
    """Take in what the practice venues of another process were told."""
    for venue, names in json.loads(path.read_text()).items():
        for name, values in names.items():
            for value in values:
                here.heard.take(venue, name, value)


def assert_meant_something(here: Floor) -> None:
    """Secrets travelled, faults struck, files were written."""
    assert all(here.heard.secrets[name] for name in VENUES)
    assert b"request" in here.left()
    for name, printed in here.produced.items():
        # A console survives a fault below it; its journal tells of that.
        survives = name in ("console (adapter fails)", "console (listing fails)")
        if "fails)" in name and not survives and not name.startswith("/proc"):
            assert b"RuntimeError" in printed, name


async def test_no_command_and_no_crash_leaves_a_secret_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with floor(tmp_path, monkeypatch) as here:
        await stored(here)
        await beside(
            here.run("orders", "--json", crash="adapter"),
            here.run("orders", crash="desk"),
            here.run("kill", "--yes", "--json", "--reason", "canary"),
            *(here.console(crash=crash) for crash in ("console", "screen")),
        )
        await beside(
            here.run("journal", "export", "--json"),
            here.run("support", "--yes", "--output", str(here.home / "support.json")),
        )
        assert here.statuses["kill --yes --json --reason canary"] == 0
        assert (here.home / "support.json").stat().st_size > 1000
        assert_meant_something(here)
        here.assert_silent()


@pytest.mark.long
async def test_every_command_and_every_crash_leaves_no_secret_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with floor(tmp_path, monkeypatch) as here:
        await stored(here)
        # The whole way of a kill on the screen: armed, typed, proven, left. What comes before the first paint
        # does not count, and Enter on a part of the word begins it anew: so the word comes twice.
        await here.console(("cs-spot", "\x0b"), ("and press Enter", "KILL\rKILL\r"), ("F L A T", "\x11\x11"))
        children = [tmp_path / f"heard-{number}.json" for number in range(2)]
        await beside(
            here.run("orders"),
            here.run("orders", "--json"),
            here.run("doctor"),
            here.run("doctor", "--json"),
            here.run("keys", "list"),
            here.run("keys", "test"),
            here.run("cancel", "p99", NOBODY, "--json"),
            here.run("kill", "--venue", "nobody", "--yes"),
            here.run("demo", "--drill", "calm", "--auto", heard=children[0]),
            here.run("demo", "--drill", "lying-cancel-all", "--auto", heard=children[1]),
            *(here.run("orders", crash=crash) for crash in ("adapter", "listing")),
            *(here.run("kill", "--yes", "--deadline", "3", crash=crash) for crash in ("adapter", "desk")),
            *(here.console(crash=crash) for crash in ("console", "screen")),
            *(here.console(("OPEN", "\x11\x11"), crash=crash) for crash in ("adapter", "listing")),
        )
        await beside(
            here.run("kill", "--yes", "--json"),
            here.run("journal", "show"),
            here.run("journal", "verify"),
            here.run("journal", "export", "--json"),
            here.run("support", "--yes", "--output", str(here.home / "support.json")),
            here.run("keys", "delete", "cs-spot", "--yes"),
        )
        for one in children:
            overheard_in_child(here, one)
        assert_meant_something(here)
        here.assert_silent()


@pytest.mark.long
@pytest.mark.parametrize("fault", sorted({name for kind in KINDS for name in known(kind)}))
async def test_no_command_leaves_a_secret_anywhere_whatever_the_venues_do(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with floor(tmp_path, monkeypatch, (fault,)) as here:
        await stored(here)
        await beside(
            here.run("orders", "--json"),
            here.run("kill", "--yes", "--json", "--deadline", "2"),
            here.run("cancel", "p99", NOBODY, "--json"),
            here.run("keys", "test"),
            here.run("doctor", "--json"),
        )
        await here.run("journal", "export", "--json")
        here.assert_silent()
