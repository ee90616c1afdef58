"""What happened, newest last: the lines that the log screen shows and that the log file gets."""

from __future__ import annotations

from cancel_tui.clock import Clock
from cancel_tui.desk.logfile import LogFile
from cancel_tui.orders import iso
from cancel_tui.redaction import redact
from cancel_tui.text import literal

KEPT = 5_000
"""Lines that stay on the screen; the file holds more."""
LONGEST = 400
"""Characters of one line on a screen."""


class Logbook:
    """Lines in the order in which they came; each has a number that it keeps."""

    def __init__(self, clock: Clock, file: LogFile) -> None:
        self.lines: list[str] = []
        """`HH:MM:SS` (UTC) and the text."""
        self.file = file
        self.total = 0
        """Lines since the beginning; the number of the newest is one less."""
        self._clock = clock
        self._trouble: str | None = None

    def say(self, text: str) -> None:
        """One line, newest last."""
        self._add(text)
        trouble = self.file.trouble
        if trouble != self._trouble:
            self._trouble = trouble
            self._add(f"the log file cannot be written: {trouble}" if trouble else "the log file works again")

    def _add(self, text: str) -> None:
        # Redacted before it is cut: a piece of a secret would not be known again.
        shown = redact(text)
        at = iso(self._clock.wall()) or ""
        self.file.write(f"{at} {shown}")
        self.lines.append(f"{at[11:19]} {literal(shown, LONGEST)}")
        self.total += 1
        del self.lines[:-KEPT]

    def matching(self, words: str) -> list[tuple[int, str]]:
        """Number and line of those that hold every word, case ignored."""
        wanted = words.casefold().split()
        first = self.total - len(self.lines)
        return [
            (first + place, line)
            for place, line in enumerate(self.lines)
            if all(word in line.casefold() for word in wanted)
        ]
