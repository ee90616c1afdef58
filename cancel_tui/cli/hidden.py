"""Values typed or pasted at the terminal without being shown.

`getpass` reads one line in the terminal's line mode, which cuts pasted tokens off at 1,024 characters on
some systems and cannot take a key of several lines. So where the terminal can be switched, its echo and
its line mode are off for the whole dialogue, and what was pasted too much is thrown away at the end
instead of reaching the shell as commands. Elsewhere `getpass` reads line by line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from getpass import getpass

if sys.platform != "win32":
    import termios

Reader = Callable[[str], str]
"""Shows a prompt and returns one line without its end; raises EOFError at the end of the input."""

_BEGIN = "-----BEGIN"
_END = "-----END"
_MOST_LINES = 500
_LONGEST = 65_536
_END_OF_INPUT = 0x04
_ERASE = (0x08, 0x7F)
_ERASE_LINE = 0x15


@contextmanager
def hidden_input() -> Iterator[Reader]:
    """A reader of hidden lines from standard input, which must be a terminal."""
    if sys.platform == "win32":
        yield getpass
        return
    handle = sys.stdin.fileno()
    try:
        before = termios.tcgetattr(handle)
    except termios.error:
        yield getpass
        return
    quiet = [*before[:3], before[3] & ~(termios.ECHO | termios.ICANON), *before[4:6], list(before[6])]
    quiet[6][termios.VMIN], quiet[6][termios.VTIME] = 1, 0
    try:
        # Typed-ahead text was shown already: it is no secret any more.
        termios.tcsetattr(handle, termios.TCSAFLUSH, quiet)
        yield lambda prompt: _read_line(handle, prompt)
    finally:
        termios.tcsetattr(handle, termios.TCSAFLUSH, before)


def _read_line(handle: int, prompt: str) -> str:
    """One line from a terminal without line mode: the usual erasing keys are done here."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = bytearray()
    try:
        while len(line) < _LONGEST:
            byte = os.read(handle, 1)
            if not byte or (byte[0] == _END_OF_INPUT and not line):
                raise EOFError
            if byte in (b"\n", b"\r"):
                break
            if byte[0] in _ERASE:
                del line[-1:]
            elif byte[0] == _ERASE_LINE:
                line.clear()
            elif byte[0] != _END_OF_INPUT:
                line += byte
    finally:
        sys.stderr.write("\n" if prompt else "")
        sys.stderr.flush()
    return line.decode("utf-8", "replace")


def ask_value(read: Reader, prompt: str) -> str:
    """One value; empty lines, such as a paste with two line ends leaves, are passed over."""
    while True:
        line = read(prompt).strip()
        if line:
            return line


def ask_pem(read: Reader, prompt: str) -> str:
    """A key in PEM: all lines up to its END line, or one line that holds everything."""
    lines = [ask_value(read, prompt)]
    while _BEGIN in lines[0] and _END not in lines[-1] and len(lines) < _MOST_LINES:
        lines.append(read(""))
    return "\n".join(lines)
