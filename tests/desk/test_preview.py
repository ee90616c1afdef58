"""The preview: what would go, how, and what it would cost to leave protective orders alone."""

from __future__ import annotations

from decimal import Decimal

from cancel_tui.desk.preview import placed_by, preview
from cancel_tui.orders import (
    Family,
    Order,
    OrderId,
    OrderKey,
    OrderStatus,
    OrderType,
    Side,
    VenueName,
    altered,
)
from cancel_tui.scope import Scope
from cancel_tui.settings import Budget
from cancel_tui.text import VenueText
from cancel_tui.venues.base import CallClass, Capabilities

SLOW = Capabilities(cancel_all=True, budgets={CallClass.CANCEL: Budget(10, 60.0)}, connections=4)


def order(number: int, kind: OrderType) -> Order:
    return Order(
        key=OrderKey(VenueName("v"), None, Family.ORDER, OrderId(str(number))),
        symbol=VenueText("A/USD"),
        side=Side.BUY if number % 2 else Side.SELL,
        type=kind,
        price=Decimal(2),
        quantity=Decimal(3),
        filled=Decimal(0),
        status=OrderStatus.OPEN,
    )


BOOK = [
    *(order(number, OrderType.LIMIT) for number in range(25)),
    order(50, OrderType.STOP),
    order(51, OrderType.TAKE_PROFIT),
    order(52, OrderType.UNKNOWN),
]


def test_a_cancel_all_takes_protective_orders_and_the_cost_of_keeping_them_is_told() -> None:
    found = preview("v", BOOK, Scope(), SLOW)
    assert (found.orders, found.protective, found.kept, found.unreadable) == (28, 2, 0, 0)
    assert found.native
    assert found.seconds == 2.0
    assert found.keep_seconds == 2.0 + 2 * 60.0, "26 orders in portions of ten a minute"


def test_kept_orders_are_counted_and_what_may_be_one_is_not_touched() -> None:
    found = preview("v", BOOK, Scope(keep_protective=True), SLOW)
    assert (found.orders, found.protective, found.kept, found.unreadable) == (25, 0, 2, 1)
    assert not found.native
    assert found.keep_seconds is None
    assert found.seconds == 2.0 + 2 * 60.0
    assert found.wider == 28


def test_kept_orders_are_those_of_the_scope_only() -> None:
    buys = Scope(sides=frozenset({Side.BUY}), keep_protective=True)
    assert preview("v", BOOK, buys, SLOW).kept == 1


def test_without_protective_orders_there_is_nothing_to_keep() -> None:
    found = preview("v", BOOK[:25], Scope(), SLOW)
    assert found.protective == 0
    assert found.keep_seconds is None


def test_who_placed_the_orders_is_counted_apart_in_the_venues_words() -> None:
    placed = [altered(BOOK[0], source=VenueText("WEB")), altered(BOOK[1], source=VenueText("[b]API\x1b"))]
    found = preview("v", [*placed, *BOOK[2:]], Scope(), SLOW)
    assert found.sources == {"WEB": 1, "[b]API\N{MIDDLE DOT}": 1}
    assert "WEB 1" in placed_by([found])
    assert placed_by([preview("v", BOOK, Scope(), SLOW)]) == ""
