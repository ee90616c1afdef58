"""B2TRADER's feed of open orders: the contract of streams, every reading of later items, tokens, accounts."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cancel_tui.clock import ManualClock
from cancel_tui.orders import AccountId, VenueName
from cancel_tui.practice.b2trader import B2Trader
from cancel_tui.practice.market import SimOrder, State
from cancel_tui.practice.venue import Plan
from cancel_tui.venues.b2trader import B2Trader as B2TraderVenue
from cancel_tui.venues.b2trader_stream import FIRST_SECONDS, Session
from cancel_tui.venues.decode import decode
from cancel_tui.venues.dialogue import Turn
from cancel_tui.venues.outcome import Unanswered, Unauthorised
from cancel_tui.venues.signalr import RECORD_END
from tests.venues.stream_contract import Listening, StreamContract
from tests.venues.support_b2trader import stream_order
from tests.venues.test_stream_p99 import json_values

EXCHANGE = "POST /frontoffice/api/v4/access-token"
ONE, TWO = AccountId("one"), AccountId("two")


class TestB2TraderStream(StreamContract[B2Trader]):
    """The inherited contract, and what only this venue has."""

    tells_ends: ClassVar[bool] = False
    patience: ClassVar[float] = FIRST_SECONDS

    def make_server(self, clock: ManualClock, plan: Plan) -> B2Trader:
        server = B2Trader(clock, plan)
        server.client_timeout = None
        return server

    def place(self, server: B2Trader) -> SimOrder:
        return server.dealer.place(
            "spot.btc_usdt", "buy", Decimal(4), Decimal("9.5"), account=server.accounts[0].id
        )

    def account_of(self, order: SimOrder) -> AccountId:
        return AccountId(order.account)

    def drop(self, server: B2Trader) -> None:
        for connection in list(server.feed.hub.connections):
            connection.abort()

    def clients(self, server: B2Trader) -> int:
        return len(server.feed.hub.connections)

    async def rereads(self, at: Listening[B2Trader], act: Any) -> None:
        """Whether a change leads to a look."""
        at.told.clear()
        act()
        await at.until(lambda: any(heard.reread for heard in at.told))

    @pytest.mark.parametrize("mode", ["full", "changed", "changed_final", "nothing_when_empty"])
    @pytest.mark.parametrize("coalesce", [False, True])
    async def test_whatever_later_items_mean_every_change_is_told_or_looked_up(
        self, mode: str, coalesce: bool
    ) -> None:
        async with self.listening() as at:
            at.server.stream_mode, at.server.coalesce = mode, coalesce
            first = self.place(at.server)
            await at.ready()
            second = self.place(at.server)
            await at.until(lambda: self.key_of(at.server, second) in {one.key for one in at.orders})
            await self.rereads(at, lambda: at.server.book.fill(first, Decimal(1)))
            await at.until(lambda: Decimal(1) in {one.filled for one in at.orders})
            if mode != "changed":
                await self.rereads(at, lambda: at.server.book.change(first, State.CANCELLED))
            assert at.task is not None
            assert not at.task.done()

    async def test_every_account_is_subscribed_to_once(self) -> None:
        async with self.listening() as at:
            await at.ready()
            wanted = sorted(account.id for account in at.server.accounts)
            assert sorted(str(stream.arguments[0]) for stream in at.server.feed.hub.streams()) == wanted
            await at.pass_time(3.0)
            assert sorted(str(stream.arguments[0]) for stream in at.server.feed.hub.streams()) == wanted
            last = at.server.accounts[-1]
            order = at.server.dealer.place(
                "spot.btc_usdt", "buy", Decimal(4), Decimal("9.5"), account=last.id
            )
            await at.until(lambda: self.key_of(at.server, order) in {one.key for one in at.orders})

    async def test_only_configured_accounts_are_listened_to(self) -> None:
        async with self.listening() as at:
            chosen = at.server.accounts[1].id
        async with self.listening(accounts=(chosen,)) as at:
            await at.ready()
            assert [stream.arguments for stream in at.server.feed.hub.streams()] == [[chosen]]

    async def test_an_account_that_sends_no_first_item_is_not_waited_for_for_ever(self) -> None:
        async with self.listening("stream_nothing_when_empty") as at:
            began = at.clock.monotonic()
            await at.ready()
            assert FIRST_SECONDS <= at.clock.monotonic() - began < FIRST_SECONDS + 3.0

    async def test_a_list_by_a_fresh_subscription_leaves_the_feed_alone(self) -> None:
        async with self.listening() as at:
            await at.ready()
            order = self.place(at.server)
            assert set(await at.listed()) == {self.key_of(at.server, order)}
            await at.until(lambda: bool(at.orders))
            assert at.task is not None
            assert not at.task.done()

    async def test_another_token_means_another_connection_without_an_end(self) -> None:
        async with self.listening() as at:
            await at.ready()
            venue = at.venue
            assert isinstance(venue, B2TraderVenue)
            assert await venue.renew(at.port, venue.signs_with)
            await at.until(lambda: any(heard.ready for heard in at.told))
            assert at.task is not None
            assert not at.task.done()
            assert self.clients(at.server) == 1

    async def test_an_expired_token_is_replaced_before_the_next_connection(self) -> None:
        async with self.listening() as at:
            await at.ready()
            at.server.expire_tokens()
            assert isinstance(await at.ended(), Unanswered)
            at.told.clear()
            await at.ready()

    async def test_a_subscription_that_fails_is_tried_again_with_another_token(self) -> None:
        async with self.listening() as at:
            await at.ready()
            before = at.server.seen.count(EXCHANGE)
            at.server.faults.add("once:stream_error")
            self.drop(at.server)
            await at.ended()
            at.begin()
            assert isinstance(await at.ended(), Unanswered)
            assert at.server.seen.count(EXCHANGE) == before + 1

    async def test_an_account_that_appears_later_is_listened_to_as_well(self) -> None:
        async with self.listening() as at:
            late = at.server.accounts.pop()
            await at.ready()
            at.server.accounts.append(late)
            await at.listed()
            await at.until(
                lambda: (
                    late.id
                    in {stream.arguments[0] for stream in at.server.feed.hub.connections[0].streams.values()}
                )
            )

    async def test_tokens_that_are_refused_for_ever_are_not_exchanged_in_a_loop(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Calls over REST go on proving the tokens good, so that the exchange itself would have no end.
        monkeypatch.setattr("cancel_tui.venues.b2trader_token.PATIENCE_SECONDS", 0.0)
        async with self.listening("upgrade_403") as at:
            at.begin()
            assert isinstance(await at.ended(), Unauthorised)
            assert at.server.seen.count(EXCHANGE) <= 3

    @pytest.mark.parametrize("fault", ["stream_error", "stream_end", "stream_close", "stream_drop"])
    async def test_a_subscription_that_ends_ends_the_connection(self, fault: str) -> None:
        async with self.listening(f"once:{fault}") as at:
            at.begin()
            assert isinstance(await at.ended(), Unanswered)
            at.told.clear()
            await at.ready()


def records(*messages: Any) -> str:
    return "".join(json.dumps(one) + RECORD_END for one in messages)


def item(invocation: str, *rows: Any) -> dict[str, Any]:
    return {"type": 2, "invocationId": invocation, "item": list(rows)}


def session(*accounts: AccountId) -> Session:
    made = Session(VenueName("broker"), 1 << 20)
    for account in accounts or (ONE,):
        made.subscription(account)
    return made


def test_subscriptions_follow_the_answer_to_the_handshake() -> None:
    made = session(ONE, TWO)
    answer = made.understand(records({})).answer
    assert answer is not None
    sent = [json.loads(one) for one in answer.reveal().split(RECORD_END) if one]
    assert [(one["invocationId"], one["arguments"]) for one in sent] == [("0", ["one"]), ("1", ["two"])]


def test_it_is_ready_with_the_first_item_of_the_last_account() -> None:
    made = session(ONE, TWO)
    made.understand(records({}))
    assert not made.understand(records(item("0"))).heard.ready
    assert made.understand(records(item("1"))).heard.ready
    assert not made.understand(records(item("1", stream_order()))).heard.ready


def test_only_rows_that_moved_are_told_and_what_is_missing_is_looked_up() -> None:
    made = session()
    made.understand(records({}, item("0", stream_order("a"), stream_order("b"))))
    assert made.understand(records(item("0", stream_order("a"), stream_order("b")))) == Turn()
    moved = made.understand(records(item("0", stream_order("a"), stream_order("b", remainingAmount="5"))))
    assert [order.key.order_id for order in moved.heard.orders] == ["b"]
    assert moved.heard.reread
    gone = made.understand(records(item("0", stream_order("a"))))
    assert gone.heard.reread
    assert not gone.heard.orders


def test_only_rows_that_differ_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    made = session()
    rows = [stream_order(str(number)) for number in range(100)]
    made.understand(records({}, item("0", *rows)))
    decoded: list[bytes] = []

    def counting(body: bytes) -> Any:
        decoded.append(body)
        return decode(body)

    monkeypatch.setattr("cancel_tui.venues.b2trader_stream.decode", counting)
    rows[7] = stream_order("7", remainingAmount="5")
    heard = made.understand(records(item("0", *rows))).heard
    assert [order.key.order_id for order in heard.orders] == ["7"]
    assert len(decoded) == 1


@pytest.mark.parametrize("payload", [None, {}, "x", [None], [{"orderId": ""}], [5]])
def test_an_item_that_is_no_list_of_orders_is_a_reason_to_look(payload: Any) -> None:
    made = session()
    made.understand(records({}, item("0")))
    assert made.understand(records({"type": 2, "invocationId": "0", "item": payload})).heard.reread


@given(st.lists(st.integers(1, 40), max_size=12), st.booleans())
def test_however_the_frames_are_cut_the_same_is_understood(cuts: list[int], ping: bool) -> None:
    messages = [{}, item("0", stream_order("a")), item("0", stream_order("b")), {"type": 6}]
    whole = records(*messages, *([{"type": 6}] if ping else []), item("0", stream_order("c")))
    pieces, rest = [], whole
    for cut in cuts:
        pieces.append(rest[: cut * 20])
        rest = rest[cut * 20 :]
    made = session()
    turns = [made.understand(piece) for piece in [*pieces, rest]]
    assert [order.key.order_id for turn in turns for order in turn.heard.orders] == ["b", "c"]
    assert sum(turn.heard.ready for turn in turns) == 1


@settings(max_examples=50)
@given(st.lists(st.text(max_size=60) | json_values.map(json.dumps), max_size=5), st.booleans())
def test_garbage_ends_the_connection_at_the_worst(texts: list[str], greeted: bool) -> None:
    made = session()
    if greeted:
        made.understand(records({}))
    for one in texts:
        assert isinstance(made.understand(one + RECORD_END), Turn)
