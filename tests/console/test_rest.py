"""The console while nothing happens: one look a second, and no layout for a text of the same size."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.text import Text

from cancel_tui.console.widgets import Line
from tests.console.ground import Ground, ground


def looks(here: Ground, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often three seconds of frames look at the desk."""
    looked: list[int] = []
    wall = here.app.desk.clock.wall()
    with monkeypatch.context() as patched:
        patched.setattr(here.app, "look", lambda: looked.append(1))
        for tenth in range(1, 31):
            at = wall + tenth / 10
            patched.setattr("cancel_tui.console.app.monotonic", lambda at=at: at)
            patched.setattr(here.app.desk.clock, "wall", lambda at=at: at)
            here.app._rest_until = 0.0
            here.app._frame()
    return len(looked)


async def test_at_rest_the_desk_is_looked_at_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ground(tmp_path) as here:
        assert looks(here, monkeypatch) in (3, 4)
        await here.arm()
        assert looks(here, monkeypatch) >= 14, "what is armed counts its tenths of seconds down"


async def test_a_text_of_the_same_size_lays_nothing_out_and_a_taller_one_does(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:

        def laid_out(name: str, text: str) -> bool:
            line = here.app.screen.query_one(f"#{name}", Line)
            line._layout_required = False
            line.say(Text(text))
            return line._layout_required

        assert not laid_out("header", "another header\nof two lines"), "it is one line high, whatever it says"
        laid_out("chips", "one\ntwo")
        assert not laid_out("chips", "three\nfour")
        assert laid_out("chips", "one\ntwo\nthree")
        assert laid_out("chips", "")
