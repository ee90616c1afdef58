"""Names of keys as the toolkit knows them, as a person reads them, and as a configuration may write them."""

from __future__ import annotations

import string
from collections.abc import Mapping
from functools import cache

from textual.keys import Keys, _character_to_key

ALLOWED = (
    "a single character such as x or /, or a name such as space, delete, insert, f1 to f24, ctrl+k, alt+x"
)
"""What a key may be called, for a message."""
_MOVING = ("up", "down", "pageup", "pagedown", "home", "end", "tab", "shift+tab")
FIXED = frozenset([*_MOVING, "left", "right", "backspace", "escape", "ctrl+c", "ctrl+p"])
"""Keys that have a meaning of their own on every screen."""
CONSENT = frozenset({"enter"})
"""What gives consent on the armed screen and in every dialog, and ends every input."""
_SHOWN = {"slash": "/", "question_mark": "?", "escape": "Esc", "enter": "Enter"}
_SAME = {"esc": "escape", "return": "enter", "ctrl+m": "enter", "ctrl+j": "enter", "ctrl+i": "tab"}
_NAMED = {one.value for one in Keys if "+" not in one.value and one.value.isalnum()} - {"ignore"}
_MODIFIED = {one.value for one in Keys if "+" in one.value}


@cache
def _characters() -> Mapping[str, str]:
    """What is typed, by the name of its key; no footer waits for the names of all of them."""
    return {_character_to_key(char): char for char in string.printable if char.isprintable()}


def canonical(key: str) -> str:
    """The toolkit's name of a key, from a name or a single character; raises ValueError for no key."""
    if len(key) == 1 and key.isprintable():
        return _character_to_key(key)
    if len(key) == 2 and key[0] == "^":
        key = f"ctrl+{key[1]}"
    name = key.casefold().replace(" ", "")
    name = _SAME.get(name, name)
    modifier, _, last = name.rpartition("+")
    if name in _NAMED or name in _MODIFIED or name in _characters():
        return name
    if modifier in ("ctrl", "alt") and len(last) == 1 and last.isalnum() and last.isascii():
        return name
    raise ValueError(f"there is no key {key!r}; {ALLOWED}")


def character(key: str) -> str:
    """What a key types into an input; empty where it types nothing."""
    return key if len(key) == 1 else _characters().get(key, "")


def shown_key(key: str) -> str:
    """A key as a person reads it."""
    if key.startswith("ctrl+"):
        return f"^{key.removeprefix('ctrl+').upper()}"
    if key[0] == "f" and key[1:].isdecimal():
        return key.upper()
    if key in _SHOWN:
        return _SHOWN[key]
    return key if len(key) == 1 or key == "space" else _characters().get(key, key)
