"""The kill board: per venue how far it is, and the verdict in large letters only when it is proven."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult

from cancel_tui.console import board_lines, lines
from cancel_tui.console.arming import scope_words
from cancel_tui.console.commands import Where
from cancel_tui.console.edges import WHY_READ_ONLY
from cancel_tui.console.screens.base import DeskScreen
from cancel_tui.console.screens.details import DetailScreen
from cancel_tui.desk.kill import Kill

HOLD_WITHIN = 120.0
"""Seconds after its end within which a kill can still be held: later, new orders are most likely wanted."""


class BoardScreen(DeskScreen):
    """Watches one kill; leaving it ends nothing."""

    COVERS = True
    WHERE: ClassVar[Where] = Where.BOARD

    def __init__(self, kill: Kill) -> None:
        super().__init__()
        self.kill = kill
        self._drawn: tuple[object, ...] | None = None
        """What the drawn board of a kill that is over depends on; None while it is not over."""

    def compose(self) -> ComposeResult:
        """Title, venues, counts, verdict, log, keys."""
        names = ("cramped", "title", "banner", "venues", "counts", "verdict", "report", "log", "footer")
        yield from self.lines_of(*names)

    def on_mount(self) -> None:
        """First frame."""
        self.tick()

    def paint(self) -> None:
        """Draw the state of the kill."""
        app, kill, width = self.console_app, self.kill, self.size.width
        seconds = (kill.finished_wall or app.desk.clock.wall()) - kill.started_wall
        title = Text.assemble(lines.mode_mark(app.desk), (f" KILL {kill.kill_id[:6]}", "bold"))
        title.append(f"  {scope_words(kill.scope)}   by {app.operator}")
        elapsed = Text(f"{int(seconds) // 60:02d}:{seconds % 60:04.1f}", "bold")
        self.show("title", lines.spread(title, elapsed, width))
        self.show("banner", Text(f" {app.notice} ", "bold reverse"), when=bool(app.notice))
        stamp = (kill.revision, kill.finished_wall, width, app.worn)
        if kill.finished_wall is None or stamp != self._drawn:
            self._drawn = None if kill.finished_wall is None else stamp
            self._paint_kill(seconds)
        room = max(1, self.query_one("#log").size.height)
        log = Text("\n".join(app.log_lines[-room:]), no_wrap=True, overflow="ellipsis")
        self.show("log", log)
        self.show("footer", lines.hints(app.keymap.hints(Where.BOARD), width))

    def _paint_kill(self, seconds: float) -> None:
        """Draw what goes through every order; of a kill that is over it stays as it is."""
        app, kill, width = self.console_app, self.kill, self.size.width
        self.show("venues", board_lines.venues(kill, width, app.desk.clock.monotonic()))
        self.show("counts", board_lines.counts(kill, width))
        self.show("verdict", board_lines.verdict(kill, seconds))
        report = board_lines.report(kill)
        self.show("report", Text(report, "dim", justify="center"), when=bool(report))

    def in_short(self) -> Text:
        """The verdict and the count."""
        tracks = self.kill.tracks()
        done = sum(track.stage.settled for track in tracks)
        text = Text.assemble((f"KILL {done}/{len(tracks)}\n", "bold"))
        return text.append_text(board_lines.verdict(self.kill, None))

    def run_command(self, command_id: str) -> bool:
        """Back, hold, release, details, export."""
        app, kill = self.console_app, self.kill
        if command_id == "back":
            self.dismiss()
        elif command_id == "details":
            app.push_screen(DetailScreen(kill))
        elif command_id == "export":
            app.export(kill)
        elif command_id == "hold":
            self._hold()
        elif command_id == "release":
            if kill.holding:
                kill.release()
                app.say("hold released")
            else:
                app.refuse("nothing is held")
        else:
            return False
        return True

    def _hold(self) -> None:
        """Hold every venue of the kill until it is released, those that are through already as well."""
        app, kill = self.console_app, self.kill
        if app.read_only:
            app.refuse(WHY_READ_ONLY)
        elif not kill.runs:
            app.refuse("nothing to hold: no venue of this kill can be asked")
        elif kill.finished_wall is not None and app.desk.clock.wall() - kill.finished_wall > HOLD_WITHIN:
            app.refuse("that kill is long over; arm another one and press h there to hold")
        elif kill.holding:
            app.refuse("it is held already; r releases it")
        else:
            kill.hold()
            app.say(f"holding flat: {', '.join(kill.runs)}")
