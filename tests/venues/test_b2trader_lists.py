"""The B2TRADER adapter: lists from the stream, and the probe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from cancel_tui.clock import SystemClock
from cancel_tui.orders import AccountId, OrderStatus
from cancel_tui.venues.b2trader import B2Trader
from cancel_tui.venues.base import CallClass, Part, PartList, Raw
from cancel_tui.venues.outcome import NotSent, Refused, Throttled, Unanswered, Unauthorised
from tests.venues.b2trader_case import PART, value
from tests.venues.support_b2trader import (
    ACCOUNT,
    ORDER,
    OTHER_ACCOUNT,
    FakePort,
    HubServer,
    hub_server,
    reply,
    stop_order,
    stream_order,
    venue,
)

REST_ORDERS = "GET /frontoffice/api/v3/orders"
REST_STOPS = "GET /frontoffice/api/v3/stop-orders"


# Lists.


@asynccontextmanager
async def listing(**more: Any) -> AsyncIterator[tuple[HubServer, B2Trader, FakePort]]:
    """A hub, an adapter on the machine's clock, and a port."""
    clock = SystemClock()
    async with hub_server() as hub:
        broker = venue(clock, hub.base_url, **({"timeout_seconds": 5.0} | more))
        try:
            yield hub, broker, FakePort(clock)
        finally:
            await broker.close()


def once(*answers: dict[str, Any]) -> Any:
    """A script that gives these answers to the first subscription and goes by the book afterwards."""
    left = [list(answers)]

    def script(hub: HubServer, message: dict[str, Any]) -> list[dict[str, Any]] | None:
        if left:
            return [one | {"invocationId": message["invocationId"]} for one in left.pop()]
        return HubServer.by_the_book(hub, message)

    return script


def token(port: FakePort, number: int, hub: HubServer) -> bool:
    """Whether the hub's last upgrade carried the token of the given exchange."""
    return hub.tokens[-1].endswith(f"t{number}") and port.exchanges == number


async def test_a_list_is_the_first_item_of_a_fresh_subscription() -> None:
    async with listing() as (hub, broker, port):
        hub.orders[ACCOUNT] = [stream_order(), stream_order("SECOND")]
        for number in range(3):
            listed = value(await broker.list_part(PART, port))
            assert [order.key.order_id for order in listed.orders] == [ORDER, "SECOND"]
            assert listed.complete
            assert listed.note is None
            subscription = [one for one in hub.messages if one["type"] == 4][-1]
            assert subscription == {
                "type": 4,
                "invocationId": str(number),
                "target": "OpenOrders",
                "arguments": [ACCOUNT],
            }
        assert [one["invocationId"] for one in hub.messages if one["type"] == 5] == ["0", "1"]
        assert hub.paths == ["/frontoffice/ws/v4/account"]
        assert token(port, 1, hub)
        assert port.admitted == [CallClass.LIST] * 3
        assert broker.capabilities.blind_spots == ("stop_orders",)


async def test_a_row_that_stood_in_the_list_before_is_not_read_again() -> None:
    async with listing() as (hub, broker, port):
        hub.orders[ACCOUNT] = [stream_order("A"), stream_order("B"), stream_order("C")]
        first = value(await broker.list_part(PART, port)).orders
        hub.orders[ACCOUNT] = [stream_order("A"), stream_order("B", remainingAmount="1"), stream_order("D")]
        second = value(await broker.list_part(PART, port)).orders
        assert second[0] is first[0]
        assert (second[1].key, second[1].remaining) == (first[1].key, Decimal(1))
        assert [order.key.order_id for order in second] == ["A", "B", "D"]
        hub.orders[ACCOUNT] = [stream_order("A"), stream_order("B")]
        third = value(await broker.list_part(PART, port)).orders
        assert third == first[:2], "what had changed is back as it was"
        hub.orders[OTHER_ACCOUNT] = [stream_order("A")]
        part = Part(f"account:{OTHER_ACCOUNT}", account=AccountId(OTHER_ACCOUNT))
        assert [order.key.account for order in value(await broker.list_part(part, port)).orders] == [
            OTHER_ACCOUNT
        ]


async def test_only_an_explicit_empty_array_means_none() -> None:
    async with listing(timeout_seconds=0.3) as (hub, broker, port):
        assert value(await broker.list_part(PART, port)) == PartList(())
        hub.script = lambda hub, message: []
        silent = await broker.list_part(PART, port)
        assert isinstance(silent, Unanswered)
        odds: list[Any] = [None, {}, {"item": []}, "none", 0]
        for odd in odds:
            hub.script = once({"type": 2, "item": odd})
            assert isinstance(await broker.list_part(PART, port), Unanswered)


async def test_unreadable_rows_make_a_list_incomplete_and_repeated_ids_take_the_last() -> None:
    async with listing() as (hub, broker, port):
        hub.orders[ACCOUNT] = [
            stream_order(),
            {"orderId": None},
            stream_order("B", status="Unheard"),
            stream_order(remainingAmount="1"),
        ]
        listed = value(await broker.list_part(PART, port))
        assert [(order.key.order_id, order.status) for order in listed.orders] == [
            (ORDER, OrderStatus.PARTIALLY_FILLED),
            ("B", OrderStatus.UNKNOWN),
        ]
        assert not listed.complete
        assert listed.note == "1 rows are no readable orders"


async def test_accounts_are_listed_at_the_same_time_over_one_connection() -> None:
    async with listing() as (hub, broker, port):
        names = [f"account{number}" for number in range(8)]
        hub.orders = {name: [stream_order(f"ID-{name}")] for name in names}
        lists = await asyncio.gather(*(broker.list_part(Part(f"account:{name}"), port) for name in names))
        assert [value(one).orders[0].key.order_id for one in lists] == [f"ID-{name}" for name in names]
        assert len(hub.tokens) == 1


async def test_a_long_list_is_read_whole() -> None:
    async with listing() as (hub, broker, port):
        hub.orders[ACCOUNT] = [stream_order(f"ORDER{number:05}") for number in range(8000)]
        listed = value(await broker.list_part(PART, port))
        assert len(listed.orders) == 8000
        assert listed.complete


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_upgrade_is_cured_once(status: int) -> None:
    async with listing() as (hub, broker, port):
        hub.refuse = [status]
        assert value(await broker.list_part(PART, port)) == PartList(())
        assert len(hub.tokens) == 2
        assert token(port, 2, hub)


async def test_an_upgrade_that_stays_refused_is_told() -> None:
    async with listing() as (hub, broker, port):
        hub.refuse = [401, 401, 401]
        outcome = await broker.list_part(PART, port)
        assert isinstance(outcome, Unauthorised)
        assert len(hub.tokens) == 2


async def test_a_refused_upgrade_cannot_be_cured_with_an_access_token_alone() -> None:
    async with listing(jwt_only="opaque") as (hub, broker, port):
        hub.refuse = [401, 401]
        assert isinstance(await broker.list_part(PART, port), Unauthorised)
        assert hub.tokens == ["opaque"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, Refused), (429, Throttled), (500, Unanswered), (200, Unanswered), (302, Unanswered)],
)
async def test_other_refusals_of_the_upgrade(status: int, kind: type) -> None:
    async with listing() as (hub, broker, port):
        hub.refuse = [status]
        assert isinstance(await broker.list_part(PART, port), kind)
        assert value(await broker.list_part(PART, port)) == PartList(())


@pytest.mark.parametrize(
    "message",
    [{"type": 3, "error": "token expired"}, {"type": 7, "error": "expired", "allowReconnect": True}],
)
@pytest.mark.parametrize("secret", ["", "opaque"])
async def test_an_ended_stream_is_renewed_and_reconnected_once(message: dict[str, Any], secret: str) -> None:
    async with listing(jwt_only=secret) as (hub, broker, port):
        hub.orders[ACCOUNT] = [stream_order()]
        hub.script = once(message)
        assert len(value(await broker.list_part(PART, port)).orders) == 1
        assert len(hub.tokens) == 2
        assert port.exchanges == (0 if secret else 2)
        assert secret or hub.tokens[0] != hub.tokens[1]


async def test_a_list_in_between_allows_the_next_renewal_at_once() -> None:
    async with listing() as (hub, broker, port):
        for _ in range(2):
            hub.script = once({"type": 7})
            value(await broker.list_part(PART, port))
        assert port.exchanges == 3


async def test_a_stream_that_ends_again_is_unanswered_with_the_venues_words() -> None:
    async with listing() as (hub, broker, port):
        hub.script = lambda hub, message: [
            {"type": 3, "invocationId": message["invocationId"], "error": "unknown account"}
        ]
        outcome = await broker.list_part(PART, port)
        assert isinstance(outcome, Unanswered)
        assert str(outcome.message) == "unknown account"
        assert len(hub.tokens) == 2


async def test_a_connection_lost_while_listing_is_unanswered_and_the_next_list_works() -> None:
    async with listing() as (hub, broker, port):
        hub.script = lambda hub, message: None
        assert isinstance(await broker.list_part(PART, port), Unanswered)
        hub.script = HubServer.by_the_book
        assert value(await broker.list_part(PART, port)) == PartList(())


async def test_a_list_that_is_cancelled_harms_no_later_one() -> None:
    async with listing() as (hub, broker, port):
        hub.script = lambda hub, message: []
        asking = asyncio.create_task(broker.list_part(PART, port))
        async with asyncio.timeout(5):
            await hub.asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        hub.script = HubServer.by_the_book
        async with asyncio.timeout(5):
            assert value(await broker.list_part(PART, port)) == PartList(())


async def test_after_close_lists_are_not_sent() -> None:
    async with listing() as (_, broker, port):
        value(await broker.list_part(PART, port))
        await broker.close()
        assert isinstance(await broker.list_part(PART, port), NotSent)


async def test_no_hub_at_all_is_not_sent() -> None:
    async with hub_server() as hub:
        pass
    clock = SystemClock()
    broker = venue(clock, hub.base_url)
    outcome = await broker.list_part(PART, FakePort(clock))
    assert isinstance(outcome, NotSent)
    assert "127.0.0.1" not in outcome.reason
    await broker.close()


@pytest.mark.parametrize("path", ["", "/", "/hub/account"])
async def test_a_stream_address_of_its_own(path: str) -> None:
    async with hub_server() as hub:
        clock = SystemClock()
        broker = venue(clock, ws_url=hub.base_url.replace("http", "ws") + path)
        assert value(await broker.list_part(PART, FakePort(clock))) == PartList(())
        assert hub.paths == [path if len(path) > 1 else "/frontoffice/ws/v4/account"]
        await broker.close()


async def test_no_outcome_holds_a_token_or_an_address() -> None:
    async with listing() as (hub, broker, port):
        hub.script = lambda hub, message: [
            {"type": 3, "invocationId": message["invocationId"], "error": f"bad token {hub.tokens[-1]}"}
        ]
        outcome = await broker.list_part(PART, port)
        assert isinstance(outcome, Unanswered)
        assert hub.tokens[-1] not in repr(outcome)
        assert "access_token" not in repr(outcome)


# The opt-in probe of undocumented lists.


async def test_the_probe_adds_stop_orders_and_orders_that_the_stream_did_not_name() -> None:
    async with listing(probe_rest_lists=True) as (hub, broker, port):
        hub.orders[ACCOUNT] = [stream_order()]
        port.answers[REST_ORDERS] = reply(200, [stream_order(status="Cancelled"), stream_order("MORE")])
        port.answers[REST_STOPS] = reply(200, [stop_order(), stop_order("02STOP", orderType="Limit")])
        listed = value(await broker.list_part(PART, port))
        assert {order.key.shown_id: order.status for order in listed.orders} == {
            ORDER: OrderStatus.OPEN,
            "MORE": OrderStatus.OPEN,
            "stop:01STOP": OrderStatus.OPEN,
            "stop:02STOP": OrderStatus.OPEN,
        }
        assert (listed.complete, listed.blind_spots) == (True, ())
        assert broker.capabilities.blind_spots == ()
        assert port.calls.count(CallClass.LIST) == 2
        assert (b"accountId", ACCOUNT.encode()) in port.sent("GET", REST_STOPS.split()[1])[0].headers


@pytest.mark.parametrize(
    "answer",
    [reply(404), reply(405), reply(500), reply(200, {}), reply(200, b""), reply(200, None),
     Unanswered("timeout"), reply(403), reply(429), reply(204, b"")],
)  # fmt: skip
async def test_anything_but_a_list_means_not_supported(answer: Raw) -> None:
    async with listing(probe_rest_lists=True) as (hub, broker, port):
        hub.orders[ACCOUNT] = [stream_order()]
        port.answers = {REST_ORDERS: answer, REST_STOPS: answer}
        listed = value(await broker.list_part(PART, port))
        assert len(listed.orders) == 1
        assert (listed.complete, listed.blind_spots) == (True, ("stop_orders",))
        assert broker.capabilities.blind_spots == ("stop_orders",)


async def test_stop_orders_that_could_be_listed_before_make_the_list_incomplete_when_they_cannot() -> None:
    async with listing(probe_rest_lists=True) as (_, broker, port):
        port.answers = {REST_ORDERS: reply(404), REST_STOPS: [reply(200, []), reply(500)]}
        assert value(await broker.list_part(PART, port)) == PartList(())
        listed = value(await broker.list_part(PART, port))
        assert not listed.complete
        assert listed.blind_spots == ("stop_orders",)
        assert "500" in (listed.note or "")


async def test_without_the_switch_nothing_is_probed() -> None:
    async with listing() as (_, broker, port):
        value(await broker.list_part(PART, port))
        assert {message.method for message in port.messages} == {b"POST"}
