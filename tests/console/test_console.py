"""The console as a whole: foreign text, locked venues, mono and ASCII, leaving, crashes, settings."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from queue import Queue
from time import monotonic

import pytest
from textual.app import App
from textual.drivers._writer_thread import WriterThread

from cancel_tui.cli import console as command
from cancel_tui.clock import SystemClock
from cancel_tui.console import leaving, output, shots
from cancel_tui.console.app import CancelApp
from cancel_tui.console.badges import OPEN, STATES
from cancel_tui.console.commands import COMMANDS, key_table, shown_key
from cancel_tui.console.screens.board import BoardScreen
from cancel_tui.console.screens.confirm import ConfirmScreen
from cancel_tui.console.screens.help import HelpScreen
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.slot import LockedError
from cancel_tui.redaction import Secret
from cancel_tui.scope import Scope
from cancel_tui.settings import SettingsError, VenueSettings, parse_settings
from tests.console.ground import NARROW, ground

ROOT = Path(__file__).resolve().parents[2]


async def test_a_locked_venue_says_so_everywhere_and_cannot_be_proven(tmp_path: Path) -> None:
    async def keys(settings: VenueSettings) -> Mapping[str, Secret]:
        raise LockedError("no credentials: run `cancel-tui keys set p99`")

    async with ground(tmp_path, credentials=keys, listed=False) as here:
        await here.until(lambda: "p99 LOCKED" in here.line("chips"))
        await here.until(lambda: "keys set p99" in here.line("log"))
        await here.arm()
        assert "LOCKED" in here.line("preview")
        await here.press(*"KILL", "enter")
        await here.until(lambda: here.desk.kills != [])
        kill = here.desk.kills[0]
        await here.over(kill)
        assert kill.verdict is Verdict.UNVERIFIED
        assert "NOT ASKED" in here.line("venues")
        assert "N O T   P R O V E N" in here.line("verdict")
        assert "keys set p99" in here.line("verdict")


async def test_a_venue_that_hangs_delays_no_other_and_is_seen_three_times(tmp_path: Path) -> None:
    faults = {"cs-spot": ("hang",)}
    async with ground(tmp_path, venues=("p99", "cs-spot"), faults=faults, listed=False) as here:
        await here.until(lambda: here.grid.model.total == 6)
        await here.arm()
        await here.press(*"KILL", "enter")
        await here.until(lambda: "FLAT" in here.line("venues"))
        assert here.cluster.live()["p99"] == []
        assert here.desk.kills[0].finished_wall is None
        await here.until(lambda: "cs-spot DOWN" in here.line("log"))


async def test_ascii_terminals_get_ascii_only(tmp_path: Path) -> None:
    async with ground(tmp_path, ascii_only=True, venues=("p99", "cs-spot")) as here:
        pictures = []
        await here.press("down", "space")
        pictures.append(here.picture())
        await here.press("X")
        pictures.append(here.picture())
        confirm = here.app.screen
        assert isinstance(confirm, ConfirmScreen)
        await here.until(lambda: confirm.ready)
        await here.press("escape", "question_mark")
        pictures.append(here.picture())
        await here.press("escape")
        for key in ("K", "V", "c", "l"):
            await here.press(key)
            pictures.append(here.picture())
            await here.press("escape")
        kill = await here.kill()
        pictures.append(here.picture())
        await here.over(kill)
        pictures.append(here.picture())
        for picture in pictures:
            assert {char for char in picture if ord(char) > 126} == set()


async def test_no_color_is_readable_by_words_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with ground(tmp_path) as here:
        assert here.app.no_color
        await here.over(await here.kill())
        assert "F L A T" in here.picture()


@pytest.mark.parametrize("size", [NARROW, (140, 45)])
async def test_help_has_every_key_on_one_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    async with ground(tmp_path, size=size) as here:
        await here.press("question_mark")
        assert isinstance(here.app.screen, HelpScreen)
        await here.until(lambda: "not asked yet" in here.picture())
        text = " ".join(here.picture().split())
        for one in COMMANDS:
            assert f"{' '.join(map(shown_key, one.keys))} " in text
            assert one.label in text or " ".join(one.help.split()[:3]) in text
        for state in STATES:
            assert state().word in text or state is OPEN
        await here.press("pagedown")
        assert " ".join(here.picture().split()) == text, "there is nothing to scroll"
        await here.press("z")
        assert not isinstance(here.app.screen, HelpScreen)


async def test_help_scrolls_where_it_must(tmp_path: Path) -> None:
    async with ground(tmp_path, size=(60, 15)) as here:
        await here.press("question_mark")
        await here.until(lambda: "Cancel marked" in here.picture())
        await here.press("end")
        await here.until(lambda: "being read back" in here.picture())


class TestLeaving:
    async def test_it_waits_for_cancels_in_flight(self, tmp_path: Path) -> None:
        async with ground(tmp_path, latency=0.8) as here:
            await here.press("down", "x")
            key = here.grid.cursor_key
            await here.until(lambda: here.ledger_flying() > 0)
            await here.press("ctrl+q")
            assert here.app.return_value is None
            await here.until(lambda: "cancels in flight" in here.line("banner"))
            await here.until(lambda: here.app.return_value is not None)
            assert here.desk.kills[0].finished_wall is not None
            assert key is not None
            assert key.order_id not in {one["order_id"] for one in here.cluster.live()["p99"]}

    async def test_a_second_request_leaves_at_once(self, tmp_path: Path) -> None:
        async with ground(tmp_path, latency=0.4) as here:
            await here.kill()
            await here.press("ctrl+q")
            assert "^Q again leaves now" in here.line("banner")
            unasked = here.app.return_value
            await here.press("ctrl+q")
            assert (unasked, here.app.return_value) == (None, 0)
            assert leaving.unfinished(here.desk) != []

    async def test_with_nothing_under_way_it_leaves_at_once(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            await here.press("ctrl+q")
            assert here.app.return_value == 0

    async def test_ctrl_c_ends_nothing(self, tmp_path: Path) -> None:
        async with ground(tmp_path, latency=0.2) as here:
            kill = await here.kill()
            await here.press("ctrl+c", "ctrl+c", "ctrl+c")
            assert here.app.return_value is None
            assert isinstance(here.app.screen, BoardScreen)
            assert "^C does nothing here" in here.line("banner")
            await here.over(kill)
            assert kill.verdict is Verdict.FLAT

    async def test_a_signal_lets_the_kill_come_to_its_end_a_second_one_does_not(self, tmp_path: Path) -> None:
        async with ground(tmp_path, latency=0.2) as here:
            kill = await here.kill()
            here.app.signalled()
            await here.until(lambda: here.app.return_value == 0)
            assert kill.finished_wall is not None
        async with ground(tmp_path) as here:
            vars(here.cluster.named("p99"))["faults"].update({"hang@cancel_all", "hang@list"})
            kill = await here.kill()
            here.app.signalled()
            here.app.signalled()
            await here.until(lambda: here.app.return_value == 0)
            assert kill.finished_wall is None

    async def test_a_hold_is_released_by_a_signal(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            await here.arm()
            await here.press("h", *"KILL", "enter")
            await here.until(lambda: here.desk.kills != [] and here.desk.kills[0].holding)
            here.app.signalled()
            await here.until(lambda: here.app.return_value == 0)
            assert here.desk.kills[0].verdict is Verdict.FLAT


class TestCrash:
    async def test_a_crash_of_the_screen_stops_no_kill(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun: list[Desk] = []

        async def crash(app: CancelApp) -> None:
            desk = app.desk
            await desk.open()
            desk.start(desk.plan_kill(Scope(raw={})), {})
            begun.append(desk)
            app._return_code = 1

        async with ground(tmp_path, latency=0.2) as here:
            desk = Desk(here.desk.settings, SystemClock(), None, here.desk._credentials)
            monkeypatch.setattr(CancelApp, "run_async", crash)
            status = await command.show(desk, read_only=False)
            assert status == 3
            assert begun[0].kills[0].verdict is Verdict.FLAT
            assert here.cluster.live() == {"p99": []}

    def test_a_crash_prints_its_place_and_nothing_of_what_it_held(self, tmp_path: Path) -> None:
        program = """
import asyncio, sys
from pathlib import Path
from cancel_tui.clock import SystemClock
from cancel_tui.console.app import CancelApp
from cancel_tui.console.screens.main import MainScreen
from cancel_tui.desk.desk import Desk
from cancel_tui.settings import parse_settings

def paints(self):
    api_secret = "s3ntinel-" + "value"
    raise RuntimeError("refused key " + api_secret)

MainScreen.paints = paints

async def main():
    text = (
        '[venues.p99]\\nkind = "p99-spot"\\n'
        'base_url = "http://127.0.0.1:9/api/v1"\\ncredentials = "practice"'
    )
    desk = Desk(parse_settings(text, Path("x.toml")), SystemClock(), Path(sys.argv[1]), None)
    app = CancelApp(desk)
    await app.run_async(headless=True)
    await desk.close()
    return app.return_code

sys.exit(asyncio.run(main()))
"""
        answer = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        told = answer.stdout + answer.stderr
        assert answer.returncode == 1
        assert "internal fault: RuntimeError in" in told
        assert "s3ntinel" not in told
        assert "Traceback" not in told
        written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
        assert "s3ntinel" not in written
        assert '"kind":"fault"' in written


class TestSettings:
    @pytest.mark.parametrize(
        ("console", "named"),
        [
            ('theme = "pink"', "theme"),
            ('confirm_word = "bye"', "confirm_word"),
            ('keys = { cancel = "space" }', "keys"),
            ('keys = { nonsense = "n" }', "nonsense"),
        ],
    )
    async def test_what_cannot_be_used_is_named(self, tmp_path: Path, console: str, named: str) -> None:
        text = '[venues.p99]\nkind = "p99-spot"\n[console]\n' + console
        settings = parse_settings(text, tmp_path / "c.toml")

        async def keys(settings: VenueSettings) -> Mapping[str, Secret]:
            return {}

        with pytest.raises(SettingsError, match=named):
            CancelApp(Desk(settings, SystemClock(), None, keys))

    async def test_own_keys_and_word(self, tmp_path: Path) -> None:
        console = 'confirm_word = "STOP"\ntheme = "textual-light"\nkeys = { cancel = "delete", kill = "f9" }'
        async with ground(tmp_path, console=console) as here:
            await here.press("down", "x")
            assert here.desk.kills == []
            await here.press("delete")
            assert len(here.desk.kills) == 1
            await here.press("f9")
            assert "STOP" in here.line("word")
            assert "F9" in here.app.keymap.hints(here.app._main.WHERE)[3]


class TestLedger:
    async def test_a_flat_that_a_later_list_contradicts_is_withdrawn_and_the_kill_reopens(
        self, tmp_path: Path
    ) -> None:
        async with ground(tmp_path) as here:
            kill = await here.kill()
            await here.over(kill)
            assert here.line("verdict").startswith("F L A T")
            back = here.cluster.named("p99").book.finished()[0]
            back.state = type(back.state)("resting")
            await here.until(lambda: "W I T H D R A W N" in here.line("verdict"))
            assert kill.finished_wall is None
            await here.press("escape")
            await here.until(lambda: "WITHDRAWN" in here.line("banner"))
            await here.over(kill)
            assert here.cluster.live()["p99"] == []
            await here.press("b")
            await here.until(lambda: "1 order had come back" in here.line("verdict"))
            assert here.line("verdict").startswith("F L A T")
            assert any("FLAT WITHDRAWN, 1 order listed again" in line for line in here.app.log_lines)

    async def test_a_venue_that_is_through_is_held_as_well(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            kill = await here.kill()
            await here.over(kill)
            await here.press("h")
            await here.until(lambda: kill.holding and "H O L D I N G" in here.line("verdict"))
            back = here.cluster.named("p99").book.finished()[0]
            newcomer = replace(back, id=here.cluster.named("p99").book.new_id())
            newcomer.state = type(back.state)("resting")
            here.cluster.named("p99").book.add(newcomer)
            await here.until(lambda: newcomer.state.value == "cancelled")
            await here.press("r")
            await here.over(kill)
            assert kill.verdict is Verdict.FLAT
            assert [str(one.key.order_id) for one in kill.tracks() if one.newcomer] == [newcomer.id]

    async def test_what_ended_does_not_count_as_open_before_the_next_list(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            for poll in here.desk._polls.values():
                poll.cancel()
            await here.press("down", "x")
            await here.until(lambda: here.desk.kills[0].finished_wall is not None)
            here.app.look()
            assert "OPEN 5" in here.line("header")
            assert len(list(next(iter(here.desk.slots.values())).book.orders())) == 6


class TestReport:
    async def test_details_and_export(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            kill = await here.kill()
            await here.over(kill)
            assert "6 orders, timed from Enter\n6 answered: half in" in here.line("report")
            await here.press("d")
            assert here.line("text").count("canceled") == 6
            await here.press("escape", "e", "e")
            await here.until(lambda: len(list((tmp_path / "reports").glob("*.json"))) == 2)
            path = tmp_path / "reports" / f"kill-{kill.kill_id}.json"
            assert json.loads(path.read_text())["verdict"] == "flat"
            assert path.stat().st_mode & 0o077 == 0

    async def test_a_report_that_cannot_be_written_says_so(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            await here.over(await here.kill())
            (tmp_path / "reports").write_text("in the way")
            await here.press("e")
            await here.until(lambda: "could not be written" in here.line("banner"))
            (tmp_path / "reports").unlink()
            (tmp_path / "reports").mkdir()
            (tmp_path / "reports").chmod(0o777)
            await here.press("e")
            await here.until(lambda: "others can write to it" in here.line("banner"))
            assert list((tmp_path / "reports").iterdir()) == []


class TestOutput:
    def test_a_stalled_terminal_never_makes_the_event_loop_wait(self) -> None:
        async def check() -> None:
            app: App[int] = App()
            writer = WriterThread(sys.stdout)
            app._driver = type("Driver", (), {"_writer_thread": writer})()  # the writer never runs
            assert isinstance(writer._queue, Queue)
            output.never_wait(app)
            begun = monotonic()
            for _ in range(1_000):
                writer.write("x")
            assert monotonic() - begun < 5
            assert output.stalled(app)

        asyncio.run(asyncio.wait_for(check(), 20))

    async def test_a_headless_console_is_never_stalled(self, tmp_path: Path) -> None:
        async with ground(tmp_path) as here:
            assert not output.stalled(here.app)


def test_the_readme_has_the_table_of_keys() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("<!-- keys -->")[2].partition("<!-- /keys -->")[0]
    assert table.strip().splitlines() == key_table()


async def test_pictures_can_be_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    picture = (await shots.take("armed")).replace("&#160;", " ")
    for words in ("PRACTICE", "ARMED", "cancel 200 orders on 5 venues", "KILL", "nothing has been sent"):
        assert words in picture
    assert str(ROOT) not in picture
    assert os.fspath(Path.home()) not in picture


def test_every_checked_in_picture_is_one_that_can_be_taken() -> None:
    kept = {path.stem for path in (ROOT / "screenshots").glob("*.svg")}
    assert kept == set(shots.SCENES)
    assert NARROW == shots.NARROW
