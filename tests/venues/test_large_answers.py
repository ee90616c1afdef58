"""A long answer is read beside the event loop: meanwhile keys are heard and cancels leave."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from cancel_tui.clock import SystemClock
from cancel_tui.settings import VenueSettings
from cancel_tui.venues.adapter import LARGE, HttpVenue
from cancel_tui.venues.base import CallClass, Message, Reply
from cancel_tui.venues.decode import Unreadable
from cancel_tui.venues.outcome import Answered, Unanswered


class Port:
    """Answers with so many bytes."""

    def __init__(self, size: int) -> None:
        self.body = b'["' + b"x" * (size - 4) + b'"]'

    async def call(self, call: CallClass, build: Any) -> Reply:
        return Reply(200, {}, self.body)


def venue() -> HttpVenue:
    settings = VenueSettings(name="v", kind="p99-spot", base_url="http://127.0.0.1:1", credentials="v")
    return HttpVenue(settings, {}, SystemClock())


async def ask(size: int, read: Any) -> Any:
    port: Any = Port(size)
    return await venue().ask(port, CallClass.LIST, lambda: Message(b"GET", b"/"), read)


@pytest.mark.parametrize(("size", "aside"), [(LARGE - 1, False), (LARGE, True)])
async def test_a_long_answer_is_read_in_another_thread(size: int, aside: bool) -> None:
    outcome = await ask(size, lambda answer: (len(answer[0]), threading.current_thread()))
    assert isinstance(outcome, Answered)
    length, thread = outcome.value
    assert length == size - 4
    assert (thread is not threading.main_thread()) is aside


async def test_the_loop_goes_on_while_a_long_answer_is_read() -> None:
    begun, heard = threading.Event(), threading.Event()

    def read(answer: object) -> bool:
        begun.set()
        return heard.wait(10.0)

    asking = asyncio.create_task(ask(LARGE, read))
    await asyncio.to_thread(begun.wait, 10.0)
    heard.set()
    assert await asking == Answered(True)


async def test_a_long_answer_that_cannot_be_read_is_no_answer() -> None:
    def read(answer: object) -> None:
        raise Unreadable("no list")

    outcome = await ask(LARGE, read)
    assert isinstance(outcome, Unanswered)
    assert "no list" in outcome.reason
