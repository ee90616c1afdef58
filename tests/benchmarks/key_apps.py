"""Both sides of the way from a key to the wire: `… key_apps console|empty FD [PORT]`.

`console` is the real console, `empty` an app whose only key writes a cancel request to a raw socket. Each
writes a line to the file descriptor for such a request: the monotonic time at which it was given to its
socket. It is looked at before the system is called: whoever receives the request is woken by it and may have
its turn first, on the same processor, while the request has left. The console writes `refused` where it said
why a key did nothing.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import Any

from textual import events
from textual.app import App

REQUEST = (
    b"DELETE /frontoffice/api/v3/orders/01M7ZN91SVEM9HBGEJVYMSCJQF HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
    b"Authorization: Bearer " + b"x" * 300 + b"\r\naccountId: 66f06ba36080956bf802361c\r\nAccept: */*\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def stamp(handle: int, at: float) -> None:
    """Tell a time to whoever reads the other end."""
    os.write(handle, b"%r\n" % at)


class EmptyApp(App[None]):
    """One key, one request."""

    def __init__(self, handle: int, port: int) -> None:
        super().__init__()
        self.handle = handle
        self.wire = socket.create_connection(("127.0.0.1", port))

    def on_key(self, event: events.Key) -> None:
        """Cancel."""
        if event.key == "x":
            at = time.monotonic()
            self.wire.sendall(REQUEST)
            stamp(self.handle, at)


def console(handle: int) -> None:
    """The console; every request that cancels is stamped as it is written to its connection."""
    from cancel_tui.cli.main import run
    from cancel_tui.console.app import CancelApp
    from cancel_tui.venues.line import Line, Mark

    ask, write, refuse = Line.ask, Mark.write, CancelApp.refuse
    at = 0.0

    def written(mark: Mark) -> None:
        nonlocal at
        write(mark)
        at = time.monotonic()

    def stamped(line: Line, method: bytes, *rest: Any) -> None:
        ask(line, method, *rest)
        if method == b"DELETE":
            stamp(handle, at)

    def refused(app: CancelApp, text: str) -> None:
        os.write(handle, b"refused\n")
        refuse(app, text)

    watched: Any = Line
    watched.ask = stamped
    watched = Mark
    watched.write = written
    watched = CancelApp
    watched.refuse = refused
    run([])


if __name__ == "__main__":
    if sys.argv[1] == "console":
        console(int(sys.argv[2]))
    else:
        EmptyApp(int(sys.argv[2]), int(sys.argv[3])).run()
