"""The exit statuses, and the last net under every command."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from cancel_tui import garbage, signals
from cancel_tui.cli.streams import complain
from cancel_tui.uncaught import words

OK, FAILED, USAGE, UNPROVEN, INTERRUPTED = 0, 1, 2, 3, 130
"""The contract's exit statuses."""


PLAIN = {"command": None, "config": None, "data_dir": None, "read_only": False}
"""The options of a bare `cancel-tui`: the console opens sooner where no parser is loaded for it."""


def _options(arguments: Sequence[str]) -> Any:
    if not arguments:
        return SimpleNamespace(**PLAIN)
    from cancel_tui.cli.parser import build_parser, command_in

    return build_parser(command_in(arguments)).parse_args(arguments)


def run(arguments: Sequence[str]) -> int:
    """Carry out a command line; the exit status. No traceback ever reaches a user."""
    from cancel_tui.cli.session import UsageError
    from cancel_tui.settings import SettingsError

    try:
        options = _options(arguments)
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
