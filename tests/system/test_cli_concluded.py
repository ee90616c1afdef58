"""What a signal takes from a kill in the shell once it is over: time, never what is told of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, cast

import pytest

from cancel_tui import signals
from cancel_tui.cli import kill as command
from cancel_tui.cli.interrupt import Over, carried_out
from cancel_tui.cli.kill import concluded
from cancel_tui.cli.main import INTERRUPTED
from cancel_tui.cli.session import practice_credentials
from cancel_tui.clock import ManualClock
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.kill import Kill
from cancel_tui.scope import Scope
from cancel_tui.settings import parse_settings

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

VENUE = '[venues.one]\nkind = "p99-spot"\nbase_url = "http://127.0.0.1:9"\n'


class Closing:
    """A desk that a signal finds closing."""

    def __init__(self, number: signal.Signals) -> None:
        self._number = number
        self.closed = False

    async def close(self) -> None:
        signal.raise_signal(self._number)
        await asyncio.sleep(0)
        self.closed = True


def planned(folder: Path) -> Kill:
    settings, clock = parse_settings(VENUE, folder / "c.toml"), ManualClock(1_790_000_000.0)
    desk = Desk(settings, clock, folder / "data", practice_credentials)
    return desk.plan_kill(Scope(raw={}), deadline=10.0)


async def ended(kill: Kill, finished: bool) -> tuple[Kill, bool]:
    return kill, finished


class Journal:
    """Remembers what is recorded; a signal comes meanwhile."""

    words = ""
    missing = 0

    def __init__(self, number: signal.Signals) -> None:
        self._number = number
        self.kinds: list[str] = []

    async def record(self, kind: str, **_: object) -> None:
        signal.raise_signal(self._number)
        await asyncio.sleep(0.01)
        self.kinds.append(kind)


class Quiet:
    """A desk without venues."""

    def __init__(self, number: signal.Signals) -> None:
        self.journal = Journal(number)
        self.clock = ManualClock(1_790_000_000.0)
        self.slots: dict[str, object] = {}

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.create_task(work)

    async def close(self) -> None:
        pass


async def carried(
    desk: Desk, kill: Kill, over: Over, number: signal.Signals, early: bool
) -> tuple[Kill, bool]:
    """A kill that is carried out, by itself or until a signal, and a signal at what is done behind it."""
    loop = asyncio.get_running_loop()
    if early:
        task = asyncio.create_task(asyncio.Event().wait())
        loop.call_soon(loop.call_soon, signal.raise_signal, number)
    else:
        task = asyncio.create_task(asyncio.sleep(0, True))
    finished = await carried_out(desk, kill, task, over)
    signal.raise_signal(number)
    await asyncio.sleep(0)
    assert not over, "the signal cuts short what is done behind it"
    return kill, finished


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("finished", [True, False])
def test_one_that_comes_while_the_desk_closes_takes_nothing_from_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals, finished: bool
) -> None:
    kill, desk = planned(tmp_path), Closing(number)
    with signals.interrupting("SIGTERM", "SIGHUP"):
        status = concluded(cast("Desk", desk), ended(kill, finished), [], as_json=True)
    assert not desk.closed, "it was cut short"
    assert json.loads(capsys.readouterr().out)["kill_id"] == kill.kill_id
    assert status == (command.STATUS[kill.verdict] if finished else INTERRUPTED)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("early", [True, False])
def test_one_that_comes_right_behind_the_kill_takes_nothing_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals, early: bool
) -> None:
    kill, quiet, over = planned(tmp_path), Quiet(number), list[tuple[Kill, bool]]()
    desk = cast("Desk", quiet)
    with signals.interrupting("SIGTERM", "SIGHUP"):
        status = concluded(desk, carried(desk, kill, over, number, early), over, as_json=True)
    assert json.loads(capsys.readouterr().out)["kill_id"] == kill.kill_id
    assert status == (INTERRUPTED if early else command.STATUS[kill.verdict])
    assert quiet.journal.kinds == ["kill_interrupted"] * early


def test_one_that_comes_before_it_is_over_is_an_interruption(tmp_path: Path) -> None:
    async def interrupted() -> tuple[Kill, bool]:
        signal.raise_signal(signal.SIGTERM)
        return planned(tmp_path), True

    with signals.interrupting("SIGTERM"), pytest.raises(KeyboardInterrupt):
        concluded(cast("Desk", Closing(signal.SIGTERM)), interrupted(), [], as_json=True)
