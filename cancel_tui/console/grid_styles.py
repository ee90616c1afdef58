"""The styles of the order grid: one for each part of a line, by what it says.

Red belongs to the alarm alone, amber to what is doubtful or old; the healthy is quiet. Where there is no
colour the same order holds by inverse, bold and plain.

A part is styled by the class `order-grid--` and its name, as the toolkit's component classes are. The toolkit
would make the styles of all of them whenever one of the grid's own changes: three dozen, of which few are
seen.
"""

from __future__ import annotations

from textual.css.styles import RenderStyles
from textual.dom import DOMNode
from textual.widget import Widget

_PREFIX = "order-grid--"
_ALONE = frozenset({"header", "placeholder"})
"""What is drawn where there is no order."""

GRID_CSS = """
OrderGrid {
    width: 1fr;
    height: 1fr;
    background: $background;
    color: $foreground;
    overflow-x: hidden;
    overflow-y: auto;
    scrollbar-size-vertical: 1;
    scrollbar-gutter: stable;

    & > .order-grid--header { color: $foreground 65%; text-style: bold; }
    & > .order-grid--placeholder { color: $foreground 65%; }
    &:ansi > .order-grid--header, &:ansi > .order-grid--placeholder { color: ansi_default; }
}
"""
"""The grid without an order."""
ORDER_CSS = """
OrderGrid {
    & > .order-grid--cursor { background: $primary 18%; }
    &:focus > .order-grid--cursor { background: $primary 28%; text-style: bold; }
    &:light:focus > .order-grid--cursor { background: $primary 25%; }
    & > .order-grid--marker { color: $foreground; text-style: bold; }
    & > .order-grid--mark { color: $text-accent; text-style: bold; }
    & > .order-grid--faint { color: $foreground 65%; }
    &:light > .order-grid--faint { color: $foreground 75%; }
    & > .order-grid--buy { color: #6cb6ff; }
    & > .order-grid--sell { color: #d2a8ff; }
    &:light > .order-grid--buy { color: #0550ae; }
    &:light > .order-grid--sell { color: #6f2dbd; }

    & > .order-grid--alarm { color: $error; text-style: bold reverse; }
    & > .order-grid--unknown { color: $text-warning; text-style: bold; }
    & > .order-grid--halted { color: $text-warning; text-style: bold italic; }
    & > .order-grid--refused { color: $text-warning; text-style: bold; }
    & > .order-grid--stale { color: $text-warning; }
    & > .order-grid--live { color: $text-warning; }
    & > .order-grid--sent { color: $text-primary; text-style: bold; }
    & > .order-grid--pending { color: $text-primary; }
    & > .order-grid--queued { color: $text-primary 75%; }
    & > .order-grid--part { color: $foreground; }
    & > .order-grid--new { color: $foreground 65%; }
    & > .order-grid--open { color: $foreground 85%; }
    & > .order-grid--gone { color: $foreground 65%; text-style: italic; }
    & > .order-grid--filled { color: $foreground; text-style: bold; }
    & > .order-grid--rejected { color: $foreground; text-style: italic; }
    & > .order-grid--expired { color: $foreground 65%; }
    & > .order-grid--canceled { color: $text-success; }

    &:ansi > .order-grid--faint, &:ansi > .order-grid--new, &:ansi > .order-grid--open,
    &:ansi > .order-grid--gone, &:ansi > .order-grid--expired { color: ansi_default; }
    &:ansi > .order-grid--alarm { color: ansi_red; }
    &:ansi > .order-grid--queued { color: $text-primary; }
    &:ansi > .order-grid--buy { color: ansi_cyan; }
    &:ansi > .order-grid--sell { color: ansi_magenta; }
    &:ansi > .order-grid--cursor { background: ansi_default; text-style: reverse; }

    &:nocolor > .order-grid--alarm { color: $foreground; text-style: bold reverse; }
    &:nocolor > .order-grid--unknown { color: $foreground; text-style: bold; }
    &:nocolor > .order-grid--halted { color: $foreground; text-style: bold italic; }
    &:nocolor > .order-grid--refused { color: $foreground; text-style: bold underline; }
    &:nocolor > .order-grid--stale { color: $foreground; text-style: underline; }
    &:nocolor > .order-grid--live { color: $foreground; text-style: underline; }
    &:nocolor > .order-grid--sent, &:nocolor > .order-grid--pending, &:nocolor > .order-grid--queued {
        color: $foreground; text-style: none;
    }
    &:nocolor > .order-grid--cursor { background: $background; text-style: reverse; }
}
"""
"""What an order is drawn in. To read it takes longer than all that the first picture shows."""
_PLACE = (__name__, "ORDER_CSS")


class RoleStyles:
    """The styles of the parts of one grid, each made when it is first asked for."""

    def __init__(self, grid: Widget) -> None:
        self._grid = grid
        self._made: dict[str, RenderStyles] = {}

    def of(self, role: str) -> RenderStyles:
        """The style of a part; empty for one that no rule names."""
        styles = self._made.get(role)
        if styles is None:
            if role not in _ALONE:
                self.read()
            # As the toolkit does it for a component class.
            node = DOMNode(classes=_PREFIX + role)
            node._attach(self._grid)
            self._grid.app.stylesheet.apply(node, animate=False)
            styles = self._made[role] = node.styles
        return styles

    def read(self) -> None:
        """Read what orders are drawn in, unless that has been done: the first order need not wait for it."""
        sheet = self._grid.app.stylesheet
        if not sheet.has_source(*_PLACE):
            sheet.add_source(ORDER_CSS, read_from=_PLACE, is_default_css=True, scope="OrderGrid")
            sheet.parse()

    def forget(self) -> None:
        """Make each of them anew: what they depend on has changed."""
        self._made.clear()
