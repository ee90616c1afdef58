"""Past the deadline nothing leaves any more that was still waiting for its turn."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cancel_tui.clock import ManualClock
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.lane import Lane
from cancel_tui.desk.sends import SendMemory
from cancel_tui.orders import Side
from cancel_tui.scope import Scope
from cancel_tui.settings import Budget
from cancel_tui.venues.base import CallClass, Capabilities, Message, Raw
from cancel_tui.venues.outcome import NotSent
from tests.desk.drive import stage

DEADLINE = 6.0


async def test_a_cancel_that_waits_for_budget_does_not_leave_after_the_deadline() -> None:
    clock = ManualClock(1_790_000_000.0)
    begun = clock.monotonic()
    capabilities = Capabilities(budgets={CallClass.CANCEL: Budget(1, 60)})
    lane = Lane("v", "http://127.0.0.1:9", capabilities, clock, Journal(None, clock), SendMemory(None, "k"))
    built: list[float] = []

    def build() -> Message:
        built.append(clock.monotonic())
        raise ValueError("not to be sent in this test")

    async def send() -> Raw:
        port = lane.port(Urgency.KILL, until=lambda: begun + DEADLINE)
        return await port.call(CallClass.CANCEL, build)

    await lane.admit(CallClass.CANCEL, Urgency.KILL)
    waiting = asyncio.create_task(send())
    for _ in range(1000):
        await asyncio.sleep(0)
        if waiting.done():
            break
        wake = clock.next_wake
        if wake is not None:
            clock.advance(wake - clock.monotonic())
    assert isinstance(await waiting, NotSent)
    assert clock.monotonic() - begun < DEADLINE + 1, "it must not wait on for budget either"
    assert built == []
    await lane.close()


async def test_what_waits_for_its_budget_when_an_interrupt_comes_does_not_leave() -> None:
    clock = ManualClock(1_790_000_000.0)
    begun = clock.monotonic()
    capabilities = Capabilities(budgets={CallClass.CANCEL: Budget(1, 60)})
    lane = Lane("v", "http://127.0.0.1:9", capabilities, clock, Journal(None, clock), SendMemory(None, "k"))
    until = [begun + 1000.0]

    def build() -> Message:
        raise AssertionError("it left")

    async def send() -> Raw:
        return await lane.port(Urgency.KILL, until=lambda: until[0]).call(CallClass.CANCEL, build)

    await lane.admit(CallClass.CANCEL, Urgency.KILL)
    waiting = asyncio.create_task(send())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    until[0] = begun
    lane.wake()
    for _ in range(20):
        await asyncio.sleep(0)
    assert waiting.done(), "at once, without the clock moving"
    assert isinstance(await waiting, NotSent)
    await lane.close()


async def test_an_interrupted_kill_does_not_wait_for_the_budget_of_what_may_not_leave(tmp_path: Path) -> None:
    extra = 'limits = { cancel = "1/300", cancel_all = "1/300" }\n'
    async with stage(tmp_path, 20, only="p99", alone=True, extra=extra) as at:
        scope = Scope(sides=frozenset(Side), older_than=at.clock.wall(), raw={})
        kill = at.desk.plan_kill(scope, deadline=600.0)
        task = at.desk.start(kill, {})
        await at.until(lambda: kill.cancelling and any(one.acknowledged_wall for one in kill.tracks()))
        stopped = at.clock.monotonic()
        kill.stop(stopped)
        await at.finish(task)
        assert at.clock.monotonic() - stopped < 20.0, "those that wait must not be waited for"
        assert kill.results()[0].requests["cancel"] == 1
