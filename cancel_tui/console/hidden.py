"""Text that is typed or pasted without being shown: only how much there is of it can be asked. No widget."""

from __future__ import annotations

from cancel_tui.console.lines import plural

LONGEST = 65_536
"""Characters of one field; every key is far shorter."""


class Hidden:
    """One field as it is being typed. Nothing of it is in `repr`, and there is no history to undo."""

    __slots__ = ("_letters",)

    def __init__(self) -> None:
        self._letters: list[str] = []

    def add(self, text: str) -> bool:
        """Add typed or pasted text, line ends made plain; False, and nothing added, where it is too much."""
        plain = text.replace("\r\n", "\n").replace("\r", "\n")
        if len(self._letters) + len(plain) > LONGEST:
            return False
        self._letters += plain
        return True

    def back(self) -> None:
        """Take the last character away."""
        del self._letters[-1:]

    def wipe(self) -> None:
        """Forget everything."""
        self._letters.clear()

    def reveal(self) -> str:
        """The text; for the check of its form only."""
        return "".join(self._letters)

    @property
    def open_armour(self) -> bool:
        """Whether a PEM has begun and not ended, so that Enter belongs to it."""
        text = self.reveal()
        return text.lstrip().startswith("-----BEGIN") and "-----END" not in text

    @property
    def shape(self) -> str:
        """How much there is of it: characters, and lines where there are several."""
        text = self.reveal().strip()
        if not text:
            return "empty"
        lines = text.count("\n") + 1
        size = plural(len(text), "character")
        return size if lines == 1 else f"{lines} lines, {size}"

    def __repr__(self) -> str:
        return "Hidden([hidden])"
