"""Signals of the process as calls on its event loop, as far as the platform and the thread can take them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress


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
    """As `take`, while this lasts; afterwards each signal does again what it did before."""
    numbers = {name: number for name in handlers if (number := getattr(signal, name, None)) is not None}
    before = {number: signal.getsignal(number) for number in numbers.values()}
    taken_now = take(handlers)
    try:
        yield
    finally:
        for number in taken_now:
            asyncio.get_running_loop().remove_signal_handler(number)
            # None: it was set by no Python code, so that nobody can set it again.
            if before[number] is not None:
                signal.signal(number, before[number])


def ignored(name: str) -> bool:
    """Whether whoever started this process had it ignore the signal, as `nohup` does."""
    number = getattr(signal, name, None)
    return number is not None and signal.getsignal(number) is signal.SIG_IGN


@contextmanager
def interrupting(*names: str) -> Iterator[None]:
    """While this lasts the named signals raise KeyboardInterrupt, as SIGINT does, where they would kill.

    Nothing changes for one that is ignored or handled, that the platform does not have, or in a thread
    other than the main one.
    """
    numbers = [number for name in names if (number := getattr(signal, name, None)) is not None]
    changed = []
    for number in numbers:
        if signal.getsignal(number) is signal.SIG_DFL:
            with suppress(ValueError):
                signal.signal(number, signal.default_int_handler)
                changed.append(number)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)
