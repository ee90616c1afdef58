"""The vault stores, reads back, and finds damage and lies out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cancel_tui.vault import (
    MissingEntry,
    NoBackend,
    Strength,
    Vault,
    VaultBroken,
    items,
)
from tests.unit import keyring_doubles
from tests.unit.keyring_doubles import (
    LONG,
    SENTINEL,
    Clinging,
    Clipping,
    Forgetful,
    Memory,
    Windows,
    plain,
    secrets,
)

clean, use = keyring_doubles.clean, keyring_doubles.use


# What goes in comes out.


async def test_what_was_stored_is_read_back(use: Callable[..., Vault]) -> None:
    vault = use(Memory)
    await vault.put("cs-spot", secrets(api_key="key", api_secret=SENTINEL))
    assert plain(await vault.get("cs-spot")) == {"api_key": "key", "api_secret": SENTINEL}


async def test_an_rsa_key_fits_into_a_store_of_1280_characters(use: Callable[..., Vault]) -> None:
    vault = use(Windows)
    await vault.put("roxom", secrets(api_key="key", private_key=LONG))
    assert plain(await vault.get("roxom")) == {"api_key": "key", "private_key": LONG}
    assert max(len(value) for value in Memory.items.values()) <= 1000
    assert sorted(service for service, _ in Memory.items) == [
        "cancel-tui:roxom",
        "cancel-tui:roxom:1",
        "cancel-tui:roxom:2",
    ]


async def test_letters_beyond_ascii_do_not_lengthen_a_part(use: Callable[..., Vault]) -> None:
    vault = use(Windows)
    await vault.put("broker", secrets(api_token="ü€😀" * 300))
    assert plain(await vault.get("broker")) == {"api_token": "ü€😀" * 300}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "a:1", "b"]), st.integers(0, 3500).map(lambda n: "x" * n)),
        max_size=6,
    )
)
def test_the_last_value_of_each_name_counts_and_nothing_else_lies_around(
    monkeypatch: pytest.MonkeyPatch, puts: list[tuple[str, str]]
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", f"{Windows.__module__}.{Windows.__qualname__}")
    Memory.items.clear()

    async def scenario() -> None:
        vault = Vault()
        try:
            for name, value in puts:
                await vault.put(name, secrets(field=value))
            expected = dict(puts)
            for name, value in expected.items():
                assert plain(await vault.get(name)) == {"field": value}
            assert await vault.known(["a", "a:1", "b"]) == {
                name: name in expected for name in ["a", "a:1", "b"]
            }
            for name in expected:
                await vault.delete(name)
            assert not Memory.items
        finally:
            vault.close()

    asyncio.run(scenario())


async def test_a_shorter_value_leaves_no_part_of_the_longer_one(use: Callable[..., Vault]) -> None:
    vault = use(Memory)
    await vault.put("roxom", secrets(private_key=LONG))
    await vault.put("roxom", secrets(private_key="short"))
    assert len(Memory.items) == 2
    assert plain(await vault.get("roxom")) == {"private_key": "short"}


async def test_the_same_value_is_not_written_again(use: Callable[..., Vault]) -> None:
    vault = use(Memory)
    await vault.put("cs", secrets(api_key="k", api_secret="s"))
    Memory.calls.clear()
    await vault.put("cs", secrets(api_secret="s", api_key="k"))
    assert {call for call, _ in Memory.calls} == {"get"}


async def test_the_manifest_goes_first_and_comes_last(use: Callable[..., Vault]) -> None:
    vault = use(Memory)
    await vault.put("cs", secrets(jwt="a" * 1500))
    Memory.calls.clear()
    await vault.put("cs", secrets(jwt="b" * 1500))
    assert [call for call in Memory.calls if call[0] != "get"] == [
        ("delete", "cancel-tui:cs"),
        ("delete", "cancel-tui:cs:2"),
        ("delete", "cancel-tui:cs:1"),
        ("set", "cancel-tui:cs:1"),
        ("set", "cancel-tui:cs:2"),
        ("set", "cancel-tui:cs"),
    ]


async def test_parts_are_deleted_from_the_last_so_that_an_interrupted_run_leaves_no_gap(
    use: Callable[..., Vault],
) -> None:
    vault = use(Memory)
    await vault.put("cs", secrets(jwt="a" * 2500))
    await vault.delete("cs")
    assert [service for call, service in Memory.calls if call == "delete"] == [
        "cancel-tui:cs",
        "cancel-tui:cs:3",
        "cancel-tui:cs:2",
        "cancel-tui:cs:1",
    ]


async def test_a_store_is_read_once_more_after_the_last_write(use: Callable[..., Vault]) -> None:
    vault = use(Memory)
    await vault.put("cs", secrets(jwt="a"))
    last_write = max(index for index, (call, _) in enumerate(Memory.calls) if call == "set")
    assert ("get", "cancel-tui:cs:1") in Memory.calls[last_write:]


async def test_an_empty_set_of_fields_is_refused(use: Callable[..., Vault]) -> None:
    with pytest.raises(ValueError, match="without fields"):
        await use(Memory).put("cs", {})


async def test_more_than_any_credential_needs_is_refused_before_anything_is_written(
    use: Callable[..., Vault],
) -> None:
    with pytest.raises(VaultBroken, match="too long"):
        await use(Memory).put("cs", secrets(jwt="a" * 100_000))
    assert not Memory.items


# What is missing or damaged.


async def test_a_name_without_an_entry_is_missing(use: Callable[..., Vault]) -> None:
    vault = use(Memory)
    with pytest.raises(MissingEntry, match=r"'cs'.*keys set"):
        await vault.get("cs")
    with pytest.raises(MissingEntry):
        await vault.delete("cs")


async def test_deleted_credentials_are_missing(use: Callable[..., Vault]) -> None:
    vault = use(Memory)
    await vault.put("cs", secrets(private_key=LONG))
    await vault.delete("cs")
    assert not Memory.items
    with pytest.raises(MissingEntry):
        await vault.get("cs")


async def test_a_write_cut_short_before_the_manifest_is_missing_and_can_be_cleared(
    use: Callable[..., Vault],
) -> None:
    vault = use(Memory)
    await vault.put("cs", secrets(private_key=LONG))
    del Memory.items["cancel-tui:cs", "credentials"]
    with pytest.raises(MissingEntry):
        await vault.get("cs")
    await vault.delete("cs")
    assert not Memory.items


def _drop(stored: dict[str, str]) -> None:
    del stored["cancel-tui:cs:2"]


def _swap(stored: dict[str, str]) -> None:
    stored["cancel-tui:cs:1"], stored["cancel-tui:cs:2"] = (
        stored["cancel-tui:cs:2"],
        stored["cancel-tui:cs:1"],
    )


def _alter(stored: dict[str, str]) -> None:
    stored["cancel-tui:cs:2"] = "é" + stored["cancel-tui:cs:2"][1:]


def _alter_one_letter(stored: dict[str, str]) -> None:
    stored["cancel-tui:cs:2"] = "Z" + stored["cancel-tui:cs:2"][1:]


def _no_json(stored: dict[str, str]) -> None:
    stored["cancel-tui:cs"] = SENTINEL


def _no_manifest(stored: dict[str, str]) -> None:
    stored["cancel-tui:cs"] = json.dumps([1, 2])


def _huge_count(stored: dict[str, str]) -> None:
    stored["cancel-tui:cs"] = json.dumps({"v": 1, "parts": 10**9, "length": 1, "sha256": ""})


@pytest.mark.parametrize(
    "damage", [_drop, _swap, _alter, _alter_one_letter, _no_json, _no_manifest, _huge_count]
)
async def test_a_damaged_entry_is_named_as_such_and_can_be_stored_again(
    use: Callable[..., Vault], damage: Callable[[dict[str, str]], None]
) -> None:
    vault = use(Memory)
    await vault.put("cs", secrets(private_key=LONG))
    stored = {service: value for (service, _), value in Memory.items.items()}
    damage(stored)
    Memory.items.clear()
    Memory.items.update({(service, "credentials"): value for service, value in stored.items()})
    with pytest.raises(VaultBroken, match="store the credentials again") as caught:
        await vault.get("cs")
    assert SENTINEL not in str(caught.value)
    await vault.put("cs", secrets(private_key=LONG))
    assert plain(await vault.get("cs")) == {"private_key": LONG}


async def test_an_entry_of_a_newer_version_is_not_guessed_at(use: Callable[..., Vault]) -> None:
    Memory.items["cancel-tui:cs", "credentials"] = json.dumps({"v": 2})
    with pytest.raises(VaultBroken, match="newer"):
        await use(Memory).get("cs")


@pytest.mark.parametrize("value", [["not", "fields"], {"api_key": 5}])
async def test_something_else_under_our_name_is_damaged(use: Callable[..., Vault], value: Any) -> None:
    vault = use(Memory)
    await vault.put("cs", secrets(jwt="x"))
    text = json.dumps(value)
    Memory.items["cancel-tui:cs:1", "credentials"] = text
    Memory.items["cancel-tui:cs", "credentials"] = items._Manifest.of(text).text()
    with pytest.raises(VaultBroken, match="damaged"):
        await vault.get("cs")


# Backends that lie.


@pytest.mark.parametrize("backend", [Forgetful, Clipping])
async def test_a_store_that_does_not_keep_what_it_accepts_is_found_out(
    use: Callable[..., Vault], backend: type
) -> None:
    with pytest.raises(VaultBroken, match="did not keep"):
        await use(backend).put("cs", secrets(private_key=LONG))


async def test_a_store_that_does_not_delete_is_found_out(use: Callable[..., Vault]) -> None:
    vault = use(Clinging)
    await vault.put("cs", secrets(jwt="x"))
    with pytest.raises(VaultBroken, match="would not delete"):
        await vault.delete("cs")


async def test_credentials_that_are_still_there_are_not_called_deleted(
    use: Callable[..., Vault], monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = use(Memory)
    await vault.put("cs", secrets(jwt="x"))
    delete = Memory.delete_password

    def parts_only(self: Memory, service: str, username: str) -> None:
        if service != "cancel-tui:cs":
            delete(self, service, username)

    monkeypatch.setattr(Memory, "delete_password", parts_only)
    with pytest.raises(VaultBroken, match="would not delete"):
        await vault.delete("cs")


async def test_the_null_backend_is_no_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    vault = Vault()
    info = await vault.backend()
    assert (info.strength, info.explicit) == (Strength.NONE, True)
    assert info.warning is not None
    assert "keeps nothing" in info.warning
    for call in (vault.put("cs", secrets(jwt="x")), vault.get("cs"), vault.delete("cs"), vault.known(["cs"])):
        with pytest.raises(NoBackend, match="keeps nothing"):
            await call
    vault.close()
