"""Push streams under one supervision: alive is what is heard; what they say moves the screen and no proof."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.clock import ManualClock
from cancel_tui.desk.book import VenueBook
from cancel_tui.desk.feeds import DEBOUNCE, GRACE, REFUSED_PAUSE, Feed, FeedState, Keeper
from cancel_tui.desk.hints import newer
from cancel_tui.orders import Family, Order, OrderId, OrderKey, OrderStatus, OrderType, Side, VenueName
from cancel_tui.text import VenueText
from cancel_tui.venues.base import PartList, Port
from cancel_tui.venues.feed import ALIVE, Heard, Tell
from cancel_tui.venues.outcome import Failure, Unanswered, Unauthorised

V = VenueName("v")


def order(
    number: int = 1,
    status: OrderStatus = OrderStatus.OPEN,
    *,
    filled: str = "0",
    at: float | None = 100.0,
) -> Order:
    return Order(
        key=OrderKey(V, None, Family.ORDER, OrderId(str(number))),
        symbol=VenueText("A/USD"),
        side=Side.BUY,
        type=OrderType.LIMIT,
        price=Decimal(2),
        quantity=Decimal(10),
        filled=Decimal(filled),
        status=status,
        updated_at=at,
    )


# ------------------------------------------------------------------ which is newer


def test_the_venues_time_decides_and_within_one_tick_an_end_and_the_larger_fill_win() -> None:
    assert newer(order(), order(at=101.0))
    assert not newer(order(), order(at=99.0, status=OrderStatus.CANCELED))
    assert newer(order(), order(status=OrderStatus.CANCELED))
    assert not newer(order(status=OrderStatus.CANCELED), order())
    assert newer(order(filled="1"), order(filled="2"))
    assert not newer(order(filled="2"), order(filled="1"))
    assert not newer(order(), order()), "the same again is no news"
    assert newer(order(status=OrderStatus.CANCELED), order(at=200.0)), "a venue that brings it back says so"


events = st.lists(
    st.builds(
        order,
        st.just(1),
        st.sampled_from([OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED, OrderStatus.PENDING_CANCEL]),
        filled=st.sampled_from(["0", "1", "3"]),
        at=st.sampled_from([100.0, 101.0, 102.0]),
    ),
    max_size=8,
)


@given(events)
def test_a_late_or_repeated_message_never_undoes_an_end(heard: list[Order]) -> None:
    book = VenueBook(V)
    book.absorb("p", 1.0, PartList((order(),)), 1.0)
    assert book.hear(order(status=OrderStatus.FILLED, filled="10", at=103.0), 2.0)
    for index, one in enumerate([*heard, *heard]):
        assert not book.hear(one, 3.0 + index)
    assert book.find(order().key) is None
    assert list(book.orders()) == []


# ------------------------------------------------------------------ the book


def test_a_message_moves_the_row_until_a_list_that_was_begun_later() -> None:
    book = VenueBook(V)
    book.absorb("p", 1.0, PartList((order(),)), 1.0)
    assert book.hear(order(filled="4", at=105.0), 2.0)
    found = book.find(order().key)
    assert found is not None
    assert (found[0].filled, found[1]) == (Decimal(4), 2.0)
    assert [one.filled for one in book.orders()] == [Decimal(4)]
    book.absorb("p", 1.5, PartList((order(),)), 2.5)
    found = book.find(order().key)
    assert found is not None
    assert found[0].filled == Decimal(4), "that list was begun before the message"
    book.absorb("p", 3.0, PartList((order(filled="5", at=106.0),)), 3.1)
    found = book.find(order().key)
    assert found is not None
    assert found[0].filled == Decimal(5)


def test_an_order_that_only_the_stream_knows_is_shown_until_the_lists_disagree() -> None:
    book = VenueBook(V)
    book.absorb("p", 1.0, PartList(()), 1.0)
    assert book.hear(order(7), 2.0)
    assert [str(one.key.order_id) for one in book.orders()] == ["7"]
    book.absorb("p", 3.0, PartList(()), 3.1)
    assert list(book.orders()) == []


def test_an_end_that_the_stream_tells_takes_the_row_away_and_keeps_how_it_ended() -> None:
    book = VenueBook(V)
    book.absorb("p", 1.0, PartList((order(), order(2))), 1.0)
    book.hear(order(status=OrderStatus.FILLED, filled="10", at=105.0), 2.0)
    assert [str(one.key.order_id) for one in book.orders()] == ["2"]
    assert book.unseen[order().key][0].status is OrderStatus.FILLED
    book.absorb("p", 3.0, PartList((order(at=107.0), order(2))), 3.1)
    assert len(list(book.orders())) == 2, "a list that was begun later is believed"


def test_a_late_echo_of_an_order_that_the_stream_ended_long_ago_does_not_raise_it() -> None:
    book = VenueBook(V)
    book.absorb("p", 1.0, PartList((order(),)), 1.0)
    book.hear(order(status=OrderStatus.CANCELED, at=105.0), 2.0)
    for now in (3.0, 5.0, 60.0):
        book.absorb("p", now, PartList(()), now)
    assert not book.hear(order(at=104.0), 61.0)
    assert list(book.orders()) == []
    book.absorb("p", 700.0, PartList(()), 700.0)
    assert book.told == {}, "but it is not remembered for ever"


def test_what_is_remembered_of_a_streams_words_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cancel_tui.desk.book.MOST_TOLD", 5)
    book = VenueBook(V)
    book.absorb("p", 1.0, PartList(()), 1.0)
    for number in range(8):
        book.hear(order(number, OrderStatus.FILLED, filled="10"), 2.0)
    book.hear(order(4, OrderStatus.FILLED, filled="10", at=101.0), 3.0)
    book.hear(order(9, OrderStatus.FILLED, filled="10"), 3.0)
    assert [str(key.order_id) for key in book.told] == ["5", "6", "7", "4", "9"]


def test_what_a_message_leaves_out_stays_known() -> None:
    book = VenueBook(V)
    book.absorb("p", 1.0, PartList((order(),)), 1.0)
    thin = Order(key=order().key, filled=Decimal(1), status=OrderStatus.PARTIALLY_FILLED, updated_at=105.0)
    assert book.hear(thin, 2.0)
    found = book.find(order().key)
    assert found is not None
    assert (found[0].price, found[0].remaining) == (Decimal(2), None)


# ------------------------------------------------------------------ the keeper


@dataclass
class Script:
    """A venue whose stream does as it is told."""

    rhythm: float = 1.5
    tells: list[Tell] = field(default_factory=list)
    ends: list[asyncio.Future[Failure]] = field(default_factory=list)

    async def listen(self, port: Port, tell: Tell) -> Failure:
        self.tells.append(tell)
        self.ends.append(asyncio.get_running_loop().create_future())
        return await self.ends[-1]


@dataclass
class Floor:
    clock: ManualClock
    venue: Script
    feed: Feed
    looks: list[float]
    heard: list[Order]
    task: asyncio.Task[None]
    other_look: Callable[[], Awaitable[None]] | None = None

    def slow(self, look: Callable[[], Awaitable[None]] | None) -> None:
        """Let looks take as long as this one does."""
        self.other_look = look

    async def turn(self) -> None:
        for _ in range(30):
            await asyncio.sleep(0)

    async def later(self, seconds: float, beats: bool = False) -> None:
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            self.clock.advance(min(0.1, until - self.clock.monotonic()))
            if beats and self.venue.tells:
                self.venue.tells[-1](ALIVE)
            await self.turn()


async def floor(rhythm: float = 1.5) -> Floor:
    clock, venue, feed = ManualClock(0.0), Script(rhythm), Feed()
    looks: list[float] = []
    heard: list[Order] = []

    async def look() -> None:
        if made.other_look is not None:
            await made.other_look()
        else:
            looks.append(clock.monotonic())

    def hear(one: Order) -> bool:
        heard.append(one)
        return True

    port: Callable[[], Port] = lambda: None  # type: ignore[assignment,return-value]  # noqa: E731
    keeper = Keeper("v", venue, port, clock, feed, hear, look, lambda: None)
    made = Floor(clock, venue, feed, looks, heard, asyncio.create_task(keeper.run()))
    await made.turn()
    return made


async def end(made: Floor) -> None:
    made.task.cancel()
    await asyncio.gather(made.task, return_exceptions=True)


def state(made: Floor) -> FeedState:
    return made.feed.state


async def test_a_stream_is_live_once_the_lists_were_read_after_its_subscription() -> None:
    at = await floor()
    assert state(at) is FeedState.CONNECTING
    at.venue.tells[0](Heard(ready=True))
    assert state(at) is FeedState.CONNECTING, "what happened before is not told: look first"
    await at.later(0.2)
    assert len(at.looks) == 1
    assert state(at) is FeedState.LIVE
    await end(at)


async def test_a_look_of_an_earlier_subscription_does_not_make_a_new_one_live() -> None:
    at = await floor()
    doors = [asyncio.Event(), asyncio.Event()]

    async def slow() -> None:
        at.looks.append(at.clock.monotonic())
        await doors[len(at.looks) - 1].wait()

    at.slow(slow)
    at.venue.tells[0](Heard(ready=True))
    await at.later(0.1)
    assert len(at.looks) == 1
    at.venue.tells[0](Heard(ready=True))
    await at.later(0.1, beats=True)
    doors[0].set()
    await at.later(DEBOUNCE + 0.1, beats=True)
    assert len(at.looks) == 2
    assert state(at) is FeedState.CONNECTING, "the first look was begun before the newer subscription"
    doors[1].set()
    await at.later(0.1, beats=True)
    assert state(at) is FeedState.LIVE
    await end(at)


async def test_a_stream_that_freezes_is_stale_within_five_seconds_and_is_opened_again() -> None:
    at = await floor()
    at.venue.tells[0](Heard(ready=True))
    await at.later(20.0, beats=True)
    assert state(at) is FeedState.LIVE
    await at.later(at.venue.rhythm + GRACE - 0.2)
    assert state(at) is FeedState.LIVE
    await at.later(0.3)
    assert state(at) is FeedState.SILENT
    assert at.venue.rhythm + GRACE < 5.0
    await at.later(3.0)
    assert len(at.venue.tells) == 2
    await end(at)


async def test_a_rhythm_that_shows_itself_late_counts_from_then_on() -> None:
    at = await floor(rhythm=30.0)
    at.venue.tells[0](Heard(ready=True))
    await at.later(2.0, beats=True)
    at.venue.rhythm = 1.5
    await at.later(5.0)
    assert state(at) is FeedState.SILENT
    await end(at)


async def test_a_stream_that_beats_is_looked_after_no_more_often_than_it_could_fall_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = await floor()
    at.venue.tells[0](Heard(ready=True))
    await at.later(2.0, beats=True)
    sleeps: list[float] = []
    sleep = at.clock.sleep

    async def counted(seconds: float) -> None:
        sleeps.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(at.clock, "sleep", counted)
    await at.later(60.0, beats=True)
    assert len(sleeps) <= 60.0 / (GRACE + 1.0)
    assert state(at) is FeedState.LIVE
    await end(at)


async def test_the_first_message_is_looked_after_at_once_and_many_more_lead_to_one_look() -> None:
    at = await floor()
    at.venue.tells[0](Heard(ready=True))
    await at.later(1.0, beats=True)
    at.looks.clear()
    for number in range(100):
        at.venue.tells[0](Heard((order(number),)))
        if number in (30, 60):
            await at.later(0.1, beats=True)
    assert len(at.looks) == 1
    await at.later(DEBOUNCE + 0.2, beats=True)
    assert len(at.looks) == 2
    assert at.looks[1] - at.looks[0] >= DEBOUNCE - 1e-9
    assert len(at.heard) == 100
    await end(at)


@pytest.mark.parametrize(("takes", "apart"), [(0.0, DEBOUNCE), (0.5, 2.0), (10.0, 10.0)])
async def test_looks_that_take_long_leave_time_for_everything_else(takes: float, apart: float) -> None:
    at = await floor()
    at.venue.tells[0](Heard(ready=True))
    await at.later(1.0, beats=True)
    at.looks.clear()

    async def slow() -> None:
        at.looks.append(at.clock.monotonic())
        await at.clock.sleep(takes)

    at.slow(slow)
    for number in range(300):
        at.venue.tells[0](Heard((order(number),)))
        await at.later(0.1, beats=True)
    gaps = [after - before for before, after in pairwise(at.looks)]
    assert apart - 1e-9 <= min(gaps)
    assert max(gaps) <= apart + 0.2
    await end(at)


async def test_connections_that_fail_are_tried_ever_later_and_one_that_held_starts_anew() -> None:
    at = await floor()
    gaps = []
    for _ in range(6):
        begun = at.clock.monotonic()
        count = len(at.venue.tells)
        at.venue.ends[-1].set_result(Unanswered("reset"))
        while len(at.venue.tells) == count:
            await at.later(0.1)
        gaps.append(at.clock.monotonic() - begun)
    assert gaps == sorted(gaps)
    assert gaps[-1] > 4 * gaps[0]
    at.venue.tells[-1](Heard(ready=True))
    await at.later(40.0, beats=True)
    count = len(at.venue.tells)
    at.venue.ends[-1].set_result(Unanswered("reset"))
    await at.later(2.0)
    assert len(at.venue.tells) == count + 1
    await end(at)


async def test_a_stream_that_refuses_the_key_is_not_stormed() -> None:
    at = await floor()
    at.venue.ends[-1].set_result(Unauthorised())
    await at.later(REFUSED_PAUSE - 1.0)
    assert len(at.venue.tells) == 1
    assert state(at) is FeedState.DOWN
    assert at.feed.why is not None
    await end(at)


@pytest.mark.parametrize("error", [RuntimeError("token=secret"), ValueError("x")])
async def test_a_fault_in_an_adapter_costs_its_stream_only_and_shows_no_text(error: Exception) -> None:
    at = await floor()
    at.venue.ends[-1].set_exception(error)
    await at.later(0.1)
    assert state(at) is FeedState.DOWN
    assert "secret" not in str(at.feed.why)
    await at.later(3.0)
    assert len(at.venue.tells) == 2
    await end(at)
