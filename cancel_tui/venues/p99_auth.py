"""P99 / ZTDX spot: what a request is signed with, and what the venue's clock says.

Public pages: https://docs.ztdx.io/spot/general-info and https://docs.p99.world/auth.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from cancel_tui.orders import amount
from cancel_tui.redaction import Secret
from cancel_tui.venues import decode
from cancel_tui.venues.base import Reply
from cancel_tui.venues.decode import Unreadable


def signed_query(secret: Secret, query: str, timestamp: int, body: bytes = b"") -> str:
    """The query string with `timestamp` (ms) and, last, the signature over it and the body's bytes."""
    payload = f"{query}&timestamp={timestamp}" if query else f"timestamp={timestamp}"
    key = secret.reveal().encode()
    return f"{payload}&signature={hmac.new(key, payload.encode() + body, hashlib.sha256).hexdigest()}"


class Offset:
    """The venue's clock against ours, from answers that tell whole seconds.

    Every answer bounds the offset from both sides; bounds that agree narrow each other, and an answer
    that contradicts them replaces them (a clock was set, or the machine slept).
    """

    def __init__(self) -> None:
        self._low = -math.inf
        self._high = math.inf

    def narrow(self, sent: float, received: float, told: float, width: float) -> float:
        """Take in `told` (its unit is `width` seconds) for a moment between two wall times; the offset."""
        low = told - received
        high = max(low, told + width - sent)
        if max(low, self._low) <= min(high, self._high):
            low, high = max(low, self._low), min(high, self._high)
        self._low, self._high = low, high
        return (low + high) / 2


def credentials_of(given: Mapping[str, Secret]) -> tuple[Secret | None, Secret | None, Secret | None]:
    """JWT, key and secret, of which a key pair comes first; raises ValueError with a remedy."""
    jwt, key, secret = (_one_line(name, given.get(name)) for name in ("jwt", "api_key", "api_secret"))
    if (key is None) != (secret is None):
        missing = "api_key" if key is None else "api_secret"
        raise ValueError(f"{missing} is missing: enter api_key and api_secret together, or a jwt alone")
    if key is None and jwt is None:
        raise ValueError("api_key and api_secret, or jwt, are missing: enter one of the two")
    return (jwt if key is None else None), key, secret


def _one_line(name: str, value: Secret | None) -> Secret | None:
    text = value.reveal().strip() if value is not None else ""
    if name == "jwt" and text[:7].lower() == "bearer ":
        text = text[7:].strip()
    if not text:
        return None
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError(f"{name} holds spaces or characters that are not ASCII: copy it again")
    return Secret(text)


def told(reply: Reply) -> tuple[float, float] | None:
    """The venue's time in seconds, and how fine it is told."""
    if 200 <= reply.status < 300:
        try:
            stamp = decode.table(decode.decode(reply.body)).get("timestamp")
        except Unreadable:
            stamp = None
        seconds = decode.epoch_guessed(stamp)
        if seconds is not None and seconds < 10**10:
            fine = amount(stamp)
            return seconds, 1.0 if fine is not None and fine < 10**11 else 0.001
    try:
        date = parsedate_to_datetime(reply.headers.get("date", ""))
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp(), 1.0
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def expiry(jwt: Secret | None) -> float | None:
    """When a JWT says that it ends, seconds since the epoch; None where it cannot be read."""
    try:
        payload = jwt.reveal().split(".")[1] if jwt else ""
        claims = decode.table(decode.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
    except (Unreadable, ValueError, IndexError):
        return None
    return decode.epoch(claims.get("exp"), 1.0)
