"""What one venue's part of a kill writes down: what each answer told of which orders, and their stages.

The lane records that a request left and what came back; this records what it meant, so that every order can
be followed from the decision to its end. A list is recorded as the difference to the list before it, orders
grouped by what they have in common, and in pieces, so that no record grows with the book.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from cancel_tui.clock import Clock
from cancel_tui.desk.diary import Diary
from cancel_tui.desk.engine import Engine
from cancel_tui.desk.journal import Journal
from cancel_tui.desk.track import Track
from cancel_tui.orders import Order, OrderKey, iso, plain
from cancel_tui.venues.base import CancelAck, CancelAllAck, ClosedPage, PartList
from cancel_tui.venues.outcome import (
    Answered,
    NotSent,
    Outcome,
    Refused,
    Throttled,
    Unanswered,
    Unauthorised,
    describe,
)

PIECE = 400
"""Orders in one record at the most."""
_WORDS = {
    Answered: "answered",
    NotSent: "not_sent",
    Unanswered: "unanswered",
    Throttled: "throttled",
    Unauthorised: "unauthorised",
    Refused: "refused",
}
_Mark = tuple[str, str, str | None, str | None, bool]


class Trail:
    """The record of one venue's part of a kill."""

    def __init__(self, journal: Journal, clock: Clock, kill_id: str, engine: Engine) -> None:
        self._journal = journal
        self._clock = clock
        self._kill_id = kill_id
        self._engine = engine
        self._marks: dict[OrderKey, _Mark] = {}
        self._shown: dict[str, dict[OrderKey, tuple[Any, ...]]] = {}
        self._serial = 0
        """Up to where the changes were taken in by the last scan."""
        self._flat = False
        self.diary = Diary()
        """The same in short, per order."""

    def note(self, kind: str, **facts: Any) -> None:
        """One record of this venue's part."""
        self._journal.note(kind, kill=self._kill_id, venue=self._engine.venue, **facts)

    def pressed(self, key: OrderKey) -> None:
        """A person asked for another cancel of an order."""
        self._line(key, "asked for again by hand")
        self.note("retry", **_named(key))

    # ------------------------------------------------------------------ what answers told

    def cancel(self, key: OrderKey, outcome: Outcome[CancelAck], numbers: Sequence[int]) -> None:
        """What came of one single cancel."""
        order = outcome.value.order if isinstance(outcome, Answered) else None
        self._line(
            key, f"cancel answered: {_word(order)}" if isinstance(outcome, Answered) else describe(outcome)
        )
        self._told("cancel", outcome, numbers, **_named(key), **_state(order))
        self.one(key)

    def read(self, key: OrderKey, outcome: Outcome[Order], numbers: Sequence[int]) -> None:
        """What came of reading one order back."""
        order = outcome.value if isinstance(outcome, Answered) else None
        said = _word(outcome.value) if isinstance(outcome, Answered) else describe(outcome)
        self._line(key, f"read back: {said}")
        self._told("status", outcome, numbers, **_named(key), **_state(order))
        self.one(key)

    def native(self, symbol: str | None, outcome: Outcome[CancelAllAck], numbers: Sequence[int]) -> None:
        """What came of the venue's own cancel-all, and which orders it named."""
        ack = outcome.value if isinstance(outcome, Answered) else CancelAllAck()
        groups = _pieces([*_groups(ack.orders), *({"orders": list(one)} for one in _cut(ack.ids))])
        for number, piece in enumerate(groups):
            self._told("cancel_all", outcome, numbers, symbol=symbol, piece=number, named=piece)
        self.scan()

    def listed(self, found: Mapping[str, Outcome[PartList]], numbers: Mapping[str, Sequence[int]]) -> None:
        """What one pass showed, part by part, where it differs from what the part showed before."""
        for part_id, outcome in found.items():
            if not isinstance(outcome, Answered):
                self._told("list", outcome, numbers.get(part_id, ()), part=part_id)
                continue
            self._part(part_id, outcome, numbers.get(part_id, ()))
        self.scan()

    def _part(self, part_id: str, outcome: Answered[PartList], numbers: Sequence[int]) -> None:
        mine = self._engine.tracks.keys() | self._engine.unreadable.keys()
        orders = {order.key: order for order in outcome.value.orders if order.key in mine}
        before = self._shown.get(part_id, {})
        now = {key: (order.status, order.venue_status, order.filled) for key, order in orders.items()}
        self._shown[part_id] = now if outcome.value.complete else {**before, **now}
        new = [order for key, order in orders.items() if before.get(key) != now[key]]
        missing = [key for key in before if key not in now] if outcome.value.complete else []
        for order in new:
            self._line(order.key, f"listed: {_word(order)}")
        for key in missing:
            self._line(key, "no longer listed")
        facts = {
            "part": part_id,
            "complete": outcome.value.complete,
            "note": outcome.value.note,
            "shown": len(orders),
            "others": len(outcome.value.orders) - len(orders),
        }
        pieces = _pieces([{"missing": True, **group} for group in _key_groups(missing)] + _groups(new))
        for number, piece in enumerate(pieces):
            self._told("list", outcome, numbers, **facts, piece=number, changed=piece)

    def closed(self, outcome: Outcome[ClosedPage], numbers: Sequence[int]) -> None:
        """Which ends one page of finished orders told."""
        if not isinstance(outcome, Answered):
            self._told("closed", outcome, numbers)
            return
        rows = outcome.value.orders
        ends = [order for order in rows if order.key in self._engine.tracks]
        for number, piece in enumerate(_pieces(_groups(ends))):
            self._told("closed", outcome, numbers, others=len(rows) - len(ends), piece=number, ends=piece)

    def _told(self, of: str, outcome: Outcome[Any], numbers: Sequence[int], **facts: Any) -> None:
        said = None if isinstance(outcome, Answered) else describe(outcome)
        reason = outcome.reason.value if isinstance(outcome, Refused) else None
        facts |= {"of": of, "requests": list(numbers), "outcome": _WORDS[type(outcome)]}
        self.note("told", said=said, reason=reason, **facts)

    # ------------------------------------------------------------------ where the orders stand

    def left(self, key: OrderKey) -> None:
        """A cancel of one order is on its way to the venue."""
        self._line(key, f"cancel {self._engine.tracks[key].attempts} on its way")

    def native_left(self, keys: Sequence[OrderKey]) -> None:
        """The venue's own cancel-all is on its way, and may reach these orders."""
        self.diary.note_many(keys, self._clock.wall(), "cancel-all on its way")

    def _line(self, key: OrderKey, what: str) -> None:
        self.diary.note(key, self._clock.wall(), what)

    def _stands(self, track: Track) -> None:
        word = track.outcome.value if track.stage.settled else track.stage.value
        filled = f", {plain(track.filled)} filled" if track.filled else ""
        told = (
            track.message if not track.stage.settled and not self.diary.said(track.key, track.message) else ""
        )
        why = f": {told}" if told else ""
        self._line(track.key, f"now {word}{filled}{why}")

    def one(self, key: OrderKey) -> None:
        """Where one order stands, if that is new."""
        track = self._engine.tracks[key]
        mark = _mark(track)
        if self._marks.get(key) == mark:
            return
        self._marks[key] = mark
        self._stands(track)
        facts = _named(key) | _standing(mark) | {"filled": plain(track.filled), "attempts": track.attempts}
        self.note("order", **facts)
        self._proof()

    def scan(self, *, whole: bool = False) -> None:
        """Where every order stands of which that is new, and whether the venue's flat came or went.

        At the end the `whole` of them is looked at: no record rests on somebody's having noted a change.
        """
        if whole:
            self._serial = -1
        groups: dict[tuple[str | None, _Mark], list[Track]] = {}
        for key, track in self._changed():
            mark = _mark(track)
            if self._marks.get(key) != mark:
                self._marks[key] = mark
                self._stands(track)
                same = (*mark[:2], _nothing(track.filled), *mark[3:])
                groups.setdefault((key.account, same), []).append(track)
        rows = [
            {
                "account": account,
                **_standing(mark),
                "orders": [track.key.shown_id for track in part],
                "filled": mark[2] or {track.key.shown_id: plain(track.filled) for track in part},
            }
            for (account, mark), tracks in groups.items()
            for part in _cut(tracks)
        ]
        for piece in _pieces(rows) if rows else ():
            self.note("orders", groups=piece)
        self._proof()

    def _changed(self) -> Iterable[tuple[OrderKey, Track]]:
        """Orders of which something is, or may be, different since the last scan."""
        changes, tracks = self._engine.changes, self._engine.tracks
        keys = changes.since(self._serial) if self._serial >= 0 else None
        self._serial = changes.serial
        return tracks.items() if keys is None else [(key, tracks[key]) for key in keys if key in tracks]

    def _proof(self) -> None:
        engine = self._engine
        flat = engine.flat_at is not None
        if flat is self._flat:
            return
        self._flat = flat
        if not flat:
            self.note("venue_reopened", times=engine.reopened)
            return
        begun = [one for one in engine.proof.streak if one > engine.last_cancel]
        base = self._clock.wall() - self._clock.monotonic()
        lists = [iso(base + one) for one in (*begun[:1], *begun[1:][-1:])]
        self.note("flat", lists_begun=lists, blind_spots=sorted(engine.blind_spots))

    def describe(self) -> None:
        """What the orders were, once, for whoever reads the record without the venue."""
        rows = [
            {
                **_named(order.key),
                "symbol": order.symbol,
                "exchange": order.exchange,
                "side": order.side.value if order.side else None,
                "type": order.type.value,
                "price": plain(order.price),
                "quantity": plain(order.quantity),
                "created_at": iso(order.created_at),
            }
            for track in self._engine.tracks.values()
            if (order := track.order) is not None
        ]
        for part in _cut(rows):
            self.note("described", orders=part)


def _mark(track: Track) -> _Mark:
    filled = plain(track.filled)
    return track.stage, track.outcome, filled, track.message, track.newcomer


def _standing(mark: _Mark) -> dict[str, Any]:
    stage, outcome, _, why, newcomer = mark
    facts: dict[str, Any] = {"stage": stage, "outcome": outcome, "why": why}
    return facts | ({"newcomer": True} if newcomer else {})


def _named(key: OrderKey) -> dict[str, Any]:
    facts: dict[str, Any] = {"order": key.shown_id}
    return facts if key.account is None else facts | {"account": key.account}


def _state(order: Order | None) -> dict[str, Any]:
    """An order's state in the vocabulary, and in the venue's own word."""
    if order is None:
        return {}
    return {"status": order.status.value, "word": order.venue_status, "filled": plain(order.filled)}


def _word(order: Order | None) -> str:
    """How an order stands, in our word and in the venue's."""
    if order is None:
        return "accepted"
    theirs = f" ({order.venue_status})" if order.venue_status is not None else ""
    filled = f", {plain(order.filled)} filled" if order.filled else ""
    return f"{order.status.value}{theirs}{filled}"


def _groups(orders: Iterable[Order]) -> list[dict[str, Any]]:
    """Orders by what they have in common, each group no longer than a piece."""
    groups: dict[tuple[Any, ...], list[Order]] = {}
    for order in orders:
        side = order.side.value if order.side else None
        word = order.venue_status.raw if order.venue_status else None
        symbol = order.symbol.raw if order.symbol else None
        exchange = order.exchange.raw if order.exchange else None
        common = (order.key.account, symbol, exchange, side, order.status.value, word, _nothing(order.filled))
        groups.setdefault(common, []).append(order)
    return [
        {
            "account": account,
            "symbol": symbol,
            "exchange": exchange,
            "side": side,
            "status": status,
            "word": word,
            "orders": [order.key.shown_id for order in part],
            "filled": none or {order.key.shown_id: plain(order.filled) for order in part},
        }
        for (account, symbol, exchange, side, status, word, none), members in groups.items()
        for part in _cut(members)
    ]


def _nothing(filled: Decimal | None) -> str | None:
    """A zero as the venue wrote it: orders without a fill share one entry. None for anything else."""
    return plain(filled) if filled is not None and not filled else None


def _key_groups(keys: Iterable[OrderKey]) -> list[dict[str, Any]]:
    groups: dict[str | None, list[str]] = {}
    for key in keys:
        groups.setdefault(key.account, []).append(key.shown_id)
    return [
        {"account": account, "orders": list(part)} for account, ids in groups.items() for part in _cut(ids)
    ]


def _cut(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), PIECE):
        yield rows[start : start + PIECE]


def _pieces(groups: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Groups dealt into records of at most a piece's orders each; at least one record, even without any."""
    pieces: list[list[dict[str, Any]]] = [[]]
    room = PIECE
    for group in groups:
        size = len(group["orders"])
        if size > room and pieces[-1]:
            pieces.append([])
            room = PIECE
        pieces[-1].append(group)
        room -= size
    return pieces
