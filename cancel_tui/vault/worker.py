"""One daemon thread for everything that touches the keyring.

Not asyncio's default threads: names are resolved in those, and a few hung keyring calls would stop every
new connection. A daemon, because a hung call must not keep the process from ending.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

from cancel_tui.vault.errors import Boundary, VaultError, unresponsive

T = TypeVar("T")


class _Job:
    """A call and the future that its caller waits for."""

    def __init__(self, work: Callable[[], T], future: Future[T]) -> None:
        def run() -> None:
            with Boundary() as boundary:
                future.set_result(work())
            if boundary.error is not None:
                future.set_exception(boundary.error)

        self._run = run
        self._refuse: Callable[[VaultError], None] = future.set_exception
        self._begin = future.set_running_or_notify_cancel

    def run(self) -> None:
        """Do it, unless the caller has gone."""
        if self._begin():
            self._run()

    def refuse(self, error: VaultError) -> None:
        """Answer with an error."""
        if self._begin():
            self._refuse(error)


class Worker:
    """A thread that runs one call after the other, and can be left behind when one of them hangs."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit = limit_seconds
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._began: float | None = None
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="cancel-tui-keyring", daemon=True)
        self._thread.start()

    @property
    def wanted(self) -> bool:
        """Somebody still waits for this thread's answers."""
        return not self._abandoned.is_set()

    @property
    def busy(self) -> bool:
        """The thread is in a call."""
        return self._began is not None and self._thread.is_alive()

    def abandon(self) -> None:
        """Let the thread end after the call that it is in, if that ever returns."""
        self._abandoned.set()
        self._jobs.put(None)

    async def call(self, work: Callable[[], T]) -> T:
        """Run in the thread and wait; raises Unresponsive once any call has run longer than the limit.

        What is measured is the call that the thread is in, not the wait in its queue: five slow but
        healthy reads in a row are not a hung keyring, and one hung read fails everybody behind it at once.
        """
        future: Future[T] = Future()
        self._jobs.put(_Job(work, future))
        waiter = asyncio.wrap_future(future)
        try:
            while True:
                left = self._limit - self._age()
                if left <= 0:
                    raise unresponsive(self._limit)
                done, _ = await asyncio.wait({waiter}, timeout=left)
                if done:
                    return waiter.result()
        finally:
            waiter.cancel()

    def _age(self) -> float:
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._abandoned.is_set():
                job.refuse(unresponsive(self._limit))
                continue
            self._began = time.monotonic()
            job.run()
            self._began = None
