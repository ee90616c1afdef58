"""Speaking on a push stream: what comes is understood at once, pings leave in time, and one end ends it all.

An adapter brings what is peculiar to its venue: how to get in, and what a message means. That part knows no
network: a text goes in, a `Turn` comes out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from cancel_tui.clock import Clock
from cancel_tui.pauses import pause
from cancel_tui.redaction import Secret, redact
from cancel_tui.text import VenueText
from cancel_tui.venues.base import CallClass, Reply
from cancel_tui.venues.feed import ALIVE, Heard, Tell
from cancel_tui.venues.outcome import Failure, Unanswered
from cancel_tui.venues.pulse import Pulse
from cancel_tui.venues.streams import LARGEST, Closed, TextStream, open_stream

AT_A_STRETCH = 0.0005
"""Seconds of reading messages after which others have their turn."""
PATIENCE = 10.0
"""Seconds from the open socket to a subscription that stands."""
_LONGEST = 200
"""Characters of a venue's words that are kept."""


class Turn(msgspec.Struct, frozen=True):
    """What one message comes to."""

    heard: Heard = ALIVE
    answer: Secret | None = None
    """A text to send: it may carry a token."""
    over: Failure | None = None
    """Why the connection is of no use any more."""


REREAD = Turn(Heard(reread=True))
"""A message that only a list can explain, or that cannot be read."""


def said(words: str | None) -> VenueText | None:
    """A venue's words, short and without anything secret that they may repeat."""
    return VenueText(redact(words)[:_LONGEST]) if words else None


async def opened(
    url: Secret,
    classify: Callable[[CallClass, Reply], Failure | None],
    timeout: float,
    headers: Sequence[tuple[str, str]] = (),
    largest: int = LARGEST,
) -> TextStream | Failure:
    """Open a stream; the venue's refusal of the upgrade is sorted like that of a request."""
    got = await open_stream(url, timeout=timeout, headers=headers, largest=largest)
    if isinstance(got, Reply):
        refusal = classify(CallClass.OTHER, got)
        return refusal or Unanswered("an answer instead of a WebSocket", None, got.status)
    return got


async def regularly(stream: TextStream, clock: Clock, text: str, seconds: float) -> Failure:
    """Send the same text again and again, until the connection is over."""
    while True:
        await clock.sleep(seconds)
        closed = await stream.send(text)
        if closed is not None:
            return Unanswered(closed.reason)


async def converse(
    stream: TextStream,
    pulse: Pulse,
    clock: Clock,
    tell: Tell,
    understand: Callable[[str], Turn],
    *,
    first: Secret | None = None,
    beside: Sequence[Awaitable[Failure]] = (),
    patience: float | None = PATIENCE,
) -> Failure:
    """Speak until the connection is over, and return why; the stream is closed then, also when cancelled.

    `first` is sent first. `beside` are other loops of this connection, each of which may end it. A
    subscription that does not stand `patience` seconds after the opening ends it too.
    """
    ready = asyncio.Event()

    async def read() -> Failure:
        if first is not None:
            await stream.send(first.reveal())  # on the wire, where it belongs
        loop = asyncio.get_running_loop()
        went_on = loop.time()
        while True:
            if loop.time() - went_on > AT_A_STRETCH:
                # Of many that have come together none waits for the loop: others would wait for all of them.
                await asyncio.sleep(0)
                went_on = loop.time()
            piece = await stream.receive()
            pause()
            if isinstance(piece, Closed):
                return Unanswered(piece.reason)
            turn = understand(piece)
            if turn.over is not None:
                return turn.over
            if turn.answer is not None:
                await stream.send(turn.answer.reveal())  # on the wire, where it belongs
            if turn.heard.ready:
                ready.set()
            tell(turn.heard)

    async def wait() -> Failure:
        if patience is not None:
            await clock.sleep(patience)
            if not ready.is_set():
                return Unanswered(f"no subscription within {patience:g} s")
        never: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        return await never

    loops = [asyncio.ensure_future(one) for one in (read(), wait(), *beside)]
    beating = asyncio.create_task(pulse.keep(stream, clock, tell))
    try:
        done, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
        return next(one for one in loops if one in done).result()
    finally:
        for task in (*loops, beating):
            task.cancel()
        await asyncio.gather(*loops, beating, return_exceptions=True)
        await stream.close()
