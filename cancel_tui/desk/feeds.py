"""One supervision for every push stream: what counts as alive, when to connect again, what to re-read.

An open socket proves nothing. A stream is live while something is heard within its rhythm: data, or the
answer to a ping. What it says is a hint: it moves the screen, and makes the desk look at once where it would
have looked in a moment; the lists and the read-backs remain the proof, and polling never stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING

import msgspec

from cancel_tui.desk.pacing import backoff, jitter
from cancel_tui.venues.outcome import Failure, Unanswered, Unauthorised, describe

if TYPE_CHECKING:
    from cancel_tui.clock import Clock
    from cancel_tui.orders import Order
    from cancel_tui.venues.base import Port
    from cancel_tui.venues.feed import Heard, Listens

GRACE = 3.4
"""Seconds past its rhythm after which a stream that says nothing is no longer believed to be alive."""
LOOK_AGAIN = 0.5
"""Seconds between two looks whether a stream has been silent for too long, while its rhythm may shorten."""
QUICK = 2.0
"""A rhythm of so many seconds gets no shorter that would matter."""
DEBOUNCE = 0.3
"""Seconds between two looks that messages lead to, at least."""
SHARE, LONGEST = 4.0, 3.0
"""Where the stream went on meanwhile: between their starts lies so many times what the last one took, but at
most so many seconds.

Where thousands of orders move all the time, reading them again and again would take the time of everything
else; what the stream says stands on the screen meanwhile.
"""
STEADY = 30.0
"""Seconds after which a connection has held long enough for its next loss to count as the first."""
REFUSED_PAUSE = 60.0
"""Seconds before a stream is tried again that the venue refused to open for this key."""


class FeedState(StrEnum):
    """How a push stream stands."""

    OFF = "off"
    """There is none, or it is switched off: the lists are polled."""
    CONNECTING = "connecting"
    """On its way, or open and the look after it not yet done."""
    LIVE = "live"
    SILENT = "silent"
    """Open, and nothing heard for too long."""
    DOWN = "down"


class Feed(msgspec.Struct):
    """What is known of one venue's stream. Times are monotonic seconds."""

    state: FeedState = FeedState.OFF
    since: float = -inf
    """When it entered its state."""
    heard_at: float = -inf
    why: str | None = None
    """Why the last connection ended."""
    connections: int = 0
    """How often the subscription stood."""
    messages: int = 0
    """Messages that told something."""


class Keeper:
    """Keeps one venue's stream alive and hands on what it says."""

    def __init__(
        self,
        name: str,
        venue: Listens,
        port: Callable[[], Port],
        clock: Clock,
        feed: Feed,
        hear: Callable[[Order], bool],
        look: Callable[[], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        self._name = name
        self._venue = venue
        self._port = port
        self._clock = clock
        self._feed = feed
        self._hear = hear
        self._look = look
        self._changed = changed
        self._due = asyncio.Event()
        self._ready_at: float | None = None
        self._failures = 0

    async def run(self) -> None:
        """Connect, listen, and begin again, until cancelled."""
        looking = asyncio.create_task(self._looks())
        try:
            while True:
                self._enter(FeedState.CONNECTING)
                why = await self._connection()
                now = self._clock.monotonic()
                steady = self._ready_at is not None and now - self._ready_at >= STEADY
                self._failures = 1 if steady else self._failures + 1
                self._feed.why = describe(why)
                if self._feed.state is not FeedState.SILENT:
                    self._enter(FeedState.DOWN)
                pause = backoff(self._failures, 1.0, 30.0)
                if isinstance(why, Unauthorised):
                    pause = max(pause, REFUSED_PAUSE)
                await self._clock.sleep(jitter(pause, self._name, self._failures))
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    def _enter(self, state: FeedState) -> None:
        if self._feed.state is not state:
            self._feed.state, self._feed.since = state, self._clock.monotonic()
            self._changed()

    async def _connection(self) -> Failure:
        """One connection from opening to its end, by the venue, by the network, or by silence."""
        self._ready_at = None
        self._feed.heard_at = self._clock.monotonic()
        listening = asyncio.create_task(self._venue.listen(self._port(), self._tell))
        try:
            while True:
                rhythm = self._venue.rhythm
                left = self._feed.heard_at + rhythm + GRACE - self._clock.monotonic()
                if left <= 0:
                    self._enter(FeedState.SILENT)
                    return Unanswered(f"nothing heard for {rhythm + GRACE:.0f} s")
                # Not in one go before the first ping is answered: the rhythm becomes shorter then.
                pause = left if rhythm <= QUICK else min(left, LOOK_AGAIN)
                alarm = asyncio.create_task(self._clock.sleep(pause))
                await asyncio.wait({listening, alarm}, return_when=asyncio.FIRST_COMPLETED)
                alarm.cancel()
                if listening.done():
                    return listening.result()
        except Exception as error:
            # A fault in an adapter costs its stream, never the desk; the text could hold an address.
            return Unanswered(f"internal fault ({type(error).__name__})")
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    def _tell(self, heard: Heard) -> None:
        self._feed.heard_at = self._clock.monotonic()
        if heard.ready:
            self._ready_at = self._feed.heard_at
            self._feed.connections += 1
            self._due.set()
        if heard.orders or heard.reread:
            self._feed.messages += 1
            moved = [order for order in heard.orders if self._hear(order)]
            if moved:
                self._changed()
            if moved or heard.reread:
                self._due.set()

    async def _looks(self) -> None:
        """Read the lists soon after something was heard; the first look of a connection makes it live."""
        looked, pause = -inf, DEBOUNCE
        while True:
            await self._due.wait()
            # The first message leads to a look at once; those that follow closely wait for the next one.
            await self._clock.sleep(max(0.0, looked + pause - self._clock.monotonic()))
            self._due.clear()
            began, looked = self._ready_at, self._clock.monotonic()
            await self._look()
            pause = DEBOUNCE
            if began != self._ready_at:
                # A new connection stands since: the look that makes it live is not put off.
                continue
            if self._due.is_set():
                pause = min(max(DEBOUNCE, SHARE * (self._clock.monotonic() - looked)), LONGEST)
            if began is not None:
                self._enter(FeedState.LIVE)
