"""A kill in the shell that is interrupted: nothing new leaves; what is in flight is waited for.

A signal that the caller had ignored stays ignored: under `nohup` a lost connection ends nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from cancel_tui import signals
from cancel_tui.cli import render
from cancel_tui.cli.waiting import waits_told
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.kill import Kill
from cancel_tui.text import literal

_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
_PATIENCE = 6.0
"""Seconds for answers to cancels that are in flight; a second signal ends them."""


Over = list[tuple[Kill, bool]]
"""A kill that is over, and whether it came to its end by itself; empty until then."""


async def carried_out(desk: Desk, kill: Kill, task: asyncio.Task[Any], over: Over | None = None) -> bool:
    """Wait for a kill that was started; False where a signal ended it early.

    `over` is told before a signal can end anything but the kill.
    """
    first, second = asyncio.Event(), asyncio.Event()

    def signalled() -> None:
        (second if first.is_set() else first).set()

    told: list[str] = []
    watching = asyncio.create_task(_journal_trouble(desk, told))
    try:
        with waits_told(desk):
            return await _carried(desk, kill, task, first, second, signalled, [] if over is None else over)
    finally:
        watching.cancel()
        if desk.journal.words and not told:
            render.warn(_shout(desk.journal.words))
        if desk.journal.missing:
            render.warn(
                f"JOURNAL: {desk.journal.missing} records are missing, they could not be written"
                f" ({desk.journal.trouble or 'it works again'})"
            )


async def _journal_trouble(desk: Desk, told: list[str]) -> None:
    """Say on standard error what is wrong with the record: the kill goes on all the same."""
    last: str | None = None
    while True:
        words = desk.journal.words
        if words != last:
            last = words
            render.warn(_shout(words) if words else "JOURNAL: works again")
            told += [words] if words else []
        await asyncio.sleep(0.1)


def _shout(words: str) -> str:
    return f"JOURNAL: {literal(words, 400)}; the cancels go on"


async def _carried(
    desk: Desk,
    kill: Kill,
    task: asyncio.Task[Any],
    first: asyncio.Event,
    second: asyncio.Event,
    signalled: Callable[[], None],
    over: Over,
) -> bool:
    ending = [name for name in _ENDING if not signals.ignored(name)]
    with signals.taken(dict.fromkeys(ending, signalled) | {"SIGTSTP": _stay}):
        if not await _either(task, first):
            over.append((kill, True))
            return True
        kill.stop(desk.clock.monotonic())
        render.warn("interrupted: no new cancel leaves; waiting for the answers to those in flight")
        drained = asyncio.create_task(_drained(kill))
        await _either(drained, second)
        drained.cancel()
        task.cancel()
        await asyncio.gather(task, drained, return_exceptions=True)
        kill.finished_wall = desk.clock.wall()
        over.append((kill, False))
        verdict = kill.verdict.value
        await desk.journal.record("kill_interrupted", sync=True, kill=kill.kill_id, verdict=verdict)
    return False


async def _either(task: asyncio.Task[Any], event: asyncio.Event) -> bool:
    """Wait for a task or an event; whether the event came first. What the task raised is raised."""
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if task.done():
        await task
    return not task.done()


async def _drained(kill: Kill) -> None:
    """Until no cancel is in flight, or patience is at its end."""
    changed = asyncio.Event()
    kill.watchers.append(changed.set)
    try:
        async with asyncio.timeout(_PATIENCE):
            while kill.cancelling:
                changed.clear()
                await changed.wait()
    except TimeoutError:
        render.warn("some cancels are not answered yet")
    finally:
        kill.watchers.remove(changed.set)


def _stay() -> None:
    """A request to suspend: while suspended, no cancel would leave."""
    render.warn("not suspended: a kill is under way; ^C ends it")
