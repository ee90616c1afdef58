"""`cancel-tui demo`: the console on the built-in practice venues. No credentials, no keyring."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from cancel_tui.cli.console import show
from cancel_tui.cli.practice import add_practice, make_cluster
from cancel_tui.cli.session import practice_credentials
from cancel_tui.clock import SystemClock
from cancel_tui.desk.desk import Desk
from cancel_tui.settings import parse_settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_practice(parser)


def run(options: argparse.Namespace) -> int:
    """Start the practice venues and open the console on them."""
    return asyncio.run(_demo(options))


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
