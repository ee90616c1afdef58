"""One HTTP/1.1 answer by h11, within bounds: whatever is not plain enough to be read at a glance."""

from __future__ import annotations

import re

import h11

from cancel_tui.venues.answer import MAX_BODY, MAX_HEAD, UnusableError
from cancel_tui.venues.base import Reply

MAX_PIECES = 16 * 1024
"""Pieces of body; one-byte chunks would keep the event loop busy for as long as their sender likes."""
_ODD_HEAD = re.compile(rb"(?<!\r)\n|\r(?!\n)|\n[ \t]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Careful:
    """Reads one answer, whatever its pieces; `reply` and `keep` as those of `Answer`."""

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
