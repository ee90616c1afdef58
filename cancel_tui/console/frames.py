"""When the console looks at its desk: soon after something happened, and twice a second in any case.

A timer that fires at the rate of the fastest repaint costs more at rest than everything that is painted then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from math import inf

FRAMES = 10
"""The most looks at the desk per second; what happens after a pause is shown at once all the same."""
GATHER = 0.01
"""Seconds from what happened to its frame: what comes with it is shown in the same one."""
BETWEEN = 0.001
"""Seconds between the parts of one frame: a key that comes meanwhile goes all its way before the next."""
QUIET = 2
"""Frames per second while nothing happens. They divide a second, so that each second begins with one."""


class Frames:
    """Calls for a frame when one is due.

    `frame` tells how many seconds later the next one is due even if nothing happens, infinity for never; or
    None where that was only a part of the frame, and it is to be called again for the next one.
    """

    def __init__(self, frame: Callable[[], float | None]) -> None:
        self.late = 0.0
        """Seconds by which the last frame came later than it was due."""
        self.count = 0
        """Frames so far."""
        self._frame = frame
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: Context | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._due = inf
        self._last = -inf
        self._halfway = False
        """Whether a frame has begun that is not whole yet."""
        self._next_at = inf
        """When the one after it was asked for meanwhile."""

    def begin(self) -> None:
        """Frames from now on, each in the context of this call."""
        self._loop, self._context = asyncio.get_running_loop(), copy_context()
        self.wake()

    def end(self) -> None:
        """No frame any more."""
        if self._handle is not None:
            self._handle.cancel()
        self._loop = self._handle = None
        self._halfway, self._next_at = False, inf

    def wake(self) -> None:
        """Something happened: a frame as soon as the rate allows. Costs next to nothing, however often."""
        if self._loop is not None:
            self._plan(self._loop, max(self._loop.time() + GATHER, self._last + 1 / FRAMES))

    def _plan(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        """A frame at that time, unless there will be one before."""
        if self._halfway:
            self._next_at = min(self._next_at, at)
            return
        if self._handle is not None:
            if self._due <= at:
                return
            self._handle.cancel()
            self._handle = None
        if at < inf:
            self._due = at
            self._handle = loop.call_at(at, self._run, context=self._context)

    def _run(self) -> None:
        loop = self._loop
        if loop is None:
            return
        self._handle = None
        self._last = loop.time()
        self.late = self._last - self._due
        self.count += 1
        self._part()

    def _part(self) -> None:
        """Do the next part of the frame; what happens before its last one is for the frame after it."""
        loop = self._loop
        if loop is None:
            return
        self._handle, self._halfway = None, True
        pause = self._frame()
        if self._loop is not loop:
            return
        if pause is None:
            self._handle = loop.call_at(loop.time() + BETWEEN, self._part, context=self._context)
            return
        self._halfway = False
        next_at, self._next_at = min(self._next_at, self._last + pause), inf
        self._plan(loop, next_at)
