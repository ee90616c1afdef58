"""A command that waits for a budget says so on standard error, and for how long."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from pathlib import Path

import pytest

from cancel_tui.cli.cancel import _cancel
from cancel_tui.cli.kill import _kill
from cancel_tui.cli.orders import _orders
from cancel_tui.cli.waiting import words
from cancel_tui.desk.gate import Urgency, Wait
from cancel_tui.orders import Side, VenueName
from cancel_tui.scope import Scope
from cancel_tui.venues.base import CallClass
from tests.desk.drive import Stage, stage

FUT = VenueName("cs-fut")


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [one for one in capsys.readouterr().err.splitlines() if ", next " in one]


async def used_up(at: Stage) -> None:
    """Spend the budget of lists."""
    work = at.desk.list_venue(at.desk.slots[FUT], Urgency.KILL, deep=False)
    await at.finish(at.desk.spawn(work))


async def test_orders_says_that_it_waits_for_lists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = 'limits.list = "1/40"\nlookback_days = 7\n'
    async with stage(tmp_path, 10, only="cs-fut", alone=True, extra=extra) as at:
        await used_up(at)
        work = _orders(Namespace(json=True), at.desk, Scope(raw={}))
        await at.finish(asyncio.create_task(work))
        first, *others = told(capsys)
        assert first.startswith("cs-fut: list budget used up, next read in 3")
        assert len(others) < 8, "the same is not said every half second"


async def test_a_kill_says_that_it_waits_for_cancels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with stage(tmp_path, 40, only="p99", alone=True, extra='limits.cancel = "1/20"\n') as at:
        scope = Scope(sides=frozenset({Side.BUY}), raw={"side": ["buy"]})
        kill = at.desk.plan_kill(scope, deadline=30.0)
        work = _kill(Namespace(json=True), at.desk, kill, told=True)
        await at.finish(asyncio.create_task(work))
        assert told(capsys)[0].startswith("p99: cancel budget used up, next cancel in 1")


async def test_a_cancel_says_that_it_waits_for_the_list_that_finds_the_account(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with stage(tmp_path, 10, only="broker", alone=True, extra='limits.list = "1/30"\n') as at:
        slot = at.desk.slots[VenueName("broker")]
        given = Namespace(order_id=["nobody"], account=None, deadline=20.0, json=True)
        await at.finish(asyncio.create_task(_cancel(given, at.desk, slot, True)))
        assert told(capsys)[0].startswith("broker: list budget used up, next read in ")


async def test_who_does_not_wait_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with stage(tmp_path, 10, only="p99", alone=True) as at:
        await at.finish(asyncio.create_task(_orders(Namespace(json=True), at.desk, Scope(raw={}))))
        assert told(capsys) == []


@pytest.mark.parametrize(
    ("wait", "said"),
    [
        (Wait(CallClass.LIST, 2.0, 41.4, False), "list budget used up, next read in 41 s"),
        (Wait(CallClass.CANCEL_ALL, 2.0, 7.0, True), "the venue has asked to wait, next cancel-all in 7 s"),
        (
            Wait(CallClass.STATUS, 2.0, float("inf"), False),
            "status budget used up, next read-back once an answer has come",
        ),
    ],
)
def test_a_wait_in_words(wait: Wait, said: str) -> None:
    assert words(wait) == said
