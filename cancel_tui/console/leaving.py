"""Leaving without abandoning: what is still under way, and a bounded wait for it. Knows no screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cancel_tui.desk.desk import Desk
    from cancel_tui.desk.kill import Kill

LONGEST = 150.0
"""Seconds that leaving waits at the most: the deadline of a kill and its last look."""


def unfinished(desk: Desk) -> list[Kill]:
    """Kills, and cancels of named orders, that are not over."""
    return [kill for kill in desk.kills if kill.finished_wall is None]


def under_way(desk: Desk) -> str:
    """What would be abandoned by leaving now, in a few words; empty when nothing would be."""
    kills = unfinished(desk)
    if not kills:
        return ""
    left = sum(not track.stage.settled for kill in kills for track in kill.tracks())
    if all(kill.by_id for kill in kills):
        return f"{left or len(kills)} cancels in flight"
    if any(kill.holding for kill in kills) and not left:
        return "flat is being held"
    return f"a kill is running, {left} orders not ended"


async def drain(desk: Desk, enough: asyncio.Event, tell: Callable[[str], None]) -> None:
    """Let what is under way come to its end: until nothing is, `enough` is set, or `LONGEST` has passed.

    A hold has no end of its own, so it is released.
    """
    for kill in unfinished(desk):
        if kill.holding:
            kill.release()
    until = monotonic() + LONGEST
    told = ""
    while (words := under_way(desk)) and not enough.is_set() and monotonic() < until:
        if words != told:
            told = words
            tell(words)
        try:
            await asyncio.wait_for(enough.wait(), 0.1)
        except TimeoutError:
            continue
