"""What ended of late: every order that left the grid, with its end, the newest first."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text

from cancel_tui.console.recent import Recent
from cancel_tui.console.screens.help import ScrollScreen
from cancel_tui.orders import iso, plain
from cancel_tui.text import table


class RecentScreen(ScrollScreen):
    """Goes on while it is looked at."""

    LIVE: ClassVar[bool] = True

    def __init__(self, recent: Recent) -> None:
        super().__init__()
        self._recent = recent

    def headline(self) -> Text:
        """How many there are."""
        told = Text.assemble((f"Recently ended: {len(self._recent)}", "bold"))
        return told.append(f"  and {self._recent.dropped} before them") if self._recent.dropped else told

    def body(self) -> Text:
        """One row for each."""
        ends = self._recent.newest()
        if not ends:
            return Text("no order has ended since this console was opened", "dim")
        clock = self.console_app.desk.clock
        base = clock.wall() - clock.monotonic()
        rows = []
        for one in ends:
            order = one.order
            rows.append(
                (
                    (iso(base + one.at) or "")[11:19],
                    one.word,
                    order.venue,
                    str(order.symbol or "–")[:14],
                    order.side.value.upper() if order.side else "–",
                    plain(order.price if order.price is not None else order.trigger_price) or "–",
                    plain(order.filled) or "–",
                    one.took or "–",
                    f"…{order.key.shown_id[-8:]}",
                    one.said[:120],
                )
            )
        head = ("AT", "END", "VENUE", "SYMBOL", "SIDE", "PRICE", "FILLED", "TOOK", "ID", "")
        return Text("\n".join(table(head, rows, frozenset({5, 6, 7}))), no_wrap=True, overflow="ellipsis")
