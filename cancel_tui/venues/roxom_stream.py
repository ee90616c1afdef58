"""Roxom: the stream of account events, in both shapes and both generations. Hints only, without a snapshot.

Public pages: https://docs.roxom.com/reference/websocket/connection, /account and /orders. How the venue wants
to be kept alive could not be read there: protocol pings are answered by every WebSocket, and a ping of the
venue's own, in whatever words, is answered in the same words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cancel_tui.clock import Clock
from cancel_tui.orders import Order, OrderStatus, VenueName, altered
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings
from cancel_tui.venues import decode
from cancel_tui.venues.base import CallClass, Reply
from cancel_tui.venues.decode import Unreadable
from cancel_tui.venues.dialogue import REREAD, Turn, converse, opened, said
from cancel_tui.venues.feed import Heard, Tell
from cancel_tui.venues.outcome import Failure, Reason, Refused, Unanswered, Unauthorised
from cancel_tui.venues.pulse import Pulse
from cancel_tui.venues.roxom_rows import bare, order_of, scrubbed
from cancel_tui.venues.streams import TextStream

CHANNEL = "orders"
HANDSHAKE = "GET:/ws"
"""The text that the handshake is signed over, whatever the address."""
RHYTHM = 20.0
"""Seconds; the venue speaks of ping and pong without a number."""
REMEMBERED = 5_000
"""Orders whose latest event time is kept."""

_SUBSCRIBE = Secret.around(json.dumps({"op": "subscribe", "args": [{"channel": CHANNEL}]}))
_NAMES = {
    "orderId": "id",
    "orderSize": "qty",
    "remainingQty": "size",
    "executedQty": "amountFilled",
    "limitPrice": "px",
    "orderType": "type",
    "timestamp": "updatedAt",
}
"""An event's names, and what the same is called in a list."""
_PINGS = ("op", "event", "type")
_CREDENTIALS = "600010"
_OURS = frozenset({"60014", "60015", "60016", "60017", "60018"})
"""Errors about what we have sent: channel, symbol, number of subscriptions, JSON, binary."""
_OTHERS = frozenset({"balance", "balances", "position", "positions"})


class Events:
    """Understands the messages of one account's stream."""

    def __init__(self, venue: VenueName, unit: str) -> None:
        self._venue = venue
        self._unit = unit
        self._latest: dict[str, float] = {}

    def understand(self, text: str) -> Turn:
        """What one message means; never raises. What is not documented is a reason to look."""
        if text.strip().lower() in ("ping", "pong"):
            return Turn(answer=Secret.around("pong") if text.strip().lower() == "ping" else None)
        try:
            frame = decode.table(decode.decode(text.encode("utf-8", "replace")))
        except Unreadable:
            return REREAD
        for name in _PINGS:
            word = bare(decode.text(frame, name))
            if word in ("ping", "pong"):
                return Turn(
                    answer=Secret.around(json.dumps({**frame, name: "pong"})) if word == "ping" else None
                )
        if "event" in frame:
            return self._answer(frame)
        inner = frame.get("data")
        if decode.text(frame, "type") is None and isinstance(inner, dict) and "type" in inner:
            # An old sample has the whole event one level deeper.
            frame = inner
        kind = bare(decode.text(frame, "type"))
        if kind in ("order", "orders"):
            return self._order(frame)
        return Turn() if kind in _OTHERS else REREAD

    def _answer(self, frame: Mapping[str, Any]) -> Turn:
        event, code = bare(decode.text(frame, "event")), decode.text(frame, "code")
        argument = frame.get("arg")
        channel = decode.text(argument if isinstance(argument, dict) else {}, "channel")
        if event == "subscribe" and code in (None, "0"):
            return Turn(Heard(ready=channel in (None, CHANNEL)))
        if event == "unsubscribe":
            return Turn(over=Unanswered("the venue ended the subscription"))
        if event not in ("error", "subscribe"):
            return REREAD
        words = scrubbed(said(": ".join(one for one in (code, decode.text(frame, "msg")) if one)))
        if code == _CREDENTIALS:
            return Turn(over=Unauthorised(words, 401))
        if code in _OURS:
            return Turn(over=Refused(Reason.REQUEST, words))
        return Turn(over=Unanswered("the venue reports a fault of its own", words))

    def _order(self, frame: Mapping[str, Any]) -> Turn:
        event = frame.get("data")
        row = event if isinstance(event, dict) else frame
        named = {_NAMES.get(name, name): value for name, value in row.items()}
        order = order_of(self._venue, named)
        if order is None:
            return REREAD
        if not self._newest(order):
            return Turn()
        if self._unit != "btc":
            # Events do not say their unit; all samples are in BTC.
            order = altered(order, price=None, trigger_price=None)
        return Turn(Heard((order,), reread=order.status is OrderStatus.UNKNOWN))

    def _newest(self, order: Order) -> bool:
        """Whether no later event of this order has come before; lists carry no time to compare with."""
        order_id, at = order.key.order_id, order.updated_at
        if at is None:
            return True
        latest = self._latest.pop(order_id, at)
        self._latest[order_id] = max(latest, at)
        if len(self._latest) > REMEMBERED:
            del self._latest[next(iter(self._latest))]
        return at >= latest


class EventStream:
    """Gets in by a signed handshake, and listens."""

    def __init__(
        self,
        settings: VenueSettings,
        clock: Clock,
        headers: Callable[[], tuple[tuple[str, str], ...]],
        classify: Callable[[CallClass, Reply], Failure | None],
    ) -> None:
        self._url = Secret(settings.socket_url("/ws"))
        self._clock = clock
        self._headers = headers
        self._classify = classify
        self._events = Events(VenueName(settings.name), settings.unit)
        self.pulse = Pulse(RHYTHM)

    async def listen(self, tell: Tell, timeout: float) -> Failure:
        """One connection."""
        self.pulse.begin()
        stream = await opened(self._url, self._classify, timeout, self._headers())
        if not isinstance(stream, TextStream):
            return stream
        return await converse(
            stream, self.pulse, self._clock, tell, self._events.understand, first=_SUBSCRIBE
        )
