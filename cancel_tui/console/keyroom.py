"""What the credentials screen shows and does: entries of the keyring, their state, what came of each act.

It belongs to the console, not to a screen: an act that was begun goes on when its screen is left. No widget.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from cancel_tui.console.keydoor import KeyDoor
from cancel_tui.credentials import CredentialError, validate
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.slot import Slot, VenueState
from cancel_tui.orders import VenueName
from cancel_tui.redaction import Secret, place_of, redact
from cancel_tui.settings import VenueSettings
from cancel_tui.text import literal
from cancel_tui.vault import BackendInfo, MissingEntry, NoBackend, VaultDenied, VaultError, VaultLocked
from cancel_tui.venues.outcome import Answered, describe
from cancel_tui.venues.registry import FIELDS


class KeyState(StrEnum):
    """How an entry stands."""

    STORED = "stored"
    MISSING = "missing"
    LOCKED = "locked"
    DENIED = "denied"
    PRACTICE = "practice"
    NO_KEYRING = "no keyring"
    UNKNOWN = "unknown"


class Entry(msgspec.Struct, frozen=True):
    """One entry of the keyring and the venues that use it."""

    name: str
    venues: tuple[VenueSettings, ...]

    @property
    def practice(self) -> bool:
        """Whether its keys come from a practice server, so that the keyring has no part in it."""
        return self.venues[0].practice

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its venues, each once."""
        return tuple(dict.fromkeys(one.kind for one in self.venues))

    @property
    def sets(self) -> tuple[tuple[str, ...], ...]:
        """The sets of fields that every one of its kinds takes; any one set will do."""
        first, *others = (FIELDS[kind] for kind in self.kinds)
        return tuple(names for names in first if all(names in other for other in others))

    @property
    def needs(self) -> str:
        """The fields in words."""
        return ", or ".join(" and ".join(names) for names in self.sets)


def entries_of(venues: Sequence[VenueSettings]) -> tuple[Entry, ...]:
    """The entries of a configuration, each once, in its order."""
    groups: dict[str, list[VenueSettings]] = {}
    for one in venues:
        groups.setdefault(one.credentials, []).append(one)
    return tuple(Entry(name, tuple(users)) for name, users in groups.items())


def state_after(error: VaultError) -> KeyState:
    """What an error of the keyring says of every entry in it."""
    if isinstance(error, VaultLocked):
        return KeyState.LOCKED
    if isinstance(error, VaultDenied):
        return KeyState.DENIED
    if isinstance(error, NoBackend):
        return KeyState.NO_KEYRING
    return KeyState.MISSING if isinstance(error, MissingEntry) else KeyState.UNKNOWN


class KeyRoom:
    """Asks and changes the keyring in tasks of the desk; remembers what came of it."""

    def __init__(self, desk: Desk, door: KeyDoor | None) -> None:
        self.desk = desk
        self.entries = entries_of(desk.settings.venues)
        self.backend: BackendInfo | None = None
        self.trouble = ""
        """Why the keyring as a whole cannot be used; empty where it can."""
        self.told: dict[str, list[str]] = {}
        """What came of the last act, by entry; holds no value."""
        self._door = door
        self._states: dict[str, KeyState] = {}
        self._doing: dict[str, str] = {}

    # ------------------------------------------------------------------ what is shown

    def state(self, entry: Entry) -> KeyState:
        """How an entry stands, as far as is known."""
        if entry.practice:
            return KeyState.PRACTICE
        return self._states.get(entry.name, KeyState.NO_KEYRING if self._door is None else KeyState.UNKNOWN)

    def doing(self, entry: Entry) -> str:
        """What is under way for an entry; empty where nothing is."""
        return self._doing.get(entry.name, "")

    @property
    def asking(self) -> bool:
        """Whether an answer of the keyring is waited for."""
        return bool(self._doing)

    def why_not(self, entry: Entry) -> str:
        """Why an entry cannot be set or deleted now; empty where it can."""
        if entry.practice:
            return "practice venues get throw-away keys from the practice server: there is nothing to store"
        if self._door is None:
            return "the keyring is not used here"
        if not entry.sets:
            return (
                f"{entry.name} is shared by kinds with different fields: give each a `credentials` of its own"
            )
        if self.doing(entry):
            return f"{entry.name}: {self.doing(entry)}"
        return self.trouble and f"{self.trouble} (u asks it again)"

    # ------------------------------------------------------------------ acts

    def refresh(self) -> None:
        """Ask which entries there are."""
        if self._door is not None and "" not in self._doing:
            self._begin("", "asking the keyring", self._refresh(self._door))

    def unlock(self) -> None:
        """Ask a keyring again that was locked or denied, and bring up the venues that waited for it."""
        if self._door is not None and "" not in self._doing:
            self._door.vault().retry()
            self._begin("", "asking the keyring", self._unlock(self._door))

    def check_form(self, entry: Entry, typed: Mapping[str, str]) -> asyncio.Task[dict[str, Secret] | str]:
        """The fields ready to be stored, or what is wrong with them; parses keys off the event loop."""
        task: asyncio.Task[dict[str, Secret] | str] = self.desk.spawn(_checked(entry, dict(typed)))
        return task

    def store(self, entry: Entry, fields: Mapping[str, Secret]) -> None:
        """Store checked fields, replacing older ones, and work with them from then on."""
        if self._door is not None:
            self._begin(entry.name, "storing", self._store(self._door, entry, fields))

    def delete(self, entry: Entry) -> None:
        """Remove an entry. Venues go on with what they hold until this run ends."""
        if self._door is not None:
            self._begin(entry.name, "deleting", self._delete(self._door, entry))

    def test(self, entry: Entry) -> None:
        """One harmless signed request for each venue of the entry."""
        if not self.doing(entry):
            self._begin(entry.name, "testing", self._test(entry))

    def _begin(self, name: str, words: str, work: Coroutine[Any, Any, None]) -> None:
        self._doing[name] = words
        self.desk.spawn(self._guarded(name, work))
        self.desk.changed()

    async def _guarded(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except VaultError as why:
            self.told[name] = [str(why)]
            if not name or isinstance(why, VaultLocked | VaultDenied | NoBackend):
                self._all(state_after(why), str(why))
            else:
                self._states[name] = state_after(why)
        except Exception as error:
            # Neither its text nor its traceback: either could hold a value.
            self.told[name] = [f"internal fault ({type(error).__name__})"]
            self.desk.journal.note("fault", where=place_of(error), what=type(error).__name__)
        finally:
            self._doing.pop(name, None)
            self.desk.changed()

    def _all(self, state: KeyState, why: str) -> None:
        self.trouble = why
        self._states = dict.fromkeys((one.name for one in self.entries if not one.practice), state)

    async def _refresh(self, door: KeyDoor) -> None:
        self.backend = await door.vault().backend()
        names = [one.name for one in self.entries if not one.practice]
        found = await door.vault().known(names) if names else {}
        self.trouble = ""
        self._states = {name: KeyState.STORED if there else KeyState.MISSING for name, there in found.items()}

    async def _unlock(self, door: KeyDoor) -> None:
        await self._refresh(door)
        waiting = [
            one
            for one in self.entries
            if self.state(one) is KeyState.STORED and any(_locked(slot) for slot in self._slots(one))
        ]
        for entry in waiting:
            try:
                door.hold(entry.name, await door.vault().get(entry.name))
            except MissingEntry as why:
                self.told[entry.name] = [str(why)]
                continue
            await self._bring_up(entry, [])

    async def _store(self, door: KeyDoor, entry: Entry, fields: Mapping[str, Secret]) -> None:
        await door.vault().put(entry.name, fields)
        door.hold(entry.name, fields)
        self.backend = await door.vault().backend()
        self._states[entry.name] = KeyState.STORED
        self.desk.journal.note("credentials_stored", entry=entry.name, fields=list(fields))
        await self._bring_up(entry, [f"stored and read back: {', '.join(fields)}"])

    async def _bring_up(self, entry: Entry, told: list[str]) -> None:
        """Let every venue of the entry work with it; the lines grow as they answer."""
        self.told[entry.name] = told
        told += [
            f"{slot.name}: a kill runs there with the old ones; these are taken once it is over"
            for slot in self._slots(entry)
            if slot.opened and slot.state is not VenueState.REFUSED and self.desk.occupied(slot.name)
        ]
        self.desk.changed()

        async def one(slot: Slot) -> None:
            why = await self.desk.reopen(slot.name)
            if why is None:
                why = "off for this run" if slot.name in self.desk.off else slot.state.value
                why += f": {slot.error}" if slot.error and slot.state is not VenueState.LIVE else ""
            told.append(_safe(f"{slot.name} {why}"))
            self.desk.changed()

        await asyncio.gather(*(one(slot) for slot in self._slots(entry)))

    async def _delete(self, door: KeyDoor, entry: Entry) -> None:
        await door.vault().delete(entry.name)
        door.drop(entry.name)
        self._states[entry.name] = KeyState.MISSING
        self.desk.journal.note("credentials_deleted", entry=entry.name)
        told = ["deleted from the keyring"]
        held = ", ".join(slot.name for slot in self._slots(entry) if slot.opened)
        if held:
            told.append(f"{held}: goes on with what it holds until cancel-tui ends")
        self.told[entry.name] = told

    async def _test(self, entry: Entry) -> None:
        told = self.told[entry.name] = []

        async def one(slot: Slot) -> None:
            outcome = await self.desk.check(slot)
            words = (
                f"works: {outcome.value}" if isinstance(outcome, Answered) else f"FAILS: {describe(outcome)}"
            )
            told.append(_safe(f"{slot.name} {words}"))
            self.desk.changed()

        slots = self._slots(entry)
        await asyncio.gather(*(one(slot) for slot in slots))
        if not slots:
            told.append("no venue of this run uses it: all are disabled in the configuration")

    def _slots(self, entry: Entry) -> list[Slot]:
        found = [self.desk.slot_of(VenueName(one.name)) for one in entry.venues]
        return [slot for slot in found if slot is not None]


def _locked(slot: Slot) -> bool:
    return slot.state is VenueState.LOCKED


def _safe(text: str) -> str:
    """Words that may hold a venue's own."""
    return literal(redact(text), 300)


async def _checked(entry: Entry, typed: dict[str, str]) -> dict[str, Secret] | str:
    try:
        found: dict[str, Secret] = {}
        for kind in entry.kinds:
            found = await asyncio.to_thread(validate, kind, typed)
    except CredentialError as why:
        return str(why)
    except Exception as error:
        return f"internal fault ({type(error).__name__})"
    finally:
        typed.clear()
    return found
