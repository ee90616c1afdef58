"""A keyring without a file, a daemon or a person: it holds what the environment says.

Named by `PYTHON_KEYRING_BACKEND`, for our program and for the script that it is held against alike, so that
neither is measured with a store of its own.
"""

from __future__ import annotations

import json
import os

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError, PasswordSetError

VARIABLE = "BENCHMARK_KEYRING"


class EnvironmentKeyring(KeyringBackend):
    """Reads only."""

    @property
    def priority(self) -> float:
        return 1.0

    def get_password(self, service: str, username: str) -> str | None:
        found: str | None = json.loads(os.environ[VARIABLE]).get(f"{service}|{username}")
        return found

    def set_password(self, service: str, username: str, password: str) -> None:
        raise PasswordSetError("read only")

    def delete_password(self, service: str, username: str) -> None:
        raise PasswordDeleteError("read only")
