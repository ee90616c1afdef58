"""The grid's rows without a screen: order, filter, marks; its badges, cells and column widths."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len, get_character_cell_size

from cancel_tui.cancels import Ending, Stage
from cancel_tui.console import badges, cells
from cancel_tui.console.badges import Badge, age_text, badge_for, badge_text
from cancel_tui.console.columns import DEFAULT, GUTTER, Column, label, layout, whole
from cancel_tui.console.grid_model import GridModel, GridRow
from cancel_tui.console.grid_order import SPARE
from cancel_tui.desk.report import order_json
from cancel_tui.orders import (
    AccountId,
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
from cancel_tui.settings import COLUMN_NAMES
from cancel_tui.text import VenueText

FULL = Order(
    key=OrderKey(VenueName("p99"), None, Family.ORDER, OrderId("1")),
    account=AccountId("acc-7"),
    client_order_id=VenueText("mine-1"),
    symbol=VenueText("BTC/INR"),
    display_symbol=VenueText("Bitcoin"),
    exchange=VenueText("coinswitchx"),
    side=Side.BUY,
    type=OrderType.STOP_LIMIT,
    time_in_force=VenueText("GTC"),
    price=Decimal("10.50"),
    trigger_price=Decimal("11.25"),
    quantity=Decimal("8"),
    filled=Decimal("3"),
    remaining=Decimal("5"),
    average_price=Decimal("10.4"),
    fee=Decimal("0.002"),
    reduce_only=True,
    status=OrderStatus.PARTIALLY_FILLED,
    venue_status=VenueText("PARTIALLY_EXECUTED"),
    source=VenueText("API_TRADING"),
    created_at=1_767_614_667.0,
    updated_at=1_767_618_267.5,
)
"""An order of which everything is known."""


def key_of(order_id: str, venue: str = "p99", account: str | None = None) -> OrderKey:
    return OrderKey(
        VenueName(venue), AccountId(account) if account else None, Family.ORDER, OrderId(order_id)
    )


def order_of(
    order_id: str = "1",
    venue: str = "p99",
    account: str | None = None,
    symbol: str | None = "BTC/INR",
    side: Side | None = Side.BUY,
    price: str | None = "10",
    remaining: str | None = "1",
    created_at: float | None = 1_000.0,
    status: OrderStatus = OrderStatus.OPEN,
    kind: OrderType = OrderType.LIMIT,
    filled: str | None = None,
    quantity: str | None = None,
    venue_status: str | None = None,
) -> Order:
    key = key_of(order_id, venue, account)
    return Order(
        key=key,
        account=key.account,
        symbol=VenueText(symbol) if symbol else None,
        side=side,
        type=kind,
        price=None if price is None else Decimal(price),
        quantity=None if quantity is None else Decimal(quantity),
        filled=None if filled is None else Decimal(filled),
        remaining=None if remaining is None else Decimal(remaining),
        status=status,
        venue_status=VenueText(venue_status) if venue_status else None,
        created_at=created_at,
    )


def row_of(order: Order, revision: int = 0, stage: Stage | None = None, since: float = 0.0) -> GridRow:
    badge = badge_for(order, stage, since) if stage else None
    return GridRow(key=order.key, order=order, stage=stage, badge=badge, revision=revision, born=0.0)


def ids(model: GridModel) -> list[str]:
    return [row.key.order_id for row in model]


def filled_model(*orders: Order) -> GridModel:
    model = GridModel()
    model.apply(row_of(order) for order in orders)
    return model


class TestOrder:
    def test_an_unknown_value_comes_last_in_both_directions(self) -> None:
        model = filled_model(order_of("a", price=None), order_of("b", price="2"), order_of("c", price="10"))
        model.set_sort(Column.PRICE)
        assert ids(model) == ["b", "c", "a"]
        model.set_sort(Column.PRICE, reverse=True)
        assert ids(model) == ["c", "b", "a"]

    def test_equal_values_stand_in_the_order_of_their_keys_in_both_directions(self) -> None:
        model = filled_model(*(order_of(name, price="5") for name in "cab"))
        model.set_sort(Column.PRICE)
        assert ids(model) == ["a", "b", "c"]
        model.set_sort(Column.PRICE, reverse=True)
        assert ids(model) == ["a", "b", "c"]

    def test_texts_sort_downwards_with_the_longer_of_two_alike_first(self) -> None:
        model = filled_model(*(order_of(s, symbol=s) for s in ("AB", "ABC", "B", "A")))
        model.set_sort(Column.SYMBOL, reverse=True)
        assert ids(model) == ["B", "ABC", "AB", "A"]

    def test_sorting_by_age_begins_with_the_youngest(self) -> None:
        model = filled_model(order_of("old", created_at=1.0), order_of("new", created_at=9.0))
        model.set_sort(Column.AGE)
        assert ids(model) == ["new", "old"]

    def test_sorting_by_status_begins_with_what_needs_a_hand(self) -> None:
        model = GridModel()
        rows = [
            row_of(order_of("open")),
            row_of(order_of("sent"), stage=Stage.SENT),
            row_of(order_of("unknown"), stage=Stage.UNKNOWN),
            row_of(order_of("gone"), stage=Stage.GONE),
        ]
        model.apply(rows)
        model.set_sort(Column.STATUS)
        assert ids(model) == ["unknown", "sent", "open", "gone"]

    @pytest.mark.parametrize(("fresh", "reverse"), [("a-young", False), ("z-young", True)])
    def test_sorted_by_status_a_doubt_comes_before_the_young_ones_once_it_is_an_alarm(
        self, fresh: str, reverse: bool
    ) -> None:
        model = GridModel()
        model.set_sort(Column.STATUS, reverse)
        model.pass_time(100.0)
        young, old, older = (
            row_of(order_of(name), stage=Stage.UNKNOWN, since=since)
            for name, since in ((fresh, 99.5), ("b-old", 99.0), ("c-older", 50.0))
        )
        model.apply([young, row_of(order_of("d-open")), row_of(order_of("e-sent"), stage=Stage.SENT)])
        model.apply([old, older])

        def stand() -> list[str]:
            return ids(model)[::-1] if reverse else ids(model)

        def first(*names: str) -> bool:
            """Of equal rank they stand by their keys, also upside down."""
            return sorted(stand()[: len(names)]) == sorted(names)

        assert first("c-older")
        assert first("c-older", fresh, "b-old")
        assert model.place(older) == (4 if reverse else 0)
        assert not model.pass_time(99.0 + badges.UNKNOWN_ALARM - 0.1)
        assert model.pass_time(99.0 + badges.UNKNOWN_ALARM)
        assert first("c-older", "b-old")
        assert not model.pass_time(99.4 + badges.UNKNOWN_ALARM)
        model.apply([row_of(order_of("b-old"), revision=1)], [older.key])
        assert first(fresh, "e-sent")
        assert not model.pass_time(99.5 + badges.UNKNOWN_ALARM), "it stood before all others already"
        assert not model.pass_time(1_000.0)
        assert [model.position(key_of(name)) is not None for name in (fresh, "b-old")] == [True, True]

    def test_a_stop_sorts_by_its_trigger_price(self) -> None:
        stop = altered(order_of("stop", price=None, kind=OrderType.STOP), trigger_price=Decimal(3))
        model = filled_model(order_of("low", price="2"), order_of("high", price="4"), stop)
        model.set_sort(Column.PRICE)
        assert ids(model) == ["low", "stop", "high"]

    def test_orders_with_and_without_an_account_stand_in_one_list(self) -> None:
        model = filled_model(order_of("x", account="a"), order_of("x"), order_of("x", account="b"))
        assert [row.key.account for row in model] == [None, "a", "b"]
        assert model.has_accounts
        model.apply([], [key_of("x", account="a"), key_of("x", account="b")])
        assert not model.has_accounts

    @pytest.mark.parametrize("price", ["NaN", "sNaN", "Infinity"])
    def test_what_is_no_number_counts_as_unknown(self, price: str) -> None:
        model = filled_model(order_of("a", price=price), order_of("b"))
        model.set_sort(Column.PRICE)
        assert ids(model) == ["b", "a"]
        model.apply([], [key_of("a")])
        assert ids(model) == ["b"]

    def test_a_time_that_is_no_number_cannot_lose_a_row(self) -> None:
        model = filled_model(
            *(order_of(n, created_at=t) for n, t in (("a", float("nan")), ("b", 1.0), ("c", 2.0)))
        )
        model.set_sort(Column.AGE)
        model.apply([], [key_of("a")])
        assert ids(model) == ["c", "b"]

    @pytest.mark.parametrize("column", Column)
    def test_every_column_can_be_sorted_by(self, column: Column) -> None:
        rows = [row_of(order) for order in (FULL, order_of("2", price="NaN"), order_of("3", side=None))]
        model = GridModel()
        model.apply(rows)
        model.set_sort(column)
        upwards = ids(model)
        model.set_sort(column, reverse=True)
        assert sorted(ids(model)) == sorted(upwards) == ["1", "2", "3"]


class TestChanges:
    def test_a_change_that_moves_nothing_says_so(self) -> None:
        model = filled_model(order_of("a"), order_of("b"))
        before = model.revision
        assert not model.apply([row_of(order_of("a"), 1, Stage.SENT)])
        assert model.revision > before
        row = model.get(key_of("a"))
        assert row is not None
        assert row.stage is Stage.SENT

    def test_an_equal_row_is_no_change(self) -> None:
        model = filled_model(order_of("a"))
        held, before = model.row(0), model.revision
        assert not model.apply([row_of(order_of("a"))])
        assert model.row(0) is held
        assert model.revision == before

    def test_another_badge_counts_even_if_the_caller_forgot_to_count(self) -> None:
        model = filled_model(order_of("a"))
        model.apply([row_of(order_of("a"), 0, Stage.UNKNOWN)])
        row = model.row(0)
        assert row is not None
        assert row.shown_badge.word == "UNKNOWN"

    def test_removing_the_unknown_is_nothing(self) -> None:
        model = filled_model(order_of("a"))
        assert not model.apply([], [key_of("zzz")])
        assert len(model) == 1

    def test_an_order_removed_and_sent_again_in_one_batch_stays(self) -> None:
        model = filled_model(order_of("a"), order_of("b"))
        model.apply([row_of(order_of("a"), 1)], [key_of("a")])
        assert ids(model) == ["a", "b"]

    def test_the_last_of_several_changes_to_one_order_holds(self) -> None:
        model = filled_model(order_of("a"), order_of("b", price="5"))
        model.set_sort(Column.PRICE)
        model.apply([row_of(order_of("a", price="1"), 1), row_of(order_of("a", price="4"), 2)])
        assert ids(model) == ["a", "b"]
        assert model.position(key_of("a")) == 0

    def test_the_place_of_a_row_that_left_is_where_it_would_stand(self) -> None:
        model = filled_model(*(order_of(name) for name in "abcd"))
        left = model.get(key_of("c"))
        assert left is not None
        model.apply([], [key_of("c"), key_of("a")])
        assert model.place(left) == 1
        assert model.position(key_of("c")) is None

    def test_there_is_no_row_outside(self) -> None:
        model = filled_model(order_of("a"))
        assert model.row(-1) is None
        assert model.row(1) is None


class TestFilter:
    def test_every_word_must_occur_somewhere_ignoring_case(self) -> None:
        model = filled_model(
            order_of("a", venue="cs-spot", symbol="BTC/INR", side=Side.BUY),
            order_of("b", venue="cs-spot", symbol="ETH/INR", side=Side.SELL),
            order_of("c", venue="p99", symbol="BTC/USDT", side=Side.SELL),
        )
        model.set_filter("CS inr")
        assert ids(model) == ["a", "b"]
        model.set_filter("CS inr sell")
        assert ids(model) == ["b"]
        assert model.total == 3
        model.set_filter("  ")
        assert len(model) == 3

    def test_a_change_brings_a_row_in_and_takes_it_out(self) -> None:
        model = filled_model(order_of("a"), order_of("b"))
        model.set_filter("unknown")
        assert ids(model) == []
        assert model.apply([row_of(order_of("b"), 1, Stage.UNKNOWN)])
        assert ids(model) == ["b"]
        assert model.apply([row_of(order_of("b"), 2, Stage.SENT)])
        assert ids(model) == []
        assert model.position(key_of("b")) is None

    def test_an_order_that_comes_back_is_read_anew(self) -> None:
        model = filled_model(order_of("a"), order_of("b"))
        model.set_filter("unknown")
        model.apply([], [key_of("a")])
        model.apply([row_of(order_of("a"), 1, Stage.UNKNOWN)])
        assert ids(model) == ["a"]

    def test_special_characters_are_plain_text(self) -> None:
        model = filled_model(order_of("[/order/123]"), order_of("x.*"))
        model.set_filter("[/ORDER")
        assert ids(model) == ["[/order/123]"]
        model.set_filter(".*")
        assert ids(model) == ["x.*"]


class TestMarks:
    def test_a_mark_survives_sorting_and_filtering_and_leaves_with_its_row(self) -> None:
        model = filled_model(order_of("a"), order_of("b"))
        assert model.mark(key_of("a"), True)
        assert not model.mark(key_of("a"), True)
        model.set_sort(Column.PRICE, reverse=True)
        model.set_filter("b")
        assert model.marked == {key_of("a")}
        model.apply([], [key_of("a")])
        assert model.marked == frozenset()
        model.apply([row_of(order_of("a"))])
        assert not model.is_marked(key_of("a"))

    def test_an_order_that_is_not_held_cannot_be_marked(self) -> None:
        assert not GridModel().mark(key_of("a"), True)


PRICES = st.sampled_from([None, "1", "2", "2.0", "30"])
ROWS = st.builds(
    lambda n, venue, account, price, side, stage, revision, born: replace(
        row_of(order_of(f"{n}", venue=venue, account=account, price=price, side=side), revision, stage),
        born=born,
    ),
    st.integers(0, 12),
    st.sampled_from(["p99", "roxom"]),
    st.sampled_from([None, "acc"]),
    PRICES,
    st.sampled_from([None, *Side]),
    st.sampled_from([None, *Stage]),
    st.integers(0, 3),
    st.sampled_from([None, 0.0, -20.0, 3.0]),
)
FILTERS = ["", "p99", "buy", "sent", "nothing", "age>5s", "-age>=30s p99", "-side:b", "price<30", "age>"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("apply"), st.lists(ROWS, max_size=8), st.lists(ROWS, max_size=3)),
        st.tuples(st.just("sort"), st.sampled_from(list(Column)), st.booleans()),
        st.tuples(st.just("filter"), st.sampled_from(FILTERS), st.none()),
        st.tuples(st.just("time"), st.floats(0.0, 40.0), st.none()),
    ),
    max_size=12,
)


def expected(model: GridModel, rows: Sequence[GridRow], now: float) -> list[OrderKey]:
    fresh = GridModel()
    fresh.pass_time(now)
    fresh.set_sort(model.sort, model.reverse)
    fresh.set_filter(model.filter)
    fresh.apply(rows)
    return [row.key for row in fresh]


UNKNOWN = row_of(order_of("0"), stage=Stage.UNKNOWN)
BY_STATUS = ("sort", Column.STATUS, False)


@settings(max_examples=150, deadline=None)
@given(STEPS)
@example([("apply", [UNKNOWN], []), BY_STATUS, ("time", 15.0, None)])
@example([("apply", [UNKNOWN], []), ("time", 15.0, None), BY_STATUS, ("time", 0.0, None)])
def test_any_history_ends_like_a_fresh_start(steps: list[tuple[str, object, object]]) -> None:
    model = GridModel()
    held: dict[OrderKey, GridRow] = {}
    now = 0.0
    for name, one, other in steps:
        if name == "apply":
            assert isinstance(one, list)
            assert isinstance(other, list)
            for row in other:
                held.pop(row.key, None)
            held.update({row.key: row for row in one})
            model.apply(one, [row.key for row in other])
        elif name == "sort":
            assert isinstance(one, Column)
            model.set_sort(one, bool(other))
        elif name == "time":
            assert isinstance(one, float)
            now = one
            before = [row.key for row in model]
            assert model.pass_time(now) or [row.key for row in model] == before
        else:
            assert isinstance(one, str)
            model.set_filter(one)
        assert [row.key for row in model] == expected(model, list(held.values()), now)
        assert model.total == len(held)
        for index, row in enumerate(model):
            assert model.position(row.key) == index
            assert held[row.key] == row


def test_a_large_change_and_many_small_ones_give_the_same_order() -> None:
    orders = [order_of(str(n), price=str(n * 7919 % 1000)) for n in range(1000)]
    at_once, by_and_by = GridModel(), GridModel()
    for model in (at_once, by_and_by):
        model.set_sort(Column.PRICE, reverse=True)
    at_once.apply(map(row_of, orders))
    for order in orders:
        by_and_by.apply([row_of(order)])
    at_once.apply([], [order.key for order in orders[:300]])
    for order in orders[:300]:
        by_and_by.apply([], [order.key])
    assert ids(at_once) == ids(by_and_by)
    assert len(at_once) == 700


class TestBadges:
    def test_every_state_has_a_word_a_shape_a_twin_and_a_role_of_its_own(self) -> None:
        made = [state() for state in badges.STATES]
        for part in ("word", "shape", "ascii", "role"):
            assert len({getattr(badge, part) for badge in made}) == len(made), part
        assert {badge.role for badge in made} | {badges.ALARM} == set(badges.ROLES)
        assert all(len(badge.shape) == cell_len(badge.shape) == 1 for badge in made)
        assert all(len(badge.ascii) == 1 and badge.ascii.isascii() for badge in made)

    @pytest.mark.parametrize(
        ("order", "stage", "since", "ending", "seen", "text"),
        [
            (order_of(), None, None, None, None, "  open"),
            (order_of(filled="1", quantity="4"), None, None, None, None, "◐ part 25%"),
            (order_of(filled="1", quantity="4000"), None, None, None, None, "◐ part <1%"),
            (order_of(filled="3999.9", quantity="4000"), None, None, None, None, "◐ part 99%"),
            (order_of(), Stage.WANTED, 9.5, None, None, "▷ QUEUED 0.5s"),
            (order_of(), Stage.SENT, 9.75, None, None, "➤ SENT 0.2s"),
            (order_of(), Stage.ACCEPTED, 8.5, None, None, "◔ PENDING 1.5s"),
            (order_of(), Stage.UNKNOWN, -2.0, None, None, "? UNKNOWN 12s ⟳"),
            (order_of(), Stage.REFUSED, 0.0, None, None, "✖ REFUSED 10s"),
            (order_of(), Stage.ENDED, 9.5, Ending.CANCELED, None, "✔ canceled 0.5s"),
            (order_of(filled="40"), Stage.ENDED, 9.5, Ending.FILLED, None, "■ FILLED 40 first"),
            (order_of(), Stage.ENDED, 9.5, Ending.EXPIRED, None, "◇ expired 0.5s"),
            (order_of(), Stage.ENDED, 9.5, Ending.REJECTED, None, "⊘ rejected 0.5s"),
            (order_of(), Stage.GONE, 9.5, None, None, "◌ gone 0.5s"),
            (order_of(), None, None, None, 31.0, "▒ not seen 31s"),
            (order_of(status=OrderStatus.PENDING_CANCEL), None, None, None, None, "◔ PENDING"),
            (order_of(status=OrderStatus.PENDING_NEW), None, None, None, None, "◦ new"),
            (order_of(status=OrderStatus.CANCELED), None, None, None, None, "✔ canceled"),
            (
                order_of(status=OrderStatus.UNKNOWN, venue_status="HALTED"),
                None, None, None, None, "◊ live “HALTED”",
            ),
        ],
    )  # fmt: skip
    def test_what_the_status_says(
        self,
        order: Order,
        stage: Stage | None,
        since: float | None,
        ending: Ending | None,
        seen: float | None,
        text: str,
    ) -> None:
        badge = badge_for(order, stage, since, ending, 10.0, seen)
        assert badge_text(badge, 10.0, 17) == text
        assert badge_text(badge, 10.0, 17, ascii_only=True).isascii()

    @pytest.mark.parametrize("stage", [None, *Stage])
    @pytest.mark.parametrize("status", [status for status in OrderStatus if status.live])
    @pytest.mark.parametrize("ending", [None, Ending.OPEN, Ending.UNKNOWN, Ending.GONE])
    def test_no_word_of_death_without_the_venues_word(
        self, stage: Stage | None, status: OrderStatus, ending: Ending | None
    ) -> None:
        badge = badge_for(order_of(status=status, filled="1"), stage, 1.0, ending, 2.0, 60.0)
        assert badge.word not in {"canceled", "FILLED", "expired", "rejected"}

    @pytest.mark.parametrize("ending", list(Ending))
    def test_an_ending_says_nothing_while_the_cancel_is_under_way(self, ending: Ending) -> None:
        for stage in (Stage.WANTED, Stage.SENT, Stage.ACCEPTED, Stage.UNKNOWN, Stage.REFUSED):
            assert badge_for(order_of(), stage, 1.0, ending).word.isupper()

    def test_a_venues_own_word_cannot_pass_for_a_state(self) -> None:
        order = order_of(status=OrderStatus.UNKNOWN, venue_status="canceled\x1b[2J")
        text = badge_text(badge_for(order), 0.0, 40)
        assert text.startswith("◊ live “canceled")
        assert "\x1b" not in text

    def test_a_lasting_unknown_becomes_the_alarm(self) -> None:
        badge = badge_for(order_of(), Stage.UNKNOWN, 100.0)
        assert badge.role_at(100.0) == "unknown"
        assert badge.role_at(100.0 + badges.UNKNOWN_ALARM) == badges.ALARM

    @pytest.mark.parametrize("width", range(30))
    def test_a_number_is_whole_or_absent(self, width: int) -> None:
        badge = badge_for(order_of(filled="123.456"), Stage.ENDED, 0.0, Ending.FILLED, 10.0)
        text = badge_text(badge, 10.0, width)
        assert len(text) <= width
        assert "1" not in text or "123.456 first" in text

    def test_a_part_fill_before_a_cancel_is_told_where_there_is_room(self) -> None:
        badge = badge_for(order_of(filled="12.5"), Stage.ENDED, 9.0, Ending.CANCELED)
        assert badge_text(badge, 10.0, 30) == "✔ canceled 1s 12.5 filled"
        assert badge_text(badge, 10.0, 17) == "✔ canceled 1s"

    @pytest.mark.parametrize(
        ("stage", "ending", "changes"),
        [
            (Stage.ENDED, Ending.CANCELED, 19),
            (Stage.ENDED, Ending.REJECTED, 19),
            (Stage.GONE, None, 19),
            (Stage.SENT, None, 100),
            (Stage.UNKNOWN, None, 100),
        ],
    )
    def test_an_end_counts_tenths_for_a_second_and_what_is_under_way_for_ten(
        self, stage: Stage, ending: Ending | None, changes: int
    ) -> None:
        badge = badge_for(order_of(), stage, 0.0, ending)
        said = [badge_text(badge, tenth / 10 + 0.01, 17) for tenth in range(101)]
        assert len(set(said)) == changes + 1

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (-5, "0s"),
            (0, "0s"),
            (59.9, "59s"),
            (60, "1m"),
            (3599, "59m"),
            (7200, "2h"),
            (86400, "1d"),
            (4e8, "12y"),
        ],
    )
    def test_ages_are_short(self, seconds: float, text: str) -> None:
        assert age_text(seconds) == text

    def test_an_age_never_outgrows_its_column(self) -> None:
        assert all(len(age_text(10.0**power)) <= 5 for power in range(30))


class TestCells:
    @pytest.mark.parametrize(
        "raw",
        [
            "[/order/123]",
            "[@click=app.quit]x[/]",
            "\x1b[2J\x1b]0;gone\x07",
            "\u202egnirts\u202c",
            "日経平均先物",
            "x" * 10_000,
            "é" * 10_000,
            "a\u0301\u0301\u0301b",
            "👩\u200d👩\u200d👧 🇮🇳 👍🏽",
            "line\nbreak\ttab\r",
            "\ud800",
            "",
        ],
    )
    @pytest.mark.parametrize("ascii_only", [False, True])
    def test_foreign_text_fills_exactly_its_column(self, raw: str, ascii_only: bool) -> None:
        for width in (0, 1, 2, 5, 9, 40):
            text = cells.fit(raw, width, ascii_only)
            assert cell_len(text) == width
            assert sum(map(get_character_cell_size, text)) == width, "no terminal may measure it otherwise"
            assert not any(ord(char) < 32 or char in "\u202e\u202c\u200d\ud800" for char in text)
            assert text.isascii() or not ascii_only

    def test_markup_is_shown_as_it_is(self) -> None:
        assert cells.fit("[/order/123]", 12) == "[/order/123]"

    @pytest.mark.parametrize(
        ("value", "width", "text"),
        [
            ("2300000.00", 11, "2300000.00 "),
            ("4100.5", 11, "  4100.5   "),
            ("0.2800", 11, "     0.2800"),
            ("0.00091250", 11, " 0.00091250"),
            ("0.000912501234", 11, "0.00091250…"),
            ("20000", 11, " 20000     "),
            ("123456789012345", 11, "  ~1.23E+14"),
            ("1E+20", 11, "  ~1.00E+20"),
            (None, 11, "     –     "),
        ],
    )
    def test_numbers_stand_at_their_point(self, value: str | None, width: int, text: str) -> None:
        shown = cells.number_text(None if value is None else Decimal(value), width)
        assert len(shown) == width
        assert shown == text

    @given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(11, 20), st.booleans())
    def test_any_number_fills_its_column_and_loses_no_digit_silently(
        self, value: Decimal, width: int, ascii_only: bool
    ) -> None:
        if abs(value.adjusted()) > 60:
            return
        shown = cells.number_text(value, width, ascii_only=ascii_only)
        assert len(shown) == width
        said = shown.strip()
        assert said == format(value, "f") or said.endswith(("…", "~")) or said.startswith("~")

    def test_a_stop_without_a_quantity_carries_a_star(self) -> None:
        order = order_of(kind=OrderType.STOP, remaining="0")
        made = cells.cells(row_of(order), layout(79), cells.Timed("open", "open", "1m"))
        assert [cell.text.strip() for cell in made][5] == "0*"

    def test_the_cells_of_a_row_fill_the_columns_they_are_for(self) -> None:
        row = row_of(order_of("[/order/123]", venue="日本取引所", symbol="日経平均先物", account="x" * 99))
        for width in (20, 40, 79, 119, 200):
            places = layout(width)
            made = cells.cells(row, places, cells.timed(row, 1e9, 17))
            assert [cell_len(cell.text) for cell in made] == [place.width for place in places]

    def test_sides_differ_by_shape_and_word(self) -> None:
        assert cells.side_text(Side.BUY) == "▲BUY"
        assert cells.side_text(Side.SELL) == "▼SELL"
        assert cells.side_text(Side.BUY, True) != cells.side_text(Side.SELL, True)


SAID = {
    Column.VENUE: "p99",
    Column.ACCOUNT: "acc-7",
    Column.SYMBOL: "BTC/INR",
    Column.DISPLAY: "Bitcoin",
    Column.EXCHANGE: "coin",
    Column.SIDE: "BUY",
    Column.TYPE: "stpl",
    Column.TIF: "GTC",
    Column.PRICE: "10.50",
    Column.TRIGGER: "11.25",
    Column.QUANTITY: "8",
    Column.FILLED: "3",
    Column.REMAINING: "5",
    Column.AVERAGE: "10.4",
    Column.NOTIONAL: "52.50",
    Column.FEE: "0.002",
    Column.REDUCE: "yes",
    Column.AGE: "5s",
    Column.STATUS: "part",
    Column.WORD: "PARTIALLY",
    Column.SOURCE: "API_TRA",
    Column.CREATED: "01-05 12:04",
    Column.UPDATED: "01-05 13:04",
    Column.FAMILY: "order",
    Column.ID: "1",
    Column.CLIENT: "mine-1",
}


class TestLayout:
    def test_eighty_columns_show_the_eight_that_matter(self) -> None:
        shown = [label(place.column) for place in layout(79)]
        assert shown == ["VENUE", "SYMBOL", "SIDE", "TYPE", "PRICE", "REMAINING", "AGE", "STATUS"]

    @pytest.mark.parametrize("width", range(14, 300, 3))
    def test_the_columns_always_fit(self, width: int) -> None:
        places = layout(width)
        assert GUTTER + sum(place.gap + place.width for place in places) <= width
        assert {Column.SYMBOL, Column.STATUS} <= {place.column for place in places}

    def test_more_width_never_takes_a_column_away(self) -> None:
        shown: set[Column] = set()
        for width in range(14, 300):
            now = {place.column for place in layout(width)}
            assert shown <= now
            shown = now
        assert shown == set(DEFAULT)

    @given(st.lists(st.sampled_from(list(Column)), max_size=30), st.integers(14, 400))
    def test_what_is_chosen_stands_in_its_order_as_far_as_there_is_room(
        self, chosen: list[Column], width: int
    ) -> None:
        places = layout(width, frozenset(), tuple(chosen))
        wanted = list(whole(chosen))
        shown = [place.column for place in places]
        assert shown == [column for column in wanted if column in shown]
        assert set(shown) >= {Column.SYMBOL, Column.STATUS}
        assert GUTTER + sum(place.gap + place.width for place in places) <= width
        if width == 400:
            assert shown == wanted

    def test_every_field_of_the_contracts_order_is_a_column(self) -> None:
        names = {column.value for column in Column}
        assert names - {"age", "notional"} == set(order_json(FULL))
        assert set(COLUMN_NAMES) == names
        assert set(DEFAULT) <= set(Column)

    @pytest.mark.parametrize("column", Column)
    @pytest.mark.parametrize("ascii_only", [False, True])
    def test_every_column_says_what_is_known_and_fills_its_width(
        self, column: Column, ascii_only: bool
    ) -> None:
        for place in (place for width in (60, 400) for place in layout(width, frozenset(), (column,))):
            if place.column is not column:
                continue
            known, unknown = (
                cells.cells(row, (place,), cells.timed(row, 5.0, place.width, ascii_only), ascii_only)[0]
                for row in (row_of(FULL), row_of(Order(key=FULL.key)))
            )
            assert cell_len(known.text) == cell_len(unknown.text) == place.width
            assert SAID[column] in known.text
            if column not in (Column.VENUE, Column.STATUS, Column.TYPE, Column.FAMILY, Column.ID, Column.AGE):
                assert unknown.text.strip() == ("-" if ascii_only else "–")

    def test_an_unwanted_column_makes_room_for_another(self) -> None:
        skip = frozenset({Column.ACCOUNT})
        assert Column.QUANTITY in {place.column for place in layout(119, skip)}
        assert Column.ACCOUNT not in {place.column for place in layout(300, skip)}


def test_a_badge_without_an_age_has_none() -> None:
    assert Badge("open", " ", " ", "open").age(5.0) is None


@pytest.mark.parametrize("reverse", [False, True])
def test_numbers_that_no_float_holds_stand_in_their_order_before_unknown_ones(reverse: bool) -> None:
    prices = ["0.1", "0.1000000000000001", "1e400", "-1e400", "9007199254740993"]
    known = sorted(map(Decimal, prices), reverse=reverse)
    model = GridModel()
    model.set_sort(Column.PRICE, reverse)
    orders = [
        altered(FULL, key=FULL.key._replace(order_id=OrderId(str(number))), price=price, trigger_price=None)
        for number, price in enumerate([None, *reversed(known), None])
    ]
    model.apply([row_of(order) for order in orders])
    assert [row.order.price for row in model] == [*known, None, None]
    for row in list(model):
        assert model.position(row.key) is not None


def test_rows_that_move_for_hours_leave_nothing_behind() -> None:
    model = filled_model(*(order_of(str(number), price=str(number)) for number in range(20)))
    model.set_sort(Column.PRICE)
    for turn in range(3_000):
        model.apply([row_of(order_of("7", price=str(turn % 40)), revision=turn + 1)])
    held = model._order
    assert len(held._values) <= 2 * len(held) + SPARE + 1
    assert len(model) == 20
