"""Each kind of practice venue has the shared faults in its own words: what they do to real cancels."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cancel_tui.cancels import Ending
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.kill import Kill
from cancel_tui.orders import VenueName
from cancel_tui.practice.cluster import KINDS
from cancel_tui.practice.market import State
from cancel_tui.practice.mischief import Faults
from cancel_tui.practice.venue import PracticeVenue
from cancel_tui.scope import Scope
from tests.desk.drive import Stage, stage

NAMES = tuple(kind.name for kind in KINDS)
NATIVE = tuple(kind.name for kind in KINDS if "cancel_all" in kind.routes_known)


@asynccontextmanager
async def faulty(folder: Path, name: str, *faults: str) -> AsyncIterator[tuple[Stage, PracticeVenue]]:
    async with stage(folder, 60, only=name, alone=True) as at:
        slot = at.desk.slots[VenueName(name)]
        await at.finish(at.desk.spawn(at.desk.list_venue(slot, Urgency.KILL, deep=False)))
        venue = at.cluster.named(name)
        venue.faults |= set(faults)
        yield at, venue


async def cancel_one(at: Stage, name: str, deadline: float = 30.0) -> Kill:
    """Cancel the order with the largest remainder, which is one that can fill in part."""
    orders = [one for one in at.desk.slots[VenueName(name)].book.orders() if one.remaining and not one.filled]
    order = max(orders, key=lambda one: one.quantity or 0)
    kill = at.desk.plan_kill(
        Scope(keys=frozenset({order.key}), raw={}), deadline=deadline, by_id=True, known=[order]
    )
    await at.finish(at.desk.start(kill, {}))
    return kill


@pytest.mark.parametrize("name", NAMES)
async def test_a_first_refusal_is_followed_by_a_cancel_that_is_taken(name: str, tmp_path: Path) -> None:
    async with faulty(tmp_path, name, "refuse_first") as (at, venue):
        [track] = (await cancel_one(at, name)).tracks()
        assert track.attempts >= 2
        assert venue.book.orders[str(track.key.order_id)].state in (State.CANCELLED, State.FILLED)


@pytest.mark.parametrize("name", NAMES)
async def test_half_of_an_order_fills_while_it_is_cancelled(name: str, tmp_path: Path) -> None:
    async with faulty(tmp_path, name, "part_fill_race") as (at, venue):
        [track] = (await cancel_one(at, name)).tracks()
        order = venue.book.orders[str(track.key.order_id)]
        assert 0 < order.filled < order.quantity
        assert order.state is State.CANCELLED
        if track.outcome is not Ending.GONE:
            assert track.filled == order.filled


@pytest.mark.parametrize("name", NAMES)
async def test_a_cancel_without_effect_leaves_the_order_live_and_is_not_believed(
    name: str, tmp_path: Path
) -> None:
    async with faulty(tmp_path, name, "cancel_noop") as (at, venue):
        kill = await cancel_one(at, name, deadline=5.0)
        assert venue.book.orders[str(kill.tracks()[0].key.order_id)].state is State.RESTING
        assert kill.verdict is Verdict.NOT_FLAT


@pytest.mark.parametrize("name", NAMES)
async def test_credentials_that_expire_are_refused_from_then_on(name: str, tmp_path: Path) -> None:
    async with faulty(tmp_path, name, "expires@cancel*1") as (at, venue):
        kill = await cancel_one(at, name, deadline=5.0)
        order = venue.book.orders[str(kill.tracks()[0].key.order_id)]
        if name == "broker":
            assert not order.state.live, "an access token can be had anew"
        else:
            assert order.state is State.RESTING
            assert kill.verdict is not Verdict.FLAT


@pytest.mark.parametrize("name", NAMES)
async def test_a_single_401_is_the_venues_own(name: str, tmp_path: Path) -> None:
    async with faulty(tmp_path, name, "unauthorized@cancel*1") as (at, venue):
        assert (await cancel_one(at, name)).tracks()[0].attempts >= 1
        assert isinstance(venue.faults, Faults)
        assert venue.faults.hits["unauthorized"] == 1


@pytest.mark.parametrize("name", NAMES)
async def test_live_orders_carry_an_unknown_word(name: str, tmp_path: Path) -> None:
    async with faulty(tmp_path, name, "unknown_status") as (at, _):
        slot = at.desk.slots[VenueName(name)]
        await at.finish(at.desk.spawn(at.desk.list_venue(slot, Urgency.KILL, deep=False)))
        assert "unknown" in {order.status.value for order in slot.book.orders()}


@pytest.mark.parametrize(
    ("fault", "whole"),
    [
        ("cancel_all_noop", True),
        ("cancel_all_lies", True),
        ("cancel_all_skips", False),
        ("cancel_all_half", False),
    ],
)
@pytest.mark.parametrize("name", NATIVE)
async def test_a_cancel_all_is_not_what_it_says(name: str, fault: str, whole: bool, tmp_path: Path) -> None:
    async with faulty(tmp_path, name, fault) as (at, venue):
        before = {order.id for order in venue.book.live()}
        kill = at.desk.plan_kill(Scope(raw={}), deadline=200.0)
        task = at.desk.start(kill, {})
        assert isinstance(venue.faults, Faults)
        hits = venue.faults.hits
        await at.until(lambda: hits[fault] > 0)
        left = {order.id for order in venue.book.live() if order.state is State.RESTING} & before
        assert left == before if whole else left < before
        venue.faults.clear()
        await at.finish(task)
        assert kill.verdict is Verdict.FLAT
        assert venue.book.live() == []
        (told,) = kill.results()
        assert told.requests["cancel"] + told.requests["cancel_all"] > 1, "one cancel-all was enough"
