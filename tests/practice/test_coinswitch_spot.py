"""The practice CoinSwitch spot venue, spoken to over real sockets."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cancel_tui.clock import ManualClock
from cancel_tui.practice.coinswitch_auth import KeyPair
from cancel_tui.practice.coinswitch_base import UNKNOWN_WORD, encode
from cancel_tui.practice.coinswitch_spot import CoinSwitchSpot
from cancel_tui.practice.market import Activity, State
from cancel_tui.practice.venue import Plan

SEED = bytes(range(32))
API_KEY = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
EPOCH = 1_732_000_000_000
CANCEL_SIGNATURE = (
    "335e23c14e53c52d590c06b70c5a8e8695c1dabbaaab7903e1998033e0997ac7"
    "207ca968d8e8ce992d1b4640a96e1acfd4521b3b022d62dec40f0e4f611cd501"
)
LIST_SIGNATURE = (
    "b6bef8e7086eb75393edf495da1770f50a4798c7bb024ebdccc5bf579edb0258"
    "5db69b7e614ad7bb5a8da6f7c1f10f318e673813f3da74114db2be3e06588508"
)
LIST_TARGET = (
    "/trade/api/v2/orders?open=true&exchanges=coinswitchx%2Cc2c1%2Cc2c2"
    "&symbols=btc%2Finr%2Ceth%2Fusdt&count=500"
)
ORDER = "/trade/api/v2/order"
ORDERS = "/trade/api/v2/orders"


class Desk:
    """A client that signs by itself."""

    def __init__(self, venue: CoinSwitchSpot, clock: ManualClock) -> None:
        self.venue = venue
        self.clock = clock
        self.key = Ed25519PrivateKey.from_private_bytes(SEED)
        self.http = httpx.AsyncClient(timeout=5)

    async def raw(
        self, method: str, target: str, signature: str, epoch: str, body: bytes = b"", key: str = API_KEY
    ) -> httpx.Response:
        """Send these headers as they are."""
        headers = {"X-AUTH-APIKEY": key, "X-AUTH-SIGNATURE": signature, "X-AUTH-EPOCH": epoch}
        return await self.http.request(
            method, self.venue.base_url + target, content=body or None, headers=headers
        )

    async def call(self, method: str, target: str, body: object = None, *, off: float = 0) -> httpx.Response:
        """Sign and send; `off` is how many seconds the client's clock is ahead."""
        epoch = str(round((self.clock.wall() + off) * 1000))
        text = method + unquote_plus(target) + epoch
        content = b"" if body is None else json.dumps(body).encode()
        return await self.raw(method, target, self.key.sign(text.encode()).hex(), epoch, content)

    async def rows(self, query: str = "open=true") -> list[dict[str, Any]]:
        """The rows of a list."""
        answer = await self.call("GET", f"{ORDERS}?{query}")
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["data"]["orders"]
        return rows

    async def cancel(self, order_id: str) -> httpx.Response:
        """Ask for one cancel."""
        return await self.call("DELETE", ORDER, {"order_id": order_id})

    async def status(self, order_id: str) -> str:
        """One order's status word."""
        answer = await self.call("GET", f"{ORDER}?order_id={order_id}")
        assert answer.status_code == 200, answer.text
        word: str = answer.json()["data"]["status"]
        return word


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall=EPOCH / 1000)


@pytest.fixture
async def desk(clock: ManualClock, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    plan = getattr(request, "param", Plan(orders=0))
    venue = CoinSwitchSpot(clock, plan, KeyPair.from_seed(SEED))
    await venue.start()
    desk = Desk(venue, clock)
    yield desk
    await desk.http.aclose()
    await venue.stop()


def with_plan(**fields: Any) -> pytest.MarkDecorator:
    """Run a test against a venue with this plan."""
    return pytest.mark.parametrize("desk", [Plan(**fields)], indirect=True)


# Signatures and the clock


async def test_vector_of_a_cancel_is_accepted_whatever_the_body(desk: Desk) -> None:
    answer = await desk.raw("DELETE", ORDER, CANCEL_SIGNATURE, str(EPOCH), b'{"order_id":"nobody"}')
    assert (answer.status_code, answer.json()) == (404, {"message": "Order not found"})
    answer = await desk.raw("DELETE", ORDER, CANCEL_SIGNATURE, str(EPOCH), b"{}")
    assert answer.status_code == 422


async def test_vector_with_a_query_is_checked_decoded(desk: Desk) -> None:
    desk.venue.place("BTC/INR")
    desk.venue.place("SOL/INR")
    answer = await desk.raw("GET", LIST_TARGET, LIST_SIGNATURE, str(EPOCH))
    assert answer.status_code == 200
    assert [row["symbol"] for row in answer.json()["data"]["orders"]] == ["BTC/INR"]


@pytest.mark.parametrize(
    ("method", "target", "signature", "epoch", "key"),
    [
        ("GET", ORDER, CANCEL_SIGNATURE, str(EPOCH), API_KEY),
        ("DELETE", ORDER + "?order_id=x", CANCEL_SIGNATURE, str(EPOCH), API_KEY),
        ("DELETE", ORDER, "0" + CANCEL_SIGNATURE[1:], str(EPOCH), API_KEY),
        ("DELETE", ORDER, CANCEL_SIGNATURE[:-2], str(EPOCH), API_KEY),
        ("DELETE", ORDER, "z" * 128, str(EPOCH), API_KEY),
        ("DELETE", ORDER, "", str(EPOCH), API_KEY),
        ("DELETE", ORDER, CANCEL_SIGNATURE, str(EPOCH + 1), API_KEY),
        ("DELETE", ORDER, CANCEL_SIGNATURE, "", API_KEY),
        ("DELETE", ORDER, CANCEL_SIGNATURE, "soon", API_KEY),
        ("DELETE", ORDER, CANCEL_SIGNATURE, str(EPOCH), "0" * 64),
        ("GET", LIST_TARGET.replace("500", "501"), LIST_SIGNATURE, str(EPOCH), API_KEY),
        ("GET", LIST_TARGET.replace("open=true&", "") + "&open=true", LIST_SIGNATURE, str(EPOCH), API_KEY),
    ],
)
async def test_anything_tampered_is_an_invalid_access(
    desk: Desk, method: str, target: str, signature: str, epoch: str, key: str
) -> None:
    answer = await desk.raw(method, target, signature, epoch, b'{"order_id":"x"}', key)
    assert (answer.status_code, answer.json()) == (401, {"message": "Invalid Access"})


@pytest.mark.parametrize(("off", "status"), [(60, 200), (-60, 200), (60.001, 401), (-60.001, 401)])
async def test_epoch_may_be_sixty_seconds_off_in_either_direction(
    desk: Desk, off: float, status: int
) -> None:
    assert (await desk.call("GET", f"{ORDERS}?open=true", off=off)).status_code == status


async def test_time_is_unsigned_and_keys_are_checked_signed(desk: Desk) -> None:
    answer = await desk.http.get(desk.venue.base_url + "/trade/api/v2/time")
    assert answer.json() == {"serverTime": EPOCH}
    answer = await desk.call("GET", "/trade/api/v2/validate/keys")
    assert (answer.status_code, answer.json()) == (200, {"message": "Valid Access"})
    answer = await desk.http.get(desk.venue.base_url + "/trade/api/v2/validate/keys")
    assert (answer.status_code, answer.json()) == (401, {"message": "Invalid Access"})


async def test_a_skewed_server_tells_its_own_time_and_refuses_the_true_one(desk: Desk) -> None:
    desk.venue.faults.add("skew")
    answer = await desk.http.get(desk.venue.base_url + "/trade/api/v2/time")
    assert answer.json() == {"serverTime": EPOCH + 90_000}
    assert (await desk.call("GET", f"{ORDERS}?open=true")).status_code == 401
    assert (await desk.call("GET", f"{ORDERS}?open=true", off=90)).status_code == 200


async def test_replays_are_refused_only_when_asked_for(desk: Desk) -> None:
    assert (await desk.rows(), await desk.rows()) == ([], [])
    desk.venue.faults.add("replay_refused")
    assert await desk.rows() == []
    assert (await desk.call("GET", f"{ORDERS}?open=true")).status_code == 401
    desk.clock.advance(0.001)
    assert await desk.rows() == []


async def test_keys_are_new_in_each_run_and_belong_together(clock: ManualClock) -> None:
    one, two = (CoinSwitchSpot(clock, Plan(orders=0)).credentials() for _ in range(2))
    assert one != two
    secret = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(one["api_secret"]))
    assert secret.public_key().public_bytes_raw().hex() == one["api_key"]


async def test_unknown_paths_and_methods_are_not_found(desk: Desk) -> None:
    assert (await desk.call("POST", "/trade/api/v2/cancel_all")).status_code == 404
    assert (await desk.call("PUT", ORDER)).status_code == 404


# Lists


@with_plan(orders=60)
async def test_open_list_has_25_rows_unless_count_asks_for_more(desk: Desk) -> None:
    assert len(await desk.rows()) == 25
    assert len(await desk.rows("open=true&count=40")) == 40
    full = await desk.rows("open=true&count=500")
    assert len(full) == 60
    assert {row["order_id"] for row in full} == {row["order_id"] for row in desk.venue.truth()}
    created = [row["created_time"] for row in full]
    assert created == sorted(created, reverse=True)
    assert all(time % 1000 == 0 for time in created)


async def test_closed_list_has_500_rows(desk: Desk) -> None:
    for _ in range(510):
        desk.venue.place().state = State.CANCELLED
    assert len(await desk.rows("open=false")) == 500
    assert await desk.rows() == []


@pytest.mark.parametrize("query", ["", "open=True", "open=true&count=0", "open=true&count=501"])
async def test_bad_list_parameters_are_named(desk: Desk, query: str) -> None:
    answer = await desk.call("GET", f"{ORDERS}?{query}")
    assert answer.status_code == 422
    assert ("count" if "count" in query else "open") in answer.json()["message"]


async def test_times_bound_the_list_inclusively(desk: Desk) -> None:
    ids = [desk.venue.place(age=age).id for age in (30, 20, 10)]
    at = [EPOCH - 30_000, EPOCH - 20_000, EPOCH - 10_000]

    async def between(query: str) -> list[int]:
        rows = await desk.rows(f"open=true&{query}")
        return sorted(ids.index(row["order_id"]) for row in rows)

    assert await between(f"from_time={at[1]}") == [1, 2]
    assert await between(f"from_time={at[1] + 1}") == [2]
    assert await between(f"to_time={at[1]}") == [0, 1]
    assert await between(f"to_time={at[1] - 1}") == [0]


async def test_filters_ignore_case(desk: Desk) -> None:
    buy = desk.venue.place("BTC/INR", "buy").id
    sell = desk.venue.place("BTC/USDT", "sell", exchange="c2c2").id
    desk.venue.place("BTC/USDT", "sell", exchange="c2c1")

    async def ids(query: str) -> list[str]:
        return [row["order_id"] for row in await desk.rows(f"open=true&{query}")]

    assert await ids("side=BUY") == [buy]
    assert await ids("exchanges=C2C2") == [sell]
    assert await ids("symbols=btc%2Finr%2CETH%2FINR") == [buy]


@with_plan(orders=24)
async def test_numbers_are_json_numbers_and_tiny_ones_have_an_exponent(desk: Desk) -> None:
    answer = await desk.call("GET", f"{ORDERS}?open=true")
    assert '"orig_qty":5e-05' in answer.text
    assert not re.search(r'"(price|average_price|orig_qty|executed_qty)":"', answer.text)
    row = answer.json()["data"]["orders"][0]
    assert set(row) == {
        *("order_id", "symbol", "price", "average_price", "orig_qty", "executed_qty", "status", "side"),
        *("exchange", "order_source", "created_time", "updated_time"),
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.00005", "5e-05"),
        ("0.0000123", "1.23e-05"),
        ("0.0001", "0.0001"),
        ("-0.00000000012", "-1.2e-10"),
        ("190500.50", "190500.5"),
        ("2300000", "2300000"),
        ("1E+7", "10000000"),
        ("0.000", "0"),
    ],
)
def test_a_decimal_keeps_its_value_on_the_wire(value: str, text: str) -> None:
    assert encode([Decimal(value)]) == f"[{text}]"
    assert Decimal(text) == Decimal(value)


async def test_status_reads_one_flat_order_by_either_id(desk: Desk) -> None:
    order = desk.venue.place(
        quantity=Decimal("0.02"), filled=Decimal("0.005"), price=Decimal(9_000_000), client_id="mine"
    )
    for query in (f"order_id={order.id}", "client_order_id=mine"):
        row = (await desk.call("GET", f"{ORDER}?{query}")).json()["data"]
        assert (row["order_id"], row["status"], row["executed_qty"]) == (
            order.id,
            "PARTIALLY_EXECUTED",
            0.005,
        )
    assert (await desk.call("GET", f"{ORDER}?order_id=nobody")).status_code == 404
    assert (await desk.call("GET", ORDER)).status_code == 422


# Cancels


async def test_cancel_is_raised_first_and_done_after_the_delay(desk: Desk) -> None:
    order = desk.venue.place()
    answer = await desk.cancel(order.id)
    assert answer.status_code == 200
    assert answer.json()["data"]["order_id"] == order.id
    assert answer.json()["data"]["status"] == "CANCELLATION_RAISED"
    assert [row["status"] for row in await desk.rows()] == ["CANCELLATION_RAISED"]
    desk.clock.advance(0.29)
    assert await desk.status(order.id) == "CANCELLATION_RAISED"
    desk.clock.advance(0.02)
    assert await desk.rows() == []
    assert [row["status"] for row in await desk.rows("open=false")] == ["CANCELLED"]


@with_plan(orders=0, cancel_delay=0)
async def test_cancel_without_delay_is_done_in_the_answer(desk: Desk) -> None:
    assert (await desk.cancel(desk.venue.place().id)).json()["data"]["status"] == "CANCELLED"


async def test_second_cancel_and_finished_orders_are_refused(desk: Desk) -> None:
    order = desk.venue.place()
    await desk.cancel(order.id)
    for _ in range(2):
        answer = await desk.cancel(order.id)
        assert answer.status_code == 400
        assert set(answer.json()) == {"message"}
        desk.clock.advance(1)
    done = desk.venue.place()
    desk.venue.book.fill(done)
    assert (await desk.cancel(done.id)).status_code == 400
    assert await desk.status(done.id) == "EXECUTED"
    assert (await desk.cancel("nobody")).status_code == 404


async def test_cancel_without_its_body_is_unprocessable(desk: Desk) -> None:
    assert (await desk.call("DELETE", ORDER)).status_code == 422
    assert (await desk.call("DELETE", ORDER, ["x"])).status_code == 422


async def test_an_order_may_fill_while_its_cancel_is_raised(desk: Desk) -> None:
    desk.venue.faults.add("once:fill_race")
    order, other = desk.venue.place(), desk.venue.place()
    assert (await desk.cancel(order.id)).json()["data"]["status"] == "CANCELLATION_RAISED"
    await desk.cancel(other.id)
    desk.clock.advance(1)
    assert await desk.status(order.id) == "EXECUTED"
    assert order.remaining == 0
    assert await desk.status(other.id) == "CANCELLED"


@with_plan(orders=0, cancel_delay=0, faults=("fill_race",))
async def test_a_fill_race_without_delay_is_still_accepted_first(desk: Desk) -> None:
    order = desk.venue.place()
    assert (await desk.cancel(order.id)).json()["data"]["status"] == "CANCELLATION_RAISED"
    assert await desk.status(order.id) == "EXECUTED"


async def test_a_cancel_may_revert_or_never_end(desk: Desk) -> None:
    order = desk.venue.place()
    desk.venue.faults.add("cancel_reverts")
    await desk.cancel(order.id)
    desk.clock.advance(1)
    assert await desk.status(order.id) == "OPEN"
    desk.venue.faults = {"stuck_cancel"}
    await desk.cancel(order.id)
    desk.clock.advance(1000)
    assert await desk.status(order.id) == "CANCELLATION_RAISED"


async def test_a_new_order_cannot_be_cancelled_before_it_is_acknowledged(desk: Desk) -> None:
    desk.venue.faults.add("slow_ack")
    order = desk.venue.place()
    assert (await desk.cancel(order.id)).status_code == 400
    assert await desk.status(order.id) == "OPEN"
    desk.clock.advance(0.6)
    assert (await desk.cancel(order.id)).status_code == 200


# Creating


NEW = {
    "side": "buy",
    "symbol": "btc/inr",
    "type": "limit",
    "price": 9_000_000,
    "quantity": 0.00005,
    "exchange": "coinswitchx",
}


async def test_a_created_order_expires_after_90_seconds_in_two_phases(desk: Desk) -> None:
    answer = await desk.call("POST", ORDER, NEW)
    row = answer.json()["data"]
    assert (row["status"], row["symbol"], row["side"]) == ("OPEN", "BTC/INR", "BUY")
    assert '"orig_qty":5e-05' in answer.text
    desk.clock.advance(89.9)
    assert await desk.status(row["order_id"]) == "OPEN"
    desk.clock.advance(0.2)
    assert await desk.status(row["order_id"]) == "EXPIRATION_RAISED"
    assert (await desk.cancel(row["order_id"])).status_code == 400
    desk.clock.advance(1)
    assert await desk.status(row["order_id"]) == "EXPIRED"


async def test_expiry_period_and_client_id_are_kept(desk: Desk) -> None:
    body = NEW | {"expiry_period": 600, "client_order_id": "7d0c1a52-0000-4000-8000-00000000a001"}
    first, again = [(await desk.call("POST", ORDER, body)).json()["data"] for _ in range(2)]
    assert first == again
    assert first["client_order_id"] == body["client_order_id"]
    desk.clock.advance(500)
    assert len(await desk.rows()) == 1


async def test_too_small_an_order_is_discarded_and_a_bad_one_is_named(desk: Desk) -> None:
    answer = await desk.call("POST", ORDER, NEW | {"quantity": 0.00001})
    assert answer.json()["data"]["status"] == "DISCARDED"
    assert await desk.rows() == []
    for name, value in (("price", "9"), ("side", "up"), ("symbol", "X/INR"), ("exchange", "mars")):
        answer = await desk.call("POST", ORDER, NEW | {name: value})
        assert answer.status_code == 422
        assert name in answer.json()["message"]


async def test_precision_and_smallest_value_are_told(desk: Desk) -> None:
    body = {"exchange": "coinswitchx", "symbol": "btc/inr"}
    answer = await desk.call("POST", "/trade/api/v2/exchangePrecision", body)
    assert answer.json()["data"] == {"coinswitchx": {"BTC/INR": {"base": 5, "quote": 0, "limit": 0}}}
    answer = await desk.call("GET", "/trade/api/v2/tradeInfo?exchange=coinswitchx&symbol=BTC%2FINR")
    assert answer.json()["data"]["coinswitchx"]["BTC/INR"]["quote"]["min"] == "150"


# Limits and faults


async def test_creates_are_limited_to_100_in_10_seconds_and_cancels_are_not(desk: Desk) -> None:
    words = [(await desk.call("POST", ORDER, NEW)).status_code for _ in range(101)]
    assert words == [200] * 100 + [429]
    assert desk.venue.throttled == 1
    assert (await desk.cancel("nobody")).status_code == 404
    desk.clock.advance(10)
    assert (await desk.call("POST", ORDER, NEW)).status_code == 200


async def test_a_shared_limit_counts_all_methods_of_the_order_path(desk: Desk) -> None:
    desk.venue.faults |= {"shared_limit", "retry_after"}
    for _ in range(100):
        await desk.cancel("nobody")
    answer = await desk.cancel("nobody")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    assert (await desk.call("GET", f"{ORDERS}?open=true")).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ("http500", 500, b'{"message": "Internal Server Error"}'),
        ("http423", 423, b'{"message": "Locked"}'),
        ("throttle_plain", 429, b'{"message": "Too Many Requests"}'),
        ("empty", 200, b""),
        ("redirect", 307, b""),
    ],
)
async def test_plain_faults_answer_before_anything_happens(
    desk: Desk, fault: str, status: int, body: bytes
) -> None:
    order = desk.venue.place()
    desk.venue.faults.add(f"{fault}@cancel")
    answer = await desk.cancel(order.id)
    assert (answer.status_code, answer.content) == (status, body)
    assert order.state is State.RESTING
    assert len(await desk.rows()) == 1


async def test_html_and_broken_json(desk: Desk) -> None:
    desk.venue.faults.add("html")
    answer = await desk.call("GET", f"{ORDERS}?open=true")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
    assert answer.text.startswith("<html>")
    desk.venue.faults = {"badjson"}
    answer = await desk.call("GET", f"{ORDERS}?open=true")
    assert answer.status_code == 200
    with pytest.raises(ValueError, match="Unterminated"):
        answer.json()


@pytest.mark.parametrize("fault", ["drop", "reset", "torn"])
async def test_broken_connections(desk: Desk, fault: str) -> None:
    desk.venue.faults.add(f"once:{fault}")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await desk.rows()
    assert await desk.rows() == []


async def test_hang_reads_the_request_and_never_answers(desk: Desk) -> None:
    desk.venue.faults.add("once:hang")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await desk.rows()
    assert desk.venue.seen == [f"GET {ORDERS}"]
    assert await desk.rows() == []


@pytest.mark.parametrize("fault", ["effect_then_drop", "effect_then_http500"])
async def test_a_cancel_may_take_effect_and_its_answer_be_lost(desk: Desk, fault: str) -> None:
    order = desk.venue.place()
    desk.venue.faults.add(f"once:{fault}")
    try:
        assert (await desk.cancel(order.id)).status_code == 500
    except httpx.RemoteProtocolError:
        assert fault == "effect_then_drop"
    assert order.state is State.LEAVING
    assert (await desk.cancel(order.id)).status_code == 400


async def test_unknown_status_words_belong_to_orders_that_can_be_cancelled(desk: Desk) -> None:
    desk.venue.faults.add("unknown_status")
    order = desk.venue.place()
    assert [row["status"] for row in await desk.rows()] == [UNKNOWN_WORD]
    assert (await desk.cancel(order.id)).json()["data"]["status"] == "CANCELLATION_RAISED"


async def test_empty_lists_may_be_null_or_missing(desk: Desk) -> None:
    for fault, data in (("null_list", {"orders": None}), ("missing_list", {})):
        desk.venue.faults = {fault}
        assert (await desk.call("GET", f"{ORDERS}?open=true")).json() == {"data": data}
    desk.venue.place()
    assert len(await desk.rows()) == 1


@with_plan(orders=150)
async def test_count_may_be_capped_or_refused(desk: Desk) -> None:
    desk.venue.faults.add("count_capped")
    assert len(await desk.rows("open=true&count=500")) == 100
    desk.venue.faults = {"count_refused"}
    assert (await desk.call("GET", f"{ORDERS}?open=true&count=500")).status_code == 422
    assert len(await desk.rows("open=true&count=100")) == 100


# The book


@with_plan(orders=200)
async def test_the_book_is_varied(desk: Desk) -> None:
    live = desk.venue.book.live()
    assert len(live) == 200
    assert {order.side for order in live} == {"buy", "sell"}
    assert len({(order.extra["exchange"], order.symbol) for order in live}) == 10
    assert {order.extra["source"] for order in live} == {"API_TRADING", "APP"}
    assert 10 < sum(order.filled > 0 for order in live) < 60
    ages = [desk.clock.wall() - order.created for order in live]
    assert min(ages) < 120
    assert max(ages) > 3 * 86_400
    assert all(order.price and order.price * order.quantity >= 5 for order in live)


async def test_equal_seeds_give_equal_books(clock: ManualClock) -> None:
    def book(seed: int) -> list[dict[str, object]]:
        venue = CoinSwitchSpot(clock, Plan(orders=30, seed=seed))
        venue.populate()
        return [venue.describe(order) for order in venue.book.orders.values()]

    assert book(3) == book(3)
    assert book(3) != book(4)


@with_plan(orders=20, activity=Activity(fills=1, partial_fills=1, newcomers=1, expiries=1))
async def test_the_book_moves(desk: Desk) -> None:
    before = {row["order_id"]: row for row in await desk.rows("open=true&count=500")}
    for _ in range(30):
        desk.clock.advance(1)
        desk.venue.book.settle()
    after = {row["order_id"]: row for row in await desk.rows("open=true&count=500")}
    assert set(after) - set(before)
    assert set(before) - set(after)
    words = {row["status"] for row in await desk.rows("open=false")}
    assert {"EXECUTED", "EXPIRED"} <= words
