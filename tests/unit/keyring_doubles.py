"""Keyring backends that behave, and others that lie, hang, refuse or cut short; and vaults over them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import keyring.backend
import keyring.backends.null
import keyring.errors
import pytest

from cancel_tui.redaction import Secret
from cancel_tui.vault import Vault

SENTINEL = "sentinel-s3cr3t-5f0c"
LONG = "-----BEGIN PRIVATE KEY-----\n" + "A1b2" * 410 + "\n-----END PRIVATE KEY-----\n"


class Memory:
    """A store in memory; one dictionary for all instances, as a real store would be."""

    priority: ClassVar[float] = 1.0
    items: ClassVar[dict[tuple[str, str], str]] = {}
    calls: ClassVar[list[tuple[str, str]]] = []

    def get_password(self, service: str, username: str) -> str | None:
        self.calls.append(("get", service))
        return self.items.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.calls.append(("set", service))
        self.items[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self.calls.append(("delete", service))
        if (service, username) not in self.items:
            raise keyring.errors.PasswordDeleteError("not found")
        del self.items[service, username]


class Windows(Memory):
    """The Credential Manager: 1,280 characters per item, one user name per service."""

    def set_password(self, service: str, username: str, password: str) -> None:
        if len(password) > 1280:
            raise OSError(1783, "The stub received bad data")
        assert all(user == username for name, user in self.items if name == service)
        super().set_password(service, username, password)


class Forgetful(Memory):
    """Accepts everything and keeps nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        self.calls.append(("set", service))


class Clipping(Memory):
    """Keeps only the beginning, without a word."""

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password[:500])


class Clinging(Memory):
    """Says that it deleted, and did not."""

    def delete_password(self, service: str, username: str) -> None:
        self.calls.append(("delete", service))


class Hanging(Memory):
    """Does not answer until it is released."""

    release: ClassVar[threading.Event] = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.calls.append(("get", service))
        self.release.wait(30)
        return self.items.get((service, username))


class Asking(Memory):
    """Asks a person about single entries, as macOS does; who answers none of them waits for ever."""

    about: ClassVar[set[str]] = set()
    """Services that are asked about."""
    refused: ClassVar[set[str]] = set()
    """Services for which the person says no at once."""
    release: ClassVar[threading.Event] = Hanging.release

    def get_password(self, service: str, username: str) -> str | None:
        self.calls.append(("get", service))
        if service in self.refused:
            raise keyring.errors.KeyringLocked("denied")
        if service in self.about:
            self.release.wait(30)
        return self.items.get((service, username))


class Failing(Memory):
    """Raises whatever the test puts here."""

    error: ClassVar[Callable[[], BaseException]]

    def get_password(self, service: str, username: str) -> str | None:
        self.calls.append(("get", service))
        raise type(self).error()


class PlaintextThing(Memory):
    priority = 0.5


class Renamed(PlaintextThing):
    """Plain text all the same."""


class Unkept(keyring.backends.null.Keyring):
    """Keeps nothing, under a name of its own, and means to serve."""

    def __init__(self) -> None:
        pass

    @property
    def priority(self) -> float:
        return 0.1


class Prompting(Memory):
    """An encrypted file that would ask on the terminal."""

    @property
    def keyring_key(self) -> str:
        raise AssertionError("asked on the terminal")


class Strong(Memory):
    """Stands for a system store; the test registers its name."""

    priority = 5.0


class _NotHere(type):
    """Backends say through `priority` that they cannot work on this system."""

    @property
    def priority(cls) -> float:
        raise RuntimeError("requires something else")


class Unusable(metaclass=_NotHere):
    """A backend for another platform."""


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty store, and no backend named by whoever runs the tests."""
    Memory.items.clear()
    Memory.calls.clear()
    Hanging.release.clear()
    Asking.about.clear()
    Asking.refused.clear()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
    # Another test of this process may have left a keyring that hangs for good: that is none of this one.
    before = set(threading.enumerate())
    yield
    Hanging.release.set()
    for thread in threading.enumerate():
        if thread.name == "cancel-tui-keyring" and thread not in before:
            thread.join(5)
            assert not thread.is_alive()


@pytest.fixture
async def use(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Vault]]:
    """Make a vault over a backend class, named through the environment."""
    made: list[Vault] = []

    def make(backend: type, limit: float = 5.0) -> Vault:
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", f"{backend.__module__}.{backend.__qualname__}")
        made.append(Vault(limit_seconds=limit))
        return made[-1]

    yield make
    for vault in made:
        vault.close()


@pytest.fixture
async def found(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Vault]]:
    """Make a vault that has to find a backend among these by itself."""
    made: list[Vault] = []

    def make(*backends: object, accept: Iterable[str] = ()) -> Vault:
        monkeypatch.setattr(keyring.backend, "get_all_keyring", lambda: list(backends))
        made.append(Vault(accept=accept))
        return made[-1]

    yield make
    for vault in made:
        vault.close()


def secrets(**fields: str) -> dict[str, Secret]:
    return {name: Secret(value) for name, value in fields.items()}


def plain(fields: dict[str, Secret]) -> dict[str, str]:
    return {name: value.reveal() for name, value in fields.items()}


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a thread does."""
    async with asyncio.timeout(5):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


def failing(use: Callable[..., Vault], make: Callable[[], BaseException]) -> Vault:
    Failing.error = staticmethod(make)
    return use(Failing)
