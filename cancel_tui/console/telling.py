"""What the console says: lines into its log, and one sentence at a time into the banner."""

from __future__ import annotations

from time import monotonic

from textual.app import App

from cancel_tui.console.logbook import Logbook
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.logfile import LogFile
from cancel_tui.text import literal

NOTICE = 5.0
"""Seconds that a notice stands."""


class TellingApp(App[int], inherit_bindings=False):
    """An application that tells its operator what happened and why a key did nothing."""

    notice = ""
    """One sentence for the banner; the last thing that was refused or went wrong."""
    _untold = True
    _notice_until = 0.0

    def wake(self) -> None:
        """Let a frame come soon."""

    @property
    def untold(self) -> bool:
        """Whether something was said, or done, that no frame has shown yet; that it was wakes the frames."""
        return self._untold

    @untold.setter
    def untold(self, untold: bool) -> None:
        self._untold = untold
        if untold:
            self.wake()

    def keep_log(self, desk: Desk) -> None:
        """Begin the log, in memory and, where the desk has a folder, in a file."""
        self.book = Logbook(desk.clock, LogFile(desk.data_dir / "logs" if desk.data_dir else None))

    @property
    def log_lines(self) -> list[str]:
        """What happened, newest last."""
        return self.book.lines

    def say(self, text: str) -> None:
        """One line into the log, newest last."""
        self.book.say(text)
        self.untold = True

    def tell(self, text: str) -> None:
        """A sentence into the banner, for a few seconds."""
        self.notice, self._notice_until, self.untold = literal(text, 300), monotonic() + NOTICE, True

    def refuse(self, text: str) -> None:
        """Say why a key did nothing, where it cannot be overlooked."""
        self.tell(text)
        self.say(text)

    def hush(self, now: float) -> None:
        """Take a notice away that has stood long enough; `now` in monotonic seconds."""
        if self.notice and now >= self._notice_until:
            self.notice, self.untold = "", True

    def deed(self, what: str) -> None:
        """The operator did something on the way to a kill; a drill takes note of it."""
