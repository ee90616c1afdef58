"""Files and folders for their owner alone, whatever the umask; and who else could change what is read.

Nothing here follows a link that stands in the place of a file: a link that somebody has planted must neither
lead our words to another place nor bring in theirs. Where the system knows no such rights (Windows), the
folder of a user protects what is in it, and nothing is found.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import stat
from pathlib import Path

_KNOWN = os.name == "posix"
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# A FIFO that somebody has put there would block whoever opens it.
_PLAIN |= getattr(os, "O_NONBLOCK", 0)


class ExposedError(OSError):
    """Others could change it; `strerror` says how, and what to do, in one line."""

    def __init__(self, words: str) -> None:
        super().__init__(errno.EPERM, words)


# ---------------------------------------------------------------------- who could change it


def why_exposed(found: os.stat_result) -> str | None:
    """Who beside the owner (and root) could change this file or folder; None where nobody could."""
    if not _KNOWN:
        return None
    if not _ours(found):
        return f"it belongs to another user (uid {found.st_uid})"
    mode = stat.S_IMODE(found.st_mode)
    shared = mode & _OTHERS
    if shared == stat.S_IWGRP and _alone_in(found.st_gid):
        return None
    return f"others can write to it (mode {mode:04o})" if shared else None


def remedy_for(path: Path, found: os.stat_result) -> str:
    """What to do about it: a command."""
    return f"chmod go-w '{path}'" if _ours(found) else f"chown '{path}' to yourself, or use another place"


def exposed_folder(path: Path) -> str | None:
    """Who else could change what is in a folder, or put another in its place, and what to do about it.

    A folder that is not there, or that cannot be looked at, is no such thing.
    """
    for place in (path, path.parent):
        with contextlib.suppress(OSError):
            for found in (place.stat(), place.lstat()):
                # The folder around may be one for everybody, such as /tmp, whose owner lets nobody rename.
                kept = place != path and bool(found.st_mode & stat.S_ISVTX)
                if stat.S_ISLNK(found.st_mode):
                    why = None if _ours(found) else f"it is a link of another user (uid {found.st_uid})"
                else:
                    why = why_exposed(found)
                if why and not kept:
                    return f"{place}: {why}: {remedy_for(place, found)}"
    return None


def ours(path: Path) -> bool:
    """Whether what stands there, a link not followed, is the user's own or root's; False for nothing."""
    try:
        return _ours(path.lstat())
    except OSError:
        return False


def _ours(found: os.stat_result) -> bool:
    return not _KNOWN or found.st_uid in (0, os.geteuid())


def _alone_in(gid: int) -> bool:
    """Whether a group is the user's own: called like the user, and nobody else is in it."""
    try:
        import grp
        import pwd

        me, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except (ImportError, KeyError, OSError):
        return False
    return me.pw_gid == gid and group.gr_name == me.pw_name and set(group.gr_mem) <= {me.pw_name}


# ---------------------------------------------------------------------- making and opening


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for the owner alone; what is there stays as it is.

    Raises OSError.
    """
    missing = []
    place = path
    while not place.exists() and place != place.parent:
        missing.append(place)
        place = place.parent
    for one in reversed(missing):
        with contextlib.suppress(FileExistsError):
            one.mkdir(mode=0o700)
            if _KNOWN and stat.S_IMODE(one.lstat().st_mode) & 0o777 != 0o700:
                one.chmod(0o700)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def open_private(path: Path, flags: int = 0) -> int:
    """Open a regular file for writing, made for the owner alone where it is not there; the handle.

    Raises OSError, also for a link and for a file of somebody else.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | flags | _PLAIN, 0o600)
    try:
        found = _regular(handle)
        if not _ours(found):
            raise ExposedError(f"{path.name} belongs to another user (uid {found.st_uid})")
        if hasattr(os, "fchmod") and stat.S_IMODE(found.st_mode) & 0o777 != 0o600:
            os.fchmod(handle, 0o600)
    except OSError:
        os.close(handle)
        raise
    return handle


def open_regular(path: Path) -> int:
    """Open a regular file for reading; raises OSError for anything else, a link too, and waits for none."""
    handle = os.open(path, os.O_RDONLY | _PLAIN)
    try:
        _regular(handle)
    except OSError:
        os.close(handle)
        raise
    return handle


def read_own(path: Path) -> str:
    """The UTF-8 text of a file that nobody but the user, or root, could have written or put there.

    The path itself may be a link. Raises ExposedError, another OSError, or UnicodeDecodeError.
    """
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        why = why_exposed(found)
        if why:
            raise ExposedError(f"{why}: {remedy_for(path, found)}")
        around = _replaceable(path)
        if around:
            raise ExposedError(around)
        return file.read().removeprefix(codecs.BOM_UTF8).decode()


def _replaceable(path: Path) -> str | None:
    """Why others could put another file in the place of this one."""
    folder = path.absolute().parent
    with contextlib.suppress(OSError):
        found = folder.stat()
        why = why_exposed(found)
        if why and not (found.st_mode & stat.S_ISVTX and ours(path)):
            return f"others could replace it, for of its folder {why}: {remedy_for(folder, found)}"
    return None


def _regular(handle: int) -> os.stat_result:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    return found
