"""`cancel-tui` without a command: the console on the configured venues."""

from __future__ import annotations

import argparse
import asyncio
import os

from cancel_tui.cli import render
from cancel_tui.cli.session import make_desk, settings_of
from cancel_tui.desk.desk import Desk
from cancel_tui.settings import SettingsError


def run(options: argparse.Namespace) -> int:
    """Open the console."""
    settings = settings_of(options)
    if not settings.enabled:
        raise SettingsError(f"{settings.path}: no venue is configured and enabled; try `cancel-tui demo`")
    desk = make_desk(options, settings)
    return asyncio.run(show(desk, read_only=options.read_only))


async def show(desk: Desk, *, read_only: bool) -> int:
    """Run the console on a desk until it is left; says what was not over."""
    from cancel_tui.console.app import CancelApp

    encoding = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""
    ascii_only = bool(encoding) and "utf" not in encoding.lower()
    app = CancelApp(desk, read_only=read_only, ascii_only=ascii_only)
    try:
        status = await app.run_async()
    finally:
        unfinished = app.unfinished()
        await desk.close()
    for kill in unfinished:
        render.warn(f"kill {kill.kill_id} was not over: {render.verdict_line(kill)}")
    return status or (3 if unfinished else 0)
