"""What a signal takes from a kill in the shell once it is over: time, never what is told of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import cast

import pytest

from cancel_tui import signals
from cancel_tui.cli import kill as command
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


async def over(kill: Kill, finished: bool) -> tuple[Kill, bool]:
    return kill, finished


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("finished", [True, False])
def test_one_that_comes_while_the_desk_closes_takes_nothing_from_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals, finished: bool
) -> None:
    kill, desk = planned(tmp_path), Closing(number)
    with signals.interrupting("SIGTERM", "SIGHUP"):
        status = concluded(cast("Desk", desk), over(kill, finished), as_json=True)
    assert not desk.closed, "it was cut short"
    assert json.loads(capsys.readouterr().out)["kill_id"] == kill.kill_id
    assert status == (command.STATUS[kill.verdict] if finished else INTERRUPTED)


def test_one_that_comes_before_it_is_over_is_an_interruption(tmp_path: Path) -> None:
    async def interrupted() -> tuple[Kill, bool]:
        signal.raise_signal(signal.SIGTERM)
        return planned(tmp_path), True

    with signals.interrupting("SIGTERM"), pytest.raises(KeyboardInterrupt):
        concluded(cast("Desk", Closing(signal.SIGTERM)), interrupted(), as_json=True)
