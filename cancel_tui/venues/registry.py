"""Which module serves which venue kind. Names are known without loading any adapter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import cast

from cancel_tui.clock import Clock
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings
from cancel_tui.venues.base import MakeVenue, Venue

_MODULES: Mapping[str, str] = {
    "coinswitch-spot": "cancel_tui.venues.coinswitch_spot",
    "coinswitch-futures": "cancel_tui.venues.coinswitch_futures",
    "roxom": "cancel_tui.venues.roxom",
    "p99-spot": "cancel_tui.venues.p99",
    "b2trader": "cancel_tui.venues.b2trader",
}

FIELDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "coinswitch-spot": (("api_key", "api_secret"),),
    "coinswitch-futures": (("api_key", "api_secret"),),
    "roxom": (("api_key", "private_key"),),
    "p99-spot": (("api_key", "api_secret"), ("jwt",)),
    "b2trader": (("api_token",), ("access_token",)),
}
"""The credential fields of each kind; where there are several sets, any one of them will do."""


def load(kind: str) -> None:
    """Load the adapter of a kind ahead of its first use."""
    import_module(_MODULES[kind])


def make_venue(settings: VenueSettings, credentials: Mapping[str, Secret], clock: Clock) -> Venue:
    """Load the adapter of a kind and build it; raises ValueError for credentials that cannot work."""
    module = import_module(_MODULES[settings.kind])
    return cast(MakeVenue, module.make)(settings, credentials, clock)


_NEVER = re.compile(r"[\s\x00-\x1f\x7f/\\?#%]")
"""What no venue puts into an id, and what would lead a request elsewhere."""


RIGHTS: Mapping[str, tuple[bool, str]] = {
    "coinswitch-spot": (True, "the venue documents no narrower keys: one that it accepts may cancel"),
    "coinswitch-futures": (True, "the venue documents no narrower keys: one that it accepts may cancel"),
    "roxom": (False, "the venue does not tell what a key may do, and does not document it"),
    "p99-spot": (
        False,
        "a JWT may do what its user may; the venue's documents contradict each other on whether an API key "
        "may cancel, and no request tells",
    ),
    "b2trader": (False, "the venue does not tell what a token may do, and does not document it"),
}
"""Kind -> whether credentials that are accepted may cancel beyond doubt, and what is known, in words."""


def check_order_id(kind: str, order_id: str) -> None:
    """Raise ValueError, with why, for an id that somebody typed and that no order of a kind can have."""
    from cancel_tui.venues.adapter import LONGEST_ID, path_id

    if len(order_id) > LONGEST_ID:
        raise ValueError(f"longer than {LONGEST_ID} characters")
    if _NEVER.search(order_id) or not order_id.isprintable():
        raise ValueError("it holds spaces, slashes or other characters that no order id has")
    path_id(order_id)
    if kind == "p99-spot":
        from cancel_tui.venues.p99_rows import one_order

        one_order(order_id)
