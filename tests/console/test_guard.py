"""The guard of the kill as a machine: nothing short of the typed word and a later Enter fires."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.console.guard import LAPSE, SAME_READ, Guard, Said

WORD = "KILL"


@dataclass
class Witness:
    """Keeps its own record of what was typed, by other rules than the guard."""

    armed: float
    painted: float | None = None
    text: str = ""
    last_letter: float | None = None
    last_key: float = 0.0
    lapsed: bool = False
    fired: bool = field(default=False)

    def alive(self, at: float) -> bool:
        self.lapsed = self.lapsed or at - self.last_key >= LAPSE
        return self.painted is not None and at > self.painted and not self.lapsed


STEPS = st.lists(
    st.tuples(
        st.one_of(
            st.sampled_from(["enter", "enter", "paint", "backspace", "paste", "scope", "x"]),
            st.sampled_from([*WORD, *WORD.lower(), "KILL", "kill", "KIL"]),
        ),
        st.sampled_from([0.0, 0.0, SAME_READ / 4, SAME_READ, 0.05, 1.0, LAPSE - 1, LAPSE]),
    ),
    max_size=40,
)


@given(STEPS)
def test_it_fires_only_on_the_whole_word_typed_after_the_paint_and_a_later_enter(
    steps: list[tuple[str, float]],
) -> None:
    now = 100.0
    guard, witness = Guard(WORD, now), Witness(now, last_key=now)
    for what, pause in steps:
        now += pause
        if what == "paint":
            guard.painted = witness.painted = now if witness.painted is None else witness.painted
        elif what == "enter":
            said = guard.enter(now)
            may = (
                witness.alive(now)
                and witness.text.casefold().endswith(WORD.casefold())
                and witness.last_letter is not None
                and now - witness.last_letter >= SAME_READ
            )
            assert said is not Said.FIRE or (may and not witness.fired)
            witness.fired = witness.fired or said is Said.FIRE
            if witness.alive(now):
                witness.last_key = now
        elif what == "paste":
            guard.paste()
            witness.text = ""
        elif what == "backspace":
            guard.backspace(now)
            if witness.alive(now):
                witness.text, witness.last_key = witness.text[:-1], now
        elif what == "scope":
            guard.touch(now)
            if witness.alive(now):
                witness.last_key = now
        else:
            for char in what:
                guard.letter(char, now)
                if witness.alive(now):
                    witness.text += char
                    witness.last_letter = witness.last_key = now


@given(
    st.lists(st.floats(SAME_READ * 1.5, LAPSE - 1), min_size=5, max_size=5),
    st.sampled_from([WORD, "kill", "KiLl"]),
)
def test_honest_typing_always_fires(pauses: list[float], word: str) -> None:
    now = 5.0
    guard = Guard(WORD, now)
    guard.painted = now
    for char, pause in zip(word, pauses, strict=False):
        now += pause
        assert guard.letter(char, now) is Said.LETTER
    assert guard.enter(now + pauses[-1]) is Said.FIRE


def armed(painted: float = 1.0) -> Guard:
    guard = Guard(WORD, 0.0)
    guard.painted = painted
    return guard


def typed(guard: Guard, word: str, at: float) -> None:
    for char in word:
        guard.letter(char, at)


def test_enter_in_the_burst_of_the_word_asks_for_another_one() -> None:
    guard = armed()
    typed(guard, WORD, 2.0)
    assert guard.enter(2.0) is Said.AGAIN
    assert guard.enter(2.0) is Said.AGAIN
    assert guard.enter(2.0 + SAME_READ / 2) is Said.AGAIN
    assert guard.enter(2.5) is Said.FIRE


def test_keys_from_before_the_first_frame_never_count() -> None:
    guard = Guard(WORD, 0.0)
    typed(guard, WORD, 0.5)
    guard.painted = 1.0
    typed(guard, WORD, 1.0)
    assert guard.enter(2.0) is Said.NOTHING
    assert guard.typed == ""


def test_it_lapses_thirty_seconds_after_the_last_key_and_stays_lapsed() -> None:
    guard = armed()
    typed(guard, WORD, 10.0)
    assert guard.left(12.0) == LAPSE - 2
    assert not guard.lapsed(10.0 + LAPSE - 0.1)
    assert guard.lapsed(10.0 + LAPSE)
    assert guard.enter(10.0 + LAPSE) is Said.NOTHING
    typed(guard, WORD, 10.0 + LAPSE)
    assert guard.enter(11.0 + LAPSE) is Said.NOTHING


def test_it_fires_once() -> None:
    guard = armed()
    typed(guard, WORD, 2.0)
    assert guard.enter(3.0) is Said.FIRE
    assert guard.enter(4.0) is Said.NOTHING


def test_a_wrong_letter_starts_the_word_anew() -> None:
    guard = armed()
    typed(guard, "KILX", 2.0)
    assert guard.enter(3.0) is Said.NOTHING
    typed(guard, "L", 3.5)
    assert guard.enter(4.0) is Said.NOTHING
    typed(guard, WORD + "L", 5.0)
    assert guard.enter(6.0) is Said.NOTHING


def test_enter_alone_repeated_for_ever_does_nothing() -> None:
    guard = armed()
    assert {guard.enter(2.0 + step / 30) for step in range(300)} == {Said.NOTHING}


def test_enter_on_part_of_the_word_begins_it_anew() -> None:
    guard = armed()
    typed(guard, "KIL", 2.0)
    assert guard.enter(3.0) is Said.WRONG
    assert guard.typed == ""
    typed(guard, "L", 4.0)
    assert guard.enter(5.0) is Said.NOTHING
