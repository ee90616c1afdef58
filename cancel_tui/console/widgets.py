"""Small widgets of the console."""

from __future__ import annotations

from rich.text import Span, Text
from textual import events
from textual.message import Message
from textual.widgets import Static

from cancel_tui.console.looks import LooksApp
from cancel_tui.console.picture import LineCache
from cancel_tui.console.theme import HOUSE, Look

_TWINS = str.maketrans("●○◌⊘▲▼✖✔✓▸█░▒▌…–·×“”", '*oo/^vxv+>#.:_~-.x""')


def in_ascii(text: Text) -> Text:
    """The same text from ASCII characters only, one for one, so that every style stays in its place."""
    plain = text.plain.translate(_TWINS).encode("ascii", "replace").decode("ascii")
    return Text(
        plain,
        text.style,
        justify=text.justify,
        overflow=text.overflow,
        no_wrap=text.no_wrap,
        spans=list(text.spans),
    )


def in_look(text: Text, look: Look) -> Text:
    """The same text in the colours of a look."""
    if look is HOUSE:
        return text
    shown = text.copy()
    shown.style = look.style(text.style) if isinstance(text.style, str) else text.style
    shown.spans = [
        Span(start, end, look.style(style) if isinstance(style, str) else style)
        for start, end, style in text.spans
    ]
    return shown


class Line(Static):
    """One or a few lines of literal text, drawn anew only when they differ from what stands there."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str, ascii_only: bool = False, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._styles_cache = LineCache()
        # Nothing on a line is a link: no style for one is to be made for every picture.
        self.set_reactive(Line.auto_links, False)
        self._ascii_only = ascii_only
        self._said: Text | None = None
        self._look = HOUSE

    class HintClicked(Message):
        """The left button was pressed and released on a key of a footer."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key
            """As it is shown."""

    def on_click(self, event: events.Click) -> None:
        """Only the left button, and only on a key that is offered."""
        key = event.style.meta.get("hint")
        if event.button == 1 and isinstance(key, str):
            event.stop()
            self.post_message(self.HintClicked(key))

    def say(self, text: Text) -> None:
        """Show a text; the same text again costs nothing."""
        if self._ascii_only:
            text = self._cut(in_ascii(text))
        said, look = self._said, self.app.worn if isinstance(self.app, LooksApp) else HOUSE
        same = said is not None and said == text and said.style == text.style
        if same and said is not None and said.justify == text.justify and look is self._look:
            return
        self._said, self._look = text, look
        self.update(in_look(text, look), layout=said is None or self._resizes(said.plain, text.plain))

    def _resizes(self, before: str, after: str) -> bool:
        """Whether another text may take other room: only then is the whole screen laid out anew."""
        width, height = self.styles.width, self.styles.height
        if width is None or width.is_auto:
            return True
        if height is not None and not height.is_auto:
            return False
        wraps = self.styles.text_wrap != "nowrap"
        return wraps or (bool(before), before.count("\n")) != (bool(after), after.count("\n"))

    def _cut(self, text: Text) -> Text:
        """Lines that are too long end in an ASCII sign; the toolkit would end them in another one."""
        width = self.size.width
        if self.styles.text_wrap != "nowrap" or width < 1:
            return text
        kept = []
        for line in text.split("\n", allow_blank=True):
            if len(line.plain) > width:
                line = Text.assemble(line[: width - 1], "~")
            kept.append(line)
        shown = Text("\n", text.style, justify=text.justify).join(kept)
        shown.justify = text.justify
        return shown

    @property
    def said(self) -> str:
        """What it shows, without styles."""
        return "" if self._said is None else self._said.plain
