"""Acts that come at an awkward moment: while a venue is being opened, twice at once, after a stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf

import pytest

from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.kill import Kill
from cancel_tui.scope import Scope
from cancel_tui.venues.base import CallClass
from tests.desk.stateful_floor import Floor
from tests.desk.stateful_market import Market, Mood, Temper

EVERYTHING = Scope(raw={})
MakeFloor = Callable[..., Floor]


@pytest.fixture
def floor() -> Iterator[MakeFloor]:
    made: list[Floor] = []

    def make(temper: Temper, orders: int = 3) -> Floor:
        made.append(Floor(temper, orders=orders))
        return made[-1]

    yield make
    for one in made:
        one.close()


def cancels(at: Floor, since: float = -inf) -> list[float]:
    """When cancels left."""
    return [
        one.left
        for one in venue(at).log
        if one.call in (CallClass.CANCEL, CallClass.CANCEL_ALL) and one.left is not None and one.left > since
    ]


def verdict(kill: Kill) -> Verdict:
    """As it stands now."""
    return kill.verdict


def venue(at: Floor) -> Market:
    return at.markets["v0"]


def test_a_key_pressed_twice_at_once_is_one_cancel(floor: MakeFloor) -> None:
    at = floor(Temper(), 1)
    at.open(watching=False)
    (key,) = venue(at).truths
    assert at.press(frozenset({key}))
    assert at.desk.busy(key)
    assert at.press(frozenset({key})) is None
    at.pass_time(5.0)
    assert len(cancels(at)) == 1
    assert not at.desk.busy(key)


def test_a_venue_that_cannot_be_opened_makes_no_order_busy(floor: MakeFloor) -> None:
    at = floor(Temper(), 1)
    (key,) = venue(at).truths
    kill = at.press(frozenset({key}))
    assert kill is not None
    kill.locked[key.venue] = "locked"
    assert not at.desk.busy(key)


@pytest.mark.parametrize("native", [False, True])
def test_a_stop_while_a_venue_is_being_opened_holds_for_it_too(floor: MakeFloor, native: bool) -> None:
    at = floor(Temper(native=native))
    at.opening = 2.0
    kill = at.start(EVERYTHING)
    at.pass_time(1.0)
    at.stop(at.judge.deeds[kill.kill_id])
    at.finish(kill)
    assert not cancels(at)
    assert kill.verdict is Verdict.NOT_FLAT


def test_a_hold_while_a_venue_is_being_opened_holds(floor: MakeFloor) -> None:
    at = floor(Temper())
    at.opening = 2.0
    kill = at.start(EVERYTHING)
    at.pass_time(1.0)
    at.hold(at.judge.deeds[kill.kill_id])
    at.pass_time(30.0)
    assert kill.verdict is Verdict.FLAT
    assert kill.holding
    newcomer = venue(at).place()
    at.pass_time(10.0)
    assert newcomer.status.terminal


def test_a_release_while_a_venue_is_being_opened_lets_go(floor: MakeFloor) -> None:
    at = floor(Temper())
    at.opening = 2.0
    kill = at.start(EVERYTHING, hold=inf)
    at.pass_time(1.0)
    at.release(at.judge.deeds[kill.kill_id])
    at.finish(kill, seconds=30.0)
    assert kill.verdict is Verdict.FLAT


def test_after_a_stop_no_newcomer_and_no_withdrawn_flat_starts_a_cancel(floor: MakeFloor) -> None:
    at = floor(Temper())
    at.open(watching=True)
    kill = at.start(EVERYTHING, hold=inf)
    at.pass_time(20.0)
    assert verdict(kill) is Verdict.FLAT
    at.stop(at.judge.deeds[kill.kill_id])
    stopped = at.now
    venue(at).place()
    for truth in list(venue(at).truths.values())[:1]:
        venue(at).restart(truth)
    at.pass_time(60.0)
    assert not cancels(at, since=stopped)
    assert verdict(kill) is Verdict.NOT_FLAT


def test_a_cancel_that_waits_for_a_connection_does_not_leave_after_the_stop(floor: MakeFloor) -> None:
    at = floor(Temper(connections=1), 2)
    at.open(watching=True)
    at.pass_time(1.0)
    first, second = venue(at).truths
    venue(at).change(Mood.HANG)
    at.press(frozenset({first}))
    at.pass_time(0.5)
    waiting = at.press(frozenset({second}))
    at.pass_time(0.5)
    assert waiting is not None
    at.stop(at.judge.deeds[waiting.kill_id])
    at.finish(waiting)
    left = [one for one in venue(at).log if one.call is CallClass.CANCEL and one.left is not None]
    assert first in {one.key for one in left}
    assert waiting.kill_id not in {one.kill for one in left}
