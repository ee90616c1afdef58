"""The practice B2TRADER over real loopback sockets, spoken to by hand-written REST calls and hub messages."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Self

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from cancel_tui.clock import ManualClock, SystemClock
from cancel_tui.practice.b2trader import B2Trader
from cancel_tui.practice.market import Activity, State
from cancel_tui.practice.venue import Plan

ORDERS = "/frontoffice/api/v3/orders"
STOPS = "/frontoffice/api/v3/stop-orders"
EXCHANGE = "/frontoffice/api/v4/access-token"
ACCOUNTS = "/frontoffice/api/v3/accounts"
RS = "\x1e"


class HubClient:
    """A hub client that keeps its own buffer and remembers how messages came in frames."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[str] = []
        self.waiting: list[Any] = []
        self._buffer = ""

    async def send(self, *messages: object) -> None:
        await self.socket.send("".join(json.dumps(message) + RS for message in messages))

    async def subscribe(self, account: str, invocation: str = "0") -> None:
        await self.send(
            {"type": 4, "invocationId": invocation, "target": "OpenOrders", "arguments": [account]}
        )

    async def next(self, wanted: int | None = None) -> Any:
        """The next message, of the wanted type where one is given; other messages are skipped."""
        async with asyncio.timeout(5):
            while True:
                while self.waiting:
                    message = self.waiting.pop(0)
                    if wanted is None or message.get("type") == wanted:
                        return message
                frame = await self.socket.recv()
                assert isinstance(frame, str)
                self.frames.append(frame)
                *texts, self._buffer = (self._buffer + frame).split(RS)
                self.waiting += [json.loads(text) for text in texts]

    async def item(self) -> Any:
        return (await self.next(2))["item"]

    async def silent(self) -> bool:
        """Whether nothing is on its way: the answer to an unknown target overtakes nothing."""
        await self.send({"type": 1, "invocationId": "probe", "target": "Nothing", "arguments": []})
        message = await self.next()
        return bool(message.get("invocationId") == "probe")


class Desk:
    """One venue and a client of it."""

    def __init__(self, venue: B2Trader, clock: ManualClock, http: httpx.AsyncClient) -> None:
        self.venue = venue
        self.clock = clock
        self.http = http
        self.token = ""
        self.first, self.second, self.third = (account.id for account in venue.accounts)

    @classmethod
    async def login(cls, venue: B2Trader, clock: ManualClock, http: httpx.AsyncClient) -> Self:
        desk = cls(venue, clock, http)
        await desk.renew()
        return desk

    async def renew(self) -> None:
        answer = await self.http.post(EXCHANGE, json={"token": self.venue.credentials()["api_token"]})
        self.token = answer.json()["accessToken"]

    async def call(self, method: str, path: str, account: str = "", body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        if account:
            headers["accountId"] = account
        return await self.http.request(method, path, headers=headers, json=body)

    @asynccontextmanager
    async def socket(self, query: str | None = None) -> AsyncIterator[ClientConnection]:
        query = f"access_token={self.token}" if query is None else query
        origin = self.venue.base_url.replace("http://", "ws://")
        async with connect(
            f"{origin}/frontoffice/ws/v4/account?{query}", proxy=None, max_size=None
        ) as socket:
            yield socket

    @asynccontextmanager
    async def hub(self) -> AsyncIterator[HubClient]:
        async with self.socket() as socket:
            client = HubClient(socket)
            await client.send({"protocol": "json", "version": 1})
            assert await client.next() == {}
            yield client

    async def advance(self, seconds: float, steps: int = 1) -> None:
        for _ in range(steps):
            self.clock.advance(seconds / steps)
            await asyncio.sleep(0)
            await asyncio.sleep(0)


@asynccontextmanager
async def opened(**plan: Any) -> AsyncIterator[Desk]:
    clock = ManualClock()
    venue = B2Trader(clock, Plan(**{"orders": 0, "cancel_delay": 0.0, **plan}))
    await venue.start()
    try:
        async with httpx.AsyncClient(base_url=venue.base_url, trust_env=False, timeout=5) as http:
            yield await Desk.login(venue, clock, http)
    finally:
        await venue.stop()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with opened() as desk:
        yield desk


def place(desk: Desk, account: str = "", **more: Any) -> str:
    order = desk.venue.dealer.place(
        "spot.btc_usdt", "sell", Decimal("0.5"), Decimal("99000"), account=account or desk.first, **more
    )
    return order.id


def place_stop(desk: Desk, price: str | None = "101000") -> str:
    limit = None if price is None else Decimal(price)
    return desk.venue.dealer.place_stop(
        "spot.btc_usdt", "buy", Decimal("0.2"), Decimal("100500"), limit, account=desk.first
    ).id


def claims(token: str) -> Any:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


# Tokens and accounts


async def test_the_exchange_gives_a_jwt_that_expires_in_an_hour_by_the_venues_clock(desk: Desk) -> None:
    assert claims(desk.token)["exp"] == int(desk.clock.wall()) + 3600
    answer = await desk.call("GET", ACCOUNTS)
    assert answer.status_code == 200
    assert parsedate_to_datetime(answer.headers["date"]).timestamp() == desk.clock.wall()
    desk.clock.advance(3601)
    assert (await desk.call("GET", ACCOUNTS)).status_code == 401
    await desk.renew()
    assert (await desk.call("GET", ACCOUNTS)).status_code == 200


@pytest.mark.parametrize("body", [{}, {"token": 5}, {"token": "wrong"}, []])
async def test_the_exchange_refuses_anything_but_the_offline_token(desk: Desk, body: Any) -> None:
    answer = await desk.http.post(EXCHANGE, json=body)
    assert answer.status_code == (401 if body == {"token": "wrong"} else 400)


async def test_tampered_unsigned_and_offline_tokens_are_refused(desk: Desk) -> None:
    head, payload, signature = desk.token.split(".")
    later = claims(desk.token) | {"exp": 9999999999}
    longer = base64.urlsafe_b64encode(json.dumps(later).encode()).rstrip(b"=").decode()
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    flipped = signature[:-1] + ("A" if signature[-1] != "A" else "B")
    for token in (
        f"{head}.{longer}.{signature}",
        f"{none}.{payload}.",
        f"{head}.{payload}.{flipped}",
        f"{head}.{payload}",
        "x",
        "a.b.c",
        desk.venue.credentials()["api_token"],
    ):
        answer = await desk.http.get(ACCOUNTS, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, token
        assert "invalid_token" in answer.headers["www-authenticate"]
    assert (await desk.http.get(ACCOUNTS)).status_code == 401
    assert (await desk.http.get(ACCOUNTS, headers={"Authorization": desk.token})).status_code == 401


async def test_accounts_is_a_bare_array_of_hedging_and_netting_accounts(desk: Desk) -> None:
    accounts = (await desk.call("GET", ACCOUNTS)).json()
    assert [account["accountType"] for account in accounts] == ["Hedging", "Netting", "Hedging"]
    assert [account["isCopyTradingAccount"] for account in accounts] == [False, False, True]
    assert all(re.fullmatch(r"[0-9a-f]{24}", account["accountId"]) for account in accounts)
    assert isinstance(accounts[0]["totalBalanceInRAT"], str)
    assert isinstance(accounts[0]["publicAccountId"], int)
    desk.venue.public_account_ids = False
    assert "publicAccountId" not in (await desk.call("GET", ACCOUNTS)).json()[0]


async def test_the_account_header_is_required_and_checked(desk: Desk) -> None:
    order = place(desk)
    assert (await desk.call("DELETE", f"{ORDERS}/{order}")).status_code == 400
    assert (await desk.call("DELETE", f"{ORDERS}/{order}", "f" * 24)).status_code == 403
    assert (await desk.call("DELETE", f"{ORDERS}/{order}", desk.second)).status_code == 404
    assert desk.venue.book.orders[order].state is State.RESTING
    assert (await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)).status_code == 200


async def test_expired_token_kills_tokens_sockets_and_upgrades_and_new_ones_live_half_a_minute(
    desk: Desk,
) -> None:
    async with desk.hub() as hub:
        desk.venue.faults.add("expired_token")
        assert (await desk.call("GET", ACCOUNTS)).status_code == 401
        close = await hub.next(7)
        assert close["allowReconnect"] is True
        assert "expired" in close["error"]
        with pytest.raises(ConnectionClosed):
            await hub.next()
    with pytest.raises(InvalidStatus) as refused:
        async with desk.socket():
            pass
    assert refused.value.response.status_code == 401
    await desk.renew()
    assert (await desk.call("GET", ACCOUNTS)).status_code == 200
    desk.clock.advance(31)
    assert claims(desk.token)["exp"] > desk.clock.wall()
    assert (await desk.call("GET", ACCOUNTS)).status_code == 401


async def test_a_token_that_runs_out_closes_its_socket(desk: Desk) -> None:
    async with desk.hub() as hub:
        await desk.advance(3601)
        assert (await hub.next(7))["type"] == 7


async def test_the_offline_token_can_be_refused(desk: Desk) -> None:
    desk.venue.faults.add("token_refused")
    answer = await desk.http.post(EXCHANGE, json={"token": desk.venue.credentials()["api_token"]})
    assert answer.status_code == 401


# Cancelling orders


async def test_a_cancel_answers_the_order_with_a_null_cancellation_date(desk: Desk) -> None:
    order = place(desk, filled=Decimal("0.1"), age=4.25)
    desk.clock.advance(1.5)
    answer = (await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)).json()
    assert set(answer) == {"order"}
    assert answer["order"] | {"createdAt": "", "updatedAt": ""} == {
        "marketId": "spot.btc_usdt",
        "marketDisplayName": "SPOT BTC/USDT",
        "orderId": order,
        "orderType": "Limit",
        "side": "Sell",
        "status": "Cancelled",
        "source": "Manual",
        "timeInForce": "Gtc",
        "commission": "9.9",
        "requestedAmount": "0.5",
        "remainingAmount": "0.4",
        "requestedPrice": "99000",
        "executionPrice": "99000",
        "createdAt": "",
        "updatedAt": "",
        "rejectDetails": "",
        "cancellationDate": None,
        "fillFactor": "0.2",
    }
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", order)


async def test_the_cancellation_date_can_be_given(desk: Desk) -> None:
    desk.venue.null_cancellation_date = False
    order = (await desk.call("DELETE", f"{ORDERS}/{place(desk)}", desk.first)).json()["order"]
    assert order["cancellationDate"].startswith("2025-10-09T08:53:20")


async def test_a_cancel_taken_for_another_accounts_leaves_the_order_alive(desk: Desk) -> None:
    order = place(desk)
    desk.venue.faults.add("once:wrong_account")
    assert (await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)).status_code == 404
    assert [row["order_id"] for row in desk.venue.truth()] == [order]
    assert (await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)).status_code == 200


@pytest.mark.parametrize("code", [404, 400, 409, 422])
async def test_a_second_cancel_answers_the_code_that_is_set(desk: Desk, code: int) -> None:
    desk.venue.finished_cancel_code = code
    order = place(desk)
    codes = [
        (await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)).status_code,
        (await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)).status_code,
        (await desk.call("DELETE", f"{ORDERS}/01JZ3M8Q4X7T5N2RB6WCVEYK9D", desk.first)).status_code,
    ]
    assert codes == [200, code, 404]


@pytest.mark.parametrize(("outcome", "last"), [("cancelled", State.CANCELLED), ("completed", State.FILLED)])
async def test_an_async_cancel_answers_working_and_ends_after_the_delay(outcome: str, last: State) -> None:
    async with opened(cancel_delay=2.0) as desk:
        desk.venue.async_cancel = True
        desk.venue.async_outcome = outcome
        order = place(desk)
        for _ in range(2):
            answer = await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)
            assert answer.json()["order"]["status"] == "Working"
        desk.clock.advance(0.9)
        assert [row["state"] for row in desk.venue.truth()] == ["leaving"]
        desk.clock.advance(1.2)
        assert desk.venue.truth() == []
        assert desk.venue.book.orders[order].state is last
        assert (await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)).status_code == 404


async def test_with_a_delay_a_share_of_orders_ends_late_by_the_seed_alone() -> None:
    async def statuses() -> list[str]:
        async with opened(cancel_delay=0.5) as desk:
            orders = [place(desk) for _ in range(60)]
            answers = [await desk.call("DELETE", f"{ORDERS}/{order}", desk.first) for order in orders]
            desk.clock.advance(0.6)
            assert desk.venue.truth() == []
            return [answer.json()["order"]["status"] for answer in answers]

    seen = await statuses()
    assert 8 <= seen.count("Working") <= 32
    assert seen.count("Working") + seen.count("Cancelled") == 60
    assert await statuses() == seen


async def test_a_fill_race_ends_the_order_before_its_cancel(desk: Desk) -> None:
    early, late = place(desk), place(desk)
    desk.venue.faults.add("once:fill_race")
    assert (await desk.call("DELETE", f"{ORDERS}/{early}", desk.first)).status_code == 404
    assert desk.venue.book.orders[early].state is State.FILLED
    desk.venue.faults.add("fill_race_completed")
    answer = (await desk.call("DELETE", f"{ORDERS}/{late}", desk.first)).json()["order"]
    assert (answer["status"], answer["fillFactor"], answer["remainingAmount"]) == ("Completed", "1", "0")


async def test_number_decimals_are_bare_numbers_with_every_digit(desk: Desk) -> None:
    desk.venue.number_decimals = True
    order = desk.venue.dealer.place(
        "spot.doge_btc", "buy", Decimal("1200000"), Decimal("0.00000317"), account=desk.first
    )
    text = (await desk.call("DELETE", f"{ORDERS}/{order.id}", desk.first)).text
    said = json.loads(text, parse_float=Decimal)["order"]
    assert said["requestedPrice"] == Decimal("0.00000317")
    assert said["requestedAmount"] == 1200000


async def test_times_cycle_through_the_digits_also_within_one_order(desk: Desk) -> None:
    desk.clock.advance(0.1234567)
    digits = set()
    for _ in range(4):
        order = (await desk.call("DELETE", f"{ORDERS}/{place(desk)}", desk.first)).json()["order"]
        pair = []
        for field in ("createdAt", "updatedAt"):
            match = re.fullmatch(r"2025-10-09T08:53:20(?:\.(\d+))?Z", order[field])
            assert match
            pair.append(len(match[1] or ""))
        assert pair[0] != pair[1]
        digits.update(pair)
    assert digits == {0, 2, 3, 7}


async def test_unknown_words_appear_in_lists(desk: Desk) -> None:
    desk.venue.unknown_enum = True
    for _ in range(3):
        place(desk)
    async with desk.hub() as hub:
        await hub.subscribe(desk.first)
        orders = await hub.item()
    assert {order["status"] for order in orders} == {"Suspended", "Pending"}
    assert {order["source"] for order in orders} == {"MobileApp", "Manual"}
    assert {order["reason"] for order in orders} == {"Hedging", "Trader"}


@pytest.mark.parametrize(
    ("shape", "kind", "check"),
    [
        ("problem", "application/problem+json", lambda text: json.loads(text)["status"] == 404),
        ("errors", "application/json", lambda text: json.loads(text)["errors"][0]["code"] == "not_found"),
        ("empty", "", lambda text: text == ""),
        ("html", "text/html", lambda text: text.startswith("<html>")),
    ],
)
async def test_errors_take_the_shape_that_is_set(
    desk: Desk, shape: str, kind: str, check: Callable[[str], bool]
) -> None:
    desk.venue.error_shape = shape
    for path in (f"{ORDERS}/nothing", "/no/such/path"):
        answer = await desk.call("DELETE", path, desk.first)
        assert answer.status_code == 404
        assert answer.headers.get("content-type", "").startswith(kind)
        assert check(answer.text)


# Stop orders


async def test_a_stop_has_its_own_cancel_and_no_word_for_cancelled(desk: Desk) -> None:
    stop = place_stop(desk)
    assert (await desk.call("DELETE", f"{ORDERS}/{stop}", desk.first)).status_code == 404
    assert (await desk.call("DELETE", f"{STOPS}/{place(desk)}", desk.first)).status_code == 404
    assert (await desk.call("DELETE", f"{STOPS}/{stop}", desk.second)).status_code == 404
    order = (await desk.call("DELETE", f"{STOPS}/{stop}", desk.first)).json()["order"]
    assert set(order) == {
        *(
            "marketId",
            "marketDisplayName",
            "orderId",
            "orderType",
            "side",
            "requestedPrice",
            "activationPrice",
        ),
        *("requestedAmount", "timeInForce", "status", "createdAt", "updatedAt", "cancellationDate"),
    }
    assert order["status"] == "WaitingForActivation"
    assert order["activationPrice"] == "100500"
    assert desk.venue.book.orders[stop].state is State.CANCELLED
    assert (await desk.call("DELETE", f"{STOPS}/{stop}", desk.first)).status_code == 404


@pytest.mark.parametrize(("fault", "code"), [("stop_triggers", 200), ("stop_triggers_before", 404)])
async def test_a_stop_that_activates_leaves_a_new_live_order(desk: Desk, fault: str, code: int) -> None:
    stop = place_stop(desk)
    desk.venue.faults.add(fault)
    async with desk.hub() as hub:
        await hub.subscribe(desk.first)
        assert await hub.item() == []
        answer = await desk.call("DELETE", f"{STOPS}/{stop}", desk.first)
        assert answer.status_code == code
        if code == 200:
            assert answer.json()["order"]["status"] == "Activated"
        (placed,) = await hub.item()
    assert placed["orderId"] != stop
    assert placed["source"] == "StopOrder"
    assert [row["order_id"] for row in desk.venue.truth()] == [placed["orderId"]]


async def test_stops_are_listed_nowhere_unless_rest_lists_is_on(desk: Desk) -> None:
    order, stop = place(desk), place_stop(desk)
    async with desk.hub() as hub:
        await hub.subscribe(desk.first)
        assert [listed["orderId"] for listed in await hub.item()] == [order]
    for path in (ORDERS, STOPS):
        assert (await desk.call("GET", path, desk.first)).status_code == 404
    desk.venue.rest_lists = True
    assert [o["orderId"] for o in (await desk.call("GET", ORDERS, desk.first)).json()] == [order]
    assert [o["orderId"] for o in (await desk.call("GET", STOPS, desk.first)).json()] == [stop]
    assert (await desk.call("GET", STOPS, desk.second)).json() == []


# Creating orders


@pytest.mark.parametrize(
    ("path", "market", "amount", "in_base"),
    [
        ("v3", "spot.btc_usdt", {"requestedAmount": "0.25"}, "0.25"),
        ("cfd/v4", "cfd.eur_usd", {"requestedLotAmount": 0.2, "leverage": 10}, "20000"),
        ("perpetual/v4", "perp.btc_usdt", {"requestedLotAmount": "50"}, "0.5"),
    ],
)
@pytest.mark.parametrize("family", ["orders", "stop-orders"])
async def test_six_kinds_of_orders_can_be_created(
    desk: Desk, path: str, market: str, amount: dict[str, Any], in_base: str, family: str
) -> None:
    body = {"marketId": market, "side": "buy", "orderType": "Limit", "timeInForce": "Gtc", **amount}
    body |= {"requestedPrice": 1.05}
    if family == "stop-orders":
        body["activationPrice"] = "1.04"
    answer = await desk.call("POST", f"/frontoffice/api/{path}/{family}", desk.second, {"order": body})
    assert answer.status_code == 200, answer.text
    created = answer.json()["order"]
    assert created["requestedAmount"] == in_base
    assert created["requestedPrice"] == "1.05"
    assert created["status"] == ("Pending" if family == "orders" else "WaitingForActivation")
    (row,) = desk.venue.truth()
    assert (row["order_id"], row["account"]) == (created["orderId"], desk.second)
    cancel = await desk.call("DELETE", f"/frontoffice/api/v3/{family}/{created['orderId']}", desk.second)
    assert cancel.status_code == 200
    assert desk.venue.truth() == []


SPOT = {"marketId": "spot.btc_usdt", "side": "Buy", "orderType": "Limit", "requestedAmount": "1"} | {
    "requestedPrice": "90000"
}


@pytest.mark.parametrize(
    "change",
    [
        {"marketId": "cfd.eur_usd"},
        {"marketId": "spot.no_thing"},
        {"side": "hold"},
        {"orderType": "Stop"},
        {"requestedAmount": "0"},
        {"requestedAmount": "NaN"},
        {"requestedAmount": True},
        {"requestedPrice": None},
        {"timeInForce": "Gtd"},
        {"timeInForce": "Gtd", "cancellationDate": "2020-01-01T00:00:00Z"},
        {"timeInForce": "soon"},
    ],
)
async def test_an_order_that_makes_no_sense_is_refused(desk: Desk, change: dict[str, Any]) -> None:
    answer = await desk.call("POST", ORDERS, desk.first, {"order": SPOT | change})
    assert answer.status_code == 400
    assert desk.venue.book.orders == {}
    assert (await desk.call("POST", ORDERS, desk.first, SPOT)).status_code == 400


async def test_a_gtd_order_shows_its_planned_end_and_expires_then(desk: Desk) -> None:
    gtd = SPOT | {"timeInForce": "gtd", "cancellationDate": "2025-10-09T09:10:00.1234567Z"}
    await desk.call("POST", ORDERS, desk.first, {"order": gtd})
    async with desk.hub() as hub:
        await hub.subscribe(desk.first)
        (order,) = await hub.item()
        assert order["cancellationDate"].startswith("2025-10-09T09:10:00")
        await desk.advance(1200)
        assert await hub.item() == []
    assert [row["state"] for row in desk.venue.endings()] == ["expired"]


async def test_a_market_order_works_then_fills_and_a_rejected_one_is_answered_200(desk: Desk) -> None:
    market = SPOT | {"orderType": "Market", "requestedPrice": None}
    created = (await desk.call("POST", ORDERS, desk.first, {"order": market})).json()["order"]
    assert (created["status"], created["requestedPrice"]) == ("Working", None)
    desk.clock.advance(1.1)
    assert [row["state"] for row in desk.venue.endings()] == ["filled"]
    desk.venue.faults.add("reject_new")
    answer = await desk.call("POST", ORDERS, desk.first, {"order": SPOT})
    assert (answer.status_code, answer.json()["order"]["status"]) == (200, "Rejected")
    assert desk.venue.truth() == []


# The stream


async def test_a_stream_order_has_the_documented_fields(desk: Desk) -> None:
    place(desk)
    async with desk.hub() as hub:
        await hub.subscribe(desk.first)
        (order,) = await hub.item()
    assert set(order) == {
        *("marketId", "marketType", "marketDisplayName", "marketFullName", "orderId", "orderType", "side"),
        *("status", "timeInForce", "source", "reason", "requestedAmount", "remainingAmount"),
        *("requestedPrice", "executionPrice", "createdAt", "updatedAt", "cancellationDate"),
        *("commissionAssetId", "commissionAmount", "leverage", "fillFactor", "takeProfit", "stopLoss"),
    }
    assert order["marketType"] == "Spot"
    assert order["requestedAmount"] == "0.5"


async def test_the_upgrade_checks_the_query_token_only(desk: Desk) -> None:
    for query in ("", "access_token=", f"access_token={desk.token}x", f"token={desk.token}"):
        with pytest.raises(InvalidStatus) as refused:
            async with desk.socket(query):
                pass
        assert refused.value.response.status_code == 401
    desk.venue.faults.add("upgrade_403")
    with pytest.raises(InvalidStatus) as forbidden:
        async with desk.socket():
            pass
    assert forbidden.value.response.status_code == 403
    desk.venue.faults.clear()
    path = f"/frontoffice/ws/v4/account?access_token={desk.token}"
    assert (await desk.http.get(path)).status_code == 400
    negotiated = await desk.http.post(path.replace("account?", "account/negotiate?"))
    assert negotiated.json()["availableTransports"][0]["transport"] == "WebSockets"


async def test_each_account_streams_its_own_orders_and_empty_is_said(desk: Desk) -> None:
    first, second = place(desk), place(desk, desk.second)
    async with desk.hub() as hub:
        for invocation, account in enumerate((desk.first, desk.second, desk.third)):
            await hub.subscribe(account, str(invocation))
        items = {}
        for _ in range(3):
            message = await hub.next(2)
            items[message["invocationId"]] = [order["orderId"] for order in message["item"]]
    assert items == {"0": [first], "1": [second], "2": []}


async def test_the_snapshot_is_the_first_item_of_every_subscription(desk: Desk) -> None:
    order = place(desk)
    async with desk.hub() as hub:
        for invocation in ("0", "1"):
            await hub.subscribe(desk.first, invocation)
            message = await hub.next(2)
            assert message["invocationId"] == invocation
            assert [listed["orderId"] for listed in message["item"]] == [order]
            await hub.send({"type": 5, "invocationId": invocation})
            assert await hub.next(3) == {"type": 3, "invocationId": invocation}
        await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)
        assert await hub.silent()


async def test_a_cancel_is_pushed_at_once_and_a_burst_is_gathered(desk: Desk) -> None:
    orders = [place(desk) for _ in range(5)]
    async with desk.hub() as hub:
        await hub.subscribe(desk.first)
        assert len(await hub.item()) == 5
        for order in orders:
            await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)
        assert len(await hub.item()) == 4
        assert await hub.silent()
        await desk.advance(0.3, steps=3)
        assert await hub.item() == []


async def test_changes_by_time_alone_are_pushed_while_nobody_calls(desk: Desk) -> None:
    desk.venue.async_cancel = True
    desk.venue.async_outcome = "cancelled"
    order = place(desk)
    async with desk.hub() as hub:
        await hub.subscribe(desk.first)
        assert [listed["status"] for listed in await hub.item()] == ["Pending"]
        await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)
        assert [listed["status"] for listed in await hub.item()] == ["Working"]
        await desk.advance(1.0, steps=10)
        assert await hub.item() == []


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("full", [["b", "a"], [("b", "Working"), "a"], ["a"], []]),
        ("changed", [["b", "a"], [("b", "Working")]]),
        (
            "changed_final",
            [["b", "a"], [("b", "Working")], [("b", "Cancelled")], [("a", "Cancelled")]],
        ),
        (
            "nothing_when_empty",
            [["b", "a"], [("b", "Working"), "a"], ["a"]],
        ),
    ],
)
async def test_stream_modes(desk: Desk, mode: str, expected: list[list[Any]]) -> None:
    desk.venue.stream_mode = mode
    names = {place(desk, age=10): "a", place(desk, age=5): "b"}
    ids = {name: order for order, name in names.items()}
    seen: list[list[Any]] = []

    def note(item: Any) -> None:
        seen.append([(names[order["orderId"]], order["status"]) for order in item])

    async with desk.hub() as hub:
        await hub.subscribe(desk.first)
        note(await hub.item())
        book = desk.venue.book
        book.fill(book.orders[ids["b"]], Decimal("0.1"))
        for order in (None, ids["b"], ids["a"]):
            if order:
                await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)
            await desk.advance(0.3, steps=3)
            await hub.send({"type": 1, "invocationId": "probe", "target": "Nothing", "arguments": []})
            while (message := await hub.next()).get("invocationId") != "probe":
                note(message["item"])
    assert seen == [[(o, "Pending") if isinstance(o, str) else o for o in item] for item in expected]


async def test_nothing_when_empty_keeps_silent_on_a_fresh_subscription(desk: Desk) -> None:
    desk.venue.stream_mode = "nothing_when_empty"
    async with desk.hub() as hub:
        await hub.subscribe(desk.first)
        assert await hub.silent()


async def test_coalesce_shares_frames_and_cuts_messages(desk: Desk) -> None:
    desk.venue.coalesce = True
    for _ in range(3):
        place(desk)
    async with desk.hub() as hub:
        for invocation in range(4):
            await hub.subscribe(desk.first, str(invocation))
            assert len(await hub.item()) == 3
        counts = [(frame.count(RS), frame.endswith(RS)) for frame in hub.frames]
    assert (2, True) in counts
    assert (1, False) in counts
    assert any(frame.endswith(RS) and not frame.startswith("{") for frame in hub.frames)


# The hub protocol


async def test_several_messages_in_one_frame_and_one_over_two_frames_are_understood(desk: Desk) -> None:
    async with desk.socket() as socket:
        hub = HubClient(socket)
        subscribe = {"type": "4", "invocationId": "7", "target": "OpenOrders", "arguments": [desk.first]}
        text = json.dumps({"protocol": "json", "version": 1}) + RS + json.dumps(subscribe) + RS
        await socket.send(text[:60])
        await socket.send(text[60:])
        assert await hub.next() == {}
        assert await hub.next() == {"type": 2, "invocationId": "7", "item": []}


@pytest.mark.parametrize(
    "first",
    [
        {"protocol": "messagepack", "version": 1},
        {"protocol": "json", "version": 2},
        {"type": 6},
    ],
)
async def test_a_bad_handshake_is_answered_with_an_error_and_the_end(desk: Desk, first: Any) -> None:
    async with desk.socket() as socket:
        hub = HubClient(socket)
        await hub.send(first)
        assert set(await hub.next()) == {"error"}
        with pytest.raises(ConnectionClosed):
            await hub.next()


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[1]",
        '{"type":42}',
        '{"type":4,"invocationId":0,"target":"OpenOrders","arguments":[]}',
        '{"type":4,"invocationId":"0","target":"OpenOrders"}',
        '{"type":4,"invocationId":"used","target":"OpenOrders","arguments":["x"]}',
    ],
)
async def test_a_protocol_error_closes_the_connection(desk: Desk, text: str) -> None:
    async with desk.hub() as hub:
        await hub.subscribe(desk.first, "used")
        await hub.next(2)
        await hub.socket.send(text + RS)
        close = await hub.next(7)
        assert close["error"]
        assert close["allowReconnect"] is False
        with pytest.raises(ConnectionClosed):
            await hub.next()


@pytest.mark.parametrize(
    ("target", "of_mine"), [("openorders", True), ("OpenPositions", True), ("OpenOrders", False)]
)
async def test_an_unknown_target_or_account_ends_the_stream_with_an_error(
    desk: Desk, target: str, of_mine: bool
) -> None:
    async with desk.hub() as hub:
        account = desk.first if of_mine else "f" * 24
        await hub.send({"type": 4, "invocationId": "0", "target": target, "arguments": [account]})
        message = await hub.next()
        assert (message["type"], message["invocationId"]) == (3, "0")
        assert message["error"]


async def test_the_hub_pings_and_drops_clients_that_never_do(desk: Desk) -> None:
    async with desk.hub() as hub:
        await desk.advance(15.5, steps=31)
        assert await hub.next() == {"type": 6}
        await hub.send({"type": 6})
        assert await hub.silent()
        await desk.advance(16, steps=32)
        assert await hub.next() == {"type": 6}
        await desk.advance(16, steps=32)
        assert "timeout" in (await hub.next(7))["error"]


async def test_a_jump_of_the_clock_drops_nobody(desk: Desk) -> None:
    async with desk.hub() as hub:
        await desk.advance(600)
        assert await hub.silent()


async def test_a_client_may_close_with_a_message_or_just_leave(desk: Desk) -> None:
    async with desk.hub() as hub:
        await hub.send({"type": 7})
        with pytest.raises(ConnectionClosed):
            await hub.next()
    async with desk.hub() as hub:
        await hub.subscribe(desk.first)
        await hub.item()
        hub.socket.transport.abort()
    await until(lambda: not desk.venue.feed.hub.connections)
    place(desk)
    await desk.advance(0.2)


async def test_stream_faults_are_each_as_named(desk: Desk) -> None:
    place(desk)
    desk.venue.faults = {"once:no_snapshot"}
    async with desk.hub() as hub:
        await hub.subscribe(desk.first)
        assert await hub.silent()
        desk.venue.faults.add("once:stream_error")
        await hub.subscribe(desk.first, "1")
        assert (await hub.next(3))["error"]
        desk.venue.faults.add("once:stream_end")
        await hub.subscribe(desk.first, "2")
        assert len(await hub.item()) == 1
        assert await hub.next(3) == {"type": 3, "invocationId": "2"}
        desk.venue.faults.add("stream_silent")
        await hub.subscribe(desk.first, "3")
        assert len(await hub.item()) == 1
        place(desk)
        await desk.advance(0.5, steps=5)
        assert await hub.silent()
    for fault in ("stream_close", "stream_drop"):
        desk.venue.faults = {fault}
        async with desk.hub() as hub:
            await hub.subscribe(desk.first)
            with contextlib.suppress(ConnectionClosed):
                assert (await hub.next(7))["allowReconnect"] is True
                assert fault == "stream_close"
            with pytest.raises(ConnectionClosed):
                await hub.next()
    desk.venue.faults.clear()
    desk.venue.handshake_error = "Not today."
    async with desk.socket() as socket:
        hub = HubClient(socket)
        await hub.send({"protocol": "json", "version": 1})
        assert await hub.next() == {"error": "Not today."}


# Throttling and broken wires


async def test_throttle_mixed_refuses_in_three_ways_and_lets_the_pace_pass(desk: Desk) -> None:
    desk.venue.faults.add("throttle_mixed")
    desk.venue.throttle_pace = (2, 1.0)
    answers = [await desk.call("GET", ACCOUNTS) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429, 503]
    assert [answer.headers.get("retry-after") for answer in answers[2:]] == ["1", None, None]
    desk.clock.advance(1.1)
    assert (await desk.call("GET", ACCOUNTS)).status_code == 200
    assert desk.venue.throttled == 2


@pytest.mark.parametrize(
    ("fault", "code", "after"),
    [("throttle", 429, "1"), ("throttle_plain", 429, None), ("throttle_503", 503, None)],
)
async def test_a_throttled_cancel_is_not_carried_out(
    desk: Desk, fault: str, code: int, after: str | None
) -> None:
    order = place(desk)
    desk.venue.faults.add(f"{fault}@cancel*1")
    assert (await desk.call("GET", ACCOUNTS)).status_code == 200
    answer = await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)
    assert (answer.status_code, answer.headers.get("retry-after")) == (code, after)
    assert desk.venue.book.orders[order].state is State.RESTING
    assert (await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)).status_code == 200


@pytest.mark.parametrize("fault", ["drop", "reset", "http500", "html", "empty", "badjson"])
@pytest.mark.parametrize("effect", ["", "effect_then_"])
async def test_a_broken_wire_hides_whether_the_cancel_happened(desk: Desk, fault: str, effect: str) -> None:
    order = place(desk)
    desk.venue.faults.add(f"once:{effect}{fault}@cancel")
    try:
        answer = await desk.call("DELETE", f"{ORDERS}/{order}", desk.first)
    except httpx.TransportError:
        assert fault in ("drop", "reset")
    else:
        assert answer.status_code == {"http500": 500, "html": 502}.get(fault, 200)
        with pytest.raises(json.JSONDecodeError):
            answer.json()
    assert desk.venue.book.orders[order].state is (State.CANCELLED if effect else State.RESTING)
    assert (await desk.call("GET", ACCOUNTS)).status_code == 200


async def test_a_hanging_upgrade_never_answers(desk: Desk) -> None:
    desk.venue.faults.add("hang@upgrade")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), desk.socket():
            pass
    assert (await desk.call("GET", ACCOUNTS)).status_code == 200


# The opening book


def shape(venue: B2Trader) -> list[Any]:
    return [
        (o.id, o.account, o.symbol, o.side, o.price, o.quantity, o.filled, o.created, o.tif, o.extra)
        for o in venue.book.orders.values()
    ]


def filled_venue(**plan: Any) -> B2Trader:
    venue = B2Trader(ManualClock(), Plan(**plan))
    venue.populate()
    return venue


def test_equal_seeds_give_equal_books_and_keys_are_fresh() -> None:
    one, two = filled_venue(orders=200), filled_venue(orders=200)
    assert shape(one) == shape(two)
    assert shape(one) != shape(filled_venue(orders=200, seed=8))
    assert one.credentials() != two.credentials()


def test_the_opening_book_is_varied_and_in_the_past() -> None:
    venue = filled_venue(orders=400)
    now = venue.clock.wall()
    orders = [o for o in venue.book.live() if o.family == "order"]
    stops = [o for o in venue.book.live() if o.family == "stop"]
    assert (len(orders), len(stops)) == (400, 20)
    assert {o.account for o in orders} == {venue.accounts[0].id, venue.accounts[1].id}
    assert len({o.symbol for o in orders}) == 12
    assert {o.side for o in orders} == {"buy", "sell"}
    assert {o.type for o in orders} == {o.type for o in stops} == {"Limit", "Market"}
    assert {o.tif for o in orders} == {"gtc", "gtd", "day", "ioc"}
    assert {o.extra["source"] for o in orders} == {"Manual", "FixApi", "StopOrder", "System"}
    assert 40 < sum(o.filled > 0 for o in orders) < 160
    assert all(0 <= o.filled < o.quantity for o in orders)
    assert all(o.created <= o.updated <= now for o in orders)
    ages = sorted(now - o.created for o in orders)
    assert ages[0] < 60
    assert ages[-1] > 2 * 86400


async def test_a_restarted_venue_keeps_its_book_and_port(desk: Desk) -> None:
    order, url = place(desk), desk.venue.base_url
    await desk.venue.stop()
    await desk.venue.start()
    assert desk.venue.base_url == url
    assert [row["order_id"] for row in desk.venue.truth()] == [order]


def test_plan_faults_switch_attributes_too() -> None:
    names = ("coalesce", "unknown_enum", "stream_changed", "errors_html", "fill_race", "nobody_knows_this")
    venue = filled_venue(orders=0, faults=names)
    assert venue.coalesce
    assert venue.unknown_enum
    assert not venue.number_decimals
    assert (venue.stream_mode, venue.error_shape) == ("changed", "html")
    assert "fill_race" in venue.faults


async def test_a_lively_venue_pushes_fills_and_newcomers_on_the_real_clock() -> None:
    activity = Activity(fills=20, partial_fills=20, newcomers=20, expiries=5)
    venue = B2Trader(SystemClock(), Plan(orders=60, activity=activity))
    await venue.start()
    try:
        async with httpx.AsyncClient(base_url=venue.base_url, trust_env=False) as http:
            desk = await Desk.login(venue, ManualClock(), http)
            async with desk.hub() as hub:
                await hub.subscribe(desk.first)
                before = {order["orderId"] for order in await hub.item()}
                assert len(before) > 20
                for _ in range(40):
                    now = {order["orderId"] for order in await hub.item()}
                    if before - now and now - before:
                        break
                assert before - now
                assert now - before
    finally:
        await venue.stop()


async def test_thousands_of_orders_arrive_in_one_item() -> None:
    async with opened(orders=5000) as desk, desk.hub() as hub:
        await hub.subscribe(desk.first)
        await hub.subscribe(desk.second, "1")
        total = len(await hub.item()) + len(await hub.item())
        assert total == 5000
