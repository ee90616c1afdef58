"""Pacing: whatever the network does between send and answer, the venue never counts too many."""

from __future__ import annotations

import random
from bisect import bisect_left
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.desk.engine import Aim, Engine
from cancel_tui.desk.pacing import Pace, Ticket, backoff, jitter
from cancel_tui.orders import Family, OrderId, OrderKey, VenueName
from cancel_tui.scope import Scope
from cancel_tui.settings import Budget
from cancel_tui.venues.base import Capabilities
from cancel_tui.venues.outcome import Reason, Refused

BUDGETS = st.builds(Budget, st.integers(1, 6), st.sampled_from([0.1, 0.5, 1.0, 3.0, 60.0]))


def most_in_any_window(arrivals: list[float], seconds: float) -> int:
    ordered = sorted(arrivals)
    return max(
        (bisect_left(ordered, first + seconds) - index for index, first in enumerate(ordered)), default=0
    )


def run_client(
    pace: Pace, wanted: int, rng: random.Random, *, slowest: float, hasty: float = 0.0, reserve: int = 0
) -> list[float]:
    """Send as early as the pace allows, with random answer times; when a counting server saw each arrive."""
    now = rng.uniform(0, 10)
    flying: list[tuple[float, Ticket]] = []
    arrivals: list[float] = []
    while len(arrivals) < wanted:
        for answered, ticket in sorted(flying, key=lambda one: one[0]):
            if answered <= now:
                pace.settle(ticket, answered)
        flying = [one for one in flying if one[0] > now]
        when = pace.earliest(now, reserve)
        if when <= now:
            ticket = pace.take(now)
            trip = rng.choice([0.0, rng.uniform(0, slowest)])
            arrivals.append(now + rng.choice([0.0, 1.0, rng.random()]) * trip)
            flying.append((now + trip, ticket))
            continue
        next_answer = min((one[0] for one in flying), default=inf)
        step = min(when, next_answer)
        assert step < inf, "nothing in flight, and yet nothing may leave: the pace is stuck"
        now = max(step, now + hasty)
    return arrivals


@given(BUDGETS, st.integers(0, 2**32), st.floats(0.0, 5.0))
def test_a_counting_server_never_sees_more_than_the_budget(budget: Budget, seed: int, slowest: float) -> None:
    rng = random.Random(seed)
    arrivals = run_client(Pace(budget, rng), budget.count * 4 + 3, rng, slowest=slowest)
    assert most_in_any_window(arrivals, budget.seconds) <= budget.count


@given(BUDGETS, st.integers(0, 2**32))
def test_the_budget_is_used_up_when_answers_come_at_once(budget: Budget, seed: int) -> None:
    rng = random.Random(seed)
    wanted = budget.count * 3
    arrivals = run_client(Pace(budget, rng), wanted, rng, slowest=0.0)
    assert max(arrivals) - min(arrivals) <= 2 * (budget.seconds + 0.06), "three full windows, no idling"


@given(BUDGETS, st.lists(st.floats(0, 100), max_size=8), st.integers(0, 2**32))
def test_what_another_process_sent_counts_too(budget: Budget, sent: list[float], seed: int) -> None:
    rng = random.Random(seed)
    pace = Pace(budget, rng)
    for moment in sent:
        pace.remember(moment)
    now = max(sent, default=0.0)
    arrivals = [moment + rng.uniform(0, 0.9) for moment in sent]
    others = most_in_any_window(arrivals, budget.seconds)
    for _ in range(budget.count + 2):
        now = max(now, pace.earliest(now))
        assert now < inf
        pace.settle(pace.take(now), now)
        arrivals.append(now)
    assert most_in_any_window(arrivals, budget.seconds) <= max(budget.count, others)


@given(st.integers(2, 10), st.integers(0, 2**32))
def test_polls_never_spend_the_reserve(count: int, seed: int) -> None:
    rng = random.Random(seed)
    pace = Pace(Budget(count, 10.0), rng)
    reserve = count // 2
    now = 0.0
    while now < 40.0:
        while pace.earliest(now, reserve) <= now:
            ticket = pace.take(now)
            if rng.random() < 0.8:
                pace.settle(ticket, now + rng.uniform(0, 0.1))
        assert pace.left(now) >= reserve
        assert pace.earliest(now) <= now, "a kill could leave at any moment"
        now += rng.uniform(0.05, 3.0)


def test_a_budget_of_one_has_no_reserve_to_keep() -> None:
    pace = Pace(Budget(1, 10.0))
    assert pace.earliest(0.0, reserve=1) <= 0.0


def test_a_unit_in_flight_is_taken_until_the_answer() -> None:
    pace = Pace(Budget(1, 1.0))
    ticket = pace.take(0.0)
    assert pace.earliest(50.0) == inf
    assert pace.left(50.0) == 0
    pace.settle(ticket, 60.0)
    assert 61.0 < pace.earliest(60.0) < 61.1
    assert pace.earliest(61.1) <= 61.1


def test_one_request_that_hangs_does_not_take_the_whole_budget() -> None:
    pace = Pace(Budget(3, 1.0))
    pace.take(0.0)
    for moment in (0.1, 0.2):
        pace.settle(pace.take(moment), moment)
    assert pace.left(0.5) == 0
    assert pace.left(5.0) == 2
    assert pace.earliest(5.0) <= 5.0


def test_a_request_that_never_left_gives_its_unit_back() -> None:
    pace = Pace(Budget(1, 60.0))
    pace.settle(pace.take(0.0), 0.0, unused=True)
    assert pace.earliest(0.0) <= 0.0
    assert pace.left(0.0) == 1


def test_without_a_budget_nothing_waits() -> None:
    pace = Pace(None)
    for _ in range(1_000):
        assert pace.earliest(0.0) <= 0.0
        pace.take(0.0)
    assert pace.left(0.0) == inf


# ---------------------------------------------------------------- throttling


@given(BUDGETS | st.none(), st.floats(0.2, 3_600), st.integers(0, 2**32))
def test_retry_after_is_honoured(budget: Budget | None, seconds: float, seed: int) -> None:
    pace = Pace(budget, random.Random(seed))
    pace.take(0.0)
    until = pace.throttled(1.0, seconds)
    assert until == pytest.approx(1.0 + seconds)
    assert pace.earliest(1.0) >= 1.0 + seconds
    assert pace.earliest(until - 1e-6) > until - 1e-6


def test_a_shorter_retry_after_does_not_shorten_a_longer_one() -> None:
    pace = Pace(Budget(10, 1.0))
    pace.throttled(0.0, 30.0)
    assert pace.throttled(1.0, 2.0) == pytest.approx(30.0)


def test_a_venue_that_asks_to_wait_for_nothing_is_not_hammered() -> None:
    pace = Pace(Budget(10, 1.0))
    assert pace.throttled(0.0, 0.0) >= 0.2


@given(st.integers(0, 2**32))
def test_without_a_hint_the_waits_double_up_to_half_a_minute(seed: int) -> None:
    pace = Pace(Budget(10, 1.0), random.Random(seed))
    now, waits = 0.0, []
    for _ in range(8):
        until = pace.throttled(now, None)
        waits.append(until - now)
        now = until
    for wait, wanted in zip(waits, (1, 2, 4, 8, 16, 30, 30, 30), strict=True):
        assert 0.79 * wanted <= wait <= 1.21 * wanted


def test_a_day_of_throttling_does_not_break_the_arithmetic() -> None:
    pace = Pace(None)
    now = 0.0
    for _ in range(3_000):
        now = pace.throttled(now, None)
    assert now < inf


def test_success_forgives() -> None:
    pace = Pace(Budget(10, 1.0), random.Random(1))
    now = 0.0
    for _ in range(5):
        now = pace.throttled(now, None)
    pace.succeeded()
    assert pace.throttled(now, None) - now < 1.3


def test_a_burst_that_is_throttled_together_is_one_lesson() -> None:
    pace = Pace(None, random.Random(1))
    for _ in range(64):
        pace.take(0.0)
    for _ in range(64):
        pace.throttled(0.1, None)
    until = pace.earliest(0.1)
    assert until < 1.5, "one strike, not sixty-four"
    pace.take(until)
    gap = pace.earliest(until) - until
    assert gap == pytest.approx(3 / 128), "two thirds of what was sent in a second"


def test_the_learned_rate_slows_down_and_recovers() -> None:
    pace = Pace(None, random.Random(1))
    for _ in range(8):
        pace.take(0.0)
    now = pace.throttled(0.0, 1.0)
    gaps = []
    for _ in range(200):
        now = max(now, pace.earliest(now))
        before = now
        pace.settle(pace.take(now), now)
        pace.succeeded()
        gaps.append(pace.earliest(now) - before)
    assert gaps[0] == pytest.approx(1 / (8 * 2 / 3 * 1.1))
    assert all(later <= gap + 1e-9 for gap, later in pairwise(gaps))
    assert pace.earliest(now) <= now, "in the end nothing holds it back"


def test_a_venue_that_refuses_every_seventh_request_is_not_slowed_to_a_crawl() -> None:
    pace = Pace(None, random.Random(1))
    now, sent = 0.0, 0
    while now < 60.0:
        now = max(now + 0.005, pace.earliest(now))
        ticket = pace.take(now)
        sent += 1
        pace.settle(ticket, now)
        if sent % 7 == 0:
            pace.throttled(now, 0.2)
        else:
            pace.succeeded()
    assert sent > 600


def test_the_learned_rate_never_falls_to_nothing() -> None:
    pace = Pace(None, random.Random(1))
    now = 0.0
    for _ in range(50):
        pace.take(now)
        now = pace.throttled(now, 0.2)
    pace.take(now)
    assert pace.earliest(now) - now <= 2.0


def test_with_a_budget_no_rate_is_learned() -> None:
    pace = Pace(Budget(5, 1.0))
    pace.settle(pace.take(0.0), 0.0)
    now = pace.throttled(0.0, 5.0) + 1.0
    for _ in range(5):
        assert pace.earliest(now) <= now
        pace.take(now)


def test_backoff_doubles_to_its_longest() -> None:
    assert [backoff(attempt) for attempt in range(7)] == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert backoff(10_000) == 8.0
    assert backoff(-1) == 0.0


def test_what_failed_together_does_not_come_back_together() -> None:
    waits = [jitter(2.0, f"order-{number}", 1) for number in range(200)]
    assert min(waits) >= 2.0, "never before the venue's own waiting time is over"
    assert max(waits) <= 2.7
    assert max(waits) - min(waits) > 0.5
    assert len(set(waits)) == 200
    assert jitter(2.0, "order-1", 1) == jitter(2.0, "order-1", 1) != jitter(2.0, "order-1", 2)


def test_refused_cancels_are_tried_again_at_times_of_their_own() -> None:
    keys = [OrderKey(VenueName("v"), None, Family.ORDER, OrderId(str(one))) for one in range(20)]
    aim = Aim(Scope(keys=frozenset(keys)), 1.0, 600.0, 0.0, True, 2.0)
    it = Engine(VenueName("v"), Capabilities(connections=20), aim, 0.0)
    assert len(it.next(0.0)) >= 20
    for key in keys:
        it.took_cancel(key, Refused(Reason.BUSY), 0.1, 0.0)
    assert len({track.next_try for track in it.tracks.values()}) == 20
