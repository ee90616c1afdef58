"""What the WebSockets of practice venues have in common: a client, its beat, and what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from cancel_tui.clock import Clock
from cancel_tui.practice.http import Socket
from cancel_tui.practice.market import Book
from cancel_tui.practice.mischief import strikes

FAULTS = frozenset(
    (
        "stream_silent",
        "stream_mute",
        "stream_freezes",
        "stream_drops",
        "stream_duplicates",
        "stream_disorder",
        "stream_late",
        "stream_garbled",
        "stream_noise",
        "stream_pieces",
        "stream_refused",
    )
)
"""The faults of a stream that is built on this module; its venue minds `stream_mute` and `stream_refused`."""
LATE = 2.0
"""Seconds by which a message is late under fault `stream_late`."""
_SWAP = 0.4
_BEAT = 0.05
_NOISE = ('{"type":"unheard_of","data":', '{"type":"unheard_of"}', "[]", "\ufffd")


async def converse(
    socket: Socket, book: Book, clock: Clock, faults: Callable[[], set[str]], take: Callable[[str], None]
) -> None:
    """Hand each text of the client to `take` until it leaves.

    The book moves only when it is settled, which requests do. A client that merely listens sends none, so
    the book is settled here every 50 ms as well.
    """

    async def beat() -> None:
        while not socket.closed:
            if strikes(faults(), "stream_freezes", "stream"):
                socket.frozen = True
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
        self._noises = 0

    def push(self, sockets: Iterable[Socket], text: str) -> None:
        """Send one message to each of these, or what the faults leave of it."""
        takers = tuple(sockets)
        for socket in takers:
            if self._strikes("stream_freezes"):
                socket.frozen = True

        def tell() -> None:
            said = text[: len(text) // 2] + "\x00}]" if self._strikes("stream_garbled") else text
            for socket in takers:
                if self._strikes("stream_noise"):
                    self._noises += 1
                    socket.send(_NOISE[self._noises % len(_NOISE)])
                socket.send(*(pieces(said) if self._strikes("stream_pieces") else (said,)))

        def cut() -> None:
            for socket in takers:
                socket.abort()

        if takers:
            self.act(tell, cut)

    def act(self, tell: Callable[[], None], cut: Callable[[], None]) -> None:
        """Tell something, or do to it what a fault says; `cut` drops those who listen."""
        if self._strikes("stream_silent"):
            return
        if self._strikes("stream_drops"):
            cut()
        elif self._strikes("stream_late"):
            self._book.at(LATE, lambda: self._tell(tell))
        elif self._strikes("stream_disorder"):
            self._held.append(tell)
            if len(self._held) == 1:
                self._book.at(_SWAP, self._release)
        else:
            self._tell(tell)

    def _tell(self, tell: Callable[[], None]) -> None:
        for _ in range(2 if self._strikes("stream_duplicates") else 1):
            tell()

    def _release(self) -> None:
        """What was held back goes out, the newest first."""
        while self._held:
            self._tell(self._held.pop())

    def _strikes(self, name: str) -> bool:
        return strikes(self._faults(), name, "stream")


def pieces(text: str) -> tuple[str, ...]:
    """A text cut where nobody expects it."""
    return (text[:1], text[1 : len(text) // 2], text[len(text) // 2 :]) if len(text) > 2 else (text,)
