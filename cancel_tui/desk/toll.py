"""What a kill did not prevent and what it left on purpose: fills meanwhile, and orders skipped. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from cancel_tui.cancels import Ending
from cancel_tui.orders import Order, OrderKey, VenueName, plain

if TYPE_CHECKING:
    from cancel_tui.desk.kill import Kill
    from cancel_tui.desk.track import Track
    from cancel_tui.text import VenueText

KEPT = "a stop or take-profit order, kept as chosen: the order was not touched"
"""Why an order in scope was skipped."""


class Fills(msgspec.Struct, frozen=True):
    """What filled on one side of one market while the kill ran."""

    venue: VenueName
    symbol: VenueText | None
    side: str | None
    orders: int
    """How many orders filled, wholly or in part."""
    quantity: Decimal
    """In base units: what the venue's last words say beyond its first ones. Never summed across markets."""
    unknown: int
    """Filled orders among them without an earlier reading: what they filled is not in `quantity`."""


def fills(tracks: Iterable[Track]) -> list[Fills]:
    """Everything that filled since each order was first read, by market and side."""
    sums: dict[tuple[VenueName, str, str | None], tuple[VenueText | None, int, Decimal, int]] = {}
    for track in tracks:
        grown = track.filled_since
        unknown = grown is None and track.outcome is Ending.FILLED
        if not grown and not unknown:
            continue
        order = track.order
        symbol = order.symbol if order else None
        side = order.side.value if order and order.side else None
        key = (track.key.venue, symbol.raw if symbol else "", side)
        _, orders, quantity, without = sums.get(key, (symbol, 0, Decimal(0), 0))
        sums[key] = (symbol, orders + 1, quantity + (grown or 0), without + unknown)
    return [Fills(key[0], one[0], key[2], *one[1:]) for key, one in sums.items()]


def fills_json(kill: Kill) -> list[dict[str, Any]]:
    """The same for the report."""
    return [
        {
            "venue": one.venue,
            "symbol": one.symbol.raw if one.symbol else None,
            "side": one.side,
            "orders": one.orders,
            "quantity": plain(one.quantity),
            "unknown": one.unknown,
        }
        for one in fills(kill.tracks())
    ]


def fills_words(found: Iterable[Fills]) -> list[str]:
    """One phrase per market and side."""
    words = []
    for one in found:
        amount = plain(one.quantity) if one.quantity else ""
        more = f"{one.unknown} whole" if one.unknown else ""
        told = " and ".join(part for part in (amount, more) if part)
        market = str(one.symbol) if one.symbol else "unknown market"
        words.append(f"{one.venue} {one.side or '?'} {told} {market} ({one.orders})")
    return words


def kept(kill: Kill) -> dict[OrderKey, Order]:
    """Orders that were skipped because protective ones are kept, as last listed."""
    return {key: order for run in kill.runs.values() for key, order in run.engine.kept.items()}


def kept_json(kill: Kill, name: VenueName) -> list[dict[str, Any]]:
    """What was skipped at one venue, each with the reason."""
    run = kill.runs.get(name)
    return [
        {
            "order_id": key.order_id,
            "account": key.account or order.account,
            "family": key.family.value,
            "symbol": order.symbol.raw if order.symbol else None,
            "type": order.type.value,
            "reason": KEPT,
        }
        for key, order in (run.engine.kept.items() if run else ())
    ]
