"""The engine on evidence made by hand: what a venue's contradictions, refusals and silences may lead to."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import inf

from cancel_tui.desk.engine import (
    Action,
    Aim,
    Engine,
    ListOrders,
    ReadClosed,
    ReadOrder,
    SendCancel,
    SendNative,
    Verdict,
)
from cancel_tui.orders import (
    AccountId,
    Family,
    Order,
    OrderId,
    OrderKey,
    OrderStatus,
    OrderType,
    Side,
    VenueName,
    altered,
)
from cancel_tui.scope import Scope, fold
from cancel_tui.settings import Budget
from cancel_tui.text import VenueText
from cancel_tui.venues.base import (
    CallClass,
    CancelAck,
    CancelAllAck,
    Capabilities,
    ClosedPage,
    ClosedPlan,
    ClosedQuery,
    Part,
    PartList,
    Parts,
    Touched,
)
from cancel_tui.venues.outcome import (
    Answered,
    NotSent,
    Outcome,
    Reason,
    Refused,
    Throttled,
    Unanswered,
    Unauthorised,
)

VENUE = VenueName("v")
WALL = 1_790_000_000.0
PARTS = Parts((Part("newest"),))


def key(order_id: str, family: Family = Family.ORDER) -> OrderKey:
    account = AccountId("a") if family is Family.STOP else None
    return OrderKey(VENUE, account, family, OrderId(order_id))


def order(
    order_id: str,
    status: OrderStatus = OrderStatus.OPEN,
    *,
    symbol: str | None = "AAA",
    side: Side | None = Side.BUY,
    word: str | None = None,
    of: OrderKey | None = None,
) -> Order:
    return Order(
        key=of or key(order_id),
        symbol=None if symbol is None else VenueText(symbol),
        side=side,
        type=OrderType.LIMIT,
        quantity=Decimal(2),
        filled=Decimal(0),
        status=status,
        venue_status=None if word is None else VenueText(word),
        created_at=WALL - 60,
    )


def capable(
    *,
    native: bool = False,
    reads: bool = True,
    closed: int | None = None,
    budgets: dict[CallClass, Budget] | None = None,
) -> Capabilities:
    return Capabilities(
        cancel_all=native,
        cancel_all_symbol=native,
        read_order=reads,
        closed_page=closed,
        budgets=budgets or {},
    )


def engine(
    capabilities: Capabilities,
    scope: Scope | None = None,
    *,
    by_id: bool = False,
    deadline: float = inf,
) -> Engine:
    aim = Aim(scope or Scope(), 1.0, deadline, 0.0, by_id, 2.0)
    return Engine(VENUE, capabilities, aim, 0.0)


def kinds(actions: Sequence[Action]) -> list[type[Action]]:
    return [type(one) for one in actions]


def listed(it: Engine, at: float, *orders: Order, parts: Parts = PARTS, spots: tuple[str, ...] = ()) -> None:
    """A complete pass that begins at a moment and is answered a little later."""
    wanted = it.took_parts(parts)
    found: dict[str, tuple[float, Outcome[PartList]]] = {
        part.id: (at, Answered(PartList(orders if part is wanted[0] else (), blind_spots=spots)))
        for part in wanted
    }
    it.took_list(at, found, None, at + 0.05, WALL + at)


def sweep(it: Engine, at: float, *orders: Order) -> list[Action]:
    """Ask, and answer the list that is asked for; what else was asked for comes back."""
    actions = it.next(at)
    if ListOrders() in actions:
        listed(it, at, *orders)
    return [one for one in actions if one != ListOrders()]


def acknowledge(it: Engine, at: float, *orders: Order, symbol: str | None = None) -> None:
    it.took_native(symbol, Answered(CancelAllAck(orders=orders)), at, WALL + at)


# ------------------------------------------------------------------ an end that lists contradict


def test_an_end_that_a_later_list_contradicts_is_asked_about_and_the_order_cancelled_again() -> None:
    it = engine(capable(native=True))
    assert kinds(it.next(0.0)) == [SendNative, ListOrders]
    listed(it, 0.0, order("1"))
    acknowledge(it, 0.1, order("1", OrderStatus.CANCELED))
    assert ReadOrder(key("1")) not in sweep(it, 0.2, order("1")), "nothing contradicts it yet"
    asked = it.next(0.3)
    assert ReadOrder(key("1")) in asked
    it.took_read(key("1"), Answered(order("1")), 0.3, 0.4, WALL)
    assert it.verdict is Verdict.NOT_FLAT
    assert SendCancel(key("1")) in [one for at in (1.5, 2.5, 3.5) for one in sweep(it, at, order("1"))]


def test_an_order_that_reads_as_over_but_stays_in_the_lists_is_cancelled_again_all_the_same() -> None:
    it = engine(capable(native=True))
    it.next(0.0)
    listed(it, 0.0, order("1"))
    acknowledge(it, 0.1, order("1", OrderStatus.CANCELED))
    sent: list[Action] = []
    at = 0.2
    while at < 12 and SendCancel(key("1")) not in sent:
        for one in sweep(it, at, order("1")):
            sent.append(one)
            if isinstance(one, ReadOrder):
                over = order("1", OrderStatus.CANCELED)
                it.took_read(one.key, Answered(over), at, at + 0.05, WALL)
        at += 0.25
    assert SendCancel(key("1")) in sent


def test_a_ghost_is_cancelled_again_ever_more_rarely() -> None:
    """The lists show it for two minutes, the venue calls it over each time: no storm comes of that."""
    it = engine(capable(native=True))
    it.next(0.0)
    listed(it, 0.0, order("1"))
    acknowledge(it, 0.1, order("1", OrderStatus.CANCELED))
    cancels = 0
    asked = True
    at = 0.2
    over = order("1", OrderStatus.CANCELED)
    while at < 120:
        for one in sweep(it, at, order("1")):
            if isinstance(one, SendCancel):
                cancels += 1
                assert asked, "refused once, it is asked about before it is cancelled again"
                asked = False
                no = Refused(Reason.ORDER, VenueText("over"))
                it.took_cancel(one.key, no, at + 0.05, WALL + at)
            elif isinstance(one, ReadOrder):
                asked = True
                it.took_read(one.key, Answered(over), at, at + 0.05, WALL)
        at += 0.25
    assert 1 <= cancels <= 5
    assert it.ghosts == 1
    assert it.verdict is not Verdict.FLAT


def test_the_deadline_does_not_hide_why_a_cancel_had_to_wait() -> None:
    it = engine(capable())
    it.next(0.0)
    listed(it, 0.0, order("1"))
    assert SendCancel(key("1")) in it.next(0.1)
    it.took_cancel(key("1"), NotSent("connection refused"), 0.2, WALL)
    assert SendCancel(key("1")) in it.next(2.0)
    it.took_cancel(key("1"), NotSent("the deadline passed before its turn came", late=True), 3.0, WALL)
    assert it.tracks[key("1")].message == "not sent: connection refused"
    assert it.error == "not sent: connection refused"


# ------------------------------------------------------------------ named orders


def cancel_of(it: Engine, named: OrderKey, outcome: Outcome[CancelAck]) -> None:
    assert SendCancel(named) in it.next(0.0)
    it.took_cancel(named, outcome, 0.1, WALL)


def proven_by_lists(it: Engine, *, spots: tuple[str, ...] = ()) -> None:
    for at in (0.2, 1.3, 2.4):
        it.next(at)
        listed(it, at, spots=spots)
        it.next(at + 0.1)


def test_an_id_that_nobody_ever_saw_is_unknown_and_not_gone() -> None:
    named = key("1")
    it = engine(capable(reads=False), Scope(keys=frozenset({named})), by_id=True)
    cancel_of(it, named, Refused(Reason.NOT_FOUND, VenueText("no such order")))
    proven_by_lists(it)
    assert it.done(2.6), "two lists and the venue's word: there is nothing more to wait for"
    assert it.verdict is Verdict.UNVERIFIED
    assert it.tracks[named].outcome.value == "unknown"


def test_an_order_that_the_venue_took_is_gone_once_two_lists_lack_it() -> None:
    named = key("1")
    it = engine(capable(reads=False), Scope(keys=frozenset({named})), by_id=True)
    cancel_of(it, named, Answered(CancelAck(order("1"))))
    proven_by_lists(it)
    assert it.verdict is Verdict.FLAT
    assert it.tracks[named].outcome.value == "gone"


def test_a_stop_that_no_list_can_hold_is_not_gone_for_being_absent() -> None:
    named = key("1", Family.STOP)
    it = engine(capable(reads=False), Scope(keys=frozenset({named})), by_id=True)
    activated = order("1", OrderStatus.UNKNOWN, word="Activated", of=named)
    cancel_of(it, named, Answered(CancelAck(activated)))
    proven_by_lists(it, spots=("stop_orders",))
    assert it.done(2.6)
    assert it.verdict is Verdict.NOT_FLAT, "it triggered: what it placed is live"


def test_a_stop_whose_cancel_was_not_answered_is_asked_for_again() -> None:
    named = key("1", Family.STOP)
    it = engine(capable(reads=False), Scope(keys=frozenset({named})), by_id=True)
    cancel_of(it, named, Unanswered("timeout"))
    listed(it, 0.2, spots=("stop_orders",))
    assert SendCancel(named) in it.next(3.0)
    assert not it.done(3.0)


# ------------------------------------------------------------------ fields that cannot be read


def test_an_order_without_a_symbol_is_named_and_not_touched_although_the_scope_is_native() -> None:
    it = engine(capable(native=True), Scope(symbols=fold(["AAA"]), raw={"symbol": ["AAA"]}))
    assert SendNative("AAA") in sweep(it, 0.0)
    acknowledge(it, 0.1, symbol="AAA")
    actions = [one for at in (0.2, 1.3, 2.4) for one in sweep(it, at, order("1", symbol=None))]
    assert SendCancel(key("1")) not in actions
    assert key("1") in it.unreadable
    assert it.verdict is Verdict.UNVERIFIED


def test_where_only_what_may_not_be_touched_is_left_nobody_waits_for_the_deadline() -> None:
    it = engine(capable(), Scope(sides=frozenset({Side.BUY})), deadline=120.0)
    sweep(it, 0.0, order("1", side=None))
    assert not it.done(0.1)
    sweep(it, 0.6, order("1", side=None))
    assert not it.done(0.7), "the two lists must be as far apart as for a proof"
    for at in (1.6, 2.6, 3.6):
        sweep(it, at, order("1", side=None))
    assert it.done(3.7)
    assert it.verdict is Verdict.UNVERIFIED


# ------------------------------------------------------------------ cancel-all


def test_singles_do_not_wait_for_a_cancel_all_that_is_refused_for_good() -> None:
    it = engine(capable(native=True))
    sweep(it, 0.0)
    it.took_native(None, Unauthorised(VenueText("permission denied")), 0.1, WALL)
    actions = sweep(it, 0.2, order("1"))
    assert SendNative(None) not in actions
    assert SendCancel(key("1")) in it.next(0.3)


def test_singles_do_not_wait_out_a_long_throttling_of_the_cancel_all() -> None:
    it = engine(capable(native=True))
    sweep(it, 0.0)
    it.took_native(None, Throttled(retry_after=30.0), 0.1, WALL)
    sweep(it, 0.2, order("1"))
    assert SendCancel(key("1")) in it.next(0.3)


def test_one_cancel_all_is_enough_where_the_venue_understands_the_symbol_as_typed() -> None:
    it = engine(capable(native=True), Scope(symbols=fold(["aaa"]), raw={"symbol": ["aaa"]}))
    assert SendNative("aaa") in it.next(0.0)
    listed(it, 0.0, order("1"))
    acknowledge(it, 0.1, order("1", OrderStatus.PENDING_CANCEL), symbol="aaa")
    later = [one for at in (0.2, 1.0, 2.0) for one in sweep(it, at)]
    assert SendNative("AAA") not in later


def test_a_cancel_all_that_took_nothing_is_sent_again_in_the_venues_spelling() -> None:
    it = engine(capable(native=True), Scope(symbols=fold(["aaa"]), raw={"symbol": ["aaa"]}))
    it.next(0.0)
    listed(it, 0.0, order("1"))
    acknowledge(it, 0.1, symbol="aaa")
    assert SendNative("AAA") in it.next(0.2)


# ------------------------------------------------------------------ words that mean two things


def one_window(touched: Sequence[Touched]) -> ClosedPlan:
    return ClosedPlan((ClosedQuery(),), frozenset(one.key for one in touched))


def partly(status: OrderStatus) -> Order:
    return altered(order("1", status), filled=Decimal("0.5"))


def read_as_partly_executed(it: Engine) -> ReadClosed:
    """The order was cancelled after a part fill, and is read back with the word that live ones have too."""
    named = key("1")
    cancel_of(it, named, Answered(CancelAck(order("1", OrderStatus.PENDING_CANCEL))))
    assert ReadOrder(named) in it.next(0.5)
    it.took_read(named, Answered(partly(OrderStatus.PARTIALLY_FILLED)), 0.5, 0.6, WALL)
    found = [one for one in it.next(0.7) if isinstance(one, ReadClosed)]
    assert found, "finished orders are looked at before it counts as live"
    return found[0]


def test_a_part_fill_that_was_cancelled_is_an_end_where_the_finished_orders_say_so() -> None:
    it = engine(capable(closed=50), Scope(keys=frozenset({key("1")})), by_id=True)
    it.closed_planner = one_window
    look = read_as_partly_executed(it)
    rows = (partly(OrderStatus.CANCELED),)
    it.took_closed(look, Answered(ClosedPage(rows)), rows, frozenset(), 0.8, WALL)
    assert it.next(0.9) == []
    assert it.verdict is Verdict.FLAT
    assert it.tracks[key("1")].filled == Decimal("0.5")


def test_a_part_fill_that_no_finished_order_tells_of_is_live_and_cancelled_again() -> None:
    it = engine(capable(closed=50), Scope(keys=frozenset({key("1")})), by_id=True)
    it.closed_planner = one_window
    look = read_as_partly_executed(it)
    it.took_closed(look, Answered(ClosedPage(())), (), frozenset(), 0.8, WALL)
    assert ReadOrder(key("1")) in it.next(2.0)
    it.took_read(key("1"), Answered(partly(OrderStatus.PARTIALLY_FILLED)), 2.0, 2.1, WALL)
    assert SendCancel(key("1")) in it.next(10.0)


# ------------------------------------------------------------------ budgets


def test_a_refused_key_is_tried_with_one_part_of_the_list_only() -> None:
    many = Parts((Part("newest"), Part("past:1", past=True), Part("past:2", past=True)))
    it = engine(capable())
    assert len(it.took_parts(many)) == 3
    it.took_list(0.0, {"newest": (0.0, Unauthorised(VenueText("no")))}, None, 0.1, WALL)
    assert [part.id for part in it.took_parts(many)] == ["newest"]


def test_ends_are_looked_up_in_closed_pages_once_the_status_budget_is_spent() -> None:
    budgets = {CallClass.STATUS: Budget(3, 60)}
    it = engine(capable(closed=50, budgets=budgets))

    def plan(touched: Sequence[Touched]) -> ClosedPlan:
        # As many pages as orders: by number of calls alone, reading each is as cheap.
        return ClosedPlan(tuple(ClosedQuery() for _ in touched), frozenset(one.key for one in touched))

    it.closed_planner = plan
    ids = [str(number) for number in range(6)]
    sweep(it, 0.0, *(order(one) for one in ids))
    for one in it.next(0.1):
        if isinstance(one, SendCancel):
            pending = order(one.key.order_id, OrderStatus.PENDING_CANCEL)
            it.took_cancel(one.key, Answered(CancelAck(pending)), 0.2, WALL)
    assert ReadClosed in kinds(it.next(1.0))


def test_an_incomplete_list_forgets_no_order_that_could_not_be_read() -> None:
    engine = Engine(VENUE, Capabilities(), Aim(Scope(sides=frozenset({Side.BUY}), raw={})), 0.0)
    blurred = Order(key=OrderKey(VENUE, None, Family.ORDER, OrderId("x")), status=OrderStatus.OPEN)
    for number, (rows, complete) in enumerate([((blurred,), True), ((), False)]):
        engine.took_parts(Parts((Part("orders"),)))
        found = {"orders": (float(number), Answered(PartList(rows, complete=complete, note="page 2")))}
        engine.took_list(float(number), found, None, number + 0.1, 0.0)
    assert set(engine.unreadable) == {blurred.key}
    assert not engine.flat


def test_a_cancel_is_dated_by_its_sending_and_not_by_its_answer() -> None:
    wanted = key("x")
    engine = Engine(VENUE, Capabilities(read_order=True), Aim(Scope(keys=frozenset({wanted}), raw={})), 0.0)
    assert SendCancel(wanted) in engine.next(1.0)
    engine.took_cancel(wanted, Answered(CancelAck()), 4.5, WALL + 4.5)
    assert engine.tracks[wanted].requested_wall == WALL + 1.0
    assert engine.tracks[wanted].acknowledged_wall == WALL + 4.5
