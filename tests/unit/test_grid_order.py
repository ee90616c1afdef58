"""The shown order: as if every entry had been made and sorted, whatever the values are."""

from __future__ import annotations

from decimal import Decimal
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.console.grid_order import LARGEST, SPARE, Entry, Standing, entry_of, place_of
from cancel_tui.orders import AccountId, Family, OrderId, OrderKey, VenueName

numbers = st.sampled_from(
    [
        Decimal(text)
        for text in (
            "0",
            "-0",
            "1",
            "1.0",
            "0.1",
            "0.10000000000000000001",
            "-3",
            "1e400",
            "2e400",
            "-1e400",
            "1.75e308",
        )
    ]
) | st.decimals(allow_nan=False, allow_infinity=False)
odd = st.sampled_from([Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity")])
columns = (
    st.lists(st.none() | numbers | odd, max_size=30)
    | st.lists(st.none() | numbers, max_size=30)
    | st.lists(st.none() | st.floats(), max_size=30)
    | st.lists(numbers, max_size=30)
    | st.lists(st.text(max_size=3), max_size=30)
    | st.lists(st.none() | st.text(max_size=3), max_size=30)
    | st.lists(st.none() | st.tuples(st.integers(-3, 3), st.integers(-3, 3)), max_size=30)
)


def key(number: int) -> OrderKey:
    account = None if number % 3 else AccountId("a")
    return OrderKey(VenueName("v"), account, Family.ORDER, OrderId(f"{number:05}"))


def standing(values: list[Any]) -> tuple[Standing, list[Entry]]:
    """The order of these values, and every entry of it."""
    places = sorted(place_of(key(number)) for number in range(len(values)))
    entries = [entry_of(value, place) for value, place in zip(values, places, strict=True)]
    return Standing(values, places), entries


@given(columns)
def test_it_stands_as_if_every_entry_had_been_sorted(values: list[Any]) -> None:
    order, entries = standing(values)
    assert list(order) == sorted(entries)
    assert list(order.orders()) == [place[-1] for _, _, place in sorted(entries)]
    assert [order.key(index) for index in range(len(order))] == list(order.orders())
    for entry in entries:
        assert order[order.find(entry)] == entry


@given(columns, st.data())
def test_what_comes_and_goes_takes_its_place(values: list[Any], data: st.DataObject) -> None:
    order, entries = standing(values)
    held = sorted(entries)
    for _ in range(data.draw(st.integers(0, 8))):
        leaves: bool = data.draw(st.booleans())
        if held and leaves:
            entry: Entry = data.draw(st.sampled_from(held))
            held.remove(entry)
            assert order.remove(entry)
            assert not order.remove(entry), "it has left"
        elif values:
            value: Any = data.draw(st.sampled_from(values))
            entry = entry_of(value, place_of(key(1_000 + len(held) + data.draw(st.integers(0, 9_000)))))
            if entry in held:
                continue
            held = sorted([*held, entry])
            order.add(entry)
        assert list(order) == held


def test_numbers_that_one_float_stands_for_are_equals() -> None:
    close = [Decimal("0.10000000000000000002"), Decimal("0.1"), Decimal("0.09"), Decimal("0.1")]
    order, _ = standing(close)
    assert list(order.orders()) == [key(number) for number in (0, 1, 2, 3)], "the smaller one, then by place"
    order, _ = standing([Decimal("2e400"), None, Decimal("NaN"), Decimal(1), Decimal("1e400")])
    assert [about for about, _, _ in order] == [1.0, LARGEST, LARGEST, inf, inf]


@pytest.mark.parametrize("count", [0, 10])
def test_what_has_left_is_not_kept_for_ever(count: int) -> None:
    order, _ = standing([Decimal(number) for number in range(count)])
    turns = 0
    while not order.worn:
        entry = entry_of(Decimal(5), place_of(key(20_000 + turns)))
        order.add(entry)
        assert order.remove(entry)
        turns += 1
        assert turns <= 2 * SPARE
    assert len(order) == count
