"""One HTTP/1.1 answer, read strictly and within bounds: the plain ones at a glance, all others by h11.

Nearly every answer to a cancel is one piece: a status line, a few headers, one Content-Length and its body.
Such a piece is read by a few lines of our own, which take only what h11 takes in the same way; whatever else
arrives goes to h11 from its first byte.
"""

from __future__ import annotations

import re

import h11

from cancel_tui.venues.base import Reply

MAX_HEAD = 32 * 1024
"""Bytes of status line and headers."""
MAX_BODY = 4 * 1024 * 1024
"""Bytes of body; a list of 10,000 orders fits, a bomb does not."""
MAX_PIECES = 16 * 1024
"""Pieces of body; one-byte chunks would keep the event loop busy for as long as their sender likes."""

_ODD_HEAD = re.compile(rb"(?<!\r)\n|\r(?!\n)|\n[ \t]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PLAIN_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) [ -~]{0,200}\r\n")
_PLAIN_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):[ ]?([!-~](?:[ -~]{0,2000}[!-~])?)\r\n")
_PLAIN_LENGTH = re.compile(r"0|[1-9][0-9]{0,6}")
_BODILESS = frozenset({204, 205, 304})
_OTHER_METHODS = frozenset({b"HEAD", b"CONNECT"})
_STEERS = frozenset({"transfer-encoding", "content-encoding", "upgrade", "trailer", "connection", "te"})
"""Headers that change how an answer is to be read, or what becomes of its connection."""


class UnusableError(Exception):
    """An answer that cannot be trusted; the text is ours."""


def plain(method: bytes, data: bytes) -> Reply | None:
    """The answer that a piece is, where it is a whole and plain one; None where h11 has to look at it."""
    end = data.find(b"\r\n\r\n") + 2
    if not 2 <= end <= MAX_HEAD - 2 or method in _OTHER_METHODS:
        return None
    status = _PLAIN_STATUS.match(data, 0, end)
    if status is None or int(status[1]) in _BODILESS:
        return None
    headers: dict[str, str] = {}
    at = status.end()
    while at < end:
        header = _PLAIN_HEADER.match(data, at, end)
        if header is None:
            return None
        name = header[1].decode("ascii").lower()
        if name in headers or name in _STEERS:
            return None
        headers[name] = header[2].decode("ascii")
        at = header.end()
    length = headers.get("content-length", "")
    body = data[end + 2 :]
    if not _PLAIN_LENGTH.fullmatch(length) or int(length) != len(body) or len(body) > MAX_BODY:
        return None
    return Reply(int(status[1]), headers, body)


class Answer:
    """Reads one answer; `reply` is set once it is complete, `keep` says whether another may follow."""

    __slots__ = ("_careful", "_method", "_quick", "keep", "reply")

    def __init__(self, method: bytes, *, quick: bool = True) -> None:
        self._method = method
        self._quick = quick
        self._careful: _Careful | None = None
        self.reply: Reply | None = None
        self.keep = False

    def feed(self, data: bytes) -> None:
        """Take bytes, or the end of the stream as b""; raises UnusableError."""
        if self._careful is None:
            found = plain(self._method, data) if self._quick else None
            if found is not None:
                self.reply, self.keep = found, True
                return
            self._careful = _Careful(self._method)
        self._careful.feed(data)
        self.reply, self.keep = self._careful.reply, self._careful.keep


class _Careful:
    """The same by h11, whatever the pieces."""

    __slots__ = ("_body", "_head", "_parser", "_pieces", "_raw", "keep", "reply")

    def __init__(self, method: bytes) -> None:
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        # h11 must know the method to know how long the answer is; the bytes that travel are our own.
        self._parser.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"x")]))
        self._parser.send(h11.EndOfMessage())
        self._head: h11.Response | None = None
        self._raw = bytearray()
        self._body = bytearray()
        self._pieces = 0
        self.reply: Reply | None = None
        self.keep = False

    def feed(self, data: bytes) -> None:
        """Take bytes, or the end of the stream as b""; raises UnusableError."""
        if self._head is None:
            self._raw += data
        try:
            self._parser.receive_data(data)
            self._read()
        except h11.ProtocolError as error:
            if not data:
                raise UnusableError("the connection ended before the answer was complete") from error
            raise UnusableError("an answer that is no valid HTTP") from error
        if self._head is None and len(self._raw) > MAX_HEAD:
            raise UnusableError("an answer with too many headers")

    def _read(self) -> None:
        while self.reply is None:
            event = self._parser.next_event()
            if event is h11.NEED_DATA:
                return
            if isinstance(event, h11.Response):
                self._take_head(event)
            elif isinstance(event, h11.Data):
                self._take_body(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._finish()
            elif not isinstance(event, h11.InformationalResponse):
                raise UnusableError("the connection ended before the answer was complete")

    def _take_head(self, head: h11.Response) -> None:
        rest, _ = self._parser.trailing_data
        # h11 takes what no gateway has a reason to send: bare line feeds, folded lines, control characters.
        # Two readers that disagree about such a head may disagree about where the next answer begins.
        size = len(self._raw) - len(rest)
        if size > MAX_HEAD:
            raise UnusableError("an answer with too many headers")
        if _ODD_HEAD.search(self._raw, 0, size) or head.http_version not in (b"1.0", b"1.1"):
            raise UnusableError("an answer that is no valid HTTP")
        names = {bytes(name) for name, _ in head.headers}
        if b"content-length" in names and b"transfer-encoding" in names:
            raise UnusableError("an answer with two lengths")
        encodings = {
            bytes(value).strip().lower() for name, value in head.headers if name == b"content-encoding"
        }
        if encodings - {b"identity", b""}:
            raise UnusableError("a compressed answer that nobody asked for")
        self._head = head
        self._raw.clear()

    def _take_body(self, data: bytes | bytearray) -> None:
        self._body += data
        self._pieces += 1
        if len(self._body) > MAX_BODY or self._pieces > MAX_PIECES:
            raise UnusableError("an answer that is too large")

    def _finish(self) -> None:
        head = self._head
        if head is None:
            raise UnusableError("an answer without a head")
        surplus, _ = self._parser.trailing_data
        self.keep = self._parser.their_state is h11.DONE and not surplus
        self.reply = Reply(
            head.status_code,
            {
                bytes(name).decode("latin-1"): bytes(value).decode("latin-1")
                for name, value in reversed(list(head.headers))
            },
            bytes(self._body),
        )
