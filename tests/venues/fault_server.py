"""A server that misbehaves on command and keeps the exact bytes of every request it received.

Blocking sockets in threads, on purpose: nothing of asyncio or of an HTTP library stands between the test and
the bytes, and the server goes on while the client's event loop is blocked. A behaviour is a function that
gets the connection and the request, and writes, waits or hangs up; unless it returns False the server then
waits for the next request on that connection.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType


class Request:
    """One request as it came."""

    def __init__(self, raw: bytes, number: int) -> None:
        self.raw = raw
        self.number = number
        """Counts from 1 on each connection."""
        head, _, self.body = raw.partition(b"\r\n\r\n")
        self.lines = head.split(b"\r\n")
        self.method, _, rest = self.lines[0].partition(b" ")
        self.target = rest.removesuffix(b" HTTP/1.1")


class Connection:
    """The server's end of one connection; only its own thread touches it."""

    def __init__(self, sock: socket.socket, server: FaultServer) -> None:
        self.sock = sock
        self.server = server
        self._buffer = b""
        self._requests = 0

    def send(self, *pieces: bytes) -> None:
        """Write pieces, each by a call of its own."""
        for piece in pieces:
            self.sock.sendall(piece)

    def drip(self, data: bytes, seconds: float) -> None:
        """Write byte by byte until the client has enough of it."""
        for at in range(len(data)):
            self.sock.sendall(data[at : at + 1])
            if self.server.stopping.wait(seconds):
                return

    def next_request(self) -> Request | None:
        """The next whole request; None at the end of the stream."""
        while (request := self._take()) is None:
            data = self.sock.recv(65536)
            if not data:
                return None
            self.server.note_bytes(len(data))
            self._buffer += data
        return request

    def _take(self) -> Request | None:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return None
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(rest) < length:
            return None
        raw, self._buffer = head + end + rest[:length], rest[length:]
        self._requests += 1
        return Request(raw, self._requests)

    def wait_for_peer(self) -> None:
        """Say nothing until the client hangs up."""
        while data := self.sock.recv(65536):
            self.server.note_bytes(len(data))

    def hang_up(self) -> None:
        """Close in good order."""
        with contextlib.suppress(OSError, ValueError):
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock.settimeout(0.0)
                self.sock.unwrap()
        self.cut()

    def cut(self) -> None:
        """Close the stream; under TLS without TLS's own farewell."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def reset(self) -> None:
        """Close with RST."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Behaviour = Callable[[Connection, Request], "bool | None"]


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: bytes) -> bytes:
    """A plain answer with a length."""
    lines = [b"HTTP/1.1 " + status.encode(), *headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def echo(connection: Connection, request: Request) -> None:
    """Answer with the request's own target, so that another request's answer shows."""
    connection.send(answer(request.target))


class FaultServer:
    """Listens on loopback; a context manager that ends all of its threads."""

    def __init__(
        self,
        behaviour: Behaviour = echo,
        *,
        tls: ssl.SSLContext | None = None,
        greeting: bytes = b"",
        host: str = "127.0.0.1",
        handshake: bool = True,
    ) -> None:
        self._behaviour = behaviour
        self._tls = tls
        self._greeting = greeting
        self._handshake = handshake
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._connections: set[Connection] = set()
        self.requests: list[Request] = []
        self.bytes_received = 0
        self.accepted = 0
        self.names: list[str | None] = []
        """Server names that clients asked for (SNI)."""
        self.protocols: list[str | None] = []
        """ALPN protocols agreed on."""
        self.crashes: list[BaseException] = []
        self.go = threading.Event()
        """Behaviours that act while a connection idles wait for this."""
        self.stopping = threading.Event()
        self._acted = threading.Semaphore(0)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=256)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        if tls is not None:
            tls.sni_callback = lambda _sock, name, _context: self.names.append(name)

    def __enter__(self) -> FaultServer:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self.go.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.end_all()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "a thread of the fault server hangs"
        if error is None and self.crashes:
            raise AssertionError("the fault server itself failed") from self.crashes[0]

    @property
    def open(self) -> int:
        """Connections that neither side has closed."""
        with self._lock:
            return len(self._connections)

    @property
    def targets(self) -> list[bytes]:
        """Targets of every request received, in order."""
        with self._lock:
            return [request.target for request in self.requests]

    def has_seen(self, count: int) -> bool:
        """Whether that many requests have come."""
        return len(self.targets) >= count

    def has_open(self, count: int) -> bool:
        """Whether exactly that many connections are open."""
        return self.open == count

    def note_bytes(self, count: int) -> None:
        """Count bytes of requests, whole or not."""
        with self._lock:
            self.bytes_received += count

    def acted(self) -> None:
        """A behaviour says that it did what it waited for `go` to do."""
        self._acted.release()

    def act(self, count: int) -> None:
        """Let `count` connections act, blocking until they did: the event loop has no turn meanwhile."""
        self.go.set()
        for _ in range(count):
            assert self._acted.acquire(timeout=10), "a connection did not act"
        self.go.clear()

    def end_all(self) -> None:
        """End every stream from outside of its thread, which then closes it."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=self._run, args=(work, *arguments), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, work: Callable[..., None], *arguments: object) -> None:
        try:
            work(*arguments)
        except OSError:
            return  # clients that hang up are part of every test
        except BaseException as error:
            self.crashes.append(error)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            sock, _ = self._listener.accept()
            connection = Connection(sock, self)
            with self._lock:
                self.accepted += 1
                self._connections.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: Connection) -> None:
        try:
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not self._handshake:
                connection.wait_for_peer()
                return
            if self._tls is not None:
                sock = self._tls.wrap_socket(connection.sock, server_side=True, do_handshake_on_connect=False)
                connection.sock = sock
                sock.do_handshake()
                self.protocols.append(sock.selected_alpn_protocol())
            if self._greeting:
                connection.send(self._greeting)
            while (request := connection.next_request()) is not None:
                with self._lock:
                    self.requests.append(request)
                if self._behaviour(connection, request) is False:
                    return
        finally:
            with self._lock:
                self._connections.discard(connection)
            if connection.sock.fileno() >= 0:
                connection.hang_up()


@contextlib.contextmanager
def unanswering_port() -> Iterator[int]:
    """A loopback port on which a SYN is never answered: its queue of unaccepted connections is full."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(16):
            filler = sockets.enter_context(socket.socket())
            filler.settimeout(0.1)
            try:
                filler.connect(address)
            except TimeoutError:
                break
        else:
            raise AssertionError("the queue takes any number of connections")
        yield address[1]
