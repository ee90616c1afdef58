"""Which of two descriptions of one order is the newer fact. Pure.

A push stream delivers late, twice and out of order; a list is older than what happens while it is read. The
venue's own time decides; where that is equal or missing, a rule does.
"""

from __future__ import annotations

from cancel_tui.orders import Order


def newer(old: Order, new: Order) -> bool:
    """Whether `new`, which arrived later, tells something that came about after `old`.

    By the venue's time of change; within one tick of it an end beats everything, then the larger fill.
    """
    if old.updated_at is not None and new.updated_at is not None and old.updated_at != new.updated_at:
        return new.updated_at > old.updated_at
    if old.status.terminal:
        return False
    if new.status.terminal:
        return True
    if old.filled is not None and new.filled is not None and old.filled != new.filled:
        return new.filled > old.filled
    return new.status is not old.status
