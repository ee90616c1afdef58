"""The Roxom adapter: what is signed, and the keys that sign it."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from cancel_tui.clock import ManualClock
from cancel_tui.redaction import Secret
from cancel_tui.settings import Budget, VenueSettings
from cancel_tui.venues.base import CallClass, CancelAck, Part, SignsAhead, Venue
from cancel_tui.venues.registry import make_venue
from cancel_tui.venues.roxom import make
from cancel_tui.venues.roxom_signing import KEPT, Signer, load_key, signed_text
from tests.venues.fake_port import always, reply, value
from tests.venues.roxom_case import ID, KEY_ID, PEM, RSA, assert_signed, key, orders, pem_of, roxom

# Signing


@pytest.mark.parametrize(
    ("method", "target", "body", "digest"),
    [
        (
            "GET",
            "/api/v1/orders?instType=perpetual&unit=btc",
            None,
            "4a6cabeda1edd374b0075ce27e185ca44e059ce14290cd3a541b52fd8264968c",
        ),
        (
            "POST",
            "/api/v1/orders/0199c0de-0001-7a00-8000-0000000000a1/cancel",
            None,
            "09f03544959c6779001260ae178197cbbd505cb291e3a4e9bfdbe73df50b1736",
        ),
        (
            "post",
            "/api/v1/orders/cancel-all",
            {},
            "b673ff2f7f32cc6863ac8d2362e56d20ccea2df9062c59919430f4b576d2ad41",
        ),
        (
            "POST",
            "/api/v1/orders",
            {
                "symbol": "GOLD-BTC",
                "instType": "perpetual",
                "side": "buy",
                "orderType": "limit",
                "qty": "3.00",
                "px": "0.00091250",
                "timeInForce": "gtc",
                "unit": "btc",
                "triggerPx": None,
            },
            "bf69b77cff05a51032453b5a07fdf68f62ca91072e10fd03e17af91db9d64f05",
        ),
        ("GET", "/ws", None, "51a7a8411f92c1f5bd582dbbcfa136ab54f764cd6e928027ba04d523f61d58e7"),
    ],
)
def test_the_signed_text(method: str, target: str, body: dict[str, object] | None, digest: str) -> None:
    assert hashlib.sha256(signed_text(method, target, body).encode()).hexdigest() == digest


def test_body_values_are_plain() -> None:
    assert signed_text("POST", "/x", {"b": True, "a": 12, "c": False}) == "POST:/x:a=12&b=true&c=false"


async def test_a_cancel_signs_what_travels() -> None:
    port = always(reply({"data": {"success": True}}))
    assert value(await roxom().cancel(key(), port)) == CancelAck()
    call, message = port.sent[0]
    assert call is CallClass.CANCEL
    assert message.method == b"POST"
    assert message.target == f"/api/v1/orders/{ID}/cancel".encode()
    assert dict(message.headers)[b"X-API-Key"] == KEY_ID.encode()
    assert_signed(message)


async def test_settings_move_prefix_paths_and_headers() -> None:
    venue = roxom(
        api_prefix="/v1",
        cancel_path="/order/{orderId}/kill",
        cancel_all_path="/kill-all",
        key_header="X-K",
        signature_header="X-S",
        base_url="http://127.0.0.1:9/deep",
        unit="sats",
    )
    port = always(reply({"data": {"success": True, "cancelledOrderIds": [], "orders": []}}))
    await venue.cancel(key(), port)
    await venue.cancel_all(None, port)
    await venue.list_part(Part("inst_type:spot"), port)
    assert [message.target.decode() for _, message in port.sent] == [
        f"/deep/v1/order/{ID}/kill",
        "/deep/v1/kill-all",
        "/deep/v1/orders?instType=spot&unit=sats",
    ]
    for _, message in port.sent:
        assert_signed(message, b"X-S")
        assert dict(message.headers)[b"X-K"] == KEY_ID.encode()


async def test_pss_padding_is_used_where_it_is_set() -> None:
    port = always(orders())
    await roxom(rsa_padding="pss").list_part(Part("inst_type:spot"), port)
    message = port.sent[0][1]
    signature = base64.b64decode(dict(message.headers)[b"X-API-Signature"])
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    RSA.public_key().verify(signature, b"GET:" + message.target, pss, hashes.SHA256())


def test_a_signature_is_made_once_and_the_store_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting:
        def __init__(self) -> None:
            self.made: list[bytes] = []

        def sign(self, text: bytes, *_: object) -> bytes:
            self.made.append(text)
            return text

    counting = Counting()
    signer = Signer(RSA, "pkcs1v15")
    monkeypatch.setattr(signer, "_key", counting)
    assert signer.sign("a") == signer.sign("a") == base64.b64encode(b"a")
    assert counting.made == [b"a"]
    for number in range(KEPT):
        signer.sign(str(number))
    signer.sign("a")
    assert counting.made.count(b"a") == 2
    assert repr(signer) == "Signer([hidden])"


async def test_a_cancel_signed_ahead_leaves_with_that_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    venue, port = roxom(), always(reply({"data": {"success": True}}))
    made: list[str] = []
    real = Signer.sign

    def sign(self: Signer, text: str) -> bytes:
        if text not in self._kept:
            made.append(text)
        return real(self, text)

    monkeypatch.setattr(Signer, "sign", sign)
    assert isinstance(venue, SignsAhead)
    venue.sign_ahead(key())
    venue.sign_ahead(key(".."))
    await venue.cancel(key(), port)
    (_, message), *_ = port.sent
    assert made == [f"POST:{message.target.decode()}"]


# Keys


def test_a_pem_survives_clipboards() -> None:
    for text in (
        PEM,
        PEM.replace("\n", "\r\n"),
        PEM.replace("\n", " "),
        PEM.replace("\n", "\\n"),
        "\n  " + PEM + "\n\n",
        PEM.replace("\n", "\n\n"),
    ):
        assert load_key(Secret(text)).private_numbers() == RSA.private_numbers()


SMALL = pem_of(rsa.generate_private_key(65537, 1024))
PUBLIC = (
    RSA.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


@pytest.mark.parametrize(
    ("pem", "named"),
    [
        (pem_of(RSA, serialization.PrivateFormat.TraditionalOpenSSL), r"PKCS#1.*openssl"),
        (pem_of(RSA, word=b"word"), "passphrase"),
        (pem_of(RSA, serialization.PrivateFormat.TraditionalOpenSSL, b"word"), "passphrase"),
        (pem_of(ec.generate_private_key(ec.SECP256R1())), "no RSA key"),
        (SMALL, "1024 bits"),
        (PUBLIC, "something else"),
        ("", "missing"),
        ("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw", "BEGIN PRIVATE KEY"),
        (PEM[:900], "end is missing"),
        (PEM[:300] + PEM[400:], "cannot be read"),
        (PEM[:300] + "*" + PEM[300:], "cannot be read"),
        ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", "cannot be read"),
    ],
)
def test_a_key_that_cannot_work_is_refused_with_a_remedy_and_never_shown(pem: str, named: str) -> None:
    settings = VenueSettings(name="rx", kind="roxom", base_url="https://api.roxom.com")
    with pytest.raises(ValueError, match=named) as caught:
        make(settings, {"api_key": Secret(KEY_ID), "private_key": Secret(pem)}, ManualClock())
    assert "private_key" in str(caught.value)
    lines = [line for line in pem.splitlines() if len(line) > 20 and not line.startswith("-")]
    assert not any(line[:20] in str(caught.value) for line in lines)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("given_key", [None, "", "  ", "a b", "k\r\nX-Evil: 1", "schlüssel"])
def test_a_key_id_that_cannot_stand_in_a_header_is_refused(given_key: str | None) -> None:
    settings = VenueSettings(name="rx", kind="roxom", base_url="https://api.roxom.com")
    credentials = {"private_key": Secret(PEM)}
    if given_key is not None:
        credentials["api_key"] = Secret(given_key)
    with pytest.raises(ValueError, match="api_key"):
        make(settings, credentials, ManualClock())


def test_the_adapter_is_a_venue_with_documented_abilities() -> None:
    settings = VenueSettings(name="rx", kind="roxom", base_url="https://api.roxom.com")
    secrets = {"api_key": Secret(KEY_ID), "private_key": Secret(PEM)}
    venue: Venue = make_venue(settings, secrets, ManualClock())
    can = venue.capabilities
    assert can.cancel_all
    assert not can.cancel_all_symbol
    assert can.cancel_all_takes_protective
    assert can.read_order
    assert can.lacks == {"exchange"}
    assert set(can.budgets) == {CallClass.LIST, CallClass.STATUS, CallClass.CLOSED}
    assert set(can.budgets.values()) == {Budget(40, 4.0)}


def test_configured_limits_replace_the_cautious_ones() -> None:
    can = roxom(limits={"status": None, "cancel": Budget(3, 2.0)}).capabilities
    assert CallClass.STATUS not in can.budgets
    assert can.budgets[CallClass.CANCEL] == Budget(3, 2.0)
