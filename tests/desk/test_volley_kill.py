"""A kill whose cancels leave one upon another: what is known of each is what came back, and when it did."""

from __future__ import annotations

import asyncio
from math import inf
from pathlib import Path
from typing import Any

import pytest

from cancel_tui.cancels import Ending, Stage
from cancel_tui.desk import volley
from cancel_tui.desk.engine import Engine, Verdict
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.lane import LanePort
from cancel_tui.desk.report import scope_json
from cancel_tui.desk.runner import VenueRun
from cancel_tui.desk.volley import Volley
from cancel_tui.orders import OrderKey, Side, VenueName
from cancel_tui.practice.mischief import Faults
from cancel_tui.scope import Scope
from cancel_tui.venues.base import CallClass
from cancel_tui.venues.outcome import NotSent, Unanswered, Unauthorised
from cancel_tui.venues.p99 import P99Venue
from tests.desk.drive import Stage as Scene
from tests.desk.drive import stage

BUYS = Scope(sides=frozenset({Side.BUY}), raw={"side": ["buy"]})
ORDERS = 400
"""Of which the venue holds a fifth."""


def raw(folder: Path) -> str:
    return "".join(path.read_text() for path in sorted((folder / "data" / "journal").glob("*.jsonl")))


async def begun(at: Scene, deadline: float = 300.0) -> tuple[Kill, asyncio.Task[None]]:
    at.desk.watch()
    await at.until(lambda: all(slot.complete for slot in at.desk.slots.values()))
    await at.desk.warm()
    kill = at.desk.plan_kill(BUYS, deadline=deadline)
    return kill, at.desk.start(kill, scope_json(BUYS))


@pytest.fixture
def flown(monkeypatch: pytest.MonkeyPatch) -> list[OrderKey]:
    """Orders whose cancels left without a task, as they leave."""
    monkeypatch.setattr("cancel_tui.desk.journal.PROMPT", 5.0)  # however slow the disk of a test is
    seen: list[OrderKey] = []
    leave = Volley._leave

    def looking(self: Volley, key: OrderKey, line: Any) -> bool:
        left = leave(self, key, line)
        if left:
            seen.append(key)
        return left

    monkeypatch.setattr(Volley, "_leave", looking)
    return seen


async def test_most_cancels_of_a_large_kill_leave_so_and_all_are_proven_gone(
    tmp_path: Path, flown: list[OrderKey]
) -> None:
    async with stage(tmp_path, ORDERS, only="p99", alone=True) as at:
        kill, task = await begun(at)
        await at.finish(task)
        assert kill.verdict is Verdict.FLAT
        assert {one.outcome for one in kill.tracks()} == {Ending.CANCELED}
        assert len(flown) == len(set(flown)) > len(kill.tracks()) / 2
        assert all(one.attempts == 1 for one in kill.tracks())


FAULTS = ("throttle_plain", "effect_then_throttle", "drop", "effect_then_drop", "unauthorized", "refuse")


@pytest.mark.parametrize("venue", ["cs-spot", "p99", "broker"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_in_the_midst_of_them_leaves_nothing_behind(
    tmp_path: Path, flown: list[OrderKey], venue: str, fault: str
) -> None:
    async with stage(tmp_path, ORDERS, only=venue, alone=True) as at:
        server = at.cluster.named(venue)
        server.faults.add(f"{fault}@cancel*3")
        kill, task = await begun(at)
        await at.finish(task)
        assert isinstance(server.faults, Faults)
        assert server.faults.hits[fault] >= 1
        assert len(flown) >= 4
        assert kill.verdict is Verdict.FLAT, kill.verdict
        live = {one.key for slot in at.desk.slots.values() for one in slot.book.orders()}
        assert not live & {one.key for one in kill.tracks()}


async def test_a_reply_that_nobody_understood_is_no_cancel_that_never_left(
    tmp_path: Path, flown: list[OrderKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    took: list[tuple[OrderKey, object]] = []
    real, take = P99Venue.cancel, Engine.took_cancel

    async def unready(self: P99Venue, key: OrderKey, port: Any) -> Any:
        if isinstance(port, LanePort) and port.flown is not None and not took:
            return NotSent("no token")
        return await real(self, key, port)

    def looking(self: Engine, key: OrderKey, outcome: Any, now: float, wall: float) -> None:
        if key in flown:
            took.append((key, outcome))
        take(self, key, outcome, now, wall)

    monkeypatch.setattr(P99Venue, "cancel", unready)
    monkeypatch.setattr(Engine, "took_cancel", looking)
    async with stage(tmp_path, ORDERS, only="p99", alone=True) as at:
        kill, task = await begun(at)
        await at.finish(task)
        assert isinstance(took[0][1], Unanswered)
        assert kill.verdict is Verdict.FLAT


async def test_a_cancel_counts_as_answered_when_its_answer_came(
    tmp_path: Path, flown: list[OrderKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    came: dict[OrderKey, float] = {}
    took: dict[OrderKey, float] = {}
    back, take = Volley._back, Engine.took_cancel

    def arriving(self: Volley, flight: Any, raw: Any) -> None:
        back(self, flight, raw)
        came[flight.key] = flight.port.flown.at

    def taking(self: Engine, key: OrderKey, outcome: Any, now: float, wall: float) -> None:
        took.setdefault(key, now)
        take(self, key, outcome, now, wall)

    monkeypatch.setattr(volley, "GLANCE", 0.05)
    monkeypatch.setattr(Volley, "_back", arriving)
    monkeypatch.setattr(Engine, "took_cancel", taking)
    async with stage(tmp_path, ORDERS, only="p99", alone=True, latency=0.02) as at:
        _, task = await begun(at)
        await at.finish(task)
        assert came
        assert {key: took[key] for key in came} == came


async def test_a_kill_that_is_ended_says_of_each_cancel_whether_it_left(
    tmp_path: Path, flown: list[OrderKey]
) -> None:
    async with stage(tmp_path, ORDERS, only="p99", alone=True, latency=0.5) as at:
        kill, task = await begun(at)
        await at.until(lambda: len(flown) >= 8)
        task.cancel()
        await asyncio.wait({task})
        for track in kill.tracks():
            left = track.key in flown
            assert track.stage is (Stage.UNKNOWN if left else Stage.WANTED), (track.key, track.stage)
            assert track.attempts == (1 if left else 0)


async def test_after_a_stop_no_more_leave(tmp_path: Path, flown: list[OrderKey]) -> None:
    async with stage(tmp_path, ORDERS, only="p99", alone=True, latency=0.5) as at:
        kill, task = await begun(at)
        await at.until(lambda: len(flown) >= 8)
        left = len(flown)
        kill.stop(at.clock.monotonic())
        await at.finish(task)
        assert len(flown) == left < len(kill.tracks())
        asked = sum(run.tally.count(CallClass.CANCEL) for run in kill.runs.values())
        assert asked == sum(one.attempts for one in kill.tracks())


async def test_a_kill_whose_key_is_refused_waits_for_those_in_flight(
    tmp_path: Path, flown: list[OrderKey]
) -> None:
    extra = "timeout_seconds = 0.5\n"
    async with stage(tmp_path, ORDERS, only="p99", alone=True, extra=extra) as at:
        server = at.cluster.named("p99")
        server.faults |= {"hang@cancel*1", "unauthorized@cancel"}
        kill, task = await begun(at)
        await at.finish(task)
        assert flown
        assert not [one for one in kill.tracks() if one.stage.flying]


async def test_the_cancel_of_a_key_leaves_before_anything_else_has_a_turn(
    tmp_path: Path, flown: list[OrderKey]
) -> None:
    async with stage(tmp_path, 60, only="p99", alone=True) as at:
        at.desk.watch()
        await at.until(lambda: all(slot.complete for slot in at.desk.slots.values()))
        await at.desk.warm()
        order = next(one for slot in at.desk.slots.values() for one in slot.book.orders())
        scope = Scope(keys=frozenset({order.key}), raw={})
        kill = at.desk.plan_kill(scope, deadline=30.0, by_id=True, known=[order])
        task = at.desk.start(kill, scope_json(scope))
        assert flown == [order.key], "it has left, and is written down"
        assert f'"{order.key.shown_id}"' in raw(tmp_path)
        await at.finish(task)
        assert [one.outcome for one in kill.tracks()] == [Ending.CANCELED]
        assert [one.attempts for one in kill.tracks()] == [1]


async def test_a_fault_of_ours_at_one_venue_holds_up_no_other(
    tmp_path: Path, flown: list[OrderKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path, 120) as at:
        at.desk.watch()
        await at.until(lambda: all(slot.complete for slot in at.desk.slots.values()))
        await at.desk.warm()
        kill = at.desk.plan_kill(BUYS, deadline=300.0)
        ready = kill.ready
        assert ready is not None
        first = kill.names[0]

        def broken(name: VenueName) -> VenueRun | None:
            if name == first:
                raise RuntimeError("a fault")
            return ready(name)

        kill.ready = broken
        task = at.desk.start(kill, scope_json(BUYS))
        assert {one.venue for one in flown} >= set(kill.names) - {first, "roxom", "cs-fut"}
        await at.finish(task)
        assert first in kill.runs, "its own task has tried again"
        assert kill.verdict is Verdict.FLAT


@pytest.mark.parametrize("slow", [False, True])
async def test_first_cancels_are_written_together_unless_a_venue_takes_long_to_make_ready(
    tmp_path: Path, flown: list[OrderKey], monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    plain = ("cs-spot", "p99", "broker")
    async with stage(tmp_path, 120) as at:
        at.desk.watch()
        await at.until(lambda: all(slot.complete for slot in at.desk.slots.values()))
        await at.desk.warm()
        monkeypatch.setattr("cancel_tui.desk.kill.TOGETHER", 0.0 if slow else inf)
        kill = at.desk.plan_kill(BUYS, deadline=300.0)
        ready, left = kill.ready, list[int]()
        assert ready is not None

        def looking(name: VenueName) -> VenueRun | None:
            if name in plain:
                left.append(len(flown))
            if slow:
                at.clock.advance(0.001)
            return ready(name)

        kill.ready = looking
        task = at.desk.start(kill, scope_json(BUYS))
        assert {one.venue for one in flown} >= set(plain)
        assert (left == [0, 0, 0]) is not slow, "others wait for no venue that takes its time"
        await at.finish(task)


async def test_what_has_to_wait_for_its_pace_is_written_down_when_it_leaves(tmp_path: Path) -> None:
    extra = 'limits = { cancel = "5/60" }\n'
    async with stage(tmp_path, ORDERS, only="p99", alone=True, extra=extra) as at:
        kill, task = await begun(at, deadline=5.0)
        await at.finish(task)
        left = sum(run.tally.count(CallClass.CANCEL) for run in kill.runs.values())
        assert 0 < left < len(kill.tracks())
        written = raw(tmp_path)
        assert '"kind":"requests"' not in written, "nothing stands there that did not leave"
        assert written.count('"call":"cancel","no"') >= left


async def test_a_401_that_was_cured_before_anybody_looked_is_signed_anew(
    tmp_path: Path, flown: list[OrderKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    took: list[object] = []
    real, take = P99Venue.cancel, Engine.took_cancel

    async def cured(self: P99Venue, key: OrderKey, port: Any) -> Any:
        if isinstance(port, LanePort) and port.flown is not None:
            await real(self, key, port)  # its answer is taken
            return Unauthorised(None, 401)
        return await real(self, key, port)

    def looking(self: Engine, key: OrderKey, outcome: Any, now: float, wall: float) -> None:
        took.append(outcome)
        take(self, key, outcome, now, wall)

    monkeypatch.setattr(P99Venue, "cancel", cured)
    monkeypatch.setattr(Engine, "took_cancel", looking)
    async with stage(tmp_path, ORDERS, only="p99", alone=True) as at:
        kill, task = await begun(at)
        await at.finish(task)
        assert len(flown) >= 8
        assert not any(isinstance(one, Unauthorised) for one in took)
        assert kill.verdict is Verdict.FLAT
