"""The clock that signatures are made with: the venue's time as far as known, never the same instant twice."""

from __future__ import annotations

import hashlib
from weakref import WeakValueDictionary

from cancel_tui.clock import Clock
from cancel_tui.redaction import Secret


class SigningClock:
    """Strictly increasing milliseconds for one key, corrected by the measured offset.

    Two requests signed in the same millisecond would carry the same signature where the body is not
    signed, and a venue that refuses replays would refuse the second.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self.offset = 0.0
        """Seconds to add to our wall clock."""

    def next_ms(self) -> int:
        """Milliseconds since 1970, larger than every one handed out before."""
        self._last = max(int((self._clock.wall() + self.offset) * 1000), self._last + 1)
        return self._last

    def restart(self) -> None:
        """Forget what was handed out: the clock was far off, the next one follows the offset."""
        self._last = 0


_clocks: WeakValueDictionary[tuple[str, int], SigningClock] = WeakValueDictionary()


def signing_clock(key: Secret, clock: Clock) -> SigningClock:
    """The one signing clock of a key: venues that share a key share it."""
    name = (hashlib.sha256(key.reveal().encode()).hexdigest(), id(clock))
    found = _clocks.get(name)
    if found is None:
        found = _clocks[name] = SigningClock(clock)
    return found
