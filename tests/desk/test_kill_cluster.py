"""Kills over real loopback connections against every practice venue, on one manual clock."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from cancel_tui.cancels import Ending
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.kill import Kill
from cancel_tui.orders import Side, VenueName
from cancel_tui.practice.market import SimOrder
from cancel_tui.practice.venue import PracticeVenue
from cancel_tui.scope import Scope, fold
from tests.desk.drive import Stage, stage

EVERYTHING = Scope(raw={})


def scope(**values: str) -> Scope:
    raw = {name: [value] for name, value in values.items()}
    return Scope(
        venues=fold([values["venue"]] if "venue" in values else []),
        symbols=fold([values["symbol"]] if "symbol" in values else []),
        sides=frozenset({Side(values["side"])}) if "side" in values else frozenset(),
        raw=raw,
    )


def live(at: Stage, name: str | None = None) -> list[dict[str, str]]:
    """What is really live, waiting Stop orders of B2TRADER aside: they cannot be listed."""
    found = at.cluster.live()
    return [
        order
        for venue, orders in found.items()
        if name in (None, venue) and venue in at.desk.slots
        for order in orders
        if not (venue == "broker" and order["family"] == "stop")
    ]


async def fire(at: Stage, wanted: Scope, deadline: float = 300.0, hold: float = 0.0) -> Kill:
    kill = at.desk.plan_kill(wanted, deadline=deadline, hold=hold)
    await at.finish(at.desk.start(kill, {}))
    return kill


def seen(at: Stage, name: str, part: str) -> int:
    return sum(part in one for one in at.cluster.named(name).seen)


async def test_everything_is_killed_and_proven_on_all_five_kinds(tmp_path: Path) -> None:
    async with stage(tmp_path, 200) as at:
        before = {order["order_id"] for order in live(at)}
        kill = await fire(at, EVERYTHING)
        assert live(at) == []
        assert kill.verdict is Verdict.FLAT
        assert {track.key.order_id for track in kill.tracks()} == before
        assert {result.verdict for result in kill.results()} == {Verdict.FLAT}
        spots = {str(result.venue): result.blind_spots for result in kill.results()}
        assert "stop_orders" in spots["broker"]
        assert "older_than:91d" in spots["cs-fut"]


async def test_every_reported_end_and_fill_is_the_venues_own(tmp_path: Path) -> None:
    async with stage(tmp_path, 150) as at:
        kill = await fire(at, EVERYTHING)
        truth = {one["order_id"]: one for venue in at.cluster.venues for one in venue.endings()}
        words = {"cancelled": "canceled", "filled": "filled", "expired": "expired", "rejected": "rejected"}
        for track in kill.tracks():
            end = truth[track.key.order_id]
            if track.outcome is Ending.GONE:
                assert track.key.venue == "broker"
                continue
            assert track.outcome.value == words[end["state"]], track.key
            assert track.filled == Decimal(end["filled"]), track.key


async def test_books_larger_than_every_page_are_killed_whole(tmp_path: Path) -> None:
    async with stage(tmp_path, 1200) as at:
        sizes = {name: len(orders) for name, orders in at.cluster.live().items()}
        assert sizes["cs-spot"] > 25
        assert sizes["cs-fut"] > 50
        assert sizes["p99"] > 200
        kill = await fire(at, EVERYTHING, deadline=900.0)
        assert live(at) == []
        assert kill.verdict is Verdict.FLAT


async def test_a_futures_kill_by_the_cancel_all_meets_no_429(tmp_path: Path) -> None:
    async with stage(tmp_path, 400, only="cs-fut", alone=True) as at:
        kill = await fire(at, EVERYTHING)
        assert kill.verdict is Verdict.FLAT
        assert seen(at, "cs-fut", "cancel_all") >= 1
        assert at.cluster.named("cs-fut").throttled == 0
        assert kill.results()[0].throttled == 0


async def test_a_kill_by_side_goes_one_by_one_and_leaves_the_other_side(tmp_path: Path) -> None:
    async with stage(tmp_path, 100, only="cs-fut", alone=True) as at:
        other = [one for one in live(at, "cs-fut") if one["side"].lower() == "sell"]
        kill = await fire(at, scope(side="buy"), deadline=900.0)
        assert seen(at, "cs-fut", "cancel_all") == 0
        assert {one["order_id"] for one in live(at, "cs-fut")} == {one["order_id"] for one in other}
        assert kill.verdict is Verdict.FLAT
        assert at.cluster.named("cs-fut").throttled == 0


async def test_a_symbol_kill_uses_the_cancel_all_of_that_symbol_and_nothing_else(tmp_path: Path) -> None:
    async with stage(tmp_path, 100, only="p99", alone=True) as at:
        symbol = live(at, "p99")[0]["symbol"]
        other = {one["order_id"] for one in live(at, "p99") if one["symbol"] != symbol}
        kill = await fire(at, scope(symbol=symbol.lower()))
        assert {one["order_id"] for one in live(at, "p99")} == other
        assert kill.verdict is Verdict.FLAT


async def test_a_symbol_that_matches_nothing_is_no_flat(tmp_path: Path) -> None:
    async with stage(tmp_path, 40) as at:
        before = len(live(at))
        kill = await fire(at, scope(symbol="NO/SUCH"))
        assert kill.unmatched == ["NO/SUCH"]
        assert kill.verdict is Verdict.UNVERIFIED
        assert len(live(at)) == before


async def test_newcomers_are_cancelled_too_and_called_so(tmp_path: Path) -> None:
    async with stage(tmp_path, 100, only="cs-spot") as at:
        venue = at.cluster.named("cs-spot")
        kill = at.desk.plan_kill(EVERYTHING, deadline=300.0)
        task = at.desk.start(kill, {})
        await at.until(lambda: bool(kill.runs) and kill.runs[next(iter(kill.runs))].engine.passes >= 1)
        old = venue.book.live()[0]
        copy = venue.book.add(
            type(old)(
                id=venue.book.new_id(),
                symbol=old.symbol,
                side=old.side,
                type=old.type,
                price=old.price,
                quantity=old.quantity,
                created=at.clock.wall(),
                updated=at.clock.wall(),
                extra=dict(old.extra),
                tif=old.tif,
            )
        )
        await at.finish(task)
        found = {str(track.key.order_id): track for track in kill.tracks()}
        assert found[copy.id].newcomer
        assert found[copy.id].outcome is Ending.CANCELED
        assert kill.verdict is Verdict.FLAT


async def test_a_hold_takes_what_comes_after_flat(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="p99", alone=True) as at:
        venue = at.cluster.named("p99")
        kill = at.desk.plan_kill(EVERYTHING, deadline=60.0, hold=90.0)
        task = at.desk.start(kill, {})
        await at.until(lambda: bool(kill.runs) and kill.runs[next(iter(kill.runs))].engine.flat)
        old = next(iter(venue.book.orders.values()))
        late = type(old)(
            id=venue.book.new_id(),
            symbol=old.symbol,
            side=old.side,
            type="limit",
            price=Decimal("0.7"),
            quantity=Decimal("10"),
            created=at.clock.wall(),
            updated=at.clock.wall(),
        )
        venue.book.at(70.0, lambda: _place(venue, late))
        await at.finish(task)
        assert live(at) == []
        assert kill.verdict is Verdict.FLAT
        assert any(track.key.order_id == late.id and track.newcomer for track in kill.tracks())


async def test_fills_that_win_the_race_are_reported_as_fills(tmp_path: Path) -> None:
    async with stage(tmp_path, 80, faults=("fill_race",)) as at:
        kill = await fire(at, EVERYTHING)
        assert live(at) == []
        truth = {one["order_id"]: one for venue in at.cluster.venues for one in venue.endings()}
        filled = [track for track in kill.tracks() if track.outcome is Ending.FILLED]
        assert filled
        for track in filled:
            assert truth[track.key.order_id]["state"] == "filled"
            assert track.filled == Decimal(truth[track.key.order_id]["filled"])
        for track in kill.tracks():
            if truth[track.key.order_id]["state"] == "filled":
                assert track.outcome in (Ending.FILLED, Ending.GONE)


async def test_an_answer_lost_after_the_effect_is_read_back_never_guessed(tmp_path: Path) -> None:
    async with stage(tmp_path, 60, only="cs-spot", alone=True, faults=("effect_then_drop",)) as at:
        kill = await fire(at, EVERYTHING)
        assert live(at) == []
        assert kill.verdict is Verdict.FLAT
        assert {track.outcome for track in kill.tracks()} == {Ending.CANCELED}


async def test_a_dead_venue_delays_nobody_and_is_not_called_flat(tmp_path: Path) -> None:
    async with stage(tmp_path, 60) as at:
        await at.cluster.named("roxom").server.stop()
        kill = await fire(at, EVERYTHING, deadline=30.0)
        results = {str(result.venue): result for result in kill.results()}
        assert results["roxom"].verdict is Verdict.UNVERIFIED
        assert results["roxom"].error
        others = [name for name in results if name != "roxom"]
        assert {results[name].verdict for name in others} == {Verdict.FLAT}
        for name in others:
            engine = kill.runs[VenueName(name)].engine
            assert engine.first_flat_at is not None
            assert engine.first_flat_at - engine.started < 15.0
        assert kill.verdict is Verdict.UNVERIFIED


async def test_protective_orders_can_be_kept(tmp_path: Path) -> None:
    async with stage(tmp_path, 100, only="cs-fut", alone=True) as at:
        kept = {
            one.id
            for one in at.cluster.named("cs-fut").book.live()
            if one.type.lower() not in ("limit", "market")
        }
        assert kept
        await fire(at, Scope(keep_protective=True, raw={}), deadline=900.0)
        assert {one["order_id"] for one in live(at, "cs-fut")} == kept
        assert seen(at, "cs-fut", "cancel_all") == 0


async def test_one_order_is_cancelled_by_its_id_and_read_back(tmp_path: Path) -> None:
    async with stage(tmp_path, 60) as at:
        for slot in at.desk.slots.values():
            listing = at.desk.spawn(at.desk.list_venue(slot, Urgency.KILL, deep=False))
            await at.finish(listing)
            order = next(iter(slot.book.orders()))
            kill = at.desk.plan_kill(Scope(keys=frozenset({order.key}), raw={}), by_id=True, known=[order])
            others = {one["order_id"] for one in live(at)} - {order.key.order_id}
            await at.finish(at.desk.start(kill, {}))
            assert kill.verdict is Verdict.FLAT, slot.name
            assert {one["order_id"] for one in live(at)} == others
            [track] = kill.tracks()
            assert track.outcome in (Ending.CANCELED, Ending.FILLED, Ending.GONE)


def _place(venue: PracticeVenue, order: SimOrder) -> None:
    venue.book.add(order)
