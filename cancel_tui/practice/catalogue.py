"""Every fault by name, with a sentence each, and how the command line reads them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from cancel_tui.practice.mischief import EFFECT, WIRE, parts_of
from cancel_tui.practice.venue import PracticeVenue

SERVER: Mapping[str, str] = {
    "slow": "an answer takes 2 s longer",
    "slow_effect": "a request is looked at only 2 s after it came, even if the caller has left by then",
    "refuse": "the port is closed for 5 s, connections are refused",
    "restart": "the server is away for 2 s and has then forgotten a third of the latest cancels: live again",
    "skew": "the server's clock is 90 s ahead",
    "skew_back": "the server's clock is 90 s behind",
    "unauthorized": "401 in the venue's own words",
    "expires": "from the hit on the credentials are refused (a B2TRADER access token can be renewed)",
    "newcomers": "orders are still being placed: one after every third cancel, three after a cancel-all",
    "list_hides": "a third of the orders is missing from open lists for 0.8 s, less than a proof takes",
    "list_hides_long": "the same for 5 s: a flat may come too early, and is withdrawn when they show",
    "list_ghost": "a third of the orders that are over stays in the open lists for good",
    "list_lag": "open lists are 0.8 s behind: new orders are missing, ended ones still there",
    "list_shifts": "after each page of an open list one order fills and one appears",
    "fill_race": "a cancelled order fills before its cancel comes into effect",
    "part_fill_race": "half of a cancelled order fills before its cancel comes into effect",
    "refuse_first": "the first cancel of each order is refused while the order is being processed",
    "cancel_noop": "a single cancel is answered well and does nothing",
    "unknown_status": "live orders carry a status word that the documentation does not have",
    "wrong_id": "an answer about one order names another",
    "null_list": "an empty list is null",
    "missing_list": "an empty list is left out",
}
"""What every practice venue can do, beyond spoiling the wire."""

SHARED: Mapping[str, str] = {
    "cancel_all_noop": "a cancel-all is answered well, names nothing and does nothing",
    "cancel_all_lies": "a cancel-all names every order as being cancelled and does nothing",
    "cancel_all_skips": "a cancel-all leaves a third of the orders out",
    "cancel_all_half": "a cancel-all stops half-way with an error",
    "stop_triggers": "a Stop triggers while it is being cancelled",
    "stream_silent": "the stream tells nothing any more, and answers pings",
    "stream_mute": "the stream answers nothing that is asked of it, and answers pings",
    "stream_duplicates": "the stream says everything twice",
    "stream_freezes": "the stream's connection stays open and nothing comes any more, not even pongs",
    "stream_drops": "the stream's connections break",
    "stream_garbled": "a message of the stream is spoilt",
    "stream_late": "the stream is 2 s behind",
    "stream_disorder": "the stream's messages arrive in the wrong order",
    "stream_noise": "the stream also says what no document knows, or nobody can read",
    "stream_pieces": "messages of the stream are cut over several frames",
    "stream_refused": "the stream refuses whoever wants to listen",
}
"""What those venues can do that have the thing in question."""


class FaultError(Exception):
    """A fault that nobody knows; the text names what is known."""


def known(venue: type[PracticeVenue]) -> dict[str, str]:
    """The faults that one kind of venue understands, each with what it does."""
    shared = {name: sentence for name, sentence in SHARED.items() if name in venue.shared_faults}
    effects = {f"{EFFECT}{name}": f"carried out, then: {sentence}" for name, sentence in WIRE.items()}
    return {**WIRE, **effects, **SERVER, **shared, **venue.own_faults}


def sort_out(entries: Sequence[str], kinds: Sequence[type[PracticeVenue]]) -> dict[str, tuple[str, ...]]:
    """Which venue gets which faults, by the venues' names; raises FaultError.

    `VENUE:NAME` goes to one venue, which has to understand it; the rest to every venue that does.
    """
    found: dict[str, list[str]] = {kind.name: [] for kind in kinds}
    for entry in entries:
        head, colon, rest = entry.partition(":")
        limited = bool(colon) and head in found
        if colon and not limited and head != "once":
            raise FaultError(f"{head}: no such venue; known are {', '.join(found)}")
        fault = rest if limited else entry
        takers = [kind for kind in kinds if not limited or kind.name == head]
        for kind in _takers(fault, takers):
            found[kind.name].append(fault)
    return {name: tuple(faults) for name, faults in found.items()}


def _takers(fault: str, kinds: Sequence[type[PracticeVenue]]) -> list[type[PracticeVenue]]:
    parts = parts_of(fault)
    if parts is None:
        raise FaultError(
            f"{fault}: write [VENUE:]NAME[@ROUTE][*COUNT][%PERCENT], such as p99:hang@cancel*3; "
            "--faults list shows the names"
        )
    name, route = parts
    knowing = [kind for kind in kinds if name in known(kind)]
    if not knowing:
        names = sorted({one for kind in kinds for one in known(kind) if not one.startswith(EFFECT)})
        raise FaultError(f"{name}: no such fault; known are {', '.join(names)}, and {EFFECT}…")
    takers = [kind for kind in knowing if not route or route in kind.routes_known]
    if not takers:
        routes = sorted({one for kind in knowing for one in kind.routes_known})
        raise FaultError(f"{fault}: no such route; known are {', '.join(routes)}")
    return takers


def overview(kinds: Sequence[type[PracticeVenue]]) -> str:
    """Every fault with its sentence, for people."""
    lines = [
        "Write [VENUE:]NAME[@ROUTE][*COUNT][%PERCENT]. @ROUTE: only requests of that sort; *COUNT: so many"
    ]
    lines.append("times; %PERCENT: so many of a hundred requests, drawn by --seed; VENUE: only there.")
    wire = {**WIRE, f"{EFFECT}…": "any of these, but the request is carried out first"}
    groups: list[tuple[str, Mapping[str, str]]] = [
        ("Every venue, the wire", wire),
        ("Every venue, the server", SERVER),
    ]
    for kind in kinds:
        shared = {name: SHARED[name] for name in SHARED if name in kind.shared_faults}
        groups.append(
            (f"{kind.name}; routes {', '.join(sorted(kind.routes_known))}", {**shared, **kind.own_faults})
        )
    for title, faults in groups:
        lines += ["", *textwrap.wrap(f"{title}:", 100, subsequent_indent="    ")]
        for name, sentence in faults.items():
            lines += textwrap.wrap(f"  {name:<26} {sentence}", 100, subsequent_indent=" " * 29)
    return "\n".join(lines)
