"""Signals are taken while that is wanted and can be done, and never stand in the way of what needs them."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from cancel_tui.signals import ignored, interrupting, take, taken

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows hands no signal to an event loop")


async def test_a_signal_calls_its_handler_and_is_given_back() -> None:
    came = asyncio.Event()
    with taken({"SIGUSR1": came.set}):
        os.kill(os.getpid(), signal.SIGUSR1)
        async with asyncio.timeout(10):
            await came.wait()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


async def test_it_is_given_back_also_after_a_fault() -> None:
    with pytest.raises(ZeroDivisionError), taken({"SIGUSR1": lambda: None}):
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


async def test_a_signal_that_the_platform_does_not_have_is_left_out() -> None:
    assert take({"SIGNOTHING": lambda: None}) == []


async def test_a_platform_that_cannot_keeps_the_default_effects(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", cannot)
    assert take({"SIGUSR1": lambda: None}) == []
    with taken({"SIGUSR1": lambda: None}):
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


async def test_another_thread_takes_none() -> None:
    async def there() -> list[int]:
        return take({"SIGUSR1": lambda: None})

    assert await asyncio.to_thread(asyncio.run, there()) == []
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


async def test_it_is_given_back_to_whoever_had_it_before() -> None:
    with interrupting("SIGUSR1"):
        with taken({"SIGUSR1": lambda: None}):
            pass
        assert signal.getsignal(signal.SIGUSR1) is signal.default_int_handler
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_what_would_kill_interrupts_and_what_is_ignored_stays_ignored() -> None:
    with pytest.raises(KeyboardInterrupt), interrupting("SIGUSR1", "SIGNOTHING"):
        os.kill(os.getpid(), signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    assert not ignored("SIGUSR1")
    assert not ignored("SIGNOTHING")
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        assert ignored("SIGUSR1")
        with interrupting("SIGUSR1"):
            os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
