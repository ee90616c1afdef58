"""The first picture loads no more than it shows, and a kill waits for nothing that is still to be loaded."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode

from cancel_tui.console import later
from cancel_tui.console.app import CancelApp
from cancel_tui.console.screens.main import MainScreen
from cancel_tui.console.theme import LOOKS
from tests.console.ground import ground

ROOT = Path(__file__).resolve().parents[2]
PROBE = """
import asyncio, json, sys
import cancel_tui.cli.console, cancel_tui.console.app
from cancel_tui.console import later
def missing(names):
    return [name for name in names if name not in sys.modules]
told = [missing(later.KILL), missing(later.REST), missing(["h11", "email.utils", "statistics"])]
later.ready_to_kill()
told += [missing(later.KILL)]
asyncio.run(later.load())
told += [missing(later.REST), missing(["h11"])]
print(json.dumps(told))
"""
AT_FIRST = """
import asyncio, json, os, sys
from pathlib import Path
from types import SimpleNamespace
from cancel_tui.cli import console
from cancel_tui.console import later
from cancel_tui.settings import parse_settings
def tell():
    loaded = [name for name in (*later.KILL, *later.REST) if name in sys.modules]
    print(json.dumps(loaded), file=sys.__stdout__, flush=True)
    os._exit(0)
later.ready_to_kill = tell
text = '[venues.p99]\\nkind = "p99-spot"\\nbase_url = "http://127.0.0.1:1"\\n'
options = SimpleNamespace(command=None, config=None, data_dir=sys.argv[1], read_only=False)
asyncio.run(console._console(options, parse_settings(text, Path(sys.argv[1]) / "test.toml")))
"""


def test_nothing_that_is_loaded_behind_the_first_picture_is_there_when_it_stands(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", AT_FIRST, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "TEXTUAL_DRIVER": "textual.drivers.headless_driver:HeadlessDriver"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(answer.stdout) == []


def test_the_first_picture_loads_no_screen_that_it_does_not_show() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    unseen, rest, heavy, after, later_on, last = json.loads(answer.stdout)
    assert unseen == list(later.KILL)
    assert rest == list(later.REST)
    assert heavy == ["h11", "email.utils", "statistics"]
    assert after == later_on == last == []


def test_whatever_the_console_loads_late_is_loaded_before_somebody_asks_for_it() -> None:
    late = re.compile(
        r"^ +from (cancel_tui\.console\.(?:screens\.\w+|export|filterinput)) import", re.MULTILINE
    )
    named_only = re.compile(r"^if TYPE_CHECKING:\n(?: .*\n|\n)+", re.MULTILINE)
    console = ROOT / "cancel_tui" / "console"
    files = [path for path in console.rglob("*.py") if path.name not in {"stage.py", "shots.py", "scenes.py"}]
    found = {
        name for path in files for name in late.findall(named_only.sub("", path.read_text(encoding="utf-8")))
    }
    assert "cancel_tui.console.screens.arm" in found
    assert not found - {*later.KILL, *later.REST}


async def test_the_way_of_a_kill_is_loaded_before_the_venues_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(later, "ready_to_kill", lambda: done.append("kill"))

    async def rest() -> None:
        done.append("rest")

    monkeypatch.setattr(later, "load", rest)
    watch = "cancel_tui.desk.watching.Watching.watch"
    monkeypatch.setattr(watch, lambda desk: done.append("watch"))
    async with ground(tmp_path, listed=False) as here:
        await here.until(lambda: len(done) == 3)
    assert done == ["kill", "watch", "rest"]


async def test_what_is_loaded_late_leaves_others_their_turn() -> None:
    turns = 0
    loading = asyncio.create_task(later.load())
    while not loading.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > len(later.REST)


def styles_of(nodes: Iterable[DOMNode]) -> dict[tuple[str, str], str]:
    """The styles of nodes and of their drawn parts, by the place where they stand."""
    found = {}
    for node in nodes:
        every = {"": node.styles, **node._component_styles}
        found.update({(str(node.css_identifier), part): styles.css for part, styles in every.items()})
    return found


@pytest.mark.parametrize("theme", LOOKS)
async def test_styles_are_made_once_before_the_first_picture_and_are_those_of_another_round(
    theme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[str] = []
    painted: list[bool] = []

    def again(self: Stylesheet) -> None:
        rounds.append("reparsed")
        reparse(self)

    def anew(self: DOMNode, animate: bool = True) -> None:
        # The grid has the focus from here on, which is another style.
        if not painted and isinstance(self, MainScreen):
            rounds.append("styled anew")
        update(self, animate)

    def begin(self: CancelApp) -> None:
        painted.append(True)

    reparse, update = Stylesheet.reparse, DOMNode.update_node_styles
    monkeypatch.setattr(Stylesheet, "reparse", again)
    monkeypatch.setattr(DOMNode, "update_node_styles", anew)
    monkeypatch.setattr(CancelApp, "_begin", begin)
    async with ground(tmp_path, listed=False, console=f'theme = "{theme}"\n') as here:
        await here.until(lambda: bool(painted))
        assert rounds == []
        parts = list(here.app._main.walk_children(with_self=True))
        made = styles_of(parts)
        assert here.app._main.styles.background.hex.casefold() == LOOKS[theme].theme.background
        here.app.stylesheet.update(here.app._main)
        assert styles_of(parts) == made


@pytest.mark.parametrize("typed", ["", "xrp", "Xx", " v x"])
async def test_the_filter_is_there_when_it_is_asked_for_before_it_was_mounted(
    typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[object] = []
    call_later = MainScreen.call_later

    def later_on(self: MainScreen, callback: Callable[..., object], *args: object) -> bool:
        if callback == self.add_filter:
            waiting.append(callback)
            return True
        return call_later(self, callback, *args)

    monkeypatch.setattr(MainScreen, "call_later", later_on)
    async with ground(tmp_path) as here:
        main = here.app._main
        assert len(waiting) == 1
        assert not main.query("#filterbar")
        await here.press("down")
        here.burst("slash", *("space" if one == " " else one for one in typed))
        await here.until(lambda: bool(main.query("#filter")) and here.filter.value == typed)
        assert main.focused is here.filter
        await here.until(lambda: here.grid.model.filter == typed)
        assert main.query_one("#filterbar").display
        assert here.desk.kills == []
        assert not here.grid.model.marked
        main.add_filter()
        assert len(main.query("#filterbar")) == 1


async def test_the_filter_is_mounted_behind_the_first_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[int] = []
    begin = CancelApp._begin

    def count(self: CancelApp) -> None:
        before.append(len(self._main.query("#filterbar")))
        begin(self)

    monkeypatch.setattr(CancelApp, "_begin", count)
    async with ground(tmp_path, listed=False) as here:
        await here.until(lambda: bool(here.app._main.query("#filter")))
        assert before[0] == 0
        assert not here.app._main.query_one("#filterbar").display
        assert here.app._main.focused is here.grid
