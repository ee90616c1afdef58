"""The B2TRADER adapter: credentials, paths, accounts, clock."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancel_tui.clock import ManualClock
from cancel_tui.orders import AccountId, OrderId
from cancel_tui.redaction import Secret
from cancel_tui.settings import Budget
from cancel_tui.venues.b2trader import make
from cancel_tui.venues.base import CallClass, CancelAck, Part, Parts, Raw, Reply, TellsExpiry
from cancel_tui.venues.outcome import Answered, NotSent, Refused, Throttled, Unanswered, Unauthorised
from tests.venues.b2trader_case import (
    ACCOUNTS,
    DELETE,
    DELETE_STOP,
    EXCHANGE,
    KEY,
    PART,
    STOP_KEY,
    port_with,
    value,
)
from tests.venues.support_b2trader import (
    ACCOUNT,
    OTHER_ACCOUNT,
    START,
    account_row,
    cancelled_order,
    jwt,
    reply,
    settings,
    venue,
)

# Credentials and settings.


@pytest.mark.parametrize(
    ("secrets", "named"),
    [
        ({}, "api_token"),
        ({"api_token": "two words"}, "api_token"),
        ({"api_token": ""}, "api_token"),
        ({"access_token": "Bearer abc"}, "access_token"),
        ({"access_token": "abc\n"}, "access_token"),
        ({"access_token": "ä"}, "access_token"),
    ],
)
def test_credentials_that_cannot_work_are_refused_without_showing_them(
    secrets: dict[str, str], named: str
) -> None:
    with pytest.raises(ValueError, match=named) as error:
        make(settings(), {name: Secret(one) for name, one in secrets.items()}, ManualClock())
    assert all(not one or one not in str(error.value) for one in secrets.values())


def test_an_unknown_path_names_the_allowed_ones() -> None:
    with pytest.raises(
        ValueError, match=r"paths\.order is unknown.*access_token, accounts, orders, stop_orders, stream"
    ):
        venue(paths={"order": "/x"})


@pytest.mark.parametrize("path", ["x", "/x/", "/x?y", "/x y", "", "//x", "/x/{id}"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"paths\.orders must"):
        venue(paths={"orders": path})


def test_capabilities() -> None:
    has = venue().capabilities
    assert not has.cancel_all
    assert not has.cancel_all_symbol
    assert not has.read_order
    assert has.blind_spots == ("stop_orders",)
    assert has.lacks == {"exchange"}
    assert has.budgets == {CallClass.LIST: Budget(10, 1.0)}
    assert (has.poll_seconds, has.connections, has.timeout_seconds) == (5.0, 16, 5.0)
    limited = venue(limits={"list": None, "cancel": Budget(3, 2.0)}, timeout_seconds=2.5).capabilities
    assert limited.budgets == {CallClass.CANCEL: Budget(3, 2.0)}
    assert limited.timeout_seconds == 2.5


# Accounts.


async def test_every_account_that_the_token_sees_is_a_part() -> None:
    port = port_with({ACCOUNTS: reply(200, [account_row(), account_row(OTHER_ACCOUNT), account_row()])})
    assert value(await venue().parts(port)) == Parts(
        (
            Part(f"account:{ACCOUNT}", account=AccountId(ACCOUNT)),
            Part(f"account:{OTHER_ACCOUNT}", account=AccountId(OTHER_ACCOUNT)),
        ),
        (),
        (AccountId(ACCOUNT), AccountId(OTHER_ACCOUNT)),
    )


async def test_accounts_that_are_not_configured_become_blind_spots_and_unseen_ones_stay_parts() -> None:
    port = port_with({ACCOUNTS: reply(200, [account_row(), account_row(OTHER_ACCOUNT)])})
    parts = value(await venue(accounts=(ACCOUNT, "unseen")).parts(port))
    assert [part.id for part in parts.parts] == [f"account:{ACCOUNT}", "account:unseen"]
    assert parts.blind_spots == (f"account:{OTHER_ACCOUNT}",)
    assert set(parts.accounts) == {ACCOUNT, OTHER_ACCOUNT, "unseen"}


async def test_configured_accounts_are_used_when_the_accounts_call_fails() -> None:
    port = port_with({ACCOUNTS: [reply(200, [account_row(), account_row(OTHER_ACCOUNT)]), reply(500)]})
    broker = venue(accounts=(ACCOUNT,))
    assert value(await broker.parts(port)).blind_spots == (f"account:{OTHER_ACCOUNT}",)
    again = value(await broker.parts(port))
    assert again.parts == (PART,)
    assert again.blind_spots == (f"account:{OTHER_ACCOUNT}",)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(500), Unanswered),
        (reply(403), Unauthorised),
        (reply(429), Throttled),
        (reply(404), Refused),
        (NotSent("no connection"), NotSent),
        (reply(200, b""), Unanswered),
        (reply(200, b"<html>"), Unanswered),
        (reply(200, None), Unanswered),
        (reply(200, {"accounts": []}), Unanswered),
        (reply(200, []), Unanswered),
        (reply(200, [{"accountName": "no id"}]), Unanswered),
        (reply(200, ["x"]), Unanswered),
    ],
)
async def test_without_configured_accounts_a_failure_is_a_failure(answer: Raw, kind: type) -> None:
    assert isinstance(await venue().parts(port_with({ACCOUNTS: answer})), kind)


async def test_an_account_without_an_id_is_a_blind_spot_and_the_others_are_still_listed() -> None:
    port = port_with({ACCOUNTS: reply(200, [{"accountName": "?"}, account_row()])})
    parts = value(await venue().parts(port))
    assert (parts.parts, parts.blind_spots) == ((PART,), ("account:?",))


async def test_paths_and_a_base_path_are_configurable() -> None:
    port = port_with({"DELETE /b2/v9/orders/X": reply(200, {"order": cancelled_order("X")})})
    broker = venue(base_url="https://broker.example/b2", paths={"orders": "/v9/orders"}, jwt_only="opaque")
    value(await broker.cancel(KEY._replace(order_id=OrderId("X")), port))


@given(st.binary(max_size=300), st.integers(200, 599))
def test_any_answer_becomes_an_outcome(body: bytes, status: int) -> None:
    async def ask() -> None:
        answer = Reply(status, {}, body)
        port = port_with({DELETE: answer, DELETE_STOP: answer, ACCOUNTS: answer})
        broker = venue(jwt_only="opaque")
        for outcome in (await broker.cancel(KEY, port), await broker.cancel(STOP_KEY, port)):
            assert not isinstance(outcome, Answered) or isinstance(outcome.value, CancelAck)
        await broker.parts(port)
        await broker.check(port)

    asyncio.run(ask())


# Health.


async def test_the_clock_is_measured_by_the_date_header() -> None:
    clock = ManualClock(1_760_000_000.0)
    port = port_with({ACCOUNTS: reply(200, [account_row()], date="Thu, 09 Oct 2025 08:53:25 GMT")}, clock)
    broker = venue(clock)
    assert broker.clock_offset is None
    assert value(await broker.measure_clock(port)) == pytest.approx(5.5)
    assert broker.clock_offset == pytest.approx(5.5)


@pytest.mark.parametrize(
    "answer", [reply(200, []), reply(200, [], date="soon"), reply(500), NotSent("no"), Unanswered("no")]
)
async def test_without_a_date_nothing_is_measured(answer: Raw) -> None:
    broker = venue()
    assert not isinstance(await broker.measure_clock(port_with({ACCOUNTS: answer})), Answered)
    assert broker.clock_offset is None


async def test_check_exchanges_and_reads_the_accounts() -> None:
    port = port_with({ACCOUNTS: reply(200, [account_row()])})
    told = value(await venue(accounts=(ACCOUNT, "unseen")).check(port))
    assert ACCOUNT in told
    assert "not seen: unseen" in told
    assert port.exchanges == 1
    refused = port_with({EXCHANGE: reply(401)})
    assert isinstance(await venue().check(refused), Unauthorised)


def test_an_access_token_tells_when_it_ends_and_one_that_renews_itself_does_not_end() -> None:
    broker = venue(jwt_only=jwt(START + 600))
    assert isinstance(broker, TellsExpiry)
    assert broker.credentials_expire_at == START + 600
    broker.clock_offset = -2.0
    assert broker.credentials_expire_at == START + 602
    assert venue(jwt_only="opaque").credentials_expire_at is None
    renewing = venue()
    renewing._tokens.current = Secret(jwt(START + 600))
    assert renewing.credentials_expire_at is None
