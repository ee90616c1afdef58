"""A signal during a kill: no new cancel, a bounded wait for those in flight, and an honest end."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from cancel_tui.cli import interrupt
from cancel_tui.cli.interrupt import carried_out
from cancel_tui.clock import SystemClock
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.engine import Aim, Engine
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.runner import VenueRun
from cancel_tui.orders import Family, OrderId, OrderKey, VenueName
from cancel_tui.redaction import Secret
from cancel_tui.scope import Scope
from cancel_tui.settings import Settings, VenueSettings
from cancel_tui.venues.base import Capabilities

KEY = OrderKey(VenueName("v"), None, Family.ORDER, OrderId("1"))


class Run(VenueRun):
    """A runner of which only the engine counts; its cancel stays in flight until it is told."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def stop(self, now: float) -> None:
        self.engine.deadline = now


async def no_credentials(_: VenueSettings) -> dict[str, Secret]:
    return {}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    settings = Settings(path=tmp_path / "c.toml", venues=())
    found = Desk(settings, SystemClock(), None, no_credentials)
    found.journal = Journal(tmp_path, SystemClock())
    return found


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
async def test_a_signal_waits_for_the_cancel_in_flight_and_starts_no_other(desk: Desk, name: str) -> None:
    now = desk.clock.monotonic()
    engine = Engine(VenueName("v"), Capabilities(), Aim(Scope(keys=frozenset({KEY})), by_id=True), now)
    engine.next(now)
    assert engine.cancelling
    kill = Kill(Scope(), desk.clock.wall(), runs={VenueName("v"): Run(engine)})
    running = asyncio.create_task(asyncio.Event().wait())
    waiting = asyncio.create_task(carried_out(desk, kill, running))
    await asyncio.sleep(0)
    os.kill(os.getpid(), getattr(signal, name))
    for _ in range(200):
        await asyncio.sleep(0.005)
        if engine.expired(desk.clock.monotonic()):
            break
    assert engine.expired(desk.clock.monotonic())
    assert not waiting.done(), "the answer is still to come"
    engine._cancels_flying.clear()
    for watcher in kill.watchers:
        watcher()
    assert await asyncio.wait_for(waiting, 5.0) is False
    assert running.cancelled()
    assert kill.finished_wall is not None
    await desk.close()


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
async def test_a_second_signal_waits_for_no_answer(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupt, "_PATIENCE", 600.0)
    now = desk.clock.monotonic()
    engine = Engine(VenueName("v"), Capabilities(), Aim(Scope(keys=frozenset({KEY})), by_id=True), now)
    engine.next(now)
    kill = Kill(Scope(), desk.clock.wall(), runs={VenueName("v"): Run(engine)})
    waiting = asyncio.create_task(carried_out(desk, kill, asyncio.create_task(asyncio.Event().wait())))
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    told = ""
    for _ in range(2000):
        await asyncio.sleep(0.005)
        told += capsys.readouterr().err
        if "waiting for the answers" in told:
            break
    assert "waiting for the answers" in told
    assert engine.cancelling
    os.kill(os.getpid(), signal.SIGHUP)
    assert await asyncio.wait_for(waiting, 10) is False
    assert engine.cancelling, "its answer never came"
    await desk.close()


async def test_a_kill_that_comes_to_its_end_says_so(desk: Desk) -> None:
    kill = Kill(Scope(), desk.clock.wall())
    assert await carried_out(desk, kill, asyncio.create_task(asyncio.sleep(0))) is True
    await desk.close()


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
async def test_a_kill_is_not_suspended_and_says_so(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    kill, over = Kill(Scope(), desk.clock.wall()), asyncio.Event()
    # Should the kill not take it, the test goes on all the same.
    before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        waiting = asyncio.create_task(carried_out(desk, kill, asyncio.create_task(over.wait())))
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGTSTP)
        said = ""
        for _ in range(200):
            await asyncio.sleep(0.005)
            said += capsys.readouterr().err
            if said:
                break
        assert "not suspended" in said
        assert not waiting.done()
        over.set()
        assert await asyncio.wait_for(waiting, 5.0) is True
    finally:
        signal.signal(signal.SIGTSTP, before)
    await desk.close()
