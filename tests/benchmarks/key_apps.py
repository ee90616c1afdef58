"""Both sides of the way from a key to the wire: `… key_apps console|empty FD [PORT]`.

`console` is the real console, `empty` an app whose only key writes a cancel request to a raw socket. Each
writes a line to the file descriptor when such a request was given to its socket: the monotonic time. The
console writes `refused` where it said why a key did nothing.
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


def stamp(handle: int) -> None:
    """Tell the time to whoever reads the other end."""
    os.write(handle, b"%r\n" % time.monotonic())


class EmptyApp(App[None]):
    """One key, one request."""

    def __init__(self, handle: int, port: int) -> None:
        super().__init__()
        self.handle = handle
        self.wire = socket.create_connection(("127.0.0.1", port))

    def on_key(self, event: events.Key) -> None:
        """Cancel."""
        if event.key == "x":
            self.wire.sendall(REQUEST)
            stamp(self.handle)


def console(handle: int) -> None:
    """The console; every request that cancels is stamped when it has been written to its connection."""
    from cancel_tui.cli.main import run
    from cancel_tui.console.app import CancelApp
    from cancel_tui.venues.line import Line

    ask, refuse = Line.ask, CancelApp.refuse

    def stamped(line: Line, method: bytes, *rest: Any) -> None:
        ask(line, method, *rest)
        if method == b"DELETE":
            stamp(handle)

    def refused(app: CancelApp, text: str) -> None:
        os.write(handle, b"refused\n")
        refuse(app, text)

    watched: Any = Line
    watched.ask = stamped
    watched = CancelApp
    watched.refuse = refused
    run([])


if __name__ == "__main__":
    if sys.argv[1] == "console":
        console(int(sys.argv[2]))
    else:
        EmptyApp(int(sys.argv[2]), int(sys.argv[3])).run()
