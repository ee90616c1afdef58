"""The benchmarks still run: every one of them, with sizes that say nothing about speed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import document, figure, table
from tests.benchmarks.harness import Row, Target, benchmark, in_turns, judged, names, unmeasured

ROOT = Path(__file__).parents[2]


def test_every_benchmark_runs_and_brings_its_rows(tmp_path: Path) -> None:
    written = tmp_path / "table.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--quick", "--json", str(written)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(written.read_text(encoding="utf-8"))
    promised = [row for name in names() for row in benchmark(name).names]
    assert [row["name"] for row in found["rows"]] == promised
    assert len(set(promised)) == len(promised)
    for row in found["rows"]:
        assert row["name"] in done.stdout
        assert row["met"] is None
        assert (row["ratio"] is None) == (row["ours"] is None) == (row["rival"] is None)
        assert row["ratio"] is not None or row["note"]
    assert found["quick"] is True
    assert found["command"] == "python -m tests.benchmarks --quick"
    assert set(found["machine"]) == {"cpus", "python", "platform"}
    assert str(tmp_path) not in written.read_text(encoding="utf-8")


def test_a_target_is_met_on_its_bound_and_not_beyond() -> None:
    at_most, at_least = Target(1.5), Target(20, faster=True)
    assert judged("a", 3.0, 2.0, at_most, against="b").met
    assert not judged("a", 3.1, 2.0, at_most, against="b").met
    assert judged("a", 1.0, 20.0, at_least, against="b").met
    assert not judged("a", 1.0, 19.9, at_least, against="b").met
    assert unmeasured("a", at_least, against="b", why="not installed").met is None


def test_sides_take_turns_and_the_median_counts() -> None:
    called: list[str] = []
    values = {"ours": iter([1.0, 100.0, 3.0]), "rival": iter([5.0, 4.0, 6.0])}

    def side(name: str) -> float:
        called.append(name)
        return next(values[name])

    assert in_turns(3, lambda: side("ours"), lambda: side("rival")) == [3.0, 5.0]
    assert called == ["ours", "rival", "rival", "ours", "ours", "rival"]


def test_the_table_shows_every_verdict() -> None:
    rows = [
        judged("kept", 1.0, 2.0, Target(1), against="x"),
        judged("missed", 3.0, 2.0, Target(1), against="x", note="why"),
        unmeasured("unknown", Target(1), against="x", why="not installed"),
    ]
    lines = table(rows)
    assert [line.split()[0] for line in lines[1:]] == ["kept", "missed", "unknown"]
    assert "✓" in lines[1]
    assert lines[2].endswith("✗  why")
    assert lines[3].endswith("·  not installed")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0123, "0.012"), (0.5, "0.50"), (12.34, "12.3"), (16_230.0, "16,230")],
)
def test_figures_are_short(value: float | None, text: str) -> None:
    assert figure(value) == text


def test_the_document_names_no_machine() -> None:
    found = document([Row("a", 1.0, 2.0, 0.5, "≤ 1", True)], "python -m tests.benchmarks", quick=False)
    assert json.loads(json.dumps(found)) == found
    assert set(found) == {"date", "command", "quick", "machine", "rows"}
