"""`cancel-tui demo --drill NAME`: a named scenario on the practice venues, with a report at its end."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cancel_tui.cli import render
from cancel_tui.cli.interrupt import carried_out
from cancel_tui.cli.kill import STATUS
from cancel_tui.cli.main import INTERRUPTED
from cancel_tui.cli.session import UsageError, needs_terminal, practice_credentials
from cancel_tui.clock import SystemClock
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.drill_report import Row, Task
from cancel_tui.desk.drill_text import summary
from cancel_tui.desk.drilling import Drilling
from cancel_tui.paths import data_path
from cancel_tui.practice.cluster import Cluster
from cancel_tui.practice.drills import Drill, DrillError, drill_named, truth
from cancel_tui.scope import Scope
from cancel_tui.settings import parse_settings

if TYPE_CHECKING:
    from cancel_tui.console.drill import DrillApp


def run(options: argparse.Namespace, orders: int | None) -> int:
    """Run the drill that the options name; raises UsageError before anything is started."""
    try:
        drill = drill_named(options.drill)
    except DrillError as why:
        raise UsageError(f"--drill {why}") from why
    if options.faults or options.still:
        raise UsageError("--drill brings its own faults and movement; leave --faults and --still out")
    if options.auto and options.read_only:
        raise UsageError("--read-only: nothing that cancels will run")
    if not options.auto:
        needs_terminal()
    if orders is not None:
        drill = replace(drill, orders=orders)
    return asyncio.run(_run(options, drill))


async def _run(options: argparse.Namespace, drill: Drill) -> int:
    latency = options.latency / 1000
    cluster = Cluster(
        drill.orders, seed=options.seed, latency=latency, faults=drill.faults, activity=drill.activity
    )
    await cluster.start()
    try:
        data = data_path(options.data_dir)
        settings = parse_settings(cluster.configuration(), data / "drill.toml")
        desk = Desk(settings, SystemClock(), data, practice_credentials)
        task = _task(drill, options)
        drilling = Drilling(task, desk, lambda: _rows(cluster), data / "reports")
        status = await (_fired(desk, drill) if options.auto else _console(desk, drilling, options))
        return await _reported(drilling, status)
    finally:
        await cluster.stop()


def _task(drill: Drill, options: argparse.Namespace) -> Task:
    return Task(
        drill.name,
        drill.sentence,
        drill.see,
        drill.do,
        drill.done,
        drill.proven,
        drill.doubtful,
        drill.held,
        drill.orders,
        options.seed,
        options.latency,
        drill.faults,
        asdict(drill.activity),
        "automatic" if options.auto else "console",
    )


def _rows(cluster: Cluster) -> list[Row]:
    return [asdict(one) for one in truth(cluster)]


async def _console(desk: Desk, drilling: Drilling, options: argparse.Namespace) -> int:
    from cancel_tui.cli.console import show
    from cancel_tui.console.drill import DrillApp

    def make(ascii_only: bool) -> DrillApp:
        return DrillApp(desk, drilling, read_only=options.read_only, ascii_only=ascii_only)

    return await show(desk, read_only=options.read_only, make=make)


async def _fired(desk: Desk, drill: Drill) -> int:
    """Fire at everything without a screen; the exit status of the verdict."""
    try:
        kill = desk.plan_kill(
            Scope(raw={}), deadline=drill.deadline, hold=drill.hold, reason=f"drill {drill.name}, automatic"
        )
        task = desk.start(kill, render.scope_json(kill.scope))
        finished = await carried_out(desk, kill, task)
        render.say(render.verdict_line(kill))
        return STATUS[kill.verdict] if finished else INTERRUPTED
    finally:
        await desk.close()


async def _reported(drilling: Drilling, status: int) -> int:
    """Write the report and say where it is."""
    report = await drilling.report(final=True)
    render.say(summary(report))
    for one in report["done"]["missing"]:
        render.say(f"  missing: {one}")
    try:
        paths: tuple[Path, ...] = await drilling.write(report)
    except OSError as error:
        render.warn(f"cancel-tui: the report could not be written: {error.strerror or type(error).__name__}")
        return status or 1
    for path in paths:
        render.say(f"report: {path}")
    return status
