"""The vocabulary: statuses, amounts, times, quote currencies."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.orders import (
    AccountId,
    Family,
    Order,
    OrderId,
    OrderKey,
    OrderStatus,
    OrderType,
    VenueName,
    amount,
    iso,
    plain,
    quote_of,
)
from cancel_tui.text import VenueText


def key(order_id: str = "1", family: Family = Family.ORDER) -> OrderKey:
    return OrderKey(VenueName("v"), AccountId("a"), family, OrderId(order_id))


def test_only_the_four_ends_of_fix_are_terminal() -> None:
    terminal = {status for status in OrderStatus if status.terminal}
    assert terminal == {
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.REJECTED,
    }
    assert all(status.live is not status.terminal for status in OrderStatus)


def test_an_unknown_word_counts_as_live() -> None:
    assert OrderStatus.UNKNOWN.live


def test_stops_and_take_profits_are_protective() -> None:
    protective = {one for one in OrderType if one.protective}
    assert protective == {OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT}


def test_a_stop_order_is_shown_with_its_prefix() -> None:
    assert key("7", Family.STOP).shown_id == "stop:7"
    assert key("7").shown_id == "7"


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**20), max_value=10**20))
def test_an_amount_keeps_every_digit(value: Decimal) -> None:
    text = format(value, "f")
    assert plain(amount(text)) == text
    assert amount(f" {text} ") == value
    assert amount(value) == value


@given(st.text() | st.floats() | st.binary() | st.lists(st.integers()) | st.booleans() | st.none())
def test_an_amount_never_raises_and_is_finite(value: object) -> None:
    found = amount(value)
    assert found is None or (found.is_finite() and len(plain(found) or "") < 1_000)


@pytest.mark.parametrize(
    "value",
    [
        *(True, 1.5, None, "", "abc", "NaN", "sNaN", "Infinity", "-inf", "1e61", "1e-61", "1e999999999"),
        *("1_000", "\u0661", "\uff11", "0x10", "1 000", "1,5", "1\x00", "\ud800", 10**61, Decimal("NaN")),
    ],
)
def test_what_is_no_amount_is_none(value: object) -> None:
    assert amount(value) is None


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("0", "0"),
        ("-0.00", "-0.00"),
        ("1e3", "1000"),
        ("1.50E+2", "150"),
        (5, "5"),
        (".5", "0.5"),
        ("5.", "5"),
    ],
)
def test_an_amount_is_written_without_an_exponent(value: object, wanted: str) -> None:
    assert plain(amount(value)) == wanted


def test_a_missing_amount_stays_missing() -> None:
    assert plain(None) is None


@given(st.floats(min_value=-62_135_596_800, max_value=253_402_300_799))
def test_a_time_is_iso_with_milliseconds_and_reads_back(seconds: float) -> None:
    text = iso(seconds)
    assert text is not None
    assert text.endswith("Z")
    assert len(text) == len("2026-01-02T03:04:05.678Z")
    back = datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    assert -0.0011 < back - seconds < 0.0011


@pytest.mark.parametrize("seconds", [None, float("nan"), float("inf"), float("-inf"), 1e18, -1e18])
def test_a_time_that_no_calendar_holds_is_none(seconds: float | None) -> None:
    assert iso(seconds) is None


def test_a_time_in_full() -> None:
    assert iso(1_767_323_045.678) == "2026-01-02T03:04:05.678Z"
    assert iso(0.0) == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("symbol", "wanted"),
    [
        ("BTC/INR", "INR"),
        ("GOLD-BTC", "BTC"),
        ("cfd.eur_usd", "USD"),
        ("DOGEUSDT", "USDT"),
        ("btcusdc", "USDC"),
        ("XBTUSD", "USD"),
        ("USDT", None),
        ("X/", None),
        ("", None),
        ("whatever", None),
    ],
)
def test_the_quote_currency_is_read_from_the_symbol(symbol: str, wanted: str | None) -> None:
    assert quote_of(symbol) == wanted


def test_notional_and_quote_need_their_parts() -> None:
    order = Order(key=key(), symbol=VenueText("BTC/INR"), price=Decimal("3"), remaining=Decimal("0.5"))
    assert order.notional == Decimal("1.5")
    assert order.quote == "INR"
    assert order.venue == "v"
    assert Order(key=key(), price=Decimal(3)).notional is None
    assert Order(key=key(), remaining=Decimal(3)).notional is None
    assert Order(key=key()).quote is None
