"""Runs in a process of its own and says on standard output what the vault did; see the tests beside it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

from cancel_tui.redaction import Secret
from cancel_tui.vault import MissingEntry, Vault, VaultError

KEY = "-----BEGIN PRIVATE KEY-----\n" + "A1b2C3d4" * 209 + "\n-----END PRIVATE KEY-----\n"


async def _round_trip(vault: Vault) -> None:
    info = await vault.backend()
    print(info.name, info.strength.value, info.warning)
    fields = {"api_key": Secret("key"), "private_key": Secret(KEY)}
    await vault.put("roxom", fields)
    vault.retry()
    read = await vault.get("roxom")
    assert {name: value.reveal() for name, value in read.items()} == {"api_key": "key", "private_key": KEY}
    await vault.put("roxom", {"api_key": Secret("short")})
    assert (await vault.get("roxom"))["api_key"].reveal() == "short"
    assert await vault.known(["roxom", "other"]) == {"roxom": True, "other": False}
    await vault.delete("roxom")
    for call in (vault.get("roxom"), vault.delete("roxom")):
        try:
            await call
        except MissingEntry as error:
            print(error)


async def _store(vault: Vault) -> None:
    await vault.put("cs", {"jwt": Secret("kept")})
    print("stored")


async def _read(vault: Vault) -> None:
    print((await vault.get("cs"))["jwt"].reveal())


async def _try(vault: Vault) -> None:
    began = time.monotonic()
    for call in (vault.get("cs"), vault.put("cs", {"jwt": Secret("new")})):
        try:
            await call
            print("no error")
        except VaultError as error:
            print(type(error).__name__, error)
    print("in time" if time.monotonic() - began < 8 else "too late")


ROLES: dict[str, Callable[[Vault], Awaitable[None]]] = {
    "round-trip": _round_trip,
    "store": _store,
    "read": _read,
    "try": _try,
}


async def _main() -> None:
    await ROLES[sys.argv[1]](Vault(limit_seconds=float(sys.argv[2])))


if __name__ == "__main__":
    asyncio.run(_main())
    print("done", flush=True)
