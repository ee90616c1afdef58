"""A kill of many orders costs no more for each of them: looking at all of them is rare, and rare enough."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cancel_tui.desk.actions import ANSWERING, RUSH
from cancel_tui.desk.engine import Aim, Engine, ListOrders, ReadOrder, SendCancel
from cancel_tui.desk.state import LONGEST_GAP
from cancel_tui.desk.track import Track
from cancel_tui.orders import Family, Order, OrderId, OrderKey, OrderStatus, Side, VenueName, altered
from cancel_tui.scope import Scope
from cancel_tui.venues.base import CancelAck, Capabilities, Part, PartList, Parts
from cancel_tui.venues.outcome import Answered, Outcome, Unanswered

VENUE = VenueName("v")
WALL = 1_790_000_000.0
TURN = 0.001
"""Seconds that an answer takes."""


def orders(count: int) -> list[Order]:
    return [
        Order(
            key=OrderKey(VENUE, None, Family.ORDER, OrderId(str(number))),
            side=Side.BUY,
            status=OrderStatus.OPEN,
        )
        for number in range(count)
    ]


class Hurry:
    """Drives an engine as fast as a venue could answer, and counts how often it looks at an order."""

    def __init__(self, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        capabilities = Capabilities(read_order=True)
        scope = Scope(sides=frozenset({Side.BUY}), raw={"side": ["buy"]})
        self.engine = Engine(VENUE, capabilities, Aim(scope, deadline=600.0), 0.0)
        self.looks = 0
        self.sent: list[OrderKey] = []
        self.flying: list[OrderKey] = []
        self.now = 0.0
        real = Engine._single_due

        def counted(engine: Engine, track: Track, now: float) -> bool:
            self.looks += 1
            return real(engine, track, now)

        monkeypatch.setattr(Engine, "_single_due", counted)
        self.engine.next(0.0)
        self.engine.took_parts(Parts((Part("all"),)))
        found: Outcome[PartList] = Answered(PartList(tuple(orders(count))))
        self.engine.took_list(0.0, {"all": (0.0, found)}, None, 0.0, WALL)

    def until_sent(self, count: int, limit: int) -> None:
        """One answer at a time, each a moment after the one before."""
        flying = self.flying
        for _ in range(limit):
            new = [one.key for one in self.engine.next(self.now) if isinstance(one, SendCancel)]
            self.sent += new
            flying += new
            if len(self.sent) >= count:
                return
            self.now += TURN
            if flying:
                key = flying.pop(0)
                answer: Outcome[CancelAck] = Answered(CancelAck())
                if self.refuse is not None and key == self.refuse:
                    answer, self.refuse = Unanswered("lost"), None
                self.engine.took_cancel(key, answer, self.now, WALL + self.now)
        raise AssertionError(f"only {len(self.sent)} of {count} left")

    refuse: OrderKey | None = None


@pytest.mark.parametrize("count", [100, 250, 4_000])
def test_the_looks_at_each_order_do_not_grow_with_their_number(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry = Hurry(count, monkeypatch)
    rush = min(count, int(0.95 * RUSH / TURN))
    hurry.until_sent(rush, 3 * count)
    assert hurry.looks <= 2 * count, "one look at all, and one before each leaves"
    hurry.until_sent(count, 3 * count)
    assert len(set(hurry.sent)) == len(hurry.sent) == count
    seconds = max(0.0, hurry.now - RUSH)
    assert hurry.looks <= (2 + 2 + seconds / LONGEST_GAP) * count, "later a few times a second"


def test_an_order_whose_answer_was_lost_is_soon_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry = Hurry(2_000, monkeypatch)
    lost = hurry.refuse = orders(1)[0].key
    hurry.until_sent(2_000, 6_000)
    sent = hurry.now
    while ReadOrder(lost) not in (actions := hurry.engine.next(hurry.now)):
        for one in actions:
            if isinstance(one, ReadOrder):
                hurry.engine.took_read(one.key, Unanswered("lost"), hurry.now, hurry.now, WALL)
        hurry.now = max(hurry.engine.wake_at(hurry.now), hurry.now + TURN)
        assert hurry.now < sent + 30.0, "asleep, and the order unread"


def test_while_cancels_leave_at_full_speed_nothing_is_read_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hurry = Hurry(1_000, monkeypatch)
    hurry.until_sent(600, 2_000)
    assert hurry.now > 0.5, "long enough for read-backs to be due"
    assert not hurry.engine._reads_flying
    assert not hurry.engine._closed_flying


@pytest.mark.parametrize("informed", [True, False])
def test_where_the_orders_are_known_no_list_delays_their_cancels(
    informed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry = Hurry(1_000, monkeypatch)
    again = Engine(VENUE, hurry.engine.capabilities, hurry.engine.aim, 0.0)
    again.start_from((order, -1.0) for order in orders(1_000))
    again.informed = informed
    first = again.next(0.0)
    assert sum(isinstance(one, SendCancel) for one in first) == again.capabilities.connections
    assert (ListOrders() in first) is not informed
    later = again.next(RUSH + 0.01)
    assert ListOrders() in [*first, *later], "a venue that is slow to answer is listed all the same"


def test_what_a_person_asks_for_in_a_rush_is_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry = Hurry(1_000, monkeypatch)
    hurry.refuse = lost = orders(1)[0].key
    hurry.until_sent(200, 1_000)
    assert hurry.engine.retry(lost, hurry.now)
    for key in hurry.flying[:3]:
        hurry.engine.took_cancel(key, Answered(CancelAck()), hurry.now, WALL)
    assert SendCancel(lost) in hurry.engine.next(hurry.now)


def test_what_a_list_brings_in_a_rush_takes_its_place_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry = Hurry(1_000, monkeypatch)
    hurry.until_sent(100, 500)
    hurry.now += 0.01
    urgent = altered(
        orders(1)[0],
        key=OrderKey(VENUE, None, Family.ORDER, OrderId("half")),
        filled=Decimal(1),
    )
    found: Outcome[PartList] = Answered(PartList((urgent, *orders(1_000))))
    hurry.engine.took_list(hurry.now, {"all": (hurry.now, found)}, None, hurry.now, WALL)
    hurry.engine.took_cancel(hurry.flying[0], Answered(CancelAck()), hurry.now, WALL)
    assert SendCancel(urgent.key) in hurry.engine.next(hurry.now)


def test_answers_that_come_all_at_once_cause_no_look_at_all_orders_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = 4_000
    hurry = Hurry(count, monkeypatch)
    it = hurry.engine
    for _ in range(count):
        batch = [one.key for one in it.next(hurry.now) if isinstance(one, SendCancel)]
        assert it.wake_at(hurry.now) <= hurry.now + LONGEST_GAP * 20
        hurry.sent += batch
        hurry.now += TURN
        for key in batch:
            it.took_cancel(key, Answered(CancelAck()), hurry.now, WALL)
        if len(hurry.sent) == count:
            break
    assert len(set(hurry.sent)) == count
    assert hurry.looks <= 3 * count


def test_while_cancels_leave_lists_keep_their_interval_whatever_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = 4_000
    hurry = Hurry(count, monkeypatch)
    it = hurry.engine
    lists: list[float] = []
    flying: list[OrderKey] = []
    while hurry.now < RUSH + 1.0:
        actions = it.next(hurry.now)
        flying += [one.key for one in actions if isinstance(one, SendCancel)]
        if ListOrders() in actions:
            lists.append(hurry.now)
            it.took_parts(Parts((Part("all"),)))
            left = [one for one in orders(count) if not it.tracks[one.key].ended_at]
            found: Outcome[PartList] = Answered(PartList(tuple(left)))
            it.took_list(hurry.now, {"all": (hurry.now, found)}, None, hurry.now, WALL)
        hurry.now += TURN
        it.took_cancel(flying.pop(0), Answered(CancelAck()), hurry.now, WALL)
    assert len(lists) <= 1 + (RUSH + 1.0) / it.aim.list_interval


def test_a_stop_ends_the_rush(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry = Hurry(1_000, monkeypatch)
    engine = Engine(VENUE, hurry.engine.capabilities, hurry.engine.aim, 0.0)
    engine.start_from((order, -1.0) for order in orders(1_000))
    engine.informed = True
    sent = [one.key for one in engine.next(0.0) if isinstance(one, SendCancel)]
    assert engine.coming(5, 0.0)
    engine.stop(0.1)
    assert engine.coming(5, 0.1) == [], "nothing is announced that is not going to leave"
    for key in sent:
        engine.took_cancel(key, Answered(CancelAck()), 0.2, WALL)
    assert not engine.done(0.2)
    assert ListOrders() in engine.next(0.2), "the last look waits for no rush"


def emptied(monkeypatch: pytest.MonkeyPatch, *, informed: bool = True, answered: float = 0.01) -> Engine:
    """An engine of three orders whose cancels have all been answered."""
    hurry = Hurry(3, monkeypatch)
    engine = Engine(VENUE, hurry.engine.capabilities, hurry.engine.aim, 0.0)
    engine.start_from((order, -1.0) for order in orders(3))
    engine.informed = informed
    for one in engine.next(0.0):
        if isinstance(one, SendCancel):
            engine.took_cancel(one.key, Answered(CancelAck()), answered, WALL)
    return engine


def test_what_is_cancelled_is_looked_at_behind_the_cancels_of_other_venues(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone, now = emptied(monkeypatch), 0.02
    while not (due := alone.next(now)):
        now = alone.wake_at(now)
    monkeypatch.setattr("cancel_tui.desk.cancelling.STANDING_BACK", 2 * now)
    engine, others = emptied(monkeypatch), True
    engine.crowded = lambda now: others
    assert engine.next(now) == []
    assert now < engine.wake_at(now) <= now + ANSWERING, "it asks again by itself"
    others = False
    assert engine.next(now) == due


def test_others_cancels_are_let_go_first_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cancel_tui.desk.cancelling.STANDING_BACK", 1.0)
    engine = emptied(monkeypatch)
    engine.crowded = lambda now: True
    now = 0.02
    while not engine.next(now):
        now = engine.wake_at(now)
        assert now < RUSH
    assert 1.0 <= now <= 1.0 + 0.01 + ANSWERING


@pytest.mark.parametrize("informed", [True, False])
def test_a_venue_whose_orders_nobody_has_told_is_listed_at_once(
    informed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry = Hurry(3, monkeypatch)
    engine = Engine(VENUE, hurry.engine.capabilities, hurry.engine.aim, 0.0)
    engine.informed = informed
    engine.crowded = lambda now: True
    assert (ListOrders() in engine.next(0.0)) is not informed


def test_the_last_look_lets_nobody_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cancel_tui.desk.cancelling.STANDING_BACK", 1.0)
    engine = emptied(monkeypatch)
    engine.crowded = lambda now: True
    engine.stop(0.02)
    assert not engine.done(0.02)
    assert engine.next(0.02)


def test_only_a_venue_that_answers_is_let_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry = Hurry(1_000, monkeypatch)
    engine = Engine(VENUE, hurry.engine.capabilities, hurry.engine.aim, 0.0)
    engine.start_from((order, -1.0) for order in orders(1_000))
    engine.informed = True
    first, *_ = [one.key for one in engine.next(0.0) if isinstance(one, SendCancel)]
    assert not engine.leaving(0.01), "nothing has been answered yet"
    engine.took_cancel(first, Answered(CancelAck()), 0.02, WALL)
    assert engine.leaving(0.03)
    assert not engine.leaving(0.02 + ANSWERING + 0.01), "it has fallen silent"
    engine.took_cancel(first, Answered(CancelAck()), RUSH, WALL)
    assert not engine.leaving(RUSH + 0.01), "it has had its time"
