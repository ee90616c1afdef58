"""A row that a list says again word for word is not decoded again; one changed byte is another row."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.orders import Order
from cancel_tui.pauses import use_pauses
from cancel_tui.venues import coinswitch_futures, coinswitch_spot
from cancel_tui.venues.base import CallClass, Message, Part, PartList, Reply
from cancel_tui.venues.coinswitch_windows import NEWEST
from cancel_tui.venues.decode import Unreadable, decode, unopened
from cancel_tui.venues.outcome import Answered
from cancel_tui.venues.repeats import AT_A_STRETCH, Repeats
from tests.venues import (
    coinswitch_futures_case,
    p99_case,
    roxom_case,
    support_coinswitch,
    test_coinswitch_spot,
)

Rows = list[dict[str, Any]]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["data", "orders", "error", "id"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def opened(value: Any) -> Any:
    """The same with every element decoded."""
    if isinstance(value, msgspec.Raw):
        return decode(value)
    if isinstance(value, dict):
        return {name: opened(one) for name, one in value.items()}
    return [opened(one) for one in value] if isinstance(value, list) else value


@given(VALUES, st.lists(st.sampled_from(["data", "orders"]), max_size=2))
def test_what_is_left_undecoded_says_the_same(value: Any, names: list[str]) -> None:
    assert opened(unopened(json.dumps(value).encode(), *names)) == value


@given(st.dictionaries(st.sampled_from(["data", "message"]), st.text(max_size=3)), st.lists(VALUES))
def test_only_the_rows_of_the_list_are_left_undecoded(around: dict[str, Any], rows: list[Any]) -> None:
    answer = unopened(
        json.dumps({**around, "data": {"orders": rows, "cursor": 7}}).encode(), "data", "orders"
    )
    assert all(isinstance(row, msgspec.Raw) for row in answer["data"]["orders"])
    assert answer["data"]["cursor"] == 7


@pytest.mark.parametrize(
    "body", [b"", b"no JSON", b'{"data": {"orders": [1', b'{"data": {"orders": x}}', b'"\xff"']
)
@pytest.mark.parametrize("names", [(), ("data", "orders")])
def test_what_is_no_json_stays_unreadable(body: bytes, names: tuple[str, ...]) -> None:
    with pytest.raises(Unreadable):
        unopened(body, *names)


def listed(rows: Rows) -> list[msgspec.Raw]:
    return msgspec.json.decode(json.dumps(rows).encode(), type=list[msgspec.Raw])


@given(st.lists(st.lists(st.sampled_from(["1", "2", "1 ", "{}", "null"]), max_size=6), max_size=5))
def test_rows_are_read_as_if_each_list_were_the_first_and_only_what_is_listed_is_kept(
    lists: list[list[str]],
) -> None:
    known: dict[bytes, Any] = {}
    for texts in lists:
        repeats: Repeats[Any] = Repeats(known)
        rows = msgspec.json.decode(f"[{','.join(texts)}]".encode(), type=list[msgspec.Raw])
        assert [repeats.read(row, repr) for row in rows] == [repr(json.loads(one)) for one in texts]
        known = repeats.written
        assert len(known) == len({bytes(row) for row in rows})


def test_a_row_is_decoded_once_however_often_it_is_listed() -> None:
    asked: list[Any] = []

    def how(row: Any) -> None:
        asked.append(row)

    known: dict[bytes, None] = {}
    for rows in ([{"id": 1}, {"id": 2}], [{"id": 2}, {"id": 1}], [{"id": 1}, {"id": 3}]):
        repeats: Repeats[None] = Repeats(known)
        for row in listed(rows):
            repeats.read(row, how)
        known = repeats.written
    assert asked == [{"id": 1}, {"id": 2}, {"id": 3}]


def test_a_row_that_cannot_be_decoded_is_not_taken_for_another() -> None:
    repeats: Repeats[Any] = Repeats()
    with pytest.raises(Unreadable):
        repeats.read(msgspec.Raw(b'{"id": "\xff"}'), dict)
    assert repeats.written == {}


class Port:
    """Answers every list with the rows that stand in it now."""

    def __init__(self, answer: Callable[[Rows], Any]) -> None:
        self.rows: Rows = []
        self.answer = answer

    async def call(self, call: CallClass, build: Callable[[], Message]) -> Reply:
        build()
        return Reply(200, {}, json.dumps(self.answer(self.rows)).encode())

    async def admit(self, call: CallClass) -> None:
        raise AssertionError("no stream here")


def wrapped(rows: Rows) -> Any:
    return {"data": {"orders": rows}}


def futures() -> Any:
    table = support_coinswitch.settings("coinswitch-futures")
    return coinswitch_futures.CoinSwitchFutures(
        table, support_coinswitch.credentials(), support_coinswitch.clock()
    )


def spot() -> Any:
    table = support_coinswitch.settings("coinswitch-spot")
    return coinswitch_spot.make(table, support_coinswitch.credentials(), support_coinswitch.clock())


VENUES: dict[str, tuple[Callable[[], Any], str, Callable[[Rows], Any], Rows, dict[str, Any], str]] = {
    "coinswitch spot": (
        spot,
        "orders",
        wrapped,
        [test_coinswitch_spot.row("a"), test_coinswitch_spot.row("b")],
        {"executed_qty": 0.25},
        "order_id",
    ),
    "coinswitch futures": (
        futures,
        NEWEST,
        wrapped,
        [coinswitch_futures_case.row("a"), coinswitch_futures_case.row("b")],
        {"exec_quantity": "50"},
        "order_id",
    ),
    "roxom": (
        roxom_case.roxom,
        "inst_type:perpetual",
        wrapped,
        [roxom_case.ROW, {**roxom_case.ROW, "id": roxom_case.OTHER_ID}],
        {"size": "1.00", "amountFilled": "2.00"},
        "id",
    ),
    "p99": (
        p99_case.p99,
        "orders",
        lambda rows: rows,
        [p99_case.row(1, 1_779_012_300), p99_case.row(2, 1_779_012_301)],
        {"filled_qty": "13"},
        "id",
    ),
}


@pytest.mark.parametrize("name", VENUES)
async def test_a_second_list_keeps_the_rows_it_says_again_and_reads_those_that_it_says_otherwise(
    name: str,
) -> None:
    make, part, answer, rows, change, key = VENUES[name]
    venue, port = make(), Port(answer)

    async def read() -> dict[str, Order]:
        outcome = await venue.list_part(Part(part), port)
        assert isinstance(outcome, Answered)
        found: PartList = outcome.value
        assert found.complete, found.note
        return {order.key.order_id: order for order in found.orders}

    one, other = rows
    port.rows = [one, other]
    assert list(await read()) == [one[key], other[key]], "the first list keeps nothing"
    first = await read()
    assert list(first) == [one[key], other[key]]
    port.rows = [{**one, **change}, other]
    second = await read()
    assert second[other[key]] is first[other[key]], "the same words were read a second time"
    assert second[one[key]].filled != first[one[key]].filled
    port.rows = [other]
    assert list(await read()) == [other[key]]
    port.rows = [one, other]
    back = await read()
    assert back == first
    assert back[one[key]] is not first[one[key]], "a row that was not listed any more was still kept"


@pytest.mark.parametrize("name", VENUES)
async def test_a_row_without_an_id_is_one_each_time_that_it_is_listed(name: str) -> None:
    make, part, answer, rows, _, key = VENUES[name]
    venue, port = make(), Port(answer)
    nameless = {**rows[1]}
    del nameless[key]
    port.rows = [rows[0], nameless]
    for _ in range(2):
        outcome = await venue.list_part(Part(part), port)
        assert isinstance(outcome, Answered)
        assert not outcome.value.complete
        assert [order.key.order_id for order in outcome.value.orders] == [rows[0][key]]


@pytest.mark.parametrize("known", [None, {}], ids=["first", "later"])
def test_a_long_list_is_read_with_pauses(
    known: dict[bytes, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cancel_tui.pauses.EVERY", 0.0)
    paused: list[int] = []
    read: list[int] = []
    no_more = use_pauses(lambda: paused.append(len(read)))
    try:
        count = 3 * AT_A_STRETCH + 1
        rows = [msgspec.Raw(b"%d" % number) for number in range(count)] if known == {} else range(count)

        def how(row: int) -> int:
            read.append(row)
            return row

        assert Repeats(known).read_all(list(rows), how) == list(range(count))
    finally:
        no_more()
    assert paused == [AT_A_STRETCH, 2 * AT_A_STRETCH, 3 * AT_A_STRETCH, count]
