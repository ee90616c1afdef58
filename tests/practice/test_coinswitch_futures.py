"""The practice CoinSwitch futures venue, spoken to over real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cancel_tui.clock import ManualClock
from cancel_tui.practice.coinswitch_auth import KeyPair
from cancel_tui.practice.coinswitch_base import UNKNOWN_WORD
from cancel_tui.practice.coinswitch_futures import CoinSwitchFutures
from cancel_tui.practice.market import Activity, State
from cancel_tui.practice.venue import Plan

SEED = bytes(range(32))
API_KEY = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
EPOCH = 1_732_000_000_000
CANCEL_ALL_SIGNATURE = (
    "2d1327961d07587c91dd07305dfc6fa8b46f27702e34f25c812413270bac299b"
    "93bffbb322c0946b8b565319a442c8e301e5a25e0f72a44893790a0c0a9e6705"
)
ORDER = "/trade/api/v2/futures/order"
OPEN = "/trade/api/v2/futures/orders/open"
CLOSED = "/trade/api/v2/futures/orders/closed"
CANCEL_ALL = "/trade/api/v2/futures/cancel_all"
EXCHANGE = {"exchange": "EXCHANGE_2"}
DAY = 86_400
WEEK_MS = 7 * DAY * 1000


class Desk:
    """A client that signs by itself."""

    def __init__(self, venue: CoinSwitchFutures, clock: ManualClock) -> None:
        self.venue = venue
        self.clock = clock
        self.key = Ed25519PrivateKey.from_private_bytes(SEED)
        self.http = httpx.AsyncClient(timeout=5)

    async def raw(self, method: str, target: str, signature: str, epoch: str, body: bytes) -> httpx.Response:
        """Send these headers as they are."""
        headers = {"X-AUTH-APIKEY": API_KEY, "X-AUTH-SIGNATURE": signature, "X-AUTH-EPOCH": epoch}
        return await self.http.request(
            method, self.venue.base_url + target, content=body or None, headers=headers
        )

    async def call(self, method: str, target: str, body: object = None) -> httpx.Response:
        """Sign and send."""
        epoch = str(round(self.clock.wall() * 1000))
        text = method + unquote_plus(target) + epoch
        content = b"" if body is None else json.dumps(body).encode()
        return await self.raw(method, target, self.key.sign(text.encode()).hex(), epoch, content)

    async def page(self, path: str = OPEN, **fields: object) -> dict[str, Any]:
        """The `data` of a list."""
        answer = await self.call("POST", path, EXCHANGE | fields)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def ids(self, path: str = OPEN, **fields: object) -> list[str]:
        """The order ids of a list."""
        return [row["order_id"] for row in (await self.page(path, **fields))["orders"]]

    async def cancel(self, order_id: str) -> httpx.Response:
        """Ask for one cancel."""
        return await self.call("DELETE", ORDER, EXCHANGE | {"order_id": order_id})

    async def status(self, order_id: str) -> str:
        """One order's status word."""
        answer = await self.call("GET", f"{ORDER}?order_id={order_id}")
        assert answer.status_code == 200, answer.text
        word: str = answer.json()["data"]["order"]["status"]
        return word


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall=EPOCH / 1000)


@pytest.fixture
async def desk(clock: ManualClock, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    plan = getattr(request, "param", Plan(orders=0))
    venue = CoinSwitchFutures(clock, plan, KeyPair.from_seed(SEED))
    await venue.start()
    desk = Desk(venue, clock)
    yield desk
    await desk.http.aclose()
    await venue.stop()


def with_plan(**fields: Any) -> pytest.MarkDecorator:
    """Run a test against a venue with this plan."""
    return pytest.mark.parametrize("desk", [Plan(**fields)], indirect=True)


# Signatures


async def test_vector_of_a_cancel_all_is_accepted_and_a_tampered_one_refused(desk: Desk) -> None:
    body = json.dumps(EXCHANGE).encode()
    answer = await desk.raw("POST", CANCEL_ALL, CANCEL_ALL_SIGNATURE, str(EPOCH), body)
    assert (answer.status_code, answer.json()) == (200, {"data": {"orders_ids": []}})
    desk.venue.place()
    for signature, epoch in ((CANCEL_ALL_SIGNATURE, EPOCH + 1), ("3" + CANCEL_ALL_SIGNATURE[1:], EPOCH)):
        answer = await desk.raw("POST", CANCEL_ALL, signature, str(epoch), body)
        assert (answer.status_code, answer.json()) == (401, {"message": "Invalid Access"})
    assert [order.state for order in desk.venue.book.live()] == [State.RESTING]


async def test_a_signature_from_a_minute_ago_is_refused(desk: Desk) -> None:
    desk.clock.advance(60.001)
    answer = await desk.raw("POST", CANCEL_ALL, CANCEL_ALL_SIGNATURE, str(EPOCH), b"{}")
    assert answer.status_code == 401


async def test_health_needs_no_futures_path_of_its_own(desk: Desk) -> None:
    answer = await desk.http.get(desk.venue.base_url + "/trade/api/v2/time")
    assert answer.json() == {"serverTime": EPOCH}
    assert (await desk.call("GET", "/trade/api/v2/validate/keys")).json() == {"message": "Valid Access"}
    assert (await desk.call("GET", OPEN)).status_code == 404


# Lists


@with_plan(orders=60)
async def test_a_page_has_50_rows_and_its_cursor_leads_to_the_rest_of_the_week(desk: Desk) -> None:
    first = await desk.page()
    assert len(first["orders"]) == 50
    created = [row["created_at"] for row in first["orders"]]
    assert created == sorted(created, reverse=True)
    assert first["cursor"] == created[-1]
    second = await desk.page(from_time=first["cursor"] - WEEK_MS, to_time=first["cursor"])
    assert second["orders"][0] == first["orders"][-1]
    recent = [order for order in desk.venue.book.live() if order.created >= desk.clock.wall() - 7 * DAY]
    assert len(recent) == 54
    assert {order.id for order in recent} <= {
        row["order_id"] for page in (first, second) for row in page["orders"]
    }


@with_plan(orders=60)
async def test_older_orders_are_seen_only_in_their_own_windows(desk: Desk) -> None:
    seen = set(await desk.ids())
    for week in range(1, 12):
        seen |= set(await desk.ids(from_time=EPOCH - (week + 1) * WEEK_MS, to_time=EPOCH - week * WEEK_MS))
    old = {order.id for order in desk.venue.book.live() if order.created < EPOCH / 1000 - 8 * DAY}
    assert len(old) == 6
    assert old <= seen
    assert not old & set(await desk.ids())


async def test_bounds_are_inclusive_and_span_at_most_seven_days(desk: Desk) -> None:
    order = desk.venue.place(age=DAY)
    at = EPOCH - DAY * 1000
    assert await desk.ids(from_time=at, to_time=at) == [order.id]
    assert await desk.ids(from_time=at + 1, to_time=EPOCH) == []
    assert await desk.ids(from_time=at - 1000, to_time=at - 1) == []
    assert await desk.ids(from_time=EPOCH - WEEK_MS, to_time=EPOCH) == [order.id]
    for since in (EPOCH - WEEK_MS - 1, EPOCH + 1):
        answer = await desk.call("POST", OPEN, EXCHANGE | {"from_time": since, "to_time": EPOCH})
        assert answer.status_code == 400
        assert "7 days" in answer.json()["message"]


async def test_default_window_ends_exactly_seven_days_back(desk: Desk) -> None:
    edge, beyond = desk.venue.place(age=7 * DAY), desk.venue.place(age=7 * DAY + 0.001)
    assert await desk.ids() == [edge.id]
    assert await desk.ids(to_time=EPOCH - 1) == [edge.id, beyond.id]


async def test_limit_and_symbol_are_kept(desk: Desk) -> None:
    orders = [desk.venue.place(symbol, age=age) for age, symbol in enumerate(("BTCUSDT", "ETHUSDT") * 2)]
    assert await desk.ids(limit=3) == [order.id for order in orders[:3]]
    assert await desk.ids(symbol="ethusdt") == [orders[1].id, orders[3].id]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "exchange"),
        ({"exchange": "c2c1"}, "exchange"),
        (EXCHANGE | {"limit": 51}, "limit"),
        (EXCHANGE | {"limit": "50"}, "limit"),
        (EXCHANGE | {"from_time": "1732000000000"}, "from_time"),
        (EXCHANGE | {"symbol": "NOPE"}, "symbol"),
    ],
)
async def test_bad_fields_are_named(desk: Desk, body: dict[str, object], name: str) -> None:
    answer = await desk.call("POST", OPEN, body)
    assert answer.status_code == 422
    assert name in answer.json()["message"]


async def test_amounts_are_plain_decimal_strings(desk: Desk) -> None:
    desk.venue.place(
        "1000PEPEUSDT",
        "sell",
        Decimal("0.0000095"),
        Decimal("1E+5"),
        filled=Decimal(300),
    )
    row = (await desk.page())["orders"][0]
    assert row["price"] == row["avg_execution_price"] == "0.0000095"
    assert (row["quantity"], row["exec_quantity"], row["realised_pnl"]) == ("100000", "300", "0")
    assert (row["status"], row["side"], row["reduce_only"]) == ("PARTIALLY_EXECUTED", "SELL", False)
    assert set(row) == {
        *("order_id", "exchange", "symbol", "side", "status", "order_type", "quantity", "exec_quantity"),
        *("price", "avg_execution_price", "execution_fee", "realised_pnl", "reduce_only"),
        *("created_at", "updated_at"),
    }


async def test_closed_list_holds_the_ends_and_filters_by_status(desk: Desk) -> None:
    filled, cancelled = desk.venue.place(age=2), desk.venue.place(age=1)
    desk.venue.place()
    desk.venue.book.fill(filled)
    await desk.cancel(cancelled.id)
    desk.clock.advance(1)
    assert await desk.ids(CLOSED) == [cancelled.id, filled.id]
    assert await desk.ids(CLOSED, status="EXECUTED") == [filled.id]
    assert (await desk.page(CLOSED, status="EXPIRED")) == {"orders": [], "cursor": 0}


async def test_status_is_nested_once_more(desk: Desk) -> None:
    order = desk.venue.place()
    data = (await desk.call("GET", f"{ORDER}?order_id={order.id}")).json()["data"]
    assert data == {"order": (await desk.page())["orders"][0]}
    assert (await desk.call("GET", f"{ORDER}?order_id=nobody")).json() == {"message": "Order not found"}


# Cancels


@pytest.mark.parametrize("desk", [Plan(orders=0), Plan(orders=0, cancel_delay=0)], indirect=True)
async def test_cancel_answer_is_flat_with_names_of_its_own_and_never_final(desk: Desk) -> None:
    order = desk.venue.place(quantity=Decimal("0.25"))
    row = (await desk.cancel(order.id)).json()["data"]
    assert (row["order_id"], row["status"]) == (order.id, "CANCELLATION_RAISED")
    assert (row["avg_exec_price"], row["exec_fee"], row["quantity"]) == ("0", "0", "0.25")
    assert not {"avg_execution_price", "execution_fee", "realised_pnl"} & set(row)
    if desk.venue.plan.cancel_delay:
        assert await desk.status(order.id) == "CANCELLATION_RAISED"
        assert await desk.ids() == [order.id]
        desk.clock.advance(0.3)
    assert await desk.status(order.id) == "CANCELLED"
    assert await desk.ids() == []


async def test_second_cancel_unknown_and_finished_orders_are_refused(desk: Desk) -> None:
    order = desk.venue.place()
    await desk.cancel(order.id)
    assert (await desk.cancel(order.id)).status_code == 400
    desk.clock.advance(1)
    assert (await desk.cancel(order.id)).status_code == 400
    assert (await desk.cancel("nobody")).status_code == 404
    assert (await desk.call("DELETE", ORDER, {"order_id": order.id})).status_code == 422
    assert (await desk.call("DELETE", ORDER, EXCHANGE)).status_code == 422


async def test_fill_race_ends_executed_for_limit_and_protective_orders(desk: Desk) -> None:
    desk.venue.faults.add("fill_race")
    orders = [desk.venue.place(), desk.venue.place(order_type="STOP_MARKET")]
    for order in orders:
        assert (await desk.cancel(order.id)).status_code == 200
    desk.clock.advance(1)
    assert [await desk.status(order.id) for order in orders] == ["EXECUTED", "EXECUTED"]


async def test_cancel_all_takes_everything_of_any_age_with_protective_orders(desk: Desk) -> None:
    orders = [
        desk.venue.place("BTCUSDT"),
        desk.venue.place("ETHUSDT", age=60 * DAY),
        desk.venue.place("ETHUSDT", "sell", order_type="TAKE_PROFIT_MARKET"),
    ]
    answer = await desk.call("POST", CANCEL_ALL, EXCHANGE)
    assert answer.status_code == 200
    assert list(answer.json()["data"]) == ["orders_ids"]
    assert sorted(answer.json()["data"]["orders_ids"]) == sorted(order.id for order in orders)
    assert {order["state"] for order in desk.venue.truth()} == {"leaving"}
    desk.clock.advance(0.3)
    assert desk.venue.truth() == []
    assert {order["state"] for order in desk.venue.endings()} == {"cancelled"}


async def test_cancel_all_with_a_symbol_leaves_the_others(desk: Desk) -> None:
    kept, gone = desk.venue.place("BTCUSDT"), desk.venue.place("ETHUSDT")
    answer = await desk.call("POST", CANCEL_ALL, EXCHANGE | {"symbol": "ethusdt"})
    assert answer.json()["data"]["orders_ids"] == [gone.id]
    desk.clock.advance(1)
    assert await desk.ids() == [kept.id]
    assert (await desk.call("POST", CANCEL_ALL, {"symbol": "ETHUSDT"})).status_code == 422


async def test_cancel_all_names_no_order_whose_cancel_is_raised_already(desk: Desk) -> None:
    order = desk.venue.place()
    await desk.cancel(order.id)
    answer = await desk.call("POST", CANCEL_ALL, EXCHANGE)
    assert answer.json() == {"data": {"orders_ids": []}}


@with_plan(orders=0, faults=("recent_only",))
async def test_cancel_all_may_reach_the_last_week_only(desk: Desk) -> None:
    old, new = desk.venue.place(age=10 * DAY), desk.venue.place(age=DAY)
    answer = await desk.call("POST", CANCEL_ALL, EXCHANGE)
    assert answer.json()["data"]["orders_ids"] == [new.id]
    desk.clock.advance(1)
    assert [order["order_id"] for order in desk.venue.truth()] == [old.id]


async def test_cancel_all_of_nothing_has_several_answers(desk: Desk) -> None:
    for fault, answer in (
        ("", {"data": {"orders_ids": []}}),
        ("null_list", {"data": {"orders_ids": None}}),
        ("missing_list", {"data": {}}),
        ("nothing_refused", {"message": "No open orders found"}),
    ):
        desk.venue.faults = {fault}
        assert (await desk.call("POST", CANCEL_ALL, EXCHANGE)).json() == answer


# Creating


LIMIT = EXCHANGE | {
    "symbol": "ethusdt",
    "side": "sell",
    "order_type": "LIMIT",
    "quantity": 0.25,
    "price": 4100.5,
}


async def test_a_created_limit_order_rests(desk: Desk) -> None:
    row = (await desk.call("POST", ORDER, LIMIT | {"client_order_id": "mine"})).json()["data"]
    assert (row["status"], row["symbol"], row["quantity"], row["price"]) == (
        *("RAISED", "ETHUSDT", "0.25", "4100.5"),
    )
    assert row["client_order_id"] == "mine"
    assert await desk.ids() == [row["order_id"]]


async def test_a_created_protective_order_has_no_quantity_and_must_reduce(desk: Desk) -> None:
    stop = EXCHANGE | {"symbol": "ETHUSDT", "side": "SELL", "order_type": "STOP_MARKET", "quantity": 0}
    answer = await desk.call("POST", ORDER, stop | {"trigger_price": 3600})
    assert (answer.status_code, answer.json()) == (422, {"message": "reduce_only is missing or invalid"})
    row = (await desk.call("POST", ORDER, stop | {"trigger_price": 3600, "reduce_only": True})).json()["data"]
    assert (row["quantity"], row["price"], row["trigger_price"]) == ("0", "0", "3600")
    assert row["reduce_only"] is True
    assert await desk.ids() == [row["order_id"]]


async def test_market_and_immediate_orders_never_rest(desk: Desk) -> None:
    market = {name: value for name, value in LIMIT.items() if name != "price"} | {"order_type": "MARKET"}
    for body, word in ((market, "EXECUTED"), (LIMIT | {"time_in_force": "IOC"}, "CANCELLED")):
        row = (await desk.call("POST", ORDER, body)).json()["data"]
        assert await desk.status(row["order_id"]) == word
    assert await desk.ids() == []


async def test_instrument_rules_are_told_by_symbol(desk: Desk) -> None:
    answer = await desk.call("GET", "/trade/api/v2/futures/instrument_info?exchange=EXCHANGE_2")
    assert answer.json()["data"]["ETHUSDT"]["min_base_quantity"] == "0.01"


# Limits and faults


@pytest.mark.parametrize(
    ("method", "target", "body", "count"),
    [
        ("DELETE", ORDER, EXCHANGE | {"order_id": "nobody"}, 10),
        ("POST", CANCEL_ALL, EXCHANGE, 10),
        ("POST", OPEN, EXCHANGE, 20),
        ("POST", CLOSED, EXCHANGE, 20),
        ("GET", f"{ORDER}?order_id=nobody", None, 20),
        ("POST", ORDER, LIMIT, 20),
    ],
)
async def test_each_call_has_its_own_limit_a_minute(
    desk: Desk, method: str, target: str, body: object, count: int
) -> None:
    for _ in range(count):
        assert (await desk.call(method, target, body)).status_code != 429
    desk.clock.advance(59.9)
    answer = await desk.call(method, target, body)
    assert (answer.status_code, answer.json()) == (429, {"message": "Too Many Requests"})
    assert "retry-after" not in answer.headers
    assert desk.venue.throttled == 1
    desk.clock.advance(0.1)
    assert (await desk.call(method, target, body)).status_code != 429


async def test_429_may_carry_retry_after_and_be_html(desk: Desk) -> None:
    desk.venue.faults |= {"retry_after", "html429"}
    for _ in range(10):
        await desk.cancel("nobody")
        desk.clock.advance(1)
    answer = await desk.cancel("nobody")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "50")
    assert answer.text.startswith("<html>")
    desk.clock.advance(50)
    assert (await desk.cancel("nobody")).status_code == 404


@with_plan(orders=0, enforce_limits=False)
async def test_limits_can_be_off(desk: Desk) -> None:
    for _ in range(30):
        assert (await desk.cancel("nobody")).status_code == 404


@pytest.mark.parametrize("fault", ["effect_then_drop", "effect_then_http500@cancel_all"])
async def test_a_cancel_all_may_take_effect_and_its_answer_be_lost(desk: Desk, fault: str) -> None:
    desk.venue.place()
    desk.venue.faults.add(fault)
    try:
        assert (await desk.call("POST", CANCEL_ALL, EXCHANGE)).status_code == 500
    except httpx.RemoteProtocolError:
        assert fault == "effect_then_drop"
    desk.clock.advance(1)
    assert await desk.ids() == []


async def test_a_dropped_cancel_all_had_no_effect(desk: Desk) -> None:
    order = desk.venue.place()
    desk.venue.faults.add("once:drop@cancel_all")
    with pytest.raises(httpx.RemoteProtocolError):
        await desk.call("POST", CANCEL_ALL, EXCHANGE)
    assert order.state is State.RESTING


async def test_unknown_words_null_lists_and_foreign_ids(desk: Desk) -> None:
    desk.venue.faults = {"null_list"}
    assert await desk.page() == {"orders": None, "cursor": 0}
    desk.venue.faults = {"unknown_status", "wrong_id"}
    order = desk.venue.place()
    assert await desk.status(order.id) == UNKNOWN_WORD
    answer = await desk.cancel(order.id)
    assert answer.json()["data"]["order_id"] != order.id
    desk.clock.advance(1)
    assert await desk.status(order.id) == "CANCELLED"


async def test_a_part_filled_order_may_end_in_the_word_it_rested_with(desk: Desk) -> None:
    orders = [desk.venue.place(quantity=Decimal(1), filled=Decimal("0.4")) for _ in range(2)]
    for order in orders:
        await desk.cancel(order.id)
    desk.clock.advance(1)
    assert await desk.status(orders[0].id) == "CANCELLED"
    desk.venue.faults.add("partial_end")
    assert await desk.status(orders[1].id) == "PARTIALLY_EXECUTED"
    assert await desk.ids() == []
    assert set(await desk.ids(CLOSED, status="PARTIALLY_EXECUTED")) == {order.id for order in orders}


# The book


@with_plan(orders=100)
async def test_the_book_is_varied_and_spread_over_weeks(desk: Desk) -> None:
    live = desk.venue.book.live()
    ages = [desk.clock.wall() - order.created for order in live]
    assert len(live) == 100
    assert sum(age > 8 * DAY for age in ages) == 10
    assert max(ages) < 80 * DAY
    assert sum(age < 7 * DAY for age in ages) == 90
    protective = [order for order in live if order.type != "LIMIT"]
    assert {order.type for order in protective} == {"STOP_MARKET", "TAKE_PROFIT_MARKET"}
    assert all(order.quantity == 0 and order.trigger and order.extra["reduce_only"] for order in protective)
    assert {order.side for order in live} == {"buy", "sell"}
    assert len({order.symbol for order in live}) == 7
    assert 5 < sum(order.filled > 0 for order in live) < 30
    words = {row["status"] for row in (await desk.page(CLOSED))["orders"]}
    assert words == {"EXECUTED", "CANCELLED", "PARTIALLY_EXECUTED"}


async def test_equal_seeds_give_equal_books_and_other_keys(clock: ManualClock) -> None:
    one, two, other = (CoinSwitchFutures(clock, Plan(orders=30, seed=seed)) for seed in (3, 3, 4))
    for venue in (one, two, other):
        venue.populate()
    books = [[venue.describe(order) for order in venue.book.orders.values()] for venue in (one, two, other)]
    assert books[0] == books[1] != books[2]
    assert one.credentials() != two.credentials()


@with_plan(orders=20, activity=Activity(fills=1, partial_fills=1, newcomers=1, expiries=5))
async def test_the_book_moves_and_nothing_expires(desk: Desk) -> None:
    before = set(await desk.ids())
    desk.clock.advance(30)
    after = set(await desk.ids())
    assert after - before
    assert before - after
    assert "expired" not in {order["state"] for order in desk.venue.endings()}
