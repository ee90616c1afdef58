"""Every key and every sign laid out for one screen: sentences where they fit, else labels. No widget."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.text import Text

from cancel_tui.console.badges import STATES
from cancel_tui.console.commands import Guard

Key = tuple[str, str, str, Guard]
"""Keys as they are shown, label, sentence, guard."""
Part = tuple[str, Sequence[Key]]
"""A screen and its keys."""
_GUARDS = {Guard.NONE: "", Guard.CONFIRM: " (Enter)", Guard.WORD: " (word)"}
_NARROWEST = 42
"""Cells below which a column of sentences cannot be read."""
_HEAD = 9
"""Cells of a heading before a row of labels."""
_VENUES = (
    ("●", "live"),
    ("▲", "stale"),
    ("✖", "down"),
    ("◌", "locked"),
    ("⊘", "refused"),
    ("○", "not asked yet"),
)
_NOTES = (
    ("↑↓", "move"),
    ("^P", "every command by its name"),
    ("0*", "a stop without a quantity of its own, alive"),
    ("7?", "from a list that is not complete"),
    ("⟳", "being read back"),
)


def help_text(parts: Sequence[Part], width: int, height: int, *, ascii_only: bool = False) -> Text:
    """The help in `width` cells, and in `height` rows if any layout manages that: the most telling one."""
    told = [part for part in parts if part[1]]
    signs = _signs(width, ascii_only)
    for columns in (1, 2, 3):
        each = (width - 3 * (columns - 1)) // columns
        if each < _NARROWEST and columns > 1:
            break
        rows = _columns(_sentences(told, each), columns, each)
        if len(rows) + 1 + len(signs) <= height:
            return Text("\n").join([*rows, Text(), *signs])
    blocks = [*_labels(told, width), signs]
    if sum(map(len, blocks)) + len(blocks) - 1 <= height:
        blocks = [[*block, Text()] for block in blocks]
    return Text("\n").join([line for block in blocks for line in block])


def _sentences(parts: Sequence[Part], width: int) -> list[list[Text]]:
    """A block of lines for each screen."""
    blocks = []
    for place, keys in parts:
        block = [Text(place, "bold underline")]
        size = max(len(key) for key, *_ in keys) + 2
        for key, _, sentence, guard in keys:
            first, *rest = textwrap.wrap(sentence + _GUARDS[guard], max(20, width - size))
            block.append(Text.assemble((key.ljust(size), "bold"), first))
            block += [Text(" " * size + line) for line in rest]
        blocks.append([*block, Text()])
    return blocks


def _columns(blocks: Sequence[list[Text]], columns: int, width: int) -> list[Text]:
    """Blocks one below the other in so many columns, in as few rows as that takes; no heading is alone."""
    lines = [line for block in blocks for line in block]
    made = [lines]
    for rows in range(-(-len(lines) // columns), len(lines) + 1):
        made = _filled(lines, rows)
        if len(made) <= columns:
            break
    whole = []
    for row in range(max(map(len, made))):
        line = Text()
        for number, column in enumerate(made):
            line.append(" " * (number * (width + 3) - cell_len(line.plain)))
            line.append_text(column[row] if row < len(column) else Text())
        whole.append(line)
    return whole


def _filled(lines: Sequence[Text], rows: int) -> list[list[Text]]:
    """The lines in columns of at most so many rows, none of which begins or ends with a blank line."""
    made: list[list[Text]] = [[]]
    for line in lines:
        if len(made[-1]) == rows:
            heading = made[-1].pop() if made[-1][-1].style else None
            made.append([] if heading is None else [heading])
        if line.plain or made[-1]:
            made[-1].append(line)
    for column in made:
        while column and not column[-1].plain:
            column.pop()
    return [column for column in made if column]


def _labels(parts: Sequence[Part], width: int) -> list[list[Text]]:
    blocks = []
    for place, keys in parts:
        told = [Text.assemble((key, "bold"), " ", label + _GUARDS[guard]) for key, label, _, guard in keys]
        blocks.append(_row(place, told, width))
    return blocks


def _signs(width: int, ascii_only: bool) -> list[Text]:
    states = [make() for make in STATES]
    orders = [(one.ascii if ascii_only else one.shape, one.word) for one in states if one.shape.strip()]
    told = {"Orders": orders, "Chips": _VENUES, "Also": _NOTES}
    return [
        line
        for head, signs in told.items()
        for line in _row(head, [Text.assemble((sign, "bold"), f" {word}") for sign, word in signs], width)
    ]


def _row(head: str, pieces: Iterable[Text], width: int) -> list[Text]:
    """A heading and pieces behind it, over as many lines as they need; no piece is cut."""
    lines = [Text(f"{head:<{_HEAD}}", "bold underline" if len(head) >= _HEAD else "")]
    lines[0].stylize("bold underline", 0, len(head))
    for piece in pieces:
        first = cell_len(lines[-1].plain) <= _HEAD
        if not first and cell_len(lines[-1].plain) + 2 + cell_len(piece.plain) > width:
            lines.append(Text(" " * _HEAD))
            first = True
        lines[-1] = Text.assemble(lines[-1], "" if first else "  ", piece)
    return lines
