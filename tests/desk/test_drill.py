"""The report of a drill: what was said against what is so, when each step was, and how it is written down."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cancel_tui.clock import SystemClock
from cancel_tui.desk.chain import verify_journal
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.drill_judge import judge_all, venue_claims
from cancel_tui.desk.drill_report import Facts, Task, document
from cancel_tui.desk.drill_text import markdown, plain_report, summary
from cancel_tui.desk.drill_times import counts, kill_times, steps
from cancel_tui.desk.drilling import Drilling
from cancel_tui.desk.unfinished import find
from cancel_tui.practice.cluster import Cluster
from cancel_tui.practice.drills import DRILLS, DrillError, drill_named, overview
from cancel_tui.settings import parse_settings

BEGAN, OVER = "2026-01-05T12:00:10.000Z", "2026-01-05T12:00:14.500Z"
BEGAN_AT, OVER_AT = 1_767_614_410.0, 1_767_614_414.5

TASK = Task(
    "calm",
    "A calm book.",
    ("Nothing moves.",),
    ("Fire.",),
    "The venue is proven flat.",
    frozenset({"p99"}),
    frozenset(),
    False,
    orders=2,
    seed=7,
    latency_ms=0.0,
    faults=(),
    activity={"fills": 0.0},
    mode="console",
)


def real(order: str, *, live: bool = False, state: str = "canceled", **more: Any) -> dict[str, Any]:
    """An order as the venue's own book has it."""
    facts = {
        "venue": "p99",
        "order": order,
        "account": "",
        "family": "order",
        "symbol": "BTCUSDT",
        "side": "buy",
        "state": "resting" if live else state,
        "live": live,
        "filled": "0",
        "quantity": "2",
        "created": BEGAN_AT - 60,
        "updated": BEGAN_AT + 1,
    }
    return facts | more


def said(order: str, outcome: str, filled: str | None = "0") -> dict[str, Any]:
    """An order as the report of a kill has it."""
    return {
        "venue": "p99",
        "account": None,
        "order_id": order,
        "family": "order",
        "symbol": "BTCUSDT",
        "outcome": outcome,
        "filled": filled,
        "newcomer": False,
    }


def a_kill(*orders: dict[str, Any], verdict: str = "flat", **more: Any) -> dict[str, Any]:
    """The contract's document of a kill of everything."""
    facts: dict[str, Any] = {
        "kill_id": "aa",
        "by_id": False,
        "scope": {"venue": [], "account": [], "symbol": [], "side": [], "exchange": []},
        "unmatched": [],
        "reason": None,
        "started_at": BEGAN,
        "finished_at": OVER,
        "verdict": verdict,
        "venues": [
            {
                "venue": "p99",
                "verdict": verdict,
                "requests": {"cancel": len(orders)},
                "throttled": 0,
                "error": None,
                "blind_spots": [],
                "withdrawn": [],
            }
        ],
        "orders": list(orders),
    }
    return facts | more


def judged(after: dict[str, Any], *claims: dict[str, Any], **more: Any) -> tuple[str, str]:
    rows = judge_all([a_kill(*claims, **more)], [real(after["order"], live=True)], [after])
    assert len(rows) == 1
    return rows[0]["judgement"], rows[0]["why"]


@pytest.mark.parametrize(
    ("after", "claim", "judgement"),
    [
        (real("a"), said("a", "canceled"), "agree"),
        (real("a", filled="0.5"), said("a", "canceled", "0.50"), "agree"),
        (real("a", filled="0.5"), said("a", "canceled", "0"), "contradict"),
        (real("a", live=True), said("a", "canceled"), "contradict"),
        (real("a", state="filled", filled="2"), said("a", "canceled"), "contradict"),
        (real("a", state="expired"), said("a", "canceled"), "contradict"),
        (real("a", state="filled", filled="2"), said("a", "filled", "2"), "agree"),
        (real("a"), said("a", "gone", None), "agree"),
        (real("a", live=True), said("a", "gone", None), "contradict"),
        (real("a", live=True), said("a", "open"), "agree"),
        (real("a", state="filled"), said("a", "open"), "since"),
        (real("a", state="filled", updated=BEGAN_AT - 1), said("a", "open"), "contradict"),
        (real("a"), said("a", "unknown", None), "unclaimed"),
    ],
)
def test_what_was_said_of_an_order_is_held_against_what_is_so(
    after: dict[str, Any], claim: dict[str, Any], judgement: str
) -> None:
    assert judged(after, claim)[0] == judgement


def test_an_order_that_is_live_at_a_venue_called_flat_contradicts_it_though_nobody_spoke_of_it() -> None:
    assert judged(real("a", live=True))[0] == "contradict"
    assert judged(real("a", live=True), said("a", "unknown", None))[0] == "contradict"
    assert judged(real("a", live=True), verdict="unverified")[0] == "unclaimed"
    assert judged(real("a", live=True, created=OVER_AT + 1))[0] == "since"
    assert judged(real("a", live=True), finished_at=None)[0] == "contradict"
    stop = real("a", live=True, family="stop")
    assert judged(stop)[0] == "contradict"
    kill = a_kill()
    kill["venues"][0]["blind_spots"] = ["stop_orders"]
    assert judge_all([kill], [], [stop])[0]["judgement"] == "named"


def test_an_order_that_the_venue_never_had_contradicts() -> None:
    rows = judge_all([a_kill(said("ghost", "canceled"))], [], [])
    assert [(one["judgement"], one["really"]) for one in rows] == [("contradict", None)]


def test_the_newest_word_on_an_order_counts_and_what_was_over_before_is_left_out() -> None:
    first, second = a_kill(said("a", "open")), a_kill(said("a", "canceled"), kill_id="bb")
    before = [real("a", live=True), real("old")]
    rows = judge_all([first, second], before, [real("a"), real("old")])
    assert [(one["order"], one["kill"], one["judgement"]) for one in rows] == [("a", "bb", "agree")]


@pytest.mark.parametrize(
    "more",
    [
        {"by_id": True},
        {"scope": {"symbol": ["BTCUSDT"]}},
        {"scope": {"side": ["buy"]}},
        {"scope": {"order_id": ["a"]}},
        {"scope": {"keep_protective": True}},
    ],
)
def test_a_flat_of_less_than_everything_says_nothing_of_the_venue(more: dict[str, Any]) -> None:
    assert venue_claims([a_kill(**more)]) == {}
    report = document(facts(kills=[a_kill(**more)]))
    assert report["verdict"] == "not_tried"
    assert report["done"]["missing"] == ["p99: no kill of everything was fired there"]


RECORDS: list[dict[str, Any]] = [
    {"at": "2026-01-05T12:00:00.000Z", "kind": "drill_begin", "drill": "calm"},
    {"at": "2026-01-05T12:00:03.000Z", "kind": "operator", "deed": "first_key"},
    {"at": "2026-01-05T12:00:03.100Z", "kind": "operator", "deed": "brief_left"},
    {"at": "2026-01-05T12:00:04.000Z", "kind": "operator", "deed": "armed"},
    {"at": "2026-01-05T12:00:05.000Z", "kind": "operator", "deed": "lapsed"},
    {"at": "2026-01-05T12:00:07.100Z", "kind": "operator", "deed": "armed"},
    {"at": "2026-01-05T12:00:08.000Z", "kind": "operator", "deed": "wrong"},
    {"at": "2026-01-05T12:00:09.100Z", "kind": "operator", "deed": "word"},
    {"at": "2026-01-05T12:00:09.500Z", "kind": "operator", "deed": "fired"},
    {"at": BEGAN, "kind": "kill_begin", "kill": "aa", "by_id": False, "hold": 0.0},
    {"at": "2026-01-05T12:00:10.020Z", "kind": "request", "kill": "aa", "venue": "p99", "call": "cancel_all"},
    {"at": "2026-01-05T12:00:10.030Z", "kind": "request", "kill": "aa", "venue": "p99", "call": "list"},
    {"at": "2026-01-05T12:00:10.500Z", "kind": "answer", "kill": "aa", "venue": "p99", "call": "cancel_all"},
    {"at": "2026-01-05T12:00:11.500Z", "kind": "answer", "kill": "aa", "venue": "p99", "call": "cancel"},
    {"at": "2026-01-05T12:00:13.500Z", "kind": "answer", "kill": "aa", "venue": "p99", "call": "list"},
    {"at": "2026-01-05T12:00:12.500Z", "kind": "flat", "kill": "aa", "venue": "p99"},
    {"at": OVER, "kind": "kill_end", "kill": "aa", "verdict": "flat"},
    {
        "at": "2026-01-05T12:00:20.000Z",
        "kind": "kill_begin",
        "kill": "bb",
        "by_id": True,
        "scope": {"order_id": ["a", "b"]},
    },
]


def facts(**more: Any) -> Facts:
    found = Facts(
        TASK,
        "1.2.3",
        "kim",
        "desk-4",
        BEGAN_AT - 10,
        OVER_AT + 1,
        True,
        before=[real("a", live=True), real("b", live=True)],
        after=[real("a"), real("b", state="filled", filled="2")],
        kills=[a_kill(said("a", "canceled"), said("b", "filled", "2"))],
        records=RECORDS,
        journal={"file": "journal/x.jsonl", "records": 18, "last": 17, "hash": "f" * 64, "intact": True},
    )
    return replace(found, **more)


def test_each_step_is_timed_from_the_records() -> None:
    times = kill_times(RECORDS, "aa")
    assert times["start_to_armed_seconds"] == 4.0
    assert times["armed_to_word_seconds"] == 2.0
    assert times["word_to_enter_seconds"] == 0.4
    assert times["enter_to_begun_seconds"] == 0.5
    assert times["first_request_seconds"] == 0.52
    assert times["last_cancel_answered_seconds"] == 2.0
    assert times["venues"]["p99"]["proven_seconds"] == 3.0
    assert times["verdict_seconds"] == 5.0
    told = steps(RECORDS)
    assert [one["seconds"] for one in told[:4]] == [0.0, 3.0, 3.1, 4.0]
    assert told[-2]["step"] == "over: flat"


def test_a_kill_that_nobody_typed_a_word_for_counts_from_its_beginning() -> None:
    bare = [one for one in RECORDS if one["kind"] != "operator"]
    times = kill_times(bare, "aa")
    assert times["enter_at"] is None
    assert times["first_request_seconds"] == 0.02
    assert times["verdict_seconds"] == 4.5
    assert kill_times(RECORDS, "bb")["enter_at"] is None


def test_a_flat_that_was_withdrawn_is_not_timed_as_proven() -> None:
    back = {"at": OVER, "kind": "flat_withdrawn", "kill": "aa", "venue": "p99"}
    assert kill_times([*RECORDS, back], "aa")["venues"]["p99"]["proven_at"] is None


def test_what_the_operator_did_is_counted() -> None:
    told = counts(RECORDS)
    assert (told["armed"], told["lapsed"], told["mistyped_words"]) == (2, 1, 1)
    assert (told["kills"], told["cancels_of_named_orders"], told["named_orders"]) == (1, 1, 2)
    assert told["held"] == told["released"] == 0
    hold = {"at": OVER, "kind": "hold", "kill": "aa", "venue": "p99"}
    assert counts([*RECORDS, hold, {**hold, "venue": "broker"}])["held"] == 1
    assert counts([{"kind": "kill_begin", "kill": "c", "hold": "until released"}])["held"] == 1


def test_a_drill_that_went_as_it_should_is_done() -> None:
    report = document(facts())
    assert report["done"] == {"what": TASK.done, "met": True, "missing": []}
    assert (report["verdict"], report["live_at_start"], report["live_at_end"]) == ("flat", 2, 0)
    assert report["truth"]["agree"] == 2
    assert report["times"]["verdict_seconds"] == 5.0
    assert report["venues"][0]["proven_seconds"] == 3.0
    json.dumps(report)


@pytest.mark.parametrize(
    ("more", "missing"),
    [
        ({"kills": []}, "p99: no kill of everything was fired there"),
        ({"kills": [a_kill(finished_at=None)]}, "p99: its kill was not over"),
        ({"kills": [a_kill(verdict="unverified")]}, "p99: unverified, not proven flat"),
        ({"after": [real("a", live=True), real("b")]}, "2 orders are not as they were said to be"),
        ({"task": replace(TASK, held=True)}, "the flat was not held"),
        (
            {"task": replace(TASK, proven=frozenset(), doubtful=frozenset({"p99"}))},
            "p99: called flat, which nobody can know",
        ),
    ],
)
def test_a_drill_that_lacks_something_is_not_done_and_says_what(more: dict[str, Any], missing: str) -> None:
    report = document(facts(**more))
    assert report["done"]["met"] is False
    assert missing in report["done"]["missing"]
    assert "NOT done" in summary(report)
    assert missing.replace("_", "\\_") in markdown(report)
    assert missing in plain_report(report, 80)


def test_the_markdown_holds_the_whole_record_and_foreign_text_cannot_steer_it() -> None:
    nasty = real("a", live=True, symbol="B|TC`\x1b[31m\n# x")
    report = document(facts(after=[nasty, real("b", state="filled", filled="2")]))
    text = markdown(report)
    assert text.startswith("# Drill calm: NOT done\n")
    for words in ("PRACTICE", "kim", "desk-4", "1.2.3", "seed 7", "f" * 64, "journal/x.jsonl"):
        assert words in text
    assert "said to be canceled, and it is live" in text
    assert "\x1b" not in text
    row = next(line for line in text.splitlines() if "B\\|TC" in line)
    assert "\\`" in row
    assert row.count(" | ") == 6
    assert "Taken while" in markdown(document(facts(final=False)))


def test_every_drill_can_be_set_up_and_is_explained() -> None:
    names = {venue.name for venue in Cluster(0).venues}
    for one in DRILLS.values():
        Cluster(0, faults=one.faults)
        assert one.proven | one.doubtful == names
        assert not one.proven & one.doubtful
        assert one.held == bool(one.hold)
        assert f"{one.name} " in overview()
        assert one.sentence in overview()
    with pytest.raises(DrillError, match=r"nope: no such drill; known are calm, dead-venue"):
        drill_named("nope")


async def test_a_report_is_for_its_owner_replaces_its_own_and_nobody_elses(tmp_path: Path) -> None:
    text = (
        '[venues.p99]\nkind = "p99-spot"\nbase_url = "http://127.0.0.1:9/api/v1"\ncredentials = "practice"\n'
    )

    async def none(_: Any) -> dict[str, Any]:
        return {}

    desk = Desk(parse_settings(text, tmp_path / "c.toml"), SystemClock(), tmp_path, none)
    drillings = [Drilling(TASK, desk, lambda: [real("a", live=True)], tmp_path / "reports") for _ in range(2)]
    drillings[0].deed("armed")
    early = await drillings[0].report(final=False)
    assert early["operator_did"]["armed"] == 1
    first = await drillings[0].write(early)
    other = await drillings[1].write(early)
    await desk.close()
    late = await drillings[0].report(final=True)
    assert await drillings[0].write(late) == first
    assert not set(first) & set(other)
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == sorted(
        path.name for path in (*first, *other)
    )
    assert stat.S_IMODE((tmp_path / "reports").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in first} == {0o600}
    kept = json.loads(first[0].read_text())
    assert kept["final"] is True
    last = json.loads((tmp_path / kept["journal"]["file"]).read_text().splitlines()[-1])
    assert kept["journal"]["hash"] == last["hash"]
    assert last["kind"] == "closed"
    assert verify_journal(tmp_path / "journal")[1] == []


def test_a_kill_of_a_drill_that_was_cut_off_is_nothing_that_could_be_resumed(tmp_path: Path) -> None:
    opened = {"seq": 0, "prev": "0", "at": BEGAN, "kind": "opened", "host": "gone", "locked": True}
    begin = {"seq": 1, "prev": "0", "at": BEGAN, "kind": "kill_begin", "kill": "aa"}
    drill = {"seq": 1, "prev": "0", "at": BEGAN, "kind": "drill_begin", "drill": "calm"}
    path = tmp_path / "x.jsonl"

    def written(*records: dict[str, Any]) -> int:
        path.write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in records))
        return len(find(tmp_path, BEGAN_AT, every=True))

    assert written(opened, begin) == 1
    assert written(opened, drill, begin) == 0
