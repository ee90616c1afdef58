"""The practice P99 venue, spoken to over real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import uuid
from collections.abc import AsyncIterator
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from cancel_tui.clock import ManualClock
from cancel_tui.practice.market import Activity, State
from cancel_tui.practice.p99 import P99Spot
from cancel_tui.practice.venue import Plan, RateLimit

KEY = "p99-test-key-0001"
SECRET = "p99-test-secret-0001"
NOW_MS = 1_779_012_345_678
V5_BODY = (
    b'{"symbol":"DFUSDT","side":"sell","type":"limit","tif":"post_only","price":"0.7250","quantity":"12.5"}'
)


class Desk:
    """A client that signs by itself."""

    def __init__(self, venue: P99Spot, clock: ManualClock) -> None:
        self.venue = venue
        self.clock = clock
        self.http = httpx.AsyncClient(timeout=5)
        self.url = venue.base_url

    async def raw(self, method: str, target: str, *, body: bytes = b"", key: str = KEY) -> httpx.Response:
        """Send this target, signed or not, as it is."""
        return await self.http.request(
            method, self.url + target, content=body or None, headers={"X-MBX-APIKEY": key}
        )

    async def call(self, method: str, path: str, query: str = "", *, body: bytes = b"") -> httpx.Response:
        """Sign and send."""
        query += f"{'&' if query else ''}timestamp={round(self.clock.wall() * 1000)}"
        seal = hmac.new(SECRET.encode(), query.encode() + body, hashlib.sha256).hexdigest()
        return await self.raw(method, f"{path}?{query}&signature={seal}", body=body)

    async def list(self, query: str = "") -> list[dict[str, Any]]:
        """The rows of a list."""
        answer = await self.call("GET", "/spot/orders", query)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()
        return rows

    async def create(self, **fields: object) -> httpx.Response:
        """Enter an order."""
        return await self.call("POST", "/spot/orders", body=json.dumps(fields).encode())


def _venue(clock: ManualClock, plan: Plan) -> P99Spot:
    return P99Spot(clock, plan, api_key=KEY, api_secret=SECRET)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at the time of the test vectors."""
    return ManualClock(NOW_MS / 1000)


@pytest.fixture
async def desk(clock: ManualClock) -> AsyncIterator[Desk]:
    """A desk before a venue with an empty book."""
    venue = _venue(clock, Plan(orders=0))
    await venue.start()
    desk = Desk(venue, clock)
    yield desk
    await desk.http.aclose()
    await venue.stop()


V1 = "timestamp=1779012345678&signature=08dcbc37b08c4aa5f86caeea8cec69d2a4b0cbbe06e0857538464b51aea0255f"
V2 = (
    "status=open&limit=200&timestamp=1779012345678"
    "&signature=3a9eb4cd9251178dc01965475d291e0ff79017a800d9578587e6e3e62aae85bd"
)
V3 = (
    "status=partially_filled&limit=200&timestamp=1779012345678"
    "&signature=406a15faafb818bfc60c9d2f35c8b20dd2ca3eb609275bd7134f3162b32740ec"
)
V4 = (
    "symbol=DFUSDT&timestamp=1779012345678"
    "&signature=f07dfd326018c9e82ef9cb0f2bbd1fee9a40624c5697344b0356a36094acb292"
)
V5 = "timestamp=1779012345678&signature=917865ab2778152e436a4229b890e3795c4730163d3cb12a829cae7236dce186"
N1 = "timestamp=1779012345678&signature=7f59e2c10b8ee22f61d45a1a99de42d1c3aaa66705b9188f9a2ea35779d3290c"
N2 = "235a4f8cb26400428d73e89c9d8581dcef575e80a3ead76ec5d3c2294a949328"


@pytest.mark.parametrize(
    ("method", "query", "body"),
    [
        ("DELETE", V1, b""),
        ("GET", V2, b""),
        ("GET", V3, b""),
        ("DELETE", V4, b""),
        ("POST", V5, V5_BODY),
        ("DELETE", N1, b"{}"),
    ],
)
async def test_published_payloads_are_accepted(desk: Desk, method: str, query: str, body: bytes) -> None:
    answer = await desk.raw(method, f"/spot/orders?{query}", body=body)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("method", "query", "body"),
    [
        ("DELETE", V1, b"{}"),
        ("DELETE", V1.replace("signature=0", "signature=1"), b""),
        ("DELETE", V1.replace("345678", "345679"), b""),
        ("DELETE", f"symbol=DFUSDT&timestamp=1779012345678&signature={N2}", b""),
        ("POST", V5, V5_BODY.replace(b"12.5", b"12.6")),
        ("DELETE", "&".join(reversed(V1.split("&"))), b""),
        ("DELETE", V1 + "&symbol=DFUSDT", b""),
        ("DELETE", "timestamp=1779012345678", b""),
        ("DELETE", "", b""),
    ],
)
async def test_tampered_requests_are_refused_without_a_word(
    desk: Desk, method: str, query: str, body: bytes
) -> None:
    order = desk.venue.place()
    answer = await desk.raw(method, f"/spot/orders?{query}", body=body)
    assert (answer.status_code, answer.content) == (401, b"")
    assert order.state is State.RESTING
    assert len(desk.venue.book.orders) == 1


async def test_an_unknown_key_is_refused(desk: Desk) -> None:
    answer = await desk.raw("GET", f"/spot/orders?{V2}", key="another")
    assert (answer.status_code, answer.content) == (401, b"")


@pytest.mark.parametrize(("off", "status"), [(-5.0, 200), (5.0, 200), (-5.002, 401), (5.002, 401)])
async def test_the_clock_window_is_five_seconds_each_way(desk: Desk, off: float, status: int) -> None:
    desk.venue.skew = off
    assert (await desk.call("GET", "/spot/orders")).status_code == status


async def test_a_wrong_clock_can_be_measured_without_credentials(desk: Desk) -> None:
    desk.venue.skew = 61.0
    answer = await desk.http.get(desk.url + "/wallet/tokens")
    assert answer.json()["timestamp"] == NOW_MS // 1000 + 61
    assert parsedate_to_datetime(answer.headers["date"]).timestamp() == NOW_MS // 1000 + 61


async def test_a_token_lets_in_until_it_ends(desk: Desk, clock: ManualClock) -> None:
    token = desk.venue.issue_jwt(60)

    async def status(bearer: str) -> int:
        headers = {"Authorization": f"Bearer {bearer}"}
        return (await desk.http.get(desk.url + "/spot/orders", headers=headers)).status_code

    assert await status(token) == 200
    assert await status(token[:-2] + ("AA" if token[-2:] != "AA" else "BB")) == 401
    assert await status("nonsense") == 401
    clock.advance(60)
    assert await status(token) == 401


async def test_money_endpoints_refuse_an_api_key(desk: Desk) -> None:
    answer = await desk.call("POST", "/spot/transfer", body=b"{}")
    assert (answer.status_code, answer.json()) == (403, {"error": "API Key permission denied"})


async def test_a_page_holds_fifty_unless_asked_and_never_above_two_hundred(desk: Desk) -> None:
    for age in range(250):
        desk.venue.place(age=float(age))
    assert len(await desk.list("status=open")) == 50
    assert len(await desk.list("status=open&limit=1000")) == 200
    assert len(await desk.list("status=open&limit=-3")) == 1
    page = await desk.list("status=open&limit=200")
    times = [row["created_at"] for row in page]
    assert times == sorted(times, reverse=True)
    rest = await desk.list(f"status=open&limit=200&end={times[-1]}")
    assert len({row["id"] for row in page} | {row["id"] for row in rest}) == 250
    assert page[-1]["id"] == rest[0]["id"]


async def test_bounds_on_creation_include_both_ends(desk: Desk) -> None:
    for age in (0.0, 10.0, 20.0, 30.0):
        desk.venue.place(age=age)
    now = NOW_MS // 1000
    rows = await desk.list(f"start={now - 20}&end={now - 10}")
    assert [row["created_at"] for row in rows] == [now - 10, now - 20]


async def test_one_status_at_a_time(desk: Desk) -> None:
    whole, part = desk.venue.place(), desk.venue.place(quantity="40", filled="12.50")
    over = desk.venue.place(state=State.CANCELLED)
    assert [row["id"] for row in await desk.list("status=open")] == [whole.id]
    rows = await desk.list("status=partially_filled")
    assert [(row["id"], row["filled_qty"], row["avg_fill_price"]) for row in rows] == [
        (part.id, "12.5", "0.7")
    ]
    assert [row["id"] for row in await desk.list("status=canceled")] == [over.id]
    assert len(await desk.list()) == 3
    for query in ("status=open,partially_filled", "status=open&status=partially_filled", "status=OPEN"):
        answer = await desk.call("GET", "/spot/orders", query)
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid status"})


async def test_symbols_match_exactly(desk: Desk) -> None:
    desk.venue.place("ETHUSDT", price="3300.00", quantity="1")
    assert len(await desk.list("symbol=ETHUSDT")) == 1
    assert await desk.list("symbol=ethusdt") == []


async def test_an_order_is_shown_in_the_documented_shape(desk: Desk) -> None:
    order = desk.venue.place("DFUSDT", "sell", "0.7250", "40", filled="12.5", age=45.678)
    answer = await desk.call("GET", f"/spot/orders/{order.id}")
    assert answer.json() == {
        "id": order.id,
        "symbol": "DFUSDT",
        "side": "sell",
        "type": "limit",
        "tif": "gtc",
        "price": "0.7250",
        "quantity": "40",
        "quote_quantity": None,
        "filled_qty": "12.5",
        "avg_fill_price": "0.725",
        "status": "partially_filled",
        "reject_reason": None,
        "created_at": 1_779_012_300,
        "updated_at": 1_779_012_300,
    }


async def test_a_cancel_is_done_at_once_and_a_second_one_finds_nothing(desk: Desk) -> None:
    order = desk.venue.place(filled="25")
    first = await desk.call("DELETE", f"/spot/orders/{order.id}")
    assert first.status_code == 200
    assert (first.json()["status"], first.json()["filled_qty"]) == ("canceled", "25")
    second = await desk.call("DELETE", f"/spot/orders/{order.id}")
    assert (second.status_code, second.json()) == (404, {"error": "ORDER_NOT_FOUND"})
    assert (await desk.call("GET", f"/spot/orders/{order.id}")).json()["status"] == "canceled"


async def test_ids_that_name_nothing(desk: Desk) -> None:
    for method in ("GET", "DELETE"):
        bad = await desk.call(method, "/spot/orders/42")
        assert (bad.status_code, bad.json()) == (400, {"error": "invalid id"})
        unknown = await desk.call(method, f"/spot/orders/{uuid.UUID(int=1)}")
        assert (unknown.status_code, unknown.json()) == (404, {"error": "ORDER_NOT_FOUND"})


async def test_an_empty_id_is_no_cancel_all(desk: Desk) -> None:
    desk.venue.place()
    assert (await desk.call("DELETE", "/spot/orders/")).status_code == 404
    assert len(desk.venue.truth()) == 1


async def test_orders_of_another_user_stay_hidden(desk: Desk) -> None:
    order = desk.venue.place(account="somebody")
    assert await desk.list() == []
    assert (await desk.call("GET", f"/spot/orders/{order.id}")).status_code == 404
    forbidden = await desk.call("DELETE", f"/spot/orders/{order.id}")
    assert (forbidden.status_code, forbidden.json()) == (403, {"error": "FORBIDDEN"})
    desk.venue.foreign_not_found = True
    assert (await desk.call("DELETE", f"/spot/orders/{order.id}")).status_code == 404
    assert (await desk.call("DELETE", "/spot/orders")).json() == {"canceled": []}
    assert order.state is State.RESTING


async def test_cancel_all_takes_what_is_live_and_only_that(desk: Desk) -> None:
    live = [desk.venue.place(), desk.venue.place(filled="1", age=1), desk.venue.place("BTCUSDT", age=2)]
    desk.venue.place(state=State.FILLED)
    one = (await desk.call("DELETE", "/spot/orders", "symbol=BTCUSDT")).json()
    assert [row["id"] for row in one["canceled"]] == [live[2].id]
    wrong_case = await desk.call("DELETE", "/spot/orders", "symbol=dfusdt")
    assert (wrong_case.status_code, wrong_case.json()) == (200, {"canceled": []})
    rest = (await desk.call("DELETE", "/spot/orders")).json()["canceled"]
    assert [row["id"] for row in rest] == [live[0].id, live[1].id]
    assert {row["status"] for row in rest} == {"canceled"}
    assert (await desk.call("DELETE", "/spot/orders")).json() == {"canceled": []}


async def test_strict_symbols_refuse_an_unknown_market(desk: Desk) -> None:
    desk.venue.faults.add("strict_symbols")
    answer = await desk.call("DELETE", "/spot/orders", "symbol=dfusdt")
    assert (answer.status_code, answer.json()) == (404, {"error": "MARKET_NOT_FOUND"})


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("engine_busy", "ENGINE_BUSY"),
        ("engine_restarting", "ENGINE_RESTARTING"),
        ("trading_disabled", "spot trading disabled"),
    ],
)
async def test_engine_trouble_stops_cancels_and_not_reads(desk: Desk, fault: str, text: str) -> None:
    order = desk.venue.place()
    desk.venue.faults.add(f"{fault}*2")
    for path in (f"/spot/orders/{order.id}", "/spot/orders"):
        assert len(await desk.list("status=open")) == 1
        answer = await desk.call("DELETE", path)
        assert (answer.status_code, answer.json()) == (503, {"error": text})
    assert (await desk.call("DELETE", f"/spot/orders/{order.id}")).status_code == 200
    assert desk.venue.faults == set()


async def test_health_tells_of_a_disabled_engine_and_of_a_long_queue(desk: Desk) -> None:
    async def health() -> dict[str, Any]:
        answer: dict[str, Any] = (await desk.http.get(desk.url + "/spot/health")).json()
        return answer

    assert await health() == {"engine": "running", "queue_depth": 3, "books_loaded": 3}
    desk.venue.faults.add("engine_busy")
    assert (await health())["queue_depth"] > 100
    desk.venue.faults.add("trading_disabled")
    assert (await health())["engine"] == "disabled"


async def test_resting_orders_survive_a_restart(desk: Desk, clock: ManualClock) -> None:
    order = desk.venue.place()
    desk.venue.restart(3.0)
    assert (await desk.call("DELETE", "/spot/orders")).json() == {"error": "ENGINE_RESTARTING"}
    clock.advance(3.0)
    assert (await desk.call("DELETE", "/spot/orders")).json()["canceled"][0]["id"] == order.id


async def test_a_fill_can_win_the_race_against_a_cancel(desk: Desk) -> None:
    order = desk.venue.place()
    desk.venue.faults.add("fill_race")
    answer = await desk.call("DELETE", f"/spot/orders/{order.id}")
    assert (answer.status_code, answer.json()) == (404, {"error": "ORDER_NOT_FOUND"})
    read = (await desk.call("GET", f"/spot/orders/{order.id}")).json()
    assert (read["status"], read["filled_qty"]) == ("filled", "100")


async def test_cancel_all_misses_the_order_that_filled_first(desk: Desk) -> None:
    young, old = desk.venue.place(), desk.venue.place(age=9)
    desk.venue.faults.add("fill_race@cancel_all")
    canceled = (await desk.call("DELETE", "/spot/orders")).json()["canceled"]
    assert [row["id"] for row in canceled] == [young.id]
    assert old.state is State.FILLED


async def test_an_order_can_move_between_the_two_lists(desk: Desk) -> None:
    order = desk.venue.place()
    desk.venue.faults.add("once:partial_between_lists")
    first = await desk.list("status=open")
    second = await desk.list("status=partially_filled")
    assert [row["id"] for row in first] == [row["id"] for row in second] == [order.id]
    assert Decimal(second[0]["filled_qty"]) == 50


async def test_lists_in_the_wrong_sequence_miss_the_order_that_moved(desk: Desk) -> None:
    desk.venue.place()
    desk.venue.faults.add("once:partial_between_lists")
    assert await desk.list("status=partially_filled") == []
    assert await desk.list("status=open") == []


async def test_cancel_all_can_stop_half_way(desk: Desk) -> None:
    for age in range(5):
        desk.venue.place(age=float(age))
    desk.venue.faults.add("cancel_all_half")
    left = []
    for _ in range(4):
        answer = await desk.call("DELETE", "/spot/orders")
        left.append((answer.status_code, len(desk.venue.truth())))
    assert left == [(503, 2), (503, 1), (503, 0), (200, 0)]


async def test_a_cancel_can_take_effect_although_its_answer_is_lost(desk: Desk) -> None:
    order = desk.venue.place()
    desk.venue.faults.add("effect_then_drop@cancel")
    with pytest.raises(httpx.RemoteProtocolError):
        await desk.call("DELETE", f"/spot/orders/{order.id}")
    assert order.state is State.CANCELLED
    assert (await desk.call("DELETE", f"/spot/orders/{order.id}")).status_code == 404


@pytest.mark.parametrize(
    ("fault", "status", "start"),
    [
        ("http500", 500, b"Internal"),
        ("html", 502, b"<html>"),
        ("empty", 200, b""),
        ("badjson", 200, b'{"data"'),
        ("throttle", 429, b"{"),
        ("db_error", 500, b'{"error": "DB_ERROR"}'),
        ("unauthorized", 401, b""),
        ("key_cannot_cancel", 403, b'{"error": "API Key'),
    ],
)
async def test_spoilt_answers_do_not_cancel(desk: Desk, fault: str, status: int, start: bytes) -> None:
    order = desk.venue.place()
    desk.venue.faults.add(f"{fault}@cancel")
    answer = await desk.call("DELETE", f"/spot/orders/{order.id}")
    assert answer.status_code == status
    assert answer.content.startswith(start)
    assert (answer.content == b"") == (start == b"")
    assert order.state is State.RESTING
    assert len(await desk.list()) == 1


async def test_a_throttled_answer_is_counted_and_says_when_to_return(desk: Desk) -> None:
    desk.venue.faults.add("once:throttle")
    answer = await desk.call("GET", "/spot/orders")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert desk.venue.throttled == 1
    assert (await desk.call("GET", "/spot/orders")).status_code == 200


async def test_silence_and_a_closed_line(desk: Desk) -> None:
    desk.venue.faults.add("drop@list")
    with pytest.raises(httpx.RemoteProtocolError):
        await desk.list()
    desk.venue.faults = {"hang@list"}
    pending = asyncio.ensure_future(desk.list())
    assert (await desk.call("DELETE", "/spot/orders")).status_code == 200
    assert not pending.done()
    pending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pending


async def test_a_limit_can_be_set_although_none_is_documented(desk: Desk, clock: ManualClock) -> None:
    desk.venue.rate = RateLimit(clock, 2, 1.0)
    codes = [(await desk.call("GET", "/spot/orders")).status_code for _ in range(3)]
    clock.advance(1.0)
    codes.append((await desk.call("GET", "/spot/orders")).status_code)
    assert codes == [200, 200, 429, 200]


async def test_a_new_order_rests_and_can_be_cancelled(desk: Desk) -> None:
    answer = await desk.raw("POST", f"/spot/orders?{V5}", body=V5_BODY)
    order = answer.json()
    assert (order["status"], order["tif"], order["fills"]) == ("open", "post_only", [])
    assert (await desk.list("status=open"))[0]["id"] == order["id"]
    assert (await desk.call("DELETE", f"/spot/orders/{order['id']}")).json()["status"] == "canceled"


async def test_orders_that_take_are_filled_and_traded(desk: Desk) -> None:
    bought = (await desk.create(symbol="DFUSDT", side="buy", type="market", quote_quantity="72.10")).json()
    assert (bought["status"], bought["price"], bought["quantity"]) == ("filled", None, None)
    assert bought["fills"][0]["quantity"] == "100"
    late = await desk.create(
        symbol="DFUSDT", side="buy", type="limit", tif="ioc", price="0.7000", quantity="10"
    )
    assert late.json()["status"] == "canceled"
    trades = (await desk.call("GET", "/spot/trades/me", "symbol=DFUSDT")).json()
    assert [(row["order_id"], row["role"], row["ts"]) for row in trades] == [
        (bought["id"], "taker", NOW_MS // 1000)
    ]
    assert trades[0]["trade_id"] == bought["fills"][0]["trade_id"]


LIMIT = {"symbol": "DFUSDT", "side": "buy", "type": "limit", "price": "0.7000", "quantity": "10"}


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"symbol": "dfusdt"}, 404, "MARKET_NOT_FOUND"),
        ({"side": "BUY"}, 400, "invalid side"),
        ({"type": "stop"}, 400, "invalid type"),
        ({"tif": "fok"}, 400, "invalid tif"),
        ({"quantity": None}, 400, "quantity required for limit"),
        ({"type": "market", "quantity": None, "side": "sell"}, 400, "quantity required for market sell"),
        ({"type": "market"}, 400, "quote_quantity required for market buy"),
        ({"price": "0.70001"}, 400, "INVALID_TICK"),
        ({"quantity": "0.001"}, 400, "INVALID_LOT"),
        ({"quantity": "0.5"}, 400, "BELOW_MIN_NOTIONAL"),
        ({"quantity": "99999999"}, 400, "INSUFFICIENT_BALANCE"),
        ({"price": "0.7300", "tif": "post_only"}, 400, "POST_ONLY_REJECT"),
        ({"price": "0.8000"}, 400, "SELF_TRADE"),
        ({"price": "NaN"}, 400, "invalid price"),
    ],
)
async def test_new_orders_are_checked(desk: Desk, change: dict[str, Any], status: int, text: str) -> None:
    desk.venue.place("DFUSDT", "sell", "0.7900", "5")
    answer = await desk.create(**(LIMIT | change))
    assert (answer.status_code, answer.json()) == (status, {"error": text})
    assert len(desk.venue.book.orders) == 1


async def test_halted_and_delisted_markets(desk: Desk) -> None:
    order = desk.venue.place()
    desk.venue.market_status["DFUSDT"] = "halted"
    assert (await desk.create(**LIMIT)).status_code == 409
    assert (await desk.call("GET", f"/spot/orders/{order.id}")).json()["status"] == "open"
    desk.venue.delist("DFUSDT")
    assert (await desk.create(**LIMIT)).status_code == 410
    assert (await desk.call("GET", f"/spot/orders/{order.id}")).json()["status"] == "canceled"
    markets = (await desk.http.get(desk.url + "/spot/markets")).json()
    assert {row["id"]: row["status"] for row in markets}["DFUSDT"] == "delisted"


async def test_balances_leave_out_what_orders_hold(desk: Desk) -> None:
    desk.venue.place("DFUSDT", "sell", "0.8000", "250.50")
    rows = (await desk.call("GET", "/spot/balances")).json()["balances"]
    assert {"token": "DF", "available": "999749.5", "frozen": "0"} in rows


async def test_unknown_paths_answer_in_the_venues_shape(desk: Desk) -> None:
    for path in ("/spot/order", "/fapi/v1/openOrders", "/spot/orders/a/b"):
        answer = await desk.call("GET", path)
        assert (answer.status_code, answer.json()) == (404, {"error": "not found"})


def test_equal_seeds_give_equal_and_varied_books(clock: ManualClock) -> None:
    books = []
    for _ in range(2):
        venue = P99Spot(clock, Plan(orders=120, seed=11))
        venue.populate()
        books.append([repr(order) for order in venue.book.orders.values()])
    assert books[0] == books[1]
    assert len(venue.truth()) == 120
    live = venue.book.live()
    assert {order.side for order in live} == {"buy", "sell"}
    assert len({order.symbol for order in live}) == 3
    ages = [clock.wall() - order.created for order in live]
    assert min(ages) < 60
    assert max(ages) > 86_400
    assert 10 < sum(order.filled > 0 for order in live) < 50
    assert {row["state"] for row in venue.endings()} == {"filled", "cancelled", "rejected"}
    other = P99Spot(clock, Plan(orders=120, seed=12))
    other.populate()
    assert [repr(order) for order in other.book.orders.values()] != books[0]
    assert other.credentials() != venue.credentials()


async def test_the_book_moves_by_the_seed(clock: ManualClock) -> None:
    venue = _venue(clock, Plan(orders=30, activity=Activity(fills=1, partial_fills=1, newcomers=1)))
    await venue.start()
    desk = Desk(venue, clock)
    before = {row["id"]: row["filled_qty"] for row in await desk.list("limit=200")}
    clock.advance(20)
    after = {row["id"]: row["filled_qty"] for row in await desk.list("limit=200")}
    assert set(before) < set(after)
    assert any(after[ident] != filled for ident, filled in before.items())
    await desk.http.aclose()
    await venue.stop()


async def _say(line: ClientConnection, **frame: object) -> dict[str, Any]:
    await line.send(json.dumps(frame))
    return await _hear(line)


async def _hear(line: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(await asyncio.wait_for(line.recv(), 5))
    return frame


def _stream(desk: Desk) -> connect:
    return connect(desk.url.replace("http", "ws").removesuffix("/api/v1") + "/ws")


async def test_the_stream_pushes_places_fills_and_cancels_without_a_snapshot(desk: Desk) -> None:
    desk.venue.place()
    async with _stream(desk) as line:
        assert await _say(line, type="ping") == {"type": "pong"}
        token = desk.venue.issue_jwt()
        assert await _say(line, type="auth_token", token=token) == {"type": "auth_result", "success": True}
        assert await _say(line, type="subscribe", channel="spot:user:orders") == {
            "type": "subscribed",
            "channel": "spot:user:orders",
        }
        order = desk.venue.place("DFUSDT", "sell", "0.7250", "40", age=5)
        placed = await _hear(line)
        assert (placed["type"], placed["channel"]) == ("spot_user_order", "spot:user:orders")
        assert (placed["data"]["id"], placed["data"]["status"]) == (order.id, "open")
        assert not {"created_at", "last_fill"} & set(placed["data"])
        desk.venue.book.fill(order, Decimal("12.5"))
        filled = (await _hear(line))["data"]
        assert (filled["status"], filled["filled_qty"]) == ("partially_filled", "12.5")
        assert (filled["last_fill"]["price"], filled["last_fill"]["quantity"]) == ("0.725", "12.5")
        await desk.call("DELETE", f"/spot/orders/{order.id}")
        over = (await _hear(line))["data"]
        assert over["status"] == "canceled"
        assert "last_fill" not in over


async def test_the_stream_takes_a_listen_key_for_an_hour(desk: Desk, clock: ManualClock) -> None:
    root = desk.url.removesuffix("/api/v1")
    assert (await desk.http.post(root + "/fapi/v1/listenKey")).status_code == 401
    desk.url = root
    listen_key = (await desk.call("POST", "/fapi/v1/listenKey")).json()["listenKey"]
    assert len(listen_key) == 64
    clock.advance(3000)
    assert (await desk.call("PUT", "/fapi/v1/listenKey")).json()["listenKey"] == listen_key
    clock.advance(3000)
    async with _stream(desk) as line:
        assert (await _say(line, type="auth", listenKey=listen_key))["success"] is True
        assert (await _say(line, type="auth", listenKey="x"))["success"] is False
    clock.advance(601)
    async with _stream(desk) as line:
        assert (await _say(line, type="auth", listenKey=listen_key))["success"] is False
    assert (await desk.call("POST", "/fapi/v1/listenKey")).json()["listenKey"] != listen_key


async def test_the_stream_refuses_strangers_and_unknown_channels(desk: Desk) -> None:
    async with _stream(desk) as line:
        assert (await _say(line, type="auth_token", token="x.y.z"))["success"] is False
        assert (await _say(line, type="subscribe", channel="spot:user:orders"))["code"] == "UNAUTHORIZED"
        assert (await _say(line, type="subscribe", channel="spot:user:x"))["code"] == "INVALID_CHANNEL"
        token = desk.venue.issue_jwt()
        answer = await _say(line, type="subscribe", channel="spot:user:orders", token=token)
        assert answer["type"] == "subscribed"
        await line.send("{")
        assert (await _hear(line))["code"] == "INVALID_MESSAGE"


async def test_the_stream_can_be_silent_or_say_everything_twice(desk: Desk) -> None:
    async with _stream(desk) as line:
        token = desk.venue.issue_jwt()
        await _say(line, type="subscribe", channel="spot:user:orders", token=token)
        desk.venue.faults = {"once:stream_silent"}
        desk.venue.place()
        desk.venue.faults.add("once:stream_duplicates")
        order = desk.venue.place()
        first, second = await _hear(line), await _hear(line)
        assert first == second
        assert first["data"]["id"] == order.id
        desk.venue.stream.abort()
        with pytest.raises(ConnectionClosedError):
            await line.recv()


async def test_the_stream_tells_what_happens_while_nobody_asks(clock: ManualClock) -> None:
    venue = _venue(clock, Plan(orders=5, activity=Activity(fills=5)))
    await venue.start()
    desk = Desk(venue, clock)
    async with _stream(desk) as line:
        await _say(line, type="subscribe", channel="spot:user:orders", token=venue.issue_jwt())
        asked = venue.server.requests
        clock.advance(5)
        assert (await _hear(line))["data"]["status"] == "filled"
        assert venue.server.requests == asked
    await desk.http.aclose()
    await venue.stop()
