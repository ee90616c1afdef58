"""Venue bytes: read exactly, or refused as unreadable; never an exception of another kind."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isnan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.redaction import Secret
from cancel_tui.text import VenueText
from cancel_tui.venues import decode as d

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)
ROWS = st.dictionaries(st.sampled_from(["a", "b", "message", "error", "errors", "code"]), JSON)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_unreadable(body: bytes) -> None:
    try:
        d.decode(body)
    except d.Unreadable:
        return


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**15), max_value=10**15))
def test_numbers_keep_every_digit(value: Decimal) -> None:
    text = format(value, "f")
    read = d.decode(f'{{"x":{text}}}'.encode())["x"]
    assert format(read, "f") == text
    assert not isinstance(read, float)


def test_numbers_with_an_exponent_and_large_ones_are_exact() -> None:
    assert d.decode(b'{"x":1e-8}')["x"] == Decimal("0.00000001")
    assert d.decode(b'{"x":123456789012345678901234567890}')["x"] == 123456789012345678901234567890
    assert d.decode(b"0.1") == Decimal("0.1")


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"<html>",
            b"{",
            b"\xef\xbb\xbf{}",
            b"NaN",
            b'"\xff"',
            b"1e99999999999999999999",
            b"{}{}",
            b"'a'",
        ),
        *(
            b"[" * 100_000,
            b"1" * 6_000,
            b'"\\ud800"',
            b"\x00",
        ),
    ],
)
def test_what_is_no_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(d.Unreadable):
        d.decode(body)


def test_shapes_that_are_not_documented_are_unreadable() -> None:
    values: tuple[object, ...] = (None, [], "x", 1)
    for value in values:
        with pytest.raises(d.Unreadable, match="no object"):
            d.table(value)
    lists: tuple[object, ...] = ({}, "x", [1], [{}, None], 1)
    for value in lists:
        with pytest.raises(d.Unreadable, match="no list"):
            d.rows(value)
    assert d.rows(None) == []
    assert d.rows([{"a": 1}]) == [{"a": 1}]
    assert d.table({"a": 1}) == {"a": 1}


@given(JSON)
def test_shapes_never_raise_anything_else(value: Any) -> None:
    for reader in (d.table, d.rows):
        try:
            reader(value)
        except d.Unreadable:
            continue


@given(ROWS)
def test_fields_of_any_type_are_read_or_none(row: dict[str, Any]) -> None:
    for name in ("a", "b", "c"):
        text = d.text(row, name, "b")
        assert text is None or (isinstance(text, str) and text)
        wrapped = d.wrapped(row, name)
        assert wrapped is None or isinstance(wrapped, VenueText)
        number = d.number(row, name)
        assert number is None or number.is_finite()
        assert d.flag(row, name) in (True, False, None)
        value = row.get(name)
        for seconds in (d.epoch(value, 0.001), d.epoch_guessed(value), d.moment(value)):
            assert seconds is None or not isnan(seconds)


def test_the_first_field_that_says_something_counts() -> None:
    row = {"a": "", "b": None, "c": 7, "d": "x", "e": True, "f": 1.5}
    assert d.text(row, "a", "b", "c", "d") == "7"
    assert d.text(row, "e", "f", "missing") is None
    assert d.number({"a": "x", "b": "1.5"}, "a", "b") == Decimal("1.5")
    assert d.flag({"a": "true"}, "a") is None


@given(st.integers(1_000_000_000, 4_000_000_000))
def test_the_unit_of_a_time_shows_by_its_size(seconds: int) -> None:
    for factor in (1, 10**3, 10**6, 10**9):
        found = d.epoch_guessed(seconds * factor)
        assert found is not None
        assert abs(found - seconds) < 0.001


def test_a_time_of_zero_is_no_time() -> None:
    for value in (0, "0", -1, None, "x", True, Decimal("1e50")):
        assert d.epoch(value, 1.0) is None
        assert d.epoch_guessed(value) is None
    assert d.epoch(1_760_000_000_123, 0.001) == pytest.approx(1_760_000_000.123)


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)),
    st.integers(0, 9),
    st.sampled_from(["Z", "z", "+00:00", "+05:30", "-08:00"]),
)
def test_a_moment_is_read_with_any_number_of_digits(when: datetime, digits: int, zone: str) -> None:
    fraction = f"{when.microsecond:06d}000"[:digits]
    text = when.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if digits else "") + zone
    found = d.moment(text)
    assert found is not None
    sign = -1 if zone[0] == "-" else 1
    offset = timedelta(0)
    if zone[0] in "+-":
        offset = sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
    wanted = (when.replace(microsecond=0, tzinfo=UTC) - offset).timestamp()
    assert 0 <= found - wanted < 1
    if digits >= 3:
        assert found - wanted == pytest.approx(int(fraction[:3]) / 1000, abs=0.0011)


@pytest.mark.parametrize(
    "value",
    [
        *(
            None,
            5,
            "",
            "Z",
            "today",
            "2026-01-02",
            "2026-01-02T03:04:05",
            "2026-13-01T00:00:00Z",
            "\ud800",
            "." * 50,
        ),
        *(
            "0001-01-01T00:00:00+23:59x",
            "2026-01-02T03:04:05.678",
        ),
    ],
)
def test_a_moment_without_a_zone_or_sense_is_none(value: object) -> None:
    assert d.moment(value) is None


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_the_ends_of_the_calendar_do_not_raise(value: str) -> None:
    found = d.moment(value)
    assert found is None or isinstance(found, float)


@given(st.text(max_size=60))
def test_a_moment_never_raises(value: str) -> None:
    found = d.moment(value)
    assert found is None or isinstance(found, float)


# ---------------------------------------------------------------- complaints


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"message": "no"}, "no"),
        ({"msg": "no"}, "no"),
        ({"error": {"message": "no"}}, "no"),
        ({"error": "no", "details": "why"}, "no: why"),
        ({"errors": [{"message": "a"}, {"message": "b"}]}, "a; b"),
        ({"errors": {"price": ["too low"], "qty": ["too high"]}}, "too low; too high"),
        ({"title": "Bad", "status": 400}, "Bad"),
        ({"message": None, "detail": "d"}, "d"),
        ({"code": "E1"}, "E1"),
        (["x", {"msg": "y"}], "x; y"),
        ({"price": ["too low"]}, "too low"),
        ("plain", "plain"),
    ],
)
def test_the_shapes_of_complaints(body: object, wanted: str) -> None:
    found = d.complaint(json.dumps(body).encode())
    assert found is not None
    assert found.raw == wanted


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b"[]", b"null", b"0", b'{"status": 400}'])
def test_a_body_that_says_nothing_is_no_complaint(body: bytes) -> None:
    assert d.complaint(body) is None


def test_a_web_page_is_named_and_not_quoted() -> None:
    found = d.complaint(b"<html><script>x</script>")
    assert found is not None
    assert found.raw == "(a web page)"


def test_a_deep_complaint_does_not_break_the_reader() -> None:
    for body in (b'{"error":' * 700 + b'"x"' + b"}" * 700, b"[" * 700 + b'"x"' + b"]" * 700):
        assert d.complaint(body) is None


@given(
    st.binary(max_size=400)
    | JSON.map(lambda value: json.dumps(value).encode())
    | ROWS.map(str).map(str.encode)
)
def test_a_complaint_never_raises_and_is_short(body: bytes) -> None:
    found = d.complaint(body)
    assert found is None or 0 < len(found.raw) <= 220


@pytest.mark.parametrize("position", [0, 150, 180, 190, 199])
def test_a_secret_that_is_echoed_is_hidden_also_where_the_text_is_cut(position: int) -> None:
    secret = "c0ffee00112233445566778899aabbcc-decode"
    Secret(secret)
    words = "x" * position + secret
    for body in (json.dumps({"message": words}).encode(), words.encode()):
        found = d.complaint(body)
        assert found is not None
        assert "c0ffee" not in found.raw
