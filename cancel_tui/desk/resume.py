"""Taking up a kill whose process is gone: the recorded scope at the recorded venues, and nothing beside it.

Orders that the dead process touched and whose end is not on record are unknown until the venue speaks, even
where no list holds them any more. What a venue's own cancel-all ended before any list was recorded is found
among the finished orders, where the venue can list those.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cancel_tui.desk.decision import Place, decision
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.preview import VenuePreview
from cancel_tui.desk.runner import VenueRun
from cancel_tui.desk.unfinished import Unfinished
from cancel_tui.orders import Order, VenueName
from cancel_tui.scope import Match
from cancel_tui.venues.base import ClosedQuery, TellsFinished

_MARGIN = 3.0
"""Seconds by which venues round the time of an end, and by which clocks differ after they were compared."""
_PAGES = 60
_UNDATED = 500
"""Finished orders that nothing dates: so many of the newest are named, because any of them may be meant."""
_DATED_WORDS = "ended since the decision; found among the finished orders"
_UNDATED_WORDS = "found among the finished orders; the venue does not say when it ended, it may be older"


def plan_resume(
    desk: Desk,
    case: Unfinished,
    *,
    deadline: float = 120.0,
    hold: float = 0.0,
    reason: str | None = None,
    previews: Iterable[VenuePreview] = (),
) -> Kill:
    """A kill that finishes another one; nothing is sent until it is started. Times are seconds from now.

    Raises `UnreadableError` where the record does not say beyond doubt what may be touched.
    """
    scope, places = case.scope(), case.places()
    kill = desk.plan_kill(scope, deadline=deadline, hold=hold, reason=reason, by_id=case.by_id)
    kill.names = tuple(places)
    kill.about |= decision(
        scope, places, deadline=deadline, hold=hold, previews=previews, resumes=case.kill_id
    )
    fresh = kill.prepare

    async def prepare(name: VenueName) -> VenueRun | str:
        slot = desk.slots.get(name)
        if name in desk.off:
            return "switched off for this run: nothing was sent there"
        if slot is None or fresh is None:
            return "not configured any more: nothing was sent there"
        if Place.of(slot.settings) != places[name]:
            return "this name means another venue or other credentials now: nothing was sent there"
        run = await fresh(name)
        if isinstance(run, VenueRun):
            _hand_on(run, case)
            if name in case.natives and isinstance(run.venue, TellsFinished):
                run.beside(_look_back(run, run.venue, _seconds(case.began_at)))
        return run

    kill.prepare = prepare
    return kill


def _hand_on(run: VenueRun, case: Unfinished) -> None:
    """What the dead process touched belongs to this kill as well: its ends are read, not guessed."""
    frozen = run.engine.aim.scope.keys
    for one in case.left:
        if one.key.venue != run.venue.name or (frozen is not None and one.key not in frozen):
            continue
        # What once stood in a list is no slip of the pen, even if nothing of it is left.
        run.engine.saw(one.symbol, one.key.account, one.exchange)
        if frozen is None and one.settled:
            continue
        run.engine.inherit(one.key, _seconds(one.requested_at), acknowledged=one.acknowledged)


async def _look_back(run: VenueRun, venue: TellsFinished, since: float | None) -> None:
    """Read what ended since the decision; orders of the scope among it belong to the report.

    That comes after the first complete list: an order that this list does not hold any more has ended
    before, so that no order can slip through between the two. Where the venue does not date its ends they
    are named all the same, and said to be undated.
    """
    if since is None or not await run.once_listed():
        return
    queue: list[ClosedQuery] = list(venue.finished_since(since))
    undated: list[Order] = []
    pages = 0
    while queue and pages < _PAGES:
        pages += 1
        page = await run.finished_page(queue.pop(0))
        if page is None:
            # What was behind it stays unread; the lists still prove what is live.
            run.trail.note("look_back_failed", pages=pages)
            return
        offset = run.venue.clock_offset or 0.0
        moment = since + offset - _MARGIN
        over = [order for order in page.orders if order.status.terminal and _meant(run, order)]
        run.found_finished((one for one in over if (one.updated_at or 0.0) >= moment), _DATED_WORDS)
        undated += [one for one in over if one.updated_at is None]
        if page.next is not None:
            queue.insert(0, page.next)
    undated.sort(key=lambda one: -(one.created_at or 0.0))
    run.found_finished(undated[:_UNDATED], _UNDATED_WORDS)
    run.trail.note("looked_back", pages=pages, undated=len(undated), named=min(len(undated), _UNDATED))


def _meant(run: VenueRun, order: Order) -> bool:
    engine = run.engine
    return engine.aim.scope.match(order, engine.capabilities.lacks) is Match.YES


def _seconds(at: str | None) -> float | None:
    """Seconds since 1970 of a recorded time."""
    try:
        return None if at is None else datetime.fromisoformat(at).timestamp()
    except ValueError:
        return None
