"""Keys from the configuration: what is taken, what is refused and in which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.console.commands import BY_ID, COMMANDS, Keymap, Where
from cancel_tui.console.help_text import help_text
from cancel_tui.console.keynames import canonical, character, shown_key
from cancel_tui.settings import SettingsError


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("x", "x"),
        ("X", "X"),
        ("/", "slash"),
        (" ", "space"),
        ("F9", "f9"),
        ("^K", "ctrl+k"),
        ("Ctrl+K", "ctrl+k"),
        ("Delete", "delete"),
        ("Esc", "escape"),
        ("alt+x", "alt+x"),
        ("ctrl+m", "enter"),
    ],
)
def test_a_key_may_be_written_as_a_person_would(written: str, key: str) -> None:
    assert canonical(written) == key
    assert canonical(shown_key(key)) == key


@pytest.mark.parametrize("written", ["", "blah", "f99", "ctrl+shift+k", "xx", "ctrl+", "\x1b"])
def test_a_key_that_does_not_exist_is_refused_with_the_allowed_form(written: str) -> None:
    with pytest.raises(
        SettingsError, match=r"there is no key .* a single character such as x or /, or a name"
    ):
        Keymap({"sort": written})


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ({"sort": "x"}, "x is the key of"),
        ({"sort": "ctrl+k"}, "is the key of"),
        ({"kill": "ctrl+q"}, "ctrl\\+q is the key of"),
        ({"kill": "k"}, "typed into inputs and into the confirm word"),
        ({"quit": "space"}, "typed into inputs"),
        ({"kill": "enter"}, "gives consent"),
        ({"cancel": "enter"}, "gives consent"),
        ({"cancel": "ctrl+m"}, "gives consent"),
        ({"scope_all": "enter"}, "gives consent"),
        ({"sort": "down"}, "moves, edits or leaves"),
        ({"cancel": "esc"}, "moves, edits or leaves"),
        ({"sort": "ctrl+p"}, "moves, edits or leaves"),
        ({"kill": "^C"}, "moves, edits or leaves"),
        ({"nonsense": "n"}, "no such command; there are .*cancel_marked"),
    ],
)
def test_a_conflict_is_refused_and_named(own: dict[str, str], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        Keymap(own)


def test_what_is_free_is_taken() -> None:
    keymap = Keymap({"cancel": "Delete", "sort": "x", "kill": "F9", "scope_all": "e"})
    found = {key: keymap.command_for(key, Where.GRID) for key in ("delete", "x", "f9", "ctrl+k", "o")}
    assert {key: one and one.id for key, one in found.items()} == {
        "delete": "cancel",
        "x": "sort",
        "f9": "kill",
        "ctrl+k": None,
        "o": None,
    }


@pytest.mark.parametrize(
    ("own", "word", "named"),
    [
        ({}, "bye", "b, on the armed screen the key of scope_buys"),
        ({}, "halt", "h, on the armed screen the key of hold_after"),
        ({"scope_venue": "K"}, "KILL", "K, on the armed screen the key of scope_venue"),
    ],
)
def test_a_word_that_begins_with_a_scope_key_is_refused(own: dict[str, str], word: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        Keymap(own).check_word(word)


def test_the_default_word_and_capital_words_are_free() -> None:
    for word in ("KILL", "STOP", "kill", "FLAT"):
        Keymap({}).check_word(word)


names = st.sampled_from(["f9", "delete", "ctrl+g", "alt+x", "5", "Q", "enter", "k", "!", "insert"])


@given(st.dictionaries(st.sampled_from(sorted(BY_ID)), names, max_size=4))
def test_whatever_is_taken_every_key_means_one_command_and_none_eats_the_word(own: dict[str, str]) -> None:
    try:
        keymap = Keymap(own)
    except SettingsError:
        return
    for where in Where:
        at = [(key, one.id) for one in COMMANDS if one.at(where) for key in keymap.keys[one.id]]
        assert len({key for key, _ in at}) == len(at)
    for one in COMMANDS:
        if one.where is Where.EVERYWHERE:
            assert not any(map(character, keymap.keys[one.id]))
        if one.where in (Where.ARMED, Where.EVERYWHERE):
            assert "enter" not in keymap.keys[one.id]


@pytest.mark.parametrize(("width", "height"), [(78, 21), (138, 42), (56, 21), (200, 60), (78, 5)])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_the_help_has_every_key_in_every_layout_and_cuts_nothing(
    width: int, height: int, ascii_only: bool
) -> None:
    keymap = Keymap({})
    parts = [
        (
            where.value,
            [
                (" ".join(map(shown_key, keymap.keys[one.id])), one.label, one.help, one.guard)
                for one in COMMANDS
                if one.where is where
            ],
        )
        for where in Where
    ]
    told = help_text(parts, width, height, ascii_only=ascii_only).plain
    for one in COMMANDS:
        keys = " ".join(map(shown_key, one.keys))
        assert f"{keys} {one.label}" in told or one.help.split()[0] in told, one.id
        assert keys in told
    assert max(map(len, told.splitlines())) <= width
    if (width, height) in ((78, 21), (138, 42)):
        assert len(told.splitlines()) <= height, f"it does not fit on one screen\n{told}"
