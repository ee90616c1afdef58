"""The time of an exchange is its own, although one timer serves many of them."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from cancel_tui.venues.base import Reply
from cancel_tui.venues.line import Line, Mark
from cancel_tui.venues.outcome import Unanswered
from tests.venues.fault_server import answer


class Open(asyncio.Transport):
    """A connection that takes everything."""

    def __init__(self) -> None:
        super().__init__()
        self.over = False

    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return self.over

    def abort(self) -> None:
        self.over = True


class Stage:
    """One line whose event loop believes the time that it is told."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.timers = 0
        """How many were set."""
        self.results: list[Reply | Unanswered] = []
        loop = asyncio.get_running_loop()
        call_at = loop.call_at

        def counted(*args: Any, **more: Any) -> asyncio.TimerHandle:
            self.timers += 1
            return call_at(*args, **more)

        patch.setattr(loop, "time", lambda: self.now)
        patch.setattr(loop, "call_at", counted)
        self.line = Line()
        self.line.connection_made(Open())

    def ask(self, deadline: float) -> None:
        """Begin an exchange."""
        self.line.ask(b"DELETE", b"DELETE / HTTP/1.1\r\n\r\n", deadline, Mark(), self.take)

    def take(self, result: Reply | Unanswered) -> None:
        """What came of an exchange."""
        self.results.append(result)

    def answer(self) -> None:
        """The answer to what was asked comes."""
        before = len(self.results)
        self.line.data_received(answer(b"yes"))
        assert isinstance(self.results[before], Reply)

    async def at(self, moment: float) -> list[Reply | Unanswered]:
        """Let it be so late; what came of the exchanges since the last look."""
        self.now = moment
        for _ in range(4):
            await asyncio.sleep(0)
        found = list(self.results)
        self.results.clear()
        return found


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


async def test_the_timer_of_an_exchange_that_is_over_does_not_end_the_next_one_early(stage: Stage) -> None:
    stage.ask(5)
    stage.answer()
    assert len(await stage.at(3)) == 1
    stage.ask(5)
    assert await stage.at(5) == []
    assert await stage.at(7.99) == []
    assert await stage.at(8) == [Unanswered("no answer within 5 s")]
    assert not stage.line.clean


async def test_a_shorter_time_after_a_longer_one_is_kept(stage: Stage) -> None:
    stage.ask(60)
    stage.answer()
    assert len(await stage.at(1)) == 1
    stage.ask(0.5)
    assert await stage.at(1.49) == []
    assert await stage.at(1.5) == [Unanswered("no answer within 0.5 s")]


async def test_a_timer_that_gave_way_to_an_earlier_one_ends_nothing_later(stage: Stage) -> None:
    stage.ask(60)
    stage.answer()
    stage.ask(0.5)
    stage.answer()
    assert len(await stage.at(59)) == 2
    stage.ask(5)
    assert await stage.at(60) == []
    assert await stage.at(63.9) == []
    assert await stage.at(64) == [Unanswered("no answer within 5 s")]


async def test_a_longer_time_after_a_shorter_one_is_kept(stage: Stage) -> None:
    stage.ask(0.5)
    stage.answer()
    stage.ask(60)
    assert len(await stage.at(0.5)) == 1
    assert await stage.at(59.9) == []
    assert await stage.at(60) == [Unanswered("no answer within 60 s")]


async def test_a_line_that_idles_when_a_timer_goes_off_stays_as_it_is_and_keeps_time_later(
    stage: Stage,
) -> None:
    stage.ask(5)
    stage.answer()
    assert len(await stage.at(5)) == 1
    assert stage.line.clean
    assert await stage.at(20) == []
    assert stage.line.clean
    stage.ask(5)
    assert await stage.at(24.9) == []
    assert await stage.at(25) == [Unanswered("no answer within 5 s")]


async def test_exchanges_that_are_answered_at_once_share_one_timer(stage: Stage) -> None:
    for number in range(100):
        stage.ask(5)
        stage.answer()
        await stage.at(number / 100)
    assert stage.timers == 1


def killed(line: Line) -> None:
    line.kill()


def lost(line: Line) -> None:
    line.connection_lost(None)


def unasked(line: Line) -> None:
    line.data_received(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("end", "flying"), [(killed, False), (killed, True), (lost, False), (lost, True), (unasked, False)]
)
async def test_a_dead_line_is_kept_by_no_timer(
    stage: Stage, end: Callable[[Line], None], flying: bool
) -> None:
    stage.ask(60)
    if not flying:
        stage.answer()
    line = weakref.ref(stage.line)
    end(stage.line)
    del stage.line
    gc.collect()
    assert line() is None
