"""What the order grid says: another order under the cursor, another set of marks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from cancel_tui.orders import OrderKey

if TYPE_CHECKING:
    from cancel_tui.console.grid import OrderGrid
    from cancel_tui.console.grid_cursor import CursorView


@dataclass(eq=False, match_args=False)
class CursorMoved(Message, namespace="order_grid"):
    """Another order, or none, is under the cursor."""

    grid: CursorView
    key: OrderKey | None

    @property
    def control(self) -> CursorView:
        """The grid that speaks."""
        return self.grid

    def can_replace(self, message: Message) -> bool:
        """Only the newest place matters."""
        return isinstance(message, CursorMoved)


@dataclass(eq=False, match_args=False)
class MarksChanged(Message, namespace="order_grid"):
    """The set of marked orders is another."""

    grid: OrderGrid
    marked: frozenset[OrderKey]

    @property
    def control(self) -> OrderGrid:
        """The grid that speaks."""
        return self.grid

    def can_replace(self, message: Message) -> bool:
        """Only the newest set matters."""
        return isinstance(message, MarksChanged)
