"""Armed: what would happen, on one screen even at 80×24, and the guard before it does."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.widgets import Static

from cancel_tui.console import lines
from cancel_tui.console.badges import age_text
from cancel_tui.console.commands import Where
from cancel_tui.console.guard import Guard, Said
from cancel_tui.console.screens.base import DeskScreen
from cancel_tui.desk.preview import VenuePreview, preview
from cancel_tui.orders import OrderKey, Side
from cancel_tui.scope import Scope, fold
from cancel_tui.text import literal, table


class ArmScreen(DeskScreen):
    """First stage of the kill: preview, scope, word. Nothing is sent from here until the guard says so."""

    WHERE: ClassVar[Where] = Where.ARMED

    def __init__(self, marked: frozenset[OrderKey], filtered: frozenset[OrderKey], is_filtered: bool) -> None:
        super().__init__()
        self._marked = marked
        self._filtered = filtered
        self._is_filtered = is_filtered
        self._scope = Scope(raw={})
        self._note = ""
        self._guard: Guard | None = None

    def compose(self) -> ComposeResult:
        """Title, preview, warnings, scope keys, the word."""
        yield Static(id="title", markup=False)
        yield Static(id="preview", markup=False)
        yield Static(id="warnings", markup=False)
        yield Static(id="scope", markup=False)
        yield Static(id="word", markup=False)

    def on_mount(self) -> None:
        """Arm; the guard counts keys only from after the first frame."""
        app = self.console_app
        self._guard = Guard(app.desk.settings.console.confirm_word, app.event_time())
        app.warm()
        self.tick()
        self.call_after_refresh(self._first_frame)

    def _first_frame(self) -> None:
        if self._guard is not None:
            self._guard.painted = self.console_app.event_time()

    # Keys

    def on_key(self, event: events.Key) -> None:
        """Letters build the word; before the first one, scope keys narrow the scope."""
        event.stop()
        event.prevent_default()
        guard = self._guard
        if guard is None:
            return
        if event.key == "escape":
            self.dismiss()
            return
        if event.key == "enter":
            self._said(guard.enter(event.time))
        elif event.key == "backspace":
            guard.backspace(event.time)
        elif event.character and event.is_printable:
            command = self.console_app.keymap.command_for(event.key, Where.ARMED)
            if command is not None and command.where is Where.ARMED and not guard.typed:
                if guard.touch(event.time):
                    self._narrow(command.id)
            else:
                self._said(guard.letter(event.character, event.time))
        self.tick()

    def on_paste(self, event: events.Paste) -> None:
        """A pasted word is no typed word."""
        event.stop()
        if self._guard is not None:
            self._said(self._guard.paste())
            self._note = "pasted text does not count; type the word"
        self.tick()

    def _said(self, said: Said) -> None:
        word = self._guard.word if self._guard else ""
        self._note = {
            Said.WRONG: f"that is not {word}; type it again",
            Said.AGAIN: "press Enter again",
        }.get(said, "")
        if said is Said.FIRE:
            self.console_app.fire(self._scope)

    def _narrow(self, command_id: str) -> None:
        raw = {name: list(values) for name, values in self._scope.raw.items()}
        scope = replace(self._scope, keys=None)
        if command_id == "scope_all":
            self._scope = Scope(raw={})
            return
        if command_id == "scope_venue":
            value = _after(raw.get("venue", []), [str(name) for name in self.console_app.desk.slots])
            raw["venue"] = value
            self._scope = replace(scope, venues=fold(value), raw=raw)
        elif command_id == "scope_symbol":
            value = _after(raw.get("symbol", []), self._symbols())
            raw["symbol"] = value
            self._scope = replace(scope, symbols=fold(value), raw=raw)
        elif command_id in ("scope_buys", "scope_sells"):
            side = Side.BUY if command_id == "scope_buys" else Side.SELL
            raw["side"] = [side.value]
            self._scope = replace(scope, sides=frozenset({side}), raw=raw)
        elif command_id == "keep_protective":
            self._scope = replace(self._scope, keep_protective=not self._scope.keep_protective)
        elif command_id == "widen":
            self._scope = Scope(venues=self._scope.venues, raw={"venue": raw.get("venue", [])})
        else:
            keys = self._marked if command_id == "scope_marked" else self._filtered
            if not keys:
                self._note = "no order is marked" if command_id == "scope_marked" else "no order is shown"
                return
            self._scope = Scope(keys=keys, raw={})

    def _symbols(self) -> list[str]:
        slots = self.console_app.desk.slots.values()
        found = {order.symbol.raw for slot in slots for order in slot.book.orders() if order.symbol}
        return sorted(found)

    # Paint

    def tick(self) -> None:
        """Paint the preview from what the lists hold now; lapse when the time is up."""
        app, guard = self.console_app, self._guard
        if guard is None or not self.is_mounted:
            return
        now = app.event_time()
        if guard.lapsed(now):
            app.say("arming lapsed; nothing was sent")
            self.dismiss()
            return
        found = [
            preview(
                slot.name, slot.book.orders(), self._scope, slot.venue.capabilities if slot.venue else None
            )
            for slot in app.desk.slots.values()
            if self._scope.venue_in(slot.name)
        ]
        width = self.size.width
        mode = lines.mode_of(app.desk)
        title = Text.assemble((f" {mode} ", lines.MODES[mode]), (" ARMED  ", "bold"))
        title.append(f"cancel {app.scope_words(self._scope)} on {len(found)} venues", "bold")
        self._show("#title", lines.spread(title, Text(f"lapses in {guard.left(now):.0f} s"), width))
        self._show("#preview", self._preview(found))
        self._show("#warnings", self._warnings(found))
        keys = [one for one in app.keymap.hints(Where.ARMED) if one[1] != "KILL"]
        self._show("#scope", Text("scope  ", "bold") + lines.hints(keys, width - 8))
        word = Text.assemble("Type  ", (guard.word, "bold reverse"), "  and press Enter:  ")
        word.append(guard.typed, "bold").append("▌")
        if app.read_only:
            word = Text("READ-ONLY: nothing that cancels will run", "bold reverse")
        word.append(f"   {self._note}\n\n" if self._note else "\n\n", "bold yellow")
        word.append("Esc back: nothing has been sent", "dim")
        self._show("#word", word)

    def _show(self, selector: str, text: Text) -> None:
        self.query_one(selector, Static).update(text)

    def _preview(self, found: list[VenuePreview]) -> Text:
        desk = self.console_app.desk
        now = desk.clock.monotonic()
        rows = []
        for one in found:
            slot = next(slot for slot in desk.slots.values() if slot.name == one.venue)
            age = "never" if slot.listed_at is None else age_text(now - slot.listed_at)
            doubt = "" if slot.complete and slot.state_at(now).value == "live" else "?"
            how = "cancel-all" if one.native else "one by one"
            if slot.venue is None:
                how = "locked: cannot be asked"
            took = "?" if one.seconds is None or doubt else f"{one.seconds:.0f} s"
            protective = "–" if not one.protective else f"{one.protective} go"
            rows.append(
                (one.venue, f"{one.orders}{doubt}", str(one.buys), str(one.sells), protective, age, how, took)
            )
        head = ("VENUE", "OPEN", "BUY", "SELL", "PROTECTIVE", "LIST", "HOW", "ABOUT")
        text = Text("\n".join(table(head, rows, frozenset({1, 2, 3, 4, 5, 7}))), no_wrap=True)
        totals: dict[str, Decimal] = {}
        for one in found:
            for quote, value in (one.notional or {}).items():
                totals[quote] = totals.get(quote, Decimal(0)) + value
        unpriced = sum(one.unpriced for one in found)
        words = [f"{quote} {value:,.2f}" for quote, value in sorted(totals.items())]
        if unpriced:
            words.append(f"{unpriced} without a price")
        text.append("\n\nnotional   " + ("   ".join(words) or "none"), "bold")
        return text

    def _warnings(self, found: list[VenuePreview]) -> Text:
        desk = self.console_app.desk
        told: list[str] = []
        for one in found:
            slot = next(slot for slot in desk.slots.values() if slot.name == one.venue)
            if slot.error:
                told.append(f"{one.venue}: {slot.error}")
            if one.protective:
                told.append(
                    f"{one.venue}: {one.protective} stop or take-profit orders go too, "
                    "positions stay open; p keeps them"
                )
            if one.wider is not None:
                told.append(
                    f"{one.venue}: slow one by one; w takes its whole cancel-all ({one.wider} orders)"
                )
        for slot in desk.slots.values():
            if self._scope.venue_in(slot.name) and slot.all_blind_spots:
                told.append(f"{slot.name}: cannot be listed: {', '.join(slot.all_blind_spots)}")
        text = Text(overflow="ellipsis", no_wrap=True)
        for line in told[:4]:
            text.append("! ", "bold yellow")
            text.append(literal(line, 200) + "\n")
        return text


def _after(current: list[str], choices: list[str]) -> list[str]:
    """The next choice behind the current one; none after the last."""
    if not choices:
        return []
    if not current:
        return [choices[0]]
    index = choices.index(current[0]) + 1 if current[0] in choices else len(choices)
    return [choices[index]] if index < len(choices) else []
