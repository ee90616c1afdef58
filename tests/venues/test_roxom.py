"""Roxom: what travels, and what its answers mean."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.clock import ManualClock
from cancel_tui.orders import (
    AccountId,
    Family,
    Order,
    OrderId,
    OrderKey,
    OrderStatus,
    OrderType,
    Side,
    VenueName,
)
from cancel_tui.redaction import Secret
from cancel_tui.settings import Budget, VenueSettings
from cancel_tui.text import VenueText
from cancel_tui.venues.base import (
    CallClass,
    CancelAck,
    ClosedQuery,
    Message,
    Part,
    PartList,
    Raw,
    Reply,
    SignsAhead,
    Touched,
    Venue,
)
from cancel_tui.venues.outcome import (
    Answered,
    NotSent,
    Outcome,
    Reason,
    Refused,
    Throttled,
    Unanswered,
    Unauthorised,
)
from cancel_tui.venues.registry import make_venue
from cancel_tui.venues.roxom import INST_TYPES, RoxomVenue, make
from cancel_tui.venues.roxom_signing import KEPT, Signer, load_key, signed_text
from tests.venues.fake_port import FakePort, always, reply, value

KEY_ID = "rxk_key_0123456789abcdef"
ID = "0199c0de-0001-7a00-8000-0000000000a1"
OTHER_ID = "0199c0de-0002-7b00-8000-0000000000b2"
ROW: dict[str, Any] = {
    "id": ID,
    "accountId": "7a0d5b1e-52c4-4f7e-9b35-0c6b1f2d8e11",
    "symbol": "GOLD-BTC",
    "instType": "perpetual",
    "type": "limit",
    "timeInForce": "gtc",
    "side": "buy",
    "qty": "3.00",
    "size": "2.25",
    "amountFilled": "0.75",
    "px": "0.00091250",
    "unit": "btc",
    "status": "partiallyfilled",
    "createdAt": 1760000000000,
    "clientOrderId": "desk-7",
    "triggerPx": None,
    "cancelAt": None,
    "triggeredAt": None,
}
OLD_ROW: dict[str, Any] = {
    "id": ID,
    "symbol": "GOLD-BTC",
    "orderType": "stopLimit",
    "side": "SELL",
    "quantity": "3.00",
    "size": "2.25",
    "price": "0.00091250",
    "triggerPx": "0.0009",
    "unit": "BTC",
    "status": "PARTIALLY_FILLED",
    "isTriggered": True,
    "createdAt": 1760000000000000000,
}


def pem_of(key: Any, form: Any = serialization.PrivateFormat.PKCS8, word: bytes = b"") -> str:
    lock = serialization.BestAvailableEncryption(word) if word else serialization.NoEncryption()
    return str(key.private_bytes(serialization.Encoding.PEM, form, lock).decode())


RSA = rsa.generate_private_key(65537, 2048)
PEM = pem_of(RSA)


def orders(*rows: Any) -> Reply:
    return reply({"error": False, "data": {"orders": list(rows)}})


def key(order_id: str = ID) -> OrderKey:
    return OrderKey(VenueName("rx"), None, Family.ORDER, OrderId(order_id))


def roxom(clock: ManualClock | None = None, **more: Any) -> RoxomVenue:
    base_url = more.pop("base_url", "https://api.roxom.com")
    settings = VenueSettings(name="rx", kind="roxom", base_url=base_url, **more)
    return make(settings, {"api_key": Secret(KEY_ID), "private_key": Secret(PEM)}, clock or ManualClock())


def assert_signed(message: Message, header: bytes = b"X-API-Signature") -> None:
    headers = dict(message.headers)
    assert headers[b"Content-Type"] == b"application/json"
    assert message.body == b""
    text = message.method + b":" + message.target
    RSA.public_key().verify(
        base64.b64decode(headers[header], validate=True), text, padding.PKCS1v15(), hashes.SHA256()
    )


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


# Lists


async def test_there_is_one_part_per_instrument_type() -> None:
    parts = value(await roxom().parts(always(orders()))).parts
    assert [part.id for part in parts] == [f"inst_type:{name}" for name in INST_TYPES]
    parts = value(await roxom(inst_types=("spot", "perpetual", "spot")).parts(always(orders()))).parts
    assert [part.id for part in parts] == ["inst_type:spot", "inst_type:perpetual"]


async def listed(answer: Raw, venue: RoxomVenue | None = None, name: str = "perpetual") -> Outcome[PartList]:
    return await (venue or roxom()).list_part(Part(f"inst_type:{name}"), always(answer))


async def test_a_list_names_type_and_unit_and_is_one_request() -> None:
    port = always(orders(ROW))
    part = value(await roxom().list_part(Part("inst_type:perpetual"), port))
    assert [(call, message.target) for call, message in port.sent] == [
        (CallClass.LIST, b"/api/v1/orders?instType=perpetual&unit=btc")
    ]
    assert_signed(port.sent[0][1])
    assert part.complete
    assert [order.key for order in part.orders] == [key()]


async def test_an_instrument_type_cannot_add_parameters() -> None:
    port = always(orders())
    await roxom(inst_types=("a&b=c", "spot")).list_part(Part("inst_type:a&b=c"), port)
    assert port.sent[0][1].target == b"/api/v1/orders?instType=a%26b%3Dc&unit=btc"
    assert_signed(port.sent[0][1])


@pytest.mark.parametrize(
    "answer",
    [
        reply({"error": {"code": 400, "message": "bad instType", "details": "x"}, "requestId": "r"}, 400),
        reply({"code": "VALIDATION_ERROR", "message": "instType", "details": "x"}, 422),
        reply({"error": 404, "message": "unknown type"}, 404),
        reply({"error": True, "data": None}, 400),
        reply({"error": "unknown instType"}, 400),
    ],
)
async def test_a_type_that_the_venue_refuses_is_a_blind_spot(answer: Reply) -> None:
    part = value(await listed(answer, name="stock"))
    assert part == PartList((), True, ("inst_type:stock",))


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"<html>not found</html>", 404),
        reply(b"", 404),
        reply({"message": "no Route matched with those values"}, 404),
        reply({"error": "Not Found", "status": 404, "path": "/x"}, 404),
        reply(b"<html>bad request</html>", 400),
        reply(b"", 422),
        reply({"error": 401, "message": "key"}, 401),
        reply({"error": 403, "message": "right"}, 403),
        reply({"error": 429, "message": "slow"}, 429),
        reply({"error": 500, "message": "x"}, 500),
        reply({"error": True, "data": {"orders": []}}),
        reply({"error": {"code": 400, "message": "x"}}),
    ],
)
async def test_no_other_failure_of_a_list_is_a_blind_spot(answer: Reply) -> None:
    assert not isinstance(await listed(answer), Answered)


async def test_a_refused_type_is_asked_again_every_time() -> None:
    answers = iter([reply({"error": 400, "message": "not now"}, 400), orders(ROW)])
    venue, port = roxom(), FakePort(lambda _: next(answers))
    assert value(await venue.list_part(Part("inst_type:spot"), port)).blind_spots == ("inst_type:spot",)
    assert value(await venue.list_part(Part("inst_type:spot"), port)).blind_spots == ()
    assert len(port.sent) == 2


async def test_when_every_type_is_refused_the_list_has_failed() -> None:
    venue, refusal = roxom(inst_types=("spot", "stock")), reply({"error": 400, "message": "bad unit"}, 400)
    assert isinstance(await listed(refusal, venue, "spot"), Answered)
    outcome = await listed(refusal, venue, "stock")
    assert outcome == Refused(Reason.REQUEST, VenueText("bad unit"), 400)
    assert outcome == await listed(refusal, venue, "spot")
    assert isinstance(await listed(orders(), venue, "spot"), Answered)
    assert isinstance(await listed(refusal, venue, "stock"), Answered)


async def test_a_type_that_was_listed_before_is_no_blind_spot_when_it_is_refused() -> None:
    venue = roxom()
    assert isinstance(await listed(orders(ROW), venue, "spot"), Answered)
    refusal = reply({"error": 400, "message": "not now"}, 400)
    assert isinstance(await listed(refusal, venue, "spot"), Refused)
    assert isinstance(await listed(refusal, venue, "stock"), Answered)


async def test_rows_without_an_id_make_the_list_incomplete_and_the_last_of_a_pair_wins() -> None:
    answer = orders(ROW, {"symbol": "X"}, None, {**ROW, "status": "pendingcancel"}, {**ROW, "id": OTHER_ID})
    part = value(await listed(answer))
    assert [order.key.order_id for order in part.orders] == [ID, OTHER_ID]
    assert part.orders[0].status is OrderStatus.PENDING_CANCEL
    assert not part.complete
    assert part.note


async def test_a_null_list_in_the_documented_wrapper_is_empty() -> None:
    assert value(await listed(reply({"error": False, "data": {"orders": None}}))).orders == ()


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b'{"error":false}', b'{"data":{}}', b'{"data":{"orders":{}}}', b"<html>"],
)
async def test_what_is_no_list_is_no_answer(body: bytes) -> None:
    assert isinstance(await listed(reply(body)), Unanswered)


# Orders


async def one(fields: dict[str, Any], base: dict[str, Any] = ROW) -> Order:
    return value(await listed(orders({**base, **fields}))).orders[0]


async def test_every_field_of_an_order_is_read() -> None:
    assert await one({}) == Order(
        key=key(),
        account=AccountId(ROW["accountId"]),
        client_order_id=VenueText("desk-7"),
        symbol=VenueText("GOLD-BTC"),
        side=Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=VenueText("gtc"),
        price=Decimal("0.00091250"),
        quantity=Decimal("3.00"),
        filled=Decimal("0.75"),
        remaining=Decimal("2.25"),
        status=OrderStatus.PARTIALLY_FILLED,
        venue_status=VenueText("partiallyfilled"),
        created_at=1760000000.0,
    )


async def test_the_older_field_names_are_read_as_well() -> None:
    assert await one({}, OLD_ROW) == Order(
        key=key(),
        symbol=VenueText("GOLD-BTC"),
        side=Side.SELL,
        type=OrderType.STOP_LIMIT,
        price=Decimal("0.00091250"),
        trigger_price=Decimal("0.0009"),
        quantity=Decimal("3.00"),
        filled=Decimal("0.75"),
        remaining=Decimal("2.25"),
        status=OrderStatus.PARTIALLY_FILLED,
        venue_status=VenueText("PARTIALLY_FILLED"),
        created_at=1760000000.0,
    )


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pendingsubmit", OrderStatus.PENDING_NEW),
        ("PENDING", OrderStatus.PENDING_NEW),
        ("waitingtrigger", OrderStatus.OPEN),
        ("submitted", OrderStatus.OPEN),
        ("Partially Filled", OrderStatus.PARTIALLY_FILLED),
        ("PENDING_CANCEL", OrderStatus.PENDING_CANCEL),
        ("pending-cancel", OrderStatus.PENDING_CANCEL),
        ("FILLED", OrderStatus.FILLED),
        ("CANCELED", OrderStatus.CANCELED),
        ("cancelled", OrderStatus.CANCELED),
        ("partiallyfilledcancelled", OrderStatus.CANCELED),
        ("PARTIALLY_FILLED_CANCELED", OrderStatus.CANCELED),
        ("rejected", OrderStatus.REJECTED),
        ("inactive", OrderStatus.REJECTED),
        ("EXPIRED", OrderStatus.EXPIRED),
        ("frozen", OrderStatus.UNKNOWN),
        (None, OrderStatus.UNKNOWN),
        ({}, OrderStatus.UNKNOWN),
    ],
)
async def test_status_words(word: Any, status: OrderStatus) -> None:
    assert (await one({"status": word, "size": "3.00", "amountFilled": "0"})).status is status


@pytest.mark.parametrize("word", ["submitted", "waitingtrigger"])
async def test_a_resting_order_with_a_fill_is_partially_filled(word: str) -> None:
    assert (await one({"status": word})).status is OrderStatus.PARTIALLY_FILLED


@pytest.mark.parametrize(
    ("fields", "filled", "remaining"),
    [
        ({}, "0.75", "2.25"),
        ({"amountFilled": "0.0006"}, "0.75", "2.25"),
        ({"amountFilled": None}, "0.75", "2.25"),
        ({"size": None}, "0.75", "2.25"),
        ({"size": None, "amountFilled": None}, None, None),
        ({"status": "filled", "size": "0.000", "amountFilled": None}, "3", "0"),
        ({"status": "filled", "size": "0.000", "amountFilled": "0.0027"}, "3", "0"),
        ({"status": "filled", "size": None, "amountFilled": None}, "3", "0"),
        ({"status": "cancelled", "size": "0", "amountFilled": "0.75"}, "0.75", "0"),
        ({"status": "cancelled", "size": "0", "amountFilled": None}, None, "0"),
        ({"status": "cancelled", "size": "2.25", "amountFilled": None}, "0.75", "2.25"),
        ({"status": "cancelled", "size": "3.00", "amountFilled": "0"}, "0", "3"),
    ],
)
async def test_quantities(fields: dict[str, Any], filled: str | None, remaining: str | None) -> None:
    order = await one(fields)
    assert order.quantity == Decimal(3)
    assert order.filled == (None if filled is None else Decimal(filled))
    assert order.remaining == (None if remaining is None else Decimal(remaining))


@pytest.mark.parametrize("stamp", [1760000000, 1760000000000, 1760000000000000, 1760000000000000000])
async def test_the_unit_of_a_time_shows_by_its_size(stamp: int) -> None:
    assert (await one({"createdAt": stamp})).created_at == pytest.approx(1760000000.0)


async def test_an_order_with_hardly_any_field_is_still_an_order() -> None:
    order = value(await listed(orders({"id": ID}))).orders[0]
    assert order == Order(key=key())


# One order


TAKEN = reply({"data": {"success": True}})


@pytest.mark.parametrize("order_id", ["", ".", "..", "...", "x" * 201, "../cancel-all?x#y", "a%2e"])
async def test_an_id_that_would_change_the_path_is_never_sent(order_id: str) -> None:
    port = always(TAKEN)
    assert isinstance(await roxom().cancel(key(order_id), port), NotSent)
    assert isinstance(await roxom().read(key(order_id), port), NotSent)
    assert port.sent == []


async def test_an_odd_id_stays_one_path_segment_and_is_signed_as_sent() -> None:
    port = always(TAKEN)
    await roxom().cancel(key("cancel-all:x=y"), port)
    assert port.sent[0][1].target == b"/api/v1/orders/cancel-all%3Ax%3Dy/cancel"
    assert_signed(port.sent[0][1])


async def test_a_cancel_answer_that_describes_the_order_is_read() -> None:
    pending = {**ROW, "status": "pendingcancel"}
    for data in ({"order": pending}, {"success": True, "order": pending}, {**pending, "success": True}):
        ack = value(await roxom().cancel(key(), always(reply({"error": False, "data": data}))))
        assert ack.order is not None
        assert ack.order.status is OrderStatus.PENDING_CANCEL
    named = reply({"data": {"success": True, "orderId": ID.upper()}})
    assert value(await roxom().cancel(key(), always(named))) == CancelAck()


async def test_an_answer_that_names_another_order_is_none() -> None:
    for data in ({"success": True, "orderId": OTHER_ID}, {"success": True, "order": {**ROW, "id": OTHER_ID}}):
        assert isinstance(await roxom().cancel(key(), always(reply({"data": data}))), Unanswered)
    other = reply({"data": {"order": {**ROW, "id": OTHER_ID}}})
    assert isinstance(await roxom().read(key(), always(other)), Unanswered)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b"OK",
        b"<html>",
        b'{"data":null}',
        b'{"data":{}}',
        b'{"data":{"success":"true"}}',
        b'{"data":{"success":1}}',
        b'{"error":false,"data":true}',
    ],
)
async def test_an_unreadable_cancel_answer_is_no_answer(body: bytes) -> None:
    assert isinstance(await roxom().cancel(key(), always(reply(body))), Unanswered)


async def test_reading_back_names_the_unit_and_tells_the_end() -> None:
    done = {**ROW, "status": "partiallyfilledcancelled"}
    for wrapper in ({"error": False}, {}):
        port = always(reply({**wrapper, "data": {"order": done}}))
        order = value(await roxom().read(key(), port))
        assert (order.status, order.filled) == (OrderStatus.CANCELED, Decimal("0.75"))
        assert port.sent[0][1].target == f"/api/v1/orders/{ID}?unit=btc".encode()
        assert port.sent[0][0] is CallClass.STATUS
        assert_signed(port.sent[0][1])


REFUSALS = [
    (reply({"error": 404, "message": "order not found"}, 404), Refused, Reason.NOT_FOUND),
    (reply({"error": {"code": 404, "message": "x"}, "requestId": "r"}, 404), Refused, Reason.NOT_FOUND),
    (reply({"code": "NOT_FOUND", "message": "x"}, 404), Refused, Reason.NOT_FOUND),
    (reply({"code": "NOT_FOUND", "message": "x"}, 400), Refused, Reason.NOT_FOUND),
    (reply({"error": True, "message": "x"}, 404), Refused, Reason.NOT_FOUND),
    (reply(b"<html>404</html>", 404), Refused, Reason.REQUEST),
    (reply(b"404 page not found", 404), Refused, Reason.REQUEST),
    (reply(b"", 404), Refused, Reason.REQUEST),
    (reply({"message": "Not Found"}, 404), Refused, Reason.REQUEST),
    (
        reply({"error": "Not Found", "statusCode": 404, "message": "Cannot POST"}, 404),
        Refused,
        Reason.REQUEST,
    ),
    (reply({"code": "NOT_FOUND", "message": "x", "data": {}}, 404), Refused, Reason.REQUEST),
    (reply(b"", 405), Refused, Reason.REQUEST),
    (reply({"error": 400, "message": "cannot cancel"}, 400), Refused, Reason.ORDER),
    (reply({"error": {"code": 409, "message": "cannot cancel"}}, 409), Refused, Reason.ORDER),
    (reply({"code": "VALIDATION_ERROR", "message": "x"}, 422), Refused, Reason.ORDER),
    (reply({"error": True, "data": None}), Refused, Reason.ORDER),
    (reply({"error": 400, "message": "cannot cancel"}), Refused, Reason.ORDER),
    (reply({"error": {}}), Refused, Reason.ORDER),
    (reply({"error": "cannot cancel"}), Refused, Reason.ORDER),
    (reply({"data": {"success": False}}), Refused, Reason.ORDER),
    (reply({"error": False, "data": {"success": False, "orderId": ID}}), Refused, Reason.ORDER),
    (reply({"code": "CANNOT_CANCEL", "message": "x"}), Refused, Reason.ORDER),
    (reply({"code": "NOT_FOUND", "message": "x"}), Refused, Reason.NOT_FOUND),
    (reply({"error": {"code": 404, "message": "x"}}), Refused, Reason.NOT_FOUND),
    (reply({"error": 401, "message": "key expired"}), Unauthorised, None),
    (reply({"error": 429, "message": "slow"}), Throttled, None),
    (reply({"error": 503, "message": "x"}), Unanswered, None),
    (reply({"error": 401, "message": "signature missing"}, 401), Unauthorised, None),
    (reply(b"", 401), Unauthorised, None),
    (reply({"error": 403, "message": "x"}, 403), Unauthorised, None),
    (reply({"error": 500, "message": "x"}, 500), Unanswered, None),
    (reply(b"<html>", 502), Unanswered, None),
    (reply(b"", 503), Unanswered, None),
    (reply(b"", 301), Unanswered, None),
]


@pytest.mark.parametrize(("answer", "kind", "reason"), REFUSALS)
async def test_what_an_error_means_for_a_cancel(answer: Reply, kind: type, reason: Reason | None) -> None:
    port = always(answer)
    outcome = await roxom().cancel(key(), port)
    assert type(outcome) is kind
    if isinstance(outcome, Refused):
        assert outcome.reason is reason
    assert len(port.sent) == 1


async def test_the_venues_words_are_passed_on_with_details() -> None:
    body = {"error": {"code": 400, "message": "cannot cancel", "details": "already filled"}}
    for status in (200, 400):
        outcome = await roxom().cancel(key(), always(reply(body, status)))
        assert isinstance(outcome, Refused)
        assert str(outcome.message) == "cannot cancel: already filled"


async def test_an_echoed_signature_is_not_passed_on() -> None:
    port = FakePort(
        lambda sent: reply({"error": 401, "message": dict(sent.headers)[b"X-API-Signature"].decode()}, 401)
    )
    outcome = await roxom().cancel(key(), port)
    assert isinstance(outcome, Unauthorised)
    assert str(outcome.message) == "[hidden]"


async def test_throttling_keeps_the_venues_wish() -> None:
    answer = Reply(429, {"retry-after": "2"}, b"")
    assert await roxom().cancel(key(), always(answer)) == Throttled(2.0, None)


# All orders


async def test_cancel_all_returns_the_ids_that_were_taken() -> None:
    port = always(reply({"error": False, "data": {"cancelledOrderIds": [ID, OTHER_ID, None, ""]}}))
    ack = value(await roxom().cancel_all(None, port))
    assert ack.ids == (ID, OTHER_ID)
    assert ack.orders == ()
    call, message = port.sent[0]
    assert (call, message.method, message.target) == (
        CallClass.CANCEL_ALL,
        b"POST",
        b"/api/v1/orders/cancel-all",
    )
    assert_signed(message)


async def test_cancel_all_can_go_without_a_signature_but_nothing_else_does() -> None:
    venue = roxom(sign_cancel_all=False)
    port = always(reply({"data": {"cancelledOrderIds": []}}))
    await venue.cancel_all(None, port)
    await venue.cancel(key(), port)
    assert dict(port.sent[0][1].headers) == {
        b"X-API-Key": KEY_ID.encode(),
        b"Content-Type": b"application/json",
    }
    assert_signed(port.sent[1][1])


@pytest.mark.parametrize("symbol", ["GOLD-BTC", ""])
async def test_a_symbol_never_becomes_a_cancel_of_everything(symbol: str) -> None:
    port = always(reply({"data": {"cancelledOrderIds": []}}))
    assert isinstance(await roxom().cancel_all(symbol, port), NotSent)
    assert port.sent == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(b""), Unanswered),
        (reply({"data": {}}), Unanswered),
        (reply({"data": {"cancelledOrderIds": "all"}}), Unanswered),
        (reply({"error": True, "data": {"cancelledOrderIds": [ID]}}), Refused),
        (reply(b"<html>", 404), Refused),
        (reply({"error": 500, "message": "x"}, 500), Unanswered),
    ],
)
async def test_other_cancel_all_answers(answer: Reply, kind: type) -> None:
    outcome = await roxom().cancel_all(None, always(answer))
    assert type(outcome) is kind
    if isinstance(outcome, Refused):
        assert outcome.reason is Reason.REQUEST


# Finished orders


async def test_ends_are_looked_for_once_per_instrument_type_that_a_list_has_told() -> None:
    venue = roxom()
    await listed(orders(ROW), venue, "perpetual")
    await listed(orders({**ROW, "id": OTHER_ID}, {**ROW, "id": "c"}), venue, "spot")
    asked = [Touched(key()), Touched(key(OTHER_ID)), Touched(key("c")), Touched(key("never-listed"))]
    plan = venue.closed_plan(asked)
    assert [query.part for query in plan.queries] == ["inst_type:spot", "inst_type:perpetual"]
    assert plan.covers == {key(), key(OTHER_ID), key("c")}


async def test_ends_of_many_orders_that_no_list_has_shown_are_looked_for_in_every_type() -> None:
    venue = roxom()
    await listed(orders(ROW), venue, "perpetual")
    many = [Touched(key()), *(Touched(key(f"never-{number}")) for number in range(len(INST_TYPES) + 1))]
    plan = venue.closed_plan(many)
    assert {query.part for query in plan.queries} == {f"inst_type:{name}" for name in INST_TYPES}
    assert plan.queries[0].part == "inst_type:perpetual"
    assert plan.covers == {one.key for one in many}
    assert venue.closed_plan(many[:-1]).covers == {key()}, "few are read one by one"


async def test_types_are_kept_of_all_that_is_listed_and_of_so_many_that_have_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cancel_tui.venues.roxom.REMEMBERED", 3)
    venue = roxom()

    def known(count: int) -> set[str]:
        names = [str(number) for number in range(count)]
        return {name for name in names if venue.closed_plan([Touched(key(name))]).covers}

    await listed(orders(*({**ROW, "id": str(number)} for number in range(8))), venue, "spot")
    await listed(orders({**ROW, "id": "8"}, {**ROW, "id": "9"}), venue, "perpetual")
    assert len(known(10)) == 10
    await listed(orders({**ROW, "id": "7"}), venue, "spot")
    assert known(10) == {"4", "5", "6", "7", "8", "9"}
    for number in range(10, 100):
        await listed(orders({**ROW, "id": str(number)}), venue, "spot")
        await listed(orders({**ROW, "id": "8"}, {**ROW, "id": "9"}), venue, "perpetual")
    assert known(100) == {"8", "9", "96", "97", "98", "99"}


async def test_a_finished_list_is_one_page() -> None:
    venue, port = roxom(), always(orders({**ROW, "status": "filled", "size": "0", "amountFilled": "3.00"}))
    page = value(await venue.closed_page(ClosedQuery(part="inst_type:perpetual"), port))
    assert [(order.status, order.filled) for order in page.orders] == [(OrderStatus.FILLED, Decimal(3))]
    assert page.next is None
    call, message = port.sent[0]
    assert call is CallClass.CLOSED
    assert message.target == b"/api/v1/orders?instType=perpetual&unit=btc&includeClosed=true"
    assert_signed(message)
    assert isinstance(await venue.closed_page(ClosedQuery(), port), NotSent)


# Clock and check


async def test_the_clock_is_measured_by_the_date_of_a_list() -> None:
    clock = ManualClock(1_779_012_340.0)
    venue = roxom(clock)
    date = "Sun, 17 May 2026 10:05:43 GMT"
    for answer in (Reply(200, {"date": date}, orders().body), Reply(401, {"date": date}, b"")):
        port = always(answer)
        assert value(await venue.measure_clock(port)) == pytest.approx(3.5)
        assert venue.clock_offset == pytest.approx(3.5)
        assert port.sent[0][0] is CallClass.OTHER
        assert_signed(port.sent[0][1])


@pytest.mark.parametrize("answer", [orders(), Reply(200, {"date": "soon"}, b""), Unanswered("timeout")])
async def test_a_venue_that_tells_no_time_changes_nothing(answer: Raw) -> None:
    venue = roxom()
    assert isinstance(await venue.measure_clock(always(answer)), Unanswered)
    assert venue.clock_offset is None


async def test_check_lists_the_first_type_that_the_venue_knows() -> None:
    def answer(message: Message) -> Raw:
        known = b"instType=spot" in message.target
        return orders() if known else reply({"error": 400, "message": "unknown"}, 400)

    port = FakePort(answer)
    assert await roxom().check(port) == Answered("API key and signature accepted (spot)")
    assert {call for call, _ in port.sent} == {CallClass.OTHER}


@pytest.mark.parametrize(
    ("answer", "prefix", "advice"),
    [
        (reply({"error": 401, "message": "bad key"}, 401), "/api/v1", 'bad key; api_prefix = "/v1" may be'),
        (reply(b"", 401), "/v1", 'api_prefix = "/api/v1" may be'),
        (reply(b"<html>", 404), "/api/v1", 'api_prefix = "/v1" may be'),
    ],
)
async def test_check_advises_on_the_prefix(answer: Reply, prefix: str, advice: str) -> None:
    port = always(answer)
    outcome = await roxom(api_prefix=prefix).check(port)
    assert isinstance(outcome, Unauthorised | Refused)
    assert advice in str(outcome.message)
    assert len(port.sent) == 1


# Anything at all


WORDS = [
    *ROW,
    "error",
    "code",
    "data",
    "orders",
    "order",
    "success",
    "message",
    "cancelledOrderIds",
    "details",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=12,
)
VENUE = roxom()


async def everything(answer: Reply) -> None:
    port = always(answer)
    outcomes: list[Outcome[Any]] = [
        await VENUE.list_part(Part("inst_type:perpetual"), port),
        await VENUE.cancel(key(), port),
        await VENUE.cancel_all(None, port),
        await VENUE.read(key(), port),
        await VENUE.closed_page(ClosedQuery(part="inst_type:spot"), port),
        await VENUE.measure_clock(port),
        await VENUE.check(port),
    ]
    for outcome in outcomes:
        assert isinstance(outcome, Answered | NotSent | Unanswered | Throttled | Unauthorised | Refused)
    cancel = outcomes[1]
    if isinstance(cancel, Answered) and cancel.value.order is not None:
        assert cancel.value.order.key == key()


@given(JSON, st.sampled_from([200, 201, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503]))
def test_any_json_becomes_an_outcome(content: Any, status: int) -> None:
    asyncio.run(everything(reply(content, status)))


@given(JSON, JSON)
def test_any_fields_of_a_row_become_an_outcome(content: Any, error: Any) -> None:
    row = {**ROW, **(content if isinstance(content, dict) else {"id": content})}
    data = {"orders": [row], "order": row, "success": True, "cancelledOrderIds": [content]}
    asyncio.run(everything(reply({"error": False, "data": data})))
    asyncio.run(everything(reply({"error": error, "data": data})))


@given(st.binary(max_size=200), st.sampled_from([200, 204, 302, 400, 401, 404, 503]))
def test_any_bytes_become_an_outcome(body: bytes, status: int) -> None:
    asyncio.run(everything(reply(body, status)))
