"""When frames come: soon after something happened, few at rest, never more than the rate."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from heapq import heappop, heappush
from math import inf
from typing import Any

import pytest

from cancel_tui.console.frames import BETWEEN, FRAMES, GATHER, QUIET, Frames

TICK = 1e-6


class Handle:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call
        self.gone = False

    def cancel(self) -> None:
        self.gone = True


class Loop:
    """An event loop of which only the time and its timers are needed."""

    def __init__(self) -> None:
        self.now = 100.0
        self.heap: list[tuple[float, int, Handle]] = []
        self.wakes = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[[], None], *, context: Context | None) -> Handle:
        assert context is not None
        handle = Handle(call)
        heappush(self.heap, (when, self.wakes + len(self.heap), handle))
        return handle

    def until(self, end: float, late: float = 0.0) -> None:
        """Let time pass; what is due comes so much later."""
        while self.heap and self.heap[0][0] + late <= end:
            at, _, handle = heappop(self.heap)
            self.now = max(self.now, at + late)
            if not handle.gone:
                self.wakes += 1
                handle.call()
        self.now = end


class Desk:
    """What a console does in a frame: here it notes the time and says when the next one is due."""

    def __init__(self, loop: Loop, pause: float) -> None:
        self.loop = loop
        self.pause = pause
        self.at: list[float] = []

    def frame(self) -> float:
        self.at.append(self.loop.now)
        return self.pause


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    made = Loop()
    monkeypatch.setattr("asyncio.get_running_loop", lambda: made)
    return made


def begun(loop: Loop, pause: float = 1 / QUIET) -> tuple[Frames, Desk]:
    desk = Desk(loop, pause)
    made = Frames(desk.frame)
    made.begin()
    loop.until(loop.now + 1.0)
    desk.at.clear()
    return made, desk


def test_at_rest_the_process_wakes_for_as_many_frames_as_are_wanted_and_no_more(loop: Loop) -> None:
    _, desk = begun(loop)
    loop.wakes = 0
    loop.until(loop.now + 10.0)
    assert len(desk.at) in (10 * QUIET, 10 * QUIET + 1)
    assert loop.wakes == len(desk.at)


def test_what_happens_at_rest_is_framed_at_once_and_what_comes_with_it_in_the_same_frame(loop: Loop) -> None:
    made, desk = begun(loop, inf)
    began = loop.now
    for number in range(5):
        loop.until(began + number * GATHER / 10)
        made.wake()
    loop.until(began + 1.0)
    assert desk.at == [pytest.approx(began + GATHER)]


def test_a_storm_is_framed_at_the_rate_and_to_its_end(loop: Loop) -> None:
    made, desk = begun(loop, inf)
    began = loop.now
    for number in range(1000):
        loop.until(began + number / 500)
        made.wake()
    last = loop.now
    loop.until(last + 1.0)
    gaps = [after - before for before, after in zip(desk.at, desk.at[1:], strict=False)]
    assert min(gaps) >= 1 / FRAMES - TICK
    assert max(gaps) <= 1 / FRAMES + GATHER + TICK
    assert desk.at[-1] >= last, "the last of it is shown too"


def test_a_frame_that_is_due_by_itself_waits_for_nothing_and_puts_nothing_off(loop: Loop) -> None:
    made, desk = begun(loop, 1.0)
    began = made._due
    loop.until(began - GATHER / 2)
    made.wake()
    loop.until(began + 0.5)
    assert desk.at == [began], "it comes sooner than the one that was asked for would"


def test_how_late_a_frame_was_is_told(loop: Loop) -> None:
    made, _ = begun(loop)
    assert made.late == pytest.approx(0.0)
    loop.until(loop.now + 1.0, late=0.7)
    assert made.late == pytest.approx(0.7)


def test_after_the_end_nothing_brings_a_frame(loop: Loop) -> None:
    made, desk = begun(loop)
    made.end()
    made.wake()
    loop.until(loop.now + 5.0)
    assert desk.at == []


def test_a_frame_may_be_the_last_one(loop: Loop) -> None:
    desk: Any = Desk(loop, 1 / QUIET)
    made: Frames

    def last() -> float:
        desk.at.append(loop.now)
        made.end()
        return 0.1

    made = Frames(last)
    made.begin()
    loop.until(loop.now + 5.0)
    assert len(desk.at) == 1


def test_a_frame_in_parts_leaves_time_between_them_and_counts_as_one(loop: Loop) -> None:
    at: list[float] = []

    def part() -> float | None:
        at.append(loop.now)
        return None if len(at) % 3 else 1.0

    made = Frames(part)
    began = loop.now
    made.begin()
    loop.until(began + 1.5)
    first = began + GATHER
    parts = [start + number * BETWEEN for start in (first, first + 1.0) for number in range(3)]
    assert at == [pytest.approx(moment) for moment in parts]
    assert made.count == 2


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_what_happens_between_the_parts_of_a_frame_is_in_the_one_after_it(loop: Loop, parts: int) -> None:
    done: list[float] = []

    def part() -> float | None:
        done.append(loop.now)
        if len(done) == 1:
            made.wake()
        return inf if len(done) % parts == 0 else None

    made = Frames(part)
    began = loop.now
    made.begin()
    loop.until(began + 5.0)
    assert len(done) == 2 * parts
    assert done[parts] == pytest.approx(began + GATHER + 1 / FRAMES)


def test_an_end_between_two_parts_is_the_end(loop: Loop) -> None:
    at: list[float] = []

    def part() -> None:
        at.append(loop.now)

    made = Frames(part)
    made.begin()
    loop.until(loop.now + GATHER + 1.5 * BETWEEN)
    made.end()
    loop.until(loop.now + 5.0)
    assert len(at) == 2
