"""The one registry of commands: footer, help, palette, keymap and the README's key table come from it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from cancel_tui.console.keynames import CONSENT, FIXED, canonical, character, shown_key
from cancel_tui.settings import SettingsError

__all__ = ["BY_ID", "COMMANDS", "Command", "Guard", "Keymap", "Where", "key_table", "shown_key"]


class Guard(StrEnum):
    """What stands between a key and its effect."""

    NONE = "at once"
    CONFIRM = "after Enter"
    WORD = "after the typed word"


class Where(StrEnum):
    """On which screens a command is at home."""

    GRID = "grid"
    ARMED = "armed"
    BOARD = "board"
    COLUMNS = "columns"
    LOG = "log"
    KEYS = "keys"
    VENUES = "venues"
    EVERYWHERE = "everywhere"


class Command(msgspec.Struct, frozen=True):
    """One thing that a user can do."""

    id: str
    keys: tuple[str, ...]
    """Textual's key names; the first is shown."""
    label: str
    """One or two words for the footer."""
    help: str
    """One sentence."""
    where: Where = Where.GRID
    guard: Guard = Guard.NONE
    cancels: bool = False
    """Whether it sends cancels, so that `--read-only` refuses it."""
    footer: bool = True
    also: tuple[Where, ...] = ()
    """Further screens where its keys work."""

    def at(self, where: Where) -> bool:
        """Whether its keys work on a screen."""
        return where is self.where or where in self.also or self.where is Where.EVERYWHERE


COMMANDS: tuple[Command, ...] = (
    Command("cancel", ("x",), "Cancel", "Cancel the order under the cursor.", cancels=True),
    Command("mark", ("space",), "Mark", "Mark the order under the cursor, or unmark it."),
    Command(
        "cancel_marked",
        ("X",),
        "Cancel marked",
        "Cancel every marked order; without marks, every order that the filter shows.",
        guard=Guard.CONFIRM,
        cancels=True,
    ),
    Command(
        "kill",
        ("ctrl+k", "f12"),
        "KILL",
        "Arm the emergency cancel-all: shows what would go, then asks for the typed word.",
        Where.EVERYWHERE,
        Guard.WORD,
        cancels=True,
    ),
    Command(
        "resume",
        ("R",),
        "Resume",
        "Arm the newest kill that an earlier start left without an end, in its recorded scope.",
        guard=Guard.WORD,
        cancels=True,
        footer=False,
    ),
    Command(
        "filter",
        ("slash",),
        "Filter",
        "Show only orders that pass every word: text, venue: side: symbol: status: type: account: exchange: "
        "id:, age>5m, price<100, and - before any of them for the opposite.",
        also=(Where.LOG,),
    ),
    Command(
        "help",
        ("question_mark", "f1"),
        "Help",
        "Every key and every sign, on one screen.",
        also=(Where.BOARD, Where.LOG, Where.COLUMNS, Where.KEYS, Where.VENUES),
    ),
    Command("sort", ("o",), "Sort", "Sort by the next column."),
    Command("reverse", ("O",), "Reverse", "Turn the sorting round.", footer=False),
    Command("unmark", ("u",), "Unmark", "Take every mark away.", footer=False),
    Command("order", ("enter",), "Details", "Everything about the order under the cursor, and its story."),
    Command("totals", ("t",), "Totals", "Counts and notional per venue, side and symbol."),
    Command(
        "mark_range",
        ("v",),
        "Range",
        "Mark every order from the last mark to the cursor.",
        footer=False,
    ),
    Command("mark_all", ("M",), "Mark all", "Mark every order that the filter shows.", footer=False),
    Command("recent", ("z",), "Recent", "Orders that ended of late, with their ends.", footer=False),
    Command("columns", ("c",), "Columns", "Choose the columns and their order.", footer=False),
    Command("board", ("b",), "Board", "Show the last kill."),
    Command("keys", ("K",), "Keys", "Credentials: what is stored for each venue; set, test, delete."),
    Command("venues", ("V",), "Venues", "The venues: state, budgets, clock; switch one off and on."),
    Command(
        "drill",
        ("D",),
        "Drill",
        "In a drill: show how it went so far, and write its report.",
        footer=False,
    ),
    Command(
        "theme",
        ("T",),
        "Theme",
        "The next theme, for this run; the house one, light, high contrast, mono.",
        footer=False,
    ),
    Command(
        "acknowledge",
        ("a",),
        "Seen",
        "Acknowledge the alarm that is shown; it stays, quietly, until its cause is gone.",
        footer=False,
        also=(Where.BOARD, Where.LOG),
    ),
    Command("log", ("l",), "Log", "Show what happened, newest last.", also=(Where.BOARD,)),
    Command(
        "quit",
        ("ctrl+q",),
        "Quit",
        "Leave; waits for what is under way, and leaves at once when pressed again.",
        Where.EVERYWHERE,
        footer=False,
    ),
    Command("scope_venue", ("v",), "venue", "Narrow the scope to the next venue.", Where.ARMED),
    Command("scope_symbol", ("y",), "symbol", "Narrow the scope to the next symbol.", Where.ARMED),
    Command("scope_buys", ("b",), "buys", "Only buy orders.", Where.ARMED),
    Command("scope_sells", ("s",), "sells", "Only sell orders.", Where.ARMED),
    Command("scope_filter", ("f",), "filter", "Only what the grid's filter shows.", Where.ARMED),
    Command("scope_marked", ("m",), "marked", "Only the marked orders.", Where.ARMED),
    Command("scope_all", ("a",), "all", "Everything again.", Where.ARMED),
    Command(
        "keep_protective",
        ("p",),
        "protective",
        "Keep stop and take-profit orders, or take them again.",
        Where.ARMED,
    ),
    Command(
        "widen",
        ("w",),
        "wider",
        "Take the whole cancel-all of the venues in scope, where that is faster.",
        Where.ARMED,
    ),
    Command("hold_after", ("h",), "hold", "Go on sweeping after flat, until released.", Where.ARMED),
    Command("column_show", ("space",), "Show", "Show the column, or no longer.", Where.COLUMNS),
    Command("column_left", ("less_than_sign",), "Left", "Move the column to the left.", Where.COLUMNS),
    Command("column_right", ("greater_than_sign",), "Right", "Move the column to the right.", Where.COLUMNS),
    Command("column_reset", ("r",), "Default", "The columns that are shown by default.", Where.COLUMNS),
    Command("column_back", ("escape", "enter"), "Back", "Back to the grid.", Where.COLUMNS),
    Command(
        "back",
        ("escape",),
        "Back",
        "Back to the grid; a running kill goes on.",
        Where.BOARD,
        also=(Where.LOG,),
    ),
    Command(
        "hold", ("h",), "Hold flat", "Go on sweeping after flat, until released.", Where.BOARD, cancels=True
    ),
    Command("release", ("r",), "Release", "End the hold.", Where.BOARD),
    Command("details", ("d",), "Details", "What became of each order, the unfinished first.", Where.BOARD),
    Command("export", ("e",), "Export", "Write the report of the kill to a file, as JSON.", Where.BOARD),
    Command(
        "keys_set", ("a",), "Set", "Store credentials, or replace them; what is typed is hidden.", Where.KEYS
    ),
    Command(
        "keys_test", ("t",), "Test", "Send one harmless signed request to each of its venues.", Where.KEYS
    ),
    Command(
        "keys_delete", ("d",), "Delete", "Delete them from the keyring.", Where.KEYS, guard=Guard.CONFIRM
    ),
    Command("keys_unlock", ("u",), "Unlock", "Ask a locked or denied keyring again.", Where.KEYS),
    Command("keys_back", ("escape",), "Back", "Back to where you came from.", Where.KEYS),
    Command(
        "venue_switch",
        ("s",),
        "Off/on",
        "Switch a venue off for this run (not polled, not shown, in no kill), or on again.",
        Where.VENUES,
        guard=Guard.CONFIRM,
    ),
    Command("venue_new", ("n",), "New", "Show the table that a new venue needs.", Where.VENUES),
    Command(
        "venue_practice",
        ("p",),
        "Practice",
        "Open the practice venues, where no venue is configured yet.",
        Where.VENUES,
    ),
    Command("venue_back", ("escape",), "Back", "Back to the grid.", Where.VENUES),
)

BY_ID: Mapping[str, Command] = {command.id: command for command in COMMANDS}


def _own_key(command: Command, written: str) -> str:
    """The key that a configuration wants for a command; raises SettingsError where it cannot be had."""

    def fail(why: str) -> SettingsError:
        return SettingsError(f"[console.keys] {command.id}: {why}")

    try:
        key = canonical(written)
    except ValueError as error:
        raise fail(str(error)) from None
    if key in FIXED and key not in command.keys:
        raise fail(f"{shown_key(key)} moves, edits or leaves on every screen, so it cannot be taken")
    if key in CONSENT and (command.cancels or command.where in (Where.ARMED, Where.EVERYWHERE)):
        raise fail(f"{shown_key(key)} gives consent, so nothing that cancels can have it")
    if command.where is Where.EVERYWHERE and character(key):
        raise fail(
            f"{shown_key(key)} is typed into inputs and into the confirm word; "
            "what works on every screen needs a key that types nothing, such as f9 or ctrl+k"
        )
    return key


class Keymap:
    """The registry with the user's own keys."""

    def __init__(self, own: Mapping[str, str]) -> None:
        self.keys = {command.id: command.keys for command in COMMANDS}
        for command_id, key in own.items():
            if command_id not in BY_ID:
                raise SettingsError(
                    f"[console.keys] {command_id}: no such command; there are {', '.join(sorted(BY_ID))}"
                )
            self.keys[command_id] = (_own_key(BY_ID[command_id], key),)
        seen: dict[tuple[Where, str], str] = {}
        for command in COMMANDS:
            for key in self.keys[command.id]:
                for room in (one for one in Where if command.at(one)):
                    other = seen.setdefault((room, key), command.id)
                    if other != command.id:
                        raise SettingsError(f"[console.keys] {command.id}: {key} is the key of {other}")

    def command_for(self, key: str, where: Where) -> Command | None:
        """The command of a key on a screen."""
        for command in COMMANDS:
            if command.at(where) and key in self.keys[command.id]:
                return command
        return None

    def offered(self, shown: str, where: Where) -> Command | None:
        """The command whose key a footer shows so."""
        for command in COMMANDS:
            if command.at(where) and shown_key(self.keys[command.id][0]) == shown:
                return command
        return None

    def check_word(self, word: str) -> None:
        """Raise SettingsError for a confirm word whose first letter would narrow the scope instead."""
        taken = {key: one for one in COMMANDS if one.where is Where.ARMED for key in self.keys[one.id]}
        if word[:1] in taken:
            letters = " ".join(sorted(map(shown_key, taken)))
            raise SettingsError(
                f"[console] confirm_word: {word} begins with {word[0]}, on the armed screen the key of "
                f"{taken[word[0]].id}; no word may begin with one of {letters}"
            )

    def hints(self, where: Where) -> list[tuple[str, str]]:
        """Key and label for the footer of a screen, the most important first."""
        return [
            (shown_key(self.keys[one.id][0]), one.label)
            for one in sorted(COMMANDS, key=lambda one: where is not Where.GRID and one.where is not where)
            if one.footer and one.at(where)
        ]


_PLACES = {
    Where.ARMED: "armed: ",
    Where.BOARD: "kill board: ",
    Where.COLUMNS: "columns: ",
    Where.KEYS: "credentials: ",
    Where.VENUES: "venues: ",
}


def key_table() -> list[str]:
    """The README's table of keys, in Markdown."""
    lines = ["| Key | Does | Guard |", "|---|---|---|"]
    for one in COMMANDS:
        keys = ", ".join(f"`{shown_key(key)}`" for key in one.keys)
        place = _PLACES.get(one.where, "")
        lines.append(f"| {keys} | {place}{one.help} | {one.guard.value} |")
    return lines
