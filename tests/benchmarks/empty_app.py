"""Empty Textual apps, as measures: `python -m tests.benchmarks.empty_app [clock]`.

`clock` shows the time of day, once a second.
"""

from __future__ import annotations

import sys
import time

from textual.app import App, ComposeResult
from textual.widgets import Static


class EmptyApp(App[None]):
    """Nothing at all."""


class ClockApp(App[None]):
    """The time of day and nothing else."""

    def compose(self) -> ComposeResult:
        yield Static()

    def on_mount(self) -> None:
        self.set_interval(1.0, self.strike)

    def strike(self) -> None:
        """Show the time."""
        self.query_one(Static).update(time.strftime("%H:%M:%S"))


if __name__ == "__main__":
    (ClockApp if "clock" in sys.argv[1:] else EmptyApp)().run()
