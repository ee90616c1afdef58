"""`cancel-tui doctor`: is everything ready for a kill? Looks, asks, and changes nothing."""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

from cancel_tui.cli import machine, render
from cancel_tui.cli.checkup import check_venue
from cancel_tui.cli.finding import Finding
from cancel_tui.cli.session import KeyringCredentials, check_venues, settings_of
from cancel_tui.clock import SystemClock
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.slot import Slot
from cancel_tui.orders import iso
from cancel_tui.paths import data_path
from cancel_tui.redaction import place_of
from cancel_tui.settings import Settings
from cancel_tui.vault import Strength, VaultError
from cancel_tui.venues.registry import load

_VENUE_SECONDS = 60.0
_STATES = {True: "ok", False: "FAIL", None: "note"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(options: argparse.Namespace) -> int:
    """Look at everything; 1 where something is wrong."""
    settings = settings_of(options)
    check_venues([], settings)
    findings = asyncio.run(looked(settings, data_path(options.data_dir)))
    fine = all(one.ok is not False for one in findings)
    if options.json:
        render.document(
            {"checked_at": iso(time.time()), "ok": fine, "findings": [one.json() for one in findings]}
        )
    else:
        _print(findings)
    return 0 if fine else 1


def _print(findings: list[Finding]) -> None:
    rows = [(_STATES[one.ok], one.check, one.venue or "", one.detail) for one in findings]
    for line in render.table(("", "CHECK", "VENUE", "DETAIL"), rows):
        render.say(line)
    advice: dict[tuple[str, str], list[str]] = {}
    for one in findings:
        if one.remedy:
            advice.setdefault((one.venue or "this machine", one.remedy), []).append(one.check)
    if advice:
        render.say()
    for (where, remedy), checks in advice.items():
        render.say(f"{where}, {', '.join(checks)}: {remedy}")
    wrong = sum(one.ok is False for one in findings)
    render.say()
    render.say(f"{wrong} wrong" if wrong else "nothing is wrong")


async def looked(settings: Settings, folder: Path) -> list[Finding]:
    """Everything that can be found out, the venues and the disk at the same time."""
    disk = asyncio.gather(machine.data_dir(folder), machine.journal(folder / "journal", time.time()))
    venues = await _asked(settings, folder)
    data, records = await disk
    here = [machine.configuration(settings), data, *records, machine.versions(), machine.terminal()]
    return here + venues


async def _asked(settings: Settings, folder: Path) -> list[Finding]:
    """The keyring, then every venue at the same time."""
    credentials = KeyringCredentials(settings)
    # Without a data directory the desk writes neither journal nor sends.
    desk = Desk(settings, SystemClock(), None, credentials)
    try:
        found = [await _keyring(settings, credentials)]
        # Before anything is timed: loading adapters holds up the event loop.
        for kind in {slot.settings.kind for slot in desk.slots.values()}:
            load(kind)
        for venue in await asyncio.gather(*(_venue(desk, slot, folder) for slot in desk.slots.values())):
            found += venue
        return found
    finally:
        await desk.close()


async def _venue(desk: Desk, slot: Slot, folder: Path) -> list[Finding]:
    found: list[Finding] = []
    try:
        async with asyncio.timeout(_VENUE_SECONDS):
            await check_venue(desk, slot, folder, found)
    except TimeoutError:
        detail = f"the checks were not done within {_VENUE_SECONDS:g} s"
        found.append(
            Finding("venue", slot.name, False, detail, "see the venue's status page, then try again")
        )
    except Exception as error:
        # A fault in the check-up of one venue hides nothing of the others.
        detail = f"internal fault ({type(error).__name__} in {place_of(error)})"
        found.append(Finding("venue", slot.name, False, detail, "report it with `cancel-tui support`"))
    return found


async def _keyring(settings: Settings, credentials: KeyringCredentials) -> Finding:
    needed = any(not venue.practice for venue in settings.enabled)
    try:
        info = await credentials.vault().backend()
    except VaultError as why:
        remedy = "do what it says, then `cancel-tui keys list`"
        return Finding("keyring", None, False if needed else None, str(why), remedy)
    detail = f"{info.name} ({info.strength.value}{', named by you' if info.explicit else ''})"
    if not info.usable and info.strength is Strength.PLAINTEXT:
        remedy = f'start a system keyring, or accept this one: [keyring] accept = ["{info.name}"]'
        return Finding("keyring", None, False if needed else None, f"{detail}: not used", remedy)
    if info.strength is Strength.NONE:
        remedy = "start the system's keyring, or name a backend in PYTHON_KEYRING_BACKEND"
        return Finding("keyring", None, False if needed else None, f"{detail}: keeps nothing", remedy)
    if info.warning:
        remedy = "use the system's keyring, where there is one"
        return Finding("keyring", None, None, f"{detail}: {info.warning}", remedy)
    return Finding("keyring", None, True, detail)
