"""`cancel-tui journal`: read the record, verify it, export one kill of it. Changes nothing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cancel_tui.cli import render
from cancel_tui.cli.session import UsageError
from cancel_tui.cli.unended import announce
from cancel_tui.clock import SystemClock
from cancel_tui.desk.chain import Entry, Fault, Record, broken_files, read_journal, verify_journal
from cancel_tui.desk.story import document, kill_ids, of_kill, state_of
from cancel_tui.orders import iso
from cancel_tui.paths import data_path
from cancel_tui.redaction import redacted
from cancel_tui.text import literal

_CHAIN = ("seq", "prev", "hash")
_SHOWN_APART = frozenset({*_CHAIN, "at", "kind", "kill", "venue"})


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=("show", "verify", "export"),
        default="show",
        help="show: the records, newest last; verify: check every file's chain, exit status 1 where it is "
        "broken (a last record that was cut short when its process ended is a warning only); "
        "export: one kill as one JSON document",
    )
    parser.add_argument("--kill", metavar="ID", help="show, export: one kill; export without it: the newest")
    parser.add_argument("--last", type=_count, metavar="N", help="show: only the newest N records")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is no count")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Carry out one action on the journal of the data directory."""
    if options.last is not None and options.action != "show":
        raise UsageError("--last is for journal show")
    if options.kill is not None and options.action == "verify":
        raise UsageError("--kill is for journal show and export; a chain is verified as a whole")
    folder = data_path(options.data_dir) / "journal"
    return {"show": _show, "verify": _verify, "export": _export}[options.action](options, folder)


# ---------------------------------------------------------------------- show


def _show(options: argparse.Namespace, folder: Path) -> int:
    entries = list(read_journal(folder))
    if options.kill is not None:
        entries = of_kill(entries, _meant(entries, options.kill))
    if options.last is not None:
        entries = entries[-options.last :]
    if options.json:
        records = [{"file": name, **record} for name, record in entries]
        render.document({"folder": str(folder), "records": records})
    else:
        for _, record in entries:
            render.say(_line(record))
    if not entries:
        render.warn(f"{folder}: no records")
    announce(options, SystemClock())
    for fault in verify_journal(folder)[1]:
        render.warn(f"warning: {_fault_line(fault)}")
    return 0


def _line(record: Record) -> str:
    """One record for a person."""
    kill, venue = record.get("kill"), record.get("venue")
    head = [_word(record.get("at")), _word(record.get("kind")).ljust(11)]
    head += [_word(one) for one in (kill, venue) if one is not None]
    rest = [f"{key}={_word(value)}" for key, value in record.items() if _told(key, value)]
    return literal("  ".join([*head, " ".join(rest)]).rstrip(), 2000)


def _told(key: str, value: object) -> bool:
    return key not in _SHOWN_APART and value is not None and value not in ([], {})


def _word(value: object) -> str:
    """A value without the brackets of its notation."""
    if isinstance(value, dict):
        return ",".join(f"{key}:{_word(one)}" for key, one in value.items() if _told("", one)) or "all"
    if isinstance(value, list):
        return "+".join(_word(one) for one in value)
    return str(value)


# ---------------------------------------------------------------------- verify


def _verify(options: argparse.Namespace, folder: Path) -> int:
    """1 for anything altered, removed or moved. A record cut short by the end of its process is no lie."""
    good, faults = verify_journal(folder)
    files = len(list(folder.glob("*.jsonl")))
    broken = [fault for fault in faults if fault.broken]
    cut = [fault for fault in faults if not fault.broken]
    endless = _endless(list(read_journal(folder)))
    if options.json:
        render.document(
            {
                "folder": str(folder),
                "intact": not broken,
                "files": files,
                "records": good,
                "faults": [_fault_json(fault) for fault in broken],
                "unfinished": [_fault_json(fault) for fault in cut],
                "kills_without_end": endless,
            }
        )
    else:
        render.say(f"{folder}: {good} good records in {files} file(s)")
        for fault in broken:
            render.say(f"BROKEN  {_fault_line(fault)}")
        render.say("BROKEN" if broken else "intact")
    for fault in cut:
        render.warn(f"warning: {_fault_line(fault)}")
    for kill in endless:
        render.warn(f"warning: kill {literal(kill, 40)} has no end: it runs still, or its process was ended")
    return 1 if broken else 0


def _fault_json(fault: Fault) -> dict[str, Any]:
    return {"file": fault.file, "line": fault.line, "why": fault.why}


def _fault_line(fault: Fault) -> str:
    return f"{fault.file}, line {fault.line}: {fault.why}"


def _endless(entries: Sequence[Entry]) -> list[str]:
    """Kills that began and have no end on record, and that no other has finished."""
    found: dict[str, list[Record]] = {kill: [] for kill in kill_ids(entries)}
    finished: set[object] = set()
    for _, record in entries:
        if record.get("kill") in found:
            found[record["kill"]].append(record)
        if record.get("kind") == "kill_end" and record.get("verdict") == "flat":
            finished.add(record.get("resumes"))
    return [
        kill
        for kill, records in found.items()
        if state_of(records) != "ended" and not {kill, records[0].get("resumes") or kill} & finished
    ]


# ---------------------------------------------------------------------- export


def _export(options: argparse.Namespace, folder: Path) -> int:
    entries = list(read_journal(folder))
    kills = kill_ids(entries)
    if options.kill is None and not kills:
        raise UsageError(f"{folder}: there is no kill on record")
    kill = kills[-1] if options.kill is None else _meant(entries, options.kill)
    found = document(entries, kill)
    broken = broken_files(verify_journal(folder)[1])
    files = sorted({str(record["file"]) for record in found["records"]})
    found["exported_at"] = iso(SystemClock().wall())
    found["files"] = [{"file": name, "intact": name not in broken} for name in files]
    render.document(redacted(found))
    for name in files:
        if name in broken:
            render.warn(f"warning: {name}: the chain is broken; see `cancel-tui journal verify`")
    return 0


def _meant(entries: Sequence[Entry], wanted: str) -> str:
    """The id as it was written; raises UsageError for one that is not on record."""
    for _, record in entries:
        kill = record.get("kill")
        if isinstance(kill, str) and kill.casefold() == wanted.casefold():
            return kill
    raise UsageError(f"--kill {literal(wanted, 40)}: no such kill is on record")
