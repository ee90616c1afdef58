"""Whether anything that was typed before is still on its way through the toolkit's queues.

A key may be acted on at once, in the callback that read it, only where no earlier one can be overtaken.
"""

from __future__ import annotations

from textual import events
from textual.app import App
from textual.driver import Driver
from textual.message import Message
from textual.message_pump import MessagePump


class Attentive(MessagePump):
    """A part of the application that knows whether it is at rest."""

    _at_work = 0

    async def _dispatch_message(self, message: Message) -> None:
        self._at_work += 1
        try:
            await super()._dispatch_message(message)
        finally:
            self._at_work -= 1

    async def _flush_next_callbacks(self) -> None:
        self._at_work += 1
        try:
            await super()._flush_next_callbacks()
        finally:
            self._at_work -= 1

    @property
    def at_rest(self) -> bool:
        """Whether no message waits here and none is being handled."""
        waiting = self._pending_message is not None or not self._message_queue.empty()
        return not (self._at_work or waiting or self._next_callbacks)


class AttentiveApp(Attentive, App[int], inherit_bindings=False):
    """An application that may act on a key in the callback that read it."""

    def get_driver_class(self) -> type[Driver]:
        """The toolkit's choice; on POSIX terminals the one that reads in the event loop."""
        found = super().get_driver_class()
        if found.__name__ != "LinuxDriver":
            return found
        from cancel_tui.console.terminal import LoopDriver

        return LoopDriver

    def take_key(self, event: events.Key) -> bool:
        """Act on a key right now; False sends it the ordinary way, behind all that came before it."""
        return False
