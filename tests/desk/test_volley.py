"""Cancels that leave without a task: each once, written down and paced, the next as an answer comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from cancel_tui.clock import SystemClock
from cancel_tui.desk.chain import read_journal
from cancel_tui.desk.engine import Engine
from cancel_tui.desk.gate import Tally, Urgency, forever
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.lane import Lane, LanePort, Written
from cancel_tui.desk.sends import SendMemory
from cancel_tui.desk.volley import PUT_OFF, Volley
from cancel_tui.orders import OrderKey, VenueName, order_key
from cancel_tui.practice.http import Answer, Drop, Hang, HttpServer, Request, Response
from cancel_tui.settings import Budget
from cancel_tui.venues.base import CallClass, Capabilities, Message, Reply, Venue
from cancel_tui.venues.outcome import Unanswered
from tests.venues.fault_server import Connection, FaultServer, answer
from tests.venues.fault_server import Request as WireRequest

LIMIT = 5.0
"""Seconds after which a condition that does not come true is a failure."""
VENUE = VenueName("v")


def keys(*ids: str) -> list[OrderKey]:
    return [order_key(VENUE, one) for one in ids]


class Busy:
    """An engine of which only the haste is asked."""

    def __init__(self) -> None:
        self.hurry = True
        self.seen: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def leaving(self, now: float) -> bool:
        return self.hurry

    def crowded(self, now: float) -> bool:
        return False

    def answered(self, now: float) -> None:
        self.seen.append(now)
        self.meanwhile()


class Writer:
    """A venue that builds cancels, unless it is asked not to."""

    def __init__(self) -> None:
        self.refuses: set[str] = set()
        self.tokenless: set[str] = set()

    def cancel_message(self, key: OrderKey) -> Message | None:
        if key.order_id in self.refuses:
            raise ValueError("no")
        return None if key.order_id in self.tokenless else Message(b"DELETE", f"/{key.order_id}".encode())


class Ground:
    """One volley against one loopback server, and who stands around it."""

    def __init__(self, lane: Lane, journal: Journal, venue: object, server: HttpServer) -> None:
        self.lane = lane
        self.journal = journal
        self.server = server
        self.answers: dict[str, Answer] = {}
        self.arrived: list[str] = []
        self.queue: list[OrderKey] = []
        self.ordinary: list[OrderKey] = []
        self.back: list[tuple[OrderKey, LanePort]] = []
        self.engine = Busy()
        self.until = forever
        self.written: dict[OrderKey, Written] = {}
        self.volley = Volley(
            lane, cast(Venue, venue), SystemClock(), cast(Engine, self.engine), self.written, self
        )

    def announce_only(self, *ids: str) -> None:
        self.written.update(self.lane.announce(keys(*ids), {"kill": "k"}))

    async def announce(self, *ids: str) -> None:
        """Announce, and wait until it is written, however slow the disk of a test is."""
        self.announce_only(*ids)
        await self.until_true(lambda: all(one.done and one.done.done() for one in self.written.values()))

    def cancel_port(self, key: OrderKey) -> LanePort:
        return self.lane.port(Urgency.KILL, Tally(), until=self.until, order=key.shown_id, kill="k")

    def one_more(self) -> OrderKey | None:
        return self.queue.pop(0) if self.queue else None

    def cancel_by_task(self, key: OrderKey, port: LanePort | None = None) -> None:
        if port is None:
            self.ordinary.append(key)
        else:
            self.back.append((key, port))

    async def until_true(self, done: Callable[[], bool]) -> None:
        limit = time.monotonic() + LIMIT
        while not done():
            assert time.monotonic() < limit, (self.arrived, self.back, self.ordinary)
            await asyncio.sleep(0.001)

    def records(self, kind: str) -> list[dict[str, Any]]:
        self.journal.close()
        assert self.journal.path is not None
        return [one for _, one in read_journal(self.journal.path.parent) if one["kind"] == kind]


@asynccontextmanager
async def ground(
    folder: Path,
    *,
    venue: object | None = None,
    connections: int = 1,
    budget: Budget | None = None,
    url: str | None = None,
) -> AsyncIterator[Ground]:
    places: list[Ground] = []

    async def reply(request: Request) -> Answer:
        at = places[0]
        name = request.path.removeprefix("/")
        at.arrived.append(name)
        return at.answers.get(name, Response.of({"id": name}))

    server = HttpServer(reply)
    await server.start()
    journal = Journal(folder / "journal", SystemClock())
    budgets = {} if budget is None else {CallClass.CANCEL: budget}
    lane = Lane(
        "v",
        url or server.origin,
        Capabilities(connections=connections, budgets=budgets, timeout_seconds=LIMIT),
        SystemClock(),
        journal,
        SendMemory(None, "v"),
    )
    at = Ground(lane, journal, venue or Writer(), server)
    places.append(at)
    try:
        await lane.warm(connections)
        yield at
    finally:
        await lane.close()
        journal.close()
        await server.stop()


async def test_the_next_leaves_as_an_answer_comes_and_each_leaves_once(tmp_path: Path) -> None:
    async with ground(tmp_path) as at:
        await at.announce("a", "b", "c")
        at.queue = keys("b", "c")
        assert at.volley.cancel(keys("a")[0], later=False)
        await at.until_true(lambda: len(at.arrived) == 3)
        assert at.back == [], "the answers are put off while cancels leave"
        at.engine.hurry = False
        await at.until_true(lambda: at.volley.idle)
        assert at.arrived == ["a", "b", "c"]
        assert [key.order_id for key, _ in at.back] == ["a", "b", "c"]
        assert all(isinstance(port.flown and port.flown.raw, Reply) for _, port in at.back)
        assert len(at.engine.seen) == 3
        assert at.ordinary == []
        assert at.written == {}
        told = at.records("answer")
        assert [one["no"] for one in told] == [1, 2, 3]
        assert all(one["sent"] and one["left_at"] <= one["came_at"] for one in told)


async def test_an_answer_is_not_put_off_for_long(tmp_path: Path) -> None:
    async with ground(tmp_path) as at:
        await at.announce("a")
        begun = time.monotonic()
        assert at.volley.cancel(keys("a")[0], later=False)
        await at.until_true(lambda: len(at.back) == 1)
        assert time.monotonic() - begun >= PUT_OFF, "in a hurry it waits its time, and no longer"


async def test_of_many_answers_none_is_put_off_for_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ground(tmp_path) as at:
        names = [f"n{number}" for number in range(30)]
        await at.announce(*names)
        at.queue = keys(*names[1:])
        monkeypatch.setattr("cancel_tui.desk.volley.GLANCE", PUT_OFF + 0.1)
        assert at.volley.cancel(keys(names[0])[0], later=False)
        await at.until_true(lambda: at.back != [])
        monkeypatch.setattr("cancel_tui.desk.volley.GLANCE", 3600.0)  # whoever waits for the next one is late
        await at.until_true(lambda: len(at.back) == len(names))
        assert at.engine.hurry


@pytest.mark.parametrize(
    "odd",
    [
        Response.of({}, 401),
        Response.of({}, 403),
        Response.of({}, 429),
        Response.of({}, 500),
        Response.of({}, 302),
        Drop(),
    ],
    ids=["401", "403", "429", "500", "302", "dropped"],
)
async def test_an_odd_answer_ends_the_haste(tmp_path: Path, odd: Answer) -> None:
    async with ground(tmp_path, connections=2) as at:
        await at.announce("a", "b", "c", "d")
        at.answers["a"] = odd
        at.queue = keys("b", "c")
        assert at.volley.cancel(keys("a")[0], later=False)
        await at.until_true(lambda: len(at.back) == 1)
        assert at.arrived == ["a"], "nothing followed it"
        assert at.queue == keys("b", "c")
        assert not at.volley.cancel(keys("d")[0], later=False)


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422])
async def test_a_no_for_one_order_stops_no_other(tmp_path: Path, status: int) -> None:
    async with ground(tmp_path) as at:
        await at.announce("a", "b")
        at.answers["a"] = Response.of({}, status)
        at.queue = keys("b")
        assert at.volley.cancel(keys("a")[0], later=False)
        await at.until_true(lambda: at.arrived == ["a", "b"])


async def test_what_is_not_written_down_does_not_leave(tmp_path: Path) -> None:
    async with ground(tmp_path) as at:
        assert not at.volley.cancel(keys("a")[0], later=False)
        await at.announce("a")
        at.queue = keys("b")
        assert at.volley.cancel(keys("a")[0], later=False)
        await at.until_true(lambda: at.ordinary == keys("b"))
        assert at.arrived == ["a"]


async def test_a_record_that_is_not_on_its_way_to_the_disk_yet_is_not_overtaken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ground(tmp_path) as at:
        monkeypatch.setattr(Journal, "_put", lambda journal, lines: time.sleep(0.02))
        at.announce_only("a")
        assert not at.volley.cancel(keys("a")[0], later=False)
        assert at.arrived == []


@pytest.mark.parametrize("how", ["refuses", "tokenless"])
async def test_what_cannot_be_built_goes_its_ordinary_way(tmp_path: Path, how: str) -> None:
    venue = Writer()
    getattr(venue, how).update({"a", "c"})
    async with ground(tmp_path, venue=venue) as at:
        await at.announce("a", "b", "c")
        assert not at.volley.cancel(keys("a")[0], later=False)
        at.queue = keys("c")
        assert at.volley.cancel(keys("b")[0], later=False)
        await at.until_true(lambda: at.ordinary == keys("c"))
        assert at.written.keys() == set(keys("a", "c"))
        assert at.arrived == ["b"]


async def test_a_venue_that_builds_no_cancels_ahead_has_none(tmp_path: Path) -> None:
    async with ground(tmp_path, venue=object()) as at:
        await at.announce("a")
        assert not at.volley.cancel(keys("a")[0], later=False)


async def test_the_budget_is_kept(tmp_path: Path) -> None:
    async with ground(tmp_path, budget=Budget(2, 60.0)) as at:
        await at.announce("a", "b", "c")
        at.queue = keys("b", "c")
        assert at.volley.cancel(keys("a")[0], later=False)
        await at.until_true(lambda: at.ordinary == keys("c"))
        assert at.arrived == ["a", "b"]


async def test_after_its_time_nothing_leaves(tmp_path: Path) -> None:
    async with ground(tmp_path) as at:
        await at.announce("a", "b")
        at.until = lambda: 0.0
        assert not at.volley.cancel(keys("a")[0], later=False)
        assert at.volley.cancel(keys("b")[0], later=True)
        await at.until_true(lambda: at.ordinary == keys("b"))
        assert at.arrived == []


async def test_those_behind_the_first_leave_one_turn_later(tmp_path: Path) -> None:
    async with ground(tmp_path, connections=2) as at:
        await at.announce("a", "b")
        one, other = keys("a", "b")
        assert at.volley.cancel(one, later=True)
        assert at.volley.cancel(other, later=False)
        await at.until_true(lambda: len(at.arrived) == 2)
        assert at.arrived == ["b", "a"]


async def test_no_more_leave_than_there_are_connections(tmp_path: Path) -> None:
    async with ground(tmp_path, connections=2) as at:
        at.answers = {one: Hang() for one in "abc"}
        await at.announce("a", "b", "c")
        left = [at.volley.cancel(one, later=False) for one in keys("a", "b", "c")]
        assert left == [True, True, False]


async def test_the_end_gives_up_what_is_in_flight_and_hands_on_what_has_come(tmp_path: Path) -> None:
    async with ground(tmp_path, connections=2) as at:
        await at.announce("a", "b", "c")
        at.answers["b"] = Hang()
        at.volley.cancel(keys("a")[0], later=False)
        at.volley.cancel(keys("b")[0], later=False)
        await at.until_true(lambda: len(at.arrived) == 2 and len(at.engine.seen) == 1)
        at.volley.cancel(keys("c")[0], later=True)
        assert at.volley.end() == keys("c")
        assert at.volley.idle
        found = {str(key.order_id): port.flown.raw for key, port in at.back if port.flown is not None}
        assert isinstance(found["a"], Reply)
        assert isinstance(found["b"], Unanswered)
        await asyncio.sleep(0)
        assert "c" not in at.arrived


async def test_a_connection_on_which_something_unasked_came_carries_nothing_more(tmp_path: Path) -> None:
    def behaviour(connection: Connection, request: WireRequest) -> None:
        connection.send(answer())
        if request.target == b"/a":
            connection.server.go.wait(LIMIT)
            connection.send(answer(b"unasked"))
            connection.server.acted()

    with FaultServer(behaviour) as other:
        async with ground(tmp_path, url=f"http://127.0.0.1:{other.port}") as at:
            await at.announce("a", "b")
            at.queue = keys("b")
            await at.until_true(lambda: other.open == 3)  # one for cancels, two for reads
            at.engine.meanwhile = lambda: other.act(1)  # the loop has no turn between the two
            assert at.volley.cancel(keys("a")[0], later=False)
            await at.until_true(lambda: at.back != [] and other.open == 2)
            assert at.ordinary == keys("b"), "another one carries it"
            assert other.targets == [b"/a"]


async def test_only_the_cancel_itself_gets_the_answer_that_came(tmp_path: Path) -> None:
    async with ground(tmp_path) as at:
        await at.announce("a")
        at.engine.hurry = False
        assert at.volley.cancel(keys("a")[0], later=False)
        await at.until_true(lambda: len(at.back) == 1)
        port = at.back[0][1]
        flown = port.flown
        other = await port.call(CallClass.OTHER, lambda: Message(b"GET", b"/token"))
        assert isinstance(other, Reply)
        assert at.arrived == ["a", "token"]
        assert flown is not None
        assert await port.call(CallClass.CANCEL, lambda: Message(b"DELETE", b"/a")) is flown.raw
        assert at.arrived == ["a", "token"], "it has left already"
        assert isinstance(await port.call(CallClass.CANCEL, lambda: Message(b"DELETE", b"/a")), Reply)
        assert at.arrived == ["a", "token", "a"], "a second try is a second request"


async def test_a_fault_of_ours_costs_neither_the_connection_nor_the_answer(tmp_path: Path) -> None:
    async with ground(tmp_path) as at:

        def broken() -> OrderKey | None:
            raise RuntimeError("a fault")

        at.one_more = broken  # type: ignore[method-assign]
        await at.announce("a", "b")
        assert at.volley.cancel(keys("a")[0], later=False)
        await at.until_true(lambda: len(at.back) == 1)
        assert at.lane.wire_for(CallClass.CANCEL, Urgency.KILL).idle == 1
        assert not at.volley.cancel(keys("b")[0], later=False), "from then on the ordinary way"
