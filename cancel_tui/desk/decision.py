"""What is written down of a decision to kill, and how a scope is read back from it. No I/O.

Reading back is strict: a scope that is not there whole is refused, because a missing limit would read as
"everything".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from math import isinf
from typing import TYPE_CHECKING, Any

import msgspec

from cancel_tui.orders import AccountId, Family, OrderId, OrderKey, Side, VenueName, plain
from cancel_tui.scope import Scope, fold

if TYPE_CHECKING:
    from cancel_tui.desk.preview import VenuePreview
    from cancel_tui.settings import VenueSettings

_FIELDS = ("venue", "account", "symbol", "side", "exchange")


class Place(msgspec.Struct, frozen=True):
    """Which venue a name meant."""

    kind: str
    base_url: str
    credentials: str
    """The name of the keyring entry, not what is in it."""

    @classmethod
    def of(cls, settings: VenueSettings) -> Place:
        """What the configuration says."""
        return cls(settings.kind, settings.base_url, settings.credentials)


class UnreadableError(ValueError):
    """A recorded decision that cannot be carried out as it was meant; the text says why."""


def decision(
    scope: Scope,
    places: Mapping[VenueName, Place],
    *,
    deadline: float,
    hold: float,
    previews: Iterable[VenuePreview] = (),
    resumes: str | None = None,
) -> dict[str, Any]:
    """What the record of a decision holds beside the scope as it was typed. Times are seconds."""
    found: dict[str, Any] = {
        "deadline": deadline,
        "hold": "until released" if isinf(hold) else hold,
        "places": {
            name: {"kind": one.kind, "base_url": one.base_url, "credentials": one.credentials}
            for name, one in places.items()
        },
        "preview": [preview_json(one) for one in previews] or None,
    }
    if scope.keys is not None:
        found["targets"] = targets(scope.keys)
    if scope.older_than is not None:
        found["older_than"] = repr(scope.older_than)
    if resumes is not None:
        found["resumes"] = resumes
    return found


def preview_json(one: VenuePreview) -> dict[str, Any]:
    """One line of what was shown before the word."""
    return {
        "venue": one.venue,
        "orders": one.orders,
        "buys": one.buys,
        "sells": one.sells,
        "protective": one.protective,
        "kept": one.kept,
        "unreadable": one.unreadable,
        "method": "cancel_all" if one.native else "singles",
        "expected_seconds": one.seconds,
        "notional": {name: plain(value) for name, value in (one.notional or {}).items()},
        "unpriced": one.unpriced,
        "sources": dict(one.sources),
    }


def targets(keys: Iterable[OrderKey]) -> list[dict[str, Any]]:
    """A frozen list of orders, whole: by venue, account and family."""
    groups: dict[tuple[str, str | None, str], list[str]] = {}
    for key in sorted(keys, key=lambda one: (one.venue, one.account or "", one.family, one.order_id)):
        groups.setdefault((key.venue, key.account, key.family.value), []).append(key.order_id)
    return [
        {"venue": venue, "account": account, "family": family, "orders": ids}
        for (venue, account, family), ids in groups.items()
    ]


def scope_from(record: Mapping[str, Any]) -> Scope:
    """The scope of a recorded decision; raises `UnreadableError` where it is not there whole."""
    typed = record.get("scope")
    if not isinstance(typed, dict) or set(typed) - {*_FIELDS, "older_than", "order_id", "keep_protective"}:
        raise UnreadableError("its scope cannot be read")
    raw = {name: _texts(typed.get(name), f"its scope's {name}") for name in _FIELDS}
    keys = None
    if "order_id" in typed or "targets" in record:
        keys = _keys(record.get("targets"))
        if sorted(key.shown_id for key in keys) != sorted(_texts(typed.get("order_id"), "its orders")):
            raise UnreadableError("its orders are not those of its scope")
    try:
        sides = frozenset(Side(one) for one in raw["side"])
    except ValueError as why:
        raise UnreadableError("its scope names a side that does not exist") from why
    keep = typed.get("keep_protective", False)
    if not isinstance(keep, bool):
        raise UnreadableError("its scope cannot be read")
    return Scope(
        venues=fold(raw["venue"]),
        accounts=frozenset() if keys is not None else fold(raw["account"]),
        symbols=fold(raw["symbol"]),
        sides=sides,
        exchanges=fold(raw["exchange"]),
        older_than=_older(typed, record),
        keys=keys,
        keep_protective=keep,
        raw=raw,
    )


def places_from(record: Mapping[str, Any]) -> dict[VenueName, Place]:
    """Which venues the recorded names meant; raises `UnreadableError`."""
    names, found = record.get("venues"), record.get("places")
    if not isinstance(names, list) or not isinstance(found, dict) or set(names) != set(found):
        raise UnreadableError("its venues cannot be read")
    places = {}
    for name, one in found.items():
        facts = one if isinstance(one, dict) else {}
        texts = [facts.get(field) for field in ("kind", "base_url", "credentials")]
        if not all(isinstance(text, str) for text in texts):
            raise UnreadableError("its venues cannot be read")
        places[VenueName(name)] = Place(*map(str, texts))
    return places


def _keys(found: object) -> frozenset[OrderKey]:
    keys = set()
    for group in found if isinstance(found, list) else [None]:
        if not isinstance(group, dict) or not isinstance(group.get("venue"), str):
            raise UnreadableError("its orders cannot be read")
        account, family = group.get("account"), group.get("family")
        if not (account is None or isinstance(account, str)) or family not in list(Family):
            raise UnreadableError("its orders cannot be read")
        for order_id in _texts(group.get("orders"), "its orders"):
            place = None if account is None else AccountId(account)
            keys.add(OrderKey(VenueName(group["venue"]), place, Family(family), OrderId(order_id)))
    return frozenset(keys)


def _older(typed: Mapping[str, Any], record: Mapping[str, Any]) -> float | None:
    if "older_than" not in typed and "older_than" not in record:
        return None
    try:
        exact = float(record["older_than"])
        shown = datetime.fromisoformat(typed["older_than"]).timestamp()
    except (KeyError, TypeError, ValueError) as why:
        raise UnreadableError("the age in its scope cannot be read") from why
    if not abs(exact - shown) < 0.01:
        raise UnreadableError("the age in its scope cannot be read")
    return exact


def _texts(found: object, what: str) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise UnreadableError(f"{what} cannot be read")
    return list(found)
