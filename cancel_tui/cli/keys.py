"""`cancel-tui keys`: credentials in the keyring of the operating system. No value is ever shown."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable
from typing import Any

from msgspec.structs import replace

from cancel_tui.cli import render
from cancel_tui.cli.checkup import check_credentials
from cancel_tui.cli.hidden import Reader, ask_pem, ask_value, hidden_input
from cancel_tui.cli.parser import add_globals
from cancel_tui.cli.session import UsageError, check_venues, make_desk, settings_of
from cancel_tui.credentials import CredentialError, validate
from cancel_tui.settings import Settings, VenueSettings
from cancel_tui.text import literal
from cancel_tui.vault import BackendInfo, Vault, VaultError
from cancel_tui.venues.registry import FIELDS

_LONGEST_INPUT = 262_144
"""Bytes of JSON that are read at the most; every set of credentials is far shorter."""
_PATIENCE = 60.0
"""Seconds for a person to answer the keyring's own prompt."""
_RESULTS = {True: "works", False: "FAILS", None: "not proven"}
_NOTICE = 1.5
"""Seconds of silence after which it is said what is being waited for."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    store = _action(actions, "set", "store credentials: each field is asked for with hidden input")
    store.add_argument("venue", metavar="VENUE", help="a configured venue")
    store.add_argument("--from-stdin", action="store_true", help='read one JSON object {"field": "value"}')
    show = _action(actions, "list", "say for which venues credentials are stored")
    show.add_argument("--json", action="store_true", help="one JSON document on standard output")
    test = _action(actions, "test", "prove with one harmless request per venue that credentials work")
    test.add_argument("venue", metavar="VENUE", nargs="?", help="a configured venue; without it: all")
    test.add_argument("--json", action="store_true", help="one JSON document on standard output")
    remove = _action(actions, "delete", "remove credentials from the keyring")
    remove.add_argument("venue", metavar="VENUE", help="a configured venue")
    remove.add_argument("--yes", action="store_true", help="do not ask")


def _action(actions: Any, name: str, sentence: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=sentence, description=sentence.capitalize(), allow_abbrev=False
    )
    add_globals(parser, top=False)
    return parser


def run(options: argparse.Namespace) -> int:
    """Carry out one action; 1 for trouble with the keyring, 2 for input that cannot be right."""
    settings = settings_of(options)
    actions = {"set": _set, "list": _list, "test": _test, "delete": _delete}
    try:
        return actions[options.action](options, settings)
    except VaultError as why:
        render.warn(f"cancel-tui: {why}")
        return 1


def _venue(name: str, settings: Settings) -> VenueSettings:
    """The venue of that name, also one that is switched off; raises UsageError."""
    for venue in settings.venues:
        if venue.name.casefold() == name.casefold():
            return venue
    names = ", ".join(one.name for one in settings.venues) or "none"
    raise UsageError(f"{literal(name, 60)}: no such venue; configured are {names}")


def _kept(name: str, settings: Settings) -> VenueSettings:
    """The same, for a venue whose credentials the keyring keeps; raises UsageError."""
    venue = _venue(name, settings)
    if venue.practice:
        raise UsageError(
            f"{venue.name} is a practice venue: its throw-away keys come from the practice server, "
            "the keyring has no part in it"
        )
    return venue


def _sharing(venue: VenueSettings, settings: Settings) -> str:
    """A clause that names the other tables which use the same entry."""
    others = [
        one.name
        for one in settings.venues
        if one.credentials == venue.credentials and one.name != venue.name and not one.practice
    ]
    return f", which {', '.join(others)} uses too" if others else ""


async def _patiently(work: Awaitable[Any]) -> Any:
    """Wait for the keyring, and say so when it takes long: its prompt may be behind another window."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=_NOTICE)
    if not done:
        render.warn("waiting for the keyring; it may be showing a prompt")
    return await task


# ---------------------------------------------------------------------- set


def _set(options: argparse.Namespace, settings: Settings) -> int:
    venue = _kept(options.venue, settings)
    vault = Vault(limit_seconds=_PATIENCE, accept=settings.weak_keyrings)
    if options.from_stdin:
        fields = _from_stdin()
    else:
        if not sys.stdin.isatty():
            raise UsageError("keys set asks for hidden input; without a terminal say --from-stdin")
        # Better to hear of a locked keyring before the secret is typed than after.
        asyncio.run(_patiently(vault.known([venue.credentials])))
        fields = _asked(venue)
    try:
        tidy = validate(venue.kind, fields)
    except CredentialError as why:
        raise UsageError(f"{venue.name}: {why}; nothing was stored") from None
    info: BackendInfo = asyncio.run(_patiently(_store(vault, venue.credentials, tidy)))
    if info.warning:
        render.warn(f"warning: {info.warning}")
    shared = _sharing(venue, settings)
    render.say(
        f"{venue.name}: stored and read back ({', '.join(tidy)}) under {venue.credentials!r}{shared}, "
        f"in {info.name} ({info.strength.value})"
    )
    return 0


async def _store(vault: Vault, entry: str, fields: Any) -> BackendInfo:
    await vault.put(entry, fields)
    return await vault.backend()


def _from_stdin() -> dict[str, Any]:
    """One JSON object from standard input; raises UsageError, never with anything of the input in it."""
    raw = sys.stdin.buffer.read(_LONGEST_INPUT + 1)
    if len(raw) > _LONGEST_INPUT:
        raise UsageError("standard input is too long for one set of credentials; nothing was stored")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise UsageError("standard input names a field twice; nothing was stored")
        return dict(pairs)

    try:
        found = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=once)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError('standard input must be one JSON object {"field": "value"}; nothing was stored')
    return found


def _asked(venue: VenueSettings) -> dict[str, Any]:
    """Every field of one set, from the terminal."""
    sets = FIELDS[venue.kind]
    try:
        names = sets[0] if len(sets) == 1 else _chosen(venue, sets)
        with hidden_input() as read:
            return {name: _field(read, name) for name in names}
    except EOFError:
        raise UsageError("the input ended early; nothing was stored") from None


def _chosen(venue: VenueSettings, sets: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    for number, names in enumerate(sets, 1):
        render.warn(f"  {number}: {' and '.join(names)}")
    while True:
        sys.stderr.write(f"What does {venue.name} get? ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        if line.strip() in {str(number) for number in range(1, len(sets) + 1)}:
            return sets[int(line) - 1]


def _field(read: Reader, name: str) -> str:
    if name == "private_key":
        return ask_pem(read, f"{name} (hidden; paste the whole PEM, all its lines): ")
    return ask_value(read, f"{name} (hidden): ")


# ---------------------------------------------------------------------- list


def _list(options: argparse.Namespace, settings: Settings) -> int:
    return asyncio.run(_listed(options, settings))


async def _listed(options: argparse.Namespace, settings: Settings) -> int:
    vault = Vault(accept=settings.weak_keyrings)
    info: BackendInfo | None = None
    error: str | None = None
    known: dict[str, bool] = {}
    entries = sorted({venue.credentials for venue in settings.venues if not venue.practice})
    try:
        info = await _patiently(vault.backend())
        known = await _patiently(vault.known(entries)) if entries else {}
    except VaultError as why:
        error = str(why)
    words = {True: "stored", False: "missing", None: "unknown"}
    venues: list[dict[str, str | None]] = [
        {
            "venue": venue.name,
            "kind": venue.kind,
            "entry": None if venue.practice else venue.credentials,
            "state": "practice" if venue.practice else words[known.get(venue.credentials)],
        }
        for venue in settings.venues
    ]
    if options.json:
        render.document({"backend": _backend_json(info), "error": error, "venues": venues})
    else:
        rows = [[cell or "" for cell in one.values()] for one in venues]
        for line in render.table(("VENUE", "KIND", "ENTRY", "STATE"), rows):
            render.say(line)
        render.say(f"keyring: {info.name} ({info.strength.value})" if info else "keyring: none to be had")
    if info is not None and info.warning:
        render.warn(f"warning: {info.warning}")
    if error:
        render.warn(f"cancel-tui: {error}")
    return 1 if error else 0


def _backend_json(info: BackendInfo | None) -> dict[str, Any] | None:
    if info is None:
        return None
    return {
        "class": info.name,
        "strength": info.strength.value,
        "explicit": info.explicit,
        "usable": info.usable,
        "warning": info.warning,
    }


# ---------------------------------------------------------------------- test


def _test(options: argparse.Namespace, settings: Settings) -> int:
    if options.venue is None:
        check_venues([], settings)
        venues = settings.enabled
    else:
        venues = (replace(_venue(options.venue, settings), enabled=True),)
    return asyncio.run(_tested(options, replace(settings, venues=venues)))


async def _tested(options: argparse.Namespace, settings: Settings) -> int:
    desk = make_desk(options, settings)
    try:
        found = await asyncio.gather(*(check_credentials(desk, slot) for slot in desk.slots.values()))
    finally:
        await desk.close()
    if options.json:
        keys = ("venue", "ok", "detail", "remedy")
        render.document({"venues": [{key: one.json()[key] for key in keys} for one in found]})
    else:
        rows = [(one.venue or "", _RESULTS[one.ok], one.detail) for one in found]
        for line in render.table(("VENUE", "CREDENTIALS", "DETAIL"), rows):
            render.say(line)
        for one in found:
            if one.remedy:
                render.warn(f"{one.venue}: {one.remedy}")
    return 0 if all(one.ok for one in found) else 1


# ---------------------------------------------------------------------- delete


def _delete(options: argparse.Namespace, settings: Settings) -> int:
    venue = _kept(options.venue, settings)
    shared = _sharing(venue, settings)
    if not options.yes:
        _confirm(f"Delete the credentials stored under {venue.credentials!r}{shared}? [y/N] ")
    vault = Vault(limit_seconds=_PATIENCE, accept=settings.weak_keyrings)
    asyncio.run(_patiently(vault.delete(venue.credentials)))
    render.say(f"{venue.name}: the entry {venue.credentials!r}{shared} is deleted")
    return 0


def _confirm(question: str) -> None:
    """Raises UsageError where nobody can say yes, or nobody did."""
    if not sys.stdin.isatty():
        raise UsageError("keys delete asks first; without a terminal say --yes")
    sys.stderr.write(question)
    sys.stderr.flush()
    if sys.stdin.readline().strip().casefold() not in {"y", "yes"}:
        raise UsageError("nothing was deleted")
