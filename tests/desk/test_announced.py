"""Cancels of a rush are written down many at a time, before the first of them leaves, and read one by one."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from cancel_tui.desk.chain import read_file, read_journal
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.lane import LanePort
from cancel_tui.desk.report import scope_json
from cancel_tui.desk.story import document
from cancel_tui.desk.unfinished import in_flight
from cancel_tui.orders import Side
from cancel_tui.scope import Scope
from cancel_tui.venues.base import CallClass
from tests.desk.drive import Stage, stage

BUYS = Scope(sides=frozenset({Side.BUY}), raw={"side": ["buy"]})
ORDERS = 1_200
"""Of which the venue holds a fifth."""


async def rushed(at: Stage, *, until: int | None = None) -> Kill:
    """A kill of one side after a fresh list; `until` so many cancels have left it is stopped."""
    at.desk.watch()
    await at.until(lambda: all(slot.complete for slot in at.desk.slots.values()))
    kill = at.desk.plan_kill(BUYS, deadline=300.0)
    task = at.desk.start(kill, scope_json(BUYS))
    if until is not None:
        await at.until(lambda: any(one.tally.count(CallClass.CANCEL) >= until for one in kill.runs.values()))
        kill.stop(at.clock.monotonic())
    await at.finish(task)
    return kill


def raw(folder: Path) -> str:
    return "".join(path.read_text() for path in sorted((folder / "data" / "journal").glob("*.jsonl")))


async def told(at: Stage, folder: Path) -> list[tuple[str, dict[str, Any]]]:
    await at.desk.close()
    return list(read_journal(folder / "data" / "journal"))


async def test_each_cancel_stands_in_the_record_before_it_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    begin = LanePort.begin

    def looking(port: LanePort, call: Any) -> None:
        if call.value == "cancel":
            seen.append(f'"{port.facts["order"]}"' in raw(tmp_path))
        begin(port, call)

    put = Journal._put

    def slowly(journal: Journal, lines: bytes) -> None:
        time.sleep(0.005)
        put(journal, lines)

    monkeypatch.setattr(Journal, "_put", slowly)
    monkeypatch.setattr(LanePort, "begin", looking)
    async with stage(tmp_path, ORDERS, only="p99", alone=True) as at:
        kill = await rushed(at)
        entries = await told(at, tmp_path)
    assert len(seen) >= 100
    assert all(seen)
    assert raw(tmp_path).count('"kind":"requests"') >= 2
    asked = [one for _, one in entries if one["kind"] == "request" and one["call"] == "cancel"]
    came = [one for _, one in entries if one["kind"] == "answer" and one["call"] == "cancel"]
    assert len({one["no"] for one in asked}) == len(asked) == len(seen), "each once"
    assert sorted(one["no"] for one in asked) == sorted(one["no"] for one in came)
    assert in_flight(entries) == []
    found = document(entries, kill.kill_id)
    for order in found["orders"]:
        left = [one["left_at"] for one in order["events"] if "left_at" in one]
        assert left == [] or order["requested_at"] == left[0], "when it left, not when it was announced"


async def test_every_venue_gets_its_first_cancel_before_any_gets_its_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    begin = LanePort.begin

    def looking(port: LanePort, call: Any) -> None:
        if call is CallClass.CANCEL:
            seen.append(port.lane.name)
        begin(port, call)

    monkeypatch.setattr(LanePort, "begin", looking)
    monkeypatch.setattr("cancel_tui.desk.journal.PROMPT", 5.0)  # however slow the disk of a test is
    async with stage(tmp_path, 300) as at:
        at.desk.watch()
        await at.until(lambda: all(slot.complete for slot in at.desk.slots.values()))
        await at.desk.warm()
        kill = at.desk.plan_kill(BUYS, deadline=300.0)
        task = at.desk.start(kill, scope_json(BUYS))
        await at.until(lambda: len(seen) >= 40)
        kill.stop(at.clock.monotonic())
        await at.finish(task)
    # Roxom's signatures and the futures' budget take their own time.
    plain = [name for name in seen if name in ("cs-spot", "p99", "broker")]
    assert len(set(plain[:3])) == 3, seen


async def test_what_was_announced_and_did_not_leave_is_not_in_flight(tmp_path: Path) -> None:
    async with stage(tmp_path, ORDERS, only="p99", alone=True, latency=0.05) as at:
        kill = await rushed(at, until=1)
        entries = await told(at, tmp_path)
    assert 0 < sum(one.attempts > 0 for one in kill.tracks()) < 100
    announced = [one["no"] for _, one in entries if one["kind"] == "request" and one.get("ahead")]
    unsent = [one for _, one in entries if one["kind"] == "answer" and one.get("came") == "not_sent"]
    assert len(announced) > sum(one.attempts > 0 for one in kill.tracks())
    assert unsent
    cut = [one for one in entries if one[1]["kind"] not in ("kill_end", "flat", "orders")]
    assert in_flight(cut) == []
    orders = {one["order"]: one for one in document(entries, kill.kill_id)["orders"]}
    assert all(orders[one["order"]]["requested_at"] is None for one in unsent)


@pytest.mark.parametrize("cancels", ["7", "{}", "[7]", '[["1"]]', "null", '[[1,"a",null],7]'])
def test_an_announcement_that_nobody_can_read_is_none(cancels: str) -> None:
    line = f'{{"seq":1,"kind":"requests","venue":"v","call":"cancel","cancels":{cancels}}}'
    found = [one for _, one in read_file("f", [line.encode()])]
    assert [one["kind"] for one in found] == ["request"] * cancels.count("null]")


def test_cancels_announced_together_read_like_cancels_announced_one_by_one() -> None:
    line = (
        b'{"seq":1,"kind":"requests","venue":"v","call":"cancel","kill":"k",'
        b'"cancels":[[4,"a",null],[5,"b","x"]]}'
    )
    common = {"seq": 1, "kind": "request", "venue": "v", "call": "cancel", "kill": "k", "ahead": True}
    assert [one for _, one in read_file("f", [line])] == [
        common | {"no": 4, "order": "a"},
        common | {"no": 5, "order": "b", "account": "x"},
    ]
    assert in_flight(read_file("f", [line])) == ["v cancel a", "v cancel b"]


@pytest.mark.parametrize("word", [True, False])
async def test_nothing_leaves_before_the_decision_is_written(
    word: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    seen: list[tuple[bool, bool]] = []
    begin, real = LanePort.begin, os.fsync

    def slowly(handle: int) -> None:
        time.sleep(0.01)
        real(handle)
        synced.append(True)

    def looking(port: LanePort, call: Any) -> None:
        if port.urgency is Urgency.KILL:
            seen.append(('"kind":"kill_begin"' in raw(tmp_path), bool(synced)))
        begin(port, call)

    monkeypatch.setattr(LanePort, "begin", looking)
    async with stage(tmp_path, 60, only="p99", alone=True) as at:
        at.desk.watch()
        await at.until(lambda: all(slot.complete for slot in at.desk.slots.values()))
        await at.desk.journal.record("before", sync=True)
        monkeypatch.setattr(os, "fsync", slowly)
        orders = [order for slot in at.desk.slots.values() for order in slot.book.orders()][:1]
        scope = Scope() if word else Scope(keys=frozenset({orders[0].key}), raw={})
        kill = at.desk.plan_kill(scope, deadline=300.0, by_id=not word, known=orders)
        await at.finish(at.desk.start(kill, scope_json(scope)))
    assert seen
    assert all(written for written, _ in seen)
    assert seen[0][1] is word, "only a word that was typed is waited for until it is on the disk"
