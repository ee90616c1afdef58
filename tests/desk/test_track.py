"""One order on its way out: what evidence may change, and what it may not."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.cancels import Ending, Event, Stage
from cancel_tui.desk.track import Track, merge, plan
from cancel_tui.orders import (
    Family,
    Order,
    OrderId,
    OrderKey,
    OrderStatus,
    OrderType,
    Side,
    VenueName,
)
from cancel_tui.text import VenueText

TERMINAL = [status for status in OrderStatus if status.terminal]
LIVE = [status for status in OrderStatus if status.live]


def key(order_id: str = "1") -> OrderKey:
    return OrderKey(VenueName("v"), None, Family.ORDER, OrderId(order_id))


def order(
    status: OrderStatus = OrderStatus.OPEN,
    *,
    order_id: str = "1",
    symbol: str = "BTC/INR",
    price: str | None = "10",
    quantity: str | None = "4",
    filled: str | None = None,
    remaining: str | None = None,
    word: str | None = None,
    kind: OrderType = OrderType.LIMIT,
) -> Order:
    def number(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return Order(
        key=key(order_id),
        symbol=VenueText(symbol),
        price=number(price),
        quantity=number(quantity),
        filled=number(filled),
        remaining=number(remaining),
        status=status,
        venue_status=None if word is None else VenueText(word),
        type=kind,
    )


def track() -> Track:
    return Track(key())


# ---------------------------------------------------------------- ends


@pytest.mark.parametrize("status", TERMINAL)
def test_a_terminal_word_ends_it_with_that_word(status: OrderStatus) -> None:
    one = track()
    one.end(order(status, filled="1.5"), now=5.0, wall=1_000.0)
    assert one.stage is Stage.ENDED
    assert one.outcome.value == status.value
    assert one.filled == Decimal("1.5")
    assert one.confirmed_wall == 1_000.0
    assert one.since == 5.0


@pytest.mark.parametrize("status", LIVE)
def test_a_word_that_is_no_end_ends_nothing(status: OrderStatus) -> None:
    one = track()
    one.end(order(status), now=5.0, wall=1_000.0)
    assert one.stage is Stage.WANTED
    assert one.outcome is Ending.UNKNOWN
    assert one.confirmed_wall is None


def test_filled_without_a_number_means_all_of_it() -> None:
    one = track()
    one.see(order(filled="1"), begun=1.0, now=1.0)
    one.end(order(OrderStatus.FILLED, quantity=None), now=2.0, wall=2.0)
    assert one.filled == Decimal(4)
    unsized = track()
    unsized.end(order(OrderStatus.FILLED, quantity=None), now=2.0, wall=2.0)
    assert unsized.filled is None


def test_a_part_fill_is_kept_to_the_last_decimal() -> None:
    one = track()
    one.see(order(filled="0.000000012345678901"), begun=1.0, now=1.0)
    one.end(order(OrderStatus.CANCELED), now=2.0, wall=2.0)
    assert one.outcome is Ending.CANCELED
    assert one.filled == Decimal("0.000000012345678901")


def test_a_second_word_says_more() -> None:
    one = track()
    one.end(order(OrderStatus.CANCELED), now=2.0, wall=2.0)
    one.end(order(OrderStatus.FILLED, filled="4"), now=3.0, wall=3.0)
    assert one.outcome is Ending.FILLED
    assert one.filled == Decimal(4)
    assert (one.since, one.confirmed_wall) == (2.0, 2.0), "it ended when the first word came"


def test_an_end_that_is_withdrawn_takes_its_numbers_with_it() -> None:
    one = track()
    one.end(order(OrderStatus.CANCELED, filled="1"), now=2.0, wall=2.0)
    one.see(order(filled="1"), begun=3.0, now=3.5)
    assert one.stage is Stage.WANTED
    assert one.outcome is Ending.OPEN
    assert (one.filled, one.confirmed_wall, one.ending) == (None, None, None)
    assert one.last_seen_filled == Decimal(1)
    one.end(order(OrderStatus.CANCELED, filled="2"), now=9.0, wall=9.0)
    assert one.confirmed_wall == 9.0


def test_gone_is_no_word_of_the_venue() -> None:
    one = track()
    one.see(order(filled="1"), begun=1.0, now=1.0)
    one.apply(Event.ABSENT, 2.0)
    assert one.outcome is Ending.GONE
    assert one.filled is None
    assert one.last_seen_filled == Decimal(1)


# ---------------------------------------------------------------- sightings


def test_evidence_from_before_the_last_answer_changes_nothing() -> None:
    one = track()
    one.apply(Event.SEND, 1.0)
    one.apply(Event.SILENCE, 2.0)
    one.ended_at = 2.0
    one.see(order(), begun=1.9, now=3.0)
    assert (one.stage, one.sighted, one.outcome) == (Stage.UNKNOWN, False, Ending.UNKNOWN)
    one.see(order(), begun=2.1, now=3.0)
    assert (one.stage, one.sighted, one.outcome) == (Stage.WANTED, True, Ending.OPEN)


def test_a_read_that_began_before_the_end_does_not_undo_it() -> None:
    one = track()
    one.ended_at = 1.0
    one.end(order(OrderStatus.CANCELED), now=5.0, wall=5.0)
    one.see(order(), begun=4.0, now=6.0)
    assert one.outcome is Ending.CANCELED


def test_while_a_request_flies_a_list_only_describes() -> None:
    one = track()
    one.apply(Event.SEND, 1.0)
    one.see(order(filled="2"), begun=1.5, now=2.0)
    assert one.stage is Stage.SENT
    assert not one.sighted
    assert one.last_seen_filled == Decimal(2)


def test_a_pending_cancel_is_accepted_and_still_live() -> None:
    one = track()
    one.see(order(OrderStatus.PENDING_CANCEL), begun=1.0, now=1.0)
    assert one.stage is Stage.ACCEPTED
    assert not one.sighted, "it is not asked for again"
    assert one.outcome is Ending.OPEN


def test_a_sighting_takes_back_that_the_venue_did_not_know_it() -> None:
    one = track()
    one.lost = True
    one.see(order(), begun=1.0, now=1.0)
    assert not one.lost


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("apply"), st.sampled_from([one for one in Event if one is not Event.SEEN_END])),
        st.tuples(st.just("see"), st.sampled_from(LIVE)),
        st.tuples(st.just("end"), st.sampled_from(list(OrderStatus))),
        st.tuples(st.just("old"), st.sampled_from(LIVE)),
    ),
    max_size=25,
)


@given(ACTIONS)
def test_no_false_death_whatever_comes_in_whatever_order(actions: list[tuple[str, object]]) -> None:
    one = track()
    words: set[str] = set()
    now = 0.0
    for name, what in actions:
        now += 1.0
        if name == "apply" and isinstance(what, Event):
            one.apply(what, now)
        elif isinstance(what, OrderStatus):
            if name == "end":
                one.end(order(what), now, now)
                words |= {what.value} if what.terminal else set()
            else:
                one.see(order(what), now if name == "see" else now - 5.0, now)
        if one.outcome.value in {status.value for status in TERMINAL}:
            assert one.outcome.value in words
            assert one.stage is Stage.ENDED
            assert one.confirmed_wall is not None
        else:
            assert one.filled is None
            assert one.confirmed_wall is None
        assert (one.outcome is Ending.GONE) is (one.stage is Stage.GONE)
        assert one.since <= now


# ---------------------------------------------------------------- merging


def test_what_the_newer_leaves_out_stays_known() -> None:
    old = order(price="10", filled="1", word="OPEN", kind=OrderType.STOP)
    new = Order(key=key(), status=OrderStatus.OPEN, side=Side.SELL)
    found = merge(old, new)
    assert (found.price, found.quantity, found.side) == (Decimal(10), Decimal(4), Side.SELL)
    assert found.type is OrderType.STOP
    assert found.venue_status == VenueText("OPEN")


def test_the_word_of_an_older_status_does_not_stay_beside_a_newer_one() -> None:
    found = merge(order(word="OPEN"), order(OrderStatus.CANCELED))
    assert found.status is OrderStatus.CANCELED
    assert found.venue_status is None


def test_what_remains_follows_the_fill() -> None:
    old = order(filled="1", remaining="3")
    assert merge(old, order(filled="1")).remaining == Decimal(3)
    assert merge(old, order(filled="2.5")).remaining == Decimal("1.5")
    assert merge(old, order(filled="4.1")).remaining == Decimal(0)
    assert merge(order(quantity=None, remaining="3"), order(quantity=None, filled="1")).remaining is None
    assert merge(old, order(filled="2", remaining="7")).remaining == Decimal(7)


def test_describing_keeps_the_last_reading_of_the_fill() -> None:
    one = track()
    one.describe(order(filled="1"))
    one.describe(order(filled=None))
    assert one.last_seen_filled == Decimal(1)


# ---------------------------------------------------------------- the plan


def planned(orders: list[Order]) -> list[str]:
    return [one.key.order_id for one in plan([Track(each.key, each) for each in orders])]


def test_part_filled_orders_leave_first_then_the_largest() -> None:
    found = planned(
        [
            order(order_id="small", remaining="1"),
            order(order_id="large", remaining="9"),
            order(order_id="part", remaining="1", filled="0.1"),
            order(order_id="unpriced", remaining="9", price=None),
        ]
    )
    assert found == ["part", "large", "small", "unpriced"]


def test_currencies_take_turns() -> None:
    found = planned(
        [
            order(order_id="i1", symbol="BTC/INR", remaining="900"),
            order(order_id="i2", symbol="BTC/INR", remaining="800"),
            order(order_id="i3", symbol="BTC/INR", remaining="700"),
            order(order_id="b1", symbol="GOLD-BTC", remaining="2"),
            order(order_id="b2", symbol="GOLD-BTC", remaining="1"),
        ]
    )
    assert found == ["i1", "b1", "i2", "b2", "i3"]


@given(
    st.lists(
        st.tuples(st.sampled_from(["BTC/INR", "GOLD-BTC", "XUSDT", "?"]), st.integers(0, 9), st.booleans()),
        max_size=30,
    )
)
def test_a_plan_holds_every_order_once_and_is_stable(rows: list[tuple[str, int, bool]]) -> None:
    tracks = [
        Track(
            key(str(number)),
            order(order_id=str(number), symbol=symbol, remaining=str(size), filled="1" if part else None),
        )
        for number, (symbol, size, part) in enumerate(rows)
    ]
    found = plan(tracks)
    assert sorted(one.key for one in found) == sorted(one.key for one in tracks)
    assert [one.key for one in plan(tracks[::-1])] == [one.key for one in found]


def test_an_order_that_was_never_described_has_a_place() -> None:
    assert len(plan([Track(key("a")), Track(key("b"))])) == 2


@pytest.mark.parametrize("status", [one for one in LIVE if one is not OrderStatus.PENDING_CANCEL])
@pytest.mark.parametrize("filled", [None, "0", "1.5"])
def test_an_order_that_only_a_list_told_of_is_as_if_it_had_been_seen(
    status: OrderStatus, filled: str | None
) -> None:
    one = order(status, filled=filled)
    seen = Track(one.key, since=7.0)
    seen.see(one, 6.0, 7.0)
    listed = Track.listed(one, 7.0)
    names = Track.__struct_fields__
    assert [getattr(listed, name) for name in names] == [getattr(seen, name) for name in names]
