"""The practice B2TRADER: tokens, accounts, cancels, stop orders, limits, the opening book."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from cancel_tui.clock import ManualClock, SystemClock
from cancel_tui.practice.b2trader import B2Trader
from cancel_tui.practice.market import Activity, State
from cancel_tui.practice.venue import Plan
from tests.practice.b2trader_desk import EXCHANGE, ORDERS, Desk, opened, place

STOPS = "/frontoffice/api/v3/stop-orders"
ACCOUNTS = "/frontoffice/api/v3/accounts"


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with opened() as desk:
        yield desk


def place_stop(desk: Desk, price: str | None = "101000") -> str:
    limit = None if price is None else Decimal(price)
    return desk.venue.dealer.place_stop(
        "spot.btc_usdt", "buy", Decimal("0.2"), Decimal("100500"), limit, account=desk.first
    ).id


def claims(token: str) -> Any:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


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
