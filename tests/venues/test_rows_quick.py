"""Rows that repeat another's words are read at a glance, exactly as a row that is read with care."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cancel_tui.orders import AccountId, Order, VenueName, _checked, amount
from cancel_tui.venues import b2trader_orders, coinswitch_futures, coinswitch_rows, p99_rows, roxom_rows
from cancel_tui.venues.decode import Words, moment

VENUE = VenueName("v")
ACCOUNT = AccountId("a")
Reader = Callable[[Any], Order | None]

READERS: dict[str, tuple[Reader, Reader, Words, dict[str, list[Any]]]] = {
    "coinswitch spot": (
        lambda row: coinswitch_rows.read_spot_order(VENUE, row),
        lambda row: coinswitch_rows._read_spot_order(VENUE, row),
        coinswitch_rows._SPOT_WORDS,
        {
            "order_id": ["1a", "2b"],
            "symbol": ["BTC/INR"],
            "exchange": ["coinswitchx"],
            "side": ["BUY", "sell"],
            "status": ["OPEN", "PARTIALLY_EXECUTED", "CANCELLED", "NEW WORD"],
            "order_source": ["API_TRADING"],
            "price": [Decimal("1.5"), 7, 0, "2.50"],
            "orig_qty": [Decimal("5E-05"), 3, "1.000", -2, "odd"],
            "executed_qty": [0, Decimal("0.1"), "0", "0.00", False],
            "average_price": [0, Decimal("1.25")],
            "created_time": [1_795_284_121_000],
            "updated_time": [1_795_284_121_000, None],
            "client_order_id": [None, "mine"],
        },
    ),
    "coinswitch futures": (
        lambda row: coinswitch_futures.read_order(VENUE, row),
        lambda row: coinswitch_futures._read_order(VENUE, row),
        coinswitch_futures._WORDS,
        {
            "order_id": ["1a", "2b"],
            "symbol": ["BTCUSDT"],
            "exchange": ["EXCHANGE_2"],
            "side": ["BUY", "SELL"],
            "order_type": ["LIMIT", "TAKE_PROFIT_MARKET", "odd"],
            "status": ["RAISED", "PARTIALLY_EXECUTED", "odd"],
            "quantity": ["3.1", "0", "-2", None],
            "exec_quantity": ["0", "1.1", 0],
            "price": ["184.03", "0"],
            "trigger_price": ["180", "0", None],
            "avg_execution_price": ["184.1", "0"],
            "avg_exec_price": ["184.2"],
            "execution_fee": ["0.1"],
            "exec_fee": ["0.2"],
            "reduce_only": [True, False, None, 1],
            "created_at": [1_795_282_807_055, "1795282807055"],
            "updated_at": [1_795_282_807_055],
            "time_in_force": ["GTC"],
            "client_order_id": ["mine", None],
        },
    ),
    "roxom": (
        lambda row: roxom_rows.order_of(VENUE, row),
        lambda row: roxom_rows._order_of(VENUE, row),
        roxom_rows._WORDS,
        {
            "id": ["1a", "2b"],
            "orderId": ["3c"],
            "accountId": ["acc", "", None],
            "symbol": ["US500-BTC"],
            "side": ["buy", "SELL"],
            "type": ["limit", "stop-limit", "market", ""],
            "orderType": ["market"],
            "timeInForce": ["gtc"],
            "status": ["submitted", "partially_filled", "cancelled", "filled", "odd"],
            "px": ["0.5", None],
            "price": ["0.6"],
            "qty": ["0.15", "2"],
            "size": ["0.15", "0.10", "0", "2", None],
            "amountFilled": ["0", "0.05", "0.15"],
            "triggerPx": ["0.4", None],
            "triggerPrice": ["0.3"],
            "createdAt": [1_795_288_950_451, 1_795_288_950, "1795288950451000"],
            "updatedAt": [1_795_288_950_451_000, None],
            "clientOrderId": ["mine", None, 7],
        },
    ),
    "p99": (
        lambda row: p99_rows.order_of(VENUE, row),
        lambda row: p99_rows._order_of(VENUE, row),
        p99_rows._WORDS,
        {
            "id": ["1a", "2b", 7],
            "symbol": ["DFUSDT"],
            "side": ["buy", "SELL"],
            "type": ["limit", "market", "odd"],
            "tif": ["gtc"],
            "status": ["open", "partially_filled", "canceled", "odd"],
            "price": ["0.6873", None, Decimal("1.5")],
            "quantity": ["1310.50"],
            "filled_qty": ["347.28", "0", "0.00"],
            "avg_fill_price": ["0.6873", "0"],
            "created_at": [1_795_030_689],
            "updated_at": [1_795_285_250, "1795285250"],
        },
    ),
    "b2trader": (
        lambda row: b2trader_orders.read_order(row, VENUE, ACCOUNT),
        lambda row: b2trader_orders._read_order(row, VENUE, ACCOUNT),
        b2trader_orders._WORDS,
        {
            "orderId": ["1a", "2b"],
            "marketId": ["cfd.eur_usd"],
            "marketDisplayName": ["EUR/USD"],
            "side": ["Buy", "sell"],
            "orderType": ["Limit", "Market", "Odd"],
            "timeInForce": ["Day"],
            "status": ["Working", "Pending", "Cancelled", "Odd"],
            "source": ["FixApi"],
            "requestedAmount": ["7000", Decimal("7.5")],
            "remainingAmount": ["2000", "7000", "0", "9000"],
            "requestedPrice": ["1.04415"],
            "executionPrice": ["1.04415", "0", "-1"],
            "activationPrice": ["1.1", None],
            "commissionAmount": ["0.5"],
            "commission": ["0.6"],
            "createdAt": ["2026-11-21T18:20:41.24Z", "2026-11-21T18:20:41Z", "2026-11-21T18:20:41.1234567Z"],
            "updatedAt": ["2026-11-21T18:20:50.650Z", "yesterday", None],
        },
    ),
}

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.decimals(allow_nan=True),
    st.text(max_size=5),
    st.sampled_from(["", "0", "1e5", "NaN", "-1", " 1 ", "1_0", "٣", [], {}, "x" * 200, "9" * 70]),
)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_row_read_at_a_glance_is_the_row_read_with_care(name: str, data: st.DataObject) -> None:
    quick, careful, words, fields = READERS[name]
    whole = data.draw(
        st.fixed_dictionaries({field: st.sampled_from(values) for field, values in fields.items()})
    )
    missing = data.draw(st.sets(st.sampled_from(sorted(fields)), max_size=4))
    odd = data.draw(st.dictionaries(st.sampled_from(sorted(fields)), ODD, max_size=2))
    row = {field: value for field, value in whole.items() if field not in missing} | odd
    wanted = repr(careful(row))
    assert repr(quick(row)) == wanted
    assert repr(quick(row)) == wanted, "the second time its words are known"
    assert len(words.known) <= 4096


@pytest.mark.parametrize("name", READERS)
def test_the_plain_rows_of_a_list_are_read_at_a_glance(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, careful, words, fields = READERS[name]
    rare = {"client_order_id", "time_in_force", "orderId", "orderType", "triggerPrice", "price"}
    keep = {"coinswitch spot": rare - {"price"}, "coinswitch futures": rare - {"price"}, "p99": set()}
    drop = keep.get(name, rare if name == "roxom" else set())
    row = {field: values[0] for field, values in fields.items() if field not in drop}
    careful(row)
    known = dict(words.known)
    assert known
    monkeypatch.setattr(words, "learn", lambda *_: pytest.fail("read with care"))
    assert quick(row) == quick(row)


@given(st.one_of(ODD, st.from_regex(r"-?[0-9]{0,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)))
def test_an_amount_read_at_a_glance_is_the_amount_read_with_care(value: object) -> None:
    found, wanted = amount(value), _checked(value)
    assert (found is None) == (wanted is None)
    assert repr(found) == repr(wanted)


@given(st.datetimes(), st.sampled_from(["", ".", ".5", ".1234567", ".123456789"]), st.sampled_from("Zz"))
def test_a_moment_is_the_same_with_any_fraction(when: Any, fraction: str, zone: str) -> None:
    text = when.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + fraction
    assert moment(text + zone) == moment(text + "+00:00")
