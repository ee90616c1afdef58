"""`python -m cancel_tui` and the installed `cancel-tui` are the same program."""

from __future__ import annotations

import sys

from cancel_tui import garbage
from cancel_tui.cli import streams


def main() -> None:
    """Run the command line and leave with its exit status."""
    garbage.hold()
    streams.stand_in()
    try:
        from cancel_tui import uncaught

        uncaught.install()
        from cancel_tui.cli.main import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        # While the program is still being loaded: nothing was sent.
        streams.complain("cancel-tui: interrupted")
        status = 130
    streams.finish()
    sys.exit(status)


if __name__ == "__main__":
    main()
