"""The contract that every venue adapter keeps, as tests to inherit.

A venue's tests derive from `VenueContract` and fill in what `VenueGround` asks for: a server on a loopback
address, an adapter to it, and the server's truth. Everything runs over real sockets and the real wire. What a
venue cannot do by its declared capabilities must be refused without a request; all else is asked for.
"""

from __future__ import annotations

from typing import TypeVar

import pytest

from cancel_tui.clock import ManualClock
from cancel_tui.venues.outcome import Answered, Throttled, Unauthorised
from tests.venues.contract_faults import FaultContract
from tests.venues.contract_ground import LATER, Server, answered

S = TypeVar("S", bound=Server)


class VenueContract(FaultContract[S]):
    """The whole contract: lists, cancels and broken lines (inherited), credentials, clock, limits."""

    async def test_the_right_credentials_are_found_right(self) -> None:
        async with self.stage() as stage:
            words = answered(await stage.venue.check(stage.port))
            assert words.isprintable()
            self.assert_silent(stage, words)

    async def test_wrong_credentials_are_unauthorised_and_do_nothing(self) -> None:
        async with self.stage(orders=3) as stage:
            key = self.place(stage.server)
            await self.asks_all(stage, key)
            before = self.live(stage.server)
            for wrong in self.wrong_credentials(stage.server):
                async with self.another(stage, wrong) as stranger:
                    asks = stranger.same_asks(key, self.symbols[0])
                    outcomes = {name: await ask() for name, ask in asks.items()}
                    assert {name: type(one) for name, one in outcomes.items()} == (
                        dict.fromkeys(asks, Unauthorised)
                    )
                    self.assert_silent(stage, outcomes)
            stage.clock.advance(LATER)
            assert self.live(stage.server) == before

    @pytest.mark.parametrize("skew", [10.0, -10.0, 90.0, -90.0])
    async def test_a_clock_that_is_off_is_cured_by_one_fresh_signature(self, skew: float) -> None:
        async with self.stage(skew=skew) as stage:
            key = self.place(stage.server)
            await self.asks_all(stage, key)
            refused = self.clock_tolerance is not None and abs(skew) > self.clock_tolerance
            for name in stage.same_asks(key, self.symbols[0]):
                fresh_key = self.place(stage.server)
                async with self.another(stage) as fresh:
                    asks = fresh.same_asks(fresh_key, self.symbols[0])
                    outcome = await asks[name]()
                    assert isinstance(outcome, Answered), (name, outcome)
                    assert fresh.port.statuses[401] == (1 if refused else 0), name
                    assert isinstance(await fresh.venue.check(fresh.port), Answered)
                    assert fresh.port.statuses[401] == (1 if refused else 0), "the cure must last"

    @pytest.mark.parametrize("jump", [90.0, -90.0])
    async def test_a_clock_that_jumps_while_we_run_is_cured_as_well(self, jump: float) -> None:
        async with self.stage(skew=0.5) as stage:
            key, other = self.place(stage.server), self.place(stage.server)
            asks = await self.asks_all(stage, key)
            assert stage.port.statuses[401] == 0
            if jump > 0:
                stage.clock.advance(jump)
            elif isinstance(stage.ours, ManualClock):
                stage.ours.advance(-jump)
            assert isinstance(await asks["cancel"](), Answered)
            assert stage.port.statuses[401] == (1 if self.clock_tolerance else 0)
            assert isinstance(await stage.venue.cancel(other, stage.port), Answered)
            assert stage.port.statuses[401] == (1 if self.clock_tolerance else 0)

    @pytest.mark.parametrize("skew", [0.0, 10.0, -90.0])
    async def test_the_clock_offset_is_measured_to_a_second(self, skew: float) -> None:
        async with self.stage(skew=skew) as stage:
            offsets = [stage.venue.clock_offset]
            measured = answered(await stage.venue.measure_clock(stage.port))
            offsets.append(stage.venue.clock_offset)
            assert offsets == [None, measured]
            assert abs(measured - skew) <= 1.01

    async def test_a_429_is_throttled_with_the_wait_that_the_venue_asks_for(self) -> None:
        async with self.stage() as stage:
            asks = await self.asks_all(stage, self.place(stage.server))
            before, asked = self.live(stage.server), self.arrivals(stage.server)
            self.spoil(stage.server, "throttle", list(asks))
            outcomes = {name: await ask() for name, ask in asks.items()}
            assert {name: type(one) for name, one in outcomes.items()} == dict.fromkeys(asks, Throttled)
            assert {one.retry_after for one in outcomes.values() if isinstance(one, Throttled)} == {1.0}
            assert self.arrivals(stage.server) - asked == len(asks), "a throttled request is not sent again"
            assert self.live(stage.server) == before
            self.mend(stage.server)
            assert isinstance(await asks["list"](), Answered)
            assert isinstance(await asks["cancel"](), Answered)
