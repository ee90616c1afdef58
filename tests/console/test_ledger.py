"""The ledger and the rows take only what has changed, and end where a look at everything would end."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from cancel_tui.console.ledger import LAG, Ledger
from cancel_tui.console.recent import NOT_LISTED
from cancel_tui.console.rows import AT_ONCE, KEEP_ENDED, MANY, RowSource
from cancel_tui.desk.book import KEEP_UNSEEN
from cancel_tui.desk.slot import Slot, VenueState
from cancel_tui.orders import Order, OrderKey, OrderStatus, VenueName, altered
from cancel_tui.venues.base import CancelAck, CancelAllAck
from cancel_tui.venues.outcome import Answered, Failure, Reason, Refused, Unanswered
from tests.benchmarks.bench_looks import Bench, open_order

FAILURES: tuple[Failure, ...] = (Unanswered("timeout"), Refused(Reason.ORDER), Refused(Reason.HALTED))
Shown = dict[OrderKey, tuple[Order, object, object, object]]


class Watched(Bench):
    """The same, and what a grid would show that was told every change."""

    def __init__(self, orders: int, seed: int) -> None:
        super().__init__(orders)
        self.random = random.Random(seed)
        self.shown: Shown = {}

    def take(self) -> None:
        """One look."""
        self.ledger.refresh()
        self.shown = told(self.rows, self.shown)

    def afresh(self) -> tuple[Ledger, Shown]:
        """What somebody sees who looks for the first time."""
        ledger = Ledger(self.desk)
        ledger.refresh()
        return ledger, told(RowSource(ledger), {})

    def do(self) -> None:
        """Something happens."""
        slot = self.desk.slots[VenueName(self.random.choice(list(self.desk.slots)))]
        choice = self.random.randrange(8)
        if choice == 0 or (choice == 1 and self.kill is None):
            self.relive(slot)
            self.list_one(slot, self.clock.monotonic())
        elif choice == 1:
            self.relist(slot.name)
        elif choice == 2:
            slot.book.forget_unseen(self.clock.monotonic())
        elif choice == 3:
            slot.state = self.random.choice([VenueState.LIVE, VenueState.DOWN])
            slot.listed_at = self.clock.monotonic() - self.random.choice([0.0, 100.0])
        elif choice == 4 and (self.kill is None or self.random.random() < 0.1):
            self.waiting = []
            self.begin()
        elif choice == 5:
            self.clock.advance(self.random.choice([0.1, 1.0, LAG, KEEP_ENDED]))
        elif self.kill is not None:
            self.come_back()

    def relive(self, slot: Slot) -> None:
        """Orders come, go and fill."""
        orders = self.orders[slot.name]
        if orders and self.random.random() < 0.5:
            orders.pop(self.random.randrange(len(orders)))
        if self.random.random() < 0.5:
            orders.append(open_order(slot.name, self.random.randrange(1_000, 2_000)))
        if orders:
            at = self.random.randrange(len(orders))
            orders[at] = altered(orders[at], filled=Decimal(self.random.randrange(9)) / 100)

    def come_back(self) -> None:
        """A cancel, a read-back or a cancel-all comes back."""
        assert self.kill is not None
        kill = self.random.choice(self.desk.kills)
        engines = [run.engine for run in kill.runs.values() if run.engine.tracks]
        engine = self.random.choice(engines)
        track = self.random.choice(list(engine.tracks.values()))
        now, wall = self.clock.monotonic(), self.clock.wall()
        words = [OrderStatus.CANCELED, OrderStatus.FILLED, OrderStatus.PENDING_CANCEL, OrderStatus.OPEN]
        described = altered(track.order or open_order(engine.venue, 1), status=self.random.choice(words))
        how = self.random.randrange(4)
        if how == 0:
            engine.took_cancel(track.key, self.random.choice(FAILURES), now, wall)
        elif how == 1:
            engine.took_cancel(track.key, Answered(CancelAck(described)), now, wall)
        elif how == 2:
            engine.took_read(track.key, Answered(described), now, now, wall)
        elif engine._natives:
            engine.took_native(None, Answered(CancelAllAck(orders=(described,))), now, wall)
        for one in engine.next(now):
            assert one is not None
        kill.revision += 1


def told(rows: RowSource, shown: Shown) -> Shown:
    """What is shown after the next changes."""
    changed, gone = rows.changes()
    kept = {key: value for key, value in shown.items() if key not in gone}
    assert len(kept) == len(shown) - len(gone), "only what was shown can leave"
    return kept | {
        row.key: (row.order, row.stage, row.shown_badge.word, round(row.shown_badge.since or 0.0, 6))
        for row in changed
    }


def in_pieces(watched: Watched, most: int) -> None:
    """A look at a few orders at a time, while the desk goes on and others take what there is."""
    watched.ledger.refresh()
    for _ in range(20):
        if not watched.rows.look(most):
            break
        watched.do()
        if watched.random.random() < 0.3:
            watched.ledger.refresh()
        if watched.random.random() < 0.1:
            watched.shown = taken(watched)
    watched.shown = taken(watched)


def counted(ledger: Ledger, name: VenueName) -> tuple[object, ...]:
    """A venue's count, however often it has changed."""
    count = ledger.venue(name)
    return count.live, count.ended, count.returned, count.buys, count.sells


def taken(watched: Watched) -> Shown:
    """What is shown after what was looked at is taken: a row may leave that nobody has seen."""
    changed, gone = watched.rows.take()
    kept = {key: value for key, value in watched.shown.items() if key not in gone}
    return kept | {
        row.key: (row.order, row.stage, row.shown_badge.word, round(row.shown_badge.since or 0.0, 6))
        for row in changed
    }


@pytest.mark.parametrize("seed", range(20))
def test_looks_in_pieces_end_where_a_look_at_everything_would_end(seed: int) -> None:
    watched = Watched(60, seed)
    for _ in range(40):
        watched.do()
        in_pieces(watched, 1 + seed % 7)
    watched.take()
    _, afresh = watched.afresh()
    assert watched.shown == afresh


@pytest.mark.parametrize(
    ("orders", "pieces"), [(AT_ONCE - 1, 1), (AT_ONCE + 1, 2), (MANY, 20), (MANY + 1, 1)]
)
def test_very_many_orders_are_looked_at_in_one_go(orders: int, pieces: int) -> None:
    watched = Watched(orders, 1)
    watched.ledger.refresh()
    found = 1
    while watched.rows.look(AT_ONCE):
        found += 1
    assert found == pieces
    assert len(watched.rows.take()[0]) == orders


@pytest.mark.parametrize("seed", range(25))
def test_small_steps_end_where_a_fresh_look_would(seed: int) -> None:
    at = Watched(30, seed)
    for _ in range(150):
        at.do()
        if at.random.random() < 0.3:
            continue
        at.take()
        fresh, shown = at.afresh()
        assert at.shown == shown
        assert at.ledger.tracks == fresh.tracks
        assert (at.ledger.flying, at.ledger.unknown) == (fresh.flying, fresh.unknown)
        for name in at.desk.slots:
            assert counted(at.ledger, name) == counted(fresh, name)


@pytest.mark.parametrize("seed", range(8))
def test_who_has_stayed_behind_further_than_changes_are_kept_sees_everything(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cancel_tui.desk.changes.MOST", 4)
    test_small_steps_end_where_a_fresh_look_would(seed)


def test_more_ends_than_changes_are_kept_are_remembered_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cancel_tui.desk.changes.MOST", 4)
    at = Watched(30, 1)
    at.take()
    gone = {order.key for rows in at.orders.values() for order in rows}
    at.orders = {name: [] for name in at.orders}
    at.list_all()
    at.ledger.refresh()
    at.clock.advance(KEEP_UNSEEN + 1)
    for slot in at.desk.slots.values():
        slot.book.forget_unseen(at.clock.monotonic())
    at.take()
    assert at.shown == {}
    assert {one.order.key for one in at.rows.recent.newest()} == gone


def test_a_look_at_rest_goes_through_no_order() -> None:
    at = Watched(500, 1)
    at.take()
    at.ledger.refresh()
    assert at.rows._due(at.clock.monotonic()) == set()
    at.begin()
    at.take()
    at.answer(3)
    at.ledger.refresh()
    assert len(at.rows._due(at.clock.monotonic())) == 3


def test_a_venue_that_is_taken_away_takes_its_rows_along() -> None:
    at = Watched(10, 1)
    at.take()
    assert {key.venue for key in at.shown} >= {"p99"}
    del at.desk.slots[VenueName("p99")]
    at.take()
    assert "p99" not in {key.venue for key in at.shown}
    assert "p99" not in {order.venue for order in at.ledger.orders()}


def test_what_leaves_by_itself_is_remembered_by_the_venues_word_or_as_merely_not_listed() -> None:
    at = Watched(10, 1)
    at.take()
    book = at.desk.slots[VenueName("p99")].book
    filled, left = at.orders["p99"][:2]
    at.clock.advance(1.0)
    book.hear(altered(filled, status=OrderStatus.FILLED), at.clock.monotonic())
    at.orders["p99"] = []
    at.list_all()
    at.take()
    assert len(at.rows.recent) == 0, "they are still in the grid"
    at.clock.advance(KEEP_UNSEEN + 1)
    book.forget_unseen(at.clock.monotonic())
    at.take()
    assert {one.order.key: one.word for one in at.rows.recent.newest()} == {
        filled.key: "filled",
        left.key: NOT_LISTED,
    }
    at.orders["p99"] = [left]
    at.list_all()
    at.take()
    assert [one.word for one in at.rows.recent.newest()] == ["filled"], "it is listed again"
