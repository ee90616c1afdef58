"""A kill that is killed: what the next start says, and what `kill --resume` does about it."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cancel_tui.desk.chain import read_journal, verify_journal
from cancel_tui.desk.story import document
from tests.system.shell import LIMIT, Done, Floor, practice

ORDERS = 40
RESTARTS = 200
"""Deaths in the long mode, over ten lots."""
DECIDED = b'"kind":"kill_begin"'
WORDS = {"cancelled": "canceled", "filled": "filled", "expired": "expired", "rejected": "rejected"}


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    with practice(tmp_path / "floor", "--orders", str(ORDERS), "--latency", "4") as found:
        yield found


def listable(floor: Floor) -> dict[tuple[str, str], dict[str, str]]:
    """What is live and can be listed."""
    return {
        (name, order_id): one
        for name in floor.origins
        for order_id, one in floor.live(name).items()
        if not (name == "broker" and one["family"] == "stop")
    }


def files(floor: Floor) -> list[Path]:
    return sorted((floor.shell.data / "journal").glob("*.jsonl"))


def stands(floor: Floor, word: bytes) -> bool:
    """Whether the journal holds it."""
    return any(word in path.read_bytes() for path in files(floor))


def count(floor: Floor) -> int:
    """Records in the journal."""
    return sum(path.read_bytes().count(b"\n") for path in files(floor))


def kill_9(
    floor: Floor, seconds: float, *arguments: str, after: bytes = DECIDED, records: int = 0
) -> float | None:
    """Start a kill and end it that long after a word, and so many records, stand in its journal.

    None if it was faster.
    """
    process = floor.shell.start("kill", "--yes", "--json", *arguments)
    until = time.monotonic() + LIMIT
    while not stands(floor, after) or (count(floor) < records and process.poll() is None):
        assert process.poll() is None or stands(floor, after), process.communicate()
        assert time.monotonic() < until
        time.sleep(0.001)
    begun = time.monotonic()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    return None if process.returncode == 0 else time.monotonic() - begun


def account(floor: Floor, before: dict[tuple[str, str], dict[str, str]]) -> Done:
    """Finish what a dead kill left, and hold every record and every word against the venues' own state."""
    resumed = floor.shell("kill", "--resume", "--yes", "--json")
    assert resumed.status == 0, resumed.out + resumed.err
    assert resumed.json["verdict"] == "flat"
    assert listable(floor) == {}
    folder = floor.shell.data / "journal"
    assert [fault for fault in verify_journal(folder)[1] if fault.broken] == []
    entries = list(read_journal(folder))
    exported = document(entries, resumed.json["kill_id"])
    dead = document(entries, exported["resumes"])
    assert dead["resumed_by"] == [resumed.json["kill_id"]]
    ends = {
        (one["venue"], one["order"]): one["outcome"]
        for one in [*dead["orders"], *exported["orders"]]
        if one["stage"] in ("ended", "gone")
    }
    touched = {(one["venue"], one["order"]) for one in dead["orders"]}
    reported = {(one["venue"], one["order_id"]) for one in resumed.json["orders"]}
    truth = {name: floor.endings(name) for name in floor.origins}
    for key in before.keys() | touched | reported:
        venue, order_id = key
        assert key in ends, f"{key} is unaccounted for"
        said = ends[key]
        assert said == WORDS[truth[venue][order_id]["state"]] or (venue, said) == ("broker", "gone"), key
    return resumed


def test_a_kill_that_is_killed_is_announced_and_finished(floor: Floor) -> None:
    before = listable(floor)
    assert kill_9(floor, 0.15) is not None
    for command in (("orders", "--venue", "p99"), ("journal", "show", "--last", "1")):
        told = floor.shell(*command).err
        assert "has no end" in told
        assert "kill --resume" in told
    verified = floor.shell("journal", "verify", "--json")
    assert verified.status == 0, "a process that was killed breaks no chain"
    assert verified.json["unfinished"]
    assert len(verified.json["kills_without_end"]) == 1
    refused = floor.shell("kill", "--resume")
    assert refused.status == 2, "the same guard as any kill"
    refused = floor.shell("kill", "--resume", "--yes", "--venue", "p99")
    assert (refused.status, "from the record" in refused.err) == (2, True)
    refused = floor.shell("kill", "--resume", "nonsense", "--yes")
    assert refused.status == 2
    resumed = account(floor, before)
    assert "in flight" in resumed.err
    assert "has no end" not in floor.shell("journal", "show", "--last", "1").err
    assert floor.shell("journal", "verify", "--json").json["kills_without_end"] == []
    again = floor.shell("kill", "--resume", "--yes")
    assert (again.status, "without an end" in again.err) == (2, True)
    again = floor.shell("kill", "--resume", resumed.json["kill_id"], "--yes")
    assert (again.status, "nothing is left to finish" in again.err) == (2, True)
    assert floor.shell.leaks() == []


def test_the_word_is_asked_for_before_a_kill_is_resumed(floor: Floor) -> None:
    assert kill_9(floor, 0.05) is not None
    done, _ = floor.shell.typed("kill", "--resume", answers=[("Type KILL", "no\n")])
    assert done.status == 2
    done, _ = floor.shell.typed("kill", "--resume", "--json", answers=[("Type KILL", "KILL\n")])
    assert done.status == 0, done.err
    assert done.json["verdict"] == "flat"


def test_a_resumed_kill_keeps_to_the_scope_of_the_dead_one(floor: Floor) -> None:
    before = listable(floor)
    assert kill_9(floor, 0.02, "--venue", "cs-spot", "--side", "buy") is not None
    resumed = floor.shell("kill", "--resume", "--yes", "--json")
    assert resumed.status == 0, resumed.err
    assert resumed.json["scope"]["side"] == ["buy"]
    assert "its scope: venue cs-spot, side buy; orders that were placed since are in it too" in resumed.err
    outside = {key for key, one in before.items() if key[0] != "cs-spot" or one["side"].lower() != "buy"}
    assert listable(floor).keys() == outside


def test_a_cancel_of_named_orders_is_resumed_for_those_alone(floor: Floor) -> None:
    before = listable(floor)
    wanted = sorted(order_id for name, order_id in before if name == "cs-spot")[:3]
    process = floor.shell.start("cancel", "cs-spot", *wanted)
    until = time.monotonic() + LIMIT
    while not stands(floor, b'"kind":"request"'):
        assert time.monotonic() < until
        time.sleep(0.001)
    process.kill()
    process.communicate()
    resumed = floor.shell("kill", "--resume", "--yes", "--json")
    assert resumed.status == 0, resumed.out + resumed.err
    assert {one["order_id"] for one in resumed.json["orders"]} == set(wanted)
    assert "its scope: 3 chosen orders\n" in resumed.err
    assert listable(floor).keys() == before.keys() - {("cs-spot", one) for one in wanted}


def test_the_shell_shouts_about_a_journal_that_cannot_be_written_and_kills_all_the_same(
    floor: Floor,
) -> None:
    floor.shell.data.mkdir(parents=True, exist_ok=True)
    (floor.shell.data / "journal").write_text("in the way")
    done = floor.shell("kill", "--yes", "--json", "--venue", "p99")
    assert done.status == 0, done.err
    assert done.json["verdict"] == "flat"
    assert "JOURNAL" in done.err
    assert "not be written" in done.err
    assert floor.live("p99") == {}


def survive(home: Path, moment: float, written: int, seed: int) -> tuple[bool, int]:
    """One death and one restart on venues of their own; whether it died, and how many records it left."""
    options = ("--orders", str(ORDERS), "--latency", "4", "--seed", str(seed))
    with practice(home, *options) as floor:
        before = listable(floor)
        if kill_9(floor, moment, after=b"", records=written) is None:
            return False, 0
        records = count(floor)
        if not stands(floor, DECIDED):
            # It died before the decision was on record: then nothing had left, and nothing is claimed.
            assert listable(floor).keys() == before.keys()
            return True, records
        if stands(floor, b'"kind":"kill_end"'):
            return False, records
        account(floor, before)
        return True, records


def restarts(home: Path, deaths: int, seed: int) -> dict[str, Any]:
    """So many deaths at random moments of a kill: half of them random in time, half in what is on record."""
    moments = random.Random(seed)
    died, tries, records = 0, 0, []
    while died < deaths:
        tries += 1
        assert tries < 3 * deaths + 20, "the kill is over before it can be killed"
        by_time = moments.uniform(0.0, SPAN), 0
        by_count = 0.0, moments.randint(2, RECORDS)
        dead, left = survive(home / f"run{tries}", *(by_time if tries % 2 else by_count), seed + tries)
        died += dead
        records += [left] if dead else []
    return {"deaths": died, "kills that were faster": tries - died, "records": sorted(records)}


SPAN = 0.9
"""Seconds after the first record within which the process is ended: about as long as the kill takes."""
RECORDS = 185
"""About as many as a kill of so many orders writes."""


def test_killed_at_any_moment_the_next_start_finishes_the_job(tmp_path: Path) -> None:
    print(json.dumps(restarts(tmp_path, 3, seed=11)))


@pytest.mark.long
@pytest.mark.parametrize("lot", range(10))
def test_killed_at_two_hundred_moments_the_next_start_finishes_the_job(tmp_path: Path, lot: int) -> None:
    print(json.dumps(restarts(tmp_path, RESTARTS // 10, seed=1_000 * lot)))
