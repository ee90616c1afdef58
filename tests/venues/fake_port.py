"""A port without a network, for adapters whose requests and answers are looked at one by one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar

from cancel_tui.venues.base import CallClass, Message, Raw, Reply
from cancel_tui.venues.outcome import Answered, NotSent, Outcome

T = TypeVar("T")


def reply(body: Any = b"", status: int = 200, **headers: str) -> Reply:
    """An answer; what is not bytes becomes JSON."""
    return Reply(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def value(outcome: Outcome[T]) -> T:
    """What was answered."""
    assert isinstance(outcome, Answered), outcome
    return outcome.value


class FakePort:
    """Builds like the desk does and answers from a function of the message."""

    def __init__(self, answer: Callable[[Message], Raw]) -> None:
        self.answer = answer
        self.sent: list[tuple[CallClass, Message]] = []

    async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
        """As the desk's port."""
        try:
            message = build()
        except ValueError as why:
            return NotSent(str(why))
        self.sent.append((call, message))
        await asyncio.sleep(0)
        return self.answer(message)

    async def admit(self, call: CallClass) -> None:
        """Nothing here is a stream."""
        raise AssertionError("no stream here")


def always(answer: Raw) -> FakePort:
    """A port with one answer for everything."""
    return FakePort(lambda _: answer)
