"""WebSockets of a practice venue whose stream pushes changes of the book, and what can go wrong with them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from cancel_tui.clock import Clock
from cancel_tui.practice.http import Socket
from cancel_tui.practice.market import Book
from cancel_tui.practice.mischief import strikes

LATE = 2.0
"""Seconds by which a message is late under fault `stream_late`."""
_SWAP = 0.4
_BEAT = 0.05


async def converse(socket: Socket, book: Book, clock: Clock, take: Callable[[str], None]) -> None:
    """Hand each text of the client to `take` until it leaves.

    The book moves only when it is settled, which requests do. A client that merely listens sends none, so
    the book is settled here every 50 ms as well.
    """

    async def beat() -> None:
        while not socket.closed:
            await clock.sleep(_BEAT)
            book.settle()

    beating = asyncio.create_task(beat())
    try:
        while (text := await socket.incoming.get()) is not None:
            book.settle()
            take(text)
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating


class Outlet:
    """The way out of a stream's messages, where the faults of streams strike."""

    def __init__(self, book: Book, faults: Callable[[], set[str]]) -> None:
        self._book = book
        self._faults = faults
        self._held: list[Callable[[], None]] = []

    def push(self, sockets: Iterable[Socket], text: str) -> None:
        """Send one message to each of these, or what the faults leave of it."""
        takers = list(sockets)
        if not takers or self._strikes("stream_silent"):
            return
        if self._strikes("stream_freezes"):
            for socket in takers:
                socket.frozen = True
        if self._strikes("stream_drops"):
            for socket in takers:
                socket.abort()
        if self._strikes("stream_garbled"):
            text = text[: len(text) // 2] + "\x00}]"
        copies = 2 if self._strikes("stream_duplicates") else 1

        def send() -> None:
            for socket in takers:
                for _ in range(copies):
                    socket.send(text)

        if self._strikes("stream_late"):
            self._book.at(LATE, send)
        elif self._strikes("stream_disorder"):
            self._held.append(send)
            if len(self._held) == 1:
                self._book.at(_SWAP, self._release)
        else:
            send()

    def _strikes(self, name: str) -> bool:
        return strikes(self._faults(), name, "stream")

    def _release(self) -> None:
        """What was held back goes out, the newest first."""
        while self._held:
            self._held.pop()()
