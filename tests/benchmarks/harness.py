"""What benchmarks share: a row with its target, rounds that alternate, and the list of all benchmarks.

A benchmark is a module `tests.benchmarks.bench_NAME` with two names:

- `ROWS`: the names of the rows that it brings, in order;
- `rows(scale)`: measures, and returns a `Row` for each of them. What it compares is measured in the same run,
  in rounds that take turns, so that neither the machine nor a busy minute decides.
"""

from __future__ import annotations

import pkgutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TypeVar

import tests.benchmarks as home

_PREFIX = "bench_"
_Size = TypeVar("_Size")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: everything, or as little as shows that a benchmark still runs."""

    quick: bool = False

    def of(self, full: _Size, quick: _Size) -> _Size:
        """The size for this scale."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Target:
    """What a ratio must be: ours over the rival's, at most; or, `faster`, the rival's over ours, at least."""

    bound: float
    faster: bool = False

    def ratio(self, ours: float, rival: float) -> float:
        """The ratio that this bounds."""
        over, under = (rival, ours) if self.faster else (ours, rival)
        return over / under if under else float("inf")

    def met(self, ratio: float) -> bool:
        """Whether a ratio is within the bound."""
        return ratio >= self.bound if self.faster else ratio <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.faster else '≤'} {self.bound:.3g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    ours: float | None
    """The median of ours, in `unit`; None where it could not be measured, which `note` explains."""
    rival: float | None
    """The median of what it is held against, in the same unit."""
    ratio: float | None
    target: str
    met: bool | None
    """None: not judged, because it was not measured or the sizes are too small to say anything."""
    unit: str = "ms"
    against: str = ""
    """Who the rival is."""
    note: str = ""


def judged(
    name: str,
    ours: float,
    rival: float,
    target: Target,
    *,
    against: str,
    unit: str = "ms",
    note: str = "",
) -> Row:
    """A row from two figures."""
    ratio = target.ratio(ours, rival)
    return Row(name, ours, rival, ratio, str(target), target.met(ratio), unit, against, note)


def unmeasured(name: str, target: Target, *, against: str, why: str, unit: str = "ms") -> Row:
    """A row that says why there is no figure."""
    return Row(name, None, None, None, str(target), None, unit, against, why)


def unjudged(row: Row) -> Row:
    """The same without a verdict."""
    return replace(row, met=None)


def in_turns(rounds: int, *sides: Callable[[], float]) -> list[float]:
    """The median of each side over so many rounds; in each round every side has its turn, first or last."""
    found: list[list[float]] = [[] for _ in sides]
    for number in range(rounds):
        order: Sequence[int] = range(len(sides))
        for index in order if number % 2 == 0 else reversed(order):
            found[index].append(sides[index]())
    return [statistics.median(one) for one in found]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which such a share of them lies; the share is between 0 and 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One module."""

    name: str
    names: tuple[str, ...]
    """Of its rows."""
    rows: Callable[[Scale], list[Row]]


def names() -> list[str]:
    """Every benchmark there is."""
    found = (one.name for one in pkgutil.iter_modules(home.__path__))
    return sorted(name.removeprefix(_PREFIX) for name in found if name.startswith(_PREFIX))


def brought(name: str, scale: Scale) -> list[Row]:
    """What one benchmark measures; raises ValueError where that is not what it has promised."""
    one = benchmark(name)
    rows = one.rows(scale)
    if tuple(row.name for row in rows) != one.names:
        raise ValueError(f"it brought {[row.name for row in rows]} where {one.names} were promised")
    return rows


def benchmark(name: str) -> Benchmark:
    """Load one; raises ModuleNotFoundError for a name that `names` does not tell."""
    module = import_module(f"{home.__name__}.{_PREFIX}{name}")
    return Benchmark(name, tuple(module.ROWS), module.rows)
