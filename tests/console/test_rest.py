"""The console while nothing happens: one look a second, and no layout for a text of the same size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.text import Text
from textual.events import ScreenResume

from cancel_tui.console.app import LIVELY, PART
from cancel_tui.console.frames import FRAMES, QUIET
from cancel_tui.console.lines import hints
from cancel_tui.console.screens.base import DeskScreen
from cancel_tui.console.widgets import Line
from cancel_tui.desk.alarm_book import Standing
from cancel_tui.desk.alarms import Alarm, Kind, Severity
from tests.console.ground import Ground, ground


def whole_frame(here: Ground) -> float:
    """All parts of a frame; seconds until the next one."""
    while (pause := here.app._frame()) is None:
        pass
    return pause


def looks(here: Ground, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often three seconds of frames look at the desk."""
    looked: list[int] = []
    wall = here.app.desk.clock.wall()

    def look() -> Iterator[None]:
        looked.append(1)
        yield

    with monkeypatch.context() as patched:
        patched.setattr(here.app, "looking", look)
        for tenth in range(1, 31):
            at = wall + tenth / 10
            patched.setattr("cancel_tui.console.app.monotonic", lambda at=at: at)
            patched.setattr(here.app.desk.clock, "wall", lambda at=at: at)
            here.app._rest_until = 0.0
            whole_frame(here)
    return len(looked)


async def test_at_rest_the_desk_is_looked_at_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ground(tmp_path) as here:
        assert looks(here, monkeypatch) in (3, 4)
        await here.arm()
        assert looks(here, monkeypatch) >= 14, "what is armed counts its tenths of seconds down"


async def test_at_rest_few_frames_are_due_and_more_while_something_runs_or_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ground(tmp_path) as here:
        assert not here.app._lively()
        with monkeypatch.context() as patched:
            for part in (0.0, 0.1, 0.24):
                patched.setattr(here.app.desk.clock, "wall", lambda part=part: 1_000.0 + part)
                here.app._rest_until = 0.0
                whole_frame(here)
                assert whole_frame(here) == pytest.approx(1 / QUIET - part), "each second begins with one"
        await here.arm()
        assert here.app._lively()
        assert whole_frame(here) <= 1 / LIVELY
        await here.press("escape")
        assert not here.app._lively()
        here.app.alarms.book._standing["x"] = Standing(
            Alarm("x", Kind.LOST, Severity.GRAVE, 0.0, "lost"), 0.0
        )
        assert here.app._lively(), "an alarm that nobody has seen changes its look"
        here.app.alarms.blinking = False
        assert not here.app._lively()


async def test_whatever_happens_brings_a_frame_at_once(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        frames, loop = here.app.frames, asyncio.get_running_loop()

        def brought(happens: Callable[[], object]) -> bool:
            """Whether a frame is due soon that would otherwise come late."""
            if frames._handle is not None:
                frames._handle.cancel()
                frames._handle = None
            happens()
            handle: asyncio.TimerHandle | None = vars(frames)["_handle"]
            return handle is not None and handle.when() <= loop.time() + 1 / FRAMES

        assert not brought(lambda: None)
        assert brought(here.desk.changed)
        assert brought(lambda: here.app.say("a line"))
        assert brought(lambda: here.app.tell("a notice"))
        assert brought(lambda: DeskScreen.on_screen_resume(here.app._main, ScreenResume())), (
            "another screen has another rhythm"
        )
        frames.wake()


async def test_the_desk_knows_that_somebody_looks_as_long_as_somebody_does(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        assert len(here.desk.watchers) == 1, "a venue with a scarce budget is asked more often then"
    assert here.desk.watchers == []


async def test_a_frame_that_fails_ends_the_console_discreetly(tmp_path: Path) -> None:
    def broken() -> Iterator[None]:
        raise RuntimeError("on purpose")

    async def failing() -> None:
        async with ground(tmp_path) as here:
            here.app.looking = broken  # type: ignore[method-assign]
            here.desk.changed()
            await here.until(lambda: here.app._closing)

    with pytest.raises(RuntimeError, match="on purpose"):
        await failing()


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


def test_a_footer_is_made_once_for_its_keys_and_its_width() -> None:
    keys = [("a", "One"), ("b", "Two")]
    assert hints(keys, 80) is hints(list(keys), 80)
    assert hints(keys, 80).plain != hints(keys, 7).plain


@pytest.mark.parametrize(("part", "frames"), [(0.0, 1), (2 * PART, 4)])
async def test_a_look_that_takes_its_time_is_done_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: float, frames: int
) -> None:
    done: list[float] = []

    def looking() -> Iterator[None]:
        for _ in range(3):
            done.append(clock.now)
            clock.now += part
            yield

    async with ground(tmp_path) as here:
        with monkeypatch.context() as patched:
            clock = SimpleNamespace(now=0.0)
            patched.setattr("cancel_tui.console.app.perf_counter", lambda: clock.now)
            patched.setattr(here.app, "looking", looking)
            here.app._looking, here.app._rest_until = None, 0.0
            here.desk.changed()
            pauses = [here.app._frame()]
            while pauses[-1] is None:
                pauses.append(here.app._frame())
        assert len(done) == 3
        assert len(pauses) == frames
        assert here.app._spent == pytest.approx(3 * part)
