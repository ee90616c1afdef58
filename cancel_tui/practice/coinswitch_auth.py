"""Keys and signatures of the practice CoinSwitch venues, checked with code of their own.

A request is signed over `METHOD` + decoded `path?query` + epoch in milliseconds, with Ed25519; the body is
not signed. See https://api-trading.coinswitch.co/get-started/authentication
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cancel_tui.practice.http import Request

MAX_SKEW_MS = 60_000
"""An epoch further than this from the server's clock is refused, in either direction."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """One account's key pair, in the hex form that the venue hands out."""

    api_key: str
    """The Ed25519 public key, 64 hex digits."""
    api_secret: str = field(repr=False)
    """The raw 32-byte seed, 64 hex digits."""

    @classmethod
    def from_seed(cls, seed: bytes) -> KeyPair:
        """The pair that belongs to a 32-byte seed."""
        public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
        return cls(public.public_bytes_raw().hex(), seed.hex())

    @classmethod
    def generate(cls) -> KeyPair:
        """A new random pair."""
        return cls.from_seed(secrets.token_bytes(32))


def signed_text(method: str, target: str, epoch: str) -> bytes:
    """What a signature must cover; the target is decoded with plus-to-space rules, its order untouched."""
    return (method + unquote_plus(target) + epoch).encode()


class Gate:
    """Decides whether a request comes from the owner of the key, and from about now."""

    def __init__(self, keys: KeyPair, now_ms: Callable[[], int]) -> None:
        self._api_key = keys.api_key
        self._public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(keys.api_key))
        self._now_ms = now_ms
        self._used: dict[str, int] = {}

    def admits(self, request: Request, *, refuse_replays: bool) -> bool:
        """Whether key, epoch and signature are right; with `refuse_replays` a signature counts only once."""
        epoch = request.headers.get("x-auth-epoch", "")
        signature = request.headers.get("x-auth-signature", "")
        if request.headers.get("x-auth-apikey", "") != self._api_key or not self._is_current(epoch):
            return False
        if not self._signed(signature, signed_text(request.method, request.target, epoch)):
            return False
        return not (refuse_replays and self._is_replay(signature.lower(), int(epoch)))

    def _is_current(self, epoch: str) -> bool:
        if not (epoch.isascii() and epoch.isdecimal() and len(epoch) < 16):
            return False
        return abs(int(epoch) - self._now_ms()) <= MAX_SKEW_MS

    def _signed(self, signature: str, text: bytes) -> bool:
        if len(signature) != 128:
            return False
        try:
            self._public.verify(bytes.fromhex(signature), text)
        except (ValueError, InvalidSignature):
            return False
        return True

    def _is_replay(self, signature: str, epoch: int) -> bool:
        oldest = self._now_ms() - MAX_SKEW_MS
        self._used = {used: at for used, at in self._used.items() if at >= oldest}
        if signature in self._used:
            return True
        self._used[signature] = epoch
        return False
