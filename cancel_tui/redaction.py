"""Secrets that cannot be shown by accident, and a last net under every log line.

A `Secret` shows nothing in `repr`, `str`, `format` or a pickle. It cannot be compared either, so that no
assertion or log line prints one. `install_log_net` quiets the libraries that log whole URLs and headers and
puts a filter at the root that replaces every registered secret value.
"""

from __future__ import annotations

import logging
from typing import Any, NoReturn, final

HIDDEN = "[hidden]"

_known: set[str] = set()


@final
class Secret:
    """Text that must not leave the process except on the wire; `reveal` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        if len(value) >= 8:
            _known.add(value)

    def reveal(self) -> str:
        """The text itself. Name the reason at each call; never keep the result."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled or copied")


def redact(text: str) -> str:
    """The text with every secret value of this process replaced by `[hidden]`."""
    for value in _known:
        if value in text:
            text = text.replace(value, HIDDEN)
    return text


class RedactingFilter(logging.Filter):
    """Replaces secret values in log records, arguments and exception texts included."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Render the record once, redacted; tracebacks are cut to the exception's class."""
        message: Any = record.getMessage()
        record.msg, record.args = redact(str(message)), None
        if record.exc_info and record.exc_info[0] is not None:
            record.msg += f" ({record.exc_info[0].__name__})"
            record.exc_info = None
            record.exc_text = None
        return True


_CHATTY = ("httpx", "httpcore", "h11", "websockets", "asyncio", "keyring", "socketio", "engineio")


def install_log_net() -> None:
    """Quiet the libraries' loggers and put the redacting filter on every root handler."""
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    net = RedactingFilter()
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())
    for handler in root.handlers:
        if not any(isinstance(one, RedactingFilter) for one in handler.filters):
            handler.addFilter(net)
