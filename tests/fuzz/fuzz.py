"""Fuzzes every parser for a time: `python -m tests.fuzz.fuzz --seconds 3600`."""

from __future__ import annotations

import argparse
import gc
import random
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cancel_tui.venues import adapter
from tests.fuzz.seeds import gather
from tests.fuzz.targets import Target, targets

SLOWEST = 5.0
"""Seconds of processor time for one input of at most 48 KiB; a hundred times what the slowest takes."""
GROWTH = 4 * 1024 * 1024
"""Bytes that may be added once everything that is remembered is full."""
FULL = 3_000
"""Examples of one parser before its memory is looked at for the first time, at the most."""


@dataclass(frozen=True)
class Count:
    """What one parser went through."""

    name: str
    examples: int
    slowest: float
    """Seconds of processor time."""
    growth: int
    """Bytes, from the middle to the end."""


@contextmanager
def in_place() -> Iterator[None]:
    """Long answers are read where they are, not in another thread."""
    large, adapter.LARGE = adapter.LARGE, sys.maxsize
    try:
        yield
    finally:
        adapter.LARGE = large


def once(target: Target, seed: str) -> float:
    """One example by its seed; the processor time that it took. Raises what it finds."""
    rng = random.Random(seed)
    begun = time.thread_time()
    try:
        data = target.once(rng)
    except Exception as fault:
        fault.add_note(f"seed {seed!r}")
        raise
    took = time.thread_time() - begun
    assert took < SLOWEST, f"{target.name} took {took:.1f} s, seed {seed!r}: {data[:200]!r}"
    return took


def fuzz(target: Target, seconds: float, seed: int) -> Count:
    """One parser for a time."""
    begun, slowest, number, middle = time.monotonic(), 0.0, 0, 0
    tracemalloc.start()
    try:
        while (passed := time.monotonic() - begun) < seconds or number < 100:
            slowest = max(slowest, once(target, f"{seed}:{target.name}:{number}"))
            number += 1
            if not middle and (passed > seconds / 2 or number >= FULL):
                gc.collect()
                middle = tracemalloc.get_traced_memory()[0]
        gc.collect()
        growth = tracemalloc.get_traced_memory()[0] - middle
    finally:
        tracemalloc.stop()
    assert growth < GROWTH, f"{target.name} grew by {growth:,} bytes over {number} examples"
    return Count(target.name, number, slowest, growth)


def main() -> None:
    """Fuzz, and print what was tried."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    every, total = targets(gather()), 0
    with in_place():
        for target in every:
            count = fuzz(target, options.seconds / len(every), options.seed)
            total += count.examples
            slowest = f"slowest {count.slowest * 1000:6.1f} ms"
            told = f"{count.examples:>9,} examples, {slowest}, {count.growth:>+10,} bytes"
            print(f"{count.name:<30} {told}", flush=True)
    print(f"{len(every)} parsers, {total:,} examples, nothing but the typed errors")


if __name__ == "__main__":
    main()
