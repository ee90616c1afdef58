"""Armed: what would happen, on one screen even at 80×24, and the guard before it does."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.widgets import Static

from cancel_tui.console import lines
from cancel_tui.console.arming import (
    EVERYTHING,
    Choice,
    Previews,
    narrowed,
    scope_words,
    switched_off,
    warnings,
)
from cancel_tui.console.commands import BY_ID, Where
from cancel_tui.console.edges import WHY_READ_ONLY
from cancel_tui.console.guard import Guard, Said
from cancel_tui.console.screens.base import DeskScreen
from cancel_tui.desk.preview import VenuePreview
from cancel_tui.desk.report import uncovered_words
from cancel_tui.desk.unfinished import Unfinished
from cancel_tui.orders import OrderKey
from cancel_tui.scope import Scope
from cancel_tui.text import literal, table

_FRAME = 14
"""Rows of the screen that are neither venues nor warnings."""
_TIGHT = 3
"""Rows for venues and warnings below which the scope keys are not shown: the word always is."""
_SCOPE = 3
"""Rows of the scope keys."""
_TITLE = 24
"""Columns of the title that are neither the environment nor what would go."""
_DEEDS = {Said.WRONG: "wrong", Said.AGAIN: "too_soon", Said.FIRE: "fired"}
"""What a drill notes of the guard's answers."""
_ALL_COLUMNS = 72
"""Columns of the screen below which buys and sells are not told apart."""


class ArmScreen(DeskScreen):
    """First stage of the kill: preview, scope, word. Nothing is sent from here until the guard says so."""

    COVERS = True
    WHERE: ClassVar[Where] = Where.ARMED

    def __init__(
        self, marked: frozenset[OrderKey], shown: frozenset[OrderKey], case: Unfinished | None = None
    ) -> None:
        super().__init__()
        self._choice = Choice(marked, shown)
        self._scope = Scope(raw={}) if case is None else case.scope()
        self.case = case
        """The kill of an earlier process that the word would finish; its scope is fixed."""
        self._hold = False
        self._note = ""
        self._guard: Guard | None = None
        self._told_lapse = False
        self._previews = Previews()
        self._seen: list[VenuePreview] = []
        """The preview as it was last painted."""

    def compose(self) -> ComposeResult:
        """Title, preview, warnings, scope keys, the word."""
        yield from self.lines_of("cramped", "title", "banner", "preview", "warnings")
        yield Static(id="space")
        yield from self.lines_of("scope", "word", "footer")

    def on_mount(self) -> None:
        """Arm."""
        self.rearm()

    @property
    def scope(self) -> Scope:
        """What the word would fire at."""
        return self._scope

    @property
    def ready(self) -> bool:
        """Whether the first frame stands, so that keys count."""
        return self._guard is not None and self._guard.painted is not None

    @property
    def lapsed(self) -> bool:
        """Whether nothing can be fired from here any more."""
        return self._guard is not None and self._guard.lapsed(self.console_app.event_time())

    def rearm(self) -> None:
        """Start the guard anew; it counts keys only from after the next frame."""
        app = self.console_app
        self._guard = Guard(app.desk.settings.console.confirm_word, app.event_time())
        self._note, self._told_lapse = "", False
        app.warm()
        self.tick()
        self.call_after_refresh(self._first_frame)

    def _first_frame(self) -> None:
        if self._guard is not None and self._guard.painted is None:
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
                    if event.character.casefold() == guard.word[:1].casefold():
                        self._note = f"{event.character} is a scope key; {guard.word} is typed as it is shown"
            else:
                self._said(guard.letter(event.character, event.time))
        if self.is_current:
            self.tick()

    def on_paste(self, event: events.Paste) -> None:
        """A pasted word is no typed word."""
        event.stop()
        if self._guard is not None:
            self._guard.paste()
            self._note = "pasted text does not count; type the word"
            self.console_app.deed("pasted")
        self.tick()

    def _said(self, said: Said) -> None:
        word = self._guard.word if self._guard else ""
        self._note = {
            Said.WRONG: f"that is not {word}; type it again",
            Said.AGAIN: "press Enter again",
        }.get(said, "")
        deed = _DEEDS.get(said)
        if deed is not None:
            self.console_app.deed(deed)
        if said is Said.LETTER and self._guard is not None and self._guard.whole:
            self.console_app.deed("word")
        if said is Said.FIRE:
            self.console_app.fire(self._scope, hold=self._hold, seen=self._seen, case=self.case)

    def run_command(self, command_id: str) -> bool:
        """A scope command from the palette or by a click; it counts under the same guard as its key."""
        guard = self._guard
        if BY_ID[command_id].where is not Where.ARMED:
            return False
        if guard is not None and guard.typed:
            self._note = "the word is being typed; Esc, or Backspace, then the scope"
        elif guard is not None and guard.touch(self.console_app.event_time()):
            self._narrow(command_id)
        self.tick()
        return True

    def _narrow(self, command_id: str) -> None:
        if command_id == "hold_after":
            self._hold = not self._hold
            return
        if self.case is not None:
            self._note = "a kill that is resumed keeps its scope"
            return
        found = narrowed(command_id, self._scope, self._choice, self.console_app.ledger)
        if isinstance(found, str):
            self._note = found
        else:
            self._scope, self._note = found, ""

    # Paint

    def paint(self) -> None:
        """Draw the preview from what the lists hold now."""
        app, guard, width = self.console_app, self._guard, self.size.width
        if guard is None:
            return
        found = self._seen = self._previews.of(app.ledger, self._scope)
        banner = self.banner()
        free = self.size.height - _FRAME - bool(banner.plain) - self.alarmed
        tight = free < _TIGHT
        free += _SCOPE * tight
        listed = min(len(found), 5) + bool(switched_off(app.ledger, self._scope))
        told = warnings(app.ledger, self._scope, found, width, rows=max(1, free - listed))
        room = free - (told.plain.count("\n") + 1 if told.plain else 0)
        self.show("title", self._title(found, width))
        self.show("banner", banner, when=bool(banner.plain))
        self.show("preview", self._preview(found, max(2, room), width))
        self.show("warnings", told, when=bool(told.plain))
        pairs = [one for one in app.keymap.hints(Where.ARMED) if one[1] != "KILL"]
        self.show(
            "scope", Text.assemble(("scope  ", "bold"), lines.hint_rows(pairs, width - 7, 7)), when=not tight
        )
        self.show("word", self._word())
        self.show("footer", lines.hints([("Esc", "back: nothing has been sent")], width))

    def in_short(self) -> Text:
        """Scope, count and word, in four short lines."""
        found = self._previews.of(self.console_app.ledger, self._scope)
        total = sum(one.orders for one in found)
        text = Text.assemble(lines.mode_mark(self.console_app.desk), (" ARMED", "bold"))
        text.append(f"\n{total} orders, {lines.plural(len(found), 'venue')}\n")
        off = uncovered_words(switched_off(self.console_app.ledger, self._scope))
        text.append(f"{off}\n" if off else "", lines.DOUBT)
        return text.append_text(self._word(short=True)).append("\nEsc back")

    def tick(self) -> None:
        """Say once that the time is up."""
        if self.lapsed and not self._told_lapse:
            self._told_lapse = True
            self.console_app.say("arming lapsed; nothing was sent")
            self.console_app.deed("lapsed")
        super().tick()

    def _title(self, found: list[VenuePreview], width: int) -> Text:
        app, guard = self.console_app, self._guard
        total = sum(one.orders for one in found)
        slots = [slot for slot in app.desk.slots.values() if self._scope.venue_in(slot.name)]
        doubt = "" if all(slot.complete for slot in slots) else "?"
        words = f"cancel {total}{doubt} order{'s' * (total != 1)} on {lines.plural(len(found), 'venue')}"
        narrow = scope_words(self._scope)
        words += "" if narrow == EVERYTHING else f": {narrow}"
        words = words if self.case is None else f"resume {self.case.kill_id[:6]}: {words}"
        words += ", hold flat" if self._hold else ""
        mark = lines.mode_mark(app.desk, width - cell_len(words) - _TITLE)
        left = Text.assemble(mark, (" ARMED  ", "bold"), (words, "bold"))
        if guard is None or self.lapsed:
            return lines.spread(left, Text("LAPSED", "bold reverse"), width)
        return lines.spread(left, Text(f"lapses in {guard.left(app.event_time()):.0f} s"), width)

    def _word(self, *, short: bool = False) -> Text:
        app, guard = self.console_app, self._guard
        if guard is None:
            return Text()
        if app.read_only:
            return Text(WHY_READ_ONLY, "bold reverse")
        if self.lapsed:
            chord = app.keymap.hints(Where.EVERYWHERE)[0][0]
            return Text(f"LAPSED: nothing was sent; {chord} arms again", lines.DOUBT)
        told = ("Type ", ": ") if short else ("Type  ", "  and press Enter:  ")
        word = Text.assemble(told[0], (guard.word, "bold reverse"), told[1], (guard.typed, "bold"), "▌")
        if self._note:
            word.append(f"  {self._note}", lines.DOUBT)
        return word

    def _preview(self, found: list[VenuePreview], room: int, width: int) -> Text:
        ledger = self.console_app.ledger
        rows = [lines.preview_row(ledger, one) for one in found]
        off = switched_off(ledger, self._scope)
        room -= bool(off)
        if len(rows) > room:
            rest = found[room - 1 :]
            rows = rows[: room - 1]
            sums = (
                sum(one.orders for one in rest),
                sum(one.buys for one in rest),
                sum(one.sells for one in rest),
            )
            rows.append((f"… {len(rest)} more", *map(str, sums), "", "", "", ""))
        if off:
            name = literal(off[0], 14) if len(off) == 1 else lines.plural(len(off), "venue")
            rows.append((name, *"?????", "OFF: not covered", "–"))
        head = ["VENUE", "OPEN", "BUY", "SELL", "PROTECTIVE", "LIST", "HOW", "ABOUT"]
        lines_of = [head, *(list(row) for row in rows)]
        if width < _ALL_COLUMNS:
            lines_of = [row[:2] + row[4:] for row in lines_of]
        right = frozenset(range(1, len(lines_of[0]))) - {len(lines_of[0]) - 2}
        text = Text("\n".join(table(lines_of[0], lines_of[1:], right)))
        text.append("\n\n")
        return text.append_text(lines.notional(found, width))
