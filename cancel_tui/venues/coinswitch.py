"""CoinSwitch PRO: what its spot and futures venues share: keys, signature, clock, error shapes.

Public documentation: https://api-trading.coinswitch.co (`/get-started/authentication`,
`/get-started/api-surfaces`, `/resources/errors-and-rate-limits`). Where it is silent the reading here is
defensive, and the place says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote_plus, urlencode, urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from cancel_tui.clock import Clock
from cancel_tui.redaction import Secret
from cancel_tui.settings import VenueSettings
from cancel_tui.text import VenueText, literal
from cancel_tui.venues.adapter import HttpVenue, limited
from cancel_tui.venues.base import CallClass, Capabilities, Message, Port, Reply
from cancel_tui.venues.decode import Unreadable, complaint, decode, number, table, text
from cancel_tui.venues.outcome import Answered, Failure, Outcome, Reason, Refused, Unanswered, Unauthorised
from cancel_tui.venues.signing import signing_clock

API = "/trade/api/v2"
"""Begins every path of both surfaces (`/get-started/api-surfaces`)."""
FAR_OFF = 5.0
"""Seconds that a signature's time may be off, as the venue asks (`/get-started/api-surfaces`)."""

_HEX32 = re.compile(r"[0-9A-Fa-f]{64}")
_HEADER_SAFE = re.compile(r"[\x21-\x7e]{1,256}")
_JSON = (b"Content-Type", b"application/json")
_EARLIEST, _LATEST = Decimal(1_577_836_800_000), Decimal(4_102_444_800_000)


class KeyPair(msgspec.Struct, frozen=True):
    """A loaded key pair; nothing in it shows its value."""

    api_key: Secret
    signer: Ed25519PrivateKey
    warnings: tuple[str, ...] = ()
    """What looks odd about the pair without making it unusable."""


def load_keys(credentials: Mapping[str, Secret]) -> KeyPair:
    """The key pair of `api_key` and `api_secret`; raises ValueError with a sentence that holds no value.

    The secret is the raw 32-byte Ed25519 seed in hex, the API key the public key in hex
    (`/get-started/generate-api-keys`). A key that does not belong to the secret is a warning only; the two
    swapped, or the secret given twice, are refused, because the secret would then travel in a header.
    """
    key = _field(credentials, "api_key")
    if not _HEADER_SAFE.fullmatch(key):
        raise ValueError("api_key holds characters that no API key has; copy it again from CoinSwitch")
    signer = _seed(_field(credentials, "api_secret"), "api_secret")
    public = signer.public_key().public_bytes_raw().hex()
    if key.casefold() != public and _HEX32.fullmatch(key):
        as_seed = _seed(key, "api_key")
        secret = _field(credentials, "api_secret").casefold()
        if secret in (key.casefold(), as_seed.public_key().public_bytes_raw().hex()):
            raise ValueError(
                "api_key holds the secret; api_key is the public half and api_secret the private one"
            )
    warnings = () if key.casefold() == public else ("api_key is not the public key of api_secret",)
    return KeyPair(Secret(key), signer, warnings)


def _field(credentials: Mapping[str, Secret], name: str) -> str:
    secret = credentials.get(name)
    value = secret.reveal().strip() if secret is not None else ""
    if not value:
        raise ValueError(f"{name} is missing; CoinSwitch needs both api_key and api_secret")
    return value


def _seed(value: str, name: str) -> Ed25519PrivateKey:
    if not _HEX32.fullmatch(value):
        raise ValueError(
            f"{name} must be 64 hexadecimal characters (an Ed25519 seed of 32 bytes); copy it again"
        )
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(value))


def signed_text(method: str, target: str, epoch: int) -> str:
    """What is signed: method, decoded path and query, milliseconds; never the body.

    The venue decodes with plus-to-space before it verifies (`/get-started/authentication`,
    `/resources/reference-client`), so what travels encoded is signed decoded.
    """
    return f"{method}{unquote_plus(target)}{epoch}"


class CoinSwitch(HttpVenue):
    """Base of both surfaces: signed messages, the clock, the sorting of refusals."""

    def __init__(
        self,
        settings: VenueSettings,
        credentials: Mapping[str, Secret],
        clock: Clock,
        capabilities: Capabilities,
    ) -> None:
        super().__init__(settings, credentials, clock)
        self._keys = load_keys(credentials)
        self.warnings: tuple[str, ...] = self._keys.warnings
        """What looks odd about the credentials without making them unusable, for a person."""
        self.signing = signing_clock(self._keys.api_key, clock)
        self._root = quote(urlsplit(settings.base_url).path.rstrip("/"), safe="/%:@!$&'()*,;=~") + API
        self.capabilities = replace(
            capabilities,
            budgets=limited(capabilities.budgets, settings.limits),
            timeout_seconds=settings.timeout_seconds or capabilities.timeout_seconds,
        )

    def now_ms(self) -> int:
        """Milliseconds since 1970 by the venue's clock, as far as it is known."""
        return int((self.clock.wall() + self.signing.offset) * 1000)

    def signed(
        self, method: str, path: str, query: tuple[tuple[str, str], ...] = (), body: object = None
    ) -> Message:
        """A request signed now (`/get-started/authentication`); `path` begins behind `/trade/api/v2`."""
        target = self._root + path
        if query:
            target += "?" + urlencode(query, quote_via=quote, safe="")
        epoch = self.signing.next_ms()
        signature = self._keys.signer.sign(signed_text(method, target, epoch).encode())
        headers = (
            _JSON,
            (b"X-AUTH-APIKEY", self._keys.api_key.reveal().encode("ascii")),
            (b"X-AUTH-SIGNATURE", signature.hex().encode("ascii")),
            (b"X-AUTH-EPOCH", str(epoch).encode("ascii")),
        )
        content = b"" if body is None else msgspec.json.encode(body)
        return Message(method.encode("ascii"), target.encode("ascii"), headers, content)

    def classify(self, call: CallClass, reply: Reply) -> Failure | None:
        """Sort a refusal by the kind of request; the venue publishes no error codes.

        Errors are `{"message": "..."}` (`/resources/errors-and-rate-limits`). For a cancel that is a
        definite no of that order; for a status read it is "not found", the answer to an unknown id not
        being documented. A 4xx that does not speak the venue's language is somebody else's page: nothing
        is known about a cancel then, and a read was sent to a wrong place.
        """
        failure = super().classify(call, reply)
        if not isinstance(failure, Refused) or failure.reason in (Reason.BUSY, Reason.HALTED):
            return failure
        speaks, absent = _speaks(reply.body), reply.status in (404, 410)
        if absent and not reply.body.strip() and call in _BY_ORDER:
            return replace(failure, reason=Reason.NOT_FOUND)
        if call is CallClass.STATUS:
            return replace(failure, reason=Reason.NOT_FOUND if speaks else Reason.REQUEST)
        if call not in (CallClass.CANCEL, CallClass.CANCEL_ALL):
            return replace(failure, reason=Reason.REQUEST)
        if not speaks:
            words = f"HTTP {reply.status} that is not the venue's"
            return Unanswered(words, failure.message, reply.status)
        if call is CallClass.CANCEL_ALL and reply.status == 422:
            return replace(failure, reason=Reason.REQUEST)
        return replace(failure, reason=Reason.NOT_FOUND if absent else Reason.ORDER)

    async def measure_clock(self, port: Port) -> Outcome[float]:
        """Measure the venue's clock with `GET /trade/api/v2/time`, unsigned (`/get-started/quickstart`).

        The signing clock follows, for every table that shares the key.
        """
        begun = self.clock.monotonic()

        def build() -> Message:
            nonlocal begun
            begun = self.clock.monotonic()
            return Message(b"GET", f"{self._root}/time".encode("ascii"), (_JSON,))

        outcome = await self._once(port, CallClass.OTHER, build, _server_time)
        if not isinstance(outcome, Answered):
            return outcome
        back = (self.clock.monotonic() - begun) / 2
        offset = outcome.value - (self.clock.wall() - back)
        moved = abs(offset - self.signing.offset)
        self.clock_offset = self.signing.offset = offset
        if moved > FAR_OFF:
            self.signing.restart()
        return Answered(offset)

    async def renew(self, port: Port, used: object) -> bool:
        """After a 401: measure the clock, then sign once more; also where it could not be measured."""
        await self.measure_clock(port)
        return True

    async def check(self, port: Port) -> Outcome[str]:
        """Ask `GET /trade/api/v2/validate/keys`, which answers `Valid Access` or `Invalid Access`."""
        outcome = await self.ask(port, CallClass.OTHER, lambda: self.signed("GET", "/validate/keys"), table)
        if not isinstance(outcome, Answered):
            return outcome
        words = text(outcome.value, "message") or ""
        if words.strip().casefold() == "invalid access":
            return Unauthorised(VenueText(words), 200)
        return Answered(f"the key pair is accepted{f' ({literal(words)})' if words else ''}")


_BY_ORDER = (CallClass.CANCEL, CallClass.STATUS)


def _speaks(body: bytes) -> bool:
    try:
        return isinstance(decode(body), dict) and complaint(body) is not None
    except Unreadable:
        return False


def _server_time(answer: Any) -> float:
    whole = table(answer)
    inner = whole.get("data")
    sources = (whole, inner if isinstance(inner, dict) else {})
    value = next((time for one in sources if (time := number(one, "serverTime")) is not None), None)
    if value is None or not _EARLIEST < value < _LATEST:
        raise Unreadable("no time in the answer")
    return float(value) / 1000
