"""The console: watches the desk and hands it what the operator wants. It owns no request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from math import inf
from time import monotonic, perf_counter
from typing import Any

from rich.text import Text
from textual import events
from textual.app import SystemCommand
from textual.message import Message
from textual.screen import Screen

from cancel_tui.console import later, leaving, output, staying
from cancel_tui.console.acting import ActingApp
from cancel_tui.console.alarming import Alarming
from cancel_tui.console.attentive import Attentive, AttentiveApp
from cancel_tui.console.commands import BY_ID, Keymap, Where, shown_key
from cancel_tui.console.crash import DiscreetApp
from cancel_tui.console.frames import FRAMES, QUIET, Frames
from cancel_tui.console.grid import OrderGrid
from cancel_tui.console.keydoor import KeyDoor
from cancel_tui.console.ledger import Ledger
from cancel_tui.console.lines import mode_of
from cancel_tui.console.looks import LooksApp
from cancel_tui.console.news import News
from cancel_tui.console.palette import palette
from cancel_tui.console.rooms import RoomyApp
from cancel_tui.console.screens.base import DeskScreen
from cancel_tui.console.screens.main import MainScreen
from cancel_tui.console.telling import NOTICE
from cancel_tui.console.unended import Unended
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.process import whoami
from cancel_tui.desk.slot import Slot
from cancel_tui.orders import OrderKey
from cancel_tui.pauses import pause
from cancel_tui.redaction import place_of

LIVELY = 5
"""Looks per second while nothing is new but times that are shown in tenths."""
SHARE = 8
"""A look at the desk that took a while is followed by a pause so many times as long."""
PART = 0.0005
"""Seconds of a look after which what comes next waits for a moment."""
LAGGING = 0.3
"""Seconds by which the event loop must be late before the header says so."""
FIRST_PAINT = 0.5
"""Seconds after which the venues are asked even where nothing could be painted yet."""
AT_ONCE = 5.0
"""Seconds within which a second request to leave means: now."""


class CancelApp(AttentiveApp, DiscreetApp, ActingApp, RoomyApp, LooksApp, inherit_bindings=False):
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
        self.keep_log(desk)
        self.told_kill: tuple[object, Text] | None = None
        """The line about the last kill, and what it depends on once that is over."""
        self.lag = 0.0
        """Seconds by which the event loop was late of late; 0 while it is in time."""
        self.furnish(desk, door)
        self.enough = asyncio.Event()
        """Set when leaving must not wait any longer."""
        self.frames = Frames(self._framed)
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
        self._begun = False
        self._rest_until = 0.0
        self._looking: Iterator[None] | None = None
        """What is left of the look that has begun."""
        self._pause = self._spent = 0.0
        """Seconds until the next look and seconds that its parts took, of that look."""
        self._lagged_at = -inf
        self._asked_to_leave = -inf
        self._main = MainScreen()
        # Before it is styled, so that its styles need not be made again.
        self._main.dress(mode_of(desk))
        self.look_up(desk.settings.console.theme)

    @cached_property
    def operator(self) -> str:
        """Who acts, and on which machine."""
        return "{operator}@{host}".format(**whoami())

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
        self.call_after_refresh(self._begin)
        # A terminal that takes nothing must not keep the venues from being asked.
        self.set_timer(FIRST_PAINT, self._begin)
        if not self.desk.settings.venues:
            self.enter("venues")

    def _begin(self) -> None:
        """Turn to the venues: what that loads and asks must not take time from the first paint."""
        if self._begun:
            return
        self._begun = True
        later.ready_to_kill()
        self.dress_dialogs()
        self.desk.watchers.append(self.wake)
        self.frames.begin()
        self.desk.watch()
        for slot in self.desk.slots.values():
            self.desk.spawn(self.open_venue(slot))
        self.desk.spawn(self._look_back())
        self.desk.spawn(later.load())
        self._main.call_later(self._main.add_filter)

    def on_unmount(self) -> None:
        """The log file takes its last lines; nobody waits for them here."""
        self.frames.end()
        with suppress(ValueError):
            self.desk.watchers.remove(self.wake)
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
        self.desk.listen(slot)

    def wake(self) -> None:
        """Something may be different: a frame soon."""
        self.frames.wake()

    def _framed(self) -> float | None:
        try:
            return self._frame()
        except Exception as error:
            # As the toolkit does it for its own timers.
            self._handle_exception(error)
            return inf

    def _frame(self) -> float | None:
        """One look at the desk; it is skipped where nothing is new, or the terminal or the loop is behind.

        The answer: seconds until the next one, if nothing happens; None where this one is not whole yet.
        """
        if self._exit or self._closing:
            # On the way out the screens lose their parts before the last frame.
            return inf
        now = monotonic()
        # What was typed has mostly gone all its way by the next frame; a later message must not hide that.
        self.caught_up()
        if self._looking is not None:
            return self._look_on(self._looking, perf_counter())
        output.never_wait(self)
        self._measure_lag(now)
        self.hush(now)
        # At rest the seconds of the clock and of ages are all that changes.
        wall, lively = self.desk.clock.wall(), self._lively()
        beat = int(now * LIVELY) if lively else int(wall)
        pause = 1 / LIVELY if lively else 1 / QUIET - wall % (1 / QUIET)
        stamp = (self.desk.revision, beat)
        if stamp == self._seen and not self.untold:
            return pause
        if now < self._rest_until:
            return self._rest_until - now
        if output.stalled(self):
            return 1 / FRAMES
        self._seen, self.untold = stamp, False
        self._pause, self._spent = pause, 0.0
        return self._look_on(self.looking(), perf_counter())

    def _look_on(self, look: Iterator[None], begun: float) -> float | None:
        """The next parts of a look; its pauses are not counted as the time that it takes."""
        self._looking = None
        for _ in look:
            pause()
            if perf_counter() - begun > PART:
                self._looking = look
                break
        self._spent += perf_counter() - begun
        if self._looking is not None:
            return None
        self._rest_until = monotonic() + SHARE * self._spent
        return self._pause

    def _lively(self) -> bool:
        """Whether tenths of seconds may be shown: something is under way, or another screen is open.

        An alarm that nobody has seen changes its look faster than once a second, too.
        """
        running = any(kill.finished_wall is None for kill in self.desk.kills)
        return running or self.screen is not self._main or self.alarms.calling

    def look(self) -> None:
        """Take what is new at the desk and draw what differs, in one go."""
        for _ in self.looking():
            pass

    def looking(self) -> Iterator[None]:
        """The same in parts: a key need not wait for all of it."""
        for _ in self.ledger.refreshing():
            yield
        yield
        for line in self._news.take():
            self.say(line)
        yield
        self.alarms.look()
        yield
        screen = self.screen
        covered = isinstance(screen, DeskScreen) and screen.COVERS
        if self._main.is_mounted and (not covered or getattr(screen, "LIVE", False)):
            # Behind those nobody sees the grid; bringing it up to date would take time from the kill.
            yield from self._main.ticks()
            screen = self.screen
        if screen is not self._main and isinstance(screen, DeskScreen) and screen.is_mounted:
            screen.tick()

    def _measure_lag(self, now: float) -> None:
        if self.frames.late > LAGGING:
            self.lag, self._lagged_at = self.frames.late, now
        elif self.lag and now - self._lagged_at > NOTICE:
            self.lag = 0.0

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

    @property
    def parts(self) -> Iterable[Attentive]:
        """The application, the main screen and its grid."""
        return (self, self._main, *self._main.query(OrderGrid))

    def take_key(self, event: events.Key) -> bool:
        """The cancel key in the grid, where nothing that was typed before it is still on its way."""
        command = self.keymap.command_for(event.key, Where.GRID)
        if command is None or command.id != "cancel" or not self.caught_up():
            return False
        if self._exit or self.screen is not self._main or not self._main.listens:
            return False
        with self._context():
            try:
                self._main.run_command(command.id)
            except Exception as error:
                # As the toolkit does it for a key that it brings itself.
                self._handle_exception(error)
        return True

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
                self.show_board(kills[-1])
            else:
                self.refuse("there was no kill yet")
        elif command_id == "acknowledge":
            if not self.alarms.acknowledge(self.operator):
                self.tell("there is no alarm that has not been seen")
            self.untold = True
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
