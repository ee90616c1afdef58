"""Why a cancel gets nowhere, in our words and in the venue's, in one sentence."""

from __future__ import annotations

import pytest

from cancel_tui.cancels import Stage
from cancel_tui.console.lines import detail
from cancel_tui.console.why import why
from cancel_tui.desk.impasse import Blocked, DeadEnd
from cancel_tui.desk.track import Track
from tests.unit.test_grid_model import key_of, order_of

HALTED = Blocked(DeadEnd.HALTED, 3.0, "refused (no cancels now)")


@pytest.mark.parametrize(
    ("stage", "message", "blocked", "said"),
    [
        (Stage.UNKNOWN, "timeout", None, "timeout: in doubt, being read back; x asks again"),
        (Stage.UNKNOWN, None, None, "in doubt, being read back; x asks again"),
        (
            Stage.REFUSED,
            "refused (no)",
            HALTED,
            "refused (no cancels now): not cancelled, live until read otherwise, halted for 7s; x asks again",
        ),
        (
            Stage.WANTED,
            "refused (no)",
            HALTED,
            "refused (no cancels now): still live, halted for 7s; x asks again",
        ),
        (Stage.WANTED, None, None, None),
        (Stage.SENT, "timeout", HALTED, "timeout"),
        (Stage.ACCEPTED, None, None, None),
        (Stage.ENDED, None, HALTED, None),
    ],
)
def test_the_sentence(stage: Stage, message: str | None, blocked: Blocked | None, said: str | None) -> None:
    track = Track(key_of("1"), stage=stage, message=message, blocked=blocked)
    assert why(track, 10.0) == said


def test_the_venues_words_stand_before_the_id_on_a_narrow_line() -> None:
    track = Track(key_of("x" * 36), stage=Stage.REFUSED, message="refused (market halted)")
    line = detail(order_of("x" * 36), why(track, 1.0), 80).plain
    assert len(line) <= 80
    assert "refused (market halted): not cancelled" in line
