"""Holds what was said of each order against what the practice venues' own books say. Pure.

Rows of truth are plain objects: venue, order, account, family, symbol, side, state, live, filled, quantity
(decimal strings), created and updated (seconds since the epoch).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

Row = Mapping[str, Any]
_Id = tuple[str, str]

_LIMITS = ("account", "symbol", "side", "exchange", "older_than", "order_id", "keep_protective")
_ENDS = ("canceled", "filled", "expired", "rejected")


class Judgement(StrEnum):
    """How what was said of one order stands to what is so."""

    AGREE = "agree"
    CONTRADICT = "contradict"
    NAMED = "named"
    """Live, in a part of the venue that its verdict says nobody can list."""
    SINCE = "since"
    """It changed, or was placed, after what was said of it."""
    UNCLAIMED = "unclaimed"
    """Nothing was claimed of it."""


class VenueClaim(msgspec.Struct, frozen=True):
    """What the last kill of everything at a venue said of it."""

    kill: str
    verdict: str
    blind_spots: tuple[str, ...]
    said_at: float | None
    """When it was over, in seconds since the epoch; None while it is not."""


def seconds_of(text: object) -> float | None:
    """A time of a record or report in seconds since the epoch; None where there is none."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def whole(kill: Row, venue: str) -> bool:
    """Whether a kill took everything at a venue."""
    scope = kill.get("scope") or {}
    limited = any(scope.get(name) for name in _LIMITS)
    return not limited and not kill.get("by_id") and any(one["venue"] == venue for one in kill["venues"])


def venue_claims(kills: Sequence[Row]) -> dict[str, VenueClaim]:
    """By venue, what the newest kill of everything there said; venues without one are missing."""
    found: dict[str, VenueClaim] = {}
    for kill in kills:
        for one in kill["venues"]:
            if whole(kill, one["venue"]):
                found[one["venue"]] = VenueClaim(
                    kill["kill_id"],
                    one["verdict"],
                    tuple(one["blind_spots"]),
                    seconds_of(kill.get("finished_at")),
                )
    return found


def judge_all(kills: Sequence[Row], before: Sequence[Row], after: Sequence[Row]) -> list[dict[str, Any]]:
    """One row for every order that was live at the start, was placed since, or was spoken of."""
    claims = _order_claims(kills)
    venues = venue_claims(kills)
    known = {(one["venue"], one["order"]): one for one in before}
    rows = []
    seen: set[_Id] = set()
    for real in after:
        mark = (real["venue"], real["order"])
        seen.add(mark)
        old = known.get(mark)
        claim = claims.get(mark)
        if claim is None and old is not None and not old["live"] and not real["live"]:
            continue
        judgement, why = _judge(claim, real, venues.get(real["venue"]))
        rows.append(
            {
                "venue": real["venue"],
                "account": real["account"] or None,
                "order": real["order"],
                "family": real["family"],
                "symbol": real["symbol"],
                "side": real["side"],
                "quantity": real["quantity"],
                "live_at_start": bool(old and old["live"]),
                "said": None if claim is None else claim["outcome"],
                "said_filled": None if claim is None else claim["filled"],
                "kill": None if claim is None else claim["kill"],
                "really": "live" if real["live"] else real["state"],
                "really_filled": real["filled"],
                "live_at_end": real["live"],
                "judgement": judgement.value,
                "why": why,
            }
        )
    rows += [_invented(claim) for mark, claim in claims.items() if mark not in seen]
    return rows


def _order_claims(kills: Sequence[Row]) -> dict[_Id, dict[str, Any]]:
    """The newest word on each order. Ids are unique at a venue of the practice."""
    return {
        (one["venue"], one["order_id"]): {**one, "kill": kill["kill_id"], "began": kill["started_at"]}
        for kill in kills
        for one in kill["orders"]
    }


def _judge(claim: Row | None, real: Row, venue: VenueClaim | None) -> tuple[Judgement, str]:
    if claim is None or claim["outcome"] == "unknown":
        return _unsaid(real, venue)
    said = claim["outcome"]
    if said in _ENDS:
        if real["live"]:
            return Judgement.CONTRADICT, f"said to be {said}, and it is live"
        if real["state"] != said:
            return Judgement.CONTRADICT, f"said to be {said}, and it is {real['state']}"
        if claim["filled"] is not None and Decimal(claim["filled"]) != Decimal(real["filled"]):
            return Judgement.CONTRADICT, f"said to have filled {claim['filled']}, and it is {real['filled']}"
        return Judgement.AGREE, ""
    if said == "gone":
        if real["live"]:
            return Judgement.CONTRADICT, "said to be gone, and it is live"
        return Judgement.AGREE, f"gone from the lists; it is {real['state']}"
    if real["live"]:
        return Judgement.AGREE, "known to be live"
    began = seconds_of(claim["began"])
    if began is not None and real["updated"] >= began:
        return Judgement.SINCE, f"known to be live when last seen; {real['state']} since"
    return Judgement.CONTRADICT, f"said to be live, and it was {real['state']} before the kill began"


def _unsaid(real: Row, venue: VenueClaim | None) -> tuple[Judgement, str]:
    """Of an order of which nothing was said, the venue's own verdict may still say something."""
    if not real["live"]:
        return Judgement.UNCLAIMED, "ended without being spoken of"
    if venue is None or venue.verdict != "flat":
        return Judgement.UNCLAIMED, "live; its venue was not called flat"
    if real["family"] == "stop" and "stop_orders" in venue.blind_spots:
        return Judgement.NAMED, "live; the verdict names stop_orders as what nobody can list"
    if venue.said_at is not None and real["created"] > venue.said_at:
        return Judgement.SINCE, "live; placed after the verdict"
    return Judgement.CONTRADICT, "live, though its venue was called flat"


def _invented(claim: Row) -> dict[str, Any]:
    """An order that was spoken of and that its venue never had."""
    unknown = claim["outcome"] == "unknown"
    judgement = Judgement.UNCLAIMED if unknown else Judgement.CONTRADICT
    return {
        "venue": claim["venue"],
        "account": claim.get("account"),
        "order": claim["order_id"],
        "family": claim.get("family"),
        "symbol": claim.get("symbol"),
        "side": None,
        "quantity": None,
        "live_at_start": False,
        "said": claim["outcome"],
        "said_filled": claim["filled"],
        "kill": claim["kill"],
        "really": None,
        "really_filled": None,
        "live_at_end": False,
        "judgement": judgement.value,
        "why": "its venue never had such an order",
    }
