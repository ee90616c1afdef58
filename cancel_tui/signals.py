"""Signals of the process as calls on its event loop, as far as the platform and the thread can take them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


def take(handlers: Mapping[str, Callable[[], None]]) -> list[int]:
    """From now on the named signals call their handlers on the running loop; the numbers that were taken.

    Left out, with their default effect, are signals that the platform does not have (Windows has no
    `SIGHUP` and no `SIGTSTP`) and those that it cannot hand to a loop (Windows: all of them), and every
    signal where this is not the main thread: there another program owns them.
    """
    loop = asyncio.get_running_loop()
    taken: list[int] = []
    for name, handler in handlers.items():
        number = getattr(signal, name, None)
        if number is None:
            continue
        try:
            loop.add_signal_handler(number, handler)
        except RuntimeError:
            # Another thread; or NotImplementedError, which is one of them: the platform.
            continue
        taken.append(number)
    return taken


@contextmanager
def taken(handlers: Mapping[str, Callable[[], None]]) -> Iterator[None]:
    """As `take`, while this lasts; afterwards each signal has its default effect again."""
    numbers = take(handlers)
    try:
        yield
    finally:
        for number in numbers:
            asyncio.get_running_loop().remove_signal_handler(number)
