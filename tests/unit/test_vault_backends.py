"""The vault uses the backend that it was told, and otherwise the strongest single one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keyring.core
import pytest

from cancel_tui.vault import (
    BackendInfo,
    MissingEntry,
    NoBackend,
    Strength,
    Vault,
    VaultBroken,
    backends,
)
from tests.unit import keyring_doubles
from tests.unit.keyring_doubles import (
    Clipping,
    Memory,
    PlaintextThing,
    Prompting,
    Renamed,
    Strong,
    Unkept,
    Windows,
    plain,
    secrets,
)

NAME = keyring_doubles.__name__
clean, use, found = keyring_doubles.clean, keyring_doubles.use, keyring_doubles.found


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


async def test_plain_text_that_was_merely_found_is_refused_until_it_is_accepted_by_name(
    found: Callable[..., Vault],
) -> None:
    vault = found(PlaintextThing())
    info = await vault.backend()
    assert (info.explicit, info.usable, info.mark) == (False, False, "PLAINTEXT KEYRING")
    for call in (vault.put("cs", secrets(jwt="x")), vault.get("cs"), vault.known(["cs"]), vault.delete("cs")):
        with pytest.raises(NoBackend, match="plain text") as caught:
            await call
        assert f'`accept = ["{NAME}.PlaintextThing"]` under [keyring]' in str(caught.value)
    assert not Memory.items
    assert not Memory.calls
    vault = found(PlaintextThing(), accept=["other.Backend", f"{NAME}.PlaintextThing"])
    await vault.put("cs", secrets(jwt="x"))
    assert plain(await vault.get("cs")) == {"jwt": "x"}
    info = await vault.backend()
    assert (info.explicit, info.usable, info.mark) == (True, True, "PLAINTEXT KEYRING")
    assert vault.seen == info


async def test_a_store_that_protects_is_taken_though_a_weaker_one_is_accepted(
    found: Callable[..., Vault],
) -> None:
    vault = found(PlaintextThing(), Memory(), accept=[f"{NAME}.PlaintextThing"])
    info = await vault.backend()
    assert (info.name, info.mark) == (f"{NAME}.Memory", None)


@pytest.mark.parametrize("name", ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring"])
async def test_what_keeps_nothing_serves_only_where_the_configuration_accepts_it(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
    vault = Vault()
    assert not (await vault.backend()).usable
    with pytest.raises(NoBackend, match="keeps nothing"):
        await vault.get("cs")
    vault.close()
    vault = Vault(accept=[name])
    info = await vault.backend()
    assert (info.usable, info.mark) == (True, "KEYRING KEEPS NOTHING")
    with pytest.raises(MissingEntry if "null" in name else NoBackend):
        await vault.get("cs")
    with pytest.raises(VaultBroken if "null" in name else NoBackend):
        await vault.put("cs", secrets(jwt="x"))
    vault.close()


async def test_a_named_chain_names_none_of_its_members(
    found: Callable[..., Vault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.chainer.ChainerBackend")
    vault = found(PlaintextThing(), Unkept())
    info = await vault.backend()
    assert (info.name, info.explicit, info.usable) == (f"{NAME}.PlaintextThing", False, False)
    with pytest.raises(NoBackend, match="plain text"):
        await vault.put("cs", secrets(jwt="x"))
    assert not Memory.items
    assert (await found(PlaintextThing(), Memory()).backend()).name == f"{NAME}.Memory"


async def test_what_a_weak_backend_is_called_does_not_hide_it(found: Callable[..., Vault]) -> None:
    """The files of keyrings.alt, and what is made of them or of the null backend under another name."""
    info = await found(Unkept()).backend()
    assert (info.strength, info.usable) == (Strength.NONE, False)
    info = await found(Renamed()).backend()
    assert (info.strength, info.usable) == (Strength.PLAINTEXT, False)
    alt = type("PlaintextKeyring", (Memory,), {"__module__": "keyrings.alt.file"})
    info = await found(alt()).backend()
    assert (info.name, info.strength, info.usable) == (
        "keyrings.alt.file.PlaintextKeyring",
        Strength.PLAINTEXT,
        False,
    )


async def test_a_chain_is_replaced_by_its_strongest_member(
    found: Callable[..., Vault], monkeypatch: pytest.MonkeyPatch
) -> None:
    strengths = {**backends._STRENGTHS, f"{NAME}.Strong": Strength.SYSTEM}
    monkeypatch.setattr(backends, "_STRENGTHS", strengths)
    monkeypatch.setattr(Memory, "priority", 9.0)
    chainer = keyring.core.load_keyring("keyring.backends.chainer.ChainerBackend")
    vault = found(chainer, Memory(), PlaintextThing(), Strong(), Prompting())
    assert (await vault.backend()).name == f"{NAME}.Strong"


async def test_windows_credentials_do_not_roam_to_other_machines(
    use: Callable[..., Vault], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[str] = []
    monkeypatch.setattr(backends, "_WINDOWS", f"{NAME}.Windows")
    monkeypatch.setattr(
        Windows, "persist", property(lambda _: "", lambda _, how: kept.append(how)), raising=False
    )
    await use(Windows).backend()
    assert kept == ["local machine"]
    monkeypatch.setenv("KEYRING_PROPERTY_PERSIST", "session")
    await use(Windows).backend()
    assert kept == ["local machine"]


async def test_a_file_that_would_prompt_is_better_than_plain_text_only(
    found: Callable[..., Vault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlaintextThing, "priority", 9.0)
    assert (await found(PlaintextThing(), Prompting()).backend()).name == f"{NAME}.Prompting"
    assert (await found(Prompting(), Memory()).backend()).name == f"{NAME}.Memory"


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


async def test_a_chain_is_not_taken_even_where_its_members_are_unknown(found: Callable[..., Vault]) -> None:
    chainer = keyring.core.load_keyring("keyring.backends.chainer.ChainerBackend")
    vault = found(chainer, Memory(), Strong())
    assert chainer.priority == 10
    assert (await vault.backend()).name == f"{NAME}.Strong"
