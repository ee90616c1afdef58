"""`python -m tests.benchmarks [NAME…] [--quick] [--json FILE]`: measure, print one table, write it as JSON.

Names are those of the modules `bench_NAME.py`; without one, all of them. Everything takes many minutes and
wants a machine that does nothing else. `--quick` measures nothing worth having: it shows in seconds that
every benchmark still runs. The exit status is 1 where a target is missed or a benchmark broke.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import Row, Scale, brought, names, unjudged

_MARKS = {True: "✓", False: "✗", None: "·"}


def figure(value: float | None, unit: str = "") -> str:
    """Three digits or so, and the unit."""
    if value is None:
        return "–"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:,.{digits}f}{' ' if unit else ''}{unit}"


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as aligned lines under a heading, notes behind."""
    head = ("", "ours", "against", "", "ratio", "target", "")
    lines = [
        (
            row.name,
            figure(row.ours, row.unit),
            figure(row.rival, row.unit),
            row.against,
            figure(row.ratio),
            row.target,
            _MARKS[row.met],
        )
        for row in rows
    ]
    widths = [max(len(line[at]) for line in [head, *lines]) for at in range(len(head))]
    right = {1, 2, 4, 5}
    texts = [
        "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in [head, *lines]
    ]
    notes = ["", *(row.note for row in rows)]
    return [f"{text}  {note}".rstrip() for text, note in zip(texts, notes, strict=True)]


def document(rows: Sequence[Row], command: str, *, quick: bool) -> dict[str, Any]:
    """What the JSON file holds: nothing that tells whose machine it was."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": command,
        "quick": quick,
        "machine": {
            "cpus": os.cpu_count(),
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "platform": f"{platform.system()} {platform.machine()}",
        },
        "rows": [asdict(row) for row in rows],
    }


def measure(wanted: Sequence[str], scale: Scale) -> tuple[list[Row], list[str]]:
    """The rows of these benchmarks, and the names of those that broke.

    Each has a process of its own: none inherits the memory, the modules or the garbage of those before it.
    """
    found: list[Row] = []
    broken: list[str] = []
    for name in wanted:
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own:
                rows = own.submit(brought, name, scale).result()
        except Exception as error:
            print(f"{name} broke: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            broken.append(name)
            continue
        found += [unjudged(row) if scale.quick else row for row in rows]
    return found, broken


def main(arguments: Sequence[str]) -> int:
    """Carry out the command line; the exit status."""
    known = names()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="The speed table.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(known)}; all of them")
    parser.add_argument("--quick", action="store_true", help="only show that every benchmark still runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there as well")
    options = parser.parse_args(arguments)
    strange = [name for name in options.names if name not in known]
    if strange:
        parser.error(f"no such benchmark: {', '.join(strange)}; there are {', '.join(known)}")
    rows, broken = measure(options.names or known, Scale(options.quick))
    print("\n".join(table(rows)))
    if options.json is not None:
        command = " ".join(["python -m tests.benchmarks", *options.names, *["--quick"] * options.quick])
        written = json.dumps(document(rows, command, quick=options.quick), indent=1, ensure_ascii=False)
        options.json.write_text(f"{written}\n", encoding="utf-8")
    return 1 if broken or any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
