"""The fault matrix: every fault, on every route, of every venue kind, against single cancels and kills.

One run is one book, one fault and one act of the operator, over loopback, judged by the practice venue's own
state. `run` returns what was said wrongly; nothing else counts as a failure here.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from cancel_tui.cancels import Ending
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.lane import Urgency
from cancel_tui.orders import Side, VenueName
from cancel_tui.scope import Scope
from tests.desk.drive import Stage, stage

KINDS = ("cs-spot", "cs-fut", "roxom", "p99", "broker")
WIRE = ("hang", "drop", "reset", "http500", "html", "empty", "badjson", "torn", "redirect", "throttle")
FAULTS = (*WIRE, *(f"effect_then_{name}" for name in WIRE))
ROUTES = ("cancel", "cancel_all", "list", "status", "closed", "")
ACTS = ("single", "kill", "scoped")
DEADLINE = 60.0
"""Seconds that a kill of the matrix may take; a fault that never ends is called what it is by then."""
WORDS = {"cancelled": "canceled", "filled": "filled", "expired": "expired", "rejected": "rejected"}


@dataclass(frozen=True)
class Case:
    """One cell of the matrix."""

    venue: str
    act: str
    fault: str
    seed: int = 7

    def __str__(self) -> str:
        return f"{self.venue}-{self.act}-{self.fault}"


async def run(case: Case, folder: Path, *, orders: int = 60) -> list[str]:
    """Carry one case out; every false word, every order left behind without being named."""
    faults = tuple(one for one in case.fault.split("+") if one)
    extra = "timeout_seconds = 0.25\n"
    async with stage(folder, orders, only=case.venue, extra=extra, seed=case.seed) as at:
        venue = at.cluster.named(case.venue)
        slot = at.desk.slots[VenueName(case.venue)]
        if case.act == "single":
            await at.finish(at.desk.spawn(at.desk.list_venue(slot, Urgency.KILL, deep=False)))
        venue.faults |= set(faults)
        kill = _plan(case, at)
        await at.finish(at.desk.start(kill, {}), virtual=1500.0, real=60.0)
        venue.faults.clear()
        return judge(case, at, kill)


def _plan(case: Case, at: Stage) -> Kill:
    if case.act == "kill":
        return at.desk.plan_kill(Scope(raw={}), deadline=DEADLINE)
    if case.act == "scoped":
        return at.desk.plan_kill(Scope(sides=frozenset({Side.BUY}), raw={"side": ["buy"]}), deadline=DEADLINE)
    orders = list(at.desk.slots[VenueName(case.venue)].book.orders())
    wanted = next(order for order in orders if order.remaining)
    return at.desk.plan_kill(
        Scope(keys=frozenset({wanted.key}), raw={}), deadline=DEADLINE, by_id=True, known=[wanted]
    )


def judge(case: Case, at: Stage, kill: Kill) -> list[str]:
    """Hold every word against the venue's own state."""
    venue = at.cluster.named(case.venue)
    live = {one["order_id"]: one for one in venue.truth() if one["family"] == "order"}
    ends = {one["order_id"]: one for one in venue.endings()}
    wrong: list[str] = []
    tracks = {str(track.key.order_id): track for track in kill.tracks()}
    for order_id, track in tracks.items():
        outcome = track.outcome
        if outcome in (Ending.OPEN, Ending.UNKNOWN):
            continue
        if order_id in live:
            wrong.append(f"{order_id} is {outcome.value} in our words and live in truth")
        elif outcome is not Ending.GONE and WORDS.get(ends[order_id]["state"]) != outcome.value:
            wrong.append(f"{order_id} is {outcome.value} in our words and {ends[order_id]['state']} in truth")
        elif outcome is not Ending.GONE and track.filled != Decimal(ends[order_id]["filled"]):
            wrong.append(
                f"{order_id} filled {track.filled} in our words, {ends[order_id]['filled']} in truth"
            )
    if case.act == "single":
        return wrong
    mine = {one for one, row in live.items() if case.act == "kill" or row["side"].lower() == "buy"}
    if kill.verdict is Verdict.FLAT and mine:
        wrong.append(f"FLAT with {len(mine)} live")
    unnamed = {one for one in mine if one not in tracks}
    if unnamed and kill.verdict is not Verdict.UNVERIFIED:
        wrong.append(f"{len(unnamed)} left behind without being named")
    return wrong
