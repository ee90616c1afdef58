"""From a key to the wire, while 10,000 orders are shown and 500 of them change each second.

The key is written to the console's pseudo-terminal; the clock stops when the cancel request is given to its
socket. The venues are in a process of their own and push every change, while the rival has its turn as
well: an otherwise empty Textual app that writes such a request to a raw socket. As that listens to nobody,
somebody else does meanwhile, in the venues' own process: else the rival would have the machine for itself.
What the venues used of a processor in both turns stands beside the figure.
"""

from __future__ import annotations

import os
import select
import socket
import statistics
import sys
import threading
import time
from contextlib import closing
from functools import partial

from tests.benchmarks.harness import Row, Scale, Target, judged, percentile
from tests.benchmarks.processes import LIMIT, LINES, Terminal, Venues, cpu, venues

MEDIAN = "Key to wire, median"
WORST = "Key to wire, 99th percentile"
ROWS = (MEDIAN, WORST)
RATE = 500
"""Changes a second."""
PAUSE = 0.2
"""Seconds for the cursor's step to be painted."""
DOWN = b"\x1b[B"
LAST_LINE = f"\x1b[{LINES};1H".encode()


def _sink(server: socket.socket) -> None:
    """Take whatever arrives on the first connection."""
    connection, _ = server.accept()
    with connection:
        while connection.recv(65_536):
            pass


def presses(here: Venues, what: str, count: int, settle: float, port: int) -> list[float]:
    """Milliseconds from each key to its request."""
    read, write = os.pipe()
    command = [sys.executable, "-m", "tests.benchmarks.key_apps", what, str(write), str(port)]
    terminal = Terminal(command, here.fresh(), pass_fds=(write,))
    os.close(write)
    found: list[float] = []
    try:
        terminal.until(lambda written: LAST_LINE in written)
        terminal.quiet(settle)
        idle = 0
        while len(found) < count:
            os.write(terminal.master, DOWN)
            terminal.quiet(PAUSE + (len(found) + idle) % 7 * 0.011)
            begun = time.monotonic()
            os.write(terminal.master, b"x")
            at = _stamp(read, terminal, begun)
            if at is not None:
                found.append((at - begun) * 1000)
                continue
            # The cursor's step was not painted yet: the key was for an order that is being cancelled.
            idle += 1
            if idle > count:
                raise TimeoutError("most keys were refused")
    finally:
        terminal.end()
        os.close(read)
    return found


def _stamp(handle: int, terminal: Terminal, begun: float) -> float | None:
    """Wait for a request, and let the process paint meanwhile; None where the key was refused.

    What was said before the key is not about it: a venue may be asked twice to cancel an order.
    """
    end = time.monotonic() + LIMIT
    while time.monotonic() < end and terminal.process.poll() is None:
        ready = select.select([handle, terminal.master], [], [], 1.0)[0]
        if handle in ready:
            for said in os.read(handle, 4096).split():
                if said == b"refused":
                    return None
                if float(said) >= begun:
                    return float(said)
        if terminal.master in ready:
            terminal.read(0.0)
    raise TimeoutError(f"no request came; the last of what was shown: {terminal.written[-300:]!r}")


def rows(scale: Scale) -> list[Row]:
    """Median and worst, over all rounds."""
    found: dict[str, list[float]] = {"console": [], "empty": []}
    shares: dict[str, list[float]] = {"console": [], "empty": []}
    with venues(scale.of(10_000, 100)) as here, closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        here.ask(f"churn {RATE}")
        for _ in range(scale.of(5, 1)):
            threading.Thread(target=partial(_sink, server), daemon=True).start()
            for what, times in found.items():
                here.ask(f"listen {'off' if what == 'console' else 'on'}")
                settle = scale.of(8.0 if what == "console" else 1.0, 0.5)
                begun, used = time.monotonic(), cpu(here.process.pid)
                times += presses(here, what, scale.of(120, 2), settle, port)
                shares[what].append((cpu(here.process.pid) - used) / (time.monotonic() - begun) * 100)
    ours, rival = found["console"], found["empty"]
    target, against = Target(2.0), "empty app, raw socket"
    busy = [statistics.mean(shares[what]) for what in ("console", "empty")]
    note = f"{len(ours)} keys; worst {max(ours):.1f} against {max(rival):.1f} ms"
    note += f"; venues {busy[0]:.0f} % busy against {busy[1]:.0f} %"
    return [
        judged(MEDIAN, statistics.median(ours), statistics.median(rival), target, against=against),
        judged(WORST, percentile(ours, 0.99), percentile(rival, 0.99), target, against=against, note=note),
    ]
