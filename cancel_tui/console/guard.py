"""The guard of the kill as a pure machine: keys and times in, a state out. No Textual, no clock.

The word counts only if it was typed on this screen, after its first frame was painted, key by key; and Enter
must come in a later read than the last letter, because a pasted or typed-ahead burst carries its own Enter.
"""

from __future__ import annotations

from enum import Enum

import msgspec

LAPSE = 30.0
"""Seconds after the last key in which arming lapses."""
SAME_READ = 0.008
"""Seconds within which two keys count as one burst of the terminal."""


class Said(Enum):
    """What one key has led to."""

    NOTHING = "nothing"
    LETTER = "letter"
    WRONG = "wrong"
    AGAIN = "again"
    """The word stands, but Enter came in the same burst: press it again."""
    FIRE = "fire"


class Guard(msgspec.Struct):
    """One arming. `painted` is when its first frame stood on the screen; None before that."""

    word: str
    armed: float
    painted: float | None = None
    typed: str = ""
    last_key: float | None = None
    last_letter: float | None = None
    fired: bool = False

    @property
    def whole(self) -> bool:
        """Whether the whole word stands."""
        return self.typed.casefold() == self.word.casefold()

    def left(self, now: float) -> float:
        """Seconds until it lapses."""
        return max(0.0, (self.last_key or self.armed) + LAPSE - now)

    def lapsed(self, now: float) -> bool:
        """Whether it has lapsed: nothing fires any more."""
        return self.left(now) <= 0

    def touch(self, at: float) -> bool:
        """A key that is no part of the word was pressed. Whether it counts at all."""
        if not self._counts(at):
            return False
        self.last_key = at
        return True

    def letter(self, char: str, at: float) -> Said:
        """One printable character."""
        if not self.touch(at):
            return Said.NOTHING
        candidate = self.typed + char
        if self.word.casefold().startswith(candidate.casefold()):
            self.typed, self.last_letter = candidate, at
            return Said.LETTER
        self.typed, self.last_letter = "", None
        return Said.WRONG

    def backspace(self, at: float) -> Said:
        """Take the last letter back."""
        if self.touch(at):
            self.typed = self.typed[:-1]
        return Said.NOTHING

    def paste(self) -> Said:
        """Pasted text never counts, and takes away what was typed before it."""
        self.typed, self.last_letter = "", None
        return Said.WRONG

    def enter(self, at: float) -> Said:
        """Enter fires if the whole word stands and came in an earlier read; on part of it, it begins anew."""
        if not self.touch(at) or self.fired:
            return Said.NOTHING
        if not self.whole or self.last_letter is None:
            begun, self.typed, self.last_letter = bool(self.typed), "", None
            return Said.WRONG if begun else Said.NOTHING
        if at - self.last_letter < SAME_READ:
            self.last_letter = at
            return Said.AGAIN
        self.fired = True
        return Said.FIRE

    def _counts(self, at: float) -> bool:
        return self.painted is not None and at > self.painted and not self.lapsed(at) and not self.fired
