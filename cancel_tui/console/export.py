"""The report of a kill as a file."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from cancel_tui.desk.kill import Kill
from cancel_tui.desk.report import kill_json
from cancel_tui.private import ExposedError, exposed_folder, make_folder, open_private
from cancel_tui.redaction import redacted


async def write_report(kill: Kill, journal: Path | None) -> str:
    """Write it beside the journal (without one: here), readable by the owner only; a sentence about it."""
    folder = Path.cwd() if journal is None else journal.parent.parent / "reports"
    text = json.dumps(redacted(kill_json(kill)), indent=1)
    try:
        path = await asyncio.get_running_loop().run_in_executor(
            None, _write, folder, kill.kill_id, text, journal is not None
        )
    except OSError as error:
        return f"the report could not be written: {error.strerror or type(error).__name__}"
    return f"report written: {path}"


def _write(folder: Path, kill_id: str, text: str, guarded: bool) -> Path:
    make_folder(folder)
    why = exposed_folder(folder) if guarded else None
    if why:
        raise ExposedError(why)
    number = 0
    while True:
        path = folder / (f"kill-{kill_id}.json" if not number else f"kill-{kill_id}-{number}.json")
        try:
            handle = open_private(path, os.O_EXCL)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        return path
