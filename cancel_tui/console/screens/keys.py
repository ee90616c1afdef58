"""Credentials: what is stored for which venues, in which keyring; never a value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.text import Text

from cancel_tui.console import lines
from cancel_tui.console.commands import Where
from cancel_tui.console.keyroom import Entry, KeyRoom, KeyState
from cancel_tui.console.screens.ask import AskScreen
from cancel_tui.console.screens.keyform import KeyFormScreen
from cancel_tui.console.screens.listing import ListScreen
from cancel_tui.text import literal

_NAME = 24
"""Characters of an entry's name in the list."""


class KeysScreen(ListScreen):
    """One row for each entry of the keyring."""

    WHERE: ClassVar[Where] = Where.KEYS

    def on_mount(self) -> None:
        """Ask the keyring; the screen stands before it answers."""
        self.room.refresh()
        super().on_mount()

    @property
    def room(self) -> KeyRoom:
        """Where it is known and done."""
        return self.console_app.keyroom

    @property
    def entry(self) -> Entry | None:
        """The entry under the cursor."""
        return next((one for one in self.room.entries if one.name == self.chosen), None)

    # What it says

    def names(self) -> Sequence[str]:
        """The entries."""
        return [one.name for one in self.room.entries]

    def headline(self) -> Text:
        """Which screen this is."""
        return Text.assemble(lines.mode_mark(self.console_app.desk), (" Credentials", "bold"))

    def columns(self) -> Sequence[str]:
        """Titles of the columns."""
        return ("ENTRY", "STATE", "USED BY", "KIND")

    def row(self, name: str) -> Sequence[str]:
        """One entry."""
        entry = next(one for one in self.room.entries if one.name == name)
        state = self.room.doing(entry) or self.room.state(entry).value
        kinds = entry.kinds[0] if len(entry.kinds) == 1 else lines.plural(len(entry.kinds), "kind")
        used = ", ".join(one.name for one in entry.venues)
        return (literal(name, _NAME), state, literal(used, 36), kinds)

    def below(self) -> Iterable[tuple[str, str]]:
        """What the chosen entry needs, how its venues stand, the keyring and its warnings."""
        entry = self.entry
        if entry is None:
            yield "no venue is configured, so there is nothing to store: V shows how to add one", ""
        else:
            yield from self._about(entry)
        yield "", ""
        backend = self.room.backend
        if self.room.asking and backend is None:
            yield "asking the keyring; it may be showing a prompt", ""
        elif backend is not None:
            named = ", named by you" if backend.explicit else ""
            yield f"keyring  {literal(backend.name, 80)} ({backend.strength.value}{named})", ""
            if backend.warning:
                yield f"! {literal(backend.warning, 200)}", lines.DOUBT
        if self.room.trouble:
            yield f"! {literal(self.room.trouble, 300)}", lines.DOUBT

    def _about(self, entry: Entry) -> Iterable[tuple[str, str]]:
        name = literal(entry.name, 40)
        if entry.practice:
            yield f"{name}: throw-away keys from the practice server; nothing is stored", ""
        elif entry.sets:
            yield f"{name} needs {entry.needs}", "bold"
        else:
            yield f"{name}: its kinds have no fields in common: give each a `credentials`", lines.DOUBT
        for told in self.room.told.get(entry.name, []):
            yield f"  {literal(told, 300)}", lines.DOUBT if "FAILS" in told else ""

    # Commands

    def run_command(self, command_id: str) -> bool:
        """Carry out a command of this screen."""
        entry = self.entry
        if command_id == "keys_back":
            self.dismiss()
        elif command_id == "keys_unlock":
            self.room.unlock()
        elif entry is None:
            self.console_app.refuse("no venue is configured: V shows how to add one")
        elif command_id == "keys_test":
            self.room.test(entry)
        elif command_id in ("keys_set", "keys_delete"):
            why = self.room.why_not(entry)
            if why:
                self.console_app.refuse(why)
            elif command_id == "keys_set":
                self.app.push_screen(KeyFormScreen(entry))
            elif self.room.state(entry) is KeyState.MISSING:
                self.console_app.refuse(f"nothing is stored under {entry.name}")
            else:
                self._delete(entry)
        else:
            return False
        return True

    def _delete(self, entry: Entry) -> None:
        used = ", ".join(one.name for one in entry.venues)
        consequences = [
            f"Used by {used}.",
            "They go on with what they hold until cancel-tui ends; after that they are locked.",
        ]
        question = f"Delete the credentials {literal(entry.name, 40)} from the keyring?"
        self.app.push_screen(
            AskScreen(question, consequences, "deletes them", lambda: self.room.delete(entry))
        )
