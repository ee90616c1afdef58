"""The P99 adapter: what is signed, with which credentials, and when by the venue's clock."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from decimal import Decimal

import pytest

from cancel_tui.clock import ManualClock
from cancel_tui.orders import OrderStatus
from cancel_tui.redaction import Secret
from cancel_tui.settings import Budget, VenueSettings
from cancel_tui.venues.base import CallClass, Message, Part, Raw, Reply, Venue
from cancel_tui.venues.outcome import Answered, Unanswered, Unauthorised
from cancel_tui.venues.p99 import P99Venue, make
from cancel_tui.venues.p99_auth import Offset, signed_query
from cancel_tui.venues.registry import make_venue
from tests.venues.fake_port import FakePort, always, reply, value
from tests.venues.p99_case import ID, NOW, ROW, SECRET, assert_signed, error, key, p99, path_of, query_of

BODY = '{"symbol":"DFUSDT","side":"sell","type":"limit","tif":"post_only","price":"0.7250","quantity":"12.5"}'


# Signing


@pytest.mark.parametrize(
    ("query", "body", "signature"),
    [
        ("", "", "08dcbc37b08c4aa5f86caeea8cec69d2a4b0cbbe06e0857538464b51aea0255f"),
        ("status=open&limit=200", "", "3a9eb4cd9251178dc01965475d291e0ff79017a800d9578587e6e3e62aae85bd"),
        (
            "status=partially_filled&limit=200",
            "",
            "406a15faafb818bfc60c9d2f35c8b20dd2ca3eb609275bd7134f3162b32740ec",
        ),
        ("symbol=DFUSDT", "", "f07dfd326018c9e82ef9cb0f2bbd1fee9a40624c5697344b0356a36094acb292"),
        ("", BODY, "917865ab2778152e436a4229b890e3795c4730163d3cb12a829cae7236dce186"),
        ("", "{}", "7f59e2c10b8ee22f61d45a1a99de42d1c3aaa66705b9188f9a2ea35779d3290c"),
    ],
    ids=["V1", "V2", "V3", "V4", "V5", "N1"],
)
def test_the_signature_covers_the_query_as_sent_and_the_body(query: str, body: str, signature: str) -> None:
    signed = signed_query(Secret(SECRET), query, 1779012345678, body.encode())
    joined = f"{query}&" if query else ""
    assert signed == f"{joined}timestamp=1779012345678&signature={signature}"


def test_another_parameter_order_is_another_signature() -> None:
    wrong = hmac.new(SECRET.encode(), b"timestamp=1779012345678&symbol=DFUSDT", hashlib.sha256).hexdigest()
    assert wrong == "235a4f8cb26400428d73e89c9d8581dcef575e80a3ead76ec5d3c2294a949328"
    assert wrong not in signed_query(Secret(SECRET), "symbol=DFUSDT", 1779012345678)


async def test_a_cancel_is_a_signed_delete_of_one_path_without_a_body() -> None:
    port = always(reply({**ROW, "status": "canceled"}))
    ack = value(await p99().cancel(key(), port))
    call, message = port.sent[0]
    assert (call, message.method) == (CallClass.CANCEL, b"DELETE")
    assert path_of(message) == f"/api/v1/spot/orders/{ID}"
    assert list(query_of(message)) == ["timestamp", "signature"]
    assert abs(int(query_of(message)["timestamp"]) - NOW * 1000) < 2
    assert_signed(message)
    assert ack.order is not None
    assert ack.order.status is OrderStatus.CANCELED
    assert ack.order.filled == Decimal("12.5")


async def test_every_attempt_is_signed_anew() -> None:
    venue, built = p99(), list[Message]()

    class Twice(FakePort):
        async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
            built.extend([build(), build()])
            return reply({**ROW, "status": "canceled"})

    await venue.cancel(key(), Twice(lambda _: reply()))
    first, second = (int(query_of(message)["timestamp"]) for message in built)
    assert second > first


async def test_a_jwt_goes_as_a_bearer_and_nothing_is_signed() -> None:
    port = always(reply([]))
    await p99(credentials={"jwt": "Bearer aaa.bbb.ccc\n"}).list_part(Part("orders"), port)
    message = port.sent[0][1]
    assert message.target == b"/api/v1/spot/orders?status=open&limit=200"
    assert dict(message.headers)[b"Authorization"] == b"Bearer aaa.bbb.ccc"
    assert b"X-MBX-APIKEY" not in dict(message.headers)


@pytest.mark.parametrize(
    ("credentials", "named"),
    [
        ({"api_key": "k"}, "api_secret"),
        ({"api_secret": "s"}, "api_key"),
        ({"api_key": "k", "jwt": "a.b.c"}, "api_secret"),
        ({"jwt": "  "}, "jwt"),
        ({"api_key": "k\r\nX-Evil: 1", "api_secret": "s"}, "api_key"),
        ({"jwt": "a b"}, "jwt"),
    ],
)
def test_credentials_that_cannot_work_are_named(credentials: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        p99(credentials=credentials)


def test_no_credentials_is_an_error_with_a_remedy() -> None:
    settings = VenueSettings(name="p99", kind="p99-spot", base_url="http://127.0.0.1/api/v1")
    with pytest.raises(ValueError, match="enter one of the two"):
        make(settings, {}, ManualClock())


def test_the_adapter_is_a_venue() -> None:
    settings = VenueSettings(name="p99", kind="p99-spot", base_url="http://127.0.0.1/api/v1")
    venue: Venue = make_venue(settings, {"jwt": Secret("a.b.c")}, ManualClock())
    assert isinstance(venue, P99Venue)


def test_the_capabilities_are_the_documented_ones() -> None:
    can = p99().capabilities
    assert can.cancel_all
    assert can.cancel_all_symbol
    assert can.read_order
    assert can.closed_page == 200
    assert can.lacks == {"account", "exchange"}
    assert dict(can.budgets) == {
        CallClass.LIST: Budget(40, 4.0),
        CallClass.STATUS: Budget(40, 4.0),
        CallClass.CLOSED: Budget(40, 4.0),
    }


def test_configured_limits_replace_the_cautious_ones() -> None:
    can = p99(limits={"list": None, "cancel": Budget(3, 2.0)}, timeout_seconds=1.5).capabilities
    assert CallClass.LIST not in can.budgets
    assert can.budgets[CallClass.CANCEL] == Budget(3, 2.0)
    assert can.timeout_seconds == 1.5


# Clock


def tokens(seconds: int) -> Reply:
    return reply({"success": True, "data": [], "error": None, "timestamp": seconds})


async def test_the_clock_is_measured_by_the_public_envelope() -> None:
    venue, port = p99(), always(tokens(1779012348))
    offset = value(await venue.measure_clock(port))
    call, message = port.sent[0]
    assert (call, message.target) == (CallClass.OTHER, b"/api/v1/wallet/tokens")
    assert message.headers == ((b"Accept", b"application/json"),)
    assert offset == pytest.approx(1779012348.5 - NOW, abs=0.01)
    assert venue.clock_offset == offset


async def test_without_an_envelope_the_date_header_tells() -> None:
    date = "Sun, 17 May 2026 10:05:43 GMT"
    for answer in (Reply(404, {"date": date}, b""), Reply(200, {"date": date}, b"[1]")):
        offset = value(await p99().measure_clock(always(answer)))
        assert offset == pytest.approx(1779012343.5 - NOW, abs=0.01)


@pytest.mark.parametrize(
    "answer",
    [
        reply(b""),
        reply({"timestamp": "soon"}),
        reply({"timestamp": 10**30}),
        Reply(200, {"date": "yesterday"}, b"{}"),
        error(500, "x"),
        Unanswered("timeout"),
    ],
)
async def test_a_venue_that_tells_no_time_changes_nothing(answer: Raw) -> None:
    venue = p99()
    assert isinstance(await venue.measure_clock(always(answer)), Unanswered)
    assert venue.clock_offset is None


async def test_requests_are_signed_a_quarter_second_behind_the_venue() -> None:
    clock = ManualClock(NOW)
    venue = p99(clock)
    offset = value(await venue.measure_clock(always(tokens(1779012300))))
    port = always(reply([]))
    await venue.list_part(Part("orders"), port)
    stamp = int(query_of(port.sent[0][1])["timestamp"])
    assert stamp == pytest.approx((NOW + offset - 0.25) * 1000, abs=3)


def test_measurements_that_agree_narrow_each_other_and_a_contradiction_starts_again() -> None:
    offset = Offset()
    assert offset.narrow(100.0, 100.0, 100.0, 1.0) == pytest.approx(0.5)
    assert offset.narrow(200.9, 200.9, 201.0, 1.0) == pytest.approx(0.55)
    assert offset.narrow(300.8, 300.8, 300.0, 1.0) == pytest.approx(0.15)
    assert offset.narrow(400.0, 400.0, 430.0, 1.0) == pytest.approx(30.5)


def skewed(clock: ManualClock, ahead: float) -> Callable[[Message], Raw]:
    """A venue whose clock is ahead of ours and that wants timestamps within 5 s of it."""

    def answer(message: Message) -> Raw:
        server = clock.wall() + ahead
        if path_of(message).endswith("/wallet/tokens"):
            return tokens(int(server))
        if abs(int(query_of(message)["timestamp"]) / 1000 - server) > 5:
            return reply(b"", 401)
        return reply({**ROW, "status": "canceled"})

    return answer


@pytest.mark.parametrize("ahead", [-3600.0, -7.3, 7.3, 3600.0])
async def test_a_wrong_clock_is_cured_by_one_measurement_and_one_fresh_signature(ahead: float) -> None:
    clock = ManualClock(NOW)
    port = FakePort(skewed(clock, ahead))
    assert isinstance(await p99(clock).cancel(key(), port), Answered)
    assert [call for call, _ in port.sent] == [CallClass.CANCEL, CallClass.OTHER, CallClass.CANCEL]


async def test_many_refusals_at_once_are_cured_by_one_measurement() -> None:
    clock = ManualClock(NOW)
    venue, port = p99(clock), FakePort(skewed(clock, -60.0))
    outcomes = await asyncio.gather(*(venue.cancel(key(), port) for _ in range(20)))
    assert all(isinstance(outcome, Answered) for outcome in outcomes)
    assert [call for call, _ in port.sent].count(CallClass.OTHER) == 1


async def test_a_refused_key_is_tried_twice_at_most() -> None:
    clock = ManualClock(NOW)
    venue = p99(clock)

    def answer(message: Message) -> Raw:
        return tokens(int(clock.wall())) if b"wallet" in message.target else reply(b"", 401)

    port = FakePort(answer)
    assert await venue.cancel(key(), port) == Unauthorised(None, 401)
    assert [call for call, _ in port.sent] == [CallClass.CANCEL, CallClass.OTHER, CallClass.CANCEL]
    clock.advance(60)
    assert isinstance(await venue.cancel(key(), port), Unauthorised)
    assert [call for call, _ in port.sent][3:] == [CallClass.CANCEL, CallClass.OTHER]


async def test_many_refusals_of_a_bad_key_measure_once_per_second_at_most() -> None:
    clock = ManualClock(NOW)
    venue = p99(clock)
    port = FakePort(lambda sent: tokens(int(clock.wall())) if b"wallet" in sent.target else reply(b"", 401))
    for measured in (1, 2):
        outcomes = await asyncio.gather(*(venue.cancel(key(), port) for _ in range(20)))
        assert all(isinstance(outcome, Unauthorised) for outcome in outcomes)
        assert [call for call, _ in port.sent].count(CallClass.OTHER) == measured
        clock.advance(5)


async def test_renew_tells_whether_the_measurement_was_news() -> None:
    clock = ManualClock(NOW)
    venue = p99(clock)
    assert await venue.renew(always(tokens(int(clock.wall()))), venue.signs_with)
    clock.advance(10)
    assert not await venue.renew(always(tokens(int(clock.wall()))), venue.signs_with)
    clock.advance(10)
    assert await venue.renew(always(tokens(int(clock.wall()) + 5)), venue.signs_with)
    clock.advance(10)
    assert not await venue.renew(always(Unanswered("timeout")), venue.signs_with)


async def test_a_refusal_is_of_the_offset_that_it_was_signed_with_not_of_the_one_before() -> None:
    clock = ManualClock(NOW)
    venue = p99(clock)

    class Waits(FakePort):
        """Somebody else measures the clock while the cancel waits for its turn."""

        async def call(self, call: CallClass, build: Callable[[], Message]) -> Raw:
            if call is CallClass.CANCEL and not self.sent:
                assert isinstance(await venue.measure_clock(self), Answered)
                clock.advance(5)
            return await super().call(call, build)

    port = Waits(lambda sent: tokens(int(clock.wall()) + 60) if b"wallet" in sent.target else reply(b"", 401))
    assert isinstance(await venue.cancel(key(), port), Unauthorised)
    calls = [call for call, _ in port.sent]
    assert calls == [CallClass.OTHER, CallClass.CANCEL, CallClass.OTHER], "measured again, and no news"


async def test_an_expired_jwt_is_not_tried_again() -> None:
    port = always(reply(b"", 401))
    assert await p99(credentials={"jwt": "a.b.c"}).cancel(key(), port) == Unauthorised(None, 401)
    assert len(port.sent) == 1


async def test_the_other_sides_bad_timestamp_code_is_cured_as_well() -> None:
    clock = ManualClock(NOW)

    def answer(message: Message) -> Raw:
        inner = skewed(clock, 30.0)(message)
        refused = isinstance(inner, Reply) and inner.status == 401
        return reply({"code": -1021, "msg": "Timestamp"}, 400) if refused else inner

    assert isinstance(await p99(clock).cancel(key(), FakePort(answer)), Answered)
