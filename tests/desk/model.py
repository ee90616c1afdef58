"""A venue as a pure model: it knows the truth, misbehaves by a seed, and drives one engine.

No socket, no event loop: requests take their time in a queue of events, so that thousands of kills with
losses, refusals, fills and newcomers pass in seconds; each claim of the engine is held against the truth.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf
from typing import TypeVar

from cancel_tui.cancels import Ending
from cancel_tui.desk.engine import (
    Action,
    Aim,
    Engine,
    ListOrders,
    ReadClosed,
    ReadOrder,
    SendCancel,
    SendNative,
    Verdict,
)
from cancel_tui.orders import Family, Order, OrderId, OrderKey, OrderStatus, OrderType, Side, VenueName
from cancel_tui.scope import Match, Scope
from cancel_tui.settings import Budget
from cancel_tui.text import VenueText
from cancel_tui.venues.base import (
    CallClass,
    CancelAck,
    CancelAllAck,
    Capabilities,
    ClosedPage,
    ClosedPlan,
    ClosedQuery,
    Part,
    PartList,
    Parts,
    Touched,
)
from cancel_tui.venues.outcome import (
    Answered,
    NotSent,
    Outcome,
    Reason,
    Refused,
    Throttled,
    Unanswered,
)

T = TypeVar("T")
VENUE = VenueName("model")
WALL = 1_790_000_000.0


@dataclass
class Truth:
    """One order as it really is."""

    key: OrderKey
    side: Side
    symbol: str
    created: float
    quantity: Decimal = Decimal(10)
    filled: Decimal = Decimal(0)
    status: OrderStatus = OrderStatus.OPEN
    cancelled_by_us: bool = False
    hidden_until: float | None = None

    def order(self) -> Order:
        """As the venue would describe it."""
        return Order(
            key=self.key,
            symbol=VenueText(self.symbol),
            side=self.side,
            type=OrderType.LIMIT,
            price=Decimal(5),
            quantity=self.quantity,
            filled=self.filled,
            remaining=self.quantity - self.filled,
            status=self.status,
            created_at=WALL + self.created,
        )


@dataclass(frozen=True)
class Manners:
    """How the venue behaves; rates are chances from 0 to 1."""

    reads: bool = True
    lists_closed: bool = True
    native: bool = False
    scarce: bool = False
    two_phase: float = 0.3
    """Seconds between the acceptance and the effect of a cancel; 0 is at once and final."""
    lost: float = 0.0
    """Answers that never come; half of them after the effect."""
    not_sent: float = 0.0
    throttled: float = 0.0
    refused: float = 0.0
    """Cancels of live orders that are refused now."""
    list_fails: float = 0.0
    fills: float = 0.0
    """Fills a second."""
    newcomers: float = 0.0
    """New orders a second, for the first ten seconds."""
    native_lies: bool = False
    """The cancel-all answers ok and takes only a part."""
    lag: float = 0.0
    """Seconds for which each order is once missing from the lists although it is live; below `settle`."""
    past_windows: int = 0
    faults_end: float = 40.0
    """Seconds after which nothing goes wrong any more."""


@dataclass
class Model:
    """The venue, the engine and the queue of events between them."""

    manners: Manners
    scope: Scope
    seed: int
    orders: int = 12
    deadline: float = inf
    now: float = 0.0
    truths: dict[OrderKey, Truth] = field(default_factory=dict)
    claims: list[str] = field(default_factory=list)
    requests: int = 0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: Iterator[int] = field(default_factory=itertools.count)
    _noted: int = 0
    _marks: dict[OrderKey, tuple[object, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        for _ in range(self.orders):
            self.place(-self.random.uniform(1, 40 * 86_400 if self.manners.past_windows else 3600))
        m = self.manners
        budgets = {CallClass.LIST: Budget(20, 60)} if m.scarce else {}
        self.capabilities = Capabilities(
            cancel_all=m.native,
            cancel_all_symbol=m.native,
            read_order=m.reads,
            closed_page=50 if m.lists_closed else None,
            budgets=budgets,
            connections=4,
        )
        aim = Aim(self.scope, 1.0, self.deadline, 0.0, False, 2.0)
        self.engine = Engine(VENUE, self.capabilities, aim, 0.0)
        self.engine.closed_planner = self._plan
        if m.fills:
            self._later(self.random.expovariate(m.fills), self._fill)
        if m.newcomers:
            self._later(self.random.expovariate(m.newcomers), self._newcomer)

    # ------------------------------------------------------------------ the venue

    def place(self, created: float) -> Truth:
        """A new order."""
        number = next(self._count)
        key = OrderKey(VENUE, None, Family.ORDER, OrderId(f"o{number}"))
        truth = Truth(key, self.random.choice(list(Side)), self.random.choice(["AAA", "BBB"]), created)
        self.truths[key] = truth
        return truth

    def scoped(self, truth: Truth) -> bool:
        """Whether the scope means this order."""
        return self.scope.match(truth.order(), self.capabilities.lacks) is Match.YES

    def live(self) -> list[Truth]:
        """Orders in scope that can still trade and were there when the proof's lists were begun.

        Where lists lag, an order that is born between the two lists may be in neither.
        """
        streak = self.engine.proof.streak
        seen = inf if not streak else streak[0] if self.manners.lag else streak[-1]
        return [
            truth
            for truth in self.truths.values()
            if truth.status.live and truth.created < seen and self.scoped(truth)
        ]

    def _fill(self) -> None:
        live = [truth for truth in self.truths.values() if truth.status.live]
        if live:
            truth = self.random.choice(live)
            if self.random.random() < 0.5:
                truth.filled, truth.status = truth.quantity, OrderStatus.FILLED
            elif truth.filled < 9:
                truth.filled += 1
                if truth.status is OrderStatus.OPEN:
                    truth.status = OrderStatus.PARTIALLY_FILLED
        if self.now < self.manners.faults_end:
            self._later(self.random.expovariate(self.manners.fills), self._fill)

    def _newcomer(self) -> None:
        self.place(self.now)
        if self.now < 10:
            self._later(self.random.expovariate(self.manners.newcomers), self._newcomer)

    def _take(self, truth: Truth) -> None:
        truth.cancelled_by_us = True
        if self.manners.two_phase <= 0:
            truth.status = OrderStatus.CANCELED
            return
        truth.status = OrderStatus.PENDING_CANCEL

        def effect() -> None:
            if truth.status.live:
                truth.status = OrderStatus.CANCELED

        self._later(self.manners.two_phase * self.random.uniform(0.5, 1.5), effect)

    def _cancel(self, key: OrderKey) -> Outcome[CancelAck]:
        truth = self.truths[key]
        if truth.status.terminal:
            reason = self.random.choice([Reason.ORDER, Reason.NOT_FOUND])
            return Refused(reason, VenueText("no such live order"))
        if truth.status is OrderStatus.PENDING_CANCEL:
            return Refused(Reason.ORDER, VenueText("being cancelled"))
        if self._bad(self.manners.refused):
            return Refused(self.random.choice([Reason.ORDER, Reason.BUSY]), VenueText("not now"))
        self._take(truth)
        return Answered(CancelAck(truth.order()))

    def _cancel_all(self, symbol: str | None) -> Outcome[CancelAllAck]:
        ids: list[OrderId] = []
        for truth in self.truths.values():
            if symbol is not None and truth.symbol != symbol:
                continue
            if truth.status.terminal or truth.status is OrderStatus.PENDING_CANCEL:
                continue
            if self.manners.native_lies and self.random.random() < 0.4:
                if self.random.random() < 0.5:
                    ids.append(truth.key.order_id)
                continue
            self._take(truth)
            ids.append(truth.key.order_id)
        return Answered(CancelAllAck(ids=tuple(ids)))

    def _hidden(self, truth: Truth) -> bool:
        if (
            truth.hidden_until is None
            and self._window(truth) == "newest"
            and self._bad(0.5 if self.manners.lag else 0.0)
        ):
            truth.hidden_until = self.now + self.manners.lag
        return truth.hidden_until is not None and self.now < truth.hidden_until

    def _window(self, truth: Truth) -> str:
        if not self.manners.past_windows or truth.created > -7 * 86_400:
            return "newest"
        return f"past:{min(self.manners.past_windows, int(-truth.created // (7 * 86_400)))}"

    def _plan(self, touched: Sequence[Touched]) -> ClosedPlan:
        keys = [one.key for one in touched if one.order is not None]
        return ClosedPlan((ClosedQuery(),), frozenset(keys)) if keys else ClosedPlan()

    # ------------------------------------------------------------------ time and transport

    def _later(self, delay: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay, next(self._count), act))

    def _bad(self, chance: float) -> bool:
        return self.now < self.manners.faults_end and self.random.random() < chance

    def _send(
        self, effect: Callable[[], Outcome[T]], done: Callable[[Outcome[T]], None], losable: float
    ) -> None:
        """One request: it arrives, takes effect, is answered; or something of that goes wrong."""
        self.requests += 1
        if self._bad(self.manners.not_sent):
            self._later(0.01, lambda: done(NotSent("no connection")))
            return

        def arrive() -> None:
            if self._bad(self.manners.throttled):
                self._later(self.random.uniform(0.01, 0.1), lambda: done(Throttled()))
                return
            if self._bad(losable / 2):
                self._later(1.0, lambda: done(Unanswered("reset")))
                return
            outcome = effect()
            if self._bad(losable / 2):
                outcome = Unanswered("no answer")
            self._later(self.random.uniform(0.01, 0.2), lambda: done(outcome))

        self._later(self.random.uniform(0.01, 0.2), arrive)

    def _start(self, action: Action) -> None:
        engine, begun = self.engine, self.now
        if isinstance(action, SendCancel):
            key = action.key
            if not self.scoped(self.truths[key]):
                self.claims.append(f"{key.order_id} is out of scope and was cancelled")
            self._send(
                lambda: self._cancel(key),
                lambda out: engine.took_cancel(key, out, self.now, WALL + self.now),
                self.manners.lost,
            )
        elif isinstance(action, SendNative):
            symbol = action.symbol
            self._send(
                lambda: self._cancel_all(symbol),
                lambda out: engine.took_native(symbol, out, self.now, WALL + self.now),
                self.manners.lost,
            )
        elif isinstance(action, ReadOrder):
            self._read(action.key, begun)
        elif isinstance(action, ListOrders):
            self._list(begun)
        else:
            self._closed(action)

    def _read(self, key: OrderKey, begun: float) -> None:
        def look() -> Outcome[Order]:
            return Answered(self.truths[key].order())

        self._send(
            look,
            lambda out: self.engine.took_read(key, out, begun, self.now, WALL + self.now),
            self.manners.lost,
        )

    def _list(self, begun: float) -> None:
        names = ["newest", *(f"past:{number}" for number in range(1, self.manners.past_windows + 1))]
        wanted = self.engine.took_parts(Parts(tuple(Part(name, name != "newest") for name in names)))
        found: dict[str, tuple[float, Outcome[PartList]]] = {}

        def ask(part: Part) -> None:
            def look() -> Outcome[PartList]:
                rows = [
                    truth.order()
                    for truth in self.truths.values()
                    if truth.status.live and self._window(truth) == part.id and not self._hidden(truth)
                ]
                return Answered(PartList(tuple(rows)))

            def done(out: Outcome[PartList]) -> None:
                found[part.id] = (begun, out)
                if len(found) == len(wanted):
                    self.engine.took_list(begun, found, None, self.now, WALL + self.now)

            self._send(look, done, self.manners.list_fails)

        for part in wanted:
            ask(part)

    def _closed(self, action: ReadClosed) -> None:
        rows: list[Order] = []

        def look() -> Outcome[ClosedPage]:
            rows[:] = [truth.order() for truth in self.truths.values() if truth.status.terminal]
            return Answered(ClosedPage(tuple(rows)))

        def done(out: Outcome[ClosedPage]) -> None:
            seen = rows if isinstance(out, Answered) else []
            self.engine.took_closed(action, out, seen, frozenset(), self.now, WALL + self.now)

        self._send(look, done, self.manners.lost)

    # ------------------------------------------------------------------ the run

    def run(self, longest: float = 600.0, steps: int = 60_000) -> None:
        """Let everything happen until the engine is done; every claim is checked on the way."""
        for _ in range(steps):
            for action in self.engine.next(self.now):
                self._start(action)
            self.check()
            if self.claims or (self.engine.done(self.now) and not self.engine.flying):
                return
            wake = min(self.engine.wake_at(self.now), self.now + 0.5)
            if self._events and self._events[0][0] <= wake:
                when, _, act = heapq.heappop(self._events)
                self.now = max(self.now, when)
                act()
            else:
                self.now = max(wake, self.now + 0.001)
            if self.now > longest:
                self.claims.append("the kill does not come to an end")
                return
        self.claims.append("the kill goes round in circles")

    def _overlooked(self) -> list[str]:
        """Tracks that are others than at the last step without having been noted as changed."""
        changes, tracks = self.engine.changes, self.engine.tracks
        noted = changes.since(self._noted)
        self._noted = changes.serial
        marks: dict[OrderKey, tuple[object, ...]] = {
            key: (one.stage, one.since, one.outcome, one.message, one.blocked, one.order)
            for key, one in tracks.items()
        }
        different = [key for key, mark in marks.items() if self._marks.get(key) != mark]
        self._marks = marks
        return [] if noted is None else [key.order_id for key in different if key not in noted]

    def check(self) -> None:
        """Hold what the engine says against the truth."""
        if overlooked := self._overlooked():
            self.claims.append(f"changed at {self.now:.2f} and not noted: {overlooked}")
        if self.engine.verdict is Verdict.FLAT and self.live():
            left = [truth.key.order_id for truth in self.live()]
            self.claims.append(f"FLAT at {self.now:.2f} with {left} live")
        for key, track in self.engine.tracks.items():
            truth = self.truths[key]
            outcome = track.outcome
            if outcome in (Ending.OPEN, Ending.UNKNOWN):
                continue
            if truth.status.live:
                self.claims.append(f"{key.order_id} is {outcome} in our words, {truth.status} in truth")
            elif outcome is Ending.GONE:
                if self.manners.reads:
                    self.claims.append(f"{key.order_id} is gone although the venue could tell")
            elif outcome.value != truth.status.value or track.filled != truth.filled:
                self.claims.append(f"{key.order_id}: {outcome} {track.filled}, in truth {truth}")
