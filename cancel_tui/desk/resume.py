"""Taking up a kill whose process is gone: the recorded scope at the recorded venues, and nothing beside it.

Orders that the dead process touched and whose end is not on record are unknown until the venue speaks, even
where no list holds them any more. What a venue's own cancel-all ended before any list was recorded is found
among the finished orders, where the venue can list those.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from cancel_tui.desk.decision import Place, decision
from cancel_tui.desk.lookback import after_death
from cancel_tui.desk.runner import VenueRun
from cancel_tui.venues.base import TellsFinished

if TYPE_CHECKING:
    from cancel_tui.desk.desk import Desk
    from cancel_tui.desk.kill import Kill
    from cancel_tui.desk.preview import VenuePreview
    from cancel_tui.desk.unfinished import Unfinished
    from cancel_tui.orders import VenueName


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
            if name in case.natives and not case.ended:
                # It reaches back to the decision, and so beyond every cancel-all of this kill.
                run.look_back, run.engine.untold = None, True
                if isinstance(run.venue, TellsFinished):
                    run.beside(after_death(run, run.venue, _seconds(case.began_at)))
        return run

    kill.prepare, kill.ready = prepare, None
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


def _seconds(at: str | None) -> float | None:
    """Seconds since 1970 of a recorded time."""
    try:
        return None if at is None else datetime.fromisoformat(at).timestamp()
    except ValueError:
        return None
