"""The venue screen: what it shows, off and on, and the tables for new venues."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from cancel_tui.console.board_lines import verdict
from cancel_tui.console.new_venue import toml_for
from cancel_tui.console.screens.ask import AskScreen
from cancel_tui.console.screens.venues import VenuesScreen
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.feeds import FeedState
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.report import kill_json, uncovered
from cancel_tui.orders import VenueName
from cancel_tui.scope import Scope, fold
from cancel_tui.settings import KINDS, parse_settings
from tests.console.ground import NARROW, Ground, ground, nowhere
from tests.console.hands import resize

ROXOM = VenueName("roxom")


async def switch(here: Ground) -> None:
    await here.press("s")
    ask = here.app.screen
    assert isinstance(ask, AskScreen)
    await here.until(lambda: ask.ready)
    await here.press("enter")


async def test_it_tells_state_address_blind_spots_budgets_and_clock(tmp_path: Path) -> None:
    async with ground(tmp_path, venues=("cs-fut", "p99")) as here:
        await here.press("V")
        list_, told = here.line("preview"), here.line("warnings")
        assert "cs-fut" in list_
        assert "127.0.0.1" in list_
        assert "http" not in list_ + told
        assert "PRACTICE" in list_
        assert "hft" in told
        assert "cancel 10 of 10/60s" in told
        # The poll does so too, where its budget allows.
        slot = here.desk.slots[VenueName("cs-fut")]
        assert slot.venue is not None
        assert slot.lane is not None
        await slot.venue.measure_clock(slot.lane.port(Urgency.POLL))
        await here.until(lambda: "ms from ours" in here.line("warnings"))
        await here.press("down")
        assert "no limits" in here.line("warnings") or "40/4s" in here.line("warnings")
        assert "hft" not in here.line("warnings")


async def test_a_venue_is_listened_to_as_soon_as_it_is_listed_and_never_once_it_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        """A poll that does not begin to listen, nor to do anything else."""

    monkeypatch.setattr(Desk, "_poll", never)
    async with ground(tmp_path, venues=("roxom",), listed=False, streams=True) as here:
        slot = here.desk.slots[ROXOM]
        await here.until(lambda: slot.feed.state is FeedState.LIVE)
        await here.press("V")
        await switch(here)
        assert ROXOM not in here.desk._feeds
        here.desk.listen(slot)
        assert ROXOM not in here.desk._feeds


async def test_off_is_loud_and_out_of_the_kill_and_on_brings_it_back(tmp_path: Path) -> None:
    async with ground(tmp_path, venues=("roxom", "p99")) as here:
        await here.press("V")
        await switch(here)
        assert list(here.desk.off) == [ROXOM]
        assert "OFF" in here.line("preview")
        await here.press("escape")
        await here.until(lambda: here.grid.model.total == 6)
        assert "OFF: roxom" in here.line("header")
        assert "roxom" not in here.line("chips")
        await here.arm()
        assert "! OFF: roxom: switched off for this run, its orders STAY" in here.line("warnings")
        (row,) = (one for one in here.line("preview").splitlines() if "roxom" in one)
        assert " ".join(row.split()) == "roxom ? ? ? ? ? OFF: not covered –"
        await here.press("v")
        await here.until(lambda: "p99" in here.line("title"))
        assert "roxom" not in here.line("preview")
        assert "switched off" not in here.text()
        await here.press("v")
        await resize(here.pilot, 40, 8)
        await here.until(lambda: "not covered: roxom (off)" in here.line("cramped"))
        await resize(here.pilot, *NARROW)
        await here.press(*"KILL", "enter")
        await here.until(lambda: here.kills != [])
        await here.over(here.kills[0])
        assert here.kills[0].verdict is Verdict.FLAT
        assert here.line("verdict").splitlines()[0].startswith("F L A T ")
        assert here.line("verdict").splitlines()[0].endswith("not covered: roxom (off)")
        assert "not covered: roxom (off)" in here.app.log_lines[-1]
        assert kill_json(here.kills[0])["switched_off"] == ["roxom"]
        await here.press("d")
        assert "not covered: roxom (off)" in here.line("title")
        here.app.hush(inf)
        here.app.look()
        assert "FLAT, not covered: roxom (off)" in here.line("banner")
        await here.press("escape")
        assert len(here.cluster.live()["roxom"]) == 6
        assert here.cluster.live()["p99"] == []
        await here.press("escape", "V", "s")
        assert not here.desk.off
        await here.press("escape")
        assert "OFF" not in here.line("header")
        await here.until(lambda: len(here.keys("roxom")) == 6)


async def test_orders_that_were_not_seen_leave_the_grid_with_their_venue(tmp_path: Path) -> None:
    async with ground(tmp_path, venues=("roxom", "p99")) as here:
        slot = here.desk.slots[ROXOM]
        key = here.keys("roxom")[0]
        here.desk._polls.pop(ROXOM).cancel()
        part = next(name for name, one in slot.book.parts.items() if key in one.orders)
        order = slot.book.parts[part].orders.pop(key)
        slot.book.unseen[key] = (order, here.desk.clock.monotonic())
        slot.book.changes.note(key)
        here.app.look()
        await here.until(lambda: key in here.keys("roxom"))
        assert here.desk.switch_off(ROXOM)
        await here.until(lambda: here.keys("roxom") == [])


async def test_it_is_not_switched_off_under_a_kill(tmp_path: Path) -> None:
    async with ground(tmp_path, latency=0.3) as here:
        kill = await here.kill()
        await here.press("escape", "V", "s")
        assert "stays on until then" in here.line("banner")
        assert not here.desk.off
        await here.over(kill)
        assert kill.verdict is Verdict.FLAT


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_for_a_kind_is_a_configuration(kind: str) -> None:
    text = toml_for(kind)
    (venue,) = parse_settings(text, Path("c.toml")).venues
    assert venue.kind == kind
    both = parse_settings(text + toml_for(kind, [venue.name.upper()]), Path("c.toml"))
    assert len(both.venues) == 2
    bare = "\n".join(line.removeprefix("# ") for line in text.splitlines())
    assert parse_settings(bare, Path("c.toml")).venues[0].kind == kind
    assert max(map(len, text.splitlines())) < 78


async def test_without_a_venue_it_says_where_to_begin(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "config.toml"
    async with nowhere(path) as here:
        await here.until(lambda: isinstance(here.app.screen, VenuesScreen))
        await here.until(lambda: "No venue is configured yet" in here.line("warnings"))
        assert "NO VENUES" in here.line("title")
        assert "nowhere/config.toml" in here.picture().replace("\n", "")
        await here.press("n", "5")
        assert 'kind = "b2trader"' in here.picture()
        await here.press("escape", "K")
        assert "no venue is configured" in here.line("warnings")
        await here.press("a", "escape", "escape")
        assert "no venue is configured" in here.picture()
        assert "NO VENUES" in here.line("header")
        await here.press("V", "p")
        assert (here.app.practice_wanted, here.app.return_value) == (True, 0)
    assert not path.exists()


async def test_practice_is_offered_only_where_no_venue_is_configured(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("V", "p")
        assert "cancel-tui demo" in here.line("banner")
        assert not here.app.practice_wanted


async def test_of_venues_that_are_off_a_verdict_names_those_of_its_scope(tmp_path: Path) -> None:
    async with ground(tmp_path, venues=("roxom", "p99")) as here:
        assert here.desk.switch_off(ROXOM)
        for venue, off in (("p99", []), ("ROXOM", ["roxom"])):
            kill = here.desk.plan_kill(Scope(venues=fold([venue]), raw={"venue": [venue]}))
            assert uncovered(kill) == off
            # While it runs, and in every verdict, the first line says it.
            assert ("not covered" in verdict(kill, None).plain.split("\n")[0]) is bool(off)
        known = here.desk.plan_kill(Scope(keys=frozenset(here.keys()[:1]), raw={}), by_id=True)
        assert uncovered(known) == []
        everything = here.desk.plan_kill(Scope(raw={}))
        assert here.desk.switch_on(ROXOM)
        assert uncovered(everything) == ["roxom"]
        assert uncovered(here.desk.plan_kill(Scope(raw={}))) == []
