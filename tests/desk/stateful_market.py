"""A model venue's truth: its orders, its temper, a log of all that was asked. No desk in it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from cancel_tui.clock import ManualClock
from cancel_tui.orders import (
    AccountId,
    Family,
    Order,
    OrderId,
    OrderKey,
    OrderStatus,
    OrderType,
    Side,
    VenueName,
)
from cancel_tui.settings import Budget
from cancel_tui.text import VenueText
from cancel_tui.venues.base import (
    CallClass,
    CancelAck,
    CancelAllAck,
    Capabilities,
    ClosedPage,
    ClosedQuery,
    PartList,
)
from cancel_tui.venues.outcome import Answered, Outcome, Reason, Refused

SYMBOLS = ("AAA/USD", "BBB/USD")
ACCOUNTS = ("one", "two")
SETTLE = 1.0
"""Seconds between the two lists of a verdict."""
PAGE = 3
"""Finished orders on a page."""


class Mood(StrEnum):
    """What a venue does to requests while its trouble lasts."""

    FINE = "fine"
    HANG = "hang"
    """Takes the request and never answers; it takes effect all the same, late or not at all."""
    REFUSE = "refuse"
    """No connection."""
    LOSE = "lose"
    """It takes effect and the answer is lost."""
    BREAK = "break"
    """500, nothing was done."""
    BREAK_AFTER = "break after"
    """500, although it was done."""
    THROTTLE = "throttle"
    DENY = "deny"
    """The credentials are refused."""
    HALT = "halt"
    """Cancels are refused, in any of a venue's words; 404 for an order that lives among them."""
    SLOW = "slow"
    CUT = "cut"
    """Lists break off: what they hold is true, and they are incomplete."""


class Honesty(StrEnum):
    """What the native cancel-all does behind its answer."""

    HONEST = "honest"
    SKIPS = "skips"
    NOTHING = "nothing"
    SILENT = "silent"
    """Does all of it and names nobody."""


@dataclass(frozen=True)
class Temper:
    """What kind of venue this is; it stays so."""

    reads: bool = True
    closed: bool = True
    native: bool = False
    native_symbol: bool = False
    honesty: Honesty = Honesty.HONEST
    two_phase: float = 0.0
    """Seconds between the acceptance and the effect of a cancel; 0 is at once and final."""
    forgets: bool = False
    """Asked for a finished order, it knows none."""
    tight: bool = False
    """Documented budgets of a few requests."""
    accounts: bool = False
    past: bool = False
    """A past window of its own for old orders."""
    connections: int = 3
    seed: int = 0

    @property
    def capabilities(self) -> Capabilities:
        """In the vocabulary."""
        budgets: dict[CallClass, Budget] = {}
        if self.tight:
            budgets = {
                CallClass.CANCEL: Budget(2, 3.0),
                CallClass.LIST: Budget(6, 2.0),
                CallClass.STATUS: Budget(4, 1.0),
                CallClass.CLOSED: Budget(4, 2.0),
            }
        return Capabilities(
            cancel_all=self.native,
            cancel_all_symbol=self.native_symbol,
            cancel_all_takes_protective=True,
            read_order=self.reads,
            closed_page=PAGE if self.closed else None,
            budgets=budgets,
            connections=self.connections,
            timeout_seconds=5.0,
            lacks=frozenset({"exchange"} if self.accounts else {"account", "exchange"}),
        )


@dataclass(eq=False)
class Truth:
    """One order as it really is."""

    key: OrderKey
    side: Side
    symbol: str
    type: OrderType
    account: AccountId | None
    created: float
    """Wall seconds."""
    live_since: float
    """Monotonic seconds: its birth, or when a restart brought it back."""
    quantity: Decimal
    old: bool = False
    filled: Decimal = Decimal(0)
    status: OrderStatus = OrderStatus.OPEN
    hidden_until: float = 0.0
    hidden_long: bool = False
    """Was once missing from the lists for longer than `settle` (in a past window, which is read once, for
    however long): a false flat may come, and is withdrawn when the lists show it."""
    hidden_once: bool = False
    haunts: bool = False
    """Over, and yet the lists go on showing it as open."""
    haunted: Order | None = None

    def order(self) -> Order:
        """As the venue describes it."""
        return Order(
            key=self.key,
            account=self.account,
            symbol=VenueText(self.symbol),
            side=self.side,
            type=self.type,
            price=Decimal("5.25"),
            quantity=self.quantity,
            filled=self.filled,
            remaining=self.quantity - self.filled,
            status=self.status,
            created_at=self.created,
        )


@dataclass(eq=False)
class Asked:
    """One request of the desk, from the wish to the answer. Times are monotonic seconds."""

    no: int
    call: CallClass
    kill: str | None
    """Whose it is; None for a poll."""
    key: OrderKey | None
    symbol: str | None
    part: str | None
    query: ClosedQuery | None
    asked: float
    admitted: float | None = None
    """Its turn came."""
    dialling: bool = False
    left: float | None = None
    ended: float | None = None
    """Answered, given up, or not sent."""
    value: Outcome[Any] | None = None
    """What the venue answers, as of the arrival."""
    outcome: Outcome[Any] | None = None
    """What the desk was told."""


@dataclass(eq=False)
class Market:
    """One venue as it really is."""

    name: VenueName
    temper: Temper
    clock: ManualClock
    truths: dict[OrderKey, Truth] = field(default_factory=dict)
    log: list[Asked] = field(default_factory=list)
    fresh: list[Asked] = field(default_factory=list)
    """Ended, and not yet seen by the judge."""
    open: dict[int, Asked] = field(default_factory=dict)
    """Asked and not ended."""
    departures: list[Asked] = field(default_factory=list)
    """Left, and not yet seen by the judge."""
    arrivals: dict[CallClass, list[float]] = field(default_factory=dict)
    later: Callable[[float, Callable[[], None]], None] = lambda *_: None
    """Do something so many seconds from now; the driver hands it in."""
    mood: Mood = Mood.FINE
    chance: float = 1.0
    """How often the mood shows."""
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.temper.seed)
        self.capabilities = self.temper.capabilities
        self.throttled_at = -1e9
        self.fine_since = 0.0
        """Since when nothing has been wrong here."""

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self.clock.monotonic()

    # ------------------------------------------------------------------ the market

    def place(self, *, age: float = 0.0, protective: bool = False) -> Truth:
        """A new order; one with an age is in the book already, and `old` enough for the past window."""
        number = len(self.truths)
        key = OrderKey(self.name, None, Family.ORDER, OrderId(f"{self.name}{number}"))
        roll = self.random
        truth = Truth(
            key,
            roll.choice(list(Side)),
            roll.choice(SYMBOLS),
            OrderType.STOP_LIMIT if protective else OrderType.LIMIT,
            AccountId(roll.choice(ACCOUNTS)) if self.temper.accounts else None,
            self.clock.wall() - age,
            self.now,
            Decimal("2.000000000000000001") + roll.randrange(5),
            old=age > 3600.0,
        )
        self.truths[key] = truth
        return truth

    def live(self) -> list[Truth]:
        """Orders that can still trade."""
        return [one for one in self.truths.values() if one.status.live]

    def fill(self, truth: Truth, *, whole: bool) -> None:
        """A trade; the amounts have more digits than a float."""
        if not truth.status.live:
            return
        if whole:
            truth.filled, truth.status = truth.quantity, OrderStatus.FILLED
            return
        truth.filled += (truth.quantity - truth.filled) * Decimal("0.333333333333333333")
        if truth.status is OrderStatus.OPEN:
            truth.status = OrderStatus.PARTIALLY_FILLED

    def expire(self, truth: Truth) -> None:
        """Its time is over."""
        if truth.status.live:
            truth.status = OrderStatus.EXPIRED

    def restart(self, truth: Truth) -> None:
        """A restart brings a cancelled order back."""
        if truth.status is OrderStatus.CANCELED:
            truth.status = OrderStatus.PARTIALLY_FILLED if truth.filled else OrderStatus.OPEN
            truth.live_since = self.now
            truth.haunts = False
            # A past window that was read and empty is not read again; what a restart puts there stays hidden.
            truth.hidden_long = truth.hidden_long or (truth.old and self.temper.past)

    def hide(self, truth: Truth, seconds: float) -> None:
        """The lists lag: they miss it for so long; once only, so that two lists are never cheated in turn."""
        if truth.hidden_once:
            return
        truth.hidden_once = True
        truth.hidden_until = self.now + seconds
        truth.hidden_long = truth.hidden_long or seconds >= SETTLE or self.part_of(truth) == "past"

    def haunt(self, truth: Truth) -> None:
        """The lists hold on to an order that is over."""
        if truth.status.terminal:
            truth.haunts = True

    def change(self, mood: Mood, chance: float = 1.0) -> None:
        """Another mood."""
        if mood is Mood.FINE and self.mood is not Mood.FINE:
            self.fine_since = self.now
        self.mood, self.chance = mood, chance

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.change(Mood.FINE)
        for truth in self.truths.values():
            truth.haunts = False
            truth.hidden_until = min(truth.hidden_until, self.now)

    # ------------------------------------------------------------------ what requests do

    def bad(self, mood: Mood) -> bool:
        """Whether this request meets that trouble."""
        return self.mood is mood and self.random.random() < self.chance

    def effect(self, asked: Asked) -> Outcome[Any]:
        """The request has arrived: what it does, and what is answered."""
        call = asked.call
        if call is CallClass.CANCEL and asked.key is not None:
            return self._cancel(asked.key)
        if call is CallClass.CANCEL_ALL:
            return self._cancel_all(asked.symbol)
        if call is CallClass.STATUS and asked.key is not None:
            return self._read(asked.key)
        if call is CallClass.LIST:
            rows = tuple(self._listed(one) for one in self.truths.values() if self._shows(one, asked.part))
            return Answered(PartList(rows, complete=True))
        if call is CallClass.CLOSED:
            return self._closed(asked.query)
        return Answered(0.0)

    def part_of(self, truth: Truth) -> str:
        """The part of the list that it stands in."""
        if truth.old and self.temper.past:
            return "past"
        return f"account:{truth.account}" if truth.account else "newest"

    def part_ids(self) -> list[str]:
        """What a complete list consists of."""
        names = [f"account:{one}" for one in ACCOUNTS] if self.temper.accounts else ["newest"]
        return names + (["past"] if self.temper.past else [])

    def _shows(self, truth: Truth, part: str | None) -> bool:
        if self.part_of(truth) != part or self.now < truth.hidden_until:
            return False
        return truth.status.live or truth.haunts

    def _listed(self, truth: Truth) -> Order:
        if not truth.haunts or truth.status.live:
            return truth.order()
        status, truth.status = truth.status, OrderStatus.OPEN
        row = truth.order()
        truth.status = status
        return row

    def _cancel(self, key: OrderKey) -> Outcome[CancelAck]:
        truth = self.truths[key]
        if truth.status.terminal:
            reason = self.random.choice([Reason.ORDER, Reason.NOT_FOUND])
            return Refused(reason, VenueText("no such live order"))
        if truth.status is OrderStatus.PENDING_CANCEL:
            return Refused(Reason.ORDER, VenueText("being cancelled"))
        if self.bad(Mood.HALT):
            reason = self.random.choice([Reason.ORDER, Reason.BUSY, Reason.NOT_FOUND])
            return Refused(reason, VenueText("not now"))
        self._take(truth)
        return Answered(CancelAck(truth.order() if self.random.random() < 0.8 else None))

    def _cancel_all(self, symbol: str | None) -> Outcome[CancelAllAck]:
        if self.bad(Mood.HALT):
            return Refused(self.random.choice([Reason.ORDER, Reason.BUSY]), VenueText("not now"))
        ids: list[OrderId] = []
        for truth in self.live():
            if (symbol is not None and truth.symbol != symbol) or truth.status is OrderStatus.PENDING_CANCEL:
                continue
            honesty = self.temper.honesty
            if honesty is Honesty.NOTHING or (honesty is Honesty.SKIPS and self.random.random() < 0.5):
                if self.random.random() < 0.5:
                    ids.append(truth.key.order_id)
                continue
            self._take(truth)
            if honesty is not Honesty.SILENT:
                ids.append(truth.key.order_id)
        return Answered(CancelAllAck(ids=tuple(ids)))

    def _take(self, truth: Truth) -> None:
        if self.temper.two_phase <= 0:
            truth.status = OrderStatus.CANCELED
            return
        truth.status = OrderStatus.PENDING_CANCEL

        def effect() -> None:
            if truth.status is OrderStatus.PENDING_CANCEL:
                truth.status = OrderStatus.CANCELED

        self.later(self.temper.two_phase * self.random.uniform(0.5, 1.5), effect)

    def _read(self, key: OrderKey) -> Outcome[Order]:
        truth = self.truths[key]
        lags = self.now < truth.hidden_until and self.random.random() < 0.5
        if lags or (truth.status.terminal and self.temper.forgets):
            return Refused(Reason.NOT_FOUND, VenueText("no such order"), 404)
        return Answered(truth.order())

    def _closed(self, query: ClosedQuery | None) -> Outcome[ClosedPage]:
        ended = [one for one in self.truths.values() if one.status.terminal]
        first = int(query.cursor or 0) if query else 0
        rows = tuple(one.order() for one in ended[first : first + PAGE])
        more = first + PAGE < len(ended)
        return Answered(ClosedPage(rows, ClosedQuery(cursor=str(first + PAGE)) if more else None))
