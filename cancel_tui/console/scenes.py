"""What the pictures are taken of: each scene brings the console to its moment."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic

from msgspec.structs import replace
from textual.pilot import Pilot

from cancel_tui.console.badges import HALTED, READING, STATES, UNKNOWN, Badge
from cancel_tui.console.columns import Column
from cancel_tui.console.screens.board import BoardScreen
from cancel_tui.console.stage import NARROW, WIDE, Scene, app_of, calm, until
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.report import scope_json
from cancel_tui.orders import OrderKey
from cancel_tui.scope import Scope


async def _grid(pilot: Pilot[int]) -> None:
    await calm(pilot)
    app = app_of(pilot)
    grid = app._main.grid
    rows = list(grid.model)

    def key(venue: str, number: int) -> OrderKey:
        return [row.key for row in rows if row.key.venue == venue][number]

    for marked in (key("cs-spot", 2), key("cs-spot", 3)):
        grid.model.mark(marked, True)
    app.cancel_one(key("p99", 0))
    app.cancel_one(key("roxom", 1))
    await until(pilot, lambda: app.ledger.unknown > 0)
    app.cancel_one(key("cs-fut", 1))
    app.cancel_one(key("cs-spot", 0))
    app.cancel_one(key("broker", 2))
    grid.move_cursor(key("cs-fut", 1))
    await until(pilot, lambda: sum(app.ledger.over(row.key) for row in rows) >= 2)
    await settle(pilot)


async def settle(pilot: Pilot[int]) -> None:
    """Half a second of life, so that ages are those of a living screen."""
    begun = monotonic()
    await until(pilot, lambda: monotonic() - begun > 0.5)


async def _armed(pilot: Pilot[int]) -> None:
    await calm(pilot)
    await pilot.press("ctrl+k")
    await settle(pilot)
    await pilot.press("K", "I")
    await settle(pilot)


async def _fire(pilot: Pilot[int]) -> Kill:
    await calm(pilot)
    await pilot.press("ctrl+k")
    await settle(pilot)
    await pilot.press("K", "I", "L", "L")
    await settle(pilot)
    await pilot.press("enter")
    app = app_of(pilot)
    await until(pilot, lambda: isinstance(app.screen, BoardScreen))
    return app.desk.kills[-1]


async def _board(pilot: Pilot[int]) -> None:
    kill = await _fire(pilot)

    def midway() -> bool:
        flat = sum(run.engine.flat for run in kill.runs.values())
        tracks = kill.tracks()
        return flat >= 2 and 0.55 < sum(track.stage.settled for track in tracks) / max(1, len(tracks)) < 0.9

    await until(pilot, midway)


async def _flat(pilot: Pilot[int]) -> None:
    kill = await _fire(pilot)
    await until(pilot, lambda: kill.finished_wall is not None)


async def _filtered(pilot: Pilot[int]) -> None:
    await calm(pilot)
    grid = app_of(pilot)._main.grid
    await pilot.press("slash", *"btc", "space", *"side:buy", "enter")
    grid.set_sort(Column.PRICE, reverse=True)
    for key in ("down", "space", "down", "space", "down"):
        await settle(pilot)
        await pilot.press(key)
    await settle(pilot)


_AGES = {"UNKNOWN": 4.2, "HALTED": 3.1, "not seen": 31.0, "PENDING": 1.4, "SENT": 0.2, "QUEUED": 0.1}
_NOTES = {
    "part": "25%",
    "live": "“AUCTION”",
    "canceled": "12.5 filled",
    "FILLED": "40 first",
    "UNKNOWN": READING,
}
_AGELESS = ("open", "new", "part", "live", "FILLED")


def _every_badge(now: float) -> list[Badge]:
    """Each state once, and two that have lasted long enough to be alarms."""
    made = []
    for make in STATES:
        word = make().word
        since = None if word in _AGELESS else now - _AGES.get(word, 0.3)
        made.append(make(since=since, note=_NOTES.get(word, "")))
    return [*made, UNKNOWN(since=now - 64, note=READING, alarm_after=15.0), HALTED(since=now - 25)]


async def _badges(pilot: Pilot[int]) -> None:
    """Orders of the venues, each with another badge."""
    await calm(pilot)
    app = app_of(pilot)
    for poll in app.desk._polls.values():
        poll.cancel()
    grid = app._main.grid
    now = app.desk.clock.monotonic()
    rows = list(grid.model)
    badges = _every_badge(now)
    taken = [replace(row, badge=badge) for row, badge in zip(rows, badges, strict=False)]
    grid.apply(taken, [row.key for row in rows[len(taken) :]], now)
    grid.set_sort(Column.STATUS)
    await settle(pilot)


async def _not_flat(pilot: Pilot[int]) -> None:
    """A venue that answers its cancels well and does nothing, until the deadline of the kill has passed."""
    await calm(pilot)
    app = app_of(pilot)
    kill = app.desk.plan_kill(Scope(raw={}), deadline=6.0)
    app.desk.start(kill, scope_json(kill.scope))
    app.push_screen(BoardScreen(kill))
    await until(pilot, lambda: kill.finished_wall is not None)
    await settle(pilot)


async def _credentials(pilot: Pilot[int]) -> None:
    app = app_of(pilot)
    slots = app.desk.slots.values()
    await until(pilot, lambda: sum(slot.listed_at is not None for slot in slots) >= 3)
    await pilot.press("K")
    await until(pilot, lambda: not app.keyroom.asking)
    await pilot.press("down", "down", "t")
    await settle(pilot)
    await until(pilot, lambda: not app.keyroom.asking)
    app.notice = ""
    await settle(pilot)


_LIFE = Scene(
    WIDE,
    _grid,
    orders=26,
    faults={"p99": ("once:effect_then_drop@cancel", "throttle@status"), "roxom": ("fill_race",)},
    cancel_delay={"cs-fut": 60.0},
)
"""A bit of everything: an outcome that is unknown, a fill that was faster, a cancel that takes its time."""
SCENES: Mapping[str, Scene] = {
    "grid": _LIFE,
    "grid80x24": replace(_LIFE, size=NARROW, orders=20),
    "mono80x24": replace(_LIFE, size=NARROW, orders=20, colour=False),
    "light": replace(_LIFE, theme="light"),
    "filtered": Scene(WIDE, _filtered),
    "badges": Scene((120, 30), _badges, orders=60),
    "badges-mono": Scene((120, 30), _badges, orders=60, colour=False),
    "armed": Scene(NARROW, _armed),
    "board": Scene(
        NARROW,
        _board,
        faults={"cs-spot": ("once:fill_race",), "broker": ("drop@cancel*2",)},
        latency={"cs-spot": 0.4, "broker": 0.5},
    ),
    "flat": Scene(NARROW, _flat, faults={"cs-spot": ("fill_race@cancel*2",)}),
    "notflat": Scene(NARROW, _not_flat, orders=60, faults={"cs-spot": ("cancel_noop",)}),
    "credentials": Scene((100, 24), _credentials, orders=40, stored=("coinswitch", "p99", "broker")),
}
"""The pictures by name."""
