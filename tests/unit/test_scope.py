"""Scopes: AND between fields, OR within one, and a third answer for what cannot be read."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.orders import AccountId, Family, Order, OrderId, OrderKey, OrderType, Side, VenueName
from cancel_tui.scope import Match, Scope, fold
from cancel_tui.text import VenueText


def order(
    order_id: str = "1",
    *,
    venue: str = "cs",
    account: str | None = "acc",
    symbol: str | None = "BTC/INR",
    exchange: str | None = "c2c1",
    side: Side | None = Side.BUY,
    kind: OrderType = OrderType.LIMIT,
    family: Family = Family.ORDER,
    created: float | None = 100.0,
) -> Order:
    return Order(
        key=OrderKey(VenueName(venue), None, family, OrderId(order_id)),
        account=None if account is None else AccountId(account),
        symbol=None if symbol is None else VenueText(symbol),
        exchange=None if exchange is None else VenueText(exchange),
        side=side,
        type=kind,
        created_at=created,
    )


def test_no_scope_means_everything() -> None:
    bare = order(account=None, symbol=None, exchange=None, side=None, kind=OrderType.UNKNOWN, created=None)
    assert Scope().match(bare) is Match.YES
    assert Scope().native
    assert Scope().grows


def test_values_match_ignoring_case() -> None:
    scope = Scope(
        venues=fold(["CS"]), accounts=fold(["ACC"]), symbols=fold(["btc/inr"]), exchanges=fold(["C2C1"])
    )
    assert scope.match(order()) is Match.YES


@pytest.mark.parametrize(
    "scope",
    [
        Scope(venues=fold(["other"])),
        Scope(accounts=fold(["other"])),
        Scope(symbols=fold(["other"])),
        Scope(exchanges=fold(["other"])),
        Scope(sides=frozenset({Side.SELL})),
        Scope(older_than=99.0),
        Scope(symbols=fold(["btc/inr"]), sides=frozenset({Side.SELL})),
    ],
)
def test_one_field_that_differs_is_enough_to_stay_out(scope: Scope) -> None:
    assert scope.match(order()) is Match.NO


@pytest.mark.parametrize(
    ("scope", "bare"),
    [
        (Scope(accounts=fold(["acc"])), order(account=None)),
        (Scope(symbols=fold(["btc/inr"])), order(symbol=None)),
        (Scope(exchanges=fold(["c2c1"])), order(exchange=None)),
        (Scope(sides=frozenset({Side.BUY})), order(side=None)),
        (Scope(older_than=200.0), order(created=None)),
        (Scope(keep_protective=True), order(kind=OrderType.UNKNOWN)),
    ],
)
def test_a_scoped_field_that_is_missing_is_neither_in_nor_out(scope: Scope, bare: Order) -> None:
    assert scope.match(bare) is Match.UNREADABLE


def test_a_definite_no_outweighs_a_missing_field() -> None:
    scope = Scope(sides=frozenset({Side.BUY}), symbols=fold(["eth/inr"]))
    assert scope.match(order(side=None)) is Match.NO


def test_a_field_that_the_venue_does_not_have_puts_its_orders_outside() -> None:
    lacks = frozenset({"account", "exchange"})
    assert Scope(accounts=fold(["acc"])).match(order(account=None), lacks) is Match.NO
    assert Scope(exchanges=fold(["x"])).match(order(exchange=None), lacks) is Match.NO


def test_both_sides_are_no_side() -> None:
    scope = Scope(sides=frozenset(Side))
    assert scope.sideless
    assert scope.native
    assert scope.match(order(side=None)) is Match.YES


def test_protective_orders_can_be_kept() -> None:
    keep = Scope(keep_protective=True)
    for kind in (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT):
        assert keep.match(order(kind=kind)) is Match.NO
        assert Scope().match(order(kind=kind)) is Match.YES
    assert keep.match(order(kind=OrderType.UNKNOWN, family=Family.STOP)) is Match.NO
    assert keep.match(order(kind=OrderType.LIMIT)) is Match.YES


def test_age_counts_from_the_moment_that_the_command_started() -> None:
    assert Scope(older_than=100.0).match(order(created=100.0)) is Match.YES
    assert Scope(older_than=100.0).match(order(created=100.1)) is Match.NO


def test_a_frozen_list_never_grows() -> None:
    scope = Scope(keys=frozenset({order("1").key}))
    assert scope.match(order("1")) is Match.YES
    assert scope.match(order("2")) is Match.NO
    assert not scope.grows
    assert not scope.native
    assert scope.venue_in("cs")
    assert not scope.venue_in("other")


def test_the_same_id_at_another_venue_or_family_is_another_order() -> None:
    scope = Scope(keys=frozenset({order("1").key}))
    assert scope.match(order("1", venue="other")) is Match.NO
    assert scope.match(order("1", family=Family.STOP)) is Match.NO


@pytest.mark.parametrize(
    "scope",
    [
        Scope(accounts=fold(["a"])),
        Scope(exchanges=fold(["a"])),
        Scope(sides=frozenset({Side.BUY})),
        Scope(older_than=1.0),
        Scope(keys=frozenset()),
        Scope(keep_protective=True),
    ],
)
def test_a_native_cancel_all_would_reach_beyond_these(scope: Scope) -> None:
    assert not scope.native


def test_whole_symbols_are_a_union_of_native_reaches() -> None:
    assert Scope(symbols=fold(["BTC/INR", "ETH/INR"]), venues=fold(["cs"])).native


def test_an_empty_frozen_list_holds_nothing() -> None:
    assert not Scope(keys=frozenset()).venue_in("cs")
    assert Scope(keys=frozenset()).match(order()) is Match.NO


VALUES = ["a", "b", "c"]


@given(
    st.frozensets(st.sampled_from(VALUES)),
    st.frozensets(st.sampled_from(VALUES)),
    st.frozensets(st.sampled_from(list(Side))),
)
def test_a_scope_is_the_product_of_its_fields(
    symbols: frozenset[str], accounts: frozenset[str], sides: frozenset[Side]
) -> None:
    scope = Scope(symbols=symbols, accounts=accounts, sides=sides)
    for symbol, account, side in product(VALUES, VALUES, Side):
        wanted = (
            (not symbols or symbol in symbols)
            and (not accounts or account in accounts)
            and (not sides or side in sides)
        )
        found = scope.match(order(symbol=symbol.upper(), account=account.upper(), side=side))
        assert (found is Match.YES) is wanted
        assert (found is Match.NO) is not wanted


@given(st.lists(st.text(max_size=8), max_size=5))
def test_folding_ignores_case(values: list[str]) -> None:
    assert fold(value.casefold() for value in values) == fold(values)


def test_scopes_that_mean_the_same_are_equal_however_they_were_typed() -> None:
    typed, plain = Scope(venues=fold(["CS"]), raw={"venue": ["CS"]}), Scope(venues=fold(["cs"]))
    assert typed == plain
    assert hash(typed) == hash(plain)
    others = [
        Scope(),
        Scope(accounts=fold(["cs"])),
        Scope(venues=fold(["cs"]), symbols=fold(["x"])),
        Scope(venues=fold(["cs"]), sides=frozenset([Side.BUY])),
        Scope(venues=fold(["cs"]), exchanges=fold(["x"])),
        Scope(venues=fold(["cs"]), older_than=0.0),
        Scope(venues=fold(["cs"]), keys=frozenset()),
        Scope(venues=fold(["cs"]), keep_protective=True),
    ]
    assert plain not in others
    assert len(set(others)) == len(others)
    assert plain != "cs"
