"""Faults × venue kinds × acts over loopback: nothing that is said contradicts the venue's own state.

The default run takes a seeded hundred of the cells, the long one (`-m long`) a thousand.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.desk.matrix import ACTS, FAULTS, KINDS, ROUTES, Case, run


def cells(count: int, seed: int) -> list[Case]:
    """A seeded choice: each kind and act equally often, faults that end and faults that do not."""
    rng = random.Random(seed)
    found: list[Case] = []
    for index in range(count):
        route, times = rng.choice(ROUTES), rng.choice(("*1", "*3", "*8", "*1", "*3", ""))
        fault = rng.choice(FAULTS) + (f"@{route}" if route else "") + times
        found.append(Case(KINDS[index % 5], ACTS[index // 5 % 3], fault, rng.randrange(1000)))
    return found


@pytest.mark.parametrize("case", cells(100, 20_261_121), ids=str)
async def test_no_word_contradicts_the_venue(case: Case, tmp_path: Path) -> None:
    assert await run(case, tmp_path, orders=40) == []


@pytest.mark.long
@pytest.mark.parametrize("case", cells(1000, 7), ids=str)
async def test_no_word_contradicts_the_venue_in_a_thousand_runs(case: Case, tmp_path: Path) -> None:
    assert await run(case, tmp_path, orders=60) == []
