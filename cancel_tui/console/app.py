"""The console: watches the desk and hands it what the operator wants. It owns no request."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import socket
from collections.abc import Iterable
from time import monotonic
from typing import Any, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.screen import Screen

from cancel_tui.console.commands import BY_ID, COMMANDS, Guard, Keymap, Where
from cancel_tui.console.screens.arm import ArmScreen
from cancel_tui.console.screens.base import DeskScreen
from cancel_tui.console.screens.board import BoardScreen
from cancel_tui.console.screens.confirm import ConfirmScreen
from cancel_tui.console.screens.help import HelpScreen
from cancel_tui.console.screens.main import MainScreen
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.report import scope_json
from cancel_tui.orders import Order, OrderKey, iso
from cancel_tui.scope import Scope
from cancel_tui.text import literal

FRAMES = 20
"""The most looks at the desk per second."""
DRAIN = 6.0
"""Seconds that quitting waits for cancels in flight."""


class CancelApp(App[int]):
    """The kill-switch console over one desk."""

    CSS_PATH = "cancel_tui.tcss"
    TITLE = "cancel-tui"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[object]] = []  # type: ignore[assignment]

    def __init__(self, desk: Desk, *, read_only: bool = False, ascii_only: bool = False) -> None:
        super().__init__()
        self.desk = desk
        self.read_only = read_only
        self.ascii_only = ascii_only
        self.keymap = Keymap(desk.settings.console.keys)
        self.log_lines: list[str] = []
        self.notice = ""
        """One sentence for the banner; the last thing that was refused or went wrong."""
        self.operator = f"{getpass.getuser()}@{socket.gethostname()}"
        self._told: dict[OrderKey, str] = {}
        self._seen = -1
        self._second = -1
        self._quitting = False
        self._main = MainScreen()

    def get_default_screen(self) -> Screen[Any]:
        """The grid."""
        return self._main

    def event_time(self) -> float:
        """The clock that Textual stamps events with."""
        return monotonic()

    # ------------------------------------------------------------------ life

    def on_mount(self) -> None:
        """Paint first; the venues fill in as they answer."""
        self.desk.spawn(self._open())
        self.set_interval(1 / FRAMES, self._frame)

    async def _open(self) -> None:
        self.desk.watch()
        await self.desk.open()

    def _frame(self) -> None:
        second = int(self.desk.clock.monotonic() * 5)
        if self.desk.revision == self._seen and second == self._second:
            return
        self._seen, self._second = self.desk.revision, second
        self._tell()
        if isinstance(self.screen, DeskScreen) and self.screen.is_mounted:
            self.screen.tick()

    def _tell(self) -> None:
        """Log lines for what came of each cancel."""
        for kill in self.desk.kills:
            for track in kill.tracks():
                words = f"{track.outcome.value}|{track.stage.value}|{track.message}"
                if not track.attempts or self._told.get(track.key) == words:
                    continue
                self._told[track.key] = words
                if track.stage.settled or track.message:
                    line = f"{track.key.venue} {track.key.shown_id[-8:]} {track.outcome.value}"
                    if track.stage.settled and track.sent_at is not None:
                        line += f" in {track.since - track.sent_at:.2f} s"
                    if track.filled:
                        line += f", {track.filled:f} filled"
                    self.say(line + (f": {track.message}" if track.message else ""))

    def say(self, text: str) -> None:
        """One line into the log, newest last."""
        self.log_lines.append(f"{(iso(self.desk.clock.wall()) or '')[11:19]} {literal(text, 200)}")
        del self.log_lines[:-500]
        self.desk.revision += 1

    def refuse(self, text: str) -> None:
        """Say why a key did nothing, where it cannot be overlooked."""
        self.notice = text
        self.say(text)
        self.set_timer(5.0, self._forget_notice)

    def _forget_notice(self) -> None:
        self.notice = ""
        self.desk.revision += 1

    def warm(self) -> None:
        """Open the connections that a kill will need."""
        for slot in self.desk.slots.values():
            if slot.lane is not None:
                self.desk.spawn(slot.lane.warm())

    # ------------------------------------------------------------------ keys

    async def on_event(self, event: events.Event) -> None:
        """The emergency chord works on every screen, in every input, over every dialog."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            command = self.keymap.command_for(event.key, Where.EVERYWHERE)
            if command is not None and command.id in ("kill", "quit"):
                self.run_command(command.id)
                return
        await super().on_event(event)

    def run_command(self, command_id: str) -> None:
        """Carry out a command that belongs to no single screen."""
        if command_id == "kill":
            self.arm()
        elif command_id == "help":
            self.push_screen(HelpScreen())
        elif command_id == "board":
            kills = [kill for kill in self.desk.kills if not kill.by_id]
            if kills:
                self.push_screen(BoardScreen(kills[-1]))
            else:
                self.refuse("there was no kill yet")
        elif command_id == "quit":
            self.desk.spawn(self._quit()) if not self._quitting else self.exit(0)
        elif BY_ID[command_id].where is Where.GRID:
            self._main.run_command(command_id)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: every command of the registry; those with a guard still go through it."""
        for command in COMMANDS:
            if command.where in (Where.GRID, Where.EVERYWHERE):
                yield SystemCommand(
                    command.label, command.help, lambda command_id=command.id: self.run_command(command_id)
                )

    # ------------------------------------------------------------------ cancels

    def _may_cancel(self) -> bool:
        if self.read_only:
            self.refuse("READ-ONLY: nothing that cancels will run")
        return not self.read_only

    def cancel_one(self, key: OrderKey | None) -> None:
        """Cancel the order that was painted under the cursor; one key, no dialog."""
        if not self._may_cancel():
            return
        if key is None:
            self.refuse("no order is under the cursor; press an arrow key first")
            return
        self._cancel(frozenset({key}))

    def confirm_cancel(self, keys: frozenset[OrderKey], *, marked: bool) -> None:
        """Ask once, then cancel several named orders."""
        if not self._may_cancel():
            return
        if not keys:
            self.refuse("no order is marked or shown")
            return
        rows = [row for key in keys if (row := self._main.grid.model.get(key))]
        totals: dict[str, list[Order]] = {}
        for row in rows:
            totals.setdefault(row.order.quote or "?", []).append(row.order)
        words = [f"Cancel {len(keys)} {'marked' if marked else 'shown'} orders?", ""]
        for quote, orders in sorted(totals.items()):
            value = sum((order.notional or 0 for order in orders), start=0)
            words.append(f"  {len(orders)} orders   notional {quote} {value:,.2f}")
        self.push_screen(ConfirmScreen(words, lambda: self._cancel(keys)))

    def _cancel(self, keys: frozenset[OrderKey]) -> None:
        wanted = frozenset(key for key in keys if not self.desk.busy(key))
        if not wanted:
            self.say("a cancel of it is under way already")
            return
        known = [row.order for key in wanted if (row := self._main.grid.model.get(key))]
        kill = self.desk.plan_kill(Scope(keys=wanted, raw={}), by_id=True, known=known)
        self.desk.start(kill, scope_json(kill.scope))

    # ------------------------------------------------------------------ kill

    def arm(self) -> None:
        """First stage of the kill, from anywhere."""
        if isinstance(self.screen, ArmScreen):
            return
        shown = frozenset(row.key for row in self._main.grid.model) if self._main.is_mounted else frozenset()
        marked = self._main.marked() if self._main.is_mounted else frozenset()
        is_filtered = self._main.is_mounted and bool(self._main.grid.model.filter)
        self.push_screen(ArmScreen(marked, shown, is_filtered))

    def fire(self, scope: Scope) -> None:
        """Second stage: the guard has spoken. The kill belongs to the desk from here on."""
        if not self._may_cancel():
            return
        known = [row.order for row in self._main.grid.model] if scope.keys else []
        kill = self.desk.plan_kill(scope, reason=None, known=known)
        self.desk.start(kill, {**scope_json(scope), "operator": self.operator})
        self.say(f"KILL {kill.kill_id[:6]}: {self.scope_words(scope)}")
        self.switch_screen(BoardScreen(kill))

    def scope_words(self, scope: Scope) -> str:
        """A scope for a title."""
        if scope.keys is not None:
            return f"{len(scope.keys)} chosen orders"
        words = [value for values in scope.raw.values() for value in values]
        text = "everything" if not words else "everything in " + ", ".join(words)
        return text + (", protective orders kept" if scope.keep_protective else "")

    # ------------------------------------------------------------------ the end

    async def _quit(self) -> None:
        """Leave once nothing is in flight, or after a bounded wait; a second request leaves at once."""
        self._quitting = True
        deadline = monotonic() + DRAIN
        while (flying := self._flying()) and monotonic() < deadline:
            self.notice = f"leaving: {flying} cancels in flight; ^Q again leaves now"
            self.desk.revision += 1
            await asyncio.sleep(0.1)
        self.exit(0)

    def _flying(self) -> int:
        running = [kill for kill in self.desk.kills if kill.finished_wall is None]
        return sum(run.engine.cancelling for kill in running for run in kill.runs.values())

    def unfinished(self) -> list[Kill]:
        """Kills that were not over when the console was left."""
        return [kill for kill in self.desk.kills if kill.finished_wall is None]

    def _fatal_error(self) -> None:
        """A crash shows its class and place only: locals could hold keys. The desk's requests go on."""
        self.bell()
        self._close_messages_no_wait()

    def _handle_exception(self, error: Exception) -> None:
        from rich.text import Text

        from cancel_tui.redaction import place_of

        where = place_of(error)
        self.desk.journal.note("fault", where=where, what=type(error).__name__)
        with contextlib.suppress(Exception):
            self._exit_renderables.append(Text(f"internal fault: {type(error).__name__} in {where}"))
        if os.environ.get("PYTEST_CURRENT_TEST"):
            super()._handle_exception(error)
            return
        self._return_code = 1
        self._fatal_error()


__all__ = ["CancelApp", "Guard"]
