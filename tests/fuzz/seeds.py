"""What the practice venues really answer, overheard: the ground that the fuzz starts from."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from cancel_tui.clock import SystemClock
from cancel_tui.orders import Family, Order, OrderId, OrderKey, VenueName
from cancel_tui.practice.cluster import Cluster
from cancel_tui.practice.market import State
from cancel_tui.practice.venue import PracticeVenue
from cancel_tui.redaction import Secret
from cancel_tui.settings import parse_settings
from cancel_tui.venues.base import CallClass, ClosedQuery, Message, Raw, Reply, Touched, Venue
from cancel_tui.venues.outcome import Answered
from cancel_tui.venues.registry import make_venue
from cancel_tui.venues.streams import TextStream
from tests.venues.contract_ground import PlainPort

NOBODY = OrderId("0b0e7b52-1d3f-4a6c-9e0b-3c1f8d6a2b47")
HEARD: ContextVar[list[str] | None] = ContextVar("HEARD", default=None)


@dataclass
class Ground:
    """Replies by kind and question, stream texts by kind, and adapters that know the keys."""

    replies: dict[tuple[str, str], list[Reply]] = field(default_factory=lambda: defaultdict(list))
    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    keys: dict[str, OrderKey] = field(default_factory=dict)
    symbols: dict[str, str] = field(default_factory=dict)
    queries: dict[str, ClosedQuery] = field(default_factory=dict)


class Ear(PlainPort):
    """A port that keeps what came back."""

    def __init__(self, base_url: str, ground: Ground, kind: str) -> None:
        super().__init__(base_url)
        self.ground, self.kind, self.asked = ground, kind, ""

    async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
        raw = await super().call(call, build)
        if isinstance(raw, Reply):
            self.ground.replies[self.kind, self.asked].append(raw)
        return raw


def adapter(practice: PracticeVenue) -> Venue:
    """The adapter to a practice venue that runs, with its keys."""
    text = "\n".join(f"{name} = {value!r}" for name, value in practice.table().items())
    settings = parse_settings(f"[venues.x]\n{text}\n", __import__("pathlib").Path("fuzz.toml")).venues[0]
    return make_venue(
        settings, {name: Secret(one) for name, one in practice.credentials().items()}, SystemClock()
    )


async def _asked(ear: Ear, name: str, work: Any) -> Any:
    ear.asked = name
    return await work


async def _overheard(ground: Ground, practice: PracticeVenue) -> None:
    kind, venue = practice.kind, adapter(practice)
    HEARD.set(ground.texts[kind])
    ear = Ear(practice.base_url, ground, kind)
    listening = None
    try:
        if kind != "coinswitch-futures":
            listening = asyncio.create_task(venue.listen(ear, lambda heard: None))  # type: ignore[attr-defined]
        await _asked(ear, "clock", venue.measure_clock(ear))
        await _asked(ear, "check", venue.check(ear))
        parts = await _asked(ear, "parts", venue.parts(ear))
        orders: list[Order] = []
        for part in parts.value.parts if isinstance(parts, Answered) else ():
            found = await _asked(ear, "list", venue.list_part(part, ear))
            orders += found.value.orders if isinstance(found, Answered) else ()
        first = next(one for one in orders if one.key.family is Family.ORDER)
        symbol = first.symbol.raw if first.symbol else ""
        ground.keys[kind], ground.symbols[kind] = first.key, symbol
        for order in practice.book.live()[-3:]:
            practice.book.change(order, State.CANCELLED)
        nobody = first.key._replace(order_id=NOBODY)
        for key in (first.key, first.key, nobody):
            await _asked(ear, "read", venue.read(key, ear))
            await _asked(ear, "cancel", venue.cancel(key, ear))
        for query in venue.closed_plan([Touched(first.key, first)]).queries[:1]:
            ground.queries[kind] = query
            await _asked(ear, "closed", venue.closed_page(query, ear))
        await _asked(ear, "cancel_all", venue.cancel_all(symbol, ear))
        await _asked(ear, "cancel_all", venue.cancel_all(None, ear))
        if listening is not None:
            await asyncio.wait({listening}, timeout=0.5)
    finally:
        if listening is not None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        await venue.close()
        await ear.wire.close()


async def _gather() -> Ground:
    ground = Ground()
    cluster = Cluster(0)
    cluster.venues = [
        type(one)(SystemClock(), replace(one.plan, orders=60, enforce_limits=False)) for one in cluster.venues
    ]
    receive = TextStream.receive

    async def heard(stream: TextStream) -> Any:
        piece = await receive(stream)
        texts = HEARD.get()
        if isinstance(piece, str) and texts is not None:
            texts.append(piece)
        return piece

    await cluster.start()
    setattr(TextStream, "receive", heard)  # noqa: B010
    try:
        await asyncio.gather(*(asyncio.create_task(_overheard(ground, one)) for one in cluster.venues))
    finally:
        setattr(TextStream, "receive", receive)  # noqa: B010
        await cluster.stop()
    return ground


def gather() -> Ground:
    """Run the practice venues for a moment and keep what they say."""
    return asyncio.run(_gather())


__all__ = ["Ground", "VenueName", "adapter", "gather"]
