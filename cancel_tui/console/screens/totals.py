"""Totals: counts and notional of what the grid shows, per venue, per side and per symbol."""

from __future__ import annotations

from math import inf
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from cancel_tui.console.grid import OrderGrid
from cancel_tui.console.ledger import Ledger
from cancel_tui.console.lines import DOUBT
from cancel_tui.console.screens.help import ScrollScreen
from cancel_tui.console.totals import Sum, Totals, sum_of, totals
from cancel_tui.text import literal

AGAIN = 0.5
"""Seconds between two sums: each goes through every order that is shown."""
_NAME = 16


class TotalsScreen(ScrollScreen):
    """Goes on while it is looked at."""

    LIVE: ClassVar[bool] = True

    def __init__(self, grid: OrderGrid, ledger: Ledger) -> None:
        super().__init__()
        self._grid = grid
        self._ledger = ledger
        self._summed_at = -inf
        self._totals = Totals()
        self._marked = Sum()

    def headline(self) -> Text:
        """What is summed up."""
        told = Text.assemble(("Totals of the open orders", "bold"))
        if self._grid.model.filter.strip():
            told.append(f" that the filter shows: {literal(self._grid.model.filter, 40)}")
        return told

    def _sum(self) -> None:
        now = self.console_app.desk.clock.monotonic()
        if now - self._summed_at < AGAIN:
            return
        self._summed_at = now
        model, over = self._grid.model, self._ledger.over
        self._totals = totals(row.order for row in model if not over(row.key))
        rows = (model.get(key) for key in model.marked)
        self._marked = sum_of(row.order for row in rows if row is not None and not over(row.key))

    def body(self) -> Text:
        """The groups, the largest first."""
        self._sum()
        found, width = self._totals, self.size.width - 3
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{'':<{_NAME}} {'COUNT':>6} {'BUY':>6} {'SELL':>6}  NOTIONAL\n", "dim")
        text.append_text(_line("all", found.whole, width, "bold"))
        if self._marked.count:
            text.append_text(_line("marked", self._marked, width, "bold"))
        for name, groups in (("venue", found.venues), ("side", found.sides), ("symbol", found.symbols)):
            text.append(f"by {name}\n", "bold")
            for group, one in sorted(groups.items(), key=lambda item: (-item[1].count, item[0])):
                text.append_text(_line(f"  {literal(group, _NAME - 2)}", one, width, ""))
        doubts = [slot.name for slot in self._ledger.desk.slots.values() if not slot.complete]
        if doubts:
            text.append(f"? not every order of {', '.join(doubts)} may be listed\n", DOUBT)
        model = self._grid.model
        if model.troubles:
            text.append(f"! {model.troubles[0]}; this word hides nothing\n", DOUBT)
        text.rstrip()
        return text


def _line(name: str, one: Sum, width: int, style: str) -> Text:
    """One group; what does not fit of its notional goes on in a further line."""
    head = f"{set_cell_size(name, _NAME)} {one.count:>6} {one.buys:>6} {one.sells:>6}  "
    text = Text(head, style)
    used = cell_len(head)
    for number, word in enumerate(one.words()):
        size = cell_len(word) + 2
        if number and used + size > width:
            text.append("\n" + " " * cell_len(head))
            used = cell_len(head)
        text.append(f"{word}  ")
        used += size
    text.append("\n")
    return text
