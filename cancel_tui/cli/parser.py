"""What may stand on the command line."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from cancel_tui import __version__

COMMANDS = {
    "demo": "open the console on the built-in practice venues",
    "practice": "run the practice venues alone and write a configuration for them",
    "orders": "list open orders once",
    "cancel": "cancel named orders and wait for the proven end of each",
    "kill": "cancel everything in scope and prove that nothing is left",
    "keys": "credentials in the keyring of the operating system",
    "doctor": "check configuration, keyring, venues, clocks; changes nothing",
    "journal": "read, verify or export the journal",
    "support": "collect what somebody who helps needs to know, without secrets, into one file",
}


def add_globals(parser: argparse.ArgumentParser, *, top: bool) -> None:
    """The options that may stand before or after the command; not `top`: given before, they stand."""
    missing: object = None if top else argparse.SUPPRESS
    parser.add_argument("--config", metavar="FILE", default=missing, help="the configuration file")
    parser.add_argument("--data-dir", metavar="DIR", default=missing, help="where journal and logs go")
    parser.add_argument(
        "--read-only",
        action="store_true",
        default=False if top else argparse.SUPPRESS,
        help="nothing that cancels will run",
    )
    parser.add_argument("--version", action="version", version=f"cancel-tui {__version__}")


class _Parser(argparse.ArgumentParser):
    """Ends with its own status also where nobody can read what it has to say."""

    def _print_message(self, message: str, file: Any = None) -> None:
        # Python before 3.11.4 lets the error of a full disk through.
        with contextlib.suppress(OSError):
            super()._print_message(message, file)


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The parser; only the options of the command that is asked for are loaded."""
    parser = _Parser(
        prog="cancel-tui",
        description="A terminal kill switch for desk traders. Without a command: the console.",
        allow_abbrev=False,
    )
    add_globals(parser, top=True)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, sentence in COMMANDS.items():
        one = commands.add_parser(name, help=sentence, description=sentence.capitalize(), allow_abbrev=False)
        add_globals(one, top=False)
        if name == command:
            import_module(f"cancel_tui.cli.{name}").configure(one)
    return parser


def command_in(arguments: Sequence[str]) -> str | None:
    """The command's name; a file that is called like a command is not one."""
    following = iter(arguments)
    for one in following:
        if one in ("--config", "--data-dir"):
            next(following, None)
        elif not one.startswith("-"):
            return one
    return None
