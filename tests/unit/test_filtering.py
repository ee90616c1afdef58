"""What is typed into the filter: read word by word, and a word that cannot be read hides nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cancel_tui.console.filtering import FIELDS, NUMBERS, read
from cancel_tui.console.grid_model import GridModel, GridRow
from cancel_tui.orders import OrderStatus, OrderType, Side, altered
from cancel_tui.text import VenueText
from tests.unit.test_grid_model import order_of, row_of

NOW = 100.0


def row(number: str, born: float | None, **facts: object) -> GridRow:
    order = altered(order_of(number), **facts)
    return replace(row_of(order), born=born)


ROWS = [
    row("a1", 95.0, side=Side.SELL, exchange=VenueText("coinswitchx"), source=VenueText("API")),
    row("b2", 40.0, price=None, trigger_price=Decimal("7.5"), type=OrderType.STOP),
    row("c3", None, side=None, status=OrderStatus.PARTIALLY_FILLED, filled=Decimal("0.25")),
    row("d4", -9_900.0, price=Decimal("1E+9"), remaining=None, symbol=VenueText("ETH[b]/USDT")),
]


def shown(text: str) -> set[str]:
    """The ids that a filter leaves, by way of the model."""
    model = GridModel()
    model.pass_time(NOW)
    model.apply(ROWS)
    model.set_filter(text)
    return {one.key.order_id for one in model}


EVERY = {"a1", "b2", "c3", "d4"}


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", EVERY),
        ("b2", {"b2"}),
        ("venue:P9", EVERY),
        ("venue:roxom", set()),
        ("venue:roxom,p99", EVERY),
        ("side:sell", {"a1"}),
        ("side:s", {"a1"}),
        ("-side:sell", {"b2", "c3", "d4"}),
        ("side:buy,sell", {"a1", "b2", "d4"}),
        ("symbol:eth[b]", {"d4"}),
        ("status:part", {"c3"}),
        ("type:stop", {"b2"}),
        ("exchange:coin", {"a1"}),
        ("source:api", {"a1"}),
        ("id:c3", {"c3"}),
        ("age>30s", {"b2", "d4"}),
        ("age>1m", {"d4"}),
        ("age>=1m", {"b2", "d4"}),
        ("age<30s", {"a1"}),
        ("-age>30s", {"a1", "c3"}),
        ("age>2h", {"d4"}),
        ("price<8", {"b2"}),
        ("price>=1000000", {"d4"}),
        ("price=10.0", {"a1", "c3"}),
        ("filled>0", {"c3"}),
        ("notional=10", {"a1", "c3"}),
        ("remaining>0.5 -a1", {"b2", "c3"}),
        ("btc side:b age<2m", {"b2"}),
    ],
)
def test_a_filter_shows(text: str, ids: set[str]) -> None:
    assert read(text).troubles == ()
    assert shown(text) == ids


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-", "- needs a word"),
        ("venue:", "venue: needs a value"),
        ("venue:,", "venue: needs a value"),
        ("side:x", "side: is buy or sell"),
        ("side:buy,x", "side: is buy or sell"),
        ("colour:red", "colour: is no field; there are venue, side"),
        ("age>", "age> needs a time"),
        ("age>5x", "age> needs a time"),
        ("age>-5", "age> needs a time"),
        ("price>", "price> needs a number"),
        ("price<1e999", "price< needs a number"),
        ("price<nan", "price< needs a number"),
        ("colour<3", "colour< cannot be compared"),
    ],
)
def test_a_word_that_cannot_be_read_says_so_and_hides_nothing(text: str, said: str) -> None:
    found = read(text)
    assert len(found.troubles) == 1
    assert found.troubles[0].startswith(said)
    assert shown(text) == EVERY
    assert shown(f"{text} b2") == {"b2"}, "the other words hold"
    assert shown(f"-{text}") == EVERY


def test_the_id_of_a_stop_order_is_no_field() -> None:
    assert read("stop:12").troubles == ()


WORDS = st.one_of(
    st.text(max_size=12),
    st.builds(lambda name, value: f"{name}:{value}", st.sampled_from(FIELDS), st.text(max_size=6)),
    st.builds(
        lambda name, sign, value: f"{name}{sign}{value}",
        st.sampled_from(["age", *NUMBERS]),
        st.sampled_from(["<", ">", "<=", ">=", "="]),
        st.one_of(st.text(max_size=4), st.integers(0, 200).map(str), st.sampled_from(["5m", "0.5h", "1e3"])),
    ),
    st.sampled_from(["p99", "btc", "buy", "part"]),
).filter(lambda word: word.split() == [word])


@given(WORDS)
def test_a_minus_turns_a_word_round_and_nothing_else(word: str) -> None:
    bare = word.lstrip("-")
    if not bare:
        return
    if read(bare).troubles:
        assert shown(bare) == shown(f"-{bare}") == EVERY
    else:
        assert shown(bare) | shown(f"-{bare}") == EVERY
        assert not shown(bare) & shown(f"-{bare}")


@given(st.lists(WORDS, max_size=4))
def test_words_narrow_one_by_one_in_any_order(words: list[str]) -> None:
    each = [shown(word) for word in words]
    together = shown(" ".join(words))
    assert together == EVERY.intersection(*each)
    assert together == shown(" ".join(reversed(words)).upper().lower())
    assert len(read(" ".join(words)).troubles) == sum(len(read(word).troubles) for word in words)


@given(st.text(max_size=60))
def test_anything_can_be_typed(text: str) -> None:
    found = read(text)
    assert all(isinstance(trouble, str) and trouble.isprintable() for trouble in found.troubles)
    shown(text)


def test_what_is_no_number_passes_no_comparison() -> None:
    odd = row("e5", 0.0, price=Decimal("NaN"), filled=Decimal("Infinity"))
    assert not read("price>1").shows(odd, "", NOW)
    assert not read("filled>1").shows(odd, "", NOW)
