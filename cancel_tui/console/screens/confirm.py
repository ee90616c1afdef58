"""The short confirm before several named orders are cancelled: a count, a notional, Enter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult

from cancel_tui.console import lines
from cancel_tui.console.commands import Where
from cancel_tui.console.screens.base import DeskScreen
from cancel_tui.console.totals import sum_of
from cancel_tui.orders import Order, plain
from cancel_tui.text import table

SETTLE = 0.15
"""Seconds after the first frame in which no key counts: nobody reads faster."""


class ConfirmScreen(DeskScreen):
    """Says what would be cancelled; Enter does it, anything else goes back.

    Keys from before its first frame do not count: a repeated Enter is no consent.
    """

    WHERE: ClassVar[Where] = Where.EVERYWHERE

    def __init__(self, question: str, orders: Sequence[Order], act: Callable[[], None]) -> None:
        super().__init__()
        self._question = question
        self._orders = orders
        self._act = act
        self._painted: float | None = None

    def compose(self) -> ComposeResult:
        """The question, the orders, the two ways out."""
        yield from self.lines_of("cramped", "title", "banner", "confirm", "footer")

    def on_mount(self) -> None:
        """Remember when the first frame stood on the screen."""
        self.tick()
        self.call_after_refresh(self._first_frame)

    def _first_frame(self) -> None:
        self._painted = self.console_app.event_time()

    @property
    def ready(self) -> bool:
        """Whether the first frame has stood long enough to be read, so that keys count."""
        return self._painted is not None and self.console_app.event_time() > self._painted + SETTLE

    def paint(self) -> None:
        """Draw the question and as many of the orders as there is room for."""
        title = Text.assemble(lines.mode_mark(self.console_app.desk), (f" {self._question}", "bold"))
        self.show("title", lines.spread(title, Text(), self.size.width))
        banner = self.banner()
        self.show("banner", banner, when=bool(banner.plain))
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(self._notional() + "\n\n", "bold")
        room = max(1, self.size.height - 10 - self.alarmed)
        rows = [_row(order) for order in self._orders[:room]]
        head = ("VENUE", "SYMBOL", "SIDE", "PRICE", "REMAINING", "ID")
        text.append("\n".join(table(head, rows, frozenset({3, 4}))))
        if len(self._orders) > room:
            text.append(f"\n… and {len(self._orders) - room} more")
        self.show("confirm", text)
        hints = [("Enter", "cancels them"), ("Esc", "goes back: nothing has been sent")]
        self.show("footer", lines.hints(hints, self.size.width))

    def in_short(self) -> Text:
        """The question and the two ways out."""
        return Text(f"{self._question}\nEnter cancels\nEsc goes back")

    def _notional(self) -> str:
        return "notional   " + "   ".join(sum_of(self._orders).words())

    def on_key(self, event: events.Key) -> None:
        """Enter, or back."""
        event.stop()
        event.prevent_default()
        if self._painted is None or event.time <= self._painted + SETTLE:
            return
        self.dismiss()
        if event.key == "enter":
            self._act()


def _row(order: Order) -> tuple[str, ...]:
    return (
        order.venue,
        str(order.symbol or "–")[:20],
        order.side.value.upper() if order.side else "–",
        plain(order.price or order.trigger_price) or "–",
        plain(order.remaining) or "–",
        order.key.shown_id[:40],
    )
