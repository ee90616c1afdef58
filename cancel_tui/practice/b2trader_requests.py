"""Reads the practice B2TRADER's creation requests; amounts may be strings or numbers, words any case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from cancel_tui.practice.b2trader_book import Dealer
from cancel_tui.practice.b2trader_wire import MARKETS, Market
from cancel_tui.practice.market import Book, SimOrder, State

_TIFS = ("gtc", "ioc", "fok", "gtd", "day")


class BadOrderError(Exception):
    """The request is not a valid order; the text says why."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the six ways to create an order."""

    market_type: str
    stop: bool
    in_lots: bool


CREATE = {
    "/frontoffice/api/v3/orders": Kind("Spot", stop=False, in_lots=False),
    "/frontoffice/api/cfd/v4/orders": Kind("Cfd", stop=False, in_lots=True),
    "/frontoffice/api/perpetual/v4/orders": Kind("Perp", stop=False, in_lots=True),
    "/frontoffice/api/v3/stop-orders": Kind("Spot", stop=True, in_lots=False),
    "/frontoffice/api/cfd/v4/stop-orders": Kind("Cfd", stop=True, in_lots=True),
    "/frontoffice/api/perpetual/v4/stop-orders": Kind("Perp", stop=True, in_lots=True),
}
"""What a POST to each path creates."""


def create(book: Book, dealer: Dealer, kind: Kind, account: str, body: Any, *, reject: bool) -> SimOrder:
    """Put the order of a creation request into the book; with `reject` it is stored as rejected."""
    order = body.get("order") if isinstance(body, dict) else None
    if not isinstance(order, dict):
        raise BadOrderError("The order field is required.")
    market = MARKETS.get(str(order.get("marketId")))
    if market is None or market.type != kind.market_type:
        raise BadOrderError("The market was not found.")
    side = _word(order, "side", ("buy", "sell"))
    priced = _word(order, "orderType", ("market", "limit")) == "limit"
    tif = _word(order, "timeInForce", _TIFS) if order.get("timeInForce") else "gtc"
    quantity = _quantity(order, kind, market)
    price = _decimal(order, "requestedPrice") if priced else None
    extra = _extra(order) if market.type != "Spot" else {}
    if kind.stop:
        trigger = _decimal(order, "activationPrice")
        return dealer.place_stop(
            market.id, side, quantity, trigger, price, account=account, tif=tif, extra=extra
        )
    placed = dealer.place(
        market.id,
        side,
        quantity,
        price,
        account=account,
        tif=tif,
        expires=_expiry(order, book.clock.wall()) if tif == "gtd" else None,
        state=State.REJECTED if reject else State.RESTING,
        extra=extra,
    )
    if placed.price is None:
        dealer.fill_later(placed)
    elif tif in ("ioc", "fok") and placed.state.live:
        book.cancel(placed, 0)
    return placed


def _quantity(order: dict[str, Any], kind: Kind, market: Market) -> Decimal:
    if kind.in_lots:
        return _decimal(order, "requestedLotAmount") * market.lot
    return _decimal(order, "requestedAmount")


def _word(order: dict[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    word = str(order.get(name, "")).lower()
    if word not in allowed:
        raise BadOrderError(f"The field {name} is not valid.")
    return word


def _decimal(order: dict[str, Any], name: str) -> Decimal:
    value = order.get(name)
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal(0)
    if isinstance(value, bool) or not number.is_finite() or number <= 0:
        raise BadOrderError(f"The field {name} must be a positive number.")
    return number


def _expiry(order: dict[str, Any], now: float) -> float:
    try:
        when = datetime.fromisoformat(str(order.get("cancellationDate")))
    except ValueError:
        raise BadOrderError("The field cancellationDate is required for Gtd.") from None
    if when.tzinfo is None or when.timestamp() <= now:
        raise BadOrderError("The field cancellationDate must be a UTC time in the future.")
    return when.timestamp()


def _extra(order: dict[str, Any]) -> dict[str, str]:
    extra = {}
    leverage = order.get("leverage")
    if leverage is not None:
        if not isinstance(leverage, int) or isinstance(leverage, bool) or leverage < 1:
            raise BadOrderError("The field leverage must be a positive integer.")
        extra["leverage"] = str(leverage)
    for name, key in (("takeProfit", "take_profit"), ("stopLoss", "stop_loss")):
        given = order.get(name)
        if isinstance(given, dict):
            extra[key] = format(_decimal(given, "price"), "f")
            if given.get("isTrailing"):
                extra["trailing"] = "yes"
    return extra
