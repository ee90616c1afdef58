"""B2TRADER front office (v3/v4): lists over its SignalR stream, cancels over REST, everything per account.

https://api-docs.b2trader.b2broker.com/get-started/overview describes the API. No documented call lists open
orders over REST, reads one order back, or lists waiting Stop orders: hence the stream, and the blind spot.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from msgspec.structs import replace

from cancel_tui.clock import Clock
from cancel_tui.orders import AccountId, Family, Order, OrderKey
from cancel_tui.redaction import Secret
from cancel_tui.settings import Budget, VenueSettings
from cancel_tui.text import VenueText
from cancel_tui.venues.adapter import HttpVenue, limited, path_id, same_order
from cancel_tui.venues.b2trader_orders import Rows, read_cancelled
from cancel_tui.venues.b2trader_stream import OrderFeed
from cancel_tui.venues.b2trader_token import Tokens, server_time
from cancel_tui.venues.base import (
    CallClass,
    CancelAck,
    Capabilities,
    Message,
    Part,
    PartList,
    Parts,
    Port,
    Raw,
    Reply,
)
from cancel_tui.venues.decode import Unreadable, elements, rows, text
from cancel_tui.venues.feed import Tell
from cancel_tui.venues.outcome import (
    Answered,
    Failure,
    NotSent,
    Outcome,
    Reason,
    Refused,
    Unanswered,
    describe,
)
from cancel_tui.venues.signalr import Cause, HubClient, Item, Lost
from cancel_tui.venues.streams import TextStream, open_stream

T = TypeVar("T")

PATHS: Mapping[str, str] = {
    "access_token": "/frontoffice/api/v4/access-token",
    "accounts": "/frontoffice/api/v3/accounts",
    "orders": "/frontoffice/api/v3/orders",
    "stop_orders": "/frontoffice/api/v3/stop-orders",
    "stream": "/frontoffice/ws/v4/account",
}
"""Versions differ by method and by deployment; `paths` in the configuration replaces any of these."""

STOP_ORDERS = "stop_orders"
"""The blind spot: no documented call lists Stop orders that wait."""

_ACCOUNT = "account:"
_SECONDS = 5.0
_LARGEST_LIST = 32 * 1024 * 1024
"""Bytes of one list: the stream has no paging, and 10,000 orders take about 7 MiB."""
_ROWS_AT_ONCE = 500
"""Rows that are read before others get a turn on the event loop."""
_ORDER_REFUSALS = frozenset({400, 404, 409, 410, 422, 423})
_DEFAULT_BUDGETS = {CallClass.LIST: Budget(10, 1.0)}
"""No limit is documented for v3 and v4; this is caution of our own and binds lists only."""


def _paths(settings: VenueSettings) -> dict[str, str]:
    for key, path in settings.paths.items():
        if key not in PATHS:
            raise ValueError(f"paths.{key} is unknown; allowed are {', '.join(sorted(PATHS))}")
        if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path):
            raise ValueError(f"paths.{key} must be a plain path that starts with / and does not end with one")
    prefix = urlsplit(settings.base_url).path.rstrip("/")
    return {key: prefix + settings.paths.get(key, path) for key, path in PATHS.items()}


def _capabilities(settings: VenueSettings) -> Capabilities:
    return Capabilities(
        budgets=limited(_DEFAULT_BUDGETS, settings.limits),
        poll_seconds=5.0,
        timeout_seconds=settings.timeout_seconds or _SECONDS,
        blind_spots=(STOP_ORDERS,),
        lacks=frozenset({"exchange"}),
    )


class B2Trader(HttpVenue):
    """One broker's B2TRADER, through one user's token."""

    def __init__(self, settings: VenueSettings, credentials: Mapping[str, Secret], clock: Clock) -> None:
        super().__init__(settings, credentials, clock)
        self._paths = _paths(settings)
        self.capabilities = _capabilities(settings)
        self._tokens = Tokens(credentials, clock, self._paths["access_token"].encode(), self.classify)
        self._hub = HubClient(self._open, clock, _LARGEST_LIST)
        self._socket_token: Secret | None = None
        self._visible: tuple[AccountId, ...] = ()
        self._listed: tuple[AccountId, ...] = ()
        self._feed = OrderFeed(
            self.name, clock, self._tokens, self._connect, lambda: self._listed, self.classify, _LARGEST_LIST
        )
        self._stops_listed = False
        self._known: dict[AccountId, dict[bytes, Order]] = {}
        """What each account's last list said, by the JSON that said it."""

    @property
    def credentials_expire_at(self) -> float | None:
        """When an access token without an API token ends, by our clock."""
        return None if (at := self._tokens.expire_at) is None else at - (self.clock_offset or 0.0)

    # What every call needs: a token, and headers.

    @property
    def signs_with(self) -> object:
        """Which access token."""
        return self._tokens.current

    async def ready(self, port: Port) -> Failure | None:
        """Make sure of a token that lives; many 401s for one token cost one exchange."""
        return await self._tokens.ready(port)

    async def renew(self, port: Port, used: object) -> bool:
        """Exchange the API token once more, unless that was done meanwhile; False where there is none."""
        return await self._tokens.renew(port, used)

    def proved(self) -> None:
        """The next refusal of the token is worth an exchange."""
        self._tokens.proved()

    def classify(self, call: CallClass, reply: Reply) -> Failure | None:
        """As for every HTTP venue; which code refuses a finished order is not documented: defensive reading.

        400, 409 and 422 are taken as a refusal of this order, 404 as not found, which is no end. Any other
        refusal of a cancel is about the request (405, 415), not about the order.
        """
        failure = super().classify(call, reply)
        if call is CallClass.CANCEL and isinstance(failure, Refused) and reply.status not in _ORDER_REFUSALS:
            return Refused(Reason.REQUEST, failure.message, reply.status)
        return failure

    def _message(
        self, method: bytes, path: str, account: AccountId | None = None, extra: tuple[bytes, ...] = ()
    ) -> Message:
        headers = [(b"Authorization", self._tokens.bearer())]
        if account is not None:
            if not re.fullmatch(r"[\x21-\x7e]{1,200}", account):
                raise ValueError("an account id that cannot stand in a header")
            headers.append((b"accountId", account.encode("ascii")))
        headers.append((b"Accept", b"*/*"))
        headers.extend((b"Content-Type", value) for value in extra)
        return Message(method, path.encode("ascii"), tuple(headers))

    # Accounts.

    async def parts(self, port: Port) -> Outcome[Parts]:
        """One part per account: the configured ones, or all that the token sees.

        https://api-docs.b2trader.b2broker.com/rest-api/settings
        """
        configured = tuple(AccountId(one) for one in dict.fromkeys(self.settings.accounts))
        seen = await self._accounts(port)
        unread: tuple[str, ...] = ()
        if isinstance(seen, Answered):
            ids = [text(row, "accountId") for row in seen.value]
            self._visible = tuple(AccountId(one) for one in dict.fromkeys(ids) if one is not None)
            unread = (f"{_ACCOUNT}?",) if None in ids else ()
        elif not configured:
            return seen
        self._listed = listed = configured or self._visible
        left_out = tuple(f"{_ACCOUNT}{one}" for one in self._visible if one not in listed)
        return Answered(
            Parts(
                tuple(Part(f"{_ACCOUNT}{one}", account=one) for one in listed),
                left_out + unread,
                tuple(dict.fromkeys(configured + self._visible)),
            )
        )

    async def _accounts(self, port: Port) -> Outcome[list[dict[str, Any]]]:
        return await self.ask(
            port, CallClass.OTHER, lambda: self._message(b"GET", self._paths["accounts"]), _read_accounts
        )

    # Lists.

    async def list_part(self, part: Part, port: Port) -> Outcome[PartList]:
        """The first item of a fresh `OpenOrders` subscription; only an explicit array is a list.

        https://api-docs.b2trader.b2broker.com/websocket-api; that the first item is the full list is not
        documented: defensive reading.
        """
        account = AccountId(part.id.removeprefix(_ACCOUNT))
        snapshot = await self._snapshot(account, port)
        if not isinstance(snapshot, Answered):
            return snapshot
        found = Rows(self.name, account, known=self._known.get(account, {}))
        for first in range(0, len(snapshot.value), _ROWS_AT_ONCE):
            found.take(snapshot.value[first : first + _ROWS_AT_ONCE])
            await asyncio.sleep(0)
        self._known[account] = found.written
        blind, notes = await self._rest_lists(found, port)
        if found.unreadable:
            notes.append(f"{found.unreadable} rows are no readable orders")
        return Answered(
            PartList(tuple(found.orders.values()), not notes, blind, "; ".join(notes) if notes else None)
        )

    async def _rest_lists(self, found: Rows, port: Port) -> tuple[tuple[str, ...], list[str]]:
        """Where configured: what undocumented GETs add. Only a 200 with a list counts as an answer."""
        if not self.settings.probe_rest_lists:
            return (), []
        orders = await self._rest_list("orders", found.account, port)
        if isinstance(orders, Answered):
            found.read(orders.value, known_win=True)
        stops = await self._rest_list("stop_orders", found.account, port)
        if isinstance(stops, Answered):
            found.read(stops.value, Family.STOP)
            self._stops_listed = True
            self.capabilities = replace(self.capabilities, blind_spots=())
            return (), []
        if self._stops_listed:
            return (STOP_ORDERS,), [f"Stop orders could be listed before, not now: {describe(stops)}"]
        return (STOP_ORDERS,), []

    async def _rest_list(self, path: str, account: AccountId, port: Port) -> Outcome[list[Any]]:
        def build() -> Message:
            return self._message(b"GET", self._paths[path], account)

        return await self.ask(port, CallClass.LIST, build, _read_list)

    async def _snapshot(self, account: AccountId, port: Port) -> Outcome[list[msgspec.Raw]]:
        """A fresh list from the stream; once more, on a new connection, where the token may be at fault."""
        got = await self._first_item(account, port)
        used = self._socket_token
        refused = isinstance(got, Reply) and got.status in (401, 403)
        ended = isinstance(got, Lost) and got.cause in (Cause.ENDED, Cause.CLOSED)
        if refused or ended:
            renewed = await self._tokens.renew(port, used)
            if renewed or ended:
                got = await self._first_item(account, port)
        if isinstance(got, Item):
            self._tokens.proved()
            try:
                listed = elements(got.payload)
            except Unreadable:
                return Unanswered(str(Cause.GARBLED))
            return Unanswered("the stream's first item is no list") if listed is None else Answered(listed)
        if isinstance(got, Lost):
            return Unanswered(str(got.cause), got.message)
        if isinstance(got, Reply):
            refusal = self.classify(CallClass.LIST, got)
            return refusal or Unanswered("an answer instead of a WebSocket", None, got.status)
        return got

    async def _first_item(self, account: AccountId, port: Port) -> Item | Lost | Reply | Failure:
        missing = await self._tokens.ready(port)
        if missing is not None:
            return missing
        # Connected first: the list counts as begun when its budget is taken, and must leave right then.
        refused = await self._hub.connect(self.capabilities.timeout_seconds)
        if refused is not None:
            return refused
        await port.admit(CallClass.LIST)
        return await self._hub.first_item("OpenOrders", account, self.capabilities.timeout_seconds)

    async def _open(self) -> TextStream | Raw:
        self._socket_token = token = self._tokens.current
        return NotSent("no access token") if token is None else await self._connect(token)

    async def _connect(self, token: Secret) -> TextStream | Raw:
        address = self.settings.socket_url(self._paths["stream"])
        if urlsplit(address).path in ("", "/"):
            address = address.rstrip("/") + self._paths["stream"]
        return await open_stream(
            Secret.around(f"{address}?access_token={quote(token.reveal(), safe='')}"),
            timeout=self.capabilities.timeout_seconds,
            largest=_LARGEST_LIST,
        )

    @property
    def rhythm(self) -> float:
        """Seconds within which a living stream says something."""
        return self._feed.pulse.rhythm

    async def listen(self, port: Port, tell: Tell) -> Failure:
        """Keep a subscription of each account open, beside the lists, which subscribe afresh."""
        self._feed.pulse.begin()
        parts = await self.parts(port)
        return await self._feed.listen(port, tell) if isinstance(parts, Answered) else parts

    # Cancels.

    async def cancel(self, key: OrderKey, port: Port) -> Outcome[CancelAck]:
        """Cancel one order, or one Stop order, which is another entity with a call of its own.

        https://support.xbtfx.com/en/articles/13885769-rest-api-trading-cancel-order and
        https://support.xbtfx.com/en/articles/13885966-rest-api-trading-cancel-stop-order
        """
        account = key.account
        if account is None:
            return NotSent("a B2TRADER order is cancelled in its account, and none is known", hopeless=True)
        try:
            path_id(key.order_id)
        except ValueError:
            return NotSent("an order id that cannot stand in a path", hopeless=True)

        def read(answer: Any) -> Order:
            return read_cancelled(answer, self.name, account, key.family)

        outcome = await self.ask(port, CallClass.CANCEL, partial(self._cancel_message, key), read)
        if isinstance(outcome, Answered):
            return same_order(CancelAck(outcome.value), key.order_id)
        return outcome

    def cancel_message(self, key: OrderKey) -> Message | None:
        """The request of `cancel`; None where the token has to be exchanged first."""
        return self._cancel_message(key) if self._tokens.fresh else None

    def _cancel_message(self, key: OrderKey) -> Message:
        if key.account is None:
            raise ValueError("a B2TRADER order is cancelled in its account")
        stop = key.family is Family.STOP
        path = f"{self._paths['stop_orders' if stop else 'orders']}/{path_id(key.order_id)}"
        extra = (b"application/json; x-api-version=4.0",) if stop else ()
        return self._message(b"DELETE", path, key.account, extra)

    async def read(self, key: OrderKey, port: Port) -> Outcome[Order]:
        """Not offered: no documented call reads one order."""
        return NotSent("B2TRADER has no call that reads one order back", hopeless=True)

    # Health.

    async def measure_clock(self, port: Port) -> Outcome[float]:
        """Compare our clock with the Date header of the accounts call, which is cut to whole seconds."""
        missing = await self._tokens.ready(port)
        if missing is not None:
            return missing
        left = self.clock.wall()

        def build() -> Message:
            nonlocal left
            left = self.clock.wall()
            return self._message(b"GET", self._paths["accounts"])

        raw = await port.call(CallClass.OTHER, build)
        if not isinstance(raw, Reply):
            return raw
        theirs = server_time(raw)
        if theirs is None:
            return self.classify(CallClass.OTHER, raw) or Unanswered("no Date header", None, raw.status)
        self.clock_offset = theirs + 0.5 - (left + self.clock.wall()) / 2
        return Answered(self.clock_offset)

    async def check(self, port: Port) -> Outcome[str]:
        """Exchange the token where there is one to exchange, and read the accounts."""
        seen = await self._accounts(port)
        if not isinstance(seen, Answered):
            return seen
        ids = [text(row, "accountId") or "?" for row in seen.value]
        missing = [one for one in self.settings.accounts if one not in ids]
        told = f"the token sees {len(ids)} account(s): {', '.join(str(VenueText(one)) for one in ids)}"
        return Answered(f"{told}; configured but not seen: {', '.join(missing)}" if missing else told)

    async def close(self) -> None:
        """Close the shared stream connection for good."""
        await self._hub.close()


def _read_accounts(answer: Any) -> list[dict[str, Any]]:
    """The accounts; an empty list is no answer, because a token without accounts can prove nothing."""
    if answer is None:
        raise Unreadable("accounts are no list")
    found = rows(answer, "accounts")
    if not any(text(row, "accountId") for row in found):
        raise Unreadable("it names no account")
    return found


def _read_list(answer: Any) -> list[Any]:
    if not isinstance(answer, list):
        raise Unreadable("no list")
    return answer


def make(settings: VenueSettings, credentials: Mapping[str, Secret], clock: Clock) -> B2Trader:
    """Build the adapter; raises ValueError for tokens no header can carry and for unknown `paths`."""
    return B2Trader(settings, credentials, clock)
