"""The practice venues in a process of their own, for benchmarks: `python -m tests.benchmarks.venue_process`.

It prints one line of JSON, the configuration and the keyring's content, once every server listens. Then each
line on standard input is a command, answered with one line of JSON:

- `fill`: as many open orders as at the start, and no cancel seen yet;
- `cancel`: when the first request that cancels arrived, in monotonic seconds; null where none has;
- `churn RATE`: so many changes a second from now on, spread over the venues that push; 0 ends them;
- `listen on`: somebody listens to every stream from now on, in this process; `listen off` ends that.

It ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from cancel_tui.cli.session import practice_credentials
from cancel_tui.clock import SystemClock
from cancel_tui.practice.b2trader import B2Trader
from cancel_tui.practice.cluster import Cluster
from cancel_tui.practice.coinswitch_base import encode
from cancel_tui.practice.coinswitch_spot import CoinSwitchSpot
from cancel_tui.practice.http import Answer, Request
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.practice.venue import PracticeVenue
from cancel_tui.settings import parse_settings
from cancel_tui.vault.items import Items
from cancel_tui.venues.feed import Heard, Listens
from cancel_tui.venues.outcome import Failure
from cancel_tui.venues.registry import make_venue
from tests.venues.contract_ground import PlainPort

BEAT = 0.02
"""Seconds between two handfuls of changes."""
_CANCELS = ("cancel", "cancel_stop", "cancel_all")


def _nobody(heard: Heard) -> None:
    """What a stream said concerns nobody."""


class _Ring:
    """The items of a keyring, in a table."""

    def __init__(self) -> None:
        self.items: dict[str, str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.items.get(f"{service}|{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self.items[f"{service}|{username}"] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.items[f"{service}|{username}"]


class Floor:
    """A cluster that refuses nothing for its rate limits, and notes when the first cancel came."""

    def __init__(self, orders: int) -> None:
        self.cluster = Cluster(orders)
        for venue in self.cluster.venues:
            venue.plan = replace(venue.plan, enforce_limits=False)
            venue.server.handler = self._noting(venue, venue.server.handler)
            _sparing(venue)
        self.wanted = {venue.name: venue.plan.orders for venue in self.cluster.venues}
        self.cancelled: float | None = None
        self._churning: asyncio.Task[None] | None = None
        self._listening: list[asyncio.Task[Failure]] = []

    def _noting(
        self, venue: PracticeVenue, handler: Callable[[Request], Awaitable[Answer]]
    ) -> Callable[[Request], Awaitable[Answer]]:
        async def noting(request: Request) -> Answer:
            if self.cancelled is None and venue.route_name(request) in _CANCELS:
                self.cancelled = time.monotonic()
            return await handler(request)

        return noting

    def told(self) -> dict[str, object]:
        """What a client needs: the configuration, with keys from the keyring, and what that holds."""
        ring = _Ring()
        items = Items(ring, "cancel-tui", lambda: True)
        for venue in self.cluster.venues:
            items.save(venue.name, venue.credentials())
        lines = self.cluster.configuration().replace('credentials = "practice"', "")
        return {"configuration": lines, "keyring": ring.items}

    async def listen(self) -> None:
        """Listen to every venue that pushes, with its own adapter, until told otherwise."""
        settings = parse_settings(self.cluster.configuration(), Path("listener.toml"))
        for one in settings.venues:
            venue: object = make_venue(one, await practice_credentials(one), SystemClock())
            if isinstance(venue, Listens):
                port = PlainPort(one.base_url)
                self._listening.append(asyncio.create_task(venue.listen(port, _nobody)))

    def hush(self) -> None:
        """Nobody listens any more."""
        for task in self._listening:
            task.cancel()
        self._listening.clear()

    def fill(self) -> None:
        """Bring every book back to its size."""
        for venue in self.cluster.venues:
            venue.book.settle()
            for _ in range(self.wanted[venue.name] - len(venue.book.live())):
                venue.book.add(venue.newcomer())
        self.cancelled = None

    def churn(self, rate: float) -> None:
        """Change orders at this rate, changes a second, until told otherwise."""
        if self._churning is not None:
            self._churning.cancel()
        self._churning = asyncio.create_task(self._churn(rate)) if rate else None

    async def _churn(self, rate: float) -> None:
        """Part fills that leave an order open; every change is pushed by the venue's own stream."""
        books = [_movable(venue) for venue in self.cluster.venues if venue.name != "cs-fut"]
        begun, done = time.monotonic(), 0
        while True:
            await asyncio.sleep(BEAT)
            due = int((time.monotonic() - begun) * rate)
            for number in range(done, due):
                venue, orders = books[number % len(books)]
                order = orders[number // len(books) % len(orders)]
                if order.state is State.RESTING:
                    _move(venue, order)
            done = due


def _sparing(venue: PracticeVenue) -> None:
    """Keep what a venue writes of an order in its longest lists until that order changes.

    A venue has processors of its own; these here share the two that the console is measured on.
    """
    owner: Any
    if isinstance(venue, B2Trader):
        owner, name = venue.wire, "stream_order"
    elif isinstance(venue, CoinSwitchSpot):
        owner, name = venue, "describe"
    else:
        return
    describe, kept = getattr(owner, name), dict[str, msgspec.Raw]()

    def written(order: SimOrder) -> msgspec.Raw:
        found = kept.get(order.id)
        if found is None:
            found = kept[order.id] = msgspec.Raw(encode(describe(order)).encode())
        return found

    def forget(order: SimOrder) -> None:
        kept.pop(order.id, None)

    venue.book.watchers.insert(0, forget)
    setattr(owner, name, written)


def _movable(venue: PracticeVenue) -> tuple[PracticeVenue, list[SimOrder]]:
    orders = [one for one in venue.book.live() if one.state is State.RESTING and one.family == "order"]
    return venue, orders


def _move(venue: PracticeVenue, order: SimOrder) -> None:
    """Fill a thousandth, or undo what was filled: the order never ends."""
    step = order.quantity.scaleb(-3)
    if order.filled + step < order.quantity:
        venue.book.fill(order, step)
    else:
        order.filled = Decimal(0)
        venue.book.change(order, State.RESTING)


async def serve(orders: int) -> None:
    """Until standard input ends."""
    # A client that is ended in the middle of a sentence is what benchmarks do.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    floor = Floor(orders)
    await floor.cluster.start()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    answer: object = floor.told()
    while True:
        print(json.dumps(answer), flush=True)
        words = (await reader.readline()).decode().split()
        if not words:
            break
        answer = None
        if words[0] == "fill":
            floor.fill()
        elif words[0] == "churn":
            floor.churn(float(words[1]))
        elif words[0] == "listen":
            floor.hush()
            if words[1] == "on":
                await floor.listen()
        elif words[0] == "cancel":
            answer = floor.cancelled
    floor.churn(0)
    floor.hush()
    await floor.cluster.stop()


def main() -> None:
    """Serve as many open orders as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=200)
    asyncio.run(serve(parser.parse_args().orders))


if __name__ == "__main__":
    main()
