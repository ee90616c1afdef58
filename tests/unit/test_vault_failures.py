"""The vault over keyrings that are locked, deny, fail or hang: short, clear, and without a secret."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module

import keyring.errors
import pytest

from cancel_tui.redaction import Secret
from cancel_tui.vault import (
    MissingEntry,
    NoBackend,
    Vault,
    VaultBroken,
    VaultDenied,
    VaultError,
    VaultLocked,
)
from tests.unit import keyring_doubles
from tests.unit.keyring_doubles import (
    SENTINEL,
    Failing,
    Hanging,
    Memory,
    Prompting,
    failing,
    plain,
    secrets,
    until,
)

clean, use = keyring_doubles.clean, keyring_doubles.use


def _raised(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


class KeychainDenied(Exception):
    """What the macOS backend raises underneath."""


class PromptDismissedException(Exception):
    """What SecretStorage raises, under the same name."""


def _windows(number: int) -> BaseException:
    error = Exception(number, "CredWrite", SENTINEL)
    error.__dict__["winerror"] = number
    return error


ERRORS: list[tuple[type[VaultError], Callable[[], BaseException]]] = [
    (VaultLocked, lambda: keyring.errors.KeyringLocked(f"Failed to unlock the collection! {SENTINEL}")),
    (VaultLocked, lambda: keyring.errors.KeyringLocked(SENTINEL)),
    (VaultLocked, lambda: keyring.errors.KeyringError(f"keychain: (-25308, '{SENTINEL}')")),
    (VaultDenied, lambda: keyring.errors.PasswordSetError(f"{SENTINEL} Prompt dismissed")),
    (VaultDenied, lambda: keyring.errors.PasswordSetError("access denied")),
    (VaultDenied, lambda: keyring.errors.InitError("Failed to create the collection: Prompt dismissed..")),
    (VaultDenied, lambda: _raised(keyring.errors.KeyringLocked(SENTINEL), KeychainDenied("x"))),
    (NoBackend, lambda: keyring.errors.NoKeyringError(SENTINEL)),
    (NoBackend, lambda: keyring.errors.InitError(SENTINEL)),
    (NoBackend, lambda: KeyError("DBUS_SESSION_BUS_ADDRESS")),
    (NoBackend, lambda: _windows(1312)),
    (VaultBroken, lambda: _windows(1783)),
    (VaultBroken, lambda: PermissionError(13, "Permission denied", SENTINEL)),
    (VaultBroken, lambda: TimeoutError(SENTINEL)),
    (VaultBroken, lambda: keyring.errors.PasswordSetError(SENTINEL)),
    (VaultBroken, lambda: RuntimeError(f"the door was blocked by {SENTINEL}")),
    (VaultBroken, lambda: SystemExit(SENTINEL)),
]


def _linux() -> list[tuple[type[VaultError], Callable[[], BaseException]]]:
    """The real exceptions of the libraries below the Secret Service backend."""
    jeepney, wrappers = import_module("jeepney"), import_module("jeepney.wrappers")
    storage = import_module("secretstorage.exceptions")

    def dbus(name: str) -> BaseException:
        call = jeepney.new_method_call(wrappers.DBusAddress("/a", "b.c", "d.e"), "f")
        call.header.serial = 1
        error: BaseException = jeepney.DBusErrorResponse(jeepney.new_error(call, name, "s", (SENTINEL,)))
        return error

    return [
        (VaultLocked, lambda: storage.LockedException(SENTINEL)),
        (VaultLocked, lambda: _raised(keyring.errors.InitError(SENTINEL), storage.LockedException("x"))),
        (VaultLocked, lambda: dbus("org.freedesktop.Secret.Error.IsLocked")),
        (VaultDenied, lambda: storage.PromptDismissedException(SENTINEL)),
        (NoBackend, lambda: storage.SecretServiceNotAvailableException(SENTINEL)),
        (NoBackend, lambda: dbus("org.freedesktop.DBus.Error.ServiceUnknown")),
        (VaultBroken, lambda: storage.ItemNotFoundException(SENTINEL)),
        (VaultBroken, lambda: dbus("org.freedesktop.DBus.Error.Failed")),
    ]


if sys.platform == "linux":
    ERRORS += _linux()


@pytest.mark.parametrize(("expected", "make"), ERRORS)
async def test_every_failure_has_its_own_sentence_and_none_of_the_backends_words(
    use: Callable[..., Vault], expected: type[VaultError], make: Callable[[], BaseException]
) -> None:
    with pytest.raises(expected) as caught:
        await failing(use, make).get("cs")
    shown = "".join(traceback.format_exception(caught.value))
    assert SENTINEL not in shown
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_the_four_ordinary_failures_read_differently(use: Callable[..., Vault]) -> None:
    texts = set()
    for make in (
        keyring.errors.NoKeyringError,
        keyring.errors.KeyringLocked,
        lambda: PromptDismissedException("x"),
    ):
        with pytest.raises(VaultError) as caught:
            await failing(use, make).get("cs")
        texts.add(str(caught.value))
    with pytest.raises(MissingEntry) as missing:
        await use(Memory).get("cs")
    texts.add(str(missing.value))
    assert len(texts) == 4


@pytest.mark.parametrize("error", [keyring.errors.KeyringLocked, lambda: PromptDismissedException("x")])
async def test_after_a_refusal_nobody_is_asked_again_until_retry(
    use: Callable[..., Vault], error: Callable[[], BaseException]
) -> None:
    vault = failing(use, error)
    answers = await asyncio.gather(*(vault.get(name) for name in "abcde"), return_exceptions=True)
    assert all(isinstance(answer, VaultLocked | VaultDenied) for answer in answers)
    assert len({str(answer) for answer in answers}) == 1
    assert len({id(answer) for answer in answers}) == 5
    assert len(Memory.calls) == 1
    with pytest.raises((VaultLocked, VaultDenied)):
        await vault.put("a", secrets(jwt="x"))
    assert len(Memory.calls) == 1
    vault.retry()
    with pytest.raises(VaultError):
        await vault.get("a")
    assert len(Memory.calls) == 2


async def test_retry_after_an_unlock_works(
    use: Callable[..., Vault], monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = failing(use, keyring.errors.KeyringLocked)
    with pytest.raises(VaultLocked):
        await vault.get("cs")
    monkeypatch.setattr(Failing, "get_password", Memory.get_password)
    vault.retry()
    await vault.put("cs", secrets(jwt="x"))
    assert plain(await vault.get("cs")) == {"jwt": "x"}


async def test_a_missing_entry_does_not_stop_the_next_call(use: Callable[..., Vault]) -> None:
    vault = use(Memory)
    with pytest.raises(MissingEntry):
        await vault.get("cs")
    await vault.put("cs", secrets(jwt="x"))


async def test_a_hung_keyring_costs_the_limit_once_and_leaves_the_loop_alone(
    use: Callable[..., Vault],
) -> None:
    vault = use(Hanging, limit=0.3)
    began = time.monotonic()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    answers = await asyncio.gather(*(vault.get(name) for name in "abcde"), return_exceptions=True)
    ticking.cancel()
    assert time.monotonic() - began < 1.5
    assert ticks >= 5
    assert {str(answer)[:44] for answer in answers} == {"the keyring did not answer in 0.3 s: look fo"}
    assert all(isinstance(answer, VaultBroken) for answer in answers)
    began = time.monotonic()
    with pytest.raises(VaultBroken, match=r"did not answer in 0\.3 s"):
        await vault.get("a")
    assert time.monotonic() - began < 0.2
    assert len(Memory.calls) == 1


async def test_a_call_that_comes_back_too_late_changes_nothing_any_more(use: Callable[..., Vault]) -> None:
    vault = use(Hanging, limit=0.2)
    with pytest.raises(VaultBroken):
        await vault.put("cs", secrets(jwt=SENTINEL))
    hung = vault._session
    assert hung is not None
    Hanging.release.set()
    await until(lambda: not hung.worker.busy)
    assert Memory.calls == [("get", "cancel-tui")]
    vault.retry()
    await vault.put("cs", secrets(jwt="new"))
    assert plain(await vault.get("cs")) == {"jwt": "new"}


async def test_slow_but_healthy_calls_in_a_row_are_not_a_hang(
    use: Callable[..., Vault], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Memory.get_password

    def slowly(self: Memory, service: str, username: str) -> str | None:
        Hanging.release.wait(0.1)
        return read(self, service, username)

    monkeypatch.setattr(Memory, "get_password", slowly)
    vault = use(Memory, limit=0.5)
    await vault.backend()
    answers = await asyncio.gather(*(vault.known([name]) for name in "abcdefgh"))
    assert answers == [{name: False} for name in "abcdefgh"]


async def test_retries_do_not_pile_up_threads_without_end(use: Callable[..., Vault]) -> None:
    vault = use(Hanging, limit=0.05)
    for _ in range(4):
        with pytest.raises(VaultBroken):
            await vault.get("cs")
        vault.retry()
    calls = len(Memory.calls)
    with pytest.raises(VaultBroken, match="still hang"):
        await vault.get("cs")
    assert len(Memory.calls) == calls
    Hanging.release.set()


async def test_a_cancelled_caller_does_not_disturb_the_others(use: Callable[..., Vault]) -> None:
    vault = use(Hanging, limit=5)
    first = asyncio.create_task(vault.known(["a"]))
    second = asyncio.create_task(vault.known(["b"]))
    await until(lambda: bool(Memory.calls))
    first.cancel()
    await asyncio.wait({first})
    Hanging.release.set()
    assert await second == {"b": False}


async def test_a_file_that_would_ask_on_the_terminal_is_locked(use: Callable[..., Vault]) -> None:
    with pytest.raises(VaultLocked, match="on this terminal"):
        await use(Prompting).get("cs")


async def test_a_file_that_has_its_password_is_open(
    use: Callable[..., Vault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Prompting, "__init__", lambda self: self.__dict__.update(keyring_key="x"))
    await use(Prompting).put("cs", secrets(jwt="x"))


async def test_nothing_is_logged(use: Callable[..., Vault], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vault = use(Memory)
    await vault.put("cs", {"jwt": Secret(SENTINEL)})
    await vault.get("cs")
    with pytest.raises(VaultBroken):
        await failing(use, lambda: RuntimeError(SENTINEL)).get("cs")
    assert SENTINEL not in caplog.text
