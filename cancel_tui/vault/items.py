"""How one entry lies in the keyring: a manifest and numbered parts.

Windows keeps at most 1,280 characters per item, less than an RSA key; so the fields travel as one JSON
value in parts of 1,000 characters, on every platform alike. The manifest is deleted first and written
last: an entry is either whole, absent, or recognisably damaged.

Every item has a service name of its own, because the Windows backend renames items when a second user name
appears under the same service.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from urllib.parse import quote

import msgspec

from cancel_tui.digest import digest_of
from cancel_tui.vault.backends import Store
from cancel_tui.vault.errors import (
    MissingEntry,
    Unresponsive,
    VaultBroken,
    damaged,
    forgotten,
    missing,
    newer,
    too_long,
    undeletable,
)

USERNAME = "credentials"
PART_LENGTH = 1000
_VERSION = 1
_MOST_PARTS = 99


class _Manifest(msgspec.Struct, frozen=True):
    parts: int
    length: int
    sha256: str

    @staticmethod
    def of(value: str) -> _Manifest:
        return _Manifest(-(-len(value) // PART_LENGTH), len(value), digest_of(value))

    def text(self) -> str:
        return json.dumps({"v": _VERSION, "parts": self.parts, "length": self.length, "sha256": self.sha256})

    @staticmethod
    def read(text: str, name: str) -> _Manifest:
        try:
            values = json.loads(text)
        except ValueError:
            raise damaged(name) from None
        if not isinstance(values, dict):
            raise damaged(name)
        version, parts, length, digest = (values.get(key) for key in ("v", "parts", "length", "sha256"))
        if isinstance(version, int) and version > _VERSION:
            raise newer(name)
        if not (
            version == _VERSION
            and isinstance(parts, int)
            and 1 <= parts <= _MOST_PARTS
            and isinstance(length, int)
            and isinstance(digest, str)
        ):
            raise damaged(name)
        return _Manifest(parts, length, digest)


class Items:
    """Entries over one backend. Blocking; `wanted` is asked before every call of the backend.

    Once nobody waits for an answer any more nothing further is read or written: a call that comes back
    minutes later must not change what has been stored since.
    """

    def __init__(self, store: Store, prefix: str, wanted: Callable[[], bool]) -> None:
        self._store = store
        self._prefix = prefix
        self._wanted = wanted

    def look(self) -> None:
        """Ask for an item that is none of ours: what is refused now is refused by the store as a whole."""
        self._get(self._prefix)

    def has(self, name: str) -> bool:
        """An entry of this name was begun and finished; its parts are not looked at."""
        return self._get(self._service(name)) is not None

    def load(self, name: str) -> dict[str, str]:
        """All fields of an entry."""
        try:
            fields = json.loads(self._value(name))
        except ValueError:
            raise damaged(name) from None
        if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
            raise damaged(name)
        return fields

    def save(self, name: str, fields: Mapping[str, str]) -> None:
        """Store all fields, unless they are stored already, and read them back."""
        value = json.dumps(dict(fields), sort_keys=True, separators=(",", ":"))
        manifest = _Manifest.of(value)
        if manifest.parts > _MOST_PARTS:
            raise too_long()
        # Each write may cost a prompt, and on macOS discards what the user has allowed.
        if self._stored(name) == value:
            return
        if self._get(self._service(name)) is not None:
            self._delete(self._service(name))
        # Not overwritten: the Windows backend keeps what it overwrites, under a second name.
        self._drop_parts(name, 1)
        for number in range(1, manifest.parts + 1):
            start = (number - 1) * PART_LENGTH
            self._set(self._service(name, number), value[start : start + PART_LENGTH])
        self._set(self._service(name), manifest.text())
        if self._stored(name) != value:
            raise forgotten()
        self._drop_parts(name, manifest.parts + 1)

    def erase(self, name: str) -> None:
        """Remove an entry, also what a cut-short write has left of one."""
        service = self._service(name)
        found = self._get(service) is not None
        if found:
            self._delete(service)
            if self._get(service) is not None:
                raise undeletable()
        if not self._drop_parts(name, 1) and not found:
            raise missing(name)

    def _service(self, name: str, part: int | None = None) -> str:
        # Quoted, so that no name can look like a part of another one.
        service = f"{self._prefix}:{quote(name, safe='')}"
        return service if part is None else f"{service}:{part}"

    def _value(self, name: str) -> str:
        text = self._get(self._service(name))
        if text is None:
            raise missing(name)
        manifest = _Manifest.read(text, name)
        parts = [self._get(self._service(name, number)) for number in range(1, manifest.parts + 1)]
        value = "".join(part for part in parts if part is not None)
        if not value.isascii() or _Manifest.of(value) != manifest:
            raise damaged(name)
        return value

    def _stored(self, name: str) -> str | None:
        """The value as it lies there; None where there is none or it is damaged."""
        try:
            return self._value(name)
        except (MissingEntry, VaultBroken):
            return None

    def _drop_parts(self, name: str, first: int) -> bool:
        """Delete parts from a number upwards; the last first, so that an interrupted run leaves no gap."""
        last = first
        while last <= _MOST_PARTS and self._get(self._service(name, last)) is not None:
            last += 1
        for number in range(last - 1, first - 1, -1):
            service = self._service(name, number)
            self._delete(service)
            if self._get(service) is not None:
                raise undeletable()
        return last > first

    def _get(self, service: str) -> str | None:
        self._still_wanted()
        return self._store.get_password(service, USERNAME)

    def _set(self, service: str, value: str) -> None:
        self._still_wanted()
        self._store.set_password(service, USERNAME, value)

    def _delete(self, service: str) -> None:
        self._still_wanted()
        self._store.delete_password(service, USERNAME)

    def _still_wanted(self) -> None:
        if not self._wanted():
            raise Unresponsive("nobody waits for this any more")
