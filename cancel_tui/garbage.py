"""When unreachable objects are looked for: not while modules are loaded, and seldom among what lasts.

Loading makes no garbage, and looking for it takes a tenth of the time that loading does. Later a look at
everything, thousands of orders included, would hold the event loop for a tenth of a second: what was loaded
is never looked through again, and the rest but rarely.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import perf_counter

from cancel_tui.pauses import use_pauses

THRESHOLDS = (1_000, 1, 2_500)
"""New objects before a look at the newest; looks before one at the older, and at all.

Often and little: a look at a thousand objects takes less than a millisecond, one at the hundred thousand that
gather where the older are looked at seldom holds every key for thirty. All are looked at after five million.
"""
FEW, OFTEN = 300, 0.005
"""New objects, and seconds of work, after which a pause of that work looks at the newest.

The interpreter counts what is new less what is gone: where each new order takes the place of an old one,
thousands gather before it looks by itself.
"""


_sweeps: list[Callable[[], None]] = []
"""What ends the looks in pauses, while there are any."""


def hold() -> None:
    """Look for nothing until `settle`."""
    gc.disable()
    while _sweeps:
        _sweeps.pop()()


def settle() -> None:
    """Everything is loaded: look again, at what comes from now on. Nothing where nobody asked to hold."""
    if gc.isenabled():
        return
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    gc.enable()
    _sweeps.append(use_pauses(sweeper()))


def sweeper() -> Callable[[], None]:
    """Looks at the newest objects in pauses of long work, and at the older as often as the interpreter."""
    swept = perf_counter()

    def sweep() -> None:
        nonlocal swept
        newest, older, _ = gc.get_count()
        now = perf_counter()
        if newest > FEW or now - swept > OFTEN:
            gc.collect(1 if older > THRESHOLDS[1] else 0)
            swept = now

    return sweep
