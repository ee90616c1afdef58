"""`cancel-tui doctor`: is everything ready for a kill? Looks, asks, and changes nothing."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

from cancel_tui import __version__
from cancel_tui.cli import render
from cancel_tui.cli.checkup import Finding, check_venue
from cancel_tui.cli.session import KeyringCredentials, check_venues, settings_of
from cancel_tui.clock import SystemClock
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.slot import Slot
from cancel_tui.orders import iso
from cancel_tui.paths import data_path
from cancel_tui.private import exposed_folder
from cancel_tui.settings import Settings
from cancel_tui.vault import Strength, VaultError

_LIBRARIES = ("textual", "httpx", "h11", "websockets", "msgspec", "cryptography", "keyring", "platformdirs")
_SPACE_FAILS, _SPACE_WARNS = 10_000_000, 200_000_000
"""Bytes of free space; a kill of ten thousand orders writes about ten million."""
_VENUE_SECONDS = 60.0
_SMALLEST = (80, 24)
"""Columns and lines for which the console is made."""
_STATES = {True: "ok", False: "FAIL", None: "note"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(options: argparse.Namespace) -> int:
    """Look at everything; 1 where something is wrong."""
    settings = settings_of(options)
    check_venues([], settings)
    folder = data_path(options.data_dir)
    findings = [_configuration(settings), _data_dir(folder), _versions(), _terminal()]
    findings += asyncio.run(_asked(settings, folder))
    fine = all(one.ok is not False for one in findings)
    if options.json:
        checked = iso(SystemClock().wall())
        render.document({"checked_at": checked, "ok": fine, "findings": [one.json() for one in findings]})
    else:
        _print(findings)
    return 0 if fine else 1


def _print(findings: list[Finding]) -> None:
    rows = [(_STATES[one.ok], one.check, one.venue or "", one.detail) for one in findings]
    for line in render.table(("", "CHECK", "VENUE", "DETAIL"), rows):
        render.say(line)
    advice = [one for one in findings if one.remedy]
    if advice:
        render.say()
        for one in advice:
            render.say(f"{one.venue or 'this machine'}, {one.check}: {one.remedy}")
    wrong = sum(one.ok is False for one in findings)
    render.say()
    render.say(f"{wrong} wrong" if wrong else "nothing is wrong")


async def _asked(settings: Settings, folder: Path) -> list[Finding]:
    """The keyring, then every venue at the same time."""
    credentials = KeyringCredentials(settings)
    # Without a data directory the desk writes neither journal nor sends.
    desk = Desk(settings, SystemClock(), None, credentials)
    try:
        found = [await _keyring(settings, credentials)]
        # Before anything is timed: loading adapters holds up the event loop.
        await desk.open()
        for venue in await asyncio.gather(*(_venue(desk, slot, folder) for slot in desk.slots.values())):
            found += venue
        return found
    finally:
        await desk.close()


async def _venue(desk: Desk, slot: Slot, folder: Path) -> list[Finding]:
    try:
        async with asyncio.timeout(_VENUE_SECONDS):
            return await check_venue(desk, slot, folder)
    except TimeoutError:
        return [Finding("venue", slot.name, False, f"the checks were not done within {_VENUE_SECONDS:g} s")]


async def _keyring(settings: Settings, credentials: KeyringCredentials) -> Finding:
    needed = any(not venue.practice for venue in settings.enabled)
    try:
        info = await credentials.vault.backend()
    except VaultError as why:
        return Finding("keyring", None, False if needed else None, str(why))
    detail = f"{info.name} ({info.strength.value})"
    if not info.usable and info.strength is Strength.PLAINTEXT:
        remedy = f'start a system keyring, or accept this one: [keyring] accept = ["{info.name}"]'
        return Finding("keyring", None, False if needed else None, f"{detail}: not used", remedy)
    if info.strength is Strength.NONE:
        remedy = "start the system's keyring, or name a backend in PYTHON_KEYRING_BACKEND"
        return Finding("keyring", None, False if needed else None, f"{detail}: keeps nothing", remedy)
    return Finding("keyring", None, None if info.warning else True, detail, info.warning)


def _configuration(settings: Settings) -> Finding:
    """Reading it has proved that it is valid, and that nobody else could have changed it."""
    off = len(settings.venues) - len(settings.enabled)
    detail = f"{settings.path}: valid, {len(settings.enabled)} venue(s)"
    if off:
        detail += f", {off} switched off"
    return Finding("configuration", None, True, detail)


def _data_dir(folder: Path) -> Finding:
    """Whether a journal could be written there; nothing is created to find out."""
    check = "data_dir"
    existing = next((one for one in (folder, *folder.absolute().parents) if one.exists()), None)
    if existing is None or not existing.is_dir():
        return Finding(
            check, None, False, f"{folder}: no directory can be there", "choose another --data-dir"
        )
    for place in (existing, *(existing / name for name in ("journal", "sends") if existing == folder)):
        if place.exists() and not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
            remedy = "without it kills run, but leave no journal: correct the owner and the rights"
            return Finding(check, None, False, f"{place}: cannot be written to", remedy)
    for name in ("journal", "sends", "logs", "reports") if existing == folder else ():
        why = exposed_folder(folder / name)
        if why:
            remedy = "kills run, but others could take their record away; logs and reports are not written"
            return Finding(check, None, False, why, remedy)
    try:
        free = shutil.disk_usage(existing).free
    except OSError as error:
        return Finding(check, None, None, f"{folder}: free space not known ({type(error).__name__})")
    detail = f"{folder}: {free / 1e9:.1f} GB free"
    if existing != folder:
        detail += ", will be made when it is needed"
    if free < _SPACE_WARNS:
        return Finding(
            check, None, None if free >= _SPACE_FAILS else False, detail, "make room for the journal"
        )
    return Finding(check, None, True, detail)


def _versions() -> Finding:
    found = [f"cancel-tui {__version__}", f"python {platform.python_version()}"]
    missing = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    detail = f"{', '.join(found)}; {platform.system()} {platform.machine()}"
    if missing:
        return Finding(
            "versions", None, False, f"{detail}; missing: {', '.join(missing)}", "install it again"
        )
    return Finding("versions", None, True, detail)


def _terminal() -> Finding:
    """What the console would find here."""
    size = next((found for handle in (1, 2, 0) if (found := _size(handle))), None)
    encoding = (sys.stdout.encoding or "unknown").lower()
    if size is None:
        return Finding("terminal", None, None, f"no terminal here, encoding {encoding}")
    columns, lines = size
    term = os.environ.get("TERM", "")
    detail = f"{columns}x{lines}, {_colours(term)}, encoding {encoding}, TERM={term or 'not set'}"
    if columns < _SMALLEST[0] or lines < _SMALLEST[1]:
        remedy = f"make it at least {_SMALLEST[0]}x{_SMALLEST[1]}, or the console leaves columns out"
        return Finding("terminal", None, None, detail, remedy)
    if "utf" not in encoding:
        return Finding("terminal", None, None, detail, "set a UTF-8 locale, or symbols become plain ASCII")
    return Finding("terminal", None, True, detail)


def _size(handle: int) -> tuple[int, int] | None:
    try:
        return os.get_terminal_size(handle)
    except OSError:
        return None


def _colours(term: str) -> str:
    if os.environ.get("NO_COLOR"):
        return "no colour (NO_COLOR)"
    if os.environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"}:
        return "16 million colours"
    if "256" in term:
        return "256 colours"
    return "no colour" if term in {"", "dumb"} and os.name == "posix" else "16 colours"
