"""Runs in a D-Bus session of its own with a real gnome-keyring, and says what the vault did."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from cancel_tui.redaction import Secret
from cancel_tui.vault import Vault, VaultError
from tests.system.prompter import NAME as PROMPTER

jeepney: Any = import_module("jeepney")
storage: Any = import_module("secretstorage")
SERVICE, PATH = "org.freedesktop.secrets", "/org/freedesktop/secrets"
COLLECTION = f"{PATH}/collection/login"
PASSWORD = b"pw"


def call(interface: str, member: str, signature: str, body: tuple[Any, ...], bus: Any = None) -> Any:
    """A method of the service; raises for an error."""
    bus = bus or storage.dbus_init()
    address = jeepney.DBusAddress(PATH, bus_name=SERVICE, interface=interface)
    answer = bus.send_and_get_reply(jeepney.new_method_call(address, member, signature, body))
    assert answer.header.message_type is not jeepney.MessageType.error, answer.body
    return answer.body


def lock() -> None:
    call("org.freedesktop.Secret.Service", "Lock", "ao", ([COLLECTION],))


def unlock() -> None:
    """As the login does it: with the password and without a prompt."""
    bus = storage.dbus_init()
    service = "org.freedesktop.Secret.Service"
    _, session = call(service, "OpenSession", "sv", ("plain", ("s", "")), bus)
    secret = (session, b"", PASSWORD, "text/plain")
    interface = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface"
    call(interface, "UnlockWithMasterPassword", "o(oayays)", (COLLECTION, secret), bus)


def owned(name: str) -> bool:
    answer = storage.dbus_init().send_and_get_reply(jeepney.message_bus.NameHasOwner(name))
    return bool(answer.body[0])


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def daemon() -> subprocess.Popen[bytes]:
    """A gnome-keyring whose login collection is unlocked."""
    process = subprocess.Popen(
        ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.write(PASSWORD)
    process.stdin.close()
    until(lambda: owned(SERVICE))
    until(lambda: not storage.Collection(storage.dbus_init(), COLLECTION).is_locked())
    return process


@contextmanager
def prompter(answer: str) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-m", "tests.system.prompter", answer]) as process:
        try:
            until(lambda: owned(PROMPTER))
            yield
        finally:
            process.terminate()


async def told(work: Awaitable[Any]) -> str:
    """What came of it: the value of the one field, or the error."""
    try:
        found = await work
    except VaultError as error:
        return f"{type(error).__name__} {error}"
    return str(found["jwt"].reveal()) if isinstance(found, dict) else "done"


async def locked(vault: Vault) -> None:
    """Locked in mid-session with nobody to ask, then unlocked, in one run of the program."""
    print(await told(vault.get("cs")))
    lock()
    for _ in range(2):
        print(await told(vault.get("cs")))
    unlock()
    print(await told(vault.get("cs")))
    vault.retry()
    print(await told(vault.get("cs")))


async def denied(vault: Vault) -> None:
    """A prompt is shown and closed, for reading, storing and deleting; then the keyring is unlocked."""
    lock()
    with prompter("no"):
        for work in (vault.get, lambda name: vault.put(name, {"jwt": Secret("new")}), vault.delete):
            vault.retry()
            print(await told(work("cs")))
    unlock()
    vault.retry()
    print(await told(vault.get("cs")))


async def waiting(vault: Vault) -> None:
    """A prompt is shown and nobody answers; the event loop goes on meanwhile."""
    lock()
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    with prompter("never"):
        turning = asyncio.create_task(turn())
        vault.retry()
        for answer in await asyncio.gather(*(told(vault.get(name)) for name in ("cs", "other"))):
            print(answer)
        turning.cancel()
        print("the loop went on" if turns > 20 else f"only {turns} turns")
    unlock()
    vault.retry()
    print(await told(vault.get("cs")))


async def gone(vault: Vault) -> None:
    """The daemon dies in mid-session and comes back."""
    print(await told(vault.get("cs")))
    RUNNING[0].kill()
    RUNNING[0].wait()
    until(lambda: not owned(SERVICE))
    print(await told(vault.get("cs")))
    print(await told(vault.put("cs", {"jwt": Secret("new")})))
    RUNNING[0] = daemon()
    vault.retry()
    print(await told(vault.get("cs")))


RUNNING: list[subprocess.Popen[bytes]] = []
SCENARIOS: dict[str, Callable[[Vault], Awaitable[None]]] = {
    one.__name__: one for one in (locked, denied, waiting, gone)
}


async def main(name: str, limit: float) -> None:
    vault = Vault(limit_seconds=limit)
    await vault.put("cs", {"jwt": Secret("kept")})
    await SCENARIOS[name](vault)


if __name__ == "__main__":
    RUNNING.append(daemon())
    try:
        if sys.argv[1] == "run":
            subprocess.run(["sh", "-ec", sys.argv[2]], check=True)
        else:
            asyncio.run(main(sys.argv[1], float(sys.argv[2])))
    finally:
        RUNNING[0].kill()
        RUNNING[0].wait()
