"""What the order grid says: another order under the cursor, another set of marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from cancel_tui.orders import OrderKey

if TYPE_CHECKING:
    from cancel_tui.console.grid import OrderGrid
    from cancel_tui.console.grid_cursor import CursorView


class CursorMoved(Message, namespace="order_grid"):
    """Another order, or none, is under the cursor."""

    def __init__(self, grid: CursorView, key: OrderKey | None) -> None:
        super().__init__()
        self.grid = grid
        self.key = key

    @property
    def control(self) -> CursorView:
        """The grid that speaks."""
        return self.grid

    def can_replace(self, message: Message) -> bool:
        """Only the newest place matters."""
        return isinstance(message, CursorMoved)


class MarksChanged(Message, namespace="order_grid"):
    """The set of marked orders is another."""

    def __init__(self, grid: OrderGrid, marked: frozenset[OrderKey]) -> None:
        super().__init__()
        self.grid = grid
        self.marked = marked

    @property
    def control(self) -> OrderGrid:
        """The grid that speaks."""
        return self.grid

    def can_replace(self, message: Message) -> bool:
        """Only the newest set matters."""
        return isinstance(message, MarksChanged)
