"""What every push stream keeps, before its practice venue and over real sockets, on one manual clock."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from cancel_tui.clock import ManualClock
from cancel_tui.desk.book import VenueBook
from cancel_tui.desk.feeds import Feed, FeedState, Keeper
from cancel_tui.orders import Family, Order, OrderId, OrderKey, VenueName
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.practice.mischief import Faults
from cancel_tui.practice.venue import Plan, PracticeVenue
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings
from cancel_tui.venues.base import PartList, Venue
from cancel_tui.venues.dialogue import PATIENCE
from cancel_tui.venues.feed import Heard, Listens
from cancel_tui.venues.outcome import Answered, Failure, Unanswered, Unauthorised, describe
from cancel_tui.venues.registry import make_venue
from tests.venues.contract_ground import PlainPort

P = TypeVar("P", bound=PracticeVenue)

REAL = 10.0
"""Real seconds after which something that must happen has not happened."""
STEP = 0.05
"""Seconds of the manual clock that pass at a time."""


@dataclass
class Listening(Generic[P]):
    """One server, one adapter, and what it tells."""

    server: P
    venue: Venue
    port: PlainPort
    clock: ManualClock
    told: list[Heard] = field(default_factory=list)
    task: asyncio.Task[Failure] | None = None

    @property
    def listens(self) -> Listens:
        venue: object = self.venue
        assert isinstance(venue, Listens)
        return venue

    async def until(self, done: Callable[[], bool], *, virtual: float = 120.0) -> None:
        """Let time pass until something holds."""
        started, begun = time.monotonic(), self.clock.monotonic()
        while not done():
            assert time.monotonic() - started < REAL, "it did not come about"
            assert self.clock.monotonic() - begun < virtual, "it did not come about in time"
            await self.pass_time(STEP)

    async def pass_time(self, seconds: float) -> None:
        """Let so much time pass, with what it brings."""
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until - 1e-9:
            self.clock.advance(STEP)
            await asyncio.sleep(0.002)

    def begin(self) -> asyncio.Task[Failure]:
        """Listen."""
        self.task = asyncio.create_task(self.listens.listen(self.port, self.told.append))
        return self.task

    async def ready(self) -> None:
        """Listen until the subscription stands, and forget what was told before."""
        task = self.begin()
        await self.until(lambda: task.done() or any(one.ready for one in self.told))
        assert not task.done(), describe(task.result())
        self.told.clear()

    async def ended(self) -> Failure:
        """Why the connection is over."""
        assert self.task is not None
        await self.until(self.task.done)
        return self.task.result()

    @property
    def orders(self) -> list[Order]:
        """Every description of an order so far."""
        return [order for heard in self.told for order in heard.orders]

    async def listed(self) -> dict[OrderKey, Order]:
        """What the venue's lists say."""
        parts = await self.venue.parts(self.port)
        assert isinstance(parts, Answered)
        found: dict[OrderKey, Order] = {}
        for part in parts.value.parts:
            one = await self.venue.list_part(part, self.port)
            assert isinstance(one, Answered)
            found.update({order.key: order for order in one.value.orders})
        return found


class StreamContract(Generic[P]):
    """The tests; a venue fills in what is its own."""

    tells_ends: ClassVar[bool] = True
    """Whether the end of an order is told, or only that a list is worth reading."""
    tells_all: ClassVar[bool] = True
    """Whether an order is described whole, or named with its status and the rest is left to the lists."""
    patience: ClassVar[float] = PATIENCE
    """Seconds for a subscription to stand."""

    @abstractmethod
    def make_server(self, clock: ManualClock, plan: Plan) -> P:
        """A server that has not been started."""

    @abstractmethod
    def place(self, server: P) -> SimOrder:
        """Put an order that can fill in part into the book, as its owner would now."""

    @abstractmethod
    def drop(self, server: P) -> None:
        """Drop every stream without a word."""

    @abstractmethod
    def clients(self, server: P) -> int:
        """How many streams are open."""

    def credentials(self, server: P) -> Mapping[str, str]:
        return server.credentials()

    def account_of(self, order: SimOrder) -> Any:
        return None

    def key_of(self, server: P, order: SimOrder) -> OrderKey:
        return OrderKey(VenueName(server.name), self.account_of(order), Family.ORDER, OrderId(order.id))

    @asynccontextmanager
    async def listening(
        self, *faults: str, credentials: Mapping[str, str] | None = None, **changes: Any
    ) -> AsyncIterator[Listening[P]]:
        clock = ManualClock(1_790_000_000.0)
        server = self.make_server(clock, Plan(orders=0, enforce_limits=False, faults=faults))
        await server.start()
        port = PlainPort(server.base_url)
        values: dict[str, Any] = {"name": server.name, "kind": server.kind, "base_url": server.base_url}
        given = self.credentials(server) if credentials is None else credentials
        secrets = {name: Secret(value) for name, value in given.items()}
        venue = make_venue(VenueSettings(**{**values, **changes}), secrets, clock)
        at = Listening(server, venue, port, clock)
        try:
            yield at
        finally:
            if at.task is not None:
                at.task.cancel()
                await asyncio.gather(at.task, return_exceptions=True)
            await venue.close()
            await port.wire.close()
            await server.stop()

    def live_through(self, server: P) -> dict[str, SimOrder]:
        """One order of each fate, a moment apart where the venue counts in seconds."""
        found = {name: self.place(server) for name in ("open", "part", "filled", "canceled", "expired")}
        book = server.book
        book.fill(found["part"], found["part"].quantity / 4)
        book.fill(found["filled"])
        book.change(found["canceled"], State.CANCELLED)
        book.change(found["expired"], State.EXPIRED)
        found["rejected"] = self.place(server)
        book.change(found["rejected"], State.REJECTED)
        return found

    def believed(self, at: Listening[P]) -> VenueBook:
        """What a book makes of everything that was told."""
        book = VenueBook(VenueName(at.server.name))
        book.absorb("before", -1.0, PartList(()), -1.0)
        for index, order in enumerate(at.orders):
            book.hear(order, float(index))
        return book

    def agrees(self, at: Listening[P]) -> bool:
        """Whether what was told comes to the truth."""
        book = self.believed(at)
        for order in at.server.book.orders.values():
            found = book.find(self.key_of(at.server, order))
            if order.state.live:
                if found is None or self.differ(found[0].filled, order.filled):
                    return False
            elif self.tells_ends and found is not None:
                return False
        return True

    def differ(self, told: object, true: object) -> bool:
        """Whether what was told is wrong; nothing told is wrong only where all of an order is told."""
        return told != true and (told is not None or self.tells_all)

    # ------------------------------------------------------------------ what is told

    async def test_every_fate_of_an_order_is_told_under_the_key_of_the_lists(self) -> None:
        async with self.listening() as at:
            await at.ready()
            fates = self.live_through(at.server)
            await at.until(lambda: self.agrees(at))
            listed = await at.listed()
            told = {order.key: order for order in at.orders}
            assert set(listed) == {self.key_of(at.server, fates[name]) for name in ("open", "part")}
            assert set(listed) <= set(told)
            for key, order in listed.items():
                heard = told[key]
                assert heard.status is order.status
                for name in ("symbol", "side", "price", "quantity", "filled"):
                    assert not self.differ(getattr(heard, name), getattr(order, name)), name
            if self.tells_ends:
                for name in ("filled", "canceled", "expired", "rejected"):
                    assert told[self.key_of(at.server, fates[name])].status.terminal, name
            if not (self.tells_ends and self.tells_all):
                assert any(heard.reread for heard in at.told)

    @pytest.mark.parametrize(
        "fault",
        ["stream_duplicates", "stream_disorder", "stream_late", "stream_pieces", "stream_noise"],
    )
    async def test_a_stream_in_disorder_comes_to_the_truth_in_the_end(self, fault: str) -> None:
        async with self.listening() as at:
            await at.ready()
            at.server.faults.add(fault)
            for _ in range(2):
                self.live_through(at.server)
                await at.pass_time(1.2)
            await at.until(lambda: self.agrees(at))
            assert isinstance(at.server.faults, Faults)
            if fault == "stream_noise":
                assert any(heard.reread for heard in at.told), "what cannot be read is a reason to look"
            assert at.task is not None
            assert not at.task.done()

    async def test_a_message_that_is_spoilt_is_a_reason_to_look(self) -> None:
        async with self.listening() as at:
            if "stream_garbled" not in at.server.shared_faults:
                pytest.skip("a spoilt message ends this protocol")
            await at.ready()
            at.server.faults.add("stream_garbled")
            self.place(at.server)
            await at.until(lambda: any(heard.reread for heard in at.told))
            assert not at.orders
            assert at.task is not None
            assert not at.task.done()

    async def test_a_stream_that_tells_nothing_is_alive_by_its_pongs(self) -> None:
        async with self.listening() as at:
            await at.ready()
            before = len(at.told)
            await at.until(lambda: len(at.told) > before + 2)
            assert at.listens.rhythm < 2.0
            assert not at.orders

    # ------------------------------------------------------------------ what goes wrong

    async def test_refused_credentials_are_told_as_such_and_show_nothing(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        async with self.listening("stream_refused") as at:
            at.begin()
            failure = await at.ended()
            assert isinstance(failure, Unauthorised), failure
            self.assert_silent(at, failure, caplog.text)
            assert not any(heard.ready for heard in at.told)

    async def test_a_stream_that_is_cut_ends_without_an_answer_and_can_be_opened_again(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        async with self.listening() as at:
            for _ in range(3):
                await at.ready()
                self.drop(at.server)
                failure = await at.ended()
                assert isinstance(failure, Unanswered), failure
                self.assert_silent(at, failure, caplog.text)

    async def test_a_server_that_is_away_is_no_answer(self) -> None:
        async with self.listening() as at:
            await at.ready()
            await at.server.server.stop(keep_port=True)
            assert isinstance(await at.ended(), Unanswered)
            at.begin()
            failure = await at.ended()
            assert not isinstance(failure, Unauthorised)
            assert at.listens.rhythm > 2.0, "nothing is known of a connection that was never there"
            await at.server.server.start()
            await at.ready()

    async def test_a_subscription_that_is_never_answered_is_given_up(self) -> None:
        async with self.listening("stream_mute") as at:
            at.begin()
            began = at.clock.monotonic()
            assert isinstance(await at.ended(), Unanswered)
            assert self.patience <= at.clock.monotonic() - began < self.patience + 5.0

    async def test_who_stops_listening_leaves_no_connection_behind(self) -> None:
        async with self.listening() as at:
            await at.ready()
            assert self.clients(at.server) == 1
            assert at.task is not None
            at.task.cancel()
            await asyncio.gather(at.task, return_exceptions=True)
            await at.until(lambda: self.clients(at.server) == 0)

    async def test_a_stream_that_freezes_is_found_out_and_replaced(self) -> None:
        async with self.listening() as at:
            feed = Feed()
            states: list[FeedState] = []

            def hear(order: Order) -> bool:
                at.told.append(Heard((order,)))
                return True

            async def look() -> None:
                return None

            keeper = Keeper(
                at.server.name,
                at.listens,
                lambda: at.port,
                at.clock,
                feed,
                hear,
                look,
                lambda: states.append(feed.state),
            )
            at.task = asyncio.create_task(keeper.run())  # type: ignore[arg-type]
            await at.until(lambda: feed.state is FeedState.LIVE)
            await at.pass_time(4.0)
            assert feed.state is FeedState.LIVE, "its pongs keep it alive"
            at.server.faults.add("once:stream_freezes")
            began = at.clock.monotonic()
            await at.until(lambda: feed.state is FeedState.SILENT, virtual=6.0)
            assert at.clock.monotonic() - began <= 5.0
            await at.until(lambda: feed.state is FeedState.LIVE)
            assert feed.connections == 2
            at.told.clear()
            self.place(at.server)
            await at.until(lambda: bool(at.orders))

    def assert_silent(self, at: Listening[P], failure: Failure, log: str) -> None:
        """Nothing of the credentials shows in what came back, nor in a log."""
        shown = f"{failure!r} {describe(failure)} {log} {at.venue!r}"
        for value in self.credentials(at.server).values():
            for piece in value.split("\n"):
                assert len(piece) < 12 or piece not in shown


def frame(**values: Any) -> str:
    """A message as JSON."""
    return json.dumps(values)


def amounts(order: Order) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Quantity, filled, remaining."""
    return order.quantity, order.filled, order.remaining
