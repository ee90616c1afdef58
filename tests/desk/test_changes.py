"""What changed since a reader looked: nothing is overlooked, whoever reads how often."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.desk.book import KEEP_UNSEEN, VenueBook
from cancel_tui.desk.changes import Changes
from cancel_tui.orders import Order, OrderKey, OrderStatus, altered
from cancel_tui.pauses import use_pauses
from cancel_tui.venues.base import PartList
from tests.desk.test_engine_evidence import VENUE, key, order

KEYS = [key(str(number)) for number in range(4)]


@given(st.lists(st.one_of(st.sampled_from(KEYS), st.just("all"), st.integers(0, 2)), max_size=40))
def test_every_reader_gets_everything_since_it_last_read_and_nothing_else(steps: list[object]) -> None:
    changes = Changes()
    places = [0, 0, 0]
    due: list[list[OrderKey]] = [[], [], []]
    anything = [False, False, False]
    for step in steps:
        if isinstance(step, OrderKey):
            changes.note(step)
            due = [[*(one for one in keys if one != step), step] for keys in due]
        elif step == "all":
            changes.note_all()
            anything = [True, True, True]
        elif isinstance(step, int):
            found = changes.since(places[step])
            assert found is None if anything[step] else found == due[step]
            places[step], due[step], anything[step] = changes.serial, [], False


def test_what_is_kept_has_an_end_and_who_has_stayed_behind_is_told_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cancel_tui.desk.changes.MOST", 40)
    changes = Changes()
    for number in range(40):
        changes.note(key(f"k{number}"))
    behind, near = 2, 37
    assert changes.since(behind) is not None
    changes.note(key("k40"))
    assert changes.since(behind) is None
    assert changes.since(near) == [key(f"k{number}") for number in (37, 38, 39, 40)]
    for number in range(1000):
        changes.note(key(f"more{number}"))
        assert 35 <= len(changes) <= 40
    assert len(changes.since(changes.serial - 3) or []) == 3


lists = st.tuples(
    st.sampled_from(["a", "b"]),
    st.dictionaries(st.sampled_from(KEYS), st.integers(0, 2), max_size=4),
    st.booleans(),
)


words = st.tuples(
    st.sampled_from(KEYS),
    st.integers(0, 2),
    st.sampled_from([OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED, OrderStatus.CANCELED]),
)


def standing(book: VenueBook) -> dict[OrderKey, tuple[Order | None, Order | None]]:
    """Every order as it is found and as it is missed."""
    live = book.live()
    assert {one: found[0] for one in KEYS if (found := book.find(one)) is not None} == live
    return {one: (live.get(one), unseen[0] if (unseen := book.unseen.get(one)) else None) for one in KEYS}


@given(st.lists(st.one_of(lists, words, st.sampled_from(["forget", "retire", "clear"])), max_size=12))
def test_a_book_notes_every_order_that_came_went_or_is_another(steps: list[object]) -> None:
    book = VenueBook(VENUE)
    now = 0.0
    for step in steps:
        now += 10.0
        before, place = standing(book), book.changes.serial
        if step == "forget":
            now += KEEP_UNSEEN
            book.forget_unseen(now)
        elif step == "retire":
            book.retire({"a"})
        elif step == "clear":
            book.clear()
        elif isinstance(step, tuple) and isinstance(step[0], OrderKey):
            said, filled, status = step
            book.hear(altered(order(said.order_id, status), filled=Decimal(filled)), now)
        elif isinstance(step, tuple):
            part, rows, complete = step
            orders = [altered(order(one.order_id), filled=Decimal(rows[one])) for one in rows]
            book.absorb(part, now, PartList(tuple(orders), complete), now)
        after = standing(book)
        noted = book.changes.since(place)
        assert noted is not None
        assert {one for one in KEYS if before[one] != after[one]} <= set(noted)


def test_a_list_that_says_what_the_stream_has_said_is_no_change() -> None:
    book = VenueBook(VENUE)
    one, two = (altered(order(key.order_id), filled=Decimal(0)) for key in KEYS[:2])
    book.absorb("a", 1.0, PartList((one, two)), 1.0)
    book.absorb("b", 1.0, PartList(()), 1.0)
    moved = altered(one, filled=Decimal(1))
    assert book.hear(moved, 2.0)
    book.absorb("a", 3.0, PartList((moved, two)), 3.0)
    assert moved.key in book.told, "a list of another part is not that new"
    place = book.changes.serial
    book.absorb("a", 4.0, PartList((moved, two)), 4.0)
    assert book.changes.since(place) == []
    book.absorb("b", 5.0, PartList((moved, two)), 5.0)
    place = book.changes.serial
    book.absorb("a", 6.0, PartList((moved, two)), 6.0)
    assert book.changes.since(place) == [], "what two parts show alike is no change either"
    book.absorb("b", 7.0, PartList((one, two)), 7.0)
    assert book.changes.since(place) == [moved.key]


def test_who_acts_in_a_pause_of_a_reading_finds_the_book_as_it_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cancel_tui.pauses.EVERY", 0.0)
    book = VenueBook(VENUE)
    one, two, three = (order(key.order_id) for key in KEYS[:3])
    book.absorb("a", 1.0, PartList((one, two)), 1.0)

    def whole() -> tuple[object, ...]:
        return standing(book), book.live(), dict(book.unseen), book.revision, book.changes.serial

    before = whole()
    found: list[object] = []
    no_more = use_pauses(lambda: found.append(whole()))
    try:
        book.absorb("a", 2.0, PartList((altered(two, filled=Decimal(1)), three)), 2.0)
    finally:
        no_more()
    assert len(found) > 1
    assert all(one == before for one in found)
    assert whole() != before
