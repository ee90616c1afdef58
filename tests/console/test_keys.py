"""The credentials screen over keyring doubles: what it shows and stores, and that no value ever shows."""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from keyring.errors import KeyringLocked
from textual import events
from textual.widgets import Input

from cancel_tui.cli.session import KeyringCredentials
from cancel_tui.console.hidden import LONGEST, Hidden
from cancel_tui.console.keydoor import KeyDoor
from cancel_tui.console.screens.arm import ArmScreen
from cancel_tui.console.screens.ask import AskScreen
from cancel_tui.console.screens.confirm import SETTLE
from cancel_tui.console.screens.keyform import KeyFormScreen
from cancel_tui.console.screens.keys import KeysScreen
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.slot import VenueState
from cancel_tui.orders import VenueName
from cancel_tui.redaction import Secret
from cancel_tui.settings import Settings, VenueSettings
from cancel_tui.vault import Vault
from tests.console.ground import Ground, ground
from tests.unit import keyring_doubles as doubles
from tests.unit.keyring_doubles import clean, use

__all__ = ["clean", "use"]

Use = Callable[..., Vault]


class Locked(doubles.Memory):
    """Locked until the test unlocks it."""

    locked = True

    def get_password(self, service: str, username: str) -> str | None:
        if type(self).locked:
            raise KeyringLocked("locked")
        return super().get_password(service, username)


class PlaintextStore(doubles.Memory):
    """Known by its name to protect nothing."""


def own_entries(text: str) -> str:
    """Every venue with an entry of its own; spot and futures of CoinSwitch share one."""
    blocks = text.split("[venues.")
    made = [blocks[0]]
    for block in blocks[1:]:
        name = block.partition("]")[0]
        entry = "cs" if name.startswith("cs-") else name
        made.append(block.replace('credentials = "practice"', f'credentials = "{entry}"'))
    return "[venues.".join(made)


@asynccontextmanager
async def room(folder: Path, vault: Vault, **options: Any) -> AsyncIterator[Ground]:
    """A console whose venues have credentials in a keyring, and none stored yet unless a test did."""
    source = KeyringCredentials(Settings(path=None))

    async def keys(settings: VenueSettings) -> Mapping[str, Secret]:
        return await source(settings)

    door = KeyDoor(lambda: vault, source.hold, source.drop, lambda: source.vault.seen)
    try:
        async with ground(
            folder, credentials=keys, door=door, configure=own_entries, listed=False, **options
        ) as here:
            yield here
    finally:
        source.vault.close()


async def opened(here: Ground) -> KeysScreen:
    await here.press("K")
    screen = here.app.screen
    assert isinstance(screen, KeysScreen)
    await here.until(lambda: not here.app.keyroom.asking)
    here.app.look()
    return screen


async def paste(here: Ground, text: str) -> None:
    here.app.post_message(events.Paste(text))
    await here.later()


async def fill(here: Ground, values: Mapping[str, str]) -> None:
    """Paste every field and stop at the question."""
    for value in values.values():
        await paste(here, value)
        await here.press("enter")
    await asked(here)


async def asked(here: Ground) -> None:
    """The question stands, and Enter stores."""
    form = here.app.screen
    assert isinstance(form, KeyFormScreen)
    await here.until(lambda: form.ready)


def bits(values: Mapping[str, str]) -> set[str]:
    """What must be seen nowhere: every value, and every line of one with several."""
    return {
        line for value in values.values() for line in value.split("\n") if len(line) > 8 and line[0] != "-"
    }


def held(here: Ground, secrets: set[str]) -> list[str]:
    """Widgets and screens that hold a secret in any attribute."""
    found = [one for one in gc.get_objects() if isinstance(one, Hidden | Input | KeyFormScreen)]
    return [repr(one) for one in found if any(word in _inside(one) for word in secrets)]


def _inside(one: object) -> str:
    if isinstance(one, Hidden):
        return one.reveal()
    return one.value if isinstance(one, Input) else str(vars(one))


def shown(here: Ground) -> str:
    """Everything that can be seen, as text and as a picture."""
    picture = here.app.export_screenshot().replace("&#160;", " ")
    return f"{here.text()}\n{here.picture()}\n{picture}\n" + "\n".join(here.app.log_lines)


def files(folder: Path) -> str:
    return "".join(path.read_text("utf-8", "replace") for path in folder.rglob("*") if path.is_file())


async def test_a_key_is_stored_read_back_and_at_work_and_seen_nowhere(
    tmp_path: Path, use: Use, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    async with room(tmp_path, use(doubles.Windows), venues=("roxom",)) as here:
        values = here.cluster.named("roxom").credentials()
        secrets = bits(values)
        assert len(secrets) > 20
        assert list(values) == ["api_key", "private_key"]
        await here.until(lambda: "roxom LOCKED" in here.line("chips"))
        await opened(here)
        assert "missing" in here.line("preview")
        assert "roxom needs api_key and private_key" in here.line("warnings")
        assert "Windows" in here.line("warnings")
        await here.press("a")
        for index, (name, value) in enumerate(values.items()):
            assert f"▸ {name}" in here.line("preview")
            # What terminals make of line ends: some paste CR alone, some CR LF.
            await paste(here, value.replace("\n", "\r" if index else "\r\n"))
            seen.append(shown(here))
            await here.press("enter")
        await asked(here)
        assert f"{values['private_key'].strip().count(chr(10)) + 1} lines" in here.line("preview")
        seen.append(shown(here))
        await here.press("enter")
        await here.until(lambda: isinstance(here.app.screen, KeysScreen))
        await here.until(lambda: "roxom live" in here.line("warnings"))
        assert "stored and read back: api_key, private_key" in here.line("warnings")
        assert " stored " in here.line("preview")
        slot = here.desk.slots[VenueName("roxom")]
        assert slot.state is VenueState.LIVE
        await here.press("t")
        await here.until(lambda: "roxom works" in here.line("warnings"))
        seen.append(shown(here))
        gc.collect()
        assert held(here, secrets) == []
        await here.press("escape")
        await here.until(lambda: here.grid.model.total == 6)
        seen.append(shown(here))
        assert here.app.clipboard == ""
    stored = "".join(value for (name, _), value in sorted(doubles.Memory.items.items()) if ":roxom:" in name)
    assert len([name for name, _ in doubles.Memory.items if ":roxom:" in name]) > 1
    assert json.loads(stored)["api_key"] == values["api_key"]
    everything = "\n".join([*seen, files(tmp_path), caplog.text])
    assert not [word for word in secrets if word in everything]


async def test_shared_entries_stand_once_and_serve_every_venue(tmp_path: Path, use: Use) -> None:
    async with room(tmp_path, use(doubles.Memory), venues=("cs-spot", "cs-fut")) as here:
        await opened(here)
        assert here.line("preview").count("\n") == 1
        assert "cs-spot, cs-fut" in here.line("preview")
        await here.press("a")
        await fill(here, here.cluster.named("cs-spot").credentials())
        await here.press("enter")
        # The two practice servers have keys of their own: what one takes the other refuses.
        await here.until(lambda: "cs-spot live" in here.line("warnings"))
        await here.until(lambda: "cs-fut refused" in here.line("warnings"))
        assert here.desk.slots[VenueName("cs-spot")].state is VenueState.LIVE


async def test_of_several_sets_one_is_chosen_and_a_wrong_form_stores_nothing(
    tmp_path: Path, use: Use
) -> None:
    async with room(tmp_path, use(doubles.Memory)) as here:
        await opened(here)
        await here.press("a", "2")
        assert "▸ jwt" in here.line("preview")
        await here.press("enter")
        assert "jwt is empty" in here.line("warnings")
        await here.press(*"abcd", "backspace")
        assert "3 characters" in here.line("preview")
        await here.press("ctrl+u")
        assert "empty" in here.line("preview")
        await paste(here, "no-token-at-all-5f0c")
        await here.press("enter")
        await asked(here)
        await paste(here, "thrown-away")
        assert "thrown away" in here.line("warnings")
        await here.press("enter")
        await here.until(lambda: "jwt is not a JWT" in here.line("warnings"))
        assert "nothing was stored" in " ".join(here.line("warnings").split())
        assert "no-token" not in shown(here)
        assert doubles.Memory.items == {}
        await here.press("escape")
        assert isinstance(here.app.screen, KeysScreen)


async def test_the_end_of_a_paste_that_comes_as_keys_stores_nothing(tmp_path: Path, use: Use) -> None:
    async with room(tmp_path, use(doubles.Memory)) as here:
        await opened(here)
        await here.press("a", "1")
        here.burst(*"key-5f0c-5f0c", "enter", *"secret-5f0c-5f0c", "enter", "enter", "enter")
        await here.until(lambda: "Enter stores it" in here.line("preview"))
        form = here.app.screen
        assert isinstance(form, KeyFormScreen)
        await here.until(lambda: form._asked is not None)
        late = events.Key("enter", "\r")
        late.time = (form._asked or 0.0) + SETTLE / 2
        here.app.post_message(late)
        await here.until(lambda: form.ready)
        await here.later()
        assert isinstance(here.app.screen, KeyFormScreen)
        assert doubles.Memory.items == {}


async def test_the_chord_leaves_the_form_and_what_was_typed_is_gone(tmp_path: Path, use: Use) -> None:
    async with room(tmp_path, use(doubles.Memory)) as here:
        await opened(here)
        await here.press("a", "1")
        await paste(here, doubles.SENTINEL)
        form = here.app.screen
        assert isinstance(form, KeyFormScreen)
        assert held(here, {doubles.SENTINEL}) != []
        await here.press("ctrl+c")
        assert here.app.clipboard == ""
        await here.press("ctrl+k")
        await here.until(lambda: isinstance(here.app.screen, ArmScreen))
        await here.until(lambda: held(here, {doubles.SENTINEL}) == [])


async def test_too_much_is_refused_whole(tmp_path: Path, use: Use) -> None:
    async with room(tmp_path, use(doubles.Memory)) as here:
        await opened(here)
        await here.press("a", "1")
        await paste(here, "x" * (LONGEST + 1))
        assert "nothing of it was kept" in here.line("warnings")
        assert "empty" in here.line("preview")


async def test_deleting_asks_first_and_the_venue_works_on(tmp_path: Path, use: Use) -> None:
    async with room(tmp_path, use(doubles.Memory)) as here:
        await opened(here)
        await here.press("d")
        assert "nothing is stored" in here.line("banner")
        await here.press("a", "1")
        await fill(here, here.cluster.named("p99").credentials())
        await here.press("enter")
        await here.until(lambda: "p99 live" in here.line("warnings"))
        before = dict(doubles.Memory.items)
        await here.press("d")
        ask = here.app.screen
        assert isinstance(ask, AskScreen)
        await here.until(lambda: ask.ready)
        await here.press("escape")
        assert doubles.Memory.items == before != {}
        await here.press("d")
        again = here.app.screen
        assert isinstance(again, AskScreen)
        await here.until(lambda: again.ready)
        await here.press("enter")
        await here.until(lambda: "deleted from the keyring" in here.line("warnings"))
        assert doubles.Memory.items == {}
        assert "goes on with what it holds" in here.line("warnings")
        assert here.desk.slots[VenueName("p99")].state is VenueState.LIVE


async def test_a_locked_keyring_is_unlocked_later_without_a_restart(tmp_path: Path, use: Use) -> None:
    Locked.locked = True
    async with room(tmp_path, use(Locked)) as here:
        await here.until(lambda: "p99 LOCKED" in here.line("chips"))
        await opened(here)
        assert " locked " in here.line("preview")
        await here.press("a")
        assert "keyring is locked" in here.line("banner")
        assert isinstance(here.app.screen, KeysScreen)
        Locked.locked = False
        values = here.cluster.named("p99").credentials()
        await use(Locked).put("p99", {name: Secret(value) for name, value in values.items()})
        await here.press("u")
        await here.until(lambda: " stored " in here.line("preview"))
        await here.until(lambda: "p99 live" in here.line("warnings"))
        await here.press("escape")
        await here.until(lambda: here.grid.model.total == 6)


async def test_a_keyring_that_hangs_stops_nothing(tmp_path: Path, use: Use) -> None:
    async with room(tmp_path, use(doubles.Hanging, limit=0.3)) as here:
        await here.press("K")
        await here.until(lambda: "asking the keyring" in here.line("warnings") or not here.app.keyroom.asking)
        await here.until(lambda: "did not answer" in here.line("warnings"))
        assert " unknown " in here.line("preview")
        await here.press("escape")
        assert not isinstance(here.app.screen, KeysScreen)


async def test_a_kill_does_not_wait_for_a_prompt_that_one_venue_waits_for(tmp_path: Path, use: Use) -> None:
    doubles.Asking.about.add("cancel-tui:p99")
    source = KeyringCredentials(Settings(path=None))
    source.vault._made = use(doubles.Asking, limit=60)

    def own_entry_of_p99(text: str) -> str:
        head, name, rest = text.partition("[venues.p99]")
        return head + name + rest.replace('credentials = "practice"', 'credentials = "p99"', 1)

    async with ground(
        tmp_path, credentials=source, configure=own_entry_of_p99, listed=False, venues=("p99", "roxom")
    ) as here:
        roxom, p99 = VenueName("roxom"), VenueName("p99")
        await here.until(lambda: here.desk.slots[roxom].state is VenueState.LIVE)
        kill = await here.kill()
        await here.until(lambda: kill.result(roxom).verdict is Verdict.FLAT)
        assert not here.cluster.named("roxom").truth()
        assert kill.finished_wall is None
        assert p99 not in kill.locked
        # The prompt is answered at last, and nothing is stored there.
        doubles.Asking.release.set()
        await here.over(kill)
        assert kill.result(p99).verdict is Verdict.UNVERIFIED
        assert "no credentials are stored under 'p99'" in str(kill.result(p99).error)
        assert here.cluster.named("p99").truth()
        assert doubles.Memory.calls.count(("get", "cancel-tui:p99")) == 1


async def test_wrong_credentials_are_told_in_the_venues_words(tmp_path: Path, use: Use) -> None:
    async with room(tmp_path, use(doubles.Memory)) as here:
        await opened(here)
        await here.press("a", "1")
        await fill(here, {"api_key": "wrong-key-5f0c-5f0c", "api_secret": "wrong-secret-5f0c-5f0c"})
        await here.press("enter")
        await here.until(lambda: "p99 refused" in here.line("warnings"))
        await here.press("t")
        await here.until(lambda: "p99 FAILS: refused: credentials" in here.line("warnings"))
        assert "wrong-" not in shown(here)
        await here.press("a", "1")
        assert "Replace credentials p99" in here.line("title")
        await fill(here, here.cluster.named("p99").credentials())
        await here.press("enter")
        await here.until(lambda: "p99 live" in here.line("warnings"))


async def test_a_weak_backend_is_warned_of_before_anything_is_typed(tmp_path: Path, use: Use) -> None:
    async with room(tmp_path, use(PlaintextStore)) as here:
        await opened(here)
        assert "keeps secrets as plain text" in " ".join(here.line("warnings").split())
        await here.press("a", "1")
        assert "keeps secrets as plain text" in " ".join(here.line("warnings").split())


@pytest.mark.parametrize(("backend", "shown"), [(PlaintextStore, True), (doubles.Memory, False)])
async def test_a_keyring_that_protects_nothing_stands_in_the_header(
    tmp_path: Path, use: Use, backend: type, shown: bool
) -> None:
    async with room(tmp_path, use(backend)) as here:
        await here.until(lambda: "p99 LOCKED" in here.line("chips"))
        assert ("PLAINTEXT KEYRING" in here.line("header")) is shown
        assert "OPEN" in here.line("header")


async def test_practice_venues_have_nothing_to_store(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("K")
        assert "practice" in here.line("preview")
        await here.press("a")
        assert "nothing to store" in here.line("banner")
        await here.press("t")
        await here.until(lambda: "p99 works" in here.line("warnings"))


def test_a_hidden_field_shows_its_size_only() -> None:
    field = Hidden()

    def open_armour() -> bool:
        return field.open_armour

    assert field.shape == "empty"
    assert field.add("-----BEGIN X-----\r\nabc")
    assert open_armour()
    assert field.add("\r-----END X-----\r\n")
    assert not open_armour()
    assert field.shape == "3 lines, 37 characters"
    assert field.reveal() == "-----BEGIN X-----\nabc\n-----END X-----\n"
    assert "abc" not in repr(field)
    assert not hasattr(field, "__dict__")
    assert not field.add("x" * LONGEST)
    field.wipe()
    assert field.reveal() == ""
