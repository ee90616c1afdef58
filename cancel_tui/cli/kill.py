"""`cancel-tui kill`: the kill switch without the screen."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TextIO

from cancel_tui.cancels import Ending
from cancel_tui.cli import render
from cancel_tui.cli.interrupt import Over, carried_out
from cancel_tui.cli.main import INTERRUPTED
from cancel_tui.cli.preview import show_preview
from cancel_tui.cli.session import (
    KeyringCredentials,
    UsageError,
    add_scope,
    duration,
    make_desk,
    scope_of,
    settings_of,
    typed,
)
from cancel_tui.cli.streams import silence
from cancel_tui.cli.unended import announce_later, chosen, what_was_in_flight
from cancel_tui.clock import SystemClock
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.impasse import ALARM_AFTER
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.resume import plan_resume
from cancel_tui.desk.toll import fills, fills_words, kept
from cancel_tui.text import literal

STATUS = {Verdict.FLAT: 0, Verdict.NOT_FLAT: 1, Verdict.UNVERIFIED: 3}
"""The contract's exit status of each verdict."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_scope(parser)
    parser.add_argument(
        "--preview",
        action="store_true",
        help="list first and tell what would go, protective orders among it, before the word is asked for",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask for the word")
    parser.add_argument("--deadline", type=duration, default=120.0, metavar="SECONDS")
    parser.add_argument(
        "--hold", type=duration, default=0.0, metavar="SECONDS", help="go on sweeping after flat"
    )
    parser.add_argument("--keep-protective", action="store_true", help="leave stop and take-profit orders")
    parser.add_argument("--reason", metavar="TEXT", type=typed, help="goes into the journal and the report")
    parser.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="KILL_ID",
        help="finish a kill whose process is gone, or by its id one that was not proven flat,"
        " in its recorded scope and nowhere else",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(options: argparse.Namespace) -> int:
    """Kill, prove, report."""
    if options.read_only:
        raise UsageError("--read-only: nothing that cancels will run")
    settings = settings_of(options)
    clock = SystemClock()
    scope = scope_of(options, settings, clock, keep_protective=options.keep_protective)
    lost = None if options.resume is None else chosen(options, clock)
    credentials = KeyringCredentials(settings)
    if not options.yes:
        _needs_terminal(sys.stdin)
    if options.preview or not options.yes:
        # A prompt of the keyring is answered, or not, while the word is typed.
        credentials.begin(one for one in settings.enabled if scope.venue_in(one.name))
    what, previews = "everything in scope", []
    if lost is not None:
        scope, what = lost.scope(), f"what kill {literal(lost.kill_id, 40)} left"
        what_was_in_flight(lost)
    if options.preview:
        previews = asyncio.run(show_preview(make_desk(options, settings, clock, credentials), scope))
    if not options.yes:
        _ask(settings.console.confirm_word, what)
    desk = make_desk(options, settings, clock, credentials)
    limits = {"deadline": options.deadline, "hold": options.hold}
    if lost is not None:
        kill = plan_resume(desk, lost, reason=options.reason, previews=previews, **limits)
    else:
        kill = desk.plan_kill(scope, reason=options.reason, previews=previews, **limits)
    over: Over = []
    work = _kill(options, desk, kill, told=lost is not None, over=over)
    return concluded(desk, work, over, as_json=options.json)


def concluded(desk: Desk, work: Coroutine[Any, Any, tuple[Kill, bool]], over: Over, *, as_json: bool) -> int:
    """Carry out a kill that may be interrupted, tell what became of it; the exit status.

    `work` ends with the kill and whether it came to its end by itself, and puts both into `over` as soon as
    that is known. From then on a signal can only cut short what is left to do, the tidying up first, then
    the report: the status is the verdict's all the same.
    """
    try:
        asyncio.run(_closing(desk, work, over))
    except KeyboardInterrupt:
        if not over:
            raise
    kill, finished = over[-1]
    try:
        report(kill, as_json=as_json)
    except KeyboardInterrupt:
        silence(sys.stdout)
    return STATUS[kill.verdict] if finished else INTERRUPTED


async def _closing(desk: Desk, work: Coroutine[Any, Any, tuple[Kill, bool]], over: Over) -> None:
    try:
        with render.never_waiting():
            over.append(await work)
    finally:
        await desk.close()


def _needs_terminal(source: TextIO) -> None:
    """Raise UsageError where nobody can type a word."""
    if not source.isatty():
        raise UsageError("kill asks for a typed word; without a terminal say --yes")


def _ask(word: str, what: str) -> None:
    """Let a person type the word; raises UsageError where nobody did."""
    if render.ask(f"Type {word} and press Enter to cancel {what}: ") != word:
        raise UsageError("the word was not typed; nothing was sent")


async def _kill(
    options: argparse.Namespace, desk: Desk, kill: Kill, *, told: bool, over: Over | None = None
) -> tuple[Kill, bool]:
    task = desk.start(kill, render.scope_json(kill.scope))
    watch = asyncio.create_task(_progress(kill))
    # Looking through the journal takes no time from the kill, which runs already.
    looking = None if told else asyncio.create_task(announce_later(options, desk.clock))
    try:
        return kill, await carried_out(desk, kill, task, over)
    finally:
        watch.cancel()
        if looking is not None:
            await asyncio.wait({looking}, timeout=1.0)


async def _progress(kill: Kill) -> None:
    """A line on standard error whenever a count has changed, at most twice a second."""
    last: dict[str, str] = {}
    while True:
        await asyncio.sleep(0.5)
        for name, run in list(kill.runs.items()):
            outcomes = [track.outcome for track in run.engine.tracks.values()]
            done = sum(one not in (Ending.OPEN, Ending.UNKNOWN) for one in outcomes)
            line = f"{name}: {done} of {len(outcomes)} ended"
            for one in run.engine.impasses(kill.now()) if not run.over else ():
                if one.age(kill.now()) >= ALARM_AFTER:
                    line += f"; {one.orders} {one.why.value.upper()}, asking on: {one.words}"
            if run.engine.error and "asking on" not in line:
                line += f"; {run.engine.error}"
            if last.get(name) != line:
                last[name] = line
                render.warn(line)


def report(kill: Kill, *, as_json: bool) -> None:
    """The verdict, every order and every venue."""
    if as_json:
        render.document(render.kill_json(kill))
        return
    counts: dict[str, int] = {}
    for track in kill.tracks():
        counts[track.outcome.value] = counts.get(track.outcome.value, 0) + 1
    head = ("VENUE", "VERDICT", "ORDERS", "CANCELS", "LISTS", "ERROR")
    rows = [
        (
            one.venue,
            one.verdict.value,
            str(len(kill.runs[one.venue].engine.tracks)) if one.venue in kill.runs else "?",
            str(one.requests["cancel"] + one.requests["cancel_all"]),
            str(one.requests["list"]),
            one.error or "",
        )
        for one in kill.results()
    ]
    for line in render.table(head, rows, frozenset({2, 3, 4})):
        render.say(line)
    render.say("  ".join(f"{word} {count}" for word, count in sorted(counts.items())) or "no orders")
    for track in kill.tracks():
        if track.outcome in (Ending.OPEN, Ending.UNKNOWN, Ending.FILLED):
            note = f"  ({track.message})" if track.message else ""
            render.say(f"  {render.short(track.key)}: {track.outcome.value}{note}")
    for words in fills_words(fills(kill.tracks())):
        render.say(f"  filled meanwhile: {literal(words, 200)}")
    for key, order in kept(kill).items():
        render.say(f"  {render.short(key)}: left alone, {order.type.value} kept as chosen")
    for one in kill.results():
        for note in one.notes:
            render.say(f"  {one.venue}: {note}")
    render.say(render.verdict_line(kill))
