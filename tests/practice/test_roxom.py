"""The practice Roxom venue, spoken to over real sockets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from cancel_tui.clock import ManualClock
from cancel_tui.practice.market import Activity, State
from cancel_tui.practice.roxom import Roxom
from cancel_tui.practice.venue import Plan, RateLimit

KEY_ID = "rxk_key_00112233"
UNKNOWN = "0199c0de-0001-7a00-8000-0000000000a1"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    """One key for all tests, because making one takes a moment."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Desk:
    """A client that signs by itself."""

    def __init__(self, venue: Roxom, clock: ManualClock, key: rsa.RSAPrivateKey) -> None:
        self.venue = venue
        self.clock = clock
        self.key = key
        self.http = httpx.AsyncClient(timeout=5)

    def seal(self, text: str) -> str:
        """PKCS#1 v1.5 over the text."""
        return base64.b64encode(self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()

    async def raw(self, method: str, target: str, seal: str | None, body: bytes = b"") -> httpx.Response:
        """Send this target with this signature as it is."""
        headers = {**JSON, "X-API-Key": KEY_ID} | ({} if seal is None else {"X-API-Signature": seal})
        return await self.http.request(
            method, self.venue.base_url + target, content=body or None, headers=headers
        )

    async def call(self, method: str, target: str, prefix: str = "/api/v1") -> httpx.Response:
        """Sign and send a request without a body."""
        return await self.raw(method, prefix + target, self.seal(f"{method}:{prefix}{target}"))

    async def list(self, inst_type: str = "perpetual", query: str = "&unit=btc") -> list[dict[str, Any]]:
        """The rows of a list."""
        answer = await self.call("GET", f"/orders?instType={inst_type}{query}")
        assert answer.status_code == 200, answer.text
        assert answer.json()["error"] is False
        rows: list[dict[str, Any]] = answer.json()["data"]["orders"]
        return rows

    async def read(self, ident: str) -> dict[str, Any]:
        """One order."""
        answer = await self.call("GET", f"/orders/{ident}?unit=btc")
        order: dict[str, Any] = answer.json()["data"]["order"]
        return order

    async def cancel(self, ident: str) -> httpx.Response:
        """Cancel one order."""
        return await self.call("POST", f"/orders/{ident}/cancel")

    async def create(self, text: str | None = None, **fields: object) -> httpx.Response:
        """Enter an order; `text` replaces the signed text of the body."""
        pairs = [f"{name}={_text(value)}" for name, value in sorted(fields.items()) if value is not None]
        signed = f"POST:/api/v1/orders:{'&'.join(pairs)}" if text is None else text
        return await self.raw("POST", "/api/v1/orders", self.seal(signed), json.dumps(fields).encode())


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock(1_760_000_000.25)


@pytest.fixture
async def desk(clock: ManualClock, key: rsa.RSAPrivateKey) -> AsyncIterator[Desk]:
    """A desk before a venue with an empty book."""
    venue = Roxom(clock, Plan(orders=0), key=key, api_key=KEY_ID)
    await venue.start()
    desk = Desk(venue, clock, key)
    yield desk
    await desk.http.aclose()
    await venue.stop()


GOLD = {
    "symbol": "GOLD-BTC",
    "instType": "perpetual",
    "side": "buy",
    "orderType": "limit",
    "qty": "3.00",
    "px": "0.00091250",
    "timeInForce": "gtc",
    "unit": "btc",
}

VECTORS = [
    (
        "GET:/api/v1/orders?instType=perpetual&unit=btc",
        "4a6cabeda1edd374b0075ce27e185ca44e059ce14290cd3a541b52fd8264968c",
        b"",
    ),
    (
        f"POST:/api/v1/orders/{UNKNOWN}/cancel",
        "09f03544959c6779001260ae178197cbbd505cb291e3a4e9bfdbe73df50b1736",
        b"",
    ),
    (
        "POST:/api/v1/orders/cancel-all",
        "b673ff2f7f32cc6863ac8d2362e56d20ccea2df9062c59919430f4b576d2ad41",
        b"",
    ),
    (
        "POST:/api/v1/orders:instType=perpetual&orderType=limit&px=0.00091250&qty=3.00&side=buy"
        "&symbol=GOLD-BTC&timeInForce=gtc&unit=btc",
        "bf69b77cff05a51032453b5a07fdf68f62ca91072e10fd03e17af91db9d64f05",
        json.dumps(GOLD).encode(),
    ),
]


@pytest.mark.parametrize(("text", "digest", "body"), VECTORS)
async def test_published_digests_are_what_the_venue_verifies(
    desk: Desk, text: str, digest: str, body: bytes
) -> None:
    assert hashlib.sha256(text.encode()).hexdigest() == digest
    method, _, rest = text.partition(":")
    target = rest.partition(":")[0]
    raw = desk.key.sign(bytes.fromhex(digest), padding.PKCS1v15(), Prehashed(hashes.SHA256()))
    answer = await desk.raw(method, target, base64.b64encode(raw).decode(), body)
    assert answer.status_code == (404 if UNKNOWN in text else 200), answer.text
    spoilt = base64.b64encode(bytes([raw[0] ^ 1]) + raw[1:]).decode()
    refused = await desk.raw(method, target, spoilt, body)
    assert (refused.status_code, refused.json()) == (
        401,
        {"error": 401, "message": "Invalid API signature"},
    )


@pytest.mark.parametrize(
    "signed",
    [
        "GET:/api/v1/orders?unit=btc&instType=perpetual",
        "GET:/api/v1/orders?instType=perpetual&unit=btc:",
        "GET:/api/v1/orders",
        "GET:/orders?instType=perpetual&unit=btc",
        "get:/api/v1/orders?instType=perpetual&unit=btc",
        "GET:/api/v1/orders?instType=perpetual&unit=btc\n",
    ],
)
async def test_a_signature_over_another_text_is_refused(desk: Desk, signed: str) -> None:
    answer = await desk.raw("GET", "/api/v1/orders?instType=perpetual&unit=btc", desk.seal(signed))
    assert answer.status_code == 401


async def test_a_tampered_order_is_refused_and_null_members_are_not_signed(desk: Desk) -> None:
    assert (await desk.create(VECTORS[3][0], **(GOLD | {"qty": "4.00"}))).status_code == 401
    assert (await desk.create(VECTORS[3][0], **GOLD, triggerPx=None)).status_code == 200
    assert (await desk.create(**GOLD, postOnly=True)).status_code == 200
    assert len(desk.venue.book.orders) == 2


async def test_what_is_missing_is_named(desk: Desk) -> None:
    target = "/api/v1/orders?instType=spot"
    url = desk.venue.base_url + target
    assert (await desk.http.get(url)).json() == {"error": 401, "message": "API key is missing"}
    assert (await desk.raw("GET", target, None)).json()["message"] == "API signature is missing"
    other = await desk.http.get(
        url, headers={"X-API-Key": "x", "X-API-Signature": desk.seal(f"GET:{target}")}
    )
    assert (other.status_code, other.json()["message"]) == (401, "Invalid API key")
    assert (await desk.raw("GET", target, "no base64!")).json()["message"] == "Invalid API signature"
    desk.venue.expired = True
    assert (await desk.call("GET", "/orders?instType=spot")).json()["message"] == "API key has expired"


async def test_padding_is_a_choice(desk: Desk) -> None:
    target = "/api/v1/orders?instType=spot"
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    seal = base64.b64encode(desk.key.sign(f"GET:{target}".encode(), pss, hashes.SHA256())).decode()
    assert (await desk.raw("GET", target, seal)).status_code == 401
    desk.venue.rsa_padding = "pss"
    assert (await desk.raw("GET", target, seal)).status_code == 200
    assert (await desk.call("GET", "/orders?instType=spot")).status_code == 401


async def test_header_names_can_be_others(desk: Desk) -> None:
    desk.venue.key_header, desk.venue.signature_header = "X-Key", "X-Sig"
    target = "/api/v1/orders?instType=spot"
    headers = {"X-Key": KEY_ID, "X-Sig": desk.seal(f"GET:{target}")}
    assert (await desk.http.get(desk.venue.base_url + target, headers=headers)).status_code == 200
    assert (await desk.call("GET", "/orders?instType=spot")).status_code == 401


async def test_cancel_all_may_need_the_key_alone(desk: Desk) -> None:
    target = "/api/v1/orders/cancel-all"
    assert (await desk.raw("POST", target, None)).status_code == 401
    desk.venue.key_only_cancel_all = True
    assert (await desk.raw("POST", target, None)).status_code == 200
    assert (await desk.call("POST", "/orders/cancel-all")).status_code == 200
    assert (await desk.raw("GET", "/api/v1/orders?instType=spot", None)).status_code == 401


async def test_the_handed_out_key_is_one_that_signs(desk: Desk, key: rsa.RSAPrivateKey) -> None:
    handed = (await desk.http.get(desk.venue.base_url + "/_practice/credentials")).json()
    assert handed["api_key"] == KEY_ID
    assert handed["private_key"].startswith("-----BEGIN PRIVATE KEY-----\n")
    loaded = serialization.load_pem_private_key(handed["private_key"].encode(), None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    assert loaded.key_size == 2048
    assert loaded.private_numbers() == key.private_numbers()


async def test_both_prefixes_are_served_and_others_are_a_page(desk: Desk) -> None:
    assert (await desk.call("GET", "/orders?instType=spot", "/v1")).status_code == 200
    desk.venue.prefixes = {"/api/v1"}
    for prefix in ("/v1", "/api/v2", ""):
        answer = await desk.call("GET", "/orders?instType=spot", prefix)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "text/html"
    unknown = await desk.call("GET", "/positions")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "NOT_FOUND")
    assert (await desk.call("GET", "/ordersx/1")).status_code == 404
    assert (await desk.http.get(desk.venue.base_url + "/ping")).status_code == 200


async def test_an_order_is_shown_in_the_current_field_names(desk: Desk) -> None:
    order = desk.venue.place(filled="0.75", age=0.5, client_order_id="desk-7")
    assert await desk.list() == [
        {
            "id": order.id,
            "accountId": desk.venue.wording.account_id,
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
            "createdAt": 1_759_999_999_750,
            "clientOrderId": "desk-7",
            "triggerPx": None,
            "cancelAt": None,
            "triggeredAt": None,
        }
    ]
    assert uuid.UUID(order.id).version == 7


async def test_older_field_names_and_nanoseconds(desk: Desk) -> None:
    order = desk.venue.place()
    desk.venue.wording.generation, desk.venue.wording.created_at = "A", "ns"
    row = (await desk.list())[0]
    assert (row["orderType"], row["quantity"], row["price"]) == ("limit", "3.00", "0.00091250")
    assert (row["unit"], row["isTriggered"], row["createdAt"]) == ("BTC", False, 1_760_000_000_250_000_000)
    assert not {"type", "qty", "px", "amountFilled", "triggeredAt"} & set(row)
    answer = (await desk.call("GET", f"/orders/{order.id}?unit=btc")).json()
    assert "error" not in answer
    assert (answer["data"]["order"]["type"], answer["data"]["order"]["qty"]) == ("limit", "3.00")


async def test_prices_come_in_the_asked_unit_whose_default_differs(desk: Desk) -> None:
    order = desk.venue.place(price="0.00091250", trigger="0.00090000", order_type="stoplimit")
    sats = (await desk.list(query="&unit=SATS"))[0]
    assert (sats["px"], sats["triggerPx"], sats["unit"], sats["qty"]) == ("91250", "90000", "sats", "3.00")
    assert (await desk.list(query=""))[0]["px"] == "0.00091250"
    assert (await desk.call("GET", f"/orders/{order.id}")).json()["data"]["order"]["px"] == "91250"
    assert (await desk.call("GET", "/orders?instType=spot&unit=usd")).status_code == 400


async def test_a_list_wants_a_known_type(desk: Desk) -> None:
    desk.venue.place()
    desk.venue.place("ETH-BTC", price="0.035")
    assert [row["symbol"] for row in await desk.list("spot")] == ["ETH-BTC"]
    for inst_type in ("btc", "digital", "stock", "index"):
        assert await desk.list(inst_type) == []
    for query in ("", "?instType=futures", "?instType=PERPETUAL"):
        answer = await desk.call("GET", f"/orders{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    desk.venue.refused_types = {"stock"}
    assert (await desk.call("GET", "/orders?instType=stock")).status_code == 400
    assert len(await desk.list("perpetual")) == 1


async def test_symbol_and_closed_orders_are_asked_for(desk: Desk) -> None:
    gold, oil = desk.venue.place(age=1), desk.venue.place("OIL-BTC", price="0.0006", age=2)
    over = desk.venue.place(state=State.CANCELLED, filled="1.00", age=3)
    assert [row["id"] for row in await desk.list()] == [gold.id, oil.id]
    assert [row["id"] for row in await desk.list(query="&symbol=OIL-BTC")] == [oil.id]
    rows = await desk.list(query="&includeClosed=true")
    assert [row["id"] for row in rows] == [gold.id, oil.id, over.id]
    assert rows[2]["status"] == "partiallyfilledcancelled"


@pytest.mark.parametrize(("filled", "word"), [("0", "cancelled"), ("1.00", "partiallyfilledcancelled")])
async def test_a_cancel_has_two_phases(desk: Desk, clock: ManualClock, filled: str, word: str) -> None:
    order = desk.venue.place(filled=filled)
    answer = await desk.cancel(order.id)
    assert (answer.status_code, answer.json()) == (200, {"data": {"success": True}})
    assert (await desk.read(order.id))["status"] == "pendingcancel"
    assert len(await desk.list()) == 1
    clock.advance(0.2)
    assert (await desk.cancel(order.id)).json() == {"data": {"success": True}}
    clock.advance(0.101)
    assert (await desk.read(order.id))["status"] == word
    assert await desk.list() == []


@pytest.mark.parametrize(
    ("fault", "word", "filled"),
    [("fill_race", "filled", "3.00"), ("part_fill_race", "partiallyfilledcancelled", "1.50")],
)
async def test_an_order_can_fill_while_its_cancel_is_pending(
    desk: Desk, clock: ManualClock, fault: str, word: str, filled: str
) -> None:
    order = desk.venue.place()
    desk.venue.faults.add(fault)
    assert (await desk.cancel(order.id)).json() == {"data": {"success": True}}
    assert (await desk.read(order.id))["status"] == "pendingcancel"
    clock.advance(0.31)
    read = await desk.read(order.id)
    assert (read["status"], read["amountFilled"]) == (word, filled)


async def test_a_fill_race_without_delay_is_decided_at_once(
    clock: ManualClock, key: rsa.RSAPrivateKey
) -> None:
    venue = Roxom(clock, Plan(orders=0, cancel_delay=0, faults=("fill_race",)), key=key, api_key=KEY_ID)
    await venue.start()
    desk = Desk(venue, clock, key)
    order, old = venue.place(), venue.place(age=5)
    await desk.cancel(order.id)
    assert order.state is State.FILLED
    young = venue.place()
    ids = (await desk.call("POST", "/orders/cancel-all")).json()["data"]["cancelledOrderIds"]
    assert ids == [young.id]
    assert (young.state, old.state) == (State.CANCELLED, State.FILLED)
    await desk.http.aclose()
    await venue.stop()


@pytest.mark.parametrize(
    ("shape", "missing"),
    [
        ("code", {"code": "NOT_FOUND", "message": "order not found", "details": UNKNOWN}),
        ("flat", {"error": 404, "message": "order not found"}),
        (
            "nested",
            {
                "error": {"code": 404, "message": "order not found", "details": UNKNOWN},
                "timestamp": "2025-10-09T08:53:20Z",
                "requestId": "req_x1",
            },
        ),
    ],
)
async def test_refused_cancels_in_each_error_shape(desk: Desk, shape: str, missing: dict[str, Any]) -> None:
    desk.venue.errors.shape = shape
    unknown = await desk.cancel(UNKNOWN)
    assert (unknown.status_code, unknown.json()) == (404, missing)
    over = desk.venue.place(state=State.FILLED)
    refused = await desk.cancel(over.id)
    assert refused.status_code == 400
    assert "order cannot be cancelled" in refused.text
    assert ('"details": "filled"' in refused.text) is (shape != "flat")
    desk.venue.terminal_status = 409
    assert (await desk.cancel(over.id)).status_code == 409
    assert (await desk.call("GET", f"/orders/{UNKNOWN}")).status_code == 404


async def test_an_order_that_filled_first_is_refused(desk: Desk) -> None:
    order = desk.venue.place()
    desk.venue.faults.add("filled_first")
    assert (await desk.cancel(order.id)).status_code == 400
    assert (await desk.read(order.id))["status"] == "filled"


async def test_an_executing_market_order_cannot_be_cancelled(desk: Desk) -> None:
    market = desk.venue.place(price=None, order_type="market", state=State.PENDING)
    limit = desk.venue.place(state=State.PENDING)
    assert (await desk.read(limit.id))["status"] == "pendingsubmit"
    assert (await desk.cancel(market.id)).status_code == 400
    assert (await desk.cancel(limit.id)).status_code == 200


async def test_waiting_stops_are_listed_cancelled_and_triggered(desk: Desk, clock: ManualClock) -> None:
    stop = desk.venue.place(price=None, order_type="stop", trigger="0.00099")
    limited = desk.venue.place(order_type="stoplimit", trigger="0.00099")
    gone = desk.venue.place(order_type="stoplimit", trigger="0.00099")
    assert {row["status"] for row in await desk.list()} == {"waitingtrigger"}
    desk.venue.trigger(stop)
    desk.venue.trigger(limited)
    await desk.cancel(gone.id)
    clock.advance(1)
    read = [await desk.read(order.id) for order in (stop, limited, gone)]
    assert [row["status"] for row in read] == ["filled", "submitted", "cancelled"]
    assert [row["triggeredAt"] for row in read] == [1_760_000_000_250, 1_760_000_000_250, None]


async def test_cancel_all_reaches_every_type(desk: Desk, clock: ManualClock) -> None:
    orders = [
        desk.venue.place("GOLD-BTC"),
        desk.venue.place("ETH-BTC", age=1),
        desk.venue.place("TECH7-BTC", age=2),
        desk.venue.place(inst_type="digital", age=3),
        desk.venue.place(price=None, order_type="stop", trigger="1", age=4),
    ]
    desk.venue.place(state=State.FILLED)
    answer = await desk.call("POST", "/orders/cancel-all")
    assert answer.json() == {"error": False, "data": {"cancelledOrderIds": [order.id for order in orders]}}
    assert len(desk.venue.truth()) == 5
    again = await desk.call("POST", "/orders/cancel-all")
    assert again.json()["data"]["cancelledOrderIds"] == []
    clock.advance(0.31)
    assert desk.venue.truth() == []
    assert {order.state for order in orders} == {State.CANCELLED}


async def test_cancel_all_can_leave_orders_out(desk: Desk, clock: ManualClock) -> None:
    orders = [desk.venue.place(age=float(age)) for age in range(12)]
    desk.venue.faults.add("cancel_all_skips")
    answer = await desk.call("POST", "/orders/cancel-all")
    clock.advance(1)
    left = {row["id"] for row in await desk.list()}
    assert 0 < len(left) < 12
    assert {order.id for order in orders if order.state.live} == left
    assert set(answer.json()["data"]["cancelledOrderIds"]) == {order.id for order in orders} - left


async def test_cancel_all_can_do_nothing(desk: Desk, clock: ManualClock) -> None:
    order = desk.venue.place()
    desk.venue.faults.add("cancel_all_noop")
    answer = await desk.call("POST", "/orders/cancel-all")
    assert answer.json() == {"error": False, "data": {"cancelledOrderIds": []}}
    clock.advance(1)
    assert order.state is State.RESTING


@pytest.mark.parametrize(
    ("fault", "body"),
    [("cancel_noop", {"data": {"success": True}}), ("success_false", {"data": {"success": False}})],
)
async def test_a_cancel_can_be_lost_or_denied(
    desk: Desk, clock: ManualClock, fault: str, body: dict[str, Any]
) -> None:
    order = desk.venue.place()
    desk.venue.faults.add(fault)
    answer = await desk.cancel(order.id)
    assert (answer.status_code, answer.json()) == (200, body)
    clock.advance(1)
    assert order.state is State.RESTING


@pytest.mark.parametrize("target", ["/orders?instType=spot", f"/orders/{UNKNOWN}", "/orders/cancel-all"])
async def test_an_error_can_come_with_status_200(desk: Desk, target: str) -> None:
    order = desk.venue.place()
    desk.venue.faults.add("error_true")
    answer = await desk.call("POST" if "all" in target else "GET", target)
    assert answer.status_code == 200
    assert answer.json()["error"] is True
    assert order.state is State.RESTING


async def test_a_cancel_can_take_effect_although_its_answer_is_lost(desk: Desk) -> None:
    order, other = desk.venue.place(), desk.venue.place()
    desk.venue.faults.add("once:effect_then_drop")
    with pytest.raises(httpx.RemoteProtocolError):
        await desk.cancel(order.id)
    assert (await desk.read(order.id))["status"] == "pendingcancel"
    desk.venue.faults.add("effect_then_drop@cancel_all")
    with pytest.raises(httpx.RemoteProtocolError):
        await desk.call("POST", "/orders/cancel-all")
    assert (await desk.read(other.id))["status"] == "pendingcancel"


@pytest.mark.parametrize(
    ("fault", "status", "start"),
    [
        ("http500", 500, b"Internal"),
        ("html", 502, b"<html>"),
        ("empty", 200, b""),
        ("badjson", 200, b'{"data"'),
        ("throttle", 429, b"{"),
        ("unauthorized", 401, b'{"error": 401'),
    ],
)
async def test_spoilt_answers_do_not_cancel(desk: Desk, fault: str, status: int, start: bytes) -> None:
    order = desk.venue.place()
    desk.venue.faults.add(f"{fault}@cancel")
    answer = await desk.cancel(order.id)
    assert answer.status_code == status
    assert answer.content.startswith(start)
    assert (answer.content == b"") == (start == b"")
    assert order.state is State.RESTING
    assert len(await desk.list()) == 1


async def test_silence_and_a_closed_line(desk: Desk) -> None:
    desk.venue.faults = {"drop@list"}
    with pytest.raises(httpx.RemoteProtocolError):
        await desk.list()
    desk.venue.faults = {"hang@list"}
    pending = asyncio.ensure_future(desk.list())
    assert (await desk.call("POST", "/orders/cancel-all")).status_code == 200
    assert not pending.done()
    pending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pending


@pytest.mark.parametrize("enforced", [True, False])
async def test_a_limit_can_be_set_although_none_is_documented(
    clock: ManualClock, key: rsa.RSAPrivateKey, enforced: bool
) -> None:
    venue = Roxom(clock, Plan(orders=0, enforce_limits=enforced), key=key, api_key=KEY_ID)
    venue.rate = RateLimit(clock, 1, 1.0)
    await venue.start()
    desk = Desk(venue, clock, key)
    answers = [await desk.call("GET", "/orders?instType=spot") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429 if enforced else 200]
    assert ("retry-after" in answers[1].headers) is enforced
    clock.advance(1)
    assert (await desk.call("GET", "/orders?instType=spot")).status_code == 200
    await desk.http.aclose()
    await venue.stop()


async def test_status_words_can_be_spelt_otherwise(desk: Desk) -> None:
    desk.venue.place(state=State.CANCELLED)
    desk.venue.wording.words = {"cancelled": "CANCELED"}
    assert (await desk.list(query="&includeClosed=true"))[0]["status"] == "CANCELED"


async def test_a_new_order_rests_fills_or_lapses(desk: Desk, clock: ManualClock) -> None:
    async def status(**change: Any) -> str:
        answer = await desk.create(**(GOLD | change))
        assert answer.status_code == 200, answer.text
        assert answer.json()["error"] is False
        word: str = (await desk.read(answer.json()["data"]["orderId"]))["status"]
        return word

    assert await status() == "submitted"
    assert await status(px="91250", unit="sats") == "submitted"
    assert await status(px="0.00093000") == "filled"
    assert await status(px="0.00093000", postOnly=True) == "cancelled"
    assert await status(timeInForce="ioc") == "cancelled"
    assert await status(orderType="market", px=None) == "filled"
    assert await status(orderType="stop", px=None, triggerPx="0.00095") == "waitingtrigger"
    assert await status(timeInForce="gtd", cancelAt=1_760_000_060_250) == "submitted"
    assert [row["px"] for row in await desk.list() if row["px"]] == ["0.00091250"] * 3
    clock.advance(61)
    assert len(await desk.list()) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"symbol": "LEAD-BTC"}, "market not available"),
        ({"instType": "spot"}, "market not available"),
        ({"side": "BUY"}, "side must be buy or sell"),
        ({"qty": "0.001"}, "quantity is not on the step"),
        ({"px": "0.000912501"}, "price is not on the tick"),
        ({"px": "0.00110000"}, "price above the limit"),
        ({"px": None}, "px is required"),
        ({"px": "-1"}, "px must be positive"),
        ({"qty": "9999999"}, "insufficient balance"),
        ({"orderType": "market", "symbol": "US500-BTC"}, "market is closed"),
    ],
)
async def test_new_orders_are_checked(desk: Desk, change: dict[str, Any], message: str) -> None:
    desk.venue.closed_markets = {"US500-BTC"}
    answer = await desk.create(**(GOLD | change))
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert desk.venue.book.orders == {}


def test_equal_seeds_give_equal_and_varied_books(clock: ManualClock) -> None:
    books = []
    for _ in range(2):
        venue = Roxom(clock, Plan(orders=120, seed=5))
        venue.populate()
        books.append([repr(order) for order in venue.book.orders.values()])
    assert books[0] == books[1]
    live = venue.book.live()
    assert len(live) == 120
    assert {order.extra["instType"] for order in live} == {"perpetual", "spot", "index", "stock"}
    assert {order.type for order in live} == {"limit", "stop", "stoplimit"}
    assert {order.side for order in live} == {"buy", "sell"}
    assert len({order.symbol for order in live}) >= 6
    assert 10 < sum(order.filled > 0 for order in live) < 50
    ages = [clock.wall() - order.created for order in live]
    assert min(ages) < 60
    assert max(ages) > 86_400
    assert all(uuid.UUID(order.id).version == 7 for order in live)


async def test_every_order_of_a_full_book_is_listed_once(clock: ManualClock, key: rsa.RSAPrivateKey) -> None:
    activity = Activity(fills=1, partial_fills=1, newcomers=1, expiries=0.5)
    venue = Roxom(clock, Plan(orders=60, activity=activity), key=key, api_key=KEY_ID)
    await venue.start()
    desk = Desk(venue, clock, key)
    for _ in range(2):
        rows = [row for kind in ("perpetual", "spot", "index", "stock") for row in await desk.list(kind)]
        assert sorted(row["id"] for row in rows) == sorted(row["order_id"] for row in venue.truth())
        before = {row["id"] for row in rows}
        clock.advance(30)
    after = {row["order_id"] for row in venue.truth()}
    assert after - before
    assert before - after
    await desk.http.aclose()
    await venue.stop()


def _stream(desk: Desk, text: str = "GET:/ws") -> connect:
    headers = {"X-API-Key": KEY_ID, "X-API-Signature": desk.seal(text)}
    return connect(desk.venue.base_url.replace("http", "ws") + "/ws", additional_headers=headers)


async def _hear(line: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(await asyncio.wait_for(line.recv(), 5))
    return frame


async def test_the_stream_checks_the_handshake_over_its_fixed_text(desk: Desk) -> None:
    text = "GET:/ws"
    digest = "51a7a8411f92c1f5bd582dbbcfa136ab54f764cd6e928027ba04d523f61d58e7"
    assert hashlib.sha256(text.encode()).hexdigest() == digest
    with pytest.raises(InvalidStatus) as refusal:
        async with _stream(desk, "GET:/api/v1/ws"):
            pass
    assert refusal.value.response.status_code == 401
    async with _stream(desk) as line:
        await line.send('{"op":"subscribe","args":[{"channel":"orders"},{"channel":"gossip"}]}')
        taken, refused = await _hear(line), await _hear(line)
        assert (taken["event"], taken["code"], taken["arg"]) == ("subscribe", "0", {"channel": "orders"})
        assert (refused["event"], refused["code"]) == ("error", "60014")
        assert taken["connId"] == refused["connId"]
        for broken in ("{", "[]", '{"op":"subscribe"}'):
            await line.send(broken)
            assert (await _hear(line))["code"] == "60017"


async def test_events_tell_both_phases_of_a_cancel_while_nobody_asks(desk: Desk, clock: ManualClock) -> None:
    async with _stream(desk) as line:
        await line.send('{"op":"subscribe","args":[{"channel":"balance"}]}')
        await _hear(line)
        order = desk.venue.place(filled="0.75", client_order_id="desk-7")
        placed = await _hear(line)
        assert placed["type"] == "order"
        data = placed["data"]
        assert (data["orderId"], data["status"], data["orderType"]) == (order.id, "partiallyfilled", "limit")
        assert (data["orderSize"], data["remainingQty"], data["executedQty"]) == ("3.00", "2.25", "0.75")
        assert (data["limitPrice"], data["clientOrderId"]) == ("0.00091250", "desk-7")
        assert data["timestamp"] == 1_760_000_000_250_000_000
        assert not {"instType", "unit", "triggerPx"} & set(data)
        await desk.cancel(order.id)
        assert (await _hear(line))["data"]["status"] == "pendingcancel"
        clock.advance(0.5)
        assert (await _hear(line))["data"]["status"] == "partiallyfilledcancelled"


async def test_the_stream_can_be_silent_nested_or_say_everything_twice(desk: Desk) -> None:
    async with _stream(desk) as line:
        await line.send('{"op":"unsubscribe","args":[{"channel":"orders"}]}')
        assert (await _hear(line))["event"] == "unsubscribe"
        desk.venue.faults = {"once:stream_silent"}
        desk.venue.place()
        desk.venue.faults.add("once:stream_duplicates")
        desk.venue.stream.nested = True
        order = desk.venue.place()
        first, second = await _hear(line), await _hear(line)
        assert first == second
        assert first["data"]["data"]["orderId"] == order.id
        desk.venue.stream.abort()
        with pytest.raises(ConnectionClosedError):
            await line.recv()
