"""Text that a venue sent, wrapped once at parsing so that it can only be rendered literally."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

import msgspec

_LONGEST = 400
_STAND_IN = "\N{MIDDLE DOT}"


def literal(raw: str, longest: int = _LONGEST) -> str:
    """The text with everything that could steer a terminal replaced: control, format, bidi, surrogate.

    So are marks without a width of their own: terminals do not agree on what those do to a line.
    Cut to `longest` characters, so that a hostile id cannot break a layout.
    """
    if raw.isascii() and raw.isprintable() and len(raw) <= longest:
        return raw
    kept = raw[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}" if len(raw) > longest else raw
    return "".join(
        _STAND_IN if unicodedata.category(char) in _UNSAFE else char for char in kept.replace("\n", " ")
    )


_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Me"}


class VenueText(msgspec.Struct, frozen=True):
    """Foreign text: not a `str`, so that it cannot slip into markup; `str()` of it is harmless to print."""

    raw: str
    """Exactly as the venue sent it; for JSON, comparison and requests, never for a screen."""

    def __str__(self) -> str:
        return literal(self.raw)

    def __bool__(self) -> bool:
        return bool(self.raw)

    def same(self, other: str) -> bool:
        """Whether both mean the same when case is ignored."""
        return self.raw.casefold() == other.casefold()


def venue_text(raw: object) -> VenueText | None:
    """Wrap what a venue sent; None stays None, numbers and others become their text."""
    if raw is None or raw == "":
        return None
    return VenueText(raw if isinstance(raw, str) else str(raw))


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset()
) -> list[str]:
    """Lines of a plain table; columns in `right` are aligned to the right."""
    cells = [list(head), *([literal(cell) for cell in row] for row in rows)]
    widths = [max(_cells(row[index]) for row in cells) for index in range(len(head))]

    def padded(index: int, cell: str) -> str:
        blanks = " " * (widths[index] - _cells(cell))
        return blanks + cell if index in right else cell + blanks

    return ["  ".join(padded(index, cell) for index, cell in enumerate(row)).rstrip() for row in cells]


def _cells(text: str) -> int:
    """Cells of a terminal that a literal text takes."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
