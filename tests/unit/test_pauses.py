"""Pauses of long work: who acts in them, how often, and what never interrupts what."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from threading import Thread

import pytest

from cancel_tui import garbage, pauses
from cancel_tui.pauses import EVERY, pause, use_pauses


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time by which pauses are taken, and nobody who uses them yet."""
    time = [1000.0]
    monkeypatch.setattr(pauses, "_pauses", pauses._Pauses())
    monkeypatch.setattr(pauses, "perf_counter", lambda: time[0])
    return time


def test_in_a_pause_everybody_acts_who_asked_for_it(now: list[float]) -> None:
    acted: list[str] = []
    use_pauses(lambda: acted.append("one"))
    use_pauses(lambda: acted.append("two"))
    pause()
    assert acted == ["one", "two"]


def test_the_next_pause_is_some_time_after_the_last(now: list[float]) -> None:
    acted: list[float] = []

    def act() -> None:
        acted.append(now[0])
        # What acts takes its time: the next pause counts from its end.
        now[0] += 1.0

    use_pauses(act)
    pause()
    pause()
    now[0] += EVERY * 0.9
    pause()
    assert acted == [1000.0]
    now[0] += EVERY * 0.2
    pause()
    assert len(acted) == 2


def test_what_acts_is_not_interrupted_by_itself(now: list[float]) -> None:
    depth: list[int] = []

    def act() -> None:
        depth.append(len(depth))
        now[0] += 1.0
        pause()

    use_pauses(act)
    pause()
    assert depth == [0]


def test_a_fault_does_not_end_all_pauses(now: list[float]) -> None:
    def fault() -> None:
        raise ZeroDivisionError

    no_more = use_pauses(fault)
    with pytest.raises(ZeroDivisionError):
        pause()
    no_more()
    acted: list[int] = []
    use_pauses(lambda: acted.append(1))
    now[0] += 1.0
    pause()
    assert acted == [1]


def test_another_threads_work_is_not_paused(now: list[float]) -> None:
    acted: list[int] = []
    use_pauses(lambda: acted.append(1))
    other = Thread(target=pause)
    other.start()
    other.join(10.0)
    assert acted == []
    pause()
    assert acted == [1]


def test_who_wants_no_more_pauses_has_none(now: list[float]) -> None:
    acted: list[str] = []
    no_more = use_pauses(lambda: acted.append("one"))
    use_pauses(lambda: acted.append("two"))
    no_more()
    no_more()
    pause()
    assert acted == ["two"]


@pytest.fixture
def by_hand() -> Iterator[None]:
    """The interpreter looks at no objects by itself."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def looks(sweep: object) -> list[int]:
    """Which generations a sweep has looked at."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    gc.callbacks.append(note)
    try:
        assert callable(sweep)
        sweep()
    finally:
        gc.callbacks.remove(note)
    return seen


def test_the_newest_objects_are_looked_at_where_there_are_some_or_time_has_passed(
    by_hand: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = [0.0]
    monkeypatch.setattr(garbage, "perf_counter", lambda: time[0])
    monkeypatch.setattr(garbage, "THRESHOLDS", (1_000, 100, 2_500))
    sweep = garbage.sweeper()
    assert looks(sweep) == []
    kept: list[list[int]] = [[] for _ in range(garbage.FEW + 10)]
    assert looks(sweep) == [0]
    assert looks(sweep) == []
    time[0] += garbage.OFTEN * 1.1
    assert looks(sweep) == [0]
    assert len(kept) > garbage.FEW


def test_while_it_is_held_nothing_is_looked_at(
    by_hand: None, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What this process holds is looked through again by other tests, at the pace that it had.
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)
    garbage.settle()
    garbage.settle()
    assert len(pauses._pauses.acts) == 1
    garbage.hold()
    assert pauses._pauses.acts == []
    assert not gc.isenabled()
    garbage.settle()
    assert len(pauses._pauses.acts) == 1
    garbage.hold()


def test_the_older_are_looked_at_as_often_as_the_interpreter_would(
    by_hand: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = [0.0]
    monkeypatch.setattr(garbage, "perf_counter", lambda: time[0])
    sweep = garbage.sweeper()
    seen: list[int] = []
    for _ in range(6):
        time[0] += 1.0
        seen += looks(sweep)
    assert seen == [0, 0, 1, 0, 0, 1]
