"""What a venue adapter is: it turns one venue's wire into the vocabulary, and says what it cannot do.

An adapter holds no policy: it does not retry (but for one fresh signature or token after a 401), does not
pace, does not decide what an answer means for a kill. Every request goes through the `Port` that the desk
hands in; the port counts it, paces it, journals it and carries it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from cancel_tui.clock import Clock
from cancel_tui.orders import AccountId, Order, OrderId, OrderKey, VenueName
from cancel_tui.redaction import Secret
from cancel_tui.settings import Budget, VenueSettings
from cancel_tui.venues.outcome import NotSent, Outcome, Unanswered


class CallClass(StrEnum):
    """The kinds of request that venues meter apart; also the keys of `limits` and of `requests`."""

    CANCEL_ALL = "cancel_all"
    CANCEL = "cancel"
    LIST = "list"
    """One page of open orders, or one fresh snapshot of a stream that lists."""
    STATUS = "status"
    """One order read back."""
    CLOSED = "closed"
    """One page of finished orders."""
    OTHER = "other"
    """Time, accounts, tokens, key checks: not metered by `limits`."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request, byte for byte as it will travel. What was signed is what is in here."""

    method: bytes
    target: bytes
    """Origin form: path and query, percent-encoded."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """In order, without `Host` and `Content-Length`, which the wire adds."""
    body: bytes = b""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """One HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


Raw = Reply | NotSent | Unanswered
"""What the wire itself can say; the adapter makes an `Outcome` of it."""


class Port(Protocol):
    """The adapter's only way out, handed in by whoever wants something (a poll, a cancel, a kill)."""

    async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
        """Send one request.

        `build` is called when the request may leave: it signs at the last moment. It may raise
        `ValueError` for a request that must not exist (an id that would change the path): `NotSent`.
        """
        ...

    async def admit(self, call: CallClass) -> None:
        """Wait for and count one unit of budget for something that is no HTTP request (a stream snapshot)."""
        ...


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue can do, what it cannot see, and how it meters."""

    cancel_all: bool = False
    """Has a native cancel-all that reaches the whole venue, every family and account of it."""
    cancel_all_symbol: bool = False
    """That call takes one symbol as well."""
    cancel_all_takes_protective: bool = False
    """It takes stop and take-profit orders too."""
    read_order: bool = False
    """One order can be read back by its id."""
    closed_page: int | None = None
    """Rows per page of finished orders, where they can be listed."""
    budgets: Mapping[CallClass, Budget] = msgspec.field(default_factory=dict)
    """Documented limits; a class without an entry has none that is documented."""
    poll_seconds: float = 2.0
    """How often the newest orders are worth asking for."""
    timeout_seconds: float = 5.0
    connections: int = 16
    """Connections for cancels; reads have a few of their own."""
    blind_spots: tuple[str, ...] = ()
    """Fixed codes of what the venue cannot list."""
    lacks: frozenset[str] = frozenset({"account", "exchange"})
    """Scope fields that this venue's orders do not have."""


class Part(msgspec.Struct, frozen=True):
    """A piece of a complete list that is read as a whole: a time window, an account, an instrument type."""

    id: str
    """Unique within the venue; the same piece has the same id again."""
    past: bool = False
    """A time window with fixed bounds that lies in the past: no order can be born into it."""
    account: AccountId | None = None
    """The account whose orders it holds, where it holds those of one account only."""


class Parts(msgspec.Struct, frozen=True):
    """What a complete list consists of at this moment."""

    parts: tuple[Part, ...]
    """Newest or most important first."""
    blind_spots: tuple[str, ...] = ()
    """What is known not to be covered, beyond the fixed ones."""
    accounts: tuple[AccountId, ...] = ()
    """Every account that the venue named, where it has accounts."""


class PartList(msgspec.Struct, frozen=True):
    """What was read of one part's open orders: every page of it, unless `complete` says otherwise.

    A part whose first page fails is a failure. Where a later page fails, the orders of the pages before it
    are handed over, because they can be cancelled, and the list is incomplete: the absence of an order from
    it proves nothing.
    """

    orders: tuple[Order, ...]
    complete: bool = True
    """False where a later page failed, or where the venue provably or possibly cut the list short."""
    blind_spots: tuple[str, ...] = ()
    """What this part turned out not to cover (`inst_type:spot`)."""
    note: str | None = None
    """Why it is incomplete, in our words."""


class CancelAck(msgspec.Struct, frozen=True, gc=False):
    """A venue's readable answer to a single cancel."""

    order: Order | None = None
    """The order as the answer describes it; its status may be terminal, pending, or still live."""


class CancelAllAck(msgspec.Struct, frozen=True):
    """A venue's readable answer to a cancel-all."""

    ids: tuple[OrderId, ...] = ()
    """Ids that the venue says it is cancelling."""
    orders: tuple[Order, ...] = ()
    """Orders described in full, where the venue does."""


class Touched(msgspec.Struct, frozen=True):
    """An order whose end is to be read, with what is known about where to look."""

    key: OrderKey
    order: Order | None = None
    """Its last description, if it was ever described."""


class ClosedQuery(msgspec.Struct, frozen=True):
    """One page of finished orders; adapters make these, the desk only hands them back."""

    begin: float | None = None
    """Oldest creation time wanted, seconds since the epoch."""
    end: float | None = None
    """Newest creation time wanted."""
    part: str | None = None
    cursor: str | None = None


class ClosedPlan(msgspec.Struct, frozen=True):
    """Where finished orders are to be looked for."""

    queries: tuple[ClosedQuery, ...] = ()
    covers: frozenset[OrderKey] = frozenset()
    """Which of the asked orders these queries can find."""


class ClosedPage(msgspec.Struct, frozen=True):
    """One page of finished orders (rows that are still live may be among them)."""

    orders: tuple[Order, ...]
    next: ClosedQuery | None = None
    """The page behind this one; None at the end."""


class Venue(Protocol):
    """One configured venue."""

    @property
    def name(self) -> VenueName:
        """The table's name."""
        ...

    @property
    def kind(self) -> str:
        """The contract's venue kind."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can and cannot do."""
        ...

    @property
    def clock_offset(self) -> float | None:
        """Seconds that the venue's clock is ahead of ours, as last measured."""
        ...

    async def parts(self, port: Port) -> Outcome[Parts]:
        """Say what a complete list consists of now; may need requests of class OTHER."""
        ...

    async def list_part(self, part: Part, port: Port) -> Outcome[PartList]:
        """Read one part to its last page, or as far as it can be read.

        A failure of the first page is the outcome; that of a later one makes the list incomplete.
        """
        ...

    async def cancel(self, key: OrderKey, port: Port) -> Outcome[CancelAck]:
        """Ask for the cancellation of one order."""
        ...

    async def cancel_all(self, symbol: str | None, port: Port) -> Outcome[CancelAllAck]:
        """Ask for the cancellation of everything, or of everything in one symbol."""
        ...

    async def read(self, key: OrderKey, port: Port) -> Outcome[Order]:
        """Read one order back; `Refused(NOT_FOUND)` where the venue does not know it."""
        ...

    def closed_plan(self, touched: Sequence[Touched]) -> ClosedPlan:
        """Where the ends of these orders would be found among the finished ones."""
        ...

    async def closed_page(self, query: ClosedQuery, port: Port) -> Outcome[ClosedPage]:
        """Read one page of finished orders."""
        ...

    async def measure_clock(self, port: Port) -> Outcome[float]:
        """Measure the venue's clock offset (seconds ahead of ours) with a harmless request."""
        ...

    async def check(self, port: Port) -> Outcome[str]:
        """Prove with one harmless signed request that the credentials work; the text is for a person."""
        ...

    async def close(self) -> None:
        """Let go of sockets of its own."""
        ...


@runtime_checkable
class TellsFinished(Protocol):
    """What a venue with a cancel-all offers where its finished orders can be listed without knowing any."""

    def finished_since(self, since: float) -> tuple[ClosedQuery, ...]:
        """Queries whose pages hold every order that ended since that moment, seconds since the epoch.

        They may hold older ends too; whoever asks looks at the times.
        """
        ...


@runtime_checkable
class SignsAhead(Protocol):
    """What a venue offers whose signatures are costly and hold no time, so that they can be made early."""

    def sign_ahead(self, key: OrderKey) -> None:
        """Make and keep the signature that the cancel of an order will need; may run in any thread."""
        ...


@runtime_checkable
class WritesCancels(Protocol):
    """What a venue offers whose cancels can be built without a wait, so that many leave one upon another."""

    def cancel_message(self, key: OrderKey) -> Message | None:
        """The request that `cancel` would send first, signed now; None where something has to come before.

        Raises `ValueError` for a request that must not exist.
        """
        ...


@runtime_checkable
class TakesPages(Protocol):
    """What a port offers whose owner shows a list before it is whole: a scarce one is whole late."""

    def page(self, orders: Sequence[Order]) -> None:
        """Take the orders of one page of a list that is still being read; alone they prove nothing."""
        ...


@runtime_checkable
class TellsExpiry(Protocol):
    """What a venue offers whose credentials may end by themselves."""

    @property
    def credentials_expire_at(self) -> float | None:
        """When they end, seconds since the epoch by our clock; None for never, or where nobody knows.

        What renews itself while the process lives does not end.
        """
        ...


class MakeVenue(Protocol):
    """What each adapter module offers as `make`."""

    def __call__(self, settings: VenueSettings, credentials: Mapping[str, Secret], clock: Clock) -> Venue:
        """Build the adapter; raises `ValueError` with a sentence for credentials that cannot work."""
        ...
