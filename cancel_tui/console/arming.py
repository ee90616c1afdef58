"""The scope that is being armed: what would go, what to know before, and how a key narrows it. No widget."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace
from rich.text import Text

from cancel_tui.console.ledger import Ledger
from cancel_tui.console.lines import DOUBT, plural, waiting
from cancel_tui.desk.preview import VenuePreview, placed_by, preview
from cancel_tui.desk.slot import Slot, VenueState
from cancel_tui.orders import OrderKey, Side, VenueName
from cancel_tui.scope import Scope, fold
from cancel_tui.text import literal

EVERYTHING = "everything"
"""What a scope without limits is called."""


_NOT_SHOWN = "no order is shown, or a word of the filter could not be read"


class Choice(msgspec.Struct, frozen=True):
    """What the grid offers as a scope; frozen when the screen opened."""

    marked: frozenset[OrderKey]
    shown: frozenset[OrderKey]


def scope_words(scope: Scope) -> str:
    """A scope for a title."""
    words = [value for values in scope.raw.values() for value in values]
    if scope.keys is not None:
        words = ["chosen orders only"]
    if scope.keep_protective:
        words.append("protective kept")
    return literal(", ".join(words), 60) if words else EVERYTHING


class Previews:
    """Previews of the venues, made anew only where orders, adapter or scope are others than before."""

    def __init__(self) -> None:
        self._made: dict[VenueName, tuple[tuple[object, ...], VenuePreview]] = {}

    def of(self, ledger: Ledger, scope: Scope) -> list[VenuePreview]:
        """What a kill of the scope would do, venue by venue."""
        found = []
        for slot in ledger.desk.slots.values():
            if not scope.venue_in(slot.name):
                continue
            count, known = ledger.venue(slot.name), slot.venue.capabilities if slot.venue else None
            stamp = (scope, known, count, count.revision)
            kept = self._made.get(slot.name)
            if kept is None or kept[0] != stamp:
                kept = self._made[slot.name] = stamp, preview(slot.name, count.live.values(), scope, known)
            found.append(kept[1])
        return found


def narrowed(command_id: str, scope: Scope, choice: Choice, ledger: Ledger) -> Scope | str:
    """The scope after a scope key, or why the key does nothing."""
    raw = {name: list(values) for name, values in scope.raw.items()}
    kept = scope.keep_protective
    if command_id == "scope_all":
        return Scope(raw={})
    if command_id == "keep_protective":
        return replace(scope, keep_protective=not kept)
    if command_id == "scope_venue":
        raw["venue"] = _after(raw.get("venue", []), [str(name) for name in ledger.desk.slots])
        return replace(scope, keys=None, venues=fold(raw["venue"]), raw=raw)
    if command_id == "scope_symbol":
        symbols = {order.symbol.raw for order in ledger.orders() if order.symbol}
        raw["symbol"] = _after(raw.get("symbol", []), sorted(symbols))
        return replace(scope, keys=None, symbols=fold(raw["symbol"]), raw=raw)
    if command_id in ("scope_buys", "scope_sells"):
        side = Side.BUY if command_id == "scope_buys" else Side.SELL
        sides = frozenset() if scope.sides == {side} else frozenset({side})
        raw["side"] = [one.value for one in sides]
        return replace(scope, keys=None, sides=sides, raw=raw)
    if command_id == "widen":
        found = Previews().of(ledger, scope)
        wider = [one.venue for one in found if one.orders]
        if not any(one.wider for one in found):
            return "no cancel-all would be faster here"
        return Scope(venues=fold(wider), raw={"venue": wider})
    keys = choice.marked if command_id == "scope_marked" else choice.shown
    if not keys:
        return "no order is marked" if command_id == "scope_marked" else _NOT_SHOWN
    return Scope(keys=keys, raw={}, keep_protective=kept)


def _after(current: Sequence[str], choices: Sequence[str]) -> list[str]:
    """The next choice behind the current one; none after the last."""
    if not choices:
        return []
    if not current:
        return [choices[0]]
    index = choices.index(current[0]) + 1 if current[0] in choices else len(choices)
    return [choices[index]] if index < len(choices) else []


def _cost(found: Sequence[VenuePreview]) -> str:
    """What it would take to keep protective orders."""
    now = max((one.seconds or 0.0 for one in found), default=0.0)
    then = max((one.keep_seconds or one.seconds or 0.0 for one in found), default=0.0)
    return f"p keeps them: one by one, about {then:.0f} s instead of {now:.0f} s"


MOST = 3
"""Warnings that a person reads before the word."""


def warnings(ledger: Ledger, scope: Scope, found: Sequence[VenuePreview], width: int, rows: int) -> Text:
    """The gravest warnings first, whole ones only: at most `MOST`, and as many as so many rows hold."""
    told = [
        *_off(ledger, scope),
        *_troubles(ledger, scope),
        *_untouched(found),
        *_protective(found),
        *_slow(found),
        *_unlisted(ledger, scope),
        *filter(None, [placed_by(found)]),
    ]
    text = Text()
    for line in told[:MOST]:
        wrapped = textwrap.wrap(literal(line, 300), max(20, width - 2), max_lines=2, placeholder=" …")
        if len(wrapped) > rows:
            break
        rows -= len(wrapped)
        text.append("! ", DOUBT).append("\n  ".join(wrapped) + "\n")
    text.rstrip()
    return text


def _slots(ledger: Ledger, scope: Scope) -> list[Slot]:
    return [slot for slot in ledger.desk.slots.values() if scope.venue_in(slot.name)]


def switched_off(ledger: Ledger, scope: Scope) -> list[str]:
    """The venues of the scope that a kill would not reach."""
    return [name for name in ledger.desk.off if scope.venue_in(name)]


def _off(ledger: Ledger, scope: Scope) -> list[str]:
    names = switched_off(ledger, scope)
    return [f"OFF: {', '.join(names)}: switched off for this run, its orders STAY"] if names else []


def _troubles(ledger: Ledger, scope: Scope) -> list[str]:
    """Venues that may not hear of the kill, all in one warning."""
    now = ledger.desk.clock.monotonic()
    words = []
    for slot in _slots(ledger, scope):
        state = slot.state_at(now)
        if waiting(slot):
            words.append(f"{slot.name} not asked yet")
        elif slot.error and state is not VenueState.LIVE:
            words.append(f"{slot.name} {state.value}: {slot.error}")
    if len(words) > 1:
        # Each in its turn: the first one's long sentence must not hide that there are others.
        words = [literal(word, 150 // len(words)) for word in words]
    return ["; ".join(words)] if words else []


def _untouched(found: Sequence[VenuePreview]) -> list[str]:
    names = [f"{one.venue} {one.unreadable}" for one in found if one.unreadable]
    return [f"perhaps in scope, so not touched, and no flat then: {', '.join(names)}"] if names else []


def _protective(found: Sequence[VenuePreview]) -> list[str]:
    told = []
    if going := [one for one in found if one.protective]:
        each = ", ".join(f"{one.venue} {one.protective}" for one in going)
        total = sum(one.protective for one in going)
        told.append(f"{total} stop or take-profit orders go too ({each}); positions stay. {_cost(found)}")
    if kept := sum(one.kept for one in found):
        slowest = max((one.seconds or 0.0 for one in found), default=0.0)
        told.append(f"{plural(kept, 'stop or take-profit order')} kept: one by one, about {slowest:.0f} s")
    return told


def _slow(found: Sequence[VenuePreview]) -> list[str]:
    return [
        f"{one.venue} is slow one by one: w takes its whole cancel-all, {one.wider} orders"
        for one in found
        if one.wider is not None
    ]


def _unlisted(ledger: Ledger, scope: Scope) -> list[str]:
    slots = [slot for slot in _slots(ledger, scope) if slot.all_blind_spots]
    spots = [f"{slot.name} {', '.join(slot.all_blind_spots)}" for slot in slots]
    return [f"cannot be listed: {'; '.join(spots)}"] if spots else []
