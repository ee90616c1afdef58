"""keyring's own backends for Windows and macOS, over doubles of what the systems below them refuse."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import keyring.backend
import pytest

from cancel_tui.vault import MissingEntry, NoBackend, Vault, VaultBroken, VaultDenied, VaultLocked
from tests.unit import keyring_doubles
from tests.unit.keyring_doubles import LONG, plain, secrets

clean = keyring_doubles.clean
BLOB_BYTES = 5 * 512
"""CRED_MAX_CREDENTIAL_BLOB_SIZE; the backend writes UTF-16."""


def load(monkeypatch: pytest.MonkeyPatch, name: str, path: str) -> Any:
    """A fresh copy of one of keyring's modules, which finds the doubles below it."""
    place = Path(keyring.backend.__file__).parent / "backends" / path
    inside = [str(place.parent)] if place.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, place, submodule_search_locations=inside)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    """What is loaded here is not found by anybody else."""
    classes: set[type] = keyring.backend.KeyringBackend._classes
    before = set(classes)
    yield
    classes.intersection_update(before)


# ---------------------------------------------------------------------- Windows


class WindowsError(Exception):
    """As pywintypes raises it."""

    def __init__(self, winerror: int, funcname: str, strerror: str) -> None:
        super().__init__(winerror, funcname, strerror)
        self.winerror, self.funcname, self.strerror = winerror, funcname, strerror


class CredentialManager:
    """Generic credentials by target name, within the limits of `CredWrite`."""

    CRED_TYPE_GENERIC = 1
    CRED_PERSIST_SESSION, CRED_PERSIST_LOCAL_MACHINE, CRED_PERSIST_ENTERPRISE = 1, 2, 3

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.logged_on = True

    def _here(self, what: str) -> None:
        if not self.logged_on:
            raise WindowsError(1312, what, "A specified logon session does not exist.")

    def CredWrite(self, credential: dict[str, Any], _: int) -> None:  # noqa: N802
        self._here("CredWrite")
        blob = credential["CredentialBlob"].encode("utf-16-le")
        if len(blob) > BLOB_BYTES:
            raise WindowsError(1783, "CredWrite", "The stub received bad data.")
        self.items[credential["TargetName"]] = {**credential, "CredentialBlob": blob}

    def CredRead(self, Type: int, TargetName: str) -> dict[str, Any]:  # noqa: N802, N803
        self._here("CredRead")
        if TargetName not in self.items:
            raise WindowsError(1168, "CredRead", "Element not found.")
        return self.items[TargetName]

    def CredDelete(self, Type: int, TargetName: str) -> None:  # noqa: N802, N803
        if self.items.pop(TargetName, None) is None:
            raise WindowsError(1168, "CredDelete", "Element not found.")


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> CredentialManager:
    manager = CredentialManager()
    pywin32 = ModuleType("win32ctypes.pywin32")
    pywin32.__dict__.update(pywintypes=SimpleNamespace(error=WindowsError), win32cred=SimpleNamespace())
    for name in dir(CredentialManager):
        if name.startswith(("Cred", "CRED")):
            setattr(pywin32.win32cred, name, getattr(manager, name))
    pywin32.win32cred.__name__ = "win32cred"
    package = ModuleType("win32ctypes")
    package.__dict__["pywin32"] = pywin32
    monkeypatch.setitem(sys.modules, "win32ctypes", package)
    monkeypatch.setitem(sys.modules, "win32ctypes.pywin32", pywin32)
    load(monkeypatch, "keyring.backends.Windows", "Windows.py")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.Windows.WinVaultKeyring")
    return manager


@pytest.fixture
async def vault() -> Any:
    found = Vault(limit_seconds=5)
    yield found
    found.close()


async def test_a_long_key_goes_in_parts_into_the_credential_manager_and_comes_out_whole(
    windows: CredentialManager, vault: Vault
) -> None:
    fields = secrets(api_key="ü€😀" * 100, private_key=LONG)
    await vault.put("roxom", fields)
    vault.retry()
    assert plain(await vault.get("roxom")) == plain(fields)
    assert len(windows.items) > 2
    assert max(len(one["CredentialBlob"]) for one in windows.items.values()) <= BLOB_BYTES
    assert {one["Persist"] for one in windows.items.values()} == {
        CredentialManager.CRED_PERSIST_LOCAL_MACHINE
    }
    await vault.delete("roxom")
    assert windows.items == {}


async def test_the_limit_is_real(windows: CredentialManager) -> None:
    store = keyring.core.load_keyring("keyring.backends.Windows.WinVaultKeyring")
    store.set_password("x", "y", "z" * 1280)
    with pytest.raises(WindowsError, match="bad data"):
        store.set_password("x", "y", "z" * 1281)


async def test_a_replaced_secret_lies_nowhere_any_more(windows: CredentialManager, vault: Vault) -> None:
    """The backend keeps what was there under a second name when it is overwritten."""
    await vault.put("roxom", secrets(private_key="old-" * 600))
    await vault.put("roxom", secrets(private_key="new-" * 600))
    assert plain(await vault.get("roxom")) == {"private_key": "new-" * 600}
    assert not [one for one in windows.items.values() if "old-" in one["CredentialBlob"].decode("utf-16-le")]
    assert not [name for name in windows.items if "@" in name]


async def test_a_session_without_a_logon_has_no_keyring_and_says_so(
    windows: CredentialManager, vault: Vault
) -> None:
    windows.logged_on = False
    with pytest.raises(NoBackend, match="no usable keyring backend"):
        await vault.get("roxom")


# ---------------------------------------------------------------------- macOS


class Keychain:
    """The calls below keyring's backend, with the statuses of the system and prompts for single items."""

    class Error(Exception):
        pass

    class NotFound(Error):
        pass

    class KeychainDenied(Error):
        pass

    class SecAuthFailure(Error):
        pass

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], str] = {}
        self.writes = 0
        self.asks: set[str] = set()
        """Services about which a person is asked, because another program wrote them."""
        self.answer: str | None = None
        """What the person says; None: nothing, for as long as the test lasts."""
        self.remote = False
        """Over SSH: nobody may be asked."""
        self.waiting = threading.Event()
        self.released = threading.Event()

    def find_generic_password(self, _: object, service: str, username: str) -> str:
        if self.remote:
            raise self.Error(-25308, "Unknown Error")
        if (service, username) not in self.items:
            raise self.NotFound(-25300, "Item not found")
        if service in self.asks:
            self.waiting.set()
            if self.answer is None:
                self.released.wait(30)
            if self.answer == "no":
                raise self.KeychainDenied(-128, "Keychain Access Denied")
        return self.items[service, username]

    def set_generic_password(self, _: object, service: str, username: str, password: str) -> None:
        if self.remote:
            raise self.Error(-25308, "Unknown Error")
        self.writes += 1
        self.items[service, username] = password
        self.asks.discard(service)

    def delete_generic_password(self, _: object, service: str, username: str) -> None:
        if self.items.pop((service, username), None) is None:
            raise self.NotFound(-25300, "Item not found")


@pytest.fixture
def keychain(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keychain]:
    found = Keychain()
    monkeypatch.setitem(sys.modules, "keyring.backends.macOS.api", found)
    module = load(monkeypatch, "keyring.backends.macOS", "macOS/__init__.py")
    module.api = found
    module.platform = SimpleNamespace(system=lambda: "Darwin")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.macOS.Keyring")
    yield found
    found.released.set()


async def test_the_keychain_keeps_a_long_key_and_is_not_written_again_without_need(
    keychain: Keychain, vault: Vault
) -> None:
    fields = secrets(api_key="key", private_key=LONG)
    await vault.put("roxom", fields)
    assert plain(await vault.get("roxom")) == plain(fields)
    written = keychain.writes
    await vault.put("roxom", fields)
    assert keychain.writes == written
    await vault.delete("roxom")
    assert keychain.items == {}
    with pytest.raises(MissingEntry):
        await vault.get("roxom")


async def test_a_dialog_about_one_item_that_nobody_answers_holds_up_no_other(
    keychain: Keychain,
) -> None:
    vault = Vault(limit_seconds=1.0)
    await vault.put("a", secrets(jwt="a"))
    await vault.put("b", secrets(jwt="b"))
    vault.retry()
    keychain.asks.add("cancel-tui:a")
    hung = asyncio.create_task(vault.get("a"))
    assert plain(await vault.get("b")) == {"jwt": "b"}
    assert not hung.done()
    with pytest.raises(VaultBroken, match="look for a prompt"):
        await hung
    # Answered at last: the next one who asks has it, and no second dialog was shown.
    keychain.released.set()
    vault_session = vault._session
    assert vault_session is not None
    await keyring_doubles.until(lambda: not vault_session.worker.busy)
    assert plain(await vault.get("a")) == {"jwt": "a"}
    vault.close()


async def test_a_no_to_the_dialog_of_one_item_denies_that_one(keychain: Keychain, vault: Vault) -> None:
    await vault.put("a", secrets(jwt="a"))
    await vault.put("b", secrets(jwt="b"))
    keychain.asks.add("cancel-tui:a:1")
    keychain.answer = "no"
    with pytest.raises(VaultDenied):
        await vault.get("a")
    assert plain(await vault.get("b")) == {"jwt": "b"}
    keychain.answer = "yes"
    vault.retry()
    assert plain(await vault.get("a")) == {"jwt": "a"}


async def test_over_ssh_nobody_may_be_asked_and_the_keychain_is_locked(
    keychain: Keychain, vault: Vault
) -> None:
    keychain.remote = True
    with pytest.raises(VaultLocked):
        await vault.get("a")
    keychain.remote = False
    vault.retry()
    with pytest.raises(MissingEntry):
        await vault.get("a")
