"""Drills from a shell: the list, what is refused, and every drill without a screen."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from cancel_tui.practice.drills import DRILLS
from tests.system.shell import Done, Shell

SLOW = ("dead-venue", "throttled")
"""A dead venue is asked until the deadline; the limits of cs-fut make a throttled kill last a minute."""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, tmp_path / "none.toml")


def test_the_list_has_a_sentence_for_each_drill(shell: Shell) -> None:
    done = shell("demo", "--drill", "list")
    assert done.status == 0
    assert [line.split()[0] for line in done.out.splitlines()] == list(DRILLS)
    for name, line in zip(DRILLS, done.out.splitlines(), strict=True):
        assert DRILLS[name].sentence in line


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--drill", "nope"), ", ".join(DRILLS)),
        (("--drill", "calm", "--faults", "p99:hang"), "leave --faults"),
        (("--drill", "calm", "--still"), "leave --faults and --still out"),
        (("--drill", "calm", "--auto", "--read-only"), "--read-only"),
        (("--drill", "calm", "--orders", "-1"), "--orders must be"),
        (("--auto",), "--auto goes with --drill"),
    ],
)
def test_what_cannot_be_meant_ends_with_2_and_leaves_nothing(
    shell: Shell, options: tuple[str, ...], words: str
) -> None:
    done = shell("demo", *options)
    assert done.status == 2
    assert words in done.err
    assert not shell.data.exists()


def checked(shell: Shell, name: str, done: Done) -> dict[str, Any]:
    """What the report of a drill that ran by itself must hold."""
    drill = DRILLS[name]
    assert done.status == (3 if drill.doubtful else 0), done.out + done.err
    paths = [Path(line.removeprefix("report: ")) for line in done.out.splitlines() if "report: " in line]
    assert [path.suffix for path in paths] == [".json", ".md"]
    assert all(path.name.startswith(f"drill-{name}-") for path in paths)
    assert {path.parent for path in paths} == {shell.data / "reports"}
    if os.name == "posix":
        assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    report: dict[str, Any] = json.loads(paths[0].read_text())
    assert report["done"]["met"], report["done"]
    assert (report["drill"], report["mode"], report["final"]) == (name, "automatic", True)
    assert report["ground"]["faults"] == list(drill.faults)
    assert report["truth"]["contradict"] == 0
    assert report["truth"]["agree"] >= 1
    assert {one["venue"] for one in report["venues"] if one["verdict"] == "flat"} == drill.proven
    assert paths[1].read_text().startswith(f"# Drill {name}: done\n")
    journal = shell.data / report["journal"]["file"]
    assert json.loads(journal.read_text().splitlines()[-1])["hash"] == report["journal"]["hash"]
    assert report["journal"]["hash"] in paths[1].read_text()
    return report


def test_drills_run_by_themselves_and_their_reports_are_true(shell: Shell) -> None:
    running = {
        name: shell.start("demo", "--drill", name, "--auto", "--orders", "15")
        for name in DRILLS
        if name not in SLOW
    }
    reports = {name: checked(shell, name, shell.ended(process)) for name, process in running.items()}
    assert all(sum(one["live_at_start"] for one in report["venues"]) >= 15 for report in reports.values())
    assert sum(kill["newcomers"] for kill in reports["newcomers"]["kills"]) > 0
    assert reports["newcomers"]["operator_did"]["held"] == 1
    assert any(one["said"] == "filled" for one in reports["fills"]["orders"])
    lied = {one["venue"]: one["requests"] for one in reports["lying-cancel-all"]["venues"]}
    assert lied["p99"]["cancel_all"] >= 1
    assert lied["p99"]["cancel"] >= 1
    verified = shell("journal", "verify")
    assert verified.status == 0, verified.out
    assert "kill --resume" not in shell("journal", "show", "--last", "1").err


@pytest.mark.long
def test_the_slow_drills_run_by_themselves_and_their_reports_are_true(shell: Shell) -> None:
    reports = {}
    for name in SLOW:
        process = shell.start("demo", "--drill", name, "--auto", "--orders", "15")
        out, err = process.communicate(timeout=200)
        reports[name] = checked(shell, name, Done(process.returncode, out, err))
    left = [one["venue"] for one in reports["dead-venue"]["left"] if one["family"] == "order"]
    assert set(left) == {"p99"}
    assert any(one["throttled"] for one in reports["throttled"]["venues"] if one["venue"] == "cs-fut")
