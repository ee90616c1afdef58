"""What became of each order of a kill, the unfinished first."""

from __future__ import annotations

from rich.text import Text

from cancel_tui.cancels import Ending
from cancel_tui.console.board_lines import note_lines
from cancel_tui.console.lines import DOUBT, took
from cancel_tui.console.screens.help import ScrollScreen
from cancel_tui.desk.kill import Kill
from cancel_tui.desk.report import uncovered, uncovered_words
from cancel_tui.desk.track import Track
from cancel_tui.orders import plain
from cancel_tui.text import table

LONGEST = 2_000
"""Rows that are shown; the exported report has all of them."""
_MARGINS = 4
"""Columns that the margins and a scroll bar take."""
_FIRST = (
    Ending.OPEN,
    Ending.UNKNOWN,
    Ending.FILLED,
    Ending.GONE,
    Ending.REJECTED,
    Ending.EXPIRED,
    Ending.CANCELED,
)


class DetailScreen(ScrollScreen):
    """The report of one kill, order by order."""

    def __init__(self, kill: Kill) -> None:
        super().__init__()
        self._kill = kill

    def headline(self) -> Text:
        """Which kill, and what it did not reach."""
        text = Text.assemble((f"KILL {self._kill.kill_id[:6]}: {len(self._kill.tracks())} orders", "bold"))
        off = uncovered_words(uncovered(self._kill))
        return text.append(f"   {off}" if off else "", DOUBT)

    def body(self) -> Text:
        """What the report does not hold, then one row for each order."""
        notes = [
            line
            for one in self._kill.results()
            for line in note_lines([f"{one.venue}: {note}" for note in one.notes], self.size.width - _MARGINS)
        ]
        tracks = sorted(self._kill.tracks(), key=lambda track: _FIRST.index(track.outcome))
        rows = [_row(track) for track in tracks[:LONGEST]]
        head = ("OUTCOME", "VENUE", "SYMBOL", "FILLED", "TRIES", "TOOK", "ID", "")
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append_text(Text("\n").join([*notes, Text()]))
        text.append("\n".join(table(head, rows, frozenset({3, 4, 5}))))
        if len(tracks) > LONGEST:
            text.append(f"\n… and {len(tracks) - LONGEST} more; e on the board exports all of them")
        return text


def _row(track: Track) -> tuple[str, ...]:
    order = track.order
    return (
        track.outcome.value,
        track.key.venue,
        str((order and order.symbol) or "–")[:14],
        plain(track.filled) or "–",
        str(track.attempts),
        took(track) or "–",
        f"…{track.key.shown_id[-8:]}",
        (track.message or "")[:120],
    )
