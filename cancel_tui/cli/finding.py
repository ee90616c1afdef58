"""What a check-up finds, and how long it waits for anything: never longer than it says."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    check: str
    venue: str | None
    """None for what concerns the whole machine."""
    ok: bool | None
    """True: good. False: something is wrong. None: worth knowing, or not to be found out."""
    detail: str
    remedy: str | None = None
    """What to do about it; there for everything that is not good."""
    ms: Mapping[str, int] | None = None
    """How long it took, in milliseconds, by what was done."""

    def json(self) -> dict[str, Any]:
        """The finding as `doctor --json` shows it."""
        return msgspec.structs.asdict(self)


async def within(seconds: float, work: Awaitable[T]) -> T | None:
    """The result, or None once the time is up."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        return None


async def aside(work: Callable[[], T], seconds: float) -> T | None:
    """The same for what blocks: a name server, a disk. One that never comes back is left behind.

    In a thread of its own that does not keep the program from ending, as the event loop's own would.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def deliver(result: T | None, fault: BaseException | None) -> None:
        if done.done():
            return
        if fault is not None:
            done.set_exception(fault)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, fault = None, None
        try:
            result = work()
        except Exception as error:
            fault = error
        # The loop may have ended meanwhile: nobody waits any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(deliver, result, fault)

    threading.Thread(target=run, name="check-up", daemon=True).start()
    return await within(seconds, done)
