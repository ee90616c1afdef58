"""The form for one entry: each field hidden, only its size is shown. Whatever leaves the screen wipes it."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.widgets import Static

from cancel_tui.console import lines
from cancel_tui.console.commands import Where
from cancel_tui.console.hidden import Hidden
from cancel_tui.console.keyroom import Entry, KeyState
from cancel_tui.console.screens.base import DeskScreen
from cancel_tui.console.screens.confirm import SETTLE
from cancel_tui.text import literal
from cancel_tui.vault import Strength

_HINTS = [("Enter", "next field"), ("↑", "field before"), ("^U", "empty it"), ("Esc", "throws all away")]


class KeyFormScreen(DeskScreen):
    """Asks for the fields of one set, then once more before anything is stored.

    Enter stores only where the question has stood for a moment: the end of a paste is no consent.
    """

    WHERE: ClassVar[Where] = Where.EVERYWHERE

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self._entry = entry
        self._names = entry.sets[0] if len(entry.sets) == 1 else ()
        """The fields that are asked for; none while it is open which set that is."""
        self._fields = [Hidden() for _ in self._names]
        self._at = 0
        """The field that takes what is typed; behind the last one stands the question."""
        self._asked: float | None = None
        """When the question was painted."""
        self._checking = False
        self._note = ""

    def compose(self) -> ComposeResult:
        """Title, fields, the last remark, keys."""
        yield from self.lines_of("cramped", "title", "banner", "preview", "warnings")
        yield Static(id="space")
        yield from self.lines_of("footer")

    def on_mount(self) -> None:
        """First frame."""
        self.tick()

    def on_unmount(self) -> None:
        """However the screen is left, nothing of what was typed stays."""
        self._wipe()

    def _wipe(self) -> None:
        for one in self._fields:
            one.wipe()

    # Keys

    def on_key(self, event: events.Key) -> None:
        """Everything that is typed is part of a value, but for a few keys."""
        event.stop()
        event.prevent_default()
        if event.key == "escape":
            self._wipe()
            self.dismiss()
            return
        if self._checking:
            return
        self._note = ""
        if not self._names:
            self._choose(event.character or "")
        elif event.key in ("up", "shift+tab"):
            self._go(max(0, self._at - 1))
        elif self._at == len(self._names):
            if event.key == "enter" and self._asked is not None and event.time > self._asked + SETTLE:
                self._store()
        else:
            self._type(event, self._fields[self._at])
        if self.is_current:
            self.tick()

    def _choose(self, digit: str) -> None:
        if digit in {str(number) for number in range(1, len(self._entry.sets) + 1)}:
            self._names = self._entry.sets[int(digit) - 1]
            self._fields = [Hidden() for _ in self._names]

    def _type(self, event: events.Key, field: Hidden) -> None:
        if event.key in ("enter", "tab", "down"):
            if event.key == "enter" and field.open_armour:
                field.add("\n")
            elif not field.reveal().strip():
                self._note = f"{self._names[self._at]} is empty: type or paste its value"
            else:
                self._go(self._at + 1)
        elif event.key == "backspace":
            field.back()
        elif event.key == "ctrl+u":
            field.wipe()
        elif event.character and event.is_printable:
            self._add(event.character)

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is the value, all its lines."""
        event.stop()
        event.prevent_default()
        if self._names and self._at < len(self._names) and not self._checking:
            self._note = ""
            self._add(event.text)
        else:
            self._note = "pasted text goes into a field only; it was thrown away"
        self.tick()

    def _add(self, text: str) -> None:
        if not self._fields[self._at].add(text):
            self._note = "that is too long for a key: nothing of it was kept; check what was pasted"

    def _go(self, at: int) -> None:
        self._at, self._asked = at, None
        if at == len(self._names):
            self.call_after_refresh(self._first_frame)

    def _first_frame(self) -> None:
        self._asked = self.console_app.event_time()

    @property
    def ready(self) -> bool:
        """Whether Enter stores."""
        return self._asked is not None and self.console_app.event_time() > self._asked + SETTLE

    # Storing

    def _store(self) -> None:
        self._checking = True
        typed = {name: field.reveal() for name, field in zip(self._names, self._fields, strict=True)}
        task = self.console_app.keyroom.check_form(self._entry, typed)
        task.add_done_callback(lambda _: self._checked(task.result()) if not task.cancelled() else None)

    def _checked(self, found: object) -> None:
        """The form was looked at: store what was found good, or say what is wrong."""
        if not self.is_attached or not self.is_current:
            # Left meanwhile: what was thrown away is not stored.
            return
        if isinstance(found, dict):
            self.console_app.keyroom.store(self._entry, found)
            self._wipe()
            self.dismiss()
            return
        self._checking, self._note = False, f"{found}; nothing was stored"
        self._go(next((at for at, name in enumerate(self._names) if str(found).startswith(name)), 0))
        self.tick()

    # Paint

    def paint(self) -> None:
        """Draw the fields by their size."""
        width, room = self.size.width, self.console_app.keyroom
        replaces = room.state(self._entry) is KeyState.STORED
        words = f" {'Replace' if replaces else 'Set'} credentials {literal(self._entry.name, 40)}"
        title = Text.assemble(lines.mode_mark(self.console_app.desk), (words, "bold"))
        used = Text(f"used by {', '.join(one.name for one in self._entry.venues)}")
        self.show("title", lines.spread(title, used, width))
        banner = self.banner()
        self.show("banner", banner, when=bool(banner.plain))
        self.show("preview", self._form())
        told = self._warning()
        self.show("warnings", told, when=bool(told.plain))
        self.show("footer", lines.hints(self._hints(), width))

    def _hints(self) -> list[tuple[str, str]]:
        if not self._names:
            return _HINTS[-1:]
        first = ("Enter", "stores it") if self._at == len(self._names) else _HINTS[0]
        return [first, *_HINTS[1:]]

    def _form(self) -> Text:
        text = Text()
        if not self._names:
            text.append("What is it?\n\n", "bold")
            for number, names in enumerate(self._entry.sets, 1):
                text.append(f"  {number}", "bold").append(f"  {' and '.join(names)}\n")
            text.rstrip()
            return text
        wide = max(len(name) for name in self._names)
        for index, (name, field) in enumerate(zip(self._names, self._fields, strict=True)):
            here = index == self._at
            text.append(f"{'▸' if here else ' '} {name.ljust(wide)}  ", "bold" if here else "")
            text.append(f"{field.shape}{' ▌' if here else ''}\n")
        if self._checking:
            text.append("\nlooking at its form …")
        elif self._at == len(self._names):
            backend = self.console_app.keyroom.backend
            where = f" in {literal(backend.name, 60)}" if backend else " in the keyring"
            text.append("\nEnter", "bold").append(f" stores it{where}")
        else:
            whole = " the whole PEM, all its lines" if self._names[self._at] == "private_key" else ""
            text.append(f"\ntype or paste{whole}; it is not shown", "dim")
        return text

    def _warning(self) -> Text:
        backend = self.console_app.keyroom.backend
        if self._note:
            return self._wrapped(self._note)
        if backend and backend.warning and backend.strength is not Strength.SYSTEM:
            return self._wrapped(f"! {backend.warning}")
        return Text()

    def _wrapped(self, words: str) -> Text:
        rows = textwrap.wrap(literal(words, 300), max(20, self.size.width - 2), subsequent_indent="  ")
        return Text("\n".join(rows), lines.DOUBT)

    def in_short(self) -> Text:
        """What is asked for, by its size."""
        return Text("credentials: needs a\nlarger terminal; Esc\nthrows them away")
