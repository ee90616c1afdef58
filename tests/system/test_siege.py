"""Ten thousand orders, a hundred changes a second, every fault in turn: at the end the book is the truth.

Single cancels are fired meanwhile, so that the faults of cancels strike too. What each of them leaves behind
on purpose (its story, for as long as the process runs) is allowed for; beyond that memory has to be flat: it
is compared between the end of the first third and the end of the last, each time at rest, since what
libraries remember up to a number fills in the first.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from random import Random

import pytest

from cancel_tui.desk import watching
from cancel_tui.desk.report import scope_json
from cancel_tui.orders import Order
from cancel_tui.practice.catalogue import known
from cancel_tui.practice.cluster import KINDS
from cancel_tui.scope import Scope
from tests.system.soak import CALM, NOISE, Soak, soaking

SECONDS = float(os.environ.get("CANCEL_TUI_SIEGE_SECONDS", "600"))
"""How long the long siege lasts, in real seconds; an hour is 3600."""
RATE = 100.0
ORDERS = 10_000
THIRDS = 3
TURN = 4.0
"""Seconds that a fault is on at a venue."""
REST = 3
"""One turn in so many is without a fault, so that lists become whole again now and then."""
CANCEL_EVERY = 20.0
STORY = 24 * 1024
"""Bytes that a finished cancel may leave behind."""
ORDER = 8 * 1024
"""Bytes that an order takes which stands at the end and did not at the beginning."""
RECOVERY = 300.0
"""Seconds until every book is the truth again, once the faults are over."""
SCAN = 60.0
"""Seconds between two looks at old windows, which are ten times as many otherwise."""
NAMES = tuple(kind.name for kind in KINDS)


def turns(seed: int) -> Iterator[dict[str, list[str]]]:
    """The faults of each venue, turn by turn: each in its turn, drawn anew whenever all have been."""
    draw = Random(seed)
    decks: dict[str, list[str]] = {kind.name: [] for kind in KINDS}
    for number in cycle(range(REST)):
        if number == REST - 1:
            yield {}
            continue
        for kind in KINDS:
            if not decks[kind.name]:
                decks[kind.name] = sorted(known(kind))
                draw.shuffle(decks[kind.name])
        yield {name: [deck.pop()] for name, deck in decks.items()}


async def spoil(at: Soak, seconds: float, turn: float, seed: int) -> set[str]:
    """Let the faults go round for so long; which of them struck."""
    struck: set[str] = set()
    end = time.monotonic() + seconds
    for faults in turns(seed):
        struck |= await at.market.spoil(faults)
        if time.monotonic() >= end:
            break
        await asyncio.sleep(turn)
    return struck | await at.market.spoil({})


async def cancel(at: Soak, seconds: float, every: float) -> int:
    """Fire a cancel of one order now and then; how many."""
    draw, end, fired = Random(11), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        await asyncio.sleep(min(every, max(0.0, end - time.monotonic())))
        live: list[Order] = [one for slot in at.desk.slots.values() for one in slot.book.orders()]
        if live:
            order = draw.choice(live)
            scope = Scope(keys=frozenset({order.key}), raw={})
            kill = at.desk.plan_kill(scope, deadline=15.0, by_id=True, known=[order])
            at.desk.start(kill, scope_json(scope))
            fired += 1
    return fired


async def besieged(
    at: Soak, seconds: float, *, turn: float, every: float, seed: int = 7
) -> tuple[int, int, set[str]]:
    """Events, cancels, and the faults that struck."""
    events, cancels, struck = await asyncio.gather(
        at.run(seconds, RATE), cancel(at, seconds, every), spoil(at, seconds, turn, seed)
    )
    return events, cancels, struck


def test_every_fault_of_every_venue_has_its_turn() -> None:
    seen: dict[str, set[str]] = {kind.name: set() for kind in KINDS}
    most = max(len(known(kind)) for kind in KINDS)
    for _, faults in zip(range(2 * REST * most), turns(3), strict=False):
        for name, entries in faults.items():
            seen[name].update(entries)
    assert seen == {kind.name: set(known(kind)) for kind in KINDS}


async def test_after_faults_the_books_are_the_truth(tmp_path: Path) -> None:
    async with soaking(tmp_path, console=False, orders=100, names=("roxom", "p99", "broker")) as at:
        events, cancels, struck = await besieged(at, 4.0, turn=0.3, every=0.5)
        assert events > 0
        assert cancels > 0
        assert struck
        await at.settle(RECOVERY)


@dataclass(frozen=True, slots=True)
class Rest:
    """What is held once every book is the truth: so faults have nothing to do with it."""

    held: int
    """Bytes."""
    orders: int
    cancels: int
    """Those that were fired so far."""


async def at_rest(at: Soak, cancels: int, *, mark: bool = False) -> Rest:
    """Wait for the truth, and for what is kept for half a minute to be forgotten; then look."""
    begun = time.monotonic()
    await at.settle(RECOVERY)
    print(f"the books were the truth {time.monotonic() - begun:.0f} s after the last fault")
    await asyncio.sleep(CALM)
    if mark:
        at.mark()  # before the look: what is kept for the comparison of lines is no growth
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    orders = sum(1 for slot in at.desk.slots.values() for _ in slot.book.orders())
    print(f"{held / 1024:.0f} KiB, {orders} orders, {cancels} cancels")
    return Rest(held, orders, cancels)


@pytest.mark.long
async def test_a_siege_ends_with_the_truth_and_flat_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SCAN_EVERY", SCAN)
    async with soaking(tmp_path, console=True, orders=ORDERS, names=NAMES) as at:
        await at.fill()
        rests: list[Rest] = []
        events, cancels, struck = 0, 0, set[str]()
        for third in range(THIRDS):
            found = await besieged(at, SECONDS / THIRDS, turn=TURN, every=CANCEL_EVERY, seed=7 + third)
            events, cancels, struck = events + found[0], cancels + found[1], struck | found[2]
            rests.append(await at_rest(at, cancels, mark=not rests))
        lines = at.grown()
        first, last = rests[0], rests[-1]
        never = {f"{kind.name}:{one}" for kind in KINDS for one in known(kind)} - struck
        stories = STORY * (last.cancels - first.cancels)
        allowed = 4 * NOISE + stories + ORDER * max(0, last.orders - first.orders)
        print(
            f"{events} events, {cancels} cancels, {len(struck)} faults struck",
            f"from the first rest to the last: {(last.held - first.held) / 1024:+.0f} KiB",
            f"allowed: {allowed / 1024:.0f} KiB, {stories / 1024:.0f} of it for cancels",
            f"never struck: {', '.join(sorted(never))}",
            *lines,
            sep="\n",
            flush=True,
        )
        assert events >= 0.9 * SECONDS * RATE
        assert last.held - first.held <= allowed, lines
