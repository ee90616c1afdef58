"""CoinSwitch keys, signatures and clock, shared by spot and futures."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.clock import ManualClock
from cancel_tui.redaction import Secret
from cancel_tui.venues import coinswitch_futures, coinswitch_spot
from cancel_tui.venues.base import CallClass, Message, Raw
from cancel_tui.venues.coinswitch import load_keys, signed_text
from cancel_tui.venues.outcome import Answered, NotSent, Unanswered, Unauthorised
from tests.venues.support_coinswitch import (
    NOW,
    NOW_MS,
    PUBLIC,
    SEED,
    FakePort,
    answered,
    clock,
    credentials,
    headers_of,
    key,
    query_of,
    reply,
    run,
    settings,
    verifies,
)

VECTORS = [
    (
        "DELETE",
        "/trade/api/v2/order",
        "DELETE/trade/api/v2/order1732000000000",
        "335e23c14e53c52d590c06b70c5a8e8695c1dabbaaab7903e1998033e0997ac7"
        "207ca968d8e8ce992d1b4640a96e1acfd4521b3b022d62dec40f0e4f611cd501",
    ),
    (
        "POST",
        "/trade/api/v2/futures/cancel_all",
        "POST/trade/api/v2/futures/cancel_all1732000000000",
        "2d1327961d07587c91dd07305dfc6fa8b46f27702e34f25c812413270bac299b"
        "93bffbb322c0946b8b565319a442c8e301e5a25e0f72a44893790a0c0a9e6705",
    ),
    (
        "GET",
        "/trade/api/v2/orders?open=true&exchanges=coinswitchx%2Cc2c1%2Cc2c2"
        "&symbols=btc%2Finr%2Ceth%2Fusdt&count=500",
        "GET/trade/api/v2/orders?open=true&exchanges=coinswitchx,c2c1,c2c2"
        "&symbols=btc/inr,eth/usdt&count=5001732000000000",
        "b6bef8e7086eb75393edf495da1770f50a4798c7bb024ebdccc5bf579edb0258"
        "5db69b7e614ad7bb5a8da6f7c1f10f318e673813f3da74114db2be3e06588508",
    ),
]


def spot(clock_: ManualClock | None = None, **changes: object) -> coinswitch_spot.CoinSwitchSpot:
    return coinswitch_spot.make(settings("coinswitch-spot", **changes), credentials(), clock_ or clock())


@pytest.mark.parametrize(("method", "target", "text", "signature"), VECTORS)
def test_the_published_vectors_are_reproduced(method: str, target: str, text: str, signature: str) -> None:
    signed = signed_text(method, target, NOW_MS)
    assert signed == text
    assert load_keys(credentials()).signer.sign(signed.encode()).hex() == signature


def test_a_whole_message_carries_the_vectors_signature() -> None:
    venue = spot()
    message = venue.signed("DELETE", "/order", body={"order_id": "x"})
    assert message.target == b"/trade/api/v2/order"
    assert message.body == b'{"order_id":"x"}'
    assert headers_of(message) == {
        "Content-Type": "application/json",
        "X-AUTH-APIKEY": PUBLIC,
        "X-AUTH-SIGNATURE": VECTORS[0][3],
        "X-AUTH-EPOCH": "1732000000000",
    }


def test_the_query_travels_encoded_in_the_given_order_and_is_signed_decoded() -> None:
    venue = spot()
    message = venue.signed(
        "GET",
        "/orders",
        (
            ("open", "true"),
            ("exchanges", "coinswitchx,c2c1,c2c2"),
            ("symbols", "btc/inr,eth/usdt"),
            ("count", "500"),
        ),
    )
    assert message.target.decode() == VECTORS[2][1]
    assert headers_of(message)["X-AUTH-SIGNATURE"] == VECTORS[2][3]


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_query_value_verifies_after_the_venue_decodes_it(value: str) -> None:
    message = spot().signed("GET", "/order", (("order_id", value),))
    assert message.target.isascii()
    assert b" " not in message.target
    assert verifies(message, f"/trade/api/v2/order?order_id={value}")


def test_a_prefix_of_the_base_address_is_sent_and_signed() -> None:
    message = spot(base_url="http://127.0.0.1:9000/venue/cs").signed("GET", "/orders", (("open", "true"),))
    assert message.target == b"/venue/cs/trade/api/v2/orders?open=true"
    assert verifies(message, "/venue/cs/trade/api/v2/orders?open=true")
    with pytest.raises(InvalidSignature):
        verifies(message, "/trade/api/v2/orders?open=true")


def test_two_requests_in_one_millisecond_have_different_epochs_even_across_tables() -> None:
    shared = clock()
    one = spot(shared)
    other = coinswitch_futures.make(settings("coinswitch-futures"), credentials(), shared)
    epochs = [
        headers_of(venue.signed("DELETE", "/order"))["X-AUTH-EPOCH"] for venue in (one, other, one, other)
    ]
    assert epochs == ["1732000000000", "1732000000001", "1732000000002", "1732000000003"]


def test_another_key_has_an_epoch_of_its_own() -> None:
    shared = clock()
    stranger = Secret("ab" * 32)
    one = spot(shared)
    other = coinswitch_spot.make(
        settings("coinswitch-spot"), {"api_key": stranger, "api_secret": Secret(SEED)}, shared
    )
    assert one.signing is not other.signing


# ---------------------------------------------------------------------- keys


def test_a_matching_pair_has_no_warning_whatever_its_case_and_margins() -> None:
    assert load_keys(credentials(PUBLIC.upper(), f" {SEED.upper()}\r\n")).warnings == ()


def test_a_key_that_does_not_belong_to_the_secret_is_a_warning_not_an_error() -> None:
    venue = coinswitch_spot.make(settings("coinswitch-spot"), credentials("ab" * 32), clock())
    assert venue.warnings == ("api_key is not the public key of api_secret",)


@pytest.mark.parametrize(
    ("api_key", "api_secret", "field"),
    [
        (PUBLIC, "", "api_secret"),
        ("", SEED, "api_key"),
        (PUBLIC, SEED[:-2], "api_secret"),
        (PUBLIC, SEED + PUBLIC, "api_secret"),
        (PUBLIC, "zz" * 32, "api_secret"),
        (PUBLIC, "\u0661" * 64, "api_secret"),
        ("two words", SEED, "api_key"),
        ("line\nbreak", SEED, "api_key"),
        ("k\u00e9y", SEED, "api_key"),
        (SEED, SEED, "api_key"),
        (SEED, PUBLIC, "api_key"),
    ],
)
def test_keys_that_cannot_work_are_refused_by_name_and_never_echoed(
    api_key: str, api_secret: str, field: str
) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        load_keys(credentials(api_key, api_secret))
    said = str(caught.value)
    assert not any(value and value in said for value in (api_key, api_secret, SEED, PUBLIC))


def test_half_a_credential_is_refused() -> None:
    with pytest.raises(ValueError, match="api_secret is missing"):
        load_keys({"api_key": Secret(PUBLIC)})


def test_nothing_secret_shows_in_a_representation() -> None:
    assert SEED not in repr(load_keys(credentials())) + repr(vars(spot()))


# ---------------------------------------------------------------------- clock


@pytest.mark.parametrize(
    "answer", [{"serverTime": NOW_MS + 2500}, {"data": {"serverTime": str(NOW_MS + 2500)}}]
)
def test_the_clock_is_measured_without_a_signature(answer: object) -> None:
    port = FakePort([reply(answer)])
    venue = spot()
    assert answered(run(venue.measure_clock(port))) == pytest.approx(2.5)
    assert venue.clock_offset == pytest.approx(2.5)
    assert port.calls == [CallClass.OTHER]
    assert port.last.target == b"/trade/api/v2/time"
    assert set(headers_of(port.last)) == {"Content-Type"}
    assert headers_of(venue.signed("GET", "/x"))["X-AUTH-EPOCH"] == str(NOW_MS + 2500)


def test_half_of_the_way_is_taken_off() -> None:
    time = clock()

    def slow(call: CallClass, message: Message) -> Raw:
        time.advance(2.0)
        return reply({"serverTime": NOW_MS + 1000})

    assert answered(run(spot(time).measure_clock(FakePort(slow)))) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"{}",
        b'{"serverTime":null}',
        b'{"serverTime":0}',
        b'{"serverTime":1e30}',
    ],
)
def test_a_time_that_is_none_leaves_the_clock_alone(body: bytes) -> None:
    venue = spot()
    assert isinstance(run(venue.measure_clock(FakePort([reply(body)]))), Unanswered)
    assert venue.clock_offset is None
    assert venue.signing.offset == 0.0


def test_a_clock_that_was_far_ahead_comes_back() -> None:
    venue = spot()
    venue.signing.offset = 3600.0
    venue.signed("GET", "/x")
    run(venue.measure_clock(FakePort([reply({"serverTime": NOW_MS})])))
    assert headers_of(venue.signed("GET", "/x"))["X-AUTH-EPOCH"] == str(NOW_MS)


def test_a_clock_that_was_a_little_ahead_never_signs_an_instant_twice() -> None:
    venue = spot()
    venue.signing.offset = 3.0
    first = int(headers_of(venue.signed("GET", "/x"))["X-AUTH-EPOCH"])
    run(venue.measure_clock(FakePort([reply({"serverTime": NOW_MS})])))
    assert int(headers_of(venue.signed("GET", "/x"))["X-AUTH-EPOCH"]) == first + 1


def test_a_401_is_answered_once_with_a_fresh_clock_and_a_fresh_signature() -> None:
    port = FakePort(
        [
            reply({"message": "Invalid Access"}, 401),
            reply({"serverTime": NOW_MS + 120_000}),
            reply({"data": {"orders": []}}),
        ]
    )
    venue = spot()
    part = answered(run(venue.parts(port))).parts[0]
    assert answered(run(venue.list_part(part, port))).complete
    assert [message.target.split(b"?")[0] for _, message in port.sent] == [
        b"/trade/api/v2/orders",
        b"/trade/api/v2/time",
        b"/trade/api/v2/orders",
    ]
    first, last = (headers_of(port.sent[index][1]) for index in (0, 2))
    assert int(last["X-AUTH-EPOCH"]) == NOW_MS + 120_000
    assert first["X-AUTH-SIGNATURE"] != last["X-AUTH-SIGNATURE"]


def test_a_second_401_ends_it() -> None:
    def no(call: CallClass, message: Message) -> Raw:
        if message.target.endswith(b"/time"):
            return reply({"serverTime": NOW_MS})
        return reply({"message": "Invalid Access"}, 401)

    port = FakePort(no)
    outcome = run(spot().cancel(key("7d0c1a52-0000-4000-8000-00000000a001"), port))
    assert isinstance(outcome, Unauthorised)
    assert port.calls == [CallClass.CANCEL, CallClass.OTHER, CallClass.CANCEL]


def test_a_time_request_that_is_refused_does_not_go_round_in_circles() -> None:
    port = FakePort(lambda call, message: reply({"message": "Invalid Access"}, 401))
    assert isinstance(run(spot().cancel(key("a"), port)), Unauthorised)
    assert port.calls == [CallClass.CANCEL, CallClass.OTHER, CallClass.CANCEL]


def test_one_tables_measurement_serves_the_other_table_of_the_key() -> None:
    shared = clock()
    one = spot(shared)
    other = coinswitch_futures.make(settings("coinswitch-futures"), credentials(), shared)
    run(one.measure_clock(FakePort([reply({"serverTime": NOW_MS + 9_000})])))
    assert other.now_ms() == NOW_MS + 9_000


# ---------------------------------------------------------------------- the key check


def test_the_key_check_is_one_signed_request() -> None:
    port = FakePort([reply({"message": "Valid Access"})])
    assert "Valid Access" in answered(run(spot().check(port)))
    assert port.calls == [CallClass.OTHER]
    assert verifies(port.last, "/trade/api/v2/validate/keys")


@pytest.mark.parametrize("status", [200, 401])
def test_invalid_access_is_unauthorised_whatever_the_status(status: int) -> None:
    def no(call: CallClass, message: Message) -> Raw:
        return reply({"message": "Invalid Access"}, status)

    assert isinstance(run(spot().check(FakePort(no))), Unauthorised)


def test_a_wire_failure_is_passed_on() -> None:
    assert run(spot().check(FakePort([NotSent("no route")]))) == NotSent("no route")


def test_the_futures_check_probes_the_futures_surface() -> None:
    venue = coinswitch_futures.make(settings("coinswitch-futures"), credentials(), clock())
    port = FakePort([reply({"data": {"orders": []}})])
    assert isinstance(run(venue.check(port)), Answered)
    assert port.last.target == b"/trade/api/v2/futures/orders/open"
    assert query_of(port.last) == {}
    assert venue.now_ms() == int(NOW * 1000)
