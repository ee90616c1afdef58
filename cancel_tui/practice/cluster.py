"""All practice venues together, on one clock and one seed, and the configuration that points at them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex

from cancel_tui.clock import Clock, SystemClock
from cancel_tui.practice.b2trader import B2Trader
from cancel_tui.practice.catalogue import sort_out
from cancel_tui.practice.coinswitch_futures import CoinSwitchFutures
from cancel_tui.practice.coinswitch_spot import CoinSwitchSpot
from cancel_tui.practice.market import Activity
from cancel_tui.practice.p99 import P99Spot
from cancel_tui.practice.roxom import Roxom
from cancel_tui.practice.venue import Plan, PracticeVenue

_SHARES: dict[type[PracticeVenue], float] = {
    CoinSwitchSpot: 0.30,
    CoinSwitchFutures: 0.25,
    Roxom: 0.12,
    P99Spot: 0.20,
    B2Trader: 0.13,
}
"""Which part of the orders each venue gets."""

KINDS: tuple[type[PracticeVenue], ...] = tuple(_SHARES)
"""Every kind of practice venue."""

LIVELY = Activity(fills=0.05, partial_fills=0.1, newcomers=0.0, expiries=0.02)
"""How a practice book moves while somebody watches it: events a second."""


class Cluster:
    """Five practice venues; raises FaultError for a fault that none of them knows."""

    def __init__(
        self,
        orders: int = 200,
        *,
        seed: int = 7,
        latency: float = 0.0,
        faults: tuple[str, ...] = (),
        clock: Clock | None = None,
        activity: Activity | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self.venues: list[PracticeVenue] = []
        left = orders
        mine = sort_out(faults, KINDS)
        for index, (kind, share) in enumerate(_SHARES.items()):
            last = index == len(_SHARES) - 1
            count = left if last else round(orders * share)
            left -= count
            plan = Plan(
                orders=count,
                seed=seed + index,
                latency=latency,
                faults=mine[kind.name],
                activity=activity or Activity(),
            )
            self.venues.append(kind(clock, plan))

    async def start(self) -> None:
        """Start every server; when this returns, all of them listen."""
        for venue in self.venues:
            await venue.start()

    async def stop(self) -> None:
        """Stop every server."""
        for venue in self.venues:
            await venue.stop()

    def named(self, name: str) -> PracticeVenue:
        """The venue with that table name."""
        return next(venue for venue in self.venues if venue.name == name)

    def live(self) -> dict[str, list[dict[str, str]]]:
        """What is really live, by venue."""
        return {venue.name: venue.truth() for venue in self.venues}

    def configuration(self) -> str:
        """The TOML that points at these venues."""
        return "\n".join(_table(venue.name, venue.table()) for venue in self.venues)

    def write_configuration(self, path: Path) -> None:
        """Write it atomically, readable by the owner only: it is there whole, or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{token_hex(4)}")
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            if hasattr(os, "fchmod"):
                # Whatever the umask has left of the rights.
                os.fchmod(file.fileno(), 0o600)
            file.write(self.configuration())
        partial.replace(path)


def _table(name: str, values: Mapping[str, object]) -> str:
    lines = [f"[venues.{name}]"]
    for key, value in values.items():
        if isinstance(value, bool):
            lines.append(f"{key} = {'true' if value else 'false'}")
        elif isinstance(value, int | float):
            lines.append(f"{key} = {value}")
        else:
            text = str(value).replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'{key} = "{text}"')
    return "\n".join(lines) + "\n"
