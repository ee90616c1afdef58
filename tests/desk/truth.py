"""What is really live at a practice venue, and whether a book says the same."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

from cancel_tui.desk.slot import Slot
from cancel_tui.practice.venue import PracticeVenue

Truth: TypeAlias = Mapping[tuple[str, str], str]
"""Filled amounts by account and order id."""


def truth_of(venue: PracticeVenue) -> Truth:
    """What can be listed and is live."""
    return {
        (one["account"] if venue.name == "broker" else "", one["order_id"]): one["filled"]
        for one in venue.truth()
        if one["family"] == "order" or venue.name != "broker"
    }


def agrees(slot: Slot, truth: Truth) -> bool:
    """Whether the book is the truth, order by order."""
    book = {(str(one.key.account or ""), str(one.key.order_id)): one for one in slot.book.orders()}
    return book.keys() == truth.keys() and all(
        book[key].filled is None or book[key].filled == Decimal(filled) for key, filled in truth.items()
    )
