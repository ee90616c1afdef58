"""The console: watches the desk and hands it what the operator wants. It owns no request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from math import inf
from time import monotonic
from typing import Any

from textual import events
from textual.app import SystemCommand
from textual.message import Message
from textual.screen import Screen

from cancel_tui.console import leaving, output, staying
from cancel_tui.console.alarming import Alarming
from cancel_tui.console.arming import scope_words
from cancel_tui.console.commands import BY_ID, Keymap, Where, shown_key
from cancel_tui.console.crash import DiscreetApp
from cancel_tui.console.edges import WHY_READ_ONLY
from cancel_tui.console.export import write_report
from cancel_tui.console.keyroom import KeyDoor
from cancel_tui.console.ledger import Ledger
from cancel_tui.console.lines import plural
from cancel_tui.console.logbook import Logbook
from cancel_tui.console.looks import LooksApp
from cancel_tui.console.news import News
from cancel_tui.console.palette import palette
from cancel_tui.console.rooms import RoomyApp
from cancel_tui.console.screens.arm import ArmScreen
from cancel_tui.console.screens.base import DeskScreen
from cancel_tui.console.screens.board import BoardScreen
from cancel_tui.console.screens.confirm import ConfirmScreen
from cancel_tui.console.screens.help import ScrollScreen
from cancel_tui.console.screens.main import MainScreen
from cancel_tui.console.unended import Unended
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.lane import Urgency
from cancel_tui.desk.logfile import LogFile
from cancel_tui.desk.preview import VenuePreview
from cancel_tui.desk.process import whoami
from cancel_tui.desk.report import scope_json
from cancel_tui.desk.resume import plan_resume
from cancel_tui.desk.slot import Slot
from cancel_tui.desk.unfinished import Unfinished
from cancel_tui.orders import Order, OrderKey
from cancel_tui.redaction import place_of
from cancel_tui.scope import Scope
from cancel_tui.text import literal

FRAMES = 20
"""The most looks at the desk per second."""
SHARE = 8
"""A look at the desk that took a while is followed by a pause so many times as long."""
LAGGING = 0.3
"""Seconds by which the event loop must be late before the header says so."""
NOTICE = 5.0
"""Seconds that a notice stands."""
AT_ONCE = 5.0
"""Seconds within which a second request to leave means: now."""


class CancelApp(DiscreetApp, RoomyApp, LooksApp, inherit_bindings=False):
    """The kill-switch console over one desk. Raises SettingsError for a key, word or theme it cannot use."""

    CSS_PATH = "cancel_tui.tcss"
    TITLE = "cancel-tui"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    NOTIFICATION_TIMEOUT = NOTICE

    def __init__(
        self,
        desk: Desk,
        *,
        read_only: bool = False,
        ascii_only: bool = False,
        door: KeyDoor | None = None,
    ) -> None:
        super().__init__()
        self.desk = desk
        self.ledger = Ledger(desk)
        self.read_only = read_only
        self.ascii_only = ascii_only
        self.keymap = Keymap(desk.settings.console.keys)
        self.keymap.check_word(desk.settings.console.confirm_word)
        self.book = Logbook(desk.clock, LogFile(desk.data_dir / "logs" if desk.data_dir else None))
        self.notice = ""
        """One sentence for the banner; the last thing that was refused or went wrong."""
        self.lag = 0.0
        """Seconds by which the event loop was late of late; 0 while it is in time."""
        self.operator = "{operator}@{host}".format(**whoami())
        self.furnish(desk, door)
        self.enough = asyncio.Event()
        """Set when leaving must not wait any longer."""
        self._news = News(desk, self.ledger)
        self._unended = Unended(desk)
        self.alarms = Alarming(
            self.ledger,
            self._unended,
            say=self.say,
            ring=self.bell,
            resume_key=shown_key(self.keymap.keys["resume"][0]),
        )
        self._seen: tuple[int, int] = (-1, -1)
        self._dirty = True
        self._rest_until = 0.0
        self._framed: float | None = None
        self._lagged_at = -inf
        self._asked_to_leave = -inf
        self._notice_until = 0.0
        self._main = MainScreen()
        self.look_up(desk.settings.console.theme)

    def get_default_screen(self) -> Screen[Any]:
        """The grid."""
        return self._main

    def event_time(self) -> float:
        """The clock that Textual stamps events with, in seconds."""
        return Message().time

    # ------------------------------------------------------------------ life

    def on_mount(self) -> None:
        """Paint first; the venues fill in as they answer."""
        self.set_class(self.ascii_only, "ascii")
        self.count_colours()
        if not self.is_headless:
            staying.never_suspend(self.tell)
        self.desk.watch()
        for slot in self.desk.slots.values():
            self.desk.spawn(self.open_venue(slot))
        self.desk.spawn(self._look_back())
        self.set_interval(1 / FRAMES, self._frame)
        if not self.desk.settings.venues:
            self.enter("venues")

    def on_unmount(self) -> None:
        """The log file takes its last lines; nobody waits for them here."""
        self.book.file.close(0.0)

    async def _look_back(self) -> None:
        """Say which kills of earlier processes have no end."""
        for case in await self._unended.look():
            key = shown_key(self.keymap.keys["resume"][0])
            self.refuse(
                f"KILL {case.kill_id[:6]} of {case.began_at} has no end: {case.words()}; {key} resumes it"
            )

    async def open_venue(self, slot: Slot) -> None:
        """Each venue on its own: its orders are shown as soon as its keys are there, whatever others do."""
        try:
            await self.desk.open([slot.name])
        except Exception as error:
            # Neither its text nor its traceback: either could hold a key.
            slot.error = f"internal fault ({type(error).__name__})"
            self.desk.journal.note("fault", venue=slot.name, where=place_of(error), what=type(error).__name__)
            self.desk.changed()
            return
        await self.desk.list_venue(slot, Urgency.POLL, deep=False)

    def _frame(self) -> None:
        """One look at the desk; it is skipped where nothing is new, or the terminal or the loop is behind."""
        if self._exit or self._closing:
            # On the way out the screens lose their parts before this timer ends.
            return
        now = monotonic()
        output.never_wait(self)
        self._measure_lag(now)
        if self.notice and now >= self._notice_until:
            self.notice, self._dirty = "", True
        stamp = (self.desk.revision, int(now * 5))
        if (stamp == self._seen and not self._dirty) or now < self._rest_until or output.stalled(self):
            return
        self._seen, self._dirty = stamp, False
        self.look()
        self._rest_until = monotonic() + SHARE * (monotonic() - now)

    def look(self) -> None:
        """Take what is new at the desk and draw what differs."""
        self.ledger.refresh()
        for line in self._news.take():
            self.say(line)
        self.alarms.look()
        screen = self.screen
        covered = isinstance(screen, ArmScreen | BoardScreen | ScrollScreen)
        if self._main.is_mounted and (not covered or getattr(screen, "LIVE", False)):
            # Behind those nobody sees the grid; bringing it up to date would take time from the kill.
            self._main.tick()
        if screen is not self._main and isinstance(screen, DeskScreen) and screen.is_mounted:
            screen.tick()

    def _measure_lag(self, now: float) -> None:
        late = 0.0 if self._framed is None else now - self._framed - 1 / FRAMES
        self._framed = now
        if late > LAGGING:
            self.lag, self._lagged_at = late, now
        elif self.lag and now - self._lagged_at > NOTICE:
            self.lag = 0.0

    def say(self, text: str) -> None:
        """One line into the log, newest last."""
        self.book.say(text)
        self._dirty = True

    @property
    def log_lines(self) -> list[str]:
        """What happened, newest last."""
        return self.book.lines

    def refuse(self, text: str) -> None:
        """Say why a key did nothing, where it cannot be overlooked."""
        self.tell(text)
        self.say(text)

    def tell(self, text: str) -> None:
        """A sentence into the banner, for a few seconds."""
        self.notice, self._notice_until, self._dirty = literal(text, 300), monotonic() + NOTICE, True

    def deed(self, what: str) -> None:
        """The operator did something on the way to a kill; a drill takes note of it."""

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
            if command is not None:
                self.run_command(command.id)
                return
            if event.key in staying.IDLE:
                self.tell(staying.IDLE[event.key])
                return
        await super().on_event(event)

    def run_command(self, command_id: str) -> None:
        """Carry out a command that belongs to no single screen."""
        if self.enter(command_id):
            return
        if command_id == "kill":
            self.arm()
        elif command_id == "resume":
            case = self._unended.newest()
            self.refuse(case) if isinstance(case, str) else self.arm(case)
        elif command_id == "board":
            kills = [kill for kill in self.desk.kills if not kill.by_id]
            if kills:
                self.push_screen(BoardScreen(kills[-1]))
            else:
                self.refuse("there was no kill yet")
        elif command_id == "acknowledge":
            if not self.alarms.acknowledge(self.operator):
                self.tell("there is no alarm that has not been seen")
            self._dirty = True
        elif command_id == "quit":
            self.leave()
        elif command_id == "drill":
            self.refuse("no drill is on; `cancel-tui demo --drill list` tells which there are")
        elif command_id == "theme":
            self.refuse(self.next_theme())
        elif BY_ID[command_id].where is Where.GRID:
            self._main.run_command(command_id)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: every command of the registry; those with a guard still go through it."""
        return palette(self, screen)

    def grid_key(self) -> OrderKey | None:
        """The order that was painted under the cursor of the grid."""
        return self._main.grid.painted_key

    # ------------------------------------------------------------------ cancels

    def _may_cancel(self) -> bool:
        if self.read_only:
            self.refuse(WHY_READ_ONLY)
        return not self.read_only

    def cancel_one(self, key: OrderKey | None) -> None:
        """Cancel the order that was painted under the cursor; one key, no dialog."""
        if not self._may_cancel():
            return
        if key is None:
            self.refuse("no order is under the cursor; press an arrow key first")
            return
        self._cancel(frozenset({key}))

    def confirm_cancel(self, keys: frozenset[OrderKey], how: str) -> None:
        """Ask once, then cancel several named orders."""
        if not self._may_cancel():
            return
        orders = self._described(keys)
        if not orders:
            self.refuse(f"no live order is {how}")
            return
        named = frozenset(order.key for order in orders)
        hidden = sum(self._main.grid.model.position(key) is None for key in named)
        question = f"Cancel {plural(len(orders), f'{how} order')}?"
        if hidden:
            question += f" {hidden} of them hidden by the filter"
        self.push_screen(ConfirmScreen(question, orders, lambda: self._cancel(named)))

    def _described(self, keys: Iterable[OrderKey]) -> list[Order]:
        """What is known of these orders, without those that are over; in the grid's order of venues."""
        model = self._main.grid.model
        rows = [row for key in keys if (row := model.get(key)) and not self.ledger.over(key)]
        return [row.order for row in sorted(rows, key=lambda row: row.key[0::3])]

    def _cancel(self, keys: frozenset[OrderKey]) -> None:
        over = {key for key in keys if self.ledger.over(key)}
        wanted = frozenset(key for key in keys - over if not self.desk.busy(key))
        again = sum(self.desk.retry(key) for key in keys - over - wanted)
        if again:
            self.tell(f"{plural(again, 'cancel')} refused or in doubt: asking again at once")
        if not wanted:
            if not again:
                self.refuse("it is over already" if over else "a cancel of it is under way already")
            return
        kill = self.desk.plan_kill(Scope(keys=wanted, raw={}), by_id=True, known=self._described(wanted))
        self.desk.start(kill, scope_json(kill.scope))

    # ------------------------------------------------------------------ kill

    def arm(self, case: Unfinished | None = None) -> None:
        """First stage of the kill, from anywhere. Dialogs that it finds open are gone when it is left.

        With a `case` its recorded scope is armed; the chord arms everything, also over such a screen.
        """
        screen = self.screen
        if isinstance(screen, ArmScreen) and (case is not None or screen.case is None):
            if screen.lapsed:
                screen.rearm()
            return
        while len(self.screen_stack) > 1 and not isinstance(self.screen, BoardScreen):
            self.pop_screen()
        self.ledger.refresh()
        if self._main.is_mounted:
            self._main.tick()
        shown = self._main.shown() if self._main.is_mounted else frozenset()
        marked = self._main.marked() if self._main.is_mounted else frozenset()
        self.push_screen(ArmScreen(marked, shown, case))

    def fire(
        self,
        scope: Scope,
        *,
        hold: bool,
        seen: Sequence[VenuePreview] = (),
        case: Unfinished | None = None,
    ) -> None:
        """Second stage: the guard has spoken. The kill belongs to the desk from here on.

        `seen` is the preview that stood on the screen, for the record; a `case` is finished by it.
        """
        if not self._may_cancel():
            return
        known = self._described(scope.keys) if scope.keys else []
        held = inf if hold else 0.0
        if case is not None:
            kill = plan_resume(self.desk, case, hold=held, previews=seen)
        else:
            kill = self.desk.plan_kill(scope, hold=held, known=known, previews=seen)
        self.desk.start(kill, scope_json(scope))
        resumes = f" resumes {case.kill_id[:6]}" if case is not None else ""
        self.say(f"KILL {kill.kill_id[:6]}{resumes}: {scope_words(scope)}")
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.push_screen(BoardScreen(kill))

    def export(self, kill: Kill) -> None:
        """Write the report of a kill to a file, off the event loop."""
        self.desk.spawn(self._export(kill))

    async def _export(self, kill: Kill) -> None:
        self.tell(await write_report(kill, self.desk.journal.path))

    # ------------------------------------------------------------------ the end

    def leave(self) -> None:
        """Leave once nothing is under way; asked again within a few seconds, leave at once."""
        words = leaving.under_way(self.desk)
        now = monotonic()
        if not words or now - self._asked_to_leave < AT_ONCE:
            self.left = True
            self.exit(0)
            return
        first = self._asked_to_leave == -inf
        self._asked_to_leave = now
        held = any(kill.holding for kill in leaving.unfinished(self.desk))
        then = "r on the board releases it" if held else "leaving when it is over"
        self.tell(f"{words}: {then}; ^Q again leaves now")
        if first and not held:
            self.desk.spawn(self._leave_when_over())

    async def _leave_when_over(self) -> None:
        def tell(words: str) -> None:
            self.tell(f"leaving: {words}; ^Q again leaves now")

        await leaving.drain(self.desk, self.enough, tell)
        self.left = True
        self.exit(0)

    def signalled(self) -> None:
        """The process is asked to end: end once nothing is under way; asked again, at once."""
        if self._asked_to_leave > -inf:
            self.enough.set()
            return
        self._asked_to_leave = monotonic()
        self.desk.spawn(self._leave_when_over())
