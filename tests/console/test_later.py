"""The first picture loads no more than it shows, and a kill waits for nothing that is still to be loaded."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cancel_tui.console import later
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
    late = re.compile(r"^ +from (cancel_tui\.console\.(?:screens\.\w+|export)) import", re.MULTILINE)
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
