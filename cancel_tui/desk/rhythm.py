"""How often a venue's lists are worth asking for, and what of a scarce budget polls must leave. Pure.

Most venues have requests to spare: their own rhythm holds, and a slower one while a stream tells at once what
happens. A venue with a scarce budget of lists is asked fast while cancels are in flight there, normally while
there is something to look at, and slowly when there is not; and always so that a kill still finds what its
verdict costs.
"""

from __future__ import annotations

import msgspec

from cancel_tui.settings import Budget

FAST = 3.0
"""Seconds between two looks at a scarce venue while cancels are in flight there."""
IDLE = 15.0
"""The same while nothing is open there, or nobody looks."""
PUSHED = 10.0
"""Seconds between two looks at a venue whose stream is live."""
LAG = 1.0
"""Seconds that a request is on its way, so that its unit comes back later than its window says."""
PASSES = 2
"""Lists of the newest orders that a verdict takes."""
SPARE = 2
"""Requests beyond a verdict that are left to a kill, for the list that finds something after all."""


class Scene(msgspec.Struct, frozen=True):
    """What the rhythm at one venue depends on."""

    own: float
    """The venue's usual rhythm, in seconds."""
    orders: bool = True
    """Something is open there, or it is not known yet."""
    cancelling: bool = False
    """Cancels of named orders are in flight there."""
    watched: bool = True
    """Somebody looks at what is listed."""
    pushed: bool = False
    """Its stream is live."""
    budget: Budget | None = None
    """The venue's limit of lists."""
    cost: int = 1
    """Requests that one look takes."""
    reserve: int = 0
    """Requests of the budget that are a kill's."""
    out: tuple[float, ...] = ()
    """Seconds until each request that was spent comes back; infinity for those in flight."""

    @property
    def share(self) -> int:
        """Requests of a window that are the polls'; at least one."""
        return 1 if self.budget is None else max(1, self.budget.count - self.reserve)


def scarce(budget: Budget | None, cost: int) -> bool:
    """Whether fast looks alone would take more than half of the budget."""
    return budget is not None and cost * budget.seconds / FAST > budget.count / 2


def rhythm(scene: Scene) -> float:
    """Seconds from one look to the next.

    A scarce venue is not asked more often for good than its share allows. Fast looks come from what was saved
    before, as long as the normal rhythm can go on behind them without a look that waits for its budget.
    """
    own = max(scene.own, PUSHED) if scene.pushed else scene.own
    budget = scene.budget
    if budget is None or not scarce(budget, scene.cost):
        return own
    window = budget.seconds + LAG
    looks = scene.share // scene.cost
    steady = max(own, window / looks if looks else scene.cost * window / scene.share)
    if scene.cancelling and _affordable(scene, window, steady):
        return min(FAST, steady)
    if scene.cancelling or (scene.orders and scene.watched):
        return steady
    return max(steady, IDLE)


def _affordable(scene: Scene, window: float, steady: float) -> bool:
    """Whether a fast look and steady ones behind it each find their requests, until the first comes back."""
    spent = list(scene.out)
    at = FAST
    while at < FAST + window:
        if sum(back > at for back in spent) + scene.cost > scene.share:
            return False
        spent += [at + window] * scene.cost
        at += steady
    return True


def reserve(budget: Budget, cost: int, unproven: int | None) -> int:
    """Requests that polls must leave, so that a kill can begin and end at any moment.

    `unproven` is how many old windows a verdict would have to read; None before they were read once. Never
    more than half: the polls that show what there is to kill need something, too.
    """
    half = budget.count // 2
    return half if unproven is None else min(half, PASSES * cost + unproven + SPARE)


def scan_gap(budget: Budget | None, cost: int, every: float) -> float:
    """Seconds between two old windows: what looks every so many seconds leave of half of the budget.

    The other half is not for scans: nobody waits for them.
    """
    if budget is None:
        return 0.0
    spare = budget.count // 2 - cost * budget.seconds / every
    return budget.seconds / max(spare, 1.0)
