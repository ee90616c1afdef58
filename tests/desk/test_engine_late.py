"""Evidence from before the answer to a cancel, taken while that cancel was still on its way."""

from __future__ import annotations

from cancel_tui.cancels import Ending
from cancel_tui.desk.actions import ReadClosed, SendCancel
from cancel_tui.orders import OrderStatus
from cancel_tui.venues.base import ClosedPage, ClosedPlan, ClosedQuery, Touched
from cancel_tui.venues.outcome import Answered, Reason, Refused
from tests.desk.test_engine_evidence import WALL, capable, engine, key, listed, order


def test_a_ghost_of_while_the_cancel_was_on_its_way_is_not_live_after_its_answer() -> None:
    """Its end is read meanwhile, lists go on showing it, then the cancel is refused: nobody knows."""
    it = engine(capable(reads=False, closed=50))
    it.next(0.0)
    listed(it, 0.0, order("1"))
    assert SendCancel(key("1")) in it.next(0.1)
    touched = (Touched(key("1"), order("1")),)
    look = ReadClosed(touched, ClosedPlan((ClosedQuery(),), frozenset({key("1")})))
    over = order("1", OrderStatus.EXPIRED)
    it.took_closed(look, Answered(ClosedPage((over,))), [over], frozenset(), 0.2, WALL + 0.2)
    for at in (0.5, 1.0, 1.5):
        listed(it, at, order("1"))
    it.took_cancel(key("1"), Refused(Reason.NOT_FOUND), 2.0, WALL + 2.0)
    assert it.tracks[key("1")].outcome is Ending.UNKNOWN
    listed(it, 2.1, order("1"))
    assert it.tracks[key("1")].outcome is Ending.OPEN
