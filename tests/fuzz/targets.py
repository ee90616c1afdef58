"""Every parser of venue bytes as a target: bytes go in, and nothing but the typed errors may come out."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cancel_tui.clock import SystemClock
from cancel_tui.desk.report import order_json
from cancel_tui.orders import AccountId, Family, Order, VenueName
from cancel_tui.practice.cluster import Cluster
from cancel_tui.redaction import Secret
from cancel_tui.settings import parse_settings
from cancel_tui.venues import adapter as http_adapter
from cancel_tui.venues import p99_stream, roxom_stream, signalr, socket_io
from cancel_tui.venues.answer import Answer, UnusableError
from cancel_tui.venues.b2trader_orders import Rows
from cancel_tui.venues.b2trader_stream import Session
from cancel_tui.venues.b2trader_token import Tokens, expiry, server_time
from cancel_tui.venues.base import CallClass, Message, Part, Raw, Reply, Venue
from cancel_tui.venues.coinswitch_stream import hints
from cancel_tui.venues.decode import Unreadable, decode, elements
from cancel_tui.venues.outcome import Answered, NotSent, Refused, Throttled, Unanswered, Unauthorised
from cancel_tui.venues.registry import make_venue
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import Ground

MOST_CALLS = 500
"""Requests for one question: every adapter gives up a list as endless long before."""
STATUSES = (
    *(200, 200, 200, 201, 204, 301, 400, 401, 403, 404),
    *(408, 409, 410, 418, 422, 423, 429, 500, 503, 599),
)
HEADERS = (
    *("", "0", "-1", "5", "1e9", "9" * 400, "\x00"),
    *("Wed, 21 Oct 2026 07:28:00 GMT", "Thu, 99 Foo 0000 99:99:99"),
)
NAME = VenueName("x")
_NOWHERE = Path("fuzz.toml")

Outcomes = (Answered, NotSent, Refused, Throttled, Unanswered, Unauthorised)


_ID = re.compile(rb'[0-9a-f]{12}(?=")')


class Endless(AssertionError):
    """A question that would be asked for ever."""


@dataclass
class Echo:
    """A port that gives the same reply to everything, and counts; `fresh`, with other ids every time."""

    reply: Reply
    fresh: bool = False
    calls: int = 0
    ids: int = 0

    async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
        build()
        self.calls += 1
        if self.calls > MOST_CALLS:
            raise Endless(call)
        if not self.fresh:
            return self.reply
        return Reply(self.reply.status, self.reply.headers, _ID.sub(self._another, self.reply.body))

    def _another(self, found: re.Match[bytes]) -> bytes:
        self.ids += 1
        return b"%012x" % self.ids

    async def admit(self, call: CallClass) -> None:
        return


@dataclass(frozen=True)
class Target:
    """One parser."""

    name: str
    seeds: tuple[bytes, ...]
    act: Callable[[random.Random, bytes], None]

    def once(self, rng: random.Random) -> bytes:
        """One example; what was fed to it. Anything that it raises is a find."""
        data = mutated(rng, self.seeds)
        try:
            self.act(rng, data)
        except Exception as fault:
            fault.add_note(f"{self.name}: {data!r}")
            raise
        return data


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Drive a coroutine that never has to wait."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waited for something")


def _shown(value: Any) -> None:
    """Whatever was read can be told: every order in it as JSON and as text."""
    if isinstance(value, Order):
        order_json(value)
        for one in (value.notional, value.quote, value.symbol, value.venue_status, value.source):
            str(one)
        for amount in (value.price, value.quantity, value.filled, value.remaining):
            assert amount is None or amount.is_finite()
    elif isinstance(value, tuple | list):
        for one in value:
            _shown(one)
    for name in ("orders", "order", "value", "heard"):
        inner = getattr(value, name, None)
        if inner is not None and not callable(inner):
            _shown(inner)


def _venues() -> dict[str, Venue]:
    found = {}
    for practice in Cluster(0).venues:
        given = {"access_token": "opaque"} if practice.kind == "b2trader" else practice.credentials()
        base = "https://venue.example" + ("/api/v1" if practice.kind == "p99-spot" else "")
        text = f'[venues.x]\nkind = "{practice.kind}"\nbase_url = "{base}"\n'
        settings = parse_settings(text, _NOWHERE).venues[0]
        found[practice.kind] = make_venue(
            settings, {name: Secret(one) for name, one in given.items()}, SystemClock()
        )
    return found


def _http(ground: Ground, kind: str, asked: str, venue: Venue) -> Target:
    replies = ground.replies[kind, asked]
    key, symbol = ground.keys[kind], ground.symbols[kind]
    parts = _parts(venue)
    asks: dict[str, Callable[[Echo, random.Random], Coroutine[Any, Any, Any]]] = {
        "clock": lambda port, rng: venue.measure_clock(port),
        "check": lambda port, rng: venue.check(port),
        "parts": lambda port, rng: venue.parts(port),
        "list": lambda port, rng: venue.list_part(rng.choice(parts), port),
        "read": lambda port, rng: venue.read(key, port),
        "cancel": lambda port, rng: venue.cancel(
            key._replace(family=rng.choice(list(Family))) if kind == "b2trader" else key, port
        ),
        "closed": lambda port, rng: venue.closed_page(ground.queries[kind], port),
        "cancel_all": lambda port, rng: venue.cancel_all(rng.choice((None, symbol)), port),
    }

    def act(rng: random.Random, data: bytes) -> None:
        base = rng.choice(replies)
        status = base.status if rng.random() < 0.7 else rng.choice(STATUSES)
        headers = {"date": rng.choice(HEADERS), "retry-after": rng.choice(HEADERS)}
        reply = Reply(status, headers if rng.random() < 0.3 else base.headers, data)
        outcome = _run(asks[asked](Echo(reply, rng.random() < 0.1), rng))
        assert isinstance(outcome, Outcomes), outcome
        _shown(outcome)

    return Target(f"{kind} {asked}", tuple(one.body for one in replies), act)


def _parts(venue: Venue) -> tuple[Part, ...]:
    if venue.kind == "b2trader":
        return (Part("account:1"),)
    parts: tuple[Part, ...] = _run(venue.parts(Echo(Reply(200, {}, b"{}")))).value.parts
    return parts


def _streams(ground: Ground) -> list[Target]:
    def texts(kind: str) -> tuple[bytes, ...]:
        return tuple(one.encode() for one in ground.texts[kind])

    events = roxom_stream.Events(NAME, "usd")

    def roxom(rng: random.Random, data: bytes) -> None:
        turn = events.understand(data.decode("utf-8", "replace"))
        _shown(turn)
        assert len(events._latest) <= roxom_stream.REMEMBERED

    def p99(rng: random.Random, data: bytes) -> None:
        _shown(p99_stream.understand(NAME, data.decode("utf-8", "replace")))

    def coinswitch(rng: random.Random, data: bytes) -> None:
        try:
            frame = socket_io.parse(data.decode("utf-8", "replace"))
        except Unreadable:
            return
        if isinstance(frame, socket_io.Event):
            _shown(hints(frame.values, NAME))

    def session(rng: random.Random, data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        begun = Session(NAME, 64 * 1024)
        for one in range(3):
            begun.subscription(AccountId(str(one)))
        if rng.random() < 0.9:
            begun.understand("{}\x1e")
        for piece in _pieces(rng, text + ("\x1e" if rng.random() < 0.5 else "")):
            turn = begun.understand(piece)
            _shown(turn)
            if turn.over is not None:
                return

    def frames(rng: random.Random, data: bytes) -> None:
        framer = signalr.Framer(64 * 1024)
        for piece in _pieces(rng, data.decode("utf-8", "replace")):
            try:
                for record in framer.feed(piece):
                    signalr.parse_handshake(record) if rng.random() < 0.1 else signalr.parse(record)
            except Unreadable:
                continue

    def rows(rng: random.Random, data: bytes) -> None:
        for record in data.decode("utf-8", "replace").split("\x1e"):
            try:
                message = signalr.parse(record)
            except Unreadable:
                continue
            if not isinstance(message, signalr.Item):
                continue
            found = Rows(NAME, AccountId("1"))
            try:
                found.take(elements(message.payload) or [])
                again = Rows(NAME, AccountId("1"), known=found.written)
                again.take(elements(message.payload) or [])
                assert again.orders == found.orders
                read = decode(message.payload)
            except Unreadable:
                continue
            if isinstance(read, list):
                found.read(read, rng.choice(list(Family)))
            _shown(list(found.orders.values()))

    return [
        Target("roxom stream", texts("roxom"), roxom),
        Target("p99-spot stream", texts("p99-spot"), p99),
        Target("coinswitch-spot stream", texts("coinswitch-spot"), coinswitch),
        Target("b2trader stream", texts("b2trader"), session),
        Target("b2trader frames", texts("b2trader"), frames),
        Target("b2trader rows", texts("b2trader"), rows),
    ]


def _pieces(rng: random.Random, text: str) -> list[str]:
    """The same text as it might come: coalesced, or cut anywhere."""
    cuts = sorted(rng.randrange(len(text) + 1) for _ in range(rng.randrange(4)))
    return [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def _answers(ground: Ground) -> Target:
    every = [one for replies in ground.replies.values() for one in replies]
    seeds = []
    for one in every:
        body = one.body[:2_000]
        head = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\n" % one.status
        seeds.append(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        seeds.append(head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
    seeds.append(b"HTTP/1.1 204 No Content\r\n\r\n")
    seeds.append(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil the end")

    def act(rng: random.Random, data: bytes) -> None:
        answer = Answer(rng.choice((b"GET", b"DELETE", b"POST", b"HEAD")), quick=rng.random() < 0.8)
        try:
            for piece in _cut_bytes(rng, data):
                answer.feed(piece)
                if answer.reply is not None:
                    return
            answer.feed(b"")
        except UnusableError:
            return

    return Target("HTTP answers", tuple(seeds), act)


def _cut_bytes(rng: random.Random, data: bytes) -> list[bytes]:
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(4)))
    return [
        one for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if (one := data[begin:end])
    ]


def _tokens(ground: Ground) -> Target:
    replies = [one for one in ground.replies["b2trader", "clock"] if b"oken" in one.body]
    venue = _venues()["b2trader"]
    assert isinstance(venue, http_adapter.HttpVenue)
    tokens = Tokens({"api_token": Secret("opaque-api-token")}, SystemClock(), b"/token", venue.classify)

    def act(rng: random.Random, data: bytes) -> None:
        reply = Reply(rng.choice(STATUSES), {"date": rng.choice(HEADERS)}, data)
        assert isinstance(
            tokens._keep(reply), NotSent | Refused | Throttled | Unanswered | Unauthorised | None
        )
        server_time(reply)
        expiry(data.decode("utf-8", "replace"))

    return Target("b2trader tokens", tuple(one.body for one in replies), act)


def _listen_keys() -> Target:
    venue: Any = _venues()["p99-spot"]

    def act(rng: random.Random, data: bytes) -> None:
        outcome = _run(
            venue._listen_key(Echo(Reply(rng.choice(STATUSES), {}, data)), rng.choice(("POST", "PUT")))
        )
        assert isinstance(outcome, Outcomes)

    seeds = (b'{"listenKey":"abcdefghijklmnopqrstuvwxyz"}', b'{"data":{"listenKey":"abcdefghijklmnopqrst"}}')
    return Target("p99-spot listen keys", seeds, act)


def targets(ground: Ground) -> list[Target]:
    """Every parser; fresh adapters, which keep what they learn."""
    venues = _venues()
    asked = [one for one in ground.replies if one[1] in _QUESTIONS and (one != ("b2trader", "list"))]
    return [
        *(_http(ground, kind, ask, venues[kind]) for kind, ask in sorted(asked)),
        *_streams(ground),
        _answers(ground),
        _tokens(ground),
        _listen_keys(),
    ]


_QUESTIONS = frozenset({"clock", "check", "parts", "list", "read", "cancel", "closed", "cancel_all"})
