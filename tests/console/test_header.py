"""What stands on the screen before anything is sent: a clock that is off, and whose orders would go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.console.ground import WIDE, ground


async def test_a_venues_clock_that_is_off_stands_in_the_header_and_a_good_one_does_not(
    tmp_path: Path,
) -> None:
    faults = {"cs-spot": ("skew",)}
    async with ground(tmp_path, venues=("p99", "cs-spot"), faults=faults, size=WIDE) as here:
        await here.until(lambda: "CLOCK cs-spot +90." in here.line("header"))
        for slot in here.desk.slots.values():
            venue: Any = slot.venue
            venue.clock_offset = -0.9
        here.app.look()
        await here.until(lambda: "CLOCK" not in here.line("header"))


async def test_the_armed_preview_tells_who_placed_the_orders(tmp_path: Path) -> None:
    async with ground(tmp_path, venues=("cs-spot",), size=WIDE) as here:
        await here.arm()
        await here.until(lambda: "placed by: cs-spot" in here.line("warnings"))
