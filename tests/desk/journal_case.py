"""What the tests of the journal share: files, their records, and what became of them."""

from __future__ import annotations

from pathlib import Path

from cancel_tui.clock import ManualClock
from cancel_tui.desk.chain import CLOSED, OPENED, read_journal
from cancel_tui.desk.journal import Journal


def written(folder: Path, records: int = 5) -> Path:
    journal = Journal(folder, ManualClock())
    for number in range(records):
        journal.note("step", number=number)
    journal.close(5)
    assert journal.path is not None
    return journal.path


def records(folder: Path) -> list[dict[str, object]]:
    """What was noted; without the first and the last record that each file has by itself."""
    return [record for _, record in read_journal(folder) if record.get("kind") not in (OPENED, CLOSED)]


def kinds(folder: Path) -> list[object]:
    """Their kinds; without the gaps that a busy machine may have made."""
    return [record["kind"] for record in records(folder) if "waited_ms" not in record]
