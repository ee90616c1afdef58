"""Faults that every practice venue has: how they are written, whom they hit, what they do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from cancel_tui.cli.main import run
from cancel_tui.clock import ManualClock
from cancel_tui.practice.catalogue import SERVER, SHARED, FaultError, known, overview, sort_out
from cancel_tui.practice.cluster import KINDS, Cluster
from cancel_tui.practice.http import Answer, Request, Response
from cancel_tui.practice.market import Book, SimOrder, State
from cancel_tui.practice.mischief import EFFECT, WIRE, Faults, strikes
from cancel_tui.practice.shown import LAG, LONG_LAG, Shown, chosen
from cancel_tui.practice.venue import OUTAGE, RESTART, SKEW, SLOW, Plan, PracticeVenue


def order(book: Book, number: int, state: State = State.RESTING) -> SimOrder:
    wall = book.clock.wall()
    return SimOrder(
        f"order-{number}", "BTC/INR", "buy", "limit", Decimal(5), Decimal("2.0"), wall, wall, state=state
    )


class Bare(PracticeVenue):
    """The least that a practice venue can be: it lists ids and cancels what it is told to."""

    kind = name = "bare"

    @property
    def base_url(self) -> str:
        return self.server.origin

    def credentials(self) -> Mapping[str, str]:
        return {}

    def populate(self) -> None:
        for number in range(self.plan.orders):
            self.book.add(replace(order(self.book, number), created=0.0))

    def newcomer(self) -> SimOrder:
        return order(self.book, len(self.book.orders))

    def route_name(self, request: Request) -> str:
        return request.path.split("/")[1]

    async def answer(self, request: Request) -> Answer:
        if self.route_name(request) == "cancel":
            self.book.cancel(self.book.orders[request.path.rpartition("/")[2]], 0)
            return Response.of("")
        rows = self.shown.told(self.shown.orders())
        return Response.of([one.id for one in rows])


class Ground:
    def __init__(self, venue: Bare, clock: ManualClock, client: httpx.AsyncClient) -> None:
        self.venue = venue
        self.clock = clock
        self._client = client

    async def get(self, path: str) -> httpx.Response:
        return await self._client.get(self.venue.base_url + path)

    async def listed(self) -> set[str]:
        return set((await self.get("/list")).json())

    async def advance(self, seconds: float) -> None:
        """Let time pass once somebody waits for it, and let whoever woke up act."""
        await self.asleep()
        self.clock.advance(seconds)
        await asyncio.sleep(0.01)

    async def asleep(self) -> None:
        """Until somebody waits for time to pass."""
        for _ in range(5000):
            if self.clock.next_wake is not None:
                return
            await asyncio.sleep(0.001)
        raise AssertionError("nobody waits for time to pass")


@asynccontextmanager
async def bare(*faults: str, orders: int = 30) -> AsyncIterator[Ground]:
    clock = ManualClock()
    venue = Bare(clock, Plan(orders=orders, faults=faults))
    await venue.start()
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            yield Ground(venue, clock, client)
    finally:
        await venue.stop()


# ---------------------------------------------------------------- how they are written


def test_a_percentage_strikes_by_the_seed_and_about_so_often() -> None:
    def draw(seed: int) -> list[bool]:
        faults = Faults(["hang%20"], seed)
        return [strikes(faults, "hang", "list") for _ in range(500)]

    assert draw(7) == draw(7)
    assert draw(7) != draw(8)
    assert 60 < sum(draw(7)) < 140


def test_a_count_counts_hits_only_and_keeps_its_percentage() -> None:
    faults = Faults(["hang@list*2%50"], 3)
    found = [strikes(faults, "hang", "list") for _ in range(60)]
    assert sum(found) == 2
    assert faults == set()
    assert faults.hits["hang"] == 2
    assert not strikes(Faults(["hang@list"]), "hang", "cancel")


def test_a_fault_can_be_limited_to_one_venue() -> None:
    found = sort_out(["p99:hang@list", "drop%10", "cancel_all_noop", "once:slow"], KINDS)
    assert found["p99"] == ("hang@list", "drop%10", "cancel_all_noop", "once:slow")
    assert found["cs-spot"] == ("drop%10", "once:slow")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("hanged", "known are"),
        ("cs-spot:cancel_all_noop", "no such fault"),
        ("nowhere:hang", "no such venue; known are cs-spot, cs-fut"),
        ("hang@cancels", "no such route; known are"),
        ("hang%200", "write"),
        ("hang*0", "write"),
    ],
)
def test_a_fault_that_nobody_can_mean_is_an_error_that_says_what_is_known(entry: str, said: str) -> None:
    with pytest.raises(FaultError, match=said):
        Cluster(5, faults=(entry,))


def test_every_fault_has_a_sentence_and_stands_in_the_overview() -> None:
    told = overview(KINDS)
    for kind in KINDS:
        assert kind.shared_faults <= set(SHARED)
        for name, sentence in known(kind).items():
            assert sentence
            assert name.startswith(EFFECT) or f"  {name} " in told, name
    assert all(any(name in kind.shared_faults for kind in KINDS) for name in SHARED)
    assert {*WIRE, *SERVER} <= set(known(KINDS[0]))


# ---------------------------------------------------------------- the server


async def test_refused_connections_are_refused_for_a_while_on_the_same_port() -> None:
    async with bare("refuse*1") as at:
        port = at.venue.server.port
        with pytest.raises(httpx.TransportError):
            await at.get("/list")
        await at.asleep()
        with pytest.raises(httpx.ConnectError):
            await at.get("/list")
        held = at.venue.server._held
        assert held is not None
        assert held.getsockname()[1] == port, "nobody else gets the port meanwhile"
        await at.advance(OUTAGE)
        assert len(await at.listed()) == 30
        assert at.venue.server.port == port
        accepted = next(iter(at.venue.server._writers)).get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), "small answers do not wait"


async def test_a_venue_may_stop_while_it_refuses_connections() -> None:
    async with bare("refuse") as at:
        with pytest.raises(httpx.TransportError):
            await at.get("/list")


async def test_a_restart_brings_a_third_of_the_latest_cancels_back() -> None:
    async with bare() as at:
        every = await at.listed()
        for one in every:
            await at.get(f"/cancel/{one}")
        assert await at.listed() == set()
        at.venue.faults |= {"restart*1"}
        with pytest.raises(httpx.TransportError):
            await at.get("/list")
        await at.advance(RESTART)
        back = await at.listed()
        assert back == {one.id for one in at.venue.book.orders.values() if chosen(one)}
        assert 0 < len(back) < len(every)


async def test_a_slow_answer_has_had_its_effect_and_a_slow_effect_comes_late() -> None:
    async with bare("slow*1") as at:
        task = asyncio.create_task(at.get("/cancel/order-1"))
        await at.asleep()
        assert not at.venue.book.orders["order-1"].state.live
        assert not task.done()
        await at.advance(SLOW)
        assert (await task).status_code == 200
        at.venue.faults |= {"slow_effect*1"}
        task = asyncio.create_task(at.get("/cancel/order-2"))
        await at.asleep()
        assert "order-2" in {one.id for one in at.venue.book.live()}
        await at.advance(SLOW)
        assert (await task).status_code == 200
        assert "order-2" not in {one.id for one in at.venue.book.live()}


async def test_newcomers_come_while_others_are_cancelled() -> None:
    async with bare("newcomers") as at:
        for number in range(30):
            await at.get(f"/cancel/order-{number}")
        at.clock.advance(1)
        found = await at.listed()
        assert 3 < len(found) < 20
        assert all(int(one.partition("-")[2]) >= 30 for one in found)


async def test_credentials_expire_from_the_hit_on() -> None:
    async with bare("expires@cancel*1") as at:
        await at.listed()
        assert not at.venue.expired
        await at.get("/cancel/order-1")
        assert at.venue.expired


async def test_the_servers_clock_can_be_off_either_way() -> None:
    async with bare("skew") as at:
        assert at.venue.wall() == at.clock.wall() + SKEW
        at.venue.faults.clear()
        assert at.venue.wall() == at.clock.wall()
        at.venue.faults.add("skew_back")
        assert at.venue.wall() == at.clock.wall() - SKEW


def test_a_first_cancel_is_refused_once_for_each_order() -> None:
    venue = Bare(ManualClock(), Plan(faults=("refuse_first",)))
    first, second = order(venue.book, 1), order(venue.book, 2)
    assert [venue.puts_off(one) for one in (first, second, first, second)] == [True, True, False, False]


def test_a_race_fills_all_or_half() -> None:
    venue = Bare(ManualClock(), Plan(faults=("once:fill_race", "part_fill_race")))
    one = order(venue.book, 1)
    assert venue.raced(one, "cancel") == Decimal("2.0")
    assert venue.raced(one, "cancel") == Decimal("1.0")
    venue.faults.clear()
    assert venue.raced(one, "cancel") is None


def test_a_cancel_all_can_do_nothing_leave_some_out_or_stop_half_way() -> None:
    venue = Bare(ManualClock(), Plan(faults=("once:cancel_all_noop",)))
    doomed = [order(venue.book, number) for number in range(30)]
    assert venue.reached(doomed) == ([], False)
    assert venue.reached(doomed) == (doomed, False)
    venue.faults |= {"once:cancel_all_skips"}
    assert venue.reached(doomed) == ([one for one in doomed if not chosen(one)], False)
    venue.faults |= {"cancel_all_half"}
    assert venue.reached(doomed) == (doomed[:15], True)


# ---------------------------------------------------------------- what lists show


def view(*faults: str) -> tuple[Shown, Book, ManualClock, list[str]]:
    clock = ManualClock()
    book, moved = Book(clock, 7), []
    names = set(faults)
    shown = Shown(book, lambda: names, lambda: moved.append("moved"))
    for number in range(30):
        book.add(replace(order(book, number), created=clock.wall() - 60))
    return shown, book, clock, moved


def listed(shown: Shown) -> set[str]:
    return {one.id for one in shown.told(shown.orders())}


@pytest.mark.parametrize(("fault", "seconds"), [("list_hides", LAG), ("list_hides_long", LONG_LAG)])
def test_orders_vanish_for_a_while_and_again_only_after_they_were_shown(fault: str, seconds: float) -> None:
    shown, book, clock, _ = view(fault)
    every = {one.id for one in book.live()}
    seen = {one.id for one in book.live() if not chosen(one)}
    assert 0 < len(seen) < len(every)
    assert listed(shown) == seen
    clock.advance(seconds - 0.01)
    assert listed(shown) == seen
    clock.advance(100)
    assert {one.id for one in shown.orders()} == every, "shown to nobody yet"
    assert listed(shown) == every
    clock.advance(100)
    assert listed(shown) == seen


def test_ghosts_stay_for_good_and_only_those_that_ended_here() -> None:
    shown, book, clock, _ = view("list_ghost")
    book.add(order(book, 77, State.FILLED))
    before = [one for one in book.live() if chosen(one)]
    for one in book.live():
        book.change(one, State.CANCELLED)
    clock.advance(1000)
    assert {one.id for one in shown.orders()} == {one.id for one in before}
    assert all(one.state is State.RESTING for one in shown.orders())
    assert book.live() == []


def test_an_order_that_came_back_is_no_ghost() -> None:
    shown, book, _, _ = view("list_ghost")
    order = next(one for one in book.live() if chosen(one))
    book.change(order, State.CANCELLED)
    book.change(order, State.RESTING)
    assert [one.id for one in shown.orders()].count(order.id) == 1


def test_a_list_that_lags_is_late_in_both_directions() -> None:
    shown, book, clock, _ = view("list_lag")
    book.add(order(book, 99))
    gone = book.orders["order-1"]
    book.change(gone, State.CANCELLED)
    assert "order-99" not in listed(shown)
    assert "order-1" in listed(shown)
    clock.advance(LAG + 0.01)
    assert "order-99" in listed(shown)
    assert "order-1" not in listed(shown)


def test_a_list_moves_on_after_each_page() -> None:
    shown, _, _, moved = view("list_shifts*1")
    listed(shown)
    listed(shown)
    assert moved == ["moved"]


async def test_a_page_that_shifts_fills_one_order_and_shows_another() -> None:
    async with bare("list_shifts") as at:
        first = await at.listed()
        second = await at.listed()
        assert len(first - second) == 1
        assert len(second - first) == 1


# ---------------------------------------------------------------- the command line


@pytest.mark.parametrize("command", ["demo", "practice"])
@pytest.mark.parametrize("word", ["list", "help"])
def test_the_faults_are_listed_on_request(
    command: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "--faults", word]) == 0
    told = capsys.readouterr().out
    assert EFFECT in told
    assert "  list_hides_long " in told


@pytest.mark.parametrize("fault", ["hang,hangs", "cs-spot:cancel_all_noop", "hang@nowhere"])
def test_a_misspelt_fault_is_a_usage_error(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.toml"
    assert run(["practice", "--faults", fault, "--write-config", str(file)]) == 2
    assert "known are" in capsys.readouterr().err
    assert not file.exists()
