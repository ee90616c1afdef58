"""Tokens of the practice B2TRADER: one long-lived API token, access tokens that last an hour.

Access tokens are JWTs. This server signs and checks them itself (HS256 with a key of its own); clients can
only read the expiry.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import math
import secrets
from dataclasses import dataclass

from cancel_tui.clock import Clock

ACCESS_LIFE = 3600
"""Seconds that an access token is good for."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says."""

    id: str
    expires: float
    """Seconds since the epoch."""


class Tokens:
    """Issues, verifies and revokes tokens. Keys are drawn anew for each object."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._dies: dict[str, float] = {}
        self.offline = self._sign(
            {"typ": "Offline", "sub": secrets.token_hex(16), "jti": secrets.token_hex(16)}
        )
        """The long-lived API token."""
        self.ahead = 0.0
        """Seconds by which the server's clock is ahead of the clock that was handed in."""
        self.early: float | None = None
        """Seconds after which new tokens are refused although they claim to last longer; None for never."""

    def issue(self, life: float = ACCESS_LIFE) -> str:
        """A new access token that says it expires `life` seconds from now."""
        now = self._clock.wall() + self.ahead
        token_id = secrets.token_hex(16)
        self._dies[token_id] = math.inf if self.early is None else self._clock.monotonic() + self.early
        return self._sign(
            {"typ": "Bearer", "azp": "frontoffice", "jti": token_id, "iat": int(now), "exp": int(now + life)}
        )

    def verify(self, token: str) -> Claims | None:
        """The claims of a token of ours that is good now, else None."""
        head, _, rest = token.partition(".")
        payload, _, signature = rest.partition(".")
        try:
            if json.loads(_decode(head)).get("alg") != "HS256":
                return None
            if not hmac.compare_digest(signature.encode(), _text(self._mac(f"{head}.{payload}")).encode()):
                return None
            said = json.loads(_decode(payload))
        except (ValueError, AttributeError):
            return None
        if said.get("typ") != "Bearer":
            return None
        claims = Claims(said["jti"], said["exp"])
        return claims if self._good(claims) else None

    def revoke_all(self) -> None:
        """Let no access token issued so far pass any more, whatever expiry it claims."""
        self._dies.clear()

    def _good(self, claims: Claims) -> bool:
        in_time = self._clock.wall() + self.ahead < claims.expires
        return in_time and self._clock.monotonic() < self._dies.get(claims.id, -math.inf)

    def _sign(self, payload: dict[str, object]) -> str:
        text = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(payload)}"
        return f"{text}.{_text(self._mac(text))}"

    def _mac(self, text: str) -> bytes:
        return hmac.new(self._key, text.encode(), hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encode(value: dict[str, object]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as broken:
        raise ValueError("not base64url") from broken
