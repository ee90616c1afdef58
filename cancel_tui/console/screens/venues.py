"""The venues: how each stands, what its budgets allow, and the switch that takes it out of this run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isinf
from typing import ClassVar
from urllib.parse import urlsplit

from rich.text import Text

from cancel_tui.console import lines
from cancel_tui.console.commands import Where, shown_key
from cancel_tui.console.screens.ask import AskScreen
from cancel_tui.console.screens.listing import ListScreen
from cancel_tui.console.screens.newvenue import NewVenueScreen
from cancel_tui.desk.slot import Slot
from cancel_tui.orders import VenueName
from cancel_tui.settings import VenueSettings
from cancel_tui.text import literal
from cancel_tui.venues.base import CallClass


class VenuesScreen(ListScreen):
    """One row for each configured venue."""

    WHERE: ClassVar[Where] = Where.VENUES

    @property
    def first_start(self) -> bool:
        """Whether no venue is configured at all."""
        return not self.console_app.desk.settings.venues

    def _slot(self, name: str) -> Slot | None:
        return self.console_app.desk.slot_of(VenueName(name))

    def _settings(self, name: str) -> VenueSettings:
        return next(one for one in self.console_app.desk.settings.venues if one.name == name)

    # What it says

    def names(self) -> Sequence[str]:
        """Every venue of the configuration."""
        return [one.name for one in self.console_app.desk.settings.venues]

    def headline(self) -> Text:
        """Which screen this is, and what is off."""
        desk = self.console_app.desk
        return Text.assemble(lines.mode_mark(desk), (" Venues ", "bold"), lines.off_mark(desk))

    def columns(self) -> Sequence[str]:
        """Titles of the columns."""
        return ("VENUE", "STATE", "OPEN", "MODE", "KIND", "HOST")

    def row(self, name: str) -> Sequence[str]:
        """One venue."""
        settings = self._settings(name)
        return (
            name[:16],
            self._state(name),
            self._open(name),
            settings.mode,
            settings.kind,
            urlsplit(settings.base_url).hostname or "?",
        )

    def hints(self) -> list[tuple[str, str]]:
        """Keys for the footer: only those that do something now."""
        unused = "Off/on" if self.first_start else "Practice"
        found = [one for one in super().hints() if one[1] != unused]
        return [*found, (shown_key(self.console_app.keymap.keys["keys"][0]), "Keys")]

    def _state(self, name: str) -> str:
        app = self.console_app
        slot = self._slot(name)
        if slot is None:
            return "disabled"
        if name in app.desk.off:
            return "OFF"
        if lines.waiting(slot):
            return "asking"
        return slot.state_at(app.desk.clock.monotonic()).value

    def _open(self, name: str) -> str:
        slot = self.console_app.desk.slots.get(VenueName(name))
        if slot is None or slot.listed_at is None:
            return "–"
        return f"{len(self.console_app.ledger.venue(slot.name).live)}{'' if slot.complete else '?'}"

    def below(self) -> Iterable[tuple[str, str]]:
        """The chosen venue in full; without any, what to do first."""
        if self.first_start:
            yield from self._first()
            return
        name = self.chosen
        slot = self._slot(name)
        if slot is None:
            yield f"{name}: `enabled = false` in the configuration", ""
            return
        if name in self.console_app.desk.off:
            yield f"{name} is OFF for this run: not polled, its orders not shown, in no kill", lines.DOUBT
        elif slot.error and not lines.waiting(slot):
            yield f"{name}: {literal(slot.error, 300)}", lines.DOUBT
        spots = ", ".join(slot.all_blind_spots)
        yield f"cannot be listed   {spots or ('nothing known' if slot.opened else '?')}", ""
        yield f"requests left      {self._budgets(slot)}", ""
        offset = slot.venue.clock_offset if slot.venue else None
        yield (
            (
                "clock              "
                + ("not measured" if offset is None else f"the venue's is {offset * 1000:+.0f} ms from ours")
            ),
            "",
        )

    def _budgets(self, slot: Slot) -> str:
        if slot.venue is None or slot.lane is None:
            return "not known without credentials"
        now = self.console_app.desk.clock.monotonic()
        told = []
        for call in CallClass:
            budget = slot.venue.capabilities.budgets.get(call)
            if budget is None or call is CallClass.OTHER:
                continue
            left = slot.lane.pace(call).left(now)
            if not isinf(left):
                told.append(f"{call.value} {left:.0f} of {budget.count}/{budget.seconds:g}s")
        return ", ".join(told) or "no limits"

    def _first(self) -> Iterable[tuple[str, str]]:
        app = self.console_app
        yield "No venue is configured yet.", "bold"
        yield "", ""
        yield "The configuration is looked for at", ""
        yield f"  {literal(str(app.desk.settings.path), 200)}", "bold"
        yield "  (--config FILE or CANCEL_TUI_CONFIG name another place)", "dim"
        yield "", ""
        if app.practice_offered:
            yield "p  opens the practice venues: no account, no keys, nothing leaves here", ""
        yield "n  shows the table to add there for a venue of yours", ""
        yield "Then start cancel-tui again, and K stores its credentials in the keyring.", ""

    # Commands

    def run_command(self, command_id: str) -> bool:
        """Carry out a command of this screen."""
        app = self.console_app
        if command_id == "venue_back":
            self.dismiss()
        elif command_id == "venue_new":
            app.push_screen(NewVenueScreen())
        elif command_id == "venue_practice":
            if app.practice_offered:
                app.want_practice()
            else:
                app.refuse("venues are configured: `cancel-tui demo` opens the practice venues")
        elif command_id == "venue_switch":
            self._switch(self.chosen)
        else:
            return False
        return True

    def _switch(self, name: str) -> None:
        app, slot = self.console_app, self._slot(name)
        if slot is None:
            app.refuse(f"{name} is disabled in the configuration" if name else "no venue is configured")
        elif name in app.desk.off:
            self._on(slot)
        elif app.desk.occupied(slot.name):
            app.refuse(f"{name}: a kill or a cancel is not over there; it stays on until then")
        else:
            count = self._open(name)
            consequences = [
                f"Its orders ({count} open) are neither shown nor polled, and NO kill reaches them.",
                "For this run only: the next start has it on again.",
            ]
            question = f"Switch {name} off?"
            self.app.push_screen(
                AskScreen(question, consequences, "switches it off", lambda: self._off(slot))
            )

    def _off(self, slot: Slot) -> None:
        """Take a venue out of this run; a kill may have begun while the question stood."""
        app = self.console_app
        if app.desk.switch_off(slot.name):
            app.refuse(f"{slot.name} is OFF for this run: no kill reaches it; s switches it on again")
        else:
            app.refuse(f"{slot.name}: a kill or a cancel is not over there; it stays on until then")

    def _on(self, slot: Slot) -> None:
        """Bring a venue back, also one that was never opened."""
        app = self.console_app
        if app.desk.switch_on(slot.name):
            app.refuse(f"{slot.name} is on again")
            app.desk.spawn(app.open_venue(slot))
