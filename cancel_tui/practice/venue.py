"""What practice venues have in common: one server, one book, keys of their own, the truth for checkers."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import ClassVar

from cancel_tui.clock import Clock
from cancel_tui.practice.http import Answer, Drop, HttpServer, Request, Response
from cancel_tui.practice.market import Activity, Book, SimOrder, State
from cancel_tui.practice.mischief import Faults, planned, strikes
from cancel_tui.practice.shown import Shown, chosen

CREDENTIALS_PATH = "/_practice/credentials"
"""Where a practice server hands out its throw-away keys; it listens on loopback only."""
TRUTH_PATH = "/_practice/truth"
"""Where a practice server tells what is really live: for checkers, never for the desk."""

SLOW = 2.0
"""Seconds of the faults `slow` and `slow_effect`."""
OUTAGE = 5.0
"""Seconds for which the fault `refuse` keeps the port closed."""
RESTART = 2.0
"""Seconds that the fault `restart` takes."""
FORGETS = 30.0
"""Seconds before a restart in which cancels may be forgotten by it."""
SKEW = 90.0
"""Seconds by which the server's clock is off under `skew` and `skew_back`."""
_CANCELS = ("cancel", "cancel_stop", "cancel_all")
_NEWCOMERS = 1 / 3


@dataclass(frozen=True, slots=True)
class Plan:
    """How a practice venue is to behave."""

    orders: int = 40
    """How many orders are open at the start."""
    seed: int = 7
    latency: float = 0.0
    """Seconds before each answer."""
    cancel_delay: float = 0.3
    """Seconds between `cancellation raised` and its effect, where the venue has two phases."""
    activity: Activity = field(default_factory=Activity)
    faults: tuple[str, ...] = ()
    """Names of misbehaviours; each venue ignores those it does not know."""
    enforce_limits: bool = True
    """Whether the documented rate limits are enforced with 429."""


class RateLimit:
    """At most `count` in any `seconds`, as the server sees the arrivals."""

    def __init__(self, clock: Clock, count: int, seconds: float) -> None:
        self._clock = clock
        self._count = count
        self._seconds = seconds
        self._seen: deque[float] = deque()

    def admit(self) -> bool:
        """Whether one more request may pass now; a refused one does not count."""
        now = self._clock.monotonic()
        while self._seen and self._seen[0] <= now - self._seconds:
            self._seen.popleft()
        if len(self._seen) >= self._count:
            return False
        self._seen.append(now)
        return True


class PracticeVenue(ABC):
    """One practice venue. Subclasses answer their dialect in `answer` and fill the book in `populate`."""

    kind: str
    """The contract's venue kind."""
    name: str
    """The table name it gets in a written configuration."""
    shared_faults: ClassVar[frozenset[str]] = frozenset()
    """Which of the faults that several venues share this one understands."""
    own_faults: ClassVar[Mapping[str, str]] = {}
    """The faults that only this venue has, each with what it does."""
    routes_known: ClassVar[frozenset[str]] = frozenset()
    """The routes that a fault may name behind `@`."""

    def __init__(self, clock: Clock, plan: Plan) -> None:
        self.clock = clock
        self.plan = plan
        self.faults: set[str] = Faults(plan.faults, plan.seed)
        """Names of misbehaviours that are on; may be changed at any time."""
        self.skew = 0.0
        """Seconds by which the server's clock is ahead of the clock that was handed in."""
        self.expired = False
        """Whether the credentials have expired."""
        self.book = Book(clock, plan.seed)
        self.shown = Shown(self.book, lambda: self.faults, self._shift)
        """What the open lists show."""
        self._mischance = Random(f"mischief/{plan.seed}")
        self._put_off: set[str] = set()
        self._outage: asyncio.Task[None] | None = None
        self.server = HttpServer(self._handle)
        self.seen: list[str] = []
        """`METHOD path` of each request, in order of arrival, without query; for tests."""
        self.throttled = 0
        """How many requests were answered with 429."""

    async def start(self) -> None:
        """Fill the book, then listen."""
        self.populate()
        await self.server.start()

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._outage is not None:
            self._outage.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._outage
        await self.server.stop()

    def wall(self) -> float:
        """What the server's own clock says, in seconds since the epoch."""
        off = self.skew
        if self.faults:
            off += SKEW if planned(self.faults, "skew") else 0.0
            off -= SKEW if planned(self.faults, "skew_back") else 0.0
        return self.clock.wall() + off

    def expire_credentials(self) -> None:
        """Refuse the credentials in use from now on."""
        self.expired = True

    @property
    @abstractmethod
    def base_url(self) -> str:
        """What the configuration's `base_url` must say, known after `start`."""

    @abstractmethod
    def credentials(self) -> Mapping[str, str]:
        """The throw-away credentials, by the contract's field names."""

    @abstractmethod
    def populate(self) -> None:
        """Put `plan.orders` open orders into the book, by the seed."""

    @abstractmethod
    def newcomer(self) -> SimOrder:
        """A fresh order, as its owner might place it now."""

    @abstractmethod
    def route_name(self, request: Request) -> str:
        """By which name faults know what this request asks for."""

    @abstractmethod
    async def answer(self, request: Request) -> Answer:
        """Answer one request in the venue's dialect; the book is settled already."""

    def table(self) -> dict[str, object]:
        """The venue's table for a configuration file."""
        return {"kind": self.kind, "base_url": self.base_url, "credentials": "practice"}

    def truth(self) -> list[dict[str, str]]:
        """What is live right now."""
        self.book.settle()
        return [_describe(order) for order in self.book.live()]

    def endings(self) -> list[dict[str, str]]:
        """What is over, and how it ended."""
        self.book.settle()
        return [_describe(order) for order in self.book.finished()]

    async def _handle(self, request: Request) -> Answer:
        self.book.settle()
        if request.path == CREDENTIALS_PATH:
            return Response.of(dict(self.credentials()))
        if request.path == TRUTH_PATH:
            return Response.of({"live": self.truth(), "finished": self.endings()})
        self.seen.append(f"{request.method} {request.path}")
        route = self.route_name(request)
        answer = await self._trouble(route) if self.faults else None
        if answer is None:
            answer = await self.answer(request)
            if isinstance(answer, Response) and answer.status == 429:
                self.throttled += 1
            if self.faults and route in _CANCELS:
                self._place_newcomers(route)
            if strikes(self.faults, "slow", route):
                await self.clock.sleep(SLOW)
        if self.plan.latency:
            await self.clock.sleep(self.plan.latency)
        return answer

    async def _trouble(self, route: str) -> Answer | None:
        """The faults of the whole server that strike before a request is looked at."""
        if strikes(self.faults, "refuse", route):
            self._go_down(OUTAGE)
            return Drop(reset=True)
        if strikes(self.faults, "restart", route):
            self._go_down(RESTART)
            for order in self.shown.ended(FORGETS):
                if order.state is State.CANCELLED and chosen(order):
                    self.book.change(order, State.RESTING)
            return Drop()
        if strikes(self.faults, "expires", route):
            self.expire_credentials()
        if strikes(self.faults, "slow_effect", route):
            await self.clock.sleep(SLOW)
            self.book.settle()
        return None

    def _go_down(self, seconds: float) -> None:
        """Refuse connections for so long."""
        if self._outage is None or self._outage.done():
            self._outage = asyncio.create_task(self._down(seconds))

    async def _down(self, seconds: float) -> None:
        await self.server.stop(keep_port=True)
        await self.clock.sleep(seconds)
        await self.server.start()

    def _place_newcomers(self, route: str) -> None:
        """Under fault `newcomers` somebody still places orders while others are cancelled."""
        if not strikes(self.faults, "newcomers", route):
            return
        for index in range(3 if route == "cancel_all" else 1):
            if route == "cancel_all" or self._mischance.random() < _NEWCOMERS:
                self.book.at(0.2 * (index + 1), self._place)

    def _place(self) -> None:
        self.book.add(self.newcomer())

    def _shift(self) -> None:
        """Move a list on between two of its pages: one order fills, one appears."""
        resting = [one for one in self.book.live() if one.state is State.RESTING and one.quantity > 0]
        resting = [one for one in resting if one.family == "order"]
        if resting:
            self.book.fill(self._mischance.choice(resting))
        self._place()

    def puts_off(self, order: SimOrder) -> bool:
        """Whether this is the first cancel of an order that is refused because it is being processed."""
        if order.id in self._put_off or not strikes(self.faults, "refuse_first", "cancel"):
            return False
        self._put_off.add(order.id)
        return True

    def raced(self, order: SimOrder, route: str) -> Decimal | None:
        """How much of an order fills before its cancel comes into effect; None where nothing does."""
        if strikes(self.faults, "fill_race", route):
            return order.remaining
        part = (order.remaining / 2).quantize(order.quantity)
        if 0 < part < order.remaining and strikes(self.faults, "part_fill_race", route):
            return part
        return None

    def reached(self, doomed: list[SimOrder]) -> tuple[list[SimOrder], bool]:
        """Which of these a cancel-all really takes, and whether it breaks off in the middle."""
        if strikes(self.faults, "cancel_all_noop", "cancel_all"):
            return [], False
        if strikes(self.faults, "cancel_all_skips", "cancel_all"):
            return [order for order in doomed if not chosen(order)], False
        if doomed and strikes(self.faults, "cancel_all_half", "cancel_all"):
            return doomed[: (len(doomed) + 1) // 2], True
        return doomed, False


def _describe(order: SimOrder) -> dict[str, str]:
    return {
        "order_id": order.id,
        "account": order.account,
        "family": order.family,
        "symbol": order.symbol,
        "side": order.side,
        "state": order.state.value,
        "filled": format(order.filled, "f"),
        "quantity": format(order.quantity, "f"),
    }
