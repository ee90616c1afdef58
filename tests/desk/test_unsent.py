"""Cancels that cannot leave: the port is closed, and nobody may run against it as fast as the machine can."""

from __future__ import annotations

from itertools import pairwise

from cancel_tui.desk.engine import SendCancel, SendNative
from cancel_tui.venues.outcome import NotSent, Unanswered
from tests.desk.test_engine_evidence import WALL, capable, engine, key, listed, order


def test_a_cancel_that_cannot_leave_is_tried_again_ever_later_and_counts_as_no_attempt() -> None:
    it = engine(capable())
    it.next(0.0)
    listed(it, 0.0, order("1"))
    sent: list[float] = []
    for step in range(1, 2000):
        at = step / 100
        if SendCancel(key("1")) in it.next(at):
            sent.append(at)
            it.took_cancel(key("1"), NotSent("the connection was refused"), at, WALL + at)
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert 4 <= len(sent) <= 12
    assert min(gaps) >= 0.3
    assert max(gaps) <= 5.5
    assert it.tracks[key("1")].attempts == 0


def test_the_first_cancel_that_can_leave_again_ends_the_waiting() -> None:
    it = engine(capable())
    it.next(0.0)
    listed(it, 0.0, order("1"))
    track = it.tracks[key("1")]
    for at in (1.0, 3.0, 6.0, 11.0):
        assert SendCancel(key("1")) in it.next(at)
        it.took_cancel(key("1"), NotSent("the connection was refused"), at, WALL + at)
    assert track.next_try - 11.0 > 2.0
    it.next(20.0)
    it.took_cancel(key("1"), Unanswered("the server closed the connection"), 20.0, WALL)
    assert track.unsent == 0
    assert track.attempts == 1
    assert track.next_try - 20.0 < 1.0


def test_a_cancel_all_that_could_not_leave_is_kept_until_it_can() -> None:
    it = engine(capable(native=True))
    listed(it, -1.0, order("1"))
    sent: list[float] = []
    refused = NotSent("the connection was refused")
    for step in range(3000):
        at = step / 100
        for action in it.next(at):
            if isinstance(action, SendNative):
                sent.append(at)
                it.took_native(None, refused, at, WALL + at)
            elif isinstance(action, SendCancel):
                it.took_cancel(action.key, refused, at, WALL + at)
    assert 6 <= len(sent) <= 14
    assert it.tracks[key("1")].attempts == 0
    assert sent[-1] > 20.0, "an outage of half a minute must not cost the cancel-all"
    assert SendNative(None) in [one for step in range(30, 40) for one in it.next(float(step))]
