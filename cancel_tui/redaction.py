"""Secrets that cannot be shown by accident, and a last net under every log line.

A `Secret` shows nothing in `repr`, `str`, `format` or a pickle. It cannot be compared either, so that no
assertion or log line prints one. `install_log_net` quiets the libraries that log whole URLs and headers and
puts a filter at the root that replaces every registered secret value.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, final
from urllib.parse import quote

HIDDEN = "[hidden]"
_SHORTEST = 8
"""Characters; a shorter value would hide innocent words."""
_SHORTEST_LINE = 16
PASSING = 500
"""Forms in which secrets that follow one another are looked for; the older ones have long lapsed."""


class _Known:
    """Every form in which a secret of this process could appear, longest first.

    The tuple is replaced and never changed, because other threads read it while secrets are made.
    """

    def __init__(self) -> None:
        self.forms: tuple[str, ...] = ()
        self._lasting: set[str] = set()
        self._passing: dict[str, None] = {}
        self._lock = threading.Lock()

    def learn(self, value: str, *, passing: bool = False) -> None:
        with self._lock:
            fresh = [one for one in _forms(value) if one not in self._lasting]
            if passing:
                for one in fresh:
                    self._passing.pop(one, None)
                    self._passing[one] = None
                while len(self._passing) > PASSING:
                    del self._passing[next(iter(self._passing))]
            else:
                self._lasting.update(fresh)
            if fresh:
                every = self._lasting | self._passing.keys()
                self.forms = tuple(sorted(every, key=lambda one: (-len(one), one)))


def _forms(value: str) -> Iterator[str]:
    """The value itself, escaped as JSON and in an address, and each line of one with several lines (PEM)."""
    # Loaded here, because the first picture is there before the first secret.
    import json

    for form in (value, value.strip(), json.dumps(value)[1:-1], quote(value, safe="", errors="replace")):
        if len(form) >= _SHORTEST:
            yield form
    lines = value.split()
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _SHORTEST_LINE and not line.startswith("-----"))


_known = _Known()


@final
class Secret:
    """Text that must not leave the process except on the wire; `reveal` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        _known.learn(value)

    @classmethod
    def passing(cls, value: str) -> Secret:
        """One of many that follow one another, such as an access token: the net knows the newest only."""
        _known.learn(value, passing=True)
        return cls.around(value)

    @classmethod
    def around(cls, text: str) -> Secret:
        """A text around secrets that are known by themselves: the net learns nothing from it."""
        made = cls.__new__(cls)
        made._value = text
        return made

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

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled or copied")


def betrays(text: str) -> bool:
    """Whether a secret value of this process stands in the text, as it is or escaped as JSON."""
    return any(form in text for form in _known.forms)


def redact(text: str) -> str:
    """The text with every secret value of this process replaced by `[hidden]`."""
    for form in _known.forms:
        if form in text:
            text = text.replace(form, HIDDEN)
    return text


def redacted(value: Any) -> Any:
    """The same for everything that JSON can hold, keys included; other values become their redacted text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {redact(str(key)): redacted(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(one) for one in value]
    return redact(str(value))


class RedactingFilter(logging.Filter):
    """Replaces secret values in log records, arguments and exception texts included."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Render the record once, redacted; tracebacks are cut to the exception's class.

        A filter runs outside the handler's own net, so a record that cannot be rendered must not raise.
        Behind its first line asyncio writes representations of tasks and arguments: they may hold anything.
        """
        try:
            message = record.getMessage()
        except Exception as error:
            message = f"a log record that cannot be rendered ({type(error).__name__})"
        if record.name == "asyncio":
            message = message.partition("\n")[0]
        if record.exc_info and record.exc_info[0] is not None:
            message += f" ({record.exc_info[0].__name__})"
        record.msg, record.args = redact(message), None
        record.exc_info = record.exc_text = record.stack_info = None
        return True


_CHATTY = (
    "asyncio",
    "charset_normalizer",
    "concurrent",
    "engineio",
    "h11",
    "httpcore",
    "httpx",
    "keyring",
    "requests",
    "socketio",
    "urllib3",
    "websockets",
)


class _Redacted:
    """Makes log records as they were made before, and passes each through the net before anybody sees it."""

    def __init__(self, make: Callable[..., logging.LogRecord], net: RedactingFilter) -> None:
        self._make = make
        self._net = net

    def __call__(self, *arguments: Any, **named: Any) -> logging.LogRecord:
        record = self._make(*arguments, **named)
        self._net.filter(record)
        return record


def install_log_net() -> None:
    """Quiet the libraries' loggers, and redact every record, whichever logger and handler it is for.

    The filter stands at the root's handlers as well: a record may come from elsewhere ready-made.
    """
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    net = RedactingFilter()
    make = logging.getLogRecordFactory()
    if not isinstance(make, _Redacted):
        logging.setLogRecordFactory(_Redacted(make, net))
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())
    for handler in root.handlers:
        if not any(isinstance(one, RedactingFilter) for one in handler.filters):
            handler.addFilter(net)


def place_of(error: BaseException) -> str:
    """Module and line of ours in which an error arose."""
    found = "an unknown place"
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        if str(name).startswith("cancel_tui"):
            found = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
