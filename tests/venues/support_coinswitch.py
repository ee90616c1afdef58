"""What the CoinSwitch adapter tests share: a port that answers from a function, keys, settings, rows."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cancel_tui.clock import ManualClock
from cancel_tui.orders import Family, OrderId, OrderKey, VenueName
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings
from cancel_tui.venues import adapter
from cancel_tui.venues.base import CallClass, Message, Raw, Reply
from cancel_tui.venues.outcome import Answered, NotSent, Outcome

T = TypeVar("T")

SEED = bytes(range(32)).hex()
PUBLIC = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
NOW = 1_732_000_000.0
NOW_MS = 1_732_000_000_000
DAY_MS = 86_400_000

Answer = Callable[[CallClass, Message], Raw]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Drive a coroutine that never has to wait: the fake port answers at once, and all is read in place."""
    large, adapter.LARGE = adapter.LARGE, sys.maxsize
    try:
        work.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        adapter.LARGE = large
    raise AssertionError("the adapter waited for something")


@dataclass
class FakePort:
    """Records what was built and answers from a function, or from a list of replies in turn."""

    answer: Answer | list[Raw]
    sent: list[tuple[CallClass, Message]] = field(default_factory=list)

    async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
        try:
            message = build()
        except ValueError as why:
            return NotSent(str(why))
        self.sent.append((call, message))
        if isinstance(self.answer, list):
            return self.answer[len(self.sent) - 1]
        return self.answer(call, message)

    async def admit(self, call: CallClass) -> None:
        raise AssertionError("nothing of this venue is a stream")

    @property
    def calls(self) -> list[CallClass]:
        return [call for call, _ in self.sent]

    @property
    def last(self) -> Message:
        return self.sent[-1][1]


def reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A JSON answer; bytes are sent as they are."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Reply(status, headers or {}, body)


def settings(kind: str, **changes: Any) -> VenueSettings:
    """A table with the kind's public base."""
    values: dict[str, Any] = {"name": "cs", "kind": kind, "base_url": "https://coinswitch.co"}
    return VenueSettings(**{**values, **changes})


def credentials(api_key: str = PUBLIC, api_secret: str = SEED) -> dict[str, Secret]:
    """A key pair as the vault hands it over."""
    return {"api_key": Secret(api_key), "api_secret": Secret(api_secret)}


def clock() -> ManualClock:
    """A clock that stands at NOW."""
    return ManualClock(NOW)


def key(order_id: str) -> OrderKey:
    """The key of an order of the test venue."""
    return OrderKey(VenueName("cs"), None, Family.ORDER, OrderId(order_id))


def headers_of(message: Message) -> dict[str, str]:
    """The headers as text."""
    return {name.decode(): value.decode() for name, value in message.headers}


def query_of(message: Message) -> dict[str, str]:
    """The decoded query."""
    return dict(parse_qsl(urlsplit(message.target.decode()).query))


def body_of(message: Message) -> dict[str, Any]:
    """The JSON body."""
    value: dict[str, Any] = json.loads(message.body)
    return value


def verifies(message: Message, decoded_target: str) -> bool:
    """Whether the signature is the venue's: method, decoded target and the epoch header; raises if not."""
    headers = headers_of(message)
    text = message.method.decode() + decoded_target + headers["X-AUTH-EPOCH"]
    public = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SEED)).public_key()
    public.verify(bytes.fromhex(headers["X-AUTH-SIGNATURE"]), text.encode())
    return headers["X-AUTH-APIKEY"] == PUBLIC and headers["Content-Type"] == "application/json"


def answered(outcome: Outcome[T]) -> T:
    """The value of an answer; fails the test for anything else."""
    assert isinstance(outcome, Answered), outcome
    return outcome.value
