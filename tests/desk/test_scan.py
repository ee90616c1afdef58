"""Old windows are read in the background: the newest one stays fresh, and a kill finds its reserve."""

from __future__ import annotations

from pathlib import Path

from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.slot import READING, VenueState
from cancel_tui.orders import VenueName
from cancel_tui.venues.base import CallClass
from tests.desk.drive import stage

FUTURES = VenueName("cs-fut")


async def test_a_scan_of_old_windows_never_makes_the_newest_one_stale(tmp_path: Path) -> None:
    async with stage(tmp_path, 60, only="cs-fut", alone=True) as at:
        slot = at.desk.slots[FUTURES]
        at.desk.watch()
        await at.until(lambda: slot.listed_at is not None)
        stale: list[float] = []
        most: list[float] = []

        def over() -> bool:
            now = at.clock.monotonic()
            if slot.state_at(now) is VenueState.STALE:
                stale.append(now)
            if slot.lane is not None and slot.full_at is None:
                most.append(20 - slot.lane.pace(CallClass.LIST).left(now))
            return slot.full_at is not None

        await at.until(over, virtual=600.0)
        assert slot.complete
        assert stale == []
        assert max(most) <= 10, "half of the budget is kept for a kill"
        truth = {one["order_id"] for one in at.cluster.live()["cs-fut"]}
        assert {str(one.key.order_id) for one in slot.book.orders()} == truth


async def test_a_poll_overtakes_a_scan_that_waits_for_the_same_budget(tmp_path: Path) -> None:
    async with stage(tmp_path, 20, only="cs-fut", alone=True) as at:
        lane = at.desk.slots[FUTURES].lane
        assert lane is not None
        came: list[Urgency] = []

        async def ask(urgency: Urgency) -> None:
            ticket = await lane.admit(CallClass.LIST, urgency)
            came.append(urgency)
            lane.settle(CallClass.LIST, ticket)

        waiting = [at.desk.spawn(ask(Urgency.SCAN)) for _ in range(12)]
        waiting += [at.desk.spawn(ask(Urgency.POLL)) for _ in range(5)]
        await at.until(lambda: all(one.done() for one in waiting))
        assert came[10:15] == [Urgency.POLL] * 5, "those that came first had the room; then polls go before"


async def test_a_first_list_that_takes_minutes_is_shown_page_by_page(tmp_path: Path) -> None:
    async with stage(tmp_path, 4_800, only="cs-fut", alone=True) as at:
        slot = at.desk.slots[FUTURES]
        real = len(at.cluster.named("cs-fut").truth())
        at.desk.watch()
        await at.until(lambda: len(list(slot.book.orders())) >= 500)
        assert slot.listed_at is None
        assert not slot.complete
        assert (slot.state, slot.error) == (VenueState.DOWN, READING)
        assert len(list(slot.book.orders())) < real
        await at.until(lambda: slot.complete, virtual=1_200.0)
        assert (slot.state, slot.error) == (VenueState.LIVE, None)
        assert len(list(slot.book.orders())) == real


async def test_a_page_of_a_later_list_makes_no_older_row_look_new(tmp_path: Path) -> None:
    async with stage(tmp_path, 400, only="cs-fut", alone=True) as at:
        slot = at.desk.slots[FUTURES]
        at.desk.watch()
        await at.until(lambda: slot.listed_at is not None)
        (part,) = [one for one in slot.parts if not one.past]
        before = slot.book.parts[part.id]
        at.desk._page(slot, part, before.begun + 1.0, list(before.orders.values())[:1])
        assert slot.book.parts[part.id] is before
