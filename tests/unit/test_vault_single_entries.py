"""A question about one entry holds up that entry only; what was read early is there when it is wanted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from cancel_tui.vault import Vault, VaultBroken, VaultDenied, VaultError
from cancel_tui.vault.items import _Manifest
from cancel_tui.vault.worker import MOST_THREADS
from tests.unit import keyring_doubles
from tests.unit.keyring_doubles import Asking, Memory, plain, secrets, until

clean, use = keyring_doubles.clean, keyring_doubles.use


def put(*names: str) -> None:
    """Entries as they lie in the store."""
    for name in names:
        value = json.dumps({"jwt": name})
        Memory.items[f"cancel-tui:{name}", "credentials"] = _Manifest.of(value).text()
        Memory.items[f"cancel-tui:{name}:1", "credentials"] = value


def asked(name: str) -> int:
    return Memory.calls.count(("get", f"cancel-tui:{name}"))


async def test_one_prompt_that_nobody_answers_locks_its_entry_and_no_other(use: Callable[..., Vault]) -> None:
    put("a", "b", "c")
    Asking.about.add("cancel-tui:a")
    vault = use(Asking, limit=1.5)
    hung = asyncio.create_task(vault.get("a"))
    found = await asyncio.gather(vault.get("b"), vault.get("c"))
    assert [plain(one) for one in found] == [{"jwt": "b"}, {"jwt": "c"}]
    # They did not wait for the limit of the one that hangs.
    assert not hung.done()
    with pytest.raises(VaultBroken, match="did not answer"):
        await hung
    # The store as a whole goes on to serve, and the question is not asked again.
    assert plain(await vault.get("b")) == {"jwt": "b"}
    with pytest.raises(VaultBroken, match="did not answer"):
        await vault.get("a")
    assert asked("a") == 1


async def test_several_prompts_hold_up_as_many_entries(use: Callable[..., Vault]) -> None:
    names = [f"n{number}" for number in range(MOST_THREADS)]
    put(*names)
    Asking.about.update(f"cancel-tui:{name}" for name in names[:-1])
    vault = use(Asking, limit=5)
    hung = [asyncio.create_task(vault.get(name)) for name in names[:-1]]
    assert plain(await vault.get(names[-1])) == {"jwt": names[-1]}
    assert not any(one.done() for one in hung)
    Asking.release.set()
    assert [plain(await one)["jwt"] for one in hung] == names[:-1]


async def test_an_answer_that_comes_late_serves_the_next_who_asks(use: Callable[..., Vault]) -> None:
    put("a")
    Asking.about.add("cancel-tui:a")
    vault = use(Asking, limit=0.3)
    with pytest.raises(VaultBroken):
        await vault.get("a")
    Asking.release.set()
    session = vault._session
    assert session is not None
    await until(lambda: not session.worker.busy)
    Memory.items.clear()
    assert plain(await vault.get("a")) == {"jwt": "a"}
    assert asked("a") == 1


async def test_two_who_want_the_same_entry_ask_one_question(use: Callable[..., Vault]) -> None:
    put("a")
    Asking.about.add("cancel-tui:a")
    vault = use(Asking)
    first, second = asyncio.create_task(vault.get("a")), asyncio.create_task(vault.get("a"))
    await until(lambda: asked("a") == 1)
    first.cancel()
    await asyncio.wait({first})
    Asking.release.set()
    assert plain(await second) == {"jwt": "a"}
    assert asked("a") == 1


def test_what_was_begun_early_is_there_without_an_event_loop_and_in_a_later_one(
    use: Callable[..., Vault],
) -> None:
    put("a", "b")
    vault = use(Asking)
    vault.begin(["a", "b", "missing"])

    async def wanted(name: str) -> dict[str, str]:
        session = vault._session
        assert session is not None
        await until(
            lambda: not session.worker.busy and all(one.answer.done() for one in session.reads.values())
        )
        Memory.calls.clear()
        return plain(await vault.get(name))

    assert asyncio.run(wanted("a")) == {"jwt": "a"}
    assert asyncio.run(wanted("b")) == {"jwt": "b"}
    assert Memory.calls == []


async def test_a_no_about_one_entry_stands_and_the_others_are_asked_for(use: Callable[..., Vault]) -> None:
    put("a", "b")
    Asking.refused.add("cancel-tui:a")
    vault = use(Asking)
    for _ in range(2):
        with pytest.raises(VaultDenied):
            await vault.get("a")
    assert asked("a") == 1
    assert plain(await vault.get("b")) == {"jwt": "b"}
    Asking.refused.clear()
    vault.retry()
    assert plain(await vault.get("a")) == {"jwt": "a"}


async def test_a_store_that_was_locked_since_is_asked_once_and_not_per_entry(
    use: Callable[..., Vault],
) -> None:
    put("a", "b", "c", "d")
    vault = use(Asking)
    assert plain(await vault.get("a")) == {"jwt": "a"}
    Asking.refused.update({"cancel-tui", *(f"cancel-tui:{name}" for name in "abcd")})
    Memory.calls.clear()
    found = await asyncio.gather(*(vault.get(name) for name in "bcd"), return_exceptions=True)
    assert all(isinstance(one, VaultError) for one in found)
    assert Memory.calls == [("get", "cancel-tui:b"), ("get", "cancel-tui")]


async def test_storing_anew_frees_an_entry_that_was_refused(use: Callable[..., Vault]) -> None:
    put("a")
    Asking.refused.add("cancel-tui:a")
    vault = use(Asking)
    with pytest.raises(VaultDenied):
        await vault.get("a")
    Asking.refused.clear()
    await vault.put("a", secrets(jwt="new"))
    assert plain(await vault.get("a")) == {"jwt": "new"}
