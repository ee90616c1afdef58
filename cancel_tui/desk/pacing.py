"""When the next request may leave: arithmetic on a clock value, no waiting and no I/O.

A budget is "at most COUNT in any SECONDS" as the venue sees the arrivals. We do not know when a request
arrives, only that it is between its sending and its answer; so a unit is given back SECONDS after the
answer, and until the answer it is simply taken. That can never exceed the budget on the venue's side.
"""

from __future__ import annotations

import random
import zlib
from collections import deque
from math import inf

import msgspec

from cancel_tui.settings import Budget

_MARGIN = 0.05
"""Seconds added to each window, for clocks that tick differently."""
_TRIP = 1.0
"""Seconds between the sending by another process, which is all that it tells us, and the arrival."""
_LONGEST_BACKOFF = 30.0
_SHORTEST_BACKOFF = 0.2
"""Seconds, for a venue that says 429 and asks to wait for nothing."""
_MOST_DOUBLINGS = 10


class Ticket(msgspec.Struct, eq=False, gc=False):
    """One unit that was taken; `settled` is the time of its answer, None while in flight."""

    taken: float
    settled: float | None = None


class Pace:
    """The pace of one class of requests at one venue."""

    def __init__(self, budget: Budget | None, rng: random.Random | None = None) -> None:
        self.budget = budget
        self._tickets: deque[Ticket] = deque()
        self._blocked_until = -inf
        self._strikes = 0
        self._rate: float | None = None
        self._last = -inf
        self._random = rng or random.Random()

    def remember(self, taken: float) -> None:
        """Count a request that another process sent."""
        self._tickets.append(Ticket(taken, taken + _TRIP))
        self._tickets = deque(sorted(self._tickets, key=lambda one: one.taken))

    def left(self, now: float) -> float:
        """How many requests could leave right now; infinity without a budget."""
        self._forget(now)
        if self.budget is None:
            return inf
        held = sum(self._back(one) > now for one in self._tickets)
        return max(0, self.budget.count - held)

    def out(self, now: float) -> tuple[float, ...]:
        """Seconds until each spent unit may be spent again; infinity for those in flight."""
        self._forget(now)
        return tuple(self._back(one) - now for one in self._tickets)

    def earliest(self, now: float, reserve: int = 0) -> float:
        """When a request may leave: `now` or before it means at once, infinity means after an answer.

        `reserve` units are left for others.
        """
        self._forget(now)
        when = self._blocked_until
        if self._rate is not None:
            when = max(when, self._last + 1 / self._rate)
        if self.budget is not None:
            room = max(1, self.budget.count - reserve)
            if len(self._tickets) >= room:
                when = max(when, self._free_again(len(self._tickets) - room))
        return when

    def told_to_wait(self, now: float) -> bool:
        """Whether it is the venue that said: not now."""
        return now < self._blocked_until

    def _free_again(self, index: int) -> float:
        """When the ticket that is `index` + 1 th to come back comes back."""
        return sorted(self._back(one) for one in self._tickets)[index]

    def _back(self, ticket: Ticket) -> float:
        """When the unit of a ticket may be spent again; infinity while it is in flight."""
        window = self.budget.seconds if self.budget else 1.0
        return inf if ticket.settled is None else ticket.settled + window + _MARGIN

    def take(self, now: float) -> Ticket:
        """Count one request that leaves now."""
        ticket = Ticket(now)
        self._last = now
        self._tickets.append(ticket)
        return ticket

    def settle(self, ticket: Ticket, now: float, *, unused: bool = False) -> None:
        """The request was answered, or its connection closed; `unused` gives the unit back: nothing left."""
        ticket.settled = now
        if unused and ticket in self._tickets:
            self._tickets.remove(ticket)

    def throttled(self, now: float, retry_after: float | None) -> float:
        """The venue said 429: wait as it says, else 1, 2, 4 … 30 s with jitter. Returns until when.

        Without a documented budget the rate falls by a third and grows by a tenth with every success, so that
        it settles where about every fifth request is refused. Many requests that were in flight together and
        come back throttled together are one lesson, not many.
        """
        if now >= self._blocked_until:
            self._strikes += 1
            if self.budget is None:
                recent = sum(one.taken > now - 1.0 for one in self._tickets)
                self._rate = max(0.5, (self._rate or max(1, recent)) * 2 / 3)
        doubled = min(_LONGEST_BACKOFF, 2.0 ** min(max(self._strikes - 1, 0), _MOST_DOUBLINGS))
        wait = doubled * self._random.uniform(0.8, 1.2) if retry_after is None else retry_after
        self._blocked_until = max(self._blocked_until, now + max(wait, _SHORTEST_BACKOFF))
        return self._blocked_until

    def succeeded(self) -> None:
        """A request was carried out: forgive earlier throttling step by step."""
        self._strikes = 0
        if self._rate is not None:
            self._rate *= 1.1
            if self._rate > 200:
                self._rate = None

    def _forget(self, now: float) -> None:
        while self._tickets and self._back(self._tickets[0]) <= now:
            self._tickets.popleft()


def jitter(seconds: float, *of: object) -> float:
    """A wait that is up to a third longer, always the same for the same subject; never shorter than asked.

    What failed together would otherwise come back together. It is no chance, so that a run can be repeated.
    """
    share = zlib.crc32(repr(of).encode()) / 0xFFFF_FFFF
    return seconds * (1.0 + share / 3)


def backoff(attempt: int, first: float = 0.5, longest: float = 8.0) -> float:
    """Seconds before try number `attempt` + 1, doubling; attempt 0 is no wait."""
    return 0.0 if attempt <= 0 else min(longest, first * 2.0 ** min(attempt - 1, 10))
