"""The cancel key that is acted on in the callback that read it, and the terminal that the loop reads."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import pty
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.driver import Driver
from textual.geometry import Region
from textual.message import Message

from cancel_tui.console.app import CancelApp
from cancel_tui.console.attentive import AttentiveApp
from cancel_tui.console.terminal import LoopDriver
from cancel_tui.pauses import pause, use_pauses
from tests.console.ground import Ground, ground
from tests.console.hands import key_event

LIMIT = 10.0


async def resting(here: Ground) -> None:
    """Wait until nothing is on its way, with the cursor on an order."""
    await here.press("down")
    await here.until(lambda: here.app.caught_up() and here.app._main.listens)


def typed(here: Ground) -> None:
    """A key was pressed that is nobody's."""
    here.app.post_message(key_event("f9"))


async def test_at_rest_the_cancel_leaves_for_the_desk_in_the_same_callback(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await resting(here)
        key = here.app.grid_key()
        assert here.app.take_key(key_event("x"))
        assert [kill.scope.keys for kill in here.desk.kills] == [frozenset({key})]
        # Once more adds nothing and says why.
        assert here.app.take_key(key_event("x"))
        assert len(here.desk.kills) == 1
        assert "under way" in here.app.notice


@pytest.mark.parametrize("other", ["slash", "down", "X", "question_mark", "ctrl+k", "space", "k"])
async def test_no_other_key_is_taken_at_once(other: str, tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await resting(here)
        assert not here.app.take_key(key_event(other))


@pytest.mark.parametrize("where", ["application", "screen", "grid"])
async def test_it_waits_behind_whatever_came_of_what_was_typed(where: str, tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await resting(here)
        pump = {"application": here.app, "screen": here.app._main, "grid": here.grid}[where]
        typed(here)
        pump.post_message(Nothing())
        assert not here.app.take_key(key_event("x"))
        await resting(here)
        typed(here)
        pump.call_next(lambda: None)
        assert not here.app.take_key(key_event("x"))
        await resting(here)
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def at_work() -> None:
            begun.set()
            await go_on.wait()

        typed(here)
        pump.call_later(at_work)
        await asyncio.wait_for(begun.wait(), LIMIT)
        await here.until(lambda: pump is here.app or here.app.at_rest)
        taken = here.app.take_key(key_event("x"))
        go_on.set()
        assert not taken
        await here.until(here.app.caught_up)
        assert here.desk.kills == []
        assert here.app.take_key(key_event("x"))


@pytest.mark.parametrize(
    "event",
    [events.Paste("x"), events.AppBlur(), events.AppFocus(), key_event("f9")],
    ids=["paste", "blur", "focus", "key"],
)
async def test_whatever_the_terminal_brings_goes_before_it(event: events.Event, tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await resting(here)
        here.app.post_message(event)
        assert not here.app.take_key(key_event("x"))
        assert here.desk.kills == []


async def test_what_nobody_typed_does_not_hold_it_up(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await resting(here)
        here.app.post_message(Nothing())
        here.grid.post_message(Nothing())
        assert not here.app.at_rest
        assert here.app.take_key(key_event("x"))
        assert len(here.desk.kills) == 1


async def test_what_has_gone_all_its_way_by_a_frame_holds_nothing_up_later(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await resting(here)
        typed(here)
        await here.until(lambda: all(part.at_rest for part in here.app.parts))
        count = here.app.frames.count
        here.desk.changed()
        await here.until(lambda: here.app.frames.count > count + 1)
        here.grid.post_message(Nothing())
        assert here.app.take_key(key_event("x"))


async def test_in_the_middle_of_a_picture_the_cursor_is_where_the_last_one_showed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cancel_tui.pauses.EVERY", 0.0)
    async with ground(tmp_path) as here:
        await resting(here)
        was, grid = here.app.grid_key(), here.grid
        seen: list[object] = []
        no_more = use_pauses(lambda: seen.append(here.app.grid_key()))
        try:
            grid.action_step(1)
            seen.clear()
            grid.render_lines(Region(0, 0, grid.size.width, grid.size.height))
        finally:
            no_more()
        assert len(seen) > 1
        assert set(seen) == {was}
        assert here.app.grid_key() not in (was, None)


async def test_it_is_the_grids_key_only_where_the_grid_listens(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await resting(here)
        await here.press("slash")
        assert not here.app.take_key(key_event("x"))
        await here.press("escape")
        await here.press("question_mark")
        assert not here.app.take_key(key_event("x"))
        await here.press("escape")
        await resting(here)
        here.app.app_focus = False
        assert not here.app.take_key(key_event("x"))
        assert here.desk.kills == []


async def test_read_only_says_why(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await resting(here)
        here.app.read_only = True
        assert here.app.take_key(key_event("x"))
        assert here.desk.kills == []
        assert "read-only" in here.app.notice


async def test_a_fault_ends_the_console_as_one_in_any_handler_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ground(tmp_path) as here:
        await resting(here)
        told: list[Exception] = []
        monkeypatch.setattr(CancelApp, "_handle_exception", lambda app, error: told.append(error))
        monkeypatch.setattr(CancelApp, "cancel_one", lambda app, key: 1 / 0)
        assert here.app.take_key(key_event("x"))
        assert [type(one) for one in told] == [ZeroDivisionError]


class Nothing(Message):
    """Nobody handles it."""


class Listener(AttentiveApp, inherit_bindings=False):
    """Notes what its driver brings, and takes one key at once."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        super().__init__()
        self.came: list[str] = []
        self.panics = 0

    def get_driver_class(self) -> type[Driver]:
        found: type[Driver] = type("PtyDriver", (_PtyDriver,), {"handle": self.handle})
        return found

    def take_key(self, event: events.Key) -> bool:
        if event.key == "x":
            self.came.append("at once x")
        return event.key == "x"

    def on_key(self, event: events.Key) -> None:
        self.came.append(event.key)

    def on_paste(self, event: events.Paste) -> None:
        self.came.append(f"pasted {event.text}")

    def panic(self, *renderables: object) -> None:
        self.panics += 1


class _PtyDriver(LoopDriver):
    """Reads a terminal of the test's own, and paints for nobody."""

    handle: int

    def __init__(self, app: Any, **rest: Any) -> None:
        super().__init__(app, **rest)
        self.fileno, self.input_tty = self.handle, True
        self._file = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 -- as long as the driver


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    for end in (ours, theirs):
        with contextlib.suppress(OSError):
            os.close(end)


@pytest.fixture
def pausing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pause is taken."""
    monkeypatch.setattr("cancel_tui.pauses.EVERY", 0.0)


async def until(condition: Any) -> None:
    end = asyncio.get_running_loop().time() + LIMIT
    while not condition():
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.005)


async def begun(app: Listener) -> asyncio.Task[Any]:
    task = asyncio.create_task(app.run_async())
    await until(lambda: isinstance(app._driver, LoopDriver) and app._driver._reading and app.is_running)
    return task


async def test_the_loop_reads_keys_sequences_and_pastes(ends: tuple[int, int]) -> None:
    ours, theirs = ends
    app = Listener(theirs)
    task = await begun(app)
    os.write(ours, b"ax")
    await until(lambda: len(app.came) == 2)
    assert sorted(app.came) == ["a", "at once x"]
    app.came.clear()
    # A sequence in two reads is one key; an Escape alone is one as soon as nothing follows it.
    os.write(ours, b"\x1b[")
    await asyncio.sleep(0.01)
    os.write(ours, b"B")
    await until(lambda: app.came == ["down"])
    os.write(ours, b"\x1b")
    await until(lambda: app.came == ["down", "escape"])
    # Half a character waits for the rest of it.
    os.write(ours, "é".encode()[:1])
    await asyncio.sleep(0.01)
    os.write(ours, "é".encode()[1:])
    await until(lambda: len(app.came) == 3)
    os.write(ours, b"\x1b[200~xx\x1b[201~")
    await until(lambda: app.came[-1] == "pasted xx")
    app.exit(0)
    await asyncio.wait_for(task, LIMIT)
    driver = app._driver
    assert driver is None or not getattr(driver, "_reading", False)


async def test_a_key_is_read_in_the_pauses_of_long_work(ends: tuple[int, int], pausing: None) -> None:
    ours, theirs = ends
    app = Listener(theirs)
    task = await begun(app)
    os.write(ours, b"x")
    end = time.monotonic() + LIMIT
    # The loop has no turn meanwhile.
    while not app.came and time.monotonic() < end:
        pause()
    assert app.came == ["at once x"]
    app.exit(0)
    await asyncio.wait_for(task, LIMIT)
    os.write(ours, b"x")
    pause()
    assert app.came == ["at once x"], "it reads no more once it has ended"


async def test_what_a_pause_has_read_the_loop_does_not_wait_for(ends: tuple[int, int], pausing: None) -> None:
    ours, theirs = ends
    app = Listener(theirs)
    task = await begun(app)
    driver = app._driver
    assert isinstance(driver, LoopDriver)
    os.write(ours, b"x")
    while not app.came:
        pause()
    # Whoever stood still in it would be freed by this key.
    rescue = threading.Timer(LIMIT / 5, os.write, (ours, b"y"))
    rescue.start()
    driver._read()
    assert rescue.is_alive()
    rescue.cancel()
    assert app.came == ["at once x"]
    app.exit(0)
    await asyncio.wait_for(task, LIMIT)


async def test_a_fault_of_a_key_is_no_fault_of_the_work_that_pauses(
    ends: tuple[int, int], pausing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = ends
    app = Listener(theirs)
    task = await begun(app)
    told: list[type[Exception]] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, facts: told.append(type(facts["exception"]))
    )
    monkeypatch.setattr(Listener, "take_key", lambda app, event: 1 / 0)
    os.write(ours, b"x")
    end = time.monotonic() + LIMIT
    while not told and time.monotonic() < end:
        pause()
    assert told == [ZeroDivisionError]
    app.exit(0)
    await asyncio.wait_for(task, LIMIT)


async def test_a_terminal_that_hangs_up_is_read_no_more(ends: tuple[int, int]) -> None:
    ours, theirs = ends
    app = Listener(theirs)
    task = await begun(app)
    driver = app._driver
    assert isinstance(driver, LoopDriver)
    os.close(ours)
    await until(lambda: not driver._reading)
    assert app.panics == 0
    app.exit(0)
    await asyncio.wait_for(task, LIMIT)


async def test_a_terminal_that_cannot_be_read_is_told_once(
    ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = ends
    app = Listener(theirs)
    task = await begun(app)
    driver = app._driver
    assert isinstance(driver, LoopDriver)

    def fail(handle: int, count: int) -> bytes:
        raise OSError(errno.EIO, "gone")

    monkeypatch.setattr("cancel_tui.console.terminal.os.read", fail)
    os.write(ours, b"a")
    await until(lambda: app.panics == 1)
    assert not driver._reading
    app.exit(0)
    await asyncio.wait_for(task, LIMIT)
    assert app.panics == 1


async def test_where_the_loop_cannot_watch_it_a_thread_reads(
    ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = ends
    app = Listener(theirs)

    def refuse(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", refuse)
    task = asyncio.create_task(app.run_async())
    await until(lambda: app.is_running and any(one.name == "textual-input" for one in threading.enumerate()))
    os.write(ours, b"a")
    await until(lambda: app.came == ["a"])
    app.exit(0)
    await asyncio.wait_for(task, LIMIT)
