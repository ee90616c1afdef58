"""One HTTP/1.1 answer, read strictly and within bounds: the plain ones at a glance, all others by h11.

Nearly every answer to a cancel is one piece: a status line, a few headers, one Content-Length and its body.
Such a piece is read by a few lines of our own, which take only what h11 takes in the same way; whatever else
arrives goes to h11 from its first byte.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from cancel_tui.venues.base import Reply

if TYPE_CHECKING:
    from cancel_tui.venues.careful import Careful

MAX_HEAD = 32 * 1024
"""Bytes of status line and headers."""
MAX_BODY = 4 * 1024 * 1024
"""Bytes of body; a list of 10,000 orders fits, a bomb does not."""

_PLAIN_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) [ -~]{0,200}\r\n")
_PLAIN_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):[ ]?([!-~](?:[ -~]{0,2000}[!-~])?)\r\n")
_PLAIN_LENGTH = re.compile(r"0|[1-9][0-9]{0,6}")
_BODILESS = frozenset({204, 205, 304})
_SHORT = 1024
"""Bytes of a head that is worth remembering."""
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
    # Answers to cancels begin alike, most of them byte for byte.
    head = _seen_head(data[:end]) if end <= _SHORT else _plain_head(data[:end])
    body = data[end + 2 :]
    if head is None or head[2] != len(body) or len(body) > MAX_BODY:
        return None
    status, headers, _ = head
    return Reply(status, headers, body)


def _plain_head(head: bytes) -> tuple[int, Mapping[str, str], int] | None:
    """Status, headers and length of the body that a plain head tells; None for any other."""
    status = _PLAIN_STATUS.match(head)
    if status is None or int(status[1]) in _BODILESS:
        return None
    headers: dict[str, str] = {}
    at = status.end()
    while at < len(head):
        header = _PLAIN_HEADER.match(head, at)
        if header is None:
            return None
        name = header[1].decode("ascii").lower()
        if name in headers or name in _STEERS:
            return None
        headers[name] = header[2].decode("ascii")
        at = header.end()
    length = headers.get("content-length", "")
    if not _PLAIN_LENGTH.fullmatch(length):
        return None
    return int(status[1]), MappingProxyType(headers), int(length)


_seen_head = lru_cache(64)(_plain_head)


class Answer:
    """Reads one answer; `reply` is set once it is complete, `keep` says whether another may follow."""

    __slots__ = ("_careful", "_method", "_quick", "keep", "reply")

    def __init__(self, method: bytes, *, quick: bool = True) -> None:
        self._method = method
        self._quick = quick
        self._careful: Careful | None = None
        self.reply: Reply | None = None
        self.keep = False

    def feed(self, data: bytes) -> None:
        """Take bytes, or the end of the stream as b""; raises UnusableError."""
        if self._careful is None:
            found = plain(self._method, data) if self._quick else None
            if found is not None:
                self.reply, self.keep = found, True
                return
            # Few answers need it, and it takes its time to load.
            from cancel_tui.venues.careful import Careful

            self._careful = Careful(self._method)
        self._careful.feed(data)
        self.reply, self.keep = self._careful.reply, self._careful.keep
