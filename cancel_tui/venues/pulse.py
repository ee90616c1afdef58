"""The heartbeat of a push stream: a WebSocket ping whose pong proves that somebody is there.

Venues document pings of 15 to 30 seconds, which is long for a kill switch. Every WebSocket peer must answer
a protocol ping (RFC 6455 5.5.2), so we send one every second and a half. Where none was ever answered on a
connection the venue's own rhythm is what counts.
"""

from __future__ import annotations

from cancel_tui.clock import Clock, to_beat
from cancel_tui.venues.feed import ALIVE, Tell
from cancel_tui.venues.streams import TextStream

BEAT = 1.5
"""Seconds between two pings."""


class Pulse:
    """The rhythm of one venue's stream, as far as it has shown."""

    def __init__(self, documented: float) -> None:
        self.documented = documented
        """Seconds by the venue's own word; may be set anew where a connection tells."""
        self._answered = False

    @property
    def rhythm(self) -> float:
        """Seconds within which a living stream says something."""
        return BEAT if self._answered else self.documented

    def begin(self) -> None:
        """A new connection, of which nothing is known yet."""
        self._answered = False

    async def keep(self, stream: TextStream, clock: Clock, tell: Tell) -> None:
        """Ping until the connection is over; each answer is a sign of life."""
        self.begin()
        while await stream.ping() is None:
            self._answered = True
            tell(ALIVE)
            await clock.sleep(to_beat(clock.monotonic(), BEAT))
