"""A text WebSocket that answers in values: what went wrong is returned, never raised, and names no address.

With `wire.py` the only place that knows a network library. No proxy, no compression, no redirect, no header
that tells who we are; TLS as everywhere else. Stream addresses may carry tokens, so an address is a
`Secret`, and the library gets a logger that says nothing (it would write the request line).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.datastructures import HeadersLike
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.frames import DATA_OPCODES, Frame
from websockets.http11 import Response
from websockets.protocol import Event

from cancel_tui.redaction import Secret
from cancel_tui.venues.base import Raw, Reply
from cancel_tui.venues.outcome import NotSent, Unanswered
from cancel_tui.venues.tls import prepare, why

LARGEST = 4 * 1024 * 1024
"""Bytes of one message, unless the caller knows that its venue sends longer ones."""
PIECES = 1024
"""Fragments of one message; empty ones would never reach the largest size."""
_CLOSE_SECONDS = 1.0

_SILENT = logging.getLogger("cancel_tui.venues.streams.silent")
_SILENT.disabled = True


class Closed(msgspec.Struct, frozen=True):
    """The connection is over; nothing more can be sent or received."""

    reason: str
    """In our words, without addresses or secrets."""
    code: int | None = None
    """The peer's close code (RFC 6455 7.4), where it sent one."""


class _NoUpgrade(Exception):
    """Carries what the opening handshake came to past the library, which would follow a redirect."""

    def __init__(self, raw: Raw) -> None:
        super().__init__("no upgrade")
        self.raw = raw


class _Connection(ClientConnection):
    """The library's connection, with a handshake whose every refusal is final, and bounds on fragments."""

    _pieces = 0
    _ending = False

    async def handshake(
        self, additional_headers: HeadersLike | None = None, user_agent_header: str | None = None
    ) -> None:
        """Ask for the upgrade once; raises `_NoUpgrade` for any answer but the upgrade."""
        try:
            await super().handshake(additional_headers, user_agent_header)
        except InvalidStatus as refusal:
            raise _NoUpgrade(_reply(refusal.response)) from None
        except (WebSocketException, OSError, EOFError, ValueError):
            raise _NoUpgrade(Unanswered("no usable answer to the WebSocket upgrade")) from None

    def data_received(self, data: bytes) -> None:
        """Take bytes; called by asyncio. Who said goodbye, or broke the protocol, may not linger."""
        super().data_received(data)
        if self.protocol.close_expected() and not self._ending:
            # The library waits for the peer's end of the connection, which need not come.
            self._ending = True
            self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)

    def process_event(self, event: Event) -> None:
        """Take a frame, unless its message comes in too many; called by the library."""
        if isinstance(event, Frame) and event.opcode in DATA_OPCODES:
            self._pieces = 0 if event.fin else self._pieces + 1
            if self._pieces > PIECES:
                self.transport.abort()
                return
        super().process_event(event)


class TextStream:
    """One open connection. One task may receive while others send."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, text: str) -> Closed | None:
        """Send one text message; None when it was handed to the network."""
        try:
            await self._connection.send(text)
        except (WebSocketException, OSError, ValueError) as error:
            return _closed(error)
        return None

    async def receive(self) -> str | Closed:
        """Wait for the next message. Cancelling the wait loses nothing."""
        try:
            message = await self._connection.recv()
        except (WebSocketException, OSError, EOFError, ValueError) as error:
            return _closed(error)
        return message if isinstance(message, str) else message.decode("utf-8", "replace")

    async def ping(self) -> Closed | None:
        """Send a protocol ping and wait for its pong, however long that takes; None once it is there."""
        try:
            await (await self._connection.ping())
        except (WebSocketException, OSError, ValueError) as error:
            return _closed(error)
        return None

    async def close(self) -> None:
        """Say goodbye, wait a second at most, and let go of the socket whatever happens."""
        try:
            with suppress(WebSocketException, OSError):
                await self._connection.close()
        finally:
            self._connection.transport.abort()


async def open_stream(
    url: Secret, *, timeout: float, headers: Sequence[tuple[str, str]] = (), largest: int = LARGEST
) -> TextStream | Raw:
    """Open a WebSocket, once.

    `timeout` is in seconds, for everything up to the upgrade. A `Reply` is the venue's refusal of the
    upgrade (401, 403, a redirect); `NotSent` means that the upgrade request did not leave.
    """
    address = url.reveal()  # the library needs it
    secured: dict[str, Any] = {"ssl": await prepare()} if address.startswith("wss://") else {}
    try:
        connection = await connect(
            address,
            additional_headers=list(headers),
            user_agent_header=None,
            proxy=None,
            compression=None,
            open_timeout=timeout,
            ping_interval=None,
            close_timeout=_CLOSE_SECONDS,
            max_size=largest,
            logger=_SILENT,
            create_connection=_Connection,
            **secured,
        )
    except _NoUpgrade as refusal:
        return refusal.raw
    except TimeoutError:
        return Unanswered(f"no WebSocket within {timeout:g} s")
    except OSError as error:
        return NotSent(why(error))
    except (WebSocketException, ValueError, EOFError):
        return NotSent("an address that no WebSocket can be opened to")
    return TextStream(connection)


_BROKEN = {1000: "closed by us", 1007: "a message that is no text", 1009: "a message longer than allowed"}


def _reply(response: Response) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.raw_items()}
    return Reply(response.status_code, headers, bytes(response.body or b""))


def _closed(error: Exception) -> Closed:
    if not isinstance(error, ConnectionClosed):
        return Closed(f"connection failed ({type(error).__name__})")
    if error.sent is not None and not error.rcvd_then_sent:
        return Closed(_BROKEN.get(error.sent.code, "the peer broke the protocol"))
    if error.rcvd is not None:
        return Closed(f"closed by the venue (code {error.rcvd.code})", error.rcvd.code)
    return Closed("connection lost")


def socket_io_packets() -> tuple[Any, Any]:
    """The packets of Engine.IO and of Socket.IO, from the codec of python-socketio; opens nothing.

    Loaded when it is asked for: the library brings its clients along, which nobody here uses.
    """
    from engineio import packet as engine
    from socketio import packet as events

    return engine, events
