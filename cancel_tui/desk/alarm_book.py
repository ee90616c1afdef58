"""Alarms that stand: who has seen which, and when they sound. Pure: times are values that are handed in.

An alarm that was acknowledged stays, quietly, until its cause is gone. It is loud again when it gets worse,
and when its cause comes back after it had gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import msgspec

from cancel_tui.desk.alarms import RANK, Alarm

FLICKER = 3.0
"""Seconds for which a cause that is gone and comes back counts as never gone."""
APART = 1.0
"""Seconds between two bells at the least, whatever there is to tell."""


class Standing(msgspec.Struct):
    """One alarm, and how people took it."""

    alarm: Alarm
    since: float
    """Monotonic seconds: the earliest that was ever told of this cause."""
    seen: bool = False
    rung_at: float = -inf
    """When the bell last sounded for it."""
    gone_at: float | None = None
    """Since when its cause is gone; None while it is not."""
    _seen_grade: tuple[int, int] = (0, 0)

    @property
    def order(self) -> tuple[bool, int, int, float]:
        """Sort key: those that nobody has seen first, then the gravest, then the oldest."""
        return self.seen, -self.alarm.severity, RANK[self.alarm.kind], self.since

    def acknowledge(self) -> None:
        """Somebody has seen it as it is now."""
        self.seen, self._seen_grade = True, _grade(self.alarm)

    def take(self, alarm: Alarm) -> bool:
        """What is found at a later look; whether it got worse than it was when it was seen."""
        worse = self.seen and _grade(alarm) > self._seen_grade
        self.alarm, self.since, self.gone_at = alarm, min(self.since, alarm.since), None
        if worse:
            self.seen, self.rung_at = False, -inf
        return worse


class Changes(msgspec.Struct, frozen=True):
    """What one look has brought."""

    raised: tuple[Standing, ...] = ()
    worse: tuple[Standing, ...] = ()
    """Seen before, and loud again."""
    over: tuple[Standing, ...] = ()


class AlarmBook(msgspec.Struct):
    """Every alarm that stands."""

    repeat: float
    """Seconds between two bells for alarms that nobody has seen."""
    _standing: dict[str, Standing] = msgspec.field(default_factory=dict)
    _rung_at: float = -inf

    def take(self, found: Iterable[Alarm], now: float) -> Changes:
        """Bring it up to date with what is the case now."""
        raised, worse, over = [], [], []
        left = set(self._standing)
        for alarm in found:
            standing = self._standing.get(alarm.id)
            if standing is None:
                standing = self._standing[alarm.id] = Standing(alarm, alarm.since)
                raised.append(standing)
            elif standing.take(alarm):
                worse.append(standing)
            left.discard(alarm.id)
        for ident in left:
            standing = self._standing[ident]
            if standing.gone_at is None:
                standing.gone_at = now
            if now - standing.gone_at >= FLICKER:
                over.append(self._standing.pop(ident))
        return Changes(tuple(raised), tuple(worse), tuple(over))

    @property
    def standing(self) -> list[Standing]:
        """Those whose cause is there, the one that matters most first."""
        return sorted(
            (one for one in self._standing.values() if one.gone_at is None), key=lambda one: one.order
        )

    @property
    def unseen(self) -> Standing | None:
        """The one that a person should look at now; None where all have been seen."""
        first = next(iter(self.standing), None)
        return None if first is None or first.seen else first

    def acknowledge(self, ident: str) -> Standing | None:
        """Somebody has seen this alarm; None where it does not stand, or had been seen."""
        found = self._standing.get(ident)
        if found is None or found.seen or found.gone_at is not None:
            return None
        found.acknowledge()
        return found

    def rings(self, now: float) -> bool:
        """Whether the bell is to sound now; asking counts as sounding it."""
        if now - self._rung_at < APART:
            return False
        due = [one for one in self.standing if not one.seen and now - one.rung_at >= self.repeat]
        if not due:
            return False
        self._rung_at = now
        for one in self.standing:
            one.rung_at = now
        return True


def _grade(alarm: Alarm) -> tuple[int, int]:
    return alarm.severity, alarm.grade
