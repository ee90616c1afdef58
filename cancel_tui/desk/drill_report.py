"""The report of a drill from facts: what was live, what was proven, how long it took, what is so. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cancel_tui.desk.actions import Verdict, worst
from cancel_tui.desk.drill_judge import Judgement, VenueClaim, judge_all, venue_claims, whole
from cancel_tui.desk.drill_times import counts, kill_times, steps
from cancel_tui.orders import iso

Row = Mapping[str, Any]
NOT_TRIED = "not_tried"
"""The verdict of a venue at which no kill of everything was fired."""


class Task(msgspec.Struct, frozen=True):
    """What is drilled, on which ground, and what counts as done."""

    name: str
    sentence: str
    see: tuple[str, ...]
    do: tuple[str, ...]
    done: str
    proven: frozenset[str]
    doubtful: frozenset[str]
    held: bool
    orders: int
    seed: int
    latency_ms: float
    faults: tuple[str, ...]
    activity: Mapping[str, float]
    """Events a second."""
    mode: str
    """`console`, or `automatic` where nobody was at the keys."""


class Facts(msgspec.Struct, frozen=True):
    """All that the report is made from. Times are seconds since the epoch."""

    task: Task
    version: str
    operator: str
    host: str
    began_at: float
    ended_at: float
    final: bool
    """False for a report that was asked for while the drill went on."""
    before: Sequence[Row]
    """The truth at the start, as `drill_judge` describes it."""
    after: Sequence[Row]
    """The truth at the end."""
    kills: Sequence[Row]
    """The contract's document of each kill, with `by_id`."""
    records: Sequence[Row]
    """The journal of this process."""
    journal: Row
    """Its file, number and hash of its last record, and whether its chain holds."""


def document(facts: Facts) -> dict[str, Any]:
    """The report as one object, ready for JSON."""
    task = facts.task
    orders = judge_all(facts.kills, facts.before, facts.after)
    claims = venue_claims(facts.kills)
    found = Counter(one["judgement"] for one in orders)
    names = list(dict.fromkeys(str(one["venue"]) for one in (*facts.before, *facts.after)))
    kills = [_kill(one, facts.records) for one in facts.kills]
    venues = [_venue(name, facts, claims.get(name), kills, orders) for name in names]
    missing = _missing(facts, claims, found[Judgement.CONTRADICT.value])
    return {
        "report": "drill",
        "practice": True,
        "drill": task.name,
        "about": task.sentence,
        "final": facts.final,
        "started_at": iso(facts.began_at),
        "ended_at": iso(facts.ended_at),
        "operator": facts.operator,
        "host": facts.host,
        "version": facts.version,
        "mode": task.mode,
        "ground": {
            "orders": task.orders,
            "seed": task.seed,
            "latency_ms": task.latency_ms,
            "faults": list(task.faults),
            "activity_per_second": dict(task.activity),
        },
        "brief": {"see": list(task.see), "do": list(task.do)},
        "verdict": worst(Verdict(one.verdict) for one in claims.values()).value if claims else NOT_TRIED,
        "done": {"what": task.done, "met": not missing, "missing": missing},
        "live_at_start": sum(one["live_at_start"] for one in venues),
        "live_at_end": sum(one["live_at_end"] for one in venues),
        "venues": venues,
        "times": _main_times(kills),
        "operator_did": counts(facts.records),
        "steps": steps(facts.records),
        "kills": kills,
        "truth": {one.value: found[one.value] for one in Judgement},
        "left": [one for one in orders if one["live_at_end"]],
        "orders": orders,
        "journal": dict(facts.journal),
    }


def _kill(kill: Row, records: Sequence[Row]) -> dict[str, Any]:
    names = ("kill_id", "by_id", "scope", "reason", "verdict", "started_at", "finished_at", "unmatched")
    return {
        **{name: kill.get(name) for name in names},
        "orders": len(kill["orders"]),
        "outcomes": dict(Counter(one["outcome"] for one in kill["orders"])),
        "newcomers": sum(bool(one["newcomer"]) for one in kill["orders"]),
        "filled_during_kill": kill.get("filled_during_kill"),
        "everything_at": [one["venue"] for one in kill["venues"] if whole(kill, one["venue"])],
        "requests": {one["venue"]: one["requests"] for one in kill["venues"]},
        "throttled": {one["venue"]: one["throttled"] for one in kill["venues"] if one["throttled"]},
        "errors": {one["venue"]: one["error"] for one in kill["venues"] if one["error"]},
        "withdrawn": {one["venue"]: one["withdrawn"] for one in kill["venues"] if one.get("withdrawn")},
        "times": kill_times(records, kill["kill_id"]),
    }


def _venue(
    name: str,
    facts: Facts,
    claim: VenueClaim | None,
    kills: Sequence[Row],
    orders: Sequence[Row],
) -> dict[str, Any]:
    live = [one for one in facts.before if one["venue"] == name and one["live"]]
    mine = [one for one in orders if one["venue"] == name]
    kill = next((one for one in kills if claim is not None and one["kill_id"] == claim.kill), None)
    times = kill["times"]["venues"].get(name, {}) if kill is not None else {}
    told = ("first_request", "last_cancel_answered", "proven")
    return {
        "venue": name,
        "live_at_start": len(live),
        "buys": sum(one["side"] == "buy" for one in live),
        "sells": sum(one["side"] == "sell" for one in live),
        "verdict": NOT_TRIED if claim is None else claim.verdict,
        "blind_spots": [] if claim is None else list(claim.blind_spots),
        "error": None if kill is None else kill["errors"].get(name),
        "requests": None if kill is None else kill["requests"].get(name),
        "throttled": 0 if kill is None else kill["throttled"].get(name, 0),
        **{f"{one}_at": times.get(f"{one}_at") for one in told},
        **{f"{one}_seconds": times.get(f"{one}_seconds") for one in told},
        "live_at_end": sum(bool(one["live_at_end"]) for one in mine),
        "truth": {one.value: sum(row["judgement"] == one.value for row in mine) for one in Judgement},
    }


def _main_times(kills: Sequence[Row]) -> dict[str, Any] | None:
    """The times of the newest kill of everything somewhere, else of the newest kill."""
    mine = [one for one in kills if not one["by_id"]]
    mine = [one for one in mine if one["everything_at"]] or mine
    if not mine:
        return None
    return {"kill": mine[-1]["kill_id"], **{k: v for k, v in mine[-1]["times"].items() if k != "venues"}}


def _missing(facts: Facts, claims: Mapping[str, VenueClaim], contradictions: int) -> list[str]:
    """Why the drill does not count as done; empty where it does."""
    task, missing = facts.task, []
    for name in sorted(task.proven | task.doubtful):
        claim = claims.get(name)
        if claim is None:
            missing.append(f"{name}: no kill of everything was fired there")
        elif claim.said_at is None:
            missing.append(f"{name}: its kill was not over")
        elif name in task.proven and claim.verdict != Verdict.FLAT:
            missing.append(f"{name}: {claim.verdict}, not proven flat")
        elif name in task.doubtful and claim.verdict == Verdict.FLAT:
            missing.append(f"{name}: called flat, which nobody can know")
    if task.held and not counts(facts.records)["held"]:
        missing.append("the flat was not held")
    if contradictions:
        missing.append(f"{contradictions} orders are not as they were said to be")
    return missing
