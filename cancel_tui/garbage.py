"""When unreachable objects are looked for: not while modules are loaded, and seldom among what lasts.

Loading makes no garbage, and looking for it takes a tenth of the time that loading does. Later a look at
everything, thousands of orders included, would hold the event loop for a tenth of a second: what was loaded
is never looked through again, and the rest but rarely.
"""

from __future__ import annotations

import gc

THRESHOLDS = (1_000, 1, 2_500)
"""New objects before a look at the newest; looks before one at the older, and at all.

Often and little: a look at a thousand objects takes less than a millisecond, one at the hundred thousand that
gather where the older are looked at seldom holds every key for thirty. All are looked at after five million.
"""


def hold() -> None:
    """Look for nothing until `settle`."""
    gc.disable()


def settle() -> None:
    """Everything is loaded: look again, at what comes from now on. Nothing where nobody asked to hold."""
    if gc.isenabled():
        return
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    gc.enable()
