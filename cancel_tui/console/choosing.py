"""Which columns are shown, in which order: the state of the chooser. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cancel_tui.console.columns import ALWAYS, DEFAULT, Column, whole


@dataclass(eq=False, repr=False, match_args=False)
class Chooser:
    """Every column once: those that are shown first, in their order, then the others."""

    shown: list[Column] = field(default_factory=lambda: list(DEFAULT))
    cursor: Column = Column.VENUE
    """The column that a key acts on; it keeps the cursor wherever it moves."""

    def __post_init__(self) -> None:
        self.shown = list(whole(self.shown))
        self.cursor = self.shown[0]

    @property
    def columns(self) -> list[Column]:
        """As they are listed."""
        return [*self.shown, *(column for column in Column if column not in self.shown)]

    def step(self, by: int) -> None:
        """Put the cursor on another column."""
        columns = self.columns
        self.cursor = columns[max(0, min(columns.index(self.cursor) + by, len(columns) - 1))]

    def toggle(self) -> str | None:
        """Show the column, last of all, or no longer; a text says why that cannot be."""
        if self.cursor in ALWAYS:
            return f"{self.cursor.value} is always shown: nothing is cancelled unseen"
        if self.cursor in self.shown:
            self.shown.remove(self.cursor)
        else:
            self.shown.append(self.cursor)
        return None

    def move(self, by: int) -> None:
        """Move the column among those that are shown."""
        if self.cursor not in self.shown:
            return
        at = self.shown.index(self.cursor)
        self.shown.insert(max(0, min(at + by, len(self.shown) - 1)), self.shown.pop(at))

    def reset(self) -> None:
        """What is shown where nobody chose."""
        self.shown = list(DEFAULT)


def toml_line(shown: Sequence[Column]) -> str:
    """The line of the configuration that keeps the choice."""
    names = ", ".join(f'"{column.value}"' for column in shown)
    return f"columns = [{names}]"
