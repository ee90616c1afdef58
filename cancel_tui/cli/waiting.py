"""What a command waits for, on standard error: a budget that is used up looks like a venue that is down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isinf

from cancel_tui.cli import render
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.gate import Wait
from cancel_tui.orders import VenueName
from cancel_tui.venues.base import CallClass

PATIENCE = 2.0
"""Seconds that a request waits for its turn before that is said."""
AGAIN = 15.0
"""Seconds after which the same is said again."""
_LOOK = 0.5
_NEXT: Mapping[CallClass, str] = {
    CallClass.CANCEL: "cancel",
    CallClass.CANCEL_ALL: "cancel-all",
    CallClass.LIST: "read",
    CallClass.STATUS: "read-back",
    CallClass.CLOSED: "read of finished orders",
}


@contextmanager
def waits_told(desk: Desk) -> Iterator[None]:
    """While this lasts, say what requests wait for, where that takes long."""
    telling = desk.spawn(_tell(desk))
    try:
        yield
    finally:
        telling.cancel()


async def _tell(desk: Desk) -> None:
    said: dict[tuple[VenueName, CallClass], float] = {}
    while True:
        await desk.clock.sleep(_LOOK)
        now = desk.clock.monotonic()
        for name, slot in desk.slots.items():
            for wait in slot.lane.waits() if slot.lane else ():
                last = said.get((name, wait.call))
                if wait.since >= PATIENCE and (last is None or now - last >= AGAIN):
                    said[name, wait.call] = now
                    render.warn(f"{name}: {words(wait)}")


def words(wait: Wait) -> str:
    """A wait in words."""
    kind, coming = wait.call.value.replace("_", "-"), _NEXT.get(wait.call, "request")
    why = "the venue has asked to wait" if wait.told else f"{kind} budget used up"
    when = "once an answer has come" if isinf(wait.left) else f"in {wait.left:.0f} s"
    return f"{why}, next {coming} {when}"
