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
    return not difference(slot, truth)


def difference(slot: Slot, truth: Truth) -> str:
    """In which orders the book is not the truth, in words; empty where it is."""
    book = {(str(one.key.account or ""), str(one.key.order_id)): one for one in slot.book.orders()}
    missing, over = sorted(truth.keys() - book.keys()), sorted(book.keys() - truth.keys())
    other = [
        (key, book[key].filled, filled)
        for key, filled in truth.items()
        if key in book and book[key].filled not in (None, Decimal(filled))
    ]
    told = ((missing, "missing"), (over, "over"), (other, "filled otherwise"))
    return "; ".join(f"{len(one)} {what}: {one[:3]}" for one, what in told if one)
