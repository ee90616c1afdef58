"""What a kill reports beside its verdict: what filled while it ran, and what it skipped and why."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from cancel_tui.cancels import Ending
from cancel_tui.console.board_lines import report as board_report
from cancel_tui.console.board_lines import verdict as board_verdict
from cancel_tui.desk.engine import Verdict
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.report import kill_json, verdict_line
from cancel_tui.desk.toll import KEPT, fills, fills_words
from cancel_tui.desk.track import Track
from cancel_tui.orders import Family, Order, OrderId, OrderKey, OrderStatus, OrderType, Side, VenueName
from cancel_tui.scope import Scope
from cancel_tui.text import VenueText
from tests.desk.drive import stage

V = VenueName("v")


def order(number: int, filled: str | None, status: OrderStatus, symbol: str = "A/USD") -> Order:
    return Order(
        key=OrderKey(V, None, Family.ORDER, OrderId(str(number))),
        symbol=VenueText(symbol),
        side=Side.SELL if number % 2 else Side.BUY,
        quantity=Decimal(5),
        filled=None if filled is None else Decimal(filled),
        status=status,
    )


def ended(number: int, before: str | None, after: str, status: OrderStatus, symbol: str = "A/USD") -> Track:
    track = Track(OrderKey(V, None, Family.ORDER, OrderId(str(number))))
    if before is not None:
        track.see(order(number, before, OrderStatus.OPEN, symbol), 1.0, 1.0)
    track.end(order(number, after, status, symbol), 2.0, 2.0)
    return track


def test_what_filled_during_the_kill_is_summed_by_market_and_side_and_never_across() -> None:
    tracks = [
        ended(1, "0.5", "5", OrderStatus.FILLED),
        ended(3, "0", "0.25", OrderStatus.CANCELED),
        ended(2, "0", "1", OrderStatus.CANCELED),
        ended(5, "0", "2", OrderStatus.FILLED, "B/USD"),
        ended(7, "1.5", "1.5", OrderStatus.CANCELED),
    ]
    found = {(str(one.symbol), one.side): (one.orders, one.quantity, one.unknown) for one in fills(tracks)}
    assert found == {
        ("A/USD", "sell"): (2, Decimal("4.75"), 0),
        ("A/USD", "buy"): (1, Decimal(1), 0),
        ("B/USD", "sell"): (1, Decimal(2), 0),
    }


def test_a_fill_without_an_earlier_reading_is_counted_and_its_quantity_not_guessed() -> None:
    [one] = fills([ended(1, None, "5", OrderStatus.FILLED), ended(3, "1", "2", OrderStatus.CANCELED)])
    assert (one.orders, one.quantity, one.unknown) == (2, Decimal(1), 1)
    assert fills_words([one]) == ["v sell 1 and 1 whole A/USD (2)"]
    assert fills([ended(1, None, "2", OrderStatus.CANCELED)]) == []


async def test_the_sum_that_filled_during_the_kill_stands_in_the_result(tmp_path: Path) -> None:
    async with stage(tmp_path, 40, only="p99", faults=("fill_race%50",)) as at:
        slot = at.desk.slots[VenueName("p99")]
        await at.finish(at.desk.spawn(at.desk.list_venue(slot, Urgency.KILL, deep=False)))
        before = {one.key.order_id: one.filled or Decimal(0) for one in slot.book.orders()}
        kill = at.desk.plan_kill(Scope(sides=frozenset(Side), raw={}, older_than=at.clock.wall() + 60))
        await at.finish(at.desk.start(kill, {}))
        truth = {one["order_id"]: Decimal(one["filled"]) for one in at.cluster.named("p99").endings()}
        grown = {key: truth[key] - before[key] for key in before if truth[key] > before[key]}
        assert grown, "no fill won its race"
        told = kill_json(kill)
        assert sum(Decimal(one["quantity"]) for one in told["filled_during_kill"]) == sum(grown.values())
        assert sum(one["orders"] for one in told["filled_during_kill"]) == len(grown)
        each = {one["order_id"]: Decimal(one["filled_during_kill"]) for one in told["orders"]}
        assert {key: value for key, value in each.items() if value} == grown
        assert "filled meanwhile: p99 " in board_report(kill)


async def test_orders_that_are_left_alone_are_listed_with_the_reason(tmp_path: Path) -> None:
    async with stage(tmp_path, 100, only="roxom", alone=True) as at:
        kill = at.desk.plan_kill(Scope(keep_protective=True, raw={}), deadline=300.0)
        await at.finish(at.desk.start(kill, {}))
        assert kill.verdict is Verdict.FLAT
        live = {one["order_id"] for one in at.cluster.live()["roxom"]}
        assert live
        told = kill_json(kill)["venues"][0]["kept"]
        assert {one["order_id"] for one in told} == live
        assert {one["reason"] for one in told} == {KEPT}
        words = f"{len(live)} stop or take-profit order"
        assert words in verdict_line(kill)
        assert words in board_verdict(kill, 1.0).plain


async def test_of_chosen_orders_the_protective_ones_are_not_touched_when_they_are_kept(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, 100, only="roxom", alone=True) as at:
        slot = at.desk.slots[VenueName("roxom")]
        await at.finish(at.desk.spawn(at.desk.list_venue(slot, Urgency.KILL, deep=True)))
        orders = [one for one in slot.book.orders() if one.type is not OrderType.UNKNOWN]
        stops = {one.key.order_id for one in orders if one.type.protective}
        assert 0 < len(stops) < len(orders)
        chosen = frozenset(one.key for one in orders)
        scope = Scope(keys=chosen, keep_protective=True, raw={})
        kill = at.desk.plan_kill(scope, deadline=300.0, known=orders)
        await at.finish(at.desk.start(kill, {}))
        assert kill.verdict is Verdict.FLAT
        assert {track.key.order_id for track in kill.tracks()} == {one.order_id for one in chosen} - stops
        assert stops <= {one["order_id"] for one in at.cluster.live()["roxom"]}
        assert {track.outcome for track in kill.tracks()} <= {Ending.CANCELED, Ending.FILLED}
