"""No id, account or symbol whatsoever can turn the request for one order into another request.

Every request is built by the real adapter, written as the real wire writes it, and read back by a parser of
our own: strictly, and then in every way in which a careless gateway might read its path.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus

import pytest
from hypothesis import example, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from cancel_tui.clock import ManualClock
from cancel_tui.orders import AccountId, Family, OrderId, OrderKey, VenueName
from cancel_tui.practice.cluster import Cluster
from cancel_tui.redaction import Secret
from cancel_tui.settings import parse_settings
from cancel_tui.venues.adapter import path_id
from cancel_tui.venues.base import CallClass, Message, Raw, Venue
from cancel_tui.venues.line import encode
from cancel_tui.venues.outcome import NotSent, Unanswered
from cancel_tui.venues.registry import make_venue

HOST = b"venue.example"
UUID = "0b0e7b52-1d3f-4a6c-9e0b-3c1f8d6a2b47"
PIECES = (
    *("", ".", "..", "/", "//", "\\", "%2f", "%2F", "%252f", "%2e%2e", "%5c", "%00", ";", ";x=1", "?", "&"),
    *("#", " ", "+", "%20", "\t", "\r\n", "\n", "\x00", "\x7f", "\x85", "\u2028", "\ud800", "\u202e"),
    *("．．／", "＿", "all", "ALL", "cancel-all", "cancel_all", "cancel", "orders", "order", "spot"),
    *("stop-orders", "futures", "symbol=", "&symbol=", '","symbol":"BTC', '"}', "{", "{orderId}", "null"),
    *(" HTTP/1.1\r\nHost: x\r\n\r\nDELETE /api/v1/spot/orders HTTP/1.1\r\n", "accountId: 1", UUID, "7"),
)
"""What an id would be made of by somebody who means harm."""
ONE = st.sampled_from(PIECES)
TEXTS = ONE | st.text(max_size=40) | st.lists(ONE, max_size=6).map("".join) | st.just(UUID)


@dataclass
class Recorder:
    """A port that writes down what would travel."""

    sent: list[tuple[CallClass, bytes]] = field(default_factory=list)

    async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
        try:
            message = build()
            raw = encode(message, HOST)
        except ValueError as why:
            return NotSent(str(why), hopeless=True)
        self.sent.append((call, raw))
        return Unanswered("a port that only writes down")

    async def admit(self, call: CallClass) -> None:
        raise AssertionError("nothing here is a stream")


@dataclass(frozen=True)
class Seen:
    """One request as a strict server reads it."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: Any


def seen(raw: bytes) -> Seen:
    """Exactly one request, or the test fails."""
    head, end, body = raw.partition(b"\r\n\r\n")
    assert end
    first, *lines = head.split(b"\r\n")
    method, target, version = first.split(b" ")
    assert version == b"HTTP/1.1"
    assert re.fullmatch(rb"[\x21-\x7e]+", target)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b": ")
        assert colon
        assert re.fullmatch(rb"[A-Za-z-]+", name)
        assert not re.search(rb"[\r\n\x00]", value)
        assert name.lower().decode() not in headers, "a header twice"
        headers[name.lower().decode()] = value.decode("latin-1").strip(" \t")
    assert int(headers.get("content-length", "0")) == len(body)
    assert headers["host"] == HOST.decode()
    path, mark, query = target.decode("ascii").partition("?")
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if mark else []
    assert "#" not in query
    return Seen(method.decode(), path, pairs, headers, _document(body) if body else None)


def _document(body: bytes) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in pairs}) == len(pairs), "a name twice"
        return dict(pairs)

    return json.loads(body.decode("utf-8"), object_pairs_hook=once)


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            kept = kept[:-1]
        elif part != ".":
            kept.append(part)
    return "/".join(kept)


CARELESS: tuple[Callable[[str], str], ...] = (
    unquote,
    unquote_plus,
    lambda path: path.replace("\\", "/"),
    lambda path: re.sub("/+", "/", path),
    lambda path: re.sub(";[^/]*", "", path),
    lambda path: re.split("[?#\x00]", path)[0],
    lambda path: path.strip(),
    lambda path: path.rstrip("/"),
    lambda path: "".join(one for one in path if one.isascii()),
    lambda path: unicodedata.normalize("NFKC", path),
    str.casefold,
    _without_dots,
)


def readings(path: str) -> set[str]:
    """The path itself, and all that three careless steps make of it."""
    found = {path}
    for _ in range(3):
        found |= {read(one) for one in found for read in CARELESS}
    return found


@dataclass(frozen=True)
class Case:
    """A kind of venue, what its requests for one order look like, and what they must never look like."""

    kind: str
    single: str
    """The path of one order's cancel, as a pattern."""
    all: tuple[str, ...] = ()
    """Paths that reach more than one order."""
    options: str = ""
    account: bool = False
    credentials: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.options}".strip()


CASES = (
    Case("coinswitch-spot", "/trade/api/v2/order"),
    Case("coinswitch-futures", "/trade/api/v2/futures/order", ("/trade/api/v2/futures/cancel_all",)),
    Case("p99-spot", "/api/v1/spot/orders/([^/]+)", ("/api/v1/spot/orders",)),
    Case("roxom", "/api/v1/orders/([^/]+)/cancel", ("/api/v1/orders/cancel-all",)),
    Case(
        "roxom",
        "/api/v1/orders/([^/]+)",
        ("/api/v1/orders/cancel-all", "/api/v1/orders"),
        'cancel_path = "/orders/{orderId}"',
    ),
    Case(
        "roxom",
        "/api/v1/o/cancel/([^/]+)",
        ("/api/v1/o/cancel/all", "/api/v1/o/cancel"),
        'cancel_path = "/o/cancel/{orderId}"\ncancel_all_path = "/o/cancel/all"',
    ),
    Case("b2trader", "/frontoffice/api/v3/(?:stop-)?orders/([^/]+)", account=True),
)
KINDS = pytest.mark.parametrize("case", CASES, ids=str)


@cache
def venue(case: Case) -> Venue:
    """The adapter, with the throw-away keys of a practice venue."""
    practice = next(one for one in Cluster(0).venues if one.kind == case.kind)
    given = {"access_token": "opaque-token"} if case.account else practice.credentials()
    base = "https://venue.example" + ("/api/v1" if case.kind == "p99-spot" else "")
    table = f'[venues.x]\nkind = "{case.kind}"\nbase_url = "{base}"\n{case.options}\n'
    settings = parse_settings(table, Path("test.toml")).venues[0]
    return make_venue(settings, {name: Secret(one) for name, one in given.items()}, ManualClock())


def run(work: Coroutine[Any, Any, object]) -> None:
    """Drive a coroutine that never has to wait."""
    with pytest.raises(StopIteration):
        work.send(None)


def recorded(work: Callable[[Recorder], Coroutine[Any, Any, object]]) -> list[tuple[CallClass, Seen]]:
    """What would travel."""
    port = Recorder()
    run(work(port))
    return [(call, seen(raw)) for call, raw in port.sent]


def assert_one_order(case: Case, request: Seen, order_id: str) -> None:
    """Whoever reads it, it is about this order and no other, and nothing else is in it."""
    for path in readings(request.path):
        assert path.casefold() not in case.all
        named = re.fullmatch(case.single, path)
        if path == request.path:
            assert named is not None
            assert not named.groups() or unquote(named[1]) == order_id
    assert not {name for name, _ in request.query} - {"timestamp", "signature", "order_id", "unit"}
    assert len(request.query) == len(dict(request.query))
    ids = [value for name, value in request.query if name == "order_id"]
    body = request.body or {}
    assert body.keys() <= {"order_id", "exchange"}
    ids += [body["order_id"]] if body else []
    assert ids == ([] if re.compile(case.single).groups else [order_id])


@pytest.mark.parametrize("order_id", ["", ".", "..", "+", "+.+"])
def test_an_id_that_can_come_to_nothing_stands_in_no_path(order_id: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a path"):
        path_id(order_id)


@KINDS
@effort(max_examples=200)
@example(order_id=".", account="7", stop=False)
@example(order_id="..", account="7", stop=True)
@example(order_id="all", account="7", stop=False)
@example(order_id="ALL+", account="7", stop=False)
@example(order_id="++", account="7", stop=True)
@example(order_id="cancel-all", account=" 7", stop=False)
@example(order_id=UUID, account="66f0a1b2c3d4e5f601234567", stop=False)
@given(order_id=TEXTS, account=TEXTS | st.just("66f0a1b2c3d4e5f601234567"), stop=st.booleans())
def test_a_single_cancel_is_the_cancel_of_that_order_or_nothing(
    case: Case, order_id: str, account: str, stop: bool
) -> None:
    family = Family.STOP if stop and case.account else Family.ORDER
    held = AccountId(account) if case.account else None
    key = OrderKey(VenueName("x"), held, family, OrderId(order_id))
    sent = recorded(lambda port: venue(case).cancel(key, port))
    assert len(sent) <= 1
    for call, request in sent:
        assert call is CallClass.CANCEL
        assert request.method == ("POST" if case.kind == "roxom" else "DELETE")
        assert_one_order(case, request, order_id)
        assert request.headers.get("accountid") == held
        if case.account:
            assert ("/stop-orders/" in request.path) is stop
    if order_id == UUID and account.isalnum() and account.isascii():
        assert sent, "an honest id is sent"


@KINDS
@effort(max_examples=60)
@given(order_id=TEXTS)
def test_reading_one_order_reads_that_order_or_nothing(case: Case, order_id: str) -> None:
    if case.account:
        return
    key = OrderKey(VenueName("x"), None, Family.ORDER, OrderId(order_id))
    one = replace(case, single="/api/v1/orders/([^/]+)", all=()) if case.kind == "roxom" else case
    for call, request in recorded(lambda port: venue(case).read(key, port)):
        assert (call, request.method) == (CallClass.STATUS, "GET")
        assert_one_order(one, request, order_id)


@pytest.mark.parametrize(
    "case", [one for one in CASES if one.kind in ("coinswitch-futures", "p99-spot")], ids=str
)
@effort(max_examples=100)
@given(symbol=TEXTS | st.sampled_from(["BTC/INR", "BTCUSDT", "gold-btc"]))
def test_a_cancel_all_of_one_symbol_never_becomes_one_of_all(case: Case, symbol: str) -> None:
    for call, request in recorded(lambda port: venue(case).cancel_all(symbol, port)):
        assert call is CallClass.CANCEL_ALL
        assert request.path in case.all
        told = (request.body or {}).get("symbol") or dict(request.query).get("symbol")
        assert told == symbol
        # Trimmed, or without what cannot be read, it is still a symbol.
        assert "".join(one for one in symbol if one.isalnum())
        assert symbol.strip() == symbol
        assert {name for name, _ in request.query} <= {"symbol", "timestamp", "signature"}
        assert (request.body or {}).keys() <= {"symbol", "exchange"}


def test_the_careless_readers_would_find_an_escaped_cancel_all() -> None:
    escaped = "/api/v1/orders/x%2F..%2F..%2Forders%2Fcancel-all"
    assert "/api/v1/orders/cancel-all" in readings(escaped)
    assert "/api/v1/spot/orders" in readings("/api/v1/spot/orders/%252e")
    assert "/api/v1/spot/orders" in readings("/api/v1/spot/orders/;x")
