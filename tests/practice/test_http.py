"""The practice venues' own server: a client that leaves breaks nothing."""

from __future__ import annotations

from typing import Any, cast

import pytest
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from cancel_tui.practice.http import Socket


class Written:
    """Stands in for a stream writer."""

    transport = None

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


@pytest.mark.parametrize("goodbye", ["theirs", "ours"])
def test_whoever_said_goodbye_is_told_nothing_more(goodbye: str) -> None:
    protocol, written = ServerProtocol(state=OPEN), Written()
    socket = Socket(protocol, cast("Any", written))
    socket.send("one", " two")
    assert b"one" in written.data
    if goodbye == "ours":
        socket.close()
    else:
        protocol.receive_data(b"\x88\x82\0\0\0\0\x03\xe8")
        socket.flush()
    told = written.data
    socket.send("three")
    socket.ping()
    socket.close()
    assert written.data == told
