"""Practice, test and live differ in word and pattern, also without colour and in ASCII."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from cancel_tui.console.edges import READ_ONLY, dressed, fill_of, rule

MODES = ("PRACTICE", "TEST", "LIVE")
modes = st.sampled_from(MODES)


@given(modes, st.integers(0, 300), st.booleans(), st.booleans())
def test_a_rule_is_as_wide_as_asked_and_cuts_no_word(
    mode: str, width: int, read_only: bool, ascii_only: bool
) -> None:
    told = rule(mode, width, read_only=read_only, ascii_only=ascii_only)
    assert len(told) == width
    assert set(told.replace(fill_of(mode, ascii_only), " ").split()) <= {mode, READ_ONLY}
    if width >= 56:
        assert told.count(mode) >= (1 if read_only else 2)
        assert (READ_ONLY in told) == read_only
    assert told.isascii() or not ascii_only


@pytest.mark.parametrize("ascii_only", [False, True])
def test_every_environment_has_a_pattern_of_its_own(ascii_only: bool) -> None:
    assert len({fill_of(mode, ascii_only) for mode in MODES}) == len(MODES)


@given(
    modes,
    st.text("ab ", max_size=60),
    st.text("cd", max_size=12),
    st.integers(56, 160),
    st.booleans(),
    st.booleans(),
)
def test_the_first_line_names_the_environment_and_keeps_what_stands_at_its_right(
    mode: str, left: str, right: str, width: int, marked: bool, read_only: bool
) -> None:
    mark = Text(f" {mode} ", "bold")
    told = f"{mark.plain if marked else ''}{left}"
    room = width - len(told) - len(right)
    if room < 26:
        return
    text = Text(told + " " * room + right)
    shown = dressed(text, mark, width, mode, read_only=read_only)
    assert shown.plain.count(mode) == 1
    assert (READ_ONLY in shown.plain) == read_only
    assert cell_len(shown.plain) == width
    assert shown.plain.endswith(right)
