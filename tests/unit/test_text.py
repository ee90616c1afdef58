"""Foreign text: nothing that steers a terminal comes out, and nothing of the original is lost inside."""

from __future__ import annotations

import pickle
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.text import VenueText, literal, table, venue_text

# Every code point there is, weighted towards the dangerous categories.
HOSTILE = st.text(
    st.characters() | st.characters(categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"]), max_size=500
)
FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
MARKS = {"Mn", "Me"}


def steers(text: str) -> list[str]:
    return [char for char in text if unicodedata.category(char) in FORBIDDEN]


@given(HOSTILE)
def test_nothing_that_steers_a_terminal_comes_out(raw: str) -> None:
    shown = str(VenueText(raw))
    assert not steers(shown)
    assert len(shown) <= 400
    assert f"{VenueText(raw)}" == shown
    assert not steers(repr(VenueText(raw)))


@given(HOSTILE, st.integers(1, 60))
def test_a_text_is_cut_to_the_length_that_is_asked_for(raw: str, longest: int) -> None:
    shown = literal(raw, longest)
    assert len(shown) <= longest
    assert len(shown) == min(len(raw), longest)
    assert not steers(shown)
    assert not any(unicodedata.category(char) in MARKS for char in shown)


@given(HOSTILE)
def test_what_was_made_literal_stays_as_it_is(raw: str) -> None:
    once = literal(raw)
    assert literal(once) == once


@given(HOSTILE)
def test_the_venues_own_text_is_kept_for_comparison(raw: str) -> None:
    assert VenueText(raw).raw == raw


@pytest.mark.parametrize(
    "raw",
    [
        *("\x1b[31m", "\x1b]8;;http://x\x07", "\u202eabc", "\u2066", "\u200b", "\ufeff", "\x9b1m", "\r"),
        *("\x00", "\u2028", "\u2029", "\ue000", "\ud800", "\U000e0041", "\u00ad", "\u061c", "\t"),
    ],
)
def test_known_attacks_are_disarmed(raw: str) -> None:
    assert "\N{MIDDLE DOT}" in literal(raw)
    assert not steers(literal(raw))


def test_a_line_end_becomes_a_space() -> None:
    assert literal("a\nb") == "a b"


def test_ordinary_text_is_untouched() -> None:
    for text in ("BTC/INR", "Ungültig: Größe", "注文が拒否されました", "[bold]x[/bold]", "", " "):
        assert literal(text) == text


def test_it_is_no_string_that_could_slip_into_markup() -> None:
    assert not isinstance(VenueText("[red]x"), str)


def test_emptiness_sameness_and_equality() -> None:
    assert not VenueText("")
    assert VenueText("x")
    assert VenueText("OPEN").same("open")
    assert not VenueText("OPEN").same("opened")
    assert VenueText("a") == VenueText("a")
    assert pickle.loads(pickle.dumps(VenueText("a"))) == VenueText("a")


@pytest.mark.parametrize(("raw", "wanted"), [(None, None), ("", None), ("x", "x"), (7, "7"), (True, "True")])
def test_wrapping_what_a_venue_sent(raw: object, wanted: str | None) -> None:
    found = venue_text(raw)
    assert (found.raw if found else None) == wanted


def test_a_table_keeps_its_columns_beside_wide_characters_and_marks_without_a_width() -> None:
    lines = table(("A", "B"), [("注文", "1"), ("e\u0301x", "2"), ("plain", "3")])
    assert lines == ["A      B", "注文   1", "e·x    2", "plain  3"]
