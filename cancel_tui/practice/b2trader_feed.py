"""The practice B2TRADER's `OpenOrders` stream: a full first item, then an item after changes.

Whether later items are full lists is not documented by the venue, so every reading can be switched on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from cancel_tui.practice.b2trader_switches import Switches
from cancel_tui.practice.b2trader_wire import Wire
from cancel_tui.practice.market import Book, SimOrder
from cancel_tui.practice.mischief import strikes
from cancel_tui.practice.pushes import Outlet
from cancel_tui.practice.shown import Shown
from cancel_tui.practice.signalr import Hub, Stream

_SECONDS_PER_ORDER = 0.0002


class Feed:
    """Watches a book and pushes to the hub's `OpenOrders` streams.

    Changes are gathered: the first is pushed at once, later ones when `push_spacing` has passed (more
    for long lists), which needs somebody to call `flush`.
    """

    def __init__(
        self, book: Book, wire: Wire, accounts: Iterable[str], switches: Switches, shown: Shown
    ) -> None:
        self._book = book
        self._wire = wire
        self._accounts = frozenset(accounts)
        self._switches = switches
        self._shown = shown
        self.hub = Hub(book.clock, switches, self._opened, self._strikes)
        self._outlet = Outlet(book, lambda: switches.faults)
        self._dirty: dict[str, dict[str, SimOrder]] = {}
        self._pushed: dict[str, float] = {}
        self._scheduled = False
        book.watchers.append(self._changed)

    def flush(self) -> None:
        """Push what has changed and is due."""
        self._scheduled = False
        for account in list(self._dirty):
            if self._book.clock.monotonic() >= self._pushed.get(account, float("-inf")):
                self._push(account, self._dirty.pop(account))

    def _changed(self, order: SimOrder) -> None:
        if order.family != "order" or not self._listeners(order.account):
            return
        self._dirty.setdefault(order.account, {})[order.id] = order
        if not self._scheduled:
            self._scheduled = _soon(self.flush)

    def _listeners(self, account: str) -> list[Stream]:
        return [stream for stream in self.hub.streams() if stream.arguments == [account]]

    def _open(self, account: str) -> list[SimOrder]:
        return [o for o in self._shown.orders("stream") if o.account == account and o.family == "order"]

    def _push(self, account: str, changed: dict[str, SimOrder]) -> None:
        streams = self._listeners(account)
        if not streams:
            return
        opened = self._open(account)
        wait = max(self._switches.push_spacing, _SECONDS_PER_ORDER * len(opened))
        self._pushed[account] = self._book.clock.monotonic() + wait
        orders = opened
        if self._switches.stream_mode == "changed":
            orders = [order for order in changed.values() if order.state.live]
        elif self._switches.stream_mode == "changed_final":
            orders = list(changed.values())
        if orders or self._switches.stream_mode == "full":
            item = self._item(orders)
            self._outlet.act(lambda: self._tell(streams, item), lambda: _cut(streams))

    def _tell(self, streams: list[Stream], item: object) -> None:
        for stream in streams:
            if self._strikes("stream_noise"):
                stream.connection.send({"type": 99, "item": "unheard of"})
                stream.push([None, "unheard of", {"orderId": {}}, {"status": 5}])
            stream.push(item)

    def _item(self, orders: list[SimOrder]) -> object:
        if not orders and self._strikes("null_list"):
            return None
        if not orders and self._strikes("missing_list"):
            return {}
        return [self._wire.stream_order(order) for order in orders]

    def _opened(self, stream: Stream) -> str | None:
        if stream.target != "OpenOrders":
            return f"Failed to invoke '{stream.target}'. HubException: Method does not exist."
        if len(stream.arguments) != 1 or stream.arguments[0] not in self._accounts:
            return "Failed to invoke 'OpenOrders'. HubException: The account is not available."
        if self._strikes("stream_error"):
            return "An unexpected error occurred invoking 'OpenOrders' on the server."
        if self._strikes("no_snapshot"):
            return None
        self._book.settle()
        orders = self._open(str(stream.arguments[0]))
        if orders or self._switches.stream_mode != "nothing_when_empty":
            stream.push(self._item(orders))
            self._shown.told(orders, "stream")
        if self._strikes("stream_end"):
            stream.end()
        elif self._strikes("stream_close"):
            stream.connection.close("The server is restarting.")
        elif self._strikes("stream_drop"):
            stream.connection.abort()
        return None

    def _strikes(self, name: str) -> bool:
        return strikes(self._switches.faults, name, "stream")


def _cut(streams: list[Stream]) -> None:
    for stream in streams:
        stream.connection.abort()


def _soon(act: Callable[[], None]) -> bool:
    try:
        asyncio.get_running_loop().call_soon(act)
    except RuntimeError:
        return False
    return True
