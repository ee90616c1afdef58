"""What a command may touch: one value, one matching function, three answers. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

import msgspec

from cancel_tui.orders import Family, Order, OrderKey, OrderType, Side


class Match(Enum):
    """Whether an order is in a scope. `UNREADABLE` is neither: such an order is named, never touched."""

    YES = "yes"
    NO = "no"
    UNREADABLE = "unreadable"


class Scope(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """AND between the fields, OR within one; empty means everything. Values match ignoring case."""

    venues: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    symbols: frozenset[str] = frozenset()
    sides: frozenset[Side] = frozenset()
    exchanges: frozenset[str] = frozenset()
    older_than: float | None = None
    """Only orders created before this moment, seconds since the epoch; fixed when the command starts."""
    keys: frozenset[OrderKey] | None = None
    """A frozen list of orders (marked, filtered or named); it never grows by newcomers."""
    keep_protective: bool = False
    """Leave stop and take-profit orders alone, and what may be one because its type cannot be read."""
    raw: dict[str, list[str]] = msgspec.field(default_factory=dict)
    """The values as they were typed, for reports; scopes that differ in nothing else are equal."""

    @property
    def _meant(self) -> tuple[object, ...]:
        limits = self.venues, self.accounts, self.symbols, self.sides, self.exchanges
        return *limits, self.older_than, self.keys, self.keep_protective

    def __eq__(self, other: object) -> bool:
        return self._meant == other._meant if isinstance(other, Scope) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._meant)

    def venue_in(self, name: str) -> bool:
        """Whether a venue may hold orders of this scope."""
        if self.keys is not None and not any(key.venue == name for key in self.keys):
            return False
        return not self.venues or name.casefold() in self.venues

    def match(self, order: Order, lacks: frozenset[str] = frozenset()) -> Match:
        """Whether the order is in scope; unreadable where a scoped field is missing.

        `lacks` names fields (`account`, `exchange`) that the order's venue does not have at all: a scope
        by such a field simply does not hold its orders.
        """
        # Not by `venue_in`: that would go through a frozen list once more for each order.
        if self.keys is not None and order.key not in self.keys:
            return Match.NO
        if self.venues and order.venue.casefold() not in self.venues:
            return Match.NO
        if not self._limited:
            return Match.YES
        # Only what is limited is looked at: this is asked of every order of every list, and before the first
        # cancel of a kill leaves.
        if self.sides and (side := _side(self.sides, order.side)) is Match.NO:
            return side
        answers = [side] if self.sides else []
        if self.accounts:
            answers.append(_within(self.accounts, order.account, "account" in lacks))
        if self.symbols:
            answers.append(_within(self.symbols, order.symbol.raw if order.symbol else None, False))
        if self.exchanges:
            exchange = order.exchange.raw if order.exchange else None
            answers.append(_within(self.exchanges, exchange, "exchange" in lacks))
        if self.older_than is not None:
            answers.append(_age(self.older_than, order.created_at))
        if self.keep_protective:
            answers.append(_expendable(order))
        if Match.NO in answers:
            return Match.NO
        return Match.UNREADABLE if Match.UNREADABLE in answers else Match.YES

    @property
    def _limited(self) -> bool:
        """Whether a field of an order besides its venue and its id can take it out."""
        return bool(
            self.accounts
            or self.symbols
            or self.exchanges
            or self.sides
            or self.older_than is not None
            or self.keep_protective
        )

    @property
    def sideless(self) -> bool:
        """Whether no side is excluded: none named, or both."""
        return not self.sides or len(self.sides) == len(Side)

    @property
    def native(self) -> bool:
        """Whether whole venues, or whole symbols, are meant: what a venue's cancel-all may serve."""
        return (
            self.sideless
            and not self.accounts
            and not self.exchanges
            and self.older_than is None
            and self.keys is None
            and not self.keep_protective
        )

    @property
    def grows(self) -> bool:
        """Whether orders that appear while the kill runs belong to it."""
        return self.keys is None


_SIDES = len(Side)


def _within(wanted: frozenset[str], value: str | None, absent: bool) -> Match:
    if value is None:
        return Match.NO if absent else Match.UNREADABLE
    return Match.YES if value.casefold() in wanted else Match.NO


def _side(wanted: frozenset[Side], value: Side | None) -> Match:
    if value in wanted or len(wanted) == _SIDES:
        return Match.YES
    return Match.UNREADABLE if value is None else Match.NO


def _age(before: float, created: float | None) -> Match:
    if created is None:
        return Match.UNREADABLE
    return Match.YES if created <= before else Match.NO


def _expendable(order: Order) -> Match:
    if order.type.protective or order.key.family is Family.STOP:
        return Match.NO
    return Match.UNREADABLE if order.type is OrderType.UNKNOWN else Match.YES


def fold(values: Iterable[str]) -> frozenset[str]:
    """Values ready for a scope: case folded."""
    return frozenset(value.casefold() for value in values)
