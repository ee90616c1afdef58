"""Credentials are checked by form; a complaint names the field and never shows the value."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.credentials import CredentialError, validate
from cancel_tui.redaction import Secret
from cancel_tui.venues.registry import FIELDS

SEED = "0f" * 32
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI1In0.c2lnbmF0dXJl"
NEW_LINE = "\n"


@cache
def key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def pem(bits: int = 2048, form: PrivateFormat = PrivateFormat.PKCS8, password: bytes | None = None) -> str:
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    return key(bits).private_bytes(Encoding.PEM, form, lock).decode()


def plain(fields: Mapping[str, Secret]) -> dict[str, str]:
    return {name: value.reveal() for name, value in fields.items()}


GOOD: list[tuple[str, dict[str, str]]] = [
    ("coinswitch-spot", {"api_key": "abc123", "api_secret": SEED}),
    ("coinswitch-futures", {"api_key": "abc123", "api_secret": SEED.upper()}),
    ("p99-spot", {"api_key": "k", "api_secret": "p99-test-secret-0001"}),
    ("p99-spot", {"jwt": JWT}),
    ("b2trader", {"api_token": "t0k3n+/="}),
    ("b2trader", {"access_token": JWT}),
]


@pytest.mark.parametrize(("kind", "fields"), GOOD)
def test_good_credentials_pass_unchanged(kind: str, fields: dict[str, str]) -> None:
    assert plain(validate(kind, fields)) == fields


def test_whitespace_around_a_value_goes() -> None:
    fields = {"api_key": " abc\n", "api_secret": f"\t{SEED}\r\n"}
    assert plain(validate("coinswitch-spot", fields)) == {"api_key": "abc", "api_secret": SEED}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: f"\n  {text}\n\n",
        lambda text: text.replace("\n", "\\n"),
        lambda text: text.replace("\n", "\\r\\n"),
        lambda text: text.replace("\n", " "),
        lambda text: text.replace("\n", ""),
        lambda text: "\n".join(f"    {line}" for line in text.splitlines()),
    ],
)
def test_what_pasting_does_to_a_pem_is_undone(spoil: Any) -> None:
    given_key = {"api_key": "k", "private_key": spoil(pem())}
    assert plain(validate("roxom", given_key)) == {"api_key": "k", "private_key": pem()}


def test_an_older_form_of_the_same_key_is_stored_as_pkcs8() -> None:
    fields = {"api_key": "k", "private_key": pem(form=PrivateFormat.TraditionalOpenSSL)}
    stored = plain(validate("roxom", fields))["private_key"]
    assert stored.startswith("-----BEGIN PRIVATE KEY-----")
    loaded = cast(rsa.RSAPrivateKey, load_pem_private_key(stored.encode(), None))
    assert loaded.private_numbers() == key(2048).private_numbers()


def _roxom(text: str) -> dict[str, str]:
    return {"api_key": "k", "private_key": text}


def _public() -> str:
    public = key(2048).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _edwards() -> str:
    private = ed25519.Ed25519PrivateKey.generate()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _cut() -> str:
    lines = pem().splitlines()
    return NEW_LINE.join([*lines[:10], *lines[12:]])


BAD_KEYS: list[tuple[str, str]] = [
    ("parse", _cut()),
    ("parse", "-----BEGIN PRIVATE KEY-----\nü\n-----END PRIVATE KEY-----"),
    ("parse", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"),
    ("not a PEM", base64.b64encode(b"x" * 1200).decode()),
    ("not a PEM", pem().replace("-----END PRIVATE KEY-----", "")),
    ("encrypted", pem(password=b"pw")),
    ("encrypted", pem(form=PrivateFormat.TraditionalOpenSSL, password=b"pw")),
    ("something else", _public()),
    ("not an RSA key", _edwards()),
    ("1024 bits", pem(1024)),
    ("3072 bits", pem(3072)),
]


@pytest.mark.parametrize(("says", "text"), BAD_KEYS, ids=[f"{i}" for i in range(len(BAD_KEYS))])
def test_a_key_that_roxom_could_not_use_is_refused(says: str, text: str) -> None:
    with pytest.raises(CredentialError, match=says) as caught:
        validate("roxom", _roxom(text))
    message = str(caught.value)
    assert message.startswith("private_key ")
    assert NEW_LINE not in message
    assert not any(len(line) > 20 and line in message for line in text.splitlines() if "-----" not in line)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("coinswitch-spot", {"api_key": "k", "api_secret": "0g" * 32}, "api_secret is not hex"),
    ("coinswitch-spot", {"api_key": "k", "api_secret": "0f" * 31}, "api_secret has 62 characters"),
    ("coinswitch-futures", {"api_key": "k", "api_secret": "0f" * 64}, "api_secret has 128 characters"),
    ("coinswitch-spot", {"api_key": "k"}, "api_secret is missing"),
    ("coinswitch-spot", {"api_secret": SEED}, "api_key is missing"),
    ("coinswitch-spot", {"api_key": " ", "api_secret": SEED}, "api_key is empty"),
    ("coinswitch-spot", {"api_key": "a b", "api_secret": SEED}, "api_key contains spaces"),
    ("coinswitch-spot", {"api_key": "a\x1bb", "api_secret": SEED}, "api_key contains control"),
    ("coinswitch-spot", {"api_key": "a\r\nX: y", "api_secret": SEED}, "api_key contains control"),
    ("coinswitch-spot", {"api_key": "ключ", "api_secret": SEED}, "api_key contains letters beyond"),
    ("coinswitch-spot", {"api_key": 5, "api_secret": SEED}, "api_key must be text"),
    ("coinswitch-spot", {}, "needs api_key and api_secret"),
    ("coinswitch-spot", {"api_key": "k", "api_secret": SEED, "jwt": JWT}, "field jwt is not known"),
    ("coinswitch-spot", {SEED: "api_secret"}, "one field's name is not known"),
    ("roxom", {"api_key": "k", "api_secret": SEED}, "use api_key and private_key"),
    ("p99-spot", {"api_key": "k"}, "api_secret is missing"),
    ("p99-spot", {"api_key": "k", "jwt": JWT}, "api_key is one too many"),
    ("p99-spot", {"api_key": "k", "api_secret": "s", "jwt": JWT}, "jwt is one too many"),
    ("p99-spot", {"jwt": "only.two"}, "jwt is not a JWT"),
    ("p99-spot", {"jwt": "a..c"}, "jwt is not a JWT"),
    ("p99-spot", {"jwt": f"Bearer {JWT}"}, "jwt contains spaces"),
    ("b2trader", {"api_token": "a", "access_token": "b"}, "access_token is one too many"),
    ("b2trader", {"api_token": "a\x7fb"}, "api_token contains control"),
    ("b2trader", {}, "needs api_token, or access_token"),
    ("nowhere", {}, "unknown venue kind"),
]


@pytest.mark.parametrize(("kind", "fields", "says"), BAD)
def test_a_complaint_names_the_field_and_the_remedy(kind: str, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(CredentialError) as caught:
        validate(kind, fields)
    assert says in str(caught.value)
    assert SEED not in str(caught.value)


@given(st.sampled_from(sorted(FIELDS)), st.data())
def test_no_complaint_ever_shows_a_value(kind: str, data: st.DataObject) -> None:
    names = sorted({name for sets in FIELDS.values() for names in sets for name in names})
    value = st.text(min_size=1, max_size=30).map(lambda text: f"§{text}§")
    fields = data.draw(st.dictionaries(st.sampled_from(names), value, max_size=4))
    with pytest.raises(CredentialError) as caught:
        validate(kind, fields)
    assert "§" not in str(caught.value)
    assert NEW_LINE not in str(caught.value)
