"""A kill whose process is gone: what the journal says of it, and a second kill that finishes it.

The death of a process is played by a copy of its journal: what stands in the file at a moment is what a
killed process leaves, and its lock is free.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cancel_tui.cli.session import UsageError, practice_credentials
from cancel_tui.cli.unended import chosen, what_was_in_flight
from cancel_tui.desk.chain import read_journal, verify_journal
from cancel_tui.desk.decision import UnreadableError, decision, places_from, scope_from
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.report import scope_json
from cancel_tui.desk.resume import plan_resume
from cancel_tui.desk.story import order_stories
from cancel_tui.desk.unfinished import RECENT, Unfinished, announced, find, in_flight, named
from cancel_tui.orders import AccountId, Family, OrderId, OrderKey, Side, VenueName
from cancel_tui.scope import Scope, fold
from tests.desk.drive import Stage, stage

EVERYTHING = Scope(raw={})


def journal_of(folder: Path) -> Path:
    return folder / "data" / "journal"


async def dies(
    at: Stage, folder: Path, scope: Scope, after: int, *, by_id: bool = False, ends: bool = True
) -> Path:
    """Start a kill and lose its process once so many requests have arrived; the data directory it leaves.

    Without `ends` the record of its end is lost.
    """
    served = sum(venue.server.requests for venue in at.cluster.venues)
    kill = at.desk.plan_kill(scope, by_id=by_id)
    task = at.desk.start(kill, scope_json(scope))

    def enough() -> bool:
        return sum(venue.server.requests for venue in at.cluster.venues) - served >= after or task.done()

    await at.until(enough)
    left = folder / "left"
    shutil.copytree(journal_of(folder), left / "journal")  # at once: nothing may leave after it
    if not ends:
        await asyncio.to_thread(at.desk.journal.close, 5)
        shutil.rmtree(left)
        shutil.copytree(journal_of(folder), left / "journal")
        for path in (left / "journal").iterdir():
            path.write_bytes(
                path.read_bytes().partition(b'","kind":"kill_end"')[0].rpartition(b"\n")[0] + b"\n"
            )
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await at.desk.close()
    return left


@asynccontextmanager
async def next_start(
    at: Stage, left: Path, change: Callable[[str], str] = lambda text: text
) -> AsyncIterator[Stage]:
    """Another process on the same venues and the same data directory."""
    from cancel_tui.settings import parse_settings

    text = change(at.cluster.configuration())
    desk = Desk(parse_settings(text, left / "c.toml"), at.clock, left, practice_credentials)
    await desk.open()
    try:
        yield Stage(at.clock, at.cluster, desk)
    finally:
        await desk.close()


def case_of(at: Stage, left: Path) -> Unfinished:
    (case,) = find(left / "journal", at.clock.wall())
    return case


async def finished(at: Stage, case: Unfinished, **plan: Any) -> Kill:
    kill = plan_resume(at.desk, case, deadline=300.0, **plan)
    await at.finish(at.desk.start(kill, scope_json(kill.scope)))
    return kill


def listable(at: Stage) -> dict[tuple[str, str], dict[str, str]]:
    return {
        (venue, one["order_id"]): one
        for venue, orders in at.cluster.live().items()
        for one in orders
        if not (venue == "broker" and one["family"] == "stop")
    }


def accounted(at: Stage, left: Path, kill: Kill) -> dict[tuple[str, str], str]:
    """Every end that either process has on record; the later one where both have."""
    stories = order_stories(record for _, record in read_journal(left / "journal"))
    ends = {(one.venue, one.order): one.outcome for one in stories if one.settled}
    tracks = kill.tracks()
    return ends | {(t.key.venue, t.key.shown_id): t.outcome.value for t in tracks if t.stage.settled}


WORDS = {"cancelled": "canceled", "filled": "filled", "expired": "expired", "rejected": "rejected"}


@pytest.mark.parametrize("after", [1, 3, 8, 14, 25, 60])
async def test_a_kill_that_died_anywhere_is_finished_and_no_order_is_unaccounted_for(
    tmp_path: Path, after: int
) -> None:
    async with stage(tmp_path, 60) as at:
        before = listable(at)
        left = await dies(at, tmp_path, EVERYTHING, after)
        async with next_start(at, left) as then:
            case = case_of(then, left)
            kill = await finished(then, case)
            assert kill.verdict is Verdict.FLAT
            assert listable(then) == {}
            ends = accounted(then, left, kill)
            truth = {(v.name, one["order_id"]): one for v in at.cluster.venues for one in v.endings()}
            for track in kill.tracks():
                if (track.key.venue, track.key.order_id) not in before:
                    # Only a venue that does not date its ends can have brought it up, and that is said.
                    assert "does not say when" in (track.message or ""), track
            for key in before:
                assert key in ends, key
                assert ends[key] == WORDS[truth[key]["state"]] or (key[0], ends[key]) == ("broker", "gone")
        assert find(left / "journal", at.clock.wall()) == []
        assert [fault for fault in verify_journal(left / "journal")[1] if fault.broken] == []


async def test_a_resumed_kill_touches_nothing_beside_its_scope(tmp_path: Path) -> None:
    async with stage(tmp_path, 80, only="p99", alone=True) as at:
        symbol = at.cluster.live()["p99"][0]["symbol"]
        outside = {key for key, one in listable(at).items() if one["symbol"] != symbol or key[0] != "p99"}
        scope = Scope(symbols=fold([symbol]), raw={"symbol": [symbol]})
        left = await dies(at, tmp_path, scope, 2)
        async with next_start(at, left) as then:
            kill = await finished(then, case_of(then, left))
            assert kill.names == ("p99",), "a venue that was not meant is not asked"
            assert kill.verdict is Verdict.FLAT
            assert listable(then).keys() == outside


async def test_a_value_that_matched_before_is_no_slip_of_the_pen_afterwards(tmp_path: Path) -> None:
    async with stage(tmp_path, 60, only="cs-spot") as at:
        symbol = at.cluster.live()["cs-spot"][0]["symbol"]
        scope = Scope(symbols=fold([symbol]), raw={"symbol": [symbol]})
        left = await dies(at, tmp_path, scope, 10_000, ends=False)
        async with next_start(at, left) as then:
            case = case_of(then, left)
            assert case.without_end == 0
            kill = await finished(then, case)
            assert kill.unmatched == []
            assert kill.verdict is Verdict.FLAT


async def test_a_frozen_list_of_orders_stays_frozen(tmp_path: Path) -> None:
    async with stage(tmp_path, 60, only="cs-spot") as at:
        orders = sorted(key for key in listable(at) if key[0] == "cs-spot")
        keys = {OrderKey(VenueName("cs-spot"), None, Family.ORDER, OrderId(name)) for _, name in orders[:5]}
        left = await dies(at, tmp_path, Scope(keys=frozenset(keys), raw={}), 2, by_id=True)
        async with next_start(at, left) as then:
            case = case_of(then, left)
            assert case.by_id
            kill = await finished(then, case)
            assert kill.verdict is Verdict.FLAT
            assert {track.key for track in kill.tracks()} == keys
            assert not {("cs-spot", key.order_id) for key in keys} & listable(then).keys()
            assert {("cs-spot", name) for _, name in orders[5:]} <= listable(then).keys()


async def test_what_was_in_flight_is_said(tmp_path: Path) -> None:
    async with stage(tmp_path, 40, only="cs-spot", alone=True, faults=("hang",)) as at:
        left = await dies(at, tmp_path, EVERYTHING, 1)
        case = case_of(at, left)
        assert case.how == "cut off"
        assert "in flight" in case.words()
        (line,) = announced([case])
        assert f"kill {case.kill_id} of {case.began_at} has no end" in line
        assert f"--resume {case.kill_id}" in line


async def test_another_venue_under_the_same_name_is_not_asked(tmp_path: Path) -> None:
    async with stage(tmp_path, 40, only="p99") as at:
        left = await dies(at, tmp_path, EVERYTHING, 1)
        before = listable(at)
        port = at.cluster.named("roxom").base_url

        def elsewhere(text: str) -> str:
            blocks = [one for one in text.split("\n\n") if "[venues.p99]" in one]
            return "".join(blocks).replace(at.cluster.named("p99").base_url.removesuffix("/api/v1"), port)

        async with next_start(at, left, elsewhere) as then:
            kill = await finished(then, case_of(then, left))
            assert "another venue" in kill.locked[VenueName("p99")]
            assert kill.verdict is Verdict.UNVERIFIED
            assert listable(at) == before
        async with next_start(at, left, lambda text: text.split("\n\n")[0] + "\n") as then:
            kill = await finished(then, case_of(then, left))
            assert "not configured" in kill.locked[VenueName("p99")]
            assert kill.verdict is Verdict.UNVERIFIED
        assert len(find(left / "journal", at.clock.wall())) == 1, "what is not proven stays announced"


async def test_what_was_in_flight_is_no_more_once_somebody_has_looked(tmp_path: Path) -> None:
    async with stage(tmp_path, 40) as at:
        for name in ("p99", "roxom"):
            at.cluster.named(name).faults.add("hang@cancel_all")
        scope = Scope(venues=fold(["p99", "roxom"]), raw={"venue": ["p99", "roxom"]})
        left = await dies(at, tmp_path, scope, 6)
        for name in ("p99", "roxom"):
            at.cluster.named(name).faults.clear()
        assert len(case_of(at, left).in_flight) == 2

        def without_roxom(text: str) -> str:
            return "\n\n".join(one for one in text.split("\n\n") if "[venues.roxom]" not in one)

        async with next_start(at, left, without_roxom) as then:
            kill = await finished(then, case_of(then, left))
            assert kill.verdict is Verdict.UNVERIFIED
        case = case_of(at, left)
        assert case.in_flight == ()
        assert case.words().startswith("0 cancels in flight")


@pytest.mark.parametrize(
    "later",
    [
        {"kind": "kill_end", "kill": "b"},
        {"kind": "flat", "venue": "v"},
        {"kind": "order", "venue": "v", "account": "a", "order": "1", "stage": "ended"},
        {
            "kind": "orders",
            "venue": "v",
            "groups": [{"account": "a", "orders": ["0", "1"], "stage": "gone"}],
        },
        {"kind": "answer", "venue": "v", "call": "cancel", "no": 1},
    ],
)
@pytest.mark.parametrize("same", [True, False])
def test_a_cancel_without_an_answer_is_over_once_its_order_is(later: dict[str, Any], same: bool) -> None:
    request = {"kind": "request", "venue": "v", "call": "cancel", "no": 1, "account": "a", "order": "1"}
    text = json.dumps(later)
    if not same:
        text = text.replace('"v"', '"w"').replace("kill_end", "kill_interrupted")
    left = in_flight([("f", request), ("f", json.loads(text))])
    assert left == ([] if same else ["v cancel 1"])


async def unproven(at: Stage, scope: Scope, name: str = "p99", **plan: Any) -> Kill:
    """A kill that came to its end, and left what the venue did not let go."""
    at.cluster.named(name).faults.add("trading_disabled")
    kill = at.desk.plan_kill(scope, deadline=15.0, **plan)
    await at.finish(at.desk.start(kill, scope_json(scope)))
    assert kill.verdict is Verdict.NOT_FLAT
    at.cluster.named(name).faults.clear()
    return kill


async def test_a_kill_that_ended_without_a_proof_is_finished_by_its_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with stage(tmp_path, 30, only="p99", alone=True) as at:
        first = await unproven(at, EVERYTHING)
        await at.desk.close()
        left = tmp_path / "data"
        assert find(left / "journal", at.clock.wall()) == [], "somebody has read its verdict"
        given = dict.fromkeys(("venue", "account", "symbol", "side", "exchange", "older_than"))
        options = Namespace(**given, keep_protective=False, resume=first.kill_id.upper(), data_dir=str(left))
        case = chosen(options, at.clock)
        what_was_in_flight(case)
        assert f"kill {first.kill_id} of {case.began_at} ended not flat: " in capsys.readouterr().err
        assert (case.how, case.ended) == ("not flat", True)
        assert "in flight" not in case.words()
        at.clock.advance(100.0)
        book, now = at.cluster.named("p99").book, at.clock.wall()
        meanwhile = replace(book.finished()[0], id=book.new_id(), created=now - 50.0, updated=now - 40.0)
        book.add(meanwhile)
        async with next_start(at, left) as then:
            kill = await finished(then, case)
            assert kill.verdict is Verdict.FLAT
            assert listable(then) == {}
            named_now = {track.key.order_id for track in kill.tracks()}
            assert meanwhile.id not in named_now, "no process died: what ended between the two is nobody's"
        again = named(left / "journal", first.kill_id)
        assert again == f"it was proven flat by kill {kill.kill_id}: nothing is left to finish"
        with pytest.raises(UsageError, match="nothing is left to finish"):
            chosen(options, at.clock)
        assert named(left / "journal", "no such id") == "no such kill is on record"


async def test_named_orders_of_a_cancel_that_ended_without_a_proof_stay_those(tmp_path: Path) -> None:
    async with stage(tmp_path, 30, only="p99", alone=True) as at:
        orders = sorted(name for _, name in listable(at))
        keys = frozenset(OrderKey(VenueName("p99"), None, Family.ORDER, OrderId(one)) for one in orders[:3])
        first = await unproven(at, Scope(keys=keys, raw={}), by_id=True)
        await at.desk.close()
        left = tmp_path / "data"
        case = named(left / "journal", first.kill_id)
        assert isinstance(case, Unfinished)
        async with next_start(at, left) as then:
            kill = await finished(then, case)
            assert kill.verdict is Verdict.FLAT
            assert {track.key for track in kill.tracks()} == keys
            assert {name for _, name in listable(then)} == set(orders[3:])


async def test_a_kill_that_ended_unproven_and_whose_second_try_died_is_announced(tmp_path: Path) -> None:
    async with stage(tmp_path, 30, only="p99", alone=True) as at:
        first = await unproven(at, EVERYTHING)
        await at.desk.close()
        left = tmp_path / "data"
        case = named(left / "journal", first.kill_id)
        assert isinstance(case, Unfinished)
        async with next_start(at, left) as then:
            at.cluster.named("p99").faults.add("hang")
            task = then.desk.start(plan_resume(then.desk, case), {})
            before = at.cluster.named("p99").server.requests
            await then.until(lambda: at.cluster.named("p99").server.requests > before)
            assert named(left / "journal", first.kill_id) == "its process still runs"
            again = tmp_path / "again"
            shutil.copytree(left / "journal", again / "journal")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            at.cluster.named("p99").faults.clear()
        found = case_of(at, again)
        assert (found.kill_id, found.how) == (first.kill_id, "cut off")
        assert "in flight" in found.words()


async def test_a_value_that_nothing_matches_any_more_leaves_nothing_to_finish(tmp_path: Path) -> None:
    async with stage(tmp_path, 30, only="p99", alone=True) as at:
        scope = Scope(symbols=fold(["NOSUCH"]), raw={"symbol": ["NOSUCH"]})
        left = await dies(at, tmp_path, scope, 1)
        async with next_start(at, left) as then:
            case = case_of(then, left)
            kill = await finished(then, case)
            assert kill.verdict is Verdict.UNVERIFIED
            assert kill.unmatched == ["NOSUCH"]
        assert find(left / "journal", at.clock.wall()) == []
        assert isinstance(named(left / "journal", case.kill_id), str)


async def test_a_flat_that_was_withdrawn_for_good_is_no_proof(tmp_path: Path) -> None:
    async with stage(tmp_path, 30, only="p99", alone=True) as at:
        kill = at.desk.plan_kill(EVERYTHING)
        await at.finish(at.desk.start(kill, scope_json(EVERYTHING)))
        at.desk.journal.note("flat_withdrawn", kill=kill.kill_id, venue="p99", orders=["1"], reopened=False)
        await at.desk.close()
        assert isinstance(named(tmp_path / "data" / "journal", kill.kill_id), Unfinished)


async def test_a_second_death_hands_everything_on(tmp_path: Path) -> None:
    async with stage(tmp_path, 60) as at:
        before = listable(at)
        left = await dies(at, tmp_path, EVERYTHING, 12)
        second = Stage(at.clock, at.cluster, at.desk)
        async with next_start(at, left) as then:
            case = case_of(then, left)
            second.desk = then.desk
            kill = plan_resume(then.desk, case)
            task = then.desk.start(kill, scope_json(kill.scope))
            served = sum(venue.server.requests for venue in at.cluster.venues)
            await then.until(lambda: sum(v.server.requests for v in at.cluster.venues) > served + 5)
            again = tmp_path / "again"
            shutil.copytree(left / "journal", again / "journal")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        async with next_start(at, again) as last:
            found = case_of(last, again)
            assert (found.kill_id, len(found.members)) == (case.kill_id, 2)
            assert {one.key for one in case.left} <= {one.key for one in found.left}
            done = await finished(last, found)
            assert done.verdict is Verdict.FLAT
            ends = accounted(last, again, done)
            assert before.keys() <= ends.keys()
        assert find(again / "journal", at.clock.wall()) == []


async def test_a_living_process_is_left_alone_and_an_ended_kill_is_over(tmp_path: Path) -> None:
    async with stage(tmp_path, 30, only="p99", alone=True) as at:
        kill = at.desk.plan_kill(EVERYTHING)
        task = at.desk.start(kill, scope_json(EVERYTHING))
        await at.until(lambda: bool(kill.runs))
        assert find(journal_of(tmp_path), at.clock.wall()) == []
        await at.finish(task)
        await asyncio.to_thread(at.desk.journal.close, 5)
        assert find(journal_of(tmp_path), at.clock.wall()) == []


async def test_a_kill_of_long_ago_is_found_only_by_those_who_look_for_it(tmp_path: Path) -> None:
    async with stage(tmp_path, 30, only="p99", alone=True) as at:
        left = await dies(at, tmp_path, EVERYTHING, 1)
    for path in (left / "journal").iterdir():
        os.utime(path, (1.0, 1.0))
    assert find(left / "journal", RECENT + 2.0) == []
    assert len(find(left / "journal", RECENT + 2.0, every=True)) == 1


# ---------------------------------------------------------------- the decision as it is read back

SCOPES = [
    Scope(raw={}),
    Scope(
        venues=fold(["A"]),
        symbols=fold(["BTC/INR", "eth"]),
        raw={"venue": ["A"], "symbol": ["BTC/INR", "eth"]},
    ),
    Scope(sides=frozenset({Side.SELL}), older_than=1_760_000_000.123456, raw={"side": ["sell"]}),
    Scope(
        accounts=fold(["x"]),
        exchanges=fold(["E"]),
        raw={"account": ["x"], "exchange": ["E"]},
        keep_protective=True,
    ),
    Scope(
        keys=frozenset(
            {
                OrderKey(VenueName("v"), None, Family.ORDER, OrderId("1")),
                OrderKey(VenueName("b"), AccountId("a"), Family.STOP, OrderId("stop:7")),
            }
        ),
        raw={},
    ),
]


def record(scope: Scope) -> dict[str, Any]:
    found = {"scope": scope_json(scope), "venues": [], **decision(scope, {}, deadline=1.0, hold=0.0)}
    return dict(json.loads(json.dumps(found)))


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_comes_back_as_it_was(scope: Scope) -> None:
    assert scope_from(record(scope)) == scope
    assert places_from(record(scope)) == {}


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_that_is_not_there_whole_is_refused(scope: Scope) -> None:
    whole = record(scope)
    for name in whole["scope"]:
        if name == "keep_protective":
            continue
        less = {**whole, "scope": {key: one for key, one in whole["scope"].items() if key != name}}
        with pytest.raises(UnreadableError):
            scope_from(less)
    for name in ("scope", "targets", "older_than"):
        if name in whole:
            with pytest.raises(UnreadableError):
                scope_from({key: one for key, one in whole.items() if key != name})
    with pytest.raises(UnreadableError):
        scope_from({**whole, "scope": {**whole["scope"], "new_limit": 1}})
    with pytest.raises(UnreadableError):
        scope_from({**whole, "scope": {**whole["scope"], "side": ["up"]}})
    with pytest.raises(UnreadableError):
        places_from({**whole, "venues": ["a"]})


async def test_an_altered_decision_is_not_carried_out(tmp_path: Path) -> None:
    async with stage(tmp_path, 30, only="p99", alone=True) as at:
        symbol = at.cluster.live()["p99"][0]["symbol"]
        scope = Scope(symbols=fold([symbol]), raw={"symbol": [symbol]})
        left = await dies(at, tmp_path, scope, 1)
        (path,) = (left / "journal").glob("*.jsonl")
        path.write_bytes(path.read_bytes().replace(f'"symbol":["{symbol}"]'.encode(), b'"symbol":[]', 1))
        async with next_start(at, left) as then:
            with pytest.raises(UnreadableError, match="altered"):
                plan_resume(then.desk, case_of(then, left))
