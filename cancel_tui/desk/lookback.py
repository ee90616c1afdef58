"""What a venue's own cancel-all ended before any list named it, found among the finished orders.

Two occasions: a kill takes up another one whose process died, and the answer to a cancel-all was lost while
nobody knew yet which orders there were. Either way the page is read after the first complete list: an order
that this list does not hold any more has ended before, so that none can slip through between the two.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from cancel_tui.scope import Match

if TYPE_CHECKING:
    from cancel_tui.clock import Clock
    from cancel_tui.desk.runner import VenueRun
    from cancel_tui.orders import Order
    from cancel_tui.venues.base import ClosedQuery, TellsFinished

MARGIN = 3.0
"""Seconds by which venues round the time of an end, and by which clocks differ after they were compared."""
_PAGES = 60
_UNDATED = 500
"""Finished orders that nothing dates: so many of the newest are named, because any of them may be meant."""
_DATED_WORDS = "ended since the decision; found among the finished orders"
_UNDATED_WORDS = "found among the finished orders; the venue does not say when it ended, it may be older"
_SILENT_WORDS = "ended about when the cancel-all was under way or after it; found among the finished orders"


class _Unread(Exception):
    """The finished orders were not read to their end."""


async def after_death(run: VenueRun, venue: TellsFinished, since: float | None) -> None:
    """Name what ended since the decision of a kill whose process is gone, seconds since 1970 by our clock.

    Where the venue does not date its ends they are named all the same, and said to be undated.
    """
    if since is None or not await run.once_listed():
        return
    undated: list[Order] = []
    pages = 0
    try:
        async for over in _finished(run, venue, since, _at_once):
            pages += 1
            moment = since + _offset(run) - MARGIN
            run.found_finished((one for one in over if (one.updated_at or 0.0) >= moment), _DATED_WORDS)
            undated += [one for one in over if one.updated_at is None]
    except _Unread:
        # What was behind it stays unread; the lists still prove what is live.
        run.trail.note("look_back_failed", pages=pages + 1)
        return
    undated.sort(key=lambda one: -(one.created_at or 0.0))
    run.found_finished(undated[:_UNDATED], _UNDATED_WORDS)
    run.engine.untold = len(undated) > _UNDATED
    run.trail.note("looked_back", pages=pages, undated=len(undated), named=min(len(undated), _UNDATED))


async def after_silence(run: VenueRun, venue: TellsFinished, clock: Clock) -> None:
    """Name what ended since a cancel-all of this kill left that did not say what it ended.

    No verdict waits for more than one page of it. What the venue does not date is not named: it may be of
    any age, and nobody's process died.
    """
    engine = run.engine
    if engine.silent_at is None:
        return
    since = clock.wall() - (clock.monotonic() - engine.silent_at)
    if not await run.once_listed():
        return
    pages, undated, whole = 0, 0, True

    async def spare() -> bool:
        # One page is enough where the venue did answer, and named nothing.
        return (engine.untold or not pages) and await run.spare_page(first=not pages)

    try:
        async for over in _finished(run, venue, since, spare):
            pages += 1
            first = since + _offset(run) - MARGIN
            last = clock.wall() - (clock.monotonic() - engine.last_cancel) + _offset(run) + MARGIN
            dated = [one for one in over if one.updated_at is not None]
            undated += len(over) - len(dated)
            meant = [one for one in dated if (one.updated_at or 0.0) >= first and _there(one, last)]
            run.found_finished(meant, _SILENT_WORDS, since)
    except _Unread:
        whole = False
    engine.untold = engine.untold and (not whole or bool(undated))
    run.trail.note("looked_back", pages=pages, undated=undated, whole=whole)


async def _at_once() -> bool:
    return True


async def _finished(
    run: VenueRun, venue: TellsFinished, since: float, turn: Callable[[], Awaitable[bool]]
) -> AsyncIterator[list[Order]]:
    """The finished orders of the scope, page by page; raises `_Unread` where one was not to be read."""
    await run.know_clock()
    queue: list[ClosedQuery] = list(venue.finished_since(since))
    pages = 0
    while queue:
        if pages >= _PAGES or not await turn():
            raise _Unread
        pages += 1
        page = await run.finished_page(queue.pop(0))
        if page is None:
            raise _Unread
        yield [order for order in page.orders if order.status.terminal and _meant(run, order)]
        if page.next is not None:
            queue.insert(0, page.next)


def _meant(run: VenueRun, order: Order) -> bool:
    engine = run.engine
    return engine.aim.scope.match(order, engine.capabilities.lacks) is Match.YES


def _there(order: Order, last: float) -> bool:
    """Whether a cancel-all that was over at a time can have reached it."""
    return order.created_at is None or order.created_at <= last


def _offset(run: VenueRun) -> float:
    return run.venue.clock_offset or 0.0
