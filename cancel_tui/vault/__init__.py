"""Credentials in the operating system's keyring. Nothing outside this package knows `keyring`.

The keyring may block for minutes, ask a person, lie about what it stored, or be a plain text file. Each
of these is answered here once, so that the rest of the program sees a short call or a clear sentence.
"""

from cancel_tui.vault.backends import BackendInfo, Strength
from cancel_tui.vault.errors import (
    MissingEntry,
    NoBackend,
    VaultBroken,
    VaultDenied,
    VaultError,
    VaultLocked,
)
from cancel_tui.vault.vault import Vault

__all__ = [
    "BackendInfo",
    "MissingEntry",
    "NoBackend",
    "Strength",
    "Vault",
    "VaultBroken",
    "VaultDenied",
    "VaultError",
    "VaultLocked",
]
