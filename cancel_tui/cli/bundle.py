"""What goes into a support bundle: facts about this program and this machine, and no secret."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from cancel_tui.cli import machine
from cancel_tui.cli.doctor import looked
from cancel_tui.cli.finding import within
from cancel_tui.cli.scrub import Pseudonyms, ids_in, scrubbed
from cancel_tui.cli.session import KeyringCredentials
from cancel_tui.desk.chain import read_journal
from cancel_tui.desk.slot import LockedError
from cancel_tui.orders import iso
from cancel_tui.settings import Settings, SettingsError

Bundle = dict[str, Any]
"""Section -> content, as JSON can hold it."""

SECTIONS: Mapping[str, str] = {
    "about": "when it was made, what was hidden",
    "versions": "cancel-tui, Python, libraries, OpenSSL, system",
    "configuration": "the settings with their addresses; it has no place for secrets",
    "doctor": "every finding of `cancel-tui doctor`",
    "terminal": "size, colours, encoding, and what the environment says of them",
    "log": "the last lines of each console log",
    "journal": "the last records: decisions, requests, what came of them",
}
"""What is in it, for whoever looks it through before it is written."""
_ENVIRONMENT = (
    *("TERM", "COLORTERM", "NO_COLOR", "TERM_PROGRAM", "TZ", *machine.LOCALE),
    *("PYTHONIOENCODING", "PYTHONUTF8", "PYTHON_KEYRING_BACKEND"),
)
_PRESENT = ("TMUX", "STY", "SSH_CONNECTION", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY")
_CHAIN = frozenset({"prev", "hash", "heads"})
"""Digests say nothing to a reader, and look like secrets; whether the chain holds, `doctor` tells."""
_SECONDS = 20.0


async def collected(settings: Settings | SettingsError, folder: Path, last: int) -> Bundle:
    """Everything, secrets taken out; `last` is how many lines of a log and records of the journal."""
    unknown: list[str] = []
    findings = [machine.versions(), machine.terminal()]
    if isinstance(settings, Settings):
        unknown = await _learnt(settings)
        findings = await looked(settings, folder)
    by_check = {one.check: one for one in findings if one.venue is None}
    found = {
        "about": {
            "made_at": iso(time.time()),
            "secrets": "known values and whatever looks like a key, a token or a signature are hidden",
            "not_known_by_value": unknown,
            "ids": "shown",
        },
        "versions": by_check["versions"].detail,
        "configuration": _configuration(settings),
        "doctor": [one.json() for one in findings],
        "terminal": {
            "found": by_check["terminal"].detail,
            "environment": {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            "present": [name for name in _PRESENT if os.environ.get(name)],
        },
        "log": await asyncio.to_thread(_logs, folder / "logs", last),
        "journal": await asyncio.to_thread(_records, folder / "journal", last),
    }
    return {name: scrubbed(found[name]) for name in SECTIONS}


def without_ids(bundle: Bundle) -> Bundle:
    """The same with stand-ins for the ids of orders and accounts."""
    hidden: Bundle = Pseudonyms(ids_in(bundle)).hidden(bundle)
    hidden["about"]["ids"] = "hidden: the same stand-in is the same order or account"
    return hidden


async def _learnt(settings: Settings) -> list[str]:
    """Read every secret, so that each is known by its value; the venues where that cannot be done."""
    credentials = KeyringCredentials(settings)
    unknown = []
    try:
        for venue in settings.venues:
            try:
                if await within(_SECONDS, credentials(venue)) is None:
                    unknown.append(venue.name)
            except LockedError:
                unknown.append(venue.name)
    finally:
        credentials.vault.close()
    return unknown


def _configuration(settings: Settings | SettingsError) -> Any:
    if isinstance(settings, SettingsError):
        return {"not_valid": str(settings)}
    return {"path": str(settings.path), "venues": [msgspec.to_builtins(one) for one in settings.venues]} | {
        "console": msgspec.to_builtins(settings.console),
        "weak_keyrings": list(settings.weak_keyrings),
    }


def _logs(folder: Path, last: int) -> dict[str, list[str]]:
    """The last lines of each log file; one that cannot be read says so in their place."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("console*.log")) if folder.is_dir() else ():
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                # Together: a key of several lines is known by the first and the last of them.
                found[path.name] = scrubbed("".join(deque(file, last))).splitlines()
        except OSError as error:
            found[path.name] = [f"cannot be read: {error.strerror or type(error).__name__}"]
    return found


def _records(folder: Path, last: int) -> list[dict[str, Any]]:
    entries = deque(read_journal(folder), last) if folder.is_dir() else ()
    return [
        {"file": name} | {key: one for key, one in record.items() if key not in _CHAIN}
        for name, record in islice(entries, last)
    ]
