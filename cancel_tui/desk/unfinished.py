"""Kills that have no end on record although their process is gone: what was in flight, what has no end.

A kill that takes up another one names it. All that belong together are one case: it is finished when the
kill itself has an end, or when one that took it up ended proven flat.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cancel_tui.desk.chain import Entry, Record, intact, merged, read_file
from cancel_tui.desk.decision import Place, UnreadableError, places_from, scope_from
from cancel_tui.desk.process import alive
from cancel_tui.desk.story import OrderStory, of_kill, order_stories, state_of
from cancel_tui.orders import AccountId, Family, OrderId, OrderKey, VenueName
from cancel_tui.scope import Scope

RECENT = 7 * 86_400.0
"""Seconds for which a kill without an end is announced by itself; after that it has to be named."""
_STOP = "stop:"
_LIFE = re.compile(
    rb'^\{"seq":\d+,"prev":"[^"]*","at":"[^"]*","kind":"'
    rb'(opened|drill_begin|kill_begin|kill_end|kill_interrupted|kill_reopened)"[^\n]*\}$',
    re.MULTILINE,
)
"""The records that tell whether a kill is over; the rest of a file need not be read for that."""


@dataclass(frozen=True, slots=True)
class Left:
    """An order that was touched, as the journal leaves it."""

    key: OrderKey
    requested_at: str | None
    """ISO 8601; when its first cancel was written down."""
    acknowledged: bool
    settled: bool
    """Whether an end of it is on record."""
    symbol: str | None = None
    exchange: str | None = None
    """What the lists said of it, where they did."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """One case: a kill without an end, with those that took it up and did not finish it either."""

    kill_id: str
    began_at: str
    """ISO 8601, UTC."""
    members: tuple[str, ...]
    """It and the kills that took it up."""
    how: str
    """`interrupted`, where somebody ended it; else `cut off`."""
    begin: Record
    """The record of the decision."""
    in_flight: tuple[str, ...]
    """Cancels that were written down and have no answer, in words."""
    left: tuple[Left, ...]
    """Every order that was touched."""
    natives: frozenset[VenueName]
    """Venues whose own cancel-all may have left: what it reached need not be on record."""
    intact: bool
    """Whether the chain of the file that holds the decision holds."""

    @property
    def without_end(self) -> int:
        """How many orders were touched and have no end on record."""
        return sum(not one.settled for one in self.left)

    @property
    def by_id(self) -> bool:
        """Whether it was a cancel of named orders."""
        return self.begin.get("by_id") is True

    def scope(self) -> Scope:
        """What may be touched; raises `UnreadableError` where the record does not say it beyond doubt."""
        if not self.intact:
            raise UnreadableError("its record was altered")
        return scope_from(self.begin)

    def places(self) -> dict[VenueName, Place]:
        """Which venues were meant; raises `UnreadableError`."""
        return places_from(self.begin)

    def words(self) -> str:
        """What was in flight, for a person."""
        told = [f"{len(self.in_flight)} cancel{'s' * (len(self.in_flight) != 1)} in flight"]
        told.append(f"{self.without_end} of {len(self.left)} touched orders without an end on record")
        return ", ".join(told)


def find(folder: Path, now: float, *, every: bool = False) -> list[Unfinished]:
    """Every case whose processes are gone, oldest first; without `every` only those of recent days.

    `now` is wall time in seconds. A folder that cannot be read holds none.
    """
    lives: dict[str, _Life] = {}
    for path in _files(folder, now, every=every):
        for record in _life_records(path):
            _take(lives, path, record)
    return [_told(folder, case) for case in _cases(lives) if _dead(case)]


def announced(cases: Iterable[Unfinished]) -> list[str]:
    """One line for each case, for a person who has just come."""
    ways = {"interrupted": "was interrupted"}
    return [
        f"kill {one.kill_id} of {one.began_at} {ways.get(one.how, 'has no end')}: {one.words()}; "
        f"finish it with `cancel-tui kill --resume {one.kill_id}`"
        for one in cases
    ]


@dataclass(slots=True)
class _Life:
    """What the few records tell of one kill."""

    kill_id: str
    path: Path
    first: Record
    begin: Record
    records: list[Record]

    @property
    def state(self) -> str:
        return state_of(self.records)


def _files(folder: Path, now: float, *, every: bool) -> list[Path]:
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        try:
            if every or path.stat().st_mtime > now - RECENT:
                found.append(path)
        except OSError:
            continue
    return found


def _life_records(path: Path) -> list[Record]:
    try:
        data = path.read_bytes()
    except OSError:
        return []
    if b'"kind":"kill_begin"' not in data:
        return []
    records = [record for _, record in read_file(path.name, (one[0] for one in _LIFE.finditer(data)))]
    # The venues of a drill are gone with its process: nothing is left that could be finished.
    return [] if any(record.get("kind") == "drill_begin" for record in records) else records


def _take(lives: dict[str, _Life], path: Path, record: Record) -> None:
    kill = record.get("kill")
    if record.get("kind") == "opened":
        lives["\0" + path.name] = _Life("", path, record, {}, [])
    elif not isinstance(kill, str):
        return
    elif record.get("kind") == "kill_begin":
        opened = lives.get("\0" + path.name)
        lives[kill] = _Life(kill, path, opened.first if opened else {}, record, [record])
    elif kill in lives:
        lives[kill].records.append(record)


def _cases(lives: dict[str, _Life]) -> list[list[_Life]]:
    """What belongs together and is not finished; the first of each is the kill itself."""
    kills = {name: life for name, life in lives.items() if life.begin}
    groups: dict[str, list[_Life]] = {}
    for name, life in kills.items():
        root, seen = name, {name}
        while (before := kills[root].begin.get("resumes")) in kills and before not in seen:
            root = str(before)
            seen.add(root)
        groups.setdefault(root, []).append(life)
    found = []
    for root, group in groups.items():
        ordered = sorted(group, key=lambda one: (one.kill_id != root, str(one.begin.get("at"))))
        if kills[root].state != "ended" and not any(map(_proven, ordered)):
            found.append(ordered)
    return sorted(found, key=lambda one: str(one[0].begin.get("at")))


def _proven(life: _Life) -> bool:
    return life.state == "ended" and life.records[-1].get("verdict") == "flat"


def _dead(case: list[_Life]) -> bool:
    """Whether no process can be at work on it any more."""
    return all(life.state != "open" or alive(life.path, life.first) is False for life in case)


def _told(folder: Path, case: list[_Life]) -> Unfinished:
    paths = sorted({life.path for life in case})
    entries = list(merged(paths))
    records: list[Entry] = sorted(
        (entry for life in case for entry in of_kill(entries, life.kill_id)),
        key=lambda entry: str(entry[1].get("at")),
    )
    root = case[0]
    places = root.begin.get("places")
    kinds = {
        name: one.get("kind")
        for name, one in (places.items() if isinstance(places, dict) else ())
        if isinstance(one, dict)
    }
    left = [
        Left(
            _key(one, kinds.get(one.venue)),
            one.requested_at,
            one.acknowledged,
            one.settled,
            one.facts.get("symbol"),
            one.facts.get("exchange"),
        )
        for one in order_stories(record for _, record in records)
        if one.asked
    ]
    return Unfinished(
        root.kill_id,
        str(root.begin.get("at")),
        tuple(life.kill_id for life in case),
        "interrupted" if case[-1].state == "interrupted" else "cut off",
        root.begin,
        tuple(_in_flight(records)),
        tuple(left),
        frozenset(
            VenueName(str(record.get("venue")))
            for _, record in records
            if record.get("kind") == "request" and record.get("call") == "cancel_all"
        ),
        intact(root.path),
    )


def _key(one: OrderStory, kind: object) -> OrderKey:
    account = None if one.account is None else AccountId(one.account)
    if kind == "b2trader" and one.order.startswith(_STOP):
        return OrderKey(VenueName(one.venue), account, Family.STOP, OrderId(one.order.removeprefix(_STOP)))
    return OrderKey(VenueName(one.venue), account, Family.ORDER, OrderId(one.order))


def _in_flight(records: list[Entry]) -> list[str]:
    """Cancels that may have left and were never answered."""
    flying: dict[tuple[str, object, object], str] = {}
    for name, record in records:
        if record.get("call") not in ("cancel", "cancel_all"):
            continue
        mark = (name, record.get("venue"), record.get("no"))
        if record.get("kind") == "request":
            what = record.get("order") or record.get("symbol") or "everything"
            flying[mark] = f"{record.get('venue')} {record.get('call')} {what}"
        elif record.get("kind") == "answer":
            flying.pop(mark, None)
    return list(flying.values())
