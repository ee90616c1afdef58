"""After the verdict: whether a later list contradicts what a kill has said. Pure; times are values.

Two sorts of orders do: one that the kill has called over, and, where a whole scope was called flat, one of
that scope that was there before the proof. An order that was placed after the proof contradicts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from cancel_tui.desk.actions import Verdict
from cancel_tui.scope import Match

if TYPE_CHECKING:
    from cancel_tui.desk.book import VenueBook
    from cancel_tui.desk.engine import Engine
    from cancel_tui.orders import Order, OrderKey

LAG = 5.0
"""Seconds by which lists may run behind the word on a single order, where no list had to prove it."""
_CLOCKS = 1.0
"""Seconds by which the measured offset of a venue's clock may be wrong."""


class Contradiction(msgspec.Struct):
    """Orders that a later list shows as live, and the parts of the list that hold them."""

    orders: dict[OrderKey, tuple[Order, float]] = msgspec.field(default_factory=dict)
    """Each as it is listed, with the monotonic time at which that list was begun."""
    parts: set[str] = msgspec.field(default_factory=set)


def contradiction(engine: Engine, book: VenueBook, wall_of_zero: float) -> Contradiction | None:
    """What the newest lists hold against one venue's flat; None where they agree with it, or it was none.

    `wall_of_zero` is the venue's wall time at which the monotonic clock stood at zero.
    """
    if engine.verdict is not Verdict.FLAT:
        return None
    found = Contradiction()
    for part_id, reading in book.parts.items():
        for key in _against(engine, reading.orders, reading.begun, wall_of_zero):
            found.orders[key] = reading.orders[key], reading.begun
            found.parts.add(part_id)
    return found if found.orders else None


def _against(
    engine: Engine, orders: dict[OrderKey, Order], begun: float, wall_of_zero: float
) -> Iterator[OrderKey]:
    for key, track in engine.tracks.items():
        if key in orders and begun > _believed_until(engine, track.since):
            yield key
    last = engine.proof.streak[-1] if engine.proof.streak else None
    if engine.aim.by_id or last is None or engine.flat_at is None or begun <= engine.flat_at:
        return
    for key, order in orders.items():
        if key in engine.tracks or order.created_at is None:
            continue
        if order.created_at + _CLOCKS < last + wall_of_zero and _in_scope(engine, order):
            yield key


def _believed_until(engine: Engine, since: float) -> float:
    """Up to when a list is begun that says nothing against an end: lists that proved it cannot lag."""
    if engine.aim.by_id:
        return since + LAG
    return max(since, engine.flat_at or since)


def _in_scope(engine: Engine, order: Order) -> bool:
    return engine.aim.scope.match(order, engine.capabilities.lacks) is Match.YES
