"""The server side of a SignalR hub, JSON protocol version 1, over an accepted WebSocket.

Follows https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md: a handshake
first, every message ended by 0x1E however the frames are cut, message types 1 to 7. A hub here only streams:
whoever asks for a stream (type 4) gets items (type 2) until it cancels (type 5) or the hub ends it (type 3).

`HubSwitches.coalesce` makes the framing awkward, as busy servers and proxies do: a ping and the messages
share one frame, and every other time the last message is cut over two frames.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from cancel_tui.clock import Clock
from cancel_tui.practice.http import Socket
from cancel_tui.practice.pushes import pieces

SEPARATOR = "\x1e"
"""Ends every message."""

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_INVOCATION, _ITEM, _COMPLETION, _STREAM, _CANCEL, _PING, _CLOSE = range(1, 8)
_LONGEST_TICK = 1.0


@dataclass(eq=False)
class HubSwitches:
    """How a hub behaves; may be changed at any time."""

    coalesce: bool = False
    """Let messages share frames and cut them, see the module's text."""
    handshake_error: str | None = None
    """Refuse every handshake with this text."""
    mute: bool = False
    """Send no pings and enforce no client timeout: a half-dead server."""
    ping_seconds: float = 15.0
    """Silence after which the hub pings; the framework's default."""
    client_timeout: float | None = 30.0
    """Silence of a client after which it is dropped; the framework's default, None for never."""


class _ProtocolError(Exception):
    """The client broke the protocol; the connection ends with this text."""


class Stream:
    """One subscription of one connection, from its type 4 message to its end."""

    def __init__(self, connection: Connection, invocation: str, target: str, arguments: list[Any]) -> None:
        self.connection = connection
        self.invocation = invocation
        self.target = target
        self.arguments = arguments
        self.items = 0
        """How many items have been sent."""

    def push(self, item: object) -> None:
        """Send one item; ignored once the stream is over. `Decimal` values travel as JSON numbers."""
        if self.connection.streams.get(self.invocation) is self:
            self.items += 1
            self.connection.send({"type": _ITEM, "invocationId": self.invocation, "item": item})

    def end(self, error: str | None = None) -> None:
        """Send the completion, with an error or without; nothing follows for this invocation."""
        if self.connection.streams.pop(self.invocation, None) is self:
            self.connection.complete(self.invocation, error)


class Connection:
    """One client that has a WebSocket; it speaks hub protocol after its handshake."""

    def __init__(self, hub: Hub, socket: Socket, tag: str) -> None:
        self._hub = hub
        self._socket = socket
        self.tag = tag
        """What the venue wants to remember of the upgrade, such as the access token."""
        self.streams: dict[str, Stream] = {}
        self._used: set[str] = set()
        self._ready = False
        self._over = False
        self._cut = False
        self._quiet_out = 0.0
        self._quiet_in = 0.0

    async def run(self) -> None:
        """Speak until either side is done."""
        buffer = ""
        try:
            while (text := await self._socket.incoming.get()) is not None:
                self._quiet_in = 0.0
                *messages, buffer = (buffer + text).split(SEPARATOR)
                for message in messages:
                    if not self._over:
                        self._take(message)
        except _ProtocolError as broken:
            self.close(str(broken), allow_reconnect=False)
        finally:
            self._over = True
            self.streams.clear()

    def send(self, *messages: Mapping[str, object]) -> None:
        """Send messages, framed as the hub says; ignored once the connection is over."""
        if self._over or self._socket.closed:
            return
        self._quiet_out = 0.0
        texts = [_ENCODER.encode(message).decode() + SEPARATOR for message in messages]
        if not self._hub.switches.coalesce:
            for text in texts:
                self._socket.send(*(pieces(text) if self._hub.strikes("stream_pieces") else (text,)))
            return
        if self._ready:
            texts.insert(0, f'{{"type":{_PING}}}{SEPARATOR}')
        frame = "".join(texts)
        cut = len(frame) - len(texts[-1]) // 2 if self._cut else len(frame)
        self._cut = not self._cut
        for part in (frame[:cut], frame[cut:]):
            if part:
                self._socket.send(part)

    def complete(self, invocation: str, error: str | None) -> None:
        """Send a type 3 message."""
        message: dict[str, object] = {"type": _COMPLETION, "invocationId": invocation}
        if error is not None:
            message["error"] = error
        self.send(message)

    def close(self, error: str | None = None, *, allow_reconnect: bool = True) -> None:
        """Send a type 7 message, then end the session; the WebSocket closes in good order."""
        message: dict[str, object] = {"type": _CLOSE, "allowReconnect": allow_reconnect}
        if error is not None:
            message["error"] = error
        self.send(message)
        self._leave()

    def abort(self) -> None:
        """Drop the line without a word."""
        self._over = True
        self._socket.abort()

    def freeze(self) -> None:
        """Say nothing any more, not even a pong, and leave the line open."""
        self._socket.frozen = True

    def tick(self, seconds: float) -> None:
        """Count silence in both directions: ping an idle client, give up on a silent one."""
        self._quiet_out += seconds
        self._quiet_in += seconds
        if self._hub.strikes("stream_freezes"):
            self.freeze()
        if self._over or not self._ready or self._hub.switches.mute:
            return
        timeout = self._hub.switches.client_timeout
        if timeout is not None and self._quiet_in >= timeout:
            self.close(f"Client timeout ({timeout:g} s) elapsed without a message.")
        elif self._quiet_out >= self._hub.switches.ping_seconds:
            self.send({"type": _PING})

    def _leave(self) -> None:
        self._over = True
        self._socket.incoming.put_nowait(None)

    def _take(self, text: str) -> None:
        if self._hub.strikes("stream_mute"):
            return
        try:
            message = json.loads(text)
        except ValueError:
            raise _ProtocolError("Error reading JSON.") from None
        if not isinstance(message, dict):
            raise _ProtocolError("Unexpected JSON token, expected an object.")
        if not self._ready:
            self._shake_hands(message)
            return
        kind = str(message.get("type", ""))
        if kind == str(_STREAM):
            self._open(message)
        elif kind == str(_CANCEL):
            stream = self.streams.get(str(message.get("invocationId")))
            if stream is not None:
                stream.end()
        elif kind == str(_INVOCATION):
            if isinstance(message.get("invocationId"), str):
                self.complete(message["invocationId"], "This hub streams only; it takes no commands.")
        elif kind == str(_CLOSE):
            self._leave()
        elif kind not in (str(_PING), str(_ITEM), str(_COMPLETION)):
            raise _ProtocolError(f"Unknown message type {kind or 'missing'}.")

    def _shake_hands(self, message: dict[str, Any]) -> None:
        protocol, error = message.get("protocol"), self._hub.switches.handshake_error
        if not isinstance(protocol, str) or "version" not in message:
            error = "Expected a handshake request as the first message."
        elif protocol != "json" or message["version"] != 1:
            error = f"Requested protocol '{protocol}' version {message['version']} is not available."
        if error:
            self.send({"error": error})
            self._leave()
            return
        self.send({})
        self._ready = True

    def _open(self, message: dict[str, Any]) -> None:
        invocation, target = message.get("invocationId"), message.get("target")
        arguments = message.get("arguments")
        if not isinstance(invocation, str) or not isinstance(target, str) or not isinstance(arguments, list):
            raise _ProtocolError("Missing or malformed invocationId, target or arguments.")
        if invocation in self._used:
            raise _ProtocolError(f"Invocation ID '{invocation}' has been used before.")
        self._used.add(invocation)
        stream = self.streams[invocation] = Stream(self, invocation, target, arguments)
        error = self._hub.opened(stream)
        if error is not None:
            stream.end(error)


class Hub:
    """All connections of one hub.

    `opened` is told of each new stream; it may push at once, or refuse by returning an error text. `strikes`
    tells whether a fault of a name hits now.
    """

    def __init__(
        self,
        clock: Clock,
        switches: HubSwitches,
        opened: Callable[[Stream], str | None],
        strikes: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._clock = clock
        self.switches = switches
        self.opened = opened
        self.strikes = strikes
        self.connections: list[Connection] = []
        self._ticked = clock.monotonic()

    async def session(self, socket: Socket, tag: str = "") -> None:
        """Serve one accepted WebSocket until it is over."""
        connection = Connection(self, socket, tag)
        self.connections.append(connection)
        try:
            await connection.run()
        finally:
            self.connections.remove(connection)

    def streams(self) -> Iterator[Stream]:
        """Every open stream of every connection."""
        for connection in list(self.connections):
            yield from list(connection.streams.values())

    def tick(self) -> None:
        """Do what is due by time. A jump of the clock counts as one second only: nobody could speak in it."""
        now = self._clock.monotonic()
        passed, self._ticked = now - self._ticked, now
        for connection in list(self.connections):
            connection.tick(min(passed, _LONGEST_TICK))
