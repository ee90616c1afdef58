"""Reading venue bytes: JSON straight to Decimal, tolerant of everything but the truth.

Unknown fields, nulls, wrong types and missing lists never raise past this module except as `Unreadable`,
which the adapter turns into `Unanswered`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec

from cancel_tui.orders import amount
from cancel_tui.redaction import redact
from cancel_tui.text import VenueText

_COMBINATIONS = 4096
_WORD = 64
"""Characters of the longest text that may be a word of the venue rather than an id."""
_LATEST = 10**21
"""No time in any unit is as large."""
_UNITS = ((10**17, 1e-9), (10**14, 1e-6), (10**11, 1e-3))
"""From which number on a time is counted in what part of a second."""
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_EXTRACT = 200
_DEEPEST = 8
"""Levels of an error answer that are looked into; deeper ones are not meant for people."""


class Unreadable(Exception):
    """Bytes that are not what the venue documents; the text is ours and holds nothing of theirs."""


def decode(body: bytes | msgspec.Raw) -> Any:
    """JSON with every fractional number as Decimal; raises Unreadable."""
    if not body:
        raise Unreadable("empty body")
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
        raise Unreadable("no readable JSON") from error


def elements(body: bytes | msgspec.Raw) -> list[msgspec.Raw] | None:
    """The elements of a JSON array, none of them decoded; None where it is no array. Raises Unreadable."""
    try:
        return _ELEMENTS.decode(body)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Unreadable("no readable JSON") from error


def unopened(body: bytes | msgspec.Raw, *names: str) -> Any:
    """JSON as `decode` reads it, but for the list under these names, whose elements are not decoded.

    Without names the whole is that list. Where none stands there, nothing is left out. Raises Unreadable.
    """
    if not body:
        raise Unreadable("empty body")
    if not names:
        listed = elements(body)
        return decode(body) if listed is None else listed
    try:
        fields = _FIELDS.decode(body)
    except msgspec.ValidationError:
        return decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Unreadable("no readable JSON") from error
    first, *others = names
    return {
        name: unopened(value, *others) if name == first else decode(value) for name, value in fields.items()
    }


def table(value: Any, what: str = "answer") -> dict[str, Any]:
    """The value if it is a JSON object; raises Unreadable."""
    if not isinstance(value, dict):
        raise Unreadable(f"{what} is no object")
    return value


def rows(value: Any, what: str = "list") -> list[dict[str, Any]]:
    """The value as a list of objects; None counts as empty. One row that is none makes it Unreadable."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise Unreadable(f"{what} is no list of objects")
    return value


def text(row: Mapping[str, Any], *names: str) -> str | None:
    """The first of the fields that holds a non-empty text (or a whole number, as text)."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str):
            if value:
                return value
        elif isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def wrapped(row: Mapping[str, Any], *names: str) -> VenueText | None:
    """The first of the fields that holds a non-empty text, wrapped."""
    value = text(row, *names)
    return None if value is None else shared(value)


def own(row: Mapping[str, Any], name: str) -> VenueText | None:
    """A text that no other row repeats, such as an id, wrapped: it takes no place among the shared ones."""
    value = text(row, name)
    return None if value is None else VenueText(value)


def shared(value: str) -> VenueText:
    """A text, wrapped; the words that nearly every row repeats are wrapped once."""
    return _shared(value) if len(value) <= _WORD else VenueText(value)


class Words:
    """What the words of a row mean, kept by the words: most rows of a list repeat those of another.

    Filled by whoever reads such a row with care; bounded, and emptied when it is full.
    """

    def __init__(self, *names: str) -> None:
        self.names = names
        self.of: Callable[[Any], tuple[Any, ...]] = itemgetter(*names)
        """The words of a row; raises KeyError where one is missing."""
        self.known: dict[tuple[Any, ...], Any] = {}
        """Words → what was read of them; a lookup raises TypeError for words that are none."""

    def learn(self, row: Mapping[str, Any], meaning: object) -> None:
        """Keep what was read of the words of a row, where each of them is a short text."""
        words = tuple(row.get(name) for name in self.names)
        if all(type(word) is str and 0 < len(word) <= _WORD for word in words):
            if len(self.known) >= _COMBINATIONS:
                self.known.clear()
            self.known[words] = meaning


_shared = lru_cache(maxsize=4096)(VenueText)


def number(row: Mapping[str, Any], *names: str) -> Decimal | None:
    """The first of the fields that holds an amount."""
    for name in names:
        value = amount(row.get(name))
        if value is not None:
            return value
    return None


def flag(row: Mapping[str, Any], name: str) -> bool | None:
    """A boolean field; None for anything else."""
    value = row.get(name)
    return value if isinstance(value, bool) else None


def epoch(value: Any, unit: float) -> float | None:
    """A whole or decimal number of `unit` seconds since 1970 as seconds; None for anything else and for 0."""
    if type(value) is int and 0 < value < _LATEST:
        return float(value) * unit
    parsed = amount(value)
    if parsed is None or parsed <= 0 or parsed.adjusted() > 20:
        return None
    return float(parsed) * unit


def epoch_guessed(value: Any) -> float | None:
    """Seconds since 1970 from a number whose unit shows only by its size: ns, µs, ms or s."""
    parsed = value if type(value) is int and 0 < value < _LATEST else amount(value)
    if parsed is None or parsed <= 0 or parsed >= _LATEST:
        return None
    for limit, unit in _UNITS:
        if parsed >= limit:
            return float(parsed) * unit
    return float(parsed)


def moment(value: Any) -> float | None:
    """Seconds since 1970 from ISO 8601 with `Z` or an offset and any number of fractional digits."""
    if not isinstance(value, str):
        return None
    if value.endswith("Z"):
        try:
            return datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError):
            pass
    head, dot, tail = value.strip().partition(".")
    if dot:
        digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
        head += "." + (digits + "000000")[:6] + tail[len(digits) :]
    try:
        parsed = datetime.fromisoformat(head.replace("Z", "+00:00").replace("z", "+00:00"))
        return parsed.timestamp() if parsed.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def complaint(body: bytes) -> VenueText | None:
    """What a venue says in an error answer, from any of the shapes that venues use; never raises.

    Known shapes: `message`, `msg`, `error` (text or object), `detail`, `title`, `errors` as a list of
    objects or an object of lists. Anything else: the first characters of the text, markup removed.
    """
    try:
        value = decode(body)
    except Unreadable:
        extract = body[:20_000].decode("utf-8", "replace").strip()
        if not extract:
            return None
        if "<" in extract:
            extract = "(a web page)"
        return VenueText(redact(extract)[:_EXTRACT])
    # Redacted before it is cut: half a secret is not recognised any more.
    found = _words(value)
    return VenueText(redact(found)[:_EXTRACT]) if found else None


def _words(value: Any, depth: int = 0) -> str | None:
    if isinstance(value, str):
        return value
    if depth > _DEEPEST:
        return None
    if isinstance(value, list):
        parts = [words for one in value[:5] if (words := _words(one, depth + 1))]
        return "; ".join(parts) or None
    if not isinstance(value, dict):
        return None
    for name in ("message", "msg", "error", "detail", "title", "reject_reason", "errors", "code"):
        words = _words(value.get(name), depth + 1)
        if words:
            details = value.get("details")
            return f"{words}: {details}" if isinstance(details, str) and details else words
    lists = [one for one in list(value.values())[:5] if isinstance(one, list)]
    return "; ".join(words for one in lists if (words := _words(one, depth + 1))) or None
