"""Kills that have no end on record although their process is gone: what was in flight, what has no end.

A kill that takes up another one names it. All that belong together are one case: it is finished when the
kill itself has an end, or when one that took it up ended proven flat. A kill whose end is not flat is no
such case by itself, because somebody has read its verdict; whoever names it finds it all the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from cancel_tui.desk.chain import Entry, Record, intact, merged, read_file
from cancel_tui.desk.decision import Place, UnreadableError, places_from, scope_from
from cancel_tui.desk.process import alive
from cancel_tui.desk.story import SETTLED, OrderStory, of_kill, order_stories, state_of
from cancel_tui.orders import AccountId, Family, OrderId, OrderKey, VenueName
from cancel_tui.private import open_regular, ours
from cancel_tui.scope import Scope

RECENT = 7 * 86_400.0
"""Seconds for which a kill without an end is announced by itself; after that it has to be named."""
CUT_OFF, INTERRUPTED = "cut off", "interrupted"
"""How a kill came to be without an end."""
_STOP = "stop:"
_LIFE = re.compile(
    rb'^\{"seq":\d+,"prev":"[^"]*","at":"[^"]*","kind":"'
    rb'(opened|drill_begin|kill_begin|kill_end|kill_interrupted|kill_reopened|flat_withdrawn)"[^\n]*\}$',
    re.MULTILINE,
)
"""The records that tell whether a kill is over; the rest of a file need not be read for that."""


class Left(msgspec.Struct, frozen=True):
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


class Unfinished(msgspec.Struct, frozen=True):
    """One case: a kill without an end, with those that took it up and did not finish it either."""

    kill_id: str
    began_at: str
    """ISO 8601, UTC."""
    members: tuple[str, ...]
    """It and the kills that took it up."""
    how: str
    """`interrupted`, where somebody ended it; `not flat` or `unverified`, where that is its end; else
    `cut off`."""
    begin: Record
    """The record of the decision."""
    began_over: bool
    """Whether the kill itself has an end, so that it is one that took it up which has none."""
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

    @property
    def ended(self) -> bool:
        """Whether it came to its end in good order, without a proof."""
        return self.how not in (CUT_OFF, INTERRUPTED)

    def words(self) -> str:
        """What was in flight, for a person."""
        told = []
        if not self.ended:
            told = [f"{len(self.in_flight)} cancel{'s' * (len(self.in_flight) != 1)} in flight"]
        told.append(f"{self.without_end} of {len(self.left)} touched orders without an end on record")
        return ", ".join(told)


def find(folder: Path, now: float, *, every: bool = False) -> list[Unfinished]:
    """Every case whose processes are gone, oldest first; without `every` only those of recent days.

    `now` is wall time in seconds. A folder that cannot be read holds none.
    """
    cases = _cases(_lives(_files(folder, now, every=every)))
    return [_told(folder, case) for case in cases if _open(case) and _dead(case)]


def named(folder: Path, kill_id: str) -> Unfinished | str:
    """The case that a kill belongs to, one that ended without a proof as well; a text says why it is none."""
    wanted = kill_id.casefold()
    for case in _cases(_lives(_files(folder, 0.0, every=True))):
        if wanted not in {life.kill_id.casefold() for life in case}:
            continue
        proven = [life.kill_id for life in case if _proven(life)]
        if proven:
            return f"it was proven flat by kill {proven[-1]}: nothing is left to finish"
        return _told(folder, case) if _dead(case) else "its process still runs"
    return "no such kill is on record"


def _lives(paths: Iterable[Path]) -> dict[str, _Life]:
    lives: dict[str, _Life] = {}
    for path in paths:
        for record in _life_records(path):
            _take(lives, path, record)
    return lives


def announced(cases: Iterable[Unfinished]) -> list[str]:
    """One line for each case, for a person who has just come."""
    ways = {INTERRUPTED: "was interrupted"}
    return [
        f"kill {one.kill_id} of {one.began_at} {ways.get(one.how, 'has no end')}: {one.words()}; "
        f"finish it with `cancel-tui kill --resume {one.kill_id}`"
        for one in cases
    ]


class _Life(msgspec.Struct):
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
            # What somebody else has put there decides nothing: its scope could be anything.
            if ours(path) and (every or path.lstat().st_mtime > now - RECENT):
                found.append(path)
        except OSError:
            continue
    return found


def _life_records(path: Path) -> list[Record]:
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            data = file.read()
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
    """What belongs together, oldest first; the first of each is the kill itself."""
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
        found.append(sorted(group, key=lambda one: (one.kill_id != root, str(one.begin.get("at")))))
    return sorted(found, key=lambda one: str(one[0].begin.get("at")))


def _open(case: list[_Life]) -> bool:
    """Whether nobody has seen the end of it yet: of the kill itself, or of the newest that took it up."""
    ended = case[0].state == case[-1].state == "ended"
    return not ended and not any(map(_proven, case))


def _proven(life: _Life) -> bool:
    """Whether it ended flat, and that stands."""
    last = life.records[-1]
    venues = last.get("venues")
    every = venues.values() if isinstance(venues, dict) else ()
    return life.state == "ended" and proves(last.get("verdict"), every, resumes="resumes" in life.begin)


def proves(verdict: object, venues: Iterable[object], *, resumes: bool) -> bool:
    """Whether the end of a kill with this verdict, and these of its venues, leaves nothing to finish.

    To one that takes up another, a value of its scope that matches nothing any more is no slip of the pen.
    """
    return verdict == "flat" or (resumes and set(venues) == {"flat"})


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
        _how(case),
        root.begin,
        root.state == "ended",
        tuple(in_flight(records)),
        tuple(left),
        frozenset(
            VenueName(str(record.get("venue")))
            for _, record in records
            if record.get("kind") == "request" and record.get("call") == "cancel_all"
        ),
        intact(root.path),
    )


def _how(case: list[_Life]) -> str:
    if case[-1].state == "interrupted":
        return INTERRUPTED
    if case[0].state != "ended" or case[-1].state != "ended":
        return CUT_OFF
    ends = [record for record in case[-1].records if record.get("kind") == "kill_end"]
    return "not flat" if ends[-1].get("verdict") == "not_flat" else "unverified"


def _key(one: OrderStory, kind: object) -> OrderKey:
    account = None if one.account is None else AccountId(one.account)
    if kind == "b2trader" and one.order.startswith(_STOP):
        return OrderKey(VenueName(one.venue), account, Family.STOP, OrderId(one.order.removeprefix(_STOP)))
    return OrderKey(VenueName(one.venue), account, Family.ORDER, OrderId(one.order))


def in_flight(records: Iterable[Entry]) -> list[str]:
    """Cancels that may have left, were never answered, and of whose orders nobody has heard since."""
    flying: dict[tuple[str, object, object], tuple[object, object, str]] = {}
    for name, record in records:
        kind, venue = record.get("kind"), record.get("venue")
        if kind == "kill_end":
            # Whoever came to the end in good order has waited for its own, and looked after all others.
            flying.clear()
        elif kind == "flat":
            flying = {mark: one for mark, one in flying.items() if mark[1] != venue}
        elif kind in ("order", "orders"):
            over = _settled(record)
            flying = {mark: one for mark, one in flying.items() if mark[1] != venue or one[:2] not in over}
        if record.get("call") not in ("cancel", "cancel_all"):
            continue
        mark = (name, venue, record.get("no"))
        if kind == "request":
            what = record.get("order") or record.get("symbol") or "everything"
            words = f"{venue} {record.get('call')} {what}"
            flying[mark] = record.get("account"), record.get("order"), words
        elif kind == "answer":
            flying.pop(mark, None)
    return [words for _, _, words in flying.values()]


def _settled(record: Record) -> set[tuple[object, object]]:
    """Account and id of each order that a record calls over."""
    groups = record.get("groups", [record])
    return {
        (group.get("account"), order)
        for group in (groups if isinstance(groups, list) else [])
        if isinstance(group, dict) and group.get("stage") in SETTLED
        for order in _ids(group)
    }


def _ids(group: Record) -> list[str]:
    found = group.get("orders", [group.get("order")])
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
