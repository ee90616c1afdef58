"""Roxom: the text that is signed, the RSA key that signs it, and signatures that never expire.

Public page: https://docs.roxom.com/reference/authentication. Nothing in a signed text changes with time, so
a captured signature works for ever: signatures are secrets here.
"""

from __future__ import annotations

import binascii
import re
import threading
from base64 import b64decode, b64encode
from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key

from cancel_tui.redaction import Secret

BITS = 2048
"""The only key size that the venue takes."""
KEPT = 4096
"""Signatures kept: each costs about a millisecond of the event loop to make."""

_ARMOUR = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_ADVICE = "private_key must be the RSA 2048 key as an unencrypted PKCS#8 PEM, as the venue showed it"


def signed_text(method: str, target: str, body: Mapping[str, object] | None = None) -> str:
    """`METHOD:PATH?QUERY[:sorted body]`, exactly as sent; no trailing colon without a body.

    How body values are written is not documented (no request of ours has a body); defensive reading: texts
    without quotes, `true` and `false`, whole numbers in plain decimal, nulls left out.
    """
    pairs = [f"{name}={_plain(value)}" for name, value in sorted((body or {}).items()) if value is not None]
    return f"{method.upper()}:{target}" + (":" + "&".join(pairs) if pairs else "")


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def load_key(pem: Secret) -> RSAPrivateKey:
    """The private key of a PEM text; line breaks lost or doubled on the way through a clipboard are mended.

    Raises ValueError with a remedy, never with a piece of the key.
    """
    found = _ARMOUR.search(pem.reveal())
    if found is None:
        raise ValueError(f"{_ADVICE}: the line -----BEGIN PRIVATE KEY----- or its end is missing")
    label = found[1]
    if "ENCRYPTED" in label or "ENCRYPTED" in found[2]:
        raise ValueError(f"{_ADVICE}: this one has a passphrase; openssl pkcs8 -topk8 -nocrypt takes it off")
    if label == "RSA PRIVATE KEY":
        raise ValueError(f"{_ADVICE}: this one is PKCS#1; openssl pkcs8 -topk8 -nocrypt converts it")
    if label != "PRIVATE KEY":
        raise ValueError(f"{_ADVICE}: this one is something else")
    try:
        der = b64decode(re.sub(r"\\[rn]|\s", "", found[2]), validate=True)
        key = load_der_private_key(der, password=None)
    except (binascii.Error, ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(f"{_ADVICE}: this one cannot be read; copy it again, whole") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError(f"{_ADVICE}: this one is no RSA key")
    if key.key_size != BITS:
        raise ValueError(f"{_ADVICE}: this one has {key.key_size} bits; the venue takes {BITS} only")
    return key


class Signer:
    """Signs texts with one key and keeps what it signed; shows nothing of either."""

    __slots__ = ("_kept", "_key", "_lock", "_padding")

    def __init__(self, key: RSAPrivateKey, rsa_padding: str) -> None:
        self._key = key
        self._padding: padding.AsymmetricPadding = (
            padding.PSS(padding.MGF1(SHA256()), 32) if rsa_padding == "pss" else padding.PKCS1v15()
        )
        self._kept: dict[str, bytes] = {}
        self._lock = threading.Lock()
        """Signatures are made ahead in another thread."""

    def __repr__(self) -> str:
        return "Signer([hidden])"

    def sign(self, text: str) -> bytes:
        """The signature of a text in base64, one line."""
        found = self._kept.get(text)
        if found is None:
            found = b64encode(self._key.sign(text.encode(), self._padding, SHA256()))
            with self._lock:
                while len(self._kept) >= KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[text] = found
        return found
