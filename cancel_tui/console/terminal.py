"""The terminal's keys, read by the event loop itself, and the one that must not wait.

The toolkit reads the terminal in a thread: that thread waits for the interpreter while anything is painted,
and a key then passes four queues. Whoever presses the cancel key wants none of that: the loop reads, once per
turn and in the pauses of long work.
"""

from __future__ import annotations

import asyncio
import os
import select
from codecs import getincrementaldecoder
from contextvars import Context, copy_context
from threading import Thread
from typing import TYPE_CHECKING

from rich.text import Text
from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from cancel_tui.console.attentive import AttentiveApp
from cancel_tui.pauses import use_pauses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ONCE = 4096
"""Bytes that are read at once."""
_TICK = 0.05
"""Seconds between two looks whether an Escape stands alone or has begun a sequence."""


class LoopDriver(LinuxDriver):
    """The toolkit's driver for POSIX terminals, without its thread.

    Where the loop cannot watch the terminal, it reads in a thread as ever.
    """

    _reading = False
    _ticking: asyncio.TimerHandle | None = None
    _no_pauses: Callable[[], None]
    """Ends the looks in pauses; while it reads."""

    def start_application_mode(self) -> None:
        """Take the terminal over and begin to read."""
        before = self._key_thread
        begin: Callable[[], None] = super().start_application_mode
        begin()
        if self._key_thread is before:
            # In the background nothing may be read.
            return
        self._parser = XTermParser(self._debug)
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        try:
            self._loop.add_reader(self.fileno, self._read)
            self._no_pauses = use_pauses(self._in_a_pause(copy_context()))
            self._reading = True
        except (OSError, NotImplementedError, ValueError):
            self._key_thread = Thread(target=super()._run_input_thread, name="textual-input")
            self._key_thread.start()

    def disable_input(self) -> None:
        """Read no more."""
        self._deaf()
        super().disable_input()

    def _in_a_pause(self, context: Context) -> Callable[[], None]:
        """Look at the terminal while the loop is at work, and act as if the loop had."""

        def look() -> None:
            try:
                context.run(self._read)
            except Exception as error:
                # As the loop does it: it is no fault of the work that has paused.
                self._loop.call_exception_handler({"message": "a key could not be read", "exception": error})

        return look

    def _run_input_thread(self) -> None:
        """The toolkit's thread has nothing to do: the loop reads."""

    def _deaf(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self.fileno)
            self._no_pauses()
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None

    def _read(self) -> None:
        try:
            if not select.select([self.fileno], (), (), 0)[0]:
                # A pause has read it meanwhile: to read now would be to stand still until the next key.
                return
            data = os.read(self.fileno, _ONCE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            # The terminal is gone.
            self._deaf()
            self._app.call_later(self._app.panic, Text())
            return
        if not data:
            # Hung up: a signal says so to whoever has to act on it.
            self._deaf()
        elif text := self._decode(data):
            self._take(self._parser.feed(text))

    def _take(self, found: Iterable[Message]) -> None:
        for message in found:
            self.process_message(message)
        if self._ticking is None and self._reading and self._parser._timeout_time is not None:
            self._ticking = self._loop.call_later(_TICK, self._tick)

    def _tick(self) -> None:
        self._ticking = None
        self._take(self._parser.tick())

    def send_message(self, message: Message) -> None:
        """Hand a message to the application; a key that it takes at once goes no further."""
        app = self._app
        if isinstance(message, events.Key) and isinstance(app, AttentiveApp) and app.take_key(message):
            return
        app.post_message(message)
