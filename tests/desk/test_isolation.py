"""A venue that is a black hole delays nobody: the others are proven flat as soon as without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cancel_tui.scope import Scope
from tests.desk.drive import stage
from tests.desk.isolation import HOLES, NAMES, SHARE, dig, flat_after, through

BEAT = 0.6
"""Seconds of the injected clock within which two equal runs end: what is waited for is looked at so often."""


async def flat_times(folder: Path, victim: str | None, hole: str) -> dict[str, float]:
    async with stage(folder, 30, extra="timeout_seconds = 2\n") as at:
        await dig(at.cluster, victim, hole)
        kill = at.desk.plan_kill(Scope(raw={}), deadline=300.0)
        at.desk.start(kill, {})
        await at.until(lambda: through(kill, victim), virtual=300.0)
        return flat_after(kill, victim)


@pytest.mark.parametrize("hole", HOLES)
async def test_a_black_hole_delays_no_other_venue(hole: str, tmp_path: Path) -> None:
    alone = await flat_times(tmp_path / "alone", None, "")
    for victim in NAMES:
        taken = await flat_times(tmp_path / victim, victim, hole)
        for name, seconds in taken.items():
            assert seconds <= alone[name] * (1 + SHARE) + BEAT, f"{name} beside {victim}"
