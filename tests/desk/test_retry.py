"""A key pressed on an order whose cancel was refused or is in doubt: one more cancel, at once, only one."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from cancel_tui.cancels import Ending, Stage
from cancel_tui.desk.engine import Engine, SendCancel
from cancel_tui.desk.gate import Urgency
from cancel_tui.orders import OrderKey, OrderStatus, VenueName
from cancel_tui.scope import Scope
from cancel_tui.text import VenueText
from cancel_tui.venues.base import CancelAck
from cancel_tui.venues.outcome import (
    Answered,
    Failure,
    NotSent,
    Reason,
    Refused,
    Throttled,
    Unanswered,
)
from tests.desk.drive import stage
from tests.desk.test_engine_evidence import WALL, acknowledge, capable, engine, key, listed, order

ONE = key("1")
P99 = VenueName("p99")


def singles(it: Engine, at: float) -> list[OrderKey]:
    return [one.key for one in it.next(at) if isinstance(one, SendCancel)]


def named(deadline: float = inf, *, reads: bool = True) -> Engine:
    """An engine for one named order whose first cancel has just left."""
    it = engine(capable(reads=reads), Scope(keys=frozenset({ONE})), by_id=True, deadline=deadline)
    it.adopt([order("1")])
    assert singles(it, 0.0) == [ONE]
    return it


FAILED: list[tuple[Failure, Stage]] = [
    (Unanswered("timeout"), Stage.UNKNOWN),
    (Throttled(30.0), Stage.UNKNOWN),
    (Refused(Reason.NOT_FOUND), Stage.UNKNOWN),
    (Refused(Reason.ORDER, VenueText("no")), Stage.REFUSED),
    (Refused(Reason.HALTED), Stage.REFUSED),
    (NotSent("connection refused"), Stage.WANTED),
]


@pytest.mark.parametrize(("outcome", "after"), FAILED)
def test_what_was_refused_or_is_in_doubt_is_asked_again_at_once_and_once(
    outcome: Failure, after: Stage
) -> None:
    it = named()
    it.took_cancel(ONE, outcome, 0.1, WALL)
    assert it.tracks[ONE].stage is after
    assert singles(it, 0.11) == [], "by itself it waits or reads first"
    assert it.retry(ONE, 0.12)
    assert not it.retry(ONE, 0.12), "pressed again before it has left"
    assert singles(it, 0.12) == [ONE]
    assert it.tracks[ONE].stage is Stage.SENT
    assert singles(it, 0.13) == []
    assert not it.retry(ONE, 0.2), "and again while it is in flight"
    assert singles(it, 0.3) == []
    it.took_cancel(ONE, Answered(CancelAck(order("1", OrderStatus.CANCELED))), 0.4, WALL)
    assert it.tracks[ONE].ending is Ending.CANCELED
    assert not it.retry(ONE, 0.5), "it is over"


def test_nothing_is_asked_again_that_has_not_failed() -> None:
    it = named()
    assert not it.retry(ONE, 0.05), "in flight"
    assert not it.retry(key("other"), 0.05), "nobody wanted that one cancelled"
    it.took_cancel(ONE, Answered(CancelAck(order("1", OrderStatus.PENDING_CANCEL))), 0.1, WALL)
    assert it.tracks[ONE].stage is Stage.ACCEPTED
    assert not it.retry(ONE, 0.2), "the venue is at work on it"
    assert singles(it, 0.2) == []


def test_past_the_deadline_nothing_leaves_any_more() -> None:
    it = named(deadline=10.0)
    it.took_cancel(ONE, Unanswered("timeout"), 0.1, WALL)
    assert not it.retry(ONE, 10.1)
    assert singles(it, 10.1) == []


def test_never_beside_a_cancel_of_the_same_order_by_somebody_else() -> None:
    it = named()
    it.took_cancel(ONE, Unanswered("timeout"), 0.1, WALL)
    it.elsewhere = lambda _: True
    assert not it.retry(ONE, 0.2)


def test_in_a_kill_of_everything_one_order_can_be_pressed_too() -> None:
    it = engine(capable(native=True))
    it.next(0.0)
    listed(it, 0.0, order("1"), order("2"))
    assert not it.retry(ONE, 0.07), "the cancel-all is still in flight, and nothing has failed"
    acknowledge(it, 0.1)
    it.next(0.2)
    listed(it, 0.2, order("1"), order("2"))
    singles(it, 2.0)
    it.took_cancel(ONE, Refused(Reason.ORDER), 2.1, WALL)
    assert it.retry(ONE, 2.2)
    assert singles(it, 2.2) == [ONE]


def test_an_end_that_comes_first_makes_the_press_void() -> None:
    it = named()
    it.took_cancel(ONE, Unanswered("timeout"), 0.1, WALL)
    assert it.retry(ONE, 0.2)
    it.took_read(ONE, Answered(order("1", OrderStatus.FILLED)), 0.2, 0.3, WALL)
    assert singles(it, 0.4) == []


async def test_the_desk_asks_again_long_before_it_would_by_itself(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        slot, venue = at.desk.slots[P99], at.cluster.named("p99")
        await at.finish(at.desk.spawn(at.desk.list_venue(slot, Urgency.KILL, deep=False)))
        venue.faults.add("trading_disabled")
        found = next(iter(slot.book.orders()))
        scope = Scope(keys=frozenset({found.key}), raw={})
        kill = at.desk.plan_kill(scope, by_id=True, known=[found])
        assert not at.desk.retry(found.key)
        task = at.desk.start(kill, {})

        def deletes() -> int:
            return sum(one.startswith("DELETE") for one in venue.seen)

        await at.until(lambda: bool(kill.tracks()) and kill.tracks()[0].blocked is not None)
        (track,) = kill.tracks()
        await at.until(lambda: not track.stage.flying and track.next_try > at.clock.monotonic() + 0.9)
        venue.faults.clear()
        before, then = deletes(), at.clock.monotonic()
        assert at.desk.retry(found.key)
        assert not at.desk.retry(found.key)
        await at.until(lambda: deletes() > before)
        assert at.clock.monotonic() - then < 0.5
        await at.finish(task)
        assert track.outcome is Ending.CANCELED
        assert deletes() == before + 1
        assert not at.desk.retry(found.key)


async def test_a_venue_that_is_through_does_not_keep_its_orders_from_another_press(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        slot = at.desk.slots[P99]
        await at.finish(at.desk.spawn(at.desk.list_venue(slot, Urgency.KILL, deep=False)))
        at.cluster.named("p99").faults.add("unauthorized")
        found = next(iter(slot.book.orders()))
        kill = at.desk.plan_kill(Scope(keys=frozenset({found.key}), raw={}), by_id=True, known=[found])
        await at.finish(at.desk.start(kill, {}))
        assert not kill.tracks()[0].stage.settled
        kill.finished_wall = None  # as while another venue of the same kill is still at work
        assert not at.desk.busy(found.key)
        assert not at.desk.retry(found.key)
