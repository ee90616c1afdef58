"""A bare `cancel-tui` means the same with the parser and without it."""

from __future__ import annotations

import subprocess
import sys

from cancel_tui.cli.main import PLAIN
from cancel_tui.cli.parser import build_parser

PROBE = """
import sys
import cancel_tui.cli.console as console
from cancel_tui.cli.main import run
console.run = lambda options: print(vars(options), "argparse" in sys.modules) or 0
run([])
"""


def test_no_arguments_are_what_the_parser_makes_of_none() -> None:
    assert vars(build_parser(None).parse_args([])) == PLAIN


def test_a_bare_console_loads_no_parser() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == f"{PLAIN} False\n", done.stderr
