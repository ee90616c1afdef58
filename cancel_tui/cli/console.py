"""`cancel-tui` without a command: the console on the configured venues."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from cancel_tui import garbage, signals
from cancel_tui.cli import render
from cancel_tui.cli.session import KeyringCredentials, LateVault, make_desk, needs_terminal
from cancel_tui.cli.streams import on_terminal
from cancel_tui.console.keydoor import KeyDoor
from cancel_tui.console.staying import IDLE
from cancel_tui.desk.desk import Desk
from cancel_tui.paths import config_path
from cancel_tui.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    import argparse

    from cancel_tui.console.app import CancelApp

LOADED = 1.0
"""Seconds after the start by which everything is loaded."""
GONE = 1.0
"""Seconds between two looks whether the terminal is still there."""
PATIENCE = 60.0
"""Seconds for a person to answer the keyring's own prompt while the credentials screen waits."""


def run(options: argparse.Namespace) -> int:
    """Open the console; on a terminal also without any venue, to say how to come by one."""
    path = config_path(options.config)
    terminal = on_terminal()
    settings = Settings(path=path) if terminal and not path.exists() else load_settings(path)
    if not settings.enabled and not (terminal and not settings.venues):
        raise SettingsError(f"{settings.path}: no venue is configured and enabled; try `cancel-tui demo`")
    needs_terminal()
    return asyncio.run(_console(options, settings))


async def _console(options: argparse.Namespace, settings: Settings) -> int:
    keys = KeyringCredentials(settings)
    vault = LateVault(settings.weak_keyrings, PATIENCE)
    desk = make_desk(options, settings, credentials=keys)
    made: list[CancelApp] = []

    def make(ascii_only: bool) -> CancelApp:
        from cancel_tui.console.app import CancelApp

        door = KeyDoor(vault, keys.hold, keys.drop, lambda: keys.vault.seen or vault.seen)
        app = CancelApp(desk, read_only=options.read_only, ascii_only=ascii_only, door=door)
        made.append(app)
        return app

    try:
        status = await show(desk, read_only=options.read_only, make=make)
    finally:
        vault.close()
        keys.vault.close()
    if not any(app.practice_wanted for app in made):
        return status
    from cancel_tui.cli import demo

    return await demo.practise(options)


async def show(desk: Desk, *, read_only: bool, make: Callable[[bool], CancelApp] | None = None) -> int:
    """Run the console on a desk until it is left; the exit status. `make` makes another one, ASCII or not.

    A crash of the screen or a signal ends the screen, not the kill: what is under way comes to its end
    first, within bounds. What was not over is said.
    """
    garbage.hold()
    # The screens are loaded now, and what the first venues need behind the first paint.
    asyncio.get_running_loop().call_later(LOADED, garbage.settle)
    from cancel_tui.console import leaving
    from cancel_tui.console.app import CancelApp

    wanted = desk.settings.console.ascii
    ascii_only = _ascii_locale() if wanted is None else wanted
    app = make(ascii_only) if make else CancelApp(desk, read_only=read_only, ascii_only=ascii_only)
    try:
        with _signals(app):
            await app.run_async()
            if not app.left:
                await leaving.drain(desk, app.enough, _warn)
    finally:
        garbage.settle()
        unfinished = leaving.unfinished(desk)
        await desk.close()
        await asyncio.get_running_loop().run_in_executor(None, app.book.file.close)
    for kill in unfinished:
        _warn(f"kill {kill.kill_id} was not over: {render.verdict_line(kill)}")
    return 3 if unfinished or app.return_code else 0


def _ascii_locale() -> bool:
    """Whether the locale is one that has no UTF-8; where none is set, nothing is known against it."""
    encoding = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""
    return bool(encoding) and "utf" not in encoding.lower()


def _warn(text: str) -> None:
    """One line on standard error, which may be gone together with the terminal."""
    with contextlib.suppress(OSError, ValueError):
        render.warn(text)


@contextlib.contextmanager
def _signals(app: CancelApp) -> Iterator[None]:
    """While this lasts: signals that would end the process end the console in good order.

    A second one ends the waiting; but a hang-up often comes twice, so it never counts as the second.
    """
    hung_up = False

    def hang_up() -> None:
        nonlocal hung_up
        _lose_terminal()
        if not hung_up:
            hung_up = True
            app.signalled()

    handlers: dict[str, Callable[[], None]] = {
        "SIGTERM": app.signalled,
        "SIGINT": app.signalled,
        "SIGHUP": hang_up,
        # The toolkit takes this one for itself when it takes the terminal; the console takes it back.
        "SIGTSTP": lambda: app.tell(IDLE["ctrl+z"]),
    }
    watching = asyncio.create_task(_until_gone(hang_up))
    try:
        with signals.taken(handlers):
            yield
    finally:
        watching.cancel()


async def _until_gone(hang_up: Callable[[], None]) -> None:
    """Call it once the terminal is gone, also where that brings no signal: it is that of another session.

    Its input is then at its end for good, and whoever reads it would do nothing else any more.
    """
    if not hasattr(select, "poll"):
        return
    terminal = select.poll()
    terminal.register(0, 0)
    while True:
        if any(event & select.POLLHUP for _, event in terminal.poll(0)):
            hang_up()
            return
        await asyncio.sleep(GONE)


def _lose_terminal() -> None:
    """Point the standard streams at nothing: writing to a terminal that is gone would fail."""
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        os.close(nothing)
