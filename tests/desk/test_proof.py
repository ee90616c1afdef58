"""The proof: flat only by two complete empty lists, apart, and after the last cancel."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.desk.proof import PartReading, Proof
from cancel_tui.venues.base import Part

NEWEST = Part("newest")
PAST = Part("past:1", past=True)
OLDER = Part("past:2", past=True)


def reading(begun: float, *, complete: bool = True, scoped: bool = False) -> PartReading:
    return PartReading(begun, complete, scoped)


def one_pass(
    proof: Proof, begun: float, last_cancel: float = -inf, *, scoped: bool = False, complete: bool = True
) -> bool:
    found = {NEWEST.id: reading(begun, scoped=scoped, complete=complete)}
    return proof.absorb([NEWEST], begun, found, last_cancel)


def test_two_empty_lists_far_enough_apart_are_flat() -> None:
    proof = Proof(1.0)
    assert not proof.flat(-inf)
    assert one_pass(proof, 10.0)
    assert not proof.flat(-inf)
    assert one_pass(proof, 11.0)
    assert proof.flat(-inf)


def test_two_lists_too_close_are_not() -> None:
    proof = Proof(1.0)
    one_pass(proof, 10.0)
    one_pass(proof, 10.9)
    assert not proof.flat(-inf)
    one_pass(proof, 11.0)
    assert proof.flat(-inf)


def test_every_part_is_read_again_long_enough_after_its_first_reading() -> None:
    proof = Proof(1.0)
    other = Part("account:b")

    def both(first: float, second: float) -> None:
        proof.absorb([NEWEST, other], first, {NEWEST.id: reading(first), other.id: reading(second)}, -inf)

    both(10.0, 10.4)
    assert proof.next_pass(-inf) == pytest.approx(11.0, abs=0.1)
    # What was missing from the second part from 10.4 to 11.3, for less than a second, is in neither list.
    both(11.0, 11.3)
    assert not proof.flat(-inf)
    both(11.1, 11.4)
    assert proof.flat(-inf)


def test_a_part_of_the_pass_that_completes_the_proof_waits_for_its_own_second() -> None:
    proof = Proof(1.0)
    other = Part("account:b")
    assert proof.due(other.id, 5.0, -inf) == 5.0
    proof.absorb([NEWEST, other], 10.0, {NEWEST.id: reading(10.0), other.id: reading(10.4)}, -inf)
    assert proof.due(NEWEST.id, 11.1, -inf) == 11.1
    assert proof.due(other.id, 11.1, -inf) == pytest.approx(11.4, abs=0.1)
    assert proof.due(other.id, 11.1, 10.2) == 11.1, "a cancel since then: nothing to wait for"
    assert proof.due(other.id, 10.5, -inf) == 10.5, "a pass that is too early for the proof waits for nothing"


@pytest.mark.parametrize("spoiled", [{"scoped": True}, {"complete": False}])
def test_a_list_between_that_is_not_empty_or_not_whole_starts_over(spoiled: dict[str, bool]) -> None:
    proof = Proof(1.0)
    one_pass(proof, 10.0)
    assert not one_pass(proof, 10.5, **spoiled)
    one_pass(proof, 11.0)
    assert not proof.flat(-inf)
    one_pass(proof, 12.0)
    assert proof.flat(-inf)


def test_lists_that_began_before_the_last_answer_prove_nothing() -> None:
    proof = Proof(1.0)
    assert not one_pass(proof, 10.0, last_cancel=10.0)
    assert not one_pass(proof, 11.0, last_cancel=11.5)
    assert one_pass(proof, 12.0, last_cancel=11.5)
    assert not proof.flat(11.5)
    one_pass(proof, 13.0, last_cancel=11.5)
    assert proof.flat(11.5)


def test_a_cancel_after_the_proof_undoes_it() -> None:
    proof = Proof(1.0)
    one_pass(proof, 10.0)
    one_pass(proof, 11.0)
    assert proof.flat(9.0)
    assert not proof.flat(10.5)
    assert not proof.flat(12.0)


def test_a_part_that_was_not_read_spoils_the_pass() -> None:
    proof = Proof(1.0)
    other = Part("other")
    assert not proof.absorb([NEWEST, other], 1.0, {NEWEST.id: reading(1.0)}, -inf)


def test_one_part_that_was_read_too_early_spoils_the_pass() -> None:
    proof = Proof(1.0)
    other = Part("other")
    found = {NEWEST.id: reading(5.0), other.id: reading(3.0)}
    assert not proof.absorb([NEWEST, other], 5.0, found, last_cancel=4.0)
    assert proof.absorb([NEWEST, other], 5.0, found, last_cancel=2.0)
    assert proof.streak == [3.0], "a pass began when its first part began"


def test_a_venue_without_parts_is_empty_at_once() -> None:
    proof = Proof(0.0)
    assert proof.absorb([], 1.0, {}, -inf)


def test_when_the_next_pass_may_begin() -> None:
    proof = Proof(1.0)
    assert proof.next_pass(-inf) is None
    one_pass(proof, 10.0)
    due = proof.next_pass(-inf)
    assert due is not None
    assert 11.0 <= due <= 11.1
    assert proof.next_pass(10.5) is None
    one_pass(proof, due)
    assert proof.flat(-inf)


def test_a_settle_of_nothing_still_wants_two_lists() -> None:
    proof = Proof(0.0)
    one_pass(proof, 1.0)
    assert not proof.flat(-inf)
    one_pass(proof, 1.0)
    assert proof.flat(-inf)


# ---------------------------------------------------------------- past windows


def test_a_past_window_read_empty_once_is_not_read_again() -> None:
    proof = Proof(1.0)
    parts = (NEWEST, PAST)
    assert proof.wanted(parts, -inf) == parts
    proof.absorb(parts, 1.0, {NEWEST.id: reading(1.0), PAST.id: reading(1.0)}, -inf)
    assert proof.wanted(parts, -inf) == (NEWEST,)
    assert proof.absorb(parts, 2.0, {NEWEST.id: reading(2.0)}, -inf)
    assert proof.flat(-inf)


def test_a_past_window_stays_proven_from_before_the_kill_and_over_cancels() -> None:
    proof = Proof(1.0)
    proof.remember([PAST.id])
    parts = (NEWEST, PAST)
    assert proof.wanted(parts, last_cancel=50.0) == (NEWEST,)
    assert proof.absorb(parts, 51.0, {NEWEST.id: reading(51.0)}, 50.0)
    assert proof.past_proven(PAST.id, 99.0)


def test_a_window_that_held_orders_needs_one_read_after_the_last_cancel() -> None:
    proof = Proof(1.0)
    parts = (NEWEST, PAST)
    held = {NEWEST.id: reading(1.0), PAST.id: reading(1.0, scoped=True)}
    assert not proof.absorb(parts, 1.0, held, -inf)
    assert proof.wanted(parts, 5.0) == parts
    # read empty, but before the last cancel was answered
    assert not proof.absorb(parts, 4.0, {NEWEST.id: reading(4.0), PAST.id: reading(4.0)}, 5.0)
    assert PAST in proof.wanted(parts, 5.0)
    # once more, after it: one read is enough, only the newest needs two
    assert proof.absorb(parts, 6.0, {NEWEST.id: reading(6.0), PAST.id: reading(6.0)}, 5.0)
    assert proof.wanted(parts, 5.0) == (NEWEST,)
    assert proof.absorb(parts, 7.0, {NEWEST.id: reading(7.0)}, 5.0)
    assert proof.flat(5.0)


def test_remembering_does_not_outweigh_what_was_seen_since() -> None:
    proof = Proof(1.0)
    proof.absorb((PAST,), 1.0, {PAST.id: reading(1.0, scoped=True)}, -inf)
    proof.remember([PAST.id])
    assert not proof.past_proven(PAST.id, -inf)


def test_an_order_that_shows_up_in_a_proven_window_withdraws_the_proof() -> None:
    proof = Proof(1.0)
    proof.remember([PAST.id])
    assert not proof.absorb((PAST,), 5.0, {PAST.id: reading(5.0, scoped=True)}, -inf)
    assert proof.wanted((PAST,), -inf) == (PAST,)


def test_a_window_that_was_cut_short_proves_nothing() -> None:
    proof = Proof(1.0)
    assert not proof.absorb((PAST,), 1.0, {PAST.id: reading(1.0, complete=False)}, -inf)
    assert not proof.past_proven(PAST.id, -inf)


def test_past_windows_may_follow_in_a_later_pass() -> None:
    proof = Proof(1.0)
    parts = (NEWEST, PAST)
    assert not proof.absorb(parts, 6.0, {NEWEST.id: reading(6.0)}, 5.0), "not all is read"
    assert proof.streak == [6.0]
    assert not proof.absorb(parts, 7.0, {NEWEST.id: reading(7.0)}, 5.0)
    assert not proof.flat(5.0), "the past window was never read"
    assert proof.absorb(parts, 7.5, {NEWEST.id: reading(7.5), PAST.id: reading(7.5)}, 5.0)
    assert proof.flat(5.0)


def test_a_past_window_that_held_an_order_starts_over() -> None:
    proof = Proof(1.0)
    parts = (NEWEST, PAST)
    proof.absorb(parts, 6.0, {NEWEST.id: reading(6.0)}, 5.0)
    proof.absorb(parts, 7.0, {NEWEST.id: reading(7.0), PAST.id: reading(7.0, scoped=True)}, 5.0)
    assert proof.streak == []
    proof.absorb(parts, 8.0, {NEWEST.id: reading(8.0), PAST.id: reading(8.0)}, 5.0)
    assert not proof.flat(5.0)


def test_windows_are_proven_one_by_one() -> None:
    proof = Proof(1.0)
    parts = (NEWEST, PAST, OLDER)
    proof.absorb(parts, 1.0, {NEWEST.id: reading(1.0), PAST.id: reading(1.0)}, -inf)
    assert proof.wanted(parts, -inf) == (NEWEST, OLDER)
    assert not proof.absorb(parts, 2.0, {NEWEST.id: reading(2.0)}, -inf)
    assert proof.absorb(parts, 3.0, {NEWEST.id: reading(3.0), OLDER.id: reading(3.0)}, -inf)


# ---------------------------------------------------------------- whatever happens


@dataclass(frozen=True)
class Step:
    """What happens next: time passes, then a cancel is answered or a pass is made."""

    after: float
    cancel: bool
    newest: tuple[bool, bool]
    past: tuple[bool, bool] | None


FLAGS = st.sampled_from([(True, False), (True, False), (True, False), (True, True), (False, False)])
STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from([0.0, 0.1, 0.4, 0.6, 1.0, 2.5]),
        st.sampled_from([False, False, False, True]),
        FLAGS,
        FLAGS | st.none(),
    ),
    max_size=30,
)


@given(STEPS, st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_flat_only_by_the_rules_whatever_happens(steps: list[Step], settle: float) -> None:
    """A second, plain account of the rules is kept beside the proof and compared at every step."""
    proof = Proof(settle)
    parts = (NEWEST, PAST)
    now, last_cancel = 0.0, -inf
    passes: list[tuple[float, bool, bool]] = []
    past_reads: list[tuple[float, bool, bool]] = []
    for step in steps:
        now += step.after
        if step.cancel:
            last_cancel = now
            continue
        complete, scoped = step.newest
        found = {NEWEST.id: reading(now, complete=complete, scoped=scoped)}
        if step.past is not None:
            found[PAST.id] = reading(now, complete=step.past[0], scoped=step.past[1])
            past_reads.append((now, *step.past))
        proof.absorb(parts, now, found, last_cancel)
        passes.append((now, complete, scoped))

        good = proof.flat(last_cancel)
        if not good:
            continue
        tail: list[float] = []
        for begun, whole, held in reversed(passes):
            if held or not whole or begun <= last_cancel:
                break
            tail.append(begun)
        assert len(tail) >= 2, "two consecutive complete empty lists after the last cancel"
        assert tail[0] - tail[-1] >= settle - 1e-6, "far enough apart"
        assert any(whole and not held for _, whole, held in past_reads), "the past window was read"
        held_at = [begun for begun, _, held in past_reads if held]
        if held_at:
            assert any(
                whole and not held and begun >= max(held_at) and begun > last_cancel
                for begun, whole, held in past_reads
            ), "and re-read after it held orders and after the last cancel"


@given(st.floats(0, 5), st.floats(0, 5), st.floats(0.01, 3))
def test_patience_is_always_rewarded(start: float, cancel: float, settle: float) -> None:
    proof = Proof(settle)
    now = max(start, cancel) + 0.001
    one_pass(proof, now, cancel)
    due = proof.next_pass(cancel)
    assert due is not None
    one_pass(proof, due, cancel)
    assert proof.flat(cancel)
