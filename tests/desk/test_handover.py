"""Handing things to a thread: all arrive, in order, and nobody waits for longer than he may."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from cancel_tui.desk.handover import Handover

LIMIT = 10.0
MANY = 20_000
"""More words than a socket keeps."""


@pytest.fixture
def way() -> Iterator[Handover[int]]:
    made = Handover[int]()
    yield made
    made.close()


class Taker(threading.Thread):
    """Takes everything up to a 0; tells of each."""

    def __init__(self, way: Handover[int]) -> None:
        super().__init__(daemon=True)
        self.way = way
        self.taken: list[int] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def has(self, count: int) -> bool:
        return len(self.taken) == count

    def run(self) -> None:
        while thing := self.way.take():
            self.go_on.wait(LIMIT)
            self.taken.append(thing)
            self.way.tell()


@pytest.fixture
def taker(way: Handover[int]) -> Iterator[Taker]:
    thread = Taker(way)
    thread.start()
    yield thread
    thread.go_on.set()
    way.give(0)
    thread.join(LIMIT)
    assert not thread.is_alive()


def test_everything_arrives_in_order_however_much_waits(way: Handover[int]) -> None:
    for number in range(1, MANY + 1):
        way.give(number)
    assert way.waiting == MANY
    assert [way.take() for _ in range(MANY)] == list(range(1, MANY + 1))
    assert way.waiting == 0


def test_it_is_taken_while_nobody_gives_and_while_somebody_does(way: Handover[int], taker: Taker) -> None:
    for number in range(1, MANY + 1):
        way.give(number)
        if number % 1_000 == 0:
            assert way.stand_still(partial(taker.has, number), LIMIT)
    assert taker.taken == list(range(1, MANY + 1))


def test_who_stands_still_goes_on_when_it_is_done(way: Handover[int], taker: Taker) -> None:
    taker.go_on.clear()
    threading.Timer(0.05, taker.go_on.set).start()
    way.give(1)
    assert way.stand_still(lambda: taker.taken == [1], LIMIT)
    # What is done already is not waited for: nobody would say so again.
    assert way.stand_still(lambda: taker.taken == [1], LIMIT)


def test_nobody_stands_still_for_longer_than_he_may(way: Handover[int], taker: Taker) -> None:
    taker.go_on.clear()
    way.give(1)
    begun = time.monotonic()
    assert not way.stand_still(lambda: bool(taker.taken), 0.02)
    assert not way.stand_still(lambda: bool(taker.taken), 0.0)
    assert not way.stand_still(lambda: bool(taker.taken), 0.02)
    # Neither does anybody who gives, as full as it may be.
    for number in range(2, MANY):
        way.give(number)
    assert time.monotonic() - begun < LIMIT / 2
    taker.go_on.set()
    assert way.stand_still(lambda: len(taker.taken) == MANY - 1, LIMIT)


def test_a_word_of_something_else_ends_no_wait(way: Handover[int], taker: Taker) -> None:
    taker.go_on.clear()
    way.give(1)
    assert not way.stand_still(lambda: bool(taker.taken), 0.01)
    way.give(2)
    threading.Timer(0.02, taker.go_on.set).start()
    # Both are told of, the first of them too early for this wait.
    assert way.stand_still(lambda: len(taker.taken) == 2, LIMIT)


def test_what_nobody_waits_for_is_told_to_nobody(way: Handover[int]) -> None:
    told = threading.Event()

    def tell() -> None:
        for _ in range(MANY):
            way.tell()
        told.set()

    threading.Thread(target=tell, daemon=True).start()
    assert told.wait(LIMIT), "a thread that writes must never wait for the one that reads"


def test_who_gives_or_tells_while_another_thread_closes_is_not_stopped() -> None:
    way = Handover[int]()
    way.close()
    way.give(1)
    assert way.waiting == 1
    assert not way.stand_still(lambda: False, LIMIT)
    way._awaited = True
    way.tell()
