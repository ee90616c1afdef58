"""Keyring backends for processes of their own: one that keeps everything in a file, three that refuse.

They are named by `PYTHON_KEYRING_BACKEND`; the file by `TEST_KEYRING_FILE`.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError, PasswordSetError


class FileKeyring(KeyringBackend):
    """Keeps what it is given, at most 1,280 characters per item as on Windows."""

    @property
    def priority(self) -> float:
        return 1.0

    def get_password(self, service: str, username: str) -> str | None:
        return _items().get(f"{service}|{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        if len(password) > 1280:
            raise PasswordSetError("the stub received bad data")
        _write({**_items(), f"{service}|{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        items = _items()
        if items.pop(f"{service}|{username}", None) is None:
            raise PasswordDeleteError("not found")
        _write(items)


class AskingKeyring(FileKeyring):
    """Asks a person about the entry that `TEST_KEYRING_ASKS` names, and nobody answers.

    What is read is written down beside its file.
    """

    def get_password(self, service: str, username: str) -> str | None:
        with _file().with_suffix(".log").open("a") as log:
            log.write(f"{service}\n")
        if service == f"cancel-tui:{os.environ.get('TEST_KEYRING_ASKS')}":
            threading.Event().wait()
        return super().get_password(service, username)


class LockedKeyring(FileKeyring):
    """Its user has not unlocked it."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("Failed to unlock the collection!")


class DenyingKeyring(FileKeyring):
    """Somebody said no to its question."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("the prompt was dismissed")


class ForgetfulKeyring(FileKeyring):
    """Says that it stored, and did not."""

    def set_password(self, service: str, username: str, password: str) -> None:
        return None


def _file() -> Path:
    return Path(os.environ["TEST_KEYRING_FILE"])


def _items() -> dict[str, str]:
    if not _file().exists():
        return {}
    found: dict[str, str] = json.loads(_file().read_text())
    return found


def _write(items: dict[str, str]) -> None:
    _file().write_text(json.dumps(items))
