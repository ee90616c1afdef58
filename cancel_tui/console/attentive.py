"""Whether anything that was typed before is still on its way through the toolkit's queues.

A key may be acted on at once, where it was read, only where no earlier one can be overtaken. What an earlier
one does may itself wait in a queue: only where nothing is on its way at all has it gone all its way.
"""

from __future__ import annotations

from collections.abc import Iterable

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
        # For a callback that is to be called next there is a message, too.
        return not self._at_work and self._pending_message is None and self._message_queue.empty()


_TYPED = (events.InputEvent, events.Paste, events.AppFocus, events.AppBlur)
"""What the terminal brings, and what decides whom it is for."""


class AttentiveApp(Attentive, App[int], inherit_bindings=False):
    """An application that may act on a key where it was read."""

    _typed = False
    """Whether something was typed that may still be on its way."""

    def post_message(self, message: Message) -> bool:
        """Take a message; those of keys, mouse, clipboard and focus are kept in mind."""
        if isinstance(message, _TYPED):
            self._typed = True
        return super().post_message(message)

    @property
    def parts(self) -> Iterable[Attentive]:
        """What a key may pass on its way."""
        return (self,)

    def caught_up(self) -> bool:
        """Whether everything that was typed has gone all its way, some time since then."""
        if self._typed and all(part.at_rest for part in self.parts):
            self._typed = False
        return not self._typed

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
