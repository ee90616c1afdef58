"""Venues that change while the desk runs: switched off and on, opened anew with other credentials, tested."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.slot import LockedError, Slot, VenueState
from cancel_tui.desk.watching import Credentials, Watching
from cancel_tui.orders import VenueName
from cancel_tui.venues.outcome import NotSent, Outcome, Unanswered
from cancel_tui.venues.registry import make_venue

if TYPE_CHECKING:
    from cancel_tui.clock import Clock
    from cancel_tui.settings import Settings
    from cancel_tui.venues.base import Venue

_LOOK = 0.5
"""Seconds between two looks whether a kill still uses a venue."""
_LONGEST_CHECK = 20.0
"""Seconds for one test of credentials: one exchange, with one fresh signature."""


class Switching(Watching):
    """Takes venues out of this run and back in, and gives them other credentials."""

    def __init__(
        self, settings: Settings, clock: Clock, data_dir: Path | None, credentials: Credentials
    ) -> None:
        super().__init__(settings, clock, data_dir, credentials)
        self.off: dict[VenueName, Slot] = {}
        """Venues that are switched off for this run: not polled, not shown, in no scope."""

    @abstractmethod
    def in_use(self, venue: Venue) -> bool:
        """Whether a kill that is not over works with this adapter."""

    def slot_of(self, name: VenueName) -> Slot | None:
        """The slot of a venue, whether it is switched on or off."""
        return self.slots.get(name) or self.off.get(name)

    # ------------------------------------------------------------------ off and on

    def switch_off(self, name: VenueName) -> bool:
        """Take a venue out of this run; False where it is off, or a kill is not over there."""
        if name not in self.slots or self.occupied(name):
            return False
        self.off[name] = self.slots.pop(name)
        self._stop(self._polls, name)
        self._stop(self._feeds, name)
        self.journal.note("venue_off", venue=name)
        self.changed()
        return True

    def switch_on(self, name: VenueName) -> bool:
        """Bring a venue back, in its place, with nothing remembered of its lists; False where it is on."""
        slot = self.off.pop(name, None)
        if slot is None:
            return False
        slot.forget()
        kept = {**self.slots, name: slot}
        order = [VenueName(one.name) for one in self.settings.venues]
        self.slots.clear()
        self.slots.update({one: kept[one] for one in order if one in kept})
        self.journal.note("venue_on", venue=name)
        self._poll_again()
        self.changed()
        return True

    # ------------------------------------------------------------------ credentials

    async def reopen(self, name: VenueName) -> str | None:
        """Fetch a venue's credentials again and work with them from now on; None, or why that failed.

        A kill that is not over keeps the lane, which stays, and the adapter with which it began; the new one
        waits for its end, unless the venue refuses the old one. What the old credentials showed is forgotten:
        the new ones may be those of another account.
        """
        slot = self.slot_of(name)
        if slot is None:
            return "there is no such venue"
        while slot.venue is not None and slot.state is not VenueState.REFUSED and self.occupied(name):
            await self.clock.sleep(_LOOK)
        try:
            credentials = await self._credentials(slot.settings)
            # Parsing a key takes long enough to be felt elsewhere.
            venue = await asyncio.to_thread(make_venue, slot.settings, credentials, self.clock)
        except (LockedError, ValueError) as why:
            if slot.venue is None:
                slot.state, slot.error = VenueState.LOCKED, str(why)
            self.changed()
            return str(why)
        old = slot.venue
        slot.forget()
        # The next poll begins to listen with the new adapter.
        self._stop(self._feeds, name)
        self._equip(slot, venue)
        self.journal.note("venue_reopened", venue=name)
        if old is not None:
            self.spawn(self._retire(old))
        if name in self.slots:
            await self.list_venue(slot, Urgency.POLL, deep=False)
        return None

    async def _retire(self, venue: Venue) -> None:
        """Close an adapter that nobody works with any more, also when the desk closes first."""
        try:
            while self.in_use(venue):
                await self.clock.sleep(_LOOK)
        finally:
            await venue.close()

    async def check(self, slot: Slot) -> Outcome[str]:
        """Prove with one harmless signed request that a venue accepts its credentials."""
        if slot.venue is None or slot.lane is None:
            return NotSent(slot.error or "the venue is locked")
        try:
            async with asyncio.timeout(_LONGEST_CHECK):
                return await self._guard(slot.venue.check(slot.lane.port(Urgency.POLL)))
        except TimeoutError:
            return Unanswered(f"nothing within {_LONGEST_CHECK:g} s")

    async def close(self) -> None:
        """The same, for venues that are switched off too."""
        for name in list(self.off):
            self.slots[name] = self.off.pop(name)
        await super().close()
