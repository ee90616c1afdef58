"""A drill while it runs: notes what the operator does, and writes the report of it.

What the operator does goes into the journal, so that the report is made from records and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import Any

from cancel_tui import __version__
from cancel_tui.desk.chain import intact, read_file
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.drill_report import Facts, Row, Task, document
from cancel_tui.desk.drill_text import markdown
from cancel_tui.desk.process import whoami
from cancel_tui.desk.report import kill_json
from cancel_tui.orders import iso
from cancel_tui.private import ExposedError, exposed_folder, make_folder, open_private
from cancel_tui.redaction import redact, redacted


class Drilling:
    """One drill on one desk. `truth` tells what the practice venues' own books hold at the moment."""

    def __init__(self, task: Task, desk: Desk, truth: Callable[[], list[Row]], folder: Path) -> None:
        self.task = task
        self._desk = desk
        self._truth = truth
        self._folder = folder
        self._began = desk.clock.wall()
        self._before = truth()
        self._stem: str | None = None
        desk.occasion = f"DRILL {task.name}"
        desk.journal.note(
            "drill_begin", drill=task.name, seed=task.seed, faults=list(task.faults), mode=task.mode
        )

    def deed(self, what: str) -> None:
        """The operator did something."""
        self._desk.journal.note("operator", deed=what)

    async def report(self, *, final: bool) -> dict[str, Any]:
        """The report as things stand; a final one is made once the desk is closed, its journal too."""
        if not final:
            # Whatever was noted before it stands in the file once this does.
            await self._desk.journal.record("drill_report")
        kills = [{**kill_json(kill), "by_id": kill.by_id} for kill in self._desk.kills]
        after, ended = self._truth(), self._desk.clock.wall()
        work = asyncio.get_running_loop().run_in_executor
        records, journal = await work(None, self._record)
        facts = Facts(
            self.task,
            __version__,
            **whoami(),
            began_at=self._began,
            ended_at=ended,
            final=final,
            before=self._before,
            after=after,
            kills=kills,
            records=records,
            journal=journal,
        )
        return await work(None, document, facts)

    def _record(self) -> tuple[list[Row], Row]:
        """This process's journal: its records, and what identifies it as it is now."""
        path = self._desk.journal.path
        nothing = {"file": None, "records": 0, "last": None, "hash": None, "intact": False}
        if path is None:
            return [], nothing
        try:
            records = [record for _, record in read_file(path.name, path.read_bytes().splitlines())]
        except OSError:
            return [], nothing
        last = records[-1] if records else {}
        return list(records), {
            "file": f"{path.parent.name}/{path.name}",
            "records": len(records),
            "last": last.get("seq"),
            "hash": last.get("hash"),
            "intact": intact(path),
        }

    async def write(self, report: Row) -> tuple[Path, Path]:
        """Write JSON and Markdown, for the owner only; a later report of the same drill replaces them.

        Raises OSError.
        """
        return await asyncio.get_running_loop().run_in_executor(None, self._write, report)

    def _write(self, report: Row) -> tuple[Path, Path]:
        make_folder(self._folder)
        why = exposed_folder(self._folder)
        if why:
            raise ExposedError(why)
        if self._stem is None:
            self._stem = self._reserved()
        told = self._folder / f"{self._stem}.json", self._folder / f"{self._stem}.md"
        _replace(told[0], json.dumps(redacted(report), indent=1) + "\n")
        _replace(told[1], redact(markdown(report)))
        return told

    def _reserved(self) -> str:
        """A name that no other drill has, taken by an empty file."""
        moment = (iso(self._began) or "")[:19].replace("-", "").replace(":", "")
        stem = f"drill-{self.task.name}-{moment}Z"
        number = 0
        while True:
            chosen = f"{stem}-{number}" if number else stem
            try:
                os.close(open_private(self._folder / f"{chosen}.json", os.O_EXCL))
                return chosen
            except FileExistsError:
                number += 1


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.{token_hex(4)}")
    handle = open_private(partial, os.O_EXCL)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
