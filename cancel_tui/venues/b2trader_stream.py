"""B2TRADER: the stream of open orders as a feed beside the lists, on a connection of its own.

A list is the first item of a fresh subscription, asked for when it is wanted. This feed keeps one
subscription per account open: what its later items mean is not documented (the whole list, or what changed,
with final states or without), so their rows are hints, and whatever moves is a reason to list.
https://api-docs.b2trader.b2broker.com/websocket-api
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable

import msgspec

from cancel_tui.clock import Clock, to_beat
from cancel_tui.orders import AccountId, Order, VenueName
from cancel_tui.pauses import pause
from cancel_tui.redaction import Secret
from cancel_tui.text import VenueText
from cancel_tui.venues.b2trader_orders import read_order
from cancel_tui.venues.b2trader_token import Tokens
from cancel_tui.venues.base import CallClass, Port, Raw, Reply
from cancel_tui.venues.decode import Unreadable, decode, elements, text
from cancel_tui.venues.dialogue import Turn, converse, regularly
from cancel_tui.venues.feed import Heard, Tell
from cancel_tui.venues.outcome import Failure, Unanswered, Unauthorised
from cancel_tui.venues.pulse import Pulse
from cancel_tui.venues.signalr import (
    PING_SECONDS,
    Cause,
    Close,
    Completion,
    Framer,
    Item,
    handshake,
    parse,
    parse_handshake,
    ping,
    subscribe,
)
from cancel_tui.venues.streams import TextStream

TARGET = "OpenOrders"
FIRST_SECONDS = 5.0
"""Seconds for the first items; an account without orders may never send one."""
MIND_SECONDS = 1.0
"""Seconds between two looks at what has changed around the connection: accounts, the access token."""

_ANOTHER_TOKEN = Unanswered("the access token was renewed")
_RENEWED = Unauthorised(VenueText("access tokens are refused at the stream, fresh ones too"), 401)
"""The upgrade was refused, and there is another token to try it with, once."""


class Session:
    """One connection's messages: in pieces, several to a piece, of several accounts. No network."""

    def __init__(self, venue: VenueName, largest: int) -> None:
        self._venue = venue
        self._framer = Framer(largest)
        self._numbers = itertools.count()
        self._accounts: dict[str, AccountId] = {}
        self._rows: dict[AccountId, set[bytes]] = {}
        """The orders of each account's last item, as they were written there."""
        self._first: list[str] = []
        self.greeted = False
        self.doubted = False
        """Whether it ended as it would with a token that is not good any more."""

    @property
    def accounts(self) -> frozenset[AccountId]:
        """The accounts that are subscribed to."""
        return frozenset(self._accounts.values())

    @property
    def complete(self) -> bool:
        """Whether every account has sent its first item."""
        return self.greeted and self._rows.keys() >= self.accounts

    def subscription(self, account: AccountId) -> str:
        """The record that subscribes to an account's orders; those asked for early follow the handshake."""
        invocation = str(next(self._numbers))
        self._accounts[invocation] = account
        record = subscribe(invocation, TARGET, account)
        if not self.greeted:
            self._first.append(record)
        return record

    def understand(self, piece: str) -> Turn:
        """What a piece of the connection means; never raises."""
        orders: list[Order] = []
        reread = False
        answer: Secret | None = None
        was_complete = self.complete
        try:
            for record in self._framer.feed(piece):
                turn = self._record(record)
                if turn.over is not None:
                    return turn
                orders += turn.heard.orders
                reread = reread or turn.heard.reread
                answer = answer or turn.answer
        except Unreadable:
            # The cut between two records may be lost with it: what follows would mean nothing.
            return Turn(over=Unanswered(str(Cause.GARBLED)))
        return Turn(Heard(tuple(orders), reread=reread, ready=self.complete and not was_complete), answer)

    def _record(self, record: str) -> Turn:
        if not self.greeted:
            error = parse_handshake(record)
            if error is not None:
                return Turn(over=Unanswered(str(Cause.HANDSHAKE), error))
            self.greeted = True
            return Turn(answer=Secret.around("".join(self._first)))
        message = parse(record)
        if isinstance(message, Close):
            self.doubted = True
            return Turn(over=Unanswered(str(Cause.CLOSED), message.error))
        if isinstance(message, Completion):
            self.doubted = message.failed
            cause = Cause.ENDED if message.failed else Cause.FINISHED
            return Turn(over=Unanswered(str(cause), message.error))
        if isinstance(message, Item) and message.invocation in self._accounts:
            return Turn(self._item(self._accounts[message.invocation], message.payload))
        return Turn()

    def _item(self, account: AccountId, payload: msgspec.Raw) -> Heard:
        """Rows that differ from the item before; the first item is left to the list that follows it.

        Rows are compared as they are written, so that only those are decoded which differ: an item holds all
        orders of the account, whatever has changed.
        """
        before = self._rows.get(account)
        listed = elements(payload)
        now: set[bytes] = set()
        orders: list[Order] = []
        strange, moved = listed is None, False
        for written in map(bytes, listed or ()):
            pause()
            if before is not None and written in before:
                now.add(written)
                continue
            row = decode(written)
            if not isinstance(row, dict) or text(row, "orderId") is None:
                strange = True
                continue
            now.add(written)
            if before is None:
                continue
            moved = True
            order = read_order(row, self._venue, account)
            if order is not None:
                orders.append(order)
        self._rows[account] = now
        # Where every row is as it was, one that is missing shows in their number: nothing is compared twice.
        other = before is not None and (strange or moved or len(now) != len(before))
        return Heard(tuple(orders), reread=other)


class OrderFeed:
    """Keeps one connection for all accounts, with the access token that calls use."""

    def __init__(
        self,
        venue: VenueName,
        clock: Clock,
        tokens: Tokens,
        connect: Callable[[Secret], Awaitable[TextStream | Raw]],
        accounts: Callable[[], tuple[AccountId, ...]],
        classify: Callable[[CallClass, Reply], Failure | None],
        largest: int,
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._tokens = tokens
        self._connect = connect
        self._accounts = accounts
        self._classify = classify
        self._largest = largest
        self.pulse = Pulse(PING_SECONDS)

    async def listen(self, port: Port, tell: Tell) -> Failure:
        """Listen until it is over; another access token is no end, but another connection at once."""
        refusals = 0
        while True:
            why = await self._connection(port, tell)
            if why is _RENEWED and refusals == 0:
                refusals = 1
            elif why is not _ANOTHER_TOKEN:
                return why

    async def _connection(self, port: Port, tell: Tell) -> Failure:
        self.pulse.begin()
        missing = await self._tokens.ready(port)
        if missing is not None:
            return missing
        session = Session(self._venue, self._largest)
        for account in self._accounts():
            await port.admit(CallClass.LIST)
            session.subscription(account)
        token = self._tokens.current
        stream = Unanswered("no access token") if token is None else await self._connect(token)
        if isinstance(stream, Reply) and stream.status in (401, 403):
            renewed = await self._tokens.renew(port, token)
            return _RENEWED if renewed else self._refused(stream)
        if isinstance(stream, Reply):
            return self._refused(stream)
        if not isinstance(stream, TextStream):
            return stream
        why = await converse(
            stream,
            self.pulse,
            self._clock,
            tell,
            session.understand,
            first=Secret.around(handshake()),
            beside=(
                regularly(stream, self._clock, ping(), PING_SECONDS),
                self._mind(stream, session, token, port, tell),
            ),
            patience=None,
        )
        if session.doubted:
            await self._tokens.renew(port, token)
        return why

    def _refused(self, reply: Reply) -> Failure:
        refusal = self._classify(CallClass.LIST, reply)
        return refusal or Unanswered("an answer instead of a WebSocket", None, reply.status)

    async def _mind(
        self, stream: TextStream, session: Session, token: Secret | None, port: Port, tell: Tell
    ) -> Failure:
        """Look after the connection: its first items, accounts that are new, a token that is another."""
        begun = self._clock.monotonic()
        settled = False
        while True:
            await self._clock.sleep(to_beat(self._clock.monotonic(), MIND_SECONDS))
            if self._tokens.current is not token:
                return _ANOTHER_TOKEN
            for account in self._accounts():
                if account not in session.accounts:
                    await port.admit(CallClass.LIST)
                    await stream.send(session.subscription(account))
            if not settled and self._clock.monotonic() - begun >= FIRST_SECONDS:
                settled = True
                if not session.greeted:
                    return Unanswered(str(Cause.SILENT))
                if not session.complete:
                    # Where an empty list is not sent, silence is all there is; the lists decide.
                    tell(Heard(ready=True))
