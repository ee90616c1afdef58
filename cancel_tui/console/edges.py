"""What tells practice, test and live apart on every screen, also without colour: a pattern and a word.

The first line of a screen begins with the environment and fills its gap with the environment's pattern; the
rules between the parts of a screen repeat word and pattern. Pure.
"""

from __future__ import annotations

import re

from rich.cells import cell_len
from rich.text import Text

READ_ONLY = "READ-ONLY"
"""What stands on every screen of a console that cancels nothing."""
WHY_READ_ONLY = f"{READ_ONLY}: it was started with --read-only, so nothing that cancels will run"
_FILLS = {"PRACTICE": ("╱", "/"), "TEST": ("┅", "="), "LIVE": ("━", "#")}
"""The pattern of an environment, and its ASCII twin. Live is the plain heavy line."""
_GAP = 5
"""Blank cells from which a gap in the first line is filled."""
_EVERY = 26
"""Cells from one word in a rule to the next."""


def fill_of(mode: str, ascii_only: bool = False) -> str:
    """The one cell of which an environment's pattern is made."""
    return _FILLS.get(mode, _FILLS["LIVE"])[ascii_only]


def rule(mode: str, width: int, *, read_only: bool = False, ascii_only: bool = False) -> str:
    """A rule of exactly `width` cells that repeats the environment, and READ-ONLY in turn with it."""
    fill = fill_of(mode, ascii_only)
    words = (mode, READ_ONLY) if read_only else (mode,)
    line, turn = fill * 3, 0
    while len(line) < width:
        line += f" {words[turn % len(words)]} "
        turn += 1
        line += fill * (max(3, turn * _EVERY + 3 - len(line)))
    cut = line[:width]
    # A word that the edge would cut is no word: the pattern goes on instead.
    broken = re.search(r" [A-Z-]*$", cut)
    if broken and line[width : width + 1] != fill and line[width:]:
        cut = cut[: broken.start()] + fill * (width - broken.start())
    return cut


def dressed(
    text: Text, mark: Text, width: int, mode: str, *, read_only: bool = False, ascii_only: bool = False
) -> Text:
    """The first line of a screen with the environment in front and its pattern in the widest gap.

    What is added is taken out of that gap, so that what stands at the right stays at the right.
    """
    added = Text()
    if f" {mode} " not in text.plain:
        added = Text.assemble(mark, " ")
    if read_only and READ_ONLY not in text.plain:
        added = Text.assemble(mark if added.plain else "", (f" {READ_ONLY} ", "bold reverse"), " ")
    text = text.copy()
    text.append(" " * (width - cell_len(text.plain) - cell_len(added.plain)))
    gap = max(re.finditer(r" {2,}", text.plain), key=lambda one: len(one.group()), default=None)
    if gap is not None:
        start, end = gap.span()
        spare = cell_len(added.plain) + cell_len(text.plain) - width
        size = max(2, end - start - max(0, spare))
        fill = fill_of(mode, ascii_only) * (size - 2) if size >= _GAP else " " * (size - 2)
        # The cells beside the pattern stay as they are: one may belong to the mark.
        text = Text.assemble(text[: start + 1], (fill, "dim"), text[end - 1 :])
    return Text.assemble(added, text) if added.plain else text
