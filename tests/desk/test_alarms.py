"""States → alarms, as a table; and how alarms stand, are seen, come back and sound."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from cancel_tui.desk.alarm_book import APART, FLICKER, AlarmBook
from cancel_tui.desk.alarms import (
    EXPIRES_WITHIN,
    UNKNOWN_AFTER,
    Alarm,
    Facts,
    KillFacts,
    Kind,
    Severity,
    VenueFacts,
    alarms,
)
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.impasse import ALARM_AFTER, DeadEnd, Impasse
from cancel_tui.desk.slot import STALE_AFTER, VenueState
from cancel_tui.orders import VenueName

NOW = 1000.0
P99 = VenueName("p99")
KILL = KillFacts(kill_id="abcdef0123", open=(P99,), words="p99: no answer")
VENUE = VenueFacts(name=P99, live=3)
LATE = VENUE.rhythm + STALE_AFTER


def venue(**changed: object) -> Facts:
    return Facts(venues=(replace(VENUE, **changed),))


def kill(**changed: object) -> Facts:
    return Facts(kills=(replace(KILL, **changed),))


def stuck(age: float, orders: int = 2, why: DeadEnd = DeadEnd.HALTED) -> Facts:
    return Facts(stuck=((P99, Impasse(why, NOW - age, orders, "market closed")),))


TABLE: list[tuple[str, Facts, str | None]] = [
    ("a calm desk", venue(), None),
    ("stale with orders", venue(state=VenueState.STALE, age=LATE + 1), "2 p99 is STALE with 3 live orders"),
    ("down with orders", venue(state=VenueState.DOWN, age=LATE + 1), "3 p99 is DOWN with 3 live orders"),
    ("keys refused", venue(state=VenueState.REFUSED, age=LATE + 1), "3 p99 is REFUSED with 3 live orders"),
    ("one list that failed", venue(state=VenueState.DOWN, age=LATE - 1), None),
    ("down without orders", venue(state=VenueState.DOWN, age=60.0, live=0), None),
    ("never listed", venue(state=VenueState.DOWN, age=None), None),
    ("live again", venue(again=1), "3 p99: LIVE AGAIN, 1 order listed"),
    ("unknown, young", venue(unknown=1, unknown_age=UNKNOWN_AFTER - 1), None),
    ("unknown, old", venue(unknown=1, unknown_age=UNKNOWN_AFTER), "2 p99: what became of 1 order is UNKNOWN"),
    ("keys end later", venue(expires_in=EXPIRES_WITHIN + 1), None),
    ("keys end soon", venue(expires_in=EXPIRES_WITHIN - 1), "1 p99: its credentials are about to expire"),
    ("keys have ended", venue(expires_in=-1.0), "3 p99: its credentials have expired"),
    ("a kill in time", kill(running=True), None),
    (
        "past its deadline",
        kill(running=True, past_deadline=2.0),
        "3 KILL abcdef is past its deadline and not",
    ),
    ("flat, and held past it", kill(running=True, past_deadline=2.0, flat=True), None),
    ("ended flat", kill(flat=True, verdict=Verdict.FLAT), None),
    ("ended unproven", kill(), "3 KILL abcdef: NOT PROVEN, p99"),
    (
        "ended not flat",
        kill(verdict=Verdict.NOT_FLAT, live=2),
        "3 KILL abcdef: NOT FLAT, 2 still live on p99",
    ),
    ("withdrawn", kill(running=True, back=1), "3 KILL abcdef: FLAT WITHDRAWN, 1 order listed as live again"),
    ("withdrawn, and ended so", kill(back=2), "3 KILL abcdef: FLAT WITHDRAWN, 2 orders listed"),
    ("withdrawn, then flat", kill(flat=True, verdict=Verdict.FLAT, back=1), None),
    (
        "newcomers",
        kill(flat=True, verdict=Verdict.FLAT, newcomers={P99: 2}),
        "2 p99: 2 orders placed since the verdict of KILL abcdef",
    ),
    ("a cancel under way", kill(by_id=True, running=True, live=1, past_deadline=3.0), None),
    ("a cancel given up", kill(by_id=True, live=1), "3 1 order live on p99 after the cancel was given up"),
    (
        "a cancel withdrawn",
        kill(by_id=True, running=True, back=1),
        "3 KILL abcdef: cancel WITHDRAWN, 1 order",
    ),
    ("a cancel whose order left", kill(by_id=True), None),
    ("stuck, young", stuck(ALARM_AFTER - 1), None),
    ("stuck, old", stuck(ALARM_AFTER), "2 p99: 2 cancels HALTED, asking on"),
    ("pending too long", stuck(11.0, 1, DeadEnd.PENDING), "2 p99: 1 cancel PENDING, asking on"),
    ("unanswered", stuck(11.0, 1, DeadEnd.SILENT), "2 p99: 1 cancel SILENT, asking on"),
    ("no journal", Facts(journal="No space left"), "2 records are being lost: the journal cannot be written"),
    (
        "a shared folder",
        Facts(exposed="others can write"),
        "2 the record is not safe: others can take it away",
    ),
    ("an earlier kill", Facts(unended={"feed": "KILL feed has no end"}), "2 KILL feed has no end"),
]


@pytest.mark.parametrize(("facts", "told"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_each_state_gives_its_alarm_or_none(facts: Facts, told: str | None) -> None:
    found = [f"{int(one.severity)} {one.sentence}" for one in alarms(facts, NOW)]
    assert len(found) == (told is not None)
    assert told is None or found[0].startswith(told)


def test_every_kind_has_a_row_in_the_table() -> None:
    assert {one.kind for _, facts, _ in TABLE for one in alarms(facts, NOW)} == set(Kind)


def test_an_alarm_knows_since_when_and_the_venues_words() -> None:
    (lost,) = alarms(venue(state=VenueState.DOWN, age=30.0, error="HTTP 502"), NOW)
    assert (lost.since, lost.words, lost.venue) == (NOW - 30.0, "HTTP 502", P99)
    (halted,) = alarms(stuck(12.0), NOW)
    assert (halted.since, halted.words) == (NOW - 12.0, "market closed")
    (late,) = alarms(kill(running=True, past_deadline=4.0), NOW)
    assert (late.since, late.words) == (NOW - 4.0, "p99: no answer")
    (ends,) = alarms(venue(expires_in=130.0), NOW)
    assert ends.words == "2 min left"


def test_the_same_cause_keeps_its_name_and_cancels_of_one_sort_are_one_alarm() -> None:
    late = alarms(kill(running=True, past_deadline=1.0), NOW)
    ended = alarms(kill(ended_ago=3.0), NOW + 60)
    assert late[0].id == ended[0].id
    two = Facts(stuck=stuck(12.0).stuck + stuck(40.0, 5).stuck + stuck(15.0, 1, DeadEnd.BUSY).stuck)
    halted, busy = alarms(two, NOW)
    assert halted.sentence.startswith("p99: 7 cancels HALTED")
    assert halted.since == NOW - 40.0
    assert busy.id != halted.id


# ------------------------------------------------------------------ standing

DOWN = Alarm("lost p99", Kind.LOST, Severity.GRAVE, NOW, "p99 is DOWN")
STALE = replace(DOWN, severity=Severity.SERIOUS, sentence="p99 is STALE")
SOON = Alarm("expiring p99", Kind.EXPIRING, Severity.SOON, NOW - 50, "keys end")
STUCK = Alarm("stuck p99", Kind.STUCK, Severity.SERIOUS, NOW - 20, "2 cancels HALTED", grade=2)


def sentences(book: AlarmBook) -> list[str]:
    return [one.alarm.sentence for one in book.standing]


def test_the_gravest_comes_first_and_what_was_seen_comes_last() -> None:
    book = AlarmBook(15.0)
    changes = book.take([SOON, STUCK, DOWN], NOW)
    assert len(changes.raised) == 3
    assert sentences(book) == ["p99 is DOWN", "2 cancels HALTED", "keys end"]
    assert book.acknowledge(DOWN.id) is not None
    assert sentences(book) == ["2 cancels HALTED", "keys end", "p99 is DOWN"]
    assert book.unseen is not None
    assert book.unseen.alarm is STUCK


def test_what_was_seen_stays_until_its_cause_is_gone() -> None:
    book = AlarmBook(15.0)
    book.take([STALE], NOW)
    assert book.acknowledge(STALE.id) is not None
    assert book.acknowledge(STALE.id) is None, "seen once is seen"
    assert book.take([STALE], NOW + 60).worse == ()
    assert book.unseen is None
    assert sentences(book) == ["p99 is STALE"]
    book.take([], NOW + 61)
    assert book.standing == []
    assert [one.alarm.id for one in book.take([], NOW + 61 + FLICKER).over] == [STALE.id]


@pytest.mark.parametrize(
    ("first", "then", "loud"),
    [
        (STALE, DOWN, True),
        (DOWN, STALE, False),
        (STUCK, replace(STUCK, grade=3), True),
        (STUCK, replace(STUCK, grade=2, sentence="3 cancels HALTED"), False),
        (replace(STUCK, grade=9), replace(STUCK, grade=1, severity=Severity.GRAVE), True),
    ],
)
def test_it_is_loud_again_when_it_gets_worse_and_only_then(first: Alarm, then: Alarm, loud: bool) -> None:
    book = AlarmBook(15.0)
    book.take([first], NOW)
    book.acknowledge(first.id)
    changes = book.take([then], NOW + 1)
    assert (len(changes.worse) == 1) is loud
    assert (book.unseen is not None) is loud


def test_a_cause_that_recurs_is_a_new_alarm_and_one_that_flickers_is_not() -> None:
    book = AlarmBook(15.0)
    book.take([STALE], NOW)
    book.acknowledge(STALE.id)
    book.take([], NOW + 1)
    assert book.take([STALE], NOW + 1 + FLICKER - 0.5).raised == ()
    assert book.unseen is None
    book.take([], NOW + 10)
    book.take([], NOW + 10 + FLICKER)
    assert len(book.take([STALE], NOW + 20).raised) == 1
    assert book.unseen is not None


def test_nobody_has_seen_an_alarm_whose_cause_is_gone() -> None:
    book = AlarmBook(15.0)
    book.take([STALE], NOW)
    book.take([], NOW + 1)
    assert book.acknowledge(STALE.id) is None
    assert book.acknowledge("another") is None


def test_since_when_is_the_earliest_that_was_told() -> None:
    book = AlarmBook(15.0)
    book.take([STALE], NOW)
    book.take([replace(STALE, since=NOW + 5)], NOW + 5)
    assert book.standing[0].since == NOW
    book.take([replace(STALE, since=NOW - 5)], NOW + 6)
    assert book.standing[0].since == NOW - 5


# ------------------------------------------------------------------ bell


def bells(book: AlarmBook, found: list[Alarm], begin: float, end: float, step: float = 0.25) -> list[float]:
    rung, at = [], begin
    while at < end:
        book.take(found, at)
        if book.rings(at):
            rung.append(at - NOW)
        at += step
    return rung


def test_it_rings_once_for_a_new_alarm_and_again_until_it_is_seen() -> None:
    book = AlarmBook(15.0)
    assert bells(book, [STALE, SOON], NOW, NOW + 31) == [0.0, 15.0, 30.0]
    book.acknowledge(STALE.id)
    assert bells(book, [STALE, SOON], NOW + 31, NOW + 46) == [45.0]
    book.acknowledge(SOON.id)
    assert bells(book, [STALE, SOON], NOW + 46, NOW + 200) == []
    assert bells(book, [DOWN, SOON], NOW + 200, NOW + 201) == [200.0], "worse"


def test_it_never_rings_more_than_once_a_second() -> None:
    book = AlarmBook(1.0)
    found: list[Alarm] = []
    rung = []
    for number in range(200):
        found.append(replace(STALE, id=f"alarm {number}"))
        rung += bells(book, found, NOW + number * 0.1, NOW + number * 0.1 + 0.1, 0.05)
    assert 15 < len(rung) <= 20
    assert all(later - earlier >= APART for earlier, later in pairwise(rung))
