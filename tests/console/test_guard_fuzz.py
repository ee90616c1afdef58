"""Random keys against the guard of the kill, judged by the whole history and not by a second machine.

A shot is deliberate if the keys before it, read backwards from Enter, are exactly the letters of the word,
each pressed after the frame was painted, none pasted, no lapse between any two, and Enter in a later read.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from cancel_tui.console.guard import LAPSE, SAME_READ, Guard, Said

WORDS = ("KILL", "kill", "aa", "abab", "STOPP")
DISTURBANCES = ("enter", "paint", "backspace", "paste", "scope")
PAUSES = (0.0, 0.0, SAME_READ / 3, SAME_READ, 0.05, 0.05, 0.3, 1.0, LAPSE - 0.5, LAPSE)


@dataclass
class History:
    """Everything that reached one arming: what, and when."""

    word: str
    armed: float
    painted: float | None = None
    keys: list[tuple[str, float]] = field(default_factory=list)

    def heard(self) -> list[tuple[str, float]]:
        """The keys that count: pressed after the paint and before the first silence that is too long."""
        kept, last = [], self.armed
        for what, at in self.keys:
            if what == "paste":
                kept.append((what, at))
                continue
            if self.painted is None or at <= self.painted:
                continue
            if at - last >= LAPSE:
                break
            kept.append((what, at))
            last = at
        return kept

    def deliberate(self, at: float) -> bool:
        """Whether Enter, pressed at a time and not yet in the history, may fire."""
        heard = self.heard()
        before = [when for what, when in heard if what != "paste"]
        if self.painted is None or at <= self.painted or at - max([self.armed, *before]) >= LAPSE:
            return False
        text: list[tuple[str, float]] = []
        again: float | None = None
        for what, when in heard:
            if what == "paste" or (what == "enter" and not self._whole(text)):
                text, again = [], None
            elif what == "enter":
                again = when
            elif what == "backspace":
                text, again = text[:-1], None
            elif what != "scope":
                text, again = [*text, (what, when)], None
                # A letter that does not go on with the word ends the attempt.
                if not self.word.casefold().startswith("".join(one for one, _ in text).casefold()):
                    text = []
        return self._whole(text) and at - max(text[-1][1], again or 0.0) >= SAME_READ

    def _whole(self, text: list[tuple[str, float]]) -> bool:
        return "".join(one for one, _ in text).casefold() == self.word.casefold()


def fuzz(seed: int, events: int) -> tuple[int, int]:
    """Play so many events, arming by arming; how many shots were deliberate, and how many Enters were not."""
    dice = random.Random(seed)
    shots = refused = played = 0
    now = 1_000.0
    while played < events:
        word = dice.choice(WORDS)
        guard, history = Guard(word, now), History(word, now)
        # Some hands are calm, others hit everything; some screens are painted at once, others late.
        deeds = ["enter", "letter", "letter", *dice.sample(("letter", "letter", *DISTURBANCES), 5)]
        pauses = PAUSES[: dice.choice((3, 6, 8, 10))]
        for step in range(dice.randint(1, 24)):
            played += 1
            now += dice.choice(pauses)
            what = "paint" if step == 0 and dice.random() < 0.7 else dice.choice(deeds)
            if what == "letter" and guard.whole and dice.random() < 0.8:
                what = "enter"
            if what == "paint":
                guard.painted = history.painted = now if history.painted is None else history.painted
                continue
            if what == "enter":
                may = history.deliberate(now)
                said = guard.enter(now)
                assert (said is Said.FIRE) is may, (seed, word, history, now, said)
                history.keys.append((what, now))
                shots, refused = shots + may, refused + (not may)
                if may:
                    # Nothing fires twice.
                    assert guard.enter(now + 1.0) is Said.NOTHING
                    break
            elif what == "paste":
                guard.paste()
                history.keys.append((what, now))
            elif what == "backspace":
                guard.backspace(now)
                history.keys.append((what, now))
            elif what == "scope":
                guard.touch(now)
                history.keys.append((what, now))
            else:
                # Mostly the letter that comes next, else any letter of the word or a stranger.
                near = word[len(guard.typed) % len(word)]
                char = dice.choice((*(near,) * 12, near.swapcase(), dice.choice(word), "x", "\u212a"))
                guard.letter(char, now)
                history.keys.append((char, now))
        now += dice.choice((0.0, 1.0))
    return shots, refused


@pytest.mark.parametrize("seed", range(4))
def test_of_a_million_events_only_a_deliberate_word_fires_and_every_deliberate_word_does(seed: int) -> None:
    shots, refused = fuzz(seed, 250_000)
    assert shots > 1_000
    assert refused > 10_000
