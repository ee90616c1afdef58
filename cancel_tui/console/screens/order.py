"""One order whole: every field, the words about it, and what happened to it and when."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from cancel_tui.console.badges import age_text, badge_text
from cancel_tui.console.commands import shown_key
from cancel_tui.console.grid import OrderGrid
from cancel_tui.console.grid_model import GridRow
from cancel_tui.console.ledger import Ledger
from cancel_tui.console.lines import DOUBT, took
from cancel_tui.console.screens.help import ScrollScreen
from cancel_tui.console.why import why
from cancel_tui.desk.diary import Moment
from cancel_tui.desk.report import order_json
from cancel_tui.desk.track import Track
from cancel_tui.orders import OrderKey, iso, plain
from cancel_tui.text import literal

_NAME = 16


class OrderScreen(ScrollScreen):
    """Stays with its order, whatever becomes of it."""

    LIVE: ClassVar[bool] = True

    def __init__(self, key: OrderKey, grid: OrderGrid, ledger: Ledger) -> None:
        super().__init__()
        self.key = key
        self._grid = grid
        self._ledger = ledger
        self._row: GridRow | None = None

    def headline(self) -> Text:
        """Which order, and how it stands."""
        row = self._row = self._grid.model.get(self.key) or self._row
        told = Text.assemble((f"{self.key.venue} {literal(self.key.shown_id, 40)}", "bold"))
        if row is not None:
            now = self.console_app.desk.clock.monotonic()
            said = badge_text(row.shown_badge, now, 40, self.console_app.ascii_only)
            told.append(f"   {said.strip()}")
        if self._grid.model.get(self.key) is None:
            told.append("   no longer in the grid", DOUBT)
        return told

    def body(self) -> Text:
        """Every field in two columns where there is room, then the words, then the times."""
        text = Text(no_wrap=True, overflow="ellipsis")
        track = self._ledger.tracks.get(self.key)
        order = self._row.order if self._row is not None else track.order if track is not None else None
        if track is not None:
            self._cancel(text, track)
        if order is not None:
            facts = order_json(order) | {"notional": plain(order.notional), "quote": order.quote}
            text.append("Every field\n", "bold")
            cells = [(name, "–" if value is None else str(value)) for name, value in facts.items()]
            text.append(_facts(cells, max(30, self.size.width - 4)))
        text.append("What happened, UTC\n", "bold")
        for moment in self._moments(track):
            text.append(
                f"  {(iso(moment.wall) or '')[5:23].replace('T', ' ')}  {literal(moment.what, 160)}\n"
            )
        text.rstrip()
        return text

    def _cancel(self, text: Text, track: Track) -> None:
        """How its cancel stands, and why it gets nowhere where it does."""
        clock = self.console_app.desk.clock
        now = clock.monotonic()
        words = f"{track.stage.value} for {age_text(now - track.since)}, tries {track.attempts}"
        if took(track):
            words += f", took {took(track)}"
        text.append("Its cancel  ", "bold").append(f"{words}, outcome {track.outcome.value}\n")
        asks = shown_key(self.console_app.keymap.keys["cancel"][0])
        said = why(track, now, f"{asks} on the grid")
        if said:
            wrapped = textwrap.wrap(literal(said, 400), max(20, self.size.width - 6))
            text.append("  " + "\n  ".join(wrapped) + "\n", DOUBT)

    def _moments(self, track: Track | None) -> list[Moment]:
        """Its times: the venue's own, the cancels', and what each kill has of it, the oldest first."""
        found: list[Moment] = []
        order = self._row.order if self._row is not None else None
        if order is not None and order.created_at is not None:
            found.append(Moment(order.created_at, "created, by the venue's clock"))
        if order is not None and order.updated_at is not None:
            found.append(Moment(order.updated_at, "changed last, by the venue's clock"))
        for kill in self._ledger.desk.kills:
            run = kill.runs.get(self.key.venue)
            lines = run.trail.diary.of(self.key) if run is not None else ()
            if lines:
                what = "cancel" if kill.by_id else "kill"
                found.append(Moment(kill.started_wall, f"{what} {kill.kill_id[:6]} decided"))
                found += lines
        for wall, what in (
            (
                track.acknowledged_wall if track else None,
                "the venue answered a cancel of it for the first time",
            ),
            (track.confirmed_wall if track else None, "the venue's word for its end arrived"),
        ):
            if wall is not None:
                found.append(Moment(wall, what))
        return sorted(found, key=lambda one: one.wall)


def _facts(cells: list[tuple[str, str]], width: int) -> str:
    """Names and values: two to a line where both are short, a whole line for a long one."""
    across = width // 2
    room = across - _NAME - 4
    cells = [(name, literal(value)) for name, value in cells]
    short = [one for one in cells if cell_len(one[1]) <= room]
    half = -(-len(short) // 2)
    told = ""
    for at in range(half):
        pair = [f"  {name:<{_NAME}} {value}" for name, value in short[at : at + half + 1 : half]]
        told += "".join(set_cell_size(one, across) for one in pair).rstrip() + "\n"
    for name, value in cells:
        if cell_len(value) > room:
            told += f"  {name:<{_NAME}} {value}\n"
    return told
