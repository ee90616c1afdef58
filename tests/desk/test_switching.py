"""Venues that change while the desk runs: off and on, other credentials, and kills that are not disturbed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cancel_tui.cli.session import practice_credentials
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.slot import LockedError, Slot, VenueState
from cancel_tui.orders import OrderStatus, VenueName, altered
from cancel_tui.redaction import Secret
from cancel_tui.scope import Scope
from cancel_tui.settings import VenueSettings
from cancel_tui.venues.base import PartList
from cancel_tui.venues.outcome import Answered, NotSent, Unauthorised
from tests.desk.drive import Stage, stage

P99, ROXOM = VenueName("p99"), VenueName("roxom")
EVERYTHING = Scope(raw={})


class Keys:
    """Credentials that a test can take away and replace."""

    def __init__(self) -> None:
        self.missing = False
        self.wrong = False
        self.asked = 0

    async def __call__(self, settings: VenueSettings) -> Mapping[str, Secret]:
        self.asked += 1
        if self.missing:
            raise LockedError("no credentials are stored")
        found = await practice_credentials(settings)
        if self.wrong:
            return {name: Secret(f"wrong-{name}-0123456789abcdef") for name in found}
        return found


async def fire(at: Stage, **limits: float) -> Kill:
    kill = at.desk.plan_kill(EVERYTHING)
    await at.finish(at.desk.start(kill, {}), **limits)
    return kill


def over(kill: Kill) -> bool:
    """As it stands now."""
    return kill.finished_wall is not None


def state(slot: Slot) -> VenueState:
    """As it stands now."""
    return slot.state


async def reopened(at: Stage) -> str | None:
    task: asyncio.Task[str | None] = at.desk.spawn(at.desk.reopen(P99))
    await at.finish(task)
    return task.result()


def journal(folder: Path) -> str:
    return "".join(path.read_text() for path in (folder / "data" / "journal").glob("*.jsonl"))


async def test_a_venue_that_is_off_is_not_asked_and_in_no_scope_and_comes_back(tmp_path: Path) -> None:
    async with stage(tmp_path, 12) as at:
        at.desk.watch()
        await at.until(lambda: all(slot.listed_at is not None for slot in at.desk.slots.values()))
        names = list(at.desk.slots)
        assert at.desk.switch_off(ROXOM)
        assert not at.desk.switch_off(ROXOM)
        asked = len(at.cluster.named("roxom").seen)
        kill = await fire(at)
        assert ROXOM not in kill.names
        assert kill.about["switched_off"] == ["roxom"]
        # What was under way on its two connections, and whoever waited for them at that moment.
        assert len(at.cluster.named("roxom").seen) <= asked + 4
        assert at.cluster.live()["roxom"] != []
        assert at.desk.switch_on(ROXOM)
        assert not at.desk.switch_on(ROXOM)
        assert list(at.desk.slots) == names
        slot = at.desk.slots[ROXOM]
        assert (slot.listed_at, slot.book.live()) == (None, {})
        await at.until(lambda: slot.listed_at is not None)
        assert len(slot.book.live()) == len(at.cluster.live()["roxom"])
        await fire(at)
        assert at.cluster.live()["roxom"] == []
    text = journal(tmp_path)
    assert text.count('"venue_off"') == text.count('"venue_on"') == 1


async def test_no_venue_is_switched_off_under_a_kill(tmp_path: Path) -> None:
    async with stage(tmp_path, 12, only="p99", alone=True, latency=1.0) as at:
        task = at.desk.start(at.desk.plan_kill(EVERYTHING), {})
        assert not at.desk.switch_off(P99)
        await at.until(lambda: at.desk.kills[0].tracks() != [])
        assert not at.desk.switch_off(P99)
        await at.finish(task)
        assert at.desk.switch_off(P99)


async def test_a_hold_takes_up_no_venue_that_is_off(tmp_path: Path) -> None:
    async with stage(tmp_path, 12, only="p99", alone=True) as at:
        kill = await fire(at)
        assert kill.verdict is Verdict.FLAT
        assert at.desk.switch_off(P99)
        kill.hold()
        assert over(kill)
        assert at.desk.switch_on(P99)
        kill.hold()
        assert not over(kill)
        kill.release()
        await at.until(lambda: kill.finished_wall is not None)


async def test_a_kill_that_was_planned_before_leaves_out_what_went_off_since(tmp_path: Path) -> None:
    async with stage(tmp_path, 12, only="p99", alone=True) as at:
        kill = at.desk.plan_kill(EVERYTHING)
        assert at.desk.switch_off(P99)
        await at.finish(at.desk.start(kill, {}))
        assert kill.verdict is Verdict.UNVERIFIED
        assert kill.locked == {P99: "switched off for this run: nothing was sent there"}
        assert at.cluster.live()["p99"] != []


async def test_a_locked_venue_can_be_unlocked_later_and_wrong_keys_replaced(tmp_path: Path) -> None:
    async with stage(tmp_path, 12, only="p99", alone=True) as at:
        keys = Keys()
        at.desk._credentials = keys
        keys.missing = True
        slot = at.desk.slots[P99]
        slot.venue = slot.lane = None
        await at.desk.open()
        assert state(slot) is VenueState.LOCKED
        assert isinstance(await at.desk.check(slot), NotSent)
        assert await reopened(at) == "no credentials are stored"
        assert state(slot) is VenueState.LOCKED
        keys.missing, keys.wrong = False, True
        assert await reopened(at) is None
        assert state(slot) is VenueState.REFUSED
        lane = slot.lane
        assert isinstance(await at.desk.check(slot), Unauthorised)
        keys.wrong = False
        assert await reopened(at) is None
        assert (slot.state, slot.complete) == (VenueState.LIVE, True)
        assert slot.lane is lane
        assert isinstance(await at.desk.check(slot), Answered)
        kill = await fire(at)
        assert kill.verdict is Verdict.FLAT


async def test_credentials_that_cannot_be_fetched_leave_the_old_ones_at_work(tmp_path: Path) -> None:
    async with stage(tmp_path, 12, only="p99", alone=True) as at:
        keys = Keys()
        at.desk._credentials = keys
        slot = at.desk.slots[P99]
        venue = slot.venue
        keys.missing = True
        assert await reopened(at) == "no credentials are stored"
        assert slot.venue is venue
        kill = await fire(at)
        assert kill.verdict is Verdict.FLAT


async def test_a_running_kill_keeps_its_adapter_and_lane_until_it_is_over(tmp_path: Path) -> None:
    async with stage(tmp_path, 12, only="p99", alone=True, latency=1.0) as at:
        slot = at.desk.slots[P99]
        venue, lane = slot.venue, slot.lane
        task = at.desk.start(at.desk.plan_kill(EVERYTHING), {})
        await at.until(lambda: at.desk.kills[0].tracks() != [])
        again = at.desk.spawn(at.desk.reopen(P99))
        seen: list[tuple[Any, Any, bool]] = []
        at.look = lambda: seen.append((slot.venue, slot.lane, at.desk.kills[0].finished_wall is None))
        await at.finish(task)
        assert at.desk.kills[0].verdict is Verdict.FLAT
        assert all(one[0] is venue for one in seen if one[2])
        assert at.desk.kills[0].runs[P99].venue is venue
        await at.finish(again)
        assert slot.venue is not venue
        assert slot.lane is lane


async def test_lists_under_other_credentials_contradict_no_earlier_kill(tmp_path: Path) -> None:
    async with stage(tmp_path, 12, only="p99", alone=True) as at:
        kill = await fire(at)
        assert kill.verdict is Verdict.FLAT
        slot = at.desk.slots[P99]
        run = kill.runs[P99]
        assert await reopened(at) is None
        # As the lists of another account would: orders that this kill believes to have ended.
        known = [track.order for track in kill.tracks() if track.order is not None]
        was = [altered(order, status=OrderStatus.OPEN) for order in known]
        later = at.desk.clock.monotonic() + 60
        slot.book.absorb(slot.parts[0].id, later, PartList(orders=tuple(was), complete=True), later)
        at.desk.review(slot)
        assert (kill.came_back, run.over) == (0, True)
        kill.hold()
        assert over(kill)
        run.venue = slot.venue or run.venue
        at.desk.review(slot)
        assert kill.came_back > 0
        await at.until(lambda: kill.finished_wall is not None)


async def test_two_that_open_a_venue_at_once_make_one_lane(tmp_path: Path) -> None:
    async with stage(tmp_path, 4, only="p99", alone=True) as at:
        slot = at.desk.slots[P99]
        slot.venue = slot.lane = None
        both = asyncio.gather(at.desk.open([P99]), at.desk.open([P99]))
        made: set[int] = set()
        at.desk.watchers.append(lambda: made.add(id(slot.venue)))
        await both
        assert len(made) == 1
        await at.desk.list_venue(slot, Urgency.POLL, deep=False)
        assert state(slot) is VenueState.LIVE


async def test_a_stream_ends_with_its_venue_or_its_credentials(tmp_path: Path) -> None:
    async with stage(tmp_path, 4, only="p99", alone=True) as at:
        slot = at.desk.slots[P99]
        await at.desk.list_venue(slot, Urgency.POLL, deep=False)
        known = next(iter(slot.book.orders()))
        again: list[Callable[[], object]] = [lambda: at.desk.switch_off(P99), lambda: at.desk.switch_on(P99)]
        for change in (again, None):
            feed = asyncio.create_task(asyncio.sleep(3600))
            at.desk._feeds[P99] = feed
            slot.book.told[known.key] = known, at.desk.clock.monotonic()
            if change is None:
                assert await reopened(at) is None
            else:
                assert all(one() for one in change)
            await at.until(feed.cancelled)
            assert P99 not in at.desk._feeds
            assert slot.book.told == {}
