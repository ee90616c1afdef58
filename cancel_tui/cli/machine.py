"""What `doctor` finds out about this machine: configuration, disk, journal, terminal, versions."""

from __future__ import annotations

import os
import platform
import shutil
import ssl
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from cancel_tui import __version__
from cancel_tui.cli.finding import Finding, aside
from cancel_tui.desk.chain import verify_journal
from cancel_tui.desk.unfinished import announced, find
from cancel_tui.private import exposed_folder
from cancel_tui.settings import Settings
from cancel_tui.text import literal

LIBRARIES = (
    *("textual", "httpx", "h11", "websockets", "python-socketio", "msgspec"),
    *("cryptography", "keyring", "platformdirs"),
)
LOCALE = ("LC_ALL", "LC_CTYPE", "LANG")
_SPACE_FAILS, _SPACE_WARNS = 10_000_000, 200_000_000
"""Bytes of free space; a kill of ten thousand orders writes about ten million."""
_SLOW_MS = 50
"""Milliseconds to put a record on the disk, past which nobody waits for it."""
_DISK_SECONDS = 10.0
_JOURNAL_SECONDS = 30.0
_SMALLEST = (80, 24)
"""Columns and lines for which the console is made."""


def configuration(settings: Settings) -> Finding:
    """Reading it has proved that it is valid, and that nobody else could have changed it."""
    off = len(settings.venues) - len(settings.enabled)
    detail = f"{settings.path}: valid, {len(settings.enabled)} venue(s)"
    if off:
        detail += f", {off} switched off"
    return Finding("configuration", None, True, detail)


# ---------------------------------------------------------------------- disk and journal


async def data_dir(folder: Path) -> Finding:
    """Whether a journal could be written there, and how fast."""
    try:
        found = await aside(lambda: _data_dir(folder), _DISK_SECONDS)
    except OSError as error:
        return Finding(
            "data_dir", None, False, f"{folder}: {error.strerror or type(error).__name__}", _NO_JOURNAL
        )
    detail = f"{folder}: the disk did not answer within {_DISK_SECONDS:g} s"
    return found or Finding("data_dir", None, False, detail, _NO_JOURNAL)


_NO_JOURNAL = "without it kills run, but leave no journal: correct it, or choose another --data-dir"


def _data_dir(folder: Path) -> Finding:
    check = "data_dir"
    existing = next((one for one in (folder, *folder.absolute().parents) if one.exists()), None)
    if existing is None or not existing.is_dir():
        return Finding(
            check, None, False, f"{folder}: no directory can be there", "choose another --data-dir"
        )
    for place in (existing, *(existing / name for name in ("journal", "sends") if existing == folder)):
        if place.exists() and not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
            return Finding(check, None, False, f"{place}: cannot be written to", _NO_JOURNAL)
    for name in ("journal", "sends", "logs", "reports") if existing == folder else ():
        why = exposed_folder(folder / name)
        if why:
            remedy = "kills run, but others could take their record away; logs and reports are not written"
            return Finding(check, None, False, why, remedy)
    free = shutil.disk_usage(existing).free
    try:
        took = _write(existing)
    except OSError as error:
        detail = f"{existing}: a file cannot be written ({error.strerror or type(error).__name__})"
        return Finding(check, None, False, detail, _NO_JOURNAL)
    detail = f"{folder}: {free / 1e9:.1f} GB free, 4 kB on the disk in {took} ms"
    if existing != folder:
        detail += ", will be made when it is needed"
    ms = {"fsync": took}
    if free < _SPACE_WARNS:
        ok = None if free >= _SPACE_FAILS else False
        return Finding(check, None, ok, detail, "make room for the journal", ms)
    if took > _SLOW_MS:
        remedy = f"kills wait {_SLOW_MS} ms for a record at the most: choose a --data-dir on a faster disk"
        return Finding(check, None, None, detail, remedy, ms)
    return Finding(check, None, True, detail, ms=ms)


def _write(folder: Path) -> int:
    """Put a nameless file on the disk, as a record of the journal would be; milliseconds."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        began = time.perf_counter()
        file.write(b"\0" * 4096)
        os.fsync(file.fileno())
        return round((time.perf_counter() - began) * 1000)


async def journal(folder: Path, now: float) -> list[Finding]:
    """Whether the chains of all files hold, and which kills have no end; `now` is wall time in seconds."""
    try:
        found = await aside(lambda: _journal(folder, now), _JOURNAL_SECONDS)
    except OSError as error:
        why = f"{folder}: cannot be read ({error.strerror or type(error).__name__})"
        return [Finding("journal", None, False, why, "correct the owner and the rights")]
    why = f"{folder}: not read to its end within {_JOURNAL_SECONDS:g} s"
    return found or [Finding("journal", None, None, why, "run `cancel-tui journal verify`")]


def _journal(folder: Path, now: float) -> list[Finding]:
    if not folder.exists():
        return [Finding("journal", None, True, f"{folder}: none yet")]
    good, faults = verify_journal(folder)
    broken = [fault for fault in faults if fault.broken]
    detail = f"{folder}: {good} good records in {len(list(folder.glob('*.jsonl')))} file(s)"
    if broken:
        first = broken[0]
        detail += f"; broken: {literal(first.file, 80)}, line {first.line}: {literal(first.why, 120)}"
        remedy = "keep a copy of the folder, then see `cancel-tui journal verify`"
        found = [Finding("journal", None, False, detail, remedy)]
    else:
        found = [Finding("journal", None, True, f"{detail}, every chain holds")]
    for case, line in zip(cases := find(folder, now), announced(cases), strict=True):
        told = literal(line.partition("; finish it")[0], 300)
        remedy = f"finish it with `cancel-tui kill --resume {literal(case.kill_id, 40)}`"
        found.append(Finding("unfinished_kill", None, False, told, remedy))
    return found


# ---------------------------------------------------------------------- terminal and versions


def versions() -> Finding:
    """Ours, the libraries', Python's, OpenSSL's and the system's."""
    found = [f"cancel-tui {__version__}", f"python {platform.python_version()}"]
    missing = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    detail = f"{', '.join(found)}; {ssl.OPENSSL_VERSION}"
    detail += f"; {platform.system()} {platform.release()} {platform.machine()}"
    if missing:
        return Finding(
            "versions", None, False, f"{detail}; missing: {', '.join(missing)}", "install it again"
        )
    return Finding("versions", None, True, detail)


def terminal() -> Finding:
    """What the console would find here."""
    size = next((found for handle in (1, 2, 0) if (found := _size(handle))), None)
    encoding = (sys.stdout.encoding or "unknown").lower()
    locale = next((f"{name}={os.environ[name]}" for name in LOCALE if os.environ.get(name)), "no locale set")
    term = os.environ.get("TERM", "")
    seen = (
        f"{colours(term)}, encoding {encoding}, {literal(locale, 60)}, TERM={literal(term, 40) or 'not set'}"
    )
    if size is None:
        remedy = "for the console run it in a terminal; the other commands need none"
        return Finding("terminal", None, None, f"no terminal here, {seen}", remedy)
    columns, lines = size
    detail = f"{columns}x{lines}, {seen}"
    if columns < _SMALLEST[0] or lines < _SMALLEST[1]:
        remedy = f"make it at least {_SMALLEST[0]}x{_SMALLEST[1]}, or the console leaves columns out"
        return Finding("terminal", None, None, detail, remedy)
    if "utf" not in encoding:
        return Finding("terminal", None, None, detail, "set a UTF-8 locale, or symbols become plain ASCII")
    if term in ("", "dumb") and os.name == "posix":
        return Finding("terminal", None, None, detail, "set TERM to what the terminal is: xterm-256color")
    return Finding("terminal", None, True, detail)


def _size(handle: int) -> tuple[int, int] | None:
    try:
        return os.get_terminal_size(handle)
    except OSError:
        return None


def colours(term: str) -> str:
    """How many colours the console would use, in words."""
    if os.environ.get("NO_COLOR"):
        return "no colour (NO_COLOR)"
    if os.environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"}:
        return "16 million colours"
    if "256" in term:
        return "256 colours"
    return "no colour" if term in {"", "dumb"} and os.name == "posix" else "16 colours"
