"""Socket.IO packets without any connection of their own: the codec of python-socketio over a text stream.

Protocol: https://github.com/socketio/engine.io-protocol (version 4) below and
https://github.com/socketio/socket.io-protocol (version 5) above, as one text per WebSocket message. Only the
codec of the library is used: its clients bring a network library that we do not want, log what they send,
and connect again by themselves.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import msgspec

from cancel_tui.text import VenueText
from cancel_tui.venues.decode import Unreadable, complaint, decode, epoch
from cancel_tui.venues.streams import socket_io_packets

engine, events = socket_io_packets()

QUERY = "EIO=4&transport=websocket"
"""Asks for a WebSocket at once, without the long polls that the protocol begins with otherwise."""
PONG = str(engine.PONG)
"""Answers a ping of the server."""


def _loads(text: str) -> Any:
    """JSON with fractions as decimals; raises ValueError, as the codec expects it, for what is none."""
    try:
        return decode(text.encode("utf-8", "replace"))
    except Unreadable as why:
        raise ValueError(str(why)) from None


_EXACT = SimpleNamespace(loads=_loads, dumps=json.dumps)


class Opened(msgspec.Struct, frozen=True):
    """The server's greeting."""

    ping_seconds: float | None
    """It says something at least this often; None where it does not tell."""


class Ping(msgspec.Struct, frozen=True):
    """The server asks whether we are there."""


class Connected(msgspec.Struct, frozen=True):
    """The namespace is open."""


class Refused(msgspec.Struct, frozen=True):
    """The namespace is not opened to us."""

    message: VenueText | None


class Left(msgspec.Struct, frozen=True):
    """The server ended the namespace or the connection."""


class Event(msgspec.Struct, frozen=True):
    """Something was said in a namespace."""

    values: tuple[Any, ...]
    """What came with the event's name, whatever that was."""


class Other(msgspec.Struct, frozen=True):
    """Nothing that concerns orders: an acknowledgement, a no-operation."""


Frame = Opened | Ping | Connected | Refused | Left | Event | Other


def connect(namespace: str) -> str:
    """The text that asks for a namespace."""
    return _message(events.Packet(events.CONNECT, namespace=namespace))


def emit(namespace: str, name: str, value: object) -> str:
    """The text of an event."""
    return _message(events.Packet(events.EVENT, data=[name, value], namespace=namespace))


def parse(text: str) -> Frame:
    """One text of the server; raises Unreadable for what is none of the protocol."""
    outer = engine.Packet()
    outer.json = _EXACT
    try:
        outer.decode(text)
        if outer.packet_type != engine.MESSAGE or not isinstance(outer.data, str):
            return _engine_frame(outer.packet_type, outer.data)
        inner = events.Packet()
        inner.json = _EXACT
        inner.decode(outer.data)
    except (ValueError, IndexError, TypeError, RecursionError):
        raise Unreadable("no Socket.IO packet") from None
    return _event_frame(inner.packet_type, inner.data)


def _engine_frame(kind: int, data: object) -> Frame:
    if kind == engine.OPEN:
        found = epoch(data.get("pingInterval"), 1e-3) if isinstance(data, dict) else None
        return Opened(found)
    if kind == engine.PING:
        return Ping()
    if kind == engine.CLOSE:
        return Left()
    if kind in (engine.PONG, engine.NOOP):
        return Other()
    raise Unreadable("a packet of no known type")


def _event_frame(kind: int, data: object) -> Frame:
    if kind == events.CONNECT:
        return Connected()
    if kind == events.DISCONNECT:
        return Left()
    if kind == events.CONNECT_ERROR:
        return Refused(complaint(json.dumps(data, default=str).encode()))
    if kind == events.EVENT and isinstance(data, list):
        return Event(tuple(data[1:]))
    if kind == events.ACK:
        return Other()
    raise Unreadable("a packet that nobody can read")


def _message(packet: Any) -> str:
    return str(engine.Packet(engine.MESSAGE, data=packet.encode()).encode())
