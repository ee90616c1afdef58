"""Every screen looks as it is on record, at both sizes, in colour and without."""

from __future__ import annotations

import difflib

from tests.console.snapshots import FOLDER, masked, tour


async def test_every_screen_is_as_on_record() -> None:
    found = await tour()
    kept = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.txt")}
    told: list[str] = []
    for name in sorted(set(kept) | set(found)):
        record, now = (_lines(texts.get(name, "")) for texts in (kept, found))
        told += difflib.unified_diff(record, now, f"record/{name}", name, lineterm="")
    assert not told, "looked at and wanted? python -m tests.console.snapshots\n" + "\n".join(told[:200])


def _lines(text: str) -> list[str]:
    return text.splitlines()


def test_what_is_masked_is_time_and_nothing_else() -> None:
    assert masked("12:04:27 UTC  x  1.25 s  40 ms  9s  15m  KILL 0193fa  0.00005 @ 2300000") == (
        "hh:mm:ss UTC  x T T t t  KILL xxxxxx  0.00005 @ 2300000"
    )
