"""Alarms of the console: looked for a few times a second, told, sounded, on one line of every screen."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from rich.text import Text

from cancel_tui.console import lines
from cancel_tui.console.alarm_facts import Collector
from cancel_tui.console.badges import age_text
from cancel_tui.desk.alarm_book import AlarmBook, Standing
from cancel_tui.desk.alarms import Alarm, Kind, alarms
from cancel_tui.text import literal

if TYPE_CHECKING:
    from cancel_tui.console.ledger import Ledger
    from cancel_tui.console.unended import Unended
    from cancel_tui.orders import VenueName

EVERY = 0.25
"""Seconds between two looks for alarms."""
SHARE = 20
"""A look that took a while is followed by a pause so many times as long."""
BLINKS = 2
"""Changes per second of an alarm that nobody has seen."""


class Alarming:
    """Takes alarms from the desk to people, and their word that they have seen them back."""

    def __init__(
        self,
        ledger: Ledger,
        unended: Unended,
        *,
        say: Callable[[str], None],
        ring: Callable[[], None],
        resume_key: str,
    ) -> None:
        self.desk = ledger.desk
        settings = self.desk.settings.console
        self.book = AlarmBook(settings.alarm_repeat_seconds)
        self.blinking = True
        """Whether an alarm that nobody has seen changes its look; a picture stands still."""
        self._audible = settings.bell
        self._collector = Collector(ledger)
        self._unended = unended
        self._say = say
        self.ring = ring
        """Sounds the bell."""
        self._resume_key = resume_key
        self._painted: str | None = None
        self._rest_until = 0.0

    def look(self) -> None:
        """Find what needs a hand now, tell what is new, sound the bell."""
        begun = monotonic()
        if begun < self._rest_until:
            return
        now = self.desk.clock.monotonic()
        changes = self.book.take(alarms(self._collector.facts(self._cases()), now), now)
        for one in changes.raised:
            self._tell("alarm", f"ALARM: {in_words(one.alarm)}", one)
        for one in changes.worse:
            self._tell("alarm_worse", f"ALARM, worse: {in_words(one.alarm)}", one)
        for one in changes.over:
            self._tell("alarm_over", f"alarm over: {one.alarm.sentence}", one)
        if self._audible and self.book.rings(now):
            self.ring()
        self._rest_until = begun + max(EVERY, SHARE * (monotonic() - begun))

    def _cases(self) -> dict[str, str]:
        key = self._resume_key
        return {
            one.kill_id: f"KILL {one.kill_id[:6]} of {one.began_at[:16]} has no end; {key} resumes it"
            for one in self._unended.left()
        }

    def _tell(self, kind: str, line: str, one: Standing, **facts: str) -> None:
        alarm = one.alarm
        self._say(line)
        self.desk.journal.note(
            kind,
            alarm=alarm.id,
            about=alarm.kind.value,
            severity=alarm.severity.name.lower(),
            told=alarm.sentence,
            words=alarm.words,
            **facts,
        )

    def acknowledge(self, operator: str) -> bool:
        """Somebody has seen the alarm that was painted last; False where there was none to see."""
        one = self.book.acknowledge(self._painted) if self._painted is not None else None
        if one is None:
            return False
        self._tell("alarm_seen", f"seen by {operator}: {one.alarm.sentence}", one, by=operator)
        return True

    def lost(self) -> frozenset[VenueName]:
        """Venues that cannot be reached although orders live there, and nobody has seen that yet."""
        return frozenset(
            one.alarm.venue
            for one in self.book.standing
            if one.alarm.kind is Kind.LOST and not one.seen and one.alarm.venue is not None
        )

    @property
    def calling(self) -> bool:
        """Whether an alarm that nobody has seen changes its look."""
        standing = self.book.standing
        return self.blinking and bool(standing) and not standing[0].seen

    def line(self, width: int, key: str | None) -> Text:
        """The alarm that matters most and how many more there are; empty without any.

        `key` acknowledges it on the screen that shows it; None where it does not.
        """
        standing = self.book.standing
        self._painted = None
        if not standing:
            return Text()
        first, now = standing[0], self.desk.clock.monotonic()
        more = f" +{len(standing) - 1} more" if len(standing) > 1 else ""
        age = age_text(max(0.0, now - first.since))
        if first.seen:
            text = f" seen {age}  {in_words(first.alarm)}"
            return lines.spread(Text(text, lines.DOUBT), Text(f"{more} ", lines.DOUBT), width)
        self._painted = first.alarm.id
        told = Text(f" ALARM {age}  {in_words(first.alarm)}")
        line = lines.spread(told, Text(f"{more}  {key} seen " if key else f"{more} "), width)
        line.stylize(self._style(now))
        return line

    def _style(self, now: float) -> str:
        return lines.CALLING if self.blinking and int(now * BLINKS) % 2 else lines.ALARM


def in_words(alarm: Alarm) -> str:
    """Our sentence and the venue's words, harmless to print."""
    return literal(alarm.sentence if alarm.words is None else f"{alarm.sentence}: {alarm.words}", 400)
