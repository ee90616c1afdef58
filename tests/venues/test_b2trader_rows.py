"""The B2TRADER adapter: rows, and what is made of their words and numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.orders import AccountId, Family, OrderStatus, OrderType, Side, iso
from cancel_tui.venues.b2trader_orders import Rows, read_cancelled, read_order
from cancel_tui.venues.decode import Unreadable
from tests.venues.b2trader_case import KEY, NAME, STOP_KEY
from tests.venues.support_b2trader import ACCOUNT, cancelled_order, stop_order, stream_order

# The order object.


def test_an_order_of_the_stream() -> None:
    order = read_order(stream_order(), NAME, AccountId(ACCOUNT))
    assert order is not None
    assert order.key == KEY
    assert order.account == ACCOUNT
    assert (str(order.symbol), str(order.display_symbol)) == ("cfd.eur_usd", "EUR/USD")
    assert (order.side, order.type, order.status) == (Side.BUY, OrderType.LIMIT, OrderStatus.OPEN)
    assert (str(order.venue_status), str(order.source), str(order.time_in_force)) == (
        "Pending",
        "Manual",
        "Gtc",
    )
    assert (order.quantity, order.remaining, order.filled) == (Decimal(20000), Decimal(20000), Decimal(0))
    assert (order.price, order.average_price, order.trigger_price) == (Decimal("1.05"), None, None)
    assert order.fee == 0
    assert iso(order.created_at) == "2025-07-01T09:15:02.400Z"
    assert iso(order.updated_at) == "2025-07-01T09:15:02.401Z"
    assert order.quote == "USD"


def test_an_order_of_a_cancel_answer_is_cancelled_though_its_cancellation_date_is_null() -> None:
    order = read_cancelled({"order": cancelled_order()}, NAME, AccountId(ACCOUNT), Family.ORDER)
    assert order.status is OrderStatus.CANCELED
    assert (order.filled, order.price, order.fee) == (Decimal("0.0"), Decimal(99000), Decimal(0))
    assert iso(order.updated_at) == "2025-07-01T09:15:09.123Z"


def test_a_part_fill_is_kept_to_the_last_decimal() -> None:
    row = stream_order(
        requestedAmount="0.30000000000000001",
        remainingAmount="0.1",
        executionPrice="1.04999",
        status="Working",
    )
    order = read_order(row, NAME, AccountId(ACCOUNT))
    assert order is not None
    assert order.filled == Decimal("0.20000000000000001")
    assert order.status is OrderStatus.PARTIALLY_FILLED
    assert order.average_price == Decimal("1.04999")


@pytest.mark.parametrize(
    ("word", "remaining", "status"),
    [
        ("Started", "20000", OrderStatus.OPEN),
        ("Pending", "20000", OrderStatus.OPEN),
        ("Working", "20000", OrderStatus.OPEN),
        ("working", "0", OrderStatus.PARTIALLY_FILLED),
        ("PENDING", "19999.5", OrderStatus.PARTIALLY_FILLED),
        ("Completed", "0", OrderStatus.FILLED),
        ("Cancelled", "20000", OrderStatus.CANCELED),
        ("Cancelled", "5", OrderStatus.CANCELED),
        ("cancelled", "20000", OrderStatus.CANCELED),
        ("Rejected", "20000", OrderStatus.REJECTED),
        ("Expired", "100", OrderStatus.EXPIRED),
        ("WaitingForActivation", "20000", OrderStatus.OPEN),
        ("Activated", "20000", OrderStatus.UNKNOWN),
        ("Frobnicated", "20000", OrderStatus.UNKNOWN),
        (None, "20000", OrderStatus.UNKNOWN),
        (7, "20000", OrderStatus.UNKNOWN),
    ],
)
def test_every_word_of_the_venue(word: Any, remaining: str, status: OrderStatus) -> None:
    order = read_order(stream_order(status=word, remainingAmount=remaining), NAME, AccountId(ACCOUNT))
    assert order is not None
    assert order.status is status
    assert order.status.live is (status not in {"filled", "canceled", "expired", "rejected"})


def test_fills_are_never_inferred() -> None:
    row = stream_order(status="Completed", remainingAmount=None, executionPrice="1.05", fillFactor="1")
    order = read_order(row, NAME, AccountId(ACCOUNT))
    assert order is not None
    assert (order.filled, order.remaining, order.status) == (None, None, OrderStatus.FILLED)
    more = read_order(stream_order(remainingAmount="20001"), NAME, AccountId(ACCOUNT))
    assert more is not None
    assert more.filled is None


@pytest.mark.parametrize("digits", ["", ".4", ".12", ".123", ".1234567", ".123456789"])
def test_any_number_of_fractional_digits(digits: str) -> None:
    row = stream_order(createdAt=f"2025-07-01T09:15:02{digits}Z", updatedAt="2025-07-01T09:15:02")
    order = read_order(row, NAME, AccountId(ACCOUNT))
    assert order is not None
    assert iso(order.created_at) == f"2025-07-01T09:15:02.{digits[1:4]:0<3}Z"
    assert order.updated_at is None


def test_numbers_instead_of_texts_and_a_market_order_without_a_price() -> None:
    row = stream_order(
        requestedAmount=20000, remainingAmount=5, requestedPrice=None, orderType="market", side="SELL"
    )
    order = read_order(row, NAME, AccountId(ACCOUNT))
    assert order is not None
    assert (order.quantity, order.filled, order.price) == (Decimal(20000), Decimal(19995), None)
    assert (order.type, order.side) == (OrderType.MARKET, Side.SELL)


@pytest.mark.parametrize(("kind", "shown"), [("Market", OrderType.STOP), ("Limit", OrderType.STOP_LIMIT)])
def test_a_stop_order(kind: str, shown: OrderType) -> None:
    order = read_order(stop_order(orderType=kind), NAME, AccountId(ACCOUNT), Family.STOP)
    assert order is not None
    assert order.key == STOP_KEY
    assert (order.type, order.trigger_price, order.status) == (shown, Decimal(90000), OrderStatus.OPEN)
    assert (order.quantity, order.filled) == (Decimal("0.25"), None)
    assert order.type.protective


@pytest.mark.parametrize("row", [None, [], "x", 1, {}, {"orderId": ""}, {"orderId": None}, {"orderId": [1]}])
def test_what_is_no_order_with_an_id(row: Any) -> None:
    assert read_order(row, NAME, AccountId(ACCOUNT)) is None


_OTHERS = [name for name in stream_order() | stop_order() if name != "orderId"]
_fields = st.sampled_from([*stream_order(), *stop_order(), "order", "activationPrice"])
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats().map(str)
    | st.decimals()
    | st.text()
    | st.datetimes().map(lambda one: one.isoformat() + "Z"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_fields | st.text(), inner, max_size=6),
    max_leaves=20,
)


@given(
    _json | st.fixed_dictionaries({"orderId": st.text(min_size=1)}, optional=dict.fromkeys(_OTHERS, _json))
)
def test_any_value_is_an_order_or_none(row: Any) -> None:
    for family in Family:
        order = read_order(row, NAME, AccountId(ACCOUNT), family)
        assert order is None or order.key.order_id
        try:
            read_cancelled({"order": row}, NAME, AccountId(ACCOUNT), family)
            read_cancelled(row, NAME, AccountId(ACCOUNT), family)
        except Unreadable:
            continue


@given(st.lists(_json, max_size=5))
def test_any_rows_are_counted(rows: list[Any]) -> None:
    found = Rows(NAME, AccountId(ACCOUNT))
    found.read(rows)
    assert len(found.orders) + found.unreadable <= len(rows)
    assert bool(rows) == bool(found.orders or found.unreadable)
