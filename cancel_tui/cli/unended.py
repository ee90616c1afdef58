"""Kills whose process is gone before their end: announced by every command, chosen by `kill --resume`.

By its id a kill is chosen as well that came to its end and was not proven flat.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from cancel_tui.cli import render
from cancel_tui.cli.session import UsageError
from cancel_tui.clock import Clock
from cancel_tui.desk.decision import UnreadableError
from cancel_tui.desk.unfinished import Unfinished, announced, find, named
from cancel_tui.paths import data_path
from cancel_tui.text import literal

if TYPE_CHECKING:
    import argparse

_SHOWN = 10
"""Lines about cancels that were in flight, at the most."""


def announce(options: argparse.Namespace, clock: Clock) -> None:
    """Say on standard error which kills of recent days have no end, and how to finish them."""
    for line in announced(_found(options, clock)):
        render.warn(literal(line, 400))


async def announce_later(options: argparse.Namespace, clock: Clock) -> None:
    """The same beside something that must not wait for it."""
    cases = await asyncio.get_running_loop().run_in_executor(None, lambda: _found(options, clock))
    for line in announced(cases):
        render.warn(literal(line, 400))


def what_was_in_flight(case: Unfinished) -> None:
    """Say on standard error what the dead process had not heard of any more."""
    end = f" ended {case.how}" if case.ended else ""
    render.warn(f"kill {literal(case.kill_id, 40)} of {literal(case.began_at, 40)}{end}: {case.words()}")
    scope = case.scope()
    typed = [f"{name} {' '.join(values)}" for name, values in scope.raw.items() if values]
    words = "everything on " + ", ".join(case.places())
    if scope.keys is not None:
        words = f"{len(scope.keys)} chosen orders"
    elif typed:
        words = ", ".join(typed)
    since = "; orders that were placed since are in it too" if scope.grows else ""
    render.warn(literal(f"  its scope: {words}{since}", 400))
    for one in case.in_flight[:_SHOWN]:
        render.warn(f"  in flight: {literal(one, 120)}")
    if len(case.in_flight) > _SHOWN:
        render.warn(f"  and {len(case.in_flight) - _SHOWN} more")


def chosen(options: argparse.Namespace, clock: Clock) -> Unfinished:
    """The kill that `--resume` means; raises UsageError where that is not one, or nothing may be resumed."""
    scoped = [
        name
        for name in ("venue", "account", "symbol", "side", "exchange", "older_than", "keep_protective")
        if getattr(options, name)
    ]
    if scoped:
        raise UsageError(f"--{scoped[0].replace('_', '-')}: --resume takes its scope from the record")
    wanted = options.resume
    if wanted:
        case = named(_journal(options), wanted)
        if isinstance(case, str):
            raise UsageError(f"--resume {literal(wanted, 40)}: {literal(case, 200)}")
        return _readable(case)
    found = _found(options, clock)
    if not found:
        raise UsageError(
            "--resume: no kill of the last days is without an end;"
            " name an older one, or one that ended without being proven flat"
        )
    if len(found) > 1:
        raise UsageError(
            "--resume: several have no end; name one:\n"
            + "\n".join(literal(line, 400) for line in announced(found))
        )
    return _readable(found[0])


def _readable(case: Unfinished) -> Unfinished:
    try:
        case.scope(), case.places()
    except UnreadableError as why:
        raise UsageError(f"--resume: kill {literal(case.kill_id, 40)} cannot be resumed: {why}") from why
    return case


def _found(options: argparse.Namespace, clock: Clock) -> list[Unfinished]:
    return find(_journal(options), clock.wall())


def _journal(options: argparse.Namespace) -> Path:
    return data_path(options.data_dir) / "journal"
