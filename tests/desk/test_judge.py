"""The judge of the fault matrix, judged: a lie of each sort is seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from cancel_tui.desk.kill import Kill
from cancel_tui.orders import Family, OrderId, OrderKey, VenueName
from cancel_tui.practice.market import State
from cancel_tui.scope import Scope
from tests.desk.drive import Stage, stage
from tests.desk.judge import Judge

P99 = VenueName("p99")


@asynccontextmanager
async def proven(folder: Path) -> AsyncIterator[tuple[Stage, Judge, Kill]]:
    """A kill that told the truth."""
    async with stage(folder, 40, only="p99", alone=True) as at:
        judge = Judge(at.cluster.named("p99"), at.clock)
        kill = at.desk.plan_kill(Scope(raw={}), deadline=60.0)
        at.look = lambda: judge.watch(kill)
        await at.finish(at.desk.start(kill, {}))
        assert judge.verdict(kill) == []
        assert judge.unnamed(kill) == []
        yield at, judge, kill


async def test_an_end_that_was_none_is_seen(tmp_path: Path) -> None:
    async with proven(tmp_path) as (at, judge, kill):
        venue = at.cluster.named("p99")
        order = venue.book.orders[str(kill.tracks()[0].key.order_id)]
        order.state = State.RESTING
        judge._note(order)
        judge._alive_since[order.id] = 0.0
        said = judge.verdict(kill)
        assert f"{order.id} is canceled in our words and live in truth" in said
        assert any(one.startswith("FLAT with 1 live") for one in said)
        assert judge.unnamed(kill) == [f"{order.id} is live and not named"], "not by the word canceled"
        assert judge.excused(kill, {"list_hides_long"})
        assert not judge.excused(kill, {"hang"})


async def test_an_order_that_came_to_life_after_the_newest_list_is_nobodys_lie(tmp_path: Path) -> None:
    async with proven(tmp_path) as (at, judge, kill):
        venue = at.cluster.named("p99")
        at.clock.advance(5.0)
        venue.book.change(venue.book.orders[str(kill.tracks()[0].key.order_id)], State.RESTING)
        venue.book.add(venue.newcomer())
        assert judge.verdict(kill) == []


async def test_without_a_proof_too_only_what_the_newest_list_could_show_must_be_named(tmp_path: Path) -> None:
    async with proven(tmp_path) as (at, judge, kill):
        venue = at.cluster.named("p99")
        begun = kill.runs[P99].engine.proof.streak.pop()
        kill.runs[P99].engine.proof.streak.clear()
        late, missed = venue.newcomer(), venue.newcomer()
        venue.book.add(late)
        at.clock.advance(1.0)
        assert judge.unnamed(kill) == []
        venue.book.add(missed)
        judge._alive_since[missed.id] = begun - 0.1
        assert judge.unnamed(kill) == [f"{missed.id} is live and not named"]


async def test_a_wrong_word_and_a_wrong_fill_are_seen(tmp_path: Path) -> None:
    async with proven(tmp_path) as (at, judge, kill):
        venue = at.cluster.named("p99")
        wrong, short = (venue.book.orders[str(track.key.order_id)] for track in kill.tracks()[:2])
        wrong.state, short.filled = State.EXPIRED, short.filled + Decimal(1)
        said = judge.verdict(kill)
        assert f"{wrong.id} is canceled in our words and expired in truth" in said
        assert any(one.startswith(f"{short.id} filled") for one in said)


async def test_a_word_that_was_false_meanwhile_is_not_forgotten(tmp_path: Path) -> None:
    async with proven(tmp_path) as (_, judge, kill):
        track = kill.tracks()[0]
        before, track.filled = track.filled, Decimal("0.123")
        judge.watch(kill)
        track.filled = before
        assert [one for one in judge.verdict(kill) if "was called canceled, filled 0.123" in one]


async def test_an_order_left_behind_without_a_name_is_seen(tmp_path: Path) -> None:
    async with proven(tmp_path) as (at, judge, kill):
        order = at.cluster.named("p99").book.add(at.cluster.named("p99").newcomer())
        judge._alive_since[order.id] = 0.0
        assert judge.unnamed(kill) == [f"{order.id} is live and not named"]
        kill.withdrawn[P99] = {OrderKey(P99, None, Family.ORDER, OrderId(order.id))}
        assert judge.unnamed(kill) == [f"{order.id} is live and not named"], "that is no word on how it is"


async def test_a_cancel_outside_the_scope_is_seen(tmp_path: Path) -> None:
    async with proven(tmp_path) as (_, judge, kill):
        judge.mine = lambda row: row["side"] == "buy"
        assert [one for one in judge.verdict(kill) if "cancelled outside the scope" in one]
