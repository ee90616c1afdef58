"""The simulated book behind every practice venue: orders that fill, expire and are cancelled in two phases.

Nothing here runs by itself: `Book.settle` carries out what is due by the clock, and every request calls it
first. So a manual clock decides everything, and equal seeds give equal books.
"""

from __future__ import annotations

import heapq
import itertools
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter

from cancel_tui.clock import Clock


class State(StrEnum):
    """What has become of a simulated order, in words that no venue uses on its wire."""

    PENDING = "pending"
    """Taken, not yet in the engine."""
    RESTING = "resting"
    LEAVING = "leaving"
    """A cancel was taken and has not come into effect; the order may still fill."""
    LAPSING = "lapsing"
    """An expiry was raised and has not come into effect."""
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    TRIGGERED = "triggered"
    """A waiting stop whose price was hit; a new order was placed."""

    @property
    def live(self) -> bool:
        """Whether the order can still trade."""
        return self in _LIVE


_LIVE = frozenset({State.PENDING, State.RESTING, State.LEAVING, State.LAPSING})


@dataclass(slots=True)
class SimOrder:
    """One order of the simulation. Times are seconds since the epoch, amounts in base units."""

    id: str
    symbol: str
    side: str
    """`buy` or `sell`."""
    type: str
    """The venue's own word for the order type."""
    price: Decimal | None
    quantity: Decimal
    created: float
    updated: float
    filled: Decimal = Decimal(0)
    average: Decimal = Decimal(0)
    state: State = State.RESTING
    trigger: Decimal | None = None
    account: str = ""
    family: str = "order"
    tif: str = "gtc"
    extra: dict[str, str] = field(default_factory=dict)
    """Whatever else the venue's wire carries (instrument type, exchange, source …)."""

    @property
    def remaining(self) -> Decimal:
        """What has not filled."""
        return self.quantity - self.filled


_age = attrgetter("created", "id")


@dataclass
class Book:
    """All orders of one practice venue, the finished ones included, and what will happen to them."""

    clock: Clock
    seed: int
    orders: dict[str, SimOrder] = field(default_factory=dict)
    watchers: list[Callable[[SimOrder], None]] = field(default_factory=list)
    """Called after each change of an order; streams push from here."""
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def new_id(self) -> str:
        """A UUID from the seed."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def at(self, delay: float, act: Callable[[], None]) -> None:
        """Let `act` happen `delay` seconds from now, at the first `settle` past that time."""
        heapq.heappush(self._due, (self.clock.monotonic() + delay, next(self._count), act))

    def settle(self) -> None:
        """Carry out everything that is due by now, in the order of its time."""
        now = self.clock.monotonic()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()

    def add(self, order: SimOrder) -> SimOrder:
        """Put an order into the book."""
        self.orders[order.id] = order
        self._tell(order)
        return order

    def live(self) -> list[SimOrder]:
        """The orders that can still trade, newest first."""
        live = [order for order in self.orders.values() if order.state in _LIVE]
        return sorted(live, key=_age, reverse=True)

    def finished(self) -> list[SimOrder]:
        """The orders that are over, newest created first."""
        finished = [order for order in self.orders.values() if order.state not in _LIVE]
        return sorted(finished, key=_age, reverse=True)

    def change(self, order: SimOrder, state: State) -> None:
        """Put an order into a state and stamp it."""
        order.state = state
        order.updated = self.clock.wall()
        self._tell(order)

    def fill(self, order: SimOrder, quantity: Decimal | None = None) -> None:
        """Fill an order, in full without a quantity; a finished order stays as it is."""
        if not order.state.live:
            return
        amount = order.remaining if quantity is None else min(quantity, order.remaining)
        order.filled += amount
        order.average = order.price or order.trigger or Decimal(1)
        order.updated = self.clock.wall()
        if order.remaining == 0 and order.quantity > 0:
            order.state = State.FILLED
        self._tell(order)

    def cancel(self, order: SimOrder, delay: float, *, then: State = State.CANCELLED) -> None:
        """Start a two-phase cancel that comes into effect after `delay`; at once where it is zero.

        An order that fills in between ends as filled.
        """
        if delay <= 0:
            self.change(order, then)
            return
        self.change(order, State.LEAVING if then is State.CANCELLED else State.LAPSING)

        def effect() -> None:
            if order.state.live:
                self.change(order, then)

        self.at(delay, effect)

    def _tell(self, order: SimOrder) -> None:
        for watcher in list(self.watchers):
            watcher(order)


@dataclass(frozen=True, slots=True)
class Activity:
    """How lively a practice venue is while it runs; rates are events a second for the whole venue."""

    fills: float = 0.0
    partial_fills: float = 0.0
    newcomers: float = 0.0
    expiries: float = 0.0


class Motion:
    """Moves a book about by its seed: fills, part fills, expiries, newcomers."""

    def __init__(self, book: Book, activity: Activity, newcomer: Callable[[], SimOrder]) -> None:
        self._book = book
        self._activity = activity
        self._newcomer = newcomer
        self._random = random.Random(book.seed ^ 0x5EED)

    def start(self) -> None:
        """Schedule the first event of each sort that has a rate."""
        for rate, act in (
            (self._activity.fills, self._fill),
            (self._activity.partial_fills, self._part_fill),
            (self._activity.newcomers, self._new),
            (self._activity.expiries, self._expire),
        ):
            if rate > 0:
                self._again(rate, act)

    def _again(self, rate: float, act: Callable[[], None]) -> None:
        def run() -> None:
            act()
            self._again(rate, act)

        self._book.at(self._random.expovariate(rate), run)

    def _pick(self) -> SimOrder | None:
        resting = [
            order
            for order in self._book.live()
            if order.state is State.RESTING and order.family == "order" and order.quantity > 0
        ]
        return self._random.choice(resting) if resting else None

    def _fill(self) -> None:
        order = self._pick()
        if order:
            self._book.fill(order)

    def _part_fill(self) -> None:
        order = self._pick()
        if order and order.remaining > 0:
            step = (order.remaining / 2).quantize(order.quantity)
            if 0 < step < order.remaining:
                self._book.fill(order, step)

    def _expire(self) -> None:
        order = self._pick()
        if order:
            self._book.cancel(order, 0.2, then=State.EXPIRED)

    def _new(self) -> None:
        self._book.add(self._newcomer())
