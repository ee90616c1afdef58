"""What a drill shows beside the console: the brief before it, the report after it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text

from cancel_tui.console import lines
from cancel_tui.console.commands import Where
from cancel_tui.console.screens.help import ScrollScreen
from cancel_tui.desk.drill_report import Row, Task
from cancel_tui.desk.drill_text import plain_report


class BriefScreen(ScrollScreen):
    """What will be seen, what to do, and what counts as done; any key begins."""

    WHERE: ClassVar[Where] = Where.EVERYWHERE

    def __init__(self, task: Task, left: Callable[[], None]) -> None:
        super().__init__()
        self._exercise = task
        self._left = left
        self._over = False

    def over(self) -> None:
        """The brief is left; said once."""
        if not self._over:
            self._over = True
            self._left()

    def on_unmount(self) -> None:
        """The brief is over, whichever way it was left."""
        self.over()

    def headline(self) -> Text:
        """What this is."""
        return Text("Before you begin", "bold")

    def body(self) -> Text:
        """The brief."""
        width = max(30, self.size.width - 6)
        task = self._exercise
        text = Text("\n".join(textwrap.wrap(task.sentence, width)) + "\n")
        for title, sentences in (
            ("What you will see", task.see),
            ("What to do", task.do),
            ("What counts as done", (task.done,)),
        ):
            text.append(f"\n{title}\n", "bold")
            for sentence in sentences:
                text.append(
                    "\n".join(textwrap.wrap(sentence, width, initial_indent="- ", subsequent_indent="  "))
                )
                text.append("\n")
        text.append("\nEverything is simulated; what you do and when is written into a report.")
        return text

    def paint(self) -> None:
        """The way on instead of the way back."""
        super().paint()
        self.show(
            "footer", lines.hints([("Enter", "begins"), ("↑↓", "Scroll"), ("^K", "KILL")], self.size.width)
        )

    def in_short(self) -> Text:
        """The drill's name."""
        return Text(f"{self._exercise.name}\nany key begins")


class DrillReportScreen(ScrollScreen):
    """The report of the drill so far."""

    def __init__(self, report: Row) -> None:
        super().__init__()
        self._report = report

    def headline(self) -> Text:
        """Whether it counts as done."""
        return Text("Report so far: " + ("DONE" if self._report["done"]["met"] else "NOT DONE"), "bold")

    def body(self) -> Text:
        """The report for a terminal."""
        return Text(plain_report(self._report, max(30, self.size.width - 4)), overflow="fold")
