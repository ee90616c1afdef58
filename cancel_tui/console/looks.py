"""How the console looks: the theme of this run, with colours or without, and its change by key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App
from textual.filter import LineFilter, Monochrome, NoColor
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender

from cancel_tui.console.theme import HOUSE, LOOKS, MONO, Look, next_look
from cancel_tui.settings import SettingsError


class WholeBar(ScrollBarRender):
    """A scroll bar of whole cells: half ones are no ASCII, and without colour they look like a stray sign."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "]
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "]


ScrollBar.renderer = WholeBar


class LooksApp(App[int], inherit_bindings=False):
    """An application with the console's looks.

    Without colour, by the theme or by `NO_COLOR`, no colour leaves for the terminal at all.
    """

    ascii_only = False
    """Whether borders and signs are made of ASCII characters only."""

    def look_up(self, name: str) -> None:
        """Register the looks and take one of them, or a theme of the toolkit; raises SettingsError."""
        self._forced = self.no_color
        self._plain = NoColor()
        for look in LOOKS.values():
            self.register_theme(look.theme)
        if name not in self.available_themes:
            others = ", ".join(sorted(set(self.available_themes) - set(LOOKS)))
            raise SettingsError(
                f"[console] theme: there is no {name!r}; there are {', '.join(LOOKS)}, and {others}"
            )
        self.wear(name)

    def dress_dialogs(self) -> None:
        """Read what styles everything but the first picture; what it shows needs no other style."""
        path = Path(__file__).with_name("dialogs.tcss")
        place = (str(path), "")
        if not self.stylesheet.has_source(*place):
            self.stylesheet.add_source(path.read_text(encoding="utf-8"), read_from=place)
            self.stylesheet.parse()

    def _load_screen_css(self, screen: Screen[Any]) -> None:
        # The toolkit's place for what a screen behind the first one needs before it is styled.
        super()._load_screen_css(screen)
        self.dress_dialogs()

    def count_colours(self) -> None:
        """On a terminal of 16 colours the tint of the cursor's line would be none: it is reversed there."""
        few = self.console.color_system in ("standard", "windows")
        self.set_class(few and not self.is_headless, "sixteen")

    def wear(self, name: str) -> None:
        """Take a theme for this run."""
        self.no_color = self._forced or name == MONO.theme.name
        self.theme = name

    def refresh_css(self, animate: bool = True) -> None:
        """Style anew; before there is a screen the theme's colours are all that is new to the styles."""
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            # Else everything would be read twice before the first picture: for nobody, and for the screen.
            self.stylesheet.set_variables(self.get_css_variables())

    @property
    def worn(self) -> Look:
        """What the styles of single lines look like now."""
        return MONO if self.no_color else LOOKS.get(self.theme, HOUSE)

    def next_theme(self) -> str:
        """Take the next look for this run, and say what keeps it."""
        name = next_look(self.theme).theme.name
        self.wear(name)
        told = f'theme {name} for this run; to keep it: theme = "{name}" under [console]'
        return f"{told}; NO_COLOR is set, so it shows no colours" if self._forced else told

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The toolkit's own filter for `NO_COLOR` leaves shades of grey; ours leaves no colour."""
        filters = [one for one in super().get_line_filters() if not isinstance(one, Monochrome | NoColor)]
        return [*filters, self._plain] if self.no_color else filters
