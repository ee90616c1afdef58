"""Where a venue's name leads: one lookup at a time, in a thread of its own, with a memory.

The system's lookup blocks for as long as it likes. In the event loop's shared threads a few venues whose name
server is silent would keep every other venue from being looked up, and the program from ending. And when
names stop working in the middle of an emergency, the addresses that worked a minute ago still do.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading


class Addresses:
    """The addresses of one host."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._literal = _is_literal(host)
        self._known: list[str] = []
        self._lookup: asyncio.Future[list[str]] | None = None

    async def find(self, patience: float) -> list[str]:
        """Every address, most promising first. Raises OSError or ValueError where there is none.

        After `patience` seconds the remembered ones have to do; without any, the lookup is waited for.
        """
        if self._literal:
            return [self._host]
        lookup = self._begin()
        done, _ = await asyncio.wait([lookup], timeout=patience if self._known else None)
        fresh = lookup.result() if done and lookup.exception() is None else []
        if fresh:
            best = self._known[:1]
            self._known = sorted(fresh, key=lambda address: address not in best)
        return list(self._known) or lookup.result()

    def worked(self, address: str) -> None:
        """A connection to this address stands: try it first from now on."""
        if address in self._known[1:]:
            self._known.remove(address)
            self._known.insert(0, address)

    def _begin(self) -> asyncio.Future[list[str]]:
        if self._lookup is None or self._lookup.done():
            loop = asyncio.get_running_loop()
            self._lookup = loop.create_future()
            # A daemon: a lookup that hangs must not keep the program from ending.
            work = (self._host, loop, self._lookup)
            threading.Thread(target=_look_up, args=work, name="lookup", daemon=True).start()
        return self._lookup


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _look_up(host: str, loop: asyncio.AbstractEventLoop, lookup: asyncio.Future[list[str]]) -> None:
    found: list[str] = []
    fault: Exception | None = None
    try:
        rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        found = list(dict.fromkeys(str(row[4][0]) for row in rows))
    except Exception as error:
        fault = error
    with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits any more
        loop.call_soon_threadsafe(_deliver, lookup, found, fault)


def _deliver(lookup: asyncio.Future[list[str]], found: list[str], fault: Exception | None) -> None:
    if lookup.done():
        return
    if fault is None:
        lookup.set_result(found)
    else:
        lookup.set_exception(fault)
        lookup.exception()  # whoever asked may be gone
