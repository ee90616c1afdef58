"""The field that a filter is typed into."""

from __future__ import annotations

from textual.widgets import Input

from cancel_tui.text import literal


class FilterInput(Input):
    """A field for a filter; what is pasted into it cannot steer the terminal either."""

    def validate_value(self, value: str) -> str:
        """The text, made literal."""
        return literal(value)
