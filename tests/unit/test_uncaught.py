"""What a process says of a fault that nobody caught."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CANARY = "d5c1a9e07b3f4c2288aa41f09e6b7712"
FAULT = f"""
import threading, asyncio, gc, sys, logging
from cancel_tui import uncaught
from cancel_tui.redaction import install_log_net
uncaught.install()
install_log_net()

def fault(error=RuntimeError):
    held = "{CANARY}"
    raise error("{CANARY}")

class Unraisable:
    def __del__(self):
        fault()

async def nobody_waits():
    asyncio.get_running_loop().call_soon(fault)
    task = asyncio.create_task(asyncio.to_thread(fault))
    await asyncio.wait({{task}})
    del task
    gc.collect()

async def cancelled():
    raise asyncio.CancelledError("{CANARY}")
"""
LOGGED = "logging.basicConfig(level=0, force=True); install_log_net(); asyncio.run(nobody_waits())"
ENDS = {
    "main": ("fault()", "internal fault: RuntimeError in an unknown place"),
    "thread": (
        "one = threading.Thread(target=fault); one.start(); one.join()",
        "internal fault: RuntimeError in an unknown place",
    ),
    "finalizer": ("one = Unraisable(); del one", "internal fault: RuntimeError in an unknown place"),
    "outside Exception": ("fault(GeneratorExit)", "internal fault: GeneratorExit in an unknown place"),
    "cancelled": ("asyncio.run(cancelled())", "internal fault: CancelledError in an unknown place"),
    "group": ("fault(lambda one: ExceptionGroup(one, [ValueError(one)]))", "fault: ExceptionGroup in"),
    "interrupt": ("fault(KeyboardInterrupt)", "interrupted"),
    "ours": ("uncaught.words(1)", "internal fault: AttributeError in cancel_tui."),
    "loop": (LOGGED, "never retrieved"),
    "loop, developing": (LOGGED, "never retrieved"),
    "closed stream": ("sys.stderr.close(); fault()", ""),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_fault_shows_its_class_and_its_place_and_nothing_of_what_it_holds(end: str) -> None:
    act, words = ENDS[end]
    answer = subprocess.run(
        [sys.executable, *(("-X", "dev") if "developing" in end else ()), "-c", FAULT + act],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert words in answer.stderr
    assert CANARY not in answer.stderr + answer.stdout
    assert "Traceback" not in answer.stderr


def test_the_toolkits_switches_for_developers_do_nothing() -> None:
    probe = (
        "import cancel_tui.console.crash, os; from textual import constants as one; "
        "print(one.LOG_FILE, one.PRESS, one.DEBUG, one.DRIVER, one.SCREENSHOT_DELAY, "
        "os.environ.get('TEXTUAL'))"
    )
    switches = {
        "TEXTUAL": "devtools,debug",
        "TEXTUAL_LOG": "keys.txt",
        "TEXTUAL_PRESS": "ctrl+k,K,I,L,L,enter",
        "TEXTUAL_DEBUG": "1",
        "TEXTUAL_DRIVER": "somebody:Else",
        "TEXTUAL_SCREENSHOT": "1",
    }
    answer = subprocess.run(
        [sys.executable, "-c", probe],
        env={**os.environ, **switches},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert answer.stdout.split() == ["None", "False", "None", "-1", "None"]
