"""What a kill would do, before anything is sent: counts, notionals, method, expected time. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import ceil

import msgspec
from msgspec.structs import replace

from cancel_tui.orders import Order, Side
from cancel_tui.scope import Match, Scope
from cancel_tui.text import literal
from cancel_tui.venues.base import CallClass, Capabilities


class VenuePreview(msgspec.Struct, frozen=True):
    """One line of the armed preview."""

    venue: str
    orders: int
    buys: int
    sells: int
    protective: int
    """Stop and take-profit orders in scope."""
    native: bool
    """Whether the venue's own cancel-all will be used."""
    seconds: float | None
    """About how long it will take; None where nothing can be said."""
    wider: int | None = None
    """How many orders the venue's cancel-all would take, where it is much faster than this scope allows."""
    notional: Mapping[str, Decimal] | None = None
    """Per quote currency; orders without a price are not in it."""
    unpriced: int = 0
    kept: int = 0
    """Stop and take-profit orders that the scope leaves alone."""
    unreadable: int = 0
    """Orders of which a field of the scope cannot be read: they would be named, and not touched."""
    sources: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Who placed the orders, in the venue's words → how many; not those of which it tells nothing."""
    keep_seconds: float | None = None
    """About how long it would take with stop and take-profit orders left alone: one by one, then."""


def preview(
    venue: str, orders: Iterable[Order], scope: Scope, capabilities: Capabilities | None
) -> VenuePreview:
    """The preview of one venue from the orders that its lists hold."""
    everything = list(orders)
    lacks = capabilities.lacks if capabilities else frozenset()
    matches = [scope.match(order, lacks) for order in everything]
    inside = [order for order, match in zip(everything, matches, strict=True) if match is Match.YES]
    protective = sum(order.type.protective for order in inside)
    kept, keep_seconds = 0, None
    if scope.keep_protective:
        whole = replace(scope, keep_protective=False)
        kept = sum(
            match is Match.NO and whole.match(order, lacks) is Match.YES
            for order, match in zip(everything, matches, strict=True)
        )
    elif capabilities is not None and protective:
        keep_seconds = expected_seconds(len(inside) - protective, capabilities, native=False)
    native = bool(
        capabilities
        and capabilities.cancel_all
        and scope.native
        and (not scope.symbols or capabilities.cancel_all_symbol)
    )
    seconds = None if capabilities is None else expected_seconds(len(inside), capabilities, native=native)
    wider = None
    if capabilities and capabilities.cancel_all and not native and seconds is not None and seconds > 10:
        wider = len(everything)
    totals: dict[str, Decimal] = {}
    unpriced = 0
    for order in inside:
        worth, quote = order.notional, order.quote
        if worth is None or quote is None:
            unpriced += 1
        else:
            totals[quote] = totals.get(quote, Decimal(0)) + worth
    sources: Counter[str] = Counter()
    for raw, count in Counter(order.source.raw for order in inside if order.source is not None).items():
        sources[literal(raw, 24)] += count
    return VenuePreview(
        venue,
        len(inside),
        sum(order.side is Side.BUY for order in inside),
        sum(order.side is Side.SELL for order in inside),
        protective,
        native,
        seconds,
        wider,
        totals,
        unpriced,
        kept,
        matches.count(Match.UNREADABLE),
        sources,
        keep_seconds,
    )


def placed_by(found: Iterable[VenuePreview]) -> str:
    """Who placed the orders that would go, per venue that tells it; empty where none does.

    This program places no orders, so all of them are somebody else's: by hand, by another program.
    """
    told = [
        f"{one.venue} {', '.join(f'{source} {count}' for source, count in sorted(one.sources.items()))}"
        for one in found
        if one.sources
    ]
    return f"placed by: {'; '.join(told)}" if told else ""


def expected_seconds(count: int, capabilities: Capabilities, *, native: bool) -> float:
    """About how long a kill of `count` orders takes: the cancels within their budget, then two lists."""
    lists = 2.0
    if native or count == 0:
        return lists
    budget = capabilities.budgets.get(CallClass.CANCEL)
    rounds = count / max(1, capabilities.connections) * 0.1
    if budget is None or count <= budget.count:
        return lists + rounds
    return lists + max(rounds, (ceil(count / budget.count) - 1) * budget.seconds)
