"""One kill as one self-contained document, made from the journal alone: for whoever has to answer for it.

It works for a kill that ended, for one that was interrupted and for one whose process died. Every order has
a timeline from the decision to its end: what was asked for it, what came back, what the lists showed, and
each stage that it took.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from cancel_tui.desk.chain import Entry, Record

SURROUNDING = ("fault", "journal_gap", "venue_locked")
"""Kinds that name no kill, yet belong to its story when they lie in the midst of it."""
_DESCRIPTION = ("symbol", "exchange", "side", "type", "price", "quantity", "created_at")
_EXCHANGE = ("call", "no", "ahead", "left_at", "what", "came", "status", "why", "symbol")
_TOLD = ("symbol", "exchange", "side")
"""What the answers tell of an order beside its state."""
SETTLED = ("ended", "gone")
"""The stages of an order that is over."""
_Id = tuple[str, str | None, str]
"""Venue, account where ids are per account, and the id as a person types it."""


class OrderStory(msgspec.Struct):
    """What the journal knows of one order of a kill."""

    venue: str
    account: str | None
    order: str
    facts: Record = msgspec.field(default_factory=dict)
    """What it was, in the words of the venue's lists."""
    events: list[Record] = msgspec.field(default_factory=list)
    stage: str = "wanted"
    outcome: str = "unknown"
    filled: str | None = None
    why: str | None = None
    newcomer: bool = False
    settled_at: str | None = None
    requested_at: str | None = None
    planned: bool = False
    """Whether `requested_at` is when its cancel was announced: its answer tells when it left."""
    asked: bool = False
    """Whether it stands among the orders of the kill, or a cancel of it was written down."""
    acknowledged: bool = False
    """Whether the venue ever answered a cancel of it, or named it in an answer to its cancel-all."""

    @property
    def settled(self) -> bool:
        """Whether an end of it is on record."""
        return self.stage in SETTLED

    def json(self) -> Record:
        """The document's object."""
        return {
            "venue": self.venue,
            "account": self.account,
            "order": self.order,
            **{name: self.facts.get(name) for name in _DESCRIPTION},
            "outcome": self.outcome,
            "stage": self.stage,
            "filled": self.filled,
            "why": self.why,
            "newcomer": self.newcomer,
            "requested_at": self.requested_at,
            "settled_at": self.settled_at,
            "events": self.events,
        }


def of_kill(entries: Sequence[Entry], kill: str) -> list[Entry]:
    """The records of one kill, with what happened to its process meanwhile."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for index, (name, record) in enumerate(entries):
        if record.get("kill") == kill:
            first.setdefault(name, index)
            last[name] = index
    return [
        (name, record)
        for index, (name, record) in enumerate(entries)
        if record.get("kill") == kill
        or (
            "kill" not in record
            and record.get("kind") in SURROUNDING
            and name in last
            and first[name] < index < last[name]
        )
    ]


def kill_ids(entries: Iterable[Entry]) -> list[str]:
    """The ids of all kills that began, newest last."""
    found = (record.get("kill") for _, record in entries if record.get("kind") == "kill_begin")
    return list(dict.fromkeys(kill for kill in found if isinstance(kill, str)))


def state_of(records: Iterable[Record]) -> str:
    """Where the record of one kill leaves it: `open`, `interrupted` or `ended`."""
    state = "open"
    for record in records:
        kind = record.get("kind")
        if kind == "kill_end":
            state = "ended"
        elif kind == "kill_interrupted":
            state = "interrupted"
        elif kind in ("kill_begin", "kill_reopened"):
            state = "open"
    return state


def document(entries: Sequence[Entry], kill: str) -> Record:
    """Everything that the journal holds of one kill."""
    found = of_kill(entries, kill)
    records = [record for _, record in found]
    begin, end = _last(records[::-1], "kill_begin"), _last(records, "kill_end")
    names = ("operator", "host", "version", "scope", "reason", "deadline", "hold", "by_id", "preview")
    state = state_of(records)
    final = end if state == "ended" else {}
    return {
        "kill_id": kill,
        **{name: begin.get(name) for name in names},
        "venues_in_scope": begin.get("venues"),
        "resumes": begin.get("resumes"),
        "resumed_by": [
            str(record["kill"])
            for _, record in entries
            if record.get("kind") == "kill_begin" and record.get("resumes") == kill
        ],
        "state": state,
        "started_at": begin.get("at"),
        "finished_at": final.get("at"),
        "verdict": final.get("verdict"),
        "venues": final.get("venues"),
        "blind_spots": final.get("blind_spots"),
        "errors": final.get("errors"),
        "notes": final.get("notes"),
        "requests": final.get("requests"),
        "unmatched": final.get("unmatched"),
        "outcomes": final.get("outcomes"),
        "withdrawn_flats": [_bare(one) for one in records if one.get("kind") == "flat_withdrawn"],
        "holds": [_bare(one) for one in records if one.get("kind") in ("hold", "release")],
        "orders": [story.json() for story in order_stories(records)],
        "records": [{"file": name, **record} for name, record in found],
    }


def order_stories(records: Iterable[Record]) -> list[OrderStory]:
    """Every order that a kill touched, in the order in which they were met."""
    told = _Teller()
    for record in records:
        told.take(record)
    return list(told.stories.values())


class _Teller:
    """Goes through the records of one kill, oldest first."""

    def __init__(self) -> None:
        self.stories: dict[_Id, OrderStory] = {}
        self._natives: dict[str, list[Record]] = {}

    def take(self, record: Record) -> None:
        """Take one record."""
        kind, venue = record.get("kind"), record.get("venue")
        if not isinstance(venue, str):
            return
        if kind in ("request", "answer"):
            self._exchange(venue, record)
        elif kind == "told":
            self._told(venue, record)
        elif kind == "order":
            self._stands(venue, record, [record])
        elif kind == "orders":
            self._stands(venue, record, _list(record.get("groups")))
        elif kind == "described":
            for one in _list(record.get("orders")):
                if (story := self._story(venue, one.get("account"), one.get("order"))) is not None:
                    story.facts |= {name: one[name] for name in _DESCRIPTION if one.get(name) is not None}

    def _story(self, venue: str, account: object, order: object) -> OrderStory | None:
        if not isinstance(order, str) or not (account is None or isinstance(account, str)):
            return None
        key = (venue, account, order)
        story = self.stories.get(key)
        if story is None:
            story = self.stories[key] = OrderStory(venue, account, order)
            story.events += self._natives.get(venue, ())
            story.requested_at = next((str(event["at"]) for event in story.events if "at" in event), None)
        return story

    def _exchange(self, venue: str, record: Record) -> None:
        event = _event(record, str(record["kind"]), _EXCHANGE)
        if "order" in record:
            story = self._story(venue, record.get("account"), record.get("order"))
            if story is not None:
                story.events.append(event)
                if record["kind"] == "request" and record.get("call") == "cancel":
                    story.asked = True
                    story.planned = story.requested_at is None and record.get("ahead") is True
                    story.requested_at = story.requested_at or record.get("at")
                elif story.planned:
                    # When it was written down is not when it left.
                    left = record.get("left_at")
                    story.requested_at = left if isinstance(left, str) else None
                    story.planned = False
        elif record.get("call") == "cancel_all":
            self._natives.setdefault(venue, []).append(event)
            for story in self.stories.values():
                if story.venue == venue and not story.settled and _reaches(event, story):
                    story.events.append(event)
                    story.requested_at = story.requested_at or record.get("at")

    def _told(self, venue: str, record: Record) -> None:
        of = record.get("of")
        if "order" in record:
            story = self._story(venue, record.get("account"), record.get("order"))
            if story is not None:
                names = ("of", "requests", "outcome", "said", "reason", "status", "word", "filled")
                story.events.append(_event(record, "told", names))
                if of == "cancel" and record.get("outcome") == "answered":
                    story.acknowledged = True
            return
        groups = [*_list(record.get("changed")), *_list(record.get("named")), *_list(record.get("ends"))]
        for group, order, filled in _members(groups):
            story = self._story(venue, group.get("account"), order)
            if story is None:
                continue
            story.facts |= {name: group[name] for name in _TOLD if group.get(name) is not None}
            event = _event(record, "told", ("of", "requests", "part"))
            if group.get("missing") is True:
                event["shown"] = False
            else:
                event |= {name: group[name] for name in ("status", "word") if group.get(name) is not None}
                event |= {"filled": filled} if filled is not None else {}
            story.events.append(event)
            if of == "cancel_all":
                story.asked = story.acknowledged = True

    def _stands(self, venue: str, record: Record, groups: list[Record]) -> None:
        for group in groups:
            orders = group.get("orders", [group.get("order")])
            fills = group.get("filled")
            for order in orders if isinstance(orders, list) else ():
                story = self._story(venue, group.get("account"), order)
                if story is None:
                    continue
                story.asked = True
                filled = fills.get(order) if isinstance(fills, dict) else fills
                story.stage, story.outcome = str(group.get("stage")), str(group.get("outcome"))
                story.filled = filled if isinstance(filled, str) else None
                story.why = group.get("why") if isinstance(group.get("why"), str) else None
                story.newcomer = story.newcomer or group.get("newcomer") is True
                story.settled_at = record.get("at") if story.settled else None
                event = _event(group, "stage", ("stage", "outcome", "why"))
                story.events.append({"at": record.get("at"), **event, "filled": story.filled})


def _reaches(event: Record, story: OrderStory) -> bool:
    """Whether a cancel-all may have reached an order: all of the venue, or its symbol, known or not."""
    wanted, symbol = event.get("symbol"), story.facts.get("symbol")
    return wanted is None or symbol is None or str(wanted).casefold() == str(symbol).casefold()


def _event(record: Record, name: str, fields: Sequence[str]) -> Record:
    told = {field: record[field] for field in fields if record.get(field) is not None}
    return ({"at": record["at"]} if "at" in record else {}) | {"event": name} | told


def _members(groups: Iterable[Record]) -> Iterator[tuple[Record, object, object]]:
    """Each group's orders, with what each had filled."""
    for group in groups:
        fills = group.get("filled")
        for order in group["orders"] if isinstance(group.get("orders"), list) else ():
            if not isinstance(order, str):
                continue
            filled = fills.get(order) if isinstance(fills, dict) else fills
            yield group, order, filled


def _list(found: object) -> list[Record]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _last(records: Sequence[Record], kind: str) -> Record:
    return next((record for record in reversed(records) if record.get("kind") == kind), {})


def _bare(record: Record) -> Record:
    hidden = ("seq", "prev", "hash", "kill")
    return {name: value for name, value in record.items() if name not in hidden}
