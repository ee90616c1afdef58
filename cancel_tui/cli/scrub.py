"""What must not leave the machine in a file for somebody else: secrets always, ids where that is wished.

Known secrets are taken out by their value. Those that this process does not know (an older key in an old
line, a keyring that is locked) are taken out by what they look like; that hides a harmless word now and then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cancel_tui.redaction import HIDDEN, redacted

_NAMES = (
    "authorization|proxy-authorization|cookie|set-cookie|password|passphrase|passwd|secret|token|jwt|sign|"
    "signature|listenkey|access_token|api_token|api[-_]?key|api[-_]?secret|private[-_]?key|x-[a-z-]*(?:key|"
    "sign|signature|token|secret|passphrase)"
)
_SECRET_NAME = re.compile(rf"(?:{_NAMES})\Z", re.IGNORECASE)
_LOOKS = (
    # A private key, also one that was cut off or whose line ends are escaped.
    re.compile(r"-----BEGIN [A-Z ]*-----(?:.*?-----END [A-Z ]*-----|[A-Za-z0-9+/=\s\\]*)", re.DOTALL),
    re.compile(r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"),
    re.compile(r"(?<=\bBearer )[^\s\"',;]{4,}", re.IGNORECASE),
    re.compile(rf"(?<![A-Za-z0-9_-])(?:{_NAMES})[\"']?\s*[=:]\s*[\"']?([^\s\"'&,;}}]{{4,}})", re.IGNORECASE),
    # Keys, tokens, digests and signatures; the ids that venues give are shorter, or hold dashes.
    re.compile(r"(?<![A-Za-z0-9+_])[A-Za-z0-9+_]{40,}={0,2}"),
    re.compile(r"(?=[A-Za-z0-9+/_-]*\d)(?=[A-Za-z0-9+/_-]*[A-Z])[A-Za-z0-9+/_-]{60,}={0,2}"),
)
_IDS = (
    re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
    re.compile(r"(?<![A-Za-z0-9])[0-9A-HJKMNP-TV-Z]{26}(?![A-Za-z0-9])"),
    re.compile(r"(?<![A-Za-z0-9])[0-9a-f]{24}(?![A-Za-z0-9])"),
    # Numbers of so many digits: not times, which have separators.
    re.compile(r"(?<![A-Za-z0-9.])\d{9,}(?![A-Za-z0-9.])"),
)
_ID_NAMES = frozenset(
    ("account", "accounts", "order", "orders", "order_id", "client_order_id", "client_id", "id", "ids")
) | frozenset(("keys", "known", "cancels", "reach", "touched", "named"))
_SHORTEST_ID = 6


def scrubbed(value: Any) -> Any:
    """The value without anything that is a secret, or looks like one."""
    return _each(redacted(value), _without_secrets)


def _each(value: Any, change: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {change(str(key), ""): _each(one, change, str(key)) for key, one in value.items()}
    if isinstance(value, list):
        return [_each(one, change, name) for one in value]
    return change(value, name) if isinstance(value, str) else value


def _without_secrets(text: str, name: str) -> str:
    if text and _SECRET_NAME.match(name):
        return HIDDEN
    for look in _LOOKS:
        text = look.sub(_hide, text)
    return text


def _hide(found: re.Match[str]) -> str:
    if found.re.groups and found[1]:
        return found[0][: found.start(1) - found.start()] + HIDDEN
    return HIDDEN


# ---------------------------------------------------------------------- ids


def ids_in(value: Any, name: str = "") -> set[str]:
    """Every order and account id that stands where the journal and the settings have them."""
    if isinstance(value, Mapping):
        return set().union(*(ids_in(one, str(key)) for key, one in value.items()), ())
    if isinstance(value, list | tuple):
        return set().union(*(ids_in(one, name) for one in value), ())
    # What has no digit is a word: the name of a part of a list, a side.
    if isinstance(value, str) and name in _ID_NAMES and re.search(r"\d", value):
        return {one for one in (value, value.removeprefix("stop:")) if len(one) >= _SHORTEST_ID}
    return set()


class Pseudonyms:
    """Puts `id-1`, `id-2` … in the place of ids: the same one for the same id, throughout."""

    def __init__(self, known: Iterable[str]) -> None:
        # The longest first, so that no piece of one is left over.
        forms = sorted(map(re.escape, known), key=lambda one: (-len(one), one))
        known = rf"(?<![A-Za-z0-9])(?:{'|'.join(forms)})(?![A-Za-z0-9])"
        self._known = re.compile(known) if forms else None
        self._names: dict[str, str] = {}

    def hidden(self, value: Any) -> Any:
        """The value without ids."""
        return _each(value, self._without_ids)

    def _without_ids(self, text: str, _: str) -> str:
        for look in (self._known, *_IDS):
            if look is not None:
                text = look.sub(lambda found: self._name(found[0]), text)
        return text

    def _name(self, one: str) -> str:
        return self._names.setdefault(one, f"id-{len(self._names) + 1}")
