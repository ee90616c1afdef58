"""Daemon threads for everything that touches the keyring.

Not asyncio's default threads: names are resolved in those, and a few hung keyring calls would stop every
new connection. Daemons, because a hung call must not keep the process from ending.

One thread does, as long as it gets on: not every backend bears two calls at once. Where a call is held up, by
a prompt for one entry that nobody answers, what waits behind it goes on in another thread.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from cancel_tui.vault.errors import Boundary, VaultError, unresponsive

T = TypeVar("T")
HELD_UP = 0.25
"""Seconds in one call after which it counts as held up."""
MOST_THREADS = 8
"""Threads beside each other; as many entries may wait for a person before others wait for them."""


class Call(Generic[T]):
    """One call of the keyring and its answer, which any number may wait for."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.answer: Future[T] = Future()
        self.began: float | None = None
        """Monotonic seconds at which a thread took it."""
        self._work = work

    def run(self) -> None:
        """Do it, unless nobody wants it any more."""
        if not self.answer.set_running_or_notify_cancel():
            return
        self.began = time.monotonic()
        with Boundary() as boundary:
            self.answer.set_result(self._work())
        if boundary.error is not None:
            self.answer.set_exception(boundary.error)

    def refuse(self, error: VaultError) -> None:
        """Answer with an error."""
        if self.answer.set_running_or_notify_cancel():
            self.answer.set_exception(error)


class Worker:
    """Threads that run one call after the other, and can be left behind when they hang."""

    def __init__(self, limit_seconds: float) -> None:
        self.spreads = False
        """Whether calls may go on beside one that is held up."""
        self._limit = limit_seconds
        self._calls: SimpleQueue[Call[Any] | None] = SimpleQueue()
        self._at_work: dict[int, Call[Any]] = {}
        """Thread → the call that it is in."""
        self._threads = 0
        self._abandoned = threading.Event()
        self._grow()

    @property
    def wanted(self) -> bool:
        """Somebody still waits for these threads' answers."""
        return not self._abandoned.is_set()

    @property
    def busy(self) -> bool:
        """A thread is in a call."""
        return bool(self._at_work)

    def abandon(self) -> None:
        """Let the threads end after the calls that they are in, if those ever return."""
        self._abandoned.set()
        for _ in range(self._threads):
            self._calls.put(None)

    def submit(self, work: Callable[[], T]) -> Call[T]:
        """Let a thread do it in its turn."""
        call = Call(work)
        self._calls.put(call)
        return call

    async def answer(self, call: Call[T]) -> T:
        """Wait for its answer; raises Unresponsive once it has run, or waited behind others, too long.

        What is measured is the call that a thread is in, not the wait in the queue: five slow but healthy
        reads in a row are not a hung keyring.
        """
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def tell(_: Future[T]) -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(done.set)

        call.answer.add_done_callback(tell)
        while not call.answer.done():
            left = self._left(call)
            if left <= 0:
                raise unresponsive(self._limit)
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await done.wait()
        return call.answer.result()

    def _left(self, call: Call[Any]) -> float:
        """Seconds until it is worth another look at a call; 0 where it has taken too long."""
        now = time.monotonic()
        if call.began is not None:
            return self._limit - (now - call.began)
        ages = [now - one.began for one in list(self._at_work.values()) if one.began is not None]
        if len(ages) < self._threads:
            return HELD_UP
        if self.spreads and min(ages) >= HELD_UP and self._threads < MOST_THREADS:
            self._grow()
            return HELD_UP
        return min(HELD_UP, self._limit - min(ages))

    def _grow(self) -> None:
        number, self._threads = self._threads, self._threads + 1
        threading.Thread(target=self._serve, args=(number,), name="cancel-tui-keyring", daemon=True).start()

    def _serve(self, number: int) -> None:
        while (call := self._calls.get()) is not None:
            if self._abandoned.is_set():
                call.refuse(unresponsive(self._limit))
                continue
            self._at_work[number] = call
            call.run()
            del self._at_work[number]
