"""Whatever a venue sends, only the typed errors come out of the parsers, in bounded time and memory."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.fuzz import fuzz, in_place, once
from tests.fuzz.seeds import Ground, gather
from tests.fuzz.targets import Target, targets

EXAMPLES = 60


@pytest.fixture(scope="module")
def every() -> list[Target]:
    return targets(heard())


def heard() -> Ground:
    ground = gather()
    assert {kind for kind, _ in ground.replies} == set(ground.keys)
    assert len(ground.keys) == 5, "every kind of venue was heard"
    assert all(ground.texts[kind] for kind in ground.keys.keys() - {"coinswitch-futures"})
    return ground


def test_the_answers_themselves_are_read(every: list[Target]) -> None:
    with in_place():
        for target in every:
            for seed in target.seeds:
                target.act(random.Random(7), seed)


def test_only_the_typed_errors_come_out_of_any_parser(every: list[Target]) -> None:
    @settings(max_examples=EXAMPLES * len(every) // 4)
    @given(st.sampled_from(every), st.randoms(use_true_random=False))
    def read(target: Target, rng: random.Random) -> None:
        target.once(rng)

    with in_place():
        for target in every:
            for number in range(EXAMPLES):
                once(target, f"default:{target.name}:{number}")
        read()


@pytest.mark.long
def test_for_long_only_the_typed_errors_come_out_and_memory_is_flat(every: list[Target]) -> None:
    seconds = float(os.environ.get("CANCEL_TUI_FUZZ_SECONDS", "600"))
    seed = int(os.environ.get("CANCEL_TUI_FUZZ_SEED", "7"))
    with in_place():
        counts = [fuzz(target, seconds / len(every), seed) for target in every]
    print(*counts, sep="\n")
    assert all(count.examples >= 100 for count in counts)
