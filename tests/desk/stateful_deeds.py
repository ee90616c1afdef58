"""What operators did, and what the venues have told each of their acts: counted from the logs alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any

from msgspec.structs import replace

from cancel_tui.desk.kill import Kill
from cancel_tui.orders import Order, OrderKey, OrderType
from cancel_tui.scope import Scope
from cancel_tui.venues.base import CancelAck, CancelAllAck, ClosedPage, PartList
from cancel_tui.venues.outcome import Answered
from tests.desk.stateful_market import Asked, Market, Truth


def means(scope: Scope, truth: Truth, market: Market) -> bool:
    """Whether an operator who typed this scope means this order: the contract's sentence, written again."""
    if scope.keys is not None and truth.key not in scope.keys:
        return False
    if scope.venues and market.name.lower() not in scope.venues:
        return False
    if scope.accounts and (truth.account or "").lower() not in scope.accounts:
        return False
    if scope.symbols and truth.symbol.lower() not in scope.symbols:
        return False
    if scope.sides and truth.side not in scope.sides:
        return False
    if scope.older_than is not None and truth.created > scope.older_than:
        return False
    return not (scope.keep_protective and truth.type is not OrderType.LIMIT)


def whole(scope: Scope) -> bool:
    """Whether whole venues or whole symbols are meant."""
    narrow = scope.keys is not None or scope.accounts or scope.older_than is not None or scope.keep_protective
    return not narrow and len(scope.sides) != 1


@dataclass(eq=False)
class Said:
    """What a venue has told one kill of one order."""

    ends: list[tuple[float, float, Order]] = field(default_factory=list)
    """Terminal words, with the times at which they came and at which they were asked for."""
    live_begun: float = -inf
    """When the newest request that showed it live was sent."""
    lives_after_end: int = 0
    """Answers to requests sent after its last end that show it live."""
    cancel_ended: float | None = None
    """When its last single cancel that left was answered or given up."""
    lost_at: float | None = None
    """When a cancel of it ended without an answer and nobody has asked since."""


@dataclass(eq=False)
class Deed:
    """One act of an operator."""

    kill: Kill
    task: asyncio.Task[Any]
    started: float
    seconds: float
    """From its start, or from when it started again, to its deadline."""
    held: bool
    """Whether it was ever asked to hold."""
    stopped: float = inf
    said: dict[OrderKey, Said] = field(default_factory=dict)
    lists: dict[tuple[str, str], list[Asked]] = field(default_factory=dict)
    """Complete lists that it got, by venue and part."""
    last_cancel: dict[str, float] = field(default_factory=dict)
    over: bool = False
    flat_wall: dict[str, float] = field(default_factory=dict)
    """When each venue was called flat the last time, wall seconds."""
    flat_mono: dict[str, float] = field(default_factory=dict)
    """The same, monotonic."""
    held_at: float = -inf
    before: dict[str, float] = field(default_factory=dict)
    """Where it started again for what was there before its flat: that moment."""
    was_flat: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.deadline = self.started + self.seconds

    def scope(self, market: Market) -> Scope:
        """What it means at a venue now."""
        scope, before = self.kill.scope, self.before.get(market.name)
        if before is None or scope.keys is not None:
            return scope
        older = before if scope.older_than is None else min(before, scope.older_than)
        return replace(scope, older_than=older)

    def of(self, key: OrderKey) -> Said:
        """What it was told of one order."""
        return self.said.setdefault(key, Said())


def line(asked: Asked) -> str:
    """One request in one line."""
    what = asked.key.order_id if asked.key else asked.part or asked.symbol
    orders = [f"{one.key.order_id}:{one.status}" for one in told(asked)]
    times = [f"{one:.3f}" if one is not None else "-" for one in (asked.asked, asked.left, asked.ended)]
    came = type(asked.outcome).__name__
    return f"{asked.kill or 'poll'} {asked.call} {what} {' '.join(times)} {came} {orders}"


def told(asked: Asked) -> Iterator[Order]:
    """The orders that an answer describes."""
    if not isinstance(asked.outcome, Answered):
        return
    value = asked.outcome.value
    if isinstance(value, Order):
        yield value
    elif isinstance(value, CancelAck):
        if value.order is not None:
            yield value.order
    elif isinstance(value, PartList | CancelAllAck | ClosedPage):
        yield from value.orders
