"""One HTTP/1.1 connection that carries at most one exchange at a time.

The border between "not sent" and "unanswered" is one line: `transport.write` in `Line.ask`. Whatever
goes wrong before it is `NotSent`; from it on nothing is. A connection that ever received a byte nobody asked
for, or more than the answer it was owed, is dead: its next answer could be another order's.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import select
import ssl
from collections.abc import Callable
from functools import lru_cache, partial

import msgspec

from cancel_tui.venues.answer import Answer, UnusableError
from cancel_tui.venues.base import Message, Reply
from cancel_tui.venues.outcome import Unanswered

_LOOKS = 4
_TURNS = 5
"""Of the loop, until the end of a TLS connection has come through every layer."""
_METHOD = re.compile(rb"[A-Z]{1,16}")
_TARGET = re.compile(rb"/[\x21-\x7e]*")
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(rb"[\x20-\x7e\x80-\xff\t]*")
_HOST = re.compile(rb"[A-Za-z0-9._:\[\]-]+")
_BAD_HEADER = "a header without line breaks or control characters"
_OWN_HEADERS = frozenset({b"host", b"content-length", b"transfer-encoding"})


class Mark(msgspec.Struct):
    """How far a request came; stays readable when its caller was cancelled."""

    sent: bool = False
    """Whether the write began."""
    written: Callable[[], None] | None = None
    """Called at that moment."""
    wanted: Callable[[], bool] | None = None
    """Asked right before the write, where waiting for a connection may have taken long: no, and nothing
    leaves."""

    def write(self) -> None:
        """The write begins now."""
        self.sent = True
        if self.written is not None:
            self.written()


# Requests of one venue differ in their targets and in what their headers say; its host and the names of the
# headers are looked at once. No value is kept: some are secret.


@lru_cache(64)
def _label(name: bytes) -> bytes:
    """How a header of this name begins. Raises ValueError as `encode` does."""
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(_BAD_HEADER)
    if name.lower() in _OWN_HEADERS:
        raise ValueError("without headers of its own for host and length")
    return name + b": "


@lru_cache(64)
def _behind_target(host: bytes) -> bytes:
    """What stands between the target and the headers. Raises ValueError as `encode` does."""
    if not _HOST.fullmatch(host):
        raise ValueError("for a host whose name can be written down")
    return b" HTTP/1.1\r\nHost: %b\r\n" % host


def encode(message: Message, host: bytes) -> bytes:
    """The request's bytes. Raises ValueError for anything that could smuggle a second line or request."""
    if not _METHOD.fullmatch(message.method):
        raise ValueError("a method of capital letters")
    if not _TARGET.fullmatch(message.target):
        raise ValueError("a target that starts with / and holds no space or control character")
    parts = [message.method, b" ", message.target, _behind_target(host)]
    for name, value in message.headers:
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(_BAD_HEADER)
        parts += (_label(name), value, b"\r\n")
    if message.body or message.method in (b"POST", b"PUT", b"PATCH"):
        parts.append(b"Content-Length: %d\r\n" % len(message.body))
    parts += (b"\r\n", message.body)
    return b"".join(parts)


class Line(asyncio.Protocol):
    """One connection. `clean` says whether it may carry another exchange."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._then: Callable[[Reply | Unanswered], None] | None = None
        self._deadline = self._until = 0.0
        """What the exchange in flight is given, in seconds, and the loop's time at which that is over."""
        self._timer: asyncio.TimerHandle | None = None
        """Set for that moment or for an earlier one: what is left of an exchange that is over serves the
        next, so that not each of many that are answered at once costs a timer."""
        self._look: Callable[[float], list[tuple[int, int]]] | None = None
        """Asks the socket whether anything can be read."""
        self._dead = False

    @property
    def clean(self) -> bool:
        """Open, idle, and nothing unasked was received."""
        return (
            not self._dead
            and self._answer is None
            and self._transport is not None
            and not self._transport.is_closing()
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; called by asyncio."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            sock = transport.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0 and hasattr(select, "poll"):
                poller = select.poll()
                poller.register(sock.fileno(), select.POLLIN)
                self._look = poller.poll

    def data_received(self, data: bytes) -> None:
        """Bytes with no exchange to belong to kill the connection; called by asyncio."""
        answer = self._answer
        if answer is None:
            self.kill()
            return
        self._feed(answer, data)

    def eof_received(self) -> bool:
        """The end may complete an answer that lasts until close; called by asyncio."""
        if self._answer is not None and self._farewell():
            self._feed(self._answer, b"")
        self.kill("the connection ended before the answer was complete")
        return False

    def _farewell(self) -> bool:
        """Whether the end is the peer's own: under TLS anybody on the way can end the stream below it.

        asyncio reports both alike; OpenSSL reads nothing behind a farewell and wants more without one.
        """
        layer = self._transport.get_extra_info("ssl_object") if self._transport is not None else None
        if layer is None:
            return True
        with contextlib.suppress(ssl.SSLError):
            return not layer.read(1)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever was in flight is unanswered; called by asyncio."""
        self._dead = True
        self._forget_time()
        self._finish(Unanswered("the connection was lost before the answer"))

    def _feed(self, answer: Answer, data: bytes) -> None:
        try:
            answer.feed(data)
        except UnusableError as why:
            self.kill(str(why))
            return
        if answer.reply is not None:
            reply = answer.reply
            timed_out = reply.status == 408
            # A 408 may be meant for the silence before this request: the request's own answer can still come.
            self._dead = timed_out or not answer.keep
            self._finish(Unanswered("the venue gave up waiting (408)", None, 408) if timed_out else reply)
            if self._dead:
                self.kill()

    def _finish(self, result: Reply | Unanswered) -> None:
        self._answer = None
        then, self._then = self._then, None
        if then is not None:
            then(result)

    def kill(self, why: str = "the connection was dropped") -> None:
        """Drop the connection; an exchange in flight becomes unanswered."""
        self._dead = True
        self._forget_time()
        self._finish(Unanswered(why))
        if self._transport is not None:
            self._transport.abort()

    def _keep_time(self) -> None:
        """Have the timer go off when the time of the exchange in flight is over, or before."""
        if self._timer is not None:
            if self._timer.when() <= self._until:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._until, self._time_over)

    def _time_over(self) -> None:
        """The timer went off: for the exchange in flight, or for one that is over."""
        timer, self._timer = self._timer, None
        if self._answer is None or timer is None:
            return
        if timer.when() < self._until:
            self._keep_time()
        else:
            self.kill(f"no answer within {self._deadline:g} s")

    def _forget_time(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def silent(self) -> bool:
        """Whether nothing has arrived while it idled; looks at the socket itself, not at what was read.

        Readable may be a TLS session ticket: the loop gets a few turns to take it. What stays readable,
        or was unasked, ends the connection.
        """
        if not hasattr(select, "poll"):
            # A proactor loop always has a read pending: what arrived shows only after the loop had its turns.
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            return self.clean
        for _ in range(_LOOKS):
            if not self.clean:
                return False
            if not self._readable():
                return True
            await asyncio.sleep(0)
        return False

    def _readable(self) -> bool:
        if self._look is None or self._transport is None:
            return True
        try:
            return bool(self._look(0))
        except (OSError, ValueError):
            return True

    @property
    def quiet(self) -> bool:
        """What `silent` would say without a turn of the loop; False where only such a turn would tell."""
        return self.clean and not self._readable()

    def begin(
        self, method: bytes, wire: bytes, deadline: float, mark: Mark
    ) -> asyncio.Future[Reply | Unanswered]:
        """Write one request; the future ends with the answer, or with Unanswered after `deadline` seconds."""
        done: asyncio.Future[Reply | Unanswered] = asyncio.get_running_loop().create_future()
        self.ask(method, wire, deadline, mark, partial(_tell, done))
        return done

    def ask(
        self,
        method: bytes,
        wire: bytes,
        deadline: float,
        mark: Mark,
        then: Callable[[Reply | Unanswered], None],
    ) -> None:
        """The same for whoever goes on at once: `then` is called as the answer comes, and may ask again."""
        if self._transport is None or not self.clean:
            raise RuntimeError("a line that is not clean")
        self._answer = Answer(method)
        self._then = then
        self._deadline, self._until = deadline, asyncio.get_running_loop().time() + deadline
        self._keep_time()
        try:
            mark.write()
            self._transport.write(wire)  # the border: from here on nothing is "not sent"
        except Exception as error:
            self.kill(f"the request could not be written in full ({type(error).__name__})")


def _tell(done: asyncio.Future[Reply | Unanswered], result: Reply | Unanswered) -> None:
    if not done.done():
        done.set_result(result)
