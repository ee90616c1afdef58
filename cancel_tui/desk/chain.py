"""The journal as a reader meets it: files merged by time, chains and anchors verified. Changes nothing.

Within a file each record names the one before it by hash. The first and the last record of every file name
the heads (file, number, hash of the last record) of the newest other files, so that a later file anchors
earlier ones: records cut from the end of an anchored file, a file that was removed, and a file that was
written anew are found too.

What nobody can find without a third party who keeps a hash: records cut from the end of the newest file, or
the newest files removed, as long as no file that was opened or closed afterwards is left (a file that lost
its closing record is named, and looks like that of a killed process); and everything being written anew at
once. A machine that lost its power may have lost records that were not yet on the disk, and a later file
that names them: that reads like removed records, because it is not to be told apart.
"""

from __future__ import annotations

import contextlib
import heapq
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from cancel_tui.desk.process import alive
from cancel_tui.digest import digest_of
from cancel_tui.private import open_regular

GENESIS = "0" * 64
"""What the first record of a file names as the one before it."""
OPENED, CLOSED = "opened", "closed"
"""The kinds of the first record of a file, and of the last one of a process that ended in good order."""
NEWEST = 32
"""So many of the newest other files are named by a first or last record."""
_TAIL = 65_536
_LATE = 100_000
"""Records that are looked through for one that happened earlier; where one was lost, no more are held."""

Record = dict[str, Any]
"""One journal record as it was written."""
Entry = tuple[str, Record]
"""File name and record."""


class Fault(msgspec.Struct, frozen=True):
    """A place where a journal file is not what was written, or may not be all of it."""

    file: str
    line: int
    """Counted from 1; 0 where the file as a whole is meant."""
    why: str
    broken: bool = True
    """False for what the end of a process leaves behind by itself: it proves no hand at work."""


def read_journal(folder: Path) -> Iterator[Entry]:
    """Every readable record of every file, merged by time: file name and record.

    Within one file the order is the file's own, whatever the wall clock did meanwhile.
    """
    yield from merged(sorted(folder.glob("*.jsonl")))


def merged(paths: list[Path]) -> Iterator[Entry]:
    """The same for some files."""
    yield from heapq.merge(*(_records(path) for path in paths), key=lambda one: str(one[1].get("at")))


def _records(path: Path) -> Iterator[Entry]:
    return read_file(path.name, _lines(path) or ())


def read_file(name: str, lines: Iterable[bytes]) -> Iterator[Entry]:
    """The readable records among some lines of a file, in the order in which things happened."""
    for record in _as_it_happened(_parsed(lines)):
        for one in _each(record):
            yield name, one


def _each(record: Record) -> Iterator[Record]:
    """Cancels that were written down together, as if each had been written by itself."""
    if record.get("kind") != "requests":
        yield record
        return
    common = {name: value for name, value in record.items() if name != "cancels"} | {"kind": "request"}
    cancels = record.get("cancels")
    for one in cancels if isinstance(cancels, list) else ():
        if isinstance(one, list) and len(one) == 3:
            number, order, account = one
            place = {} if account is None else {"account": account}
            yield {**common, "no": number, "order": order, **place, "ahead": True}


def _as_it_happened(records: Iterable[Record]) -> Iterator[Record]:
    """Records that nobody waited for stand a little later in the file than they were made."""
    waiting: list[tuple[int, int, Record]] = []
    wanted = 0
    for place, record in enumerate(records):
        made = record.get("made")
        if isinstance(made, int):
            heapq.heappush(waiting, (made, place, record))
        while waiting and (not isinstance(made, int) or waiting[0][0] <= wanted or len(waiting) > _LATE):
            number, _, first = heapq.heappop(waiting)
            wanted = max(wanted, number + 1)
            yield first
        if not isinstance(made, int):
            yield record
    while waiting:
        yield heapq.heappop(waiting)[2]


def _read(text: str | bytes) -> Any:
    # Loaded with the first record: the console's first picture is there before it.
    import json

    return json.loads(text)


def _parsed(lines: Iterable[bytes]) -> Iterator[Record]:
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            record = _read(line)
            if isinstance(record, dict):
                yield record


def heads(folder: Path, besides: str) -> list[list[Any]]:
    """File, number and hash of the last whole record of each of the newest other files."""
    found = []
    names = sorted(path.name for path in folder.glob("*.jsonl") if path.name != besides)
    for name in names[-NEWEST:]:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            record = _read(_last_line(folder / name))
            found.append([name, int(record["seq"]), str(record["hash"])])
    return found


def _last_line(path: Path) -> bytes:
    """The last line that has its end; empty where there is none."""
    with os.fdopen(open_regular(path), "rb") as file:
        size = file.seek(0, os.SEEK_END)
        length = _TAIL
        while True:
            file.seek(max(0, size - length))
            data = file.read(min(length, size))
            end = data.rfind(b"\n")
            begin = data.rfind(b"\n", 0, max(end, 0))
            if begin >= 0 or length >= size:
                return data[begin + 1 : max(end, 0)]
            length *= 8


# ---------------------------------------------------------------------- verify


class _Chain(msgspec.Struct):
    """One file as far as its chain holds."""

    path: Path
    hashes: list[str] = msgspec.field(default_factory=list)
    anchors: list[tuple[str, int, str]] = msgspec.field(default_factory=list)
    """What it says of other files: name, number of a record, its hash."""
    first: Record = msgspec.field(default_factory=dict)
    last: str | None = None
    """The kind of its last good record."""
    fault: Fault | None = None


def verify_journal(folder: Path) -> tuple[int, list[Fault]]:
    """Check each file's chain, and what the files say of each other: how many good records, every fault."""
    chains = {path.name: _chain(path) for path in sorted(folder.glob("*.jsonl"))}
    faults = [found for chain in chains.values() if (found := chain.fault or _unclosed(chain))]
    faults += _disanchored(folder, chains)
    return sum(len(chain.hashes) for chain in chains.values()), faults


def intact(path: Path) -> bool:
    """Whether one file's own chain holds, but for what the end of a process leaves behind."""
    fault = _chain(path).fault
    return fault is None or not fault.broken


def broken_files(faults: list[Fault]) -> set[str]:
    """The files whose records cannot be trusted."""
    return {fault.file for fault in faults if fault.broken}


def _chain(path: Path) -> _Chain:
    chain = _Chain(path)
    lines = _lines(path)
    if lines is None:
        chain.fault = Fault(path.name, 0, "cannot be read")
        return chain
    previous = GENESIS
    for index, line in enumerate(lines):
        last = index == len(lines) - 1
        if last and not line.endswith(b"}"):
            chain.fault = _cut(chain, index)
            break
        record, why = _checked(line, index, previous)
        if record is None:
            chain.fault = Fault(path.name, index + 1, why)
            break
        previous = str(record["hash"])
        chain.hashes.append(previous)
        chain.first = chain.first or record
        chain.last = str(record.get("kind"))
        if chain.last in (OPENED, CLOSED):
            chain.anchors += _anchors(record)
    return chain


def _cut(chain: _Chain, index: int) -> Fault:
    words = "an unfinished record: the process was ended while it wrote"
    if alive(chain.path, chain.first):
        words = "an unfinished record: it is being written"
    return Fault(chain.path.name, index + 1, words, broken=False)


def _unclosed(chain: _Chain) -> Fault | None:
    """A file without a closing record whose process is gone: killed, or cut at its end."""
    if chain.last == CLOSED:
        return None
    living = alive(chain.path, chain.first)
    if living:
        return None
    words = "ended without a closing record: its process was killed, or its last records were removed"
    if living is None:
        words = "no closing record, and whether its process still runs cannot be told from here"
    return Fault(chain.path.name, len(chain.hashes), words, broken=False)


def _checked(line: bytes, index: int, previous: str) -> tuple[Record | None, str]:
    """The record of a line, or why it is none that was written there."""
    try:
        whole = line.decode()
        record = _read(whole)
        digest = record["hash"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, "no readable record"
    tail = f',"hash":"{digest}"}}'
    text = whole.removesuffix(tail) + "}"
    if not whole.endswith(tail) or digest_of(text) != digest:
        return None, "the record was altered"
    if record.get("prev") != previous or record.get("seq") != index:
        return None, "a record before this one was removed, added or moved"
    return record, ""


def _anchors(record: Record) -> Iterator[tuple[str, int, str]]:
    found = record.get("heads")
    for one in found if isinstance(found, list) else ():
        if isinstance(one, list) and len(one) == 3 and isinstance(one[1], int):
            yield str(one[0]), one[1], str(one[2])


def _disanchored(folder: Path, chains: dict[str, _Chain]) -> list[Fault]:
    """What the files say of each other and is not so; one fault for each file."""
    found: dict[str, Fault] = {}
    for witness in list(chains.values()):
        for name, number, digest in witness.anchors:
            if name in found or Path(name).name != name:
                continue
            chain = chains.get(name)
            if chain is None or (chain.fault is None and number >= len(chain.hashes)):
                # It may have been written since it was read.
                chain = chains[name] = _chain(folder / name)
            why, line = _contradiction(chain, number, digest, folder / name)
            if why:
                found[name] = Fault(name, line, f"{why} ({witness.path.name})")
    return list(found.values())


def _contradiction(chain: _Chain, number: int, digest: str, path: Path) -> tuple[str, int]:
    """Why a file is not the one that another has named, and the line; empty where it is."""
    if not path.exists():
        return "the file was removed; another file names it", 0
    if chain.fault is not None and chain.fault.broken:
        return "", 0
    if number >= len(chain.hashes):
        return "records were removed from its end; another file names a later one", len(chain.hashes) + 1
    if chain.hashes[number] != digest:
        return "not the record that another file names: it was written anew", number + 1
    return "", 0


def _lines(path: Path) -> list[bytes] | None:
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return file.read().splitlines()
    except OSError:
        return None
