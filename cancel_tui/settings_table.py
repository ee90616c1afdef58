"""Reading one table of the configuration file, with complaints that name file, table and key."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cancel_tui.text import literal

LIMIT_NAMES = ("cancel", "cancel_all", "list", "status", "closed")
_SECRET = re.compile(
    r"secret|token|private[-_]?key|password|passphrase|^jwt$|^api[-_]?key|^key$|^seed$|^pem$", re.IGNORECASE
)
_BUDGET = re.compile(r"([0-9]{1,9})/([0-9]{1,5}(?:\.[0-9]{1,6})?)")
_LONGEST_MESSAGE = 2_000


class SettingsError(Exception):
    """A configuration that cannot be used; its text is one line for a person."""

    def __init__(self, text: str) -> None:
        # Keys and paths come from outside and may hold line ends and worse.
        super().__init__(literal(text, _LONGEST_MESSAGE))


class Budget(msgspec.Struct, frozen=True):
    """At most `count` requests in any `seconds`."""

    count: int
    seconds: float


class Table:
    """Reads one table; every complaint names file, table and key."""

    def __init__(self, path: Path, name: str, values: object) -> None:
        self.where = f"{path}: [{name}]"
        if not isinstance(values, dict):
            parent, _, key = name.rpartition(".")
            if _SECRET.search(key):
                raise SettingsError(f"{path}: [{parent}] {key}: {_NO_SECRETS}")
            raise SettingsError(f"{path}: {name} must be a table")
        self.values: dict[str, Any] = values

    def fail(self, key: str, why: str) -> SettingsError:
        """A complaint about one key, to be raised."""
        return SettingsError(f"{self.where} {key}: {why}")

    def only(self, allowed: frozenset[str], hint: str) -> None:
        """Complain about a key that is not allowed; about a secret first, whatever else is wrong."""
        strangers = [key for key in self.values if key not in allowed]
        for key in strangers:
            if _SECRET.search(key):
                raise self.fail(key, _NO_SECRETS)
        for key in strangers:
            raise self.fail(key, f"unknown key; {hint} allows {', '.join(sorted(allowed))}")

    def text(self, key: str, default: str, *, empty: bool = False) -> str:
        """A text, not empty unless that has a meaning."""
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise self.fail(key, "must be a text")
        if not value and not empty:
            raise self.fail(key, "must be a text that is not empty")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, "must be true or false")
        return value

    def number(self, key: str, default: float | None, low: float, high: float) -> float | None:
        """A number within bounds, both included."""
        value = self.values.get(key, default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self.fail(key, f"must be a number from {low:g} to {high:g}")
        return float(value)

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number within bounds, both included."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.fail(key, f"must be a whole number from {low} to {high}")
        return value

    def choice(self, key: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of a few words."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or value not in allowed:
            raise self.fail(key, f"must be one of {', '.join(allowed)}")
        return value

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of texts without repetitions; None where the key is missing."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise self.fail(key, "must be a list of texts")
        if not value:
            raise self.fail(key, "must not be an empty list")
        return tuple(dict.fromkeys(value))

    def strings(self, key: str) -> dict[str, str]:
        """A table of texts; empty where the key is missing."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.fail(key, "must be a table of texts")
        for name, one in value.items():
            if not isinstance(one, str):
                raise self.fail(f"{key}.{name}", "must be a text")
        return value


_NO_SECRETS = "secrets have no place in this file; use `cancel-tui keys set VENUE`"


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address stays on this machine."""
    if host is None:
        return False
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address(table: Table, key: str, value: str, schemes: tuple[str, str]) -> str:
    """A base address without a trailing slash; `schemes` are the secure one and the one for loopback."""
    if not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        raise table.fail(key, "must hold printable ASCII without spaces (a host name in its xn-- form)")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise table.fail(key, "is no address") from error
    secure, open_ = schemes
    if parts.scheme not in schemes or not host:
        raise table.fail(key, f"must start with {secure}:// (or {open_}:// on a loopback address)")
    # An empty query would swallow every path that is appended.
    if "@" in parts.netloc or "?" in value or "#" in value:
        raise table.fail(key, "must hold no user, password, query or fragment")
    if parts.scheme == open_ and not is_loopback(host):
        raise table.fail(key, f"{open_}:// is accepted for loopback addresses only; use {secure}://")
    return value.rstrip("/")


def parse_budget(text: str) -> Budget | None:
    """`"COUNT/SECONDS"` or `"none"`; raises ValueError."""
    if text == "none":
        return None
    found = _BUDGET.fullmatch(text)
    budget = Budget(int(found[1]), float(found[2])) if found else None
    if budget is None or budget.count < 1 or not 0 < budget.seconds <= 86_400:
        raise ValueError(text)
    return budget


def limits(table: Table) -> dict[str, Budget | None]:
    """The `limits` of a venue; None stands for `"none"`."""
    budgets: dict[str, Budget | None] = {}
    for name, text in table.strings("limits").items():
        if name not in LIMIT_NAMES:
            raise table.fail(f"limits.{name}", f"unknown key; allowed are {', '.join(LIMIT_NAMES)}")
        try:
            budgets[name] = parse_budget(text)
        except ValueError as error:
            raise table.fail(
                f"limits.{name}", 'must be "COUNT/SECONDS" such as "10/60", or "none"'
            ) from error
    return budgets


def plain_path(
    table: Table, key: str, default: str, *, placeholder: str = "", empty: bool = False, entry: str = ""
) -> str:
    """A path as it goes on the wire; `placeholder` must occur in it. `entry`: one of a table of paths."""
    shown = f"{key}.{entry}" if entry else key
    value = table.strings(key).get(entry, default) if entry else table.text(key, default, empty=empty)
    if not value and empty:
        return value
    rest = value.replace(placeholder, "x", 1) if placeholder else value
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", rest) or {".", ".."} & set(value.split("/")):
        raise table.fail(shown, "must be a plain path that starts with / and does not end with one")
    if placeholder and placeholder not in value:
        raise table.fail(shown, f"must contain {placeholder}")
    return value


def header_name(table: Table, key: str, default: str) -> str:
    """The name of an HTTP header."""
    value = table.text(key, default)
    if not re.fullmatch(r"[A-Za-z0-9-]+", value):
        raise table.fail(key, "must be a header name: letters, digits and dashes")
    return value
