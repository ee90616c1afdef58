"""The hub protocol: records in and out, and a client that never hangs and never takes silence for a list."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.clock import ManualClock
from cancel_tui.redaction import Secret
from cancel_tui.venues.base import Raw, Reply
from cancel_tui.venues.decode import Unreadable
from cancel_tui.venues.outcome import NotSent, Unanswered
from cancel_tui.venues.signalr import (
    Cause,
    Close,
    Completion,
    Framer,
    HubClient,
    Item,
    Lost,
    Other,
    handshake,
    parse,
    parse_handshake,
    ping,
    subscribe,
    unsubscribe,
)
from cancel_tui.venues.streams import Closed

LARGEST = 10_000


def item(invocation: str, value: object) -> Item:
    """An item that holds this value, as the other side writes it."""
    return Item(invocation, msgspec.Raw(msgspec.json.encode(value)))


# Records.


def test_messages_are_what_the_specification_prints() -> None:
    assert handshake() == '{"protocol":"json","version":1}\x1e'
    assert (
        subscribe("0", "OpenOrders", "66f0a1b2c3d4e5f601234567")
        == '{"type":4,"invocationId":"0","target":"OpenOrders","arguments":["66f0a1b2c3d4e5f601234567"]}\x1e'
    )
    assert unsubscribe("0") == '{"type":5,"invocationId":"0"}\x1e'
    assert ping() == '{"type":6}\x1e'


@given(st.lists(st.text(alphabet="ab{}\"', é", max_size=8), max_size=8), st.data())
def test_records_survive_any_cut(records: list[str], data: st.DataObject) -> None:
    stream = "".join(record + "\x1e" for record in records)
    framer, found = Framer(LARGEST), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += framer.feed(stream[:cut])
        stream = stream[cut:]
    assert found == [record for record in records if record]


def test_a_record_without_an_end_is_unreadable_before_it_fills_the_memory() -> None:
    framer = Framer(10)
    assert framer.feed("123456") == []
    with pytest.raises(Unreadable):
        framer.feed("123456")


def test_whole_records_do_not_count_against_the_bound() -> None:
    framer = Framer(10)
    assert framer.feed("1234567\x1e12") == ["1234567"]
    for _ in range(5):
        assert framer.feed("34567\x1e12") == ["1234567"]


@pytest.mark.parametrize("kind", ["2", '"2"'])
def test_a_type_is_a_number_or_a_text(kind: str) -> None:
    assert parse(f'{{"type":{kind},"invocationId":"7","item":[]}}') == item("7", [])


def test_messages_are_told_apart() -> None:
    assert parse('{"type":2,"invocationId":"1"}') == item("1", None)
    assert parse('{"type":3,"invocationId":"1"}') == Completion("1", False, None)
    ended = parse('{"type":3,"invocationId":"1","error":"no access"}')
    assert isinstance(ended, Completion)
    assert (ended.failed, str(ended.error)) == (True, "no access")
    assert parse('{"type":3,"invocationId":"1","error":{"odd":1}}') == Completion("1", True, None)
    closed = parse('{"type":7,"error":"token expired","allowReconnect":true}')
    assert isinstance(closed, Close)
    assert str(closed.error) == "token expired"
    for other in ('{"type":6}', '{"type":1,"target":"x","arguments":[]}', '{"type":99}'):
        assert parse(other) == Other()


@pytest.mark.parametrize(
    "record",
    ["", "[]", "null", "{}", "2", '{"type":2}', '{"type":null}', "<html>", '{"type":{}}', "{", "\ud800"],
)
def test_what_is_no_message_is_unreadable(record: str) -> None:
    with pytest.raises(Unreadable):
        parse(record)


def test_handshake_answers() -> None:
    assert parse_handshake("{}") is None
    assert parse_handshake('{"minorVersion":0}') is None
    assert str(parse_handshake('{"error":"unsupported"}')) == "unsupported"
    assert parse_handshake('{"error":5.5}')
    for odd in ("[]", "", '{"type":6}', "<html>"):
        with pytest.raises(Unreadable):
            parse_handshake(odd)


_names = st.sampled_from(["type", "invocationId", "item", "error"]) | st.text()
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(_names, inner),
)


@given(st.text() | _json.map(json.dumps))
def test_any_text_is_a_message_or_unreadable(record: str) -> None:
    for reader in (parse, parse_handshake):
        try:
            reader(record)
        except Unreadable:
            continue


def test_a_secret_in_an_error_is_hidden() -> None:
    Secret("sentinel-hub-token")
    ended = parse('{"type":3,"invocationId":"1","error":"bad token sentinel-hub-token"}')
    assert isinstance(ended, Completion)
    assert "sentinel" not in str(ended.error)


# The client.


class FakeStream:
    """A connection in memory: what was sent, and what is to be received."""

    def __init__(self, greet: bool = True) -> None:
        self.sent: list[str] = []
        self.closed = False
        self.broken = False
        self.stuck = False
        self._inbox: asyncio.Queue[str | Closed] = asyncio.Queue()
        if greet:
            self.say("{}\x1e")

    def say(self, piece: str | Closed) -> None:
        self._inbox.put_nowait(piece)

    def tell(self, **message: Any) -> None:
        self.say(msgspec.json.encode(message).decode() + "\x1e")

    def item(self, invocation: int, payload: Any) -> None:
        self.tell(type=2, invocationId=str(invocation), item=payload)

    @property
    def messages(self) -> list[Any]:
        return [json.loads(one.rstrip("\x1e")) for one in self.sent]

    @property
    def subscriptions(self) -> list[str]:
        return [one["invocationId"] for one in self.messages if one.get("type") == 4]

    async def send(self, text: str) -> Closed | None:
        if self.broken:
            return Closed("gone")
        if self.stuck:
            await asyncio.get_running_loop().create_future()
        self.sent.append(text)
        return None

    async def receive(self) -> str | Closed:
        return await self._inbox.get()

    async def close(self) -> None:
        self.closed = True


class Hub:
    """A client, its clock and the connections that it opened."""

    def __init__(self, *planned: FakeStream | Raw) -> None:
        self.clock = ManualClock()
        self.opened: list[FakeStream | Raw] = []
        self.gate: asyncio.Event | None = None
        self._planned = list(planned)
        self.client = HubClient(self._open, self.clock, LARGEST)

    async def _open(self) -> FakeStream | Raw:
        stream = self._planned.pop(0) if self._planned else FakeStream()
        self.opened.append(stream)
        if self.gate is not None:
            await self.gate.wait()
        return stream

    def stream(self, number: int = -1) -> FakeStream:
        stream = self.opened[number]
        assert isinstance(stream, FakeStream)
        return stream

    def ask(self, account: str = "A", seconds: float = 5.0) -> asyncio.Task[Item | Lost | Raw]:
        return asyncio.create_task(self.client.first_item("OpenOrders", account, seconds))

    async def asked(self, count: int, number: int = -1) -> None:
        await until(lambda: len(self.opened) > 0 and len(self.stream(number).subscriptions) >= count)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come about")


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_the_first_item_after_a_fresh_subscription_is_the_answer() -> None:
    hub = Hub()
    asking = hub.ask()
    await hub.asked(1)
    hub.stream().item(0, [{"orderId": "X"}])
    assert await asking == item("0", [{"orderId": "X"}])
    assert hub.stream().sent == [handshake(), subscribe("0", "OpenOrders", "A")]
    await hub.client.close()
    assert hub.stream().closed


async def test_nothing_is_asked_before_the_handshake_is_answered() -> None:
    hub = Hub(FakeStream(greet=False))
    asking = hub.ask()
    await until(lambda: len(hub.opened) == 1 and len(hub.stream().sent) == 1)
    await settle()
    assert hub.stream().sent == [handshake()]
    hub.stream().say("{}\x1e")
    await hub.asked(1)
    hub.stream().item(0, [])
    assert await asking == item("0", [])
    await hub.client.close()


async def test_the_old_subscription_is_ended_before_the_new_one_and_ids_go_up() -> None:
    hub = Hub()
    for number in range(3):
        asking = hub.ask()
        await hub.asked(number + 1)
        hub.stream().item(number, [number])
        assert await asking == item(str(number), [number])
    assert [(one.get("type"), one.get("invocationId")) for one in hub.stream().messages] == [
        (None, None), (4, "0"), (5, "0"), (4, "1"), (5, "1"), (4, "2")
    ]  # fmt: skip
    assert len(hub.opened) == 1
    await hub.client.close()


async def test_a_late_item_of_the_old_subscription_is_no_answer() -> None:
    hub = Hub()
    first = hub.ask()
    await hub.asked(1)
    hub.stream().item(0, ["old"])
    await first
    second = hub.ask()
    await hub.asked(2)
    hub.stream().item(0, ["still old"])
    hub.stream().tell(type=3, invocationId="0", error="cancelled")
    await settle()
    assert not second.done()
    hub.stream().item(1, ["new"])
    assert await second == item("1", ["new"])
    await hub.client.close()


async def test_accounts_share_one_connection_and_get_their_own_items() -> None:
    hub = Hub()
    asking = [hub.ask(name) for name in "ABC"]
    await hub.asked(3)
    assert len(hub.opened) == 1
    for number, name in enumerate("ABC"):
        sent = next(one for one in hub.stream().messages if one.get("arguments") == [name])
        hub.stream().item(int(sent["invocationId"]), [name, number])
    assert [
        msgspec.json.decode(answer.payload)[0]
        for answer in await asyncio.gather(*asking)
        if isinstance(answer, Item)
    ] == [*"ABC"]
    await hub.client.close()


async def test_two_who_ask_for_the_same_both_get_the_later_snapshot() -> None:
    hub = Hub()
    first = hub.ask()
    await hub.asked(1)
    second = hub.ask()
    await hub.asked(2)
    hub.stream().item(0, ["early"])
    await settle()
    assert not first.done()
    assert not second.done()
    hub.stream().item(1, ["late"])
    assert await first == await second == item("1", ["late"])
    await hub.client.close()


async def test_records_in_one_frame_and_one_record_over_two() -> None:
    hub = Hub(FakeStream(greet=False))
    asking = hub.ask()
    await until(lambda: len(hub.opened) == 1)
    hub.stream().say('{}\x1e{"type":6}\x1e{"ty')
    hub.stream().say('pe":6}\x1e')
    await hub.asked(1)
    hub.stream().say('{"type":6}\x1e{"type":2,"invocationId":"0","it')
    hub.stream().say('em":[1]}\x1e{"type":6}\x1e')
    assert await asking == item("0", [1])
    await hub.client.close()


async def test_silence_is_no_list() -> None:
    hub = Hub()
    asking = hub.ask()
    await hub.asked(1)
    hub.clock.advance(5.0)
    assert await asking == Lost(Cause.SILENT)
    await hub.client.close()


async def test_after_total_silence_the_next_question_takes_a_new_connection() -> None:
    hub = Hub()
    asking = hub.ask()
    await hub.asked(1)
    hub.clock.advance(5.0)
    await asking
    again = hub.ask()
    await until(lambda: len(hub.opened) == 2)
    await hub.asked(1)
    hub.stream().item(0, [])
    assert await again == item("0", [])
    await until(lambda: hub.stream(0).closed)
    await hub.client.close()


async def test_a_connection_that_spoke_since_is_kept() -> None:
    hub = Hub()
    asking = hub.ask()
    await hub.asked(1)
    hub.clock.advance(1.0)
    hub.stream().tell(type=6)
    await settle()
    hub.clock.advance(4.0)
    assert await asking == Lost(Cause.SILENT)
    again = hub.ask()
    await hub.asked(2)
    assert len(hub.opened) == 1
    assert unsubscribe("0") in hub.stream().sent
    hub.stream().item(1, [])
    await again
    await hub.client.close()


async def test_a_silent_connection_is_not_torn_from_those_who_still_wait_on_it() -> None:
    hub = Hub()
    first = hub.ask("A")
    await hub.asked(1)
    hub.clock.advance(4.0)
    second = hub.ask("B")
    await hub.asked(2)
    hub.clock.advance(1.0)
    assert await first == Lost(Cause.SILENT)
    hub.stream().item(1, ["B"])
    assert await second == item("1", ["B"])
    await until(lambda: hub.stream(0).closed)
    await hub.client.close()


async def test_we_ping_every_15_seconds_and_give_up_after_30_of_silence() -> None:
    hub = Hub()
    asking = hub.ask(seconds=100.0)
    await hub.asked(1)
    await settle()
    hub.clock.advance(14.0)
    await settle()
    assert ping() not in hub.stream().sent
    hub.clock.advance(1.0)
    await until(lambda: hub.stream().sent.count(ping()) == 1)
    hub.clock.advance(14.0)
    await settle()
    assert not asking.done()
    hub.clock.advance(1.0)
    assert await asking == Lost(Cause.SILENT)
    await until(lambda: hub.stream().closed)
    await hub.client.close()


async def test_pings_of_the_venue_keep_it_alive() -> None:
    hub = Hub()
    asking = hub.ask(seconds=1000.0)
    await hub.asked(1)
    for _ in range(10):
        hub.clock.advance(14.0)
        hub.stream().tell(type=6)
        await settle()
    assert not asking.done()
    hub.stream().item(0, [])
    assert await asking == item("0", [])
    await hub.client.close()


async def test_a_stream_that_ends_with_an_error_says_so_and_the_next_takes_a_new_connection() -> None:
    hub = Hub()
    asking = hub.ask()
    await hub.asked(1)
    hub.stream().tell(type=3, invocationId="0", error="token expired")
    answer = await asking
    assert isinstance(answer, Lost)
    assert (answer.cause, str(answer.message)) == (Cause.ENDED, "token expired")
    hub.ask()
    await until(lambda: len(hub.opened) == 2)
    await hub.client.close()


async def test_a_stream_that_ends_without_an_item_is_no_empty_list() -> None:
    hub = Hub()
    asking = hub.ask()
    await hub.asked(1)
    hub.stream().tell(type=3, invocationId="0")
    assert await asking == Lost(Cause.FINISHED)
    again = hub.ask()
    await hub.asked(2)
    assert unsubscribe("0") not in hub.stream().sent
    hub.stream().item(1, [])
    assert await again == item("1", [])
    await hub.client.close()


async def test_a_close_message_ends_everybody_and_the_next_question_opens_anew() -> None:
    hub = Hub()
    asking = [hub.ask("A"), hub.ask("B")]
    await hub.asked(2)
    hub.stream().tell(type=7, error="restart", allowReconnect=True)
    for answer in await asyncio.gather(*asking):
        assert isinstance(answer, Lost)
        assert answer.cause is Cause.CLOSED
    again = hub.ask()
    await until(lambda: len(hub.opened) == 2)
    await hub.asked(1)
    hub.stream().item(0, [])
    assert await again == item("0", [])
    await hub.client.close()


@pytest.mark.parametrize("garbage", ["not json\x1e", "[]\x1e", '{"type":2}\x1e', "x" * (LARGEST + 1)])
async def test_garbage_ends_the_connection_because_it_may_have_been_the_list(garbage: str) -> None:
    hub = Hub()
    asking = hub.ask()
    await hub.asked(1)
    hub.stream().say(garbage)
    hub.stream().item(0, ["only a change"])
    assert await asking == Lost(Cause.GARBLED)
    await until(lambda: hub.stream().closed)
    await hub.client.close()


async def test_a_connection_that_dies_right_behind_the_handshake_hangs_nobody() -> None:
    stream = FakeStream()
    stream.say(Closed("lost"))
    hub = Hub(stream)
    assert await asyncio.wait_for(hub.ask(), 5.0) == Lost(Cause.DROPPED)
    await hub.client.close()


async def test_a_drop_is_told_and_healed_by_the_next_question() -> None:
    hub = Hub()
    asking = hub.ask()
    await hub.asked(1)
    hub.stream().say(Closed("lost"))
    assert await asking == Lost(Cause.DROPPED)
    hub.ask()
    await until(lambda: len(hub.opened) == 2)
    await hub.client.close()


async def test_a_drop_while_nobody_asks_is_healed_by_the_next_question() -> None:
    hub = Hub()
    asking = hub.ask()
    await hub.asked(1)
    hub.stream().item(0, [])
    await asking
    hub.stream().say(Closed("lost"))
    await until(lambda: hub.stream().closed)
    again = hub.ask()
    await until(lambda: len(hub.opened) == 2)
    await hub.asked(1)
    hub.stream().item(0, [])
    assert await again == item("0", [])
    await hub.client.close()


async def test_a_send_that_fails_is_a_drop() -> None:
    hub = Hub()
    asking = hub.ask()
    await hub.asked(1)
    hub.stream().item(0, [])
    await asking
    hub.stream().broken = True
    assert await hub.ask() == Lost(Cause.DROPPED)
    await hub.client.close()


@pytest.mark.parametrize("refusal", [Reply(401, {}, b""), NotSent("no connection"), Unanswered("silence")])
async def test_what_the_opening_came_to_is_handed_on_and_not_remembered(refusal: Raw) -> None:
    hub = Hub(refusal)
    assert await hub.ask() == refusal
    again = hub.ask()
    await until(lambda: len(hub.opened) == 2)
    await hub.asked(1)
    hub.stream().item(0, [])
    assert await again == item("0", [])
    await hub.client.close()


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ('{"error":"version"}\x1e', Cause.HANDSHAKE),
        ('{"type":7}\x1e', Cause.GARBLED),
        ("<html>\x1e", Cause.GARBLED),
    ],
)
async def test_a_refused_handshake_is_told(said: str, cause: Cause) -> None:
    hub = Hub(FakeStream(greet=False))
    asking = hub.ask()
    await until(lambda: len(hub.opened) == 1)
    hub.stream().say(said)
    answer = await asking
    assert isinstance(answer, Lost)
    assert answer.cause is cause
    await until(lambda: hub.stream().closed)
    await hub.client.close()


async def test_a_handshake_without_an_answer_ends_in_time() -> None:
    hub = Hub(FakeStream(greet=False))
    asking = hub.ask()
    await until(lambda: len(hub.opened) == 1 and hub.clock.next_wake == 5.0)
    hub.clock.advance(5.0)
    assert await asking == Lost(Cause.SILENT)
    await until(lambda: hub.stream().closed)
    await hub.client.close()


async def test_concurrent_questions_share_one_opening() -> None:
    hub = Hub()
    hub.gate = asyncio.Event()
    asking = [hub.ask(name) for name in "ABCD"]
    await settle()
    hub.gate.set()
    await hub.asked(4)
    assert len(hub.opened) == 1
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    await hub.client.close()


async def test_who_leaves_during_the_opening_leaves_the_others_their_connection() -> None:
    hub = Hub()
    hub.gate = asyncio.Event()
    leaver, stayer = hub.ask("A"), hub.ask("B")
    await settle()
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    assert leaver.cancelled()
    hub.gate.set()
    await hub.asked(1)
    hub.stream().item(0, ["B"])
    assert await stayer == item("0", ["B"])
    assert len(hub.opened) == 1
    await hub.client.close()


async def test_a_cancelled_question_does_not_disturb_the_next() -> None:
    hub = Hub()
    leaver = hub.ask()
    await hub.asked(1)
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    again = hub.ask()
    await hub.asked(2)
    assert unsubscribe("0") in hub.stream().sent
    hub.stream().item(0, ["for the one who left"])
    hub.stream().item(1, ["mine"])
    assert await again == item("1", ["mine"])
    assert len(hub.opened) == 1
    await hub.client.close()


async def test_close_answers_those_who_wait_and_is_for_good() -> None:
    hub = Hub()
    waiting = hub.ask("A")
    await hub.asked(1)
    await hub.client.close()
    assert await waiting == Lost(Cause.GIVEN_UP)
    assert hub.stream().closed
    assert isinstance(await hub.ask(), NotSent)
    assert len(hub.opened) == 1
    await hub.client.close()


async def test_close_during_the_opening_answers_too() -> None:
    hub = Hub()
    hub.gate = asyncio.Event()
    waiting = hub.ask()
    await settle()
    await hub.client.close()
    assert isinstance(await waiting, NotSent)


async def test_close_right_behind_the_opening_leaks_no_connection() -> None:
    hub = Hub(FakeStream(greet=False))
    waiting = hub.ask()
    await until(lambda: len(hub.opened) == 1)
    await hub.client.close()
    assert isinstance(await waiting, NotSent)
    assert hub.stream().closed


async def test_close_ends_a_send_that_is_stuck() -> None:
    hub = Hub()
    asking = hub.ask()
    await hub.asked(1)
    hub.stream().stuck = True
    other = hub.ask("B")
    await settle()
    await asyncio.wait_for(hub.client.close(), 5.0)
    assert await asking == await other == Lost(Cause.GIVEN_UP)
    assert hub.stream().closed


async def test_close_without_any_connection() -> None:
    await Hub().client.close()
