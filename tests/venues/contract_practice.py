"""The contract suite's ground for a practice venue: its book is the truth, its fault names the mischief."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import pytest

from cancel_tui.clock import Clock
from cancel_tui.orders import AccountId, Family, OrderId, OrderKey, OrderStatus, VenueName
from cancel_tui.practice.http import Answer, Handler, Request, Response
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.practice.venue import Plan, PracticeVenue
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings
from cancel_tui.venues.base import Venue
from cancel_tui.venues.registry import make_venue
from tests.venues.contract import VenueContract
from tests.venues.contract_ground import Fact

P = TypeVar("P", bound=PracticeVenue)


class PracticeContract(VenueContract[P]):
    """Everything but the placing of orders, which each venue has its own rules for."""

    pending_new: ClassVar[OrderStatus] = OrderStatus.OPEN
    """What an order is called that the venue has taken and not acknowledged."""
    leaving: ClassVar[OrderStatus] = OrderStatus.PENDING_CANCEL
    """What an order is called whose cancel has not come into effect."""
    lapsing: ClassVar[OrderStatus] = OrderStatus.PENDING_CANCEL
    """The same of an expiry."""
    expired: ClassVar[OrderStatus] = OrderStatus.EXPIRED
    routes: ClassVar[Mapping[str, str]] = {}
    """Under which name the server's faults know a question, where it is another one."""
    _honest: Handler | None = None

    def plan(self, orders: int) -> Plan:
        """Without limits: the port of the suite does not pace. Cancels of two phases take a second."""
        return Plan(orders=orders, cancel_delay=1.0, enforce_limits=False)

    def make_adapter(
        self, server: P, clock: Clock, credentials: Mapping[str, str] | None = None, **changes: Any
    ) -> Venue:
        """The adapter of the server's kind, from the registry."""
        values: dict[str, Any] = {"name": server.name, "kind": server.kind, "base_url": server.base_url}
        given = self.credentials(server) if credentials is None else credentials
        secrets = {name: Secret(value) for name, value in given.items()}
        return make_venue(VenueSettings(**{**values, **changes}), secrets, clock)

    def credentials(self, server: P) -> Mapping[str, str]:
        """The throw-away keys of this run."""
        return server.credentials()

    # What the server knows

    def key_of(self, server: P, order: SimOrder) -> OrderKey:
        """The key that the adapter should give an order."""
        return OrderKey(VenueName(server.name), self.account_of(order), Family.ORDER, OrderId(order.id))

    def account_of(self, order: SimOrder) -> AccountId | None:
        """The account in an order's key: none where ids need none."""
        return None

    def is_mine(self, order: SimOrder) -> bool:
        """Whether the caller may see an order at all."""
        return True

    def status_of(self, order: SimOrder) -> OrderStatus:
        """The contract's word for a state, as far as the venue's words can tell it."""
        over = {
            State.FILLED: OrderStatus.FILLED,
            State.TRIGGERED: OrderStatus.FILLED,
            State.CANCELLED: OrderStatus.CANCELED,
            State.EXPIRED: self.expired,
            State.REJECTED: OrderStatus.REJECTED,
        }
        waiting = {
            State.PENDING: self.pending_new,
            State.LEAVING: self.leaving,
            State.LAPSING: self.lapsing,
        }
        if not order.state.live:
            return over[order.state]
        status = waiting.get(order.state, OrderStatus.OPEN)
        return OrderStatus.PARTIALLY_FILLED if status is OrderStatus.OPEN and order.filled else status

    def _facts(self, server: P, *, live: bool) -> dict[OrderKey, Fact]:
        server.book.settle()
        return {
            self.key_of(server, order): Fact(
                order.symbol, order.side, order.quantity, order.filled, self.status_of(order)
            )
            for order in server.book.orders.values()
            if order.state.live is live and self.is_mine(order)
        }

    def live(self, server: P) -> dict[OrderKey, Fact]:
        """Straight from the book."""
        return self._facts(server, live=True)

    def ended(self, server: P) -> dict[OrderKey, Fact]:
        """Straight from the book."""
        return self._facts(server, live=False)

    def details(self, server: P, key: OrderKey) -> Mapping[str, object]:
        """What all venues tell, and what `tells` adds."""
        order = self.order_of(server, key)
        return {
            "remaining": order.remaining,
            "price": order.price,
            "average_price": order.average if order.filled else None,
            "created_at": pytest.approx(order.created, abs=1.0),
            "updated_at": pytest.approx(order.updated, abs=1.0),
            **self.tells(server, order),
        }

    @abstractmethod
    def tells(self, server: P, order: SimOrder) -> Mapping[str, object]:
        """The fields that only this venue has, or has in its own way."""

    def arrivals(self, server: P) -> int:
        """As the server counts them."""
        return server.server.requests

    # How orders come and go

    def order_of(self, server: P, key: OrderKey) -> SimOrder:
        """The order behind a key."""
        return server.book.orders[key.order_id]

    def finish(self, server: P, key: OrderKey, status: OrderStatus) -> None:
        """As the market would."""
        order = self.order_of(server, key)
        if status is OrderStatus.FILLED:
            server.book.fill(order)
        else:
            server.book.change(order, State.CANCELLED)

    def rename(self, server: P, key: OrderKey, text: str) -> None:
        """Whatever the venue's markets are."""
        self.order_of(server, key).symbol = text

    def renumber(self, server: P, key: OrderKey, order_id: str) -> OrderKey:
        """In the book as well."""
        order = server.book.orders.pop(key.order_id)
        order.id = order_id
        server.book.orders[order_id] = order
        return key._replace(order_id=OrderId(order_id))

    def every_state(self, server: P, states: Sequence[State]) -> None:
        """Spread the live states over a crowd; what leaves or lapses does so after the test."""
        for index, order in enumerate(server.book.live()):
            if index % 9 == 4:
                order.state = states[index % len(states)]

    # How the server misbehaves

    def spoil(self, server: P, fault: str, asks: Sequence[str]) -> None:
        """Add the fault for the routes of these questions; without any, everywhere."""
        server.faults |= {f"{fault}@{self.routes.get(ask, ask)}" for ask in asks} or {fault}

    def mend(self, server: P) -> None:
        """Back to good manners."""
        server.faults.clear()
        if self._honest is not None:
            server.server.handler = self._honest

    def answer_with(self, server: P, status: int, body: bytes) -> None:
        """Whatever is asked."""

        async def answer(_request: Request) -> Answer:
            return Response(status, body, (("content-type", "application/json"),))

        self._honest = self._honest or server.server.handler
        server.server.handler = answer
