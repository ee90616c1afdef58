"""How often lists are asked for: a table of the policy, and the desk that follows it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as few
from hypothesis import strategies as st

from cancel_tui.desk.feeds import FeedState
from cancel_tui.desk.pacing import Pace
from cancel_tui.desk.rhythm import FAST, IDLE, PUSHED, Scene, reserve, rhythm, scan_gap, scarce
from cancel_tui.desk.slot import STALE_AFTER, VenueState
from cancel_tui.desk.watching import NOTICE
from cancel_tui.orders import Family, OrderId, OrderKey, VenueName
from cancel_tui.practice.venue import SLOW
from cancel_tui.scope import Scope
from cancel_tui.settings import Budget
from cancel_tui.venues.base import CallClass
from tests.desk.drive import stage

TIGHT = Budget(20, 60.0)
WIDE = Budget(10_000, 10.0)
FUTURES = VenueName("cs-fut")
SPOT = VenueName("cs-spot")


def tight(**changes: object) -> Scene:
    values: dict[str, object] = {"own": 8.0, "budget": TIGHT, "reserve": 4, **changes}
    return Scene(**values)  # type: ignore[arg-type]


def spent(count: int, every: float, window: float = 60.0) -> tuple[float, ...]:
    """When each unit comes back of looks that were taken at this rhythm up to now."""
    return tuple(window - every * index for index in range(count))


TABLE = [
    # scarce: normal, empty, unwatched
    (tight(), 8.0),
    (tight(orders=False), IDLE),
    (tight(watched=False), IDLE),
    # fast from what was saved, also behind looks at the normal rhythm
    (tight(cancelling=True), FAST),
    (tight(cancelling=True, orders=False, watched=False), FAST),
    (tight(cancelling=True, out=spent(4, IDLE)), FAST),
    (tight(cancelling=True, out=spent(8, 8.0)), FAST),
    # not so long that a look would have to wait
    (tight(cancelling=True, out=spent(7, FAST)), FAST),
    (tight(cancelling=True, out=spent(14, FAST)), 8.0),
    (tight(cancelling=True, orders=False, out=spent(14, FAST)), 8.0),
    (tight(cancelling=True, out=(inf,) * 16), 8.0),
    # a look of several pages; a reserve of half
    (tight(cost=3), 61 / 5),
    (tight(cost=3, cancelling=True), FAST),
    (tight(cost=3, cancelling=True, out=(30.0,) * 9), 61 / 5),
    (tight(cost=8, orders=False), 61 / 2),
    (tight(own=2.0, reserve=10), 6.1),
    # requests to spare: the venue's own rhythm, whatever happens; slower while its stream is live
    (Scene(2.0, cancelling=True, budget=WIDE), 2.0),
    (Scene(2.0, orders=False, watched=False, budget=WIDE), 2.0),
    (Scene(2.0, budget=None), 2.0),
    (Scene(2.0, budget=WIDE, pushed=True), PUSHED),
    (Scene(20.0, budget=WIDE, pushed=True), 20.0),
    (tight(pushed=True), PUSHED),
]


@pytest.mark.parametrize(("scene", "seconds"), TABLE)
def test_the_rhythm_of_a_scene(scene: Scene, seconds: float) -> None:
    assert rhythm(scene) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("budget", "cost", "unproven", "units"),
    [
        (TIGHT, 1, None, 10),  # nothing is known of the old windows: as much as there is
        (TIGHT, 1, 0, 4),
        (TIGHT, 1, 3, 7),
        (TIGHT, 2, 0, 6),
        (TIGHT, 1, 13, 10),
        (TIGHT, 9, 0, 10),
    ],
)
def test_what_polls_leave_is_what_a_verdict_costs(
    budget: Budget, cost: int, unproven: int | None, units: int
) -> None:
    assert reserve(budget, cost, unproven) == units


def test_a_budget_is_scarce_where_fast_looks_would_take_half_of_it() -> None:
    assert scarce(TIGHT, 1)
    assert not scarce(WIDE, 1)
    assert not scarce(Budget(60, 60.0), 1)
    assert scarce(Budget(60, 60.0), 2)
    assert not scarce(None, 9)


def test_old_windows_get_what_polls_leave_of_a_half() -> None:
    assert scan_gap(None, 1, 8.0) == 0.0
    assert scan_gap(TIGHT, 1, 8.0) == pytest.approx(60 / 2.5)
    assert scan_gap(TIGHT, 1, IDLE) == pytest.approx(10.0)
    assert scan_gap(TIGHT, 1, FAST) == 60.0


@few(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(5, 90)), min_size=1, max_size=8),
    st.integers(1, 3),
    st.integers(0, 4),
)
def test_whatever_happens_a_kill_finds_its_reserve_and_no_look_waits(
    phases: list[tuple[bool, int]], cost: int, unproven: int
) -> None:
    pace, now, kept = Pace(TIGHT), 0.0, reserve(TIGHT, cost, unproven)
    for cancelling, seconds in phases:
        end = now + seconds
        while now < end:
            assert pace.left(now) - kept >= cost, "a look would have to wait for its budget"
            for _ in range(cost):
                pace.settle(pace.take(now), now)
            assert pace.left(now) >= kept
            now += rhythm(tight(cancelling=cancelling, cost=cost, reserve=kept, out=pace.out(now)))


# ------------------------------------------------------------------ the desk


async def test_named_cancels_at_a_scarce_venue_are_watched_fast_and_leave_a_kill_its_reserve(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, 6, only="cs-fut", alone=True, extra="lookback_days = 7") as at:
        slot, desk, venue = at.desk.slots[FUTURES], at.desk, at.cluster.named("cs-fut")
        venue.plan = replace(venue.plan, cancel_delay=25.0)
        desk.watchers.append(lambda: None)
        desk.watch()
        await at.until(lambda: slot.full_at is not None, virtual=200.0)
        now = at.clock.monotonic()
        await at.until(lambda: at.clock.monotonic() > now + 60.0)
        assert slot.beat == 8.0
        first = next(iter(slot.book.orders())).key
        assert slot.lane is not None
        lane = slot.lane
        key = OrderKey(FUTURES, None, Family.ORDER, OrderId(str(first.order_id)))
        kill = desk.plan_kill(Scope(keys=frozenset({key}), raw={}), by_id=True)
        task = desk.start(kill, {})
        looks: set[float] = set()
        least, stale = [inf], []

        def over() -> bool:
            now = at.clock.monotonic()
            if slot.listed_at is not None:
                looks.add(slot.listed_at)
            least.append(lane.pace(CallClass.LIST).left(now))
            if slot.state_at(now) is VenueState.STALE:
                stale.append(now)
            return task.done()

        await at.until(over)
        times = sorted(looks)
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert min(gaps) == pytest.approx(FAST, abs=0.2)
        assert min(least) >= reserve(TIGHT, 1, slot.unproven)
        assert stale == []
        await at.until(lambda: slot.beat == 8.0, virtual=20.0)


async def test_venues_at_rest_wake_the_process_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path, 0, only="cs-spot", alone=True) as at:
        slot, clock, moments = at.desk.slots[SPOT], at.clock, list[float]()

        async def sleep(seconds: float) -> None:
            clock.advance(seconds)
            moments.append(clock.monotonic())

        monkeypatch.setattr(at.desk, "_rhythm", lambda slot: 6.5)
        monkeypatch.setattr(clock, "sleep", sleep)
        clock.advance(0.3)
        begun = clock.monotonic()
        await at.desk._rest(slot)
        assert moments[-1] == pytest.approx(begun + 6.5)
        assert all(at % NOTICE == pytest.approx(0.0) for at in moments[:-1])
        assert len(moments) <= 6.5 / NOTICE + 2


async def test_an_empty_scarce_venue_is_asked_slowly_and_stale_accordingly(tmp_path: Path) -> None:
    async with stage(tmp_path, 0, only="cs-fut", alone=True, extra="lookback_days = 7") as at:
        slot = at.desk.slots[FUTURES]
        at.desk.watchers.append(lambda: None)
        for one in list(at.cluster.named("cs-fut").book.live()):
            del at.cluster.named("cs-fut").book.orders[one.id]
        at.desk.watch()
        await at.until(lambda: slot.beat == IDLE, virtual=200.0)
        assert slot.listed_at is not None
        assert slot.state_at(slot.listed_at + IDLE + STALE_AFTER) is VenueState.LIVE
        assert slot.state_at(slot.listed_at + IDLE + STALE_AFTER + 0.1) is VenueState.STALE


async def test_a_live_stream_slows_the_polls_and_a_dead_one_brings_them_back(tmp_path: Path) -> None:
    async with stage(tmp_path, 3, only="cs-spot", alone=True) as at:
        slot = at.desk.slots[SPOT]
        at.desk.watch()
        await at.until(lambda: slot.feed.state is FeedState.LIVE and slot.beat == PUSHED, virtual=60.0)
        # The list is nearly as old as a live stream lets it become, and the next one takes two seconds.
        await at.until(lambda: at.clock.monotonic() - (slot.listed_at or 0.0) > 8.5, virtual=60.0)
        at.cluster.named("cs-spot").faults |= {"stream_refused", "slow@list"}
        at.cluster.named("cs-spot").stream.abort()  # type: ignore[attr-defined]
        await at.until(lambda: slot.feed.state is FeedState.DOWN, virtual=10.0)
        died = at.clock.monotonic()
        states: set[VenueState] = set()

        def listed() -> bool:
            states.add(slot.state_at(at.clock.monotonic()))
            return slot.listed_at is not None and slot.listed_at >= died

        await at.until(listed, virtual=60.0)
        assert at.clock.monotonic() - died <= NOTICE + SLOW + 0.5
        assert states == {VenueState.LIVE}, "a list is not stale because the next one comes early"
        assert slot.beat == 2.0
