"""`cancel-tui orders`: what is open, once."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable

from cancel_tui.cli import render
from cancel_tui.cli.session import add_scope, make_desk, scope_of, settings_of
from cancel_tui.cli.unended import announce
from cancel_tui.cli.waiting import waits_told
from cancel_tui.clock import SystemClock
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.slot import Slot
from cancel_tui.orders import Order, iso, plain
from cancel_tui.scope import Match, Scope


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_scope(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(options: argparse.Namespace) -> int:
    """List and print; 0, or 3 where a list is incomplete."""
    settings = settings_of(options)
    clock = SystemClock()
    scope = scope_of(options, settings, clock)
    announce(options, clock)
    desk = make_desk(options, settings, clock)
    return asyncio.run(_orders(options, desk, scope))


async def _orders(options: argparse.Namespace, desk: Desk, scope: Scope) -> int:
    slots = [slot for slot in desk.slots.values() if scope.venue_in(slot.name)]
    taken = desk.clock.wall()
    try:
        with waits_told(desk):
            await asyncio.gather(*(list_once(desk, slot) for slot in slots))
        found = [order for slot in slots for order in slot.book.orders()]
        lacks = {slot.name: slot.venue.capabilities.lacks for slot in slots if slot.venue}
        shown = [order for order in found if scope.match(order, lacks[order.venue]) is not Match.NO]
        missing = unmatched(scope, found, {account for slot in slots for account in slot.accounts})
        now = desk.clock.monotonic()
        if options.json:
            render.document(
                {
                    "taken_at": iso(taken),
                    "unmatched": missing,
                    "venues": [render.venue_json(slot, now) for slot in slots],
                    "orders": [render.order_json(order) for order in shown],
                }
            )
        else:
            _print(shown, slots, missing)
    finally:
        await desk.close()
    return 0 if all(slot.complete for slot in slots) else 3


async def list_once(desk: Desk, slot: Slot) -> None:
    """Open one venue and read everything that it can list, its clock beside it."""
    await desk.open([slot.name])
    if slot.venue is None or slot.lane is None:
        return
    port = slot.lane.port(Urgency.POLL)
    measuring = asyncio.create_task(slot.venue.measure_clock(port))
    await desk.list_venue(slot, Urgency.KILL, deep=True)
    await asyncio.wait({measuring}, timeout=0.5)
    measuring.cancel()
    await asyncio.gather(measuring, return_exceptions=True)


def unmatched(scope: Scope, orders: Iterable[Order], accounts: set[str]) -> list[str]:
    """Scope values that occur in no list."""
    found = list(orders)
    seen = {
        "account": {one.account.casefold() for one in found if one.account}
        | {a.casefold() for a in accounts},
        "symbol": {one.symbol.raw.casefold() for one in found if one.symbol},
        "exchange": {one.exchange.raw.casefold() for one in found if one.exchange},
    }
    return [
        value
        for name, known in seen.items()
        for value in scope.raw.get(name, [])
        if value.casefold() not in known
    ]


def _print(orders: list[Order], slots: list[Slot], missing: list[str]) -> None:
    head = ("VENUE", "ACCOUNT", "SYMBOL", "SIDE", "TYPE", "PRICE", "QUANTITY", "FILLED", "STATUS", "ID")
    rows = [
        (
            order.venue,
            order.account or "",
            str(order.symbol or "?"),
            order.side.value if order.side else "?",
            order.type.value,
            plain(order.price) or "",
            plain(order.quantity) or "?",
            plain(order.filled) or "?",
            order.status.value,
            order.key.shown_id,
        )
        for order in orders
    ]
    for line in render.table(head, rows, frozenset({5, 6, 7})):
        render.say(line)
    for slot in slots:
        if not slot.complete:
            render.warn(f"{slot.name}: {slot.state.value}, the list is not complete: {slot.error}")
        for code in slot.all_blind_spots:
            render.warn(f"{slot.name}: cannot be listed: {code}")
    if missing:
        render.warn(f"occurs in no list: {', '.join(missing)}")
    render.warn(f"{len(orders)} open orders")
