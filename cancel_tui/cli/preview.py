"""What a kill from the shell would do, told before the word is typed. It reads lists and cancels nothing."""

from __future__ import annotations

import asyncio

from cancel_tui.cli import render
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.preview import VenuePreview, placed_by, preview
from cancel_tui.desk.slot import Slot, VenueState
from cancel_tui.scope import Scope

PATIENCE = 3.0
"""Seconds that the prompt waits for venues: a dead one must not keep anybody from the word."""
_HEAD = ("VENUE", "OPEN", "BUY", "SELL", "PROTECTIVE", "HOW", "ABOUT")


async def show_preview(desk: Desk, scope: Scope) -> list[VenuePreview]:
    """One line per venue on standard error, with what a person should know before typing; for the record."""
    slots = [slot for slot in desk.slots.values() if scope.venue_in(slot.name)]
    try:
        looking = [asyncio.create_task(_look(desk, slot)) for slot in slots]
        await asyncio.wait(looking, timeout=PATIENCE)
        found = [_preview(slot, scope) for slot in slots]
        rows = [_row(slot, one) for slot, one in zip(slots, found, strict=True)]
        for line in render.table(_HEAD, rows, frozenset({1, 2, 3, 4, 6})):
            render.warn(line)
        for line in _warnings(slots, found):
            render.warn(f"! {line}")
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
        return [one for slot, one in zip(slots, found, strict=True) if slot.listed_at is not None]
    finally:
        await desk.close()


async def _look(desk: Desk, slot: Slot) -> None:
    await desk.open([slot.name])
    await desk.list_venue(slot, Urgency.POLL, deep=False)


def _preview(slot: Slot, scope: Scope) -> VenuePreview:
    return preview(slot.name, slot.book.orders(), scope, slot.venue.capabilities if slot.venue else None)


def _row(slot: Slot, one: VenuePreview) -> tuple[str, ...]:
    if slot.state is not VenueState.LIVE or slot.listed_at is None:
        return (slot.name, "?", "?", "?", "?", slot.state.value, "?")
    protective = f"{one.protective} go" if one.protective else f"{one.kept} kept" if one.kept else "-"
    doubt = "" if slot.complete else "+"
    took = "?" if one.seconds is None else f"{one.seconds:.0f} s"
    how = "cancel-all" if one.native else "one by one"
    return (slot.name, f"{one.orders}{doubt}", str(one.buys), str(one.sells), protective, how, took)


def _warnings(slots: list[Slot], found: list[VenuePreview]) -> list[str]:
    told = [f"{slot.name}: {slot.error}" for slot in slots if slot.state is not VenueState.LIVE]
    if any(one.protective for one in found):
        now = max(one.seconds or 0.0 for one in found)
        then = max(one.keep_seconds or one.seconds or 0.0 for one in found)
        total = sum(one.protective for one in found)
        told.append(
            f"{total} stop or take-profit orders go too, positions stay; --keep-protective leaves them:"
            f" one by one, about {then:.0f} s instead of {now:.0f} s"
        )
    unreadable = [f"{one.venue} {one.unreadable}" for one in found if one.unreadable]
    if unreadable:
        told.append(f"cannot be told to be in scope, so not touched: {', '.join(unreadable)}")
    spots = [f"{slot.name} {', '.join(slot.all_blind_spots)}" for slot in slots if slot.all_blind_spots]
    told += [origin] if (origin := placed_by(found)) else []
    return told + ([f"cannot be listed: {'; '.join(spots)}"] if spots else [])
