"""What a venue's push stream says, in the vocabulary: hints for the screen, never a proof. No I/O.

An adapter that can listen offers `Listens`. It opens, authenticates, subscribes, keeps the connection alive
and turns each message into `Heard`; when to connect, when a connection counts as dead, what to re-read and
what to believe is decided once, by the desk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import msgspec

from cancel_tui.orders import Order
from cancel_tui.venues.base import Port
from cancel_tui.venues.outcome import Failure


class Heard(msgspec.Struct, frozen=True):
    """What one message said. An empty one is a sign of life: a heartbeat, an answer to a ping."""

    orders: tuple[Order, ...] = ()
    """Orders as the message describes them; what it leaves out is None."""
    reread: bool = False
    """Something happened that only a list can tell."""
    ready: bool = False
    """The subscription stands; whatever happened before it will not be told."""


ALIVE = Heard()
"""A mere sign of life."""

Tell = Callable[[Heard], None]
"""Takes what was heard, at once and without waiting."""


@runtime_checkable
class Listens(Protocol):
    """What a venue with a push stream of orders offers."""

    @property
    def rhythm(self) -> float:
        """Seconds within which a living stream says something: data, or an answer to our ping."""
        ...

    async def listen(self, port: Port, tell: Tell) -> Failure:
        """Listen until the connection is over, and return why it is.

        A venue that refuses the subscription is `Unauthorised` or `Refused`; anything else is tried again.
        Cancelling it closes the connection.
        """
        ...
