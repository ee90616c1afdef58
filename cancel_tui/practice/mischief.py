"""Faults by name: which request one hits, and what a broken wire answers.

A fault is written `NAME`, or `NAME@ROUTE` to hit only requests of that route. `once:` in front uses it up at
its first hit, `*COUNT` behind at the last of so many. The routes are `list`, `closed`, `status`, `cancel`,
`cancel_all`, `create`, and whatever else a venue names. The faults that every venue understands spoil the
wire before the venue sees the request:

- `hang`: no answer, the connection stays open; `drop`: closed without an answer; `reset`: the same with RST
- `http500`: 500 with a line of text; `html`: 502 with a proxy's page
- `empty`: 200 without a body; `badjson`: 200 with JSON that breaks off; `torn`: 200 with fewer bytes than
  promised; `redirect`: 307 to another path
- `throttle`: 429 with `Retry-After: 1`

Each of them also exists as `effect_then_NAME`: the venue carries the request out and only the answer is
spoilt.
"""

from __future__ import annotations

from email.utils import formatdate

from cancel_tui.practice.http import Answer, Drop, Hang, Raw, Response

_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_JSON = (("content-type", "application/json"),)
_TORN = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"data": {'

_WIRE: dict[str, Answer] = {
    "hang": Hang(),
    "drop": Drop(),
    "reset": Drop(reset=True),
    "http500": Response(500, b"Internal Server Error", (("content-type", "text/plain"),)),
    "html": Response(502, _PAGE, (("content-type", "text/html"),)),
    "empty": Response(200, b"", _JSON),
    "badjson": Response(200, b'{"data": [{"id": "4c0e7b52-1d3f-4a', _JSON),
    "torn": Raw(_TORN),
    "redirect": Response(307, b"", (("location", "/moved"),)),
    "throttle": Response(429, b'{"error":"Too Many Requests"}', (*_JSON, ("retry-after", "1"))),
}

WIRE_FAULTS = frozenset(_WIRE) | {f"effect_then_{name}" for name in _WIRE}
"""The names that every venue understands."""


def planned(faults: set[str], name: str, route: str = "") -> str | None:
    """The entry of `faults` by which `name` would hit a request of `route`, without using it up."""
    for entry in sorted(faults):
        if entry.removeprefix("once:").partition("*")[0] in (name, f"{name}@{route}"):
            return entry
    return None


def strikes(faults: set[str], name: str, route: str) -> bool:
    """Whether `name` hits this request of `route`; uses up one hit of a counted entry."""
    entry = planned(faults, name, route)
    if entry is None:
        return False
    head, star, count = entry.partition("*")
    if star or head.startswith("once:"):
        faults.discard(entry)
    if star and count.isdecimal() and int(count) > 1:
        faults.add(f"{head}*{int(count) - 1}")
    return True


def wire_fault(faults: set[str], route: str, prefix: str = "") -> Answer | None:
    """The answer of the first general fault that hits this request, or None where none does."""
    for name, answer in _WIRE.items():
        if strikes(faults, prefix + name, route):
            return answer
    return None


def dated(answer: Answer, wall: float) -> Answer:
    """The answer with the `Date` header of a server whose clock says `wall` (seconds since the epoch)."""
    if not isinstance(answer, Response):
        return answer
    return Response(answer.status, answer.body, (*answer.headers, ("date", formatdate(wall, usegmt=True))))
