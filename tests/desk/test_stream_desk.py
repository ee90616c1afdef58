"""Streams and desk together, over loopback: how soon the book knows, and that no stream spoils it."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from pathlib import Path
from statistics import median

import pytest

from cancel_tui.desk.feeds import FeedState
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.runner import VenueRun
from cancel_tui.desk.slot import Slot
from cancel_tui.orders import Order, VenueName, altered
from cancel_tui.practice.b2trader import B2Trader
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.practice.venue import PracticeVenue
from cancel_tui.scope import Scope
from tests.desk.drive import Stage, stage
from tests.desk.truth import agrees, truth_of

STREAMS = ("roxom", "p99", "broker")
ALL_STREAMS = ("cs-spot", *STREAMS)
SAMPLES = 5
"""Orders whose end is timed, for each way to learn of it."""


def slot_of(at: Stage, name: str) -> Slot:
    return at.desk.slots[VenueName(name)]


def feed_state(at: Stage, name: str) -> FeedState:
    """As it stands now."""
    return slot_of(at, name).feed.state


def knows_the_end(slot: Slot, order: SimOrder) -> bool:
    return all(str(one.key.order_id) != order.id for one in slot.book.orders())


async def wait(at: Stage, seconds: float) -> None:
    """Let exactly so much time pass."""
    sleeping = asyncio.create_task(at.clock.sleep(seconds))
    await at.until(sleeping.done)


async def times(folder: Path, name: str, *, stream: bool) -> list[float]:
    """Seconds from the end of an order at the venue until the book does not hold it any more."""
    extra = "" if stream else "stream = false"
    found: list[float] = []
    async with stage(folder, 100, only=name, alone=True, extra=extra) as at:
        slot, venue = slot_of(at, name), at.cluster.named(name)
        draw = random.Random(f"moments/{name}")
        at.desk.watch()
        await at.until(lambda: slot.listed_at is not None)
        if stream:
            await at.until(lambda: feed_state(at, name) is FeedState.LIVE)
        else:
            assert feed_state(at, name) is FeedState.OFF
        assert slot.venue is not None
        for _ in range(SAMPLES):
            await wait(at, draw.uniform(0.5, 1.5) * slot.venue.capabilities.poll_seconds)
            order = draw.choice([one for one in venue.book.live() if one.family == "order"])
            venue.book.change(order, State.CANCELLED)
            began = at.clock.monotonic()
            await at.until(lambda gone=order: knows_the_end(slot, gone))  # type: ignore[misc]
            found.append((at.clock.monotonic() - began) / slot.venue.capabilities.poll_seconds)
    return found


@pytest.mark.parametrize("name", STREAMS)
async def test_with_a_stream_an_end_is_known_long_before_the_next_poll(name: str, tmp_path: Path) -> None:
    pushed = await times(tmp_path / "a", name, stream=True)
    polled = await times(tmp_path / "b", name, stream=False)
    assert median(pushed) < 0.2, "in intervals of polling"
    assert max(polled) <= 2.0, "without a stream it is the next poll"
    assert median(pushed) * 2 < median(polled)


async def test_a_cancel_is_confirmed_when_the_stream_says_so(tmp_path: Path) -> None:
    async with stage(tmp_path, 100, only="roxom", alone=True) as at:
        slot, venue = slot_of(at, "roxom"), at.cluster.named("roxom")
        at.desk.watch()
        await at.until(lambda: feed_state(at, "roxom") is FeedState.LIVE)
        [order, *_] = slot.book.orders()
        ended: list[float] = []
        venue.book.watchers.append(
            lambda one: ended.append(at.clock.monotonic()) if not one.state.live else None
        )
        kill = at.desk.plan_kill(
            Scope(keys=frozenset({order.key}), raw={}), deadline=60.0, by_id=True, known=[order]
        )
        task = at.desk.start(kill, {})
        await at.until(lambda: any(track.stage.settled for track in kill.tracks()))
        assert at.clock.monotonic() - ended[0] < 0.5
        await at.finish(task)


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_that_freezes_is_silent_in_time_and_the_orders_stay_right(
    name: str, tmp_path: Path
) -> None:
    async with stage(tmp_path, 100, only=name, alone=True) as at:
        slot, venue = slot_of(at, name), at.cluster.named(name)
        at.desk.watch()
        await at.until(lambda: feed_state(at, name) is FeedState.LIVE)
        await wait(at, 2.0)
        freeze(venue)
        began = at.clock.monotonic()
        churn(venue, random.Random(1))
        await at.until(lambda: feed_state(at, name) is FeedState.SILENT, virtual=6.0)
        assert at.clock.monotonic() - began <= 5.2
        churn(venue, random.Random(2))
        await at.until(lambda: agrees(slot, truth_of(venue)), virtual=8.0)


def freeze(venue: PracticeVenue) -> None:
    """Let the stream say nothing any more; where lists travel over sockets too, those go on."""
    if isinstance(venue, B2Trader):
        _, feed = venue.feed.hub.connections
        feed.freeze()
    else:
        venue.faults.add("stream_freezes")


def churn(venue: PracticeVenue, draw: random.Random) -> None:
    """One end of each sort, a part fill and a newcomer, among the orders of a day: those are listed often."""
    young = venue.clock.wall() - 86_400.0
    resting = [
        one
        for one in venue.book.live()
        if one.state is State.RESTING and one.family == "order" and not one.filled and one.created > young
    ]
    draw.shuffle(resting)
    venue.book.add(venue.newcomer())
    for order, act in zip(resting, ("cancel", "fill", "part"), strict=False):
        if act == "cancel":
            venue.book.change(order, State.CANCELLED)
        elif act == "fill":
            venue.book.fill(order)
        else:
            venue.book.fill(order, (order.quantity / 2).quantize(order.quantity))


async def test_servers_that_are_killed_ten_times_leave_the_book_equal_to_the_truth(tmp_path: Path) -> None:
    async with stage(tmp_path, 120) as at:
        at.desk.watch()
        await at.until(lambda: all(feed_state(at, name) is FeedState.LIVE for name in ALL_STREAMS))
        draw = random.Random(3)
        for _ in range(10):
            for venue in at.cluster.venues:
                churn(venue, draw)
                await venue.server.stop(keep_port=True)
                churn(venue, draw)
            await wait(at, 0.2)
            for venue in at.cluster.venues:
                await venue.server.start()
                churn(venue, draw)
            await wait(at, draw.uniform(0.2, 2.0))
        await at.until(
            lambda: all(
                agrees(slot_of(at, venue.name), truth_of(venue))
                and slot_of(at, venue.name).state.value == "live"
                for venue in at.cluster.venues
            ),
            real=60.0,
        )
        await at.until(lambda: all(feed_state(at, name) is FeedState.LIVE for name in ALL_STREAMS), real=60.0)
        assert all(slot_of(at, name).feed.connections >= 2 for name in ALL_STREAMS)
        for venue in at.cluster.venues:
            churn(venue, draw)
        await at.until(lambda: all(agrees(slot_of(at, one.name), truth_of(one)) for one in at.cluster.venues))


async def test_what_a_stream_says_of_an_order_wakes_only_those_whose_order_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[str] = []
    monkeypatch.setattr(VenueRun, "hear", lambda run, order: woken.append(run._kill_id))
    async with stage(tmp_path, 100, only="p99", alone=True) as at:
        slot = slot_of(at, "p99")
        await at.desk.open()
        await at.desk.list_venue(slot, Urgency.POLL, deep=True)
        at.cluster.named("p99").faults.add("hang")
        first, second, other, *_ = slot.book.orders()

        def single(order: Order) -> Kill:
            scope = Scope(keys=frozenset({order.key}), raw={})
            kill = at.desk.plan_kill(scope, deadline=60.0, by_id=True, known=[order])
            at.desk.start(kill, {})
            return kill

        kills = [single(first), single(second), single(first)]
        await at.until(lambda: all(kill.runs for kill in kills))

        def said(order: Order) -> list[str]:
            woken.clear()
            assert order.quantity is not None
            filled = (slot.book.find(order.key) or (order,))[0].filled or Decimal(0)
            later = altered(
                order, filled=filled + Decimal("0.001"), updated_at=at.clock.wall() + float(filled)
            )
            assert at.desk.heard(slot, later)
            return list(woken)

        assert said(other) == []
        assert said(second) == [kills[1].kill_id]
        assert said(first) == [kills[0].kill_id, kills[2].kill_id]
        wide = at.desk.plan_kill(Scope(raw={}), deadline=60.0)
        at.desk.start(wide, {})
        await at.until(lambda: bool(wide.runs))
        assert said(other) == [wide.kill_id]
        assert said(second) == [kills[1].kill_id, wide.kill_id]
