"""The parser, the exit statuses, and the last net under every command."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from cancel_tui import __version__, garbage, signals
from cancel_tui.cli.streams import complain
from cancel_tui.uncaught import words

_COMMANDS = {
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

OK, FAILED, USAGE, UNPROVEN, INTERRUPTED = 0, 1, 2, 3, 130
"""The contract's exit statuses."""


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
    for name, sentence in _COMMANDS.items():
        one = commands.add_parser(name, help=sentence, description=sentence.capitalize(), allow_abbrev=False)
        add_globals(one, top=False)
        if name == command:
            import_module(f"cancel_tui.cli.{name}").configure(one)
    return parser


def _command_in(arguments: Sequence[str]) -> str | None:
    """The command's name; a file that is called like a command is not one."""
    following = iter(arguments)
    for one in following:
        if one in ("--config", "--data-dir"):
            next(following, None)
        elif not one.startswith("-"):
            return one
    return None


def run(arguments: Sequence[str]) -> int:
    """Carry out a command line; the exit status. No traceback ever reaches a user."""
    from cancel_tui.cli.session import UsageError
    from cancel_tui.settings import SettingsError

    command = _command_in(arguments)
    try:
        options = build_parser(command).parse_args(arguments)
        module = import_module(f"cancel_tui.cli.{options.command or 'console'}")
        _prepare()
        garbage.settle()
        with signals.interrupting("SIGTERM", "SIGHUP"):
            status: int = module.run(options)
    except (UsageError, SettingsError) as why:
        complain(f"cancel-tui: {why}")
        return USAGE
    except KeyboardInterrupt:
        complain("cancel-tui: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return UNPROVEN
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else USAGE
    except Exception as error:
        # Neither the text nor the traceback: either could carry a secret.
        complain(f"cancel-tui: {words(error)}")
        return UNPROVEN
    return status


def _prepare() -> None:
    from cancel_tui.redaction import install_log_net

    install_log_net()
