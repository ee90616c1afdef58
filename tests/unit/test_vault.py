"""The vault stores, reads back, finds damage and lies out, and chooses its backend."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring.core
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cancel_tui.vault import (
    BackendInfo,
    MissingEntry,
    NoBackend,
    Strength,
    Vault,
    VaultBroken,
    backends,
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
    PlaintextThing,
    Prompting,
    Strong,
    Windows,
    plain,
    secrets,
)

NAME = keyring_doubles.__name__
clean, use, found = keyring_doubles.clean, keyring_doubles.use, keyring_doubles.found


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
        ("set", "cancel-tui:cs:1"),
        ("set", "cancel-tui:cs:2"),
        ("set", "cancel-tui:cs"),
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


def _no_json(stored: dict[str, str]) -> None:
    stored["cancel-tui:cs"] = SENTINEL


def _no_manifest(stored: dict[str, str]) -> None:
    stored["cancel-tui:cs"] = json.dumps([1, 2])


def _huge_count(stored: dict[str, str]) -> None:
    stored["cancel-tui:cs"] = json.dumps({"v": 1, "parts": 10**9, "length": 1, "sha256": ""})


@pytest.mark.parametrize("damage", [_drop, _swap, _alter, _no_json, _no_manifest, _huge_count])
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


# Which backend.


async def test_a_named_backend_is_used_as_told_with_a_warning(use: Callable[..., Vault]) -> None:
    vault = use(PlaintextThing)
    info = await vault.backend()
    assert info == BackendInfo(
        f"{NAME}.PlaintextThing",
        Strength.PLAINTEXT,
        True,
        f"keyring backend {NAME}.PlaintextThing keeps secrets as plain text",
    )
    await vault.put("cs", secrets(jwt="x"))
    assert plain(await vault.get("cs")) == {"jwt": "x"}


async def test_a_named_backend_that_nobody_knows_works_with_a_warning(use: Callable[..., Vault]) -> None:
    info = await use(Memory).backend()
    assert info.strength is Strength.UNKNOWN
    assert info.warning is not None
    assert info.name in info.warning


async def test_a_backend_named_in_the_configuration_file_is_explicit(tmp_path: Path) -> None:
    folder = tmp_path / "python_keyring"
    folder.mkdir()
    (folder / "keyringrc.cfg").write_text(f"[backend]\ndefault-keyring={NAME}.PlaintextThing\n")
    vault = Vault()
    assert (await vault.backend()).explicit
    await vault.put("cs", secrets(jwt="x"))
    vault.close()


@pytest.mark.parametrize(
    "name", ["no.such.Backend", "nodots", f"{NAME}.Absent", "keyring.backends.macOS.Keyring"]
)
async def test_a_named_backend_that_cannot_be_loaded_is_said_to_be_that(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
    vault = Vault()
    with pytest.raises(NoBackend, match="PYTHON_KEYRING_BACKEND cannot be loaded"):
        await vault.backend()
    vault.close()


async def test_nothing_found_is_an_answer_and_no_store(found: Callable[..., Vault]) -> None:
    vault = found()
    info = await vault.backend()
    assert (info.strength, info.explicit) == (Strength.NONE, False)
    with pytest.raises(NoBackend, match="start the system's keyring"):
        await vault.get("cs")


async def test_plain_text_that_was_merely_found_is_read_but_never_written(
    found: Callable[..., Vault],
) -> None:
    vault = found(PlaintextThing())
    with pytest.raises(NoBackend, match="plain text"):
        await vault.put("cs", secrets(jwt="x"))
    assert not Memory.items
    assert await vault.known(["cs"]) == {"cs": False}


async def test_a_chain_is_replaced_by_its_strongest_member(
    found: Callable[..., Vault], monkeypatch: pytest.MonkeyPatch
) -> None:
    strengths = {**backends._STRENGTHS, f"{NAME}.Strong": Strength.SYSTEM}
    monkeypatch.setattr(backends, "_STRENGTHS", strengths)
    monkeypatch.setattr(Memory, "priority", 9.0)
    chainer = keyring.core.load_keyring("keyring.backends.chainer.ChainerBackend")
    vault = found(chainer, Memory(), PlaintextThing(), Strong(), Prompting())
    assert (await vault.backend()).name == f"{NAME}.Strong"


async def test_keyrings_own_order_decides_between_equals(
    found: Callable[..., Vault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Windows, "priority", 3.0, raising=False)
    assert (await found(Memory(), Windows(), Clipping()).backend()).name == f"{NAME}.Windows"


async def test_a_backend_whose_service_went_away_is_passed_over(found: Callable[..., Vault]) -> None:
    class Gone:
        @property
        def priority(self) -> float:
            raise RuntimeError("no service")

    assert (await found(Gone(), Memory()).backend()).name == f"{NAME}.Memory"
