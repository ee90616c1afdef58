"""The console of a drill: the same one, which first says what is drilled and notes what the operator does."""

from __future__ import annotations

from typing import Any

from textual import events

from cancel_tui.console.app import CancelApp
from cancel_tui.console.screens.arm import ArmScreen
from cancel_tui.console.screens.drill import BriefScreen, DrillReportScreen
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.drill_text import summary
from cancel_tui.desk.drilling import Drilling
from cancel_tui.desk.unfinished import Unfinished


class DrillApp(CancelApp):
    """The kill-switch console in a drill."""

    CSS_PATH = CancelApp.CSS_PATH

    def __init__(
        self, desk: Desk, drilling: Drilling, *, read_only: bool = False, ascii_only: bool = False
    ) -> None:
        super().__init__(desk, read_only=read_only, ascii_only=ascii_only)
        self.drilling = drilling
        self._touched = False

    def on_mount(self) -> None:
        """The brief comes before anything else; the venues answer meanwhile."""
        self.push_screen(BriefScreen(self.drilling.task, lambda: self.deed("brief_left")))

    def deed(self, what: str) -> None:
        """Note what the operator does."""
        self.drilling.deed(what)

    async def on_event(self, event: events.Event) -> None:
        """Note the first key."""
        if isinstance(event, events.Key) and not event.is_forwarded and not self._touched:
            self._touched = True
            self.deed("first_key")
        await super().on_event(event)

    def arm(self, case: Unfinished | None = None) -> None:
        """Note each arming."""
        screen = self.screen
        if isinstance(screen, BriefScreen):
            screen.over()
        armed = isinstance(screen, ArmScreen) and not screen.lapsed
        super().arm(case)
        if not armed:
            self.deed("armed")

    def run_command(self, command_id: str) -> None:
        """The report so far is shown and written."""
        if command_id == "drill":
            self.desk.spawn(self._report())
        else:
            super().run_command(command_id)

    async def _report(self) -> None:
        report = await self.drilling.report(final=False)
        self.push_screen(DrillReportScreen(report))
        self.say(summary(report))
        try:
            _, path = await self.drilling.write(report)
            self.tell(f"report so far: {path}")
        except OSError as error:
            self.refuse(f"the report could not be written: {error.strerror or type(error).__name__}")

    def exit(self, *given: Any, **named: Any) -> None:
        """Note the end."""
        self.deed("left")
        super().exit(*given, **named)
