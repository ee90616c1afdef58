"""Faults × venue kinds × acts over loopback: nothing that is said contradicts the venue's own state.

The default run takes a seeded hundred of the cells, the long one (`-m long`) twelve hundred.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cancel_tui.practice.catalogue import known
from cancel_tui.practice.cluster import KINDS
from tests.desk.matrix import ABOUT_NEW, ACTS, Case, cells, possible, run


@pytest.mark.parametrize("case", cells(100, 20_261_121), ids=str)
async def test_no_word_contradicts_the_venue(case: Case, tmp_path: Path) -> None:
    found = await run(case, tmp_path, orders=40, deadline=30.0)
    assert (found.wrong, found.unnamed) == ([], [])


@pytest.mark.long
@pytest.mark.parametrize("case", cells(1200, 7), ids=str)
async def test_no_word_contradicts_the_venue_in_a_thousand_runs(case: Case, tmp_path: Path) -> None:
    found = await run(case, tmp_path)
    assert (found.wrong, found.unnamed) == ([], [])


def test_the_long_run_holds_every_fault_of_every_kind_with_every_act_that_it_can_meet() -> None:
    drawn = {(case.venue, case.act, name) for case in cells(1200, 7) for name in case.names}
    for kind in KINDS:
        for act in ACTS:
            assert {name for name in possible(kind.name, act) if (kind.name, act, name) not in drawn} == set()
        seen = {name for act in ACTS for name in possible(kind.name, act)}
        assert set(known(kind)) - seen <= ABOUT_NEW
