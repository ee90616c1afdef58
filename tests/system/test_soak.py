"""Streams for long: a hundred events a second leave the books right, and what is held does not grow."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from tests.system.soak import CALM, NOISE, Series, soaking

SECONDS = float(os.environ.get("CANCEL_TUI_SOAK_SECONDS", "600"))
"""How long the long soak lasts once everything is full, in real seconds."""
RATE = 100.0
"""Events a second, over all venues."""


def series(*, each: float, wave: float = 0.0, noise: float = 0.0) -> Series:
    """Ten minutes of holding `each` bytes more with every event, beside what comes and goes."""
    draw = Random(1)
    return Series(
        [
            (500 * step, round(4e7 + 500 * step * each + wave * (step % 12) / 12 + draw.gauss(0.0, noise)))
            for step in range(120)
        ]
    )


def test_what_comes_and_goes_is_flat() -> None:
    assert series(each=0.0).flat
    assert series(each=0.0, noise=2.0 * NOISE).flat
    assert series(each=0.0, wave=4.0 * NOISE, noise=NOISE).flat
    assert series(each=-100.0).flat, "less than before is no leak"
    assert Series([(0, 10_000_000), (50, 10_000_000 + NOISE)]).flat, "no more than lists that are being read"


@pytest.mark.parametrize("each", [10.0, 100.0, 5_000.0])
def test_what_grows_with_every_event_is_not(each: float) -> None:
    assert not series(each=each).flat
    assert not series(each=each, wave=NOISE, noise=NOISE).flat


async def test_a_hundred_events_a_second_leave_the_books_right(tmp_path: Path) -> None:
    async with soaking(tmp_path, console=False) as at:
        assert await at.run(2.0, RATE) >= 0.8 * 2.0 * RATE
        await at.settle()
        at.heard()


@pytest.mark.long
async def test_memory_is_flat_under_a_hundred_events_a_second(tmp_path: Path) -> None:
    async with soaking(tmp_path, console=True) as at:
        await at.fill()
        await at.run(CALM, RATE)
        at.series.held.clear()
        at.mark()
        assert await at.run(SECONDS, RATE) >= 0.8 * SECONDS * RATE
        grown, events = at.series.growth()
        sizes = [round(held / 1024) for _, held in at.series.held]
        lines = at.grown()
        print(
            f"{grown / 1024:+.0f} KiB in {events} events; KiB held: {sizes}", at.memories(), *lines, sep="\n"
        )
        assert at.series.flat, lines
        await at.settle()
        at.heard()
