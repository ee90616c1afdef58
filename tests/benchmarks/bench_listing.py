"""Listing: what a venue sent as the list of 10,000 orders, decoded and merged into the book.

The answers are taken from the practice venue once, byte for byte, and then given to the adapter again and
again by a port without a network, so that paging, decoding and merging are measured and nothing else. They
are held against `json.loads` of the same bytes, which keeps nothing and checks nothing.
"""

from __future__ import annotations

import asyncio
import gc
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any, cast

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from cancel_tui import garbage
from cancel_tui.cli.session import practice_credentials
from cancel_tui.clock import SystemClock
from cancel_tui.desk.book import VenueBook
from cancel_tui.orders import AccountId
from cancel_tui.practice.cluster import KINDS
from cancel_tui.practice.venue import Plan, PracticeVenue
from cancel_tui.settings import load_settings
from cancel_tui.venues.b2trader import B2Trader as B2TraderVenue
from cancel_tui.venues.base import CallClass, Message, Parts, Port, Raw, Reply, Venue
from cancel_tui.venues.coinswitch import CoinSwitch
from cancel_tui.venues.decode import elements
from cancel_tui.venues.outcome import Answered, Outcome
from cancel_tui.venues.registry import make_venue
from cancel_tui.venues.roxom import RoxomVenue
from cancel_tui.venues.signalr import Item, parse
from cancel_tui.venues.wire import Origin, Wire
from tests.benchmarks.harness import Row, Scale, Target, in_turns, judged, unjudged

TARGET = Target(3.0)
ROWS = tuple(f"listing {kind.name}" for kind in KINDS)


class Recording:
    """A port that asks over loopback the first time, and from then on gives what it was given."""

    def __init__(self, url: str) -> None:
        self._wire = Wire(Origin.of(url), 4)
        self.replies: list[Raw] = []
        self._at: int | None = None

    def rewind(self) -> None:
        """From here on the same answers again, in the same order."""
        self._at = 0

    async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
        """As an adapter's port."""
        message = build()
        if self._at is None:
            raw = await self._wire.exchange(message, 30.0)
            self.replies.append(raw)
            return raw
        self._at += 1
        return self.replies[self._at - 1]

    async def admit(self, call: CallClass) -> None:
        """As an adapter's port."""

    async def close(self) -> None:
        """Let go of the connections."""
        await self._wire.close()


class Unsigning:
    """A key that signs nothing: pages of 50 rows would make this a benchmark of signatures."""

    def sign(self, _text: bytes) -> bytes:
        """As Ed25519PrivateKey."""
        return bytes(64)


async def listed(venue: Venue, port: Recording, parts: Parts) -> int:
    """A complete list into a fresh book; how many orders it holds."""
    book = VenueBook(venue.name)
    for part in parts.parts:
        found = await venue.list_part(part, port)
        assert isinstance(found, Answered), found
        assert found.value.complete, found.value.note
        book.absorb(part.id, 1.0, found.value, 1.0)
    return len(book.live())


def _bodies(kind: type[PracticeVenue], orders: int) -> tuple[Venue, Recording, Parts, list[bytes]]:
    """An adapter whose port gives recorded answers, its parts, and the bytes of its list."""
    return asyncio.run(_recorded(kind, orders))


async def _recorded(kind: type[PracticeVenue], orders: int) -> tuple[Venue, Recording, Parts, list[bytes]]:
    clock = SystemClock()
    server = kind(clock, Plan(orders=orders, seed=7, enforce_limits=False))
    await server.start()
    try:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "config.toml"
            lines = (f"{key} = {json.dumps(value)}" for key, value in server.table().items())
            path.write_text(f"[venues.{server.name}]\n" + "\n".join(lines))
            (settings,) = load_settings(path).venues
        venue = make_venue(settings, await practice_credentials(settings), clock)
        port = Recording(settings.base_url)
        found = await venue.parts(port)
        assert isinstance(found, Answered)
        port.replies.clear()
        texts: list[str] = []
        if isinstance(venue, B2TraderVenue):
            await _from_frames(venue, port, found.value, texts)
        held = await listed(venue, port, found.value)
        assert held >= orders * 0.9, held
        if isinstance(venue, CoinSwitch):
            venue._keys = replace(venue._keys, signer=cast(Ed25519PrivateKey, Unsigning()))
        await port.close()
        bodies = [raw.body for raw in port.replies if isinstance(raw, Reply)]
        return venue, port, found.value, [*bodies, *(text.encode() for text in texts)]
    finally:
        await server.stop()


async def _from_frames(venue: B2TraderVenue, port: Recording, parts: Parts, texts: list[str]) -> None:
    """Take the lists of a venue that lists by frames once, and from then on give the same frames."""
    frames: dict[str, str] = {}
    for part in parts.parts:
        account = AccountId(part.id.partition(":")[2])
        got = await venue._snapshot(account, port)
        assert isinstance(got, Answered)
        row = {"type": 2, "invocationId": "1", "item": got.value}
        frames[account] = msgspec.json.encode(row).decode()
    texts += frames.values()
    port.replies.clear()
    await venue.close()

    async def again(account: AccountId, _port: Port) -> Outcome[list[msgspec.Raw]]:
        message = parse(frames[account])
        assert isinstance(message, Item)
        return Answered(elements(message.payload) or [])

    venue._snapshot = again  # type: ignore[method-assign, assignment]


def rows(scale: Scale) -> list[Row]:
    """One row for each kind of venue; garbage is looked for as in the program."""
    garbage.hold()
    garbage.settle()
    found = []
    for kind, name in zip(KINDS, ROWS, strict=True):
        venue, port, parts, bodies = _bodies(kind, scale.of(10_000, 60))

        def ours(venue: Venue = venue, port: Recording = port, parts: Parts = parts) -> float:
            port.rewind()
            # A list that is read for the first time.
            cast(Any, venue)._known = {} if isinstance(venue, B2TraderVenue | RoxomVenue) else None
            gc.collect()
            begun = process_time()
            asyncio.run(listed(venue, port, parts))
            return (process_time() - begun) * 1000

        def bare(bodies: list[bytes] = bodies) -> float:
            gc.collect()
            begun = process_time()
            for body in bodies:
                json.loads(body)
            return (process_time() - begun) * 1000

        mine, floor = in_turns(scale.of(9, 2), ours, bare)
        row = judged(name, mine, floor, TARGET, against="json.loads of the same bytes")
        found.append(unjudged(row) if scale.quick else row)
    return found
