"""What the contract suite stands on: a plain port, a stage for one test, and what a venue's tests must tell.

Nothing here knows the practice venues. A venue of somebody else's is put to the same tests by a server of
theirs and a class that fills in `VenueGround`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from cancel_tui.clock import Clock, ManualClock
from cancel_tui.orders import Order, OrderKey, OrderStatus
from cancel_tui.text import VenueText
from cancel_tui.venues.base import (
    CallClass,
    ClosedQuery,
    Message,
    Part,
    PartList,
    Raw,
    Reply,
    Touched,
    Venue,
)
from cancel_tui.venues.outcome import Answered, NotSent, Outcome, Reason
from cancel_tui.venues.wire import Origin, Wire

PATIENCE = 10.0
"""Seconds for an answer that must come; a slow machine may take its time."""
SHORT = 0.3
"""Seconds for an answer that must not come."""
LATER = 5.0
"""Seconds after which every cancel of a practice venue has come into effect."""

T = TypeVar("T")


class Server(Protocol):
    """A venue on a loopback address."""

    @property
    def base_url(self) -> str:
        """What the configuration's `base_url` would say; known once it listens."""
        ...

    async def start(self) -> None:
        """Listen."""
        ...

    async def stop(self) -> None:
        """Drop every connection."""
        ...


S = TypeVar("S", bound=Server)


class Fact(NamedTuple):
    """What must be known of an order, whoever tells it."""

    symbol: str
    side: str
    quantity: Decimal
    filled: Decimal
    status: OrderStatus


def fact_of(order: Order) -> Fact:
    """What an adapter tells of an order; what it does not tell would differ from every truth."""
    return Fact(
        order.symbol.raw if order.symbol else "?",
        order.side.value if order.side else "?",
        Decimal(-1) if order.quantity is None else order.quantity,
        Decimal(-1) if order.filled is None else order.filled,
        order.status,
    )


def shown(order: Order, names: Iterable[str]) -> dict[str, object]:
    """Some fields of an order, texts as `str`."""
    values = {name: getattr(order, name) for name in names}
    return {name: one.raw if isinstance(one, VenueText) else one for name, one in values.items()}


def facts_of(orders: Sequence[Order]) -> dict[OrderKey, Fact]:
    """The same by key; an order that is there twice fails the test."""
    found = {order.key: fact_of(order) for order in orders}
    assert len(found) == len(orders), "an order is there twice"
    return found


def answered(outcome: Outcome[T]) -> T:
    """The value of an answer; anything else fails the test."""
    assert isinstance(outcome, Answered), outcome
    return outcome.value


class PlainPort:
    """A port over the real wire that paces nothing, journals nothing, and counts everything."""

    def __init__(self, base_url: str, timeout: float = PATIENCE) -> None:
        self.wire = Wire(Origin.of(base_url), 32, connect_seconds=PATIENCE, slot_seconds=PATIENCE)
        self.timeout = timeout
        self.counts: Counter[CallClass] = Counter()
        """Requests and stream snapshots by class."""
        self.statuses: Counter[int] = Counter()
        """HTTP statuses that came back."""

    @property
    def total(self) -> int:
        """Everything that was asked for."""
        return self.counts.total()

    async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
        """Build, count, send."""
        try:
            message = build()
        except ValueError as why:
            return NotSent(str(why), hopeless=True)
        self.counts[call] += 1
        raw = await self.wire.exchange(message, self.timeout)
        if isinstance(raw, Reply):
            self.statuses[raw.status] += 1
        return raw

    async def admit(self, call: CallClass) -> None:
        """Count a snapshot of a stream."""
        self.counts[call] += 1


@dataclass
class TornPort:
    """A port that lets some list requests through and fails every later one."""

    port: PlainPort
    passed: int
    failure: Raw

    async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
        """Send it on while there are list requests left; anything else always."""
        if call is CallClass.LIST:
            if self.passed <= 0:
                return self.failure
            self.passed -= 1
        return await self.port.call(call, build)

    async def admit(self, call: CallClass) -> None:
        """A snapshot of a stream is one page, the first."""
        await self.port.admit(call)


@dataclass
class AheadPort:
    """A port to which the answer to the cancel has come already; anything else it sends."""

    port: PlainPort
    raw: Raw | None

    async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
        """Hand over the answer, once."""
        raw, self.raw = (self.raw, None) if call is CallClass.CANCEL else (None, self.raw)
        return await self.port.call(call, build) if raw is None else raw

    async def admit(self, call: CallClass) -> None:
        """Nothing of a cancel is a snapshot."""
        await self.port.admit(call)


Ask = Callable[[], Awaitable[Outcome[Any]]]


@dataclass
class Stage(Generic[S]):
    """One server, one adapter, one port."""

    server: S
    venue: Venue
    port: PlainPort
    clock: ManualClock
    """The server's clock; it stands still until a test advances it."""
    ours: Clock
    """The adapter's clock; the same one unless they were set apart."""
    parts: tuple[Part, ...] = ()
    query: ClosedQuery | None = None
    """A page of finished orders to ask for, where the venue lists them."""

    async def look(self) -> tuple[Part, ...]:
        """Ask what a complete list consists of now."""
        self.parts = answered(await self.venue.parts(self.port)).parts
        return self.parts

    async def lists(self) -> list[PartList]:
        """Every part, read to its last page."""
        return [
            answered(await self.venue.list_part(part, self.port)) for part in self.parts or await self.look()
        ]

    async def listed(self) -> dict[OrderKey, Order]:
        """Every order of a complete list; an incomplete one fails the test."""
        found: list[Order] = []
        for one in await self.lists():
            assert one.complete, one.note
            found += one.orders
        assert len({order.key for order in found}) == len(found), "an order is there twice"
        return {order.key: order for order in found}

    async def asks(self, key: OrderKey, symbol: str) -> dict[str, Ask]:
        """Every question that the venue's capabilities allow, by name, about a live order of a symbol."""
        order = (await self.listed())[key]
        if self.venue.capabilities.closed_page:
            self.query = self.venue.closed_plan([Touched(key, order)]).queries[0]
        return self.same_asks(key, symbol)

    def same_asks(self, key: OrderKey, symbol: str) -> dict[str, Ask]:
        """The same without looking first: for another adapter or port before the same server."""
        venue, port, able = self.venue, self.port, self.venue.capabilities
        part, query = self.parts[0], self.query
        found: dict[str, Ask] = {
            "list": lambda: venue.list_part(part, port),
            "cancel": lambda: venue.cancel(key, port),
            "check": lambda: venue.check(port),
        }
        if able.cancel_all:
            found["cancel_all"] = lambda: venue.cancel_all(None, port)
        if able.cancel_all_symbol:
            found["cancel_symbol"] = lambda: venue.cancel_all(symbol, port)
        if able.read_order:
            found["read"] = lambda: venue.read(key, port)
        if query is not None:
            found["closed"] = lambda: venue.closed_page(query, port)
        return found


class VenueGround(ABC, Generic[S]):
    """What a venue's tests must tell of it, and how they move its server."""

    acknowledged: ClassVar[OrderStatus | None]
    """The status of a resting order in the answer to its cancel; None where the answer describes no order."""
    refusal_when_over: ClassVar[Reason]
    """How the cancel of a finished order is refused."""
    blind_spots: ClassVar[frozenset[str]] = frozenset()
    """The codes of `capabilities.blind_spots`."""
    clock_tolerance: ClassVar[float | None] = None
    """Seconds by which a signature's time may be off; None where requests carry no time."""
    absent_list: ClassVar[Mapping[str, bool]]
    """Whether an empty list that is null (`null_list`) or left out (`missing_list`) counts as a list."""
    crowd_pages: ClassVar[int]
    """How many requests a list of `crowd` must take at least."""
    closed_crowd: ClassVar[int] = 0
    """How many finished orders the closed pages are tried with: more than one page of them."""

    # How things are made

    @abstractmethod
    def make_server(self, clock: ManualClock, orders: int = 0) -> S:
        """A server that is not started, with so many orders of its own choice once it is."""

    @abstractmethod
    def make_adapter(
        self, server: S, clock: Clock, credentials: Mapping[str, str] | None = None, **changes: Any
    ) -> Venue:
        """An adapter to a started server; `changes` are fields of the settings."""

    @abstractmethod
    def credentials(self, server: S) -> Mapping[str, str]:
        """The right ones, by field."""

    @abstractmethod
    def wrong_credentials(self, server: S) -> Sequence[Mapping[str, str]]:
        """Well-formed ones that the server must refuse."""

    def adapter_clock(self) -> Clock:
        """The adapter's clock, on which the server's is set; a manual one is shared by both."""
        return ManualClock()

    # What the server knows

    @abstractmethod
    def live(self, server: S) -> dict[OrderKey, Fact]:
        """Every order that can still trade now."""

    @abstractmethod
    def ended(self, server: S) -> dict[OrderKey, Fact]:
        """Every order that is over, with its end in the words that the adapter should use."""

    @abstractmethod
    def details(self, server: S, key: OrderKey) -> Mapping[str, object]:
        """What the adapter must tell of a live order besides its `Fact`: fields of `Order`, texts as str."""

    @abstractmethod
    def arrivals(self, server: S) -> int:
        """How many requests have arrived so far, upgrades included."""

    # How orders come and go

    @abstractmethod
    def place(
        self, server: S, symbol: str | None = None, *, filled: bool = False, age: float = 0.0
    ) -> OrderKey:
        """Put a resting order into the book, `filled` in part if so asked, so many seconds old."""

    @property
    @abstractmethod
    def symbols(self) -> tuple[str, str]:
        """Two symbols that `place` takes; the first is its default."""

    @abstractmethod
    def finish(self, server: S, key: OrderKey, status: OrderStatus) -> None:
        """Let an order end as filled or canceled, by itself."""

    @abstractmethod
    def crowd(self, server: S) -> None:
        """Fill the book beyond every page, window and cap that the venue has, in every state of life."""

    @abstractmethod
    def crowd_of_one_instant(self, server: S) -> None:
        """Put more orders of one moment into the book than any page holds."""

    def beyond(self, server: S) -> frozenset[OrderKey]:
        """Put live orders into the book that no list can show; none where there are no blind spots."""
        return frozenset()

    @abstractmethod
    def rename(self, server: S, key: OrderKey, text: str) -> None:
        """Let an order's symbol be any text."""

    @abstractmethod
    def renumber(self, server: S, key: OrderKey, order_id: str) -> OrderKey:
        """Let an order's id be any text; its new key."""

    # How the server misbehaves

    @abstractmethod
    def spoil(self, server: S, fault: str, asks: Sequence[str]) -> None:
        """Switch a fault on, for some questions only."""

    @abstractmethod
    def mend(self, server: S) -> None:
        """Switch every fault off."""

    @abstractmethod
    def answer_with(self, server: S, status: int, body: bytes) -> None:
        """Answer everything with these bytes until `mend`."""

    # The stage

    @asynccontextmanager
    async def stage(
        self, *, orders: int = 0, skew: float = 0.0, timeout: float = PATIENCE, **changes: Any
    ) -> AsyncIterator[Stage[S]]:
        """A started server and an adapter to it; `skew` seconds is the server's clock ahead of ours.

        `timeout` is the adapter's own, for its stream; the port's is for a test to set.
        """
        ours = self.adapter_clock()
        shared = isinstance(ours, ManualClock) and not skew
        theirs = ours if isinstance(ours, ManualClock) and shared else ManualClock(ours.wall() + skew)
        server = self.make_server(theirs, orders)
        await server.start()
        port = PlainPort(server.base_url)
        venue = self.make_adapter(server, ours, timeout_seconds=timeout, **changes)
        try:
            yield Stage(server, venue, port, theirs, ours)
        finally:
            await venue.close()
            await port.wire.close()
            await server.stop()

    @asynccontextmanager
    async def another(
        self, stage: Stage[S], credentials: Mapping[str, str] | None = None, timeout: float = PATIENCE
    ) -> AsyncIterator[Stage[S]]:
        """A second adapter, with a port and a clock of its own, before the same server."""
        port = PlainPort(stage.server.base_url, timeout)
        clock = self.adapter_clock()
        venue = self.make_adapter(stage.server, clock, credentials, timeout_seconds=timeout)
        try:
            yield replace(stage, venue=venue, port=port, ours=clock)
        finally:
            await venue.close()
            await port.wire.close()

    async def asks_all(self, stage: Stage[S], key: OrderKey) -> dict[str, Ask]:
        """Every question about a live order of the default symbol; the adapter has listed once before."""
        return await stage.asks(key, self.symbols[0])

    def assert_silent(self, stage: Stage[S], said: object) -> None:
        """Nothing of the credentials shows in what came back."""
        shown = repr(said)
        for value in self.credentials(stage.server).values():
            for piece in value.split("\n"):
                assert len(piece) < 12 or piece not in shown

    def after(self, facts: Mapping[OrderKey, Fact], status: OrderStatus) -> dict[OrderKey, Fact]:
        """The same orders as they are when all of them have ended so."""
        return {key: replace_status(fact, status) for key, fact in facts.items()}


def replace_status(fact: Fact, status: OrderStatus) -> Fact:
    """The same with another status, and all of it filled where it says so."""
    filled = fact.quantity if status is OrderStatus.FILLED else fact.filled
    return fact._replace(status=status, filled=filled)
