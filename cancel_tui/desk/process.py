"""Who acts, in which process, and whether a process that wrote a file is still there. Never waits.

A writer holds an advisory lock on its own file for as long as it lives: the system lets go of it however the
process ends. Where a file system knows no locks, the process number, its starting time and the machine's
boot say the same, on the machine that it ran on.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cancel_tui.private import open_regular

_BEYOND = 1 << 40
"""On Windows locks are mandatory: a byte far behind the end of every file is locked instead of the file."""


@cache
def whoami() -> dict[str, str]:
    """Who acts, and on which machine, as far as the system tells; asked once."""
    import getpass  # the console's first picture names nobody

    try:
        operator = getpass.getuser()
    except (KeyError, OSError, ImportError):
        operator = "unknown"
    return {"operator": operator, "host": socket.gethostname()}


def identity() -> dict[str, Any]:
    """What tells this process from every other: number, starting time and boot where the system tells."""
    pid = os.getpid()
    return {"pid": pid, "started": _started(pid), "boot": _boot()}


def hold(handle: int) -> bool:
    """Lock an open file for as long as it stays open; False where that cannot be done at once."""
    return _lock(handle, shared=False)


def alive(path: Path, first: Mapping[str, Any]) -> bool | None:
    """Whether the process that writes a file still runs; None where it cannot be told from here.

    `first` is the file's first record: what `identity` and `whoami` said, and whether a lock was held.
    """
    if first.get("locked") is True:
        return _held(path)
    if first.get("host") != socket.gethostname():
        return None
    boot, now = first.get("boot"), _boot()
    if boot is not None and now is not None and boot != now:
        return False
    pid = first.get("pid")
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0 or sys.platform == "win32":
        return None
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass
    started = _started(pid)
    if started is None or first.get("started") is None:
        return None
    return bool(started == first.get("started"))


def _held(path: Path) -> bool | None:
    try:
        handle = open_regular(path)
    except OSError:
        return None
    try:
        return not _lock(handle, shared=True)
    except OSError:
        return None
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int, *, shared: bool) -> bool:
        place = os.lseek(handle, 0, os.SEEK_CUR)
        try:
            os.lseek(handle, _BEYOND, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            if shared:
                os.lseek(handle, _BEYOND, os.SEEK_SET)
                msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(handle, place, os.SEEK_SET)
        return True

else:
    import fcntl

    def _lock(handle: int, *, shared: bool) -> bool:
        """Take a lock without waiting. With `shared`: only a question; an error that is no answer raises."""
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            if shared:
                raise
            return False
        return True


def _boot() -> str | None:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return None


def _started(pid: int) -> str | None:
    """When a process started, in the system's own units."""
    with contextlib.suppress(OSError, IndexError, UnicodeDecodeError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        return stat.rpartition(")")[2].split()[19]
    return None
