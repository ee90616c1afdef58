"""B2TRADER's access tokens: exchanged for the long-lived API token, renewed before they end, shared by all.

The exchange is not on a page that could be read in full: path, field names and the hour of life are a
defensive reading of what clients do (the API token itself:
https://trader-docs.b2trader.b2broker.com/get-started/settings).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from cancel_tui.clock import Clock
from cancel_tui.redaction import Secret
from cancel_tui.venues.base import CallClass, Message, Port, Reply
from cancel_tui.venues.decode import Unreadable, decode, epoch, table, text
from cancel_tui.venues.outcome import Failure, NotSent, Refused, Unanswered, Unauthorised

RESERVE_SECONDS = 120.0
"""A token with less life than this is renewed before the next call."""
ASSUMED_SECONDS = 3000.0
"""The life of a token that does not say how long it lives: 50 minutes from its receipt."""
PATIENCE_SECONDS = 10.0
"""After an exchange that did not help, this long passes before the next one."""

_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")


def token_of(credentials: Mapping[str, Secret], field: str) -> Secret | None:
    """A token field as given, None where there is none; ValueError for one that no header can carry."""
    given = credentials.get(field)
    if given is None:
        return None
    if not _TOKEN.fullmatch(given.reveal()):  # looked at, not kept
        raise ValueError(
            f"{field} must be the token alone: visible ASCII characters without spaces or line breaks and "
            "without the word Bearer; copy it again from the terminal and store it with `cancel-tui keys set`"
        )
    return given


def expiry(token: str) -> float | None:
    """The `exp` of a JWT in seconds since 1970, unverified: it only tells when to renew. None if absent."""
    pieces = token.split(".")
    if len(pieces) != 3:
        return None
    middle = pieces[1]
    try:
        claims = table(decode(base64.b64decode(middle + "=" * (-len(middle) % 4), b"-_", validate=True)))
    except (Unreadable, binascii.Error, ValueError):
        return None
    return epoch(claims.get("exp"), 1.0)


def server_time(reply: Reply) -> float | None:
    """The `Date` header in seconds since 1970 (whole seconds, cut); None where there is none."""
    try:
        return parsedate_to_datetime(reply.headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


class Tokens:
    """The access token that calls use now, and the way to the next one."""

    def __init__(
        self,
        credentials: Mapping[str, Secret],
        clock: Clock,
        target: bytes,
        classify: Callable[[CallClass, Reply], Failure | None],
    ) -> None:
        self._api_token = token_of(credentials, "api_token")
        self.current = None if self._api_token else token_of(credentials, "access_token")
        """What goes behind `Bearer`; None before the first exchange."""
        if self._api_token is None and self.current is None:
            raise ValueError(
                "b2trader needs api_token (or access_token); store it with `cancel-tui keys set`"
            )
        self._clock = clock
        self._target = target
        self._classify = classify
        self._ends = 0.0
        self._renew_from = 0.0
        self._running: asyncio.Task[Failure | None] | None = None
        self._failed_at: float | None = None
        self._doubted_at: float | None = None

    @property
    def expire_at(self) -> float | None:
        """When nothing can be signed any more, seconds since 1970 by the venue's clock; None for never."""
        # An API token fetches the next access token by itself; its own end is nowhere documented.
        return None if self._api_token or self.current is None else expiry(self.current.reveal())

    def bearer(self) -> bytes:
        """The value of the Authorization header; raises ValueError before there is a token."""
        if self.current is None:
            raise ValueError("no access token")
        return b"Bearer " + self.current.reveal().encode("ascii")

    @property
    def fresh(self) -> bool:
        """Whether there is a token that calls can use without a thought."""
        if self._api_token is None:
            return True
        return self.current is not None and self._clock.monotonic() < self._renew_from

    async def ready(self, port: Port) -> Failure | None:
        """Make sure of a token that still lives a while; what stands in the way otherwise.

        While the old token lives, an exchange that fails is no obstacle, and one that somebody else has
        begun is not waited for: a cancel does not stand behind the exchange of a poll.
        """
        if self.fresh:
            return None
        now = self._clock.monotonic()
        alive = self.current is not None and now < self._ends
        recently = self._failed_at is not None and now - self._failed_at < PATIENCE_SECONDS
        running = self._running is not None and not self._running.done()
        if alive and (recently or running):
            return None
        failure = await self._exchange(port)
        return None if failure is None or alive else _before(failure)

    async def renew(self, port: Port, used: object) -> bool:
        """After a refusal of the token `used`: whether there is another one to try."""
        if self._api_token is None:
            return False
        if used is not self.current:
            return True
        if self._running is None or self._running.done():
            now = self._clock.monotonic()
            if self._doubted_at is not None and now - self._doubted_at < PATIENCE_SECONDS:
                return False
            self._doubted_at = now
        return await self._exchange(port) is None

    def proved(self) -> None:
        """The venue took the current token: the next refusal is worth an exchange."""
        self._doubted_at = None

    async def _exchange(self, port: Port) -> Failure | None:
        """Exchange once, however many ask; a caller that is cancelled leaves the others their answer."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._fetch(port))
        running = self._running
        await asyncio.wait({running})
        return NotSent("the token exchange was abandoned") if running.cancelled() else running.result()

    async def _fetch(self, port: Port) -> Failure | None:
        raw = await port.call(CallClass.OTHER, self._build)
        failure = self._keep(raw) if isinstance(raw, Reply) else raw
        self._failed_at = None if failure is None else self._clock.monotonic()
        return failure

    def _build(self) -> Message:
        if self._api_token is None:
            raise ValueError("no API token")
        body = msgspec.json.encode({"token": self._api_token.reveal()})
        headers = ((b"Content-Type", b"application/json"), (b"Accept", b"*/*"))
        return Message(b"POST", self._target, headers, body)

    def _keep(self, reply: Reply) -> Failure | None:
        failure = self._classify(CallClass.OTHER, reply)
        if isinstance(failure, Refused) and reply.status in (400, 422):
            # The token is all that such a request holds. Not documented: defensive reading.
            return Unauthorised(failure.message, reply.status)
        if failure is not None:
            return failure
        try:
            answer: dict[str, Any] = table(decode(reply.body))
        except Unreadable as why:
            return Unanswered(f"unreadable answer: {why}", None, reply.status)
        found = text(answer, "accessToken", "access_token", "token")
        if found is None or not _TOKEN.fullmatch(found):
            return Unanswered("the answer holds no access token", None, reply.status)
        self.current = Secret.passing(found)
        self._date(expiry(found), server_time(reply) or self._clock.wall())
        return None

    def _date(self, ends: float | None, venue_now: float) -> None:
        """Note when to renew; by the venue's own time, so that a wrong clock here does not matter."""
        life = ASSUMED_SECONDS if ends is None or ends <= venue_now else ends - venue_now
        now = self._clock.monotonic()
        self._ends = now + life
        self._renew_from = self._ends - min(RESERVE_SECONDS, life / 2)


def _before(failure: Failure) -> Failure:
    """What a failed exchange means for the call that needed it: that call did not leave."""
    if isinstance(failure, NotSent | Unanswered):
        return NotSent(f"no access token: {failure.reason}")
    if isinstance(failure, Refused):
        return NotSent(f"no access token: the exchange was refused (HTTP {failure.status})")
    return failure
