"""The practice B2TRADER: its stream, and the protocol of its hub."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.practice.b2trader_desk import ORDERS, RS, Desk, HubClient, opened, place


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with opened() as desk:
        yield desk


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


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
