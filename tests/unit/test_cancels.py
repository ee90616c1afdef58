"""The table of the cancel: every cell, and what no sequence of events can do."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.cancels import STEPS, Ending, Event, Stage, step

EVENTS = st.lists(st.sampled_from(list(Event)), max_size=40)
SETTLED = {Stage.ENDED, Stage.GONE}
SIGHTINGS = {Event.SEEN_LIVE, Event.SEEN_PENDING}
CELLS = list(product(Stage, Event))


def test_the_table_is_complete() -> None:
    assert set(STEPS) == set(CELLS)


@pytest.mark.parametrize(("stage", "event"), CELLS)
def test_every_cell_keeps_the_promises(stage: Stage, event: Event) -> None:
    after = step(stage, event)
    if after is Stage.ENDED and stage is not Stage.ENDED:
        assert event is Event.SEEN_END, "no death but on the venue's own word"
    if event is Event.SEEN_END:
        assert after is Stage.ENDED, "the venue's word always counts"
    if after is Stage.GONE and stage is not Stage.GONE:
        assert event is Event.ABSENT
    if stage in SETTLED and after not in SETTLED:
        assert event in SIGHTINGS, "only seeing it alive brings it back"
    if after is Stage.SENT and stage is not Stage.SENT:
        assert event is Event.SEND
    if stage is Stage.SENT and after is Stage.WANTED:
        assert event is Event.NOT_SENT, "what may have left is not forgotten"
    if stage is Stage.SENT:
        assert after is not Stage.GONE, "a list says nothing about a request in flight"


def test_an_ended_order_is_never_gone() -> None:
    assert step(Stage.ENDED, Event.ABSENT) is Stage.ENDED


def test_gone_takes_the_word_when_it_comes() -> None:
    assert step(Stage.GONE, Event.SEEN_END) is Stage.ENDED


@pytest.mark.parametrize("event", [Event.SILENCE, Event.REFUSE, Event.NOT_SENT, Event.TOOK, Event.SEND])
def test_nothing_that_happens_to_a_request_wakes_a_settled_order(event: Event) -> None:
    assert step(Stage.ENDED, event) is Stage.ENDED
    assert step(Stage.GONE, event) is Stage.GONE


@given(EVENTS)
def test_no_sequence_ends_an_order_without_the_venues_word(events: list[Event]) -> None:
    stage = Stage.WANTED
    for event in events:
        stage = step(stage, event)
        if stage is Stage.ENDED:
            assert Event.SEEN_END in events
    if Event.SEEN_END not in events:
        assert stage is not Stage.ENDED
    if Event.ABSENT not in events:
        assert stage is not Stage.GONE


@given(EVENTS)
def test_after_an_end_only_a_sighting_changes_the_stage(events: list[Event]) -> None:
    stage = Stage.ENDED
    for event in events:
        before, stage = stage, step(stage, event)
        if before is Stage.ENDED and stage is not Stage.ENDED:
            assert event in SIGHTINGS
    if not SIGHTINGS & set(events):
        assert stage is Stage.ENDED


@given(st.sampled_from([one for one in Event if one is not Event.SEND]), EVENTS)
def test_every_stage_can_still_be_proven(last: Event, events: list[Event]) -> None:
    stage = Stage.WANTED
    for event in [*events, last]:
        stage = step(stage, event)
    assert step(stage, Event.SEEN_END) is Stage.ENDED


def test_the_properties_of_stages() -> None:
    assert {one for one in Stage if one.settled} == SETTLED
    assert {one for one in Stage if one.flying} == {Stage.SENT, Stage.ACCEPTED}


def test_the_words_of_the_report() -> None:
    words = {"canceled", "filled", "expired", "rejected", "gone", "open", "unknown"}
    assert {one.value for one in Ending} == words
