"""The lane of one venue: cancels apart from reads, kills before polls, budgets kept, all written down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cancel_tui.clock import Clock, ManualClock, SystemClock
from cancel_tui.desk.chain import CLOSED, OPENED, read_journal
from cancel_tui.desk.gate import Tally, Urgency
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.lane import Lane
from cancel_tui.desk.sends import SendMemory
from cancel_tui.practice.http import Answer, Hang, HttpServer, Request, Response
from cancel_tui.settings import Budget
from cancel_tui.venues.base import CallClass, Capabilities, Message, Reply
from cancel_tui.venues.outcome import NotSent, Unanswered

LIMIT = 5.0
"""Seconds after which a condition that does not come true is a failure."""


class Server:
    """A loopback venue: hangs, throttles or answers by path, and remembers what came in which order."""

    def __init__(self) -> None:
        self.http = HttpServer(self._answer)
        self.seen: list[str] = []
        self.on_request: Callable[[Request], None] = lambda _: None
        self.retry_after = "7"

    async def _answer(self, request: Request) -> Answer:
        self.seen.append(request.path)
        self.on_request(request)
        if request.path.startswith("/hang"):
            return Hang()
        if request.path.startswith("/429"):
            return Response.of({}, 429, ("Retry-After", self.retry_after))
        return Response.of({"ok": True})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found = Server()
    await found.http.start()
    yield found
    await found.http.stop()


class Lanes:
    """Makes lanes to one server and closes them afterwards."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._made: list[Lane] = []

    def make(
        self,
        clock: Clock | None = None,
        *,
        journal: Journal | None = None,
        memory: SendMemory | None = None,
        url: str | None = None,
        connections: int = 4,
        timeout: float = 5.0,
        **budgets: Budget,
    ) -> Lane:
        clock = clock or SystemClock()
        capabilities = Capabilities(
            budgets={CallClass(name): budget for name, budget in budgets.items()},
            connections=connections,
            timeout_seconds=timeout,
        )
        lane = Lane(
            "v",
            url or self._server.http.origin,
            capabilities,
            clock,
            journal or Journal(None, clock),
            memory or SendMemory(None, "x"),
        )
        self._made.append(lane)
        return lane

    async def close(self) -> None:
        for lane in self._made:
            await lane.close()


@pytest.fixture
async def lanes(server: Server) -> AsyncIterator[Lanes]:
    found = Lanes(server)
    yield found
    await found.close()


def get(path: str) -> Callable[[], Message]:
    return lambda: Message(b"GET", path.encode())


def ask(
    lane: Lane, path: str, call: CallClass = CallClass.LIST, urgency: Urgency = Urgency.POLL
) -> asyncio.Task[Any]:
    return asyncio.create_task(lane.port(urgency).call(call, get(path)))


async def until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < limit, "it did not come true in time"
        await asyncio.sleep(0.002)


async def settle() -> None:
    """Let everything that can run without time passing run."""
    for _ in range(40):
        await asyncio.sleep(0)


async def stop(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# ---------------------------------------------------------------- connections


@pytest.mark.parametrize("urgency", list(Urgency))
async def test_reads_that_hang_never_take_a_cancels_connection(
    server: Server, lanes: Lanes, urgency: Urgency
) -> None:
    lane = lanes.make()
    reads = [ask(lane, f"/hang/{number}", urgency=urgency) for number in range(12)]
    await until(lambda: len(server.seen) >= 2)
    begun = time.monotonic()
    cancels = [ask(lane, f"/cancel/{n}", CallClass.CANCEL, Urgency.KILL) for n in range(8)]
    answers = await asyncio.wait_for(asyncio.gather(*cancels), LIMIT)
    assert all(isinstance(answer, Reply) and answer.status == 200 for answer in answers)
    assert time.monotonic() - begun < 2.0
    assert not any(read.done() for read in reads)
    await stop(reads)


async def test_polls_that_hang_never_take_the_connection_of_a_kills_read(
    server: Server, lanes: Lanes
) -> None:
    lane = lanes.make()
    polls = [ask(lane, f"/hang/{number}") for number in range(12)]
    await until(lambda: len(server.seen) >= 2)
    found = await asyncio.wait_for(ask(lane, "/verdict", CallClass.LIST, Urgency.KILL), LIMIT)
    assert isinstance(found, Reply)
    assert not any(poll.done() for poll in polls)
    await stop(polls)


async def test_cancels_that_hang_hold_up_no_read(server: Server, lanes: Lanes) -> None:
    lane = lanes.make(connections=2)
    cancels = [ask(lane, f"/hang/{number}", CallClass.CANCEL, Urgency.KILL) for number in range(6)]
    await until(lambda: len(server.seen) == 2)
    for urgency in Urgency:
        assert isinstance(await asyncio.wait_for(ask(lane, "/list", urgency=urgency), LIMIT), Reply)
    assert len([path for path in server.seen if path.startswith("/hang")]) == 2, "no more than it may open"
    await stop(cancels)


async def test_warming_opens_connections_and_sends_nothing(server: Server, lanes: Lanes) -> None:
    lane = lanes.make(connections=9)
    await lane.warm()
    assert lane.wire_for(CallClass.CANCEL, Urgency.POLL).idle == 4
    assert server.seen == []
    await asyncio.wait_for(ask(lane, "/cancel", CallClass.CANCEL), LIMIT)
    assert lane.wire_for(CallClass.CANCEL_ALL, Urgency.KILL).idle == 4, "a warm one was used"
    await lane.warm(7)
    wire = lane.wire_for(CallClass.CANCEL, Urgency.POLL)
    assert wire.idle == 7, "one for each order"
    await lane.warm(1_000)
    assert wire.idle == wire.free == 9
    assert len(server.seen) == 1


# ---------------------------------------------------------------- budgets


async def test_polls_leave_half_of_a_budget_to_the_kill(server: Server, lanes: Lanes) -> None:
    clock = ManualClock()
    lane = lanes.make(clock, list=Budget(4, 60.0))
    polls = [ask(lane, f"/poll/{number}") for number in range(6)]
    await until(lambda: sum(poll.done() for poll in polls) == 2)
    await settle()
    assert sum(poll.done() for poll in polls) == 2
    kills = [ask(lane, f"/kill/{number}", urgency=Urgency.KILL) for number in range(2)]
    await asyncio.wait_for(asyncio.gather(*kills), LIMIT)
    assert len(server.seen) == 4
    await stop(polls)


async def test_a_kills_read_overtakes_every_waiting_poll(server: Server, lanes: Lanes) -> None:
    clock = ManualClock()
    lane = lanes.make(clock, list=Budget(1, 10.0))
    await asyncio.wait_for(ask(lane, "/first"), LIMIT)
    polls = [ask(lane, f"/poll/{number}") for number in range(3)]
    await settle()
    kills = [ask(lane, f"/kill/{number}", urgency=Urgency.KILL) for number in range(2)]
    await settle()

    def served(wanted: int) -> bool:
        return sum(one.done() for one in [*polls, *kills]) == wanted

    for wanted in range(1, 6):
        clock.advance(10.1)
        await until(partial(served, wanted))
    assert server.seen == ["/first", "/kill/0", "/kill/1", "/poll/0", "/poll/1", "/poll/2"]


async def test_polls_that_wait_for_the_list_budget_delay_no_cancel(server: Server, lanes: Lanes) -> None:
    clock = ManualClock()
    lane = lanes.make(clock, list=Budget(2, 60.0), cancel=Budget(3, 60.0))
    polls = [ask(lane, f"/poll/{number}") for number in range(5)]
    await until(polls[0].done)
    cancels = [ask(lane, f"/cancel/{n}", CallClass.CANCEL, Urgency.KILL) for n in range(3)]
    await asyncio.wait_for(asyncio.gather(*cancels), LIMIT)
    assert lane.pace(CallClass.CANCEL).left(clock.monotonic()) == 0
    assert lane.pace(CallClass.LIST).left(clock.monotonic()) == 1
    assert [wait.left for wait in lane.waits()] == [pytest.approx(60.05)], "what is kept is not for them"
    await stop(polls)


async def test_who_waits_for_a_budget_can_be_asked_how_long_it_still_takes(
    server: Server, lanes: Lanes
) -> None:
    clock = ManualClock()
    lane = lanes.make(clock, list=Budget(1, 30.0))
    await asyncio.wait_for(ask(lane, "/first"), LIMIT)
    assert lane.waits() == []
    clock.advance(5.0)
    later = [ask(lane, f"/later/{number}") for number in range(2)]
    await settle()
    clock.advance(3.0)
    (wait,) = lane.waits()
    assert (wait.call, wait.told) == (CallClass.LIST, False)
    assert (wait.since, wait.left) == pytest.approx((3.0, 22.05))
    clock.advance(23.0)
    await asyncio.wait_for(later[0], LIMIT)
    (wait,) = lane.waits()
    assert wait.since < 1.0, "whoever is first now has only just become first"
    await stop(later)
    assert lane.waits() == []


async def test_the_server_never_counts_more_than_the_budget(server: Server, lanes: Lanes) -> None:
    arrivals: list[float] = []
    server.on_request = lambda _: arrivals.append(time.monotonic())
    lane = lanes.make(cancel=Budget(3, 0.2))
    cancels = [ask(lane, f"/c/{number}", CallClass.CANCEL, Urgency.KILL) for number in range(10)]
    await asyncio.wait_for(asyncio.gather(*cancels), LIMIT)
    for index, first in enumerate(arrivals):
        assert sum(first <= one < first + 0.2 for one in arrivals[index:]) <= 3
    assert arrivals[-1] - arrivals[0] < 2.0, "and it does not idle"


async def test_a_waiter_that_is_cancelled_leaves_no_hole(server: Server, lanes: Lanes) -> None:
    clock = ManualClock()
    lane = lanes.make(clock, status=Budget(1, 10.0))
    await asyncio.wait_for(ask(lane, "/first", CallClass.STATUS), LIMIT)
    given_up = ask(lane, "/given-up", CallClass.STATUS, Urgency.KILL)
    waiting = ask(lane, "/waiting", CallClass.STATUS)
    await settle()
    await stop([given_up])
    await settle()
    clock.advance(10.1)
    await asyncio.wait_for(waiting, LIMIT)
    assert server.seen == ["/first", "/waiting"]


async def test_a_request_in_flight_that_is_cancelled_keeps_its_unit_for_the_window(
    server: Server, lanes: Lanes
) -> None:
    clock = ManualClock()
    lane = lanes.make(clock, cancel=Budget(1, 10.0))
    tally = Tally()
    port = lane.port(Urgency.KILL, tally)
    task = asyncio.create_task(port.call(CallClass.CANCEL, get("/hang")))
    await until(lambda: server.seen == ["/hang"])
    await stop([task])
    assert tally.count(CallClass.CANCEL) == 1, "the venue has seen it"
    assert lane.pace(CallClass.CANCEL).left(clock.monotonic()) == 0
    clock.advance(10.1)
    assert lane.pace(CallClass.CANCEL).left(clock.monotonic()) == 1


async def test_requests_of_another_process_count(server: Server, lanes: Lanes, tmp_path: Path) -> None:
    clock = ManualClock()
    first = lanes.make(clock, memory=SendMemory(tmp_path, "k"), cancel=Budget(2, 60.0))
    second = lanes.make(clock, memory=SendMemory(tmp_path, "k"), cancel=Budget(2, 60.0))
    for number in range(2):
        await asyncio.wait_for(ask(first, f"/a/{number}", CallClass.CANCEL, Urgency.KILL), LIMIT)
    late = ask(second, "/b", CallClass.CANCEL, Urgency.KILL)
    await settle()
    clock.advance(30.0)
    await settle()
    assert not late.done()
    clock.advance(32.0)
    await asyncio.wait_for(late, LIMIT)
    assert server.seen == ["/a/0", "/a/1", "/b"]


async def test_calls_that_are_not_metered_never_wait(server: Server, lanes: Lanes) -> None:
    lane = lanes.make(ManualClock(), list=Budget(1, 60.0))
    for number in range(5):
        await asyncio.wait_for(ask(lane, f"/time/{number}", CallClass.OTHER), LIMIT)
    assert len(server.seen) == 5


async def test_a_snapshot_of_a_stream_counts_as_one_call(lanes: Lanes) -> None:
    clock = ManualClock()
    lane = lanes.make(clock, list=Budget(1, 10.0))
    tally = Tally()
    port = lane.port(Urgency.KILL, tally)
    clock.advance(3.0)
    await asyncio.wait_for(port.admit(CallClass.LIST), LIMIT)
    assert tally.count(CallClass.LIST) == 1
    assert port.begun == 3.0
    assert lane.pace(CallClass.LIST).left(clock.monotonic()) == 0


# ---------------------------------------------------------------- what came of it


async def test_retry_after_is_honoured_by_every_later_call_of_the_class(server: Server, lanes: Lanes) -> None:
    clock = ManualClock()
    lane = lanes.make(clock)
    tally = Tally()
    port = lane.port(Urgency.KILL, tally)
    answer = await asyncio.wait_for(port.call(CallClass.CANCEL, get("/429")), LIMIT)
    assert isinstance(answer, Reply)
    assert (answer.status, tally.throttled, tally.count(CallClass.CANCEL)) == (429, 1, 1)
    later = ask(lane, "/later", CallClass.CANCEL, Urgency.KILL)
    await settle()
    clock.advance(6.9)
    await settle()
    assert server.seen == ["/429"]
    (wait,) = lane.waits()
    assert (wait.call, wait.told) == (CallClass.CANCEL, True)
    assert (wait.since, wait.left) == pytest.approx((6.9, 0.1))
    assert isinstance(await asyncio.wait_for(ask(lane, "/list"), LIMIT), Reply), "other classes go on"
    clock.advance(0.2)
    assert isinstance(await asyncio.wait_for(later, LIMIT), Reply)


async def test_a_request_that_never_left_costs_nothing(lanes: Lanes) -> None:
    clock = ManualClock()
    lane = lanes.make(clock, url="http://127.0.0.1:9", cancel=Budget(1, 60.0))
    tally = Tally()
    port = lane.port(Urgency.KILL, tally)
    for _ in range(3):
        found = await asyncio.wait_for(port.call(CallClass.CANCEL, get("/x")), LIMIT)
        assert isinstance(found, NotSent)
        assert not found.hopeless
    assert tally.requests == {}
    assert lane.pace(CallClass.CANCEL).left(clock.monotonic()) == 1


async def test_a_request_that_must_not_exist_is_not_sent(server: Server, lanes: Lanes) -> None:
    def impossible() -> Message:
        raise ValueError("an order id that cannot stand in a path")

    clock = ManualClock()
    lane = lanes.make(clock, cancel=Budget(1, 60.0))
    found = await lane.port(Urgency.KILL).call(CallClass.CANCEL, impossible)
    assert isinstance(found, NotSent)
    assert found.hopeless
    assert server.seen == []
    assert lane.pace(CallClass.CANCEL).left(clock.monotonic()) == 1


async def test_a_fault_while_signing_gives_the_unit_back_and_is_not_hidden(lanes: Lanes) -> None:
    def faulty() -> Message:
        raise KeyError("a fault of ours")

    clock = ManualClock()
    lane = lanes.make(clock, cancel=Budget(1, 60.0))
    with pytest.raises(KeyError):
        await lane.port(Urgency.KILL).call(CallClass.CANCEL, faulty)
    assert lane.pace(CallClass.CANCEL).left(clock.monotonic()) == 1


async def test_silence_is_unanswered_and_counted(server: Server, lanes: Lanes) -> None:
    lane = lanes.make(timeout=0.1)
    tally = Tally()
    found = await asyncio.wait_for(lane.port(Urgency.KILL, tally).call(CallClass.CANCEL, get("/hang")), LIMIT)
    assert isinstance(found, Unanswered)
    assert tally.count(CallClass.CANCEL) == 1
    assert server.seen == ["/hang"], "sent once and never again"


async def test_signing_happens_when_the_request_may_leave(lanes: Lanes) -> None:
    clock = ManualClock()
    lane = lanes.make(clock, cancel=Budget(1, 10.0))
    signed: list[float] = []

    def build() -> Message:
        signed.append(clock.monotonic())
        return Message(b"GET", b"/")

    port = lane.port(Urgency.KILL)
    await asyncio.wait_for(port.call(CallClass.CANCEL, build), LIMIT)
    second = asyncio.create_task(port.call(CallClass.CANCEL, build))
    await settle()
    clock.advance(10.1)
    await asyncio.wait_for(second, LIMIT)
    assert signed == [0.0, 10.1]
    assert port.begun == 0.0, "the first of the port"


async def test_evidence_begins_when_the_request_is_let_through_not_when_it_was_wanted(lanes: Lanes) -> None:
    clock = ManualClock()
    lane = lanes.make(clock, list=Budget(1, 10.0))
    await asyncio.wait_for(ask(lane, "/first"), LIMIT)
    port = lane.port(Urgency.KILL)
    task = asyncio.create_task(port.call(CallClass.LIST, get("/list")))
    await settle()
    assert port.begun is None
    clock.advance(10.1)
    await asyncio.wait_for(task, LIMIT)
    assert port.begun == 10.1


# ---------------------------------------------------------------- the record


def noted(folder: Path) -> list[dict[str, Any]]:
    return [record for _, record in read_journal(folder) if record["kind"] not in (OPENED, CLOSED)]


async def test_a_cancel_is_written_down_before_it_leaves_and_without_its_query(
    server: Server, lanes: Lanes, tmp_path: Path
) -> None:
    journal = Journal(tmp_path, SystemClock())
    lane = lanes.make(journal=journal)
    at_arrival: list[list[dict[str, Any]]] = []
    server.on_request = lambda _: at_arrival.append(noted(tmp_path))
    port = lane.port(Urgency.KILL, kill="k1", order="7")
    await asyncio.wait_for(port.call(CallClass.CANCEL, get("/orders/7?signature=abcdef0123")), LIMIT)
    await asyncio.to_thread(journal.close, 5)
    (request,) = at_arrival[0]
    assert (request["kind"], request["call"], request["order"]) == ("request", "cancel", "7")
    assert request["what"] == "GET /orders/7"
    kinds = [record["kind"] for record in noted(tmp_path)]
    assert kinds == ["request", "answer"]
    assert "abcdef0123" not in str(list(read_journal(tmp_path)))


async def test_polls_are_not_written_down_and_kill_reads_are(
    server: Server, lanes: Lanes, tmp_path: Path
) -> None:
    journal = Journal(tmp_path, SystemClock())
    lane = lanes.make(journal=journal)
    await asyncio.wait_for(ask(lane, "/poll"), LIMIT)
    await asyncio.wait_for(ask(lane, "/verdict", urgency=Urgency.KILL), LIMIT)
    await asyncio.to_thread(journal.close, 5)
    found = noted(tmp_path)
    assert [record["kind"] for record in found] == ["request", "answer"]
    assert found[0]["what"] == "GET /verdict"
    assert (found[1]["came"], found[1]["status"]) == ("answer", 200)
