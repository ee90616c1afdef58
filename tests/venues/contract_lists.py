"""The contract suite's first half: what an adapter lists, reads back and finds among the finished orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import pytest

from cancel_tui.orders import Order, OrderId, OrderKey, OrderStatus
from cancel_tui.text import literal
from cancel_tui.venues.base import CallClass, ClosedQuery, Touched
from cancel_tui.venues.outcome import Answered, NotSent, Reason, Refused, Unanswered
from tests.venues.contract_ground import Fact, Server, Stage, VenueGround, answered, fact_of, facts_of, shown

S = TypeVar("S", bound=Server)

HOSTILE_TEXTS = (
    "[bold red]BTC[/]",
    "\x1b]0;owned\x07\x1b[2J",
    "a\x1eb\x1e{}",
    "abc\N{RIGHT-TO-LEFT OVERRIDE}cba",
    "a\x00b\r\nX-Injected: 1",
    "\N{WAVING WHITE FLAG}\N{ZERO WIDTH JOINER}" * 200,
    "{0.__class__} %s ${HOME}",
    "x" * 20_000,
)
"""What no symbol should be, and what must do no harm as one."""


IDS_FROM_HELL = (
    "../cancel-all",
    "a/../../b",
    "x?y=1#z",
    "%2e%2e",
    " ",
    "id\r\nX-Injected: 1",
    "\x1b[2Jid",
    "9" * 190,
)
"""What a venue might call an order."""


class ListContract(VenueGround[S]):
    """Lists, read-backs and closed pages."""

    async def test_every_open_order_is_listed_however_many_there_are(self) -> None:
        async with self.stage() as stage:
            self.crowd(stage.server)
            listed = await stage.listed()
            assert facts_of(list(listed.values())) == self.live(stage.server)
            assert stage.port.counts[CallClass.LIST] >= self.crowd_pages

    async def test_an_ordinary_book_is_listed_as_it_is(self) -> None:
        async with self.stage(orders=60) as stage:
            truth = self.live(stage.server)
            assert len(truth) >= 60
            unseen = set(truth) - set(await stage.listed())
            assert facts_of(list((await stage.listed()).values())) == {
                key: fact for key, fact in truth.items() if key not in unseen
            }
            assert not unseen or self.blind_spots

    async def test_everything_else_that_the_venue_tells_of_an_order_is_kept(self) -> None:
        async with self.stage(orders=120) as stage:
            for key, order in (await stage.listed()).items():
                expected = self.details(stage.server, key)
                assert shown(order, expected) == expected
                assert order.venue_status is not None

    async def test_more_orders_of_one_instant_than_a_page_holds_are_never_silently_short(self) -> None:
        async with self.stage() as stage:
            self.crowd_of_one_instant(stage.server)
            lists = await stage.lists()
            found = {order.key for one in lists for order in one.orders}
            truth = set(self.live(stage.server))
            assert found <= truth
            assert found == truth or any(not one.complete and one.note for one in lists)

    async def test_an_empty_book_is_a_complete_list_of_nothing(self) -> None:
        async with self.stage() as stage:
            assert await stage.listed() == {}

    @pytest.mark.parametrize("fault", ["null_list", "missing_list"])
    async def test_an_empty_list_that_is_not_there_is_nothing_or_no_answer(self, fault: str) -> None:
        async with self.stage() as stage:
            await stage.look()
            self.spoil(stage.server, fault, [])
            for part in stage.parts:
                outcome = await stage.venue.list_part(part, stage.port)
                if self.absent_list[fault]:
                    assert answered(outcome).complete
                    assert answered(outcome).orders == ()
                else:
                    assert isinstance(outcome, Unanswered), outcome

    async def test_the_parts_of_a_list_keep_their_ids(self) -> None:
        async with self.stage() as stage:
            first = await stage.look()
            assert await stage.look() == first
            assert len({part.id for part in first}) == len(first) > 0

    async def test_what_no_list_can_show_is_a_blind_spot(self) -> None:
        async with self.stage() as stage:
            self.place(stage.server)
            unseen = self.beyond(stage.server)
            outcome = answered(await stage.venue.parts(stage.port))
            lists = await stage.lists()
            listed = {order.key for one in lists for order in one.orders}
            assert set(self.live(stage.server)) == listed | unseen
            assert not listed & unseen
            codes = set(stage.venue.capabilities.blind_spots) | set(outcome.blind_spots)
            codes |= {code for one in lists for code in one.blind_spots}
            assert codes == self.blind_spots
            assert not unseen or codes

    async def test_a_status_word_that_nobody_documents_is_live_and_can_be_cancelled(self) -> None:
        async with self.stage() as stage:
            key = self.place(stage.server)
            await stage.look()
            self.spoil(stage.server, "unknown_status", [])
            order = (await stage.listed())[key]
            assert (order.status, order.status.live) == (OrderStatus.UNKNOWN, True)
            assert order.venue_status is not None
            answered(await stage.venue.cancel(key, stage.port))
            stage.clock.advance(5.0)
            assert key not in self.live(stage.server)

    async def test_hostile_text_in_a_symbol_is_kept_as_it_came_and_shown_harmless(self) -> None:
        async with self.stage() as stage:
            texts = {self.place(stage.server): text for text in HOSTILE_TEXTS}
            for key, text in texts.items():
                self.rename(stage.server, key, text)
            listed = await stage.listed()
            for key, text in texts.items():
                symbol = listed[key].symbol
                assert symbol is not None
                assert symbol.raw == text
                assert str(symbol) == literal(text)
                assert str(symbol).isprintable()
            for key in texts:
                answered(await stage.venue.cancel(key, stage.port))
            stage.clock.advance(5.0)
            assert self.live(stage.server) == {}

    async def test_hostile_ids_are_listed_as_they_came_and_harm_no_other_order(self) -> None:
        async with self.stage() as stage:
            spared = self.place(stage.server)
            keys = [self.renumber(stage.server, self.place(stage.server), one) for one in IDS_FROM_HELL]
            assert set(await stage.listed()) == {spared, *keys}
            for key in keys:
                outcome = await stage.venue.cancel(key, stage.port)
                assert isinstance(outcome, Answered | NotSent | Refused), (key, outcome)
                stage.clock.advance(5.0)
                assert (key in self.live(stage.server)) is not isinstance(outcome, Answered), key
            assert spared in self.live(stage.server)

    # Reading one order back

    async def test_a_live_order_is_read_back_as_it_is(self) -> None:
        async with self.stage() as stage:
            whole, part = self.place(stage.server), self.place(stage.server, filled=True, age=3600.0)
            truth = self.live(stage.server)
            for key in (whole, part):
                if stage.venue.capabilities.read_order:
                    order = answered(await stage.venue.read(key, stage.port))
                    assert (order.key, fact_of(order)) == (key, truth[key])
                else:
                    assert isinstance(await stage.venue.read(key, stage.port), NotSent)
            asked = 2 if stage.venue.capabilities.read_order else 0
            assert stage.port.counts == ({CallClass.STATUS: 2} if asked else {})

    async def test_an_order_that_is_over_is_read_back_with_its_end(self) -> None:
        async with self.stage() as stage:
            if not stage.venue.capabilities.read_order:
                return
            filled, part, none = (self.place(stage.server, filled=one) for one in (False, True, False))
            self.finish(stage.server, filled, OrderStatus.FILLED)
            self.finish(stage.server, part, OrderStatus.CANCELED)
            self.finish(stage.server, none, OrderStatus.CANCELED)
            for key in (filled, part, none):
                order = answered(await stage.venue.read(key, stage.port))
                assert (order.key, fact_of(order)) == (key, self.ended(stage.server)[key])

    async def test_an_order_that_the_venue_does_not_know_is_not_found_which_is_no_end(self) -> None:
        async with self.stage() as stage:
            stranger = self.stranger(stage)
            if stage.venue.capabilities.read_order:
                outcome = await stage.venue.read(stranger, stage.port)
                assert isinstance(outcome, Refused), outcome
                assert outcome.reason is Reason.NOT_FOUND

    def stranger(self, stage: Stage[S]) -> OrderKey:
        """The key of an order that existed for another server only: well-formed, and unknown."""
        key = self.place(stage.server)
        last = key.order_id[-1]
        return key._replace(order_id=OrderId(key.order_id[:-1] + ("1" if last != "1" else "2")))

    # Finished orders

    async def test_the_ends_of_many_orders_are_found_page_by_page(self) -> None:
        async with self.stage() as stage:
            able = stage.venue.capabilities
            if not able.closed_page:
                touched = [Touched(self.place(stage.server))]
                assert stage.venue.closed_plan(touched).covers == frozenset()
                outcome = await stage.venue.closed_page(ClosedQuery(), stage.port)
                assert isinstance(outcome, NotSent)
                return
            orders = await self._finish_a_crowd(stage)
            ended = self.ended(stage.server)
            plan = stage.venue.closed_plan([Touched(key, order) for key, order in orders.items()])
            assert plan.covers == set(orders)
            found = await self._closed(stage, plan.queries)
            assert {key: fact for key, fact in found.items() if key in orders} == {
                key: ended[key] for key in orders
            }
            pages = stage.port.counts[CallClass.CLOSED]
            assert len(plan.queries) <= pages
            assert pages <= 2 * len(plan.queries) + 2 * len(ended) // able.closed_page

    async def test_the_ends_of_orders_that_are_weeks_apart_are_found(self) -> None:
        async with self.stage() as stage:
            if not stage.venue.capabilities.closed_page:
                return
            ages = (0.0, 1.0, 6.99, 7.0, 7.01, 13.99, 14.0, 29.5, 36.5, 63.0, 89.0)
            keys = [self.place(stage.server, age=days * 86_400.0) for days in ages]
            listed = await stage.listed()
            for key in keys:
                self.finish(stage.server, key, OrderStatus.FILLED)
            plan = stage.venue.closed_plan([Touched(key, order) for key, order in listed.items()])
            assert plan.covers == set(keys)
            assert await self._closed(stage, plan.queries) == self.ended(stage.server)

    async def test_finished_orders_of_one_instant_do_not_keep_the_pages_going_for_ever(self) -> None:
        async with self.stage() as stage:
            if not stage.venue.capabilities.closed_page:
                return
            self.crowd_of_one_instant(stage.server)
            found = {order.key: order for one in await stage.lists() for order in one.orders}
            for key in self.live(stage.server):
                self.finish(stage.server, key, OrderStatus.FILLED)
            plan = stage.venue.closed_plan([Touched(key, order) for key, order in found.items()])
            ends = await self._closed(stage, plan.queries)
            ended = self.ended(stage.server)
            assert ends == {key: ended[key] for key in ends}
            assert len(ends) >= min(stage.venue.capabilities.closed_page, len(ended))
            assert stage.port.counts[CallClass.CLOSED] <= 8

    async def _finish_a_crowd(self, stage: Stage[S]) -> Mapping[OrderKey, Order]:
        """Orders that were listed and then ended, among as many that nobody asks for."""
        keys = [
            self.place(stage.server, filled=index % 5 == 0, age=40.0 * index)
            for index in range(self.closed_crowd)
        ]
        listed = await stage.listed()
        for index, key in enumerate(keys):
            self.finish(stage.server, key, OrderStatus.FILLED if index % 3 == 0 else OrderStatus.CANCELED)
        return {key: listed[key] for key in keys[::2]}

    async def _closed(self, stage: Stage[S], queries: tuple[ClosedQuery, ...]) -> dict[OrderKey, Fact]:
        found: dict[OrderKey, Fact] = {}
        for query in queries:
            following: ClosedQuery | None = query
            while following is not None:
                page = answered(await stage.venue.closed_page(following, stage.port))
                assert len(page.orders) <= (stage.venue.capabilities.closed_page or 0)
                found.update((order.key, fact_of(order)) for order in page.orders)
                following = page.next
        return found

    async def test_no_order_is_planned_for_that_the_closed_pages_cannot_find(self) -> None:
        async with self.stage() as stage:
            unknown = Touched(self.stranger(stage))
            plan = stage.venue.closed_plan([unknown])
            assert plan.covers == frozenset()
            assert plan.queries == ()
            assert stage.venue.closed_plan([]).queries == ()

    async def test_lists_and_reads_change_nothing(self) -> None:
        async with self.stage(orders=20) as stage:
            before = self.live(stage.server)
            key = self.place(stage.server)
            asks = await self.asks_all(stage, key)
            for name in ("list", "read", "closed", "check"):
                if name in asks:
                    assert isinstance(await asks[name](), Answered), name
            answered(await stage.venue.measure_clock(stage.port))
            assert self.live(stage.server) == before | {key: self.live(stage.server)[key]}
