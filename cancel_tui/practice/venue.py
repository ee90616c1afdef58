"""What practice venues have in common: one server, one book, keys of their own, the truth for checkers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from cancel_tui.clock import Clock
from cancel_tui.practice.http import Answer, HttpServer, Request, Response
from cancel_tui.practice.market import Activity, Book, SimOrder

CREDENTIALS_PATH = "/_practice/credentials"
"""Where a practice server hands out its throw-away keys; it listens on loopback only."""
TRUTH_PATH = "/_practice/truth"
"""Where a practice server tells what is really live: for checkers, never for the desk."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a practice venue is to behave."""

    orders: int = 40
    """How many orders are open at the start."""
    seed: int = 7
    latency: float = 0.0
    """Seconds before each answer."""
    cancel_delay: float = 0.3
    """Seconds between `cancellation raised` and its effect, where the venue has two phases."""
    activity: Activity = field(default_factory=Activity)
    faults: tuple[str, ...] = ()
    """Names of misbehaviours; each venue ignores those it does not know."""
    enforce_limits: bool = True
    """Whether the documented rate limits are enforced with 429."""


class RateLimit:
    """At most `count` in any `seconds`, as the server sees the arrivals."""

    def __init__(self, clock: Clock, count: int, seconds: float) -> None:
        self._clock = clock
        self._count = count
        self._seconds = seconds
        self._seen: deque[float] = deque()

    def admit(self) -> bool:
        """Whether one more request may pass now; a refused one does not count."""
        now = self._clock.monotonic()
        while self._seen and self._seen[0] <= now - self._seconds:
            self._seen.popleft()
        if len(self._seen) >= self._count:
            return False
        self._seen.append(now)
        return True


class PracticeVenue(ABC):
    """One practice venue. Subclasses answer their dialect in `answer` and fill the book in `populate`."""

    kind: str
    """The contract's venue kind."""
    name: str
    """The table name it gets in a written configuration."""

    def __init__(self, clock: Clock, plan: Plan) -> None:
        self.clock = clock
        self.plan = plan
        self.faults: set[str] = set(plan.faults)
        """Names of misbehaviours that are on; may be changed at any time."""
        self.book = Book(clock, plan.seed)
        self.server = HttpServer(self._handle)
        self.seen: list[str] = []
        """`METHOD path` of each request, in order of arrival, without query; for tests."""
        self.throttled = 0
        """How many requests were answered with 429."""

    async def start(self) -> None:
        """Fill the book, then listen."""
        self.populate()
        await self.server.start()

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        await self.server.stop()

    @property
    @abstractmethod
    def base_url(self) -> str:
        """What the configuration's `base_url` must say, known after `start`."""

    @abstractmethod
    def credentials(self) -> Mapping[str, str]:
        """The throw-away credentials, by the contract's field names."""

    @abstractmethod
    def populate(self) -> None:
        """Put `plan.orders` open orders into the book, by the seed."""

    @abstractmethod
    async def answer(self, request: Request) -> Answer:
        """Answer one request in the venue's dialect; the book is settled already."""

    def table(self) -> dict[str, object]:
        """The venue's table for a configuration file."""
        return {"kind": self.kind, "base_url": self.base_url, "credentials": "practice"}

    def truth(self) -> list[dict[str, str]]:
        """What is live right now."""
        self.book.settle()
        return [_describe(order) for order in self.book.live()]

    def endings(self) -> list[dict[str, str]]:
        """What is over, and how it ended."""
        self.book.settle()
        return [_describe(order) for order in self.book.finished()]

    async def _handle(self, request: Request) -> Answer:
        self.book.settle()
        if request.path == CREDENTIALS_PATH:
            return Response.of(dict(self.credentials()))
        if request.path == TRUTH_PATH:
            return Response.of({"live": self.truth(), "finished": self.endings()})
        self.seen.append(f"{request.method} {request.path}")
        answer = await self.answer(request)
        if isinstance(answer, Response) and answer.status == 429:
            self.throttled += 1
        if self.plan.latency:
            await self.clock.sleep(self.plan.latency)
        return answer


def _describe(order: SimOrder) -> dict[str, str]:
    return {
        "order_id": order.id,
        "account": order.account,
        "family": order.family,
        "symbol": order.symbol,
        "side": order.side,
        "state": order.state.value,
        "filled": format(order.filled, "f"),
        "quantity": format(order.quantity, "f"),
    }
