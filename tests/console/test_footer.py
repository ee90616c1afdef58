"""Somebody who has read only the footer: how many presses a cancel and a kill take, and how long the flat."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from cancel_tui.cli.practice import DEFAULT_ORDERS, make_cluster
from cancel_tui.clock import SystemClock
from cancel_tui.console.app import CancelApp
from cancel_tui.console.screens.arm import ArmScreen
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.engine import Verdict
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings, parse_settings
from tests.console.ground import Ground, ground


async def test_whoever_has_read_only_the_footer_cancels_one_order_and_kills_in_at_most_fifteen_presses(
    tmp_path: Path,
) -> None:
    async with ground(tmp_path, venues=("p99", "cs-spot")) as here:
        footer = here.line("footer")
        pressed: list[str] = []

        async def press(*keys: str) -> None:
            pressed.extend(keys)
            await here.press(*keys)

        # One order: the footer names the key, the console asks for an arrow key where none is chosen.
        assert "x Cancel" in " ".join(footer.split())
        await press("x")
        assert "press an arrow key first" in here.line("banner")
        await press("down", "x")
        await here.until(lambda: here.desk.kills != [] and here.desk.kills[0].finished_wall is not None)
        assert sum(len(rows) for rows in here.cluster.live().values()) == 11
        # The kill: the footer names the chord, the armed screen says what to type.
        assert "^K KILL" in " ".join(footer.split())
        await press("ctrl+k")
        armed = here.app.screen
        assert isinstance(armed, ArmScreen)
        await here.until(lambda: armed.ready)
        await here.later()
        word = here.line("word")
        assert "Type  KILL  and press Enter" in word
        await press(*"KILL", "enter")
        await here.until(lambda: here.kills != [])
        await here.over(here.kills[0])
        assert here.kills[0].verdict is Verdict.FLAT
        assert not any(here.cluster.live().values())
        assert len(pressed) <= 15


@pytest.mark.long
async def test_the_default_book_of_the_demo_is_flat_within_ten_seconds_of_enter(
    tmp_path: Path,
) -> None:
    cluster = make_cluster(Namespace(orders=DEFAULT_ORDERS, seed=7, latency=0, faults="", still=False))
    await cluster.start()

    async def keys(settings: VenueSettings) -> dict[str, Secret]:
        return {name: Secret(value) for name, value in cluster.named(settings.name).credentials().items()}

    desk = Desk(parse_settings(cluster.configuration(), tmp_path / "d.toml"), SystemClock(), tmp_path, keys)
    app = CancelApp(desk)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            here = Ground(cluster, desk, app, pilot)
            # Some of a book cannot be listed before the kill asks for everything.
            await here.until(lambda: all(slot.listed_at is not None for slot in desk.slots.values()))
            await here.until(lambda: here.grid.model.total > DEFAULT_ORDERS * 0.9)
            kill = await here.kill()
            await here.over(kill)
            assert kill.finished_wall is not None
            seconds = kill.finished_wall - kill.started_wall
            print(f"{len(kill.tracks())} orders proven flat in {seconds:.1f} s")
            assert kill.verdict is Verdict.FLAT
            assert seconds < 10.0
            app.exit(0)
    finally:
        await desk.close()
        await cluster.stop()
