"""`cancel-tui practice`: the practice venues alone, until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cancel_tui import signals
from cancel_tui.cli import render
from cancel_tui.cli.session import UsageError
from cancel_tui.practice.catalogue import FaultError, overview
from cancel_tui.practice.cluster import KINDS, LIVELY, Cluster

DEFAULT_ORDERS = 200
"""Open orders at the start, over all venues."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_practice(parser)
    parser.add_argument(
        "--write-config", metavar="FILE", required=True, help="where to write a configuration for them"
    )


def add_practice(parser: argparse.ArgumentParser) -> None:
    """The options that practice and demo share."""
    parser.add_argument(
        "--orders", type=int, default=DEFAULT_ORDERS, metavar="N", help="open orders at the start"
    )
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS", help="milliseconds per answer")
    parser.add_argument(
        "--faults",
        action=Lists,
        overview=lambda: overview(KINDS),
        default="",
        metavar="NAME[,NAME…]",
        help="misbehaviour of the venues; `list` shows every name with a sentence, and ends",
    )
    parser.add_argument("--seed", type=int, default=7, metavar="N")
    parser.add_argument("--still", action="store_true", help="orders do not move about by themselves")


class Lists(argparse.Action):
    """An option whose `list` or `help` prints what there is, whatever else stands in the command line."""

    def __init__(self, *, overview: Callable[[], str], **facts: Any) -> None:
        super().__init__(**facts)
        self._overview = overview

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Take the value."""
        if values in ("list", "help"):
            sys.stdout.write(f"{self._overview()}\n")
            parser.exit()
        setattr(namespace, self.dest, values)


def check_numbers(options: argparse.Namespace) -> None:
    """Raise UsageError for a book or a latency that nobody can mean."""
    if not 0 <= options.orders <= 200_000:
        raise UsageError("--orders must be from 0 to 200000")
    if not 0 <= options.latency <= 60_000:
        raise UsageError("--latency must be from 0 to 60000 milliseconds")


def make_cluster(options: argparse.Namespace) -> Cluster:
    """The practice venues that the options ask for; raises UsageError."""
    check_numbers(options)
    faults = tuple(one.strip() for one in options.faults.split(",") if one.strip())
    try:
        return Cluster(
            options.orders,
            seed=options.seed,
            latency=options.latency / 1000,
            faults=faults,
            activity=None if options.still else LIVELY,
        )
    except FaultError as why:
        raise UsageError(f"--faults: {why}") from why


def run(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    return asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> int:
    cluster = make_cluster(options)
    stop = asyncio.Event()
    # Where the platform cannot, Ctrl-C ends the servers all the same.
    signals.take({"SIGINT": stop.set, "SIGTERM": stop.set})
    await cluster.start()
    try:
        cluster.write_configuration(Path(options.write_config))
        for venue in cluster.venues:
            render.warn(f"{venue.name}: {venue.base_url} ({len(venue.truth())} live orders)")
        render.warn(f"configuration: {options.write_config}; end with Ctrl-C")
        await stop.wait()
    except OSError as error:
        raise UsageError(f"--write-config {options.write_config}: {error.strerror}") from error
    finally:
        await cluster.stop()
    return 0
