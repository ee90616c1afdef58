"""One client's WebSocket at a practice venue whose stream pushes changes of the book."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from cancel_tui.clock import Clock
from cancel_tui.practice.http import Socket
from cancel_tui.practice.market import Book

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
