"""The console's own looks: quiet grounds, red kept for what needs a hand, amber for what is doubtful.

Lines are written in the house colours. A look says what stands for each of them on its own ground; the mono
look says by which attribute the same order of attention holds where there is no colour at all.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from textual.theme import Theme

from cancel_tui.console import lines

NAME = "cancel-tui"
"""The house look, and the default of `[console] theme`."""


class Look(msgspec.Struct, frozen=True):
    """A theme of the toolkit, and what it makes of the styles of single lines."""

    theme: Theme
    whole: Mapping[str, str]
    """Style of a line → style on this ground, where the whole of it is another one."""
    words: Mapping[str, str]
    """One word of a style → word on this ground; an empty one falls away."""
    colour: bool = True

    def style(self, style: str) -> str:
        """A line's style on this ground."""
        if style in self.whole:
            return self.whole[style]
        if not self.words:
            return style
        return " ".join(filter(None, (self.words.get(word, word) for word in style.split())))


def _doubt() -> str:
    return lines.DOUBT.split()[-1]


HOUSE = Look(
    Theme(
        name=NAME,
        primary="#4f9dde",
        secondary="#7d8fa3",
        accent="#58c4c4",
        foreground="#d5dbe3",
        background="#0f1419",
        surface="#151b22",
        panel="#1d252e",
        boost="#1d252e",
        success="#63b97f",
        warning="#e2b04a",
        error="#e5484d",
        dark=True,
    ),
    {},
    {},
)
"""Dark; the healthy has no colour of its own."""
LIGHT = Look(
    Theme(
        name="light",
        primary="#0b62a8",
        secondary="#56657a",
        accent="#00707a",
        foreground="#1b222b",
        background="#f7f8fa",
        surface="#eef0f3",
        panel="#e3e7ec",
        boost="#e3e7ec",
        success="#1a6e37",
        warning="#8f5000",
        error="#b3141c",
        dark=False,
        # What the toolkit would mix for it is a grey on a terminal of 16 colours.
        variables={"text-warning": "#8f5000"},
    ),
    {lines.ALARM: "bold #ffffff on #b3141c", lines.CALLING: "bold #b3141c on #ffffff"},
    {lines.GOOD: "#1a6e37", _doubt(): "#8f5000", lines.BUSY: "#0b62a8", "red": "#b3141c"},
)
"""For a bright room."""
CONTRAST = Look(
    Theme(
        name="contrast",
        primary="#6fc7ff",
        secondary="#ffffff",
        accent="#5ff4f4",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#1c1c1c",
        boost="#262626",
        success="#6cff9a",
        warning="#ffd84d",
        error="#ff5c5c",
        dark=True,
        text_alpha=1.0,
    ),
    {lines.ALARM: "bold #ffffff on #d00000", lines.CALLING: "bold #d00000 on #ffffff"},
    {lines.GOOD: "#6cff9a", _doubt(): "#ffd84d", lines.BUSY: "#6fc7ff", "red": "#ff5c5c", "dim": ""},
)
"""White on black, nothing faint."""
MONO = Look(
    Theme(
        name="mono",
        primary="#ffffff",
        secondary="#ffffff",
        accent="#ffffff",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#000000",
        boost="#000000",
        success="#ffffff",
        warning="#ffffff",
        error="#ffffff",
        dark=True,
    ),
    {
        lines.ALARM: "bold reverse",
        lines.CALLING: "bold",
        **dict.fromkeys(lines.MODES.values(), "bold reverse"),
    },
    {lines.GOOD: "", _doubt(): "", lines.BUSY: "", "red": "underline"},
    colour=False,
)
"""No colour at all: the alarm is inverse and bold, the doubt bold, the rest plain."""
LOOKS: Mapping[str, Look] = {look.theme.name: look for look in (HOUSE, LIGHT, CONTRAST, MONO)}
"""The looks in the order in which the key goes through them."""


def next_look(name: str) -> Look:
    """The look behind another one; the first after the last, and after a theme that is none of ours."""
    names = list(LOOKS)
    index = names.index(name) + 1 if name in LOOKS else 0
    return LOOKS[names[index % len(names)]]
