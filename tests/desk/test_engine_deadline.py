"""Past the deadline nothing leaves any more that was still waiting for its turn."""

from __future__ import annotations

import asyncio

from cancel_tui.clock import ManualClock
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.lane import Lane, Urgency
from cancel_tui.desk.sends import SendMemory
from cancel_tui.settings import Budget
from cancel_tui.venues.base import CallClass, Capabilities, Message, Raw
from cancel_tui.venues.outcome import NotSent

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
