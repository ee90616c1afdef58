"""Who a caller of the practice P99 venue is: the HMAC of an API key, or a bearer token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets

from cancel_tui.practice.http import Request


class Keys:
    """The throw-away key pair and token secret of one run, and the checks of what was signed with them."""

    def __init__(self, api_key: str | None, api_secret: str | None) -> None:
        self.api_key = api_key or f"p99-practice-{secrets.token_hex(8)}"
        self.api_secret = api_secret or secrets.token_hex(32)
        self.behind_ms = 5000
        self.ahead_ms = 5000
        """How far a signed timestamp may lie behind and ahead of the server's clock."""
        self._jwt_secret = secrets.token_bytes(32)
        self._listen_key = ""
        self._listen_until = 0.0

    def issue_jwt(self, now: float, lifetime: float) -> str:
        """A bearer token that ends `lifetime` seconds after `now`."""
        header = _base64url(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        claims = _base64url(json.dumps({"sub": "0xpractice", "exp": int(now + lifetime)}).encode())
        head = f"{header}.{claims}"
        return f"{head}.{self._jwt_seal(head)}"

    def jwt_valid(self, token: str, now: float) -> bool:
        """Whether this bearer token is one of this run and has not ended."""
        head, _, seal = token.rpartition(".")
        if not hmac.compare_digest(self._jwt_seal(head).encode(), seal.encode()):
            return False
        claims = head.partition(".")[2]
        decoded = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
        return bool(json.loads(decoded)["exp"] > now)

    def extend_listen_key(self, now: float) -> str:
        """The listen key of the caller, good for an hour from `now`; made at the first call."""
        if not self.listens(self._listen_key, now):
            self._listen_key = secrets.token_hex(32)
        self._listen_until = now + 3600
        return self._listen_key

    def listens(self, listen_key: str, now: float) -> bool:
        """Whether this listen key is the caller's and has not lapsed."""
        given, known = listen_key.encode(), self._listen_key.encode()
        return bool(known) and hmac.compare_digest(given, known) and now < self._listen_until

    def caller(self, request: Request, now: float) -> str | None:
        """`jwt` or `key` for a caller who may come in at server time `now`, None for one who may not."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer":
            return "jwt" if self.jwt_valid(token, now) else None
        if request.headers.get("x-mbx-apikey") == self.api_key and self._signed(request, now):
            return "key"
        return None

    def _signed(self, request: Request, now: float) -> bool:
        covered, mark, signature = request.query.rpartition("&signature=")
        stamp = request.params.get("timestamp", "")
        if not mark or not (stamp.isascii() and stamp.isdecimal()) or len(stamp) > 15:
            return False
        late = round(now * 1000) - int(stamp)
        if not -self.ahead_ms <= late <= self.behind_ms:
            return False
        seal = hmac.new(self.api_secret.encode(), covered.encode() + request.body, hashlib.sha256)
        return hmac.compare_digest(seal.hexdigest().encode(), signature.encode())

    def _jwt_seal(self, head: str) -> str:
        return _base64url(hmac.new(self._jwt_secret, head.encode(), hashlib.sha256).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
