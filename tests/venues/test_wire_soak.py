"""Thousands of requests against a server that does one of fourteen things with each: what is said is true."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from dataclasses import dataclass, field

import pytest

from cancel_tui.venues.base import Message, Raw, Reply
from cancel_tui.venues.outcome import NotSent, Unanswered
from cancel_tui.venues.wire import Mark, Wire
from tests.venues.fault_server import (
    Connection,
    Request,
    answer,
)
from tests.venues.wire_case import served, until

SLOTS = 16
DEADLINE = 0.25
CALLERS = 48


def plainly(connection: Connection, request: Request) -> bool:
    connection.send(answer(request.target))
    return True


def in_pieces(connection: Connection, request: Request) -> bool:
    raw = answer(request.target)
    connection.send(raw[:9], raw[9:30], raw[30:])
    return True


def in_chunks(connection: Connection, request: Request) -> bool:
    target = request.target
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.send(head, b"%x\r\n%b\r\n" % (len(target), target), b"0\r\n\r\n")
    return True


def late(connection: Connection, request: Request) -> bool:
    connection.server.stopping.wait(0.02)
    return plainly(connection, request)


def behind_early_hints(connection: Connection, request: Request) -> bool:
    connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    return plainly(connection, request)


def for_the_last_time(connection: Connection, request: Request) -> bool:
    connection.send(answer(request.target, "200 OK", b"Connection: close"))
    return False


def and_hangs_up_unannounced(connection: Connection, request: Request) -> bool:
    plainly(connection, request)
    return False


def with_surplus(connection: Connection, request: Request) -> bool:
    connection.send(answer(request.target) + answer(b"/surplus"))
    return True


def then_says_408(connection: Connection, request: Request) -> bool:
    plainly(connection, request)
    connection.server.stopping.wait(0.001)
    connection.send(answer(b"", "408 Request Timeout"))
    return False


def never(connection: Connection, request: Request) -> bool:
    connection.wait_for_peer()
    return False


def too_late(connection: Connection, request: Request) -> bool:
    connection.server.stopping.wait(DEADLINE * 1.2)
    return plainly(connection, request)


def hangs_up(connection: Connection, request: Request) -> bool:
    return False


def resets(connection: Connection, request: Request) -> bool:
    connection.reset()
    return False


def cut_short(connection: Connection, request: Request) -> bool:
    connection.send(answer(request.target)[:-1])
    return False


BEHAVIOURS = [
    plainly,
    in_pieces,
    in_chunks,
    late,
    behind_early_hints,
    for_the_last_time,
    and_hangs_up_unannounced,
    with_surplus,
    then_says_408,
    never,
    too_late,
    hangs_up,
    resets,
    cut_short,
]
NO_ANSWER = {never, hangs_up, resets, cut_short}
"""What is too late for a client on time may still be in time for one that was busy itself."""


@dataclass
class Told:
    """What the wire said about each request."""

    raws: dict[bytes, Raw | None] = field(default_factory=dict)
    """None for a cancelled caller."""
    marks: dict[bytes, Mark] = field(default_factory=dict)


async def drive(wire: Wire, count: int, rng: random.Random) -> Told:
    """Send `count` requests, each with a number of its own; 8 % of the callers are cancelled on the way."""
    told = Told()
    numbers = iter(range(count))

    async def one(number: int) -> None:
        target = b"/orders/%d" % number
        mark = told.marks[target] = Mark()
        message = Message(b"DELETE", target, ((b"X-Id", b"%d" % number),), b'{"id":%d}' % number)
        call = asyncio.create_task(wire.exchange(message, DEADLINE, mark))
        if rng.random() < 0.08:
            if rng.random() < 0.7:  # most waits are for a slot: see to it that enough are cancelled in flight
                await until(lambda: mark.sent or call.done(), 60.0)
            for _ in range(rng.choice([0, 0, 1, 2, 3, 5, 8, 20])):
                await asyncio.sleep(0)
            call.cancel()
        await asyncio.wait([call])
        told.raws[target] = None if call.cancelled() else call.result()

    async def caller() -> None:
        for number in numbers:
            await one(number)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return told


async def soak(count: int, seed: int, *, tls: bool = False) -> None:
    rng = random.Random(seed)
    plan = {b"/orders/%d" % number: rng.choice(BEHAVIOURS) for number in range(count)}
    lock = threading.Lock()
    done: Counter[str] = Counter()

    def behaviour(connection: Connection, request: Request) -> bool:
        with lock:
            done[plan[request.target].__name__] += 1
        return plan[request.target](connection, request)

    # `served` asserts what must hold afterwards: all slots free, no connection open, no task left.
    async with served(behaviour, tls=tls, slots=SLOTS, slot_seconds=30.0) as (server, wire):
        await wire.warm(4)
        told = await drive(wire, count, rng)
        assert wire.idle <= SLOTS

    seen = Counter(server.targets)
    raws = told.raws
    answered = {target: raw for target, raw in raws.items() if isinstance(raw, Reply)}
    assert len(raws) == count
    assert [target for target, times in seen.items() if times > 1] == [], "sent twice"
    assert [t for t, raw in raws.items() if isinstance(raw, NotSent) and seen[t]] == [], "not sent, but seen"
    assert [t for t, mark in told.marks.items() if not mark.sent and seen[t]] == [], "no mark, but seen"
    assert [t for t, raw in answered.items() if raw.body != t] == [], "another request's answer"
    assert [t for t in answered if not seen[t]] == [], "an answer to an unseen request"
    assert [t for t, raw in answered.items() if plan[t] in NO_ANSWER] == [], "an answer that was none"
    for request in server.requests:
        number = request.target.removeprefix(b"/orders/")
        assert request.lines[2:] == [b"X-Id: " + number, b"Content-Length: %d" % len(request.body)]
        assert request.body == b'{"id":' + number + b"}"

    # The soak is worth something only if all of it happened.
    cancelled = sum(raw is None for raw in raws.values())
    assert all(done[one.__name__] > count / 40 for one in BEHAVIOURS), done
    flying = sum(raws[target] is None and mark.sent for target, mark in told.marks.items())
    assert 0.01 < cancelled / count < 0.12
    assert 0.005 < flying / count < 0.1
    assert len(answered) > count * 0.45
    assert sum(isinstance(raw, Unanswered) for raw in raws.values()) > count * 0.2


async def test_in_a_short_soak_nothing_is_sent_twice_denied_or_confused() -> None:
    await soak(1_500, 1)


async def test_in_a_short_soak_over_tls_nothing_is_sent_twice_denied_or_confused() -> None:
    await soak(600, 2, tls=True)


@pytest.mark.long
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_in_a_long_soak_nothing_is_sent_twice_denied_or_confused(tls: bool) -> None:
    await soak(10_000, 3, tls=tls)
