"""Sums of many orders: every group adds up to the whole, and no two currencies are ever one sum."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.console.recent import KEPT, Ended, Recent
from cancel_tui.console.totals import Sum, sum_of, totals
from cancel_tui.desk import diary
from cancel_tui.desk.diary import Diary
from cancel_tui.orders import Order, Side, altered
from tests.unit.test_grid_model import key_of, order_of

ORDERS = st.lists(
    st.builds(
        lambda n, venue, symbol, side, price, remaining: order_of(
            str(n), venue=venue, symbol=symbol, side=side, price=price, remaining=remaining
        ),
        st.integers(0, 999),
        st.sampled_from(["p99", "roxom"]),
        st.sampled_from(["BTC/INR", "ETHUSDT", "XYZ", None]),
        st.sampled_from([None, *Side]),
        st.sampled_from([None, "0.5", "1E+3", "NaN", "Infinity"]),
        st.sampled_from([None, "0", "2.25"]),
    ),
    max_size=12,
)


def added(sums: list[Sum]) -> tuple[int, int, int, int, dict[str, Decimal]]:
    money: dict[str, Decimal] = {}
    for one in sums:
        for quote, value in one.notional.items():
            money[quote] = money.get(quote, Decimal(0)) + value
    return (
        sum(one.count for one in sums),
        sum(one.buys for one in sums),
        sum(one.sells for one in sums),
        sum(one.unpriced for one in sums),
        money,
    )


@given(ORDERS)
def test_every_way_to_take_them_apart_adds_up_to_the_whole(orders: list[Order]) -> None:
    found = totals(orders)
    whole = added([found.whole])
    assert whole == added(list(found.venues.values()))
    assert whole == added(list(found.symbols.values()))
    assert whole == added(list(found.sides.values()))
    assert found.whole == sum_of(orders)
    assert found.whole.count == len(orders)
    priced = [one for one in orders if one.price is not None and one.price.is_finite()]
    priced = [one for one in priced if one.remaining is not None and one.quote]
    assert found.whole.unpriced == len(orders) - len(priced)
    for quote, value in found.whole.notional.items():
        assert value == sum((one.notional or Decimal(0) for one in priced if one.quote == quote), Decimal(0))


def test_the_words_name_each_currency_and_what_has_no_price() -> None:
    orders = [
        order_of("1", symbol="BTC/INR", price="1000000", remaining="2"),
        order_of("2", symbol="GOLD-BTC", price="0.5", remaining="0.5"),
        order_of("3", symbol="GOLD-BTC", price=None),
    ]
    assert sum_of(orders).words() == ["BTC 0.2500", "INR 2,000,000", "1 without a price"]
    assert sum_of([]).words() == []


def ended(number: int, at: float, word: str = "canceled") -> Ended:
    return Ended(order_of(str(number)), word, at)


def test_the_newest_ends_are_kept_and_those_before_them_counted() -> None:
    recent = Recent()
    for number in range(KEPT + 5):
        recent.note(ended(number, float(number)))
    assert len(recent) == KEPT
    assert recent.dropped == 5
    newest = recent.newest()
    assert newest[0].order.key == key_of(str(KEPT + 4))
    assert newest[-1].order.key == key_of("5")


def test_an_end_that_was_taken_back_is_no_end() -> None:
    recent = Recent()
    recent.note(ended(1, 1.0))
    recent.note(ended(1, 2.0, "filled"))
    assert [one.word for one in recent.newest()] == ["filled"]
    recent.forget(key_of("1"))
    recent.forget(key_of("2"))
    assert len(recent) == 0


def test_a_diary_keeps_the_first_lines_and_the_newest_and_says_nothing_twice() -> None:
    kept = Diary()
    one, two = key_of("1"), key_of("2")
    for number in range(diary.KEPT * 2):
        kept.note(one, float(number), f"line {number}")
        kept.note(one, float(number), f"line {number}")
    found = [moment.what for moment in kept.of(one)]
    assert len(found) == diary.KEPT
    assert found[:3] == ["line 0", "line 1", "line 2"]
    assert found[-1] == f"line {diary.KEPT * 2 - 1}"
    kept.note(two, 5.0, "mine")
    kept.note_many((two,), 4.0, "ours")
    assert [moment.what for moment in kept.of(two)] == ["ours", "mine"]
    assert "ours" not in [moment.what for moment in kept.of(one)]
    assert kept.of(key_of("3")) == ()
    for number in range(diary.KEPT * 2):
        kept.note_many((two,), float(number), f"all {number}")
    assert len(kept.of(two)) == diary.KEPT + 1


def test_an_order_without_a_finite_price_is_not_worth_a_sum() -> None:
    odd = altered(order_of("1"), price=Decimal("NaN"))
    assert sum_of([odd]).words() == ["1 without a price"]
