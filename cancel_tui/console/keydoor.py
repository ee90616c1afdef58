"""The way to the keyring; what goes through it is loaded when somebody does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from cancel_tui.redaction import Secret
    from cancel_tui.vault import BackendInfo


class Keyring(Protocol):
    """The part of the vault that is used; every call ends within a limit and raises `VaultError` only."""

    async def backend(self) -> BackendInfo:
        """The backend in use."""
        ...

    async def known(self, names: Sequence[str]) -> dict[str, bool]:
        """Which names have an entry."""
        ...

    async def get(self, name: str) -> dict[str, Secret]:
        """All fields of an entry."""
        ...

    async def put(self, name: str, fields: Mapping[str, Secret]) -> None:
        """Store an entry and read it back."""
        ...

    async def delete(self, name: str) -> None:
        """Remove an entry."""
        ...

    def retry(self) -> None:
        """Ask anew after a lock or a denial."""
        ...


class KeyDoor(msgspec.Struct, frozen=True):
    """The way to the keyring, and from it to the desk."""

    vault: Callable[[], Keyring]
    """The keyring, made ready when it is first asked for."""
    hold: Callable[[str, Mapping[str, Secret]], None]
    """Work with these fields of an entry from the next opening on."""
    drop: Callable[[str], None]
    """Forget the fields of an entry."""
    seen: Callable[[], BackendInfo | None] = lambda: None
    """The backend that credentials came from, as far as it is known without asking."""
