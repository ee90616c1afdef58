"""The form of each kind's credentials, checked before anything is stored or used.

No message here contains a value, nor a field name that might be a value typed in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from cancel_tui.redaction import Secret
from cancel_tui.venues.registry import FIELDS


class CredentialError(ValueError):
    """Credentials that cannot be right; the text is one line that names the field and what to do."""


RSA_BITS = 2048
_ARMOUR = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_FIELD_NAME = re.compile(r"[a-z]{1,12}(_[a-z]{1,12}){0,3}")
_JWT = re.compile(r"[A-Za-z0-9_=-]+(\.[A-Za-z0-9_=-]+){2}")


def validate(kind: str, fields: Mapping[str, str]) -> dict[str, Secret]:
    """Check the form of a complete set of fields and return it tidied; raises CredentialError.

    Whitespace around a value goes; a PEM comes back with plain line ends. Parses RSA keys, which takes
    some milliseconds.
    """
    sets = FIELDS.get(kind)
    if sets is None:
        raise CredentialError(f"unknown venue kind; it is one of {', '.join(FIELDS)}")
    allowed = tuple(name for names in sets for name in names)
    for name in fields:
        if name not in allowed:
            shown = f"field {name}" if _FIELD_NAME.fullmatch(name) else "one field's name"
            raise CredentialError(f"{shown} is not known for {kind}: use {_choices(sets)}")
    tidy = {name: _tidied(name, value) for name, value in fields.items()}
    _whole(kind, sets, tidy)
    return {name: Secret(_check(kind, name)(name, value)) for name, value in tidy.items()}


def _choices(sets: tuple[tuple[str, ...], ...]) -> str:
    return ", or ".join(" and ".join(names) for names in sets)


def _whole(kind: str, sets: tuple[tuple[str, ...], ...], given: Mapping[str, str]) -> None:
    """Exactly one set must be there, and nothing of another: which one would count is not ours to guess."""
    if any(set(names) == set(given) for names in sets):
        return
    if not given:
        raise CredentialError(f"no field was given: {kind} needs {_choices(sets)}")
    complete = [names for names in sets if set(names) <= set(given)]
    if complete:
        surplus = ", ".join(sorted(set(given) - set(complete[0])))
        raise CredentialError(f"{surplus} is one too many: give {_choices(sets)}, not both")
    begun = next(names for names in sets if set(names) & set(given))
    absent = ", ".join(name for name in begun if name not in given)
    raise CredentialError(f"{absent} is missing: {kind} needs {_choices(sets)}")


def _tidied(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise CredentialError(f"{name} must be text: put the value into quotation marks")
    value = value.strip()
    if not value:
        raise CredentialError(f"{name} is empty: give its value, or leave the field out")
    return value


def _check(kind: str, name: str) -> Callable[[str, str], str]:
    if name == "private_key":
        return _rsa_key
    if name == "jwt":
        return _jwt
    if name == "api_secret" and kind.startswith("coinswitch-"):
        return _seed
    return _word


def _word(name: str, value: str) -> str:
    """Text that can stand in a header: visible ASCII."""
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in value):
        raise CredentialError(f"{name} contains control characters or line breaks: copy it again")
    if any(letter.isspace() for letter in value):
        raise CredentialError(f"{name} contains spaces: copy the value alone, without words around it")
    if not value.isascii():
        raise CredentialError(f"{name} contains letters beyond ASCII: copy it again")
    return value


def _seed(name: str, value: str) -> str:
    """The raw 32-byte Ed25519 seed in hex."""
    _word(name, value)
    if not re.fullmatch(r"[0-9A-Fa-f]*", value):
        raise CredentialError(f"{name} is not hex: it is the 64 hex characters that the venue shows")
    if len(value) != 64:
        raise CredentialError(
            f"{name} has {len(value)} characters: it is exactly 64 hex characters (a 32-byte seed)"
        )
    return value


def _jwt(name: str, value: str) -> str:
    _word(name, value)
    if not _JWT.fullmatch(value):
        raise CredentialError(f"{name} is not a JWT: it has three parts with a dot between them")
    return value


def _rsa_key(name: str, value: str) -> str:
    """An unencrypted RSA key in PEM; what pasting does to line ends is undone."""
    armour = _ARMOUR.search(value.replace("\\r", "").replace("\\n", "\n"))
    if armour is None:
        raise CredentialError(
            f"{name} is not a PEM: it begins with -----BEGIN PRIVATE KEY----- and ends with "
            "-----END PRIVATE KEY-----"
        )
    label, body = armour.groups()
    if "ENCRYPTED" in label or "ENCRYPTED" in body:
        raise CredentialError(f"{name} is encrypted: give the PEM as the venue issued it, without a password")
    if not label.endswith("PRIVATE KEY"):
        raise CredentialError(f"{name} is a PEM of something else: give the private key")
    digits = "".join(body.split())
    lines = [digits[start : start + 64] for start in range(0, len(digits), 64)]
    pem = "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])
    return _loaded(name, pem)


def _loaded(name: str, pem: str) -> str:
    """The PEM in PKCS#8, once a parser has accepted it as RSA of the right size."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    try:
        key = load_pem_private_key(pem.encode("ascii"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CredentialError(f"{name} is a PEM that does not parse: copy it again, whole") from None
    if not isinstance(key, RSAPrivateKey):
        raise CredentialError(f"{name} is not an RSA key: give an RSA key of {RSA_BITS} bits")
    if key.key_size != RSA_BITS:
        raise CredentialError(f"{name} is RSA with {key.key_size} bits: give an RSA key of {RSA_BITS} bits")
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
