"""P99 / ZTDX spot: the private order stream. Hints only; the venue promises no message and sends no snapshot.

Public pages: https://docs.ztdx.io/spot/market-ws/websocket-general, /spot/user-ws/user-orders and
https://docs.p99.world/auth. A message has no `created_at` and times in whole seconds; which of two of one
second is newer is for the desk's rule.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from cancel_tui.clock import Clock
from cancel_tui.orders import OrderStatus, VenueName
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings
from cancel_tui.venues import decode
from cancel_tui.venues.base import CallClass, Port, Reply
from cancel_tui.venues.decode import Unreadable
from cancel_tui.venues.dialogue import REREAD, Turn, converse, opened, regularly, said
from cancel_tui.venues.feed import Heard, Tell
from cancel_tui.venues.outcome import (
    Answered,
    Failure,
    Outcome,
    Reason,
    Refused,
    Unanswered,
    Unauthorised,
)
from cancel_tui.venues.p99_rows import order_of
from cancel_tui.venues.pulse import Pulse
from cancel_tui.venues.streams import TextStream

CHANNEL = "spot:user:orders"
PING_SECONDS = 30.0
"""How often the venue wants to be pinged: https://docs.ztdx.io/spot/market-ws/websocket-general."""
EXTEND_SECONDS = 1800.0
"""A listen key lasts an hour; half of that leaves room for a try that fails."""

_SUBSCRIBE = Secret.around(json.dumps({"type": "subscribe", "channel": CHANNEL}))
_PING = json.dumps({"type": "ping"})
_PONG = Secret.around(json.dumps({"type": "pong"}))
_CREDENTIALS = frozenset({"unauthorized", "unauthenticated", "auth_failed", "auth_required", "token_expired"})


def understand(venue: VenueName, text: str) -> Turn:
    """What one message means; never raises. What is not documented is a reason to look."""
    try:
        frame = decode.table(decode.decode(text.encode("utf-8", "replace")))
    except Unreadable:
        return REREAD
    kind = (decode.text(frame, "type") or "").lower()
    if kind == "spot_user_order":
        return _order(venue, frame)
    if kind in ("pong", "spot_user_balance"):
        return Turn()
    if kind == "ping":
        return Turn(answer=_PONG)
    if kind == "auth_result":
        if decode.flag(frame, "success") is True:
            return Turn(answer=_SUBSCRIBE)
        return Turn(over=Unauthorised(_words(frame), 401))
    if kind == "subscribed":
        return Turn(Heard(ready=decode.text(frame, "channel") == CHANNEL))
    if kind == "unsubscribed":
        return Turn(over=Unanswered("the venue ended the subscription", _words(frame)))
    return _error(frame) if kind == "error" else REREAD


def _order(venue: VenueName, frame: dict[str, Any]) -> Turn:
    order = order_of(venue, frame.get("data"))
    if order is None:
        return REREAD
    return Turn(Heard((order,), reread=order.status is OrderStatus.UNKNOWN))


def _error(frame: dict[str, Any]) -> Turn:
    """The socket stays open after an error, but nothing that we ask for is one of those."""
    code = (decode.text(frame, "code") or "").lower()
    if code in _CREDENTIALS:
        return Turn(over=Unauthorised(_words(frame), 401))
    return Turn(over=Refused(Reason.REQUEST, _words(frame)))


def _words(frame: dict[str, Any]) -> Any:
    found = [decode.text(frame, name) for name in ("code", "message", "msg", "error")]
    return said(": ".join(one for one in found if one))


class OrderStream:
    """Gets in with a JWT or with a listen key, and listens."""

    def __init__(
        self,
        settings: VenueSettings,
        clock: Clock,
        jwt: Secret | None,
        listen_key: Callable[[Port, str], Awaitable[Outcome[Secret]]],
        classify: Callable[[CallClass, Reply], Failure | None],
    ) -> None:
        self._url = Secret(settings.socket_url("/ws"))
        self._name = VenueName(settings.name)
        self._clock = clock
        self._jwt = jwt
        self._listen_key = listen_key
        self._classify = classify
        self.pulse = Pulse(PING_SECONDS)

    async def listen(self, port: Port, tell: Tell, timeout: float, lifetime: float | None) -> Failure:
        """One connection; `lifetime` is in how many seconds the JWT ends, None where nobody knows."""
        self.pulse.begin()
        hello = await self._hello(port)
        if not isinstance(hello, Secret):
            return hello
        stream = await opened(self._url, self._classify, timeout)
        if not isinstance(stream, TextStream):
            return stream
        beside = [regularly(stream, self._clock, _PING, PING_SECONDS)]
        if self._jwt is None:
            beside.append(self._extending(port))
        elif lifetime is not None and lifetime > 0:
            beside.append(self._ending(lifetime))
        return await converse(
            stream,
            self.pulse,
            self._clock,
            tell,
            lambda text: understand(self._name, text),
            first=hello,
            beside=beside,
        )

    async def _hello(self, port: Port) -> Secret | Failure:
        """The frame that says who we are."""
        if self._jwt is not None:
            return Secret.around(
                json.dumps({"type": "auth_token", "token": self._jwt.reveal()})
            )  # to be sent
        key = await self._listen_key(port, "POST")
        if not isinstance(key, Answered):
            return key
        return Secret.around(json.dumps({"type": "auth", "listenKey": key.value.reveal()}))  # to be sent

    async def _extending(self, port: Port) -> Failure:
        """An open socket is said to extend the key by itself; asking for it costs next to nothing."""
        while True:
            await self._clock.sleep(EXTEND_SECONDS)
            await self._listen_key(port, "PUT")

    async def _ending(self, lifetime: float) -> Failure:
        """What a stream tells past the end of its JWT is not documented: it has to let us in again."""
        await self._clock.sleep(lifetime)
        return Unanswered("the jwt has come to its end")
