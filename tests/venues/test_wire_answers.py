"""Which answers the wire takes, which it refuses, and that a refused one costs its connection."""

from __future__ import annotations

import random
import time

import pytest

from cancel_tui.venues.answer import MAX_BODY, MAX_HEAD, Answer, UnusableError, plain
from cancel_tui.venues.base import Message, Reply
from cancel_tui.venues.outcome import Unanswered
from cancel_tui.venues.wire import Mark
from tests.venues.fault_server import (
    Connection,
    Request,
    answer,
)
from tests.venues.wire_case import TLS, answered, delete, served, until

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    "garbage": b"it is not HTTP that I speak\r\n\r\n",
    "binary": bytes(range(256)) * 4,
    "another protocol's version": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "an empty line first": b"\r\n" + answer(),
    "two lengths that differ": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "two lengths in one": OK + b"Content-Length: 2, 3\r\n\r\n{} ",
    "a length and chunks": OK
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a negative length": OK + b"Content-Length: -2\r\n\r\n{}",
    "a signed length": OK + b"Content-Length: +2\r\n\r\n{}",
    "an endless number as length": OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    "chunks inside gzip": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a chunk size that is none": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
    "one bare line feed": OK + b"A: b\nContent-Length: 2\r\n\r\n{}",
    "a bare carriage return": OK + b"A: b\rc\r\nContent-Length: 2\r\n\r\n{}",
    "a folded header": OK + b"A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}",
    "a control byte in a header": OK + b"A: b\x01c\r\nContent-Length: 2\r\n\r\n{}",
    "a zero byte in a header": OK + b"A: b\x00c\r\nContent-Length: 2\r\n\r\n{}",
    "a control byte in the reason": b"HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\n{}",
    "a space before the colon": OK + b"Content-Length : 2\r\n\r\n{}",
    "a control byte in an earlier head": b"HTTP/1.1 103 \x02\r\n\r\n" + answer(),
    "a change of protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "gzip": answer(b"\x1f\x8b", "200 OK", b"Content-Encoding: gzip"),
    "a second encoding": answer(
        b"\x1f\x8b", "200 OK", b"Content-Encoding: identity", b"Content-Encoding: br"
    ),
    "a head of 1 MB": OK + b"A: " + b"a" * 1_000_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "a head of 1 MB in small lines": OK + b"A: a\r\n" * 170_000 + b"Content-Length: 0\r\n\r\n",
    "a head just too large": OK + b"A: " + b"a" * MAX_HEAD + b"\r\nContent-Length: 0\r\n\r\n",
    "a head without an end": OK + b"A: " + b"a" * (MAX_HEAD * 2),
    "early hints without an end": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 4000,
    "early hints, then an answer": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 4000 + answer(),
    "trailers without an end": CHUNKED + b"0\r\n" + b"A: a\r\n" * 20_000,
    "too many pieces": CHUNKED + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n",
    "too many bytes": answer(b"x" * (MAX_BODY + 1)),
    "408": answer(b"{}", "408 Request Timeout"),
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
async def test_a_refused_answer_is_no_answer_ends_the_connection_and_is_not_waited_for(raw: bytes) -> None:
    def behaviour(connection: Connection, request: Request) -> None:
        if request.target == b"/1":
            connection.send(raw)
            connection.wait_for_peer()
        else:
            connection.send(answer(request.target))

    mark = Mark()
    async with served(behaviour) as (server, wire):
        begun = time.monotonic()
        outcome = await wire.exchange(delete("/1"), 8.0, mark)
        assert time.monotonic() - begun < 4.0
        assert isinstance(outcome, Unanswered), outcome
        assert mark.sent
        await answered(wire, "/2")
    assert (server.targets, server.accepted) == ([b"/1", b"/2"], 2)


CUT_SHORT = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 2",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "half a body": OK + b"Content-Length: 4\r\n\r\n{}",
    "half a chunk": CHUNKED + b"4\r\n{}",
    "chunks without the last": CHUNKED + b"2\r\n{}\r\n",
    "early hints only": b"HTTP/1.1 103 Early Hints\r\n\r\n",
}


@TLS
@pytest.mark.parametrize("raw", CUT_SHORT.values(), ids=CUT_SHORT)
async def test_an_answer_cut_short_is_no_answer(tls: bool, raw: bytes) -> None:
    def behaviour(connection: Connection, request: Request) -> bool:
        connection.send(raw)
        return False

    async with served(behaviour, tls=tls) as (server, wire):
        assert isinstance(await wire.exchange(delete("/1"), 5.0), Unanswered)
    assert (server.targets, server.accepted) == ([b"/1"], 1)


TAKEN = {
    "with a length": (answer(b"{}"), 200, b"{}", True),
    "without a reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}", True),
    "in chunks": (CHUNKED + b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\nT: t\r\n\r\n", 200, b"{}", True),
    "empty": (answer(b"", "204 No Content"), 204, b"", True),
    "204 without a length": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "behind early hints": (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(b"{}"), 200, b"{}", True),
    "a redirect": (answer(b"", "307 Temporary Redirect", b"Location: /elsewhere"), 307, b"", True),
    "an error": (answer(b"no", "503 Service Unavailable"), 503, b"no", True),
    "of old": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}", False),
    "and no more": (answer(b"{}", "200 OK", b"Connection: close"), 200, b"{}", False),
    "of the largest size": (answer(b"x" * MAX_BODY), 200, b"x" * MAX_BODY, True),
    "with a large head": (answer(b"{}", "200 OK", b"A: " + b"a" * (MAX_HEAD - 200)), 200, b"{}", True),
}


@pytest.mark.parametrize(("raw", "status", "body", "keep"), TAKEN.values(), ids=TAKEN)
async def test_an_answer_is_taken_as_it_is_and_its_connection_kept_where_it_may_be(
    raw: bytes, status: int, body: bytes, keep: bool
) -> None:
    def behaviour(connection: Connection, request: Request) -> None:
        connection.send(raw)

    async with served(behaviour) as (server, wire):
        for _ in range(2):
            reply = await wire.exchange(delete("/1"), 5.0)
            assert isinstance(reply, Reply), reply
            assert (reply.status, reply.body) == (status, body)
    assert server.accepted == (1 if keep else 2)
    assert server.targets == [b"/1", b"/1"]


@TLS
async def test_an_answer_in_single_bytes_is_the_same_answer(tls: bool) -> None:
    def behaviour(connection: Connection, request: Request) -> None:
        connection.drip(answer(request.target, "200 OK", b"X-One: 1", b"X-ONE: 2"), 0.0)

    async with served(behaviour, tls=tls) as (_, wire):
        reply = await wire.exchange(delete("/1"), 5.0)
    assert isinstance(reply, Reply)
    assert (reply.body, reply.headers["x-one"]) == (b"/1", "1")


async def test_the_answer_to_head_has_a_length_and_no_body() -> None:
    def behaviour(connection: Connection, request: Request) -> None:
        connection.send(OK + b"Content-Length: 2\r\n\r\n" + (b"{}" if request.method == b"GET" else b""))

    async with served(behaviour) as (server, wire):
        for method, body in ((b"HEAD", b""), (b"GET", b"{}")):
            reply = await wire.exchange(Message(method, b"/"), 5.0)
            assert isinstance(reply, Reply), reply
            assert reply.body == body
    assert server.accepted == 1


@pytest.mark.parametrize(
    ("tls", "end", "taken"),
    [(False, "hang_up", True), (False, "reset", False), (True, "hang_up", True), (True, "cut", False)],
)
async def test_an_answer_that_lasts_until_the_end_counts_only_if_the_end_is_genuine(
    tls: bool, end: str, taken: bool
) -> None:
    def behaviour(connection: Connection, request: Request) -> bool:
        connection.send(OK + b"\r\n{}")
        connection.server.go.wait(10)
        getattr(connection, end)()
        return False

    async with served(behaviour, tls=tls) as (server, wire):
        server.go.set()
        outcome = await wire.exchange(delete("/1"), 5.0)
        assert wire.idle == 0
    if taken:
        assert isinstance(outcome, Reply)
        assert outcome.body == b"{}"
    else:
        assert isinstance(outcome, Unanswered)


@pytest.mark.parametrize("framing", ["length", "chunks", "until the end"])
async def test_of_50_mb_no_more_than_the_bound_is_read(framing: str) -> None:
    size, block, sent = 50_000_000, b"x" * 50_000, []
    head = {
        "length": OK + b"Content-Length: %d\r\n\r\n" % size,
        "chunks": CHUNKED,
        "until the end": OK + b"\r\n",
    }

    def behaviour(connection: Connection, request: Request) -> bool:
        connection.send(head[framing])
        for _ in range(size // len(block)):
            connection.send(b"%x\r\n%b\r\n" % (len(block), block) if framing == "chunks" else block)
            sent.append(len(block))
        return False

    async with served(behaviour) as (server, wire):
        outcome = await wire.exchange(delete("/1"), 8.0)
        await until(lambda: server.open == 0)
    assert outcome == Unanswered("an answer that is too large")
    assert MAX_BODY - 1_000_000 < sum(sent) < 30_000_000  # the rest is in the sockets' buffers


# --- the reader alone ---------------------------------------------------------------------------------------


def verdict(pieces: list[bytes]) -> tuple[int, bytes] | str:
    """What the reader makes of an answer that comes in these pieces and then ends."""
    reader = Answer(b"DELETE")
    try:
        for piece in [*pieces, b""]:
            reader.feed(piece)
            if reader.reply is not None:
                return reader.reply.status, reader.reply.body
    except UnusableError:
        return "unusable"
    raise AssertionError("the end of the stream must decide")


def mutated(rng: random.Random) -> bytes:
    """One of the answers above, a little damaged."""
    seeds = [raw for raw in REFUSED.values() if len(raw) < 600] + [raw for raw, *_ in TAKEN.values()][:-2]
    raw = bytearray(rng.choice(seeds))
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(raw))
        match rng.randrange(4):
            case 0:
                raw[at] = rng.randrange(256)
            case 1:
                del raw[at : at + rng.randrange(1, 4)]
            case 2:
                raw[at:at] = rng.choice(
                    [b"\r\n", b"\n", b"\r", b" ", b":", b"0", b"\x00", b"HTTP/1.1 200 OK\r\n"]
                )
            case _:
                raw[at:at] = raw[at : at + rng.randrange(1, 30)]
        if not raw:
            return b"\r"
    return bytes(raw)


def whole(method: bytes, raw: bytes, *, quick: bool) -> tuple[object, ...]:
    """All that the reader says of an answer that comes in one piece, the connection's fate included."""
    reader = Answer(method, quick=quick)
    try:
        reader.feed(raw)
    except UnusableError as why:
        return ("unusable", str(why))
    reply = reader.reply
    return (None,) if reply is None else (reply.status, dict(reply.headers), reply.body, reader.keep)


def plain_answers(rng: random.Random) -> bytes:
    """An answer as venues and the gateways in front of them send it, sometimes with a flaw."""
    body = rng.choice([b"{}", b"", b'{"data": {"success": true}}', b"x" * rng.randrange(300), b"\r\n\r\n{}"])
    status = rng.choice(
        ["200 OK", "200 ", "200", "429 Too Many", "404 Not Found", "204 No Content", "304 N", "100 C"]
    )
    odd = [b"X: \xe4", b"Connection: keep-alive", b"Connection: close", b"A:", b"A: \tb ", b"Server: a"]
    odd += [b"Content-Encoding: gzip", b"Transfer-Encoding: chunked", b"Trailer: a", b"X : b", b"Date: b"]
    size = b"%d" % len(body)
    headers = [
        rng.choice([b"Content-Type: application/json", b"content-type:text/html"]),
        rng.choice([b"Date: Sat, 21 Nov 2026 18:20:50 GMT", b"Retry-After: 3", b'X-Y_z: a, b;c="d"']),
        rng.choice([b"Server: nginx"] * 6 + odd),
        b"Content-Length: "
        + rng.choice([size] * 12 + [b"0" + size, b"%d" % (len(body) + 1), b"1, 1", b"0x2"]),
    ]
    rng.shuffle(headers)
    lines = [f"HTTP/1.{rng.choice('111111111110')} {status}".encode(), *headers[rng.randrange(2) :]]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body + rng.choice([b""] * 9 + [b"\r\n"])


def same_as_h11(rounds: int, seed: int) -> None:
    rng = random.Random(seed)
    seen = {"plain": 0, "left": 0}
    for number in range(rounds):
        raw = mutated(rng) if number % 3 == 0 else plain_answers(rng)
        if number % 3 == 2 and rng.randrange(2):
            at = rng.randrange(len(raw))
            raw = raw[:at] + bytes([rng.randrange(256)]) + raw[at + rng.randrange(2) :]
        method = rng.choice([b"DELETE", b"DELETE", b"POST", b"GET", b"HEAD"])
        assert whole(method, raw, quick=True) == whole(method, raw, quick=False), raw
        seen["left" if plain(method, raw) is None else "plain"] += 1
    assert min(seen.values()) > rounds / 20


def test_what_is_read_at_a_glance_is_read_as_h11_reads_it() -> None:
    same_as_h11(6_000, 7)


@pytest.mark.long
def test_what_is_read_at_a_glance_is_read_as_h11_reads_it_for_long() -> None:
    same_as_h11(200_000, 8)


def test_the_plain_answers_of_venues_are_read_at_a_glance() -> None:
    head = (
        OK + b"Content-Length: 2\r\nDate: Sat, 21 Nov 2026 18:20:50 GMT\r\nContent-Type: application/json\r\n"
    )
    assert plain(b"DELETE", head + b"\r\n{}") is not None
    assert plain(b"DELETE", head + b"\r\n{} ") is None, "more than it was owed"
    assert plain(b"DELETE", head + b"\r\n{") is None, "less"


def test_a_damaged_answer_gets_one_verdict_however_it_is_cut() -> None:
    rng = random.Random(20_000)
    verdicts: set[str] = set()
    for _ in range(3_000):
        raw = mutated(rng)
        cuts = sorted(rng.randrange(1, len(raw) + 1) for _ in range(rng.randrange(1, 6)))
        pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True) if b > a]
        whole = verdict([raw])
        assert verdict(pieces) == whole, raw
        verdicts.add("taken" if isinstance(whole, tuple) else whole)
    assert verdicts == {"taken", "unusable"}


def test_a_head_that_was_seen_before_says_nothing_of_another_body_and_cannot_be_changed() -> None:
    first, second = answer(b'{"a":1}'), answer(b'{"b":2}')
    one, other = plain(b"DELETE", first), plain(b"DELETE", second)
    assert one is not None
    assert other is not None
    assert (one.body, other.body) == (b'{"a":1}', b'{"b":2}')
    assert plain(b"DELETE", first + b" ") is None, "longer than its head says"
    assert plain(b"DELETE", first[:-1]) is None
    assert plain(b"HEAD", first) is None
    with pytest.raises(TypeError):
        one.headers["content-length"] = "0"  # type: ignore[index]
