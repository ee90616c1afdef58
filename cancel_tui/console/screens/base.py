"""What every screen shares: lines, keys through the registry, pasted text that goes nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.screen import Screen

from cancel_tui.console import edges, lines
from cancel_tui.console.attentive import Attentive
from cancel_tui.console.commands import BY_ID, Where, shown_key
from cancel_tui.console.picture import LineCache, NarrowCompositor
from cancel_tui.console.widgets import Line

if TYPE_CHECKING:
    from cancel_tui.console.app import CancelApp

FLOOR = (56, 14)
"""Columns and rows below which a screen says what matters in a sentence instead of being drawn."""


_ALWAYS = ("cramped", "footer")
"""The lines that every screen has."""
_MOSTLY_HIDDEN = frozenset({"banner", "marks", "log"})
"""Lines that `show` takes away where they have nothing to say."""
_FIRST = ("header", "title")
"""The lines that stand at the top of a screen."""


class DeskScreen(Attentive, Screen[None]):
    """A screen of the console."""

    ALLOW_SELECT = False
    AUTO_FOCUS = ""
    WHERE: ClassVar[Where] = Where.GRID
    COVERS: ClassVar[bool] = False
    """Whether nobody sees the grid behind it."""

    @property
    def console_app(self) -> CancelApp:
        """The application, by its own type."""
        from cancel_tui.console.app import CancelApp

        app = self.app
        if not isinstance(app, CancelApp):
            raise TypeError("a screen of the console runs in the console only")
        return app

    def __init__(self) -> None:
        super().__init__()
        self._styles_cache, self._compositor = LineCache(), NarrowCompositor()

    # Pictures

    def _on_timer_update(self) -> None:
        """Draw what has changed, one part of the screen at a time, the one that has the focus first.

        Between two parts a key can go all its way. Each of them is one write: the grid's lines, its cursor
        among them, change together.
        """
        waiting = self._dirty_widgets
        whole = self._layout_required or self._scroll_required or self._repaint_required
        if whole or len(waiting) < 2 or not self.is_current:
            super()._on_timer_update()
            return
        first = self.focused if self.focused in waiting else next(iter(waiting))
        rest, callbacks = waiting - {first}, self._callbacks[:]
        waiting.intersection_update({first})
        # What was to follow the picture follows its last part.
        self._callbacks.clear()
        super()._on_timer_update()
        waiting |= rest
        self._callbacks[:0] = callbacks
        asyncio.get_running_loop().call_soon(self._on_timer_update)

    # Lines

    def lines_of(self, *names: str) -> Iterable[Line]:
        """A line widget for each name; above the banner there is always one for alarms."""
        ascii_only = self.console_app.ascii_only
        for name in names:
            # Born as they will mostly be: every change of a class is another round of styles.
            if name == "banner":
                yield Line(id="alarm", ascii_only=ascii_only, classes="hidden")
            yield Line(id=name, ascii_only=ascii_only, classes="hidden" if name in _MOSTLY_HIDDEN else None)

    def show(self, name: str, text: Text, *, when: bool = True) -> None:
        """Put a text on a line; the line takes no room unless `when`.

        The first line of a screen, `header` or `title`, is dressed in the environment.
        """
        line = self.query_one(f"#{name}", Line)
        if name in _FIRST:
            app, mode = self.console_app, lines.mode_of(self.console_app.desk)
            mark, width = lines.mode_mark(app.desk), self.size.width
            if f" {mode} " in text.plain:
                # A title that is short of room has cut the mark itself, behind the environment.
                mark = Text(f" {mode} ")
            text = edges.dressed(text, mark, width, mode, read_only=app.read_only, ascii_only=app.ascii_only)
        line.set_class(not when, "hidden")
        if when:
            line.say(text)

    def banner(self) -> Text:
        """What must be seen on every screen beside alarms: why a key did nothing, what still runs."""
        app = self.console_app
        if app.notice:
            return Text(f" {app.notice} ", "bold reverse", overflow="ellipsis")
        kills = [kill for kill in app.desk.kills if not kill.by_id]
        if not kills:
            return Text()
        kill = kills[-1]
        stamp = (kill.kill_id, kill.revision, kill.finished_wall)
        if kill.finished_wall is None or app.told_kill is None or app.told_kill[0] != stamp:
            # The verdict of a kill that is over goes through all its orders: once is enough.
            app.told_kill = stamp, lines.kill_line(kill, app.desk.clock.wall())
        return app.told_kill[1]

    alarmed = False
    """Whether an alarm takes a line of this screen."""

    @property
    def cramped(self) -> bool:
        """Whether the terminal is too small for the screen."""
        return self.size.width < FLOOR[0] or self.size.height < FLOOR[1]

    @property
    def whole(self) -> bool:
        """Whether its parts are there: one that is being taken away loses them before it ends."""
        return not self._pruning and sum(part.id in _ALWAYS for part in self.children) == len(_ALWAYS)

    def tick(self) -> None:
        """Something at the desk changed, or time has passed; at most ten times a second."""
        for _ in self.ticks():
            pass

    def ticks(self) -> Iterator[None]:
        """The same in parts; nothing while the screen is going away."""
        if not self.whole:
            return
        self.set_class(self.cramped, "cramped")
        app = self.console_app
        keys = app.keymap.keys["acknowledge"] if BY_ID["acknowledge"].at(self.WHERE) else ()
        # Where little else is shown, an alarm has two lines.
        width = self.size.width * (1 + self.cramped)
        alarm = app.alarms.line(width, shown_key(keys[0]) if keys else None)
        self.alarmed = bool(alarm.plain)
        if self.cramped:
            mark, short = lines.mode_mark(self.console_app.desk), self.in_short()
            short = short if mark.plain in short.plain else Text.assemble(mark, "\n", short)
            self.show("cramped", alarm.append("\n" * self.alarmed).append_text(short))
        else:
            self.show("alarm", alarm, when=self.alarmed)
            for _ in self.paints():
                yield
                if self._changed_meanwhile():
                    return
            self._draw_edges()

    def _changed_meanwhile(self) -> bool:
        """Whether the next look draws it otherwise, or not at all."""
        return self.cramped or not self.whole

    def _draw_edges(self) -> None:
        """Whatever has a rule above or below it repeats the environment there."""
        app, mode = self.console_app, lines.mode_of(self.console_app.desk)
        width = max(0, self.size.width - 2)
        told = edges.rule(mode, width, read_only=app.read_only, ascii_only=app.ascii_only)
        self.dress(mode)
        for part in self.children:
            (top, colour), _, (bottom, _), _ = part.styles.border
            # The rule itself is the line; what stands at its ends would only be another pattern.
            if top not in ("", "blank"):
                part.styles.border_top = ("blank", colour)
            if bottom not in ("", "blank"):
                part.styles.border_bottom = ("blank", colour)
            # A title that is set again is drawn again, and the whole part with it.
            if top and str(part.border_title) != told:
                part.border_title = told
            if bottom and str(part.border_subtitle) != told:
                part.border_subtitle = told

    def dress(self, mode: str) -> None:
        """Take the looks of an environment."""
        for one in ("practice", "test", "live"):
            # Before it is mounted there is nothing to be styled anew.
            self.set_class(one == mode.lower(), one, update=self.is_mounted)

    def paints(self) -> Iterator[None]:
        """Draw the screen in parts."""
        self.paint()
        yield from ()

    def paint(self) -> None:
        """Draw the screen."""

    def in_short(self) -> Text:
        """What matters most, for a terminal that is too small for the screen."""
        return Text("too small")

    # Keys

    async def on_event(self, event: events.Event) -> None:
        """A key that was still on its way when the screen was left, or covered, counts no more.

        Else Esc and Enter in one burst would do what Esc has just left, and two Esc leave twice.
        """
        if isinstance(event, events.Key | events.Paste) and self.app.screen is not self:
            event.stop()
            return
        await super().on_event(event)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """Another screen in front may need frames at another rate."""
        self.console_app.wake()

    def on_resize(self) -> None:
        """Draw for the new size at once."""
        if self.is_mounted:
            self.tick()

    def on_key(self, event: events.Key) -> None:
        """Look the key up in the registry; a key that is not in it does nothing."""
        command = self.console_app.keymap.command_for(event.key, self.WHERE)
        if command is None:
            return
        event.stop()
        event.prevent_default()
        if not self.run_command(command.id):
            self.console_app.run_command(command.id)

    def on_line_hint_clicked(self, message: Line.HintClicked) -> None:
        """A click on a footer's key goes through the same guards, and can fire nothing by itself."""
        from cancel_tui.console.palette import clicked

        app = self.console_app
        command = app.keymap.offered(message.key, self.WHERE)
        if command is not None:
            clicked(app, command)
        elif message.key == "Esc":
            self.on_key(events.Key("escape", None))

    def run_command(self, command_id: str) -> bool:
        """Carry out a command of this screen; False hands it to the application."""
        return False

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is no command."""
        event.stop()
