"""Faults by name: which request one hits, and what a broken wire answers.

A fault is written `NAME`, or `NAME@ROUTE` to hit only requests of that route. Behind it `*COUNT` uses it up
at the last of so many hits, `%PERCENT` lets it hit only so many of a hundred requests, drawn by the seed;
`once:` in front is `*1`. The routes are `list`, `closed`, `status`, `cancel`, `cancel_all`, `create`, and
whatever else a venue names. The faults of this module spoil the wire of every venue, before the venue sees
the request; each of them also exists as `effect_then_NAME`: the venue carries the request out and only the
answer is spoilt. What else there is, is said in `catalogue`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from email.utils import formatdate
from random import Random

from cancel_tui.practice.http import Answer, Drop, Hang, Raw, Response

_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_JSON = (("content-type", "application/json"),)
_TORN = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"data": {'

_WIRE: dict[str, tuple[Answer, str]] = {
    "hang": (Hang(), "no answer, the connection stays open"),
    "drop": (Drop(), "the connection is closed without an answer"),
    "reset": (Drop(reset=True), "the same with a reset"),
    "http500": (
        Response(500, b"Internal Server Error", (("content-type", "text/plain"),)),
        "500 with a line of text",
    ),
    "html": (Response(502, _PAGE, (("content-type", "text/html"),)), "502 with a proxy's page"),
    "empty": (Response(200, b"", _JSON), "200 without a body"),
    "badjson": (Response(200, b'{"data": [{"id": "4c0e7b52-1d3f-4a', _JSON), "200 with JSON that breaks off"),
    "torn": (Raw(_TORN), "200 with fewer bytes than promised"),
    "redirect": (Response(307, b"", (("location", "/moved"),)), "307 to another path"),
    "throttle": (
        Response(429, b'{"error":"Too Many Requests"}', (*_JSON, ("retry-after", "1"))),
        "429 with `Retry-After: 1`",
    ),
    "throttle_plain": (Response(429, b'{"error":"Too Many Requests"}', _JSON), "429 without `Retry-After`"),
}

WIRE = {name: sentence for name, (_, sentence) in _WIRE.items()}
"""The faults of the wire, each with what it does."""
EFFECT = "effect_then_"
"""Put before a fault of the wire: only the answer is spoilt."""

_ENTRY = re.compile(r"(once:)?([a-z0-9_]+)(?:@([a-z_]+))?(?:\*([1-9]\d{0,5}))?(?:%(\d{1,2}|100))?")


class Faults(set[str]):
    """The faults that are on, with the seed by which those with a percentage strike."""

    def __init__(self, entries: Iterable[str] = (), seed: int = 0) -> None:
        super().__init__(entries)
        self.chance = Random(f"faults/{seed}")
        self.hits: Counter[str] = Counter()
        """How often each has struck, by name."""


def parts_of(entry: str) -> tuple[str, str] | None:
    """Name and route (may be empty) of a fault as it is written; None for one that is not well written."""
    found = _ENTRY.fullmatch(entry)
    return (found[2], found[3] or "") if found else None


def planned(faults: set[str], name: str, route: str = "") -> str | None:
    """The entry of `faults` by which `name` would hit a request of `route`, without using it up."""
    for entry in sorted(faults):
        if re.split(r"[*%]", entry.removeprefix("once:"))[0] in (name, f"{name}@{route}"):
            return entry
    return None


def strikes(faults: set[str], name: str, route: str) -> bool:
    """Whether `name` hits this request of `route`; uses up one hit of a counted entry.

    In a plain set, which has no seed, a percentage always strikes.
    """
    entry = planned(faults, name, route) if faults else None
    if entry is None:
        return False
    head, percent, share = entry.partition("%")
    if percent and isinstance(faults, Faults) and faults.chance.random() * 100 >= int(share):
        return False
    if isinstance(faults, Faults):
        faults.hits[name] += 1
    head, star, count = head.partition("*")
    if star or head.startswith("once:"):
        faults.discard(entry)
    if star and count.isdecimal() and int(count) > 1:
        faults.add(f"{head}*{int(count) - 1}{percent}{share}")
    return True


def wire_fault(faults: set[str], route: str, prefix: str = "") -> Answer | None:
    """The answer of the first general fault that hits this request, or None where none does."""
    for name, (answer, _) in _WIRE.items():
        if strikes(faults, prefix + name, route):
            return answer
    return None


def dated(answer: Answer, wall: float) -> Answer:
    """The answer with the `Date` header of a server whose clock says `wall` (seconds since the epoch)."""
    if not isinstance(answer, Response):
        return answer
    return Response(answer.status, answer.body, (*answer.headers, ("date", formatdate(wall, usegmt=True))))
