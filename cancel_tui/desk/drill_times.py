"""When each step of a drill happened, from the journal of its process alone. Pure.

What the operator did stands in records of the kind `operator`; the rest is what every kill writes down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cancel_tui.desk.drill_judge import seconds_of

Record = Mapping[str, Any]

_DEEDS = {
    "brief_left": "the brief was left",
    "first_key": "first key",
    "armed": "armed",
    "word": "the word stood",
    "wrong": "mistyped word",
    "pasted": "pasted text, which does not count",
    "too_soon": "Enter in one burst with the word, which does not count",
    "lapsed": "the arming lapsed",
    "fired": "Enter: the word was accepted",
    "left": "the operator left",
}
_CANCELS = ("cancel", "cancel_all")


def begun_at(records: Iterable[Record]) -> str | None:
    """When the drill was opened."""
    return next((one["at"] for one in records if one.get("kind") == "drill_begin"), None)


def steps(records: Sequence[Record]) -> list[dict[str, Any]]:
    """What was done and what came of it: time, seconds since the beginning, seconds since the step before."""
    start = before = seconds_of(begun_at(records))
    found = []
    for record in records:
        words = _words(record)
        if not words:
            continue
        at = seconds_of(record.get("at"))
        found.append(
            {
                "at": record.get("at"),
                "step": words,
                "seconds": _between(start, at),
                "took": _between(before, at),
                "kill": record.get("kill"),
            }
        )
        before = at
    return found


def _words(record: Record) -> str:
    kind, venue = record.get("kind"), record.get("venue")
    if kind == "drill_begin":
        return "the drill began"
    if kind == "operator":
        deed = str(record.get("deed"))
        return _DEEDS.get(deed, deed)
    if kind == "kill_begin":
        return "cancel of named orders begun" if record.get("by_id") else "kill begun"
    if kind == "flat":
        return f"{venue}: proven flat"
    if kind == "flat_withdrawn":
        return f"{venue}: FLAT WITHDRAWN"
    if kind in ("hold", "release"):
        return f"{venue}: {'held' if kind == 'hold' else 'released'}"
    if kind == "kill_end":
        return f"over: {record.get('verdict')}"
    return "interrupted" if kind == "kill_interrupted" else ""


def kill_times(records: Sequence[Record], kill: str) -> dict[str, Any]:
    """The times of one kill. Seconds count from Enter where a person fired it, else from its beginning."""
    mine = [one for one in records if one.get("kill") == kill]
    begun = next((one["at"] for one in mine if one.get("kind") == "kill_begin"), None)
    way = _way_to(records, kill)
    enter = way.get("fired")
    zero = seconds_of(enter or begun)
    venues: dict[str, dict[str, Any]] = {}
    for one in mine:
        venue, kind = one.get("venue"), one.get("kind")
        if not isinstance(venue, str):
            continue
        times = venues.setdefault(venue, {})
        if kind == "request":
            times.setdefault("first_request_at", one["at"])
        if kind == "answer" and one.get("call") in _CANCELS:
            times["last_cancel_answered_at"] = one["at"]
        if kind == "flat":
            times["proven_at"] = one["at"]
        if kind in ("venue_reopened", "flat_withdrawn"):
            times.pop("proven_at", None)
    for times in venues.values():
        for name in ("first_request", "last_cancel_answered", "proven"):
            times.setdefault(f"{name}_at", None)
            times[f"{name}_seconds"] = _between(zero, seconds_of(times[f"{name}_at"]))
    over = next((one["at"] for one in reversed(mine) if one.get("kind") == "kill_end"), None)
    left = seconds_of(way.get("brief_left") or begun_at(records))
    armed, word, fired = (seconds_of(way.get(name)) for name in ("armed", "word", "fired"))
    return {
        "armed_at": way.get("armed"),
        "word_at": way.get("word"),
        "enter_at": enter,
        "begun_at": begun,
        "over_at": over,
        "start_to_armed_seconds": _between(left, armed),
        "armed_to_word_seconds": _between(armed, word),
        "word_to_enter_seconds": _between(word, fired),
        "enter_to_begun_seconds": _between(fired, seconds_of(begun)),
        "first_request_seconds": _least(one["first_request_seconds"] for one in venues.values()),
        "last_cancel_answered_seconds": _most(one["last_cancel_answered_seconds"] for one in venues.values()),
        "verdict_seconds": _between(zero, seconds_of(over)),
        "venues": venues,
    }


def _way_to(records: Sequence[Record], kill: str) -> dict[str, str]:
    """When the operator did each thing on the way to this kill; empty where nobody typed a word for it."""
    way: dict[str, str] = {}
    for one in records:
        kind = one.get("kind")
        if kind == "operator":
            deed = str(one.get("deed"))
            if deed == "armed":
                way = {name: at for name, at in way.items() if name == "brief_left"}
            way[deed] = str(one.get("at"))
        elif kind == "kill_begin" and one.get("kill") == kill:
            return way if "fired" in way else {}
        elif kind == "kill_begin" and not one.get("by_id"):
            way = {name: at for name, at in way.items() if name == "brief_left"}
    return {}


def counts(records: Sequence[Record]) -> dict[str, int]:
    """How often the operator did what."""
    deeds = Counter(str(one.get("deed")) for one in records if one.get("kind") == "operator")
    begun = [one for one in records if one.get("kind") == "kill_begin"]
    named = [one for one in begun if one.get("by_id")]
    held = {one.get("kill") for one in records if one.get("kind") == "hold"}
    held |= {one.get("kill") for one in begun if one.get("hold")}
    return {
        "armed": deeds["armed"],
        "lapsed": deeds["lapsed"],
        "mistyped_words": deeds["wrong"],
        "pasted": deeds["pasted"],
        "enter_too_soon": deeds["too_soon"],
        "kills": len(begun) - len(named),
        "cancels_of_named_orders": len(named),
        "named_orders": sum(len((one.get("scope") or {}).get("order_id", ())) for one in named),
        "asked_again": sum(one.get("kind") == "retry" for one in records),
        "held": len(held),
        "released": len({one.get("kill") for one in records if one.get("kind") == "release"}),
    }


def _between(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else round(after - before, 3)


def _least(values: Iterable[float | None]) -> float | None:
    return min((one for one in values if one is not None), default=None)


def _most(values: Iterable[float | None]) -> float | None:
    return max((one for one in values if one is not None), default=None)
