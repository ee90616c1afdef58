"""`cancel-tui cancel`: named orders, and the proven end of each."""

from __future__ import annotations

import argparse

from cancel_tui.cli import render
from cancel_tui.cli.interrupt import Over, carried_out
from cancel_tui.cli.kill import concluded
from cancel_tui.cli.session import UsageError, duration, make_desk, settings_of
from cancel_tui.cli.unended import announce
from cancel_tui.cli.waiting import waits_told
from cancel_tui.clock import SystemClock
from cancel_tui.desk.desk import Desk
from cancel_tui.desk.gate import Urgency
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.slot import Slot
from cancel_tui.orders import AccountId, Family, Order, OrderId, OrderKey, VenueName
from cancel_tui.scope import Scope
from cancel_tui.text import literal
from cancel_tui.venues.registry import check_order_id

_STOP = "stop:"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    parser.add_argument("venue", metavar="VENUE")
    parser.add_argument("order_id", metavar="ORDER_ID", nargs="+", help="stop:ID names a B2TRADER Stop order")
    parser.add_argument("--account", metavar="ID", help="the account, where the venue has several")
    parser.add_argument("--deadline", type=duration, default=120.0, metavar="SECONDS")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(options: argparse.Namespace) -> int:
    """Cancel and read back."""
    if options.read_only:
        raise UsageError("--read-only: nothing that cancels will run")
    settings = settings_of(options)
    found = [one for one in settings.enabled if one.name.casefold() == options.venue.casefold()]
    if not found:
        names = ", ".join(one.name for one in settings.enabled) or "none"
        raise UsageError(f"{options.venue}: no such venue; configured are {names}")
    venue = found[0]
    per_account = venue.kind == "b2trader"
    if any(one.startswith(_STOP) for one in options.order_id) and not per_account:
        raise UsageError(f"stop:ID is for b2trader venues; {venue.name} is {venue.kind}")
    if any(not one.removeprefix(_STOP).strip() for one in options.order_id):
        raise UsageError("an order id must not be empty")
    for one in options.order_id:
        try:
            check_order_id(venue.kind, one.removeprefix(_STOP))
        except ValueError as why:
            raise UsageError(f"{literal(one, 60)}: no order id of {venue.name}: {why}") from why
    if options.account and venue.accounts and options.account not in venue.accounts:
        raise UsageError(f"--account {options.account}: not among the configured accounts")
    clock = SystemClock()
    announce(options, clock)
    desk = make_desk(options, settings, clock)
    over: Over = []
    work = _cancel(options, desk, desk.slots[VenueName(venue.name)], per_account, over)
    return concluded(desk, work, over, as_json=options.json)


async def _cancel(
    options: argparse.Namespace, desk: Desk, slot: Slot, per_account: bool, over: Over | None = None
) -> tuple[Kill, bool]:
    await desk.open([slot.name])
    known: dict[str, Order] = {}
    if per_account and slot.venue is not None and options.account is None:
        with waits_told(desk):
            await desk.list_venue(slot, Urgency.KILL, deep=True)
        known = _known(slot)
    keys = [_key(slot, raw, options.account, known) for raw in dict.fromkeys(options.order_id)]
    sendable = frozenset(key for key in keys if key.account is not None or not per_account)
    scope = Scope(
        venues=frozenset({slot.name.casefold()}),
        keys=sendable,
        raw={"venue": [slot.name], "account": [options.account] if options.account else []},
    )
    kill = desk.plan_kill(scope, deadline=options.deadline, by_id=True, known=known.values())
    # Before it is carried out: a signal behind it must not take the names from the report.
    kill.unfound += [key for key in keys if key not in sendable or slot.venue is None]
    finished = True
    if sendable:
        finished = await carried_out(desk, kill, desk.start(kill, render.scope_json(scope)), over)
    else:
        kill.names = (slot.name,)
        kill.locked[slot.name] = slot.error or _nowhere(keys)
    kill.finished_wall = desk.clock.wall()
    return kill, finished


def _known(slot: Slot) -> dict[str, Order]:
    """The listed orders by id; an id that two accounts use is nobody's, it needs `--account`."""
    found: dict[str, Order] = {}
    twice: set[str] = set()
    for order in slot.book.orders():
        if order.key.order_id in found:
            twice.add(order.key.order_id)
        found[order.key.order_id] = order
    return {order_id: order for order_id, order in found.items() if order_id not in twice}


def _nowhere(keys: list[OrderKey]) -> str:
    if any(key.family is Family.STOP for key in keys):
        return "a Stop order cannot be found by listing: name its --account"
    return "none of the named orders is in its lists"


def _key(slot: Slot, raw: str, account: str | None, known: dict[str, Order]) -> OrderKey:
    """The key of a named order; without an account where none was given and none can be found."""
    family = Family.STOP if raw.startswith(_STOP) else Family.ORDER
    order_id = OrderId(raw.removeprefix(_STOP))
    if slot.settings.kind != "b2trader":
        return OrderKey(slot.name, None, family, order_id)
    if account is not None:
        return OrderKey(slot.name, AccountId(account), family, order_id)
    order = known.get(order_id)
    if order is not None and order.key.family is family:
        return order.key
    if family is Family.STOP and len(slot.accounts) == 1:
        # Stop orders cannot be listed; with one account there is only one place where it can be.
        return OrderKey(slot.name, AccountId(next(iter(slot.accounts))), family, order_id)
    return OrderKey(slot.name, None, family, order_id)
