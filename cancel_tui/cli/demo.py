"""`cancel-tui demo`: the console on the built-in practice venues. No credentials, no keyring."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from cancel_tui.cli import drill
from cancel_tui.cli.console import show
from cancel_tui.cli.practice import DEFAULT_ORDERS, Lists, add_practice, check_numbers, make_cluster
from cancel_tui.cli.session import UsageError, needs_terminal, practice_credentials
from cancel_tui.clock import SystemClock
from cancel_tui.desk.desk import Desk
from cancel_tui.practice.drills import overview
from cancel_tui.settings import parse_settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_practice(parser)
    parser.set_defaults(orders=None)
    parser.add_argument(
        "--drill",
        action=Lists,
        overview=overview,
        metavar="NAME",
        help="run a named scenario and write a report; `list` shows every one with a sentence, and ends",
    )
    parser.add_argument(
        "--auto",
        action="store_true",
        help="with --drill: fire the kill without a screen and without the word",
    )


def run(options: argparse.Namespace) -> int:
    """Start the practice venues and open the console on them."""
    if options.auto and options.drill is None:
        raise UsageError("--auto goes with --drill NAME only")
    orders, options.orders = options.orders, DEFAULT_ORDERS if options.orders is None else options.orders
    check_numbers(options)
    if options.drill is not None:
        return drill.run(options, orders)
    needs_terminal()
    return asyncio.run(_demo(options))


async def practise(options: argparse.Namespace) -> int:
    """The same with nothing but the global options, for whoever has no venue configured yet."""
    parser = argparse.ArgumentParser()
    configure(parser)
    chosen = parser.parse_args([])
    chosen.data_dir, chosen.read_only, chosen.orders = None, options.read_only, DEFAULT_ORDERS
    return await _demo(chosen)


async def _demo(options: argparse.Namespace) -> int:
    cluster = make_cluster(options)
    await cluster.start()
    try:
        with TemporaryDirectory(prefix="cancel-tui-demo-") as folder:
            settings = parse_settings(cluster.configuration(), Path(folder) / "demo.toml")
            data = Path(options.data_dir) if options.data_dir else Path(folder)
            desk = Desk(settings, SystemClock(), data, practice_credentials)
            return await show(desk, read_only=options.read_only)
    finally:
        await cluster.stop()
