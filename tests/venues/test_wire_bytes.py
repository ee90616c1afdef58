"""The bytes that were signed are the bytes that travel; what could smuggle another request does not."""

from __future__ import annotations

import h11
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.venues.base import Message, Reply
from cancel_tui.venues.line import encode
from cancel_tui.venues.outcome import NotSent
from cancel_tui.venues.wire import Mark, Origin
from tests.venues.wire_case import TLS, served

ODD_TARGETS = [
    b"/",
    b"/?",
    b"/?a",
    b"/orders?",
    b"/orders?a=b&a=b&&c==d",
    b"/orders/a%2Fb",
    b"/orders/a%2fb%2C,c%3a:d",
    b"/orders/%E2%82%AC",
    b"/orders/../../admin",
    b"/orders/./x/",
    b"//double//slashes//",
    b"/orders?q=a+b%20c",
    b'/orders?q="quoted"<x>|\\^`{}',
    b"/orders?next=https://other.example/?x=1#frag",
    b"/orders/%",
    b"/orders/%zz?%",
    b"/orders;v=1/!$&'()*+,;=:@~-._?/?!$'()*,;:@",
]


def test_there_are_seventeen_odd_targets() -> None:
    assert len(set(ODD_TARGETS)) == 17


@TLS
async def test_what_was_signed_is_what_arrives_byte_for_byte(tls: bool) -> None:
    key = Ed25519PrivateKey.generate()
    body = b'{"id":"\xc3\xa9","n":1.10 , "x" :[]}\r\n\r\nDELETE / HTTP/1.1\r\n'
    async with served(tls=tls) as (server, wire):
        for target in ODD_TARGETS:
            signature = key.sign(b"DELETE" + target + body).hex().encode()
            message = Message(b"DELETE", target, ((b"X-SIGNATURE", signature),), body)
            assert isinstance(await wire.exchange(message, 5.0), Reply)
    assert server.accepted == 1
    assert server.targets == ODD_TARGETS
    for target, request in zip(ODD_TARGETS, server.requests, strict=True):
        head = (
            b"DELETE " + target + b" HTTP/1.1",
            b"Host: 127.0.0.1:%d" % server.port,
            b"X-SIGNATURE: " + key.sign(b"DELETE" + target + body).hex().encode(),
            b"Content-Length: %d" % len(body),
        )
        assert request.raw == b"\r\n".join(head) + b"\r\n\r\n" + body
        received = bytes.fromhex(request.lines[2].removeprefix(b"X-SIGNATURE: ").decode())
        key.public_key().verify(received, request.method + request.target + request.body)


async def test_header_lines_travel_in_order_and_case_and_none_is_added() -> None:
    headers = (
        (b"X-AUTH-apikey", b"k"),
        (b"x-b", b'  two  spaces, comma;semicolon="x"'),
        (b"Accept", b"*/*"),
        (b"X-AUTH-APIKEY", b"again"),
        (b"a", b""),
        (b"Z_under.score", b"\xe2\x82\xac\ttab"),
    )
    async with served() as (server, wire):
        assert isinstance(await wire.exchange(Message(b"GET", b"/", headers), 5.0), Reply)
        assert isinstance(await wire.exchange(Message(b"POST", b"/", headers[:1]), 5.0), Reply)
        assert isinstance(await wire.exchange(Message(b"DELETE", b"/", headers[:1]), 5.0), Reply)
    host = b"Host: 127.0.0.1:%d" % server.port
    first, *others = server.requests
    assert first.lines == [b"GET / HTTP/1.1", host, *(b"%b: %b" % header for header in headers)]
    assert [request.lines[2:] for request in others] == [
        [b"X-AUTH-apikey: k", b"Content-Length: 0"],
        [b"X-AUTH-apikey: k"],
    ]


BAD = {
    "no slash": Message(b"GET", b"orders"),
    "an absolute target": Message(b"GET", b"http://other.example/"),
    "an empty target": Message(b"GET", b""),
    "a space": Message(b"GET", b"/a b"),
    "CR in the target": Message(b"GET", b"/a\rb"),
    "LF in the target": Message(b"GET", b"/a\nb"),
    "a whole request in the target": Message(b"GET", b"/ HTTP/1.1\r\nHost: x\r\n\r\nDELETE /orders"),
    "NUL in the target": Message(b"GET", b"/a\x00b"),
    "a line break at the target's end": Message(b"GET", b"/a\n"),
    "bytes beyond ASCII in the target": Message(b"GET", "/ä".encode()),
    "a method in small letters": Message(b"get", b"/"),
    "an empty method": Message(b"", b"/"),
    "a method with a space": Message(b"GET /", b"/"),
    "a header with a line break": Message(b"GET", b"/", ((b"a", b"b\r\nX-Evil: 1"),)),
    "a header with LF": Message(b"GET", b"/", ((b"a", b"b\nc"),)),
    "a header that ends in a line break": Message(b"GET", b"/", ((b"a", b"b\r\n"),)),
    "a header with NUL": Message(b"GET", b"/", ((b"a", b"b\x00"),)),
    "a header with a control byte": Message(b"GET", b"/", ((b"a", b"\x7f"),)),
    "an empty name": Message(b"GET", b"/", ((b"", b"b"),)),
    "a name with a colon": Message(b"GET", b"/", ((b"a:", b"b"),)),
    "a name with a line break": Message(b"GET", b"/", ((b"a\r\nb", b"b"),)),
    "a length of its own": Message(b"POST", b"/", ((b"content-length", b"5"),), b"{}"),
    "an encoding of its own": Message(b"POST", b"/", ((b"Transfer-Encoding", b"chunked"),), b"{}"),
    "a host of its own": Message(b"GET", b"/", ((b"HOST", b"other.example"),)),
}


@pytest.mark.parametrize("message", BAD.values(), ids=BAD)
async def test_a_request_that_could_be_read_as_another_is_refused_and_never_tried(message: Message) -> None:
    mark = Mark()
    async with served() as (server, wire):
        raw = await wire.exchange(message, 5.0, mark)
    assert isinstance(raw, NotSent)
    assert raw.hopeless
    assert not mark.sent
    assert (server.accepted, server.bytes_received) == (0, 0)


@pytest.mark.parametrize("message", BAD.values(), ids=BAD)
def test_what_was_refused_once_is_refused_again(message: Message) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^(a|for|without) "):
            encode(message, b"venue.example")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Venue.example/api", b"venue.example"),
        ("https://venue.example:443", b"venue.example"),
        ("https://venue.example:80", b"venue.example:80"),
        ("http://venue.example", b"venue.example"),
        ("http://venue.example:8080/x", b"venue.example:8080"),
        ("http://[::1]:8080", b"[::1]:8080"),
        ("wss://venue.example", b"venue.example"),
        ("https://bücher.example", b"xn--bcher-kva.example"),
    ],
)
def test_the_host_header_names_the_origin(url: str, host: bytes) -> None:
    assert Origin.of(url).header == host


@pytest.mark.parametrize("host", [b"", b"a b", b"a\r\nX: y", b"a\n", b"a/b", b"user@a", b"\xfc.example"])
def test_a_host_that_could_be_read_as_something_else_is_refused(host: bytes) -> None:
    with pytest.raises(ValueError, match="host"):
        encode(Message(b"GET", b"/"), host)


token = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcxyz0189-_.!~", min_size=1, max_size=20).map(str.encode)
visible = st.binary(max_size=40).map(lambda raw: bytes(33 + byte % 94 for byte in raw))


@given(
    st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"PATCH"]),
    visible,
    st.lists(st.tuples(st.just(b"X-").flatmap(lambda start: token.map(start.__add__)), visible), max_size=6),
    st.binary(max_size=200),
)
def test_another_reader_finds_exactly_one_request_and_it_is_ours(
    method: bytes, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    message = Message(method, b"/" + path, tuple(headers), body)
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(encode(message, b"venue.example"))
    request = reader.next_event()
    assert isinstance(request, h11.Request)
    assert (request.method, request.target) == (method, message.target)
    named = [(name, value) for name, value in request.headers.raw_items() if name.startswith(b"X-")]
    assert named == headers
    read = b""
    while isinstance(event := reader.next_event(), h11.Data):
        read += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert read == body
    assert reader.trailing_data == (b"", False)
