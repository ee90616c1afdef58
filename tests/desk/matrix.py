"""The fault matrix: every fault, on every route, of every venue kind, against single cancels and kills.

One run is one book, one fault (or a pair) and one act of the operator, over loopback, judged by the practice
venue's own state, while it goes on and when it is over. `python -m tests.desk.matrix --runs 1200 --seed 7`
carries out so many cells and prints the figures; it ends with status 1 where a word was false or an order was
left behind without being named.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, product
from pathlib import Path

from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.kill import Kill
from cancel_tui.orders import AccountId, Family, OrderId, OrderKey, Side, VenueName
from cancel_tui.practice.b2trader import B2Trader
from cancel_tui.practice.b2trader_switches import OWN
from cancel_tui.practice.catalogue import known
from cancel_tui.practice.cluster import KINDS
from cancel_tui.practice.mischief import EFFECT, WIRE, Faults
from cancel_tui.scope import Scope
from tests.desk.drive import Stage, stage
from tests.desk.judge import Judge

ACTS = ("single", "kill", "scoped")
READS = ("list", "status", "closed", "accounts", "upgrade")
TIMES = ("", "*1", "*3", "*8", "%20", "%50")
DEADLINE = 60.0
"""Seconds that a kill of the matrix may take; a fault that never ends is called what it is by then."""
ROUTED = {*WIRE, "refuse", "restart", "expires", "unauthorized", "slow", "slow_effect"}
"""Faults that are drawn for one route or for all."""
ABOUT_NEW = {"reject_new", "slow_ack", "strict_symbols"}
"""Faults that a kill never meets."""
ABOUT_ALL = {"recent_only", "nothing_refused"}
"""Faults of a cancel-all, beside those that are called so."""
LINGERS = {"list_hides", "list_hides_long", "list_ghost", "list_lag"}
"""Faults of lists that stay as they are, and of which a pair would excuse anything."""
MOVES = {"newcomers", "list_shifts", "restart"}
QUIET = {"skew", "skew_back", "unknown_status", "throttle_mixed", "expired_token", *OWN}
"""Faults that leave no count of their hits."""


@dataclass(frozen=True)
class Case:
    """One cell of the matrix."""

    venue: str
    act: str
    fault: str
    seed: int = 7

    def __str__(self) -> str:
        return f"{self.venue}-{self.act}-{self.fault}"

    @property
    def names(self) -> set[str]:
        """The faults without routes and counts."""
        return {one.partition("@")[0].partition("*")[0].partition("%")[0] for one in self.fault.split("+")}


@dataclass
class Found:
    """What one run brought."""

    wrong: list[str] = field(default_factory=list)
    """False words; goal: none."""
    unnamed: list[str] = field(default_factory=list)
    """Orders in scope that were left live and named nowhere, the verdict no excuse; goal: none."""
    struck: bool = False
    """Whether the fault had an occasion."""
    verdict: str = ""
    withdrawn: int = 0
    """Flats that came too early because lists lagged for longer than a proof takes, and were withdrawn."""


def possible(venue: str, act: str) -> list[str]:
    """The faults of a kind that have an occasion in an act."""
    kind = next(kind for kind in KINDS if kind.name == venue)
    native = "cancel_all" in kind.routes_known and act == "kill"
    stops = venue != "broker" or act == "single"
    return [
        name
        for name in known(kind)
        if name not in ABOUT_NEW
        and (native or not (name.startswith("cancel_all") or name in ABOUT_ALL))
        and (stops or not name.startswith("stop_triggers"))
    ]


def faults_of(venue: str, act: str, rng: random.Random) -> Iterator[str]:
    """Every such fault, by turns and without end, each time with other routes and counts."""
    kind = next(kind for kind in KINDS if kind.name == venue)
    names = possible(venue, act)
    native = "cancel_all" in kind.routes_known and act == "kill"
    changing = ["cancel_all" if native else "cancel"]
    if venue == "broker" and act == "single":
        changing.append("cancel_stop")
    reading = [
        route for route in READS if route in kind.routes_known and (route, venue) != ("list", "broker")
    ]
    rng.shuffle(names)
    for name in cycle(names):
        head = name.removeprefix(EFFECT)
        route, times = "", rng.choice(TIMES[:3] if act == "single" else TIMES)
        if head in ROUTED:
            route = rng.choice(["", *changing, *changing, *(reading if head == name else [])])
        if name in ("refuse", "restart", "expires"):
            times = rng.choice(("*1", "*2"))
        if name in LINGERS:
            times = ""
        yield name + (f"@{route}" if route else "") + times


def cells(count: int, seed: int) -> list[Case]:
    """A seeded choice: each kind and act equally often, every fault of a kind before any comes again.

    Once every fault has had its turn with an act, they are drawn in pairs.
    """
    rng = random.Random(seed)
    pairs = list(product(ACTS, (kind.name for kind in KINDS)))
    supply = {
        (act, venue): faults_of(venue, act, random.Random(f"{seed}/{venue}/{act}")) for act, venue in pairs
    }
    drawn = Counter[tuple[str, str]]()
    found: list[Case] = []
    for act, venue in cycle(pairs):
        if len(found) >= count:
            return found
        fault, number = next(supply[act, venue]), rng.randrange(1000)
        drawn[act, venue] += 1
        case = Case(venue, act, fault, number)
        if drawn[act, venue] > len(possible(venue, act)):
            pair = Case(venue, act, f"{fault}+{next(supply[act, venue])}", number)
            case = pair if _fair(pair) else case
        found.append(case)
    return found


def _fair(case: Case) -> bool:
    """Whether what such a run brings can be judged: a list that lags hides every newcomer, too."""
    return not (case.names & LINGERS and (case.names & MOVES or len(case.names & LINGERS) > 1))


async def run(case: Case, folder: Path, *, orders: int = 60, deadline: float = DEADLINE) -> Found:
    """Carry one case out and hold every word against the venue's own state."""
    entries = [one for one in case.fault.split("+") if one]
    extra = "timeout_seconds = 0.25\n"
    async with stage(folder, orders, only=case.venue, alone=True, extra=extra, seed=case.seed) as at:
        venue = at.cluster.named(case.venue)
        slot = at.desk.slots[VenueName(case.venue)]
        judge = Judge(venue, at.clock)
        if case.act == "single":
            await at.finish(at.desk.spawn(at.desk.list_venue(slot, Urgency.KILL, deep=False)))
        venue.faults |= set(entries)
        if isinstance(venue, B2Trader):
            venue.obey(entries)
        kill, mine = _plan(case, at, deadline)
        judge.mine = mine
        at.look = lambda: judge.watch(kill)
        await at.finish(at.desk.start(kill, {}), virtual=1500.0, real=60.0)
        found = Found(verdict=kill.verdict.value)
        if judge.excused(kill, case.names):
            await _withdrawn(at, judge, kill)
            found.withdrawn = 1
        found.wrong = judge.verdict(kill)
        found.unnamed = judge.unnamed(kill)
        hits = venue.faults.hits if isinstance(venue.faults, Faults) else Counter[str]()
        found.struck = any(hits[name] or name in QUIET for name in case.names)
        venue.faults.clear()
        return found


async def _withdrawn(at: Stage, judge: Judge, kill: Kill) -> None:
    """A flat came before the hidden orders showed: the lists that follow must withdraw it, and take them.

    Old windows are polled every ten minutes, and what was hidden once may be hidden again.
    """
    at.desk.watch()
    await at.until(lambda: bool(kill.withdrawn), virtual=1500.0, real=60.0)
    await at.until(
        lambda: kill.finished_wall is not None and not judge.too_early(kill), virtual=6000.0, real=60.0
    )


def _plan(case: Case, at: Stage, deadline: float) -> tuple[Kill, Callable[[dict[str, str]], bool]]:
    """The kill of a case, and which orders of the truth are in its scope."""
    if case.act == "kill":
        return at.desk.plan_kill(Scope(raw={}), deadline=deadline), lambda _: True
    if case.act == "scoped":
        scope = Scope(sides=frozenset({Side.BUY}), raw={"side": ["buy"]})
        return at.desk.plan_kill(scope, deadline=deadline), lambda row: row["side"].lower() == "buy"
    name = VenueName(case.venue)
    orders = list(at.desk.slots[name].book.orders())
    wanted = next(order for order in orders if order.remaining)
    key, known_orders = wanted.key, [wanted]
    stops = [row for row in at.cluster.named(case.venue).truth() if row["family"] == "stop"]
    if stops and any(
        one.startswith("stop_triggers") or "cancel_stop" in one for one in case.fault.split("+")
    ):
        key = OrderKey(name, AccountId(stops[0]["account"]), Family.STOP, OrderId(stops[0]["order_id"]))
        known_orders = []
    kill = at.desk.plan_kill(
        Scope(keys=frozenset({key}), raw={}), deadline=deadline, by_id=True, known=known_orders
    )
    return kill, lambda row: row["order_id"] == key.order_id


# ---------------------------------------------------------------- the figures


def _one(case: Case) -> tuple[Case, Found, float]:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cancel-tui-matrix-") as folder:
        try:
            found = asyncio.run(run(case, Path(folder)))
        except Exception as error:
            found = Found(wrong=[f"the run broke: {type(error).__name__}: {error}"])
    return case, found, time.monotonic() - begun


def summary(results: list[tuple[Case, Found, float]]) -> str:
    """A table, a line for each kind of venue and one for all."""
    lines = [
        "| Venue | Runs | Fault struck | Flat | Unverified | Not flat | Withdrawn | Unnamed | False words |"
    ]
    lines.append("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    groups = [(kind.name, [one for one in results if one[0].venue == kind.name]) for kind in KINDS]
    for name, rows in [*groups, ("all", results)]:
        verdicts = Counter(found.verdict for _, found, _ in rows)
        figures = (
            len(rows),
            sum(found.struck for _, found, _ in rows),
            *(verdicts[one.value] for one in (Verdict.FLAT, Verdict.UNVERIFIED, Verdict.NOT_FLAT)),
            sum(found.withdrawn for _, found, _ in rows),
            sum(len(found.unnamed) for _, found, _ in rows),
            sum(len(found.wrong) for _, found, _ in rows),
        )
        lines.append(f"| {name} | {' | '.join(str(one) for one in figures)} |")
    names = {name for case, _, _ in results for name in case.names}
    idle = names - {name for case, found, _ in results if found.struck for name in case.names}
    lines += ["", f"{len(names)} faults; never struck: {', '.join(sorted(idle)) or 'none'}"]
    return "\n".join(lines)


def main() -> int:
    """Run so many cells in two processes and print what came of them."""
    parser = argparse.ArgumentParser(description="The fault matrix over loopback practice venues.")
    parser.add_argument("--runs", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="only cells whose name contains this")
    options = parser.parse_args()
    drawn = [case for case in cells(options.runs, options.seed) if options.only in str(case)]
    begun = time.monotonic()
    results = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for case, found, took in pool.map(_one, drawn):
            results.append((case, found, took))
            for one in (*found.wrong, *found.unnamed):
                print(f"{case} (seed {case.seed}): {one}", flush=True)
            if took > 10:
                print(f"{case} (seed {case.seed}) took {took:.0f} s", file=sys.stderr)
    print(summary(results))
    print(f"{len(results)} runs in {time.monotonic() - begun:.0f} s, seed {options.seed}")
    return int(any(found.wrong or found.unnamed for _, found, _ in results))


if __name__ == "__main__":
    sys.exit(main())
