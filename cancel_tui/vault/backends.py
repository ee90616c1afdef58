"""Which keyring backend serves, and how well it protects what it keeps.

What the user named is used as told. What was merely found is used only if it protects something, and
always as one single store: keyring's own chain of stores writes to one, reads from all and deletes from
one, so that an old secret can come back. Whoever names the chain has named none of its members. A store that
keeps nothing serves only where the configuration accepts it by name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Protocol, cast

import msgspec

from cancel_tui.vault.errors import cannot_load, no_backend, refused_plaintext, switched_off, would_prompt


class Strength(Enum):
    """How a backend keeps secrets."""

    SYSTEM = "system"
    """The operating system's or desktop's own store."""
    ENCRYPTED = "encrypted"
    """An encrypted file with a password of its own."""
    PLAINTEXT = "plaintext"
    NONE = "none"
    """Keeps nothing."""
    UNKNOWN = "unknown"


class BackendInfo(msgspec.Struct, frozen=True):
    """The backend in use, for `doctor` and `keys list`."""

    name: str
    """Module and class."""
    strength: Strength
    explicit: bool
    """The user named it, in the environment, in keyringrc.cfg or in the configuration."""
    warning: str | None
    usable: bool = True
    """It may serve: it protects something, or the user named it all the same."""

    @property
    def mark(self) -> str | None:
        """What the header says of a backend that protects nothing; None for any other."""
        marks = {Strength.PLAINTEXT: "PLAINTEXT KEYRING", Strength.NONE: "KEYRING KEEPS NOTHING"}
        return marks.get(self.strength)


class Store(Protocol):
    """The part of a keyring backend that is used."""

    def get_password(self, service: str, username: str) -> str | None:
        """The secret, or None."""
        ...

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store or replace."""
        ...

    def delete_password(self, service: str, username: str) -> None:
        """Remove; raises where there is nothing to remove."""
        ...


class _Persisting(Store, Protocol):
    """The Windows backend: how far an item may travel."""

    persist: str


class Chosen(msgspec.Struct, frozen=True):
    """One backend instance, which serves reading, writing and deleting."""

    store: Store
    info: BackendInfo
    would_prompt: bool
    """It would ask for a password on the terminal."""

    def usable(self) -> Store:
        """The instance; raises NoBackend for one that must not or cannot serve, VaultLocked for a prompt."""
        info = self.info
        if not info.usable:
            if info.strength is Strength.PLAINTEXT:
                raise refused_plaintext(info.name)
            raise switched_off(info.name) if info.explicit else no_backend()
        if self.would_prompt:
            raise would_prompt(info.name)
        return self.store


ENVIRONMENT = "PYTHON_KEYRING_BACKEND"
_FILE = "keyringrc.cfg"
_CHAINER = "keyring.backends.chainer.ChainerBackend"
_FAIL = "keyring.backends.fail.Keyring"
_WINDOWS = "keyring.backends.Windows.WinVaultKeyring"
SECRET_SERVICES = frozenset(["keyring.backends.SecretService.Keyring", "keyring.backends.libsecret.Keyring"])
"""Backends that talk to the desktop's Secret Service."""
_STRENGTHS: Mapping[str, Strength] = {
    "keyring.backends.SecretService.Keyring": Strength.SYSTEM,
    "keyring.backends.libsecret.Keyring": Strength.SYSTEM,
    "keyring.backends.kwallet.DBusKeyring": Strength.SYSTEM,
    "keyring.backends.kwallet.DBusKeyringKWallet4": Strength.SYSTEM,
    "keyring.backends.macOS.Keyring": Strength.SYSTEM,
    _WINDOWS: Strength.SYSTEM,
    "keyring.backends.null.Keyring": Strength.NONE,
    _FAIL: Strength.NONE,
    "keyrings.alt.file.EncryptedKeyring": Strength.ENCRYPTED,
    "keyrings.alt.Windows.EncryptedKeyring": Strength.ENCRYPTED,
    "keyrings.alt.Windows.RegistryKeyring": Strength.ENCRYPTED,
    "keyrings.alt.pyfs.EncryptedKeyring": Strength.ENCRYPTED,
    "keyrings.cryptfile.cryptfile.CryptFileKeyring": Strength.ENCRYPTED,
    "keyrings.cryptfile.file.EncryptedKeyring": Strength.ENCRYPTED,
}
_RANK: Mapping[Strength, int] = {
    Strength.SYSTEM: 5,
    Strength.ENCRYPTED: 4,
    Strength.UNKNOWN: 3,
    Strength.PLAINTEXT: 1,
    Strength.NONE: 0,
}
_WEAK = (Strength.PLAINTEXT, Strength.NONE)
_RANK_PROMPTING = 2
"""A file that would ask for its password on the console's own terminal: better than plain text only."""


def _name(store: object) -> str:
    return f"{type(store).__module__}.{type(store).__qualname__}"


def _strength(store: object) -> Strength:
    """By the nearest class that is known, or that says of itself that it writes plain text."""
    for cls in type(store).__mro__:
        found = _STRENGTHS.get(f"{cls.__module__}.{cls.__qualname__}")
        if found is not None:
            return found
        if "plaintext" in cls.__name__.lower():
            return Strength.PLAINTEXT
    return Strength.UNKNOWN


def _would_prompt(store: object) -> bool:
    """File backends compute `keyring_key` by asking on the terminal, unless it was set beforehand."""
    if "keyring_key" in getattr(store, "__dict__", {}):
        return False
    found = next((vars(cls)["keyring_key"] for cls in type(store).__mro__ if "keyring_key" in vars(cls)), "")
    return not isinstance(found, str)


def _warning(name: str, strength: Strength) -> str | None:
    if strength is Strength.PLAINTEXT:
        return f"keyring backend {name} keeps secrets as plain text"
    if strength is Strength.NONE:
        return f"keyring backend {name} keeps nothing: credentials cannot be stored"
    if strength is Strength.UNKNOWN:
        return f"keyring backend {name} is not known to cancel-tui: how well it protects secrets is not known"
    return None


def _chosen(store: Store, explicit: bool, accept: frozenset[str]) -> Chosen:
    name, strength = _name(store), _strength(store)
    accepted = name in accept
    usable = accepted or strength not in _WEAK or (explicit and strength is Strength.PLAINTEXT)
    if name == _WINDOWS and "KEYRING_PROPERTY_PERSIST" not in os.environ:
        # The default lets credentials roam to other machines of the same user.
        cast(_Persisting, store).persist = "local machine"
    info = BackendInfo(name, strength, explicit or accepted, _warning(name, strength), usable)
    return Chosen(store, info, _would_prompt(store))


def _named() -> Store | None:
    """The backend that the user named; raises NoBackend for one that cannot be loaded."""
    import configparser

    from keyring.core import load_config, load_env

    source = ENVIRONMENT if os.environ.get(ENVIRONMENT) else _FILE
    try:
        return load_env() if source == ENVIRONMENT else load_config()
    except (
        ImportError,
        AttributeError,
        ValueError,
        RuntimeError,
        TypeError,
        SyntaxError,
        configparser.Error,
    ):
        raise cannot_load(source) from None


def _strongest(stores: Iterable[Store]) -> Store | None:
    """The best single store among those found; keyring's own order decides between equals."""
    best: tuple[tuple[int, float], Store] | None = None
    for store in stores:
        priority = _priority(store)
        if priority <= 0 or _name(store) == _CHAINER:
            continue
        rank = (_RANK_PROMPTING if _would_prompt(store) else _RANK[_strength(store)], priority)
        if best is None or rank > best[0]:
            best = (rank, store)
    return best[1] if best else None


def _priority(store: Store) -> float:
    """Each reading may talk to the store's service, which may have gone since it was found."""
    try:
        return float(getattr(store, "priority", 0))
    except RuntimeError:
        return 0.0


def choose(accept: frozenset[str] = frozenset()) -> Chosen:
    """Find the backend to use. Imports keyring, may talk to D-Bus, may block: never on the event loop.

    `accept` names backends that may serve although they protect nothing; it does not prefer them.
    """
    from keyring.backend import get_all_keyring
    from keyring.core import load_keyring

    named = _named()
    if named is not None and _name(named) != _CHAINER:
        return _chosen(named, True, accept)
    return _chosen(_strongest(get_all_keyring()) or load_keyring(_FAIL), False, accept)
