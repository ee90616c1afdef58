"""Behaviours that went wrong in other tools, each over a loopback venue on the injected clock."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.text import Span

from cancel_tui.cancels import Ending
from cancel_tui.cancels import Stage as At
from cancel_tui.console.board_lines import venue_line
from cancel_tui.console.lines import ALARM
from cancel_tui.desk.actions import STUCK
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.impasse import ALARM_AFTER
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.slot import STALE_AFTER, VenueState
from cancel_tui.orders import AccountId, Family, Order, OrderId, OrderKey, Side, VenueName
from cancel_tui.practice.http import Response
from cancel_tui.practice.market import SimOrder
from cancel_tui.scope import Scope
from cancel_tui.venues.base import CallClass
from tests.desk.drive import Stage
from tests.desk.drive import stage as on

P99 = VenueName("p99")
EVERYTHING = Scope(raw={})
KINDS = ("cs-spot", "cs-fut", "roxom", "p99", "broker")


async def listed(at: Stage, name: str) -> list[Order]:
    slot = at.desk.slots[VenueName(name)]
    await at.finish(at.desk.spawn(at.desk.list_venue(slot, Urgency.KILL, deep=True)))
    return list(slot.book.orders())


async def fire(at: Stage, scope: Scope = EVERYTHING, deadline: float = 120.0) -> Kill:
    kill = at.desk.plan_kill(scope, deadline=deadline)
    await at.finish(at.desk.start(kill, {}))
    return kill


def one_by_one(at: Stage) -> Scope:
    """Everything, in a way that no cancel-all can serve."""
    return Scope(raw={}, older_than=at.clock.wall() + 1000.0)


def sent(at: Stage, name: str = "p99") -> list[str]:
    return [one for one in at.cluster.named(name).seen if one.startswith("DELETE")]


async def test_a_kill_reads_the_venue_anew_and_sends_nothing_for_what_an_old_list_held(
    tmp_path: Path,
) -> None:
    async with on(tmp_path, 40, only="p99", alone=True) as at:
        venue = at.cluster.named("p99")
        remembered = await listed(at, "p99")
        at.clock.advance(60.0)
        over, *_ = venue.book.live()
        venue.book.fill(over)
        by_hand = SimOrder(
            id=venue.book.new_id(),
            symbol=over.symbol,
            side=over.side,
            type="limit",
            price=over.price,
            quantity=Decimal("3"),
            created=at.clock.wall(),
            updated=at.clock.wall(),
        )
        venue.book.add(by_hand)
        kill = await fire(at, one_by_one(at))
        touched = {track.key.order_id for track in kill.tracks()}
        assert by_hand.id in touched, "an order that no list has shown before"
        assert over.id not in touched, "an order that is in no list any more"
        assert over.id in {order.key.order_id for order in remembered}
        assert kill.verdict is Verdict.FLAT
        assert at.cluster.live()["p99"] == []


async def test_one_cancel_that_fails_stops_no_other(tmp_path: Path) -> None:
    async with on(tmp_path, 40, only="p99", faults=("p99:http500@cancel*1",)) as at:
        orders = len(at.cluster.live()["p99"])
        kill = await fire(at, one_by_one(at))
        assert kill.verdict is Verdict.FLAT
        assert sorted(track.attempts for track in kill.tracks()) == [1] * (orders - 1) + [2]
        assert {track.outcome for track in kill.tracks()} == {Ending.CANCELED}


async def test_a_fault_of_ours_in_an_answer_makes_no_end_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on(tmp_path, 40, only="p99", alone=True) as at:
        await at.desk.open()
        venue: Any = at.desk.slots[P99].venue
        doomed = at.cluster.live()["p99"][0]["order_id"]
        cancel, read = venue.cancel, venue.read

        def spoilt(real: Any) -> Any:
            async def broken(key: Any, port: Any) -> Any:
                if key.order_id == doomed:
                    raise RuntimeError("a fault")
                return await real(key, port)

            return broken

        monkeypatch.setattr(venue, "cancel", spoilt(cancel))
        monkeypatch.setattr(venue, "read", spoilt(read))
        kill = await fire(at, one_by_one(at), deadline=5.0)
        assert kill.verdict is not Verdict.NOT_FLAT, "it has left"
        found = {str(track.key.order_id): track.outcome for track in kill.tracks()}
        assert found.pop(doomed) in (Ending.UNKNOWN, Ending.GONE)
        assert set(found.values()) == {Ending.CANCELED}


async def test_a_fault_of_ours_about_one_order_loses_no_other_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on(tmp_path, 40, only="p99", alone=True) as at:
        await at.desk.open()
        venue: Any = at.desk.slots[P99].venue
        doomed = at.cluster.live()["p99"][0]["order_id"]
        build = venue.cancel_message

        def broken(key: Any) -> Any:
            if key.order_id == doomed:
                raise RuntimeError("a fault")
            return build(key)

        monkeypatch.setattr(venue, "cancel_message", broken)
        kill = await fire(at, one_by_one(at), deadline=5.0)
        assert kill.verdict is Verdict.NOT_FLAT
        found = {str(track.key.order_id): track.outcome for track in kill.tracks()}
        assert found.pop(doomed) is Ending.OPEN
        assert set(found.values()) == {Ending.CANCELED}


@pytest.mark.parametrize("name", KINDS)
async def test_an_order_that_filled_before_its_cancel_is_asked_about_and_closed_with_its_true_end(
    tmp_path: Path, name: str
) -> None:
    async with on(tmp_path, 40, only=name) as at:
        venue = at.cluster.named(name)
        live = [one for one in await listed(at, name) if one.side is not None]
        order = next(one for one in live if one.type.value == "limit" and one.quantity)
        truth = next(one for one in venue.book.live() if one.id == order.key.order_id)
        venue.book.fill(truth)
        kill = at.desk.plan_kill(Scope(keys=frozenset({order.key}), raw={}), by_id=True, known=[order])
        await at.finish(at.desk.start(kill, {}))
        [track] = kill.tracks()
        requests = kill.results()[0].requests
        assert requests["cancel"] == 1, "an order that is over is not cancelled again and again"
        assert requests["status"] + requests["closed"] <= 3
        if name == "broker":
            assert track.outcome is Ending.GONE, "it lists no finished order and reads none back"
            assert track.filled is None
            return
        assert (track.outcome, track.filled) == (Ending.FILLED, order.quantity)


async def test_tries_that_run_out_make_no_order_dead(tmp_path: Path) -> None:
    async with on(tmp_path, 10, only="p99", faults=("p99:drop@cancel",)) as at:
        live = {one["order_id"] for one in at.cluster.live()["p99"]}
        kill = await fire(at, one_by_one(at), deadline=6.0)
        assert max(track.attempts for track in kill.tracks()) >= 3
        assert {str(track.key.order_id) for track in kill.tracks()} == live
        assert {track.outcome for track in kill.tracks()} == {Ending.OPEN}
        assert kill.verdict is Verdict.NOT_FLAT


async def test_a_cancel_all_that_says_yes_and_does_nothing_is_not_believed(tmp_path: Path) -> None:
    async with on(tmp_path, 40, only="p99", faults=("p99:cancel_all_noop",)) as at:
        kill = await fire(at)
        assert kill.verdict is Verdict.FLAT
        assert at.cluster.live()["p99"] == []
        assert kill.results()[0].requests["cancel"] > 0


async def test_a_cancel_that_stays_pending_is_alarmed_by_its_age_and_asked_for_again(tmp_path: Path) -> None:
    async with on(tmp_path, 7, only="cs-spot", alone=True, faults=("cs-spot:stuck_cancel",)) as at:
        name = VenueName("cs-spot")
        kill = at.desk.plan_kill(EVERYTHING)
        task = at.desk.start(kill, {})
        begun = at.clock.monotonic()
        await at.until(lambda: at.clock.monotonic() > begun + ALARM_AFTER + 2)
        line = venue_line(kill, name, 200, at.clock.monotonic())
        tracks = kill.tracks()
        assert {track.stage for track in tracks} == {At.ACCEPTED}
        assert f"{len(tracks)} PENDING" in line.plain
        assert any(span.style == ALARM for span in line.spans if isinstance(span, Span))
        assert {track.attempts for track in tracks} == {1}
        await at.until(lambda: at.clock.monotonic() > begun + STUCK + 5)
        assert {track.attempts for track in tracks} == {2}
        kill.stop(at.clock.monotonic())
        await at.finish(task)
        assert kill.verdict is Verdict.NOT_FLAT


async def test_cancels_without_any_reaction_become_an_alarm(tmp_path: Path) -> None:
    async with on(tmp_path, 10, only="p99", alone=True) as at:
        at.cluster.named("p99").faults |= {"drop@cancel", "drop@cancel_all"}
        kill = at.desk.plan_kill(EVERYTHING, deadline=60.0)
        task = at.desk.start(kill, {})

        def alarmed() -> bool:
            line = venue_line(kill, P99, 200, at.clock.monotonic())
            return " SILENT " in line.plain and any(span.style == ALARM for span in line.spans)

        await at.until(alarmed)
        kill.stop(at.clock.monotonic())
        await at.finish(task)
        assert {track.outcome for track in kill.tracks()} == {Ending.OPEN}


@pytest.mark.parametrize("fault", ["throttle_plain", "reset", "unauthorized"])
async def test_a_venue_that_fails_is_not_stormed_by_retries(tmp_path: Path, fault: str) -> None:
    async with on(tmp_path, 15, only="p99", faults=(f"p99:{fault}",)) as at:
        orders = len(at.cluster.live()["p99"])
        await fire(at, deadline=8.0)
        asked = at.cluster.named("p99").seen
        assert len(asked) <= 40 + 10 * orders, "two lists a second, one request a second for each order"
        if fault == "unauthorized":
            assert len(asked) <= 20, "a key must not be locked out by retries"


async def test_cancels_need_no_stream(tmp_path: Path) -> None:
    async with on(tmp_path, 30, only="broker", faults=("broker:drop@upgrade",)) as at:
        venue = at.cluster.named("broker")
        resting = next(one for one in venue.book.live() if one.family == "order")
        key = OrderKey(VenueName("broker"), AccountId(resting.account), Family.ORDER, OrderId(resting.id))
        kill = at.desk.plan_kill(Scope(keys=frozenset({key}), raw={}), by_id=True, deadline=3.0)
        await at.finish(at.desk.start(kill, {}))
        assert not resting.state.live
        [track] = kill.tracks()
        assert track.outcome in (Ending.CANCELED, Ending.UNKNOWN)
        assert kill.verdict is not Verdict.FLAT, "no list could be read"


async def test_a_list_older_than_its_venues_rhythm_and_five_seconds_is_stale(tmp_path: Path) -> None:
    async with on(tmp_path, 20, only="p99", alone=True) as at:
        await listed(at, "p99")
        slot = at.desk.slots[P99]
        assert slot.venue is not None
        assert slot.listed_at is not None
        last = slot.listed_at + slot.venue.capabilities.poll_seconds + STALE_AFTER
        assert slot.state_at(last) is VenueState.LIVE
        assert slot.state_at(last + 0.1) is VenueState.STALE
        assert STALE_AFTER <= 5.0


async def test_a_cancel_all_is_tried_on_while_no_list_can_be_read(tmp_path: Path) -> None:
    async with on(tmp_path, 20, only="p99", alone=True) as at:
        venue = at.cluster.named("p99")
        venue.faults |= {"http500@list", "engine_restarting"}
        kill = at.desk.plan_kill(Scope(raw={}), deadline=90.0)
        task = at.desk.start(kill, {})
        begun = at.clock.monotonic()
        await at.until(lambda: at.clock.monotonic() - begun > 40.0)
        venue.faults.discard("engine_restarting")
        await at.until(lambda: not at.cluster.live()["p99"], virtual=30.0)
        venue.faults.clear()
        await at.finish(task)
        assert kill.verdict is Verdict.FLAT


async def test_lists_that_are_throttled_now_and_then_do_not_put_off_a_flat_for_ever(tmp_path: Path) -> None:
    async with on(tmp_path, 20, only="p99", alone=True) as at:
        venue = at.cluster.named("p99")
        flips = {"count": 0}
        answer = venue.answer

        async def odd(request: Any) -> Any:
            if request.method == "GET" and request.path.endswith("/orders"):
                flips["count"] += 1
                if flips["count"] % 3 == 0:
                    return Response(429, b"{}", (("retry-after", "1"),))
            return await answer(request)

        venue.answer = odd  # type: ignore[method-assign]
        kill = at.desk.plan_kill(Scope(raw={}), deadline=60.0)
        await at.finish(at.desk.start(kill, {}))
        assert kill.verdict is Verdict.FLAT


async def test_past_the_deadline_nobody_waits_for_a_budget_that_cannot_come(tmp_path: Path) -> None:
    extra = 'limits = { list = "1/600" }\n'
    async with on(tmp_path, 20, only="p99", alone=True, extra=extra) as at:
        lane = at.desk.slots[VenueName("p99")].lane
        assert lane is not None
        lane.settle(CallClass.LIST, await lane.admit(CallClass.LIST, Urgency.KILL))
        kill = at.desk.plan_kill(Scope(sides=frozenset({Side.BUY}), raw={"side": ["buy"]}), deadline=8.0)
        begun = at.clock.monotonic()
        await at.finish(at.desk.start(kill, {}))
        assert at.clock.monotonic() - begun < 10.0
        assert kill.verdict is Verdict.UNVERIFIED
        assert "no list has been answered yet" in str(kill.results()[0].error)


async def test_a_kill_that_is_cut_off_tells_which_cancels_had_left(tmp_path: Path) -> None:
    async with on(tmp_path, 100, only="p99", alone=True, extra="timeout_seconds = 4\n") as at:
        venue = at.cluster.named("p99")
        venue.faults.add("hang@cancel")
        kill = at.desk.plan_kill(Scope(sides=frozenset({Side.BUY}), raw={"side": ["buy"]}), deadline=3000.0)
        task = at.desk.start(kill, {})

        def left() -> int:
            return sum(one.startswith("DELETE") for one in venue.seen)

        await at.until(lambda: left() >= 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        asked = [one for one in kill.tracks() if one.requested_wall is not None]
        assert len(asked) == left() == kill.results()[0].requests["cancel"]
        assert {one.outcome for one in asked} == {Ending.UNKNOWN}
