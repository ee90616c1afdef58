"""What became of things, as plain data: the contract's JSON objects, and the verdict in one line. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cancel_tui.cancels import Ending
from cancel_tui.desk.actions import Verdict
from cancel_tui.desk.toll import fills_json, kept, kept_json
from cancel_tui.desk.track import Track
from cancel_tui.orders import Order, OrderKey, VenueName, iso, plain
from cancel_tui.text import VenueText, literal

if TYPE_CHECKING:
    from cancel_tui.desk.engine import Engine
    from cancel_tui.desk.kill import Kill
    from cancel_tui.desk.slot import Slot
    from cancel_tui.scope import Scope


def _raw(text: VenueText | None) -> str | None:
    return None if text is None else text.raw


def order_json(order: Order) -> dict[str, Any]:
    """The contract's order object."""
    return {
        "venue": order.venue,
        "account": order.account,
        "order_id": order.key.order_id,
        "client_order_id": _raw(order.client_order_id),
        "family": order.key.family.value,
        "symbol": _raw(order.symbol),
        "display_symbol": _raw(order.display_symbol),
        "exchange": _raw(order.exchange),
        "side": order.side.value if order.side else None,
        "type": order.type.value,
        "time_in_force": _raw(order.time_in_force),
        "price": plain(order.price),
        "trigger_price": plain(order.trigger_price),
        "quantity": plain(order.quantity),
        "filled": plain(order.filled),
        "remaining": plain(order.remaining),
        "average_price": plain(order.average_price),
        "fee": plain(order.fee),
        "reduce_only": order.reduce_only,
        "status": order.status.value,
        "venue_status": _raw(order.venue_status),
        "source": _raw(order.source),
        "created_at": iso(order.created_at),
        "updated_at": iso(order.updated_at),
    }


def venue_json(slot: Slot, now: float) -> dict[str, Any]:
    """The contract's venue object of `orders --json`."""
    offset = slot.venue.clock_offset if slot.venue else None
    return {
        "venue": slot.name,
        "kind": slot.settings.kind,
        "state": slot.state_at(now).value,
        "complete": slot.complete,
        "error": slot.error,
        "blind_spots": list(slot.all_blind_spots),
        "clock_offset_ms": None if offset is None else round(offset * 1000),
    }


def scope_json(scope: Scope) -> dict[str, Any]:
    """The scope as it was typed."""
    names = ("venue", "account", "symbol", "side", "exchange")
    found: dict[str, Any] = {name: list(scope.raw.get(name, [])) for name in names}
    if scope.older_than is not None:
        found["older_than"] = iso(scope.older_than)
    if scope.keys is not None:
        found["order_id"] = [key.shown_id for key in sorted(scope.keys)]
    if scope.keep_protective:
        found["keep_protective"] = True
    return found


def track_json(track: Track) -> dict[str, Any]:
    """The contract's order object of `kill --json`."""
    outcome = track.outcome
    order = track.order
    filled = track.filled
    if outcome is Ending.OPEN:
        filled = order.filled if order else None
    elif outcome in (Ending.GONE, Ending.UNKNOWN):
        filled = None
    return {
        "venue": track.key.venue,
        "account": track.key.account or (order.account if order else None),
        "order_id": track.key.order_id,
        "family": track.key.family.value,
        "symbol": _raw(order.symbol) if order else None,
        "outcome": outcome.value,
        "filled": plain(filled),
        "last_seen_filled": plain(track.last_seen_filled),
        "filled_during_kill": plain(track.filled_since),
        "newcomer": track.newcomer,
        "attempts": track.attempts,
        "requested_at": iso(track.requested_wall),
        "acknowledged_at": iso(track.acknowledged_wall),
        "confirmed_at": iso(track.confirmed_wall),
        "message": track.message,
    }


def _unreadable_json(order: Order) -> dict[str, Any]:
    return {
        **track_json(Track(order.key, order)),
        "outcome": Ending.UNKNOWN.value,
        "last_seen_filled": plain(order.filled),
        "message": "a field of the scope cannot be read: the order was not touched",
    }


def kill_json(kill: Kill) -> dict[str, Any]:
    """The contract's document of `kill --json` and `cancel --json`."""
    orders = [track_json(track) for track in kill.tracks()]
    for run in kill.runs.values():
        orders += [_unreadable_json(order) for order in run.engine.unreadable.values()]
    return {
        "kill_id": kill.kill_id,
        "scope": scope_json(kill.scope),
        "unmatched": kill.unmatched,
        "reason": kill.reason,
        "started_at": iso(kill.started_wall),
        "finished_at": iso(kill.finished_wall),
        "verdict": kill.verdict.value,
        "switched_off": list(uncovered(kill)),
        "filled_during_kill": fills_json(kill),
        "venues": [
            {
                "venue": one.venue,
                "verdict": one.verdict.value,
                "requests": one.requests,
                "throttled": one.throttled,
                "error": one.error,
                "blind_spots": list(one.blind_spots),
                "withdrawn": sorted(key.shown_id for key in kill.withdrawn.get(one.venue, ())),
                "dead_ends": impasse_json(kill, one.venue, kill.now()),
                "failures": failures_json(kill, one.venue),
                "unknown_words": odd_words(kill, one.venue),
                "kept": kept_json(kill, one.venue),
                "notes": list(one.notes),
            }
            for one in kill.results()
        ],
        "orders": orders,
    }


def short(key: OrderKey) -> str:
    """An order for a sentence."""
    return f"{key.venue} {literal(key.shown_id, 40)}"


def ghosts(engine: Engine, name: str) -> str:
    """Orders that have ended by the venue's own word, and stand in its list all the same."""
    return f"{engine.ghosts} ended by its word and still listed on {name}"


def impasse_json(kill: Kill, name: VenueName, now: float) -> list[dict[str, Any]]:
    """Why cancels of a venue get nowhere: reason, orders, age in seconds, words."""
    run = kill.runs.get(name)
    return [
        {"why": one.why.value, "orders": one.orders, "seconds": round(one.age(now), 3), "words": one.words}
        for one in (run.engine.impasses(now) if run else ())
    ]


def kept_words(kill: Kill) -> str:
    """How many orders were left on purpose; empty where none was."""
    count = len(kept(kill))
    return f"{count} stop or take-profit order{'s' * (count != 1)} kept, still live" if count else ""


def uncovered(kill: Kill) -> list[VenueName]:
    """Venues that the scope holds and the kill did not reach: they were switched off when it began."""
    off = kill.about.get("switched_off", ())
    return [name for name in off if kill.scope.venue_in(name) and name not in kill.names]


def uncovered_words(names: Iterable[str]) -> str:
    """The same for people; empty where there is none."""
    told = ", ".join(literal(name, 14) for name in names)
    return f"not covered: {told} (off)" if told else ""


def failures_json(kill: Kill, name: VenueName) -> dict[str, int]:
    """How often each sort of failure came from one venue, lists and read-backs included."""
    run = kill.runs.get(name)
    return dict(sorted(run.engine.failures.items())) if run else {}


def odd_words(kill: Kill, name: VenueName) -> dict[str, int]:
    """Status words of one venue that nobody has documented, and on how many orders each stood."""
    run = kill.runs.get(name)
    return {word: len(keys) for word, keys in sorted(run.engine.odd_words.items())} if run else {}


def verdict_line(kill: Kill) -> str:
    """The verdict in one line; on it, venues that were off, blind spots, what was left on purpose."""
    left = kept_words(kill)
    words = _verdict_line(kill, uncovered_words(uncovered(kill))) + (f"   {left}" if left else "")
    # Blind spots can hold a venue's own text: the names of its accounts.
    return literal(words, 2_000)


def _verdict_line(kill: Kill, off: str) -> str:
    told = f", {off}" if off else ""
    verdict = kill.verdict
    tracks = kill.tracks()
    seconds = (kill.finished_wall or kill.started_wall) - kill.started_wall
    if verdict is Verdict.FLAT:
        spots = sorted({f"{one.venue}: {code}" for one in kill.results() for code in one.blind_spots})
        words = f"FLAT{told}" + (f" EXCEPT {', '.join(spots)}" if spots else "")
        return f"{words}   ({len(tracks)} orders, {seconds:.1f} s)"
    if verdict is Verdict.NOT_FLAT:
        live = sum(track.outcome is Ending.OPEN for track in tracks)
        return f"NOT FLAT{told}   {live} known to be still live"
    why = [f"{one.venue}: {one.error or one.verdict.value}" for one in kill.results() if one.error]
    if kill.unmatched:
        why.append(f"nothing matched {', '.join(kill.unmatched)}")
    why += [
        f"{venue_unknown} unknown on {name}"
        for name, run in kill.runs.items()
        if (venue_unknown := sum(track.outcome is Ending.UNKNOWN for track in run.engine.tracks.values()))
    ]
    why += [ghosts(run.engine, name) for name, run in kill.runs.items() if run.engine.ghosts]
    why += [
        f"{len(run.engine.unreadable)} unreadable on {name}"
        for name, run in kill.runs.items()
        if run.engine.unreadable
    ]
    return f"NOT PROVEN{told}   " + literal("; ".join(why) or "the lists were not completed")
