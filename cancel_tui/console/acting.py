"""From a key to a cancel or a kill: who asks first, what is asked for, and that the desk gets it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from cancel_tui.console.arming import scope_words
from cancel_tui.console.edges import WHY_READ_ONLY
from cancel_tui.console.lines import plural
from cancel_tui.console.telling import TellingApp
from cancel_tui.desk.report import scope_json
from cancel_tui.scope import Scope

if TYPE_CHECKING:
    from cancel_tui.console.ledger import Ledger
    from cancel_tui.console.screens.main import MainScreen
    from cancel_tui.desk.desk import Desk
    from cancel_tui.desk.kill import Kill
    from cancel_tui.desk.preview import VenuePreview
    from cancel_tui.desk.unfinished import Unfinished
    from cancel_tui.orders import Order, OrderKey


class ActingApp(TellingApp, inherit_bindings=False):
    """An application that cancels: single orders, several named ones, and everything in a scope."""

    desk: Desk
    ledger: Ledger
    read_only = False
    """Whether no command that cancels will run."""
    _main: MainScreen
    _warming: asyncio.Task[Any] | None = None

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
        from cancel_tui.console.screens.confirm import ConfirmScreen

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
        from cancel_tui.console.screens.arm import ArmScreen
        from cancel_tui.console.screens.board import BoardScreen

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
            from cancel_tui.desk.resume import plan_resume

            kill = plan_resume(self.desk, case, hold=held, previews=seen)
        else:
            kill = self.desk.plan_kill(scope, hold=held, known=known, previews=seen)
        self.desk.start(kill, scope_json(scope))
        resumes = f" resumes {case.kill_id[:6]}" if case is not None else ""
        self.say(f"KILL {kill.kill_id[:6]}{resumes}: {scope_words(scope)}")
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.show_board(kill)

    def show_board(self, kill: Kill) -> None:
        """Open the board of a kill."""
        from cancel_tui.console.screens.board import BoardScreen

        self.push_screen(BoardScreen(kill))

    def export(self, kill: Kill) -> None:
        """Write the report of a kill to a file, off the event loop."""
        self.desk.spawn(self._export(kill))

    async def _export(self, kill: Kill) -> None:
        from cancel_tui.console.export import write_report

        self.tell(await write_report(kill, self.desk.journal.path))

    def warm(self) -> None:
        """Get everything ready that a kill will need."""
        if self._warming is None or self._warming.done():
            self._warming = self.desk.spawn(self.desk.warm())
